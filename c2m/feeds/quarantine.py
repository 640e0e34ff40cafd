"""Rows that broke a rule: `quarantine/<feed>/<batch_id>.parquet`, one row per record and broken rule.

feed, batch_id, file, record, raw (JSON of the columns that the mapping reads, nothing else of the file), rule, seen,
advice. Beside it lies, as <batch_id>.yaml, the mapping that a foreign file was read with: corrected rows return by it.
A source that speaks for some merchants alone has them in <batch_id>.merchants.json: its corrected rows speak for no
others. Lines of orders land too, as what their order lacks: it is not whole without them.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import duckdb
import pandas as pd

from c2m import objects
from c2m.errors import InputError
from c2m.feeds import landing
from c2m.feeds.contracts import FEEDS, ID
from c2m.feeds.file_outcomes import FileOutcome, find
from c2m.feeds.forms import cells
from c2m.feeds.mapping import NOT_OF_SOURCE, Mapping, native, parse
from c2m.feeds.records import kind_of
from c2m.feeds.rules import Feed, literal, quoted
from c2m.files import write_with
from c2m.settings import settings

SCHEMA = {
    "feed": "VARCHAR",
    "batch_id": "VARCHAR",
    "file": "VARCHAR",
    "record": "BIGINT",
    "raw": "VARCHAR",
    "rule": "VARCHAR",
    "seen": "VARCHAR",
    "advice": "VARCHAR",
}


def path_of(feed: str, batch_id: str) -> Path:
    """Where the quarantined rows of a batch lie."""
    return settings().quarantine / feed / f"{batch_id}.parquet"


def mapping_of(outcome: FileOutcome) -> Mapping:
    """The mapping that the file of a batch was read with, of a source that speaks for the same merchants."""
    path = path_of(outcome.feed, outcome.batch_id)
    bound = path.with_suffix(".merchants.json")
    merchants = json.loads(bound.read_text(encoding="utf-8")) if bound.exists() else None
    if not outcome.mapping:
        return native(outcome.feed).bound(merchants)
    return parse(path.with_suffix(".yaml").read_text(encoding="utf-8"), outcome.mapping).bound(merchants)


def keep(
    connection: duckdb.DuckDBPyConnection,
    mapping: Mapping,
    outcome: FileOutcome,
    columns: Sequence[str],
    number: int = 1,
    before: int = 0,
) -> int:
    """Writes what the tables `broken` and `records` say (see split.py); returns how many records are in quarantine now.

    columns: of the file; number, before: see landing.land. Rows of the batch that lay there before and are not among
    `records` stay.
    """
    path, own = path_of(outcome.feed, outcome.batch_id), f'records WHERE "#file" = {number}'
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE quarantined AS
            SELECT $feed AS feed, $batch_id AS batch_id, $file AS file, "#record" - {before} AS record,
            {_raw(connection, mapping.feed, columns)} AS raw, rule, seen, advice
            FROM broken JOIN (FROM {own}) USING ("#record") {_numbers(connection, mapping.feed)}""",  # noqa: S608
        {"feed": outcome.feed, "batch_id": outcome.batch_id, "file": outcome.file},
    )
    connection.execute(f"CREATE OR REPLACE TEMP TABLE before AS FROM {_source([path])}")
    connection.execute(
        f"""INSERT INTO quarantined FROM before
            WHERE record NOT IN (SELECT "#record" - {before} FROM {own})"""  # noqa: S608
    )
    changed = "(FROM quarantined EXCEPT FROM before) UNION ALL (FROM before EXCEPT FROM quarantined)"
    if connection.execute(changed).fetchone():
        if mapping.name:
            objects.write(path.with_suffix(".yaml"), lambda part: part.write_bytes(mapping.text.encode()))
        if mapping.merchants is not None:
            bound = json.dumps(mapping.merchants)
            objects.write(path.with_suffix(".merchants.json"), lambda part: part.write_text(bound, encoding="utf-8"))
        landing.write_parquet(connection.sql("FROM quarantined ORDER BY record, rule"), path)
    if outcome.feed == "merchant_order_lines" and _has_typed(connection):
        _land_lines(connection, outcome, number, before)
    return len(records_of(outcome))


def close(outcome: FileOutcome) -> FileOutcome:
    """The outcome of a batch whose file has come in anew: nothing of it lies in quarantine any more."""
    path = path_of(outcome.feed, outcome.batch_id)
    objects.remove([path, path.with_suffix(".yaml"), path.with_suffix(".merchants.json")])
    if not outcome.quarantined:
        return outcome
    said = f"{outcome.quarantined:,} left out: the file came in anew"
    left_out, notes = outcome.left_out + outcome.quarantined, "; ".join(filter(None, (outcome.notes, said)))
    return replace(outcome, quarantined=0, left_out=left_out, status="ok", notes=notes)


def _land_lines(connection: duckdb.DuckDBPyConnection, outcome: FileOutcome, number: int, before: int) -> None:
    """Lands what can be read of broken lines, save of those by which a source speaks for somebody else's order."""
    lines = connection.execute(
        f"""SELECT merchant_id, order_id, if(regexp_full_match(sku_id, $id), sku_id, NULL) AS sku_id, order_line_id,
            quantity, status, rule, $batch_id AS batch_id, "#record" - {before} AS record,
            coalesce(known_at, $arrived_at) AS known_at
        FROM typed JOIN (
            SELECT "#record", string_agg(DISTINCT rule, ', ' ORDER BY rule) AS rule FROM broken GROUP BY "#record"
            HAVING NOT bool_or(rule = $not_theirs)
        ) USING ("#record")
        WHERE merchant_id IS NOT NULL AND order_id IS NOT NULL AND "#file" = {number}""",  # noqa: S608
        {"id": ID, "batch_id": outcome.batch_id, "arrived_at": outcome.arrived_at, "not_theirs": NOT_OF_SOURCE},
    ).df()
    if len(lines):
        landing.land_frame("quarantined_order_lines", lines)


