"""Scenarios of operations beside a plan: what they become, and which of them today's book allows."""

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from plan_kit import day_of_work

from c2m.errors import InputError
from c2m.files import write_atomically
from c2m.ledger.plans import Standing
from c2m.settings import settings
from flows import scenarios
from flows.scenarios import (
    FactoryStops,
    FewerFactories,
    NewOrder,
    OtherDemand,
    OtherHours,
    OtherMinimum,
    Scenario,
    WhatIf,
)
from optimization.contract import instances
from optimization.contract.plan import read_plan
from optimization.planning.solve import solve
from optimization.verification.verifier import verify
from optimization.whatif.comparison import ScenarioLimits, what_if

DAY_1 = date(2026, 4, 14)


@pytest.fixture
def standing(home: Path) -> Standing:
    """A plan that waits, and three scenarios that were planned beside it."""
    book = replace(day_of_work(lots=6, factories=6, days=5), day_1=DAY_1)
    folder = home / "runs" / "plan"
    instances.write(book, folder / "instance")
    solve(book, 3, 1e-2).write(folder / "plan")
    at = datetime(2026, 4, 13, 6, tzinfo=UTC)
    waits = Standing("P1", date(2026, 4, 13), 1, "proposed", book.sha256, "runs/plan", at, None)
    first = sorted(book.capacity["factory_id"])[0]
    asked = WhatIf(
        scenarios=[
            Scenario(name="stops", changes=[FactoryStops(factories=[first], first_date=date(2026, 4, 15))]),
            Scenario(name="one-each", changes=[FewerFactories(most=1)]),
            Scenario(name="more-pieces", changes=[OtherDemand(percent=30)]),
        ]
    )
    files = [scenarios._written(scenarios._folder(waits, asked), one, DAY_1) for one in asked.scenarios]
    what_if(folder / "instance", files, scenarios._folder(waits, asked), limits=ScenarioLimits(3, 1e-2))
    write_atomically(scenarios._latest(waits), scenarios._folder(waits, asked).name.encode())
    return waits


def test_words_of_operations_become_changes_of_the_instance() -> None:
    days = {"first_date": date(2026, 4, 15), "last_date": date(2026, 4, 17)}
    assert FactoryStops(factories=["F1"], **days).change(DAY_1) == {
        "change": "factory_down", "factories": ["F1"], "first_day": 2, "last_day": 4
    }  # fmt: skip
    assert OtherHours(percent=-20).change(DAY_1) == {"change": "capacity", "factor": 0.8}
    assert NewOrder(pieces=300, due=date(2026, 4, 20), like="L7").change(DAY_1)["due_day"] == 7
    assert OtherMinimum(pieces=50).change(DAY_1) == {"change": "minimum_lot", "pieces": 50}


def test_a_scenario_is_a_plan_of_the_book_where_the_book_allows_it(standing: Standing, tmp_path: Path) -> None:
    before = read_plan(settings().home / standing.folder / "plan").report
    for name in ("stops", "one-each"):
        book, plan = scenarios.taken(standing, name)
        instances.write(book, tmp_path / name / "instance")
        plan.write(tmp_path / name / "plan")
        found = verify(tmp_path / name / "instance", tmp_path / name / "plan")
        assert found.ok, found.broken
        assert plan.report["bound"] == min(before["bound"], plan.report["objective"])
    with pytest.raises(InputError, match="more-pieces cannot be released: on the book as it is"):
        scenarios.taken(standing, "more-pieces")
    with pytest.raises(InputError, match="there are stops, one-each, more-pieces"):
        scenarios.taken(standing, "fewer")
