"""What an order would delay that must be there by a day, and what that costs: a small program over its factories.

All that the plan makes at a few capable factories stays there, piece by piece, and may be made on other days; the order
comes to it. In: a `FreeCapacity`, the lots. Out: `Pressed`, or None where even so it cannot be there.
"""

from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pandas as pd

from c2m.domain.quotes import Delay
from c2m.settings import PlanPolicy
from optimization.contract.groups import joint_lots
from optimization.contract.instances import Instance
from optimization.contract.plan import PAIR, Plan, arrivals, cost_parts
from optimization.contract.staging import JOINT
from optimization.promising.asked import AskedInstance, part_of
from optimization.promising.free_capacity import FreeCapacity
from optimization.promising.ways import by, cheapest
from optimization.unmet.rest import capacity_left

FACTORIES = 6  # whose work may be moved
_OWN = ("unit", "setup", "engagement")


@dataclass(frozen=True)
class Pressed:
    """The order's plan, with the part of the book that it is of; cost: by term, beyond what the others cost before."""

    part: AskedInstance
    plan: Plan
    cost: dict[str, float]
    delays: tuple[Delay, ...]


def pressed(
    room: FreeCapacity, lots: pd.DataFrame, today: date, wanted_on: date, policy: PlanPolicy, seconds: float
) -> Pressed | None:
    """The order by the wanted date among the work of its cheapest factories.

    Parameters
    ----------
    room
        The plan in force.
    lots
        Of the order (`asked.lots_of`).
    today
        The business date of the plan that will have the order: its work begins on a later day.
    wanted_on
        By when all of it must be there, days in hand counted.
    policy
        Rates and limits of a plan.
    seconds
        For the program.

    Returns
    -------
    Pressed or None
        None where the order cannot be there.
    """
    offered = capacity_left(room.offered, _work(room, of_joint=True))  # lots in stages or pools give no way
    whole = offered[offered["day"].between(room.day_of(today) + 1, room.last_day(today))]
    part = part_of(room, lots, whole, today, policy)
    if part is None:
        return None
    mine = _few(by(part.instance, room.day_of(wanted_on) - part.shift))
    others = _others(room, part.shift, mine.capacity)
    both = _together(mine, others)
    found = cheapest(both, seconds)
    if found is None:
        return None
    own, moved = (_of(found, mine, inside) for inside in (True, False))
    cost = {term: round(money, 4) for term, money in cost_parts(mine, own.allocation, own.schedule).items()}
    overtime = [cost_parts(*of)["overtime"] for of in (_costed(both, found), _costed(others.instance, others.plan))]
    terms = {term: cost[term] for term in _OWN} | {"overtime": round(overtime[0] - overtime[1], 4)}
    return Pressed(part, own, terms, _delays(others, moved))


def _costed(instance: Instance, plan: Plan) -> tuple[Instance, pd.DataFrame, pd.DataFrame]:
    return instance, plan.allocation, plan.schedule


@dataclass(frozen=True)
class _Others:
    """The book's work at some factories: as an instance of frozen pairs, and as it is planned."""

    instance: Instance
    plan: Plan


def _few(part: Instance) -> Instance:
    """The part with its cheapest factories, setup counted over the lot."""
    quantity = part.arcs["lot_id"].map(part.orders.set_index("lot_id")["quantity"])
    cost = part.arcs["unit_cost"] + part.arcs["setup_cost"] / quantity
    ranked = cost.groupby(part.arcs["factory_id"]).min().nsmallest(FACTORIES).index
    arcs = part.arcs[part.arcs["factory_id"].isin(ranked)].reset_index(drop=True)
    capacity = part.capacity[part.capacity["factory_id"].isin(ranked)].reset_index(drop=True)
    factories = part.factories[part.factories["factory_id"].isin(ranked)].reset_index(drop=True)
    return replace(part, arcs=arcs, capacity=capacity, factories=factories)


