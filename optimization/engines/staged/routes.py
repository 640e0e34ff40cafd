"""What every plan in stages costs at least, by routes: which pairs a piece passes on which days.

Pieces may be fractional and a setup is shared out over the most pieces that its pair can make. Routes are found as they
are needed (column generation): at prices of minutes the cheapest route of a lot is a shortest path through its stages,
factories and days.

In: a Flat. Out: the bound, and the pairs that its routes use. Money in the instance's currency, minutes, days from 0.
"""

import time
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from optimization.contract.tolerances import WHOLE_PIECES
from optimization.stages.flat import Flat
from optimization.statement.arrays import Dense, Floats, Ints, dense, factory_names, places
from optimization.statement.linear import Blocks, Solved

_NEAR = 0.5  # weight of the prices of the best bound: without it prices swing, and it takes twice the rounds
_CLOSED = 5e-4  # share of the value at which the bound is close enough


@dataclass(frozen=True)
class Step:
    """One stage of a way: its pairs, and the links from the pairs of the stage before (positions in each)."""

    pairs: Ints
    source: Ints
    sink: Ints
    cost: Floats
    days: Ints


@dataclass(frozen=True)
class Way:
    """The stages that pieces of a lot have before them: from the first, or from where they lie ready."""

    pieces: int
    unmet_cost: float
    starts: Ints | None  # day from which each pair of the first step has its pieces; None: no wait
    start_cost: Floats
    steps: list[Step]


@dataclass(frozen=True)
class Route:
    """What one piece of a way takes: its pairs, minutes at factories and days, what it costs beside minutes."""

    way: int
    pairs: Ints
    slots: Ints  # factory * days + day
    minutes: Floats
    cost: float


@dataclass(frozen=True)
class Bound:
    """A proven bound and the pairs of the flat instance, by number, that carry pieces where it was proven."""

    value: float
    used: Ints
    columns: list[Route]
    price: Floats  # (factories, days)


class Routes:
    """Ways and routes of a flat instance."""

    def __init__(self, flat: Flat) -> None:
        self.flat = flat
        self.arrays: Dense = dense(flat.instance, flat.reduced)
        self.names = factory_names(flat.instance, flat.reduced)
        self.ways = list(_ways(flat, self.arrays, self.names))

    @cached_property
    def piece_cost(self) -> Floats:
        """(pairs, days): what a piece costs that is finished on the day, minutes apart; inf outside of the window."""
        a = self.arrays
        day = np.arange(a.days)
        cost = a.unit_cost - np.where((a.held > 0) & ~a.frozen, a.change_cost, 0.0)
        engaging = np.where(a.always, 0.0, a.engagement_cost) / np.maximum(a.room.sum(axis=1), 1.0)
        cost = cost + np.where(a.kept > 0, 0.0, a.setup_cost / a.most) + engaging[a.factory] * a.pace
        late = a.late_cost[:, None] * np.maximum(0, day - a.on_time_day[:, None])
        within = (a.first_day[:, None] <= day) & (day <= a.last_day[:, None]) & (a.room[a.factory] > 0)
        return np.asarray(np.where(within, cost[:, None] + late, np.inf))

    def priced(self, price: Floats) -> Floats:
        """(pairs, days): the same with minutes at a price (factories, days); the setup on its cheapest day before."""
        a = self.arrays
        minute = price[a.factory]
        open_price = np.where(np.isfinite(self.piece_cost), minute, np.inf)
        setup = np.minimum.accumulate(open_price, axis=1)
        setup = np.where(np.isfinite(setup), setup, 0.0)
        return np.asarray(self.piece_cost + a.pace[:, None] * minute + self.setup_share[:, None] * setup)

    @cached_property
    def setup_share(self) -> Floats:
        """(pairs,): setup minutes shared out over the most pieces of the pair."""
        a = self.arrays
        return np.where(a.kept > 0, 0.0, a.setup_minutes / a.most)

    def cheapest(self, number: int, cost: Floats) -> tuple[float, Ints, Ints]:
        """Of a way: the least cost of a route at these costs, its pairs and days."""
        way = self.ways[number]
        first = way.steps[0]
        value = cost[first.pairs] + way.start_cost[:, None]
        if way.starts is not None:
            value = np.where(np.arange(value.shape[1]) < way.starts[:, None], np.inf, value)
        values, came = [value], []
        for step in way.steps[1:]:
            arrival, origin = _arrivals(values[-1], step)
            came.append(origin)
            values.append(cost[step.pairs] + arrival)
        return _traced(way, values, came)

    def route(self, number: int, pairs: Ints, days: Ints, price: Floats, value: float) -> Route:
        """The route, setups on their cheapest days; `value` is what it costs with its minutes at the price."""
        arrays = self.arrays
        factory, minutes = arrays.factory[pairs], arrays.pace[pairs]
        share = self.setup_share[pairs]
        prepared = np.flatnonzero(share > 0)
        setup_day = [self._setup_day(pairs[n], days[n], price) for n in prepared]
        factory = np.concatenate([factory, factory[prepared]])
        day = np.concatenate([days, np.array(setup_day, dtype=np.int64)])
        minutes = np.concatenate([minutes, share[prepared]])
        cost = value - float((price[factory, day] * minutes).sum())
        return Route(number, pairs, factory * arrays.days + day, minutes, cost)

    def _setup_day(self, pair: int, day: int, price: Floats) -> int:
        open_price = np.where(np.isfinite(self.piece_cost[pair]), price[self.arrays.factory[pair]], np.inf)
        return int(open_price[: day + 1].argmin())


