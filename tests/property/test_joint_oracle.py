"""The optimum of tiny instances with stages, transfers, ready pieces and pools equals the cheapest of all plans."""

from pathlib import Path

import pytest
from joint_kit import Oracle, tiny_joint
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


@pytest.mark.parametrize("seed", range(16))
def test_optimum_equals_the_cheapest_of_all_plans(seed: int, tmp_path: Path) -> None:
    is_the_cheapest(seed, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("first", range(16, 300, 71))
def test_optimum_equals_the_cheapest_of_all_plans_300_times(first: int, tmp_path: Path) -> None:
    for seed in range(first, first + 71):
        is_the_cheapest(seed, tmp_path / str(seed))


@pytest.mark.parametrize("seed", range(6))
def test_the_oracle_agrees_with_that_of_one_stage(seed: int) -> None:
    problem = tiny(seed)
    assert Oracle(problem).cheapest() == pytest.approx(cheapest(problem))
