"""The bound of patterns: as in prices.py, but each order is made at the least cost that any plan of it has.

In: a reduced instance and prices of a minute at each factory and day. Out: what every plan costs at least.
Prices are raised by column generation (Dantzig and Wolfe 1960): the master program mixes known patterns, and patterns
are sought at prices between the best ones and the master's, which keeps them from swinging (Pessoa et al. 2018). With
one pattern of each order the master knows little and its prices prove nothing; so prices first climb by the overload.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from c2m.domain.arrays import Floats
from optimization.engines.bounds import orders_at_prices
from optimization.engines.bounds.lagrangian import factories
from optimization.engines.bounds.master import Master
from optimization.engines.bounds.orders_at_prices import Patterns
from optimization.statement.dense import Dense

# Steps of the climb, each of which costs a look; longest step, of the price of a minute; how much shorter after
# one that proved less; weight of the steps before. Measured (600 x 100, a third of the incumbents frozen): the bound
# rises by 1 % in 0.5 s of processor time instead of 1.9, by 2.08 % in 4.4 instead of 4.8.
_CLIMBS, _STRIDE, _SHORTER, _MOMENTUM = 12, 0.1, 0.8, 0.8
_STEEPEST = (-0.5, 1.0)  # of the relative overload that a step answers to
_GRADUAL = 0.2  # overtime is offered bit by bit over so much of the price of a minute
_SMOOTHING = 0.7  # weight of the best prices
_LESS = 0.3  # of it where no pattern was found that the master misses
_WIDTH, _WIDER, _WIDEST = 0.1, 4.0, 1e4  # of the box around the best prices; wider once the best in it are found
_CLOSE = 1e-5  # of the value: where the bound is as near to the master, the rest is not worth the time


def value(arrays: Dense, prices: Floats) -> float:
    """The proven bound at some prices (factories, days); infinite where frozen pieces fit nowhere."""
    orders = sum(float(part.cheapest(prices)[2].sum()) for part in orders_at_prices.chunks(arrays))
    return orders + _beside_orders(arrays, prices)


class PricingProblem(Protocol):
    """Some orders, whose cheapest patterns are found at prices."""

    def patterns(self, prices: Floats) -> Patterns:
        """The cheapest pattern of each order (factories, days)."""


@dataclass(frozen=True)
class Raised:
    """A bound, its prices (factories, days), and the master with the patterns that were found."""

    value: float
    prices: Floats
    master: Master


def improve(
    arrays: Dense, prices: Floats, seconds: float, told: Callable[[float, Floats], None] | None = None
) -> tuple[float, Floats]:
    """The best bound found within the seconds, and its prices; `told` hears of each better one."""
    found = raised(arrays, list(orders_at_prices.chunks(arrays)), prices, seconds, told)
    return found.value, found.prices


def raised(
    arrays: Dense,
    parts: Sequence[PricingProblem],
    prices: Floats,
    seconds: float,
    told: Callable[[float, Floats], None] | None = None,
    close: float = _CLOSE,
) -> Raised:
    """The same with orders priced by `parts`; it ends where the bound is as `close` to the master (share of it)."""
    end = time.monotonic() + seconds
    walk, master, width = _Walk(arrays, parts, prices, told, close), Master(arrays), _WIDTH
    if np.isinf(walk.bound):
        return Raised(walk.bound, prices, master)
    for found in walk.climb(end):
        master.add(found)
    while True:
        master.keep_near(walk.prices, width)
        solved = master.solve(end - time.monotonic())
        if solved is None:
            break
        near = solved[0] - walk.reached <= close * abs(solved[0])
        if near or not walk.step(master, *solved, end):
            if not master.held_back or width > _WIDEST:
                break
            width *= _WIDER
    return Raised(walk.bound, walk.prices, master)


class _Walk:
    """The best prices so far, and the patterns of the first look."""

    def __init__(
        self,
        arrays: Dense,
        parts: Sequence[PricingProblem],
        prices: Floats,
        told: Callable[[float, Floats], None] | None,
        close: float,
    ) -> None:
        self._arrays, self._told, self._parts, self._close = arrays, told, parts, close
        self.bound, self.prices, self.latest = -np.inf, prices, -np.inf  # the best, and the bound of the latest look
        self.reached = -np.inf  # the best bound by patterns alone, which is what the master comes down to
        self.found = self._look(prices)

    def climb(self, end: float) -> Iterator[Patterns]:
        """The patterns of the first look, then those at prices that follow what the last ones ask for too much."""
        prices, lowest, found = self.prices, np.minimum(0.0, self.prices), self.found
        trend, stride, best = np.zeros_like(prices), _STRIDE * _minute_costs(self._arrays), self.bound
        yield found
        for _ in range(_CLIMBS):
            if time.monotonic() > end:
                return
            trend = _MOMENTUM * trend + (1 - _MOMENTUM) * self._overload(found, prices)
            prices = np.maximum(lowest, prices + stride * trend)
            found = self._look(prices)
            stride = stride if self.latest >= best else _SHORTER * stride
            best = max(best, self.latest)
            yield found

    def _overload(self, found: Patterns, prices: Floats) -> Floats:
        """Minutes that patterns need beyond those offered at the prices, as a share of all (factories, days)."""
        arrays = self._arrays
        load = np.bincount(found.place, found.minutes, minlength=arrays.room.size).reshape(arrays.room.shape)
        dearer = (prices - arrays.overtime_cost) / (_GRADUAL * _minute_costs(arrays))
        offered = arrays.minutes + arrays.overtime * np.clip(dearer + 0.5, 0.0, 1.0)
        over = np.clip((load - offered) / np.maximum(1.0, arrays.room), *_STEEPEST)
        return np.where(arrays.room > 0, over, 0.0)

    def step(self, master: Master, most: float, target: Floats, end: float) -> bool:
        """Looks for patterns between the best prices and the master's; whether the master got a new one."""
        best, weight, new = self.prices, _SMOOTHING, 0
        while True:
            found = self._look(weight * best + (1 - weight) * target)
            new += master.add(found)
            if weight <= 0 or time.monotonic() > end or self._at(found, target) < most - self._close * abs(most):
                return new > 0
            weight = max(0.0, weight - _LESS)

    def _look(self, prices: Floats) -> Patterns:
        """The cheapest patterns at the prices; keeps the prices where their bound is the best."""
        found = _joined([part.patterns(prices) for part in self._parts])
        self.latest = bound = float(found.least.sum()) + _beside_orders(self._arrays, prices)
        self.reached = max(self.reached, self._at(found, prices))
        if bound > self.bound:
            self.bound, self.prices = bound, prices
            if self._told:
                self._told(bound, prices)
        return found

    def _at(self, found: Patterns, prices: Floats) -> float:
        """The bound that the prices would have if these patterns were the cheapest."""
        work = float((found.minutes * prices.ravel()[found.place]).sum())
        return float(found.cost.sum()) + work + _beside_orders(self._arrays, prices)


def _minute_costs(arrays: Dense) -> Floats:
    """What a minute of each factory costs on average (factories, 1)."""
    count = np.bincount(arrays.factory, minlength=len(arrays.minutes))
    total = np.bincount(arrays.factory, arrays.unit_cost / arrays.pace, len(arrays.minutes))
    return np.asarray(np.maximum(total / np.maximum(1, count), 1e-9)[:, None])


def _beside_orders(arrays: Dense, prices: Floats) -> float:
    changes = float((arrays.change_cost * arrays.held).sum()) + arrays.lost
    return float(factories(arrays, prices).sum()) + changes


def _joined(parts: Sequence[Patterns]) -> Patterns:
    return Patterns(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in Patterns.__dataclass_fields__)
    )
