"""Ranks and versions in the ledger: who is told what, when another rank is told, what a factory of version 1 gets."""

import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from jsonschema import Draft202012Validator
from ledger_kit import (
    FULL_LIFE,
    HOUR,
    NOW,
    answer,
    job_orders_of,
    lot_row,
    order_row,
    plan_of,
    queue,
    record,
    sent,
    sku_rows,
)

from c2m.ledger import audit, orders, plans, status, store
from c2m.ledger.conversation import inbox, outbox
from c2m.ledger.conversation.dispatch import Dispatched
from c2m.ledger.conversation.ranks import GAP
from c2m.wire.messages import ADDED, JobOrder, Status, compose, factory_source

FIRST_VERSION = Path(__file__).parents[1] / "golden" / "messages_v1.schema.json"
LOTS = ("L1", "L2", "L3", "L4")


def begin(version: int | None = 2, crafts: str = "") -> None:
    """Four lots of one order, 1,000 pieces each, and factory F1 that has said its version."""
    lots = [
        lot_row(name, crafts=crafts, style_name="Kurta 7", style_code="7/a", specification_url="https://x.example/7")
        for name in LOTS
    ]
    skus = [row | {"size": f"S{row['sku_id'][1]}", "sku_code": "7 a"} for name in LOTS for row in sku_rows(name)]
    record([order_row(order_code="PO/7")], lots, skus)
    with store.session() as session:
        message = compose(Status(online=True, version=version), factory_source("F1"), NOW)
        assert inbox.receive(session, message, "F1", NOW) == "status"


def plan(*lots: str, round: int = 1, pieces: dict[str, int] | None = None, without: Sequence[str] = ()) -> Dispatched:
    """Releases a plan in which F1 makes the lots in this order."""
    proposed = plan_of([(lot, "F1", (pieces or {}).get(lot, 1000)) for lot in lots], round)
    proposed.allocation["place"] = range(1, len(lots) + 1)
    proposed.allocation["price"], proposed.allocation["currency"] = 3.25, "USD"
    with store.session() as session:
        return plans.release(session, plans.propose(session, proposed), "ops", "", without, NOW)


def jobs() -> dict[str, Any]:
    return {job.lot_id: job for job in job_orders_of("F1")}


def offers() -> dict[tuple[str, int], JobOrder]:
    """Every store of the outbox by lot and revision."""
    with store.session() as session:
        held = store.snapshot(session)
    lot_of = held["job_orders"].set_index("job_order_id")["lot_id"]
    stores = held["outbox"][held["outbox"]["type"] == "c2m.job-order.store"]
    found = [JobOrder.model_validate_json(json.dumps(payload["data"])) for payload in stores["payload"]]
    return {(lot_of[offer.job_order_id], offer.revision): offer for offer in found}


def accept(*lots: str, up_to: str = "AllowedToStart") -> None:
    for lot in lots:
        for sequence, (said, accepted) in enumerate(FULL_LIFE, 1):
            answer(jobs()[lot], sequence, said, accepted)
            if said == up_to:
                break


def test_an_offer_says_what_to_make_for_how_much_and_at_which_place(ledger: str) -> None:
    begin(crafts="embroidery;print")
    assert plan(*LOTS[::-1]) == Dispatched(new=4)
    offer = offers()["L2", 1]
    assert offer.rank == 3 * GAP
    assert [(item.sku_id, item.colour, item.size, item.quantity) for item in offer.items or ()] == [
        ("K0", "red", "S0", 400),
        ("K1", "red", "S1", 300),
        ("K2", "red", "S2", 200),
        ("K3", "red", "S3", 100),
    ]
    assert (offer.style_name, offer.crafts, offer.price, offer.currency, offer.specification_url) == (
        "Kurta 7",
        ("embroidery", "print"),
        3.25,
        "USD",
        "https://x.example/7",
    )
    with store.session() as session:  # in the order of work, so that who takes what comes first takes the same
        told = [message.job_order_id for message in sent(session)]
    assert told == [jobs()[lot].job_order_id for lot in LOTS[::-1]]


