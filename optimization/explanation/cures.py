"""What would make a lot whole and on time, and what that costs: the cheapest fixes, each proven by planning it.

A fix lifts one rule for this lot, looks what its cheapest plan then needs beside the plan of the others, and asks for
no more than that. It is priced by planning the lot and its neighbours anew with the fix made; where the neighbours or
the cost would take the gain, it is completed by putting the lot first.
"""

import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import pandas as pd

from optimization.contract.edits import Edit, edited
from optimization.contract.instances import Instance, rows
from optimization.contract.plan import PAIR, Plan
from optimization.contract.tolerances import FITS_MINUTES
from optimization.contract.wording import counted, day, days, money
from optimization.unmet import rest
from optimization.unmet.causes import LARGEST_LOT, LIFTS, Want, frozen_factories
from optimization.unmet.counterfactual import cheapest

Candidate = tuple[float, tuple[Edit, ...]]  # cost beside the others' plan, edits

_AROUND_ARCS = 40  # of the lots that are planned anew to price a fix; more take seconds
_SECONDS = 1.5  # of one such plan
_ALL_SECONDS = 4.0  # after which no further fix is tried
_FIRST = (1.01, 2.0, 8.0, 64.0, 1024.0)  # multiples of the price that should put a lot first; a neighbour may outbid it
_NEW_FACTORIES = 3  # that are asked to become capable of a lot that nobody can make
_TYPICAL = ["unit_cost", "minutes_per_piece", "setup_cost", "setup_minutes", "min_lot", "transit_days"]
_DAY = ["factory_id", "day"]


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
    return sorted(found, key=lambda fix: (round(fix.extra_cost, 6), len(fix.edits)))


def _fixes(want: Want, base: tuple[Edit, ...], unfound: float, end: float) -> Iterator[Fix]:
    """The fixes of a lot, in an instance in which `base` is done already."""
    part = _around(want)
    beside, now = want.alone("plan"), sum(rest.cost_of(part, want.plan).values()) - unfound
    candidates = [*_lifted(want, beside), *_shifted(want, beside)]
    candidates = candidates or [*_allowed(want, beside, _lift_all(beside, want.instance))]
    day_1 = want.instance.day_1
    distinct = {in_words(edits, day_1): (cost, edits) for cost, edits in candidates}
    for number, (_, edits) in enumerate(sorted(distinct.values(), key=lambda candidate: candidate[0])):
        if number and time.monotonic() > end:
            return
        fix = _proven(want, beside, part, edits, now)
        if fix:
            yield replace(fix, words=in_words((*base, *fix.edits), day_1), edits=(*base, *fix.edits))


def in_words(edits: Iterable[Edit], day_1: date | None) -> str:
    """Edits in words, overtime on several days of a factory together."""
    overtime: dict[str, list[Edit]] = {}
    words: dict[str, None] = {}
    for edit in edits:
        if edit.table == "capacity":
            overtime.setdefault(edit.key["factory_id"], []).append(edit)
        else:
            words[edit.words] = None
    together = [_overtime_words(factory_id, its, day_1) for factory_id, its in overtime.items()]
    return " and ".join([*together, *words]) or "plan again with more time, there is room"


def _overtime_words(factory_id: str, edits: list[Edit], day_1: date | None) -> str:
    """So many minutes more of overtime at a factory, on so many days."""
    minutes, at = sum(edit.more["overtime_minutes"] for edit in edits), [edit.key["day"] for edit in edits]
    span = days(day_1, min(at), max(at))
    when = f"on {span}" if len(edits) == 1 else f"on {len(edits)} days from {span}"
    return f"{minutes:,.1f}".removesuffix(".0") + f" more minutes of overtime at {factory_id} {when}"


def _capable(want: Want) -> Iterator[tuple[Want, tuple[Edit, ...]]]:
    """The lot as it is, or, where no factory can make it, at each of the factories that make a piece cheapest."""
    if (want.instance.arcs["lot_id"] == want.lot_id).any():
        yield want, ()
        return
    typical = want.instance.arcs.groupby("factory_id")[_TYPICAL].median().sort_values("unit_cost").head(_NEW_FACTORIES)
    for factory_id, row in typical.iterrows():
        values: dict[str, Any] = {**row, "min_lot": int(row["min_lot"]), "transit_days": int(row["transit_days"])}
        values |= {"max_lot": LARGEST_LOT, "release_day": int(want.order["release_day"])}
        words = f"make {factory_id} capable of it (median of its other lots: {money(row['unit_cost'])} a piece)"
        edit = Edit("arcs", {"lot_id": want.lot_id, "factory_id": str(factory_id)}, values, words=words)
        yield replace(want, instance=edited(want.instance, [edit])), (edit,)


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
        for more in range(1, beside.horizon_days + 1):
            edits = ask(want, beside, more)
            if edits is None:
                break
            choice = want.forced(edited(beside, edits))
            if choice.possible:
                yield choice.total, edits
                break


def _later(want: Want, beside: Instance, more: int) -> tuple[Edit, ...] | None:
    order, key = want.order, {"lot_id": want.lot_id}
    column = "due_day" if want.on_time else "max_late_days"
    last = int((order["due_day"] + order["max_late_days"] - beside.arcs["transit_days"]).max()) + more
    if last > beside.horizon_days:
        return None
    due, then = (day(beside.day_1, number) for number in (order["due_day"], order["due_day"] + more))
    words = f"move its due date from {due} to {then}"
    if not want.on_time:
        words = f"accept it {counted(order['max_late_days'] + more, 'day')} late instead of {order['max_late_days']}"
    return (Edit("orders", key, {column: int(order[column]) + more}, words=words),)


