"""Why a lot is not made whole, or late: the rule without which it would be, found by lifting one rule after the other.

Three questions in turn, each a plan of this one lot. Could it be made at all, alone with the frozen work? If not, the
rule that stops it is one whose lifting makes it whole. Would it be made, alone? If not, it is dearer than leaving it,
and the cost that makes it so is one without which it would be made. Else the others are in its way: by a rule that
keeps it from the room they leave, or by holding the capacity.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from optimization.contract.instances import Instance, open_minutes, rows
from optimization.contract.plan import Plan, arrivals
from optimization.contract.terms import COST_WORDS
from optimization.contract.tolerances import FITS_MINUTES, MONEY_SHARE
from optimization.contract.wording import counted, day, money
from optimization.unmet import rest
from optimization.unmet.counterfactual import Counterfactual, cheapest

LARGEST_LOT = 10**9  # pieces, factories: no limit
SECONDS = 2.0  # of one plan of one lot; milliseconds are usual
_SHOWN = 4  # factories named

Lift = Callable[[Instance], Instance]


@dataclass(frozen=True)
class Cause:
    """The rule that stops a lot, in kebab-case, and the same in words with figures."""

    code: str  # in kebab-case
    words: str


@dataclass(frozen=True)
class Want:
    """A lot that should be whole and, where asked, on time, in a plan of an instance."""

    instance: Instance
    plan: Plan
    lot_id: str
    on_time: bool

    @property
    def order(self) -> Any:
        """The lot's row of orders."""
        return self.instance.order(self.lot_id)

    @property
    def made(self) -> int:
        """Pieces of it in the plan."""
        return self.plan.pieces(self.lot_id)

    def alone(self, beside: str) -> Instance:
        """The lot alone, in what the others' plan or their frozen work leaves."""
        return rest.part(self.instance, self.plan, [self.lot_id], beside)

    def met(self, part: Instance, choice: Counterfactual) -> bool:
        """Whether a plan of a part makes the lot whole, and on time where asked.

        Parameters
        ----------
        part
            The instance of a part.
        choice
            A plan of it.

        Returns
        -------
        bool
            Whether that is met.
        """
        if choice.plan.pieces(self.lot_id) < part.order(self.lot_id)["quantity"]:
            return False
        return not (self.on_time and days_late(part, choice.plan)[self.lot_id] > 0)

    def forced(self, part: Instance) -> Counterfactual:
        """The cheapest plan of a part that makes the lot whole, and on time where asked; none where nothing does."""
        choice = cheapest(replace(part, orders=self._insisted_on(part)), SECONDS)
        return choice if self.met(part, choice) else replace(choice, found=None)

    def _insisted_on(self, part: Instance) -> pd.DataFrame:
        """The orders of a part, the lot's such that no price is too high for it."""
        mine = part.orders["lot_id"] == self.lot_id
        return part.orders.assign(
            unmet_cost=part.orders["unmet_cost"].mask(mine, _worst_cost(part)),
            max_late_days=part.orders["max_late_days"].mask(mine & self.on_time, 0),
        )


def days_late(instance: Instance, plan: Plan) -> "pd.Series[int]":
    """Per lot_id of the plan the days that its last piece arrives after its due day, 0 where it does not.

    Parameters
    ----------
    instance
        What is planned.
    plan
        Its plan.

    Returns
    -------
    pd.Series
        Days by lot_id.
    """
    runs = arrivals(instance, plan.schedule[plan.schedule["run_minutes"] > FITS_MINUTES])
    return runs.groupby("lot_id")["days_late"].max()


def cause(want: Want) -> Cause:
    """The true cause, the first that holds of: no factory can, it does not pay, others are in the way."""
    if not len(want.alone("plan").arcs):
        return Cause("no-capable-factory", "no factory is listed for it: none has all that it needs")
    alone = want.alone("frozen")
    forced = want.forced(alone)
    if not forced.possible:
        return _impossible(want, alone)
    if not _pays(forced, alone):
        return _too_dear(want, alone, forced)
    return _in_the_way(want)


def _pays(forced: Counterfactual, part: Instance) -> bool:
    """Whether no plan of a part is cheaper than the one that makes the lot whole, and on time where asked."""
    return forced.total <= cheapest(part, SECONDS).total * (1 + MONEY_SHARE) + MONEY_SHARE


def _impossible(want: Want, alone: Instance) -> Cause:
    """The lot cannot be made whole even where only frozen work stands beside it."""
    for code, lift in LIFTS.items():
        if want.forced(lift(alone)).possible:
            return Cause(code, _rule_words(code, alone))
    world = rest.part(want.instance, replace(want.plan, schedule=want.plan.schedule[:0]), [want.lot_id])
    if want.forced(world).possible:
        return Cause("frozen-work", f"frozen work of other lots holds its factories: {_room_words(want, alone)}")
    return _no_time(want, alone)


