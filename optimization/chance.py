"""Dates that hold at a stated rate: days kept in hand before a plan is made, promised dates of whole orders after.

In: factories (F rows of the mart, with what is known of their efficiency), the paid minutes of their days, lots, plan.
Days are the instance's (1 is the first working day after the business date). A factory works through its plan in the
plan's order, on its paid minutes: being behind, it goes on the next day, and all that comes after moves. What such days
do not tell (cloth that comes late, a line that others use) shows in its lead times: where the 90 % quantile of actual
over planned days is above 1, its days are stretched by it.
"""

import hashlib
from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtri

from c2m.worktime import Pace
from optimization.problem import Instance

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Per working day, of a sewing line's days with the stopped ones; as efficiency_memory in dbt_project.yml.
MEMORY = 0.76
DRAWS = 2000  # futures of a factory; the error of a 90 % date is then 0.7 points
MISSED_AT_MOST = 3  # times as often as the level allows: no order gets a bolder date for the sake of the others
DAYS_BEYOND = 3  # a future is that many horizons long


def pace_of(factories: pd.DataFrame) -> Pace:
    """What the mart knows of the efficiency of the factories' days."""
    names = ("level", "level_sd", "day_sd", "deviation", "kept")
    level, level_sd, day_sd, deviation, kept = (factories[f"efficiency_{name}"].to_numpy(dtype=float) for name in names)
    return Pace(level, level_sd, day_sd, deviation, kept, MEMORY)


def steps(minutes: Floats) -> Ints:
    """(F, D) number of each day as a working day; the business date itself, of which nothing is known yet, is one."""
    return 1 + np.cumsum(minutes > 0, axis=1)


def slack_days(factories: pd.DataFrame, minutes: Floats, last_day: Floats, pairs: Ints, level: float) -> Ints:
    """(L, F) days that a factory keeps in hand on a lot, so that its order's date holds at the level.

    minutes (F, H) paid on each day; last_day (L, F) on which the lot must leave the factory; pairs (L,) that the lot's
    order is split into: each must hold at level^(1/pairs) for all to hold at the level.
    """
    horizon = minutes.shape[1]
    planned = np.cumsum(minutes, axis=1) * factories["efficiency_factor"].to_numpy(dtype=float)[:, None]
    stretch = np.maximum(factories["lead_ratio_q90"].to_numpy(dtype=float), 1)
    day = np.clip(np.rint(last_day / stretch), 0, horizon).astype(np.int64)
    slack = np.zeros(last_day.shape, dtype=np.int64)
    pace, step = pace_of(factories), steps(minutes)
    for count in np.unique(pairs):
        sure = pace.quantile(minutes, step, float(ndtri(level ** (1 / count))))
        rows = pairs == count
        for factory in range(len(factories)):
            # The last day up to which the plan is done by then, as surely as asked.
            planned_by = np.searchsorted(planned[factory], sure[factory] + 1e-9, side="right")
            in_hand = np.concatenate(([0], np.arange(1, horizon + 1) - planned_by)).clip(0)
            stretched = np.clip(last_day[rows, factory], 0, horizon).astype(np.int64) - day[rows, factory]
            slack[rows, factory] = in_hand[day[rows, factory]] + stretched
    return slack


def promises(
    instance: Instance,
    schedule: pd.DataFrame,
    transit: pd.DataFrame,
    factories: pd.DataFrame,
    order_of_lot: "pd.Series[str]",
    level: float,
) -> pd.DataFrame:
    """order_id, planned_day, promised_day, probability: when the pieces that the plan places will have arrived.

    transit: order_id (the lot), factory_id, transit_days without days in hand. A date is a
    whole day, whose probability is above or below the level: rounding each order by itself states too much on average,
    most where a day is long (small and split orders). So what an order is promised beyond the level is taken from the
    next, in the order of their ids: the mean of the probabilities is the level, and each stands beside its date.
    """
    arrivals: dict[str, Ints] = {}
    planned: dict[str, int] = {}
    days_of = transit.set_index(["order_id", "factory_id"])["transit_days"]
    for factory_id, lot_id, last_day, finish in _finishes(instance, schedule, factories):
        order, days = order_of_lot[lot_id], int(days_of[lot_id, factory_id])
        arrivals[order] = np.maximum(arrivals.get(order, 0), finish + days)
        planned[order] = max(planned.get(order, 0), last_day + days)
    rows, owed = [], 0.0
    for order, came in sorted(arrivals.items()):
        day, share = _promised(came, level, owed)
        rows.append((order, planned[order], day, share))
        owed += level - share
    return pd.DataFrame(rows, columns=["order_id", "planned_day", "promised_day", "probability"])


