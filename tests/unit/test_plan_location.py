"""Location instances: many pairs, one day, factories that cost something to engage."""

from pathlib import Path

import numpy as np
import pytest
from plan_kit import checked, instance

from optimization.contract.instances import Instance
from optimization.engines.exact import one_program
from optimization.engines.first import start_plans
from optimization.engines.location import by_floors
from optimization.engines.whole_lots import dive_and_branch
from optimization.planning.solve import solve
from optimization.statement.highs import Limits, Progress
from optimization.statement.part import whole_of
from optimization.statement.reduction import reduce


def sites(seed: int = 3, lots: int = 70, factories: int = 15, whole: bool = False) -> Instance:
    """Lots and factories scattered over a square; a piece costs what the way is long; `whole`: no lot may be split."""
    r = np.random.default_rng(seed)
    homes, places = r.uniform(0, 10, (lots, 2)), r.uniform(0, 10, (factories, 2))
    far = np.hypot(*(homes[:, None] - places[None]).transpose(2, 0, 1)).round(2)
    sizes = r.integers(5, 40, lots).tolist()
    price = {"unmet_cost": 200.0, "max_factories": 1 if whole else 9}
    return instance(
        orders=[{"order_id": f"L{o}", "quantity": size} | price for o, size in enumerate(sizes)],
        arcs=[
            {"order_id": f"L{o}", "factory_id": f"F{f}", "unit_cost": float(far[o, f]), "max_lot": sizes[o]}
            | {"min_lot": sizes[o] if whole else 0}
            for o in range(lots)
            for f in range(factories)
        ],
        capacity=[
            {"factory_id": f"F{f}", "day": 1, "minutes": 450.0, "overtime_minutes": 50.0, "overtime_cost": 2.0}
            for f in range(factories)
        ],
        factories=[{"factory_id": f"F{f}", "engagement_cost": float(r.integers(300, 900))} for f in range(factories)],
    )


@pytest.mark.parametrize("whole", [False, True])
def test_fewer_pairs_give_the_same_optimum(whole: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    problem, seen = sites(whole=whole), list[Progress]()
    plan = solve(problem, gap=1e-4, progress=seen.append)
    monkeypatch.setattr(by_floors, "_MANY", 10**9)
    monkeypatch.setattr(dive_and_branch, "_FEWEST", 10**9)
    in_full = solve(problem, gap=1e-4)
    assert checked(problem, plan, tmp_path).broken == []
    assert plan.report["engine"]["columns"] < in_full.report["engine"]["columns"] / 2
    assert plan.report["objective"] == pytest.approx(in_full.report["objective"], rel=2e-4)
    assert max(step.bound for step in seen) <= plan.report["objective"] + 1e-6
    assert plan.report["gap"] <= 1e-4


def test_only_numbers_of_factories_that_can_pay_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    problem, looked_at = sites(), list[tuple[int, int]]()
    monkeypatch.setattr(one_program, "_counted", lambda program, model, *engaged: looked_at.append(engaged) or program)
    solve(problem, gap=1e-3)
    assert all(0 < fewest <= most < 15 for fewest, most in looked_at)
    assert looked_at


def test_costs_of_changes_alone_are_proven_too() -> None:
    """The floors, which leave changes out, are at 0."""
    lots = ("A", "B")
    problem = instance(
        orders=[{"order_id": o, "quantity": 30} for o in lots],
        arcs=[{"order_id": o, "factory_id": f, "unit_cost": 0} for o in lots for f in ("F", "G")],
        capacity=[{"factory_id": f, "day": 1, "minutes": 40} for f in ("F", "G")],
        incumbent=[{"order_id": o, "factory_id": "F", "quantity": 30, "change_cost": 1} for o in lots],
    )
    reduced = reduce(problem)
    w = whole_of(problem, reduced)
    start, _ = start_plans.cheapest(w)
    found = by_floors.solved(w, Limits(20, 0, 1), start)
    assert found.cost == pytest.approx(20)
    assert found.bound == pytest.approx(20)


def test_plan_stands_when_the_time_ends_early(tmp_path: Path) -> None:
    problem = sites()
    plan = solve(problem, time_limit_s=0.5)
    assert checked(problem, plan, tmp_path).broken == []
    assert plan.report["gap"] < 1


def test_nodes_stop_the_search_reproducibly(tmp_path: Path) -> None:
    problem = sites(whole=True)
    plans = [solve(problem, time_limit_s=0.01, gap=0, node_limit=1) for _ in range(2)]
    assert plans[0].allocation.equals(plans[1].allocation)
    assert plans[0].report["bound"] == plans[1].report["bound"]


def test_lots_that_nobody_makes_or_that_do_not_pay_are_left(tmp_path: Path) -> None:
    problem = sites()
    orders = problem.orders.assign(unmet_cost=np.where(problem.orders["lot_id"] == "L1", 0.5, 200.0))
    alone = Instance.from_tables(
        {
            "orders": orders,
            "arcs": problem.arcs[problem.arcs["lot_id"] != "L0"],
            "capacity": problem.capacity,
            "factories": problem.factories,
        }
    )
    plan = solve(alone, gap=1e-4)
    assert checked(alone, plan, tmp_path).broken == []
    assert [row["order_id"] for row in plan.report["unmet"]] == ["L0", "L1"]
