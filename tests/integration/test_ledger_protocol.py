"""What factories answer and what follows: each message once, states forward only, nothing promised twice."""

from datetime import timedelta

import pytest
from ledger_kit import (
    HOUR,
    NOW,
    answer,
    job,
    live_to,
    lot_row,
    queue,
    record,
    release,
    sent,
    shipped,
    sku_rows,
)
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from c2m.ledger import job_orders, orders, status, store
from c2m.ledger.conversation import inbox, outbox
from c2m.ledger.store import Scope
from c2m.settings import settings
from c2m.wire.messages import (
    PLATFORM,
    JobResponse,
    Scan,
    Start,
    Status,
    compose,
    factory_source,
)


@pytest.fixture
def released(ledger: str) -> None:
    """Lot L1 split over F1 (600) and F2 (400)."""
    record()
    release(("L1", "F1", 600), ("L1", "F2", 400))


def free_pieces() -> int:
    """Pieces of L1 that planning may give out."""
    with store.session() as session:
        lots = orders.open_lots(session)
    return int((lots["remaining"] - lots["committed"]).sum())


@pytest.mark.usefixtures("released")
def test_an_acceptance_is_answered_by_leave_to_start_in_the_same_transaction() -> None:
    assert answer(job(), 1, "NotAllowedToStart", True) == "accepted"
    assert queue() == [("start", 1, "pending"), ("store", 1, "pending")]
    seen = job()
    assert (seen.state, seen.accepted, seen.confirmed_revision, seen.sequence) == ("NotAllowedToStart", True, 1, 1)
    assert answer(seen, 2, "AllowedToStart") == "progressed"
    assert queue() == [("store", 1, "pending")], "F2 has not answered"
    for sequence, state in enumerate(["Running", "Interrupted", "Running", "Ended"], 3):
        answer(seen, sequence, state)
        assert job().state == state
    assert (job().begun_at, job().ended_at) == (NOW + 3 * HOUR, NOW + 6 * HOUR), "begun once, whatever interrupted it"


@pytest.mark.usefixtures("released")
def test_work_that_begins_is_seen_on_lot_and_order() -> None:
    live_to("Running")
    with store.session() as session:
        held = store.snapshot(session)
    assert held["lots"]["state"].tolist() == held["orders"]["state"].tolist() == ["in_production"]


@pytest.mark.usefixtures("released")
def test_a_refusal_gives_the_pieces_back_at_once() -> None:
    assert answer(job(), 1, "Aborted", False) == "refused"
    assert (job().state, job().accepted, free_pieces()) == ("Refused", False, 600)
    assert queue() == [("store", 1, "pending")], "nothing more for F1"
    with store.session() as session:
        assert job_orders.refusals(session, NOW).to_numpy().tolist() == [["L1", 1, "F1"]]
        assert job_orders.refusals(session, NOW + 2 * HOUR).empty
        assert job_orders.lacks_a_maker(session, NOW) and not job_orders.lacks_a_maker(session, NOW + 2 * HOUR)
        assert job_orders.live(session, Scope(factory_id="F1")).empty


@pytest.mark.usefixtures("released")
def test_who_refuses_before_anything_was_agreed_refuses_all_and_is_told_to_stop() -> None:
    assert answer(job(), 1, "Running", False) == "refused"
    assert answer(job(), 2, "Running") == "conflict"
    assert (job().state, free_pieces()) == ("Refused", 600)
    assert queue() == [("cancel", 1, "pending"), ("store", 1, "pending")]


@pytest.mark.usefixtures("released")
def test_the_same_message_twice_has_one_effect() -> None:
    said = JobResponse(job_order_id=job().job_order_id, revision=1, sequence=1, state="Aborted", accepted=False)
    message = compose(said, factory_source("F1"), NOW)
    with store.session() as session:
        assert [inbox.receive(session, message, "F1", NOW) for _ in range(2)] == ["refused", "duplicate"]
    with store.session() as session:
        assert inbox.receive(session, message, "F1", NOW) == "duplicate"
        assert store.snapshot(session)["inbox"]["effect"].tolist() == ["refused"]


