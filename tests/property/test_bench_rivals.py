"""The benchmark's rivals solve the same problem as the engine: on tiny cases they all agree with trying everything."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest
from plan_kit import cheapest, checked, tiny

from benchmarks.allocation import rivals, suite
from benchmarks.allocation.textbook import Clock
from c2m.errors import InfeasibleError
from optimization.contract.instances import write
from optimization.planning.solve import solve


@pytest.mark.parametrize("seed", range(100, 106))
def test_textbook_mip_engine_and_exhaustive_search_agree(seed: int, tmp_path: Path) -> None:
    problem = tiny(seed)
    best = cheapest(problem)
    if best is None:
        with pytest.raises((SystemExit, InfeasibleError)):
            rivals.solve("highs", problem, Clock(20, 0.0, 1))
        return
    plan = rivals.solve("highs", problem, Clock(20, 0.0, 1))
    report = checked(problem, plan, tmp_path)
    assert report.ok, report.broken
    assert report.objective == pytest.approx(best, rel=1e-6)
    assert plan.report["bound"] == pytest.approx(best, rel=1e-6)
    assert solve(problem, 20, 0.0).report["objective"] == pytest.approx(best, rel=1e-6)
    assert rivals.solve("greedy", problem, Clock(20, 0.0, 1)).report["objective"] >= best - 1e-6


@pytest.mark.skipif(importlib.util.find_spec("ortools") is None, reason="OR-Tools comes with `make bench` alone")
@pytest.mark.parametrize("seed", range(100, 106))
def test_cpsat_in_its_own_process_agrees(seed: int, tmp_path: Path) -> None:
    problem = tiny(seed)
    best = cheapest(problem)
    write(problem, tmp_path / "instance")
    result: dict[str, Any] = suite.run(suite.Run("tiny", "cpsat", 20, 0.0), tmp_path / "instance", tmp_path / "plan")
    assert result["verified"] == (best is not None)
    if best is not None:
        assert (result["objective"], result["bound"]) == pytest.approx((best, best), rel=1e-6)
