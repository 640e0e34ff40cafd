"""What would make a lot whole and on time, and what that costs: the cheapest fixes, each proven by planning it.

A fix lifts one rule for this lot, looks what its cheapest plan then needs beside the plan of the others, and asks for
no more than that. It is priced by planning the lot and its neighbours anew with the fix made; where the neighbours or
the cost would take the gain, it is completed by putting the lot first.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from operator import itemgetter
from typing import Any

import pandas as pd

from optimization.contract.edits import Edit, edited
from optimization.contract.instances import Instance, open_minutes, rows
from optimization.contract.plan import DAY, PAIR, Plan, day_loads, worked
from optimization.contract.tolerances import FITS_MINUTES
from optimization.contract.wording import counted, day, days, money
from optimization.unmet import rest
from optimization.unmet.causes import LARGEST_LOT, LIFTS, Want, frozen_factories
from optimization.unmet.counterfactual import cheapest

Candidate = tuple[float, tuple[Edit, ...]]  # cost beside the others' plan, edits
Ask = Callable[[Want, Instance, int], tuple[Edit, ...]]  # edits that move something by so many days; none: no further

_AROUND_ARCS = 40  # of the lots that are planned anew to price a fix; more take seconds
_SECONDS = 1.5  # of one such plan
_ALL_SECONDS = 4.0  # after which no further fix is tried
_FIRST = (1.01, 2.0, 8.0, 64.0, 1024.0)  # multiples of the price that should put a lot first; a neighbour may outbid it
_NEW_FACTORIES = 3  # that are asked to become capable of a lot that nobody can make
_TYPICAL = ["unit_cost", "minutes_per_piece", "setup_cost", "setup_minutes", "min_lot", "transit_days"]


@dataclass(frozen=True)
class Fix:
    """Edits that make the lot whole, by how much they change the cost of the plan, proven least, and it by part."""

    words: str
    edits: tuple[Edit, ...]
    extra_cost: float
    at_least: float
    cost: dict[str, float]


def fixes(want: Want) -> list[Fix]:
    """The fixes that work, cheapest first; those that look dear beside the others' plan only as time allows."""
    end = time.monotonic() + _ALL_SECONDS
    unfound = _unfound(want)
    found = [fix for here, base in _capable(want) for fix in _fixes(here, base, unfound, end)]
    return sorted(found, key=_cost_and_size)


def _cost_and_size(fix: Fix) -> tuple[float, int]:
    return round(fix.extra_cost, 6), len(fix.edits)


def _fixes(want: Want, base: tuple[Edit, ...], unfound: float, end: float) -> Iterator[Fix]:
    """The fixes of a lot, in an instance in which `base` is done already."""
    part, beside, day_1 = _around(want), want.alone("plan"), want.instance.day_1
    now = sum(rest.cost_of(part, want.plan).values()) - unfound
    for number, edits in enumerate(_candidates(want, beside)):
        if number and time.monotonic() > end:
            return
        fix = _proven(want, beside, part, edits, now)
        if fix:
            yield replace(fix, words=in_words((*base, *fix.edits), day_1), edits=(*base, *fix.edits))


def _candidates(want: Want, beside: Instance) -> list[tuple[Edit, ...]]:
    """The edits that make the lot whole beside the plan of the others, each once, the cheapest there first."""
    found = [*_lifted(want, beside), *_shifted(want, beside)]
    found = found or [*_allowed(want, beside, _lift_all(beside, want.instance))]
    distinct = {in_words(edits, want.instance.day_1): (cost, edits) for cost, edits in found}
    return [edits for _, edits in sorted(distinct.values(), key=itemgetter(0))]


def in_words(edits: Sequence[Edit], day_1: date | None) -> str:
    """Edits in words, overtime on several days of a factory together."""
    overtime = [edit for edit in edits if edit.table == "capacity"]
    words = dict.fromkeys(edit.words for edit in edits if edit.table != "capacity")
    return " and ".join([*_overtime_words(overtime, day_1), *words]) or "plan again with more time, there is room"


