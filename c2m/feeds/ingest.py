"""Brings the files of a world in: each lands once, whatever is killed and run again.

A file's batch_id is the hash of feed, content, mapping and the files that are joined to it. Its Parquet is written
first, its quarantine next and its finished outcome last; a batch without a finished outcome is done again from the
start, with the arrival first noted.
"""

import difflib
import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC

import duckdb
import pandas as pd

from c2m import clock
from c2m.errors import InputError
from c2m.feeds import landing, outcomes, quarantine
from c2m.feeds.contracts import FEEDS
from c2m.feeds.mapping import Mapping, fingerprint
from c2m.feeds.outcomes import Outcome
from c2m.feeds.readmit import admit_waiting, readmit
from c2m.feeds.records import Records
from c2m.feeds.shape import Rows, lacks, read
from c2m.feeds.split import quarantine_all, split
from c2m.feeds.world import Source, World
from c2m.files import sha256

__all__ = ["ingest", "readmit"]

Progress = Callable[[int, int, str], None]  # files done, files in all, name of the next one


def ingest(world: World, progress: Progress | None = None) -> pd.DataFrame:
    """Lands every file of the world and returns its outcomes, one row per batch.

    Raises InputError, all faults at once, when afterwards a feed that no day can do without has no row at all, or a
    source of world.yaml has no file; what has landed stays.
    """
    landing.ensure_landing()
    sources, landed, faults = world.sources(), [], world.lacking()
    for done, source in enumerate(sources):
        if progress:
            progress(done, len(sources), source.name)
        try:
            landed.append(_bring_in(source))
        except _UnreadableError as error:
            faults += error.faults
    admit_waiting()
    landed = [outcomes.find(outcome.batch_id) or outcome for outcome in landed]
    if faults := [*faults, *_missing(world, landed)]:
        raise InputError("feed-missing", faults)
    return outcomes.frame(landed)


class _UnreadableError(InputError):
    """The file system does not give the file: it has no content to account for."""


def _missing(world: World, landed: list[Outcome]) -> list[str]:
    """Faults of the indispensable feeds that hold no row."""
    faults = []
    stray = f"; files that belong to no feed: {', '.join(world.unclaimed())}" if world.unclaimed() else ""
    for feed in FEEDS.values():
        if feed.required and landing.is_empty(feed.name):
            seen = [
                f"{o.file}: {o.problems or f'{o.quarantined} rows quarantined'}" for o in landed if o.feed == feed.name
            ]
            found = (
                f"no row of it was accepted ({'; '.join(seen)})" if seen else f"no file of it in {world.folder}{stray}"
            )
            faults.append(f"{feed.name}: {found}; the day cannot go on without it. Bring it in and run again.")
    return faults


def _bring_in(source: Source) -> Outcome:
    outcome = _arrival(source)
    if outcome.finished:
        return outcome
    with landing.connect() as connection:
        rows = read(connection, source.file, source.mapping, source.joined)
        problems = [*rows.file.problems, *_column_problems(source.mapping, rows.file)]
        if problems:
            quarantine_all(connection, source.mapping.feed, problems)
        else:
            split(connection, source.mapping, outcome.arrived_at, outcome.batch_id)
        landing.land(connection, source.mapping.feed, outcome.batch_id, outcome.batch_id)
        quarantined = quarantine.keep(connection, source.mapping, outcome)
        finished = _finished(connection, outcome, source.mapping, quarantined, rows, problems)
    outcomes.record(finished)
    return finished


def batch_of(source: Source, digest: str) -> str:
    """The batch of a file with this digest. Raises OSError where a file that is joined to it cannot be read."""
    identity = [source.mapping.feed.name, digest, fingerprint(source.mapping)]
    identity += [sha256(path) for paths in source.joined.values() for path in paths]
    return hashlib.sha256("|".join(identity).encode()).hexdigest()[:32]


def _arrival(source: Source) -> Outcome:
    """The outcome of the file's batch: finished, broken off, or new and written now."""
    feed = source.mapping.feed.name
    if problem := source.problem():
        raise _UnreadableError("file-unreadable", [f"{source.name}: {problem}"])
    try:
        digest = sha256(source.file)
        batch_id = batch_of(source, digest)
    except OSError as error:
        raise _UnreadableError(
            "file-unreadable", [f"{source.name}: cannot be read: {error}; give it back and run again"]
        ) from error
    if known := outcomes.find(batch_id):
        return known
    now = clock.now().astimezone(UTC).replace(tzinfo=None)
    arrived = Outcome(batch_id, feed, None, source.name, digest, source.mapping.name, 0, 0, 0, 0, 0, "arrived", "", now)
    outcomes.record(arrived)
    return arrived


def _column_problems(mapping: Mapping, file: Records) -> list[str]:
    lacking = lacks(mapping, file)
    if not lacking or (file.problems and not file.columns):
        return []
    return [f"columns missing: {', '.join(lacking)}; the file has {', '.join(file.columns) or 'none'}"]


def _misspelt(mapping: Mapping, file: Records) -> Iterator[str]:
    """Columns of a native file that nobody reads and that nearly are the name of one that it lacks."""
    present = {name.casefold() for name in file.columns}
    lacking = {_letters(name): name for name in mapping.wanted if name.casefold() not in present}
    known = {name.casefold() for name in mapping.wanted}
    for column in file.columns if not mapping.name else ():
        near = difflib.get_close_matches(_letters(column), lacking, 1, cutoff=0.8)
        if near and column.casefold() not in known:
            yield f"column {column!r} is not read: is {lacking[near[0]]} meant? Then name it so"


def _letters(name: str) -> str:
    return re.sub("[^a-z0-9]", "", name.casefold())


def _finished(
    connection: duckdb.DuckDBPyConnection,
    outcome: Outcome,
    mapping: Mapping,
    quarantined: int,
    rows: Rows,
    problems: list[str],
) -> Outcome:
    tenant = FEEDS[outcome.feed].tenant or "NULL"
    row = connection.execute(
        f"""SELECT (SELECT count(*) FROM records), count(*), count(*) FILTER (duplicate),
            CASE WHEN count(DISTINCT {tenant}) = 1 THEN any_value({tenant}) END FROM accepted"""  # noqa: S608
    ).fetchone()
    assert row  # an aggregate has one row
    records, accepted, duplicates, owner = row
    left_out = sum(rows.left_out.values())
    reasons = [f"{count:,} left out: {reason}" for reason, count in rows.left_out.items()]
    said = [*problems, *_misspelt(mapping, rows.file)]
    return replace(
        outcome,
        rows_in=records + left_out,
        accepted=accepted,
        quarantined=quarantined,
        duplicates=duplicates,
        tenant=owner,
        status=outcomes.status(accepted, quarantined, "; ".join(problems)),
        problems="; ".join(said),
        left_out=left_out,
        notes="; ".join([*reasons, *rows.notes]),
    )
