"""Some lots of a book as an instance of their own, in the minutes that the rest of the plan leaves them.

Unlike the parts that the search plans anew (`optimization.statement.part.cut`), nothing is left out of it that a plan
cannot use at present: every arc and every day stays, since an explanation asks what would be if a rule were another.
"""

import numpy as np
import pandas as pd

from optimization.contract.instances import Instance
from optimization.contract.plan import PAIR, Plan, cost_parts
from optimization.statement.part import costs_left, minutes_left, sub_instance

_DAY = ["factory_id", "day"]


def part(instance: Instance, plan: Plan, lots: list[str], beside: str = "plan") -> Instance:
    """The lots in what the others leave: of the plan as it is, or (`beside` "frozen") of their frozen pieces alone."""
    arcs = instance.arcs[instance.arcs["lot_id"].isin(lots)]
    others = plan.schedule[~plan.schedule["lot_id"].isin(lots)]
    if beside == "frozen":
        others = _frozen(instance, plan, others)
    capacity = instance.capacity[instance.capacity["factory_id"].isin(arcs["factory_id"])]
    factories = instance.factories[instance.factories["factory_id"].isin(arcs["factory_id"])]
    return sub_instance(instance, lots, arcs, _left(capacity, others), _left_to_cost(factories, others))


def of_lots(plan: Plan, lots: list[str]) -> Plan:
    """The plan's rows of some lots."""
    allocation, schedule = (t[t["lot_id"].isin(lots)].reset_index(drop=True) for t in (plan.allocation, plan.schedule))
    return Plan(allocation, schedule, plan.report)


def cost_of(part: Instance, plan: Plan) -> dict[str, float]:
    """What the part costs in the plan, by part of the cost."""
    mine = of_lots(plan, part.orders["lot_id"].tolist())
    return cost_parts(part, mine.allocation, mine.schedule)


def around(instance: Instance, plan: Plan, lot_id: str, most_arcs: int) -> list[str]:
    """The lot and those that hold most minutes at its factories, as many as their arcs allow; all where all fit."""
    sizes = instance.arcs.groupby("lot_id").size()
    if len(instance.arcs) <= most_arcs:
        return instance.orders["lot_id"].tolist()
    mine = instance.arcs["factory_id"][instance.arcs["lot_id"] == lot_id]
    near = plan.schedule[plan.schedule["factory_id"].isin(mine) & (plan.schedule["lot_id"] != lot_id)]
    minutes = (near["setup_minutes"] + near["run_minutes"]).groupby(near["lot_id"]).sum()
    ranked = [lot_id, *minutes.sort_values(ascending=False, kind="stable").index]
    total = np.cumsum(sizes.reindex(ranked, fill_value=0))
    return ranked[: max(1, int(np.searchsorted(total, most_arcs, side="right")))]


def _frozen(instance: Instance, plan: Plan, others: pd.DataFrame) -> pd.DataFrame:
    """The others' work cut down to their frozen pieces."""
    kept = instance.incumbent[instance.incumbent["frozen"].to_numpy(bool)][[*PAIR, "quantity"]]
    pieces = plan.allocation.merge(kept, on=PAIR, suffixes=("", "_kept"))
    work = others.merge(pieces, on=PAIR)
    return work.assign(run_minutes=work["run_minutes"] * work["quantity_kept"] / work["quantity"])


def _left(capacity: pd.DataFrame, others: pd.DataFrame) -> pd.DataFrame:
    load = others.assign(load=others["setup_minutes"] + others["run_minutes"]).groupby(_DAY, as_index=False)[["load"]]
    table = capacity.merge(load.sum(), on=_DAY, how="left").fillna({"load": 0.0})
    known = (table[column].to_numpy(dtype=float) for column in ("minutes", "overtime_minutes", "load"))
    regular, left = minutes_left(*known)
    table = table.assign(minutes=regular, overtime_minutes=left - regular)
    return table[[*_DAY, "minutes", "overtime_minutes", "overtime_cost"]]


def _left_to_cost(factories: pd.DataFrame, others: pd.DataFrame) -> pd.DataFrame:
    """Engagement that nobody else pays, and targets less the others' work."""
    work = others.assign(work=others["setup_minutes"] + others["run_minutes"]).groupby("factory_id")["work"].sum()
    done = work.reindex(factories["factory_id"], fill_value=0.0).to_numpy(dtype=float)
    costs, targets = (factories[column].to_numpy(dtype=float) for column in ("engagement_cost", "target_minutes"))
    engagement, target = costs_left(costs, targets, done > 0, done)
    return factories.assign(engagement_cost=engagement, target_minutes=target)
