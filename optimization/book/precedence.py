"""The order of work of each factory: as the plan ends its lots, but nothing new before work whose date is at stake.

In: the queues of job orders (`queue.WORK`) with `told_by`, the day by which each must be done for the date that its
merchant was told (NaN where none was), by a plan or by a quote that it took.
Out: places, and what a factory that goes by due days is told instead. What would pass work whose date was told does so
only where that date holds about as surely as without it.
"""

import numpy as np
import pandas as pd

from c2m.domain.arrays import Flags, Floats, Ints
from optimization.book.queue import Facts, Jobs, booked, by_factory, durations, turns

AT_STAKE = 0.02  # of a date's probability: what is new may take no more from it by passing


def settled(work: pd.DataFrame, factories: pd.DataFrame, minutes: Floats, overtime: Floats) -> "pd.Series[int]":
    """The place of each row of `work` in its factory's order of work, 0 for the first.

    minutes, overtime (F, D): what is paid on the days from 0 on, in the order of factories.
    """
    facts = factories.to_dict("records")
    row_of = {str(known["factory_id"]): row for row, known in enumerate(facts)}
    place = np.zeros(len(work), dtype=np.int64)
    for factory_id, rows, queue in by_factory(work):
        jobs = {**queue, "before": _before(queue)}
        turn = turns(jobs, "rank")
        if _passed(jobs, turn).any():
            row = row_of[factory_id]
            turn = _settled(jobs, turn, facts[row], minutes[row], overtime[row])
        place[rows[turn]] = np.arange(len(rows))
    return pd.Series(place, work.index)


def due_days(work: pd.DataFrame, place: "pd.Series[int]") -> "pd.Series[int]":
    """The due day of each row of `work` that puts what is new behind what it may not pass, by due days alone."""
    rows = work[["factory_id", "due_day", "told_by"]].assign(place=place, agreed=~np.isinf(work["before"]))
    rows = rows.sort_values("place")
    for stays in (rows["agreed"], rows["agreed"] | rows["told_by"].notna()):
        ahead = rows["due_day"].where(stays).groupby(rows["factory_id"]).cummax()
        ahead = ahead.groupby(rows["factory_id"]).ffill().fillna(-np.inf)
        rows["due_day"] = rows["due_day"].where(stays, np.maximum(rows["due_day"], ahead + 1))
    return rows["due_day"].astype(np.int64).reindex(work.index)


def _settled(jobs: Jobs, turn: Ints, factory: Facts, minutes: Floats, overtime: Floats) -> Ints:
    """Puts each job order whose date is at stake before what it was not behind so far, until none is passed."""
    needed = durations(jobs, factory, np.random.default_rng(len(turn)))
    told_by = np.asarray(jobs["told_by"], dtype=float)[:, None]

    def holds(turn: Ints) -> Floats:
        placed = {**jobs, "place": np.argsort(turn)}
        return np.asarray((booked(placed, "rank", needed, minutes, overtime) <= told_by).mean(axis=1))

    unpassed = holds(turns(jobs, "rank", "before"))
    while (passed := _passed(jobs, turn)).any():
        at_stake = passed & (holds(turn) < unpassed - AT_STAKE)
        if not at_stake.any():
            break
        turn = _restored(jobs, turn, at_stake)
    return turn


def _before(jobs: Jobs) -> Floats:
    """What each was behind so far. New work whose date was told, as by a quote, goes before what is told of none."""
    before = np.asarray(jobs["before"], dtype=float)
    return np.where(np.isinf(before) & pd.notna(jobs["told_by"]), len(before), before)


def _passed(jobs: Jobs, turn: Ints) -> Flags:
    """Which job orders with a told date, and not begun, have something ahead that was not ahead before."""
    begun = np.asarray(jobs["begun"], dtype=bool)
    before = np.where(begun, -1.0, np.asarray(jobs["before"], dtype=float))[turn]
    ahead = np.maximum.accumulate(np.concatenate(([-np.inf], before[:-1])))
    passed = np.zeros(len(turn), dtype=bool)
    passed[turn] = ahead > before
    return np.asarray(passed & ~np.isnan(np.asarray(jobs["told_by"], dtype=float)) & ~begun)


def _restored(jobs: Jobs, turn: Ints, at_stake: Flags) -> Ints:
    """The order with each of these before the first that was behind it."""
    before = np.asarray(jobs["before"], dtype=float)
    order = list(turn)
    for job in sorted(np.flatnonzero(at_stake), key=lambda job: before[job]):
        order.remove(job)
        order.insert(next((i for i, other in enumerate(order) if before[other] > before[job]), len(order)), job)
    return np.array(order, dtype=np.int64)
