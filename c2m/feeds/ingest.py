"""Brings the files of a world in: each lands once, whatever is killed and run again.

A file's batch_id is the hash of feed, content, mapping and the files that are joined to it. Its Parquet is written
first, its quarantine next and its finished outcome last; a batch without a finished outcome is done again from the
start, with the arrival first noted. Small files of one mapping are read one by one and checked together: what a check
costs, however few its rows, is paid once for all of them.
"""

import difflib
import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

import duckdb
import pandas as pd

from c2m import clock, objects
from c2m.errors import InputError
from c2m.feeds import file_outcomes, landing, quarantine
from c2m.feeds.contracts import FEEDS
from c2m.feeds.file_outcomes import FileOutcome
from c2m.feeds.mapping import Mapping, fingerprint, of_files
from c2m.feeds.readmit import admit_waiting, readmit
from c2m.feeds.records import Records
from c2m.feeds.rules import Feed, quoted
from c2m.feeds.shape import ShapedRows, drop, lacks, read
from c2m.feeds.split import quarantine_all, row_hash, since, split
from c2m.feeds.world import Source, World
from c2m.files import sha256
from c2m.settings import settings

__all__ = ["bring_in", "ingest", "readmit"]

_NEEDED = "the day cannot go on without it. Bring it in and run again."
_TWICE = (
    "it came in before, read otherwise: {gone:,} ids of then come no more, {new:,} new ones would count beside them;"
    " give the ids as before, or begin anew with an empty C2M_HOME"
)
_GONE = "{gone:,} ids come no more that came when it was read otherwise: what landed of them {counts}"
_MOST_TOGETHER, _BYTES_TOGETHER = 250, 32_000_000  # files that are checked together
Progress = Callable[[int, int, str], None]  # files done, files in all, name of the next one


def ingest(world: World, progress: Progress | None = None) -> pd.DataFrame:
    """Lands every file of the world. What has landed stays, whatever comes after it.

    Parameters
    ----------
    world
        A checked world (`World.load`).
    progress
        Called before each file: files done, files in all, name of the next one.

    Returns
    -------
    pd.DataFrame
        A row per batch, with the columns of landing/file_outcomes.

    Raises
    ------
    InputError
        All faults at once: before anything lands, where a feed that no day can do without has no row and no file;
        afterwards, where such a feed has still no row, a file could not be read, or a source of world.yaml has no file.
    """
    _look_up()
    sources, landed, faults = world.sources(), [], world.lacking()
    if absent := _absent(world, sources):
        raise InputError("feed-missing", [*faults, *absent])
    together: list[_Arrived] = []
    deliveries = file_outcomes.Deliveries({source.name for source in sources})
    for done, found in enumerate(_looked_up(sources)):
        if progress:
            progress(done, len(sources), found.source.name)
        if any(one.outcome.batch_id == found.batch_id for one in together):  # a content that is there twice
            faults += _bring_in(together)
            together = []
        seen = _anew(found, deliveries)
        if seen.known and seen.known.finished:
            landed.append(seen.known)
            continue
        try:
            arrived = _arrival(seen)
        except _UnreadableError as error:
            faults += error.faults
            continue
        landed.append(arrived.outcome)
        deliveries.add(arrived.outcome)
        if arrived.outcome.finished:
            continue
        if not _fits(together, arrived):
            faults += _bring_in(together)
            together = []
        together.append(arrived)
    faults += _bring_in(together)
    admit_waiting()
    now = file_outcomes.find_all(outcome.batch_id for outcome in landed)
    landed = [now.get(outcome.batch_id, outcome) for outcome in landed]
    if (missing := list(_missing(landed))) or faults:
        raise InputError("feed-missing" if missing else "file-unreadable", [*faults, *missing])
    return file_outcomes.frame(landed)


def _look_up() -> None:
    """What became of files on any machine until now."""
    landing.ensure_landing()
    objects.fetch(landing.folder("file_outcomes"))
    objects.fetch(settings().quarantine)


