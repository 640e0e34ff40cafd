"""Prices of capacity and a nearly feasible fractional plan for instances that no linear program carries.

The Lagrangian bound is raised by gradient steps on a smoothed problem: each pair spreads its pieces over its days, and
each order over its pairs, by a soft minimum of the cost at the present prices; prices rise where the work exceeds what
the factory offers and fall where it does not. Temperature and step fall together. One round costs a few passes over the
slots and no memory but theirs. Smoothing: Nesterov 2005; matching programs of this size: Basu et al. 2020 (ECLIPSE).
"""

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from c2m.domain.arrays import Flags, Floats
from optimization.engines.bounds import lagrangian
from optimization.engines.first.rounding import lots
from optimization.statement.dense import Dense

Singles = NDArray[np.float32]

_ROUNDS = 600
_WARM, _COLD = 0.05, 0.001  # temperature, as a share of the cost of a piece
_LONG, _SHORT = 0.1, 0.001  # step, as a share of the price of a minute
_MOMENTUM = 0.8
_STEEPEST = (-0.5, 1.0)  # of the relative overload that a step answers to
_WATCH = 30  # rounds between two looks at the bound
_LEAST_S = 2e-5  # per slot; prices that are stopped earlier lead to no plan worth having
_BLOCKS, _BLOCK = 8, 50  # of slope scaling, rounds each
_SCALING_STEP = 0.01
_FILLINGS = 4  # pairs of an order that may be full
_USED = 0.01  # of `most`; less than that is smoothing


@dataclass(frozen=True)
class Ascended:
    """Prices (factories, days), the best bound seen, and the way from there to the pieces of a plan that nearly fits.

    That way takes two thirds as many rounds again: whoever raises the bound from the prices need not wait for it.
    """

    prices: Floats
    bound: float
    pieces: Callable[[], Floats]  # of each pair


class Response:
    """What all orders ask for at some prices: slots as single precision, sums over pairs and orders by position."""

    def __init__(self, arrays: Dense) -> None:
        self.arrays = arrays
        pair, day = arrays.slots
        self._at = (arrays.factory[pair] * arrays.days + day).astype(np.int32)
        self._slot = pair
        self._late = arrays.late_per_piece(pair, day).astype(np.float32)
        self._first = np.flatnonzero(np.diff(pair, prepend=-1))
        self._width = np.diff(np.append(self._first, len(pair)))
        self._pair = pair[self._first]  # pairs that have a slot
        self._order = arrays.order[self._pair]
        self._begin = np.flatnonzero(np.diff(self._order, prepend=-1))
        self._count = np.diff(np.append(self._begin, len(self._order)))
        self._owner = self._order[self._begin]
        self.charge(1.0 / arrays.most, np.ones(len(arrays.order), dtype=bool))

    def charge(self, share: Floats, allowed: Flags) -> None:
        """Sets the share of a setup that a piece of each pair pays, and the pairs that may be used."""
        arrays = self.arrays
        self._pace = (arrays.pace + arrays.setup_minutes * share)[self._slot].astype(np.float32)
        piece = arrays.unit_cost + np.where(arrays.kept > 0, 0.0, arrays.setup_cost * share)
        self._piece = piece[self._pair]
        self._barred = np.where(allowed[self._pair], 0.0, np.inf)

    def load(self, minutes: Singles) -> Floats:
        """Minutes (factories, days)."""
        return np.bincount(self._at, minutes, minlength=self.arrays.room.size).reshape(self.arrays.room.shape)

    def pieces(self, minutes: Singles) -> Floats:
        """Pieces (pairs,)."""
        return np.bincount(self._slot, minutes / self._pace, minlength=len(self.arrays.order))

    def minutes(self, prices: Floats, temperature: float) -> Singles:
        """Minutes of work of each slot."""
        cost = self._late + self._pace * prices.ravel().astype(np.float32)[self._at]
        scale = (temperature * self._piece).astype(np.float32)
        least = np.minimum.reduceat(cost, self._first)
        weight = np.exp((np.repeat(least, self._width) - cost) / np.repeat(scale, self._width))
        total = np.add.reduceat(weight, self._first)
        soft = self._piece + self._barred + least - scale * np.log(total)
        pieces = self._pieces(soft, temperature).astype(np.float32)
        return np.asarray(weight * np.repeat(pieces / total, self._width) * self._pace)

    def _pieces(self, cost: Floats, temperature: float) -> Floats:
        """Pieces of each pair: an order's soft minimum over its pairs and over leaving them unmet."""
        arrays, owner = self.arrays, self._owner
        most, unmet, asked = arrays.most[self._pair], arrays.unmet_cost[owner], arrays.quantity[owner]
        alone = arrays.max_factories[owner] == 1
        # an order of one factory is left unmet beyond the most of its pair: that belongs to the price of the pair
        left = (1.0 - most / arrays.quantity[self._order]) * np.repeat(alone, self._count)
        price = cost * (1.0 - left) + np.repeat(unmet, self._count) * left
        most = np.where(np.repeat(alone, self._count), arrays.quantity[self._order], most)
        pieces, left_over = np.zeros(len(most)), asked.astype(float)
        for _ in range(_FILLINGS):
            price = np.where(pieces < most, price, np.inf)  # a full pair takes no more: the others of the order do
            pieces += self._softly(price, unmet, left_over, temperature)
            over = np.maximum(0.0, pieces - most)
            pieces, left_over = pieces - over, np.add.reduceat(over, self._begin)
        return np.asarray(pieces * (1.0 - left))

    def _softly(self, price: Floats, unmet: Floats, asked: Floats, temperature: float) -> Floats:
        """The pieces asked for (orders), spread over pairs and over leaving them, by soft minimum."""
        least = np.minimum(np.minimum.reduceat(price, self._begin), unmet)
        scale = np.maximum(temperature * least, 1e-9)
        weight = np.exp((np.repeat(least, self._count) - price) / np.repeat(scale, self._count))
        total = np.add.reduceat(weight, self._begin) + np.exp((least - unmet) / scale)
        return np.asarray(weight * np.repeat(asked / total, self._count))


