"""Instances that turn on which factories to engage: what no good plan uses is left out before anything is stated.

Floors under the cost of every plan that uses a pair (optimization/engines/location/engagement.py) need seconds where
the model of all pairs would need minutes. The pairs whose floor is not above an assumed cost are stated and searched.
What that proves holds for all pairs up to the assumed cost; where no plan is that cheap, the assumption is raised.
"""

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from c2m.domain.arrays import Floats
from optimization.engines.exact import one_program
from optimization.engines.location.engagement import floors
from optimization.statement.dense import Dense
from optimization.statement.highs import Limits, Progress
from optimization.statement.part import Whole
from optimization.statement.reduction import Pairs
from optimization.statement.solution import Solution

OnProgress = Callable[[Progress], None]

_MANY = 1_000  # pairs; below, stating them all is as quick
_FLOORS_BY = 0.2  # share of the time
# What a best plan may cost above the bound, in turn. Measured: at most 0.3 % where lots may be split, 2 % where not.
_ASSUMED = (0.003, 0.01, 0.04, np.inf)


def suits(whole: Whole, limits: Limits) -> bool:
    """Whether there are many pairs, days need no telling apart, and there is a choice of factories to engage.

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
    pairs, factories = whole.reduced.pairs, whole.instance.factories
    if len(pairs) <= _MANY or whole.reduced.spans["factory_id"].duplicated().any():
        return False
    costly = factories["factory_id"][factories["engagement_cost"] > 0]
    at_choice = pairs["factory_id"].isin(costly) & ~pairs["factory_id"].isin(pairs["factory_id"][pairs["kept"] > 0])
    return bool(at_choice.any())


def solved(whole: Whole, limits: Limits, start: Solution, progress: OnProgress | None = None) -> Solution:
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
    proven = floors(whole.arrays, _FLOORS_BY * limits.seconds)
    found, bound, bound_by = start, proven.bound, "lagrangian"
    for share in _ASSUMED:
        assumed = proven.bound + share * abs(proven.bound) if np.isfinite(share) else np.inf
        cutoff = min(assumed, found.cost)
        left = replace(limits, seconds=limits.seconds - (time.monotonic() - began))
        if found.cost - bound <= limits.gap * abs(found.cost) or left.seconds <= 0 or limits.stopped:
            break
        counts = np.flatnonzero(proven.count <= cutoff)
        engaged = (int(counts[0]), int(counts[-1])) if len(counts) else None
        pairs = _below(whole.reduced, whole.arrays, proven.pair, cutoff)
        outcome = one_program.solved(whole.instance, pairs, left, _capped(progress, cutoff), engaged, found.allocation)
        if outcome is None:
            break  # within the solver's tolerance frozen work does not fit
        bound, bound_by = max((bound, bound_by), (min(cutoff, outcome.bound), "mip"))
        found = min(outcome, found, key=lambda one: one.cost)
        if cutoff < assumed:
            break  # all pairs that could better a plan have been searched
    return replace(found, bound=bound, bound_by=bound_by)


def _below(reduced: Pairs, arrays: Dense, floor: Floats, cutoff: float) -> Pairs:
    return replace(reduced, pairs=reduced.pairs[(floor <= cutoff) | (arrays.kept > 0)].reset_index(drop=True))


def _capped(progress: OnProgress | None, cutoff: float) -> OnProgress | None:
    """Progress on some pairs as progress on all: nothing above the cutoff is proven for those left out."""
    return progress and (lambda step: progress(replace(step, bound=min(step.bound, cutoff))))
