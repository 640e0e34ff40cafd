"""The landing zone: immutable Parquet, a folder per feed and producer, an empty file in each so that a glob reads."""

import hashlib
import os
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from c2m import objects
from c2m.errors import InputError
from c2m.feeds.contracts import FEEDS, PRODUCED, SCHEMAS
from c2m.feeds.rules import Feed, literal
from c2m.files import write_atomically
from c2m.settings import settings

FORMAT = 1  # of what has landed; it grows when what lies there means something else, not when a column is added

# For mappings: the id of a foreign code. A code that is an id stays itself; of any other one its letters, digits, _ and
# - stay, and a digest of the whole code keeps apart what would look alike. An accent that is typed as a sign of its own
# (a Mac does so) makes no other code.
_ID_OF = """CREATE MACRO id_of(code) AS CASE
    WHEN regexp_full_match(code, '[A-Za-z0-9_-]{1,64}') THEN code
    WHEN trim(code) <> '' THEN
        left(regexp_replace(strip_accents(code), '[^A-Za-z0-9_-]+', '_', 'g'), 51) || '-'
        || left(md5(nfc_normalize(code)), 12)
END"""
# For mappings: a number as people write it, with its decimals behind `mark` ('.' or ','), as text that casts. The other
# mark, spaces and apostrophes part thousands; a currency may stand around it; (5) and 5- are negative. Null where it is
# written in any other way: 1.234,50 never becomes 1.23450.
_NUMBER_OF = r"""CREATE MACRO number_of(written, mark) AS CASE
    WHEN regexp_full_match(bare_number(written, mark),
        '[-+]?[0-9]{1,3}((,[0-9]{2,3})*,[0-9]{3})?(\.[0-9]+)?|[-+]?[0-9]*(\.[0-9]+)?')
    THEN nullif(replace(bare_number(written, mark), ',', ''), '')
END"""
_BARE_NUMBER = r"""CREATE MACRO bare_number(written, mark) AS regexp_replace(
    translate(regexp_replace(written, '\p{L}{2,3}\.?|[\p{Sc}\p{Z}''’]', '', 'g'),
        '.,', CASE mark WHEN ',' THEN ',.' WHEN '.' THEN '.,' END),
    '^\((.*)\)$|^(.*)-$', '-\1\2')"""

# DuckDB's own casts take 1.5 for 2, `2026-01-1x` for the first of January, `10:00 BST` for the time of Dhaka and +99:00
# for an offset, 12_34 for 1234; of an hour that a clock skips or strikes twice they choose one: these, in their place,
# end in an error instead, which TRY makes null.
_STRICT = r"""
CREATE MACRO unparted(x) AS CASE WHEN typeof(x) <> 'VARCHAR' OR NOT contains(CAST(x AS VARCHAR), '_') THEN x END;
CREATE MACRO whole_of(x) AS CASE
    WHEN x IS NULL THEN NULL
    WHEN regexp_full_match(CAST(x AS VARCHAR), '\s*[+-]?[0-9]+(\.0*)?\s*')  -- nearly all; the rest is slow
        -- computed in binary: a digit may lack
        OR typeof(x) = 'DOUBLE' AND abs(CAST(x AS DOUBLE) - round(CAST(x AS DOUBLE))) < 1e-9
        OR CAST(unparted(x) AS DECIMAL(38,27)) = trunc(CAST(x AS DECIMAL(38,27)))
    THEN CAST(x AS BIGINT)
    ELSE CAST('not whole: ' || CAST(x AS VARCHAR) AS BIGINT)
END;
CREATE MACRO day_of(x) AS CASE
    WHEN x IS NULL THEN NULL
    WHEN typeof(x) <> 'VARCHAR' OR CAST(TRY_CAST(x AS DATE) AS VARCHAR) = CAST(x AS VARCHAR)
        OR regexp_full_match(CAST(x AS VARCHAR), '\s*\d{4}[-/]\d{1,2}[-/]\d{1,2}'
            || '([T\s]\s*([01]?\d|2[0-4])(:[0-5]\d){1,2}(\.\d+)?\s*(Z|UTC|[+-]\d\d(:?\d\d)?)?)?\s*')
    THEN CAST(x AS DATE)
    ELSE CAST('no day: ' || CAST(x AS VARCHAR) AS DATE)
END;
CREATE MACRO zone_of(x) AS regexp_extract(x, '[A-Za-z]+/[A-Za-z0-9_+/-]+');
CREATE MACRO comes_once(x) AS zone_of(x) = '' OR len(list_filter([-1, 0, 1], lambda hours:
    (CAST(x AS TIMESTAMPTZ) + to_hours(hours)) AT TIME ZONE coalesce(nullif(zone_of(x), ''), 'UTC')
    = CAST(trim(replace(x, zone_of(x), '')) AS TIMESTAMP))) = 1;
CREATE MACRO moment_of(x) AS CASE
    WHEN x IS NULL THEN NULL
    WHEN regexp_full_match(CAST(x AS VARCHAR), '.*(\d|[zZ]|UTC|GMT|infinity|[A-Za-z]/[A-Za-z0-9_+/-]+)\s*')
        AND NOT regexp_matches(CAST(x AS VARCHAR), ':\d\d(\.\d+)?\s*[+-](1[5-9]|[2-9]\d)')
        AND comes_once(CAST(x AS VARCHAR))
    THEN CAST(x AS TIMESTAMPTZ)
    ELSE CAST('no moment: ' || CAST(x AS VARCHAR) AS TIMESTAMPTZ)
END;
"""

