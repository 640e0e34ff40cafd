"""Planning instances for tests, and the exhaustive oracle: no linear program, integer minutes, every split tried."""

import os
from collections.abc import Callable, Iterable
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyomo.environ as pyo
import pytest

from c2m.errors import InfeasibleError
from optimization.contract.instances import Instance, write
from optimization.contract.plan import Plan
from optimization.verification.verifier import Verification, verify


def instance(
    orders: list[dict[str, Any]],
    arcs: list[dict[str, Any]],
    capacity: list[dict[str, Any]],
    factories: list[dict[str, Any]] | None = None,
    incumbent: list[dict[str, Any]] | None = None,
    horizon_days: int | None = None,
) -> Instance:
    """An instance from rows that name only what differs from a plain one."""
    order = {"release_day": 1, "due_day": 9, "max_late_days": 0, "max_factories": 9, "late_cost": 0, "unmet_cost": 100}
    arc = {"unit_cost": 1, "minutes_per_piece": 1, "setup_cost": 0, "setup_minutes": 0, "min_lot": 0, "max_lot": 999}
    tables = {
        "orders": [order | row for row in orders],
        "arcs": [arc | {"transit_days": 0} | row for row in arcs],
        "capacity": [{"overtime_minutes": 0, "overtime_cost": 0} | row for row in capacity],
        "factories": factories,
        "incumbent": [{"change_cost": 0, "frozen": False} | row for row in incumbent] if incumbent else None,
    }
    frames = {name: pd.DataFrame(rows) for name, rows in tables.items() if rows}
    return Instance.from_tables(frames, horizon_days=horizon_days)


def checked(problem: Instance, plan: Plan, folder: Path) -> Verification:
    """The verifier's report on a plan, through the files."""
    write(problem, folder / "instance")
    plan.write(folder / "plan")
    return verify(folder / "instance", folder / "plan")


def day_of_work(seed: int = 7, lots: int = 12, factories: int = 6, days: int = 8) -> Instance:
    """A middling instance with setups, minimum lots, days off, overtime, late lots, daily limits and incumbents."""
    r = np.random.default_rng(seed)
    sizes = r.integers(80, 900, lots)
    orders, arcs, incumbent = [], [], []
    for o, quantity in enumerate(sizes.tolist()):
        lot: dict[str, Any] = {"lot_id": f"L{o}", "quantity": quantity, "release_day": int(r.integers(1, 4))}
        lot |= {"due_day": int(r.integers(4, days + 2)), "max_late_days": 2, "max_factories": int(r.integers(1, 4))}
        orders.append(lot | {"late_cost": 0.5, "unmet_cost": 60.0})
        for f in r.choice(factories, 5, replace=False).tolist():
            arc = {"lot_id": f"L{o}", "factory_id": f"F{f}", "unit_cost": round(float(r.uniform(5, 12)), 2)}
            arc |= {"minutes_per_piece": round(float(r.uniform(8, 20)), 2), "setup_cost": 120.0, "min_lot": 50}
            arc |= {"setup_minutes": 90.0, "max_lot": quantity, "transit_days": int(r.integers(0, 2))}
            arcs.append(arc | ({"max_minutes_per_day": 1500.0} if r.random() < 0.3 else {}))
        if o % 4 == 0:
            held = {"lot_id": f"L{o}", "factory_id": arcs[-1]["factory_id"], "quantity": 40, "change_cost": 1.0}
            incumbent.append(held | {"frozen": o % 8 == 0})
    capacity = [
        {"factory_id": f"F{f}", "day": d, "minutes": 0 if (f + d) % 7 == 0 else 2000.0 + 100 * f}
        | {"overtime_minutes": 400, "overtime_cost": 0.4}
        for f in range(factories)
        for d in range(1, days + 1)
    ]
    costs = [{"factory_id": f"F{f}", "engagement_cost": 300.0} for f in range(factories)]
    return instance(orders, arcs, capacity, costs, incumbent)


