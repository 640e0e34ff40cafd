"""What happened to an order, from its signal to its receipt, in the order of time; each step with who and how much."""

from typing import Any

from sqlalchemy import Select, func, literal, null, select
from sqlalchemy.orm import Session

from c2m.ledger.store import EVERYONE, Scope
from c2m.ledger.tables import Decision, JobOrder, Lot, Order, OrderQuantity, Outbox, PlanAllocation, Promise

EVENT = ("at", "event", "who", "pieces", "on", "reason")


def of_order(session: Session, scope: Scope, order_id: str) -> list[dict[str, Any]]:
    """EVENT: moment (UTC), what happened, by whom, pieces, a date that it is about, words; the earliest first.

    Parameters
    ----------
    session
        Transaction of the ledger.
    scope
        A merchant's or everyone's; of another's order there are no events.
    order_id
        Which order.

    Returns
    -------
    list of dict
        A row per event.
    """
    known = select(Order.order_id).where(Order.order_id == order_id, *scope.conditions(Order))
    if session.scalar(known) is None:
        return []
    found = (dict(row) for statement in _statements(order_id) for row in session.execute(statement).mappings())
    rows = [row for row in found if row["at"] is not None]
    if scope != EVERYONE:  # who decides on plans, and why, is among the platform's people
        rows = [row for row in rows if row["event"] not in ("released", "rejected")]
    return _news(sorted(rows, key=lambda row: row["at"]))


def _news(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without what repeats the last of its kind: each day's plan is released anew, and says its date again."""
    last: dict[str, object] = {}
    news = []
    for row in rows:
        told = row["on"] if row["event"] == "promised" else row["who"]
        if row["event"] not in ("promised", "released") or last.get(row["event"]) != (told,):
            news.append(row)
        last[row["event"]] = (told,)
    return news


def _statements(order_id: str) -> list[Select[Any]]:
    of_order = select(PlanAllocation.plan_id).join(Lot, Lot.lot_id == PlanAllocation.lot_id)
    reckoned = select(
        *_event(OrderQuantity.forecast_at, "reckoned", None, func.sum(OrderQuantity.lot_quantity), None, None)
    ).where(OrderQuantity.order_id == order_id)
    decided = select(*_event(Decision.at, Decision.decision, Decision.actor, None, None, Decision.reason))
    decided = decided.where(Decision.plan_id.in_(of_order.where(Lot.order_id == order_id)))
    told = select(
        *_event(func.min(Outbox.at), "offered", JobOrder.factory_id, JobOrder.quantity, JobOrder.due_on, None)
    )
    promised = _event(Promise.made_at, "promised", None, Promise.pieces, Promise.promised_on, None)
    own = JobOrder.order_id == order_id
    work = [
        select(*_event(moment, name, JobOrder.factory_id, pieces, None, words)).where(own)
        for moment, name, pieces, words in (
            (JobOrder.begun_at, "begun", JobOrder.quantity, None),
            (JobOrder.ended_at, JobOrder.state, JobOrder.shipped, JobOrder.reason),
        )
    ]
    return [
        reckoned.group_by(OrderQuantity.forecast_at),
        decided,
        told.join(Outbox, Outbox.job_order_id == JobOrder.job_order_id).where(own).group_by(JobOrder.job_order_id),
        select(*promised).where(Promise.order_id == order_id),
        *work,
        select(*_event(Order.closed_at, "delivered", None, None, None, None)).where(Order.order_id == order_id),
    ]


def _event(*columns: Any) -> list[Any]:
    """The columns EVENT; words and nothing become literals."""
    made = [null() if one is None else literal(one) if isinstance(one, str) else one for one in columns]
    return [one.label(name) for one, name in zip(made, EVENT, strict=True)]
