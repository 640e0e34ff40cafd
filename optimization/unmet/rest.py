"""Some lots of a book as an instance of their own, in the minutes that the rest of the plan leaves them.

Unlike the parts that the search plans anew (`optimization.statement.part.cut`), nothing is left out of it that a plan
cannot use at present: every arc and every day stays, since an explanation asks what would be if a rule were another.
"""

import numpy as np
import pandas as pd

from optimization.contract.instances import Instance
from optimization.contract.plan import DAY, PAIR, Plan, cost_parts, day_loads, factory_loads, worked
from optimization.statement.part import costs_left, minutes_left, sub_instance


def part(instance: Instance, plan: Plan, lots: list[str], beside: str = "plan") -> Instance:
    """Some lots in what the others leave.

    Parameters
    ----------
    instance
        What is planned.
    plan
        Its plan.
    lots
        Their ids.
    beside
        plan: what the others leave in the plan as it is; frozen: what their frozen pieces alone leave.

    Returns
    -------
    Instance
        The part.
    """
    arcs = instance.arcs[instance.arcs["lot_id"].isin(lots)]
    others = plan.schedule[~plan.schedule["lot_id"].isin(lots)]
    if beside == "frozen":
        others = frozen_work(instance, plan, others)
    capacity, factories = (
        table[table["factory_id"].isin(arcs["factory_id"])] for table in (instance.capacity, instance.factories)
    )
    return sub_instance(instance, lots, arcs, capacity_left(capacity, others), _left_to_cost(factories, others))


def of_lots(plan: Plan, lots: list[str]) -> Plan:
    """The plan's rows of some lots.

    Parameters
    ----------
    plan
        Of more lots.
    lots
        Their ids.

    Returns
    -------
    Plan
        With the report of the whole.
    """
    allocation, schedule = (t[t["lot_id"].isin(lots)].reset_index(drop=True) for t in (plan.allocation, plan.schedule))
    return Plan(allocation, schedule, plan.report)


def cost_of(part: Instance, plan: Plan) -> dict[str, float]:
    """What the part costs in the plan, by part of the cost.

    Parameters
    ----------
    part
        The instance of some lots.
    plan
        Of the whole.

    Returns
    -------
    dict
        Money by part of the cost.
    """
    mine = of_lots(plan, part.orders["lot_id"].tolist())
    return cost_parts(part, mine.allocation, mine.schedule)


def around(instance: Instance, plan: Plan, lot_id: str, most_arcs: int) -> list[str]:
    """The lot and those that hold most minutes at its factories, as many as their arcs allow; all where all fit.

    Parameters
    ----------
    instance
        What is planned.
    plan
        Its plan.
    lot_id
        The lot.
    most_arcs
        How many arcs at most.

    Returns
    -------
    list of str
        The lot first.
    """
    if len(instance.arcs) <= most_arcs:
        return instance.orders["lot_id"].tolist()
    mine = instance.arcs["factory_id"][instance.arcs["lot_id"] == lot_id]
    near = plan.schedule[plan.schedule["factory_id"].isin(mine) & (plan.schedule["lot_id"] != lot_id)]
    ranked = [lot_id, *busiest(near)]
    return ranked[: max(1, within_arcs(instance, ranked, most_arcs))]


def busiest(schedule: pd.DataFrame) -> list[str]:
    """The lots of some work, those with most minutes first. schedule: lot_id, factory_id, day, setup_minutes,
    run_minutes.
    """
    minutes = worked(schedule).groupby("lot_id")["minutes"].sum()
    return [str(lot_id) for lot_id in minutes.sort_values(ascending=False, kind="stable").index]


def within_arcs(instance: Instance, ranked: list[str], most_arcs: float) -> int:
    """How many of the first lots have no more arcs together than so many.

    Parameters
    ----------
    instance
        What is planned.
    ranked
        Ids of lots.
    most_arcs
        How many arcs at most.

    Returns
    -------
    int
        Lots.
    """
    sizes = instance.arcs.groupby("lot_id").size()
    total = np.cumsum(sizes.reindex(ranked, fill_value=0))
    return int(np.searchsorted(total, most_arcs, side="right"))


def frozen_work(instance: Instance, plan: Plan, work: pd.DataFrame) -> pd.DataFrame:
    """Rows of the plan's schedule cut down to frozen pieces."""
    pieces = plan.allocation.merge(instance.frozen[[*PAIR, "quantity"]], on=PAIR, suffixes=("", "_kept"))
    some = work.merge(pieces, on=PAIR)
    return some.assign(run_minutes=some["run_minutes"] * some["quantity_kept"] / some["quantity"])


def capacity_left(capacity: pd.DataFrame, others: pd.DataFrame) -> pd.DataFrame:
    """Capacity less the others' work.

    Parameters
    ----------
    capacity
        factory_id, day, minutes, overtime_minutes, overtime_cost.
    others
        lot_id, factory_id, day, setup_minutes, run_minutes: their work.

    Returns
    -------
    pd.DataFrame
        The columns of `capacity`.
    """
    table = capacity.merge(day_loads(others), on=DAY, how="left").astype({"load": float}).fillna({"load": 0.0})
    known = (table[column].to_numpy(dtype=float) for column in ("minutes", "overtime_minutes", "load"))
    regular, left = minutes_left(*known)
    return table.drop(columns="load").assign(minutes=regular, overtime_minutes=left - regular)


def _left_to_cost(factories: pd.DataFrame, others: pd.DataFrame) -> pd.DataFrame:
    """Engagement that nobody else pays, and targets less the others' work."""
    done = factory_loads(others).reindex(factories["factory_id"], fill_value=0.0).to_numpy(dtype=float)
    costs, targets = (factories[column].to_numpy(dtype=float) for column in ("engagement_cost", "target_minutes"))
    engagement, target = costs_left(costs, targets, done > 0, done)
    return factories.assign(engagement_cost=engagement, target_minutes=target)