def _promised(came: Ints, level: float, owed: float) -> tuple[int, float]:
    """Of the days about the level in the draws, the one that leaves the least owed to the book; and its share."""
    day, count = np.unique(came, return_counts=True)
    share = np.cumsum(count) / len(came)
    sure = int(np.searchsorted(share, level))
    bold = sure - 1 if sure and 1 - share[sure - 1] <= MISSED_AT_MOST * (1 - level) else sure
    best = min(sure, bold, key=lambda at: abs(owed + level - share[at]))
    return int(day[best]), float(share[best])


def _finishes(
    instance: Instance, schedule: pd.DataFrame, factories: pd.DataFrame
) -> Iterator[tuple[str, str, int, Ints]]:
    """factory_id, lot, its last planned day there, and the day in each drawn future (DRAWS,) on which it is done."""
    known = factories.set_index("factory_id")
    arcs = instance.arcs.set_index(["order_id", "factory_id"])["release_day"]
    for factory_id, rows in schedule.groupby("factory_id"):
        of = known.loc[[factory_id]]
        minutes = paid_minutes(instance, str(factory_id), rows)
        step = steps(minutes[None])
        seed = int.from_bytes(hashlib.sha256(str(factory_id).encode()).digest()[:8], "big")
        ratio = pace_of(of).paths(np.random.default_rng(seed), DRAWS, 0, step[0])
        done = np.cumsum(ratio * minutes, axis=1) / float(of["efficiency_factor"].iloc[0])
        stretch = max(float(of["lead_ratio_q90"].iloc[0]), 1.0)
        chunks = in_order(rows)
        release = arcs.loc[list(zip(chunks["order_id"], chunks["factory_id"], strict=True))].clip(lower=1)
        for lot, last_day, finish in worked_through(chunks, release.to_numpy(), done):
            yield str(factory_id), lot, last_day, np.rint(finish * stretch).astype(np.int64)


def in_order(rows: pd.DataFrame) -> pd.DataFrame:
    """A factory's schedule in the order in which it works: by day, and on a day first what ends the soonest."""
    ends = rows.groupby("order_id")["day"].transform("max")
    chunks = rows.assign(ends=ends, minutes=rows["setup_minutes"] + rows["run_minutes"])
    return chunks.sort_values(["day", "ends", "order_id"], ignore_index=True)


def paid_minutes(instance: Instance, factory_id: str, rows: pd.DataFrame) -> Floats:
    """(D,) minutes of a factory on the days of its plan, overtime where the plan uses it; then as in its last week."""
    horizon = instance.horizon_days
    minutes = np.zeros(horizon + 1)
    offered = instance.capacity[instance.capacity["factory_id"] == factory_id]
    minutes[offered["day"]] = offered["minutes"]
    used = rows.assign(minutes=rows["setup_minutes"] + rows["run_minutes"]).groupby("day")["minutes"].sum()
    minutes[used.index] = np.maximum(minutes[used.index], used)
    week = minutes[-7:] if minutes[-7:].any() else np.full(7, minutes[1:].mean())
    return np.concatenate([minutes[1:], np.resize(week, (DAYS_BEYOND - 1) * horizon)])


def worked_through(chunks: pd.DataFrame, release: Ints, done: Floats) -> Iterator[tuple[str, int, Ints]]:
    """Lot, last planned day, and (draws,) the day on which its last chunk is done, in each future.

    chunks in the order of work, with minutes and ends; `release` day of each; done (draws, D) planned minutes that the
    factory gets done up to and with each day.
    """
    draws, days = done.shape
    before = np.concatenate([np.zeros((draws, 1)), done], axis=1)
    reached = np.zeros(draws)
    last = chunks.groupby("order_id")["minutes"].transform("size") == chunks.groupby("order_id").cumcount() + 1
    columns = (chunks["order_id"], chunks["ends"], chunks["minutes"], release, last)
    for lot, ends, minutes, first_day, is_last in zip(*columns, strict=True):
        reached = np.maximum(reached, before[:, min(first_day - 1, days)]) + minutes
        if is_last:
            yield str(lot), int(ends), np.minimum((done < reached[:, None] - 1e-6).sum(axis=1) + 1, days)