def _material_earlier(want: Want, beside: Instance, more: int) -> tuple[Edit, ...] | None:
    ready = int(beside.arcs["release_day"].max())
    if ready - more < 1:
        return None
    words = f"have its material on {day(beside.day_1, ready - more)} instead of {day(beside.day_1, ready)}"
    return tuple(
        Edit("arcs", _pair(arc), {"release_day": ready - more}, words=words)
        for arc in rows(beside.arcs)
        if arc.release_day > ready - more
    )


def _faster(want: Want, beside: Instance, more: int) -> tuple[Edit, ...] | None:
    if more > beside.arcs["transit_days"].max():
        return None
    words = f"send it {counted(more, 'day')} faster from whichever factory makes it"
    return tuple(
        Edit("arcs", _pair(arc), {"transit_days": max(0, arc.transit_days - more)}, words=words)
        for arc in rows(beside.arcs)
        if arc.transit_days > 0
    )


def _needed(order: Any, beside: Instance, plan: Plan) -> Iterator[Edit]:
    """The edits without which a plan of the lot breaks a rule of its part."""
    work = plan.schedule.assign(minutes=plan.schedule["setup_minutes"] + plan.schedule["run_minutes"])
    longest = work.groupby("factory_id")["minutes"].max()
    for pair in rows(plan.allocation.merge(beside.arcs, on=PAIR)):
        name, limit = f"at {pair.factory_id}", longest[pair.factory_id]
        if pair.quantity < pair.min_lot:
            words = f"lower its minimum lot {name} from {pair.min_lot:,} to {pair.quantity:,}"
            yield Edit("arcs", _pair(pair), {"min_lot": pair.quantity}, words=words)
        if pair.quantity > pair.max_lot:
            words = f"raise its largest lot {name} from {pair.max_lot:,} to {pair.quantity:,}"
            yield Edit("arcs", _pair(pair), {"max_lot": pair.quantity}, words=words)
        if limit > pair.max_minutes_per_day + FITS_MINUTES:
            words = f"raise its daily limit {name} from {pair.max_minutes_per_day:,.0f} to {_up(limit):,.0f} minutes"
            yield Edit("arcs", _pair(pair), {"max_minutes_per_day": _up(limit)}, words=words)
    arrivals = work.merge(beside.arcs, on=PAIR)
    late = int((arrivals["day"] + arrivals["transit_days"] - order["due_day"]).max())
    if late > order["max_late_days"]:
        words = f"accept it {counted(late, 'day')} late instead of {order['max_late_days']}"
        yield Edit("orders", {"lot_id": order["lot_id"]}, {"max_late_days": late}, words=words)
    count = len(plan.allocation)
    if count > max(order["max_factories"], frozen_factories(beside)):
        words = f"let {count} factories share it instead of {order['max_factories']}"
        yield Edit("orders", {"lot_id": order["lot_id"]}, {"max_factories": count}, words=words)
    yield from overtime_needed(beside, work)


def overtime_needed(beside: Instance, work: pd.DataFrame) -> Iterator[Edit]:
    """The overtime without which work (factory_id, day, minutes) does not fit."""
    load = work.assign(load=work["minutes"]).groupby(_DAY, as_index=False)[["load"]].sum()
    load = load.merge(beside.capacity, on=_DAY, how="left").fillna(0.0)
    for full in rows(load):
        lacking = full.load - full.minutes - full.overtime_minutes
        if lacking > FITS_MINUTES:
            price = _overtime_price(beside, full.factory_id, full.day)
            key = {"factory_id": full.factory_id, "day": full.day}
            yield Edit("capacity", key, {"overtime_cost": price}, {"overtime_minutes": _up(lacking)})


def _overtime_price(part: Instance, factory_id: str, day: int) -> float:
    """The day's own price of overtime, else the factory's dearest, else the dearest of all."""
    priced = part.capacity[part.capacity["overtime_cost"] > 0]
    at = priced[priced["factory_id"] == factory_id]
    choices = (at["overtime_cost"][at["day"] == day], at["overtime_cost"], priced["overtime_cost"])
    return next((float(costs.max()) for costs in choices if len(costs)), 0.0)


def lift_overtime(part: Instance, whole: Instance) -> Instance:
    """A second shift of overtime on every day, days off included, as long as the factory's longest day."""
    factories, ahead = sorted(set(part.arcs["factory_id"])), range(1, part.horizon_days + 1)
    days = pd.MultiIndex.from_product([factories, ahead], names=_DAY).to_frame(index=False)
    days = days.merge(part.capacity, on=_DAY, how="left").fillna(0.0)
    open_minutes = whole.capacity["minutes"] + whole.capacity["overtime_minutes"]
    longest = open_minutes.groupby(whole.capacity["factory_id"]).max().reindex(days["factory_id"], fill_value=0.0)
    days["overtime_minutes"] += longest.to_numpy()
    days["overtime_cost"] = [_overtime_price(part, row.factory_id, row.day) for row in rows(days)]
    return replace(part, capacity=days)


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
        worth = math.ceil(price * factor * 100) / 100
        words = f"put it first: a piece left costs {money(worth)} instead of {money(order['unmet_cost'])}"
        yield (*insist, Edit("orders", key, {"unmet_cost": worth}, words=words))


def _pair(row: Any) -> dict[str, str]:
    return {"lot_id": row.lot_id, "factory_id": row.factory_id}


def _up(minutes: float) -> float:
    """Minutes up to the next tenth."""
    return math.ceil(minutes * 10 - FITS_MINUTES) / 10
