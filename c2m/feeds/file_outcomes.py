"""What became of each file: one row per batch in landing/file_outcomes.

rows_in = accepted + quarantined + left_out, always. A row is written when the file is first seen (status arrived: the
moment that stands for known_at where the file names none) and again when all its rows are landed, quarantined or left
out, so that a run that broke off ends as one that did not. A file that changed while it was read ends as changed, with
no row: it comes in whole when it is next met.
"""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from c2m.feeds import landing
from c2m.feeds.contracts import PRODUCED
from c2m.settings import settings

_ADDED = {"left_out": 0, "notes": ""}  # columns that files written before lack
_RHYTHM = ["feed", "tenant", "mapping"]  # what comes by a rhythm of its own
_GRACE_HOURS = 1.0  # later than it ever came on this weekday

_Stamp = tuple[int, int]  # of one writing of a file: when, and its inode


@dataclass(frozen=True)
class FileOutcome:
    """A row of file_outcomes; see PRODUCED for the meaning of status. Counts (rows_in, accepted, quarantined,
    duplicates, readmitted, left_out) are rows.
    """

    batch_id: str
    feed: str  # whose columns the file brings
    tenant: str | None  # who it speaks for; None: several, or nobody
    file: str  # below the source's root
    file_sha256: str
    mapping: str  # name of it; '' for native files
    rows_in: int
    accepted: int
    quarantined: int
    duplicates: int
    readmitted: int
    status: str
    problems: str  # of the file as a whole, in words
    arrived_at: datetime  # UTC, without zone
    left_out: int = 0
    notes: str = ""  # what a person should look at, in words

    @property
    def finished(self) -> bool:
        """Whether every row of the file is accounted for."""
        return self.status not in ("arrived", "changed")


def status(accepted: int, quarantined: int, problems: str) -> str:
    """ok, partial or rejected."""
    if not quarantined:
        return "rejected" if problems and not accepted else "ok"
    return "partial" if accepted else "rejected"


_read: dict[Path, tuple[_Stamp, FileOutcome]] = {}


def record(outcome: FileOutcome) -> None:
    """Writes or replaces the outcome of a batch."""
    landing.write_rows("file_outcomes", [asdict(outcome)], _path(outcome.batch_id))


def find(batch_id: str) -> FileOutcome | None:
    """The outcome of a batch, where there is one."""
    return find_all([batch_id]).get(batch_id)


def find_all(batch_ids: Iterable[str]) -> dict[str, FileOutcome]:
    """The outcomes of those of the batches that have one; each file is opened once, all of them together."""
    written = {path: _stamp(path) for path in map(_path, batch_ids) if path.exists()}
    if new := [str(path) for path, stamp in written.items() if path not in _read or _read[path][0] != stamp]:
        with landing.connect() as connection:
            rows = connection.execute("FROM read_parquet(?, union_by_name = true)", [new]).to_arrow_table().to_pylist()
        for row in rows:
            path = _path(row["batch_id"])
            _read[path] = written[path], _outcome(row)
    return {path.stem: _read[path][1] for path in written if path in _read}


def of_contents(digests: Iterable[str]) -> dict[tuple[str, str, str], list[FileOutcome]]:
    """What became of files with these contents, first come first: by feed, digest of the content and mapping's name."""
    found: dict[tuple[str, str, str], list[FileOutcome]] = {}
    query = f"FROM {landing.source('file_outcomes')} WHERE list_contains($digests, file_sha256)"
    with landing.connect() as connection:
        rows = connection.execute(f"{query} ORDER BY arrived_at, batch_id", {"digests": list(digests)})
        for row in rows.to_arrow_table().to_pylist():
            one = _outcome(row)
            found.setdefault((one.feed, one.file_sha256, one.mapping), []).append(one)
    return found


class Deliveries:
    """What came, to tell a content that is delivered once more from one that merely lies there still.

    present: names of the files that there are.
    """

    def __init__(self, present: Collection[str]) -> None:
        self._present = present
        self._came: dict[tuple[str, str], list[FileOutcome]] | None = None  # by feed and mapping, first come first

    def add(self, outcome: FileOutcome) -> None:
        """Takes note of what has just arrived."""
        if self._came is not None:  # else it is read with the others
            self._of_kind(outcome).append(outcome)

    def before(self, known: FileOutcome, file: str, written_at: datetime) -> list[FileOutcome]:
        """What became of a content before, where this file delivers it once more.

        A file does so whose name stood for another content last, or for none; one that was merely renamed does not: it
        is not newer than what came since. known: the last outcome of the content.
        """
        if known.file == file and written_at <= known.arrived_at:
            return []
        came = self._of_kind(known)
        under_name = [one for one in came if one.file == file]
        if under_name and under_name[-1].file_sha256 == known.file_sha256:
            return []
        last = max((one.arrived_at for one in came if one.file_sha256 != known.file_sha256), default=written_at)
        renamed = not under_name and known.file not in self._present and written_at <= last
        return [] if renamed else [one for one in came if one.file_sha256 == known.file_sha256]

    def _of_kind(self, known: FileOutcome) -> list[FileOutcome]:
        if self._came is None:  # all at once: to open the files takes longer than to read them
            self._came = {}
            query = f"FROM {landing.source('file_outcomes')} ORDER BY arrived_at, batch_id"
            with landing.connect() as connection:
                for row in connection.execute(query).to_arrow_table().to_pylist():
                    self._came.setdefault((row["feed"], row["mapping"]), []).append(_outcome(row))
        return self._came.setdefault((known.feed, known.mapping), [])