def _arrivals(value: Floats, step: Step) -> tuple[Floats, Ints]:
    """(sinks, days): least cost of a piece that is there by a day, and the link over which it comes."""
    days = value.shape[1]
    ready = np.minimum.accumulate(value, axis=1)
    links = np.full((len(step.source), days), np.inf)
    for wait in np.unique(step.days):
        rows = np.flatnonzero(step.days == wait)
        links[rows, wait:] = ready[step.source[rows], : max(0, days - wait)] + step.cost[rows, None]
    arrival = np.full((len(step.pairs), days), np.inf)
    origin = np.zeros((len(step.pairs), days), dtype=np.int64)
    order = np.argsort(step.sink, kind="stable")
    firsts = np.flatnonzero(np.diff(step.sink[order], prepend=-1))
    ends = np.append(firsts, len(order))[1:]
    for begin, end in zip(firsts, ends, strict=True):
        rows = order[begin:end]
        best = links[rows].argmin(axis=0)
        arrival[step.sink[rows[0]]] = links[rows[best], np.arange(days)]
        origin[step.sink[rows[0]]] = rows[best]
    return arrival, origin


def _traced(way: Way, values: list[Floats], came: list[Ints]) -> tuple[float, Ints, Ints]:
    """The cheapest route, from its last stage back."""
    best = float(values[-1].min(initial=np.inf))
    pairs, days = [], []
    if not np.isfinite(best):
        return best, np.empty(0, np.int64), np.empty(0, np.int64)
    place, day = np.unravel_index(values[-1].argmin(), values[-1].shape)
    for number in range(len(way.steps) - 1, -1, -1):
        step = way.steps[number]
        pairs.append(step.pairs[place])
        days.append(day)
        if number:
            link = came[number - 1][place, day]
            place, limit = step.source[link], day - step.days[link]
            day = values[number - 1][place, : limit + 1].argmin()
    return best, np.array(pairs[::-1]), np.array(days[::-1])


def _ways(flat: Flat, arrays: Dense, names: "pd.Index[str]") -> list[Way]:
    """Every lot from its first stage, and from each place where pieces of it are ready."""
    orders = flat.instance.orders.reset_index(drop=True)
    place = {lot_id: n for n, lot_id in enumerate(orders["lot_id"])}
    first = np.searchsorted(arrays.order, np.arange(len(orders) + 1))
    pairs_of = {lot_id: np.arange(first[n], first[n + 1]) for lot_id, n in place.items()}
    links = {str(name): table for name, table in flat.links.groupby("next")}
    unmet = orders["unmet_cost"].to_numpy()
    found = []
    for _, parts in flat.parts.groupby("order", sort=False):
        stages = parts["lot_id"].tolist()
        steps = [_step(lot_id, pairs_of, links, arrays, names, stages) for lot_id in stages]
        last = place[stages[-1]]
        pieces = int(orders["quantity"][place[stages[0]]])
        nothing = np.zeros(len(steps[0].pairs))
        found.append(Way(pieces, float(unmet[last]), None, nothing, steps))
        for row in flat.ready[flat.ready["lot_id"].isin(stages)].itertuples():
            at = stages.index(str(row.lot_id))
            found.append(_from_ready(row, steps[at + 1 :], flat, arrays, names, float(unmet[last])))
    return found


def _step(
    lot_id: str,
    pairs_of: dict[str, Ints],
    links: dict[str, pd.DataFrame],
    arrays: Dense,
    names: "pd.Index[str]",
    stages: list[str],
) -> Step:
    pairs = pairs_of[lot_id]
    number = stages.index(lot_id)
    table = links.get(lot_id)
    if number == 0 or table is None:
        none = np.empty(0, dtype=np.int64)
        return Step(pairs, none, none, np.empty(0), none)
    before = pairs_of[stages[number - 1]]
    source = _position(before, arrays, places(names, table["from_factory"]))
    sink = _position(pairs, arrays, places(names, table["to_factory"]))
    real = (source >= 0) & (sink >= 0)  # the others come from pieces that are ready
    cost, days = table["cost"].to_numpy(), table["days"].to_numpy()
    return Step(pairs, source[real], sink[real], cost[real], days[real])


