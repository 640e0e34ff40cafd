"""What every plan in stages costs at least, by routes: which pairs a piece passes on which days.

Pieces may be fractional and a setup is shared out over the most pieces that its pair, or its pool there, can make. At
prices of minutes the cheapest route of a lot is a shortest path through its stages, factories and days; prices and the
mix of routes come from optimization/engines/bounds/column_generation.py, whose patterns are whole lots along a route.

In: a Flat. Out: the bound, its prices, and the pairs that its routes use. Money in the instance's currency, minutes,
days from 0.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from c2m.domain.arrays import Flags, Floats, Ints
from optimization.contract.instances import rows
from optimization.engines.bounds import lagrangian
from optimization.engines.bounds.column_generation import raised
from optimization.engines.bounds.orders_at_prices import Patterns
from optimization.stages.flat import Flat
from optimization.statement.dense import Dense, dense, factory_names, places
from optimization.statement.highs import SEED

_CLOSED = 3e-4  # share of the value at which the bound is close enough
_LOOKS, _SWING, _LIFT = 20, 0.3, 0.2  # around the prices: how often, how far; added to them, of the usual one
_FEW = 8  # pairs of each stage that are tried first: their cheapest route tells which others can matter
_NONE = np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class PieceRoute:
    """The stages that pieces of a lot have before them: from the first, or from where they lie ready.

    steps: the pairs of each stage. ready: the row of where the pieces lie.
    starts, start_cost: day from which each pair of the first step has its pieces, and what a piece costs to be there.
    """

    lot_id: str
    pieces: int
    unmet_cost: float
    starts: Ints
    start_cost: Floats
    steps: list[Ints]
    ready: Any = None


@dataclass(frozen=True)
class Route:
    """What one piece of a way takes: its pairs and their days, and what it costs with minutes at their price."""

    cost: float
    pairs: Ints
    days: Ints


@dataclass(frozen=True)
class Legs:
    """Known routes as arrays: way and cost of a piece beside minutes and setups (routes,); route, pair, day (legs,)."""

    way: Ints
    cost: Floats
    route: Ints
    pair: Ints
    day: Ints


@dataclass(frozen=True)
class Teams:
    """Pairs that share a setup: number of each pair's (pairs,); what it costs and asks for (teams,)."""

    number: Ints
    setup_cost: Floats
    setup_minutes: Floats
    least: Floats
    pooled: Flags


@dataclass(frozen=True)
class Bound:
    """A proven bound, its prices (factories, days), and the pairs of the flat instance that its routes use."""

    value: float
    used: Ints
    price: Floats


