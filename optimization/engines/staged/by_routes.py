"""Stages at scale: a bound by routes, then the exact program over the pairs that these routes use.

In: an Instance with stages or pools, limits. Out: the Outcome, its bound proven for all pairs.
"""

import time
from collections.abc import Callable
from dataclasses import replace

import pandas as pd

from optimization.contract.instances import Instance, rows
from optimization.contract.plan import pair_key
from optimization.engines.staged import by_days
from optimization.engines.staged.by_days import First
from optimization.engines.staged.placing import Placed, placed
from optimization.engines.staged.routes import Routes, bounded
from optimization.stages.flat import Flat, flat_of
from optimization.statement.highs import Limits, Progress
from optimization.statement.outcome import Outcome

_SLOTS = 3_000  # pairs times their days; beyond it the program by days is not closed within a minute
_LINKS = 1_000
_BOUND_BY, _FIRST_BY = 0.3, 0.5  # share of the time until the bound, and until the first plan


def suits(flat: Flat) -> bool:
    """Whether the program by days is too large to be solved as a whole."""
    pairs = flat.reduced.pairs
    slots = int((pairs["last_day"] - pairs["first_day"] + 1).clip(lower=0).sum())
    return slots > _SLOTS or len(flat.links) > _LINKS


def solved(instance: Instance, limits: Limits, progress: Callable[[Progress], None] | None = None) -> Outcome:
    """The best plan found within the limits. Raises InfeasibleError where the frozen work does not fit."""
    began = time.monotonic()
    flat = flat_of(instance)
    if not suits(flat):
        return by_days.solved(instance, limits, progress)
    routes = Routes(flat)
    bound = bounded(routes, began + _BOUND_BY * limits.seconds)
    plain = instance.frozen.empty and instance.pools.empty
    made = placed(routes, bound, began + _FIRST_BY * limits.seconds) if plain else Placed(routes.arrays.room)
    few = _narrow(instance, flat, {*bound.used.tolist(), *made.pieces})
    left = replace(limits, seconds=limits.seconds - (time.monotonic() - began))
    found = by_days.solved(few, left, progress, _named(flat, made) if plain else None)
    return replace(found, bound=max(0.0, bound.value), bound_by="lagrangian")


def _named(flat: Flat, made: Placed) -> First:
    """The placed plan by names; days from 1."""
    pairs = list(zip(flat.reduced.pairs["lot_id"], flat.reduced.pairs["factory_id"], strict=True))
    teams = {(row.lot_id, row.factory_id): row.team for row in rows(flat.teams)}
    return First(
        {pairs[p]: pieces for p, pieces in made.pieces.items()},
        {(*pairs[p], pairs[q][1]): pieces for (p, q), pieces in made.passed.items()},
        {teams[pairs[p]]: day + 1 for p, day in made.set_up.items()},
    )


def _narrow(instance: Instance, flat: Flat, numbers: set[int]) -> Instance:
    """The instance with the arcs of some pairs and those of incumbents."""
    pairs = flat.reduced.pairs
    used = pairs[pairs.index.isin(numbers) | (pairs["held"] > 0) | (pairs["kept"] > 0)]
    named = used.merge(flat.parts, on="lot_id").drop(columns="lot_id").rename(columns={"order": "lot_id"})
    key = pair_key(instance)
    here = pd.MultiIndex.from_frame(instance.arcs[key]).isin(pd.MultiIndex.from_frame(named[key]))
    return replace(instance, arcs=instance.arcs[here].reset_index(drop=True))