# Free text of shoppers without e-mail and web addresses, telephone numbers, and names where a text says whose they are.
_WITHOUT_PERSONS = r"""CREATE MACRO without_persons(text) AS regexp_replace(regexp_replace(regexp_replace(text,
    '[[:alnum:]._%+-]+@[[:alnum:].-]+|(https?://|www[.])\S+|(^|\s)@\w+', '[removed]', 'g'),
    '[+]?[(]?[0-9][0-9().\s/-]{6,}[0-9]', '[removed]', 'g'),
    '((?i:my name is|i am called|signed|regards,|dear|mrs?[.]|ms[.])\s+|我叫|我是|姓名[:：]?)'
    || '(\p{Lu}\p{Ll}+(\s+\p{Lu}\p{Ll}+)?|\p{Han}{2,3})', '\1[removed]', 'g')"""


@cache
def _database() -> duckdb.DuckDBPyConnection:
    database = duckdb.connect()
    # DuckDB 1.5 moves what two TRY(...) have in common out of both, where its error ends the query: one bad date would
    # cost the whole file. Expires with the DuckDB that passes the test of it.
    database.execute("SET disabled_optimizers = 'common_subexpressions'")
    database.execute("SET parquet_metadata_cache = true")  # what has landed never changes
    database.execute(_ID_OF)
    database.execute(_BARE_NUMBER)
    database.execute(_NUMBER_OF)
    database.execute(_STRICT)
    database.execute(_WITHOUT_PERSONS)
    database.execute(f"SET memory_limit = '{settings().ingest_memory_mb}MB'")
    spill = settings().home.absolute() / "spill"
    spill.mkdir(parents=True, exist_ok=True, mode=0o700)
    database.execute("SET temp_directory = $folder", {"folder": str(spill)})
    return database


def connect() -> duckdb.DuckDBPyConnection:
    """A session in UTC of the process's in-memory DuckDB: quick to open, its temporary tables its own."""
    session = _database().cursor()
    session.execute("SET TimeZone = 'UTC'")
    return session


def folder(name: str) -> Path:
    """Where a feed or a producer lands."""
    return settings().landing / name


def source(name: str, union: bool = True, files: Sequence[str] = ()) -> str:
    """SQL that reads all that has landed of a feed or producer; hidden files are ones that are still being written.

    Parameters
    ----------
    name
        Of the feed or producer.
    union
        Files that landed before the contract had a column are read too, with nulls; without, and twice as fast, only
        columns may be named that every file has.
    files
        These alone, by path; none: all.

    Returns
    -------
    str
        What stands behind FROM.
    """
    objects.fetch(folder(name))
    named = ", ".join(map(literal, files or [str(folder(name) / "[!.]*.parquet")]))
    rows = f"read_parquet([{named}], union_by_name = {str(union).lower()})"
    if name not in FEEDS or (numbered := FEEDS[name].numbered) is None:
        return rows
    first = literal(FEEDS[name].column(numbered).default)  # what landed before lines had ids
    return f"(SELECT * REPLACE (coalesce({numbered}, {first}) AS {numbered}) FROM {rows})"  # noqa: S608