class Routes:
    """Ways and routes of a flat instance."""

    def __init__(self, flat: Flat) -> None:
        arrays = dense(flat.instance, flat.reduced)
        names = factory_names(flat.instance, flat.reduced)
        self.arrays: Dense = replace(arrays, change_cost=np.where(arrays.frozen, 0.0, arrays.change_cost))
        self.flat, self.names = flat, names
        self._known: dict[tuple[int, bytes, bytes], Route] = {}
        self._lanes, self._lane = flat.transfers, flat.transfers.numbers(names.to_series())[arrays.factory]
        self.ways = list(_ways(flat, self.arrays, self._lane))
        self._share_setups(flat)

    def _share_setups(self, flat: Flat) -> None:
        """A piece's share of the cost and the minutes of its setup; where frozen pieces stand, all is paid at once."""
        rows = flat.reduced.pairs[["lot_id", "factory_id"]].merge(flat.teams, how="left")
        number, names = pd.factorize(rows["team"])
        firsts = rows.drop_duplicates("team")
        least = np.where(firsts["frozen"], 1, firsts["min_lot"].clip(lower=1)).astype(float)
        cost, minutes = (firsts[name].to_numpy(float) for name in ("setup_cost", "setup_minutes"))
        self.teams = Teams(number.astype(np.int64), cost, minutes, least, firsts["pooled"].to_numpy(bool))
        standing = np.bincount(number, self.arrays.kept > 0, len(names)) > 0
        most = np.bincount(number, self.arrays.most, len(names))
        self.standing_cost = float(cost[standing].sum())
        self._setup_cost = np.where(standing, 0.0, cost / np.maximum(1, most))[number]
        self._setup_minutes = np.where(standing, 0.0, minutes / np.maximum(1, most))[number]

    @cached_property
    def by_way(self) -> Dense:
        """The arrays with ways for orders, and without targets, whose cost is not in the bound."""
        way, pieces = np.zeros(len(self.arrays.order), dtype=np.int64), [way.pieces for way in self.ways]
        for number, one in enumerate(self.ways):
            for step in one.steps:
                way[step] = number
        unmet = np.array([way.unmet_cost for way in self.ways])
        none = np.zeros_like(self.arrays.target_minutes)
        return replace(self.arrays, order=way, quantity=np.array(pieces), unmet_cost=unmet, target_minutes=none)

    def priced(self, pairs: Ints, price: Floats) -> Floats:
        """(pairs, days): what a piece costs that is finished on the day, minutes at a price; inf outside the window."""
        a, day = self.arrays, np.arange(self.arrays.days)
        factory = a.factory[pairs]
        first, last = a.first_day[pairs][:, None], a.last_day[pairs][:, None]
        minute = np.where((first <= day) & (day <= last) & (a.room[factory] > 0), price[factory], np.inf)
        cost = a.unit_cost[pairs] - np.where(a.held[pairs] > 0, a.change_cost[pairs], 0.0) + self._setup_cost[pairs]
        late = a.late_cost[pairs][:, None] * np.maximum(0, day - a.on_time_day[pairs][:, None])
        total = cost[:, None] + late + a.pace[pairs][:, None] * minute
        if not self._setup_minutes[pairs].any():
            return np.asarray(total)
        return np.asarray(total + self._setup_minutes[pairs][:, None] * _cheapest_until(minute))

    def patterns(self, prices: Floats) -> Patterns:
        """Each way's pieces along its cheapest route, or unmet where that is cheaper."""
        found = [self.cheapest(way, prices) for way in self.ways]
        for number, route in enumerate(found):
            self._keep(number, route)
        pieces = np.array([way.pieces for way in self.ways], dtype=float)
        least = np.array([route.cost for route in found]) * pieces
        order, place, minutes = self._work(found, prices)
        minutes = minutes * pieces[order]
        work = np.bincount(order, minutes * prices.ravel()[place], len(found))
        return Patterns(least, least - work, order, place, minutes)

    def _work(self, found: list[Route], prices: Floats) -> tuple[Ints, Ints, Floats]:
        """Way, place and minutes of what a piece of each route takes; setups stand on their cheapest days."""
        a = self.arrays
        order = np.repeat(np.arange(len(found)), [len(route.pairs) for route in found])
        pairs = np.concatenate([*(route.pairs for route in found), _NONE])
        days = np.concatenate([*(route.days for route in found), _NONE])
        prepared = np.flatnonzero(self._setup_minutes[pairs] > 0)
        setup_day = [self._setup_day(pairs[n], days[n], prices) for n in prepared]
        day = np.concatenate([days, np.array(setup_day, dtype=np.int64)])
        pair = np.concatenate([pairs, pairs[prepared]])
        minutes = np.concatenate([a.pace[pairs], self._setup_minutes[pairs[prepared]]])
        order = np.concatenate([order, order[prepared]])
        ranked = np.argsort(order, kind="stable")
        return order[ranked], (a.factory[pair] * a.days + day)[ranked], minutes[ranked]

    def _setup_day(self, pair: int, day: int, price: Floats) -> int:
        a = self.arrays
        first, factory = a.first_day[pair], a.factory[pair]
        window = slice(first, day + 1)
        minute = np.where(a.room[factory, window] > 0, price[factory, window], np.inf)
        return int(first + minute.argmin())

    def _keep(self, number: int, route: Route) -> None:
        if len(route.pairs):
            self._known[number, route.pairs.tobytes(), route.days.tobytes()] = route

    def through_frozen(self, price: Floats) -> None:
        """Gets to know, for each way with frozen pieces, the cheapest route through them."""
        for number, way in enumerate(self.ways):
            standing = [step[self.arrays.kept[step] > 0] for step in way.steps]
            if any(map(len, standing)):
                steps = [some if len(some) else step for some, step in zip(standing, way.steps, strict=True)]
                first = np.isin(way.steps[0], steps[0])
                own = replace(way, steps=steps, starts=way.starts[first], start_cost=way.start_cost[first])
                self._keep(number, self.cheapest(replace(own, unmet_cost=np.inf), price))

    def around(self, price: Floats) -> None:
        """Gets to know the cheapest routes at some prices near these: what whole setups need beside the bound's mix.

        Measured at 200 lots x 50 factories: the best plan over the routes of the bound alone is 1.2 % above it, 0.5 %
        over these too, which take 2 s of processor time.
        """
        random, usual = np.random.default_rng(SEED), price[price > 0].mean() if price.any() else 0.0
        for _ in range(_LOOKS):
            swung = price * random.lognormal(0, _SWING, price.shape)
            self.patterns(swung + _LIFT * usual * random.random(price.shape))

    def legs(self) -> Legs:
        """The routes found so far."""
        known, ways = self._known.values(), [number for number, *_ in self._known]
        way = np.array(ways, dtype=np.int64)
        route = np.repeat(np.arange(len(known)), [len(one.pairs) for one in known])
        pair = np.concatenate([*(one.pairs for one in known), _NONE])
        day = np.concatenate([*(one.days for one in known), _NONE])
        unit_cost, late = self.arrays.unit_cost[pair], self.arrays.late_per_piece(pair, day)
        money = np.bincount(route, unit_cost + late, len(known))
        passing = np.array([self._passing(number, one.pairs) for number, one in zip(ways, known, strict=True)])
        return Legs(way, money + passing, route, pair, day)

    def _passing(self, number: int, pairs: Ints) -> float:
        """What a piece pays along a route for being moved."""
        way, places = self.ways[number], self._lane[pairs]
        moved = (
            self._lanes.between(way.lot_id, places[n : n + 1], places[n + 1 : n + 2]) for n in range(len(pairs) - 1)
        )
        return float(way.start_cost[way.steps[0] == pairs[0]][0] + sum(cost[0, 0] for cost, _ in moved))

    def floors(self, price: Floats) -> "pd.Series[float]":
        """By lot what it costs at least at these prices, minutes included."""
        least = [way.pieces * self.cheapest(way, price).cost for way in self.ways]
        return pd.Series(least, [way.lot_id for way in self.ways]).groupby(level=0).sum()

    def cheapest_pairs(self, price: Floats, count: int) -> Ints:
        """The cheapest so many pairs of each stage at these prices, each on its cheapest day."""
        found = [_NONE]
        for way in self.ways:
            for step in way.steps:
                least = self.priced(step, price).min(axis=1, initial=np.inf)
                found.append(step[np.argsort(least, kind="stable")[:count]])
        return np.unique(np.concatenate(found))

    def table(self, price: Floats) -> pd.DataFrame:
        """The prices of the days with capacity: factory_id, day, price (of a minute)."""
        return lagrangian.table(self.arrays, self.names, price)

    def cheapest(self, way: PieceRoute, price: Floats) -> Route:
        """The cheapest route of a way at these prices; without pairs where unmet pieces cost less.

        A pair is left out where a route through it costs more than a known one even if each of its other stages were
        made at that stage's cheapest pair, on its cheapest day, and passing on cost nothing.
        """
        best = Route(way.unmet_cost, _NONE, _NONE)
        if not all(len(step) for step in way.steps):
            return best
        cost = [self.priced(step, price) for step in way.steps]
        cost[0] = cost[0] + way.start_cost[:, None]
        cost[0][np.arange(self.arrays.days) < way.starts[:, None]] = np.inf
        least = [each.min(axis=1) for each in cost]
        rest = sum(each.min() for each in least)
        few = [np.argsort(each, kind="stable")[:_FEW] for each in least]
        best = min(best, self._through(way, cost, few), key=lambda route: route.cost)
        worth = [np.flatnonzero(each + (rest - each.min()) < best.cost) for each in least] if rest < best.cost else few
        if all(np.isin(more, some).all() for more, some in zip(worth, few, strict=True)):
            return best
        return min(best, self._through(way, cost, worth), key=lambda route: route.cost)

    def _through(self, way: PieceRoute, cost: list[Floats], chosen: list[Ints]) -> Route:
        """The cheapest route over some pairs of each step (positions in it)."""
        pairs = [step[some] for step, some in zip(way.steps, chosen, strict=True)]
        values, lanes, came = [cost[0][chosen[0]]], [], []
        for number in range(1, len(pairs)):
            lane = self._lanes.between(way.lot_id, self._lane[pairs[number - 1]], self._lane[pairs[number]])
            arrival, origin = _arrivals(values[-1], *lane)
            lanes.append(lane[1])
            came.append(origin)
            values.append(cost[number][chosen[number]] + arrival)
        return _traced(pairs, values, lanes, came)