def optimum_unless_refused(problem: Instance, solver: Callable[[Instance], Plan]) -> float | None:
    """The cost of the cheapest of all plans; None where frozen work does not fit, which the solver must say too."""
    expected = cheapest(problem)
    if expected is None:
        with pytest.raises(InfeasibleError):
            solver(problem)
    return expected


def tiny(seed: int) -> Instance:
    """A few pieces, factories and days with every feature of the contract; all minutes are whole."""
    r = np.random.default_rng(seed)
    n_orders, n_factories, days = int(r.integers(1, 4)), int(r.integers(1, 4)), int(r.integers(1, 5))
    orders, arcs, incumbent = [], [], []
    for o in range(n_orders):
        orders.append(_order(r, f"O{o}"))
        for f in range(n_factories):
            if r.random() < 0.15 and arcs:
                continue
            arcs.append(_arc(r, f"O{o}", f"F{f}"))
            if r.random() < 0.3:
                incumbent.append(_held(r, arcs[-1], orders[-1]["quantity"]))
    capacity = [_day(r, f"F{f}", day) for f in range(n_factories) for day in range(1, days + 1) if r.random() < 0.9]
    factories = [_factory(r, f"F{f}") for f in range(n_factories)]
    return instance(orders, arcs, capacity, factories if r.random() < 0.7 else None, incumbent, horizon_days=days)


def _order(r: np.random.Generator, name: str) -> dict[str, Any]:
    quantity, release = int(r.integers(1, 5)), int(r.integers(-1, 3))
    return {
        "lot_id": name,
        "quantity": quantity,
        "release_day": release,
        "due_day": release + int(r.integers(0, 5)),
        "max_late_days": int(r.integers(0, 3)),
        "max_factories": int(r.integers(1, 4)),
        "late_cost": float(r.choice([0, 1.5, 4])),
        "unmet_cost": float(r.choice([6, 25, 40])),
    }


def _arc(r: np.random.Generator, order: str, factory: str) -> dict[str, Any]:
    low = int(r.integers(0, 4))
    return {
        "lot_id": order,
        "factory_id": factory,
        "unit_cost": float(r.integers(1, 9)),
        "minutes_per_piece": int(r.integers(1, 4)),
        "setup_cost": float(r.choice([0, 3, 7])),
        "setup_minutes": int(r.choice([0, 0, 1, 2, 4])),
        "min_lot": low,
        "max_lot": low + int(r.integers(0, 5)),
        "transit_days": int(r.choice([0, 0, 1])),
        "release_day": int(r.integers(1, 3)) if r.random() < 0.3 else None,
        "max_minutes_per_day": int(r.integers(1, 5)) if r.random() < 0.35 else None,
    }


def _held(r: np.random.Generator, arc: dict[str, Any], quantity: int) -> dict[str, Any]:
    kept = int(r.integers(0, 2)) if r.random() < 0.4 else int(r.integers(0, quantity + 1))
    frozen = bool(kept <= 1 and kept <= arc["min_lot"] + 1 and r.random() < 0.6)
    return {
        "lot_id": arc["lot_id"],
        "factory_id": arc["factory_id"],
        "quantity": kept,
        "change_cost": float(r.choice([0, 2, 9])),
        "frozen": frozen,
        "setup_done": bool(r.random() < 0.4),
    }


def _day(r: np.random.Generator, factory: str, day: int) -> dict[str, Any]:
    return {
        "factory_id": factory,
        "day": day,
        "minutes": int(r.choice([0, 2, 4, 5])),
        "overtime_minutes": int(r.integers(0, 3)),
        "overtime_cost": float(r.choice([0.5, 2])),
    }


def _factory(r: np.random.Generator, factory: str) -> dict[str, Any]:
    return {
        "factory_id": factory,
        "engagement_cost": float(r.choice([0, 5, 12])),
        "target_minutes": int(r.integers(0, 9)),
        "shortfall_cost": float(r.choice([0, 1])),
    }


