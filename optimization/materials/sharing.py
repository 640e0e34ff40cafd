"""Suppliers whose weeks several materials share: what a unit in a week is worth, and who gets how much of it.

Each unit of a supplier's week is charged a price (a multiplier); each material is then bought by itself, exactly. The
sum of these costs, less what the weeks themselves are worth, is a proven bound. First prices are the duals of a linear
program without packs and order costs; then they rise where a week is over and fall where it is not. With the prices in
mind materials are bought one after the other in what is left of each week, and once more, each in place of its own.
"""

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from optimization.materials.case import Case
from optimization.materials.positions import MaterialPositions, Place, Purchase, cheapest
from optimization.materials.statement import limits_of, taken_of, weeks_of
from optimization.statement.linear import Blocks

_MOST_ROUNDS = 40
_TURNS = 3  # materials are bought in turn in every so many rounds, which costs twice as much as the round itself
_LP_SHARE = 0.3  # of the time, for the first prices


@dataclass(frozen=True)
class SharedPurchases:
    """Orders of each material that keep every capacity, what they cost, and what no orders cost less than."""

    purchases: list[list[Purchase]]
    cost: float
    bound: float


@dataclass(frozen=True)
class _Weeks:
    """Room of suppliers' weeks (by supplier and first period), and how many periods a week has."""

    room: Mapping[Place, float]
    width: int

    def of(self, place: Place) -> list[Place]:
        """The weeks in which an arrival counts that have a limit."""
        weeks = [(place[0], week) for week in weeks_of(place[1], self.width)]
        return [week for week in weeks if week in self.room]

    def load(self, purchases: Iterable[Purchase]) -> dict[Place, float]:
        """Units in each week."""
        found: dict[Place, float] = defaultdict(float)
        for one in purchases:
            for week in self.of(one.place):
                found[week] += one.units
        return found


def share(case: Case, materials: list[MaterialPositions], alone: float, seconds: float, gap: float) -> SharedPurchases:
    """Orders of materials that share suppliers.

    Parameters
    ----------
    case
        Of all of them; what others take of the suppliers' weeks stands in its arrivals.
    materials
        The same, those first that choose first.
    alone
        What they would cost if each had its suppliers for itself.
    seconds
        Within which prices are improved; one round is made in any case.
    gap
        Relative gap at which it ends.

    Returns
    -------
    SharedPurchases
        Money.
    """
    began, weeks = time.monotonic(), _weeks(case)
    prices = _first_prices(materials, weeks, seconds * _LP_SHARE)
    best, bound = SharedPurchases([], np.inf, -np.inf), alone
    for number in range(_MOST_ROUNDS):
        charges = _charges(materials, prices, weeks)
        found = [cheapest(one, charges=charges) for one in materials]
        value = sum(cost for _, cost in found) - sum(prices[week] * room for week, room in weeks.room.items())
        bound = max(bound, value)
        if number % _TURNS == 0:
            best = min(best, _in_turn(materials, weeks, charges), key=lambda one: one.cost)
        spent = time.monotonic() - began
        if best.cost - bound <= gap * abs(best.cost) or spent * (number + 2) > seconds * (number + 1):
            break
        load = weeks.load(one for purchases, _ in found for one in purchases)
        _move(prices, {week: load.get(week, 0.0) - room for week, room in weeks.room.items()}, best.cost - value)
    return SharedPurchases(best.purchases, best.cost, min(bound, best.cost))


def _weeks(case: Case) -> _Weeks:
    limits, taken = limits_of(case), taken_of(case)
    places = [(name, week) for name, material in limits if not material for week in range(1, case.horizon + 1)]
    room = {(name, week): max(0.0, limits[(name, "")] - taken[(name, "", week)]) for name, week in places}
    return _Weeks(room, case.periods_per_week)