def _cheapest_until(minute: Floats) -> Floats:
    """The cheapest open minute up to each day; 0 where there is none yet."""
    until = np.minimum.accumulate(minute, axis=1)
    return np.asarray(np.where(np.isfinite(until), until, 0.0))


def _arrivals(value: Floats, cost: Floats, days: Ints) -> tuple[Floats, Ints]:
    """(sinks, days): least cost of a piece that is there by a day, and the source from which it comes."""
    ready = np.minimum.accumulate(value, axis=1)
    horizon, sinks = value.shape[1], np.arange(cost.shape[1])[:, None]
    arrival, origin = np.full((cost.shape[1], horizon), np.inf), np.zeros((cost.shape[1], horizon), dtype=np.int64)
    for wait in np.unique(days[np.isfinite(cost)]).tolist():
        if wait >= horizon:
            break
        by_lane = np.where(days == wait, cost, np.inf)[:, :, None] + ready[:, None, : horizon - wait]
        source = by_lane.argmin(axis=0)
        least = by_lane[source, sinks, np.arange(horizon - wait)]
        better = least < arrival[:, wait:]
        arrival[:, wait:][better] = least[better]
        origin[:, wait:][better] = source[better]
    return arrival, origin


def _traced(pairs: list[Ints], values: list[Floats], lanes: list[Ints], came: list[Ints]) -> Route:
    """The cheapest route, from its last stage back."""
    best = float(values[-1].min(initial=np.inf))
    if not np.isfinite(best):
        return Route(best, _NONE, _NONE)
    place, day = np.unravel_index(values[-1].argmin(), values[-1].shape)
    passed, days = [pairs[-1][place]], [day]
    for number in range(len(pairs) - 2, -1, -1):
        source = came[number][place, day]
        day = values[number][source, : day - lanes[number][source, place] + 1].argmin()
        place = source
        passed.append(pairs[number][place])
        days.append(day)
    return Route(best, np.array(passed[::-1]), np.array(days[::-1]))