def cheapest(problem: Instance, using: tuple[str, str] | None = None) -> float | None:
    """Least possible cost by trying every split of every order, or every one that uses a pair; None where none fits."""
    orders = problem.orders.to_dict("records")
    arcs = {(a["lot_id"], a["factory_id"]): a for a in problem.arcs.to_dict("records")}
    held = {(i["lot_id"], i["factory_id"]): i for i in problem.incumbent.to_dict("records")}
    at = {a["factory_id"] for a in problem.arcs.to_dict("records")} | set(problem.factories["factory_id"])
    factory_cost = {f: _factory_cost(problem, f, arcs, held) for f in sorted(at)}
    best = None
    choices = [list(_splits(order, arcs, held)) for order in orders]
    if using:
        asked = [order["lot_id"] == using[0] for order in orders]
        choices = [[c for c in of if not mine or c[1].get(using[1])] for of, mine in zip(choices, asked, strict=True)]
    for splits in product(*choices):
        total = sum(cost for cost, _ in splits)
        for f, cost_of in factory_cost.items():
            work = tuple((o["lot_id"], split[f]) for o, (_, split) in zip(orders, splits, strict=True) if split.get(f))
            cost = cost_of(work)
            if cost is None:
                break
            total += cost
        else:
            best = total if best is None else min(best, total)
    return best


def cost_of(problem: Instance, pieces: dict[str, dict[str, int]]) -> float | None:
    """Least cost of exactly these pieces by order and factory; None where a rule forbids them or they do not fit."""
    orders = problem.orders.to_dict("records")
    arcs = {(a["lot_id"], a["factory_id"]): a for a in problem.arcs.to_dict("records")}
    held = {(i["lot_id"], i["factory_id"]): i for i in problem.incumbent.to_dict("records")}
    total = 0.0
    for order in orders:
        asked = pieces[order["lot_id"]]
        costs = [cost for cost, split in _splits(order, arcs, held) if split == asked]
        if not costs:
            return None
        total += costs[0]
    for f in sorted({f for _, f in arcs} | set(problem.factories["factory_id"])):
        work = tuple((o["lot_id"], pieces[o["lot_id"]][f]) for o in orders if pieces[o["lot_id"]].get(f))
        cost = _factory_cost(problem, f, arcs, held)(work)
        if cost is None:
            return None
        total += cost
    return total


def _splits(order: dict[str, Any], arcs: dict[Any, Any], held: dict[Any, Any]) -> Any:
    """Every allowed split of an order with the cost that depends on its pieces alone."""
    o = order["lot_id"]
    mine = [f for (lot_id, f) in arcs if lot_id == o]
    for pieces in product(*(range(order["quantity"] + 1) for _ in mine)):
        split = {f: n for f, n in zip(mine, pieces, strict=True) if n}
        frozen = {f for f in mine if held.get((o, f), {}).get("frozen")}
        standing = {f for f in frozen if held[o, f]["quantity"] > 0}
        if sum(pieces) > order["quantity"] or len(split.keys() - standing) > max(
            0, order["max_factories"] - len(standing)
        ):
            continue
        if any(n > arcs[o, f]["max_lot"] or (n < arcs[o, f]["min_lot"] and f not in frozen) for f, n in split.items()):
            continue
        if any(split.get(f, 0) < held[o, f]["quantity"] for f in frozen):
            continue
        cost = (order["quantity"] - sum(pieces)) * order["unmet_cost"]
        cost += sum(n * arcs[o, f]["unit_cost"] for f, n in split.items())
        for (lot_id, f), row in held.items():
            if lot_id == o:
                cost += row["change_cost"] * max(0, row["quantity"] - split.get(f, 0))
        yield cost, split


