"""Stages at scale: the bound by routes, plans over the pairs that routes use, and paths without capacity."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from joint_kit import Oracle, joint, tiny_joint
from plan_kit import checked

from c2m.errors import InfeasibleError
from optimization.engines.staged import by_routes
from optimization.planning.solve import solve


@pytest.mark.parametrize("seed", [0, 4, 5, 7])
def test_the_bound_holds_and_the_plan_is_valid(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(by_routes, "_SLOTS", 0)
    problem = tiny_joint(seed)
    cheapest = Oracle(problem).cheapest()
    try:
        plan = solve(problem, threads=1)
    except InfeasibleError:
        return
    assert cheapest is not None
    assert checked(problem, plan, tmp_path).broken == []
    assert plan.report["bound"] <= cheapest + 1e-6
    assert plan.report["objective"] >= cheapest - 1e-6


@pytest.mark.parametrize("seed", range(3))
def test_without_capacity_a_lot_takes_the_shortest_path_through_its_stages(seed: int, tmp_path: Path) -> None:
    r = np.random.default_rng(seed)
    stages, factories = 8, 15
    unit = r.uniform(1, 9, (stages, factories)).round(2)
    lane = r.uniform(0, 5, (factories, factories)).round(2)
    names = [f"F{f}" for f in range(factories)]
    best = unit[0]
    for after in unit[1:]:  # the cheapest way to have a piece at each factory, stage after stage
        best = (best[:, None] + lane - np.diag(lane.diagonal())).min(axis=0) + after
    arcs: list[dict[str, Any]] = [
        {"order_id": "A", "stage": s + 1, "factory_id": f, "unit_cost": unit[s, n]}
        for s in range(stages)
        for n, f in enumerate(names)
    ]
    problem = joint(
        [{"order_id": "A", "quantity": 5}],
        arcs,
        [{"factory_id": f, "day": 1, "minutes": 1000} for f in names],
        stages=[{"order_id": "A", "stage": s + 1} for s in range(stages)],
        transfers=[
            {"from_factory": f, "to_factory": g, "cost": lane[i, j], "days": 0}
            for i, f in enumerate(names)
            for j, g in enumerate(names)
            if f != g
        ],
    )
    plan = solve(problem, threads=1)
    assert plan.report["objective"] == pytest.approx(5 * best.min())
    assert plan.report["status"] == "optimal"
    assert checked(problem, plan, tmp_path).broken == []
    made = plan.allocation.sort_values("stage")["factory_id"].tolist()
    assert len(made) == stages