def _others(room: FreeCapacity, shift: int, capacity: pd.DataFrame) -> _Others:
    """What the plan still makes at these factories after `shift` days, as frozen pairs; pieces that are begun whole."""
    names, schedule = set(capacity["factory_id"]), _work(room, of_joint=False)
    schedule = schedule[schedule["factory_id"].isin(names) & (schedule["day"] > shift)]
    schedule = schedule.assign(day=schedule["day"] - shift)
    minutes = schedule.groupby(PAIR, as_index=False)[["run_minutes", "setup_minutes"]].sum()
    arcs = room.instance.arcs.drop(columns=["setup_minutes", "stage"], errors="ignore").merge(minutes, on=PAIR)
    pieces = np.ceil(arcs["run_minutes"] / arcs["minutes_per_piece"] - 1e-6).astype(np.int64)
    arcs = arcs.assign(max_lot=pieces, min_lot=0, release_day=(arcs["release_day"] - shift).clip(lower=1))
    arcs["minutes_per_piece"] = (arcs["run_minutes"] / pieces).where(pieces > 0, arcs["minutes_per_piece"])
    arcs, pieces = arcs[pieces > 0].drop(columns="run_minutes"), pieces[pieces > 0]
    allocation = arcs[PAIR].assign(quantity=pieces).reset_index(drop=True)
    held = allocation.assign(change_cost=0.0, frozen=True, setup_done=False)
    orders = room.instance.orders[room.instance.orders["lot_id"].isin(arcs["lot_id"])]
    asked = orders["lot_id"].map(allocation.groupby("lot_id")["quantity"].sum())
    orders = orders.assign(quantity=asked, due_day=orders["due_day"] - shift, release_day=1, max_factories=len(names))
    tables = {"orders": orders, "arcs": arcs, "incumbent": held, "capacity": capacity}
    tables |= {name: getattr(room.instance, name).iloc[:0] for name in JOINT}
    instance = replace(room.instance, **{name: table.reset_index(drop=True) for name, table in tables.items()})
    return _Others(instance, Plan(allocation, schedule.reset_index(drop=True), {}))


def _work(room: FreeCapacity, of_joint: bool) -> pd.DataFrame:
    """The schedule of the lots that are made in stages or share a setup, or of all others."""
    schedule = room.plan.schedule
    mine = schedule["lot_id"].isin(joint_lots(room.instance)) == of_joint
    return schedule[mine].drop(columns="stage", errors="ignore")


def _together(mine: Instance, others: _Others) -> Instance:
    """Both in the days of the part."""
    tables = {
        name: pd.concat([getattr(mine, name), getattr(others.instance, name)], ignore_index=True)
        for name in ("orders", "arcs", "incumbent")
    }
    ordered = {name: table.sort_values(table.columns[:2].tolist(), ignore_index=True) for name, table in tables.items()}
    return replace(mine, **ordered)


def _of(plan: Plan, mine: Instance, inside: bool) -> Plan:
    frames = (plan.allocation, plan.schedule)
    made, work = (
        table[table["lot_id"].isin(mine.orders["lot_id"]) == inside].reset_index(drop=True) for table in frames
    )
    return Plan(made, work, plan.report)


def _delays(others: _Others, moved: Plan) -> tuple[Delay, ...]:
    """The lots that are later than before, and late: by days of their last pieces, and in money."""
    before, after = (_lateness(others.instance, plan) for plan in (others.plan, moved))
    both = after.add_suffix("_after").join(before.add_suffix("_before"))
    later = both[both["cost_after"] > both["cost_before"] + 1e-6]
    days = (later["days_after"] - later["days_before"]).clip(lower=0)
    cost = (later["cost_after"] - later["cost_before"]).round(4)
    return tuple(Delay(str(lot_id), int(days[lot_id]), float(cost[lot_id])) for lot_id in later.index)


def _lateness(instance: Instance, plan: Plan) -> pd.DataFrame:
    rows = arrivals(instance, plan.schedule)
    rows = rows.assign(cost=rows["late_cost"] * rows["run_minutes"] / rows["minutes_per_piece"] * rows["days_late"])
    return rows.groupby("lot_id").agg(days=("days_late", "max"), cost=("cost", "sum"))
