"""A merchant changes orders that factories are at work on: a case that once went wrong, read where it lies."""

import shutil
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from floor_world import allot, factory_rows, landed_scans, write_world
from ledger_kit import NOW, answer, job_orders_of, release
from warehouse_world import build

from c2m.feeds import quarantine
from c2m.feeds.ingest import ingest
from c2m.feeds.world import World
from c2m.floor import collect
from c2m.ledger import job_orders, orders, store
from c2m.ledger.conversation import changes, outbox
from c2m.simulation.factories.factory import SimulatedFactory
from c2m.simulation.factories.manner import Manner
from c2m.simulation.factories.profile import read
from c2m.simulation.factories.state import State
from c2m.warehouse import published
from c2m.wire.messages import parse, topic
from optimization.book.daily_instance import merchant_lots

pytestmark = pytest.mark.shared
CASE = Path(__file__).parents[3] / "shared" / "cases" / "feeds" / "orders_change_after_release" / "world"


def record(day: date, at: datetime = NOW) -> pd.DataFrame:
    """The order book of a day goes into the ledger; its lots, by order."""
    build(day, "--select", "+merchant_order_book", "--exclude-resource-type", "test")
    published.publish(day)
    with store.session() as session:
        book = merchant_lots(published.read("merchant_order_book"), published.read("skus"), orders.held(session))
        orders.record(session, *book, at)
        changes.ask(session, at)
        facts = store.snapshot(session)
    lots = facts["lots"]
    assert lots["order_id"].is_unique, "a lot stays itself, whatever its colour is called"
    return lots.set_index(lots["order_id"].map(facts["orders"].set_index("order_id")["merchant_order_id"]))


@pytest.fixture
def world(home: Path, tmp_path: Path) -> World:
    """The case as it was before the merchant changed anything, taken in."""
    if not CASE.is_dir():
        pytest.skip(f"case not found at {CASE}")
    folder = tmp_path / "world"
    shutil.copytree(CASE, folder, ignore=shutil.ignore_patterns("*.amended.csv"))
    store.migrate()
    ingest(World.load(folder))
    return World.load(folder)


def amend(world: World) -> None:
    for file in CASE.glob("*.amended.csv"):
        shutil.copyfile(file, world.folder / file.name)
    ingest(World.load(world.folder))
    assert quarantine.read().empty


def test_what_a_merchant_changes_after_the_release(world: World) -> None:
    before = record(date(2026, 3, 9))
    assert before.loc["OD-TWICE", "quantity"] == 300, "100 and 100 of one SKU, and 100 of another"
    release(*((lot["lot_id"], "F1", lot["quantity"]) for lot in before.to_dict("records")))
    for job in job_orders_of():
        for sequence, state in enumerate(("NotAllowedToStart", "AllowedToStart", "Running"), 1):
            answer(job, sequence, state, accepted=True if sequence == 1 else None)

    amend(world)
    after = record(date(2026, 3, 12))
    assert (after["lot_id"] == before["lot_id"]).all()
    assert after["quantity"].to_dict() == {
        "OA-REDUCE": 200, "OB-RENAME": 3_600, "OC-DROP-XL": 900, "OD-TWICE": 300, "OE-CANCEL": 2_400, "OF-MORE": 1_600,
    }  # fmt: skip
    assert after.loc["OE-CANCEL", "state"] == "cancelled"
    own_id = {lot.order_id: name for name, lot in after.iterrows()}
    asked = {own_id[job.order_id]: job.asked_pieces for job in job_orders_of() if pd.notna(job.asked_pieces)}
    assert asked == {"OA-REDUCE": 200, "OC-DROP-XL": 900, "OE-CANCEL": 0}


class Floor:
    """Simulated factories, each of a kind, that talk with the ledger by messages; no broker is between them."""

    def __init__(self, home: Path, manners: list[Manner]) -> None:
        rows = factory_rows(["mqtt"] * len(manners))
        known = read(write_world(rows, home / "factories.json"))
        self.state = State(home / "sim")
        self.factories = {
            name: SimulatedFactory(
                replace(profile, efficiency_by_category={"tops": 0.75}), 1, self.state, "session", manner, 2
            )
            for (name, profile), manner in zip(known.items(), manners, strict=True)
        }

    def live(self, now: datetime) -> None:
        """Up to `now`, until nobody has anything left to say."""
        with self.state.transaction():
            for factory in self.factories.values():
                factory.advance(now)
        while self._hear(now) + self._tell(now):
            pass

    def _hear(self, now: datetime) -> int:
        letters = self.state.letters([])
        said = [collect.Arrival(topic(one.factory_id, one.kind), one.body, lambda _: None) for one in letters]
        assert not any(collect.commit(said, now))
        self.state.delivered([one.key for one in letters])
        return len(letters)

    def _tell(self, now: datetime) -> int:
        with store.session() as session:
            messages = outbox.due(session, now)
            outbox.mark_sent(session, [one.message_id for one in messages], now)
        with self.state.transaction():
            for one in messages:
                self.factories[one.factory_id].receive(parse(one.body), now)  # type: ignore[arg-type]
        return len(messages)


def test_some_factories_stop_and_some_go_on(world: World, home: Path) -> None:
    """F1 and F3 heed what is asked, F2 and F4 end what they have begun."""
    morning = datetime(2026, 3, 9, 8, tzinfo=UTC)
    lots = record(date(2026, 3, 9), morning)
    floor = Floor(home, ["rank", "size", "arrival", "size"])
    given = {"F1": ("OA-REDUCE", 3_600), "F2": ("OC-DROP-XL", 1_200), "F3": ("OE-CANCEL", 1_200)}
    given |= {"F4": ("OE-CANCEL", 1_200)}
    allot([(lots.loc[order_id, "lot_id"], name, pieces) for name, (order_id, pieces) in given.items()], 1, morning)
    floor.live(morning)
    floor.live(morning + timedelta(days=1))
    assert {job.state for job in job_orders_of()} == {"Running"}
    amend(world)
    changed = morning + timedelta(days=1, hours=1)
    record(date(2026, 3, 12), changed)
    floor.live(changed)
    asked = {job.factory_id: (job.asked_pieces, job.cut_accepted) for job in job_orders_of()}
    assert asked == {"F1": (200, True), "F2": (900, False), "F3": (0, True), "F4": (0, False)}
    made = {job.factory_id: job.made_pieces for job in job_orders_of() if pd.notna(job.made_pieces)}
    assert sorted(made) == ["F1", "F3"] and 200 < made["F1"] < 1_800 and 0 < made["F3"] < 1_200
    with store.session() as session:
        assert sorted(job_orders.refused_cuts(session)["factory_id"]) == ["F2", "F4"], "an alert each"
    floor.live(morning + timedelta(days=40))
    assert {job.state for job in job_orders_of()} == {"Ended"}
    scans = landed_scans().query("operation == 'ship'")
    shipped = Counter(dict(scans.groupby("factory_id")["quantity"].sum()))
    assert shipped == {"F1": made["F1"], "F2": 1_200, "F3": made["F3"], "F4": 1_200}
