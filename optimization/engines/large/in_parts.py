"""The large-scale regime: prices of capacity, a fractional plan rounded, then parts planned anew in parallel.

For instances that one MIP does not carry. A linear program gives prices and pieces where it is small enough, an ascent
where it is not. Beside the search for better plans, one process raises the bound: by branch and bound on the whole
where that is small, by patterns where it is not.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from optimization.engines.bounds import column_generation, lagrangian
from optimization.engines.bounds.relaxation import relax
from optimization.engines.exact.workers import Workers
from optimization.engines.first.rounding import filled, rounded
from optimization.engines.large.ascent import ascend
from optimization.engines.large.neighbourhood import Search
from optimization.statement.arrays import Dense, Floats
from optimization.statement.draft import Draft
from optimization.statement.highs import Limits, Progress
from optimization.statement.outcome import Outcome
from optimization.statement.part import Whole

_FEWEST_SLOTS = 12_000  # below, branch and bound on the whole instance searches better, and the same way each time
_LEAST_S = 5e-5  # per slot; a search in less time finds nothing, and would end after it
_MOST_SLOTS = 250_000  # of a linear program over all slots
_MOST_NODE_SLOTS = 30_000  # above, patterns raise the bound sooner than branch and bound
_MOST_PATTERN_SLOTS = 1_000_000  # above, the raising of the bound does not get anywhere in minutes
_LP_BY, _ROUND_BY, _BOUND_BY = 0.4, 0.6, 0.5  # shares of the time


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


def suits(w: Whole, limits: Limits) -> bool:
    """Whether one program does not carry the instance; not where nodes are to stop the search."""
    return limits.nodes is None and len(w.d.slots[0]) >= _FEWEST_SLOTS


def solved(
    w: Whole,
    limits: Limits,
    start: Outcome,
    progress: Callable[[Progress], None] | None = None,
) -> Outcome:
    """The best plan found, never dearer than `start`, and a proven bound."""
    began = time.monotonic()
    d, end = w.d, began + limits.seconds
    if limits.seconds < _LEAST_S * len(d.slots[0]):
        return start
    bound, first_plan = _priced(d, limits)
    with Workers(limits.threads) as workers:
        by_nodes = len(d.slots[0]) <= _MOST_NODE_SLOTS
        if not by_nodes:
            _raise_by_patterns(workers, d, bound, began + _BOUND_BY * limits.seconds)
        search = Search(w, _cheaper(w.draft(start.allocation, start.work), first_plan()), bound.prices)
        if by_nodes and limits.threads > 1:
            left = Limits(end - time.monotonic(), limits.gap, 1)
            workers.raise_by_nodes(w.instance, w.reduced, w.allocation(search.draft), left)
        for gap in _steps(search, workers, bound, end):
            if progress:
                progress(Progress(time.monotonic() - began, bound.value, search.cost, gap))
            if gap <= limits.gap or limits.stopped:
                break
    return _outcome(search, bound)


def _steps(search: Search, workers: Workers, bound: _Bound, end: float) -> Iterator[float]:
    """The gap before each step of the search until its end, and after the last."""
    while True:
        bound.raise_to(*workers.raised)
        yield (search.cost - bound.value) / abs(search.cost) if search.cost > bound.value else 0.0
        if time.monotonic() >= end:
            return
        search.step(workers.pool, workers.free, end)


def _cheaper(one: Draft, other: Draft | None) -> Draft:
    return other if other and other.cost() < one.cost() else one


def _priced(d: Dense, limits: Limits) -> tuple[_Bound, Callable[[], Draft | None]]:
    """Prices with their bound, and the way to a first plan; that one gives None where the time did not suffice."""
    began = time.monotonic()
    relaxed = relax(d, seconds=_LP_BY * limits.seconds) if len(d.slots[0]) <= _MOST_SLOTS else None
    if relaxed is None:
        ascended = ascend(d, _LP_BY * limits.seconds)
        return _Bound(ascended.bound, "lagrangian", ascended.prices), partial(filled, d, ascended.pieces)
    until = began + _ROUND_BY * limits.seconds
    return _Bound(relaxed.value, "lp", relaxed.prices), partial(rounded, d, relaxed, until, lambda: limits.stopped)


def _raise_by_patterns(workers: Workers, d: Dense, bound: _Bound, until: float) -> None:
    """By patterns in a process of its own; where that would not get anywhere, by one look at them."""
    seconds = until - time.monotonic()
    if len(d.slots[0]) > _MOST_PATTERN_SLOTS or workers.count < 2 or seconds < 1:
        bound.raise_to(column_generation.value(d, bound.prices), "lagrangian")
    else:
        workers.raise_by_patterns(d, bound.prices, seconds)


def _outcome(search: Search, bound: _Bound) -> Outcome:
    w, draft = search.w, search.draft
    return Outcome(
        allocation=w.allocation(draft),
        work=w.schedule(draft),
        cost=search.cost,
        bound=bound.value,
        bound_by=bound.by,
        rows=len(w.d.quantity) + w.d.room.size,
        columns=len(w.d.slots[0]),
        integers=len(w.d.order),
        nodes=search.tried,
        prices=lagrangian.table(w.d, w.factory_ids, bound.prices),
    )
