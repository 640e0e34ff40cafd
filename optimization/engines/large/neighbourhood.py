"""Large-neighbourhood search: parts of some tens of lots are planned anew, in parallel, with the rest of the plan kept.

A part grows around a lot that costs much more than the prices of capacity say it need (its regret), by the lots that
occupy the factories it could use. Each lot brings the pairs that it uses and the cheapest few at those prices: a part
of few pairs a lot carries many lots, one of all pairs a lot finds the odd pair that helps. While a part is under way it
holds the free minutes of some of its factories; at the others it may use only what its own lots occupy already, at no
gain for giving it up. So the results of parts fit together, whichever comes back first. A result is put back only where
it lowers the cost.
"""

import itertools
import time
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from c2m.domain.arrays import Flags, Floats, Ints
from optimization.contract.instances import Instance
from optimization.contract.tolerances import FITS_MINUTES
from optimization.engines.bounds import lagrangian
from optimization.engines.exact import one_program
from optimization.engines.exact.branch_and_bound import improved
from optimization.engines.first.rounding import rank
from optimization.statement import mip, schedule
from optimization.statement.draft import Draft
from optimization.statement.highs import SEED, Limits, Program, compile_model
from optimization.statement.part import Others, Whole, cut, put_back
from optimization.statement.reduction import reduce

_BREADTHS = (2, 3, 5, 1000)  # pairs of a lot beside those that it uses, by turns
_PAIRS = 300  # of a part to begin with
_FEWEST, _MOST = 80, 1200
_WORK_S = 5.0  # processor seconds of one part
_GAP, _FINER, _FINEST = 2e-3, 0.9, 2e-4  # of one part; finer after each that closed and was not worth it
_COOLING = 0.3  # a lot whose part brought little is that much less likely to be chosen again
_WORTH = 1e-3  # of the cost of its lots: what a part must bring to count as worth it
_NEAR = 8  # orders that one order brings into its part

Result = tuple[pd.DataFrame, pd.DataFrame, bool]


def plan_part(part: Instance, start: pd.DataFrame, limits: Limits) -> Result | None:
    """Allocation, schedule, and whether the gap was closed in time; None where the start does not fit. In a worker."""
    reduced = reduce(part)
    model = mip.state(part, reduced)
    program = _setups_late(compile_model(model), model)
    point = one_program.point(program, model, start)
    if point is None:
        return None
    values, closed = improved(program, program.columns(model.quantity)[1], point, limits, _WORK_S)
    allocation = one_program.allocation(program, model, values)
    return allocation, schedule.by_day(reduced, allocation, one_program.work(program, model, values)), closed


def _setups_late(program: Program, model: Any) -> Program:
    """The program in which late setup minutes cost what late run minutes do: half the binaries, hardly another plan."""
    upper = program.upper.copy()
    upper[program.columns(model.waiting)[1]] = 0.0
    return replace(program, upper=upper)


@dataclass(frozen=True)
class _Running:
    """A part under way: its orders, pairs, factories, and those of them whose free minutes it holds."""

    orders: Ints
    pairs: Ints
    factories: Ints
    held: Ints
    breadth: int