def landed_between(name: str, since: datetime | None, until: datetime | None) -> list[str]:
    """Paths of the landed files of a feed that may hold a row known then; what a file holds never changes."""
    objects.fetch(folder(name))
    files = [entry.path for entry in os.scandir(folder(name)) if _is_landed(entry.name)]
    if new := [file for file in files if file not in _known_between]:
        query = """SELECT file_name, min(stats_min_value::TIMESTAMP), max(stats_max_value::TIMESTAMP)
            FROM parquet_metadata($new) WHERE path_in_schema = 'known_at' GROUP BY file_name"""
        with connect() as connection:
            _known_between.update({file: known for file, *known in connection.execute(query, {"new": new}).fetchall()})
    return sorted(file for file in files if since and until and _overlap(since, until, *_known_between[file]))


_known_between: dict[str, Sequence[datetime | None]] = {}


def _is_landed(name: str) -> bool:
    return name.endswith(".parquet") and not name.startswith((".", "_"))


def _overlap(since: datetime, until: datetime, first: datetime | None, last: datetime | None) -> bool:
    return first is None or last is None or (first <= until and since <= last)


def refuse_newer() -> None:
    """What a newer version has landed is left alone: its columns may mean something else.

    Raises
    ------
    InputError
        The landing zone is of a format that this code does not know.
    """
    mark = settings().landing / "_format"
    held = mark.read_text().strip() if mark.exists() else str(FORMAT)  # the first format had no mark
    if held not in map(str, range(1, FORMAT + 1)):
        told = f"{settings().landing} is of format {held!r}, newer than this code, which knows up to {FORMAT}"
        raise InputError("landing-newer", [f"{told}: install the version that wrote it, or restore a backup"])


def ensure_landing() -> None:
    """Writes `_empty.parquet` (schema, no row) for every feed and producer that lacks it or has it otherwise.

    Raises
    ------
    InputError
        A newer version has landed here.
    """
    refuse_newer()
    if not (mark := settings().landing / "_format").exists():
        write_atomically(mark, f"{FORMAT}\n".encode())
    with connect() as connection:
        for name, schema in SCHEMAS.items():
            empty = folder(name) / "_empty.parquet"
            if not empty.exists() or connection.read_parquet(str(empty)).columns != list(schema):
                write_rows(name, [], empty)


@cache
def _arrow_schema(name: str) -> pa.Schema:
    columns = ", ".join(f"NULL::{kind} AS {column}" for column, kind in SCHEMAS[name].items())
    with connect() as connection:
        return connection.sql(f"SELECT {columns} LIMIT 0").to_arrow_table().schema


def write_rows(name: str, rows: Sequence[dict[str, object]], path: Path) -> None:
    """Writes a few rows of a feed or producer; `write_parquet` would take three times as long to begin."""
    table = pa.Table.from_pylist(list(rows), _arrow_schema(name))
    objects.write(path, lambda part: parquet.write_table(table, part, compression="zstd"))


def write_parquet(relation: duckdb.DuckDBPyRelation, path: Path) -> None:
    """Writes a relation's rows, all or nothing.

    Parameters
    ----------
    relation
        Of DuckDB.
    path
        Below the home; it reaches the store too, where one is set.
    """
    objects.write(path, lambda part: relation.write_parquet(str(part), compression="zstd"))


def land(
    connection: duckdb.DuckDBPyConnection,
    feed: Feed,
    batch_id: str,
    file: str,
    number: int = 1,
    before: int = 0,
    sort: bool = True,
) -> None:
    """Lands the new rows of the table `accepted` (see split.py) as `file`.parquet, in the order of their records.

    number: of the file among those that were split together; before: how many records came before its own; sort: not
    needed where every record is accepted, for then nothing has changed their order (ten million rows: 5 of 65 seconds).
    """
    columns = ", ".join(
        f"without_persons({one.name}) AS {one.name}" if one.personal else one.name for one in feed.columns
    )
    # Without parameters: with them DuckDB would first copy all rows into Python's hands.
    rows = connection.sql(
        f"""SELECT {columns}, {literal(batch_id)} AS _batch_id, "#record" - {before} AS _record, _row_hash
        FROM accepted WHERE NOT duplicate AND "#file" = {number} {"ORDER BY _record" if sort else ""}"""  # noqa: S608
    )
    write_parquet(rows, folder(feed.name) / f"{file}.parquet")