def ascend(arrays: Dense, seconds: float) -> Ascended:
    """Prices with a bound near that of the linear relaxation; fewer rounds where the time is short."""
    began, response = time.monotonic(), Response(arrays)
    seconds = max(seconds, _LEAST_S * len(arrays.slots[0]))
    walk = _Walk(response, _price_scale(arrays))
    best, best_prices, share = -np.inf, walk.prices, 0.0
    for turn in itertools.count():
        share = max(turn / _ROUNDS, (time.monotonic() - began) / seconds)
        if turn % _WATCH == 0 or share >= 1.0:
            value = lagrangian.bound(arrays, walk.prices)
            if value > best:
                best, best_prices = value, walk.prices
        if share >= 1.0:
            break
        walk.step(*(a * (b / a) ** share for a, b in ((_WARM, _COLD), (_LONG, _SHORT))))
    return Ascended(best_prices, best, partial(_scaled, arrays, response, walk))


def _scaled(arrays: Dense, response: Response, walk: "_Walk") -> Floats:
    """Slope scaling: used pairs pay their setup over the pieces that they make, pairs far below a lot are dropped."""
    share, allowed = 1.0 / arrays.most, np.ones(len(arrays.order), dtype=bool)
    for block in range(_BLOCKS):
        pieces = response.pieces(walk.minutes)
        pieces = np.where(pieces > _USED * arrays.most, pieces, 0.0)
        if block >= _BLOCKS // 3:
            allowed &= (pieces == 0) | lots(arrays, pieces)
        share = np.where(pieces > 0, 1.0 / np.maximum(1.0, pieces), share)
        response.charge(share, allowed)
        for turn in range(_BLOCK):
            walk.step(2 * _COLD, _SCALING_STEP * (1 - turn / _BLOCK) + _SHORT)
    pieces = response.pieces(walk.minutes)
    return np.where(pieces > _USED * arrays.most, pieces, 0.0)


class _Walk:
    """Prices on their way, and the minutes of the slots at the prices before the last step."""

    def __init__(self, response: Response, per_minute: Floats) -> None:
        self.prices = np.zeros_like(response.arrays.room)
        self.minutes: Singles = np.empty(0, dtype=np.float32)
        self._response, self._per_minute, self._trend = response, per_minute, np.zeros_like(self.prices)

    def step(self, temperature: float, length: float) -> None:
        """One round: what is asked for at the prices, and the prices moved by it."""
        arrays = self._response.arrays
        self.minutes = self._response.minutes(self.prices, temperature)
        wished = np.clip((self.prices - arrays.overtime_cost) / (4 * temperature * self._per_minute) + 0.5, 0.0, 1.0)
        over = (self._response.load(self.minutes) - arrays.minutes - arrays.overtime * wished) / np.maximum(
            1.0, arrays.room
        )
        over = np.where(arrays.room > 0, np.clip(over, *_STEEPEST), 0.0)
        self._trend = _MOMENTUM * self._trend + (1 - _MOMENTUM) * over
        self.prices = np.maximum(0.0, self.prices + length * self._per_minute * self._trend)


def _price_scale(arrays: Dense) -> Floats:
    """What a minute of each factory costs, in the middle (factories, 1)."""
    per_minute = arrays.unit_cost / arrays.pace
    ranked = np.lexsort((per_minute, arrays.factory))
    count = np.bincount(arrays.factory, minlength=len(arrays.minutes))
    middle = np.cumsum(count) - count + count // 2
    scale = np.where(count > 0, per_minute[ranked][np.minimum(middle, len(ranked) - 1)], 1.0)
    return np.maximum(scale, 1e-9)[:, None]
