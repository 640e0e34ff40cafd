"""Dates that hold at a stated rate: days kept in hand before a plan is made, promised dates of whole orders after.

In: factories (F rows of the mart, with what is known of their efficiency), the paid minutes of their days, lots, plan.
Days are the instance's (1 is the first working day after the business date). A pair's days in hand are in closed form;
what such days do not tell (cloth that comes late, a line that others use) shows in its lead times: where the 90 %
quantile of actual over planned days is above 1, its days are stretched by it. Dates are drawn from the futures of each
factory's queue: see optimization/book/queue.py.
"""

import numpy as np
import pandas as pd
from scipy.special import ndtri

from c2m.domain.arrays import Floats, Ints
from c2m.domain.promises import Correction
from c2m.domain.worktime import Pace
from optimization.book.queue import finishes

# Per working day, of a sewing line's days with the stopped ones; as efficiency_memory in dbt_project.yml.
MEMORY = 0.76
MISSED_AT_MOST = 3  # times as often as the level allows: no order gets a bolder date for the sake of the others


def pace_of(factories: pd.DataFrame) -> Pace:
    """What the mart knows of the efficiency of the factories' days."""
    names = ("level", "level_sd", "day_sd", "deviation", "kept")
    level, level_sd, day_sd, deviation, kept = (factories[f"efficiency_{name}"].to_numpy(dtype=float) for name in names)
    return Pace(level, level_sd, day_sd, deviation, kept, MEMORY)


def steps(minutes: Floats) -> Ints:
    """(F, D) number of each day as a working day; the business date itself, of which nothing is known yet, is one."""
    return 1 + np.cumsum(minutes > 0, axis=1)


def slack_days(factories: pd.DataFrame, minutes: Floats, last_day: Floats, pairs: Ints, level: float | Floats) -> Ints:
    """(L, F) days that a factory keeps in hand on a lot, so that its order's date holds at the level, one or (L,).

    minutes (F, H) paid on each day; last_day (L, F) on which the lot must leave the factory; pairs (L,) that the lot's
    order is split into: each must hold at level^(1/pairs) for all to hold at the level.
    """
    horizon = minutes.shape[1]
    planned = np.cumsum(minutes, axis=1) * factories["efficiency_factor"].to_numpy(dtype=float)[:, None]
    stretch = np.maximum(factories["lead_ratio_q90"].to_numpy(dtype=float), 1)
    day = np.clip(np.rint(last_day / stretch), 0, horizon).astype(np.int64)
    slack = np.zeros(last_day.shape, dtype=np.int64)
    pace, step = pace_of(factories), steps(minutes)
    each = np.asarray(level ** (1 / pairs))
    for share in np.unique(each):
        sure = pace.quantile(minutes, step, float(ndtri(share)))
        rows = each == share
        for factory in range(len(factories)):
            # The last day up to which the plan is done by then, as surely as asked.
            planned_by = np.searchsorted(planned[factory], sure[factory] + 1e-9, side="right")
            in_hand = np.concatenate(([0], np.arange(1, horizon + 1) - planned_by)).clip(0)
            stretched = np.clip(last_day[rows, factory], 0, horizon).astype(np.int64) - day[rows, factory]
            slack[rows, factory] = in_hand[day[rows, factory]] + stretched
    return slack


def promises(
    work: pd.DataFrame,
    factories: pd.DataFrame,
    minutes: Floats,
    overtime: Floats,
    told: pd.DataFrame,
    level: float,
    correction: Correction = Correction(),
) -> pd.DataFrame:
    """order_id, planned_day, promised_day, modelled, probability: when the pieces of each order will have arrived.

    work: the queues, see `queue.WORK`, with order_id, planned_day and transit_days without days in hand; minutes
    and overtime (F, D) from day 0 on; told: `later_work.TOLD`. A date is a whole day, whose probability is above or
    below the level: rounding each order by itself states too much on average, most where a day is long (small and
    split orders). So what an order is promised beyond the level is taken from the next, in the order of their ids: the
    mean of the probabilities is the level, and each stands beside its date.
    """
    arrivals: dict[str, Ints] = {}
    orders, transit = work["order_id"].astype(str).tolist(), work["transit_days"].to_numpy(dtype=np.int64)
    for row, finish in finishes(work, factories, minutes, overtime, told):
        arrivals[orders[row]] = np.maximum(arrivals.get(orders[row], 0), finish + transit[row])
    planned = (work["planned_day"] + transit).groupby(orders).max()
    rows, owed = [], 0.0
    for order, came in sorted(arrivals.items()):
        day, modelled, share = _promised(came, level, owed, correction)
        rows.append((order, int(planned[order]), day, modelled, share))
        owed += level - share
    return pd.DataFrame(rows, columns=["order_id", "planned_day", "promised_day", "modelled", "probability"])


def _promised(came: Ints, level: float, owed: float, correction: Correction) -> tuple[int, float, float]:
    """The day about the level that leaves the least owed to the book; its share of the draws, and that corrected."""
    day, count = np.unique(came, return_counts=True)
    drawn = np.cumsum(count) / len(came)
    share = correction.stated(drawn)
    sure = min(int(np.searchsorted(share, level)), len(day) - 1)
    bold = sure - 1 if sure and 1 - share[sure - 1] <= MISSED_AT_MOST * (1 - level) else sure
    best = min(sure, bold, key=lambda at: abs(owed + level - share[at]))
    return int(day[best]), float(drawn[best]), float(share[best])