@pytest.mark.parametrize("said", [None, 1])
def test_a_factory_of_version_1_gets_messages_of_its_schema_and_nothing_they_cannot_say(
    ledger: str, said: int | None
) -> None:
    begin(version=said)
    lots = pd.DataFrame([lot_row("L5", order_id="O2", crafts="embroidery")])
    with store.session() as session:
        orders.record(session, pd.DataFrame([order_row("O2")]), lots, pd.DataFrame(sku_rows("L5")), NOW)
    assert plan(*LOTS, "L5") == Dispatched(new=4, withheld=1)
    accept("L1", up_to="NotAllowedToStart")
    accept("L2", "L3")
    assert plan("L4", "L3", "L2", "L1", round=2, pieces={"L3": 900}) == Dispatched(revised=1)  # ranks are not told
    assert plan("L2", "L3", round=3) == Dispatched(cancelled=2, held=1)
    schema = Draft202012Validator(json.loads(FIRST_VERSION.read_text()))
    with store.session() as session:
        payloads = list(store.snapshot(session)["outbox"]["payload"])
    assert {payload["type"].rsplit(".", 1)[1] for payload in payloads} == {"store", "start", "cancel"}
    for payload in payloads:
        assert [fault.message for fault in schema.iter_errors(payload)] == []
        assert not set(ADDED) & payload["data"].keys()
    second = payloads[0] | {"data": payloads[0]["data"] | {"rank": 1}}
    assert not schema.is_valid(second)


def test_only_what_is_reversed_is_told_another_rank_and_keeps_the_rest_of_its_agreement(ledger: str) -> None:
    begin()
    plan(*LOTS)
    accept(*LOTS)
    assert plan("L4", "L1", "L2", "L3", round=2) == Dispatched(ranked=1)
    first, told = offers()["L4", 1], offers()["L4", 2]
    assert told == first.model_copy(update={"revision": 2, "rank": 0})
    assert jobs()["L4"].accept_by.to_pydatetime() == first.accept_by
    assert plan("L4", "L1", "L2", "L3", round=3) == Dispatched()  # once
    late = first.accept_by + timedelta(days=3)
    assert answer(jobs()["L4"], 5, "AllowedToStart", revision=2, at=late) == "accepted"
    assert queue() == []
    assert (jobs()["L4"].rank, jobs()["L4"].agreed_rank, jobs()["L4"].quantity) == (0, 0, 1000)


def test_a_start_that_was_not_confirmed_is_given_again_behind_the_rank(ledger: str) -> None:
    begin()
    plan("L1", "L2")
    accept("L1", "L2", up_to="NotAllowedToStart")
    plan("L2", "L1", round=2)
    told = next(lot for lot, job in jobs().items() if job.revision == 2)
    assert sorted(queue()) == [("start", 1, "pending"), ("store", 2, "pending")]
    assert answer(jobs()[told], 2, "NotAllowedToStart", revision=2) == "accepted"
    assert sorted(queue()) == [("start", 1, "pending"), ("start", 2, "pending")]
    assert answer(jobs()[told], 3, "AllowedToStart", revision=2) == "progressed"
    assert queue() == [("start", 1, "pending")]


@pytest.mark.parametrize("state", ["NotAllowedToStart", "AllowedToStart", "Running", "Ended"])
def test_a_refused_rank_leaves_agreement_and_earlier_rank(ledger: str, state: str) -> None:
    begin()
    plan("L1", "L2")
    accept("L1", "L2", up_to="NotAllowedToStart" if state == "NotAllowedToStart" else "AllowedToStart")
    plan("L2", "L1", round=2)
    told = next(lot for lot, job in jobs().items() if job.revision == 2)
    before = offers()[told, 1].rank
    if state in ("Running", "Ended"):  # it began while the message was under way
        answer(jobs()[told], 5, state, revision=1)
    assert answer(jobs()[told], 6, state, False, revision=2) == "kept"
    job = jobs()[told]
    assert (job.rank, job.agreed_rank, job.quantity, job.state) == (before, before, 1000, state)
    assert ("store", 2) not in {(type_, revision) for type_, revision, _ in queue()}
    if state == "NotAllowedToStart":
        assert ("start", 2, "pending") in queue()