def end(connection: duckdb.DuckDBPyConnection, feed: Feed, batch_id: str, arrived_at: datetime, hashed: str) -> None:
    """Lands the rows of the table `gone` (see split.py) once more, as ones that count no more: of no record, 0."""
    moment = f"greatest({literal(arrived_at)}, known_at + INTERVAL 1 MICROSECOND)"
    ended = f"{literal(feed.ended)} AS status, {moment} AS known_at"
    columns = ", ".join(one.name for one in feed.columns)
    rows = connection.sql(
        f"""SELECT {columns}, {literal(batch_id)} AS _batch_id, 0::BIGINT AS _record, {hashed} AS _row_hash
        FROM (SELECT * REPLACE ({ended}) FROM gone) ORDER BY ALL"""  # noqa: S608
    )
    write_parquet(rows, folder(feed.name) / f"{batch_id}-ended.parquet")


def records_of(connection: duckdb.DuckDBPyConnection, feed: str, batch_id: str) -> set[int]:
    """Numbers of the records of a batch that have landed."""
    query = f"SELECT _record FROM {source(feed)} WHERE _batch_id = $batch_id AND _record > 0"  # noqa: S608
    return {record for (record,) in connection.execute(query, {"batch_id": batch_id}).fetchall()}


def is_empty(name: str) -> bool:
    """Whether nothing of a feed or producer has landed yet."""
    with connect() as connection:
        return not connection.execute(f"SELECT 1 FROM {source(name, union=False)} LIMIT 1").fetchall()  # noqa: S608


def land_frame(name: str, frame: pd.DataFrame) -> Path:
    """Lands a produced table under a name that follows from its content: the same rows land once.

    Parameters
    ----------
    name
        Of the table, a key of `contracts.SCHEMAS`.
    frame
        Its rows, with the columns that `SCHEMAS` gives it; others are left out.

    Returns
    -------
    Path
        The Parquet file.
    """
    schema = SCHEMAS[name]
    with connect() as connection:
        columns = ", ".join(f'"{column}"::{kind} AS "{column}"' for column, kind in schema.items())
        rows = connection.sql(f"SELECT {columns} FROM frame ORDER BY ALL")  # noqa: S608
        digest = hashlib.sha256(repr(rows.fetchall()).encode()).hexdigest()
        file = folder(name) / f"{digest[:32]}.parquet"
        if not file.exists():
            write_parquet(rows, file)
    return file


def merge(label: str, least: int) -> None:
    """Makes one file of the many that each producer has landed: for a home of one process, as of a replay.

    Feeds are left alone: outcomes name their files.

    Parameters
    ----------
    label
        Name of the files that are made, without suffix.
    least
        How many landed files of a producer become one, at least.
    """
    for name, schema in PRODUCED.items():
        files = list(folder(name).glob("[!._]*.parquet"))
        if len(files) >= least:
            _copy_landed(name, schema, folder(name) / f"{label}.parquet")
            for file in files:
                file.unlink()


def _copy_landed(name: str, columns: Iterable[str], file: Path) -> None:
    """All that a producer has landed, in one file."""
    chosen = ", ".join(f'"{column}"' for column in columns)
    with connect() as connection:
        write_parquet(connection.sql(f"SELECT {chosen} FROM {source(name)}"), file)  # noqa: S608


def read_landed(name: str, **equal: object) -> pd.DataFrame:
    """The landed rows of a feed or producer whose columns equal the values given."""
    wanted = " AND ".join(f'"{column}" = ${column}' for column in equal) or "true"
    with connect() as connection:
        return connection.execute(f"FROM {source(name)} WHERE {wanted}", equal).df()


def latest(name: str) -> pd.DataFrame:
    """Per key of an upsert feed, the row that was known last; the columns are the feed's (`contracts.SCHEMAS`)."""
    keys = ", ".join(FEEDS[name].key)
    with connect() as connection:
        rank = f"row_number() OVER (PARTITION BY {keys} ORDER BY known_at DESC, _row_hash)"
        return connection.execute(f"FROM {source(name)} QUALIFY {rank} = 1").df()
