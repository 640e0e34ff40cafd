"""What is open and why, and what several factories share: as `c2m status` tells it, on a ledger."""

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from ledger_kit import NOW, answer, job, live_to, lot_row, plan_of, record, release
from typer.testing import CliRunner

from c2m import clock
from c2m.cli import app
from c2m.feeds.landing import ensure_landing
from c2m.ledger import plans, status
from c2m.ledger.store import session
from c2m.people import book

LATE = datetime(2026, 1, 30, 8, tzinfo=UTC)  # order O1 is due on the 20th


def the_open() -> dict[str, Any]:
    (row,) = book.open_orders()
    return row


def test_an_order_says_at_each_turn_why_it_is_open_and_what_to_do(sqlite_ledger: str, home: Path) -> None:
    clock.set_now(NOW)
    record()
    assert (the_open()["reason"], the_open()["days_late"]) == ("no plan has taken it in yet", 0)
    with session() as s:
        plan_id = plans.propose(s, plan_of([("L1", "F1", 1000)]))
    assert the_open()["move"] == f'c2m release {plan_id} --reason "..."'
    with session() as s:
        plans.release(s, plan_id, "ops", "fits", [], NOW)
    assert (the_open()["reason"], the_open()["move"]) == ("F1 at work, due 2026-01-13", "")
    answer(job(), 1, "NotAllowedToStart", accepted=False)
    assert the_open()["reason"].startswith("F1 refused")
    clock.set_now(LATE)
    assert (the_open()["pieces"], the_open()["days_late"]) == (1000, 10)
    assert "c2m run --date 2026-01-31" in the_open()["move"]
    clock.set_now(LATE, speed=1)
    assert "the next day's plan takes it in" in the_open()["move"]


def test_what_the_plan_leaves_short_has_the_plans_reason(sqlite_ledger: str, home: Path) -> None:
    record()
    release()
    report = home / "runs" / "x" / "plan" / "report.json"
    report.parent.mkdir(parents=True)
    report.write_text(json.dumps({"unmet": [{"order_id": "L1", "quantity": 1000, "reason": "no factory embroiders"}]}))
    assert the_open()["reason"] == "no factory embroiders"
    assert "the next day's plan" in the_open()["move"]


def test_what_a_release_held_back_is_not_called_unplanned(sqlite_ledger: str, home: Path) -> None:
    record()
    release(("L1", "F1", 1000), without=["L1"])
    with session() as s:
        plan_id = status.summary(s)["plan"]["plan_id"]
    assert the_open()["reason"] == f"held back when plan {plan_id} was released"


def test_a_lot_that_factories_share_is_shown_with_its_parts_and_no_open_order_without(
    sqlite_ledger: str, home: Path
) -> None:
    record()
    release(("L1", "F1", 300), ("L1", "F2", 700))
    live_to("Running", "F1")
    ensure_landing()
    (shared,) = book.shared_lots()
    assert (shared["order_id"], shared["pieces"], shared["factories"]) == ("O1", 1000, "F2 700 + F1 300")
    printed = CliRunner().invoke(app, ["status"]).output
    assert "F2 700 + F1 300" in printed
    assert "Orders that are open" in printed
    answer(job("F2"), 1, "NotAllowedToStart", accepted=False)
    assert book.shared_lots() == []


def test_nothing_is_open_in_an_empty_ledger(sqlite_ledger: str) -> None:
    ensure_landing()
    assert (book.open_orders(), book.shared_lots()) == ([], [])
    assert date.fromisoformat(json.loads(CliRunner().invoke(app, ["status", "--json"]).output)["business_date"])


def test_what_waits_for_its_merchant_is_open_too(ledger: str) -> None:
    waits = "lines are missing: 1 in quarantine"
    record(lots=[lot_row(waits=waits)])
    (row,) = book.open_orders()
    assert (row["reason"], row["pieces"]) == (waits, 1000)
    assert row["move"] == "c2m quarantine merchant_order_lines: correct or cancel them"