@dataclass(frozen=True)
class _Seen:
    """A file as it was found; of one that cannot be opened, what is wrong with it."""

    source: Source
    problem: str | None
    stamps: "_Stamps" = ()
    digest: str = ""
    first_id: str = ""  # of the batch, the first time that its content comes
    batch_id: str = ""
    known: FileOutcome | None = None  # what has become of it before
    earlier: tuple[FileOutcome, ...] = ()  # and what of it, read by its mapping as that was then

    @property
    def read_as(self) -> tuple[str, str, str]:
        """Feed, digest of the content, name of the mapping."""
        return self.source.mapping.feed.name, self.digest, self.source.mapping.name


def _looked_up(sources: Sequence[Source]) -> list[_Seen]:
    """All files, and what became of them, looked up at once."""
    seen = [_see(source) for source in sources]
    if mapped := [one.digest for one in seen if one.source.mapping.name]:
        came = file_outcomes.of_contents(mapped)
        seen = [_in_turn(one, came.get(one.read_as, [])) for one in seen]
    found = file_outcomes.find_all(one.batch_id for one in seen)
    return [replace(one, known=found.get(one.batch_id)) for one in seen]


def _in_turn(seen: _Seen, came: Sequence[FileOutcome]) -> _Seen:
    batch_id = file_outcomes.in_turn(seen.batch_id, came)
    return replace(seen, batch_id=batch_id, earlier=tuple(one for one in came if one.batch_id != batch_id))


def _anew(seen: _Seen, deliveries: file_outcomes.Deliveries) -> _Seen:
    """The file as what it is: known, new, or a content that came before and is the newest delivery once more."""
    known = seen.known or file_outcomes.find(seen.batch_id)
    if known is None or not known.finished or seen.source.mapping.feed.mode != "upsert":
        return replace(seen, known=known)
    written_at = datetime.fromtimestamp(seen.stamps[0][1] / 1e9, UTC).replace(tzinfo=None)
    before = deliveries.before(known, seen.source.name, written_at)
    if not before:
        return replace(seen, known=known)
    batch_id = file_outcomes.once_more(seen.first_id, before[-1])
    ended = file_outcomes.find_all(one.batch_id for one in before)  # some of them had just arrived
    return replace(seen, batch_id=batch_id, known=file_outcomes.find(batch_id), earlier=tuple(ended.values()))


def _see(source: Source) -> _Seen:
    if problem := source.problem():
        return _Seen(source, problem)
    try:
        stamps, digest = _stamps(source), sha256(source.file)
        batch_id = batch_of(source, digest)
        return _Seen(source, None, stamps, digest, batch_id, batch_id)
    except OSError as error:
        return _Seen(source, f"cannot be read: {error}; give it back and run again")


_Stamps = tuple[tuple[int, int], ...]


def _stamps(source: Source) -> _Stamps:
    """Bytes and last change of a file and of those that are joined to it. Raises OSError where one is not there."""
    return tuple((stat.st_size, stat.st_mtime_ns) for stat in map(Path.stat, source.files))


@dataclass(frozen=True)
class _Arrived:
    """A file that is to come in."""

    source: Source
    outcome: FileOutcome
    stamps: _Stamps  # before anything of it was read
    earlier: tuple[FileOutcome, ...] = ()
    refused: tuple[str, ...] = ()  # why nothing of it may land

    @property
    def earlier_ids(self) -> list[str]:
        return [one.batch_id for one in self.earlier]

    @property
    def bytes(self) -> int:
        return self.stamps[0][0]

    @property
    def unsteady(self) -> str:
        """What became of it since, where what was read may not be what its batch says."""
        try:
            changed = _stamps(self.source) != self.stamps
        except OSError:
            return "it was taken away while it was read; give it back and run again"
        return "it changed while it was read; run again once it is whole" if changed else ""


def _fits(together: Sequence[_Arrived], one: _Arrived) -> bool:
    """Whether this file may come in together with those: small, and of a mapping by which none waits for another."""
    mapping = one.source.mapping
    apart = mapping.newest_file_wins or bool(mapping.shape and mapping.shape.join)
    return not together or (
        not apart
        and not one.earlier
        and not together[0].earlier
        and mapping.is_like(together[0].source.mapping)
        and len(together) < _MOST_TOGETHER
        and sum(other.bytes for other in (*together, one)) < _BYTES_TOGETHER
    )


