"""The room of an order: who may enter, what people said in it, and what happened, step by step.

Steps are read from the ledger, not written beside it: each is there from the moment of its fact on, once, whatever is
killed or run again. A factory sees what was said to all and to itself, and the steps of its own job orders.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pandas as pd
from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from c2m import clock
from c2m.ids import derive_id
from c2m.ledger.plans import POLICY
from c2m.ledger.rooms.links import Grant
from c2m.ledger.store import EVERYONE, Scope, frame, insert_missing
from c2m.ledger.tables import (
    AuditEntry,
    Decision,
    Inbox,
    JobOrder,
    Lot,
    Order,
    OrderQuantity,
    Outbox,
    PlanAllocation,
    Promise,
    RoomPost,
)
from c2m.wire.messages import STORE

MOST_LETTERS = 4000  # of a post
_EFFECTS = ("accepted", "refused", "kept")
_ORDER = ("ordered", "signalled", "planned", "offered", "asked_anew")  # of steps of one moment; then all others


@dataclass(frozen=True)
class RoomEvent:
    """Something that happened. what: key of its words, which `figures` fill in; factory_id: whose, '' of nobody."""

    at: datetime
    what: str
    figures: dict[str, Any] = field(default_factory=dict)
    factory_id: str = ""


def merchant_of(session: Session, order_id: str, scope: Scope) -> str | None:
    """Whose order it is, where someone of this scope may enter its room: its merchant, who makes it, everyone's."""
    chosen = select(Order.merchant_id).where(Order.order_id == order_id)
    if scope.merchant_id is not None:
        chosen = chosen.where(Order.merchant_id == scope.merchant_id)
    if scope.factory_id is not None:
        makes = select(JobOrder.order_id).where(JobOrder.factory_id == scope.factory_id)
        chosen = chosen.where(Order.order_id.in_(makes))
    return session.scalar(chosen)


def say(session: Session, order_id: str, said: str, grant: Grant, nonce: str, at: datetime) -> bool:
    """Keeps a post; the same form sent twice is one.

    Parameters
    ----------
    session
        Transaction of the ledger.
    order_id
        Whose room.
    said
        Text, as it was typed.
    grant
        Of who says it. What a factory says, merchant, operations and itself see.
    nonce
        Of the form.
    at
        UTC.

    Returns
    -------
    bool
        Whether its sender may enter the room.
    """
    merchant_id = merchant_of(session, order_id, grant.scope)
    if merchant_id is None:
        return False
    facts = {"order_id": order_id, "merchant_id": merchant_id, "factory_id": grant.scope.factory_id or ""}
    who = {"role": grant.role, "person": grant.person, "text": said[:MOST_LETTERS], "at": at}
    insert_missing(session, RoomPost, [{"post_id": derive_id("room-post", order_id, nonce), **facts, **who}])
    return True


def posts(session: Session, order_id: str, scope: Scope) -> pd.DataFrame:
    """The posts of an order, in their order.

    Parameters
    ----------
    session
        Transaction of the ledger.
    order_id
        Whose room.
    scope
        Whose rows are seen.

    Returns
    -------
    pd.DataFrame
        role, person, factory_id, text, at.
    """
    columns = (RoomPost.role, RoomPost.person, RoomPost.factory_id, RoomPost.text, RoomPost.at)
    chosen = select(*columns).where(RoomPost.order_id == order_id)
    if scope.merchant_id is not None:
        chosen = chosen.where(RoomPost.merchant_id == scope.merchant_id)
    if scope.factory_id is not None:
        chosen = chosen.where(or_(RoomPost.factory_id == "", RoomPost.factory_id == scope.factory_id))
    return frame(session, chosen.order_by(RoomPost.at, RoomPost.post_id))


def steps(session: Session, order_id: str, scope: Scope) -> list[RoomEvent]:
    """What happened to an order, as far as someone sees it.

    Parameters
    ----------
    session
        Transaction of the ledger.
    order_id
        Which order.
    scope
        Whose rows are seen.

    Returns
    -------
    list of RoomEvent
        In their order.
    """
    found = list(_of_factories(session, order_id, scope))
    if scope.factory_id is None:
        found += [*_of_order(session, order_id), *_of_plans(session, order_id)]
    if scope == EVERYONE:  # who decides on plans, and why, is among the platform's people
        found += _of_decisions(session, order_id)
    return sorted(found, key=lambda step: (step.at, _ORDER.index(step.what) if step.what in _ORDER else len(_ORDER)))


