"""Plans of whole lots by dives: prices ascend, the choices that their solutions share most are made, and so on.

A dive goes from the running mean of the packings (optimization/engines/whole_lots/knapsacks.py): a twentieth of the
orders, those whose share at one factory is largest, are settled; the rest is priced anew in what they leave. The last
few are settled by branch and bound over the pairs that have a share. A dive is given up where its bound is not below
the best plan by a little. Further dives begin from the best plan with the orders of some factories set free, or from
nothing with some noise; between them the best choices so far are merged, by branch and bound over their pairs, and
the best one is searched around (local branching): over some pairs of low floor no more than a few orders move.
Sources: R. Sadykov, F. Vanderbeck et al., Primal heuristics for branch and price (2019), for dives by column
generation; G. Guastaroba, M. Speranza, A heuristic for BILP problems: the single source capacitated facility location
problem, EJOR 238 (2014), for branch and bound over a kernel of promising pairs; M. Fischetti, A. Lodi, Local
branching, Mathematical Programming 98 (2003).

Where a packing takes too long for dives, branch and bound over kernels alone improves the best plan: the factories
that it engages and a few more, the pairs with the lowest floors.

In: an assignment. Out: factories of the orders as positions, -1 where left.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import Event

import numpy as np

from c2m.domain.arrays import Flags, Floats, Ints
from optimization.engines.whole_lots.assignment import Assignment, stated
from optimization.engines.whole_lots.knapsacks import Knapsacks, ascend
from optimization.statement.highs import Limits, Spent, limited, search

# Share of the orders settled in a turn, and all whose share is above. Measured at 20 x 100 (GAP d): a first dive with a
# tenth and 25 turns of the ascent between ends 0.8 to 1 % above the bound, with a twentieth and 60 at 0.45 %.
_SETTLED_BY, _SURE = 0.05, 0.95
_TURNS, _STRIDE = (25, 100), 0.05  # of the ascent between two turns, as many as
# The first choice: pairs an order on average, or, where a packing takes too long, pairs of each order over factories of
# low floor; one node. Processor time, GAP d: 10 x 200 12,339 after 1.5 s (plain HiGHS 12,354 after 2.2 s, nothing
# better by 7 s), 20 x 200 12,287 after 2.5 s (12,327 after 5 s). yang_p16: 6 pairs 39,957 after 8 s, 3 pairs 42,693.
_FIRST_PAIRS, _FIRST_EACH = 4, 6
_DIVE_BY = 0.1  # share of the time for one dive
_FEW, _TRACE = 250, 0.003  # pairs that branch and bound carries to the end, and the least share of those it looks at
_LAST_S = 3.0
# That must fit the time, for dives to get anywhere. Measured: 80 factories x 400 lots, 85 ms a packing, processor time:
# kernels in 45 s 39,622 to 39,940, a dive of 29 s 40,863.
_PACKS, _TIMED = 3_000, 3
_ASCENT, _ASCENT_BY = 400, 0.1  # turns of the first ascent, and share of the time
_NOISE = 0.3  # on the shares of dives after the first
_AROUND, _FREED = 4, (0.3, 0.7)  # dives around the best plan after each from nothing, and the factories that they free
_STEP = 5e-4  # relative; what a dive must better the best choice by: most are given up early
_ELITE, _MERGED = 12, 6  # best choices that are kept, and that are merged at a time
# Local branching: orders that may move, pairs an order on average, by what their floors are multiplied, nodes. Measured
# at GAP d on a busy machine, processor time: 20 x 200 12,237 after 14 s (plain HiGHS 12,278 after 38 s), 12,255 with
# 8 s and no limit of nodes for each; 10 x 200 12,316 after 10 s (plain HiGHS 12,325 after 26 s).
_MOVED, _PAIRS, _SHAKEN, _NODES = (5, 20), 4, (0.5, 2.0), 1
_BALLS, _BALL_S = 3, 6.0  # after each dive, and most seconds of one
_OTHERS, _EACH = (2, 8), (3, 7)  # factories that a kernel has beside those of the best plan; pairs of an order there
_KERNEL_S, _MORE = 10.0, 0.5  # seconds of a kernel; minutes of its factories beyond those of the orders, as a share
_PARTS, _PART_S = 8, 3.0  # parts around the best plan after each kernel, and seconds of one
_NEAR, _BREADTH = (1.0, 2.0), (3, 11)  # by what the distance of a part's factories is stretched; how many they are


@dataclass(frozen=True)
class Guide:
    """Where a dive begins: prices (orders,) and shares (orders, factories); and the turns of its ascents."""

    prices: Floats
    share: Floats
    turns: int


def dive(assignment: Assignment, guide: Guide, noise: Floats, until: float, below: float = np.inf) -> Ints | None:
    """A choice of all orders that costs less than `below`; None where the time ended or it led to none."""
    chosen, free = np.full(len(assignment.left), -1), np.arange(len(assignment.left))
    part, prices, share = assignment, guide.prices, guide.share
    while part.allowed.sum() > _FEW and time.monotonic() < until:
        share = np.where(part.allowed, share, 0.0)
        packing, share = ascend(Knapsacks(part), prices, guide.turns, until, share, _STRIDE)
        if packing.value >= below:
            return None
        settled = _settle(part, share + noise[free] * (share > 0), chosen, free)
        if not len(settled):
            break
        open_still = np.setdiff1d(np.arange(len(free)), settled)
        prices, share, free = packing.prices[open_still], share[open_still], free[open_still]
        part = assignment.rest(free, chosen)
    if not len(free):
        return chosen
    last = finished(part, _traced(share), None, Limits(min(_LAST_S, until - time.monotonic()), 1e-4, 1, below=below))
    if last is None:
        return None
    chosen[free] = last
    return chosen


def _traced(share: Floats) -> Flags:
    """The pairs (orders, factories) that have a share; all of an order where none has."""
    traced = share > _TRACE
    return np.asarray(traced | ~traced.any(axis=1)[:, None])


def _settle(part: Assignment, weight: Floats, chosen: Ints, free: Ints) -> Ints:
    """Makes the choices of most weight that fit beside each other; returns the positions of their orders."""
    best = weight.argmax(axis=1)
    most = weight[np.arange(len(best)), best]
    left, settled = part.room.copy(), list[int]()
    for order in np.argsort(-most, kind="stable"):
        factory, minutes = best[order], part.minutes[order, best[order]]
        if (len(settled) >= max(1, _SETTLED_BY * len(free)) and most[order] < _SURE) or most[order] <= 0:
            break
        if part.allowed[order, factory] and minutes <= left[factory]:
            chosen[free[order]] = factory
            left[factory] -= minutes
            settled.append(int(order))
    return np.array(settled, dtype=np.int64)


def finished(
    assignment: Assignment, among: Flags, start: Ints | None, limits: Limits, moved: int | None = None
) -> Ints | None:
    """The best choice over some pairs by branch and bound; None where it found none.

    `moved`: how many orders of the start may go elsewhere.
    """
    program = stated(assignment, among)
    begin = program.point(assignment, np.full(len(assignment.left), -1) if start is None else start)
    around = program.program
    if moved is not None:
        stays = program.columns["y"][begin[program.columns["y"]] > 0]
        around = limited(around, stays, len(stays) - moved, np.inf)
    found = search(around, begin, limits)
    return None if found.values is None else program.choice(assignment, found.values)


def _seconds(knapsacks: Knapsacks, prices: Floats) -> float:
    """What a packing takes: the quickest of a few, since other processes may hold one up."""
    times = [time.monotonic()]
    for _ in range(_TIMED):
        knapsacks.pack(prices)
        times.append(time.monotonic())
    return float(np.diff(times).min())


@dataclass(frozen=True)
class Task:
    """What the dives begin from: floors (orders, factories) under plans that use a pair, prices (orders,), a seed."""

    assignment: Assignment
    floor: Floats
    prices: Floats
    seed: int


class Dives:
    """Better and better choices, until a time. `offer` takes each one, `best` gives the best known, whoever found it.

    `stop`, once set, ends them before; `raised` hears of the bound of the first ascent.
    """

    def __init__(
        self,
        task: Task,
        best: Callable[[], Ints],
        offer: Callable[[Ints], None],
        until: float,
        stop: Event | None = None,
    ) -> None:
        self._assignment, self._floor, self._prices = task.assignment, task.floor, task.prices
        self._best, self._offer, self._until, self._stop = best, offer, until, stop
        self._random, self._knapsacks = np.random.default_rng(task.seed), Knapsacks(task.assignment)
        self._elite = dict[float, Ints]()  # the best choices, by cost
        self._pack_s = _seconds(self._knapsacks, self._prices)
        self._quick = self._pack_s * _PACKS <= until - time.monotonic()

    def begin(self) -> None:
        """A first choice, by branch and bound over pairs of low floor."""
        limits = replace(self._limits(_BALL_S if self._quick else _KERNEL_S), nodes=_NODES)
        self._take(finished(self._assignment, self._first_pairs(), self._best(), limits))

    def _first_pairs(self) -> Flags:
        if self._quick:
            return self._low(_FIRST_PAIRS, np.ones(self._assignment.shape))
        return self._cheapest(self._promising(_MORE), _FIRST_EACH)

    def run(self, raised: Callable[[float], None]) -> None:
        """Dives where packings are quick, else improves kernels."""
        while not self._quick and not self._over:
            for _ in range(_PARTS):
                self._neighbours()
            self._kernel()
        if not self._over:
            self._dives(raised)

    def _dives(self, raised: Callable[[float], None]) -> None:
        """By turns a dive from nothing, dives around the best choice, and searches around it."""
        left_s = self._until - time.monotonic()
        self._balls()
        packing, share = ascend(self._knapsacks, self._prices, _ASCENT, time.monotonic() + _ASCENT_BY * left_s)
        raised(packing.value)
        turns = int(np.clip(_DIVE_BY * left_s * _SETTLED_BY / self._pack_s, *_TURNS))
        guide, noise = Guide(packing.prices, share, turns), 0.0
        while not self._over:
            found = dive(self._assignment, guide, noise * self._random.random(share.shape), self._until, self._below)
            self._take(found)
            for _ in range(_AROUND):
                self._around(guide)
                self._merged()
                self._balls()
            noise = _NOISE

    @property
    def _over(self) -> bool:
        return time.monotonic() >= self._until or (self._stop is not None and self._stop.is_set())

    @property
    def _below(self) -> float:
        best = self._assignment.value(self._best())
        return best - _STEP * abs(best)

    def _take(self, found: Ints | None) -> None:
        if found is not None and self._assignment.fits(found):
            self._offer(found)
            self._elite = dict(sorted((self._elite | {self._assignment.value(found): found}).items())[:_ELITE])

    def _merged(self) -> None:
        """Branch and bound over the pairs of some of the best choices so far."""
        some = self._random.permutation(list(self._elite.values()))[:_MERGED]
        among, orders = np.zeros(self._assignment.shape, dtype=bool), np.arange(self._assignment.shape[0])
        for chosen in (*some, self._best()):
            among[orders[chosen >= 0], chosen[chosen >= 0]] = True
        if len(some) > 1 and not self._over:
            self._take(finished(self._assignment, among, self._best(), self._limits(_LAST_S)))

    def _around(self, guide: Guide) -> None:
        """A dive for the orders of some factories, the rest kept as in the best plan."""
        assignment, best = self._assignment, self._best()
        engaged = np.unique(best[best >= 0])
        some = self._random.permutation(engaged)[: max(2, int(self._random.uniform(*_FREED) * len(engaged)))]
        free = np.flatnonzero(np.isin(best, some) | (best < 0))
        if not len(free) or self._over:
            return
        part = assignment.rest(free, best)
        noise = _NOISE * self._random.random((len(free), assignment.shape[1]))
        found = dive(part, Guide(guide.prices[free], guide.share[free], guide.turns), noise, self._until, self._below)
        if found is not None:
            whole = best.copy()
            whole[free] = found
            self._take(whole)

    def _balls(self) -> None:
        """Branch and bound near the best choice, each time over other pairs of low floor."""
        for _ in range(_BALLS):
            best = self._best()
            if self._over or (best < 0).any():
                return
            among = self._low(_PAIRS, self._random.uniform(*_SHAKEN, self._assignment.shape))
            placed = np.flatnonzero(best >= 0)
            among[placed, best[placed]] = True
            limits = replace(self._limits(_BALL_S), nodes=_NODES)
            self._take(finished(self._assignment, among, best, limits, int(self._random.integers(*_MOVED))))

    def _low(self, pairs: int, stretched: Floats) -> Flags:
        """The pairs whose floor is least above the least floor, so many an order on average before it is stretched."""
        dearer = self._floor - self._floor.min()
        last = min(dearer.size, pairs * len(dearer)) - 1
        return np.asarray(dearer * stretched <= np.partition(dearer, last, axis=None)[last])

    def _cheapest(self, factories: Ints, each: int) -> Flags:
        """So many pairs of each order at these factories, those of lowest floor."""
        floor = np.full(self._floor.shape, np.inf)
        floor[:, factories] = self._floor[:, factories]
        rank = np.argsort(np.argsort(floor, axis=1, kind="stable"), axis=1, kind="stable")
        return np.asarray((rank < each) & np.isfinite(floor))

    def _kernel(self) -> None:
        """Branch and bound over the engaged factories and a few more, each order's pairs of lowest floor."""
        if self._over:
            return
        best = self._best()
        others = self._random.permutation(self._promising(_MORE))[: self._random.integers(*_OTHERS)]
        factories = np.union1d(np.unique(best[best >= 0]), others)
        among = self._cheapest(factories, int(self._random.integers(*_EACH)))
        self._take(finished(self._assignment, among, best, self._limits(_KERNEL_S)))

    def _neighbours(self) -> None:
        """Branch and bound over the orders of an engaged factory and of those near it, at all of these factories."""
        best = self._best()
        engaged = np.unique(best[best >= 0])
        if not len(engaged) or self._over:
            return
        mine = best == self._random.choice(engaged)
        factories = self._near(mine)
        free = np.flatnonzero(np.isin(best, factories) | mine | (best < 0))
        part = self._assignment.rest(free, best)
        among = np.zeros(part.shape, dtype=bool)
        among[:, factories] = (self._floor[free] < self._assignment.value(best))[:, factories]
        found = finished(part, among, best[free], self._limits(_PART_S))
        if found is not None:
            whole = best.copy()
            whole[free] = found
            self._take(whole)

    def _near(self, orders: Flags) -> Ints:
        """Some factories whose floors for these orders are low."""
        floor = self._floor[orders]
        dearer = np.where(np.isfinite(floor), floor, np.nan) - floor.min(axis=1)[:, None]
        far = np.nan_to_num(dearer, nan=np.nanmax(dearer)).mean(axis=0)
        far *= self._random.uniform(*_NEAR, len(far))
        return np.argsort(far, kind="stable")[: self._random.integers(*_BREADTH)]

    def _promising(self, more: float) -> Ints:
        """Factories of lowest floor that have the minutes for all orders and so many more times."""
        assignment = self._assignment
        ranked = np.argsort(self._floor.min(axis=0, initial=np.inf), kind="stable")
        asked = (1.0 + more) * assignment.fewest.sum()
        return np.asarray(ranked[: 1 + np.searchsorted(np.cumsum(assignment.room[ranked]), asked)])

    def _limits(self, seconds: float) -> Limits:
        return Limits(self._until - time.monotonic(), 1e-4, 1, stop=Spent(seconds, self._stop))