def _ways(flat: Flat, arrays: Dense, lane: Ints) -> Iterator[PieceRoute]:
    """Every lot from its first stage, and from each place where pieces of it are ready."""
    orders = flat.instance.orders
    first = np.searchsorted(arrays.order, np.arange(len(orders) + 1))
    quantity, unmet = orders["quantity"].to_numpy(), orders["unmet_cost"].to_numpy()
    parts = flat.parts.assign(place=places(orders.set_index("lot_id").index, flat.parts["lot_id"]))
    lying = {str(lot_id): list(rows(table)) for lot_id, table in flat.ready.groupby("lot_id")}
    steps: list[Ints] = []
    waiting: list[tuple[Any, int]] = []  # ready pieces and the step that they go to
    for part in rows(parts):
        if part.stage == 1:
            steps, waiting, pieces = [], [], int(quantity[part.place])
        steps.append(np.arange(first[part.place], first[part.place + 1]))
        waiting += [(row, len(steps)) for row in lying.get(part.lot_id, [])]
        if part.last:
            cost, start = np.zeros(len(steps[0])), np.zeros(len(steps[0]), dtype=np.int64)
            yield PieceRoute(part.order, pieces, float(unmet[part.place]), start, cost, steps)
            for row, step in waiting:
                source = np.array([flat.transfers.names.get_loc(row.factory_id)])
                cost, days = flat.transfers.between(part.order, source, lane[steps[step]])
                yield PieceRoute(
                    part.order,
                    int(row.quantity),
                    float(unmet[part.place]),
                    row.day - 1 + days[0],
                    cost[0],
                    steps[step:],
                    row,
                )


def bounded(routes: Routes, seconds: float) -> Bound:
    """The bound, raised by new routes until they no longer help or the seconds are over."""
    by_way = routes.by_way
    found = raised(by_way, [routes], np.zeros(by_way.room.shape), seconds, close=_CLOSED)
    way, place = found.master.mixed
    lots, _ = pd.factorize(pd.Series([one.lot_id for one in routes.ways]))
    width = len(by_way.minutes)
    used = np.isin(lots[by_way.order] * width + by_way.factory, lots[way] * width + place // by_way.days)
    return Bound(found.value + routes.standing_cost, np.flatnonzero(used), found.prices)
