"""The verifier names each rule broken on purpose, recomputes cost and bound, and refuses no sound plan."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from plan_kit import instance
from typer.testing import CliRunner

from c2m.cli import app
from c2m.errors import InputError
from optimization.contract.instances import Instance, write
from optimization.contract.wording import percent
from optimization.verification import plan_rules
from optimization.verification.verifier import verify

Folder = tuple[Path, Path]


def example() -> Instance:
    """Lot A: 10 pieces of 2 minutes after a setup of 4, shared by F (late by a day there) and G. Lot B: frozen at G."""
    return instance(
        orders=[
            {"order_id": "A", "quantity": 10, "due_day": 2, "max_late_days": 1, "max_factories": 2, "late_cost": 0.5},
            {"order_id": "B", "quantity": 6, "due_day": 1, "max_factories": 1},
        ],
        arcs=[
            {"order_id": "A", "factory_id": "F", "unit_cost": 3, "minutes_per_piece": 2, "setup_cost": 5}
            | {"setup_minutes": 4, "min_lot": 3, "max_lot": 8, "max_minutes_per_day": 9},
            {"order_id": "A", "factory_id": "G", "unit_cost": 4, "minutes_per_piece": 2},
            {"order_id": "A", "factory_id": "H", "unit_cost": 9},
            {"order_id": "B", "factory_id": "G", "unit_cost": 1, "min_lot": 5, "setup_cost": 50, "setup_minutes": 7},
        ],
        capacity=[
            {"factory_id": "F", "day": d, "minutes": 6, "overtime_minutes": 3, "overtime_cost": 0.5} for d in (1, 2, 3)
        ]
        + [{"factory_id": f, "day": d, "minutes": 8} for f in "GH" for d in (1, 2, 3)],
        factories=[
            {"factory_id": "F", "engagement_cost": 7},
            {"factory_id": "H", "target_minutes": 12, "shortfall_cost": 0.25},
        ],
        incumbent=[
            {"order_id": "B", "factory_id": "G", "quantity": 4, "frozen": True, "setup_done": True},
            {"order_id": "A", "factory_id": "H", "quantity": 3, "change_cost": 2},
        ],
    )


ALLOCATION = [("A", "F", 6), ("A", "G", 3), ("B", "G", 4)]
SCHEDULE = [
    ("A", "F", 1, 4.0, 2.0),
    ("A", "F", 2, 0.0, 7.0),
    ("A", "F", 3, 0.0, 3.0),
    ("A", "G", 1, 0.0, 6.0),
    ("B", "G", 2, 0.0, 4.0),
]
COST = {
    "unit": 6 * 3 + 3 * 4 + 4 * 1.0,
    "setup": 5.0,  # B's setup is done
    "engagement": 7.0,
    "overtime": 0.5,  # one minute on day 2 at F
    "late": 0.5 * 1.5,  # 3 run minutes = 1.5 pieces on day 3
    "unmet": 100 * 1 + 100 * 2.0,
    "shortfall": 12 * 0.25,
    "change": 3 * 2.0,
}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    """A sound plan with its cost worked out by hand."""
    write(example(), tmp_path / "instance")
    plan = tmp_path / "plan"
    plan.mkdir()
    pd.DataFrame(ALLOCATION, columns=["order_id", "factory_id", "quantity"]).to_csv(
        plan / "allocation.csv", index=False
    )
    columns = ["order_id", "factory_id", "day", "setup_minutes", "run_minutes"]
    pd.DataFrame(SCHEDULE, columns=columns).to_csv(plan / "schedule.csv", index=False)
    objective = sum(COST.values())
    unmet = [{"order_id": o, "quantity": n, "reason": "full"} for o, n in (("A", 1), ("B", 2))]
    quality = {"status": "optimal", "objective": objective, "bound": 100.0, "gap": (objective - 100) / objective}
    report = quality | {"cost": COST, "unmet": unmet, "engine": {"asked_gap": 0.9}}
    (plan / "report.json").write_text(json.dumps(report))
    yield tmp_path / "instance", plan


def edit(file: Path, row: int | None, **cells: Any) -> None:
    """Changes cells of a row of a CSV file; without a row, appends one."""
    table = pd.read_csv(file).astype("object")
    if row is None:
        table = pd.concat([table, pd.DataFrame([cells])])
    for column, value in cells.items() if row is not None else ():
        table.loc[row, column] = value
    table.to_csv(file, index=False)


def claim(plan: Path, **values: Any) -> None:
    file = plan / "report.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


def broken(folder: Folder) -> dict[str, list[dict[str, Any]]]:
    return {found.rule: found.rows for found in verify(*folder).broken}


def test_sound_plan_is_accepted_at_the_cost_worked_out_by_hand(folder: Folder) -> None:
    report = verify(*folder)
    assert report.ok, report.broken
    assert report.cost == pytest.approx(COST)
    assert report.as_dict()["objective"] == pytest.approx(sum(COST.values()))
    assert report.confirmed_bound is None


ALLOCATED, SCHEDULED = "allocation.csv", "schedule.csv"
MUTATIONS: dict[str, tuple[str, int | None, dict[str, Any], dict[str, Any]]] = {
    "known-pair": (ALLOCATED, None, {"order_id": "B", "factory_id": "F", "quantity": 1}, {"factory_id": "F"}),
    "one-row-per-pair": (ALLOCATED, None, {"order_id": "A", "factory_id": "G", "quantity": 1}, {"factory_id": "G"}),
    "one-row-per-day": (
        SCHEDULED,
        None,
        {"order_id": "A", "factory_id": "G", "day": 1, "setup_minutes": 0, "run_minutes": 0},
        {"day": 1},
    ),
    "whole-pieces": (ALLOCATED, 1, {"quantity": 2.5}, {"quantity": 2.5}),
    "order-quantity": (ALLOCATED, 1, {"quantity": 5}, {"order_id": "A", "unmet": -1}),
    "min-lot": (ALLOCATED, 0, {"quantity": 2}, {"factory_id": "F", "min_lot": 3}),
    "max-lot": (ALLOCATED, 0, {"quantity": 9}, {"factory_id": "F", "max_lot": 8}),
    "max-factories": (ALLOCATED, None, {"order_id": "A", "factory_id": "H", "quantity": 1}, {"factories": 3}),
    "frozen-kept": (ALLOCATED, 2, {"quantity": 3}, {"order_id": "B", "frozen_pieces": 4}),
    "finite-minutes": (SCHEDULED, 1, {"run_minutes": -7.0}, {"day": 2}),
    "scheduled-pair-allocated": (
        SCHEDULED,
        None,
        {"order_id": "A", "factory_id": "H", "day": 1, "setup_minutes": 0, "run_minutes": 1},
        {"factory_id": "H"},
    ),
    "window": (SCHEDULED, 3, {"day": 4}, {"last_day": 3}),
    "max-minutes-per-day": (SCHEDULED, 1, {"run_minutes": 9.5}, {"max_minutes_per_day": 9}),
    "run-minutes": (SCHEDULED, 1, {"run_minutes": 6.9}, {"needed": 12}),
    "setup-minutes": (SCHEDULED, 0, {"setup_minutes": 3.9}, {"needed": 4}),
    "setup-before-run": (SCHEDULED, 0, {"setup_minutes": 3.0}, {"day": 1, "done": 3.0}),
    "capacity": (SCHEDULED, 3, {"run_minutes": 8.1}, {"factory_id": "G", "day": 1}),
}


@pytest.mark.parametrize("rule", MUTATIONS)
def test_a_rule_broken_on_purpose_is_named_with_its_row(folder: Folder, rule: str) -> None:
    file, row, cells, offending = MUTATIONS[rule]
    edit(folder[1] / file, row, **cells)
    rows = broken(folder)[rule]
    assert any(offending.items() <= found.items() for found in rows)


def test_every_rule_has_its_mutation() -> None:
    assert MUTATIONS.keys() | {"finite-price"} == plan_rules.RULES.keys()


@pytest.mark.parametrize("part", COST)
def test_a_false_part_of_the_cost_is_named(folder: Folder, part: str) -> None:
    claim(folder[1], cost=COST | {part: COST[part] + 0.01})
    assert broken(folder).keys() == {f"cost-{part}"}


@pytest.mark.parametrize(
    ("rule", "values"),
    [
        ("objective", {"objective": sum(COST.values()) * 1.00001}),
        ("bound", {"bound": sum(COST.values()) + 1, "gap": 0.0}),
        ("gap", {"gap": 0.01}),
        ("gap", {"gap": None}),
        ("status", {"status": "optimal", "engine": {"asked_gap": 1e-3}}),
        ("status", {"status": "perfect"}),
        ("unmet-claim", {"unmet": []}),
    ],
)
def test_a_false_claim_is_named(folder: Folder, rule: str, values: dict[str, Any]) -> None:
    claim(folder[1], **values)
    assert rule in broken(folder)


def test_prices_confirm_the_bound(folder: Folder) -> None:
    prices = [("F", day, price) for day, price in ((1, 0.0), (2, 0.25), (3, 0.75))]
    file = folder[1] / "prices.csv"
    pd.DataFrame(prices, columns=["factory_id", "day", "price"]).to_csv(file, index=False)
    report = verify(*folder)
    # A: F at 3 + 5 / 8 + (2 + 4 / 8) * 0 (day 1 is free, in time) for its 8 pieces, then G at 4; H at 9 - 2 is dearer.
    # B: 4 frozen pieces at 1, 2 more at 1. Change cost 2 * 3 is due up front. The minutes of F bring 6 * (0.25 + 0.75)
    # and its overtime on day 3 3 * (0.75 - 0.5), less than the 7 of engaging it. H fills its target with free minutes.
    expected = 8 * 3.625 + 2 * 4 + 6 * 1 + 2 * 3
    assert report.confirmed_bound == pytest.approx(expected)
    assert report.bound_confirmed_share == pytest.approx(expected / 100)
    edit(file, 0, price="nan")
    assert "finite-price" in broken(folder)


def test_a_bound_raised_by_hand_is_called_claimed_and_what_prices_prove_confirmed(folder: Folder) -> None:
    objective = sum(COST.values())
    without = verify(*folder).verdict
    assert without.confirmed_gap is None and "not confirmed: the plan has no prices.csv" in without.words
    prices = pd.DataFrame({"factory_id": ["F"], "day": [3], "price": [0.5]})
    prices.to_csv(folder[1] / "prices.csv", index=False)
    claim(folder[1], bound=objective, gap=0.0, bound_by="mip", engine={"asked_gap": 1e-6})
    report = verify(*folder)
    assert report.ok and report.confirmed_bound is not None
    assert (report.claimed_status, report.status) == ("optimal", "feasible")
    confirmed = (objective - report.confirmed_bound) / objective
    assert report.verdict.confirmed_gap == pytest.approx(confirmed)
    assert not report.verdict.optimal
    shown = CliRunner().invoke(app, ["verify", str(folder[0]), str(folder[1])]).output.splitlines()[0]
    assert shown.startswith(f"Gap confirmed up to {percent(confirmed)}, claimed 0.00 % by mip.")


def test_a_bound_that_the_prices_prove_is_confirmed(folder: Folder) -> None:
    pd.DataFrame({"factory_id": ["F"], "day": [3], "price": [0.5]}).to_csv(folder[1] / "prices.csv", index=False)
    claim(folder[1], engine={"asked_gap": 0.9})
    assert verify(*folder).status == "optimal"


def test_broken_rules_come_first_and_in_json_the_verdict_is_data(folder: Folder) -> None:
    edit(folder[1] / ALLOCATED, 0, quantity=2)
    command = ["verify", str(folder[0]), str(folder[1])]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 1
    assert result.output.startswith("Not valid: the plan breaks")
    verdict = json.loads(CliRunner().invoke(app, [*command, "--json"]).output)["verdict"]
    assert verdict["valid"] is False and "min-lot" in verdict["words"]


def test_claim_of_infeasible_frozen_work_is_judged(folder: Folder) -> None:
    claim(folder[1], status="infeasible", causes=["G is closed"])
    assert broken(folder).keys() == {"infeasible-claim"}
    claim(folder[1], causes=[])
    edit(folder[0] / "capacity.csv", 3, minutes=0)
    for row in (4, 5):
        edit(folder[0] / "capacity.csv", row, minutes=1)
    assert broken(folder).keys() == {"causes"}


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (lambda i, p: (p / "report.json").unlink(), "report.json"),
        (lambda i, p: (p / "report.json").write_text("[]"), "report.json"),
        (lambda i, p: (p / "allocation.csv").unlink(), "allocation"),
        (lambda i, p: edit(p / "allocation.csv", 0, quantity="many"), "allocation"),
        (lambda i, p: edit(p / "schedule.csv", 0, day=""), "schedule.day is empty"),
        (lambda i, p: pd.read_csv(i / "arcs.csv").drop(columns="max_lot").to_csv(i / "arcs.csv"), "arcs"),
    ],
)
def test_unreadable_files_are_refused(folder: Folder, spoil: Callable[[Path, Path], object], named: str) -> None:
    spoil(*folder)
    with pytest.raises(InputError) as caught:
        verify(*folder)
    assert any(named in fault for fault in caught.value.faults)
