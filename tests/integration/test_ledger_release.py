"""Plans and what their release writes: job orders, SKUs, messages; nothing twice, never more than a lot needs."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest
from ledger_kit import (
    DAY,
    HOUR,
    NOW,
    answer,
    job,
    job_orders_of,
    live_to,
    lot_row,
    order_row,
    plan_of,
    queue,
    record,
    release,
    sent,
    sku_rows,
)
from sqlalchemy import text, update
from sqlalchemy.orm import Session

from c2m.domain.crafts import COLUMNS
from c2m.domain.operations import Operation, written
from c2m.errors import InputError
from c2m.ledger import job_orders, orders, plans, status, store
from c2m.ledger.conversation.dispatch import Dispatched
from c2m.ledger.tables import JobOrder
from c2m.why.made import of_job_order
from c2m.wire.messages import parse


def skus_by_factory() -> pd.DataFrame:
    """Pieces per SKU (rows) and factory (columns) of all job orders."""
    with store.session() as session:
        held = store.snapshot(session)
    rows = held["job_order_skus"].merge(held["job_orders"][["job_order_id", "factory_id"]], on="job_order_id")
    return rows.pivot_table(index="sku_id", columns="factory_id", values="quantity", aggfunc="sum")


def test_words_of_a_merchant_that_no_message_can_carry_do_not_stop_a_release(ledger: str) -> None:
    odd = lot_row(style_name="Kurta,\tprint", colour="re\nd", specification_url="https://shop.example/a\u3000b.pdf")
    record(lots=[odd])
    with store.session() as session:
        status.register(session, "F1", 2, NOW)
    release(("L1", "F1", 1000))
    with store.session() as session:
        (offer,) = sent(session)
    message = parse(offer.body)
    assert not isinstance(message, str)
    assert message.data.style_name == "Kurta, print"
    assert {item.colour for item in message.data.items} == {"re d"}
    assert message.data.specification_url == "https://shop.example/a%E3%80%80b.pdf"


def test_why_tells_what_the_plan_knew_of_the_factory_in_the_job_orders_crafts(sqlite_ledger: str, home: Path) -> None:
    record(lots=[lot_row(operations=written([Operation("link", "link", 2.0, 1)]))])
    with store.session() as session:
        status.register(session, "F1", 2, NOW)
    release(("L1", "F1", 1000))
    figures = dict.fromkeys(COLUMNS, 0.5)
    rows = [figures | {"factory_id": f, "craft": c} for f, c in (("F1", "link"), ("F1", "knit"), ("F2", "link"))]
    folder = home / "runs" / "x"
    folder.mkdir(parents=True)
    pd.DataFrame(rows).to_csv(folder / "crafts.csv", index=False)
    (made,) = job_orders_of("F1")
    with store.session() as session:
        told = made_words(session, session.get_one(JobOrder, made.job_order_id))
    assert [words for words in told if "By craft" in words] == [
        "By craft the plan knew F1 as link: 50 % of the planned efficiency (50 % in all), 50 % good pieces (50 % in "
        "all), 50 % on time (50 % in all); 0 busy days, 0 job orders."
    ]


def made_words(session: Session, job_order: JobOrder) -> list[str]:
    return [words for link in of_job_order(session, job_order) for words in link.words]


def test_a_release_writes_job_orders_their_skus_and_messages(ledger: str) -> None:
    record()
    assert release(("L1", "F1", 601), ("L1", "F2", 399)) == Dispatched(new=2)
    skus = skus_by_factory()
    assert skus.sum().to_dict() == {"F1": 601, "F2": 399}
    assert skus.sum(axis=1).tolist() == [400, 300, 200, 100]
    assert (skus["F1"] - pd.Series([240.4, 180.3, 120.2, 60.1], skus.index)).abs().max() < 1
    with store.session() as session:
        first, second = sent(session)
        assert [first.factory_id, second.factory_id] == ["F1", "F2"]
        message = parse(first.body)
        assert not isinstance(message, str)
        assert message.id == first.message_id
        assert message.data.quantity_by_sku == {f"K{i}": q for i, q in enumerate(skus["F1"])}
        assert message.data.accept_by == NOW + 12 * HOUR
        assert [step.name for step in message.data.operations] == ["cut", "sew", "finish", "inspect", "pack", "ship"]
        assert (message.data.destination.latitude, message.data.destination.longitude) == (52.1, None)
        live = job_orders.live(session).sort_values("factory_id")
        assert live["quantity"].tolist() == live["remaining"].tolist() == [601, 399]
        assert set(zip(live["state"], live["attempt"], live["revision"], strict=True)) == {("Released", 1, 1)}
        lots = orders.open_lots(session)
        assert (lots["remaining"].tolist(), lots["committed"].tolist()) == ([1000], [1000])
        assert status.summary(session)["plan"]["state"] == "released"
        assert json.dumps(status.summary(session))


def test_releasing_again_changes_nothing(ledger: str) -> None:
    record()
    release(("L1", "F1", 1000))
    with store.session() as session:
        before = store.snapshot(session)
    assert release(("L1", "F1", 1000), at=NOW + HOUR) == Dispatched()
    with store.session() as session:
        after = store.snapshot(session)
    assert all(before[name].equals(after[name]) for name in before)


def test_a_new_proposal_supersedes_earlier_ones_and_the_same_changes_nothing(ledger: str) -> None:
    record()
    with store.session() as session:
        first = plans.propose(session, plan_of([("L1", "F1", 1000)]))
        assert plans.propose(session, plan_of([("L1", "F1", 1000)])) == first
        assert plans.of_round(session, DAY, 1) == first
        assert [plans.next_round(session, DAY + n * timedelta(days=1)) for n in (0, 1)] == [1, None]
        second = plans.propose(session, plan_of([("L1", "F2", 1000)], round=2))
        earlier_day = plans.propose(session, plan_of([("L1", "F2", 1000)], day=DAY - timedelta(days=1)))
        states = store.snapshot(session)["plans"].set_index("plan_id")["state"].to_dict()
    assert states == {first: "superseded", second: "proposed", earlier_day: "proposed"}
    for action in (plans.release, plans.reject):
        with pytest.raises(InputError, match="is superseded, expected proposed"), store.session() as session:
            action(session, first, "ops", "late", *([()] if action is plans.release else []), NOW)


def test_a_plan_misses_no_job_order_that_changes_while_it_waits(ledger: str) -> None:
    """A quarter of them are answered by a transaction that commits after the plan has come to their locks.

    PostgreSQL joins by nested loops here: one of the ways in which it leaves out what a subquery had found before.
    """
    names = [f"L{number}" for number in range(400)]
    record([order_row()], [lot_row(name) for name in names], [row for name in names for row in sku_rows(name)])
    pairs = [(name, "F1", 1000) for name in names]
    release(*pairs)
    if (database := store.engine(ledger).url.database) and not ledger.startswith("sqlite"):
        with store.engine(ledger).begin() as connection:
            connection.execute(text("ANALYZE"))
            for join in ("hashjoin", "mergejoin"):
                connection.execute(text(f"ALTER ROLE CURRENT_USER IN DATABASE {database} SET enable_{join} = off"))
        store.engine(ledger).dispose()
    some = [job.job_order_id for job in job_orders_of()[:100]]
    with ThreadPoolExecutor(1) as pool:
        with store.engine(ledger).begin() as connection:
            changed = update(JobOrder).where(JobOrder.job_order_id.in_(some))
            connection.execute(changed.values(state="AllowedToStart"))
            other = pool.submit(release, *pairs, round=2)
            time.sleep(0.5)
            assert not other.done()
        assert other.result() == Dispatched()


def test_a_rejected_plan_is_not_dispatched_and_stays_rejected(ledger: str) -> None:
    record()
    with store.session() as session:
        plan_id = plans.propose(session, plan_of([("L1", "F1", 1000)]))
        plans.reject(session, plan_id, "ops", "too dear", NOW)
        plans.reject(session, plan_id, "ops", "too dear", NOW)
        assert plans.of_round(session, DAY, 1) is None
        assert plans.next_round(session, DAY) == 2
        decisions = store.snapshot(session)["decisions"]
    assert decisions[["decision", "actor", "reason"]].to_numpy().tolist() == [["rejected", "ops", "too dear"]]
    with pytest.raises(InputError, match="is rejected"), store.session() as session:
        plans.release(session, plan_id, "ops", "", (), NOW)
    assert job_orders_of() == []


def test_a_plan_in_place_of_one_that_waits_is_the_days_plan_and_the_other_is_rejected_with_the_reason(
    ledger: str,
) -> None:
    """All of it at one moment: a time-lapse clock stands still while a day is planned."""
    record()
    with store.session() as session:
        waits = plans.propose(session, plan_of([("L1", "F1", 1000)]))
        other = replace(plan_of([("L1", "F2", 1000)]), attempt=1, limits="max_factories 1")
        assert plans.propose(session, other, waits, "asked for max_factories 1") == other.plan_id != waits
        assert plans.propose(session, other, waits, "asked for max_factories 1") == other.plan_id
        assert (plans.of_round(session, DAY, 1), plans.attempt(session, DAY, 1)) == (other.plan_id, 1)
        assert plans.next_round(session, DAY) == 1
        assert status.summary(session)["plan"]["plan_id"] == other.plan_id
        decision = plans.standing(session, waits).decision
        assert decision is not None
        assert (decision.decision, decision.reason) == ("rejected", "asked for max_factories 1")
        assert plans.of_day(session, DAY)["state"].tolist().count("proposed") == 1
        plans.release(session, other.plan_id, "ann", "reviewed", (), NOW)
    with pytest.raises(InputError, match="is released, expected proposed"), store.session() as session:
        plans.propose(session, replace(other, attempt=2), other.plan_id, "too late")


def test_a_plan_like_one_that_a_person_rejected_is_known(ledger: str) -> None:
    record()
    with store.session() as session:
        first = plans.propose(session, plan_of([("L1", "F1", 1000)]))
        plans.reject(session, first, "ann", "F1 is on strike", NOW)
        alike = plans.propose(session, replace(plan_of([("L1", "F1", 1000)]), attempt=1))
        made = plans.rejected_alike(session, alike)
        assert made is not None
        assert (made.actor, made.reason) == ("ann", "F1 is on strike")
        other = plans.propose(session, replace(plan_of([("L1", "F1", 999), ("L1", "F2", 1)]), attempt=2), alike, "new")
        assert plans.rejected_alike(session, other) is None
        last = plans.propose(session, replace(plan_of([("L1", "F1", 999), ("L1", "F2", 1)]), attempt=3), other, "new")
        assert plans.rejected_alike(session, last) is None  # what a run replaced nobody has judged


def test_a_plan_that_is_released_stands_as_it_was_released(ledger: str) -> None:
    record([order_row()], [lot_row("L1"), lot_row("L2")], [*sku_rows("L1"), *sku_rows("L2")])
    with store.session() as session:
        plan_id = plans.propose(session, plan_of([("L1", "F1", 1000), ("L2", "F1", 1000)]))
        assert not plans.standing(session, plan_id).was_released
        assert plans.first_released(session, DAY) is None
        assert plans.release(session, plan_id, "ann", "reviewed", ["L2"], NOW).new == 1
        later = plans.propose(session, plan_of([("L2", "F1", 1000)], round=2))
        assert plans.release(session, later, "policy", "within limits", (), NOW).new == 1
        stood = plans.standing(session, plan_id)
        assert stood.decision is not None
        told = (stood.state, stood.was_released, stood.decision.actor, stood.decision.without_lots)
        assert told == ("superseded", True, "ann", ["L2"])
        first = plans.first_released(session, DAY)
        assert first is not None
        assert first.plan_id == plan_id
        assert plans.release(session, plan_id, "ann", "reviewed", ["L2"], NOW) == Dispatched()
    with pytest.raises(InputError, match="was released by ann without L2"), store.session() as session:
        plans.release(session, plan_id, "bob", "all of it", (), NOW)


def test_unknown_plans_and_lots_are_named(sqlite_ledger: str) -> None:
    record()
    with pytest.raises(InputError, match="plan nothing is not in the ledger"), store.session() as session:
        plans.release(session, "nothing", "ops", "", (), NOW)
    with pytest.raises(InputError, match="lot L9 is not in plan"):
        release(("L1", "F1", 1000), without=["L9"])
    with pytest.raises(InputError, match="lot L1 at factory F1: allocated twice") as twice, store.session() as session:
        plans.propose(session, plan_of([("L1", "F1", 1), ("L1", "F1", 0)]))
    assert len(twice.value.faults) == 2


def test_withheld_lots_are_left_alone(ledger: str) -> None:
    record(
        lots=[lot_row(), lot_row("L2", 100)],
        skus=[*sku_rows(), *sku_rows("L2", [60, 40])],
    )
    assert release(("L1", "F1", 1000), ("L2", "F2", 100), without=["L2"]) == Dispatched(new=1, withheld=1)
    assert [each.lot_id for each in job_orders_of()] == ["L1"]
    with store.session() as session:
        allocations = store.snapshot(session)["plan_allocations"].set_index("lot_id")["withheld"].to_dict()
    assert allocations == {"L1": False, "L2": True}
    release(("L2", "F2", 100), round=2, without=["L2"])  # L1 vanished, but L2 stays
    assert queue("pending") == [("cancel", 1, "pending")]


def test_more_is_reserved_at_once_less_holds_when_the_factory_agrees(ledger: str) -> None:
    record()
    release(("L1", "F1", 400))
    answer(job(), 1, "NotAllowedToStart", True)
    assert release(("L1", "F1", 500), round=2) == Dispatched(revised=1)
    more = job()
    assert (more.quantity, more.requested, more.revision) == (500, 500, 2)
    assert skus_by_factory()["F1"].tolist() == [200, 150, 100, 50]
    answer(more, 2, "NotAllowedToStart", True, revision=2)
    assert release(("L1", "F1", 300), round=3) == Dispatched(revised=1)
    less = job()
    assert (less.quantity, less.requested, less.revision) == (500, 300, 3)
    assert release(("L1", "F1", 300), ("L1", "F2", 700), round=4) == Dispatched(held=1), "200 pieces may still come"
    answer(less, 3, "NotAllowedToStart", True, revision=3)
    assert job().quantity == 300
    assert skus_by_factory()["F1"].tolist() == [120, 90, 60, 30]
    assert release(("L1", "F1", 300), ("L1", "F2", 700), round=5) == Dispatched(new=1)
    assert skus_by_factory().sum(axis=1).tolist() == [400, 300, 200, 100]


def test_a_change_waits_for_the_answer_to_the_last_one(ledger: str) -> None:
    record()
    release(("L1", "F1", 400))
    assert release(("L1", "F1", 500), round=2) == Dispatched(held=1)
    assert job().revision == 1


def test_no_cancel_while_a_new_quantity_is_unanswered(ledger: str) -> None:
    """The refusal of the one could not be told from the refusal of the other."""
    record()
    release(("L1", "F1", 400))
    live_to("AllowedToStart")
    release(("L1", "F1", 500), round=2)
    assert release(round=3) == Dispatched()
    answer(job(), 3, "Running", False, revision=2)
    assert (job().state, job().quantity) == ("Running", 400)


def test_what_vanishes_is_cancelled_and_its_pieces_wait_for_the_confirmation(ledger: str) -> None:
    record()
    release(("L1", "F1", 1000))
    answer(job(), 1, "NotAllowedToStart", True)
    assert release(("L1", "F2", 1000), round=2) == Dispatched(cancelled=1, held=1)
    assert release(("L1", "F2", 1000), round=3) == Dispatched(held=1), "one cancel is enough"
    assert queue("pending") == [("cancel", 1, "pending")]
    assert answer(job(), 2, "Aborted") == "finished"
    assert job().state == "Cancelled"
    assert release(("L1", "F2", 1000), round=4) == Dispatched(new=1)


def test_a_pair_comes_back_with_a_higher_attempt(ledger: str) -> None:
    record()
    release(("L1", "F1", 1000))
    answer(job(), 1, "Aborted", False)
    assert release(("L1", "F1", 1000), round=2) == Dispatched(new=1)
    first, second = job_orders_of("F1")
    assert (first.attempt, first.state, second.attempt, second.state) == (1, "Refused", 2, "Released")
    assert first.job_order_id != second.job_order_id


def test_started_work_is_not_touched_and_more_of_it_is_another_job_order(ledger: str) -> None:
    record()
    release(("L1", "F1", 600))
    running = live_to("Running")
    assert release(("L1", "F1", 900), round=2) == Dispatched(new=1)
    assert [(each.attempt, each.quantity) for each in job_orders_of("F1")] == [(1, 600), (2, 300)]
    assert release(round=3) == Dispatched(cancelled=1)
    assert answer(running, 4, "Ended") == "finished"


def test_a_lot_that_is_cancelled_gets_nothing_more(ledger: str) -> None:
    record()
    release(("L1", "F1", 400))
    record([order_row(state="cancelled")])
    assert release(("L1", "F1", 400), ("L1", "F2", 600), round=2) == Dispatched(held=1)
    with store.session() as session:
        assert orders.open_lots(session).empty


def test_the_order_book_is_taken_over_as_it_stands_now(ledger: str) -> None:
    record(lots=[lot_row(), lot_row("L2", 10)], skus=[*sku_rows(), *sku_rows("L2", [10])])
    with store.session() as session:
        before = store.snapshot(session)
    record(lots=[lot_row(), lot_row("L2", 10)], skus=[*sku_rows(), *sku_rows("L2", [10])], at=NOW + HOUR)
    with store.session() as session:
        assert all(before[name].equals(table) for name, table in store.snapshot(session).items())
    record(lots=[lot_row(quantity=700)], skus=sku_rows(pieces=[400, 300]), at=NOW + HOUR)
    with store.session() as session:
        after = store.snapshot(session)
        assert orders.open_lots(session)["remaining"].tolist() == [700]
        assert orders.open_lots(session, store.Scope(merchant_id="M2")).empty
    assert after["lots"]["state"].tolist() == ["open", "cancelled"]
    assert after["lot_skus"]["quantity"].tolist() == [400, 300, 0, 0, 10]
    assert after["lots"]["at"].tolist() == [NOW + HOUR, NOW + HOUR]


def test_an_order_book_that_does_not_add_up_is_refused_with_every_fault(sqlite_ledger: str) -> None:
    with pytest.raises(InputError) as refused:
        record(
            [order_row(), order_row()],
            [lot_row(quantity=999), lot_row("L2", 5, order_id="O9")],
            [*sku_rows(), *sku_rows()[:1]],
        )
    assert refused.value.reason == "order-book-inconsistent"
    assert len(refused.value.faults) == 5
    with store.session() as session:
        assert store.snapshot(session)["orders"].empty


def test_the_last_replenishment_order_of_a_style_is_known(ledger: str) -> None:
    for number, day in enumerate([DAY, DAY + timedelta(days=7)]):
        row = order_row(f"R{number}", source="replenishment", placed_on=day)
        record([row], [lot_row(f"L{number}", 10, f"R{number}")], sku_rows(f"L{number}", [10]))
    record([order_row("M", placed_on=DAY + timedelta(days=9))], [lot_row("LM", 10, "M")], sku_rows("LM", [10]))
    with store.session() as session:
        last = orders.last_of_style(session, before=date(2100, 1, 1))
    assert last.to_numpy().tolist() == [["M1", "S1", "red", "R1"]]


def test_a_plan_that_is_held_goes_on_waiting_with_the_note(ledger: str) -> None:
    record()
    proposed = plan_of([("L1", "F1", 1000)])
    with store.session() as session:
        plans.propose(session, proposed)
        for _ in range(2):  # told twice, noted once
            plans.hold(session, proposed.plan_id, "ann", "I call the mill first", NOW)
        plans.hold(session, proposed.plan_id, "bo", "so do I", NOW + HOUR)
        assert plans.holds(session, proposed.plan_id)["actor"].tolist() == ["ann", "bo"]
        waits = plans.waiting(session)
        assert waits
        assert (waits.plan_id, waits.state) == (proposed.plan_id, "proposed")
        plans.release(session, proposed.plan_id, "ann", "the mill has it", [], NOW + HOUR)
        assert plans.waiting(session) is None
        newest = plans.newest_of_day(session, proposed.business_date)
        assert newest
        assert newest.was_released
        with pytest.raises(InputError, match="is released, expected proposed"):
            plans.hold(session, proposed.plan_id, "ann", "too late", NOW + HOUR)
