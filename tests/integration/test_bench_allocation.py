"""The allocation benchmark end to end on tiny cases: runs are kept and not repeated, failures are results, the page."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.allocation import report, suite

RUNS = [suite.Run("own_12x5_s1", solver, 3, 1e-4) for solver in ("c2m", "highs", "greedy")]


@pytest.fixture
def done(home: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    for module in (suite, report):
        monkeypatch.setattr(module, "results_folder", lambda: home / "results")
    suite.complete(RUNS)
    return [json.loads(run.file.read_text()) for run in RUNS]


def test_a_run_is_measured_verified_kept_and_shown(
    done: list[dict[str, object]], home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert all(result["verified"] for result in done)
    assert all(0 < float(str(result["seconds"])) < 60 and float(str(result["peak_mib"])) > 20 for result in done)
    capsys.readouterr()
    suite.complete(RUNS)
    assert capsys.readouterr().out == ""  # nothing was run again
    monkeypatch.setattr(report, "planned", lambda: RUNS)
    monkeypatch.setattr(report, "CONTESTED", ["own_12x5_s1"])
    table = report.results()
    assert not report.contradictions(table)
    text = report.page(table, home / "images")
    assert text.count("| own_12x5_s1 |") == 3
    assert (home / "images" / "benchmark-waste.svg").stat().st_size > 0
    assert "### Growth" not in text


def test_a_bound_above_a_plan_is_told() -> None:
    rows = {
        "case": ["a", "a", "b"],
        "solver": ["c2m", "highs", "c2m"],
        "verified": True,
        "objective": [10.0, 11.0, 8.0],
    }
    found = pd.DataFrame(rows | {"bound": [9.0, 10.5, 8.0], "published": [None, None, 7.0]})
    told = report.contradictions(report._compared(found))
    assert told == ["a: bound 10.5 above the plan 10.0", "b: bound 8.0 above the plan 7.0"]


def test_a_solver_that_fails_or_does_not_stop_leaves_a_result() -> None:
    failed = suite._measured([sys.executable, "-c", "raise SystemExit('no plan')"], 30)
    assert (failed["exit"], failed["error"].strip()) == (1, "no plan")
    late = suite._measured([sys.executable, "-c", "import time; time.sleep(60)"], 0.5)
    assert late["exit"] != 0
    assert late["seconds"] < 10


def test_an_instance_that_cannot_be_solved_is_no_verified_plan(tmp_path: Path) -> None:
    result = suite.run(replace(RUNS[1], case="empty"), tmp_path / "nothing", tmp_path / "plan")
    assert not result["verified"]
    assert "no such folder" in result["error"]


def test_versions_know_the_code_and_the_plan_is_whole(shared_data: Path) -> None:
    assert {path.name for path in suite._sources("optimization.planning.solve", "optimization", set())} >= {
        "solve.py",
        "instances.py",
        "highs.py",
    }
    planned = list(suite.planned())
    assert len({run.case for run in planned if run.solver == "cpsat"}) == 8
    assert len(planned) == len(set(planned))
