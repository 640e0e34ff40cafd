"""The bound of patterns: as in prices.py, but each order is made at the least cost that any plan of it has.

In: a reduced instance and prices of a minute at each factory and day. Out: what every plan costs at least.
Prices are raised by column generation (Dantzig and Wolfe 1960): the master program mixes known patterns, and patterns
are sought at prices between the best ones and the master's, which keeps them from swinging (Pessoa et al. 2018).
"""

import time
from collections.abc import Callable, Sequence

import numpy as np

from optimization.engines.bounds import orders_at_prices
from optimization.engines.bounds.lagrangian import factories
from optimization.engines.bounds.master import Master
from optimization.engines.bounds.orders_at_prices import Patterns
from optimization.statement.arrays import Dense, Floats

_SMOOTHING = 0.7  # weight of the best prices
_LESS = 0.3  # of it where no pattern was found that the master misses
_WIDTH, _WIDER, _WIDEST = 0.1, 4.0, 1e4  # of the box around the best prices; wider once the best in it are found
_CLOSE = 1e-5  # of the value: where the bound is as near to the master, the rest is not worth the time


def value(arrays: Dense, prices: Floats) -> float:
    """The proven bound at some prices (factories, days); infinite where frozen pieces fit nowhere."""
    orders = sum(float(part.cheapest(prices)[2].sum()) for part in orders_at_prices.chunks(arrays))
    return orders + _beside_orders(arrays, prices)


def improve(
    arrays: Dense, prices: Floats, seconds: float, told: Callable[[float, Floats], None] | None = None
) -> tuple[float, Floats]:
    """The best bound found within the seconds, and its prices; `told` hears of each better one."""
    end = time.monotonic() + seconds
    walk, master, width = _Walk(arrays, prices, told), Master(arrays), _WIDTH
    if np.isinf(walk.bound):
        return walk.bound, prices
    master.add(walk.found)
    while True:
        master.keep_near(walk.prices, width)
        solved = master.solve(end - time.monotonic())
        if solved is None:
            break
        near = solved[0] - walk.reached <= _CLOSE * abs(solved[0])
        if near or not walk.step(master, *solved, end):
            if not master.held_back or width > _WIDEST:
                break
            width *= _WIDER
    return walk.bound, walk.prices


class _Walk:
    """The best prices so far, and the patterns of the first look."""

    def __init__(self, arrays: Dense, prices: Floats, told: Callable[[float, Floats], None] | None) -> None:
        self._arrays, self._told, self._parts = arrays, told, list(orders_at_prices.chunks(arrays))
        self.bound, self.prices = -np.inf, prices
        self.reached = -np.inf  # the best bound by patterns alone, which is what the master comes down to
        self.found = self._look(prices)

    def step(self, master: Master, most: float, target: Floats, end: float) -> bool:
        """Looks for patterns between the best prices and the master's; whether the master got a new one."""
        best, weight, new = self.prices, _SMOOTHING, 0
        while True:
            found = self._look(weight * best + (1 - weight) * target)
            new += master.add(found)
            if weight <= 0 or time.monotonic() > end or self._at(found, target) < most - _CLOSE * abs(most):
                return new > 0
            weight = max(0.0, weight - _LESS)

    def _look(self, prices: Floats) -> Patterns:
        """The cheapest patterns at the prices; keeps the prices where their bound is the best."""
        found = _joined([part.patterns(prices) for part in self._parts])
        bound = float(found.least.sum()) + _beside_orders(self._arrays, prices)
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


def _beside_orders(arrays: Dense, prices: Floats) -> float:
    changes = float((arrays.change_cost * arrays.held).sum()) + arrays.lost
    return float(factories(arrays, prices).sum()) + changes


def _joined(parts: Sequence[Patterns]) -> Patterns:
    return Patterns(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in Patterns.__dataclass_fields__)
    )
