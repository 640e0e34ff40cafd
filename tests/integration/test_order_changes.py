"""A merchant changes orders that factories are at work on: a case that once went wrong, read where it lies."""

import shutil
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from ledger_kit import NOW, answer, job_orders_of, release
from warehouse_world import build

from c2m.feeds import quarantine
from c2m.feeds.ingest import ingest
from c2m.feeds.world import World
from c2m.ledger import orders, store
from c2m.ledger.conversation import changes
from c2m.warehouse import published
from optimization.book.daily_instance import merchant_lots

pytestmark = pytest.mark.shared
CASE = Path(__file__).parents[3] / "shared" / "cases" / "feeds" / "orders_change_after_release" / "world"


def record(day: date) -> pd.DataFrame:
    """The order book of a day goes into the ledger; its lots, by order."""
    build(day, "--select", "+merchant_order_book", "--exclude-resource-type", "test")
    published.publish(day)
    with store.session() as session:
        book = merchant_lots(published.read("merchant_order_book"), published.read("skus"), orders.held(session))
        orders.record(session, *book, NOW)
        changes.ask(session, NOW)
        lots = store.snapshot(session)["lots"]
    assert lots["order_id"].is_unique, "a lot stays itself, whatever its colour is called"
    return lots.set_index("order_id")


def test_what_a_merchant_changes_after_the_release(home: Path, tmp_path: Path) -> None:
    if not CASE.is_dir():
        pytest.skip(f"case not found at {CASE}")
    world = tmp_path / "world"
    shutil.copytree(CASE, world, ignore=shutil.ignore_patterns("*.amended.csv"))
    store.migrate()
    ingest(World.load(world))
    before = record(date(2026, 3, 9))
    assert before.loc["OD-TWICE", "quantity"] == 300, "100 and 100 of one SKU, and 100 of another"
    release(*((lot["lot_id"], "F1", lot["quantity"]) for lot in before.to_dict("records")))
    for job in job_orders_of():
        for sequence, state in enumerate(("NotAllowedToStart", "AllowedToStart", "Running"), 1):
            answer(job, sequence, state, accepted=True if sequence == 1 else None)

    for file in CASE.glob("*.amended.csv"):
        shutil.copyfile(file, world / file.name)
    ingest(World.load(world))
    assert quarantine.read().empty
    after = record(date(2026, 3, 12))
    assert (after["lot_id"] == before["lot_id"]).all()
    assert after["quantity"].to_dict() == {
        "OA-REDUCE": 200, "OB-RENAME": 3_600, "OC-DROP-XL": 900, "OD-TWICE": 300, "OE-CANCEL": 2_400, "OF-MORE": 1_600,
    }  # fmt: skip
    assert after.loc["OE-CANCEL", "state"] == "cancelled"
    asked = {job.order_id: job.asked_pieces for job in job_orders_of() if pd.notna(job.asked_pieces)}
    assert asked == {"OA-REDUCE": 200, "OC-DROP-XL": 900, "OE-CANCEL": 0}