def bring_in(source: Source) -> FileOutcome:
    """Lands a single file, and what waited for its rows; its outcome. The same file again changes nothing."""
    _look_up()
    (found,) = _looked_up([source])
    arrived = _arrival(_anew(found, file_outcomes.Deliveries({source.name})))
    if not arrived.outcome.finished and (faults := _bring_in([arrived])):
        raise _UnreadableError("file-unreadable", faults)
    admit_waiting()
    return file_outcomes.find(arrived.outcome.batch_id) or arrived.outcome


class _UnreadableError(InputError):
    """The file system does not give the file: it has no content to account for."""


def _absent(world: World, sources: Iterable[Source]) -> list[str]:
    """Faults of the indispensable feeds that have neither row nor file."""
    come = {source.mapping.feed.name for source in sources}
    stray = f"; files that belong to no feed: {', '.join(world.unclaimed())}" if world.unclaimed() else ""
    return [
        f"{feed.name}: no file of it in {world.folder}{stray}; {_NEEDED}"
        for feed in FEEDS.values()
        if feed.required and feed.name not in come and landing.is_empty(feed.name)
    ]


def _missing(landed: Sequence[FileOutcome]) -> Iterator[str]:
    """Faults of the indispensable feeds that hold no row although there is a file."""
    for feed in FEEDS.values():
        if feed.required and landing.is_empty(feed.name):
            seen = "; ".join(_told(one) for one in landed if one.feed == feed.name)
            yield f"{feed.name}: no row of it was accepted ({seen or 'see above'}); {_NEEDED}"


def _told(outcome: FileOutcome) -> str:
    counts = {"quarantined": outcome.quarantined, "left out": outcome.left_out}
    told = ", ".join(f"{count:,} rows {become}" for become, count in counts.items() if count)
    return f"{outcome.file}: {outcome.problems or told or 'it holds no row'}"


def _bring_in(together: Sequence[_Arrived]) -> list[str]:
    """Lands files of one mapping, in their order; one that cannot be used as a whole is left to itself.

    One that was written to while it was read is left for the next run; what to do about such is returned.
    """
    if not together:
        return []
    with landing.connect() as connection:
        read = list(_gather(connection, together)) if len(together) > 1 else [_read(connection, together[0])]
        if unsteady := [one for one in together if one.unsteady]:
            steady = [one for one in together if one not in unsteady]
            return [*map(_leave, unsteady), *_one_by_one(steady)]
        sound = [one for one in read if not one.problems]
        if not sound and len(together) > 1:
            return _one_by_one(together)
        mapping = of_files([one.source.mapping for one in sound or read])
        if sound:
            arrivals = [one.outcome.arrived_at for one in sound]
            split(connection, mapping, arrivals, [one.outcome.batch_id for one in sound], sound[0].earlier_ids)
        else:
            quarantine_all(connection, mapping.feed, read[0].problems)
        if len(sound) > 1:
            _work_out(connection)
        if sound and sound[0].earlier:
            gone, new = since(connection, mapping.feed, sound[0].earlier_ids)
            if gone and new:
                return _bring_in([replace(together[0], refused=(_TWICE.format(gone=gone, new=new),))])
            sound = [_without(connection, sound[0], gone)] if gone else sound
        counts = _counts(connection, mapping.feed)
        for one in sound or read:
            _settle(connection, one, counts.get(one.number, (0, 0, 0, None, False)), alone=len(together) == 1)
    return _one_by_one([one for one in read if one.problems]) if sound else []


def _work_out(connection: duckdb.DuckDBPyConnection) -> None:
    """Accepted rows as a table: a view would work them out once more for each file."""
    connection.execute("CREATE TEMP TABLE worked_out AS FROM accepted; DROP VIEW accepted")
    connection.execute("ALTER TABLE worked_out RENAME TO accepted")


def _one_by_one(files: Iterable[_Arrived]) -> list[str]:
    return [fault for one in files for fault in _bring_in([one])]


def _leave(one: _Arrived) -> str:
    """Ends what has begun of a file that is to come in with a later run; what to do about it."""
    told = one.unsteady or "it changed while it was read; run again"
    file_outcomes.record(replace(one.outcome, status="changed", problems=told))
    return f"{one.source.name}: {told}"


