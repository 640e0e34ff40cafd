"""Pieces of an order by operation as they are scanned: what the published marts count, and every scan since their day.

Scans land as small files. One task per process looks for new ones while anybody watches, reads each once, and tells
the pages whose job orders it names. Corrections of scans count with the next build.
"""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path

import duckdb
import pandas as pd

from c2m import clock, objects
from c2m.feeds import landing
from c2m.settings import settings
from c2m.warehouse import published

LOOK_S = 0.5  # between two looks for new files
_BEAT_S = 15.0  # a stream that says nothing is taken for dead by what lies between
_COUNTED = ["factory_id", "job_order_id", "operation", "scan_id", "quantity"]
NOTHING = pd.DataFrame(columns=["job_order_id", "operation", "good_pieces"])  # a mart before the first build
Pieces = dict[str, dict[str, int]]  # good pieces by job order and operation


class Watch:
    """The pieces of some job orders, from the marts on. `version` grows with each scan that they get.

    known: files that lay there before anything was counted.
    """

    def __init__(self, job_order_ids: Collection[str], progress: pd.DataFrame) -> None:
        self.known = _names()
        own = progress[progress["job_order_id"].isin(set(job_order_ids))]
        sums = own.groupby(["job_order_id", "operation"])["good_pieces"].sum()
        self._pieces = {job_order_id: Counter[str]() for job_order_id in job_order_ids}
        for job_order_id, operation, good in sums.reset_index().itertuples(index=False):
            self._pieces[job_order_id][operation] = int(good)
        self._seen: set[tuple[str, str]] = set()
        self.version = 0

    def add(self, scans: pd.DataFrame) -> None:
        """Counts scans of _COUNTED, each once; those of other job orders are left out."""
        own = scans[scans["job_order_id"].isin(self._pieces.keys())]
        for factory_id, job_order_id, operation, scan_id, quantity in own[_COUNTED].itertuples(index=False):
            if (factory_id, scan_id) not in self._seen:
                self._seen.add((factory_id, scan_id))
                self._pieces[job_order_id][operation] += int(quantity)
                self.version += 1

    @property
    def pieces(self) -> Pieces:
        """Good pieces by job order and operation."""
        return {job_order_id: dict(counts) for job_order_id, counts in self._pieces.items()}


def now(job_order_ids: Collection[str], progress: pd.DataFrame) -> Watch:
    """The pieces of job orders at this moment.

    Parameters
    ----------
    job_order_ids
        Whose.
    progress
        The mart `job_order_progress`, or the part of it that the reader may see.

    Returns
    -------
    Watch
        To be brought further by `add`.
    """
    watch = Watch(job_order_ids, progress)
    if job_order_ids:
        watch.add(_since_build(job_order_ids))
    return watch


def _since_build(job_order_ids: Collection[str]) -> pd.DataFrame:
    """Scans of job orders that came after what the marts count."""
    landing.ensure_landing()
    objects.fetch(_folder())
    begins = datetime.fromtimestamp(0, UTC)
    if published.is_published():
        begins = clock.cut_off(date.fromisoformat(published.manifest()["business_date"]))
    query = f"SELECT {', '.join(_COUNTED)} FROM read_parquet($files) WHERE received_at >= $begins"  # noqa: S608
    wanted = " AND list_contains($job_order_ids, job_order_id)"
    values = {
        "files": str(_folder() / "*.parquet"),
        "begins": begins.replace(tzinfo=None),
        "job_order_ids": list(job_order_ids),
    }
    with _database().cursor() as connection:
        found: pd.DataFrame = connection.execute(query + wanted, values).df()
    return found


@cache
def _database() -> duckdb.DuckDBPyConnection:
    """One in memory for the process, whose start costs more than a question; each thread asks through a cursor."""
    return duckdb.connect()


class ScanStream:
    """The new files of scans, read once for all who watch."""

    def __init__(self) -> None:
        self._watches: set[Watch] = set()
        self._task: asyncio.Task[None] | None = None
        self._news = asyncio.Condition()

    async def stream(self, watch: Watch, holds: Callable[[], bool]) -> AsyncIterator[str]:
        """Server-sent events with the pieces: at once, then whenever a scan has come, and a sign of life between.

        holds: asked at each sign of life whether the reader may still see them; else the stream ends.
        """
        self._watches.add(watch)  # from here on it gets what comes; now what came since it was counted, perhaps twice
        names = await asyncio.to_thread(_names)
        watch.add(await asyncio.to_thread(_read, names - watch.known))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._look(names))
        told = -1
        try:
            while True:
                if watch.version != told:
                    told = watch.version
                    yield f"event: pieces\ndata: {json.dumps(watch.pieces)}\n\n"
                elif not await self._has_news(watch, told):
                    if not await asyncio.to_thread(holds):
                        return
                    yield ": still here\n\n"
        finally:
            self._watches.discard(watch)

    async def _has_news(self, watch: Watch, told: int) -> bool:
        """Whether something has come before it was time for a sign of life."""
        try:
            async with self._news:
                await asyncio.wait_for(self._news.wait_for(lambda: watch.version != told), _BEAT_S)
        except TimeoutError:
            return False
        return True

    async def _look(self, known: set[str]) -> None:
        """Reads new files until nobody watches any more."""
        while self._watches:
            await asyncio.sleep(LOOK_S)
            names = await asyncio.to_thread(_names)
            try:
                scans = await asyncio.to_thread(_read, names - known)
            except duckdb.IOException:  # a file was merged into another while it was read: the next look finds that
                continue
            known = names
            for watch in self._watches:
                watch.add(scans)
            if len(scans):
                async with self._news:
                    self._news.notify_all()


def _folder() -> Path:
    return settings().landing / "scans"


def _names() -> set[str]:
    """Files of scans that lie there."""
    objects.fetch(folder := _folder())
    return {file.name for file in folder.glob("[!._]*.parquet")} if folder.exists() else set()


def _read(new: set[str]) -> pd.DataFrame:
    """Scans of files; one that was merged into another meanwhile is gone, and its scans were read before."""
    names = [str(file) for name in sorted(new) if (file := _folder() / name).exists()]
    if not names:
        return pd.DataFrame(columns=_COUNTED)
    with _database().cursor() as connection:
        found: pd.DataFrame = connection.read_parquet(names).select(*_COUNTED).df()
    return found