def _no_time(want: Want, alone: Instance) -> Cause:
    first, last = alone.arcs["release_day"].clip(lower=1), latest_day(alone, want.on_time)
    arrival = day(alone.day_1, _latest_arrival(alone, want.on_time))
    window = f"between material on {day(alone.day_1, first.min())} and arrival by {arrival}"
    if (first > last).all():
        ready = int((first + alone.arcs["transit_days"]).min())
        soonest = f"work of one day arrives on {day(alone.day_1, ready)} at the earliest"
        return Cause("window-empty", f"no day lies {window}: {soonest}")
    reach = _reach_minutes(alone, first, last)
    if not reach.any():
        return Cause("no-working-day", f"no capable factory works on a day {window}")
    return Cause("window-too-short", _too_short_words(alone, reach, window))


def _too_short_words(alone: Instance, reach: "pd.Series[float]", window: str) -> str:
    """What the lot needs beside what its factories have."""
    order = alone.orders.iloc[0]
    need = alone.arcs["minutes_per_piece"] * order["quantity"] + alone.arcs["setup_minutes"]
    roomy = reach.nlargest(order["max_factories"])
    asked = f"{counted(order['quantity'], 'piece')} take {need.min():,.0f} minutes or more"
    of = f"the roomiest {len(roomy)} of its {counted(len(reach), 'capable factory')}"
    return f"{asked}; {of} have {roomy.sum():,.0f} {window}, were there no other lot"


def _too_dear(want: Want, alone: Instance, forced: Counterfactual) -> Cause:
    """It could be made, but even alone it does not pay: the cost without which it would."""
    names = [code for code, lift in _FREE.items() if _pays(want.forced(free := lift(alone)), free)] or list(_FREE)
    part = max(names, key=lambda code: forced.cost[_FREE_PART[code]])
    spent = "; ".join(f"{COST_WORDS[name]} {money(cost)}" for name, cost in forced.cost.items() if cost > 0)
    if want.on_time:
        more = forced.total - cheapest(alone, SECONDS).total
        return Cause(part, f"to be on time costs {money(more)} more than to be late, were it alone ({spent})")
    leave = _leave_words(alone.orders.iloc[0])
    return Cause(part, f"{leave}; to make it whole costs {money(sum(forced.cost.values()))}, were it alone: {spent}")


def _leave_words(order: Any) -> str:
    cost = order["unmet_cost"]
    return f"to leave a piece costs {money(cost)}, all {money(order['quantity'] * cost)}"


def _in_the_way(want: Want) -> Cause:
    beside = want.alone("plan")
    now = sum(rest.cost_of(beside, want.plan).values())
    best = cheapest(beside, SECONDS)
    if best.total < now * (1 - MONEY_SHARE) - MONEY_SHARE:
        return Cause(
            "search-stopped",
            f"room is left that saves {money(now - best.total)}: the search stopped before it found it",
        )
    for code, lift in LIFTS.items():
        if _pays(want.forced(free := lift(beside)), free):
            return Cause(code, f"{_rule_words(code, beside)}; {_room_words(want, beside)}")
    return Cause("capacity-full", f"capacity is taken by other lots: {_room_words(want, beside)}")


def _rule_words(code: str, part: Instance) -> str:
    order, arcs = part.orders.iloc[0], part.arcs
    lowest = next(rows(arcs.sort_values("min_lot")))
    pieces = f"{order['quantity']:,} pieces"
    return {
        "minimum-lot": f"minimum lots stop its {pieces}; the lowest is {lowest.min_lot:,} at {lowest.factory_id}",
        "maximum-lot": f"its factories take {arcs['max_lot'].sum():,} of its {pieces} at most",
        "daily-limit": f"its factories can run it {arcs['max_minutes_per_day'].max():,.0f} minutes a day at most",
        "max-factories": _sharing_words(order, part),
        "setup-minutes": f"setup alone takes {arcs['setup_minutes'].min():,.0f} minutes or more of a short window",
    }[code]


def _sharing_words(order: Any, part: Instance) -> str:
    """How many factories may share a lot, and how many of these hold frozen pieces already."""
    most, holding = counted(order["max_factories"], "factory"), frozen_factories(part)
    words = f"at most {most} of its {len(part.arcs)} capable ones may share it"
    return f"{words}, and frozen pieces are at {holding} already" if holding else words


def frozen_factories(part: Instance) -> int:
    """Factories at which the lot of a part has frozen pieces; they count towards its max_factories."""
    return int((part.frozen["quantity"] > 0).sum())


def _room_words(want: Want, beside: Instance) -> str:
    """Per factory the pieces that it still has room for, or until when it is full; the cheapest piece first."""
    pieces = room_pieces(beside, want.on_time)
    arcs = beside.arcs.assign(last=latest_day(beside, want.on_time), room=pieces.to_numpy())
    words = [_room_at(beside, arc) for arc in rows(arcs.sort_values("unit_cost").head(_SHOWN))]
    more = len(arcs) - _SHOWN
    return "; ".join([*words, f"and {more} more"] if more > 0 else words)


