"""A merchant who wants less: the factories are asked, begun work too, and their answers reach order and alert."""

import pytest
from ledger_kit import HOUR, NOW, job, live_to, lot_row, order_row, queue, record, release, shipped

from c2m.domain import alert_rules
from c2m.ledger import job_orders, orders, store
from c2m.ledger.conversation import changes, inbox
from c2m.wire.messages import JobResponse, compose, factory_source


def book(state: str = "open", **pieces: int) -> None:
    skus = [{"lot_id": "L1", "sku_id": sku, "quantity": quantity} for sku, quantity in pieces.items()]
    record([order_row(tolerance_share=0.0, state=state)], [lot_row(quantity=sum(pieces.values()))], skus)


def ask() -> int:
    with store.session() as session:
        return changes.ask(session, NOW + 9 * HOUR)


def say(accepted: bool | None, state: str, made: int | None = None, reason: str = "") -> str:
    """The factory's answer to what it was asked last."""
    asked = job()
    said = JobResponse(
        job_order_id=asked.job_order_id,
        revision=asked.revision,
        sequence=asked.sequence + 1,
        state=state,
        accepted=accepted,
        made=made,
        reason=reason,
    )
    with store.session() as session:
        time = NOW + 10 * HOUR
        return inbox.receive(session, compose(said, factory_source("F1"), time), "F1", time)


@pytest.fixture
def running(ledger: str) -> None:
    """200 S and 100 L at work at F1."""
    book(S=200, L=100)
    release(("L1", "F1", 300))
    live_to("Running")


@pytest.mark.usefixtures("running")
def test_nothing_is_asked_while_all_is_wanted() -> None:
    assert ask() == 0


@pytest.mark.usefixtures("running")
def test_a_cancelled_order_is_asked_back_and_the_refusal_is_told() -> None:
    book("cancelled", S=200, L=100)
    assert ask() == 1
    assert queue()[0] == ("cancel", 1, "pending")
    assert ask() == 0, "one question at a time"
    assert say(False, "Running", reason="cut already") == "kept"
    assert ask() == 0, "the same question never twice"
    with store.session() as session:
        refused = job_orders.refused_cuts(session)
    told = alert_rules.refused_cuts(refused)
    assert (job().state, job().quantity, job().asked_pieces) == ("Running", 300, 0)
    assert told["cause"].tolist() == ["order O1 was cancelled; F1 goes on with 300: cut already"]


@pytest.mark.usefixtures("running")
def test_a_factory_that_stops_has_made_nothing() -> None:
    book("cancelled", S=200, L=100)
    ask()
    assert say(None, "Aborted") == "finished"
    assert job().state == "Cancelled"


@pytest.mark.usefixtures("running")
def test_a_factory_that_stops_delivers_what_it_has_made() -> None:
    book("cancelled", S=200, L=100)
    ask()
    assert say(True, "Running", made=90) == "accepted"
    held = job()
    assert (held.state, held.quantity, held.made_pieces, held.cut_accepted) == ("Running", 90, 90, True)
    assert ask() == 0 and queue() == []
    assert say(True, "Ended") in ("finished", "recorded")
    assert job().state == "Ended"


@pytest.mark.usefixtures("running")
def test_a_cut_asks_for_less_of_what_is_no_longer_wanted() -> None:
    book(S=50, L=100)
    assert ask() == 1
    assert queue() == [("store", 2, "pending")]
    assert say(True, "Running", made=0) == "accepted"
    with store.session() as session:
        skus = store.snapshot(session)["job_order_skus"].set_index("sku_id")["quantity"].to_dict()
    assert (job().quantity, skus) == (150, {"S": 50, "L": 100})
    assert ask() == 0


@pytest.mark.usefixtures("running")
def test_a_cut_stands_at_what_is_made() -> None:
    book(S=50, L=100)
    ask()
    assert say(True, "Running", made=210) == "accepted"
    assert (job().quantity, job().requested, job().asked_pieces) == (210, 210, 150)


@pytest.mark.usefixtures("running")
def test_what_is_made_is_not_asked_back() -> None:
    with store.session() as session:
        made = shipped((job().job_order_id, "S", 120))
        job_orders.apply_progress(session, made, NOW + 8 * HOUR)
    book(S=50, L=100)
    ask()
    assert job().asked_pieces == 220, "120 S are made, 100 L are wanted"


def test_what_has_not_begun_is_taken_back_without_a_plan(ledger: str) -> None:
    book(S=200)
    release(("L1", "F1", 200))
    book("cancelled", S=200)
    assert ask() == 1
    assert [type_ for type_, _, _ in queue("pending")] == ["cancel"]
    assert say(None, "Aborted") == "finished"
    book(S=200)
    with store.session() as session:
        assert orders.open_lots(session)["remaining"].tolist() == [200], "reopened: new work"
    release(("L1", "F1", 200), round=2)
    assert job().attempt == 2