@dataclass(frozen=True, kw_only=True)
class _Read(_Arrived):
    """A file whose records are in the table `records`: from `before` + 1 on, under `number` in "#file"."""

    rows: ShapedRows
    problems: list[str]
    columns: tuple[str, ...]
    number: int = 1
    before: int = 0

    def with_note(self, note: str) -> "_Read":
        return replace(self, rows=replace(self.rows, notes=(*self.rows.notes, note)))


def _without(connection: duckdb.DuckDBPyConnection, one: _Read, gone: int) -> _Read:
    """Ends the rows of ids that a file gives no more, where its feed can say that they count no more."""
    feed, outcome = one.source.mapping.feed, one.outcome
    if feed.ended:
        landing.end(connection, feed, outcome.batch_id, outcome.arrived_at, row_hash(feed))
    counts = f"is {feed.ended} now" if feed.ended else "still counts"
    return one.with_note(_GONE.format(gone=gone, counts=counts))


def _read(connection: duckdb.DuckDBPyConnection, one: _Arrived) -> _Read:
    """Makes the table `records` of one file."""
    source = one.source
    rows = read(connection, source.file, source.mapping, source.joined)
    problems = [*one.refused, *rows.file.problems, *_column_problems(source.mapping, rows.file)]
    columns = tuple(name for name in connection.table("records").columns if not name.startswith("#"))
    given = {field.name: getattr(one, field.name) for field in fields(_Arrived)}
    return _Read(**given, rows=rows, problems=problems, columns=columns)


def _gather(connection: duckdb.DuckDBPyConnection, together: Sequence[_Arrived]) -> Iterator[_Read]:
    """Makes the table `records` of all files that can be used, one behind the other."""
    names = {name.casefold(): name for name in together[0].source.mapping.wanted}
    texts = ", ".join(f"{quoted(name)} VARCHAR" for name in ("#fault", "#seen", "#cells", *names.values()))
    connection.execute(f'CREATE TEMP TABLE gathered ("#record" BIGINT, "#file" INTEGER, {texts})')
    number, last = 0, 0
    for one in together:
        found, before = _read(connection, one), last
        if not found.problems:
            number += 1
            own = "".join(f", {quoted(name)} AS {quoted(names[name.casefold()])}" for name in found.columns)
            connection.execute(
                f"""INSERT INTO gathered BY NAME SELECT "#record" + {before} AS "#record", {number} AS "#file",
                "#fault", "#seen", "#cells"{own} FROM records"""  # noqa: S608
            )
            ((last,),) = connection.execute('SELECT coalesce(max("#record"), 0) FROM gathered').fetchall()
        yield replace(found, number=number, before=before)
        drop(connection)
    connection.execute("CREATE TEMP VIEW records AS FROM gathered")


_Counts = tuple[int, int, int, str | None, bool]  # records, accepted, duplicates, the tenant if it is one, any broken


def _counts(connection: duckdb.DuckDBPyConnection, feed: Feed) -> dict[int, _Counts]:
    """What became of the records, by the number of their file."""
    tenant = feed.tenant or "NULL"
    found = connection.execute(
        f"""SELECT r."#file", r.records, coalesce(a.rows, 0), coalesce(a.twice, 0), a.owner, b."#file" IS NOT NULL
        FROM (SELECT "#file", count(*) AS records FROM records GROUP BY ALL) AS r
        LEFT JOIN (
            SELECT "#file", count(*) AS rows, count(*) FILTER (duplicate) AS twice,
                CASE WHEN min({tenant}) = max({tenant}) THEN min({tenant}) END AS owner
            FROM accepted GROUP BY ALL
        ) AS a USING ("#file")
        LEFT JOIN (
            SELECT DISTINCT "#file" FROM records SEMI JOIN broken USING ("#record")
        ) AS b USING ("#file")"""  # noqa: S608
    )
    return {number: (records, *rest) for number, records, *rest in found.fetchall()}