@pytest.mark.usefixtures("released")
def test_an_older_word_changes_nothing() -> None:
    live_to("Running")
    assert answer(job(), 2, "Interrupted", at=NOW + 9 * HOUR) == "stale"
    assert answer(job(), 5, "AllowedToStart") == "recorded", "newer, but states do not go back"
    assert job().state == "Running"


@pytest.mark.usefixtures("released")
def test_an_acceptance_that_comes_after_the_work_began_still_counts() -> None:
    answer(job(), 2, "Running")
    assert answer(job(), 1, "NotAllowedToStart", True) == "accepted"
    seen = job()
    assert (seen.state, seen.accepted, seen.confirmed_revision, seen.sequence) == ("Running", True, 1, 2)
    assert queue() == [("store", 1, "pending")], "no start for what runs"


@pytest.mark.usefixtures("released")
def test_silence_expires_after_accept_by_and_the_allowed_skew() -> None:
    answer(job("F2"), 1, "NotAllowedToStart", True)
    limit = NOW + 12 * HOUR + timedelta(seconds=settings().plan.clock_skew_s)
    with store.session() as session:
        assert job_orders.expire(session, limit) == 0
        assert job_orders.expire(session, limit + timedelta(seconds=1)) == 1
        assert job_orders.expire(session, limit + timedelta(seconds=2)) == 0
    assert (job().state, job("F2").state, free_pieces()) == ("Expired", "NotAllowedToStart", 600)
    assert queue() == [("start", 1, "pending")]


@pytest.mark.usefixtures("released")
def test_an_acceptance_after_expiry_is_a_conflict_and_is_answered_by_cancel() -> None:
    with store.session() as session:
        job_orders.expire(session, NOW + 24 * HOUR)
    assert answer(job(), 1, "NotAllowedToStart", True) == "conflict"
    assert (job().state, free_pieces()) == ("Expired", 1000)
    assert queue() == [("cancel", 1, "pending")]
    assert answer(job(), 2, "Aborted") == "recorded"
    assert queue() == []
    assert answer(job(), 3, "Running") == "conflict", "it goes on nevertheless: told once more"
    assert queue() == [("cancel", 1, "pending")]
    assert answer(job(), 4, "Ended") == "conflict"
    assert answer(job(), 4, "Ended", at=NOW + 9 * HOUR) == "stale"


@pytest.mark.usefixtures("released")
def test_a_factory_that_has_begun_may_refuse_a_cancel_and_keeps_its_work() -> None:
    live_to("AllowedToStart")
    release(("L1", "F2", 400), round=2)
    assert queue() == [("cancel", 1, "pending"), ("store", 1, "pending")]
    assert answer(job(), 3, "Running", False) == "kept"
    assert (job().state, job().quantity) == ("Running", 600)
    assert queue() == [("store", 1, "pending")]


@pytest.mark.usefixtures("released")
def test_a_factory_that_has_begun_may_refuse_a_new_quantity_and_keeps_the_old_one() -> None:
    live_to("AllowedToStart")
    release(("L1", "F1", 100), ("L1", "F2", 400), round=2)
    assert answer(job(), 3, "Running", False, revision=2) == "kept"
    assert (job().state, job().quantity, job().requested, job().confirmed_revision) == ("Running", 600, 600, 1)
    assert queue() == [("store", 1, "pending")]
    assert answer(job(), 4, "Ended", revision=2) == "finished"


@pytest.mark.usefixtures("released")
def test_a_waiting_factory_that_refuses_a_new_quantity_hands_all_back() -> None:
    answer(job(), 1, "NotAllowedToStart", True)
    release(("L1", "F1", 100), ("L1", "F2", 400), round=2)
    assert answer(job(), 2, "NotAllowedToStart", False, revision=2) == "refused"
    assert free_pieces() == 600


@pytest.mark.usefixtures("released")
def test_no_start_for_what_is_being_cancelled() -> None:
    release(("L1", "F2", 400), round=2)
    assert answer(job(), 1, "NotAllowedToStart", True) == "accepted"
    assert queue() == [("cancel", 1, "pending"), ("store", 1, "pending")]
    assert answer(job(), 2, "Aborted") == "finished"
    assert (job().state, free_pieces()) == ("Cancelled", 600)


