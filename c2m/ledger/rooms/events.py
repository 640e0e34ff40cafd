"""What merchants are told of their orders: events in one order, each once, read from the ledger's facts.

An event is there once `collect` has looked; its id follows from its fact, so that looking again adds nothing.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from c2m.ids import derive_id
from c2m.ledger.store import Scope, chunks, serialise
from c2m.ledger.tables import JobOrder, MerchantEvent, Order, Promise, RoomTicket

_OVERLAP = timedelta(hours=1)  # facts that were written while an earlier look had begun
_TICKETS = timedelta(days=120)  # how long a change may move
_WORK = {"Ended": "work.ended", "Refused": "work.refused", "Expired": "work.refused", "Aborted": "work.stopped"}

Row = dict[str, Any]


def collect(session: Session, at: datetime) -> None:
    """Adds the events of facts that are new since the last look.

    Parameters
    ----------
    session
        Transaction of the ledger.
    at
        UTC; noted with what is added.
    """
    serialise(session, "merchant-events")
    last = session.scalar(select(func.max(MerchantEvent.at)))
    since = last - _OVERLAP if last else datetime.fromtimestamp(0, at.tzinfo)
    found = [*_promised(session, since), *_worked(session, since), *_closed(session, since), *_changed(session, since)]
    known: set[str] = set()
    for some in chunks([row["event_id"] for row in found]):
        known |= set(session.scalars(select(MerchantEvent.event_id).where(MerchantEvent.event_id.in_(some))))
    new = [row for row in found if row["event_id"] not in known]
    session.add_all(MerchantEvent(**row, at=at) for row in sorted(new, key=itemgetter("happened_at")))
    session.flush()


def after(session: Session, scope: Scope, position: int, limit: int) -> list[MerchantEvent]:
    """The events behind a position.

    Parameters
    ----------
    session
        Transaction of the ledger.
    scope
        Whose rows are seen.
    position
        Of the last event that is known; 0: none is.
    limit
        How many at most.

    Returns
    -------
    list of MerchantEvent
        In their order.
    """
    chosen = select(MerchantEvent).where(MerchantEvent.position > position, *scope.conditions(MerchantEvent))
    return list(session.scalars(chosen.order_by(MerchantEvent.position).limit(limit)))


def last(session: Session) -> int:
    """The position of the newest event of all; 0 before the first."""
    return session.scalar(select(func.max(MerchantEvent.position))) or 0


def _event(kind: str, merchant_id: str, order_id: str, happened_at: datetime, told: Row, *key: object) -> Row:
    facts = {"merchant_id": merchant_id, "order_id": order_id, "happened_at": happened_at, "data": told}
    return {"event_id": derive_id("merchant-event", kind, order_id, *key), "kind": kind} | facts


def _promised(session: Session, since: datetime) -> Iterator[Row]:
    """Each date that differs from the one told before."""
    before = func.lag(Promise.promised_on).over(partition_by=Promise.order_id, order_by=Promise.made_at)
    told = select(*Promise.__table__.columns, before.label("before")).where(Promise.made_at.is_not(None)).subquery()
    chosen = select(told).where(told.c.at >= since, told.c.promised_on.is_distinct_from(told.c.before))
    for row in session.execute(chosen).mappings():
        data = {"promised_on": row["promised_on"].isoformat(), "probability": row["probability"]}
        yield _event("order.promised", row["merchant_id"], row["order_id"], row["made_at"], data, row["plan_id"])


def _worked(session: Session, since: datetime) -> Iterator[Row]:
    for job in session.scalars(select(JobOrder).where(JobOrder.at >= since)):
        data = {"job_order_id": job.job_order_id, "factory_id": job.factory_id, "quantity": job.quantity}
        own = (job.merchant_id, job.order_id)
        if job.begun_at:
            yield _event("work.begun", *own, job.begun_at, data, job.job_order_id)
        if job.ended_at and job.state in _WORK:
            told = data | {"shipped": job.shipped, "reason": job.reason or ""}
            yield _event(_WORK[job.state], *own, job.ended_at, told, job.job_order_id)


def _closed(session: Session, since: datetime) -> Iterator[Row]:
    for order in session.scalars(select(Order).where(Order.closed_at >= since)):
        if order.closed_at:
            yield _event("order.closed", order.merchant_id, order.order_id, order.closed_at, {}, order.closed_at)


def _changed(session: Session, since: datetime) -> Iterator[Row]:
    for ticket in session.scalars(select(RoomTicket).where(RoomTicket.at >= since - _TICKETS)):
        for state, moment in ticket.history:
            data = {"change_id": ticket.ticket_id, "kind": ticket.kind, "state": state}
            at = datetime.fromisoformat(moment)
            yield _event(f"change.{state}", ticket.merchant_id, ticket.order_id, at, data, ticket.ticket_id)
