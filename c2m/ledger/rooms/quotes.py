"""Quotes that merchants were given, and those that became orders. Their JSON is that of c2m/domain/quotes.py."""

from datetime import datetime
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from c2m.domain.quotes import Quote
from c2m.ledger.store import EVERYONE, Scope, insert_missing, serialise
from c2m.ledger.tables import Order, Plan, Promise, PromiseFactory, Quoted

_QUOTE = TypeAdapter(Quote)
AREA = "quotes"  # one is accepted at a time: two must not take the same minutes


def keep(session: Session, row: dict[str, Any]) -> None:
    """Keeps a new quote.

    Parameters
    ----------
    session
        Transaction of the ledger.
    row
        The columns of Quoted that do not follow from its being new.
    """
    insert_missing(session, Quoted, [row | {"offer": "", "order_id": "", "accepted_at": None}])


def of_id(session: Session, quote_id: str, scope: Scope) -> Quoted | None:
    """A quote that someone was given.

    Parameters
    ----------
    session
        Transaction of the ledger.
    quote_id
        Which quote.
    scope
        Whose rows are seen.

    Returns
    -------
    Quoted or None
        None where there is none in scope.
    """
    return session.scalar(select(Quoted).where(Quoted.quote_id == quote_id, *scope.conditions(Quoted)))


def accepted(session: Session, since: datetime) -> list[Quoted]:
    """The quotes that became orders, of everyone, as their minutes are taken.

    Parameters
    ----------
    session
        Transaction of the ledger.
    since
        UTC; those before do not count.

    Returns
    -------
    list of Quoted
        The earliest first.
    """
    chosen = select(Quoted).where(Quoted.accepted_at >= since)
    return list(session.scalars(chosen.order_by(Quoted.accepted_at, Quoted.quote_id)))


def lock(session: Session) -> None:
    """Until this transaction ends, nobody else accepts a quote."""
    serialise(session, AREA)


def accept(session: Session, quote_id: str, offer: str, order_id: str, at: datetime) -> None:
    """Notes that an offer became an order; again, nothing changes.

    Parameters
    ----------
    session
        Transaction of the ledger.
    quote_id
        Which quote.
    offer
        Name of the offer.
    order_id
        Of the order.
    at
        UTC.
    """
    quote = of_id(session, quote_id, EVERYONE)
    if quote is not None and quote.accepted_at is None:
        quote.offer, quote.order_id, quote.accepted_at = offer, order_id, at


def promise(session: Session, at: datetime) -> None:
    """Enters the dates of quotes among the promises once the book has their orders: they are judged like those of
    plans, from the moment of acceptance on.

    Parameters
    ----------
    session
        Transaction of the ledger.
    at
        UTC, when they are entered.
    """
    known = exists().where(Promise.order_id == Quoted.order_id, Promise.quoted)
    taken = select(Quoted).join(Order, Order.order_id == Quoted.order_id).join(Plan, Plan.plan_id == Quoted.plan_id)
    for row in session.scalars(taken.where(Quoted.accepted_at.is_not(None), ~known)):
        quote = _QUOTE.validate_python(row.said)
        offer = next(offer for offer in quote.offers if offer.name == row.offer)
        key = {"plan_id": row.plan_id, "order_id": row.order_id}
        told = {name: getattr(offer, name) for name in ("planned_on", "promised_on", "probability")}
        told |= {"modelled": offer.modelled or offer.probability, "pieces": quote.pieces, "unplaced": 0, "quoted": True}
        made = {"merchant_id": row.merchant_id, "made_at": row.accepted_at, "at": at}
        insert_missing(session, Promise, [key | told | made])
        days = {share.factory_id: share.transit_days for share in offer.shares}
        makers = [key | {"factory_id": name, "transit_days": count} for name, count in days.items()]
        insert_missing(session, PromiseFactory, makers)


def give_back(session: Session, quote_id: str) -> None:
    """The order did not come in: its quote can be taken again.

    Parameters
    ----------
    session
        Transaction of the ledger.
    quote_id
        Which quote.
    """
    quote = of_id(session, quote_id, EVERYONE)
    if quote is not None:
        quote.offer, quote.order_id, quote.accepted_at = "", "", None
