"""What sharing a setup is worth: the lots of each pool, where they are made together, and what a piece costs so.

Money of the instance.
"""

from collections.abc import Iterable, Mapping

import pandas as pd

from optimization.contract.instances import Instance, rows
from optimization.contract.plan import Plan, pair_key
from optimization.contract.wording import counted, money
from optimization.explanation.form import Names


def shared(instance: Instance, plan: Plan) -> pd.DataFrame:
    """What pools make where: a row for each pool, stage and factory.

    Parameters
    ----------
    instance
        What was planned.
    plan
        Its plan.

    Returns
    -------
    pd.DataFrame
        pool_id, stage, factory_id; lots, pieces, setup_cost (once, of all), piece_cost (with its share of the setup).
    """
    key = pair_key(instance)
    made = plan.allocation.merge(instance.pools, on="lot_id").merge(instance.arcs, on=key)
    made = made.assign(stage=made.get("stage", 1), unit=made["unit_cost"] * made["quantity"])
    facts = {"lots": ("lot_id", "nunique"), "pieces": ("quantity", "sum"), "setup_cost": ("setup_cost", "first")}
    found = made.groupby(["pool_id", "stage", "factory_id"]).agg(**facts, unit=("unit", "sum")).reset_index()
    found["piece_cost"] = (found["unit"] + found["setup_cost"]) / found["pieces"]
    return found.drop(columns="unit")


def why_together(
    instance: Instance, plan: Plan, names: Mapping[str, str] | None = None, lots: Iterable[str] | None = None
) -> list[str]:
    """A line of Markdown for each pool and place.

    Parameters
    ----------
    instance
        What was planned.
    plan
        Its plan.
    names
        What people call a lot, by lot_id; None: by its id. A pool is called by its first and its last lot.
    lots
        Whose pools are asked about; None: all.

    Returns
    -------
    list of str
        Nothing where the plan makes no lots of a pool.
    """
    pools = instance.pools if lots is None else instance.pools[instance.pools["lot_id"].isin(set(lots))]
    found = shared(instance, plan)
    found = found[found["pool_id"].isin(pools["pool_id"])]
    if found.empty:
        return []
    lots_of = instance.pools["lot_id"].map(Names(names or {}).lot).groupby(instance.pools["pool_id"])
    called = {pool: f"{min(its_lots)} to {max(its_lots)}" for pool, its_lots in lots_of}
    lines = [
        f"* {called[row.pool_id]} (pool {row.pool_id}): "
        f"{counted(row.lots, 'lot')} with {counted(row.pieces, 'piece')} at {row.factory_id}, "
        f"{money(row.piece_cost)} a piece. Their one setup costs {money(row.setup_cost)}, "
        f"{money(row.setup_cost / row.pieces)} a piece; alone, each lot would pay all of it."
        for row in rows(found)
    ]
    return ["Lots that share a setup:", "", *lines, ""]
