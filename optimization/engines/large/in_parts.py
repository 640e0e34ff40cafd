"""The large-scale regime: prices of capacity, a fractional plan rounded, then parts planned anew in parallel.

For instances that one MIP does not carry. A linear program gives prices and pieces where it is small enough, an ascent
where it is not. Beside the search for better plans, one process raises the bound: by branch and bound on the whole
where that is small, by patterns where it is not.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from c2m.domain.arrays import Floats
from optimization.contract.plan import gap_share
from optimization.engines.bounds import column_generation, lagrangian
from optimization.engines.bounds.relaxation import relax
from optimization.engines.exact.workers import Workers
from optimization.engines.first.rounding import filled, rounded
from optimization.engines.large.ascent import ascend
from optimization.engines.large.neighbourhood import NeighbourhoodSearch
from optimization.statement.dense import Dense
from optimization.statement.draft import Draft
from optimization.statement.highs import Limits, Progress
from optimization.statement.part import Whole
from optimization.statement.solution import Solution

_FEWEST_SLOTS = 12_000  # below, branch and bound on the whole instance searches better, and the same way each time
_LEAST_S = 5e-5  # per slot; a search in less time finds nothing, and would end after it
_MOST_SLOTS = 250_000  # of a linear program over all slots
_MOST_NODE_SLOTS = 30_000  # above, patterns raise the bound sooner than branch and bound
_MOST_PATTERN_SLOTS = 1_000_000  # above, the raising of the bound does not get anywhere in minutes
# Shares of the time; the bound's from when there are prices: counted from the beginning, nothing was left of it on a
# busy machine. At 10,000 x 1,000 (quiet machine, limit 600 s) patterns raise the bound by 0.5 %, all in 50 s.
_LP_BY, _ROUND_BY, _BOUND_BY = 0.4, 0.6, 0.3


@dataclass
class _Bound:
    """The best proven bound so far, what proves it, and prices by which the verifier confirms the most of it."""

    value: float
    by: str  # lp | mip | lagrangian
    prices: Floats

    def raise_to(self, value: float, by: str) -> None:
        """Takes over a better one."""
        if value > self.value:
            self.value, self.by = value, by


def suits(whole: Whole, limits: Limits) -> bool:
    """Whether one program does not carry the instance; not where nodes are to stop the search.

    Parameters
    ----------
    whole
        The instance made ready for cutting.
    limits
        When to stop.

    Returns
    -------
    bool
        False where another engine should take it.
    """
    return limits.nodes is None and len(whole.arrays.slots[0]) >= _FEWEST_SLOTS


def solved(
    whole: Whole,
    limits: Limits,
    start: Solution,
    progress: Callable[[Progress], None] | None = None,
) -> Solution:
    """The best plan found, never dearer than `start`, and a bound proven for all pairs.

    Parameters
    ----------
    whole
        The instance made ready for cutting.
    limits
        When to stop.
    start
        A plan to begin with, which the result never costs more than.
    progress
        Called with each step of the search; None: nobody is told.

    Returns
    -------
    Solution
        With what the search counted.
    """
    began = time.monotonic()
    arrays, end = whole.arrays, began + limits.seconds
    if limits.seconds < _LEAST_S * len(arrays.slots[0]):
        return start
    bound, first_plan = _priced(arrays, limits)
    with Workers(limits.threads) as workers:
        by_nodes = len(arrays.slots[0]) <= _MOST_NODE_SLOTS
        if not by_nodes:
            _raise_by_patterns(workers, arrays, bound, min(_BOUND_BY * limits.seconds, end - time.monotonic()))
        search = NeighbourhoodSearch(
            whole, _cheaper(whole.draft(start.allocation, start.work), first_plan()), bound.prices
        )
        if by_nodes and limits.threads > 1:
            left = Limits(end - time.monotonic(), limits.gap, 1)
            workers.raise_by_nodes(whole.instance, whole.reduced, whole.allocation(search.draft), left)
        for gap in _steps(search, workers, bound, end):
            if progress:
                progress(Progress(time.monotonic() - began, bound.value, search.cost, gap))
            if gap <= limits.gap or limits.stopped:
                break
    return _outcome(search, bound)


def _steps(search: NeighbourhoodSearch, workers: Workers, bound: _Bound, end: float) -> Iterator[float]:
    """The gap before each step of the search until its end, and after the last."""
    while True:
        bound.raise_to(*workers.raised)
        yield gap_share(search.cost, bound.value)
        if time.monotonic() >= end:
            return
        search.step(workers.pool, workers.free, end)


def _cheaper(one: Draft, other: Draft | None) -> Draft:
    return other if other and other.cost() < one.cost() else one


def _priced(arrays: Dense, limits: Limits) -> tuple[_Bound, Callable[[], Draft | None]]:
    """Prices with their bound, and the way to a first plan; that one gives None where the time did not suffice."""
    began = time.monotonic()
    relaxed = relax(arrays, seconds=_LP_BY * limits.seconds) if len(arrays.slots[0]) <= _MOST_SLOTS else None
    if relaxed is None:
        ascended = ascend(arrays, _LP_BY * limits.seconds)
        return _Bound(ascended.bound, "lagrangian", ascended.prices), lambda: filled(arrays, ascended.pieces())
    until = began + _ROUND_BY * limits.seconds
    return _Bound(relaxed.value, "lp", relaxed.prices), partial(rounded, arrays, relaxed, until, lambda: limits.stopped)


def _raise_by_patterns(workers: Workers, arrays: Dense, bound: _Bound, seconds: float) -> None:
    """By patterns in a process of its own; where that would not get anywhere, by one look at them."""
    if len(arrays.slots[0]) > _MOST_PATTERN_SLOTS or workers.count < 2 or seconds < 1:
        bound.raise_to(column_generation.value(arrays, bound.prices), "lagrangian")
    else:
        workers.raise_by_patterns(arrays, bound.prices, seconds)


def _outcome(search: NeighbourhoodSearch, bound: _Bound) -> Solution:
    whole, draft = search.whole, search.draft
    return Solution(
        allocation=whole.allocation(draft),
        work=whole.schedule(draft),
        cost=search.cost,
        bound=bound.value,
        bound_by=bound.by,
        rows=len(whole.arrays.quantity) + whole.arrays.room.size,
        columns=len(whole.arrays.slots[0]),
        integers=len(whole.arrays.order),
        nodes=search.tried,
        prices=lagrangian.table(whole.arrays, whole.factory_ids, bound.prices),
    )
