"""Landed rows and where they came from: landed row <- landed file <- record of a feed file, each by its hash."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from c2m.errors import InputError
from c2m.feeds import file_outcomes, landing
from c2m.feeds.contracts import FEEDS
from c2m.feeds.file_outcomes import FileOutcome
from c2m.feeds.ingest import batch_of
from c2m.feeds.shape import read
from c2m.feeds.split import hashes, row_hash
from c2m.feeds.world import Source, World
from c2m.files import sha256
from c2m.markdown import listed
from c2m.settings import settings
from c2m.why.link import Link

MOST_FILES = 7  # feed files, the newest first, whose records are read again; a week of daily ones
_SHOWN = 5  # records named


@dataclass(frozen=True)
class LandedRows:
    """Landed rows of one feed and batch: hash by record. readmitted: records that came back from quarantine."""

    feed: str
    batch_id: str
    hashes: dict[int, str] = field(default_factory=dict)
    readmitted: set[int] = field(default_factory=set)


def landed(connection: duckdb.DuckDBPyConnection, feed: str, table: str, what: str) -> tuple[Link, list[LandedRows]]:
    """The rows of a table (with `landed`, the file's name) are as they landed; and the rows by batch, newest first."""
    link = Link("landed rows", f"{feed} of {what}")
    batches: dict[str, LandedRows] = {}
    files: Counter[str] = Counter()
    for batch_id, record, kept, again, file in _hashed(connection, feed, table):
        rows = batches.setdefault(batch_id, LandedRows(feed, batch_id))
        rows.hashes[record] = kept
        rows.readmitted.update({record} if "-" in file else ())
        files[file] += 1
        if kept != again:
            link.expect(f"hash of record {record} in {feed}/{file}", kept, again)
    named = (f"{feed}/{file} ({count:,} rows)" for file, count in files.items())
    link.words = [f"{sum(files.values()):,} rows in {len(files):,} files: {listed(named)}."] if files else ["None."]
    link.figures = {"rows": sum(files.values()), "files": list(files)[:MOST_FILES]}
    return link, list(batches.values())


def _hashed(connection: duckdb.DuckDBPyConnection, feed: str, table: str) -> list[tuple[str, int, str, str, str]]:
    """_batch_id, _record, _row_hash, the hash of the content, the file; the newest rows first."""
    # record 0: a row that merely ends one which its file gives no more
    query = f"""SELECT _batch_id, _record, _row_hash, {row_hash(FEEDS[feed])}, landed
        FROM {table} WHERE _record > 0 ORDER BY known_at DESC, _batch_id, _record"""  # noqa: S608
    return connection.execute(query).fetchall()


class FeedFiles:
    """The feed files of the platform's world, each hashed and read once."""

    def __init__(self) -> None:
        self._sources: dict[tuple[str, str, str], Source] | None = None
        self._digests: dict[Path, str] = {}
        self._read: dict[tuple[Path, str], duckdb.DuckDBPyConnection] = {}

    def source_rows(self, batches: list[LandedRows]) -> Iterator[Link]:
        """Per batch: the feed file is the one that came in, and its records give the rows that landed."""
        yield from map(self._source_row, batches[:MOST_FILES])
        if older := batches[MOST_FILES:]:
            rows = sum(len(batch.hashes) for batch in older)
            words = [f"{rows:,} rows, checked as they landed."]
            yield Link("source rows", f"{older[0].feed} of {len(older):,} older files", words)

    def _source_row(self, rows: LandedRows) -> Link:
        link = Link("source rows", f"{rows.feed} batch {rows.batch_id}")
        outcome = file_outcomes.find(rows.batch_id)
        if outcome is None:
            link.expect("an outcome of the file", "one", None)
            return link
        shown = listed(sorted(rows.hashes, reverse=True), _SHOWN)
        link.words = [
            f"Records {shown} of {outcome.file} (SHA-256 {outcome.file_sha256[:12]}...), arrived "
            f"{outcome.arrived_at:%Y-%m-%d %H:%M} UTC; {outcome.accepted:,} of its {outcome.rows_in:,} rows accepted."
        ]
        link.figures = {"file": outcome.file, "file_sha256": outcome.file_sha256, "mapping": outcome.mapping}
        link.figures |= {"records": sorted(rows.hashes)[-_SHOWN:], "rows": len(rows.hashes)}
        link.expect("status of the file", True, outcome.finished)
        accounted = outcome.accepted + outcome.quarantined + outcome.left_out
        link.expect("rows accepted, quarantined and left out", outcome.rows_in, accounted)
        self._compare(link, rows, outcome)
        return link

    def _compare(self, link: Link, rows: LandedRows, outcome: FileOutcome) -> None:
        try:
            source = self._found(outcome)
        except InputError as error:
            link.unchecked.append(f"the feed files cannot be looked at: {'; '.join(error.faults)}")
            return
        if source is None:
            link.unchecked.append(f"{outcome.file} is not in {settings().world_folder} any more")
            return
        if source.file not in self._digests:
            self._digests[source.file] = sha256(source.file)
        digest = self._digests[source.file]
        link.expect(f"SHA-256 of {outcome.file}", outcome.file_sha256, digest)
        if link.broken:
            return
        batch_id = batch_of(source, digest)
        link.expect("batch by file and mapping", rows.batch_id, batch_id)
        for record, kept in self._differing(rows, source, outcome):
            link.broken.append(
                f"record {record} of {outcome.file}: expected a row of hash {kept}, seen another content"
            )
        if rows.readmitted:
            link.words.append(f"{len(rows.readmitted):,} of them came back from quarantine, as corrected by hand.")

    def _found(self, outcome: FileOutcome) -> Source | None:
        if self._sources is None:
            every = World.load(settings().world_folder).sources()
            self._sources = {(one.mapping.feed.name, one.mapping.name, one.name): one for one in every}
        return self._sources.get((outcome.feed, outcome.mapping, outcome.file))

    def _differing(self, rows: LandedRows, source: Source, outcome: FileOutcome) -> Iterator[tuple[int, str]]:
        """Records that the file and its mapping make another row of."""
        wanted = sorted(rows.hashes.keys() - rows.readmitted)
        again = hashes(self._records(source), source.mapping, outcome.arrived_at, wanted)
        return ((record, rows.hashes[record]) for record in wanted if again.get(record) != rows.hashes[record])

    def _records(self, source: Source) -> duckdb.DuckDBPyConnection:
        """A session with the file's records in the table `every`."""
        key = source.file, source.mapping.name
        if key not in self._read:
            self._read[key] = landing.connect()
            read(self._read[key], source.file, source.mapping, source.joined)
            self._read[key].execute("ALTER VIEW records RENAME TO every")
        return self._read[key]
