"""A business day end to end: real broker, database, dbt, MLflow, Prefect server, simulated factories as processes.

test_day_crash.py disturbs it, test_day_released.py runs two days on more data and with a person who releases.
"""

import json
from pathlib import Path

import pytest
from day_kit import ENDS, assert_plans_verify


def test_every_row_is_accounted_for_and_every_job_order_ends(undisturbed: Path, world: Path) -> None:
    seen = json.loads((undisturbed / "status.json").read_text())
    assert all(rows["in"] == rows["accepted"] + rows["quarantined"] for rows in seen["rows"].values())
    dirt = json.loads((world / "dirt.json").read_text())
    assert sum(rows["quarantined"] for rows in seen["rows"].values()) >= len(dirt)
    assert seen["job_orders"].get("Ended", 0) > 5
    assert set(seen["job_orders"]) <= ENDS
    assert seen["orders"]["closed"] > 5
    assert seen["plan"]["bound"] <= seen["plan"]["objective"]


def test_each_day_says_what_its_plan_saves_against_the_common_rule(undisturbed: Path) -> None:
    plan = json.loads((undisturbed / "status.json").read_text())["plan"]
    assert plan["saved"] == pytest.approx(plan["common_rule_objective"] - plan["objective"])
    pages = {page["key"]: page for page in json.loads((undisturbed / "pages.json").read_text())}
    assert f"saves **{plan['saved']:,.2f}**" in pages["plan"]["data"]
    assert f"/runs/{plan['business_date']}/round-{plan['round']}/" in pages["plan"]["data"]
    assert "## Why this plan" in pages["plan"]["data"]
    assert pages["solve"]["data"] == 100
    assert f"cost {plan['objective']:,.2f}, at least {plan['bound']:,.2f}" in pages["solve"]["description"]


def test_every_plan_verifies(undisturbed: Path) -> None:
    assert_plans_verify(undisturbed)
