"""The order robot on a ledger and published marts: what it predicts, of what it warns, that it says so once."""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import duckdb
import pandas as pd
import pytest
from ledger_kit import job, live_to, plan_of, record, release

from c2m import clock
from c2m.ledger import plans, status
from c2m.ledger.store import session
from c2m.people import notify
from c2m.settings import settings
from flows import reports
from flows.parameters import Plan
from flows.plan import plan
from flows.robot import look, plan_that_waits, warn

TODAY = date(2026, 1, 12)  # a Monday; the plan of the kit asks for 1,000 pieces of 7.5 minutes until the 13th
MORNING = datetime(2026, 1, 12, 6, tzinfo=UTC)


def publish(**marts: pd.DataFrame) -> None:
    """Marts as `c2m.warehouse.published` finds them."""
    build = settings().published / "build"
    build.mkdir(parents=True, exist_ok=True)
    listed = {}
    for name, frame in marts.items():
        duckdb.from_df(frame).write_parquet(str(build / f"{name}.parquet"))
        listed[name] = {"file": f"build/{name}.parquet", "rows": len(frame), "sha256": ""}
    (settings().published / "current.json").write_text(json.dumps({"build_id": "build", "marts": listed}))


def world(pieces: int) -> dict[str, pd.DataFrame]:
    """F1 earns 2,400 x 0.7 standard minutes a day; `pieces` of its job order are through every operation."""
    days = [TODAY + timedelta(days=n) for n in range(-40, 20)]
    calendar = pd.DataFrame(
        {"factory_id": "F1", "day": pd.to_datetime(days), "minutes": [2400.0 * (day.weekday() < 5) for day in days]}
    ).assign(overtime_minutes=0.0)
    worked = calendar[(calendar["minutes"] > 0) & (calendar["day"] < pd.Timestamp(TODAY))]
    factory = {"factory_id": "F1", "timezone": "UTC", "operators": 5, "lines": 1, "setup_minutes": 0.0}
    made = {"job_order_id": job().job_order_id, "sku_id": "K0", "good_pieces": pieces, "defects": 0}
    last = pd.Timestamp(TODAY) - pd.Timedelta(days=3) + pd.Timedelta(hours=16)  # Friday, at the end of the shift
    scans = {"job_order_id": job().job_order_id, "line_id": "L1", "day": last.normalize(), "factory_id": "F1"}
    kept = {
        "order_id": "O1",
        "state": "open",
        "promised_on": pd.Timestamp(TODAY),
        "probability": 0.9,
        "factories": "F1",
    }
    return {
        "factories": pd.DataFrame(
            [factory | {"yield_rate": 1.0, "status": "active", "same_place_as": None, "same_place_by": None}]
        ),
        "factory_calendar": calendar,
        "factory_capabilities": pd.DataFrame(
            [{"factory_id": "F1", "kind": "category", "name": "tops", "efficiency": 0.75}]
        ),
        "job_order_progress": pd.DataFrame(
            [made | {"operation": name} for name in ("cut", "sew", "finish", "inspect", "pack", "ship")]
        ),
        "floor_days": pd.DataFrame(
            [scans | {"earned_minutes": 1680.0, "good_pieces": 200, "defects": 0, "last_scan_at": last}]
        ),
        "scan_quality": pd.DataFrame([{"factory_id": "F1", "day": pd.Timestamp(TODAY), "conflicting_scans": 0}]),
        "batches": pd.DataFrame(columns=["job_order_id", "factory_id", "is_bad"]),
        "promises": pd.DataFrame([dict.fromkeys(["is_first", "is_due"], False) | kept]),
        "factory_days": worked[["factory_id", "day"]].assign(earned_minutes=0.7 * 2400, planned_minutes=0.75 * 2400),
    }


