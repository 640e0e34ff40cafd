"""Which factories a good plan engages: a Lagrangian bound, and a floor under every plan that uses a given pair.

A piece of lot o is worth p_o; once that is set, what to make falls apart by factory:

  L(p) = sum_o p_o D_o + min over sets S of factories { sum_{f in S} v_f(p) + cost of pieces that S has no minutes for }
  v_f(p) = E_f + min { sum_o (c_of - p_o) q_of + overtime : sum_o a_of q_of <= minutes, 0 <= q_of <= U_of }

v_f is a continuous knapsack, so L is as strong as the linear relaxation with q_of <= U_of z_f, which is slow to solve;
that S must hold what is not left unmet makes it stronger still. Setups are shared by the U_of pieces. Minimum lots,
max_factories, days, targets and changes are left out: none of them lowers a cost. Every p gives a proven bound.

Source of the ascent: F. Barahona, R. Anbil, The volume algorithm, Mathematical Programming 87 (2000).
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from c2m.domain.arrays import Flags, Floats, Ints
from optimization.statement.dense import Dense

_AHEAD, _NEAR = 0.02, 0.005  # the value aimed at is this share above the best one, and set anew when this near
_FIRST_STRIDE, _LONGEST, _GROWN, _SHRUNK, _PATIENCE = 0.1, 2.0, 1.1, 0.5, 15
_WEIGHT, _FADING = 0.1, 0.9  # most weight of the newest subgradient, and what a round leaves of it
_STEPS, _ROUNDS = 50, 20
_SHORT, _PROGRESS = 1e-4, 1e-5  # ends after a round with strides so short and so small a gain
_NOTHING = 1e-9  # pieces squared


@dataclass(frozen=True)
class Floors:
    """Proven: every plan costs at least `bound`, at least `pair` (pairs,) where it uses the pair, and at least `count`
    (0, 1, .. choices) where it engages so many of the factories that there is a choice about. `prices` (orders,) of a
    piece prove the bound.
    """

    bound: float
    pair: Floats
    count: Floats
    prices: Floats


@dataclass(frozen=True)
class _Relaxation:
    """What stays the same while prices change. Shapes (pairs,), (factories,) or (orders,).

    `short` (factories + 1,): minutes of work that the k largest factories cannot hold, the settled ones first.
    """

    arrays: Dense
    settled: Flags  # engaged at no cost, or by frozen pieces
    cost: Floats  # of a piece, its share of the setup included
    minutes: Floats
    regular: Floats
    overtime: Floats
    overtime_cost: Floats
    work: Floats  # fewest minutes of a piece of the order
    short: Floats


@dataclass(frozen=True)
class _Point:
    """L at some prices: its value, and of its solution the pieces not served (orders,) that tell which way to go."""

    value: float
    missing: Floats
    factory: Floats  # v_f
    minute: Floats  # (factories,) what one more minute would be worth
    left: Floats  # (factories + 1,) least cost of the pieces left where k factories are engaged


def floors(arrays: Dense, seconds: float) -> Floors:
    """The bounds after as many steps as pay, within the time."""
    relaxation = _relaxation(arrays)
    prices = _ascent(relaxation, time.monotonic() + seconds)
    point = _at(relaxation, prices)
    dearer = relaxation.cost - prices[arrays.order] + relaxation.minutes * point.minute[arrays.factory]
    ranked, engaged = _engaged(relaxation, point.factory)
    base = arrays.lost + float(prices @ arrays.quantity)
    count = base + engaged + point.left
    factory = base + _engaging(ranked, engaged, point)
    pair = factory[arrays.factory] + np.maximum(0.0, dearer) * arrays.least
    return Floors(arrays.lost + point.value, pair, count[relaxation.settled.sum() :], prices)


def _relaxation(arrays: Dense) -> _Relaxation:
    factories = len(arrays.engagement_cost)
    minutes = arrays.pace + arrays.setup_minutes / arrays.most
    asked = np.bincount(arrays.factory, minutes * arrays.most, minlength=factories)
    room = np.minimum(asked, arrays.room.sum(axis=1))
    work = np.full(len(arrays.quantity), np.inf)
    np.minimum.at(work, arrays.order, arrays.pace)
    work[np.isinf(work)] = 0.0
    settled = arrays.always | (arrays.engagement_cost == 0)
    ranked = np.lexsort((-room, ~settled))
    held = np.concatenate([[0.0], np.cumsum(room[ranked])])
    return _Relaxation(
        arrays=arrays,
        settled=settled,
        cost=arrays.unit_cost
        + arrays.late_per_piece(np.arange(len(arrays.order)), arrays.first_day)
        + arrays.setup_cost / arrays.most,
        minutes=minutes,
        regular=arrays.minutes.sum(axis=1),
        overtime=arrays.overtime.sum(axis=1),
        overtime_cost=np.where(arrays.overtime > 0, arrays.overtime_cost, np.inf).min(axis=1, initial=np.inf),
        work=work,
        short=np.maximum(0.0, work @ arrays.quantity - held),
    )


def _at(relaxation: _Relaxation, prices: Floats) -> _Point:
    arrays = relaxation.arrays
    pieces, factory, minute = _knapsacks(relaxation, relaxation.cost - prices[arrays.order])
    left, pieces_left = _left(relaxation, prices)
    ranked, engaged = _engaged(relaxation, factory)
    totals = engaged + left
    count = int(np.argmin(totals))
    chosen = np.zeros(len(factory), dtype=bool)
    chosen[ranked[:count]] = True
    made = np.bincount(arrays.order, pieces * chosen[arrays.factory], minlength=len(prices))
    missing = arrays.quantity - made - pieces_left(relaxation.short[count])
    return _Point(float(prices @ arrays.quantity + totals[count]), missing, factory, minute, left)


def _engaged(relaxation: _Relaxation, factory: Floats) -> tuple[Ints, Floats]:
    """Factories in the order in which they are engaged, and v of the first k of them (factories + 1,)."""
    ranked = np.lexsort((factory, ~relaxation.settled))
    engaged = np.concatenate([[0.0], np.cumsum(factory[ranked])])
    engaged[: relaxation.settled.sum()] = np.inf
    return ranked, engaged


def _left(relaxation: _Relaxation, prices: Floats) -> tuple[Floats, Callable[[float], Floats]]:
    """Least cost of pieces left where k factories are engaged; which pieces (orders,) those are, by minutes short."""
    cost, pieces = relaxation.arrays.unmet_cost - prices, relaxation.arrays.quantity
    never = (cost < 0) | (relaxation.work == 0)
    need = np.where(never, 0.0, relaxation.work * pieces)
    ranked = np.argsort(np.divide(cost, relaxation.work, out=np.zeros_like(cost), where=~never))
    after = np.cumsum(need[ranked])
    spared = (relaxation.work * pieces)[never].sum()
    minutes, costs = np.append(0.0, after), np.append(0.0, np.cumsum(np.where(never, 0.0, cost * pieces)[ranked]))

    def pieces_left(short: float) -> Floats:
        done = np.where(never, pieces, 0.0)
        taken = np.clip(short - spared - (after - need[ranked]), 0.0, need[ranked])
        done[ranked] += np.divide(taken, relaxation.work[ranked], out=np.zeros_like(taken), where=taken > 0)
        return np.asarray(done)

    return (cost * pieces)[never].sum() + np.interp(
        np.maximum(0.0, relaxation.short - spared), minutes, costs
    ), pieces_left


def _engaging(ranked: Ints, engaged: Floats, point: _Point) -> Floats:
    """Floor (factories,) under every plan that engages the factory: it is among the k, or replaces the last of them."""
    totals = np.minimum.accumulate((engaged + point.left)[::-1])[::-1]
    replaced = np.minimum.accumulate(np.append(np.inf, engaged[:-1] + point.left[1:]))
    floor = np.empty(len(ranked))
    floor[ranked] = np.minimum(totals[1:], point.factory[ranked] + replaced[:-1])
    return np.asarray(np.maximum(floor, totals[0]))


def _knapsacks(relaxation: _Relaxation, gain: Floats) -> tuple[Floats, Floats, Floats]:
    """Best pieces (pairs,), v_f and the worth of a minute (factories,); the densest gain per minute goes first."""
    arrays, factories = relaxation.arrays, len(relaxation.regular)
    worth = np.flatnonzero(gain < 0)
    density = gain[worth] / relaxation.minutes[worth]
    order = np.lexsort((density, arrays.factory[worth]))
    pair, density = worth[order], density[order]
    at = arrays.factory[pair]
    need = relaxation.minutes[pair] * arrays.most[pair]
    limit = relaxation.regular[at] + np.where(density < -relaxation.overtime_cost[at], relaxation.overtime[at], 0.0)
    taken = np.clip(limit - _before(need, at, factories), 0.0, need)
    extra = np.maximum(0.0, np.bincount(at, taken, minlength=factories) - relaxation.regular)
    value = np.bincount(at, density * taken, minlength=factories) + arrays.engagement_cost
    dear = np.where(extra > 0, relaxation.overtime_cost, 0.0)
    minute = dear.copy()
    np.maximum.at(minute, at[taken < need], -density[taken < need])
    pieces = np.zeros(len(gain))
    pieces[pair] = taken / relaxation.minutes[pair]
    return pieces, value + dear * extra, minute


def _before(need: Floats, at: Ints, factories: int) -> Floats:
    """What pairs before each one need of the same factory; at: factories, in their order."""
    before = np.cumsum(need) - need
    first = np.searchsorted(at, np.arange(factories))
    return before - np.append(before, 0.0)[first][at] if len(at) else before


@dataclass
class Stride:
    """How far to step: a share, which success lengthens and failure shortens, of the way to a value aimed at."""

    share: float = _FIRST_STRIDE
    aim: float = -np.inf
    failures: int = 0

    def along(self, missing: Floats, value: float) -> Floats:
        """The step in prices from a point of this value."""
        if value > self.aim - _NEAR * abs(self.aim):
            self.aim = value + _AHEAD * abs(value)
        step: Floats = self.share * (self.aim - value) / max(_NOTHING, float(missing @ missing)) * missing
        return step

    def won(self, onward: bool) -> None:
        """Takes note of a better point; `onward`: the direction still rises there."""
        self.failures = 0
        self.share = min(_LONGEST, self.share * _GROWN) if onward else self.share

    def lost(self) -> None:
        """Takes note of a point that is no better."""
        self.failures += 1
        if self.failures % _PATIENCE == 0:
            self.share *= _SHRUNK


def _ascent(relaxation: _Relaxation, deadline: float) -> Floats:
    """The best prices found. The direction is a running mean of subgradients, which tends to a primal solution."""
    best, stride, weight = _cheapest(relaxation), Stride(), _WEIGHT
    value, missing = (point := _at(relaxation, best)).value, point.missing
    for _ in range(_ROUNDS):
        before = value
        for _ in range(_STEPS):
            prices = best + stride.along(missing, value)
            point = _at(relaxation, prices)
            if point.value > value:
                stride.won(onward=bool(point.missing @ missing > 0))
                best, value = prices, point.value
            else:
                stride.lost()
            missing = _mean(missing, point.missing, weight)
        weight *= _FADING
        if time.monotonic() > deadline or (stride.share < _SHORT and value - before < _PROGRESS * abs(value)):
            break
    return best


def _mean(missing: Floats, newest: Floats, weight: float) -> Floats:
    """The shortest vector between the two, the newest weighing a tenth of `weight` to all of it."""
    change = newest - missing
    shortest = -float(missing @ change) / max(_NOTHING, float(change @ change))
    mean: Floats = missing + min(weight, max(weight / 10, shortest)) * change
    return mean


def _cheapest(relaxation: _Relaxation) -> Floats:
    """Prices that pay each piece at its cheapest factory, the engagement shared by all its minutes."""
    arrays = relaxation.arrays
    prices = arrays.unmet_cost.astype(float)
    shared = arrays.engagement_cost / np.maximum(1.0, relaxation.regular + relaxation.overtime)
    np.minimum.at(prices, arrays.order, relaxation.cost + relaxation.minutes * shared[arrays.factory])
    return prices