@pytest.mark.usefixtures("released")
def test_what_ended_holds_its_pieces_until_its_scans_are_counted() -> None:
    live_to("Ended")
    assert free_pieces() == 0
    made = shipped(*[(job().job_order_id, f"K{i}", q) for i, q in enumerate([200, 150, 100, 50])])
    with store.session() as session:
        assert job_orders.apply_progress(session, made, NOW + 3 * HOUR) == 1, "the progress is older than the end"
    assert free_pieces() == 0
    with store.session() as session:
        assert job_orders.apply_progress(session, made, NOW + 5 * HOUR) == 1
        assert job_orders.apply_progress(session, made, NOW + 6 * HOUR) == 0
        lots = orders.open_lots(session)
        assert (lots["shipped"].tolist(), lots["remaining"].tolist(), lots["committed"].tolist()) == (
            [500],
            [500],
            [400],
        )


@pytest.mark.usefixtures("released")
@pytest.mark.parametrize(("accepted", "pieces"), [(True, 100), (False, 600)])
def test_an_offer_that_is_open_when_the_work_ends_is_asked_about_until_it_is_decided(
    accepted: bool, pieces: int
) -> None:
    live_to("AllowedToStart")
    release(("L1", "F1", 100), ("L1", "F2", 400), round=2)
    answer(job(), 6, "Ended", revision=2)
    assert queue("pending sent") == [("store", 2, "pending"), ("store", 1, "pending")]
    assert (job().state, job().quantity, job().confirmed_revision) == ("Ended", 600, 1)
    assert answer(job(), 5, "AllowedToStart", accepted, revision=2) == ("accepted" if accepted else "kept")
    assert (job().state, job().quantity, job().requested) == ("Ended", pieces, pieces)
    assert answer(job(), 7, "Ended", accepted, revision=2) in ("recorded", "kept")
    assert queue() == [("store", 1, "pending")], "F2 has not answered"


@pytest.mark.usefixtures("released")
def test_who_refers_to_a_job_order_does_not_wait_for_who_moves_it(ledger: str) -> None:
    if ledger.startswith("sqlite"):
        pytest.skip("one writer at a time")
    said = JobResponse(
        job_order_id=job().job_order_id, revision=1, sequence=1, state="NotAllowedToStart", accepted=True
    )
    with store.session() as session, store.session() as other:
        inbox.lock(session, [compose(said, factory_source("F1"), NOW)])
        other.execute(text("SET LOCAL lock_timeout = '1s'"))
        refers = "SELECT count(*) FROM (SELECT 1 FROM job_orders FOR KEY SHARE) rows"  # what a foreign key does
        assert other.execute(text(refers)).scalar_one() == 2
        moves = text("SELECT 1 FROM job_orders WHERE job_order_id = :id FOR NO KEY UPDATE")
        with pytest.raises(OperationalError, match="lock timeout"):
            other.execute(moves, {"id": job().job_order_id})
        other.rollback()