@pytest.fixture
def running(sqlite_ledger: str) -> str:
    """A job order of F1 that runs; its identifier."""
    record()
    release(("L1", "F1", 1000))
    job_order_id: str = live_to("Running").job_order_id
    with session() as s:
        status.report(s, "F1", True, None, MORNING)
    clock.set_now(MORNING)
    return job_order_id


def run(pieces: int, moment: datetime = MORNING) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What the flow does after its marts are built."""
    publish(**world(pieces))
    floor, rows = look.fn(TODAY, moment)
    return rows, warn.fn(floor, rows, moment)


def test_a_job_order_that_cannot_be_done_is_warned_of_until_it_can(running: str) -> None:
    told: list[Any] = []

    def hear(news: pd.DataFrame) -> bool:
        told.extend(zip(news["kind"], news["closed_at"].notna(), strict=True))
        return True

    rows, standing = run(pieces=200)
    assert rows["work_left"].tolist() == [6000.0]  # 3.6 days, and two until the end of the due day
    assert rows["q50"].tolist() == [pd.Timestamp(2026, 1, 15)]
    assert standing["kind"].tolist() == ["late"]
    assert standing["subject"].tolist() == [running]
    assert "no factory has time for them" in standing["move"][0]
    first = standing["alert_id"].tolist()
    for _ in range(2):
        assert run(pieces=200)[1]["alert_id"].tolist() == first
        notify.tell("test", hear, MORNING)
    assert told == [("late", False)]
    assert run(pieces=900)[1].empty
    notify.tell("test", hear, MORNING)
    assert told == [("late", False), ("late", True)]


def test_a_factory_that_is_gone_explains_its_silence(running: str) -> None:
    evening = MORNING.replace(hour=16)
    _, standing = run(pieces=900, moment=evening)
    assert standing["kind"].tolist() == ["silent"]
    with session() as s:
        status.report(s, "F1", False, None, MORNING)
    _, standing = run(pieces=900, moment=evening)
    assert standing[["kind", "subject"]].to_numpy().tolist() == [["offline", "F1"]]


def test_the_page_shows_each_job_order_and_alert(running: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pages: dict[str, str] = {}
    monkeypatch.setattr(reports, "create_markdown_artifact", lambda text, key, description: pages.update({key: text}))
    rows, standing = run(pieces=200)
    reports.floor(rows, standing, MORNING)
    (line,) = [line for line in pages["floor"].splitlines() if f"/job-orders/{running}" in line]
    assert "| F1 | ▓▓░░░░░░░░ 20 % | 800 | 13 Jan | 13 Jan | 15 Jan | " in line
    assert f"* **warning: late {running}**" in pages["floor"]
    assert "![plot](data:image/png;base64," in pages["floor"]
    reports.floor(rows.iloc[:0], standing.iloc[:0], MORNING)
    assert pages["floor"].count("_none_") == 2


def test_before_the_day_has_a_plan_there_is_nothing_to_plan_again(
    sqlite_ledger: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages: dict[str, str] = {}
    monkeypatch.setattr(reports, "create_markdown_artifact", lambda text, key, description: pages.update({key: text}))
    assert plan.fn(Plan(business_date=TODAY, round=None)) is False
    assert "The day has no plan yet" in pages["plan"]
    with session() as s:
        assert plans.next_round(s, TODAY) is None


def test_a_plan_that_nobody_decides_on_waits_or_is_rejected_as_the_settings_say(
    ledger: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    record()
    proposed = plan_of([("L1", "F1", 1000)])
    with session() as s:
        plans.propose(s, proposed)
    late = proposed.at + timedelta(hours=5)
    assert plan_that_waits(late)["hours"].tolist() == [5.0]
    monkeypatch.setenv("C2M_RELEASE__UNDECIDED", "reject")
    settings.cache_clear()
    assert len(plan_that_waits(proposed.at + timedelta(hours=3))) == 1
    assert plan_that_waits(late).empty
    with session() as s:
        assert plans.standing(s, proposed.plan_id).words.endswith("nobody decided within 4 hours")