def _factory_cost(problem: Instance, f: str, arcs: dict[Any, Any], held: dict[Any, Any]) -> Any:
    """Function of the work (order, pieces) at one factory: its cheapest schedule with all that the factory costs."""
    orders = {o["lot_id"]: o for o in problem.orders.to_dict("records")}
    days = {c["day"]: c for c in problem.capacity.to_dict("records") if c["factory_id"] == f}
    row = next((x for x in problem.factories.to_dict("records") if x["factory_id"] == f), None)

    @cache
    def cost(work: tuple[tuple[str, int], ...]) -> float | None:
        pairs, total, minutes = [], 0.0, 0
        for o, pieces in work:
            arc, order, inc = arcs[o, f], orders[o], held.get((o, f), {})
            done = inc.get("setup_done", False)
            setup = 0 if done else int(arc["setup_minutes"])
            total += 0.0 if done else arc["setup_cost"]
            last = problem.horizon_days
            if not inc.get("frozen"):
                last = min(last, order["due_day"] - arc["transit_days"] + order["max_late_days"])
            need = setup + pieces * int(arc["minutes_per_piece"])
            minutes += need
            pairs.append((arc, order, setup, max(1, arc["release_day"]), last, need))
        if row:
            total += row["engagement_cost"] if work else 0
            total += row["shortfall_cost"] * max(0, row["target_minutes"] - minutes)
        scheduled = schedule(tuple(pair[5] for pair in pairs), 1, tuple(range(len(pairs))), pairs)
        return None if scheduled is None else total + scheduled

    def schedule(left: tuple[int, ...], day: int, key: tuple[int, ...], pairs: list[Any]) -> float | None:
        memo: dict[tuple[tuple[int, ...], int], float | None] = {}

        def after(left: tuple[int, ...], day: int) -> float | None:
            if not any(left):
                return 0.0
            if day > problem.horizon_days:
                return None
            if (left, day) not in memo:
                memo[left, day] = min(_day_costs(left, day, pairs, days.get(day), after), default=None)
            return memo[left, day]

        return after(left, day)

    return cost


def _day_costs(left: tuple[int, ...], day: int, pairs: list[Any], open_day: Any, after: Any) -> Any:
    """Cost of every way to work on one day and to go on from there."""
    most = [
        min(n, int(min(arc["max_minutes_per_day"], n))) if first <= day <= last else 0
        for n, (arc, _, _, first, last, _) in zip(left, pairs, strict=True)
    ]
    regular, extra = (open_day["minutes"], open_day["overtime_minutes"]) if open_day else (0, 0)
    for worked in product(*(range(n + 1) for n in most)):
        if sum(worked) > regular + extra:
            continue
        cost = max(0, sum(worked) - regular) * open_day["overtime_cost"] if open_day else 0.0
        for minutes, before, (arc, order, setup, _, _, need) in zip(worked, left, pairs, strict=True):
            done = need - before
            run = max(0, done + minutes - setup) - max(0, done - setup)
            late = max(0, day + arc["transit_days"] - order["due_day"])
            cost += order["late_cost"] * late * run / arc["minutes_per_piece"]
        rest = after(tuple(n - m for n, m in zip(left, worked, strict=True)), day + 1)
        if rest is not None:
            yield cost + rest


def assert_golden(model: pyo.ConcreteModel, constraints: Iterable[str], name: str, golden: Path, folder: Path) -> None:
    """One constraint of a model with these constraints, or its cost, alone: its LP text is the golden one.

    GOLDEN_WRITE=1 in the environment writes the golden one.
    """
    assert {c.name for c in model.component_objects(pyo.Constraint)} == set(constraints)
    for constraint in model.component_objects(pyo.Constraint):
        if constraint.name != name:
            constraint.deactivate()
    if name != "cost":
        model.cost.deactivate()
        model.nothing = pyo.Objective(expr=0)
    model.write(str(folder / "x.lp"), io_options={"symbolic_solver_labels": True})
    text, kept = (folder / "x.lp").read_text(encoding="utf-8"), golden / f"{name}.lp"
    if os.environ.get("GOLDEN_WRITE"):
        kept.write_text(text, encoding="utf-8")
    assert text == kept.read_text(encoding="utf-8")
