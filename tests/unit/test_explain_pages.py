"""What `c2m explain` and the plan's page say: figures for programs, words for people, refusals without a trace."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from plan_kit import instance
from typer.testing import CliRunner

from c2m.cli import app
from optimization.explain import summary
from optimization.explain_lot import pair
from optimization.plan import Plan
from optimization.problem import Instance, write
from optimization.solve import solve


def book() -> Instance:
    """A lot that must be split, one that is short, one that is late; F is full, G has a minimum lot, overtime costs."""
    day = {"minutes": 60.0, "overtime_minutes": 10.0, "overtime_cost": 0.5}
    return instance(
        orders=[
            {"order_id": "SPLIT", "quantity": 150, "due_day": 3},
            {"order_id": "SHORT", "quantity": 150, "due_day": 2, "unmet_cost": 20},
            {"order_id": "LATE", "quantity": 40, "due_day": 2, "max_late_days": 2, "late_cost": 0.5},
        ],
        arcs=[
            {"order_id": "SPLIT", "factory_id": "F", "unit_cost": 2, "setup_cost": 3},
            {"order_id": "SPLIT", "factory_id": "G", "unit_cost": 3, "setup_cost": 3, "min_lot": 40},
            {"order_id": "SPLIT", "factory_id": "H", "unit_cost": 9, "min_lot": 200, "max_lot": 900},
            {"order_id": "SHORT", "factory_id": "F", "unit_cost": 3},
            {"order_id": "LATE", "factory_id": "G", "unit_cost": 4},
        ],
        capacity=[{"factory_id": f, "day": d, **day} for f in "FGH" for d in (1, 2, 3)],
        horizon_days=4,
    )


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Instance, Plan, list[str]]:
    folder, problem = tmp_path_factory.mktemp("explain"), book()
    plan = solve(problem)
    write(problem, folder / "instance")
    plan.write(folder / "plan")
    return problem, plan, [str(folder / "instance"), str(folder / "plan")]


def told(folders: Any, *options: str) -> dict[str, Any]:
    result = CliRunner().invoke(app, ["explain", *folders[2], *options, "--json"])
    assert result.exit_code == 0, result.output
    figures: dict[str, Any] = json.loads(result.output)
    return figures


def test_lot_tells_its_places_and_what_its_split_saves(folders: Any) -> None:
    figures = told(folders, "--order", "SPLIT")
    assert {row["factory_id"] for row in figures["places"] if row["quantity"]} == {"F", "G"}
    barred = next(row for row in figures["places"] if row["factory_id"] == "H")
    assert barred["reason"] == "minimum lot above the quantity"
    assert figures["single_factory"]["extra_cost"] > 0
    assert figures["nothing_split"]["lots"] == 3


def test_factory_tells_the_price_of_every_day(folders: Any) -> None:
    figures = told(folders, "--factory", "F")
    assert [row["day"] for row in figures["days"]] == [1, 2, 3, 4]
    assert all(row["more"] <= row["less"] + 1e-9 for row in figures["days"] if row["less"] is not None)
    assert figures["days"][3]["less"] is None  # closed: no minute to take


def test_book_names_lots_in_trouble_and_the_book_without_splits(folders: Any) -> None:
    figures = told(folders)
    assert {row["order_id"] for row in figures["short_or_late"]} >= {"SHORT"}
    assert all(row["cause"]["words"] for row in figures["short_or_late"])
    assert figures["nothing_split"]["extra_cost"] > 0


def test_words_are_for_people(folders: Any) -> None:
    result = CliRunner().invoke(app, ["explain", *folders[2], "--order", "SPLIT", "--factory", "H"])
    assert "minimum lot above the quantity (its minimum lot of 200 pieces, of 150 there are)" in " ".join(
        result.output.split()
    )


def test_pair_in_use_and_pair_that_is_none(folders: Any) -> None:
    problem, plan, _ = folders
    assert pair(problem, plan, "SPLIT", "F").figures["rule"] == "used"
    assert pair(problem, plan, "SHORT", "G").figures["rule"] == "no-capable-factory"


@pytest.mark.parametrize("options", [["--order", "NOBODY"], ["--factory", "NOWHERE"]])
def test_unknown_names_are_refused(folders: Any, options: list[str]) -> None:
    assert CliRunner().invoke(app, ["explain", *folders[2], *options]).exit_code == 2


def test_missing_plan_is_refused(folders: Any, tmp_path: Path) -> None:
    assert CliRunner().invoke(app, ["explain", folders[2][0], str(tmp_path)]).exit_code == 2


def test_summary_is_quick_and_has_the_same_headings(folders: Any) -> None:
    problem, plan, _ = folders
    began = time.monotonic()
    text = summary(problem, plan)
    assert time.monotonic() - began < 30  # seconds; 3 on an idle machine
    assert "## Short or late" in text and "If no lot were split" in text


def nothing_made(**order: Any) -> Instance:
    """One lot whose only factory never works."""
    return instance(
        orders=[{"order_id": "A", "quantity": 10, "due_day": 3, "unmet_cost": 9, **order}],
        arcs=[{"order_id": "A", "factory_id": "F"}],
        capacity=[{"factory_id": "F", "day": day, "minutes": 0} for day in (1, 3)],
    )


@pytest.mark.parametrize("options", [[], ["--order", "A"], ["--factory", "F"], ["--order", "A", "--factory", "F"]])
def test_a_book_of_which_nothing_can_be_made_is_explained(tmp_path: Path, options: list[str]) -> None:
    problem = nothing_made()
    write(problem, tmp_path / "instance")
    solve(problem).write(tmp_path / "plan")
    result = CliRunner().invoke(app, ["explain", str(tmp_path / "instance"), str(tmp_path / "plan"), *options])
    assert result.exit_code == 0, result.output
