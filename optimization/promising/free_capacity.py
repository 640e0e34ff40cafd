"""What the released plan leaves of each factory's days, and the queues behind it, kept ready for many quotes.

In: the plan in force with its instance, the order book and the marts as the plan reads them. Out: a `FreeCapacity`,
which nothing changes. Days are the plan's (1 is its first), minutes are paid operator minutes, money is the plan's
currency.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd

from c2m.domain.quotes import Offer
from optimization.book.daily_instance import named, working_days
from optimization.book.factory_record import exposures
from optimization.contract.instances import Instance
from optimization.contract.plan import DAY, Plan, unmet_pieces
from optimization.promising.futures import Futures, futures_of
from optimization.promising.known import Known
from optimization.unmet.rest import capacity_left

_HORIZONS = 3  # that are kept ready: a plan may be older than today


@dataclass(frozen=True)
class FreeCapacity:
    """The plan in force with what it leaves. offered, left: (factory_id, day; minutes, overtime_minutes,
    overtime_cost); engaged: factories that have work; places: where a merchant's orders go, where an order does not
    say it; order_ids: of the orders that the plan has; is_whole: it leaves no piece for a later plan."""

    plan_id: str
    instance: Instance
    plan: Plan
    first_day: date
    currency: str
    known: Known
    offered: pd.DataFrame
    left: pd.DataFrame
    engaged: frozenset[str]
    places: Mapping[str, tuple[float, float]]
    order_ids: frozenset[str]
    is_whole: bool
    futures: Futures

    def day_of(self, on: date) -> int:
        """The day of the plan that a date is."""
        return (on - self.first_day).days + 1

    def last_day(self, today: date) -> int:
        """The last day that a quote may use: past the plan's horizon only where the plan leaves nothing to be made
        there, and no further from today than a plan looks."""
        horizon = self.instance.horizon_days
        return min(self.day_of(today) + horizon, _HORIZONS * horizon) if self.is_whole else horizon

    def date_of(self, day: int) -> date:
        """The date of a day of the plan."""
        return self.first_day + timedelta(days=int(day) - 1)


def ready(
    plan_id: str, instance: Instance, plan: Plan, lots: pd.DataFrame, live: pd.DataFrame, known: Known, level: float
) -> FreeCapacity:
    """The room of a plan.

    Parameters
    ----------
    plan_id
        Of the plan in force.
    instance
        Its instance, with day_1 and currency.
    plan
        Its allocation and schedule.
    lots
        Open lots of the ledger (`ledger.orders.open_lots`).
    live
        Live job orders (`ledger.job_orders.live`).
    known
        Factories and catalogue.
    level
        Probability with which a promised date shall hold.

    Returns
    -------
    FreeCapacity
        What the plan's work leaves of what it was offered; of factories that it does not know, of what it would offer.

    Raises
    ------
    ValueError
        The instance has no day_1 or no currency.
    """
    if instance.day_1 is None or instance.currency is None:
        raise ValueError("ready: the instance has no day_1 or no currency, so its days and money cannot be named")
    offered = _offered(instance, instance.day_1, known)
    rows = named(lots)
    homes = rows.dropna(subset=["destination_latitude"]).drop_duplicates("merchant_id")
    latitudes, longitudes = homes["destination_latitude"].tolist(), homes["destination_longitude"].tolist()
    planned = rows[rows["lot_id"].isin(instance.orders["lot_id"])]
    return FreeCapacity(
        plan_id=plan_id,
        instance=instance,
        plan=plan,
        first_day=instance.day_1,
        currency=instance.currency,
        known=known,
        offered=offered,
        left=capacity_left(offered, plan.schedule),
        engaged=frozenset(plan.allocation["factory_id"]),
        places=dict(zip(homes["merchant_id"], zip(latitudes, longitudes, strict=True), strict=True)),
        order_ids=frozenset(planned["order_id"]),
        is_whole=not unmet_pieces(instance, plan.allocation).any(),
        futures=futures_of(instance, plan, rows, live, known, level),
    )


def _offered(instance: Instance, day_1: date, known: Known) -> pd.DataFrame:
    """The instance's capacity, and by the same rules that of later days and of factories that it does not have."""
    days = working_days(known.calendar, known.factories, day_1, _HORIZONS * instance.horizon_days)
    planned = days["factory_id"].isin(instance.capacity["factory_id"]) & (days["day"] <= instance.horizon_days)
    others = days[~planned]
    share = pd.Series(exposures(known.factories, known.scores), known.factories["factory_id"])
    factor = others["factory_id"].map(share).astype(float)
    others = others.assign(minutes=others["minutes"] * factor, overtime_minutes=others["overtime_minutes"] * factor)
    return pd.concat([instance.capacity, others], ignore_index=True)


def left_beside(room: FreeCapacity, reserved: Sequence[Offer], today: date) -> pd.DataFrame:
    """What is left after today, beside offers that were accepted since the plan was made."""
    left = room.left[room.left["day"].between(room.day_of(today) + 1, room.last_day(today))]
    taken = [(one.factory_id, room.day_of(one.on), one.minutes) for offer in reserved for one in offer.taken]
    if not taken:
        return left
    rows = pd.DataFrame(taken, columns=[*DAY, "run_minutes"]).assign(setup_minutes=0.0)
    return capacity_left(left, rows)


def fits(room: FreeCapacity, offer: Offer, reserved: Sequence[Offer], today: date) -> bool:
    """Whether the minutes of an offer are still free beside those of others.

    Parameters
    ----------
    room
        Of the plan in force.
    offer
        Of a quote that was made before.
    reserved
        Accepted since the plan was made.
    today
        The business date of the plan that will have the order: its work begins on a later day.

    Returns
    -------
    bool
        False also where the plan in force does not have the days.
    """
    left = left_beside(room, reserved, today).set_index(DAY)
    free = left["minutes"] + left["overtime_minutes"]
    wanted = {(one.factory_id, room.day_of(one.on)): one.minutes for one in offer.taken}
    found = free.reindex(pd.MultiIndex.from_tuples(wanted, names=DAY)).fillna(0.0)
    return bool((found.to_numpy() >= np.array(list(wanted.values())) - 1e-6).all())