def test_a_refusal_that_follows_an_answer_without_a_decision_counts(ledger: str) -> None:
    begin()
    plan("L1", "L2")
    accept("L1", "L2")
    plan("L2", "L1", round=2)
    told = next(lot for lot, job in jobs().items() if job.revision == 2)
    before, asked = offers()[told, 1].rank, offers()[told, 2].rank
    answer(jobs()[told], 5, "AllowedToStart", revision=2)
    assert jobs()[told].agreed_rank == asked
    assert answer(jobs()[told], 6, "NotAllowedToStart", False, revision=2) == "kept"
    assert (jobs()[told].rank, jobs()[told].state) == (before, "AllowedToStart")


def test_a_question_of_quantity_goes_first_and_carries_the_rank(ledger: str) -> None:
    begin()
    plan("L1", "L2", "L3", pieces={"L3": 500})
    accept("L1", "L2", "L3")
    assert plan("L3", "L1", "L2", round=2, pieces={"L3": 700}) == Dispatched(revised=1)
    asked = offers()["L3", 2]
    assert (asked.quantity, asked.rank) == (700, 0)
    assert plan("L3", "L1", "L2", round=3, pieces={"L3": 700}) == Dispatched()  # it has been asked
    assert answer(jobs()["L3"], 5, "AllowedToStart", False, revision=2) == "kept"
    assert (jobs()["L3"].quantity, jobs()["L3"].rank) == (500, 3 * GAP)


def test_work_that_has_begun_is_told_nothing_and_withheld_lots_stay_where_they_are(ledger: str) -> None:
    begin()
    plan(*LOTS)
    accept("L1", up_to="Running")
    accept("L2", "L3", "L4")
    assert plan("L2", "L1", "L3", "L4", round=2) == Dispatched()
    assert plan("L4", "L3", "L2", "L1", round=3, without=["L4"]).ranked == 2  # behind L4, which stays
    assert jobs()["L4"].rank < jobs()["L3"].rank < jobs()["L2"].rank
    assert {lot for lot, revision in offers() if revision > 1} <= {"L2", "L3"}


def test_a_factory_that_comes_to_understand_ranks_is_told_them(ledger: str) -> None:
    begin(version=None)
    plan(*LOTS)
    accept(*LOTS)
    with store.session() as session:
        status.register(session, "F1", 2, NOW)
        assert status.versions(session) == {"F1": 2}
    assert plan(*LOTS, round=2) == Dispatched(ranked=4)
    assert [jobs()[lot].rank for lot in LOTS] == [n * GAP for n in (1, 2, 3, 4)]


def test_the_audit_has_every_rank_that_was_told(ledger: str) -> None:
    begin()
    plan(*LOTS)
    accept(*LOTS)
    plan("L4", "L1", "L2", "L3", round=2)
    answer(jobs()["L4"], 5, "AllowedToStart", revision=2)
    job_order_id = jobs()["L4"].job_order_id
    with store.session() as session:
        outbox.mark_sent(session, [message.message_id for message in outbox.due(session, NOW + HOUR)], NOW)
        assert audit.verify(session).faults == []
        history = audit.history(session, job_order_id)
    assert list(history["event"]).count("written") == 3  # store, start, store


def test_a_last_will_without_a_version_changes_none(ledger: str) -> None:
    begin()
    with store.session() as session:
        status.report(session, "F1", False, None, NOW)
        assert status.versions(session) == {"F1": 2}
        status.report(session, "F1", True, None, NOW)
        assert status.versions(session) == {"F1": 1}