def _room_at(beside: Instance, arc: Any) -> str:
    """What room a factory has for a lot; `arc` with the `last` day of its window and its `room`."""
    if arc.room:
        return f"{arc.factory_id} has room for {arc.room:,} by {day(beside.day_1, arc.last)}"
    capacity = beside.capacity[beside.capacity["factory_id"] == arc.factory_id]
    later = capacity["day"][(open_minutes(capacity) > FITS_MINUTES) & (capacity["day"] > arc.last)]
    until = f"until {day(beside.day_1, later.min() - 1)}" if len(later) else "to the end"
    return f"{arc.factory_id} is full {until}"


def latest_day(part: Instance, on_time: bool = False) -> "pd.Series[int]":
    """Per arc of a lot's part the last day of its window."""
    days: pd.Series[int] = _latest_arrival(part, on_time) - part.arcs["transit_days"]
    return days.clip(upper=part.horizon_days)


def _latest_arrival(part: Instance, on_time: bool) -> Any:
    """The last day on which the lot of a part may arrive."""
    order = part.orders.iloc[0]
    return order["due_day"] + (0 if on_time else order["max_late_days"])


def room_pieces(part: Instance, on_time: bool = False) -> "pd.Series[int]":
    """The pieces that the minutes in a lot's part hold within its window, setup taken off.

    Parameters
    ----------
    part
        The instance of the lot alone.
    on_time
        Whether the window ends so that nothing is late.

    Returns
    -------
    pd.Series
        Pieces by factory_id.
    """
    minutes = _reach_minutes(part, part.arcs["release_day"], latest_day(part, on_time)) - part.arcs["setup_minutes"]
    pieces = (minutes.clip(lower=0.0) / part.arcs["minutes_per_piece"] + FITS_MINUTES).astype("int64")
    return pieces.set_axis(part.arcs["factory_id"])


def _reach_minutes(part: Instance, first: "pd.Series[int]", last: "pd.Series[int]") -> "pd.Series[float]":
    """Minutes that each arc may use in the days of its window."""
    days = _window_days(part.arcs.assign(first=first, last=last), part.capacity)
    minutes = open_minutes(days).clip(upper=days["max_minutes_per_day"])
    reach = minutes.groupby(days["arc"]).sum().reindex(part.arcs.index, fill_value=0.0)
    return reach.astype(float)  # of no day at all the sums have no type


def _window_days(arcs: pd.DataFrame, capacity: pd.DataFrame) -> pd.DataFrame:
    """A row per arc and day of its window (first, last) on which its factory has capacity; `arc`: its index."""
    window = arcs[["factory_id", "max_minutes_per_day", "first", "last"]].assign(arc=arcs.index)
    days = window.merge(capacity, on="factory_id")
    return days[days["day"].between(days["first"], days["last"])]


def _worst_cost(part: Instance) -> float:
    """More than any plan of one lot costs; the price at which nothing is left."""
    arcs = part.arcs.merge(part.orders, on="lot_id")
    days = arcs["max_late_days"] + part.horizon_days
    pieces = ((arcs["unit_cost"] + arcs["late_cost"] * days) * arcs["quantity"] + arcs["setup_cost"]).sum()
    overtime = (part.capacity["overtime_cost"] * part.capacity["overtime_minutes"]).sum()
    factories = part.factories["engagement_cost"].sum()
    return float(1.0 + pieces + overtime + factories + (part.orders["unmet_cost"]).max())


def _arcs(**values: Any) -> Lift:
    return lambda part: replace(part, arcs=part.arcs.assign(**values))


def _orders(**values: Any) -> Lift:
    return lambda part: replace(part, orders=part.orders.assign(**values))


LIFTS: dict[str, Lift] = {
    "minimum-lot": _arcs(min_lot=0),
    "maximum-lot": _arcs(max_lot=LARGEST_LOT),
    "daily-limit": _arcs(max_minutes_per_day=np.inf),
    "max-factories": _orders(max_factories=LARGEST_LOT),
    "setup-minutes": _arcs(setup_minutes=0.0),
}
_FREE: dict[str, Lift] = {
    "making-dearer": _arcs(unit_cost=0.0),
    "setup-dearer": _arcs(setup_cost=0.0),
    "engagement-dearer": lambda part: replace(part, factories=part.factories.assign(engagement_cost=0.0)),
    "overtime-dearer": lambda part: replace(part, capacity=part.capacity.assign(overtime_cost=0.0)),
    "lateness-dearer": _orders(late_cost=0.0),
}
_FREE_PART = dict(zip(_FREE, ("unit", "setup", "engagement", "overtime", "late"), strict=True))
