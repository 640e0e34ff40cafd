"""The best choice and the best bound that any of several processes knows. Passed to a process when it begins."""

from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.context import BaseContext

import numpy as np

from c2m.domain.arrays import Ints
from optimization.contract.tolerances import ROUND_OFF_SHARE
from optimization.engines.whole_lots.assignment import Assignment

_BY = ("lagrangian", "mip")


class Board:
    """Choices (orders,), their cost, a proven bound. Each change is whole."""

    def __init__(self, context: BaseContext, assignment: Assignment, chosen: Ints) -> None:
        self._chosen = context.Array("l", chosen.tolist())
        self._cost = context.Value("d", assignment.value(chosen))
        self._bound = context.Value("d", -np.inf)
        self._by = context.Value("i", 0)

    @property
    def cost(self) -> float:
        """Of the best choice."""
        return float(self._cost.value)

    @property
    def bound(self) -> float:
        """The best one told."""
        return float(self._bound.value)

    @property
    def bound_by(self) -> str:
        """What proves the best bound."""
        return _BY[self._by.value]

    def best(self) -> Ints:
        """The best choice."""
        with self._chosen.get_lock():
            return np.array(self._chosen[:], dtype=np.int64)

    def offer(self, chosen: Ints, cost: float) -> None:
        """Takes a choice that costs less."""
        with self._chosen.get_lock():
            if cost < self.cost - ROUND_OFF_SHARE * abs(self.cost):
                self._chosen[:] = chosen.tolist()
                self._cost.value = cost

    def raise_to(self, bound: float, by: str) -> None:
        """Takes a higher bound, or another proof of as high a one."""
        with self._bound.get_lock():
            if bound >= self.bound:
                self._bound.value, self._by.value = bound, _BY.index(by)

    @contextmanager
    def held(self) -> Iterator[None]:
        """While it lasts no other process is at the board: one that is killed at it would keep it locked for ever."""
        with self._chosen.get_lock(), self._cost.get_lock(), self._bound.get_lock(), self._by.get_lock():
            yield
