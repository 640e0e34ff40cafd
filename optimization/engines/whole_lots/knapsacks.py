"""The Lagrangian bound of whole lots: each factory packs the orders that pay best at given prices, a 0-1 knapsack each.

With a price u_o for serving order o the choice of optimization/engines/whole_lots/assignment.py falls apart by factory:

  L(u) = sunk + sum_o u_o + sum_o min(0, g_o - u_o) + sum_f min(0, E_f - V_f(u))
  V_f  = max { sum_o (u_o - c_of) y_of - v max(0, load - C_f) : load = sum_o a_of y_of <= room_f, y binary }

V_f by dynamic programming over minutes in whole units, work rounded down and room up, so that L stays a bound whatever
the unit. Since the continuous knapsacks are not integral, L can lie above the linear relaxation. Targets are left out.

Sources: A. Geoffrion, Lagrangean relaxation for integer programming, Mathematical Programming Study 2 (1974); the
ascent is the volume algorithm, as in optimization/engines/location/engagement.py, whose running mean of solutions
tends to a solution of the linear program over all packings (`share`).
"""

import time
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from c2m.domain.arrays import Floats, Ints
from optimization.engines.location.engagement import Stride
from optimization.engines.whole_lots.assignment import Assignment

_CELLS = 100_000  # of the tables of all factories, roughly
_FEWEST_UNITS, _MOST_UNITS = 300, 2_000
_WEIGHT = 0.1  # most weight of the newest solution in the running mean
_SHORT = 1e-5  # a stride so short that the ascent is over
_NOTHING = 1e-9
_ROUND_OFF = 1e-9  # units


@dataclass(frozen=True)
class Packing:
    """L at some prices: its value, the pairs packed, and how often each order is packed or left (orders,)."""

    prices: Floats
    value: float
    packed: Floats  # (orders, factories), 0 or 1
    served: Floats


class Knapsacks:
    """The knapsacks of an assignment."""

    def __init__(self, assignment: Assignment) -> None:
        self.assignment = assignment
        most = int(np.clip(_CELLS // max(1, len(assignment.room)), _FEWEST_UNITS, _MOST_UNITS))
        minutes = np.where(assignment.allowed, assignment.minutes, 0.0)
        room = np.minimum(assignment.room, minutes.sum(axis=0))
        whole = ~(minutes % 1).any(axis=0) & (room <= most)
        self._unit = np.where(whole, 1.0, np.maximum(room / most, _NOTHING))
        self.weight = np.floor(minutes / self._unit + _ROUND_OFF).astype(np.int64)
        self.units = np.ceil(room / self._unit - _ROUND_OFF).astype(np.int64)

    @cached_property
    def _overtime(self) -> Floats:
        """Cost (factories, units) of the overtime in a load."""
        load = np.arange(int(self.units.max(initial=0)) + 1) * self._unit[:, None]
        return np.asarray(
            self.assignment.overtime_cost[:, None] * np.maximum(0.0, load - self.assignment.regular[:, None])
        )

    def pack(self, prices: Floats) -> Packing:
        """The best packings at some prices (orders,)."""
        assignment, factories = self.assignment, np.arange(len(self.units))
        gain = np.where(assignment.allowed, np.maximum(0.0, prices[:, None] - assignment.cost), 0.0)
        gain[:, gain.sum(axis=0) <= assignment.engagement] = 0.0  # never engaged, whatever fits
        item, table, took = self._tables(gain)
        net = table - self._overtime
        net[np.arange(net.shape[1]) > self.units[:, None]] = -np.inf
        best = net.argmax(axis=1)
        engaged = np.maximum(0.0, net[factories, best] - assignment.engagement)
        packed = self._traced(item, took, np.where(engaged > 0, best, 0))
        leaves = assignment.left < prices
        value = assignment.sunk + prices.sum() - engaged.sum() + np.minimum(0.0, assignment.left - prices).sum()
        served = packed.sum(axis=1) + leaves
        return Packing(prices, float(value), packed, served)

    def _tables(self, gain: Floats) -> tuple[Ints, Floats, Floats]:
        """Items (turns, factories), V (factories, units), and which item was taken (turns, factories, units).

        All factories take their next item in one turn; those that have none left take one of no weight and no gain.
        """
        count, width = len(self.units), int(self.units.max(initial=0)) + 1
        pays = (gain > 0) & (self.weight <= self.units)
        turns = int(pays.sum(axis=0).max(initial=0))
        item = np.argsort(~pays, axis=0, kind="stable")[:turns]
        factories, largest = np.arange(count), int(self.weight.max(initial=0))
        real = pays[item, factories]
        weight, worth = np.where(real, self.weight[item, factories], 0), np.where(real, gain[item, factories], 0.0)
        padded = np.full((count, largest + width), -np.inf)  # before the table: loads below 0
        table, moved = padded[:, largest:], sliding_window_view(padded, width, axis=1)  # by the weight, from the right
        table[:] = 0.0
        took = np.zeros((turns, count, width), dtype=bool)
        for turn in range(turns):
            other = moved[factories, largest - weight[turn]] + worth[turn][:, None]
            np.greater(other, table, out=took[turn])
            np.maximum(table, other, out=table)
        return item, table.copy(), took

    def _traced(self, item: Ints, took: Floats, load: Ints) -> Floats:
        """Pairs (orders, factories) of the packings of these loads."""
        packed, load = np.zeros(self.assignment.shape), load.copy()
        factories = np.arange(len(load))
        for turn in range(len(item) - 1, -1, -1):
            mine = factories[took[turn, factories, load]]
            chosen = item[turn, mine]
            packed[chosen, mine] = 1.0
            load[mine] -= self.weight[chosen, mine]
        return packed


def ascend(
    knapsacks: Knapsacks,
    prices: Floats,
    turns: int,
    until: float = np.inf,
    share: Floats | None = None,
    stride: float = 0.1,
) -> tuple[Packing, Floats]:
    """The best packing after so many turns, and the running mean of the solutions: a share (orders, factories)."""
    best = knapsacks.pack(prices)
    mean = best.packed if share is None else share
    missing = 1.0 - (best.served if share is None else mean.sum(axis=1) + (knapsacks.assignment.left < prices))
    step = Stride(stride)
    for _ in range(turns):
        if time.monotonic() > until or step.share < _SHORT:
            break
        point = knapsacks.pack(best.prices + step.along(missing, best.value))
        toward = 1.0 - point.served
        if point.value > best.value:
            step.won(onward=bool(toward @ missing > 0))
            best = point
        else:
            step.lost()
        change = toward - missing
        shortest = -float(missing @ change) / max(_NOTHING, float(change @ change))
        weight = min(_WEIGHT, max(_WEIGHT / 10, shortest))
        missing = missing + weight * change
        mean = mean + weight * (point.packed - mean)
    return best, mean