def records_of(outcome: FileOutcome) -> set[int]:
    """Numbers of the records of a batch that lie in quarantine."""
    query = f"SELECT record FROM {_source([path_of(outcome.feed, outcome.batch_id)])}"  # noqa: S608
    with landing.connect() as connection:
        return {record for (record,) in connection.execute(query).fetchall()}


def of_batch(outcome: FileOutcome) -> pd.DataFrame:
    """What lies in quarantine of a batch: one row per record and broken rule, in the columns of this module's top."""
    with landing.connect() as connection:
        lying = _source([path_of(outcome.feed, outcome.batch_id)])
        return connection.execute(f"FROM {lying} ORDER BY record, rule").df()


def _source(paths: Iterable[Path]) -> str:
    """SQL that reads those of the files that there are."""
    if files := [literal(str(path)) for path in sorted(paths) if path.exists()]:
        return f"read_parquet([{', '.join(files)}])"
    return "(SELECT " + ", ".join(f"NULL::{kind} AS {name}" for name, kind in SCHEMA.items()) + " LIMIT 0)"


def _numbers(connection: duckdb.DuckDBPyConnection, feed: Feed) -> str:
    """SQL: joins the number that a row has among the equal lines of its file, by which it comes back."""
    if feed.numbered and _has_typed(connection):
        return f'LEFT JOIN (SELECT "#record", {feed.numbered} AS _line FROM typed) USING ("#record")'  # noqa: S608
    return ""


def _has_typed(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether the file could be used as a whole."""
    return bool(connection.execute("FROM duckdb_tables() WHERE table_name = 'typed' AND temporary").fetchall())


def _raw(connection: duckdb.DuckDBPyConnection, feed: Feed, names: Sequence[str]) -> str:
    cells = ", ".join(f"{literal(name)}, {quoted(name)}" for name in names)
    if feed.numbered and _has_typed(connection):
        cells += ", '_line', _line"
    row = f"json_object({cells})" if cells else "JSON '{}'"
    return f"""(CASE WHEN "#cells" IS NULL THEN {row} ELSE json_object('_cells', "#cells"::JSON) END)::VARCHAR"""


def read(feed: str | None = None) -> pd.DataFrame:
    """Everything in quarantine, of one feed or of all: one row per record and broken rule, in the columns of this
    module's top.
    """
    lying = settings().quarantine / (feed or "")
    objects.fetch(lying)
    with landing.connect() as connection:
        return connection.execute(
            f"FROM {_source(lying.rglob('*.parquet'))} ORDER BY feed, batch_id, record, rule"
        ).df()


def counted(feed: str | None = None) -> pd.DataFrame:
    """Rows in quarantine by feed and broken rule: feed, rule, rows, seen (one as it was seen), advice. feed: None: all.

    Raises
    ------
    InputError
        There is no such feed.
    """
    broken = read(_known(feed) if feed else None).groupby(["feed", "rule"], as_index=False)
    return broken.agg(rows=("record", "size"), seen=("seen", "first"), advice=("advice", "first"))


def _known(feed: str) -> str:
    if feed not in FEEDS:
        raise InputError("feed-unknown", [f"no feed is called {feed!r}; the feeds are {', '.join(FEEDS)}"])
    return feed


def export_quarantine(feed: str, file: Path) -> int:
    """Writes a feed's quarantined records for a person to correct; `readmit` takes the corrected file back.

    The columns are those of the files that they came in; the ones that begin with `_` say what is wrong and where the
    row belongs. A spreadsheet carries out nothing of a CSV file.

    Parameters
    ----------
    feed
        Its name.
    file
        CSV, or JSON lines where its suffix is .jsonl.

    Returns
    -------
    int
        How many records.

    Raises
    ------
    InputError
        There is no such feed.
    """
    records = []
    for batch_id, broken in read(_known(feed)).groupby("batch_id", sort=False):
        outcome = find(str(batch_id))
        names = mapping_of(outcome).wanted if outcome else ()
        records += [_to_correct(rules, names) for _, rules in broken.groupby("record", sort=False)]
    table = pd.DataFrame(records, dtype=object)
    if kind_of(file) == "jsonl":
        write_with(file, lambda part: table.to_json(part, orient="records", lines=True, force_ascii=False))
    else:
        shown = table.map(lambda text: text and cells.neutral(text)).rename(columns=cells.neutral)
        write_with(file, lambda part: shown.to_csv(part, index=False, lineterminator="\n"))
    return len(records)


def _to_correct(broken: pd.DataFrame, names: Iterable[str]) -> dict[str, str | None]:
    """One record with all that is said of it; a row without columns shows its cells in _seen."""
    first, raw = broken.iloc[0], json.loads(broken.iloc[0]["raw"])
    said = {f"_{name}": "; ".join(dict.fromkeys(broken[name].dropna())) for name in ("rule", "seen", "advice")}
    if "_cells" in raw:
        said["_seen"] += f": {raw['_cells']}"
    place = {"_batch_id": str(first["batch_id"]), "_record": str(first["record"])}
    place |= {"_line": raw["_line"]} if raw.get("_line") else {}
    return place | said | {name: raw.get(name) for name in names}
