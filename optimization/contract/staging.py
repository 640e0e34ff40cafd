"""Stages, transfers, ready pieces and pools of an instance: which of their rows contradict the others.

In: the typed tables of an instance, which name a lot `order_id`. Out: faults in words.
"""

from typing import Any

import pandas as pd

from optimization.contract.faults import name_rows

PAIR_KEY = ["order_id", "stage", "factory_id"]
JOINT = ("stages", "transfers", "ready", "pools")
_STAGED = ("arcs", "incumbent")
_SHARED = ["setup_cost", "setup_minutes", "min_lot"]  # equal among the lots of a pool at one factory and stage

Tables = dict[str, pd.DataFrame]


def _last_stages(orders: pd.DataFrame, stages: pd.DataFrame) -> "pd.Series[int]":
    """The number of the last stage of each order, by order_id."""
    last = stages.groupby("order_id")["stage"].max()
    return last.reindex(orders["order_id"], fill_value=1).astype("int64")


def check_staging(tables: Tables, faults: list[str]) -> None:
    """Adds every fault of these tables among each other and against orders, arcs and incumbent."""
    if all(tables[name].empty for name in JOINT) and all((tables[name]["stage"] == 1).all() for name in _STAGED):
        return
    last = _last_stages(tables["orders"].drop_duplicates("order_id"), tables["stages"])
    _check_orders(tables, faults)
    _check_stages(tables, last, faults)
    _check_transfers(tables["transfers"], faults)
    _check_ready(tables, last, faults)
    _check_pools(tables, faults)


def _last_of(table: pd.DataFrame, last: "pd.Series[int]") -> Any:
    """The last stage of the order of each row; of an unknown order NaN, which no stage is beyond."""
    return last.reindex(table["order_id"]).to_numpy(dtype=float)


def _check_orders(tables: Tables, faults: list[str]) -> None:
    for name in JOINT:
        table = tables[name]
        unknown = ~table["order_id"].isin({"", *tables["orders"]["order_id"]})
        name_rows(faults, name, table[["order_id"]], unknown, "is not in orders")


def _check_stages(tables: Tables, last: "pd.Series[int]", faults: list[str]) -> None:
    stages = tables["stages"]
    numbers = stages.groupby("order_id")["stage"].agg(["max", "nunique"])
    for order_id, row in numbers[numbers["max"] > numbers["nunique"]].iterrows():
        faults.append(f"stages: order {order_id} has {row['nunique']} stages up to {row['max']}; number them 1 to S")
    for name in _STAGED:
        table = tables[name]
        beyond = table["stage"] > _last_of(table, last)
        name_rows(faults, name, table[PAIR_KEY], beyond, "is after the last stage of its order")


def _check_transfers(transfers: pd.DataFrame, faults: list[str]) -> None:
    own = transfers["from_factory"] == transfers["to_factory"]
    within = "leave it out: within a factory work passes on at no cost and in no time"
    name_rows(faults, "transfers", transfers[["from_factory", "to_factory"]], own, within)


def _check_ready(tables: Tables, last: "pd.Series[int]", faults: list[str]) -> None:
    ready = tables["ready"]
    finished = ready["stage"] >= _last_of(ready, last)
    what = "has passed the last stage of its order; leave it out of ready and of the order's quantity"
    name_rows(faults, "ready", ready[PAIR_KEY], finished, what)
    asked = tables["orders"].drop_duplicates("order_id").set_index("order_id")["quantity"]
    pieces = ready.groupby("order_id")["quantity"].sum()
    for order_id, count in pieces[pieces > asked.reindex(pieces.index)].items():
        faults.append(f"ready: order {order_id} has {count} pieces ready, but asks for {asked[str(order_id)]}")


def _check_pools(tables: Tables, faults: list[str]) -> None:
    place = ["pool_id", "stage", "factory_id"]
    pooled = tables["arcs"].merge(tables["pools"], on="order_id")
    values = pooled.groupby(place)[_SHARED].nunique()
    for name in _SHARED:
        for key in values.index[values[name] > 1]:
            at: Any = dict(zip(place, key, strict=True))
            where = f"pool {at['pool_id']}, stage {at['stage']}, factory {at['factory_id']}"
            faults.append(f"pools: the arcs of {where} differ in {name}; lots that share a setup agree on it")
