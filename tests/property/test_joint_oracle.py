"""The optimum of tiny instances with stages, transfers, ready pieces and pools equals the cheapest of all plans."""

import os
from pathlib import Path

import pytest
from joint_kit import Oracle, joint, tiny_joint
from plan_kit import cheapest, checked, tiny

from c2m.errors import InfeasibleError
from optimization.planning.solve import solve


def is_the_cheapest(seed: int, folder: Path) -> None:
    problem = tiny_joint(seed)
    expected = Oracle(problem).cheapest()
    if expected is None:
        with pytest.raises(InfeasibleError):
            solve(problem, threads=1)
        return
    plan = solve(problem, threads=1)
    report = checked(problem, plan, folder)
    assert report.broken == [], seed
    assert plan.report["status"] == "optimal", seed
    assert plan.report["objective"] == pytest.approx(expected, rel=1e-6, abs=1e-6), seed
    assert plan.report["bound"] <= expected + 1e-6, seed


@pytest.mark.parametrize("seed", [1, 3, 6, 8, 9, 11])
def test_optimum_equals_the_cheapest_of_all_plans(seed: int, tmp_path: Path) -> None:
    is_the_cheapest(seed, tmp_path)


@pytest.mark.long
def test_optimum_equals_the_cheapest_of_all_plans_many_times(tmp_path: Path) -> None:
    """JOINT_SEEDS=300 tries as many; it takes some ten minutes."""
    for seed in range(16, int(os.environ.get("JOINT_SEEDS", "40"))):
        is_the_cheapest(seed, tmp_path / str(seed))


@pytest.mark.parametrize("seed", range(3))
def test_the_oracle_agrees_with_that_of_one_stage(seed: int) -> None:
    problem = tiny(seed)
    assert Oracle(problem).cheapest() == pytest.approx(cheapest(problem))


def test_stages_begin_as_early_as_their_cost_allows() -> None:
    """F makes 8 pieces a day, so 20 take three days; the lane is two days; G begins with the first that arrive."""
    plan = solve(
        joint(
            orders=[{"order_id": "A", "quantity": 20, "due_day": 15}],
            arcs=[{"order_id": "A", "stage": 1, "factory_id": "F"}, {"order_id": "A", "stage": 2, "factory_id": "G"}],
            capacity=[
                {"factory_id": f, "day": day, "minutes": 8, "overtime_minutes": 4, "overtime_cost": 1}
                for f in "FG"
                for day in range(1, 16)
            ],
            stages=[{"order_id": "A", "stage": stage} for stage in (1, 2)],
            transfers=[{"from_factory": "F", "to_factory": "G", "cost": 0, "days": 2, "order_id": ""}],
        )
    )
    worked = plan.schedule.groupby(["stage", "day"])["run_minutes"].sum()
    assert worked[1].round(6).to_dict() == {1: 8, 2: 8, 3: 4}
    assert worked[2].round(6).to_dict() == {3: 8, 4: 8, 5: 4}
