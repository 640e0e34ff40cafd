"""How a merchant asks for a date and a price, and places an order: in a form, by a quote, or by file.

All go through its feed, and faults are shown as they are.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request, UploadFile
from fastapi.responses import RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from c2m import clock
from c2m.domain.personalisation import canonical
from c2m.domain.quotes import Quoter, QuoteRequest
from c2m.errors import InputError
from c2m.people.json_rows import records
from c2m.rooms import entry, page
from c2m.rooms.entry import Merchant, NotYoursError, Person
from c2m.rooms.tenants import landed, placed, quoted

routes = APIRouter(prefix="/merchant")
MOST_PIECES = 10_000_000  # of a size, as the form says too
MOST_OWN = 200  # characters on a piece, as the form says too
_SIZES = ("XXS", "XS", "S", "M", "L", "XL", "XXL", "3XL", "4XL", "5XL")


@routes.get("/new")
def new(request: Request, person: Merchant, style: Annotated[str, Query(max_length=64)] = "") -> Response:
    """The form of a new order, for the sizes of a style, and the one that takes files."""
    return _form(request, person, style)


@routes.post("/new", dependencies=[entry.Unforged])
async def place(request: Request, person: Merchant) -> Response:
    """Places the order of the form, or asks what it would get."""
    form = {name: str(value) for name, value in (await request.form()).items()}
    return await run_in_threadpool(_ask if form.get("act") == "quote" else _place, request, person, form)


@routes.get("/quotes/{quote_id}")
def quote(request: Request, person: Merchant, quote_id: str) -> Response:
    """The offers of a quote: dates, how sure they are, prices."""
    return _quote(request, _given(person, quote_id))


@routes.post("/quotes/{quote_id}", dependencies=[entry.Unforged])
def accept(
    request: Request,
    person: Merchant,
    quote_id: str,
    offer: Annotated[str, Form()],
    code: Annotated[str, Form(max_length=255)] = "",
) -> Response:
    """Takes an offer: places it as an order, due on the day that it promises."""
    found, desk = _given(person, quote_id), _desk(request)
    if not code.strip() or desk is None:
        return _quote(request, found, [page.words(request, "new.no_code" if desk else "quote.none_here")])
    try:
        taken = quoted.take(desk, person.grant.scope, found, offer, code.strip())
    except InputError as error:
        told = page.words(request, "new.code_taken") if error.reason == "code-taken" else "; ".join(error.faults)
        return _quote(request, found, [told])
    if isinstance(taken, str):
        return RedirectResponse(f"/merchant/orders/{taken}", 303)
    return page.shown(request, "arrived.html", 400, outcome=taken.outcome, faults=taken.faults)


@routes.post("/files", dependencies=[entry.Unforged])
def bring(request: Request, person: Merchant, feed: Annotated[str, Form()], file: UploadFile) -> Response:
    """Takes a file of orders or of their lines."""
    content = file.file.read(landed.MOST_BYTES + 1)
    try:
        arrived = landed.take(person.grant.scope, feed, file.filename or "", content)
    except InputError as error:
        return _form(request, person, "", error.faults)
    return page.shown(request, "arrived.html", outcome=arrived.outcome, faults=arrived.faults)


def _place(request: Request, person: Person, form: Mapping[str, str]) -> Response:
    style, scope = form.get("style", ""), person.grant.scope
    try:
        new = _asked(form, person.grant.tenant, landed.own("catalogue", scope, style_id=style)["sku_id"])
    except ValueError as error:
        return _form(request, person, style, [page.words(request, str(error))], form)
    try:
        arrived = placed.place(scope, new)
    except InputError:  # its SKUs are of the catalogue
        return _form(request, person, style, [page.words(request, "new.code_taken")], form)
    if arrived:
        return page.shown(request, "arrived.html", 400, outcome=arrived.outcome, faults=arrived.faults)
    return RedirectResponse(f"/merchant/orders/{placed.order_id_of(person.grant.tenant, new.code)}", 303)


def _ask(request: Request, person: Person, form: Mapping[str, str]) -> Response:
    """Has the order of the form quoted; nothing is ordered."""
    style, scope, desk = form.get("style", ""), person.grant.scope, _desk(request)
    try:
        asked = _wanted(form, person.grant.tenant, landed.own("catalogue", scope, style_id=style)["sku_id"])
        if _own(form, asked.pieces):
            raise ValueError("new.own_no_quote")
    except ValueError as error:
        return _form(request, person, style, [page.words(request, str(error))], form)
    if desk is None:
        return _form(request, person, style, [page.words(request, "quote.none_here")], form)
    try:
        given = quoted.ask(desk, scope, asked)
    except InputError as error:
        return _form(request, person, style, error.faults, form)
    return RedirectResponse(f"/merchant/quotes/{given.quote_id}", 303)


def _desk(request: Request) -> Quoter | None:
    found: Quoter | None = request.app.state.quoter
    return found


def _given(person: Person, quote_id: str) -> quoted.GivenQuote:
    found = quoted.given(person.grant.scope, quote_id)
    if found is None:
        raise NotYoursError
    return found


def _quote(request: Request, found: quoted.GivenQuote, faults: Sequence[str] = ()) -> Response:
    return page.shown(request, "quote.html", 409 if faults else 200, found=found, quote=found.quote, faults=faults)


def _wanted(form: Mapping[str, str], merchant_id: str, sku_ids: Iterable[str]) -> QuoteRequest:
    """What the form asks for. Raises ValueError with the key of the words that say what is missing."""
    pieces = {sku_id: _pieces(form.get(f"pieces-{sku_id}", "")) for sku_id in sku_ids}
    if not sum(pieces.values()):
        raise ValueError("new.no_pieces")
    try:
        due_on = date.fromisoformat(text) if (text := form.get("due_on", "")) else None
        place = [float(text) if (text := form.get(name, "").strip()) else None for name in ("latitude", "longitude")]
    except ValueError:
        raise ValueError("new.not_understood") from None
    if due_on and not 2000 <= due_on.year < 2100:  # as in the feeds
        raise ValueError("new.not_understood")
    if not all(degrees is None or abs(degrees) <= most for degrees, most in zip(place, (90, 180), strict=True)):
        raise ValueError("new.not_understood")
    return QuoteRequest(
        merchant_id, {sku: count for sku, count in pieces.items() if count}, None, due_on, place[0], place[1]
    )


def _asked(form: Mapping[str, str], merchant_id: str, sku_ids: Iterable[str]) -> placed.PlacedOrder:
    """The order of the form. Raises ValueError with the key of the words that say what is missing."""
    wanted, code = _wanted(form, merchant_id, sku_ids), form.get("code", "").strip()
    own = _own(form, wanted.pieces)
    if not code or len(code) > 255:
        raise ValueError("new.no_code")
    if wanted.wanted_on is None:
        raise ValueError("new.not_understood")
    alike = {sku_id: count for sku_id, count in wanted.pieces.items() if not own.get(sku_id)}
    personal = {(sku_id, told): wanted.pieces[sku_id] for sku_id, told in own.items()}
    return replace(quoted.new_order(wanted, code, wanted.wanted_on), pieces=alike, own=personal)


def _own(form: Mapping[str, str], sku_ids: Collection[str]) -> dict[str, str]:
    """What each piece of a SKU gets, as the feed has it. Raises ValueError with the key of the words that say why."""
    texts = {name.removeprefix("own-"): text.strip() for name, text in form.items() if name.startswith("own-")}
    texts = {sku_id: text for sku_id, text in texts.items() if text}
    if texts.keys() - set(sku_ids):
        raise ValueError("new.own_without_pieces")
    if any(len(text) > MOST_OWN or not text.isprintable() for text in texts.values()):
        raise ValueError("new.not_understood")
    return {sku_id: canonical(json.dumps({"text": text})) for sku_id, text in texts.items()}


def _pieces(text: str) -> int:
    digits = text.strip() or "0"
    if not digits.isdecimal() or len(digits) > len(str(MOST_PIECES)) or int(digits) > MOST_PIECES:
        raise ValueError("new.not_understood")
    return int(digits)


def _by_size(sku: Mapping[str, Any]) -> tuple[str, int, str]:
    """As people lay sizes out: by colour, the smallest first."""
    size = sku["size"] or ""
    return sku["colour"] or "", _SIZES.index(size) if size in _SIZES else len(_SIZES), size


def _form(
    request: Request, person: Person, style: str, faults: Sequence[str] = (), typed: Mapping[str, str] | None = None
) -> Response:
    """The page of a new order. typed: what stands in its fields, where something of it was wrong."""
    scope = person.grant.scope
    catalogue = landed.own("catalogue", scope)
    named = catalogue.assign(name=catalogue["style_name"].fillna(catalogue["style_id"]))
    styles = named.drop_duplicates("style_id").sort_values(["name", "style_id"])
    skus = named[named["style_id"] == style]
    return page.shown(
        request,
        "new_order.html",
        400 if faults else 200,
        styles=records(styles[["style_id", "name", "category"]]),
        style=style,
        skus=sorted(records(skus[["sku_id", "colour", "size"]]), key=_by_size),
        soonest=clock.business_date(clock.now()) + timedelta(days=1),
        quotes=_desk(request) is not None,
        faults=faults,
        typed=typed or {},
        owned=any(text for name, text in (typed or {}).items() if name.startswith("own-")),
    )
