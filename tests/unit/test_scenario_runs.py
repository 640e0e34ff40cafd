"""`c2m what-if`: figures against the plan's own report, delays against solving with and without, files, refusals."""

import json
from pathlib import Path
from typing import Any

import docs_kit
import pandas as pd
import pytest
import yaml
from plan_kit import cheapest, instance, tiny
from typer.testing import CliRunner

from c2m.cli import app
from c2m.errors import InfeasibleError, InputError
from optimization.contract.instances import Instance, read, write
from optimization.contract.plan import Plan
from optimization.planning.solve import solve
from optimization.whatif.comparison import by_lot, what_if
from optimization.whatif.running_plan import as_incumbents

RUSH = {"change": "rush_order", "order_id": "R", "quantity": 60, "due_day": 1}


def book() -> Instance:
    """Two lots that fill the cheap factory on days 1 and 2; day 3 is late for A, and the other factory is dear."""
    return instance(
        orders=[
            {"order_id": "A", "quantity": 100, "due_day": 2, "max_late_days": 1, "late_cost": 1, "unmet_cost": 50},
            {"order_id": "B", "quantity": 100, "due_day": 3, "unmet_cost": 50},
        ],
        arcs=[
            {"order_id": o, "factory_id": f, "unit_cost": c} for o in "AB" for f, c in (("cheap", 1.0), ("dear", 9.0))
        ],
        capacity=[
            {"factory_id": f, "day": d, "minutes": 100 if f == "cheap" else 30}
            for f in ("cheap", "dear")
            for d in (1, 2, 3)
        ],
    )


def scenario_file(folder: Path, name: str, *changes: dict[str, Any]) -> Path:
    file = folder / f"{name}.yaml"
    file.write_text(yaml.safe_dump({"changes": list(changes)}))
    return file


def saved(problem: Instance, folder: Path) -> Path:
    write(problem, folder / "instance")
    return folder / "instance"


def finish_days(problem: Instance, plan: Plan) -> dict[str, int]:
    """Arrival of the last piece, by hand."""
    transit = {(a.lot_id, a.factory_id): a.transit_days for a in problem.arcs.itertuples()}
    days: dict[str, int] = {}
    for row in plan.schedule.itertuples():
        if row.run_minutes > 1e-6:
            finish = row.day + transit[row.lot_id, row.factory_id]
            days[row.lot_id] = max(days.get(row.lot_id, 0), finish)
    return days


def test_the_lots_that_a_rush_order_delays_are_those_of_solving_with_and_without_it(tmp_path: Path) -> None:
    running = solve(book())
    running.write(tmp_path / "running")
    file = scenario_file(tmp_path, "rush", RUSH | {"like": "A", "max_late_days": 0, "unmet_cost": 500})
    out = tmp_path / "out"
    base, rush = what_if(saved(book(), tmp_path), [file], out, tmp_path / "running", change_cost=3.0)
    assert base.figures["change"] == 0 and base.delayed == []
    problems = [read(out / name / "instance") for name in ("base", "rush")]
    without, with_rush = (solve(problem) for problem in problems)
    assert {without.report["status"], with_rush.report["status"]} == {"optimal"}
    assert rush.extra_cost == pytest.approx(with_rush.report["objective"] - without.report["objective"])
    before, after = finish_days(problems[0], without), finish_days(problems[1], with_rush)
    expected = {lot: (before[lot], after[lot]) for lot in before if after[lot] > before[lot]}
    assert {d.order_id: (d.finish_day_before, d.finish_day) for d in rush.delayed} == expected
    assert expected
    # 60 rush pieces at 1, and the 60 that give way: by being later at no cost, made at 9 instead of 1, moved at 3
    assert rush.new_lots_cost == pytest.approx(60)
    assert rush.extra_cost - rush.new_lots_cost == pytest.approx(sum(d.extra_cost for d in rush.delayed))


@pytest.mark.parametrize("seed", range(0, 40, 4))
def test_a_running_plan_proven_optimal_is_left_as_it_is(seed: int, tmp_path: Path) -> None:
    try:
        plan = solve(tiny(seed))
    except InfeasibleError:
        return
    known = len(tiny(seed).incumbent)  # its own prices: at a lower one a move may pay that did not before
    problem = as_incumbents(tiny(seed), plan.allocation, change_cost=None if known else 2.0)
    again = solve(problem)
    assert again.report["cost"]["change"] == 0
    assert again.report["objective"] == pytest.approx(cheapest(problem), abs=1e-6)