@pytest.mark.usefixtures("released")
def test_what_cannot_be_obeyed_becomes_a_dead_letter_with_its_reason() -> None:
    said = {"revision": 1, "sequence": 1, "state": "NotAllowedToStart", "accepted": True}
    own, stranger = job("F1").job_order_id, factory_source("F2")
    scan = Scan(scan_id="1", job_order_id=own, sku_id="K0", operation="cut", quantity=1, at=NOW)
    cases = [
        (compose(JobResponse(job_order_id=own, **said), stranger, NOW), "F1", "source c2m/factory/F2 spoke for F1"),
        (compose(JobResponse(job_order_id=own, **said), stranger, NOW), "F2", f"unknown job order {own}"),
        (compose(JobResponse(job_order_id="nobody", **said), stranger, NOW), "F2", "unknown job order nobody"),
        (
            compose(JobResponse(job_order_id=own, **{**said, "revision": 2}), factory_source("F1"), NOW),
            "F1",
            "revision 2, expected at most 1",
        ),
        (compose(Start(job_order_id=own, revision=1), PLATFORM, NOW), "F1", "source c2m/platform spoke for F1"),
        (compose([scan], factory_source("F1"), NOW), "F1", "type c2m.scans, expected a response or status"),
    ]
    with store.session() as session:
        for message, factory_id, reason in cases:
            for _ in range(2):
                assert inbox.receive(session, message, factory_id, NOW) == inbox.DEAD
            letters = store.snapshot(session)["dead_letters"]
            assert reason in letters["reason"].tolist()
        first = inbox.dead_letter(session, "", "x/y", b"\x00\xff{", "no JSON", NOW)
        assert first == inbox.dead_letter(session, "", "x/y", b"\x00\xff{", "no JSON", NOW + HOUR)
        assert len(store.snapshot(session)["dead_letters"]) == len(cases) + 1
        assert status.summary(session)["dead_letters"] == len(cases) + 1
    assert job().state == "Released"


@pytest.mark.usefixtures("released")
def test_a_status_says_who_is_there_and_who_is_behind() -> None:
    with store.session() as session:
        assert status.factories_behind(session, NOW) == ["F1", "F2"]
        message = compose(Status(online=True, through=NOW), factory_source("F1"), NOW)
        assert inbox.receive(session, message, "F1", NOW) == "status"
        assert status.factories_behind(session, NOW) == ["F2"]
        assert status.factories_behind(session, NOW + HOUR) == ["F1", "F2"]


@pytest.mark.usefixtures("released")
def test_delivery_keeps_the_order_and_backs_off_until_answered() -> None:
    timeout = timedelta(seconds=settings().answer_timeout_s)
    answer(job("F1"), 1, "NotAllowedToStart", True)  # before the relay marked its store as sent
    release(("L1", "F1", 600), round=2)  # F2 vanished: its store is void, a cancel is due
    with store.session() as session:
        assert [message.type.rsplit(".", 1)[1] for message in sent(session)] == ["start", "cancel"]
        again = outbox.due(session, NOW + timeout)
        assert [message.message_id for message in again] == [
            message.message_id for message in outbox.due(session, NOW + 2 * timeout)
        ]
        assert outbox.due(session, NOW + timeout / 2) == []
        assert len(sent(session, NOW + timeout)) == 2
        assert outbox.due(session, NOW + 2 * timeout) == [], "the second pause is twice as long"
        assert len(outbox.due(session, NOW + 3 * timeout, limit=1)) == 1


@pytest.mark.usefixtures("released")
def test_a_later_message_waits_for_the_earlier_one_and_a_delivery_that_failed_comes_again() -> None:
    with store.session() as session:
        first, second = outbox.due(session, NOW)
        outbox.postpone(session, [first.message_id], NOW)
        assert outbox.due(session, NOW) == [second]
    release(round=2)
    with store.session() as session:
        assert [message.type for message in outbox.due(session, NOW)] == ["c2m.job-order.cancel"] * 2


def test_an_order_closes_with_its_last_lot(sqlite_ledger: str) -> None:
    record(lots=[lot_row(), lot_row("L2", 10)], skus=[*sku_rows(), *sku_rows("L2", [10])])
    release(("L1", "F1", 1000), ("L2", "F2", 10))
    with store.session() as session:
        job_orders.apply_progress(session, shipped((job("F2").job_order_id, "K0", 10)), NOW)
        held = store.snapshot(session)
    assert held["lots"]["state"].tolist() == ["open", "closed"]
    assert held["orders"]["state"].tolist() == ["in_production"]
    record(lots=[lot_row("L2", 10)], skus=sku_rows("L2", [10]))
    with store.session() as session:
        assert store.snapshot(session)["lots"]["state"].tolist() == ["cancelled", "closed"]


def test_empty_progress_is_no_progress(sqlite_ledger: str) -> None:
    with store.session() as session:
        assert job_orders.apply_progress(session, shipped(), NOW) == 0
        assert status.summary(session)["plan"] is None