def _of_order(session: Session, order_id: str) -> Iterator[RoomEvent]:
    order = session.get_one(Order, order_id)
    pieces = session.scalar(select(func.sum(Lot.quantity)).where(Lot.order_id == order_id))
    yield RoomEvent(clock.cut_off(order.placed_on), "ordered", {"pieces": int(pieces or 0), "due_on": order.due_on})
    reckoned = select(func.min(OrderQuantity.forecast_at), func.sum(OrderQuantity.forecast_mean))
    at, mean = session.execute(reckoned.where(OrderQuantity.order_id == order_id)).one()
    if at:
        yield RoomEvent(at, "signalled", {"pieces": round(mean)})
    if order.closed_at:
        yield RoomEvent(order.closed_at, "closed")


def _of_plans(session: Session, order_id: str) -> Iterator[RoomEvent]:
    """The first plan that was released with it, and every date that its merchant was told."""
    makers = func.count(PlanAllocation.factory_id.distinct())
    chosen = select(Decision.at, func.sum(PlanAllocation.quantity), makers)
    chosen = chosen.join(PlanAllocation, PlanAllocation.plan_id == Decision.plan_id)
    chosen = chosen.join(Lot, Lot.lot_id == PlanAllocation.lot_id)
    released = chosen.where(Lot.order_id == order_id, Decision.decision == "released")
    first = session.execute(released.group_by(Decision.plan_id, Decision.at).order_by(Decision.at).limit(1)).first()
    if first:
        yield RoomEvent(first[0], "planned", {"pieces": int(first[1]), "factories": first[2]})
    told = select(Promise).where(Promise.order_id == order_id, Promise.made_at.is_not(None)).order_by(Promise.made_at)
    before = None
    for promise in session.scalars(told):
        if promise.promised_on != before and promise.made_at:
            figures = {"promised_on": promise.promised_on, "probability": promise.probability}
            yield RoomEvent(promise.made_at, "promised", figures)
        before = promise.promised_on


def _of_decisions(session: Session, order_id: str) -> Iterator[RoomEvent]:
    """What people decided on plans with this order; the policy's own releases are in `planned`."""
    with_it = select(PlanAllocation.plan_id).join(Lot, Lot.lot_id == PlanAllocation.lot_id)
    chosen = select(Decision.at, Decision.decision, Decision.actor, Decision.reason)
    by_people = (Decision.plan_id.in_(with_it.where(Lot.order_id == order_id)), Decision.actor != POLICY)
    for at, decision, actor, reason in session.execute(chosen.where(*by_people)):
        yield RoomEvent(at, decision, {"who": actor, "reason": reason})


def _of_factories(session: Session, order_id: str, scope: Scope) -> Iterator[RoomEvent]:
    own = (JobOrder.order_id == order_id, *scope.conditions(JobOrder))
    asked = _asked(session, *own)
    for questions in asked.values():
        before = None
        for factory_id, at, pieces, _ in questions:
            if pieces != before:
                yield RoomEvent(at, "offered" if before is None else "asked_anew", {"pieces": pieces}, factory_id)
            before = pieces
    heard = select(Inbox.at, Inbox.effect, AuditEntry.position, JobOrder)
    heard = heard.join(AuditEntry, (AuditEntry.message_id == Inbox.message_id) & (AuditEntry.actor == Inbox.source))
    heard = heard.join(JobOrder, JobOrder.job_order_id == AuditEntry.job_order_id)
    for at, effect, position, job in session.execute(heard.where(*own, Inbox.effect.in_(_EFFECTS))):
        answered = [pieces for _, _, pieces, written in asked.get(job.job_order_id, ()) if written < position]
        figures = {"pieces": answered[-1] if answered else job.quantity, "reason": job.reason}
        yield RoomEvent(at, effect, figures, job.factory_id)
    for job in session.scalars(select(JobOrder).where(*own)):
        if job.begun_at:
            yield RoomEvent(job.begun_at, "begun", {"pieces": job.quantity}, job.factory_id)
        if job.ended_at and job.state != "Refused":
            yield RoomEvent(job.ended_at, f"is_{job.state}", {"reason": job.reason}, job.factory_id)


def _asked(session: Session, *own: ColumnElement[bool]) -> dict[str, list[tuple[str, datetime, int, int]]]:
    """By job order: factory, moment, pieces and place in the audit of every question, by revision.

    The place tells which question an answer meets, also on a clock that stands still; an archived one has 0.
    """
    is_of = (AuditEntry.message_id == Outbox.message_id) & (AuditEntry.event == "written")
    columns = (Outbox.job_order_id, Outbox.factory_id, Outbox.at, Outbox.payload, AuditEntry.position)
    chosen = select(*columns).join(JobOrder, JobOrder.job_order_id == Outbox.job_order_id).outerjoin(AuditEntry, is_of)
    found: dict[str, list[tuple[str, datetime, int, int]]] = {}
    for job, factory_id, at, payload, place in session.execute(
        chosen.where(*own, Outbox.type == STORE).order_by(Outbox.revision)
    ):
        found.setdefault(job, []).append((factory_id, at, payload["data"]["quantity"], place or 0))
    return found
