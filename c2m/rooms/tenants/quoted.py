"""Quotes given and taken: asked of whoever gives them, kept, and placed as orders through the feed.

An offer that is taken keeps its minutes until a plan has the order (`reserved`). One is taken at a time, so that no
minute is promised twice.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from secrets import token_urlsafe
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy.orm import Session

from c2m import clock
from c2m.domain.quotes import Offer, Quote, Quoter, QuoteRequest
from c2m.errors import InputError
from c2m.ledger.rooms import quotes
from c2m.ledger.store import Scope, reading, session
from c2m.ledger.tables import Quoted
from c2m.rooms.tenants import landed, placed

VALID = timedelta(hours=24)
_KEPT = timedelta(days=14)  # after so long an order is in a plan, or was never taken in

_ASKED, _QUOTE = TypeAdapter(QuoteRequest), TypeAdapter(Quote)


@dataclass(frozen=True)
class GivenQuote:
    """A quote as it was given. order_id: what it became, '' of none."""

    quote_id: str
    asked: QuoteRequest
    quote: Quote
    valid_until: datetime
    offer: str
    order_id: str

    def offered(self, name: str) -> Offer:
        """Its offer of a name.

        Raises
        ------
        InputError
            It has none of that name.
        """
        found = {str(offer.name): offer for offer in self.quote.offers}
        if name not in found:
            there = ", ".join(found) or "no offer"
            raise InputError("no-such-offer", [f"quote {self.quote_id} has no offer {name!r}, but {there}"])
        return found[name]


def ask(quoter: Quoter, scope: Scope, asked: QuoteRequest) -> GivenQuote:
    """A new quote for a merchant.

    Parameters
    ----------
    quoter
        Quotes against the plan in force.
    scope
        Of the sign-in: whose rows it may see.
    asked
        SKUs and pieces of a merchant.

    Returns
    -------
    GivenQuote
        The quote as it is kept, with the moment until which it holds.

    Raises
    ------
    InputError
        A SKU is unknown, nothing is asked for, or no plan is in force.
    """
    landed.tenant(scope)
    now = clock.now()
    with reading() as s:
        taken = _reserved(s)
    quote = quoter.quote(asked, taken)
    row = {"quote_id": token_urlsafe(12), "merchant_id": asked.merchant_id, "plan_id": quote.plan_id, "at": now}
    row |= {"asked": _ASKED.dump_python(asked, mode="json"), "said": _QUOTE.dump_python(quote, mode="json")}
    with session() as s:
        quotes.keep(s, row | {"valid_until": now + VALID})
    return GivenQuote(str(row["quote_id"]), asked, quote, now + VALID, "", "")


def given(scope: Scope, quote_id: str) -> GivenQuote | None:
    """A quote of theirs."""
    with reading(scope) as s:
        row = quotes.of_id(s, quote_id, scope)
        return _given(row) if row else None


def take(quoter: Quoter, scope: Scope, found: GivenQuote, name: str, code: str) -> landed.Arrived | str:
    """Places an offer as an order, due on the day that it promises; taken twice it is one order.

    Parameters
    ----------
    quoter
        Quotes against the plan in force.
    scope
        Of the sign-in: whose orders it may place.
    found
        The quote.
    name
        Of the offer.
    code
        What the merchant calls the order.

    Returns
    -------
    Arrived or str
        What the feed's rules say against it; else the id of the order.

    Raises
    ------
    InputError
        `quote-expired`, `quote-outdated`: it cannot be taken any more; `quote-taken`: as another offer or order.
    """
    offer, order_id = found.offered(name), placed.order_id_of(found.asked.merchant_id, code)
    if not found.asked.pieces or found.asked.needs:
        raise InputError("not-in-catalogue", ["an order needs SKUs: send the style's catalogue rows, and ask again"])
    if found.order_id and (found.offer, found.order_id) != (name, order_id):
        raise InputError("quote-taken", [f"quote {found.quote_id} is order {found.order_id} already: ask for another"])
    if not found.order_id:
        _hold(quoter, found, offer, order_id)
    arrived = placed.place(scope, new_order(found.asked, code, offer.promised_on))
    if arrived is None:
        return order_id
    with session() as s:
        quotes.give_back(s, found.quote_id)
    return arrived


def new_order(asked: QuoteRequest, code: str, due_on: date) -> placed.PlacedOrder:
    """What was asked for as an order."""
    return placed.PlacedOrder(code, due_on, asked.pieces, asked.latitude, asked.longitude, asked.parent_order_id)


def _hold(quoter: Quoter, found: GivenQuote, offer: Offer, order_id: str) -> None:
    """Takes the minutes of an offer, if they are still free."""
    now = clock.now()
    if now > found.valid_until:
        raise InputError(
            "quote-expired",
            [f"quote {found.quote_id} was valid until {found.valid_until:%Y-%m-%d %H:%M} UTC: ask again"],
        )
    with session() as s:
        quotes.lock(s)
        if not quoter.holds(found.quote, offer, _reserved(s)):
            seen = f"what quote {found.quote_id} offers has been given away since"
            raise InputError("quote-outdated", [f"{seen}: ask again"])
        quotes.accept(s, found.quote_id, offer.name, order_id, now)


def _reserved(session: Session) -> Mapping[str, Offer]:
    rows = (_given(row) for row in quotes.accepted(session, clock.now() - _KEPT))
    return {one.order_id: one.offered(one.offer) for one in rows}


def _given(row: Quoted) -> GivenQuote:
    asked: Any = _ASKED.validate_python(row.asked)
    return GivenQuote(row.quote_id, asked, _QUOTE.validate_python(row.said), row.valid_until, row.offer, row.order_id)
