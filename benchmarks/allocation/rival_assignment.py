"""Lots that go whole to one factory on one day as the plain assignment MIP in HiGHS, without a day index.

    y_of order o goes whole to f (binary), x_o it is left, z_f factory f is engaged (binary, where that costs something)

    min sum c y + g x + E z     sum_f y_of + x_o = 1     sum_o a_of y_of <= C_f (times z_f)     y_of <= z_f

For instances of that kind alone: no setups, overtime, targets, or plan in force. In: an instance and limits. Out: a
plan with the MIP's bound.
"""

import numpy as np
import pandas as pd

from benchmarks.allocation.rival_highs import branched
from benchmarks.allocation.textbook import Clock, Statement, reported
from optimization.contract.instances import Instance
from optimization.contract.plan import PAIR, Plan
from optimization.statement.reduction import reduce


def solve(instance: Instance, clock: Clock) -> Plan:
    """Branch and bound on the assignment MIP."""
    model = state(instance)
    values, bound, solver = branched(model, clock)
    pairs = model.pairs[values[model.block["y"]] > 0.5]
    allocation = pairs[PAIR].assign(quantity=pairs["order_quantity"]).reset_index(drop=True)
    minutes = (pairs["order_quantity"] * pairs["minutes_per_piece"]).to_numpy()
    schedule = allocation[PAIR].assign(day=1, setup_minutes=0.0, run_minutes=minutes)
    clock.note(bound, float(model.cost @ values) + model.offset)
    return reported(model, allocation, schedule, bound, solver, clock)


def state(instance: Instance) -> Statement:
    """The model of an instance."""
    _refuse_others(instance)
    pairs, orders, days = reduce(instance).pairs.reset_index(drop=True), instance.orders, instance.capacity
    factories = pd.Index(days["factory_id"])
    engagement = instance.factories.set_index("factory_id")["engagement_cost"].reindex(factories).fillna(0.0).to_numpy()
    paid = np.flatnonzero(engagement > 0)
    order = pd.Index(orders["lot_id"]).get_indexer(pairs["lot_id"])
    factory = factories.get_indexer(pairs["factory_id"])
    model, lots, sites = Statement(instance, pairs, pd.DataFrame()), np.arange(len(orders)), np.arange(len(factories))
    model.variable("y", pairs["unit_cost"] * pairs["order_quantity"], 1, integer=True)
    model.variable("left", orders["unmet_cost"] * orders["quantity"], 1)
    model.variable("engaged", engagement[paid], 1, integer=True)
    y, z = model.block["y"], np.full(len(factories), -1)
    z[paid] = model.block["engaged"]
    model.rows(len(lots), 1, 1, (order, y, 1), (lots, model.block["left"], 1))
    minutes, capacity = (pairs["minutes_per_piece"] * pairs["order_quantity"]).to_numpy(), days["minutes"].to_numpy()
    opened = paid, z[paid], -capacity[paid]
    model.rows(len(sites), -np.inf, np.where(z < 0, capacity, 0.0), (factory, y, minutes), opened)
    tied = np.flatnonzero(z[factory] >= 0)
    rows = np.arange(len(tied))
    model.rows(len(tied), -np.inf, 0.0, (rows, y[tied], 1), (rows, z[factory[tied]], -1))
    return model


def _refuse_others(instance: Instance) -> None:
    arcs, orders, days = instance.arcs, instance.orders, instance.capacity
    least = orders["lot_id"].map(arcs.groupby("lot_id")["min_lot"].min())
    in_part = (orders["max_factories"] > 1) | (least.clip(lower=1) < orders["quantity"])
    others = {
        "more than one day": instance.horizon_days > 1,
        "lots that can be made in part": bool(in_part.any()),
        "setups": bool((arcs[["setup_cost", "setup_minutes"]] > 0).any(axis=None)),
        "overtime": bool((days["overtime_minutes"] > 0).any()),
        "targets": bool((instance.factories["shortfall_cost"] * instance.factories["target_minutes"] > 0).any()),
        "a plan in force": len(instance.incumbent) > 0,
    }
    if found := [name for name, there in others.items() if there]:
        raise SystemExit(f"not a plain assignment: the instance has {', '.join(found)}")
