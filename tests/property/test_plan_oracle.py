"""The optimum of tiny instances with every feature equals the cheapest of all plans, and the verifier agrees."""

from pathlib import Path

import pytest
from plan_kit import checked, optimum_unless_refused, tiny

from optimization.planning.solve import solve


@pytest.mark.parametrize("seed", range(20))
def test_optimum_equals_the_cheapest_of_all_plans(seed: int, tmp_path: Path) -> None:
    problem = tiny(seed)
    expected = optimum_unless_refused(problem, solve)
    if expected is None:
        return
    plan = solve(problem)
    report = checked(problem, plan, tmp_path)
    assert report.broken == []
    assert plan.report["status"] == "optimal"
    assert plan.report["objective"] == pytest.approx(expected, rel=1e-6, abs=1e-6)
    assert plan.report["bound"] <= expected + 1e-6
