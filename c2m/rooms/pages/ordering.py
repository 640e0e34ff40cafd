"""How a merchant places an order: in a form, or by file; both go through its feed, and faults are shown as they are."""

from collections.abc import Mapping
from datetime import date, timedelta
from secrets import token_urlsafe
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request, UploadFile
from fastapi.responses import RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from c2m import clock
from c2m.errors import InputError
from c2m.ids import derive_id
from c2m.rooms import entry, page
from c2m.rooms.entry import Merchant, Person
from c2m.rooms.tenants import landed
from c2m.settings import settings

routes = APIRouter(prefix="/merchant")
TOLERANCE_SHARE = 0.03  # of an order in the form: what factories usually miss


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
    skus = landed.own("catalogue", scope, style_id=style)
    try:
        pieces = {sku: _pieces(form.get(f"pieces-{sku}", "")) for sku in skus["sku_id"]}
        header = _header(person, form, dict(zip(skus["sku_id"], skus["currency"], strict=True)), pieces)
    except ValueError as error:
        return _form(request, person, style, [page.words(request, str(error))])
    if len(landed.own("merchant_orders", scope, order_id=header["order_id"])) and not _is_same(scope, header, pieces):
        return _form(request, person, style, [page.words(request, "new.code_taken")])
    line = {"merchant_id": header["merchant_id"], "order_id": header["order_id"], "order_line_id": "#1"}
    lines = [line | {"sku_id": sku, "quantity": count, "status": "open"} for sku, count in pieces.items() if count]
    for feed, rows in (("merchant_orders", [header]), ("merchant_order_lines", lines)):
        arrived = landed.write(scope, feed, rows, str(header["order_id"]))
        if arrived.faults:
            return page.shown(request, "arrived.html", 400, outcome=arrived.outcome, faults=arrived.faults)
    return RedirectResponse(f"/merchant/new?placed={header['order_id']}", 303)


def _header(person: Person, form: Mapping[str, str], currencies: Mapping[str, str], pieces: Mapping[str, int]) -> Any:
    """The order's row. Raises ValueError with the key of the words that say what is missing."""
    total, code = sum(pieces.values()), form.get("code", "").strip()
    if not total:
        raise ValueError("new.no_pieces")
    if not code or len(code) > 255:
        raise ValueError("new.no_code")
    try:
        due_on = date.fromisoformat(form.get("due_on", ""))
        place = [float(text) if (text := form.get(name, "").strip()) else None for name in ("latitude", "longitude")]
    except ValueError:
        raise ValueError("new.not_understood") from None
    merchant_id = person.grant.tenant
    return {
        "merchant_id": merchant_id,
        "order_id": derive_id("room-order", merchant_id, code),
        "order_code": code,
        "placed_on": clock.business_date(clock.now()),
        "due_on": due_on,
        "currency": next((currencies[sku] for sku, count in pieces.items() if count), settings().currency),
        "tolerance_share": TOLERANCE_SHARE,
        "destination_latitude": place[0],
        "destination_longitude": place[1],
        "status": "open",
        "line_count": sum(1 for count in pieces.values() if count),
        "total_quantity": total,
    }


def _is_same(scope: Any, header: Mapping[str, Any], pieces: Mapping[str, int]) -> bool:
    """Whether the order of this code that is there already is this one, sent twice."""
    lines = landed.own("merchant_order_lines", scope, order_id=header["order_id"])
    there = dict(zip(lines["sku_id"], lines["quantity"], strict=True))
    return bool(there == {sku: count for sku, count in pieces.items() if count})


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
    placed = landed.own("merchant_orders", scope, order_id=request.query_params.get("placed", ""))
    return page.shown(
        request,
        "new_order.html",
        400 if faults else 200,
        styles=page.records(styles[["style_id", "name", "category"]]),
        style=style,
        skus=page.records(skus[["sku_id", "colour", "size", "price", "currency"]]),
        soonest=clock.business_date(clock.now()) + timedelta(days=1),
        placed=page.records(placed[["order_code"]]),
        nonce=token_urlsafe(16),
        faults=faults or [],
    )
