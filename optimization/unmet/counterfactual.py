"""The cheapest plan of a small instance, with one decision made for it if so asked: a pair that must be used."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from optimization.contract.instances import Instance
from optimization.contract.plan import Plan, cost_parts, empty_frame
from optimization.engines.exact import one_program
from optimization.statement.highs import Limits
from optimization.statement.reduction import reduce
from optimization.statement.solution import Solution

_GAP = 1e-6


@dataclass(frozen=True)
class Counterfactual:
    """The cheapest plan found, with a proven bound on the cost; not `possible` where there is none.

    `total` is what the model says; cost by part is computed where it is asked for.
    """

    instance: Instance
    found: Solution | None

    @property
    def possible(self) -> bool:
        """Whether there is a plan."""
        return self.found is not None

    @property
    def total(self) -> float:
        """Cost of the plan, inf where there is none."""
        return self.found.cost if self.found else np.inf

    @property
    def bound(self) -> float:
        """Least possible cost."""
        return self.found.bound if self.found else np.inf

    @cached_property
    def plan(self) -> Plan:
        """Pieces and days; none where there is no plan."""
        if self.found is None:
            return Plan(empty_frame("allocation"), empty_frame("schedule"), {})
        return Plan(self.found.allocation, self.found.work, {})

    @cached_property
    def cost(self) -> dict[str, float]:
        """Cost by part."""
        return cost_parts(self.instance, self.plan.allocation, self.plan.schedule)


def cheapest(
    instance: Instance, seconds: float, using: tuple[str, str] | None = None, known: pd.DataFrame | None = None
) -> Counterfactual:
    """The cheapest plan found in the time.

    Parameters
    ----------
    instance
        What is planned.
    seconds
        For the search.
    using
        A lot and a factory that must make some of it; None: none must.
    known
        An allocation to start from, of these lots and perhaps others: lot_id, factory_id, quantity (pieces); None:
        there is none.

    Returns
    -------
    Counterfactual
        With no plan where there is none.
    """
    reduced = reduce(instance)
    if using:
        pairs = _must_use(reduced.pairs, *using)
        if pairs is None:
            return Counterfactual(instance, None)
        reduced = replace(reduced, pairs=pairs)
    return Counterfactual(
        instance, one_program.solved(instance, reduced, Limits(seconds, _GAP, threads=1), known=known)
    )


def _must_use(pairs: pd.DataFrame, lot_id: str, factory_id: str) -> pd.DataFrame | None:
    """The pairs, one of them used in every plan; None where it is not among them."""
    its = pairs["lot_id"] == lot_id
    asked = its & (pairs["factory_id"] == factory_id)
    if not asked.any():
        return None
    least = np.maximum(pairs["kept"], pairs["least"])  # to the model, a pair with kept pieces is one that is used
    takes = its & bool((pairs["kept"][asked] == 0).all())  # one of the lot's new pairs
    return pairs.assign(kept=pairs["kept"].mask(asked, least), max_new=pairs["max_new"] - takes)
