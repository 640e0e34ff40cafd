"""Lots that share no factory with lots in stages or pools: a part of the instance that is planned as if alone.

In: an Instance, a Plan. Out: the two parts of each, and a plan of both parts as one.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from optimization.contract.instances import Instance
from optimization.contract.plan import PAIR, STAGED_PAIR, Plan, cost_parts, gap_share
from optimization.contract.staging import JOINT

_BY_LOT = ("orders", "arcs", "incumbent", "stages", "ready", "pools")
_BY_FACTORY = ("capacity", "factories")


def joint_lots(instance: Instance) -> set[str]:
    """The lots that are made in stages or share a setup."""
    staged = instance.stages.loc[instance.stages["stage"] > 1, "lot_id"]
    return {*staged, *instance.pools["lot_id"]}


def apart(instance: Instance) -> tuple[Instance, Instance] | None:
    """The lots that share no factory, not even through others, with joint ones, and all others, with their factories.

    Parameters
    ----------
    instance
        What is to be planned.

    Returns
    -------
    tuple or None
        (plain, joint): two instances that have nothing in common. None where one of them would be without an arc.
    """
    ties = pd.concat([instance.arcs[PAIR], instance.incumbent[PAIR], instance.ready[PAIR], _ties_of_pools(instance)])
    lot, lots = pd.factorize(ties["lot_id"])
    place, places = pd.factorize(ties["factory_id"])
    size = len(lots) + len(places)
    graph = coo_array((np.ones(len(ties)), (lot, len(lots) + place)), shape=(size, size))
    group = connected_components(graph, directed=False)[1]
    joint = joint_lots(instance)
    with_joint = np.isin(group, group[: len(lots)][lots.isin(joint)])
    of_joint = joint.union(lots[with_joint[: len(lots)]]), set(places[with_joint[len(lots) :]])
    parts = tuple(_part(instance, *of_joint, inside) for inside in (False, True))
    return None if any(part.arcs.empty for part in parts) else (parts[0], parts[1])


def _ties_of_pools(instance: Instance) -> pd.DataFrame:
    """A pool joins its lots as a factory does."""
    return instance.pools.assign(factory_id="pool " + instance.pools["pool_id"].astype(str))[PAIR]


def _part(instance: Instance, lots: Iterable[str], factories: Iterable[str], inside: bool) -> Instance:
    """The lots and factories that are named, or all others."""
    kept: dict[str, Any] = {name: _rows(getattr(instance, name), "lot_id", lots, inside) for name in _BY_LOT}
    kept |= {name: _rows(getattr(instance, name), "factory_id", factories, inside) for name in _BY_FACTORY}
    if inside:
        return replace(instance, **kept)
    kept = {name: table.drop(columns="stage", errors="ignore") for name, table in kept.items()}
    return replace(instance, **kept | {name: getattr(instance, name).iloc[:0] for name in JOINT})


def _rows(table: pd.DataFrame, column: str, names: Iterable[str], inside: bool) -> pd.DataFrame:
    rows: pd.DataFrame = table[table[column].isin(set(names)) == inside]
    return rows.reset_index(drop=True)


def plan_of(part: Instance, plan: Plan) -> Plan:
    """What a plan makes of a part of its instance, at what cost; its proof stays that of the whole.

    Parameters
    ----------
    part
        One of `apart`.
    plan
        A plan of both.

    Returns
    -------
    Plan
        With the lots of the part alone; prices of its factories.
    """
    lots = part.orders["lot_id"]
    allocation, schedule = (_rows(table, "lot_id", lots, True) for table in (plan.allocation, plan.schedule))
    if not part.staged:
        allocation, schedule = (table.drop(columns="stage", errors="ignore") for table in (allocation, schedule))
    moves = None if plan.moves is None or not part.staged else _rows(plan.moves, "lot_id", lots, True)
    prices = None if plan.prices is None else _rows(plan.prices, "factory_id", part.capacity["factory_id"], True)
    cost = cost_parts(part, allocation, schedule, moves)
    unmet = [short for short in plan.report["unmet"] if short["order_id"] in set(lots)]
    return Plan(
        allocation,
        schedule,
        plan.report | {"cost": cost, "objective": sum(cost.values()), "unmet": unmet},
        prices,
        moves,
    )


def together(instance: Instance, plain: Plan, joint: Plan) -> Plan:
    """The plans of both parts as one; what the search tells of itself is told of the plain part, and its bound by both.

    Parameters
    ----------
    instance
        Of both parts.
    plain
        Plan of the plain part.
    joint
        Plan of the joint part.

    Returns
    -------
    Plan
        Cost and bound are the sums of both.
    """
    return Plan(
        of_both(plain.allocation, joint.allocation),
        of_both(plain.schedule, joint.schedule),
        _report(instance, plain, joint),
        _prices((plain, joint)),
        joint.moves,
    )


def _prices(plans: Iterable[Plan]) -> pd.DataFrame | None:
    prices = [plan.prices for plan in plans if plan.prices is not None]
    return pd.concat(prices, ignore_index=True) if prices else None


def of_both(plain: pd.DataFrame, joint: pd.DataFrame) -> pd.DataFrame:
    """The rows of both in the order of their keys; a plain lot has stage 1.

    Parameters
    ----------
    plain
        Rows by lot_id and factory_id, without stage.
    joint
        The same columns with stage.

    Returns
    -------
    pd.DataFrame
        The columns of `joint`.
    """
    rows = pd.concat([plain.assign(stage=1)[list(joint.columns)], joint], ignore_index=True)
    return rows.sort_values([name for name in (*STAGED_PAIR, "day") if name in rows], ignore_index=True)


def _report(instance: Instance, plain: Plan, joint: Plan) -> dict[str, object]:
    """The report of both; how the search went is told of the plain part."""
    ours, others = plain.report, joint.report
    objective, bound = ours["objective"] + others["objective"], ours["bound"] + others["bound"]
    optimal = {ours["status"], others["status"]} == {"optimal"}
    stopped = {report["stopped_by"] for report in (ours, others)} - {"gap"}
    return ours | {
        "status": "optimal" if optimal else "feasible",
        "objective": objective,
        "bound": bound,
        "bound_by": " and ".join(sorted({ours["bound_by"], others["bound_by"]})),
        "gap": gap_share(objective, bound),
        "cost": {name: ours["cost"].get(name, 0.0) + cost for name, cost in others["cost"].items()},
        "unmet": [*ours["unmet"], *others["unmet"]],
        "stopped_by": min(stopped) if stopped else "gap",
        "instance_sha256": instance.sha256,
        "engine": ours["engine"] | {"way": f"{ours['engine']['way']}; {others['engine']['way']}"},
    }
