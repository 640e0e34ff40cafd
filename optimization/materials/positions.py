"""One material by itself, exactly: a dynamic program over how much has been bought so far.

What lies at the end of a period is stock + arrivals - needs + all that was bought for it so far. So the position, the
sum of the orders, is the only state; an order moves it by whole packs, and waiting does not. Positions are whole steps
of a size that divides every pack: nothing is rounded, and the cost is the least there is. Where no such step is coarse
enough there is no `MaterialPositions`, and the program of statement.py is solved instead.

In: a `Case` of one material in which no two orders of an offer lie within a week. Out: orders and their least cost.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from c2m.domain.arrays import Floats
from optimization.contract.instances import rows
from optimization.materials.case import Case
from optimization.materials.statement import limits_of, segments, taken_of, weeks_of

Place = tuple[str, int]  # supplier and period of arrival
_MOST_POSITIONS = 500_000  # about two seconds of one core for three offers in 26 periods
_FACTS = ("safety", "hold_cost", "thin_cost", "short_cost")
_PARTS = 1_000  # of a unit, to which packs are told


@dataclass(frozen=True)
class OfferTerms:
    """What one offer delivers in one period at one price: least to most packs, each of so many units and steps."""

    place: Place
    least: int
    most: int
    units: float
    steps: int
    price: float  # of a unit
    order_cost: float
    charge: float = 0.0  # on a unit, beside its price

    @property
    def pack_cost(self) -> float:
        """Of one more pack."""
        return (self.price + self.charge) * self.units

    def within(self, room: float, charge: float) -> "OfferTerms":
        """Where so many units fit, with so much money more on each."""
        most = min(self.most, math.floor(room / self.units * (1 + 1e-9))) if room < np.inf else self.most
        return replace(self, most=most, charge=charge)


@dataclass(frozen=True, eq=False)
class MaterialPositions:
    """facts: safety, and costs of a unit and period; lying: at the end of each period, if nothing is bought."""

    material_id: str
    terms: list[OfferTerms]  # by period, dearer ones of an offer first, as its own capacities allow
    facts: Mapping[str, float]
    lying: Floats
    step: float  # units from one position to the next
    count: int  # of positions


@dataclass(frozen=True)
class Purchase:
    """An order that is placed: whole packs of one offer, at the price of the break that they reach."""

    place: Place
    material_id: str
    packs: int
    units: float
    price: float


def material_of(case: Case) -> MaterialPositions | None:
    """What the dynamic program of a case of one material walks over.

    Parameters
    ----------
    case
        Of one material; capacities of its suppliers are its own.

    Returns
    -------
    MaterialPositions or None
        None where the case is too fine or too large.
    """
    step = _step(case) if len(case.materials) == 1 and case.review_periods >= case.periods_per_week else None
    if step is None:
        return None
    terms = _terms(case, step)
    wanted = float(case.needs["quantity"].sum() + case.materials["safety"].sum())
    # Whoever has all that is needed orders no more: one order beyond that is the furthest position.
    count = math.ceil(wanted / float(step)) + max((one.most * one.steps for one in terms), default=0) + 1
    if count > _MOST_POSITIONS:
        return None
    material = case.materials.iloc[0]
    facts = {name: float(material[name]) for name in _FACTS}
    return MaterialPositions(str(material["material_id"]), terms, facts, _lying(case), float(step), count)


def cheapest(
    material: MaterialPositions, room: Mapping[Place, float] | None = None, charges: Mapping[Place, float] | None = None
) -> tuple[list[Purchase], float]:
    """The best orders of a material, and their cost.

    Parameters
    ----------
    material
        Which.
    room
        Units that a supplier can still deliver, where that is less than its offer says.
    charges
        Money on each unit, beside its price.

    Returns
    -------
    tuple of list of Purchase and float
        Money, charges included.
    """
    positions = material.step * np.arange(material.count)
    cost = np.where(positions > 0, np.inf, 0.0)
    before: list[tuple[list[OfferTerms], Floats]] = []
    for period, lying in enumerate(material.lying, 1):
        for offer in _offers(material, period, room or {}, charges or {}):
            before.append((offer, cost))
            cost = np.minimum.reduce([cost, *(_ordered(cost, one) for one in offer)])
        cost = cost + _kept(material.facts, lying + positions)
    best = int(cost.argmin())
    return _way_back(material.material_id, before, best), float(cost[best])


def _offers(
    material: MaterialPositions, period: int, room: Mapping[Place, float], charges: Mapping[Place, float]
) -> Iterator[list[OfferTerms]]:
    """The terms of each offer in a period, as far as there is room."""
    ours = [one for one in material.terms if one.place[1] == period]
    for place in dict.fromkeys(one.place for one in ours):
        within = (one.within(room.get(place, np.inf), charges.get(place, 0.0)) for one in ours if one.place == place)
        if offer := [one for one in within if one.least <= one.most]:
            yield offer


def _ordered(cost: Floats, one: OfferTerms) -> Floats:
    """Least cost of each position that an order of at least so many packs leads to.

    Cost is linear in the packs: less that line, it is the least of a window of positions, found by doubling.
    """
    line = one.pack_cost / one.steps * np.arange(len(cost))
    least, wide, wanted = cost - line, 1, one.most - one.least + 1
    while wide < wanted:
        further = min(wide, wanted - wide)
        least = np.minimum(least, _moved(least, further * one.steps))
        wide += further
    return _moved(least, one.least * one.steps) + line + one.order_cost


def _moved(values: Floats, steps: int) -> Floats:
    """Further on by so many positions."""
    moved = np.full(len(values), np.inf)
    if steps < len(values):
        moved[steps:] = values[: len(values) - steps]
    return moved


def _step(case: Case) -> Fraction | None:
    """The largest amount that every pack is a multiple of; None where a pack is no multiple of a thousandth."""
    packs = case.offers["pack"].to_numpy(dtype=float)
    parts = np.rint(packs * _PARTS).astype(np.int64)
    if not len(packs) or not np.allclose(parts, packs * _PARTS, rtol=0, atol=1e-6):
        return None
    return Fraction(math.gcd(*parts.tolist()), _PARTS)


def _terms(case: Case, step: Fraction) -> list[OfferTerms]:
    """Of each period in which an offer delivers, what it may at each price, as its capacities leave room."""
    limits, taken, kinds = limits_of(case), taken_of(case), sorted(segments(case).items())
    found = []
    for offer in rows(case.offers):
        owner, steps = (offer.supplier_id, offer.material_id), round(offer.pack / step)
        owners = [who for who in (owner, (owner[0], "")) if who in limits]
        mine = [terms for key, terms in kinds if key[:2] == owner]
        for period in range(max(1, offer.lead_periods), case.horizon + 1, case.review_periods):
            weeks = weeks_of(period, case.periods_per_week)
            room = min((limits[who] - taken[(*who, week)] for who in owners for week in weeks), default=np.inf)
            place, own = (owner[0], period), (float(offer.pack), steps)
            sold = [OfferTerms(place, least, most, *own, price, offer.order_cost) for least, most, price in mine]
            found += [one for one in (one.within(max(room, 0.0), 0.0) for one in sold) if one.least <= one.most]
    return sorted(found, key=lambda one: one.place[1])


def _lying(case: Case) -> Floats:
    """What lies at the end of each period if nothing is bought."""
    periods = range(1, case.horizon + 1)
    needs = case.needs.groupby("period")["quantity"].sum().reindex(periods, fill_value=0.0)
    mine = case.arrivals[case.arrivals["material_id"] == case.materials["material_id"].iloc[0]]
    coming = mine.groupby("period")["quantity"].sum().reindex(periods, fill_value=0.0)
    flow: Floats = (coming - needs).to_numpy(dtype=float).cumsum()
    return flow + float(case.materials["stock"].iloc[0])


def _kept(facts: Mapping[str, float], net: Floats) -> Floats:
    """Cost of periods at whose end so much lies."""
    there = np.maximum(net, 0.0)
    thin = facts["thin_cost"] * (facts["safety"] - np.minimum(there, facts["safety"]))
    cost: Floats = facts["hold_cost"] * there + thin + facts["short_cost"] * np.maximum(-net, 0.0)
    return cost


def _way_back(material_id: str, before: list[tuple[list[OfferTerms], Floats]], best: int) -> list[Purchase]:
    """The orders that lead to a position: of each offer and period, from the last, that by which it was reached."""
    at, bought = best, []
    for offer, cost in reversed(before):
        ways = [way for one in offer if (way := _last_order(one, cost, at))]
        reached, packs, terms = min(ways, key=lambda way: way[0], default=(np.inf, 0, offer[0]))
        if reached < cost[at]:
            bought.append(Purchase(terms.place, material_id, packs, packs * terms.units, terms.price))
            at -= packs * terms.steps
    return bought[::-1]


def _last_order(one: OfferTerms, cost: Floats, at: int) -> tuple[float, int, OfferTerms] | None:
    """The cheapest order by which a position may have been reached: cost, packs, terms."""
    packs = np.arange(one.least, min(one.most, at // one.steps) + 1)
    if not len(packs):
        return None
    reached = cost[at - packs * one.steps] + one.pack_cost * packs + one.order_cost
    return float(reached.min()), int(packs[reached.argmin()]), one
