"""Compaction: the many small files of scans of a past day become a few large ones. Nothing is lost or counted twice.

A compacted file carries the names of the files that it was merged from; dbt takes it in their place (macros/scans.sql),
so that the moment at which both lie there is harmless. Order of steps: merge, compare, swap the name in, only then
remove; a run that broke off anywhere is completed by the next.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb

from c2m import clock, objects
from c2m.errors import C2MError
from c2m.feeds.contracts import PRODUCED
from c2m.feeds.landing import connect, ensure_landing, folder
from c2m.feeds.rules import literal
from c2m.files import sync
from c2m.settings import settings

SOURCES = "c2m.sources"  # key of the Parquet metadata; a JSON list of file names
_PREFIX = "compacted-"
_COLUMNS = ", ".join(f'"{column}"' for column in PRODUCED["scans"])


@dataclass(frozen=True)
class Compacted:
    """One file that was made, out of how many."""

    file: str
    day: date
    files: int
    scans: int


def compact() -> list[Compacted]:
    """Merges files of scans that are old enough, day by day of receipt (UTC); one process at a time.

    Raises
    ------
    C2MError
        Another process compacts, or a merged file does not hold what its parts held.
    """
    ensure_landing()
    scans = folder("scans")
    with _alone(scans), connect() as connection:
        objects.fetch(scans)
        for part in scans.glob(f".*.{_PREFIX}*"):
            part.unlink()
        _remove_merged(scans)
        made = [_merge(connection, day, files) for day, files in _groups(connection, scans)]
        _remove_merged(scans)
    return made


@contextmanager
def _alone(scans: Path) -> Iterator[None]:
    handle = os.open(scans, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise C2MError("compaction-runs", [f"another process compacts {scans}; wait for its end"]) from None
    finally:
        os.close(handle)


def _groups(connection: duckdb.DuckDBPyConnection, scans: Path) -> Iterator[tuple[date, list[str]]]:
    """Files to merge: of one day, together about `compact_rows` scans; a lone one stays as it is."""
    age = timedelta(days=settings().compact_after_days)
    written = (datetime.now(UTC) - age).timestamp()
    old = [str(f) for f in scans.glob("[!._]*.parquet") if f.stat().st_mtime < written and not f.match(f"{_PREFIX}*")]
    if old:
        found = connection.execute(
            """SELECT day, list(file_name ORDER BY file_name) FROM (
                SELECT *, (sum(scans) OVER (PARTITION BY day ORDER BY file_name) - scans) // $rows AS part FROM (
                    SELECT file_name, max(stats_max_value::TIMESTAMP)::DATE AS day, sum(num_values) AS scans
                    FROM parquet_metadata($old) WHERE path_in_schema = 'received_at' GROUP BY file_name))
            WHERE day < $before GROUP BY day, part HAVING count(*) > 1 ORDER BY day, part""",
            {"old": old, "rows": settings().compact_rows, "before": (clock.now() - age).date()},
        )
        yield from found.fetchall()


def _merge(connection: duckdb.DuckDBPyConnection, day: date, files: list[str]) -> Compacted:
    """Writes one file, by factory and time: small, and quick to read where one factory is asked for."""
    names = json.dumps(sorted(Path(file).name for file in files))
    target = folder("scans") / f"{_PREFIX}{hashlib.sha256(names.encode()).hexdigest()[:32]}.parquet"
    landed = _content(connection, files)

    def write(part: Path) -> None:
        connection.execute(
            f"""COPY (SELECT {_COLUMNS} FROM read_parquet($files) ORDER BY factory_id, received_at, scan_id)
            TO {literal(str(part))}
            (FORMAT parquet, COMPRESSION zstd, KV_METADATA {{'{SOURCES}': {literal(names)}}})""",  # noqa: S608
            {"files": files},
        )
        if (merged := _content(connection, [str(part)])) != landed:
            fault = f"{day}: {merged[0]} scans merged out of {landed[0]}; the files stay; check the disk, run again"
            raise C2MError("compaction-differs", [fault])

    objects.write(target, write)
    sync(target.parent)
    return Compacted(target.name, day, len(files), landed[0])


def _content(connection: duckdb.DuckDBPyConnection, paths: list[str]) -> tuple[int, int]:
    """Number of rows, and a sum over their hashes that no order changes."""
    query = f"SELECT count(*), coalesce(sum(hash({_COLUMNS})), 0) FROM read_parquet($paths)"  # noqa: S608
    row = connection.execute(query, {"paths": paths}).fetchone()
    return (int(row[0]), int(row[1])) if row else (0, 0)


def _remove_merged(scans: Path) -> None:
    """Removes what lies in a compacted file too: of this run, and of one that broke off before it came so far."""
    objects.remove(scans / name for name in sorted(_merged(scans)))
    sync(scans)


def _merged(scans: Path) -> set[str]:
    """Names of the files that compacted ones were merged from."""
    compacted = [str(file) for file in scans.glob(f"{_PREFIX}*.parquet")]
    if not compacted:
        return set()
    with connect() as connection:
        found = connection.execute(
            "SELECT decode(value) FROM parquet_kv_metadata($compacted) WHERE decode(key) = $key",
            {"compacted": compacted, "key": SOURCES},
        ).fetchall()
    return {name for (names,) in found for name in json.loads(names)}