def _position(pairs: Ints, arrays: Dense, factories: Ints) -> Ints:
    """Position among some pairs of the one at each factory; -1 where there is none."""
    at = {int(f): n for n, f in enumerate(arrays.factory[pairs])}
    return np.array([at.get(int(f), -1) for f in factories], dtype=np.int64)


def _from_ready(row: Any, steps: list[Step], flat: Flat, arrays: Dense, names: "pd.Index[str]", unmet: float) -> Way:
    step, table = (
        steps[0],
        flat.links[(flat.links["lot_id"] == row.lot_id) & (flat.links["from_factory"] == row.factory_id)],
    )
    sink = _position(step.pairs, arrays, places(names, table["to_factory"]))
    starts = np.full(len(step.pairs), arrays.days, dtype=np.int64)
    cost = np.zeros(len(step.pairs))
    starts[sink[sink >= 0]] = (row.day - 1 + table["days"].to_numpy())[sink >= 0]
    cost[sink[sink >= 0]] = table["cost"].to_numpy()[sink >= 0]
    return Way(int(row.quantity), unmet, starts, cost, steps)


def bounded(routes: Routes, until: float) -> Bound:
    """The bound, raised by new routes until they no longer help or a monotonic time."""
    columns: list[Route] = []
    price = np.zeros(routes.arrays.room.shape)
    best, good, used = -np.inf, price, np.empty(0, dtype=np.int64)
    while True:
        value, new = _priced_out(routes, price)
        if value > best:
            best, good = value, price
        columns += new
        solved = _master(routes, columns)
        if solved is None or not new:
            break
        duals = np.maximum(0.0, -solved.duals[len(routes.ways) :].reshape(price.shape))
        price = _NEAR * good + (1 - _NEAR) * duals
        used = _carrying(columns, solved.values)
        if solved.value - best <= _CLOSED * abs(solved.value) or time.monotonic() > until:
            break
    arrays = routes.arrays
    held = float((arrays.change_cost * arrays.held)[~arrays.frozen].sum())  # what pieces at incumbents save
    return Bound(best + arrays.lost + held, used, columns, good)


def _carrying(columns: list[Route], weights: Floats) -> Ints:
    """The pairs of routes that carry pieces."""
    taken = [
        route.pairs for route, weight in zip(columns, weights[: len(columns)], strict=True) if weight > WHOLE_PIECES
    ]
    return np.unique(np.concatenate([*taken, np.empty(0, dtype=np.int64)]))


def _priced_out(routes: Routes, price: Floats) -> tuple[float, list[Route]]:
    """The bound at these prices, and each way's cheapest route where it saves anything."""
    arrays = routes.arrays
    cost = routes.priced(price)
    value = -float((price * arrays.minutes + np.maximum(0.0, price - arrays.overtime_cost) * arrays.overtime).sum())
    found = []
    for number, way in enumerate(routes.ways):
        least, pairs, days = routes.cheapest(number, cost)
        value += way.pieces * min(way.unmet_cost, least)
        if least < way.unmet_cost:
            found.append(routes.route(number, pairs, days, price, least))
    return value, found


def _master(routes: Routes, columns: list[Route]) -> Solved | None:
    """Pieces by route at least cost, within ways and minutes."""
    arrays, ways = routes.arrays, routes.ways
    unmet = np.array([way.unmet_cost for way in ways])
    pieces = np.array([way.pieces for way in ways], dtype=float)
    blocks = Blocks(offset=float((unmet * pieces).sum()))
    owner = np.array([route.way for route in columns], dtype=np.int64)
    carried = blocks.columns(np.array([route.cost for route in columns]) - unmet[owner])
    overtime = blocks.columns(arrays.overtime_cost.ravel(), 0.0, arrays.overtime.ravel())
    blocks.rows(len(ways), -np.inf, pieces, (owner, carried, 1.0))
    column = np.repeat(carried, [len(route.slots) for route in columns])
    slot = np.concatenate([*(route.slots for route in columns), np.empty(0, dtype=np.int64)])
    minutes = np.concatenate([*(route.minutes for route in columns), np.empty(0)])
    every = np.arange(arrays.minutes.size)
    blocks.rows(len(every), -np.inf, arrays.minutes.ravel(), (slot, column, minutes), (every, overtime, -1.0))
    return blocks.solve()
