"""What counts of the pieces that factories ship: by line, within what was agreed, as scans hold now."""

import pandas as pd
import pytest
from ledger_kit import (
    HOUR,
    NOW,
    answer,
    job,
    live_to,
    lot_row,
    order_row,
    record,
    release,
    shipped,
    sku_rows,
)

from c2m.ledger import job_orders, orders, store
from c2m.ledger.conversation import inbox
from c2m.wire.messages import MAX_JUMP, JobResponse, compose, factory_source

EXACT = order_row(tolerance_share=0.0)


def book(order: dict[str, object] = EXACT, **pieces: int) -> None:
    """Order O1 with lot L1 of these pieces per SKU."""
    skus = [{"lot_id": "L1", "sku_id": sku, "quantity": quantity} for sku, quantity in pieces.items()]
    record([order], [lot_row(quantity=sum(pieces.values()))], skus)


def apply(progress: pd.DataFrame, hours: int = 9) -> None:
    with store.session() as session:
        job_orders.apply_progress(session, progress, NOW + hours * HOUR)


def scanned(hours: int = 9, **pieces: int) -> None:
    """What F1 has inspected and shipped of L1 by then."""
    apply(shipped(*[(job().job_order_id, sku, quantity) for sku, quantity in pieces.items()]), hours)


def standing() -> tuple[str, str, int]:
    """State of order and lot, and the pieces that planning may give out."""
    with store.session() as session:
        held, lots = store.snapshot(session), orders.open_lots(session)
    free = int((lots["remaining"] - lots["committed"]).sum())
    return held["orders"]["state"][0], held["lots"]["state"][0], free


def surplus() -> int:
    with store.session() as session:
        return int(job_orders.surplus(session)["pieces"].sum())


def test_a_lot_closes_by_its_lines(ledger: str) -> None:
    book(S=100, L=100)
    release(("L1", "F1", 200))
    live_to("Ended")
    scanned(S=200)
    assert standing() == ("in_production", "in_production", 100), "100 L are still to be made"
    assert surplus() == 100


def test_each_line_has_its_own_tolerance(ledger: str) -> None:
    book(order_row(tolerance_share=0.02), S=100, L=50)
    release(("L1", "F1", 150))
    live_to("Running")
    scanned(8, S=98, L=48)
    assert standing()[1] == "in_production", "of 50 less 2 % 49 are asked"
    scanned(9, S=102, L=49)
    assert (standing()[:2], surplus()) == (("closed", "closed"), 0)


def test_pieces_beyond_what_was_agreed_are_surplus(ledger: str) -> None:
    book(S=104)
    release(("L1", "F1", 104))
    live_to("Running")
    scanned(S=3_000_000_000)
    with store.session() as session:
        held = store.snapshot(session)
        found = job_orders.surplus(session)
    assert held["lots"]["shipped"].tolist() == held["lot_skus"]["shipped"].tolist() == [104]
    assert found[["job_order_id", "pieces"]].values.tolist() == [[job().job_order_id, 3_000_000_000 - 104]]


def test_a_scan_taken_back_opens_again_what_it_had_closed(ledger: str) -> None:
    book(S=104)
    release(("L1", "F1", 104))
    live_to("Ended")
    scanned(8, S=104)
    assert standing()[:2] == ("closed", "closed")
    scanned(9, S=40)
    assert standing() == ("in_production", "in_production", 64)
    with store.session() as session:
        assert store.snapshot(session)["orders"]["closed_at"].isna().all()
    scanned(7, S=104)
    assert standing() == ("in_production", "in_production", 64), "an earlier day that is run again takes nothing back"
    scanned(9, S=104)
    assert standing()[:2] == ("closed", "closed")


def test_what_has_no_scan_any_more_was_not_made(ledger: str) -> None:
    record([EXACT], [lot_row(quantity=10), lot_row("L2", 10)], [*sku_rows(pieces=[10]), *sku_rows("L2", [10])])
    release(("L1", "F1", 10), ("L2", "F2", 10))
    both = shipped((job("F1").job_order_id, "K0", 10), (job("F2").job_order_id, "K0", 10))
    apply(both, 8)
    assert standing()[0] == "closed"
    apply(both[both["job_order_id"] == job("F2").job_order_id])
    assert (standing()[0], job("F1").shipped, job("F2").shipped) == ("in_production", 0, 10)


def test_work_that_never_began_ships_nothing(ledger: str) -> None:
    book(S=104)
    release(("L1", "F1", 104))
    answer(job(), 1, "NotAllowedToStart", True)
    unworked = shipped((job().job_order_id, "S", 104)).query("operation == 'ship'")
    apply(unworked, 8)
    assert (job().shipped, surplus(), standing()[1]) == (0, 104, "open")
    for sequence, state in enumerate(("AllowedToStart", "Running"), 2):
        answer(job(), sequence, state)
    apply(unworked)
    assert (job().shipped, surplus(), standing()[1]) == (104, 0, "closed")


def test_a_closed_order_that_grows_is_open_again(ledger: str) -> None:
    book(S=200)
    release(("L1", "F1", 200))
    live_to("Ended")
    scanned(S=200)
    assert standing()[0] == "closed"
    book(S=300)
    assert standing() == ("in_production", "in_production", 100)


def test_an_order_cut_below_what_was_shipped_is_closed_with_a_surplus(ledger: str) -> None:
    book(S=200)
    release(("L1", "F1", 200))
    live_to("Running")
    scanned(S=120)
    book(S=100)
    assert (standing()[:2], surplus()) == (("closed", "closed"), 20)


def test_a_cancelled_order_that_is_reopened_is_planned_again(ledger: str) -> None:
    book(S=200)
    book(order_row(state="cancelled"), S=200)
    assert standing() == ("cancelled", "cancelled", 0)
    book(S=200)
    assert standing() == ("open", "open", 200)


def test_what_was_shipped_of_a_cancelled_order_is_surplus(ledger: str) -> None:
    book(S=200)
    release(("L1", "F1", 200))
    live_to("Running")
    scanned(S=50)
    book(order_row(state="cancelled"), S=200)
    assert (standing()[:2], surplus()) == (("cancelled", "cancelled"), 50)
    book(S=200)
    assert (standing()[1], surplus()) == ("in_production", 0)


@pytest.mark.parametrize("jump", [MAX_JUMP + 1, 2_000_000_000 - 1])
def test_a_sequence_that_ran_away_freezes_nothing(ledger: str, jump: int) -> None:
    book(S=200)
    release(("L1", "F1", 200))
    answer(job(), 1, "NotAllowedToStart", True)
    assert answer(job(), 1 + jump, "AllowedToStart", at=NOW + HOUR) == inbox.DEAD
    assert answer(job(), 2, "AllowedToStart") == "progressed"
    with store.session() as session:
        assert "is a jump of" in store.snapshot(session)["dead_letters"]["reason"][0]


def test_the_same_id_with_other_content_is_told(ledger: str) -> None:
    book(S=200)
    release(("L1", "F1", 200))

    def say(state: str, sequence: int) -> str:
        said = JobResponse(job_order_id=job().job_order_id, revision=1, sequence=sequence, state=state, accepted=True)
        message = compose(said, factory_source("F1"), NOW, id="mine")
        with store.session() as session:
            return inbox.receive(session, message, "F1", NOW)

    assert [say("NotAllowedToStart", 1), say("NotAllowedToStart", 1)] == ["accepted", "duplicate"]
    assert say("Running", 2) == inbox.DEAD
    assert job().state == "NotAllowedToStart"
