"""Stages at scale: a bound by routes, a first plan over the pairs that these routes use, then parts planned anew.

In: an Instance with stages or pools, limits. Out: the Solution, its bound proven for all pairs.
"""

import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import replace

import numpy as np
import pandas as pd

from c2m.domain.arrays import Ints
from c2m.errors import InfeasibleError
from optimization.contract.instances import Instance
from optimization.contract.plan import MOVE, gap_share, pair_key
from optimization.engines.exact.workers import Workers
from optimization.engines.staged import by_days
from optimization.engines.staged.opening import opened
from optimization.engines.staged.parts import Here, StagedSearch
from optimization.engines.staged.routes import Routes, bounded
from optimization.stages.flat import Flat, flat_of
from optimization.stages.plan_tables import Tables
from optimization.statement.highs import Limits, Progress
from optimization.statement.solution import Solution

_SLOTS = 3_000  # pairs times their days; beyond it the program by days is not closed within a minute
_LINKS = 1_000
_BOUND_BY, _FIRST_BY = 0.3, 0.4  # share of the time for the bound, and for the first plan
_ANY = 0.5  # gap of a plan of frozen work alone
_BREADTH = 3  # pairs of each stage that parts may choose from, beside those that the routes use


def suits(flat: Flat) -> bool:
    """Whether the program by days is too large to be solved as a whole."""
    pairs = flat.reduced.pairs
    slots = int((pairs["last_day"] - pairs["first_day"] + 1).clip(lower=0).sum())
    return slots > _SLOTS or len(flat.links) > _LINKS


def solved(instance: Instance, limits: Limits, progress: Callable[[Progress], None] | None = None) -> Solution:
    """The best plan found within the limits.

    Parameters
    ----------
    instance
        What is planned.
    limits
        When to stop.
    progress
        Called with each step of the search; None: nobody is told.

    Returns
    -------
    Solution
        With moves between stages.

    Raises
    ------
    InfeasibleError
        The frozen work does not fit.
    """
    began = time.monotonic()
    flat = flat_of(instance)
    if not suits(flat):
        return by_days.solved(instance, limits, progress, early=True)
    by_days.refuse_stranded(flat)
    routes = Routes(flat)
    bound = bounded(routes, _BOUND_BY * limits.seconds)
    near = np.union1d(bound.used, routes.cheapest_pairs(bound.price, _BREADTH))
    routes.through_frozen(bound.price)
    routes.around(bound.price)
    plan = _first(instance, routes, near, _FIRST_BY * limits.seconds)
    few = _few(instance, flat, near, plan.allocation)
    left = replace(limits, seconds=limits.seconds - (time.monotonic() - began))
    if limits.nodes is not None:
        found = by_days.solved(few, limits, progress, plan)
        return replace(found, bound=max(0.0, bound.value), bound_by="lagrangian")
    search = StagedSearch(few, plan, routes.table(bound.price), routes.floors(bound.price))
    _improve(search, bound.value, left, progress)
    key, moves = pair_key(instance), search.plan.moves
    return Solution(
        allocation=search.plan.allocation.sort_values(key, ignore_index=True),
        work=search.plan.schedule.sort_values([*key, "day"], ignore_index=True),
        moves=None if moves is None else moves.sort_values([*MOVE, "day"], ignore_index=True),
        cost=search.cost,
        bound=max(0.0, bound.value),
        rows=len(flat.parts) + routes.arrays.room.size,
        columns=len(routes.arrays.slots[0]),
        integers=len(routes.arrays.order),
        nodes=search.tried,
    )


def _improve(
    search: StagedSearch, bound: float, limits: Limits, progress: Callable[[Progress], None] | None = None
) -> None:
    """Plans parts anew until a limit."""
    if limits.threads == 1:
        _by(Here(), lambda: 1, search, bound, limits, progress)
    else:
        with Workers(limits.threads) as workers:
            _by(workers.pool, lambda: workers.free, search, bound, limits, progress)


def _by(
    pool: Executor,
    free: Callable[[], int],
    search: StagedSearch,
    bound: float,
    limits: Limits,
    progress: Callable[[Progress], None] | None,
) -> None:
    began = time.monotonic()
    while True:
        gap, seconds = gap_share(search.cost, bound), time.monotonic() - began
        if progress:
            progress(Progress(seconds, bound, search.cost, gap))
        if gap <= limits.gap or search.exhausted or limits.stopped or seconds >= limits.seconds:
            return
        search.step(pool, free(), began + limits.seconds)


def _first(instance: Instance, routes: Routes, near: Ints, seconds: float) -> Tables:
    """A plan over known routes; else the frozen work by itself, or nothing where none is frozen."""
    made = opened(routes, seconds)
    if made is not None:
        return made
    stand = _of_lots(instance, instance.frozen["lot_id"])
    limits = Limits(seconds, _ANY, 1)
    try:
        found = by_days.solved(_few(stand, routes.flat, near), limits)
    except InfeasibleError:  # of few pairs; of all it is judged here
        found = by_days.solved(stand, limits)
    return Tables(found.allocation, found.work, found.moves)


def _of_lots(instance: Instance, lots: "pd.Series[str]") -> Instance:
    """The instance with the arcs of some lots alone: the others are left unmet."""
    return replace(instance, arcs=instance.arcs[instance.arcs["lot_id"].isin(lots)].reset_index(drop=True))


def _few(instance: Instance, flat: Flat, numbers: Ints, made: pd.DataFrame | None = None) -> Instance:
    """The instance with the arcs of some pairs, those of incumbents, and those of a plan's allocation."""
    pairs, key = flat.reduced.pairs, pair_key(instance)
    used = pairs[pairs.index.isin(numbers) | (pairs["held"] > 0) | pairs["frozen"]]
    named = used.merge(flat.parts, on="lot_id").drop(columns="lot_id").rename(columns={"order": "lot_id"})[key]
    named = named if made is None else pd.concat([named, made[key]])
    here = pd.MultiIndex.from_frame(instance.arcs[key]).isin(pd.MultiIndex.from_frame(named))
    return replace(instance, arcs=instance.arcs[here].reset_index(drop=True))
