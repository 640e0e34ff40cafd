"""How a merchant places an order: in a form, or by file; both go through its feed, and faults are shown as they are."""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from secrets import token_urlsafe
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, UploadFile
from fastapi.responses import RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from c2m import clock
from c2m.errors import InputError
from c2m.rooms import entry, page
from c2m.rooms.entry import Merchant, Person
from c2m.rooms.tenants import landed, placed

routes = APIRouter(prefix="/merchant")


@routes.get("/new")
def new(request: Request, person: Merchant, style: Annotated[str, Query(max_length=64)] = "") -> Response:
    """The form of a new order, for the sizes of a style, and the one that takes files."""
    return _form(request, person, style)


@routes.post("/new", dependencies=[entry.Unforged])
async def place(request: Request, person: Merchant) -> Response:
    """Places the order of the form."""
    form = {name: str(value) for name, value in (await request.form()).items()}
    return await run_in_threadpool(_place, request, person, form)


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
        new = _asked(form, landed.own("catalogue", scope, style_id=style)["sku_id"])
    except ValueError as error:
        return _form(request, person, style, [page.words(request, str(error))])
    try:
        arrived = placed.place(scope, new)
    except InputError:  # its SKUs are of the catalogue
        return _form(request, person, style, [page.words(request, "new.code_taken")])
    if arrived:
        return page.shown(request, "arrived.html", 400, outcome=arrived.outcome, faults=arrived.faults)
    return RedirectResponse(f"/merchant/new?placed={placed.order_id_of(person.grant.tenant, new.code)}", 303)


def _asked(form: Mapping[str, str], sku_ids: Iterable[str]) -> placed.NewOrder:
    """The order of the form. Raises ValueError with the key of the words that say what is missing."""
    pieces = {sku_id: _pieces(form.get(f"pieces-{sku_id}", "")) for sku_id in sku_ids}
    code = form.get("code", "").strip()
    if not sum(pieces.values()):
        raise ValueError("new.no_pieces")
    if not code or len(code) > 255:
        raise ValueError("new.no_code")
    try:
        due_on = date.fromisoformat(form.get("due_on", ""))
        place = [float(text) if (text := form.get(name, "").strip()) else None for name in ("latitude", "longitude")]
    except ValueError:
        raise ValueError("new.not_understood") from None
    return placed.NewOrder(code, due_on, pieces, place[0], place[1])


def _pieces(text: str) -> int:
    if text.strip() and not text.strip().isdecimal():
        raise ValueError("new.not_understood")
    return int(text.strip() or 0)


def _form(request: Request, person: Person, style: str, faults: list[str] | None = None) -> Response:
    scope = person.grant.scope
    catalogue = landed.own("catalogue", scope)
    named = catalogue.assign(name=catalogue["style_name"].fillna(catalogue["style_id"]))
    styles = named.drop_duplicates("style_id").sort_values(["name", "style_id"])
    skus = named[named["style_id"] == style]
    there = landed.own("merchant_orders", scope, order_id=request.query_params.get("placed", ""))
    return page.shown(
        request,
        "new_order.html",
        400 if faults else 200,
        styles=page.records(styles[["style_id", "name", "category"]]),
        style=style,
        skus=page.records(skus[["sku_id", "colour", "size", "price", "currency"]]),
        soonest=clock.business_date(clock.now()) + timedelta(days=1),
        placed=page.records(there[["order_code"]]),
        nonce=token_urlsafe(16),
        faults=faults or [],
    )
