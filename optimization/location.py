"""Instances that turn on which factories to engage: what no good plan uses is left out before anything is stated.

Floors under the cost of every plan that uses a pair (optimization/engagement.py) need seconds where the model of all
pairs would need minutes. The pairs whose floor is not above an assumed cost are stated and searched. What that proves
holds for all pairs up to the assumed cost; where no plan is that cheap, the assumption is raised.
"""

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from optimization import exact
from optimization.dense import Dense, Floats, dense
from optimization.engagement import floors
from optimization.exact import Outcome
from optimization.highs import Limits, Progress
from optimization.pairs import Pairs
from optimization.problem import Instance

OnProgress = Callable[[Progress], None]

_MANY = 1_000  # pairs; below, stating them all is as quick
_FLOORS_BY = 0.2  # share of the time
# What a best plan may cost above the bound, in turn. Measured: at most 0.3 % where lots may be split, 2 % where not.
_ASSUMED = (0.003, 0.01, 0.04, np.inf)


def solved(instance: Instance, reduced: Pairs, limits: Limits, progress: OnProgress | None = None) -> Outcome | None:
    """The best plan found and a bound proven for all pairs; None where the instance is of another kind."""
    began = time.monotonic()
    if not _is_location(instance, reduced):
        return None
    d = dense(instance, reduced)
    proven = floors(d, np.inf if limits.nodes else _FLOORS_BY * limits.seconds)
    found: Outcome | None = None
    bound, bound_by = proven.bound, "lagrangian"
    for share in _ASSUMED:
        assumed = proven.bound + share * abs(proven.bound)
        cutoff = min(assumed, found.cost) if found else assumed
        left = replace(limits, seconds=limits.seconds - (time.monotonic() - began))
        counts = np.flatnonzero(proven.count <= cutoff)
        engaged = int(counts.min()), int(counts.max())
        pairs, known = _below(reduced, d, proven.pair, cutoff), found.allocation if found else None
        outcome = exact.solved(instance, pairs, left, _capped(progress, cutoff), engaged, known)
        if outcome is None:
            return None
        if outcome.bound is not None:
            bound, bound_by = max((bound, bound_by), (min(cutoff, outcome.bound), "mip"))
        found = min(found or outcome, outcome, key=lambda one: one.cost)
        if found.cost - bound <= limits.gap * abs(found.cost) or cutoff < assumed:
            break  # proven, or all pairs that could better a plan have been searched
        if left.seconds <= 0 or limits.stopped:
            break
    return found and replace(found, bound=bound, bound_by=bound_by)


def _is_location(instance: Instance, reduced: Pairs) -> bool:
    """Whether there are many pairs, days need no telling apart, and there is a choice of factories to engage."""
    pairs, factories = reduced.pairs, instance.factories
    if len(pairs) <= _MANY or reduced.spans["factory_id"].duplicated().any():
        return False
    costly = factories["factory_id"][factories["engagement_cost"] > 0]
    at_choice = pairs["factory_id"].isin(costly) & ~pairs["factory_id"].isin(pairs["factory_id"][pairs["kept"] > 0])
    return bool(at_choice.any())


def _below(reduced: Pairs, d: Dense, floor: Floats, cutoff: float) -> Pairs:
    return replace(reduced, pairs=reduced.pairs[(floor <= cutoff) | (d.kept > 0)].reset_index(drop=True))


def _capped(progress: OnProgress | None, cutoff: float) -> OnProgress | None:
    """Progress on some pairs as progress on all: nothing above the cutoff is proven for those left out."""
    return progress and (lambda step: progress(replace(step, bound=min(step.bound, cutoff))))