def _overtime_words(overtime: list[Edit], day_1: date | None) -> Iterator[str]:
    """The overtime of each factory."""
    by_factory: dict[str, list[Edit]] = {}
    for edit in overtime:
        by_factory.setdefault(edit.key["factory_id"], []).append(edit)
    for factory_id, its in by_factory.items():
        minutes = f"{sum(edit.more['overtime_minutes'] for edit in its):,.1f}".removesuffix(".0")
        yield f"{minutes} more minutes of overtime at {factory_id} {_on_days(its, day_1)}"


def _on_days(edits: list[Edit], day_1: date | None) -> str:
    numbers = [edit.key["day"] for edit in edits]
    span = days(day_1, min(numbers), max(numbers))
    return f"on {span}" if len(edits) == 1 else f"on {len(edits)} days from {span}"


def _capable(want: Want) -> Iterator[tuple[Want, tuple[Edit, ...]]]:
    """The lot as it is, or, where no factory can make it, at each of the factories that make a piece cheapest."""
    if (want.instance.arcs["lot_id"] == want.lot_id).any():
        yield want, ()
        return
    typical = want.instance.arcs.groupby("factory_id")[_TYPICAL].median().sort_values("unit_cost").head(_NEW_FACTORIES)
    for factory_id, row in typical.iterrows():
        edit = _new_arc(want, str(factory_id), row)
        yield replace(want, instance=edited(want.instance, [edit])), (edit,)


def _on_typical_terms(typical: "pd.Series[float]") -> dict[str, Any]:
    whole = {name: int(typical[name]) for name in ("min_lot", "transit_days")}
    return {**typical, **whole, "max_lot": LARGEST_LOT}


def _new_arc(want: Want, factory_id: str, typical: "pd.Series[float]") -> Edit:
    """The lot at a factory that is not listed for it, on the typical terms of its other lots."""
    values = _on_typical_terms(typical) | {"release_day": int(want.order["release_day"])}
    terms = f"median of its other lots: {money(typical['unit_cost'])} a piece"
    key = {"lot_id": want.lot_id, "factory_id": factory_id}
    return Edit("arcs", key, values, words=f"make {factory_id} capable of it ({terms})")


def _lifted(want: Want, beside: Instance) -> Iterator[Candidate]:
    """What the cheapest plan of the lot needs with no rule lifted, then with one."""
    asked = [beside, *(lift(beside) for code, lift in LIFTS.items() if code != "setup-minutes")]  # no factory sets that
    for part in (*asked, lift_overtime(beside, want.instance)):
        yield from _allowed(want, beside, part)


def _allowed(want: Want, beside: Instance, lifted: Instance) -> Iterator[Candidate]:
    """What the lot's cheapest plan under lifted rules needs."""
    choice = want.forced(lifted)
    if choice.possible:
        yield choice.total, tuple(_needed(want.order, beside, choice.plan))


def _shifted(want: Want, beside: Instance) -> Iterator[Candidate]:
    """The fewest days that the date, the material or the transport must move, each alone."""
    for ask in (_later, _material_earlier, _faster):
        yield from _fewest_days(want, beside, ask)


def _fewest_days(want: Want, beside: Instance, ask: Ask) -> Iterator[Candidate]:
    for more in range(1, beside.horizon_days + 1):
        if not (edits := ask(want, beside, more)):
            return
        choice = want.forced(edited(beside, edits))
        if choice.possible:
            yield choice.total, edits
            return


def _later(want: Want, beside: Instance, more: int) -> tuple[Edit, ...]:
    """The order's date later, or more days late allowed; nothing past the horizon, where no factory gains by it."""
    order = want.order
    last = (order["due_day"] + order["max_late_days"] - beside.arcs["transit_days"]).max() + more
    if last > beside.horizon_days:
        return ()
    if want.on_time:
        return (_due_later(order, more, beside.day_1),)
    return (_later_allowed(order, int(order["max_late_days"]) + more),)


def _due_later(order: Any, more: int, day_1: date | None) -> Edit:
    due = int(order["due_day"])
    return Edit(
        "orders",
        {"lot_id": order["lot_id"]},
        {"due_day": due + more},
        words=f"move its due date from {day(day_1, due)} to {day(day_1, due + more)}",
    )


