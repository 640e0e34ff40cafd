"""The first day of the demo world is what it was: marts, ledger, instance of the plan and the common rule's plan.

From the feed files of seed 7 to the order book of the merchants, without a forecast: nothing here trains, waits or ends
by time. Numbers are compared to nine digits, since DuckDB adds in parallel.

After a wanted change: GOLDEN_WRITE=1 pytest tests/golden/test_kept_day.py, then say in CHANGELOG.md what changed.
"""

import hashlib
import json
import os
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest
from warehouse_world import build

from c2m import clock
from c2m.feeds.ingest import ingest
from c2m.feeds.world import World
from c2m.ledger import orders, store
from c2m.settings import settings
from c2m.simulation.world.world import BUSINESS_DATE, write_world
from c2m.warehouse import published
from flows.plan import instance_of
from optimization.book.currencies import plan_currency
from optimization.book.daily_instance import merchant_lots
from optimization.book.set_aside import set_apart
from optimization.engines.first.rule import greedy

KEPT = Path(__file__).parent / "kept" / "first_day.json"


def digest(frame: pd.DataFrame) -> str:
    return hashlib.sha256(frame.to_csv(index=False, float_format="%.9g").encode()).hexdigest()[:16]


def first_day(home: Path) -> dict[str, dict[str, str]]:
    """Digests of all that the day makes."""
    write_world(home / "world", 7, "small")
    clock.set_now(clock.cut_off(BUSINESS_DATE) - timedelta(minutes=1))  # when the files arrive is an outcome too
    ingest(World.load(home / "world"))
    build(BUSINESS_DATE)
    published.publish(BUSINESS_DATE)
    clock.set_now(clock.cut_off(BUSINESS_DATE) + timedelta(minutes=1))
    store.migrate()
    skus, currency = published.read("skus"), plan_currency(published.read("factories"))
    with store.session() as s:
        book = merchant_lots(published.read("merchant_order_book"), skus, orders.held(s))
        orders.record(s, *set_apart(*book, currency), clock.now())
    with store.session() as s:
        facts = store.snapshot(s)
    instance = instance_of(BUSINESS_DATE, settings().plan)
    assert instance is not None
    plan = greedy(instance)
    return {
        "marts": {name: digest(published.read(name)) for name in sorted(published.manifest()["marts"])},
        "ledger": {name: digest(frame) for name, frame in facts.items() if len(frame)},
        "plan": {
            "instance": instance.sha256[:16],
            "allocation": digest(plan.allocation),
            "schedule": digest(plan.schedule),
            "cost": f"{plan.report['objective']:.9g}",
        },
    }


@pytest.mark.long
def test_the_first_day_is_the_kept_one(home: Path) -> None:
    found = first_day(home)
    if os.environ.get("GOLDEN_WRITE"):
        KEPT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    assert found == json.loads(KEPT.read_text(encoding="utf-8"))
