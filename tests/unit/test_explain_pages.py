"""What `c2m explain` and the plan's page say: figures for programs, words for people, refusals without a trace."""

import json
import time
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from plan_kit import checked, instance
from typer.testing import CliRunner

from c2m.cli import app
from optimization.book.plan_proposal import dated_allocation, load_by_factory
from optimization.contract.instances import Instance, write
from optimization.contract.plan import Plan, read_plan
from optimization.engines.first.rule import greedy
from optimization.explanation.answer import book, summary
from optimization.explanation.form import Against
from optimization.explanation.lot import pair
from optimization.explanation.splitting import worth
from optimization.planning.daybook import day_of
from optimization.planning.solve import solve


def book_of_the_day() -> Instance:
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
    folder, problem = tmp_path_factory.mktemp("explain"), book_of_the_day()
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
    assert "## Not placed or late" in text and "With every lot at one factory" in text


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


def crowded(lots: int = 9) -> Instance:
    """More lots than one factory has minutes for; another takes no small lot."""
    return instance(
        orders=[{"order_id": f"L{n}", "quantity": 20, "due_day": 2, "unmet_cost": 10 + n} for n in range(lots)],
        arcs=[
            {"order_id": f"L{n}", "factory_id": f, "min_lot": m} for n in range(lots) for f, m in (("F", 0), ("G", 50))
        ],
        capacity=[{"factory_id": f, "day": day, "minutes": 30} for f in "FG" for day in (1, 2)],
    )


def test_where_much_is_short_the_page_begins_with_it_by_cause_and_factory() -> None:
    problem = crowded()
    plan = solve(problem)
    found = book(problem, plan, names={"L0": "PO-7 shirt, blue"})
    text = found.text
    assert text.index("## What is not placed") < text.index("## Dearest minutes") < text.index("## Not placed or late")
    short = found.figures["short"]
    left = plan.report["unmet"]
    assert (short["lots"], short["pieces"]) == (len(left), sum(lot["quantity"] for lot in left))
    assert sum(row["pieces"] for row in short["by_cause"]) == short["pieces"]
    assert short["cost"] == pytest.approx(plan.report["cost"]["unmet"])
    assert short["by_factory"][0]["factory_id"] == "F"
    told = {row["lot_id"]: row["cause"]["code"] for row in found.figures["short_or_late"]}
    causes = {row["code"] for row in short["by_cause"]}
    assert set(told.values()) <= causes
    if "L0" in told:
        assert "PO-7 shirt, blue" in text and "Lot L0" not in text


def test_no_fix_costs_more_than_what_it_mends() -> None:
    problem = crowded()
    for row in book(problem, solve(problem)).figures["short_or_late"]:
        assert all(fix["pays"] == (fix["extra_cost"] <= 0.005) for fix in row["fixes"])
    dear = instance(  # overtime of the second factory costs more than the piece
        orders=[{"order_id": "A", "quantity": 20, "due_day": 1, "unmet_cost": 3}],
        arcs=[{"order_id": "A", "factory_id": "F"}],
        capacity=[{"factory_id": "F", "day": 1, "minutes": 10, "overtime_minutes": 1, "overtime_cost": 50}],
    )
    words = book(dear, solve(dear)).text
    assert "more than it brings" in words and "costs -" not in words and ": costs " not in words


@pytest.mark.parametrize(
    ("extra", "least", "words"),
    [
        (300.0, 300.0, "300 more"),
        (300.0, 200.0, "200 to 300 more"),
        (82.25, -2.27, "at most 82.25 more"),
        (-6.71, -19.73, "6.71 less; the search for the plan stopped before it found that"),
        (0.0, 0.0, "as much as now"),
    ],
)
def test_another_plan_is_compared_in_words_that_cannot_be_misread(extra: float, least: float, words: str) -> None:
    assert Against(extra, least, {}, []).words == words


def test_splitting_is_worth_the_same_once_its_lots_are_committed() -> None:
    problem = book_of_the_day()
    plan = solve(problem)
    first = worth(problem, plan, 5.0)
    assert first.lots == 1 and first.nothing_split and first.nothing_split.extra_cost > 0
    held = plan.allocation.assign(change_cost=1.0, frozen=True, setup_done=True)
    later = replace(problem, incumbent=held)
    again = solve(later)
    day = day_of(problem, later, again)
    second = worth(day.book, day.plan, 5.0)
    assert second.nothing_split and second.nothing_split.extra_cost == pytest.approx(first.nothing_split.extra_cost)
    assert second.words in summary(later, again, 6.0, day)
    given = worth(later, again, 5.0).nothing_split
    assert given and given.extra_cost == pytest.approx(0.0)  # what the day had saved would be called nothing


def test_days_are_dates_where_the_instance_has_a_first_day(folders: Any) -> None:
    problem, plan, _ = folders
    text = summary(replace(problem, day_1=date(2026, 4, 14)), plan)
    assert "14 Apr" in text and " day 1" not in text


@pytest.mark.parametrize("problem", [nothing_made(), nothing_made(max_factories=1), crowded(1)])
def test_every_report_function_takes_a_plan_that_places_nothing_or_little(problem: Instance, tmp_path: Path) -> None:
    dated = replace(problem, day_1=date(2026, 4, 14))
    for plan in (solve(dated), greedy(dated)):
        plan.write(tmp_path / "plan")
        read = read_plan(tmp_path / "plan")
        assert len(load_by_factory(dated, read.schedule)) == read.allocation["factory_id"].nunique()
        assert len(dated_allocation(dated, read.allocation, read.schedule)) == len(read.allocation)
        assert summary(dated, read, 2.0)
        assert checked(dated, read, tmp_path).ok