def test_a_running_plan_needs_a_price_of_change_and_its_own_instance() -> None:
    allocation = pd.DataFrame({"lot_id": ["A", "Z"], "factory_id": ["cheap", "cheap"], "quantity": [5, 5]})
    with pytest.raises(InputError) as caught:
        as_incumbents(book(), allocation)
    assert [fault.split(":")[0] for fault in caught.value.faults] == ["allocation", "change_cost"]


def test_a_running_plan_keeps_what_is_frozen_frozen_and_prices_that_the_instance_knows() -> None:
    rows = [{"lot_id": "A", "factory_id": "cheap", "quantity": 20, "change_cost": 4, "frozen": True}]
    rows[0]["setup_done"] = True
    problem = instance([{"lot_id": "A", "quantity": 50}], [{"lot_id": "A", "factory_id": "cheap"}], [], None, rows, 1)
    allocation = pd.DataFrame({"lot_id": ["A"], "factory_id": ["cheap"], "quantity": [50]})
    held = as_incumbents(problem, allocation).incumbent
    assert held.to_dict("records") == rows


@pytest.mark.parametrize("seed", range(12))
def test_the_lots_cost_and_what_the_factories_cost_is_the_plan_cost(seed: int) -> None:
    try:
        plan = solve(tiny(seed))
    except InfeasibleError:
        return
    cost = plan.report["cost"]
    of_factories = cost["engagement"] + cost["overtime"] + cost["shortfall"]
    assert by_lot(tiny(seed), plan)["cost"].sum() == pytest.approx(plan.report["objective"] - of_factories)


def test_the_command_compares_cost_lateness_splits_and_load_and_keeps_the_plans(tmp_path: Path) -> None:
    folder = saved(book(), tmp_path)
    files = [
        scenario_file(tmp_path, "down", {"change": "factory_down", "factories": ["cheap"], "first_day": 2}),
        scenario_file(tmp_path, "one", {"change": "max_factories", "most": 1}),
    ]
    arguments = ["what-if", str(folder), *map(str, files), "--out", str(tmp_path / "out")]
    shown = CliRunner().invoke(app, arguments)
    assert shown.exit_code == 0, shown.output
    for word in ("base", "down", "one", "overtime", "split_lots", "verified", "delays"):
        assert word in shown.output
    cases = json.loads(CliRunner().invoke(app, [*arguments, "--json"]).stdout)
    assert [case["name"] for case in cases] == ["base", "down", "one"]
    assert json.loads((tmp_path / "out" / "comparison.json").read_text()) == cases
    for case in cases:
        assert case["figures"]["verified"] is True
        report = json.loads((tmp_path / "out" / case["name"] / "plan" / "report.json").read_text())
        assert case["figures"]["cost"] == report["objective"]
        assert case["figures"]["unmet_pieces"] == sum(row["quantity"] for row in report["unmet"])
        pairs = pd.read_csv(tmp_path / "out" / case["name"] / "plan" / "allocation.csv")
        assert case["figures"]["split_lots"] == sum(pairs.groupby("order_id").size() > 1)
    down = cases[1]["figures"]
    assert (down["load_share"], down["unmet_pieces"]) == (190 / 190, 10)
    assert cases[2]["figures"]["split_lots"] == 0


def test_frozen_work_that_no_longer_fits_is_a_case_of_its_own(tmp_path: Path) -> None:
    held = [{"order_id": "A", "factory_id": "F", "quantity": 10, "frozen": True}]
    problem = instance(
        [{"order_id": "A", "quantity": 10}],
        [{"order_id": "A", "factory_id": "F"}],
        [{"factory_id": "F", "day": 1, "minutes": 50}],
        incumbent=held,
    )
    file = scenario_file(tmp_path, "down", {"change": "factory_down", "factories": ["F"]})
    folder = saved(problem, tmp_path)
    base, down = what_if(folder, [file])
    assert (base.status, down.status) == ("optimal", "infeasible")
    told = CliRunner().invoke(app, docs_kit.of("README.md", "what-if", instance=folder, scenario_yaml=file))
    assert told.exit_code == 0 and "infeasible" in told.output
    assert "10 frozen pieces" in down.causes[0]


def test_bad_scenarios_are_refused_before_anything_is_solved(tmp_path: Path) -> None:
    folder = saved(book(), tmp_path)
    files = [
        scenario_file(tmp_path, name, {"change": "factory_down", "factories": [factory]})
        for name, factory in (("one", "X"), ("two", "Y"))
    ]
    result = CliRunner().invoke(app, ["what-if", str(folder), *map(str, files), "--out", str(tmp_path / "out")])
    assert result.exit_code == 2
    assert "factory X" in result.output and "factory Y" in result.output
    assert not (tmp_path / "out").exists()
