"""Quotes that merchants were given, and those that became orders. Their JSON is that of c2m/domain/quotes.py."""

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from c2m.ledger.store import EVERYONE, Scope, insert_missing, serialise
from c2m.ledger.tables import Quoted

AREA = "quotes"  # one is accepted at a time: two must not take the same minutes


def keep(session: Session, row: dict[str, Any]) -> None:
    """Keeps a new quote: the columns of Quoted that do not follow from its being new."""
    insert_missing(session, Quoted, [row | {"offer": "", "order_id": "", "accepted_at": None}])


def of_id(session: Session, quote_id: str, scope: Scope) -> Quoted | None:
    """A quote that someone of this scope was given."""
    return session.scalar(select(Quoted).where(Quoted.quote_id == quote_id, *scope.conditions(Quoted)))


def accepted(session: Session, since: datetime) -> list[Quoted]:
    """The quotes that became orders since then, the earliest first: of everyone, as their minutes are taken."""
    chosen = select(Quoted).where(Quoted.accepted_at >= since)
    return list(session.scalars(chosen.order_by(Quoted.accepted_at, Quoted.quote_id)))


def lock(session: Session) -> None:
    """Until this transaction ends, nobody else accepts a quote."""
    serialise(session, AREA)


def accept(session: Session, quote_id: str, offer: str, order_id: str, at: datetime) -> None:
    """Notes that an offer became an order; again, nothing changes."""
    quote = of_id(session, quote_id, EVERYONE)
    if quote is not None and quote.accepted_at is None:
        quote.offer, quote.order_id, quote.accepted_at = offer, order_id, at


def give_back(session: Session, quote_id: str) -> None:
    """The order did not come in: the quote can be taken again."""
    quote = of_id(session, quote_id, EVERYONE)
    if quote is not None:
        quote.offer, quote.order_id, quote.accepted_at = "", "", None
