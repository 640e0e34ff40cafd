"""The promise of an order that is not in the book: the futures of its factories' queues, with it in them.

The model is that of the plan's own dates (optimization/book/queue.py, promised_dates.py). In: the queues of the
released plan, kept ready, and the rows of the new order. Out: its date and probability. Days are the plan's.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from c2m.domain.arrays import Floats
from c2m.domain.promises import Correction
from optimization.book.daily_instance import DAYS_AHEAD, calendar_days, order_of_work, standing_work, told_work
from optimization.book.queue import finishes
from optimization.book.under_way import under_way
from optimization.contract.instances import Instance
from optimization.contract.plan import Plan
from optimization.promising.known import Known
from optimization.routing.hand_overs import in_chain

_NEW: Mapping[str, Any] = {
    "begun": False,
    "begun_day": 0,
    "before": np.inf,
    "knew": 0,
    "in_overtime": False,
    "made": 0,
    "had_minutes": np.nan,
    "told_by": np.nan,
}


@dataclass(frozen=True)
class Futures:
    """Queues (`daily_instance.standing_work`), the days of the factories (F, D from day 0 on), and what dates need."""

    work: pd.DataFrame
    factories: pd.DataFrame
    minutes: Floats
    overtime: Floats
    versions: Mapping[str, int]
    told: pd.DataFrame
    level: float
    correction: Correction

    def joined(self, new: pd.DataFrame) -> "Futures":
        """With further orders in the queues; new: as `promise` takes them."""
        return replace(
            self, work=pd.concat([self.work, _entered(self.work, new.reset_index(drop=True))], ignore_index=True)
        )


@dataclass(frozen=True)
class PromisedDay:
    """planned_day: without what may go wrong; promised_day: the first that holds at the level; in_time: by a day.

    modelled: probability of the promised day before the correction that past quotes taught.
    """

    planned_day: int
    promised_day: int
    modelled: float
    probability: float
    in_time: float | None


def futures_of(
    instance: Instance, plan: Plan, lots: pd.DataFrame, live: pd.DataFrame, known: Known, level: float
) -> Futures:
    """The queues of a plan. lots: `daily_instance.named`; live: job orders."""
    day_1: date = instance.day_1  # type: ignore[assignment]
    live = live.join(under_way(live, known.factories, known.calendar, known.until))
    work = standing_work(instance, day_1, plan, lots, live, known.factories)
    minutes, overtime = calendar_days(known.calendar, known.factories, day_1, DAYS_AHEAD)
    work = in_chain(work, known.factories, minutes + overtime)
    told = told_work(known.told, instance, lots, known.factories, day_1)
    return Futures(work, known.factories, minutes, overtime, known.versions, told, level, known.correction)


def promise(futures: Futures, new: pd.DataFrame, wanted_day: int | None) -> PromisedDay:
    """When the new order will have arrived.

    Parameters
    ----------
    futures
        Of the plan in force.
    new
        Its pairs: lot_id, order_id, factory_id, quantity (pieces), minutes and setup_minutes, first_day, planned_day,
        transit_days; those of one order alone, or several of which the first row's counts.
    wanted_day
        Day whose probability is asked for; None: none.

    Returns
    -------
    PromisedDay
        By the draws of the queues that the new pairs stand in.
    """
    rest = futures.work[futures.work["factory_id"].isin(new["factory_id"])]
    rows = pd.concat([rest, _entered(rest, new)], ignore_index=True)
    order_of_work(rows, futures.factories, futures.minutes, futures.overtime, futures.versions)
    mine = rows["order_id"].eq(new["order_id"].iloc[0]).to_numpy()
    transit = rows["transit_days"].to_numpy(dtype=np.int64)
    came = np.zeros(1, dtype=np.int64)
    for row, finish in finishes(rows, futures.factories, futures.minutes, futures.overtime, futures.told):
        if mine[row]:
            came = np.maximum(came, finish + transit[row])
    day, count = np.unique(came, return_counts=True)
    modelled = np.cumsum(count) / len(came)
    stated = futures.correction.stated(modelled)
    sure = min(int(np.searchsorted(stated, futures.level)), len(day) - 1)
    planned = rows.loc[mine, "planned_day"].to_numpy(dtype=np.int64) + transit[mine]
    in_time = None if wanted_day is None else _by(day, stated, wanted_day)
    return PromisedDay(int(planned.max()), int(day[sure]), float(modelled[sure]), float(stated[sure]), in_time)


def _by(day: NDArray[np.int64], stated: Floats, wanted: int) -> float:
    last = int(np.searchsorted(day, wanted, side="right")) - 1
    return float(stated[last]) if last >= 0 else 0.0


def _entered(rest: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    """The new pairs as rows of the queues, each after what its factory is done with no later by the plan."""
    beside = new[["factory_id", "planned_day"]].reset_index().merge(rest, "left", "factory_id", suffixes=("", "_rest"))
    ahead = beside["place"].where(beside["planned_day_rest"] <= beside["planned_day"], 0.0)
    place = ahead.groupby(beside["index"]).max().to_numpy() + 0.5
    due = new["planned_day"] + new["transit_days"]
    lanes = {"lane_days": new["transit_days"]}
    return new.assign(due_day=due, place=place, **lanes, arrival=2 * 10**12 + np.arange(len(new)), **_NEW)