def once_more(batch_id: str, before: FileOutcome) -> str:
    """The batch of a content that comes in under `batch_id` once more, after it has come in as another one."""
    return hashlib.sha256(f"{batch_id}|{before.batch_id}".encode()).hexdigest()[:32]


def in_turn(batch_id: str, came: Sequence[FileOutcome]) -> str:
    """The batch of a content that comes in under `batch_id`: another one where it came in read otherwise since then."""
    known = [one.batch_id for one in came]
    if batch_id not in known:
        return batch_id
    turns = [once_more(batch_id, one) for one in came]
    return known[-1] if known[-1] in (batch_id, *turns) else turns[-1]


def _outcome(row: dict[str, Any]) -> FileOutcome:
    """Of a row whose file may lack the newer columns, or hold ones that there are no more."""
    known = {field.name for field in fields(FileOutcome)}
    values = {name: value for name, value in row.items() if name in known}
    return FileOutcome(**values | {name: row.get(name) or empty for name, empty in _ADDED.items()})


def _stamp(path: Path) -> _Stamp:
    stat = path.stat()
    return stat.st_mtime_ns, stat.st_ino


def _path(batch_id: str) -> Path:
    return landing.folder("file_outcomes") / f"{batch_id}.parquet"


def missing(now: datetime) -> pd.DataFrame:
    """Feeds that came on each of the last four same weekdays and not on this one, up to a week back.

    Parameters
    ----------
    now
        UTC. A day counts once it is later than the latest of the four first arrivals, plus an hour.

    Returns
    -------
    pd.DataFrame
        feed, tenant, mapping, expected_at (the first moment from which it is missing), last_at; in the platform's zone.
    """
    found = []
    for name, group in _arrivals(now).groupby(_RHYTHM, dropna=False):
        expected = _missing_since(group["at"], pd.Timestamp(now).tz_convert(settings().timezone))
        if expected is not None:
            found.append((*name, expected, group["at"].max()))
    return pd.DataFrame(found, columns=[*_RHYTHM, "expected_at", "last_at"])


def _arrivals(now: datetime) -> pd.DataFrame:
    """_RHYTHM and `at`, in the platform's zone, of the files of the last five weeks that brought rows."""
    query = f"""SELECT feed, tenant, mapping, arrived_at FROM {landing.source("file_outcomes")}
        WHERE accepted > 0 AND arrived_at BETWEEN $since AND $now"""  # noqa: S608 - our own path
    moment = now.astimezone(UTC).replace(tzinfo=None)
    landing.ensure_landing()
    with landing.connect() as connection:
        rows = connection.execute(query, {"since": moment - timedelta(days=36), "now": moment}).df()
    return rows.assign(at=rows["arrived_at"].dt.tz_localize(UTC).dt.tz_convert(settings().timezone))


def _missing_since(arrivals: "pd.Series[pd.Timestamp]", now: pd.Timestamp) -> pd.Timestamp | None:
    """The first moment of the last seven days by which a file should have come, where none has come since that day."""
    first = arrivals.groupby(arrivals.dt.normalize()).min()
    hours = (first - first.index).dt.total_seconds() / 3600
    for back in range(6, -1, -1):
        day = now.normalize() - pd.DateOffset(days=back)
        expected = _expected(hours, day)
        if expected <= now and arrivals.max() < day:
            return expected
    return None


def _expected(hours: "pd.Series[float]", day: pd.Timestamp) -> pd.Timestamp:
    """When a file should have come on a day; NaT unless it did on the last four same weekdays. hours: of first ones."""
    usual = hours.reindex([day - pd.DateOffset(weeks=week) for week in range(1, 5)])
    return day + pd.to_timedelta(usual.max(skipna=False) + _GRACE_HOURS, unit="h")


def frame(outcomes: Iterable[FileOutcome]) -> pd.DataFrame:
    """Outcomes as a table, one row per batch, in the order given."""
    rows = {outcome.batch_id: asdict(outcome) for outcome in outcomes}
    return pd.DataFrame(list(rows.values()), columns=list(PRODUCED["file_outcomes"]))
