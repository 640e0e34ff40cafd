"""Lots in stages and pools as people read them: which operations are done where, what waits for what, what is shared.

In: an instance with its plan, and what people call its lots. Out: rows, for the plan's page and `c2m status`.
"""

from pathlib import Path
from typing import Any

import pandas as pd

from c2m.files import read_rows
from c2m.markdown import table
from optimization.book.plan_proposal import dated_allocation, dates
from optimization.contract.groups import joint_lots
from optimization.contract.instances import Instance, records
from optimization.contract.plan import STAGED_PAIR, Plan
from optimization.explanation.pools import shared
from optimization.explanation.stages import offers_of
from optimization.routing.stage_lots import legs, with_next_factories

STAGES, POOLS = "stages", "pools"  # in joint.json of a plan's folder
ORDER_OF_WORK = "order_of_work.csv"  # in it too
_LABEL = ["order", "style", "colour"]
_MOST = 100


def rows_of(
    instance: Instance, plan: Plan, labels: pd.DataFrame, placed: pd.DataFrame
) -> dict[str, list[dict[str, Any]]]:
    """Rows by kind, none of a kind that the plan does not have.

    Parameters
    ----------
    instance
        What was planned, with day_1.
    plan
        Its plan.
    labels
        `ledger.orders.labels` of its lots.
    placed
        By `dated`.

    Returns
    -------
    dict
        `stages`: a row for each lot, stage and factory; `pools`: for each pool and factory.
    """
    return {STAGES: _in_stages(instance, plan, labels, placed), POOLS: _pooled(instance, plan, labels, placed)}


def dated(instance: Instance, plan: Plan, folder: Path) -> pd.DataFrame:
    """The allocation of a plan in its folder, with the dates that factories are told, and where pieces go next.

    Parameters
    ----------
    instance
        What was planned, with day_1.
    plan
        Its plan.
    folder
        Of the plan; where it keeps no order of work, the days are those of the schedule.

    Returns
    -------
    pd.DataFrame
        `plan_proposal.dated_allocation`, with next_factory_id where lots have stages.
    """
    file = folder / ORDER_OF_WORK
    order = read_rows(file) if file.exists() else None
    placed = dated_allocation(instance, plan.allocation, plan.schedule, order, legs(instance, plan))
    return with_next_factories(placed, instance, plan)


def _in_stages(instance: Instance, plan: Plan, labels: pd.DataFrame, placed: pd.DataFrame) -> list[dict[str, Any]]:
    day_1 = instance.day_1
    if not instance.staged or day_1 is None:
        return []
    placed = placed.merge(instance.stages, on=["lot_id", "stage"]).merge(labels, on="lot_id")
    placed = placed.merge(_waits_for(instance, plan, placed), on=STAGED_PAIR, how="left")
    placed = placed.merge(_begins(plan), on=STAGED_PAIR)
    placed = placed.sort_values(["due_on", "order", "lot_id", "stage", "factory_id"])
    goes_to = placed["next_factory_id"].fillna("the warehouse")
    shown = pd.DataFrame(
        {
            **{name: placed[name] for name in _LABEL},
            "stage": placed["stage"].astype(str) + ": " + placed["name"].str.replace("-", ", "),
            "factory": placed["factory_id"],
            "pieces": placed["quantity"],
            "waits for": placed["before"].map(
                lambda before: f"pieces of {before}" if before else "nothing", na_action="ignore"
            ),
            "starts": [f"{max(two)}" for two in zip(dates(placed["begins"], day_1), placed["start_on"], strict=True)],
            "then to": goes_to,
            "there on": placed["finish_on"].astype(str),
        }
    )
    return records(shown.fillna(""))


def _waits_for(instance: Instance, plan: Plan, placed: pd.DataFrame) -> pd.DataFrame:
    """lot_id, stage, factory_id, before: the factories whose pieces each pair begins with."""
    found = offers_of(instance, plan, placed)
    return found.loc[found["there"] == found["factory_id"], [*STAGED_PAIR, "before"]]


def _begins(plan: Plan) -> pd.DataFrame:
    """By pair the day of its first piece: a setup may be done before any piece has come."""
    made = plan.schedule[plan.schedule["run_minutes"] > 0]
    return made.groupby(STAGED_PAIR, as_index=False).agg(begins=("day", "min"))


def _pooled(instance: Instance, plan: Plan, labels: pd.DataFrame, placed: pd.DataFrame) -> list[dict[str, Any]]:
    if instance.pools.empty:
        return []
    placed = placed.merge(instance.pools, on="lot_id").assign(stage=lambda rows: rows.get("stage", 1))
    days = placed.groupby(["pool_id", "stage", "factory_id"]).agg(
        starts=("start_on", "min"), there=("finish_on", "max")
    )
    rows = shared(instance, plan).merge(_orders(instance, labels), on="pool_id").merge(days.reset_index())
    shown = pd.DataFrame(
        {
            "style": rows["style"],
            "colour": rows["colour"],
            "factory": rows["factory_id"],
            "orders": [f"{row.lots:,}: {row.first} to {row.last}" for row in rows.itertuples()],
            "pieces": rows["pieces"],
            "one setup": rows["setup_cost"].round(2),
            "costs a piece": rows["piece_cost"].round(2),
            "alone": (rows["piece_cost"] + rows["setup_cost"] * (1 - 1 / rows["pieces"])).round(2),
            "starts": rows["starts"].astype(str),
            "there on": rows["there"].astype(str),
        }
    )
    return records(shown)


def _orders(instance: Instance, labels: pd.DataFrame) -> pd.DataFrame:
    """By pool_id its style and colour, its first and its last order."""
    named = instance.pools.merge(labels, on="lot_id").sort_values("order").groupby("pool_id")
    return named.agg(
        style=("style", "first"), colour=("colour", "first"), first=("order", "first"), last=("order", "last")
    )


def sections(found: dict[str, list[dict[str, Any]]]) -> list[str]:
    """The parts of the plan's page; nothing where no lot is joint."""
    stages, pools = (pd.DataFrame(found.get(kind, [])) for kind in (STAGES, POOLS))
    parts = []
    if len(stages):
        parts += ["## Lots in stages", "Each stage begins once the pieces of the one before have come.", ""]
        parts += [table(stages, _MOST)]
    if len(pools):
        told = "Lots of one keep their order to the parcel and are made together; `alone` is what a piece would cost."
        parts += ["## Lots that share a setup", told, "", table(pools, _MOST)]
    return parts


def others(instance: Instance, rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of lots that are neither in stages nor in a pool."""
    return rows[~rows["lot_id"].isin(joint_lots(instance))]
