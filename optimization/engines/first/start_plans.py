"""Plans that are known before any search: the common rule's, and what is in force made feasible.

They are the first plans of every search and its floor: no plan that is returned costs more than the cheapest of them.
In force are the incumbents' pieces. Made feasible: no more than order, pair and days take, whole lots, at most
max_factories; once as they are, once with the rest of the book placed around them by the rule.
In: an instance made ready (optimization/statement/part.py). Out: a `Solution` without a bound.
"""

import numpy as np

from c2m.domain.arrays import Ints
from optimization.engines.first.rounding import cumulative, rank, spread
from optimization.engines.first.rule import by_rule, frozen_work
from optimization.statement.dense import Dense
from optimization.statement.draft import Draft
from optimization.statement.part import Whole
from optimization.statement.solution import Solution


def _in_force(arrays: Dense) -> Draft | None:
    """What incumbents hold, as far as it fits; None where they hold nothing but frozen work."""
    return spread(arrays, fitted(arrays)) if (arrays.held > arrays.kept).any() else None


def known(whole: Whole) -> dict[str, Draft]:
    """The plans by name. Raises InfeasibleError where the frozen work does not fit."""
    standing = frozen_work(whole)
    drafts = {"frozen work alone": standing, "common rule": by_rule(whole, standing)}
    if in_force := _in_force(whole.arrays):
        drafts["in force"] = in_force
        drafts["in force, the rest by the rule"] = by_rule(whole, in_force)
    return drafts


def fitted(arrays: Dense) -> Ints:
    """Pieces (pairs,) of the incumbents that order, pair and max_factories can take, the largest first."""
    kept = arrays.kept > 0
    pieces = np.where(kept, arrays.kept, np.minimum(arrays.held, arrays.most))
    pieces = np.where(kept | (pieces >= arrays.least), pieces, 0)
    place = rank(arrays.order, np.where(kept, -1, pieces))
    pieces = np.where(kept | (place < arrays.max_new[arrays.order]), pieces, 0)
    before = cumulative(arrays.order, rank(arrays.order, np.where(kept, np.inf, pieces)), pieces)
    pieces = np.clip(arrays.quantity[arrays.order] - before, 0, pieces)
    return np.where(kept | (pieces >= arrays.least), pieces, 0)


def cheapest(whole: Whole) -> tuple[Solution, dict[str, float]]:
    """The cheapest of the plans, and what each of them costs."""
    drafts = known(whole)
    costs = {name: draft.cost() for name, draft in drafts.items()}
    draft = drafts[min(costs, key=lambda name: costs[name])]
    return Solution(whole.allocation(draft), whole.schedule(draft), draft.cost()), costs