class NeighbourhoodSearch:
    """The search over one draft, which it improves in place. `cost` is what the draft costs now."""

    def __init__(self, whole: Whole, draft: Draft, prices: Floats) -> None:
        self.whole, self.draft, self.cost, self.tried = whole, draft, draft.cost(), 0
        self._prices = prices
        self._load, self._lots_at = (
            draft.load(),
            np.bincount(whole.arrays.factory, draft.quantity > 0, len(whole.arrays.minutes)),
        )
        self._floor = lagrangian.orders(whole.arrays, prices)
        self._regret = self._regrets(np.arange(len(whole.arrays.quantity)), np.arange(len(whole.arrays.order)))
        self._heat = np.ones(len(whole.arrays.quantity))
        self._rank = rank(whole.arrays.order, -lagrangian.piece_costs(whole.arrays, prices))
        self._gap = _GAP
        self._breadths = itertools.cycle(_BREADTHS)
        self._size = dict.fromkeys(_BREADTHS, float(_PAIRS))
        self._random = np.random.default_rng(SEED)
        self._running: dict[Future[Result | None], _Running] = {}

    def step(self, pool: Executor, workers: int, until: float) -> None:
        """Keeps that many workers busy and takes in what they have done, within a second."""
        while len(self._running) < workers and self._launch(pool, workers, until):
            pass
        done, _ = wait(self._running, max(0.0, min(1.0, until - time.monotonic())), FIRST_COMPLETED)
        for future in done:
            self._settle(self._running.pop(future), future.result())

    def _launch(self, pool: Executor, workers: int, until: float) -> bool:
        whole, arrays, draft = self.whole, self.whole.arrays, self.draft
        breadth = next(self._breadths)
        near = (self._rank < breadth) | (draft.quantity > 0)
        orders = self._choose(near, self._size[breadth])
        if not len(orders):
            return False
        pairs = whole.pairs_of(orders)
        pairs = pairs[near[pairs]]
        used = pairs[draft.quantity[pairs] > 0]
        factories = np.unique(arrays.factory[pairs])
        own, held = np.zeros_like(self._load), self._held(factories, workers)
        np.add.at(own, arrays.factory[used], draft.setup[used] + draft.run[used])
        engaged = self._lots_at > np.bincount(arrays.factory[used], minlength=len(own))
        part = cut(whole, pairs, Others(self._load - own, engaged, ~np.isin(np.arange(len(own)), held), own))
        start = whole.allocation(draft, used)
        limits = Limits(until - time.monotonic(), self._gap, 1)
        self._running[pool.submit(plan_part, part, start, limits)] = _Running(orders, pairs, factories, held, breadth)
        return True

    def _held(self, factories: Ints, workers: int) -> Ints:
        """Factories whose free minutes a part may use: those that no other holds, and no more than its fair number."""
        others = [part.held for part in self._running.values()]
        free = np.setdiff1d(factories, np.concatenate(others)) if others else factories
        return self._random.permutation(free)[: -(-len(self._load) // workers)]

    def _choose(self, near: Flags, pairs: float) -> Ints:
        """Orders of a part of so many pairs: a seed by its regret, then those that occupy the near factories so far."""
        whole, arrays = self.whole, self.whole.arrays
        weight = np.maximum(self._regret, 1e-6 * arrays.quantity * arrays.unmet_cost) * self._heat
        for other in self._running.values():
            weight[other.orders] = 0.0
        if not weight.any():
            return np.empty(0, dtype=np.int64)
        width = np.bincount(arrays.order, near, len(weight))
        chosen = [int(self._random.choice(len(weight), p=weight / weight.sum()))]
        count = width[chosen[0]]
        for order in chosen:  # grows while it is walked
            if count >= pairs:
                break
            weight[order] = 0.0
            own = slice(whole.first_pair[order], whole.first_pair[order + 1])
            drawn = self._drawn(self._users(arrays.factory[own][near[own]]), weight)
            chosen += drawn
            weight[drawn] = 0.0
            count += width[drawn].sum()
        return np.array(sorted(chosen))

    def _drawn(self, orders: Ints, weight: Floats) -> list[int]:
        """Some of the orders, by weight."""
        orders = orders[weight[orders] > 0]
        if not len(orders):
            return []
        p = weight[orders] / weight[orders].sum()
        return [int(order) for order in self._random.choice(orders, min(len(orders), _NEAR), replace=False, p=p)]

    def _users(self, factories: Ints) -> Ints:
        """Orders that have work at the factories."""
        used = np.flatnonzero(self.draft.quantity)
        there = np.isin(self.whole.arrays.factory[used], factories)
        return np.unique(self.whole.arrays.order[used[there]])

    def _settle(self, part: _Running, result: Result | None) -> None:
        """Puts a part back where it lowers the cost."""
        self.tried += 1
        gained, closed = 0.0, False
        if result is not None:
            allocation, days, closed = result
            size = self._size[part.breadth] * (1.1 if closed else 0.8)
            self._size[part.breadth] = float(np.clip(size, _FEWEST, _MOST))
            gained = self._put_back(part, allocation, days)
        if gained <= _WORTH * self._size_cost(part):
            self._heat[part.orders] *= _COOLING
            self._gap = max(_FINEST, self._gap * _FINER) if closed else self._gap

    def _put_back(self, part: _Running, allocation: pd.DataFrame, days: pd.DataFrame) -> float:
        draft, pairs = self.draft, part.pairs
        before, kept = self._part_cost(part), (draft.quantity[pairs], draft.setup[pairs], draft.run[pairs])
        self._count(part, -1)
        put_back(self.whole, draft, pairs, allocation, days)
        self._count(part, 1)
        gained = before - self._part_cost(part)
        if gained <= 0 or (self._load[part.factories] > self.whole.arrays.room[part.factories] + FITS_MINUTES).any():
            self._count(part, -1)
            draft.quantity[pairs], draft.setup[pairs], draft.run[pairs] = kept
            self._count(part, 1)
            return 0.0
        self.cost -= gained
        self._regret[part.orders] = self._regrets(part.orders, pairs)
        return gained

    def _count(self, part: _Running, sign: int) -> None:
        """Adds the part's work to the load, or takes it off."""
        arrays, draft = self.whole.arrays, self.draft
        used = part.pairs[draft.quantity[part.pairs] > 0]
        np.add.at(self._load, arrays.factory[used], sign * (draft.setup[used] + draft.run[used]))
        np.add.at(self._lots_at, arrays.factory[used], sign)

    def _part_cost(self, part: _Running) -> float:
        return self.draft.cost_of(part.orders, part.pairs) + float(
            self.draft.factory_costs(part.factories, self._load, self._lots_at > 0).sum()
        )

    def _size_cost(self, part: _Running) -> float:
        return self.cost * len(part.orders) / len(self.whole.arrays.quantity)

    def _regrets(self, orders: Ints, pairs: Ints) -> Floats:
        """What the orders cost at the prices of capacity above the least that they could."""
        arrays, draft = self.whole.arrays, self.draft
        cost = draft.pair_costs(pairs) - arrays.change_cost[pairs] * arrays.held[pairs]
        cost += ((draft.setup[pairs] + draft.run[pairs]) * self._prices[arrays.factory[pairs]]).sum(axis=1)
        total = np.bincount(arrays.order[pairs], cost, len(arrays.quantity))[orders]
        made = np.bincount(arrays.order[pairs], draft.quantity[pairs], len(arrays.quantity))[orders]
        return total + (arrays.quantity[orders] - made) * arrays.unmet_cost[orders] - self._floor[orders]
