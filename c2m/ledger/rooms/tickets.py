"""What merchants ask to change, as tickets: asked, planned, sent to the factory, answered, done or refused.

The changed order itself comes in through its feed (c2m/rooms/tenants/changes.py); a ticket says who asked for it, and
follows it. How far it is follows from the ledger alone: `settle` may be called at any time, any number of times.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import pandas as pd
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from c2m import clock
from c2m.ledger import orders
from c2m.ledger.conversation.outbox import OPEN
from c2m.ledger.states import LIVE, OPEN_TICKETS, TicketState
from c2m.ledger.store import EVERYONE, Scope, frame, insert_missing
from c2m.ledger.tables import JobOrder, Lot, LotSku, Order, Outbox, Plan, Promise, RoomTicket
from c2m.wire.messages import CANCEL, STORE

SHOWN = ("ticket_id", "order_id", "kind", "asked", "before", "note", "person", "state", "answer", "answered", "history")
_SAME_PLACE_DEGREES = 1e-6


@dataclass(frozen=True)
class _Stage:
    """How far a ticket is. answer: key of the words that say what became of it, which `filled` fill in."""

    state: TicketState
    answer: str = ""
    filled: dict[str, Any] = field(default_factory=dict)


def ask(session: Session, row: dict[str, Any]) -> None:
    """Keeps a new ticket; again, nothing changes.

    Parameters
    ----------
    session
        Transaction of the ledger.
    row
        The columns of RoomTicket that do not follow from its being new.
    """
    fresh = {"state": "asked", "answer": "", "answered": {}, "history": [["asked", row["at"].isoformat()]]}
    insert_missing(session, RoomTicket, [row | fresh])


def of_orders(session: Session, scope: Scope, order_id: str | None = None) -> pd.DataFrame:
    """Tickets, the newest first.

    Parameters
    ----------
    session
        Transaction of the ledger.
    scope
        Whose rows are seen.
    order_id
        One order; None: all.

    Returns
    -------
    pd.DataFrame
        SHOWN and `at`.
    """
    chosen = select(*(getattr(RoomTicket, name) for name in SHOWN), RoomTicket.at)
    if scope.merchant_id is not None:
        chosen = chosen.where(RoomTicket.merchant_id == scope.merchant_id)
    if scope.factory_id is not None:
        made = select(JobOrder.order_id).where(JobOrder.factory_id == scope.factory_id)
        chosen = chosen.where(RoomTicket.order_id.in_(made))
    if order_id is not None:
        chosen = chosen.where(RoomTicket.order_id == order_id)
    return frame(session, chosen.order_by(RoomTicket.at.desc(), RoomTicket.ticket_id))


def settle(session: Session, at: datetime, order_id: str | None = None, scope: Scope = EVERYONE) -> int:
    """Moves the open tickets to where the ledger says that they are.

    Parameters
    ----------
    session
        Transaction of the ledger.
    at
        UTC; noted with each move.
    order_id
        The order whose tickets are meant; None: all orders.
    scope
        Whose tickets.

    Returns
    -------
    int
        How many moves were made.
    """
    chosen = select(RoomTicket).where(RoomTicket.state.in_(OPEN_TICKETS))
    if order_id is not None:
        chosen = chosen.where(RoomTicket.order_id == order_id)
    if scope.merchant_id is not None:
        chosen = chosen.where(RoomTicket.merchant_id == scope.merchant_id)
    moved = 0
    for ticket in session.scalars(chosen.order_by(RoomTicket.ticket_id).with_for_update()):
        while (stage := _stage(session, ticket)).state != ticket.state:
            ticket.history = [*ticket.history, [stage.state, at.isoformat()]]
            ticket.state, ticket.answer, ticket.answered = stage.state, stage.answer, stage.filled
            moved += 1
    return moved


def is_behind(session: Session, order_id: str) -> bool:
    """Whether `settle` would move a ticket of an order.

    Parameters
    ----------
    session
        Transaction of the ledger.
    order_id
        Which order.

    Returns
    -------
    bool
        False where all stand as they should.
    """
    chosen = select(RoomTicket).where(RoomTicket.order_id == order_id, RoomTicket.state.in_(OPEN_TICKETS))
    return any(_stage(session, ticket).state != ticket.state for ticket in session.scalars(chosen))


def _stage(session: Session, ticket: RoomTicket) -> _Stage:
    order = session.get_one(Order, ticket.order_id)
    if not _is_planned(session, ticket, order):
        if order.state in ("closed", "cancelled"):
            return _Stage("refused", f"order_{order.state}")
        return _Stage(ticket.state)  # planning has not taken it in yet, or has gone on since
    if ticket.state == "asked":
        return _Stage("planned")
    of_order = select(JobOrder).where(JobOrder.order_id == order.order_id, JobOrder.is_last)
    jobs = session.scalars(of_order).all()
    states = {state for _, state in _questions(session, jobs, ticket.at)}
    if not states.isdisjoint(OPEN):
        return _Stage("answered" if "answered" in states else "sent")
    stage = {"cut": _of_less, "cancel": _of_less, "grow": _of_more, "date": _of_date, "address": _of_address}
    return stage[ticket.kind](session, ticket, jobs)


def _is_planned(session: Session, ticket: RoomTicket, order: Order) -> bool:
    """Whether the order book of planning says what was asked."""
    if ticket.kind == "cancel":
        return order.state == "cancelled"
    if ticket.kind == "date":
        return order.due_on == date.fromisoformat(ticket.asked["due_on"])
    if ticket.kind == "address":
        place = (order.destination_latitude, order.destination_longitude)
        wanted = (ticket.asked["latitude"], ticket.asked["longitude"])
        return all(
            a is not None and abs(a - float(b)) < _SAME_PLACE_DEGREES for a, b in zip(place, wanted, strict=True)
        )
    held = select(LotSku.sku_id, func.sum(LotSku.quantity)).join(Lot, Lot.lot_id == LotSku.lot_id)
    held = held.where(Lot.order_id == order.order_id, Lot.state != "cancelled").group_by(LotSku.sku_id)
    pieces = {sku_id: int(quantity) for sku_id, quantity in session.execute(held)}
    return all(pieces.get(sku_id, 0) == wanted for sku_id, wanted in ticket.asked.items())


def _questions(session: Session, jobs: Sequence[JobOrder], since: datetime) -> list[tuple[str, str]]:
    """Job order and state of what factories were asked since the moment when the change was asked for."""
    ids = [job.job_order_id for job in jobs]
    chosen = select(Outbox.job_order_id, Outbox.state).where(Outbox.job_order_id.in_(ids), Outbox.at > since)
    return list(session.execute(chosen.where(Outbox.type.in_((STORE, CANCEL)))).tuples())


def _of_less(session: Session, ticket: RoomTicket, jobs: Sequence[JobOrder]) -> _Stage:
    """Less is asked back from factories: they agree, or go on and say why."""
    live = [job for job in jobs if job.state in LIVE]
    refused = [job for job in live if job.cut_accepted is False]
    if refused:
        return _Stage("refused", "factory_goes_on", _said(refused))
    room = orders.rooms().subquery()
    lots = select(Lot.lot_id).where(Lot.order_id == ticket.order_id)
    over = select(func.count()).where(room.c.lot_id.in_(lots), room.c.pieces < 0)
    if any(job.cut_accepted is None for job in live) and (ticket.kind == "cancel" or session.scalar(over)):
        return _Stage("planned")  # the question is still to be written
    made = sum(job.made_pieces or 0 for job in jobs)
    return _Stage("done", "made_comes" if made else "done", {"pieces": made})


def _of_more(session: Session, ticket: RoomTicket, jobs: Sequence[JobOrder]) -> _Stage:
    """More is there when factories that have accepted make all of it."""
    wanted = select(func.sum(Lot.quantity)).where(Lot.order_id == ticket.order_id, Lot.state != "cancelled")
    taken = sum(
        job.quantity if job.state in LIVE and job.accepted else job.shipped for job in jobs if job.state != "Released"
    )
    short = int(session.scalar(wanted) or 0) - taken
    return _Stage("planned") if short > 0 else _Stage("done", "done")


def _of_date(session: Session, ticket: RoomTicket, jobs: Sequence[JobOrder]) -> _Stage:
    """A date is answered by the next one that its merchant is told."""
    told = select(Promise.promised_on, Promise.probability).where(Promise.order_id == ticket.order_id)
    knew = Plan.business_date > clock.business_date(ticket.at)  # the first plan that reads what came in on that day
    told = told.join(Plan, Plan.plan_id == Promise.plan_id).where(knew, Promise.made_at.is_not(None))
    told = told.order_by(Promise.made_at.desc()).limit(1)
    promise = session.execute(told).first()
    if promise is None:
        return _Stage("planned")
    filled = {"date": promise.promised_on.isoformat(), "probability": promise.probability}
    late = promise.promised_on.isoformat() > ticket.asked["due_on"]
    return _Stage("refused" if late else "done", "promised_later" if late else "promised", filled)


def _of_address(session: Session, ticket: RoomTicket, jobs: Sequence[JobOrder]) -> _Stage:
    """Goods that have left go where they went; what is still to leave goes to the new place."""
    gone = sum(job.shipped for job in jobs)
    return _Stage("done", "left_before" if gone else "done", {"pieces": gone})


def _said(jobs: Iterable[JobOrder]) -> dict[str, Any]:
    return {"reason": "; ".join(sorted({job.reason for job in jobs if job.reason})) or "-"}
