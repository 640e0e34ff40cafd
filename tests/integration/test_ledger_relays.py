"""Relays share the work: no factory has two at once, nothing is left to one that died."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from ledger_kit import NOW, lot_row, record, release, sku_rows
from sqlalchemy import event, select

from c2m.ledger import store
from c2m.ledger.conversation import outbox


class _TakenBackError(Exception):
    """Rolls a transaction back, so that the next one finds the messages as they were."""


FACTORIES = [f"F{number:02d}" for number in range(12)]


@pytest.fixture
def released(ledger: str) -> None:
    lots = [lot_row(f"L{name}", 100) for name in FACTORIES]
    skus = [row for lot in lots for row in sku_rows(str(lot["lot_id"]), (40, 30, 20, 10))]
    record(lots=lots, skus=skus)
    release(*((f"L{name}", name, 100) for name in FACTORIES))


def claimed(relay: str, after: timedelta = timedelta(), without: tuple[str, ...] = ()) -> set[str]:
    """Factories whose messages the relay takes."""
    with store.session() as session:
        return {message.factory_id for message in outbox.claim(session, relay, NOW + after, without)}


def freed(relay: str) -> None:
    with store.session() as session:
        outbox.free(session, relay, FACTORIES)


@pytest.mark.usefixtures("released")
def test_what_one_relay_is_at_no_other_takes_until_it_is_freed_or_dead() -> None:
    assert claimed("a", without=tuple(FACTORIES[:4])) == set(FACTORIES[4:])
    assert claimed("b") == set(FACTORIES[:4])
    assert claimed("a") == set(FACTORIES[4:])  # it came back by its name
    freed("a")
    assert claimed("b") == set(FACTORIES)
    assert claimed("a") == set()
    assert claimed("a", outbox.LEASE * 0.99) == set()
    assert claimed("a", outbox.LEASE * 1.01) == set(FACTORIES)


@pytest.mark.usefixtures("released")
def test_relays_at_once_send_every_message_once() -> None:
    delivered: list[str] = []

    def work(relay: str) -> None:
        while True:
            with store.session() as session:
                messages = outbox.claim(
                    session, relay, NOW, [name for name in FACTORIES if hash((relay, name)) % 3 == 0]
                )
            if not messages:
                return
            delivered.extend(message.message_id for message in messages)
            with store.session() as session:
                outbox.mark_sent(session, [message.message_id for message in messages], NOW)
                outbox.free(session, relay, FACTORIES)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, ["a", "b", "c", "d"]))
    work("last")
    work("very last")
    assert set(Counter(delivered).values()) == {1}


@pytest.mark.usefixtures("released")
def test_a_plan_that_takes_back_does_not_wait_in_a_circle_with_a_relay_that_sends() -> None:
    with store.session() as session:
        known = session.execute(select(outbox.Outbox.message_id, outbox.Outbox.job_order_id)).all()
    sent, late = [row[0] for row in known[::2]], [row[0] for row in known[1::2]]

    def plan() -> None:
        with suppress(_TakenBackError), store.session() as session:
            outbox.void(session, [row[1] for row in known])
            raise _TakenBackError

    def relay() -> None:
        with suppress(_TakenBackError), store.session() as session:
            outbox.lock(session, [*sent, *late])
            outbox.mark_sent(session, sent, NOW)
            outbox.postpone(session, late, NOW)
            raise _TakenBackError

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(work) for _ in range(60) for work in (plan, relay)]:
            done.result()
    with store.session() as session:
        assert set(session.scalars(select(outbox.Outbox.state))) == {"pending"}  # every one of them was rolled back


def test_what_is_due_is_found_by_indexes_that_hold_it_in_order(sqlite_ledger: str) -> None:
    """Else each turn of the relay would sort all that waits. PostgreSQL decides by its statistics."""
    plans: list[str] = []

    def explain(connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if "FROM outbox" in statement:
            told = connection.connection.driver_connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
            plans.append(" ".join(row[3] for row in told))

    event.listen(store.engine(sqlite_ledger), "before_cursor_execute", explain)
    with store.session() as session:
        outbox.due(session, NOW, without=["F1"])
    assert [next(word for word in plan.split() if word.startswith("ix_")) for plan in plans] == [
        "ix_outbox_untried",
        "ix_outbox_tried",
        "ix_outbox_tried",
    ]
    assert not any("TEMP B-TREE" in plan for plan in plans)
