"""The cheapest way to make each order at given prices of a minute at each factory and day, by trying sets of pairs.

A used pair pays its setup, its setup minutes and its least lot; further pieces go to its cheapest days, each up to the
minutes that the pair may work there. Setup comes first: of m setup minutes at least m/U are done by the day of each of
its pieces, U at most, and the others by the last day of the window, all at the cheapest day until then. So a pair's
cost is a fixed part and then convex in its pieces, and a set of pairs shares the order's pieces at least cost by
filling the cheapest days of all first.
Which sets to try: with a value L for each piece, pair p alone is worth r_p(L) = min_q cost_p(q) - L q, and no plan of a
set costs less than L D + the sum of its r. At the best L few sets stay below the best plan known; all these are tried.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

import numpy as np

from c2m.domain.arrays import Flags, Floats, Ints
from optimization.contract.instances import LARGEST
from optimization.contract.tolerances import ROOM_MINUTES
from optimization.engines.bounds import lagrangian
from optimization.statement.dense import Dense

_CELLS = 300_000  # pairs times days that are held at once
_HALVINGS = 16
_MOST_SETS = 1_000  # of one order and size; where there are more, the bound over all sets must do
_CLOSE = 1e-11  # sets that save less than this share of an order's cost are not told apart


@dataclass(frozen=True)
class Patterns:
    """One way to make each order: its cost at no price and its work (cells); `least` is proven at the prices."""

    least: Floats  # (orders,), without the incumbents' constant, as in prices.py
    cost: Floats  # (orders,)
    order: Ints  # (cells,), ascending
    place: Ints  # (cells,), factory times days plus day
    minutes: Floats  # (cells,)


@dataclass(frozen=True)
class _Priced:
    """Pairs at prices: what being used costs, least lot included, then pieces by ascending cost (pairs, steps).

    The last row is no pair at all.
    """

    fixed: Floats
    least: Ints
    cost: Floats
    pieces: Floats
    first: Floats  # pieces of the least lot (pairs, steps)
    rank: Ints  # window days by ascending cost (pairs, window)
    setup_day: Ints  # position in the window of the cheapest day until each (pairs, window)


def chunks(arrays: Dense) -> Iterator["OrdersAtPrices"]:
    """All orders, in order, in parts whose tables are small."""
    width = np.maximum(1, np.bincount(arrays.order, minlength=len(arrays.quantity))) * _width(arrays)
    part = np.cumsum(width) // _CELLS
    begins = np.flatnonzero(np.diff(part, prepend=-1))
    for begin, end in zip(begins, [*begins[1:], len(arrays.quantity)], strict=True):
        yield OrdersAtPrices(arrays, int(begin), int(end))


def _width(arrays: Dense) -> int:
    return 1 + int((arrays.last_day - arrays.first_day).max(initial=0))


def _some_orders(arrays: Dense, begin: int, end: int) -> Dense:
    """The orders from begin to end, renumbered from 0, with their pairs."""
    low, high = np.searchsorted(arrays.order, [begin, end])
    parts = {}
    for name in (field.name for field in fields(arrays)):
        table = getattr(arrays, name)
        if name in ("quantity", "max_factories", "max_new", "unmet_cost"):
            parts[name] = table[begin:end]
        elif np.shape(table) == np.shape(arrays.order):
            parts[name] = table[low:high]
    return replace(arrays, **parts | {"order": arrays.order[low:high] - begin})


class OrdersAtPrices:
    """Some orders, and what of their pairs does not depend on prices. Tables have one more row: no pair."""

    def __init__(self, arrays: Dense, begin: int, end: int) -> None:
        self.begin = begin
        self.arrays = arrays = _some_orders(arrays, begin, end)
        day = arrays.first_day[:, None] + np.arange(_width(arrays))
        within = day <= arrays.last_day[:, None]
        day = np.clip(day, 0, arrays.days - 1)
        room = arrays.room[arrays.factory[:, None], day]
        self._open: Flags = within & (room > 0)
        self.place = arrays.factory[:, None] * arrays.days + day
        self._cost = arrays.unit_cost[:, None] + arrays.late_cost[:, None] * np.maximum(
            0, day - arrays.on_time_day[:, None]
        )
        self._most = np.where(self._open, np.minimum(room, arrays.day_limit[:, None]), 0.0)  # minutes
        self._usable = self._most.sum(axis=1) >= arrays.least * arrays.pace - ROOM_MINUTES
        self._at_most = np.maximum(arrays.most, arrays.least)
        self._kept_up = np.minimum(arrays.held, arrays.most) * (arrays.change_cost > 0)
        must = arrays.kept > 0
        self._must, self._may = self._table(must), self._table(~must)
        self._free = np.append(arrays.kept == 0, True)[self._may]
        self._limit = np.clip(arrays.max_new, 1, self._may.shape[1])
        size = (self._limit + (~self._free).sum(axis=1)).max(initial=1)
        self._last = np.full((len(arrays.quantity), min(size, self._may.shape[1])), len(arrays.order))

    def _table(self, chosen: Flags) -> Ints:
        """The chosen pairs of each order (orders, most pairs), filled up with no pair."""
        pair, count = np.flatnonzero(chosen), len(self.arrays.quantity)
        order = self.arrays.order[pair]
        number = np.bincount(order, minlength=count)
        table = np.full((count, max(1, int(number.max(initial=0)))), len(self.arrays.order))
        table[order, np.arange(len(pair)) - (np.cumsum(number) - number)[order]] = pair
        return table

    def cheapest(self, prices: Floats) -> tuple[_Priced, Ints, Floats]:
        """The pairs at the prices, the best set found of each order, and the least that each order costs."""
        priced = self._priced(prices)
        value, floor = self._dual(priced)
        self._last, cost, capped = self._search(priced, value)
        least = _just_below(cost)
        if capped.any():
            least = np.where(capped, self._unsearched(prices, np.minimum(floor, cost)), least)
        return priced, self._last, least

    def _unsearched(self, prices: Floats, floor: Floats) -> Floats:
        """The least that orders cost for which the search was cut short."""
        return np.maximum(floor, lagrangian.orders(self.arrays, prices))

    def _priced(self, prices: Floats) -> _Priced:
        arrays = self.arrays
        price = np.where(self._open, prices.ravel()[self.place], np.inf)
        setup_price, dearer, setup_day = self._setup(price)
        rank, cost, end = self._steps(self._cost + arrays.pace[:, None] * price + dearer)
        least, most = arrays.least[:, None], self._at_most[:, None]
        first = np.diff(np.minimum(end, least), axis=1, prepend=0.0)
        fixed = arrays.setup_cost + arrays.setup_minutes * setup_price + (first * cost).sum(axis=1)
        return _Priced(
            fixed=np.append(np.where(self._usable, fixed, np.inf), 0.0),
            least=np.append(arrays.least, 0),
            cost=_with_none(cost),
            pieces=_with_none(np.diff(np.clip(end, least, most), axis=1, prepend=least)),
            first=first,
            rank=rank,
            setup_day=setup_day,
        )

    def _setup(self, price: Floats) -> tuple[Floats, Floats, Ints]:
        """The price of a setup minute (pairs,), what a piece of a day pays above it, the cheapest day until then."""
        lowest = np.minimum.accumulate(price, axis=1)
        last = np.where(self._usable, lowest[:, -1], 0.0)
        share = (self.arrays.setup_minutes / self._at_most)[:, None]
        dearer = share * np.where(self._open, lowest - last[:, None], 0.0)
        falls = np.zeros(price.shape, dtype=np.int64)
        falls[:, 1:] = (lowest[:, 1:] < lowest[:, :-1]) * np.arange(1, price.shape[1])
        return last, dearer, np.maximum.accumulate(falls, axis=1)

    def _steps(self, cost: Floats) -> tuple[Ints, Floats, Floats]:
        """Days of the window by ascending cost of a piece; cost of each step and the pieces up to its end."""
        arrays, rank = self.arrays, np.argsort(cost, axis=1)
        cost = np.take_along_axis(cost, rank, axis=1)
        cost = np.where(np.isfinite(cost), cost, 0.0)
        end = np.cumsum(np.take_along_axis(self._most, rank, axis=1), axis=1) / arrays.pace[:, None]
        if self._kept_up.any():  # pieces that an incumbent keeps save the cost of its change
            cost = np.concatenate([cost - arrays.change_cost[:, None], cost], axis=1)
            kept_up = np.minimum(self._kept_up[:, None], end[:, -1:])
            end = np.concatenate([np.minimum(end, kept_up), np.maximum(end, kept_up)], axis=1)
        return rank, cost, end

    def patterns(self, prices: Floats) -> Patterns:
        """The cheapest pattern of each order; orders and cells are those of the whole instance."""
        arrays = self.arrays
        priced, sets, least = self.cheapest(prices)
        members = np.concatenate([sets, self._must], axis=1)
        shape = (*members.shape, priced.cost.shape[1])
        left = arrays.quantity - priced.least[members].sum(axis=1)
        gain = np.minimum(0.0, priced.cost[members].reshape(len(members), -1) - arrays.unmet_cost[:, None])
        filled = _filled(gain, priced.pieces[members].reshape(len(members), -1), left).reshape(shape)
        order, column = np.nonzero(members < len(arrays.order))
        pair = members[order, column]
        return self._worked(priced, least, order, pair, filled[order, column] + priced.first[pair])

    def _worked(self, priced: _Priced, least: Floats, order: Ints, pair: Ints, filled: Floats) -> Patterns:
        """The patterns whose used pairs fill these steps (used pairs, steps)."""
        arrays, window, steps = self.arrays, priced.rank.shape[1], priced.cost.shape[1]
        saved = arrays.change_cost[pair] * filled[:, :window].sum(axis=1) if steps > window else 0.0
        pieces = np.zeros((len(pair), window))
        np.put_along_axis(
            pieces, priced.rank[pair], filled.reshape(len(pair), steps // window, window).sum(axis=1), axis=1
        )
        setup = (arrays.setup_minutes / self._at_most)[pair, None] * pieces
        setup[:, -1] += arrays.setup_minutes[pair] - setup.sum(axis=1)
        minutes = pieces * arrays.pace[pair][:, None]
        np.add.at(minutes, (np.arange(len(pair))[:, None], priced.setup_day[pair]), setup)
        cost = arrays.setup_cost[pair] + (pieces * self._cost[pair]).sum(axis=1) - saved
        cost -= arrays.unmet_cost[order] * pieces.sum(axis=1)
        used, day = np.nonzero(minutes > 0)
        return Patterns(
            least=least,
            cost=arrays.unmet_cost * arrays.quantity + np.bincount(order, cost, minlength=len(arrays.quantity)),
            order=order[used] + self.begin,
            place=self.place[pair[used], day],
            minutes=minutes[used, day],
        )

    def _worth(self, priced: _Priced, value: Floats) -> tuple[Floats, Floats]:
        """r of each pair at a value per piece (orders,), infinite for no pair; the pieces that attain it."""
        each = value[self.arrays.order]
        gain = np.minimum(0.0, priced.cost[:-1] - each[:, None])
        worth = priced.fixed[:-1] - each * priced.least[:-1] + np.einsum("ij,ij->i", gain, priced.pieces[:-1])
        pieces = priced.least[:-1] + np.einsum("ij,ij->i", gain < 0, priced.pieces[:-1])
        return np.append(worth, np.inf), np.append(pieces, 0.0)

    def _dual(self, priced: _Priced) -> tuple[Floats, Floats]:
        """The value of a piece (orders,) at which the sum over pairs proves most, and what it proves."""
        arrays = self.arrays
        low = np.full(len(arrays.quantity), min(0.0, priced.cost.min()))
        high = arrays.unmet_cost.astype(float)
        best, floor = high, np.full(len(high), -np.inf)
        value = high
        for _ in range(_HALVINGS):
            proven, slope = self._proven(priced, value)
            best, floor = np.where(proven > floor, value, best), np.maximum(floor, proven)
            low, high = np.where(slope > 0, value, low), np.where(slope > 0, high, value)
            value = (low + high) / 2
        return best, floor

    def _proven(self, priced: _Priced, value: Floats) -> tuple[Floats, Floats]:
        """The bound at a value per piece, and its slope."""
        worth, pieces = self._worth(priced, value)
        may, count = worth[self._may], np.arange(len(value))
        ranked = np.sort(np.where(self._free, may, np.inf), axis=1)
        chosen = np.where(self._free, may <= ranked[count, self._limit - 1][:, None], True) & (may < 0)
        few = np.where(np.arange(ranked.shape[1]) < self._limit[:, None], np.minimum(0.0, ranked), 0.0).sum(axis=1)
        proven = value * self.arrays.quantity + few + self._sure(worth)
        proven += np.where(self._free, 0.0, np.minimum(0.0, may)).sum(axis=1)
        made = np.where(chosen, pieces[self._may], 0.0).sum(axis=1) + pieces[self._must].sum(axis=1)
        return proven, self.arrays.quantity - made

    def _sure(self, worth: Floats) -> Floats:
        """The sum over pairs that must be used (orders,)."""
        return np.append(worth[:-1], 0.0)[self._must].sum(axis=1)

    def _search(self, priced: _Priced, value: Floats) -> tuple[Ints, Floats, Flags]:
        """The best set of each order, its cost, and where more sets were open than are tried."""
        worth, _ = self._worth(priced, value)
        may = worth[self._may]
        rank = np.lexsort((may, ~self._free), axis=1)
        pair, free, may = (np.take_along_axis(table, rank, axis=1) for table in (self._may, self._free, may))
        found = _Found(self, priced, self._last.shape[1])
        found.offer(np.arange(len(value)), self._last)
        for size in range(1, self._last.shape[1] + 1):
            some = np.flatnonzero(self._limit >= size)
            found.offer(some, pair[some, :size])
        order, column = np.nonzero(pair < len(self.arrays.order))
        found.offer(order, pair[order, column][:, None])
        base = value * self.arrays.quantity + self._sure(worth)
        capped = np.zeros(len(value), dtype=bool)
        grown = _Growing(pair, may, free, self._limit, base)
        for _ in range(self._last.shape[1]):
            grown.grow(_just_below(found.cost))
            many = np.bincount(grown.order, minlength=len(value)) > _MOST_SETS
            capped |= many
            grown.keep(~many[grown.order])
            if not len(grown.order):
                break
            open_ = grown.bound < found.cost[grown.order]
            found.offer(grown.order[open_], grown.members[open_])
        return found.sets, found.cost, capped

    def cost_of(self, priced: _Priced, order: Ints, members: Ints) -> Floats:
        """The least cost of orders when exactly these pairs (sets, pairs) are used, infinite where they cannot be."""
        arrays, members = self.arrays, np.concatenate([members, self._must[order]], axis=1)
        left = arrays.quantity[order] - priced.least[members].sum(axis=1)
        gain = np.minimum(0.0, priced.cost[members].reshape(len(order), -1) - arrays.unmet_cost[order][:, None])
        filled = _filled(gain, priced.pieces[members].reshape(len(order), -1), left)
        cost = priced.fixed[members].sum(axis=1) + arrays.unmet_cost[order] * left + (gain * filled).sum(axis=1)
        return np.where(left < 0, np.inf, cost)


class _Found:
    """The best set of pairs of each order so far (orders, pairs), filled up with no pair, and its cost."""

    def __init__(self, orders: OrdersAtPrices, priced: _Priced, size: int) -> None:
        self._orders, self._priced = orders, priced
        count = len(orders.arrays.quantity)
        self.sets = np.full((count, size), len(orders.arrays.order))
        self.cost = orders.cost_of(priced, np.arange(count), self.sets[:, :0])

    def offer(self, order: Ints, members: Ints) -> None:
        """Takes the sets (orders, pairs) that are cheaper than what was found."""
        step = max(1, 4 * _CELLS // (members.shape[1] * self._priced.cost.shape[1]))
        for begin in range(0, len(order), step):
            self._offer(order[begin : begin + step], members[begin : begin + step])

    def _offer(self, order: Ints, members: Ints) -> None:
        cost = self._orders.cost_of(self._priced, order, members)
        ranked = np.lexsort((cost, order))
        first = ranked[np.flatnonzero(np.diff(order[ranked], prepend=-1))]
        first = first[cost[first] < self.cost[order[first]]]
        self.cost[order[first]] = cost[first]
        self.sets[order[first]] = len(self._orders.arrays.order)
        self.sets[order[first], : members.shape[1]] = members[first]


class _Growing:
    """Sets of pairs that grow by one pair a step, pairs in ascending rank; `bound` holds for the set as it is."""

    def __init__(self, pair: Ints, worth: Floats, free: Flags, limit: Ints, base: Floats) -> None:
        count = len(base)
        self._pair, self._worth, self._free = pair, worth, free
        self._few = _cumulated(np.where(free, np.minimum(0.0, worth), 0.0))
        self._others = _cumulated(np.where(free, 0.0, np.minimum(0.0, worth)))
        self.order, self.members = np.arange(count), np.empty((count, 0), dtype=np.int64)
        self.bound, self._room, self._from = base, limit, np.zeros(count, dtype=np.int64)

    def grow(self, below: Floats) -> None:
        """All sets with one pair more that may still cost less than `below` (orders,), whatever joins them later."""
        column, width = np.arange(self._pair.shape[1]), self._pair.shape[1]
        room = self._room[:, None] - self._free[self.order]
        at = self.order[:, None]
        rest = self._few[at, np.clip(column + 1 + room, 0, width)] - self._few[at, column + 1]
        rest += self._others[at, width] - self._others[at, column + 1]
        bound = self.bound[:, None] + self._worth[self.order]
        row, column = np.nonzero(
            (room >= 0) & (column >= self._from[:, None]) & (bound + rest < below[self.order][:, None])
        )
        self.bound, self._room, self._from = bound[row, column], room[row, column], column + 1
        self.order = self.order[row]
        self.members = np.concatenate([self.members[row], self._pair[self.order, column][:, None]], axis=1)

    def keep(self, chosen: Flags) -> None:
        """Drops the other sets."""
        self.order, self.members, self.bound = self.order[chosen], self.members[chosen], self.bound[chosen]
        self._room, self._from = self._room[chosen], self._from[chosen]


def _filled(gain: Floats, pieces: Floats, left: Ints) -> Floats:
    """The pieces taken of each step (sets, steps) when `left` are shared out, the least gain first."""
    rank = np.argsort(gain, axis=1)
    end = np.minimum(np.cumsum(np.take_along_axis(pieces, rank, axis=1), axis=1), np.maximum(0, left)[:, None])
    filled = np.empty_like(pieces)
    np.put_along_axis(filled, rank, np.diff(end, axis=1, prepend=0.0), axis=1)
    return np.where(gain < 0, filled, 0.0)


def _cumulated(values: Floats) -> Floats:
    return np.concatenate([np.zeros((len(values), 1)), np.cumsum(values, axis=1)], axis=1)


def _with_none(table: Floats) -> Floats:
    return np.concatenate([table, np.zeros((1, table.shape[1]))])


def _just_below(cost: Floats) -> Floats:
    return np.asarray(cost - _CLOSE * np.minimum(np.abs(cost), LARGEST))