def _later_allowed(order: Any, late_days: int) -> Edit:
    words = f"accept it {counted(late_days, 'day')} late instead of {order['max_late_days']}"
    return Edit("orders", {"lot_id": order["lot_id"]}, {"max_late_days": late_days}, words=words)


def _material_earlier(want: Want, beside: Instance, more: int) -> tuple[Edit, ...]:
    ready = int(beside.arcs["release_day"].max())
    if ready - more < 1:
        return ()
    words = f"have its material on {day(beside.day_1, ready - more)} instead of {day(beside.day_1, ready)}"
    later = beside.arcs[beside.arcs["release_day"] > ready - more]
    return tuple(Edit("arcs", _pair(arc), {"release_day": ready - more}, words=words) for arc in rows(later))


def _faster(want: Want, beside: Instance, more: int) -> tuple[Edit, ...]:
    slow = beside.arcs[beside.arcs["transit_days"] > 0]
    if more > beside.arcs["transit_days"].max():
        return ()
    words = f"send it {counted(more, 'day')} faster from whichever factory makes it"
    sooner = slow.assign(transit_days=(slow["transit_days"] - more).clip(lower=0))
    return tuple(Edit("arcs", _pair(arc), {"transit_days": arc.transit_days}, words=words) for arc in rows(sooner))


def _needed(order: Any, beside: Instance, plan: Plan) -> Iterator[Edit]:
    """The edits without which a plan of the lot breaks a rule of its part."""
    longest = worked(plan.schedule).groupby("factory_id")["minutes"].max()
    for pair in rows(plan.allocation.merge(beside.arcs, on=PAIR)):
        yield from _limits_moved(pair, longest[pair.factory_id])
    arrived = plan.schedule.merge(beside.arcs, on=PAIR)
    late = int((arrived["day"] + arrived["transit_days"] - order["due_day"]).max())
    if late > order["max_late_days"]:
        yield _later_allowed(order, late)
    count = len(plan.allocation)
    if count > max(order["max_factories"], frozen_factories(beside)):
        words = f"let {count} factories share it instead of {order['max_factories']}"
        yield Edit("orders", {"lot_id": order["lot_id"]}, {"max_factories": count}, words=words)
    yield from overtime_needed(beside, plan.schedule)


def _limits_moved(pair: Any, longest_minutes: float) -> Iterator[Edit]:
    """The limits of a factory that a pair of a plan passes; `pair` with its quantity and its arc."""
    name, key, minutes = f"at {pair.factory_id}", _pair(pair), _up(longest_minutes)
    if pair.quantity < pair.min_lot:
        words = f"lower its minimum lot {name} from {pair.min_lot:,} to {pair.quantity:,}"
        yield Edit("arcs", key, {"min_lot": pair.quantity}, words=words)
    if pair.quantity > pair.max_lot:
        words = f"raise its largest lot {name} from {pair.max_lot:,} to {pair.quantity:,}"
        yield Edit("arcs", key, {"max_lot": pair.quantity}, words=words)
    if longest_minutes > pair.max_minutes_per_day + FITS_MINUTES:
        words = f"raise its daily limit {name} from {pair.max_minutes_per_day:,.0f} to {minutes:,.0f} minutes"
        yield Edit("arcs", key, {"max_minutes_per_day": minutes}, words=words)


def overtime_needed(beside: Instance, schedule: pd.DataFrame) -> Iterator[Edit]:
    """The overtime without which the work of a schedule does not fit."""
    load = day_loads(schedule).merge(beside.capacity, on=DAY, how="left").fillna(0.0)
    lacking = load["load"] - load["minutes"] - load["overtime_minutes"]
    for full in rows(load.assign(lacking=lacking)[lacking > FITS_MINUTES]):
        price = {"overtime_cost": _overtime_price(beside, full.factory_id, full.day)}
        key = {"factory_id": full.factory_id, "day": full.day}
        yield Edit("capacity", key, price, {"overtime_minutes": _up(full.lacking)})


