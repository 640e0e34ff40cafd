"""The book of a business day, in however many rounds it was planned: what the figures of the day are about.

A later round of a day meets what the day itself has committed as frozen work. There the common rule and a plan without
splits could change next to nothing, and would look as good as the plan. In the day's book these commitments are free
again; what was committed before the day stays. Whoever plans the book knows from the start which factories refused:
that favours the rule, never our plan.
In: the instances of the day's first released round and of its last, the last plan. Out: `Day`. Money is in the plan's
currency.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from optimization.contract.instances import Instance, whole_lots
from optimization.contract.plan import Plan, cost_parts, empty_frame, pair_key, unmet_pieces
from optimization.engines.first.rule import greedy

_ALONE = "the common rule places whole lots alone; this one is made in stages or shares a setup"


def day_book(first: Instance, last: Instance) -> Instance:
    """The last round's instance with the commitments that the first round met, as far as they still stand."""
    if first.sha256 == last.sha256 or first.staged != last.staged:
        return last
    key = pair_key(last)
    held = last.incumbent[[*key, "quantity", "setup_done"]]
    rows = first.incumbent.merge(held, on=key, how="left", suffixes=("", "_now")).merge(last.arcs[key], on=key)
    # Frozen work shrinks by what was made of it; what was not frozen the day may have moved itself, at its own cost.
    standing = np.minimum(rows["quantity"], rows["quantity_now"].fillna(0)).astype(np.int64)
    rows["quantity"] = rows["quantity"].where(~rows["frozen"], standing)
    rows["setup_done"] |= rows["setup_done_now"].eq(True)
    incumbent = rows.loc[rows["quantity"] > 0, list(first.incumbent.columns)]
    return replace(last, incumbent=incumbent.reset_index(drop=True))


@dataclass(frozen=True)
class Day:
    """What a day costs. plan: the last round's, its cost by the book; its bound and gap remain those of its round."""

    book: Instance
    plan: Plan
    rule: Plan

    @property
    def figures(self) -> dict[str, Any]:
        """Cost of the plan and of the common rule, in all and by part, and what the plan saves."""
        ours, rules = self.plan.report["objective"], self.rule.report["objective"]
        return {
            "objective": ours,
            "common_rule_objective": rules,
            "saved": rules - ours,
            "saved_share": (rules - ours) / rules if rules else 0.0,
            "cost": self.plan.report["cost"],
            "common_rule_cost": self.rule.report["cost"],
        }


def day_of(first: Instance, last: Instance, plan: Plan) -> Day:
    """The day as one book, with the last round's plan and the common rule beside it.

    Parameters
    ----------
    first
        Instance of the day's first round.
    last
        Instance of its last round.
    plan
        Plan of the last round.

    Returns
    -------
    Day
        The book, the plan priced in it, and the common rule's plan.

    Raises
    ------
    InfeasibleError
        The rule cannot place the frozen work.
    """
    book = day_book(first, last)
    cost = cost_parts(book, plan.allocation, plan.schedule, plan.moves)
    priced = replace(plan, report=plan.report | {"cost": cost, "objective": sum(cost.values())})
    return Day(book, priced, _by_rule(book))


def _by_rule(book: Instance) -> Plan:
    """The common rule, which places whole lots alone: those that are made in stages, or share setups, it leaves."""
    if not book.joint:
        return greedy(book)
    whole = whole_lots(book)
    rule = greedy(whole)
    key = {"stage": 1} if book.staged else {}
    allocation, schedule = rule.allocation.assign(**key), rule.schedule.assign(**key)
    cost = cost_parts(book, allocation, schedule, empty_frame("moves") if book.staged else None)
    objective, left = sum(cost.values()), unmet_pieces(book, allocation).drop(whole.orders["lot_id"])
    unmet = [{"order_id": lot, "quantity": int(pieces), "reason": _ALONE} for lot, pieces in left.items()]
    told = {"cost": cost, "objective": objective, "gap": 1.0 if objective > 0 else 0.0}
    return Plan(allocation, schedule, rule.report | told | {"unmet": rule.report["unmet"] + unmet})
