"""When job orders of later stages may begin, in each future: once the last piece of the stage before is there.

In: job orders of factories' queues with lot_id, stage, start_day (the first day that the plan has for it) and lane_days
(from there to where its pieces go), and the day on which each of an earlier stage is done. Out: first days by future.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from c2m.domain.arrays import Floats, Ints
from optimization.contract.tolerances import FITS_MINUTES

Jobs = Mapping[str, Any] | pd.DataFrame

# Leave to begin is given in the morning, once all pieces are counted: also within a factory, where there is no way.
LEAST_DAYS = 1
OPENS = "opens"  # of job orders: (jobs, draws), from which day on they may be worked on


class HandOvers:
    """What job orders wait for; without stages nothing waits for anything."""

    def __init__(self, work: pd.DataFrame) -> None:
        self._there: dict[int, Ints] = {}  # by row, the day in each future on which all its pieces are there
        self._waiting: dict[int, list[int]] = {}  # by row, the rows that wait for its pieces
        if "stage" in work:
            self._work = work[["stage", "start_day", "lane_days"]].to_dict("records")
            self._waiting = _followers(work)

    @property
    def stages(self) -> list[int]:
        """Those that pass pieces on, in their order."""
        return sorted({self._stage(row) for row in self._waiting})

    def _stage(self, row: int) -> int:
        return int(self._work[row]["stage"])

    def passes_on(self, rows: Ints, stage: int) -> bool:
        """Whether one of the rows is of this stage, and another waits for its pieces.

        Parameters
        ----------
        rows
            (n,) rows of the work.
        stage
            Number of the stage.

        Returns
        -------
        bool
            Whether somebody waits.
        """
        return any(row in self._waiting and self._stage(row) == stage for row in rows.tolist())

    def hear(self, stage: int, rows: Ints, done: Ints) -> None:
        """Hears when rows are done.

        Parameters
        ----------
        stage
            Number of the stage.
        rows
            (n,) rows of the work.
        done
            (n, draws) days on which they are done.
        """
        for row, days in zip(rows.tolist(), done, strict=True):
            if row in self._waiting and self._stage(row) == stage:
                there = days + max(int(self._work[row]["lane_days"]), LEAST_DAYS)
                for other in self._waiting[row]:
                    self._there[other] = np.maximum(self._there.get(other, 0), there)

    def opened(self, rows: Ints, jobs: Jobs) -> Jobs:
        """The job orders of these rows, with OPENS where one of them waits.

        Parameters
        ----------
        rows
            (n,) rows of the work.
        jobs
            Columns of these rows.

        Returns
        -------
        Jobs
            With OPENS, (n, draws) days, where one of them waits.
        """
        waits = [(at, row) for at, row in enumerate(rows.tolist()) if row in self._there]
        if not waits:
            return jobs
        draws = len(self._there[waits[0][1]])
        opens = np.repeat(np.asarray(jobs["first_day"], dtype=np.int64)[:, None], draws, axis=1)
        for at, row in waits:
            opens[at] = np.maximum(self._there[row], int(self._work[row]["start_day"]))
        return {**jobs, OPENS: opens}


def in_chain(work: pd.DataFrame, factories: pd.DataFrame, paid: Floats) -> pd.DataFrame:
    """Job orders with the days of what is new at later stages, as all pieces of the stage before allow.

    A plan may run a stage on the pieces that have come so far. A factory gets leave to begin once all are there, and is
    told a due day that it can then keep: what it is paid until the work ends is at least what the work takes.

    Parameters
    ----------
    work
        Job orders of all factories with lot_id, stage, before (infinite where new), first_day, planned_day, due_day,
        lane_days, minutes, setup_minutes; without stages they stay as they are.
    factories
        The mart of this name.
    paid
        (F, D) minutes, overtime too, of each factory on the days from 0 on.

    Returns
    -------
    pd.DataFrame
        The same rows; first_day, planned_day and due_day are later where they must be.
    """
    if "stage" not in work:
        return work
    found = work.copy()
    until = np.cumsum(paid, axis=1)[pd.Index(factories["factory_id"]).get_indexer(work["factory_id"])]
    for stage in sorted(work["stage"].dropna().unique())[1:]:
        rows = np.flatnonzero(np.isinf(work["before"]) & (work["stage"] == stage))
        opens = np.fmax(found["first_day"], _there(found, stage))[rows]
        found.loc[rows, "first_day"] = opens.clip(1, paid.shape[1] - 1).astype(np.int64)
        _put_off(found, rows, until[rows])
    return found


def _put_off(found: pd.DataFrame, rows: Ints, until: Floats) -> None:
    """Moves planned and due day of rows by as many days as they cannot end before; until: as in `_ends`."""
    some = found.loc[rows]
    needed = (some["minutes"] + some["setup_minutes"]).to_numpy(dtype=float)
    more = (_ends(until, some["first_day"].to_numpy(), needed) - some["planned_day"]).clip(lower=0)
    for name in ("planned_day", "due_day"):
        found.loc[rows, name] += more


def _there(work: pd.DataFrame, stage: int) -> "pd.Series[float]":
    """The day on which all pieces of the stage before are where the lot's next one is made; NaN where there is none."""
    before = work[work["stage"] == stage - 1]
    days = before["due_day"].clip(lower=before["planned_day"] + LEAST_DAYS)
    return work["lot_id"].map(days.groupby(before["lot_id"]).max())


def _ends(until: Floats, opens: Ints, needed: Floats) -> Ints:
    """(jobs,) the day on which so many minutes are paid from `opens` on; the calendar's last, where they never are.

    until (jobs, D): minutes that the job order's factory is paid up to and with each day.
    """
    lacks = until[np.arange(len(opens)), opens - 1] + needed - FITS_MINUTES
    return np.asarray((until[:, :-1] < lacks[:, None]).sum(axis=1))


def _followers(work: pd.DataFrame) -> dict[int, list[int]]:
    """By row of an earlier stage, the rows of the next one that have not begun."""
    rows = work[["lot_id", "stage", "begun"]].assign(row=np.arange(len(work)))
    rows = rows.dropna(subset="stage")  # what a quote asks for has none, and would follow itself
    later = rows[~rows["begun"].to_numpy(dtype=bool)].assign(stage=lambda row: row["stage"] - 1)
    both = rows.merge(later, on=["lot_id", "stage"], suffixes=("", "_next"))
    followers: dict[int, list[int]] = {}
    for row, other in zip(both["row"].tolist(), both["row_next"].tolist(), strict=True):
        followers.setdefault(row, []).append(other)
    return followers


def first_days(jobs: Jobs) -> Ints:
    """(jobs, draws) the first day of each; (jobs, 1) where it is the same in all futures."""
    if OPENS in jobs:
        return np.asarray(jobs[OPENS])
    return np.asarray(jobs["first_day"], dtype=np.int64)[:, None]


def of_futures(jobs: Jobs, futures: Ints) -> Jobs:
    """The job orders as they are in some of the futures.

    Parameters
    ----------
    jobs
        Columns by name.
    futures
        (k,) numbers of the futures.

    Returns
    -------
    Jobs
        With k futures.
    """
    return {**jobs, OPENS: np.asarray(jobs[OPENS])[:, futures]} if OPENS in jobs else jobs