def _overtime_price(part: Instance, factory_id: str, day: int) -> float:
    """The day's own price of overtime, else the factory's dearest, else the dearest of all."""
    priced = part.capacity[part.capacity["overtime_cost"] > 0]
    at = priced[priced["factory_id"] == factory_id]
    choices = (at["overtime_cost"][at["day"] == day], at["overtime_cost"], priced["overtime_cost"])
    return next((float(costs.max()) for costs in choices if len(costs)), 0.0)


def lift_overtime(part: Instance, whole: Instance) -> Instance:
    """A second shift of overtime on every day, days off included, as long as the factory's longest day."""
    days = _every_day(part)
    longest = open_minutes(whole.capacity).groupby(whole.capacity["factory_id"]).max()
    days["overtime_minutes"] += longest.reindex(days["factory_id"], fill_value=0.0).to_numpy()
    days["overtime_cost"] = [_overtime_price(part, row.factory_id, row.day) for row in rows(days)]
    return replace(part, capacity=days)


def _every_day(part: Instance) -> pd.DataFrame:
    """The capacity of each factory that has an arc, with a row for each day of the horizon."""
    factories, ahead = sorted(set(part.arcs["factory_id"])), range(1, part.horizon_days + 1)
    days = pd.MultiIndex.from_product([factories, ahead], names=DAY).to_frame(index=False)
    return days.merge(part.capacity, on=DAY, how="left").fillna(0.0)


def _lift_all(part: Instance, whole: Instance) -> Instance:
    for lift in LIFTS.values():
        part = lift(part)
    late = part.orders["max_late_days"] + part.horizon_days
    return lift_overtime(replace(part, orders=part.orders.assign(max_late_days=late)), whole)


def _around(want: Want) -> Instance:
    """The lot and its neighbours, in what the rest of the plan leaves."""
    return rest.part(want.instance, want.plan, rest.around(want.instance, want.plan, want.lot_id, _AROUND_ARCS))


def _unfound(want: Want) -> float:
    """What the neighbours could save without any fix, where the search had stopped before it found that."""
    part, known = _around(want), want.plan.allocation
    return max(0.0, sum(rest.cost_of(part, want.plan).values()) - cheapest(part, _SECONDS, known=known).total)


def _proven(want: Want, beside: Instance, part: Instance, edits: tuple[Edit, ...], now: float) -> Fix | None:
    """The fix if it makes the lot whole when its neighbours are planned with it, put first where it must be."""
    for more in _completions(want, beside, edits):
        complete = (*edits, *more)
        alone = edited(beside, complete)
        if not want.met(alone, cheapest(alone, _SECONDS)):
            continue
        trial = edited(part, complete)
        choice = cheapest(trial, _SECONDS, known=want.plan.allocation)
        if want.met(trial, choice):
            return Fix("", complete, choice.total - now, choice.bound - now, choice.cost)
    return None


def _completions(want: Want, beside: Instance, edits: tuple[Edit, ...]) -> Iterator[tuple[Edit, ...]]:
    """What must be asked for besides, least first: nothing, its date, its place before the others."""
    order, key = want.order, {"lot_id": want.lot_id}
    insist = (Edit("orders", key, {"max_late_days": 0}, words="insist on its date"),) if want.on_time else ()
    yield ()
    yield insist
    extra = want.forced(edited(beside, edits)).total - sum(rest.cost_of(beside, want.plan).values())
    price = order["unmet_cost"] + max(0.0, extra) / max(1, order["quantity"] - want.made)
    for factor in _FIRST:
        yield (*insist, _put_first(order, math.ceil(price * factor * 100) / 100))


def _put_first(order: Any, worth: float) -> Edit:
    words = f"put it first: a piece left costs {money(worth)} instead of {money(order['unmet_cost'])}"
    return Edit("orders", {"lot_id": order["lot_id"]}, {"unmet_cost": worth}, words=words)


def _pair(row: Any) -> dict[str, str]:
    return {"lot_id": row.lot_id, "factory_id": row.factory_id}


def _up(minutes: float) -> float:
    """Minutes up to the next tenth."""
    return math.ceil(minutes * 10 - FITS_MINUTES) / 10
