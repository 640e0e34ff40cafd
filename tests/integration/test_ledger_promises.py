"""Promised dates in the ledger: kept with the plan, made once accepted job orders cover the order, never changed."""

from datetime import date, timedelta

import pandas as pd
from ledger_kit import DAY, HOUR, NOW, answer, job, lot_row, order_row, plan_of, record, sku_rows
from pydantic import TypeAdapter
from sqlalchemy import select

from c2m.domain.quotes import Offer, Quote, Share
from c2m.ledger import job_orders, orders, plans, promises, store
from c2m.ledger.rooms import quotes
from c2m.ledger.tables import Promise, PromiseFactory

PAIRS = [("L1", "F1", 600), ("L1", "F2", 400)]


def dated(promised_on: date, unplaced: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    row = {"order_id": "O1", "unplaced": unplaced, "planned_on": promised_on, "promised_on": promised_on}
    makers = pd.DataFrame({"order_id": "O1", "factory_id": ["F1", "F2"], "transit_days": [2, 3]})
    return pd.DataFrame([row | {"modelled": 0.8, "probability": 0.9}]), makers


def propose(round: int = 1, unplaced: int = 0) -> str:
    with store.session() as session:
        plan_id = plans.propose(session, plan_of(PAIRS, round))
        promises.record(session, plan_id, *dated(DAY + timedelta(days=9 + round), unplaced), NOW)
    return plan_id


def released(round: int = 1, unplaced: int = 0) -> str:
    plan_id = propose(round, unplaced)
    with store.session() as session:
        plans.release(session, plan_id, "ops", "fits", (), NOW)
    return plan_id


def made() -> list[tuple[str, date]]:
    with store.session() as session:
        promises.make(session, NOW + HOUR)
        chosen = select(Promise.plan_id, Promise.promised_on).where(Promise.made_at.is_not(None))
        return [tuple(row) for row in session.execute(chosen.order_by(Promise.promised_on))]


def test_a_date_is_promised_when_accepted_job_orders_cover_the_order(ledger: str) -> None:
    record()
    first = propose()
    assert made() == []
    with store.session() as session:
        plans.release(session, first, "ops", "fits", (), NOW)
    assert made() == []
    answer(job("F1"), 1, "NotAllowedToStart", True)
    assert made() == []
    answer(job("F2"), 1, "NotAllowedToStart", True)
    assert made() == [(first, DAY + timedelta(days=10))]
    with store.session() as session:
        assert not job_orders.lacks_a_maker(session, NOW)
    second = released(round=2)
    assert [plan_id for plan_id, _ in made()] == [first, second]


def test_the_date_of_a_quote_that_was_taken_is_the_first_that_its_merchant_was_told(ledger: str) -> None:
    quoted_on = DAY + timedelta(days=6)
    share = Share("F2", "ST1", "red", 1000, 480.0, DAY + timedelta(days=2), DAY + timedelta(days=3), transit_days=2)
    offer = Offer("soonest", quoted_on, quoted_on, 0.9, None, {}, (share,), (), modelled=0.95)
    said = TypeAdapter(Quote).dump_python(Quote("before", "EUR", 1000, quoted_on, (offer,)), mode="json")
    record()
    with store.session() as session:
        row = {"quote_id": "Q1", "merchant_id": "m1", "plan_id": plans.propose(session, plan_of(PAIRS)), "said": said}
        quotes.keep(session, row | {"asked": {}, "at": NOW, "valid_until": NOW + HOUR})
        quotes.promise(session, NOW)
        assert orders.open_lots(session)["promised_on"].isna().all()
        quotes.accept(session, "Q1", "soonest", "O1", NOW)
        for _ in range(2):
            quotes.promise(session, NOW + HOUR)
        assert orders.open_lots(session)["promised_on"].tolist() == [quoted_on]
        told, makers = (store.frame(session, select(*of.__table__.columns)).iloc[0] for of in (Promise, PromiseFactory))
    assert (told["quoted"], told["made_at"], told["pieces"], told["modelled"]) == (True, NOW, 1000, 0.95)
    assert (makers["factory_id"], makers["transit_days"]) == ("F2", 2)


def test_a_refused_order_and_one_that_is_not_placed_whole_hear_of_no_date(ledger: str) -> None:
    record()
    released()
    answer(job("F1"), 1, "NotAllowedToStart", True)
    answer(job("F2"), 1, "NotAllowedToStart", False)
    assert made() == []
    record([order_row("O2")], [lot_row("L2", order_id="O2")], sku_rows("L2"))
    with store.session() as session:
        plan_id = plans.propose(session, plan_of([*PAIRS, ("L2", "F1", 1000)], 2))
        rows, makers = (frame.assign(order_id="O2") for frame in dated(DAY, unplaced=1))
        promises.record(session, plan_id, rows, makers, NOW)
        plans.release(session, plan_id, "ops", "fits", (), NOW)
    answer(job("F1"), 1, "NotAllowedToStart", True)
    assert made() == []


def hears() -> list[tuple[str, str, date]]:
    with store.session() as session:
        rows = promises.undated(session, DAY, store.Scope(merchant_id="M1"))
    return list(rows[["hears", "refused_by", "plan_on"]].itertuples(index=False, name=None))


def test_who_was_told_no_date_hears_when_one_will_be_told(ledger: str) -> None:
    tomorrow = DAY + timedelta(days=1)
    record()
    assert hears() == [("plan", "", DAY)]
    first = propose()
    assert hears() == [("release", "", tomorrow)]
    with store.session() as session:
        plans.release(session, first, "ops", "fits", (), NOW)
    assert hears() == [("answer", "", tomorrow)]
    answer(job("F2"), 1, "NotAllowedToStart", False)
    assert hears() == [("answer", "F2", tomorrow)]
    answer(job("F1"), 1, "NotAllowedToStart", False)
    assert hears() == [("plan", "F1, F2", tomorrow)]
    record(lots=[lot_row("L1") | {"waits": "its last line is missing"}])
    assert hears() == [("correction", "F1, F2", tomorrow)]


def test_a_refused_part_lacks_a_maker_until_another_has_it(ledger: str) -> None:
    record()
    released()
    answer(job("F2"), 1, "NotAllowedToStart", False)
    with store.session() as session:
        assert job_orders.lacks_a_maker(session, NOW)
        plan_id = plans.propose(session, plan_of([PAIRS[0], ("L1", "F3", 400)], 2))
        plans.release(session, plan_id, "ops", "fits", (), NOW)
        assert not job_orders.lacks_a_maker(session, NOW)


def test_who_was_told_a_date_is_not_among_those_without(ledger: str) -> None:
    record()
    released()
    for factory_id in ("F1", "F2"):
        answer(job(factory_id), 1, "NotAllowedToStart", True)
    assert len(hears()) == 1
    made()
    assert hears() == []


def test_recording_again_changes_nothing(ledger: str) -> None:
    record()
    propose()
    with store.session() as session:
        before = store.snapshot(session)
        promises.record(session, plan_of(PAIRS).plan_id, *dated(DAY + timedelta(days=99)), NOW + HOUR)
        after = store.snapshot(session)
    for name in ("promises", "promise_factories"):
        pd.testing.assert_frame_equal(before[name], after[name])
    assert len(after["promise_factories"]) == 2
