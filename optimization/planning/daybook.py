"""The book of a business day, in however many rounds it was planned: what the figures of the day are about.

A later round of a day meets what the day itself has committed as frozen work. There the common rule and a plan without
splits could change next to nothing, and would look as good as the plan. In the day's book these commitments are free
again; what was committed before the day stays. Whoever plans the book knows from the start which factories refused:
that favours the rule, never our plan.
In: the instances of the day's first released round and of its last, the last plan. Out: `DayCost`. Money is in the
plan's currency.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from optimization.contract import groups
from optimization.contract.instances import Instance, whole_lots
from optimization.contract.plan import DAY, Plan, cost_parts, pair_key
from optimization.engines.first.rule import greedy


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
class DayCost:
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


def day_of(first: Instance, last: Instance, plan: Plan) -> DayCost:
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
    DayCost
        The book, the plan priced in it, and the common rule's plan.

    Raises
    ------
    InfeasibleError
        The rule cannot place the frozen work.
    """
    book = day_book(first, last)
    cost = cost_parts(book, plan.allocation, plan.schedule, plan.moves)
    priced = replace(plan, report=plan.report | {"cost": cost, "objective": sum(cost.values())})
    return DayCost(book, priced, _by_rule(book, priced))


def _by_rule(book: Instance, plan: Plan) -> Plan:
    """The common rule's plan. It places whole lots alone: joint ones stay as planned, and it gets the room beside."""
    if not book.joint:
        return greedy(book)
    whole = whole_lots(book)
    ours = [table[~table["lot_id"].isin(whole.orders["lot_id"])] for table in (plan.allocation, plan.schedule)]
    rule = greedy(replace(whole, capacity=_beside(book.capacity, ours[1])))
    both = (groups.of_both(table, own) for table, own in zip((rule.allocation, rule.schedule), ours, strict=True))
    allocation, schedule = both
    cost = cost_parts(book, allocation, schedule, plan.moves)
    objective, joint = sum(cost.values()), set(book.orders["lot_id"]) - set(whole.orders["lot_id"])
    left = [short for short in plan.report["unmet"] if short["order_id"] in joint]
    told = {"cost": cost, "objective": objective, "gap": 1.0 if objective > 0 else 0.0}
    return Plan(allocation, schedule, rule.report | told | {"unmet": rule.report["unmet"] + left}, moves=plan.moves)


def _beside(capacity: pd.DataFrame, schedule: pd.DataFrame) -> pd.DataFrame:
    """The capacity that a schedule leaves."""
    work = schedule.assign(taken=schedule["setup_minutes"] + schedule["run_minutes"]).groupby(DAY)["taken"].sum()
    taken = capacity[DAY].join(work, on=DAY)["taken"].fillna(0.0)
    regular = np.minimum(taken, capacity["minutes"])
    overtime = (capacity["overtime_minutes"] - (taken - regular)).clip(lower=0)
    return capacity.assign(minutes=capacity["minutes"] - regular, overtime_minutes=overtime)
