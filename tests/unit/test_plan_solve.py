"""What `solve` and `allocate` promise beyond the optimum: limits, determinism, words, files, exit codes."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from plan_kit import checked, day_of_work, instance
from typer.testing import CliRunner

from c2m.cli import app
from c2m.errors import InfeasibleError
from optimization.contract.instances import write
from optimization.contract.plan import read_plan
from optimization.planning.solve import allocate, solve
from optimization.statement.highs import Progress


def test_plan_stopped_by_time_is_feasible_with_an_honest_gap(tmp_path: Path) -> None:
    problem = day_of_work()
    plan = solve(problem, time_limit_s=0.01)
    assert checked(problem, plan, tmp_path).broken == []
    assert plan.report["status"] == "feasible"
    assert 0 < plan.report["bound"] < plan.report["objective"]


def test_nodes_stop_the_search_reproducibly(tmp_path: Path) -> None:
    problem = day_of_work(lots=7)
    plans = [solve(problem, time_limit_s=0.01, gap=0, node_limit=1) for _ in range(2)]
    for name, plan in zip("ab", plans, strict=True):
        assert checked(problem, plan, tmp_path / name).broken == []
    for file in ("allocation.csv", "schedule.csv"):
        assert (tmp_path / "a" / "plan" / file).read_bytes() == (tmp_path / "b" / "plan" / file).read_bytes()
    assert plans[0].report["bound"] == plans[1].report["bound"]
    assert plans[0].report["gap"] < 0.2


def test_loose_gap_is_reached_and_progress_told(tmp_path: Path) -> None:
    problem, seen = day_of_work(lots=30), list[Progress]()
    plan = solve(problem, gap=0.02, progress=seen.append)
    assert checked(problem, plan, tmp_path).broken == []
    assert plan.report["status"] == "optimal"
    assert plan.report["gap"] <= 0.02
    assert seen and all(step.incumbent is None or step.incumbent >= step.bound - 1e-6 for step in seen)


def test_plan_survives_the_way_through_files(tmp_path: Path) -> None:
    plan = solve(day_of_work(lots=5), gap=0.05)
    plan.write(tmp_path)
    again = read_plan(tmp_path)
    assert again.report == plan.report
    assert again.allocation.equals(plan.allocation)
    assert again.schedule.equals(plan.schedule)


@pytest.mark.parametrize(
    ("order", "arc", "capacity", "code"),
    [
        ({}, {"min_lot": 30}, {}, "minimum-lot"),
        ({"release_day": 9}, {}, {}, "window-empty"),
        ({}, {}, {"minutes": 0}, "no-working-day"),
        ({}, {"min_lot": 10}, {"minutes": 5}, "window-too-short"),
        ({}, {"order_id": "B"}, {}, "no-capable-factory"),
        ({}, {}, {"minutes": 15}, "window-too-short"),
        ({"unmet_cost": 0.5}, {}, {}, "making-dearer"),
        (
            {"unmet_cost": 2},
            {"setup_cost": 99},
            {},
            "setup-dearer",
        ),
    ],
)
def test_unmet_pieces_have_their_reason(
    order: dict[str, Any], arc: dict[str, Any], capacity: dict[str, Any], code: str
) -> None:
    problem = instance(
        orders=[{"order_id": "A", "quantity": 20} | order, {"order_id": "B", "quantity": 1}],
        arcs=[{"order_id": "A", "factory_id": "F"} | arc],
        capacity=[{"factory_id": "F", "day": 1, "minutes": 100} | capacity],
    )
    unmet = {row["order_id"]: row for row in solve(problem).report["unmet"]}
    assert unmet["A"]["code"] == code and unmet["A"]["reason"]


def test_at_most_so_many_factories_is_a_reason_of_its_own() -> None:
    problem = instance(
        orders=[{"order_id": "A", "quantity": 20, "max_factories": 1}],
        arcs=[{"order_id": "A", "factory_id": f} for f in "FG"],
        capacity=[{"factory_id": "F", "day": 1, "minutes": 12}, {"factory_id": "G", "day": 1, "minutes": 11}],
    )
    plan = solve(problem)
    assert plan.allocation.to_dict("records") == [{"lot_id": "A", "factory_id": "F", "quantity": 12}]
    assert plan.report["unmet"][0]["code"] == "max-factories"
    bare = solve(problem, reasoned=False)
    assert bare.allocation.equals(plan.allocation) and "unmet" not in bare.report


FROZEN = {"order_id": "A", "factory_id": "F", "quantity": 10, "frozen": True}


@pytest.mark.parametrize(
    ("arc", "minutes", "pieces", "cause"),
    [
        (
            {},
            5,
            10,
            "order A at F: 10 frozen pieces need 10.0 minutes, setup included; the factory offers this pair 5.0",
        ),
        ({"max_lot": 9}, 99, 10, "order A at F: 10 frozen pieces exceed max_lot 9"),
        ({"release_day": 2}, 99, 10, "order A at F: 10 frozen pieces have no working day: material on day 2"),
        ({}, 99, 30, "order A: 30 pieces are frozen, the order asks for 20; release some"),
        ({}, 15, 10, "factory F: frozen work of 2 orders needs 18.0 minutes in days 1 to 1, 3.0 more than the 15.0"),
    ],
)
def test_frozen_work_that_does_not_fit_is_refused_with_its_cause(
    arc: dict[str, Any], minutes: int, pieces: int, cause: str, tmp_path: Path
) -> None:
    problem = instance(
        orders=[{"order_id": o, "quantity": 20} for o in "AB"],
        arcs=[{"order_id": "A", "factory_id": "F"} | arc, {"order_id": "B", "factory_id": "F"}],
        capacity=[{"factory_id": "F", "day": 1, "minutes": minutes}],
        incumbent=[FROZEN | {"quantity": pieces}, FROZEN | {"order_id": "B", "quantity": 8}],
    )
    with pytest.raises(InfeasibleError) as caught:
        solve(problem)
    assert any(fault.startswith(cause) for fault in caught.value.faults)
    write(problem, tmp_path / "instance")
    result = CliRunner().invoke(app, ["allocate", str(tmp_path / "instance"), "--out", str(tmp_path / "plan")])
    assert result.exit_code == 3
    assert json.loads((tmp_path / "plan" / "report.json").read_text())["causes"] == caught.value.faults
    assert CliRunner().invoke(app, ["verify", str(tmp_path / "instance"), str(tmp_path / "plan")]).exit_code == 0


def test_commands_write_a_plan_that_verifies_and_refuse_bad_input_without_a_trace(tmp_path: Path) -> None:
    problem, out = day_of_work(lots=4), tmp_path / "plan"
    write(problem, tmp_path / "instance")
    arguments = ["allocate", str(tmp_path / "instance"), "--out", str(out), "--gap", "0.01"]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    assert CliRunner().invoke(app, ["verify", str(tmp_path / "instance"), str(out)]).exit_code == 0
    (tmp_path / "instance" / "arcs.csv").unlink()
    arguments[3] = str(tmp_path / "other")
    assert CliRunner().invoke(app, arguments).exit_code == 2
    assert not (tmp_path / "other").exists()


def test_capacity_of_zero_everywhere_leaves_all_unmet(tmp_path: Path) -> None:
    problem = instance(
        orders=[{"order_id": "A", "quantity": 20}],
        arcs=[{"order_id": "A", "factory_id": "F"}],
        capacity=[{"factory_id": "F", "day": d, "minutes": 0} for d in (1, 2)],
    )
    plan = solve(problem)
    assert checked(problem, plan, tmp_path).broken == []
    assert plan.report["status"] == "optimal"
    left = [(lot["order_id"], lot["quantity"], lot["code"]) for lot in plan.report["unmet"]]
    assert left == [("A", 20, "no-working-day")]


def test_huge_lot_and_spread_costs_stay_exact(tmp_path: Path) -> None:
    problem = instance(
        orders=[{"order_id": "A", "quantity": 1_530_000, "due_day": 3, "unmet_cost": 1e9}],
        arcs=[
            {"order_id": "A", "factory_id": f"F{n}", "unit_cost": 1e-3 * (n + 1), "minutes_per_piece": 7.3 + n / 7}
            | {"setup_minutes": 33.3, "setup_cost": 10.0**n, "max_lot": 2_000_000}
            for n in range(6)
        ],
        capacity=[{"factory_id": f"F{n}", "day": d, "minutes": 700_000.7} for n in range(6) for d in (1, 2, 3)],
    )
    plan = solve(problem, time_limit_s=10)
    assert checked(problem, plan, tmp_path).broken == []
    assert plan.report["gap"] <= 1e-5


def test_work_is_done_early_in_regular_minutes() -> None:
    problem = instance(
        orders=[{"order_id": "A", "quantity": 30, "due_day": 5}],
        arcs=[{"order_id": "A", "factory_id": "F", "setup_minutes": 4, "setup_cost": 1}],
        capacity=[
            {"factory_id": "F", "day": d, "minutes": 10, "overtime_minutes": 5, "overtime_cost": 1} for d in range(1, 6)
        ],
    )
    schedule = solve(problem).schedule
    assert schedule["day"].tolist() == [1, 2, 3, 4]
    assert schedule["setup_minutes"].tolist() == [4, 0, 0, 0]
    assert schedule["run_minutes"].tolist() == [6, 10, 10, 4]


def test_what_is_due_first_is_made_first_where_order_costs_nothing() -> None:
    """A has to wait for its cloth until day 2, so B begins; then A comes first, and C with the latest date last."""
    due = {"A": (2, 4), "B": (1, 6), "C": (1, 9)}
    problem = instance(
        orders=[
            {"order_id": lot, "quantity": 20, "release_day": first, "due_day": last}
            for lot, (first, last) in due.items()
        ],
        arcs=[{"order_id": lot, "factory_id": "F"} for lot in due],
        capacity=[{"factory_id": "F", "day": d, "minutes": 10} for d in range(1, 10)],
    )
    schedule = solve(problem).schedule
    days = {lot: rows["day"].tolist() for lot, rows in schedule.groupby("lot_id")}
    assert days == {"A": [2, 3], "B": [1, 4], "C": [5, 6]}


@pytest.mark.parametrize("seed", range(6))
def test_no_two_days_of_two_lots_can_be_exchanged_in_favour_of_the_earlier_due_date(seed: int, tmp_path: Path) -> None:
    problem = day_of_work(seed)
    problem = replace(problem, arcs=problem.arcs.assign(max_minutes_per_day=np.inf))
    plan = solve(problem, time_limit_s=10)
    assert checked(problem, plan, tmp_path).broken == []
    arcs = problem.arcs.merge(problem.orders[["lot_id", "due_day"]], on="lot_id")
    lots = arcs.assign(on_time_day=arcs["due_day"] - arcs["transit_days"])
    rows = plan.schedule.merge(
        lots[["lot_id", "factory_id", "release_day", "on_time_day"]], on=["lot_id", "factory_id"]
    )
    pairs = rows.merge(rows, on="factory_id", suffixes=("", "_later"))
    better = (pairs["on_time_day"] < pairs["on_time_day_later"]) & (pairs["day_later"] < pairs["day"])
    kept = (pairs["release_day"] <= pairs["day_later"]) & (pairs["day"] <= pairs["on_time_day"])
    assert pairs[better & kept].empty


def test_allocate_returns_the_report_that_it_wrote(tmp_path: Path) -> None:
    write(day_of_work(lots=3), tmp_path / "instance")
    report = allocate(tmp_path / "instance", tmp_path / "plan", gap=0.05)
    assert json.loads((tmp_path / "plan" / "report.json").read_text()) == report