def _settle(connection: duckdb.DuckDBPyConnection, one: _Read, counts: _Counts, alone: bool) -> None:
    """Writes what became of one file."""
    batch_id, mapping = one.outcome.batch_id, one.source.mapping
    records, accepted, duplicates, _, broken = counts
    if accepted > duplicates:
        sort = not alone or accepted - duplicates < records
        landing.land(connection, mapping.feed, batch_id, batch_id, one.number, one.before, sort)
    quarantined = 0
    if broken or quarantine.path_of(mapping.feed.name, batch_id).exists():
        quarantined = quarantine.keep(connection, mapping, one.outcome, one.columns, one.number, one.before)
    for earlier in () if one.problems else one.earlier:
        file_outcomes.record(quarantine.close(earlier))
    file_outcomes.record(_finished(one, counts, quarantined))


def batch_of(source: Source, digest: str) -> str:
    """The batch of a file: the same content under the same mapping is the same batch.

    Parameters
    ----------
    source
        The file with its mapping and the files that are joined to it.
    digest
        SHA-256 of the file.

    Returns
    -------
    str
        32 hexadecimal digits.

    Raises
    ------
    OSError
        A file that is joined to it cannot be read.
    """
    identity = [source.mapping.feed.name, digest, fingerprint(source.mapping)]
    identity += [sha256(path) for paths in source.joined.values() for path in paths]
    return hashlib.sha256("|".join(identity).encode()).hexdigest()[:32]


def _arrival(seen: _Seen) -> _Arrived:
    """The file with the outcome of its batch: finished, broken off, or new and written now."""
    source, mapping = seen.source, seen.source.mapping
    if seen.problem:
        raise _UnreadableError("file-unreadable", [f"{source.name}: {seen.problem}"])
    if known := seen.known:
        return _Arrived(source, known, seen.stamps, seen.earlier)
    now = clock.now().astimezone(UTC).replace(tzinfo=None)
    arrived = FileOutcome(
        seen.batch_id,
        mapping.feed.name,
        None,
        source.name,
        seen.digest,
        mapping.name,
        0,
        0,
        0,
        0,
        0,
        "arrived",
        "",
        now,
    )
    file_outcomes.record(arrived)
    return _Arrived(source, arrived, seen.stamps, seen.earlier)


def _column_problems(mapping: Mapping, file: Records) -> list[str]:
    lacking = lacks(mapping, file)
    if not lacking or (file.problems and not file.columns):
        return []
    return [f"columns missing: {', '.join(lacking)}; the file has {file.told}"]


def _misspelt(mapping: Mapping, file: Records) -> Iterator[str]:
    """Columns of a native file that nobody reads and that nearly are the name of one that it lacks."""
    for column, meant in _nearly(mapping.wanted, file.columns) if not mapping.name else ():
        yield f"column {column!r} is not read: is {meant} meant? Then name it so"


@lru_cache(maxsize=64)
def _nearly(wanted: tuple[str, ...], columns: tuple[str, ...]) -> list[tuple[str, str]]:
    """Columns beside the wanted ones that are nearly one which is lacking; a thousand files alike are judged once."""
    present, known = ({name.casefold() for name in names} for names in (columns, wanted))
    lacking = {_letters(name): name for name in wanted if name.casefold() not in present}
    beside = [name for name in columns if name.casefold() not in known]
    near = ((name, difflib.get_close_matches(_letters(name), lacking, 1, cutoff=0.8)) for name in beside)
    return [(name, lacking[found[0]]) for name, found in near if found]


def _letters(name: str) -> str:
    return re.sub("[^a-z0-9]", "", name.casefold())


def _finished(one: _Read, counts: _Counts, quarantined: int) -> FileOutcome:
    records, accepted, duplicates, owner, _ = counts
    left_out = sum(one.rows.left_out.values())
    reasons = [f"{count:,} left out: {reason}" for reason, count in one.rows.left_out.items()]
    said = [*one.problems, *_misspelt(one.source.mapping, one.rows.file)]
    return replace(
        one.outcome,
        rows_in=records + left_out,
        accepted=accepted,
        quarantined=quarantined,
        duplicates=duplicates,
        tenant=owner,
        status=file_outcomes.status(accepted, quarantined, "; ".join(one.problems)),
        problems="; ".join(said),
        left_out=left_out,
        notes="; ".join([*reasons, *one.rows.notes, *one.rows.file.notes]),
    )
