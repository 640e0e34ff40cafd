"""Quotes: when a new order would be there, how surely, at what price, what it would delay; and the order from one."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from c2m.domain.quotes import Quoter, QuoteRequest
from c2m.rooms.api.bodies import Accept, InPath, OfferOut, QuoteIn, QuoteOut, Received
from c2m.rooms.api.caller import Caller, Key, Once
from c2m.rooms.api.orders import received
from c2m.rooms.api.problems import ProblemError
from c2m.rooms.scoped import view
from c2m.rooms.tenants import quoted

routes = APIRouter(tags=["quotes"])


def _quoter(request: Request) -> Quoter:
    found: Quoter | None = request.app.state.quoter
    if found is None:
        raise ProblemError(503, "no-quotes", "this server gives no quotes: the one that c2m up starts does")
    return found


Desk = Annotated[Quoter, Depends(_quoter)]


@routes.post("/quotes", status_code=201)
def ask(caller: Caller, desk: Desk, wanted: QuoteIn) -> QuoteOut:
    """Asks for a quote against the plan in force. Nothing is ordered."""
    needs = wanted.style.needs if wanted.style else None
    asked = QuoteRequest(caller.tenant, wanted.pieces, needs, wanted.wanted_on, *wanted.place, wanted.repeats)
    return _told(quoted.ask(desk, view(caller).scope, asked))


@routes.get("/quotes/{quote_id}")
def quote(caller: Caller, quote_id: InPath) -> QuoteOut:
    """A quote that you were given."""
    return _told(_given(caller, quote_id))


@routes.post("/quotes/{quote_id}/order", status_code=201)
def accept(caller: Caller, desk: Desk, key: Key, quote_id: InPath, wanted: Accept, response: Response) -> Received:
    """Takes an offer: places it as an order, due on the day that it promises. Its minutes are kept for you."""

    def make() -> dict[str, Any]:
        given = _given(caller, quote_id)
        taken = quoted.take(desk, view(caller).scope, given, wanted.offer, wanted.code)
        new = quoted.new_order(given.asked, wanted.code, given.offered(wanted.offer).promised_on)
        return received(caller, new, None if isinstance(taken, str) else taken)

    once = Once(caller, f"POST /quotes/{quote_id}/order", key, wanted.model_dump_json())
    return Received.model_validate(once.answered(response, 201, make))


def _given(caller: Caller, quote_id: str) -> quoted.GivenQuote:
    found = quoted.given(view(caller).scope, quote_id)
    if found is None:
        raise ProblemError(404, "no-such-quote", f"you were given no quote {quote_id}")
    return found


def _told(found: quoted.GivenQuote) -> QuoteOut:
    quote = found.quote
    return QuoteOut(
        quote_id=found.quote_id,
        currency=quote.currency,
        quantity=quote.pieces,
        valid_until=found.valid_until,
        horizon_ends_on=quote.horizon_ends_on,
        offers=[OfferOut.of(offer, quote.pieces) for offer in quote.offers],
        lacking=quote.lacking,
        order_id=found.order_id or None,
    )
