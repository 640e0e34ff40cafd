"""A business day end to end: real broker, database, dbt, MLflow, Prefect server, simulated factories as processes.

test_day_crash.py disturbs it; test_day_amazon.py runs a week on real data.
"""

import json
import os
import re
import subprocess
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from day_kit import ENDS, assert_plans_verify, command, environment
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

from c2m.domain.alert_rules import ALERT, URGENT, WARNING
from c2m.orchestrator import orchestrator
from flows import services
from flows.robot import emit
from scripts import first_run

pytestmark = pytest.mark.long


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
    assert plan["saved"] == pytest.approx(plan["common_rule_objective"] - plan["day_objective"])
    pages = {page["key"]: page for page in json.loads((undisturbed / "pages.json").read_text())}
    assert plan["saved"] >= 0
    assert f"saves **{plan['saved']:,.0f} USD**" in pages["plan"]["data"]
    assert f"/runs/{plan['business_date']}/{plan['plan_id']}/" in pages["plan"]["data"]
    assert "## Why this plan" in pages["plan"]["data"]
    assert pages["solve"]["data"] == 100
    assert f"cost {plan['objective']:,.2f}, at least {plan['bound']:,.2f}" in pages["solve"]["description"]


def test_status_prints_what_the_page_on_the_first_run_shows(undisturbed: Path, prefect_url: str) -> None:
    """On the page's own world: the rows of each feed to the last one, by name every figure of plan and forecast."""
    env = environment(undisturbed, prefect_url, COLUMNS="100")
    printed = subprocess.run(command("status"), env=env, capture_output=True, text=True, check=True).stdout
    texts = (first_run.shown(printed, str(undisturbed)), first_run.block(first_run.PAGE))
    seen, expected = (tables(text) for text in texts)
    assert [*seen] == [*expected]
    rows, shown = ({row[0]: row[1:] for row in told["Rows up to"]} for told in (seen, expected))
    assert rows.keys() == shown.keys()
    made = {"receipts"}  # of what the factories shipped: as many as the floor had shipments
    assert {feed: row for feed, row in rows.items() if feed not in made} == {
        feed: row for feed, row in shown.items() if feed not in made
    }
    for title in ("Plan", "Forecast"):
        assert [row[0] for row in seen[title]] == [row[0] for row in expected[title]]


def tables(text: str) -> dict[str, list[list[str]]]:
    """Rows of each table of a terminal by its title; a row that goes on is one row."""
    found: dict[str, list[list[str]]] = {}
    lines = text.splitlines()
    for above, line in zip(["", *lines], lines, strict=False):
        if line.startswith("┏"):
            rows = found.setdefault(re.sub(r" \d{4}-.*", "", above).strip(), [])
        elif line.startswith("│") and (cells := [cell.strip() for cell in line.strip("│").split("│")])[0]:
            rows.append(cells)
    return found


def test_the_whole_joint_factory_is_there(undisturbed: Path) -> None:
    """Lots in stages with their hand-overs, lots of one that share a setup, and yarn that is bought for the day."""
    seen = json.loads((undisturbed / "status.json").read_text())
    stages, (pool,) = seen["plan"]["joint"]["stages"], seen["plan"]["joint"]["pools"]
    assert {row["stage"] for row in stages} == {"1: knit, link", "2: board", "3: pair, pack"}
    for before, after in pairwise(stages):
        if before["colour"] == after["colour"]:
            assert after["waits for"] == f"pieces of {before['factory']}"
            assert before["then to"] == after["factory"]
            assert before["starts"] < after["starts"]
    assert (pool["style"], pool["pieces"], pool["factory"]) == ("Name sock", 60, "STITCH-1")
    assert pool["costs a piece"] < 1.25 * (pool["alone"] - pool["one setup"] * 59 / 60)
    assert {(row["material"], row["stands"]) for row in seen["purchases"]} == {("Combed cotton yarn", "released")}
    assert not [row for row in seen["open_orders"] if row["style_id"].startswith("s01-")]
    plan = {page["key"]: page for page in json.loads((undisturbed / "pages.json").read_text())}["plan"]["data"]
    for title in ("Lots in stages", "Lots that share a setup", "Materials"):
        assert f"## {title}" in plan


def test_each_day_shows_its_floor(undisturbed: Path) -> None:
    pages = {page["key"]: page for page in json.loads((undisturbed / "pages.json").read_text())}
    assert pages["floor"]["data"].startswith("# Floor today")


def test_a_date_that_is_lost_has_the_day_planned_again(prefect_url: str) -> None:
    """By the trigger of prefect.yaml: one run for all of them, the round left to the ledger."""
    services.deploy()
    alert = {"kind": "late", "severity": URGENT, "closed_at": None, "alert_id": "a", "subject": "j"}
    news = pd.DataFrame([alert, alert | {"subject": "k"}, alert | {"severity": WARNING}, alert | {"closed_at": "now"}])
    asked = {"deployments": {"name": {"any_": ["plan"]}}}
    runs: list[dict[str, Any]] = []
    until = time.monotonic() + 60
    told = {PREFECT_API_URL: f"{prefect_url}/api", PREFECT_API_AUTH_STRING: os.environ["PREFECT_API_AUTH_STRING"]}
    with temporary_settings(told):
        emit(news.reindex(columns=list(news.columns.union(ALERT))))
        while not runs and time.monotonic() < until:
            runs = orchestrator(prefect_url).ask("/flow_runs/filter", asked)
    assert [run["parameters"] for run in runs] == [{"parameters": {"round": None}}]


def test_every_plan_verifies(undisturbed: Path) -> None:
    assert_plans_verify(undisturbed)