def _first_prices(materials: list[MaterialPositions], weeks: _Weeks, seconds: float) -> dict[Place, float]:
    """Duals of the weeks where parts of packs are sold, and order costs are spread over the largest order."""
    blocks, at, cells = Blocks(), {week: number for number, week in enumerate(weeks.room)}, []
    for material in materials:
        largest = {one.place: one for one in material.terms}  # the last break of each
        columns = _bought(blocks, material, list(largest.values()))
        cells += [
            (at[week], column) for place, column in zip(largest, columns, strict=True) for week in weeks.of(place)
        ]
    row, column = np.array(cells, dtype=np.int64).reshape(-1, 2).T
    limits = blocks.rows(len(at), -np.inf, np.array(list(weeks.room.values())), (row, column, 1.0))
    solved = blocks.solve(seconds, interior=True)
    duals = np.zeros(len(at)) if solved is None else np.maximum(0.0, -solved.duals[limits])
    return dict(zip(weeks.room, duals.tolist(), strict=True))


def _bought(blocks: Blocks, material: MaterialPositions, orders: list[Any]) -> Any:
    """Columns of what a material buys, with the balance of what lies: net = above + safety - thin - short."""
    facts, periods = material.facts, np.arange(len(material.lying))
    most = np.array([one.most * one.units for one in orders])
    bought = blocks.columns(
        np.array([one.price + one.order_cost / (one.most * one.units) for one in orders]), 0.0, most
    )
    above = blocks.columns(np.full(len(periods), facts["hold_cost"]))
    thin = blocks.columns(np.full(len(periods), facts["thin_cost"] - facts["hold_cost"]), 0.0, facts["safety"])
    short = blocks.columns(np.full(len(periods), facts["short_cost"]))
    flow = np.diff(material.lying, prepend=facts["safety"])
    signs = ((above, 1.0), (thin, -1.0), (short, -1.0))
    now = [(periods, columns, sign) for columns, sign in signs]
    before = [(periods[1:], columns[:-1], -sign) for columns, sign in signs]
    arrives = np.array([one.place[1] - 1 for one in orders], dtype=np.int64)
    blocks.rows(len(periods), flow, flow, *now, *before, (arrives, bought, -1.0))
    return bought


def _charges(materials: list[MaterialPositions], prices: Mapping[Place, float], weeks: _Weeks) -> dict[Place, float]:
    """What a unit that arrives is charged: the prices of all weeks that it lies in."""
    places = {one.place for material in materials for one in material.terms}
    return {place: sum(prices[week] for week in weeks.of(place)) for place in places}


def _move(prices: dict[Place, float], over: Mapping[Place, float], left: float) -> None:
    """Polyak's step: along what is over, as far as the best cost that is known says."""
    pulling = {week: units for week, units in over.items() if units > 0 or prices[week] > 0}
    length = sum(units * units for units in pulling.values())
    for week, units in pulling.items() if length > 0 else ():
        prices[week] = max(0.0, prices[week] + left / length * units)


def _in_turn(materials: list[MaterialPositions], weeks: _Weeks, charges: Mapping[Place, float]) -> SharedPurchases:
    """One material after the other, first by the prices, then each in place of its own without them."""
    left, bought, cost = dict(weeks.room), [list[Purchase]() for _ in materials], 0.0
    for charged in (charges, {}):
        cost = 0.0
        for number, material in enumerate(materials):
            _take(left, weeks, bought[number], -1)
            bought[number], spent = cheapest(material, _room(material, left, weeks), charged)
            _take(left, weeks, bought[number], 1)
            cost += spent
    return SharedPurchases(bought, cost, -np.inf)


def _take(left: dict[Place, float], weeks: _Weeks, purchases: list[Purchase], sign: int) -> None:
    """Takes units out of the weeks, or gives them back."""
    for week, units in weeks.load(purchases).items():
        left[week] -= sign * units


def _room(material: MaterialPositions, left: Mapping[Place, float], weeks: _Weeks) -> dict[Place, float]:
    """What a supplier can still deliver in each period."""
    places = {one.place for one in material.terms}
    return {place: min((left[week] for week in weeks.of(place)), default=np.inf) for place in places}
