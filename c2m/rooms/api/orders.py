"""Orders of a merchant: placed, looked up, changed. Each goes the way that it goes from the order room."""

from datetime import date
from typing import Annotated, Any

import pandas as pd
from fastapi import APIRouter, Query, Request, Response

from c2m import clock
from c2m.errors import InputError
from c2m.ledger.orders import find
from c2m.ledger.rooms import standing, tickets
from c2m.ledger.rooms.links import Grant
from c2m.ledger.store import reading
from c2m.people.json_rows import records
from c2m.rooms.api import ubl, ubl_answers
from c2m.rooms.api.bodies import (
    ChangeIn,
    ChangeOut,
    HearsOut,
    Id,
    InPath,
    OrderIn,
    OrderOut,
    Orders,
    OrderWhole,
    PromiseOut,
    Received,
    SkuOut,
    WorkOut,
)
from c2m.rooms.api.caller import Caller, Key, Once
from c2m.rooms.api.problems import ProblemError, refused
from c2m.rooms.scoped import view
from c2m.rooms.tenants import booked, changes, landed, placed, scanned

routes = APIRouter(tags=["orders"])
placing = APIRouter(tags=["orders"], route_class=ubl.UblRoute)
A_PAGE = 100

Row = dict[str, Any]

# For OpenAPI: what is taken and given beside JSON.
_ORDER_TOO = {"requestBody": {"content": {kind: {"schema": {"type": "string"}} for kind in (ubl.XML, ubl.ORDER)}}}
_TOO: dict[int, dict[int | str, Any]] = {
    201: {201: {"content": {ubl_answers.RESPONSE: {}}}},
    200: {200: {"content": {ubl_answers.RESPONSE: {}, ubl_answers.DESPATCH: {}}}},
}


@placing.post("/orders", status_code=201, response_model=Received, openapi_extra=_ORDER_TOO, responses=_TOO[201])
def place(caller: Caller, key: Key, order: OrderIn, request: Request, response: Response) -> Received | Response:
    """Places an order. It comes in by the rules of the feed merchant_orders; the next plan takes it up.

    An Order of UBL 2.3 is taken too, and answered by an OrderResponse.
    """

    def make() -> Row:
        new = placed.PlacedOrder(order.code, order.due_on, order.pieces, *order.place, order.repeats, order.own)
        return received(caller, new, placed.place(view(caller).scope, new))

    once = Once(caller, "POST /orders", key, order.model_dump_json())
    placed_order = Received.model_validate(once.answered(response, 201, make))
    if asked_for := ubl_answers.kind(request):
        return ubl_answers.answer(_whole(caller, placed_order.order_id), caller.tenant, asked_for, clock.now(), 201)
    return placed_order


def received(caller: Grant, new: placed.PlacedOrder, arrived: landed.Arrived | None) -> Row:
    """An order that has come in.

    Raises
    ------
    ProblemError
        The rules of its feed are against it.
    """
    if arrived:
        raise refused(arrived.faults or [{"rule": "file", "seen": arrived.outcome.problems, "advice": ""}])
    order_id = placed.order_id_of(caller.tenant, new.code)
    told = Received(order_id=order_id, code=new.code, due_on=new.due_on, quantity=new.quantity)
    return told.model_dump(mode="json")


@routes.get("/orders")
def orders(caller: Caller, after: Id | None = None, limit: Annotated[int, Query(ge=1, le=A_PAGE)] = A_PAGE) -> Orders:
    """Your orders, by due day, page by page."""
    rows = booked.orders(view(caller).scope)
    names = [row["order_id"] for row in rows]
    first = names.index(after) + 1 if after in names else 0
    shown = rows[first : first + limit]
    more = first + limit < len(rows)
    hears = booked.hears(view(caller).scope, shown)
    return Orders(orders=[_short(row, hears) for row in shown], next=shown[-1]["order_id"] if shown and more else None)


@routes.get("/orders/{order_id}", response_model=OrderWhole, responses=_TOO[200])
def order(caller: Caller, order_id: InPath, request: Request) -> OrderWhole | Response:
    """An order: its state, its promise with probability, what it waits for, how far each factory is.

    As UBL 2.3 too, by the header Accept: what is promised as an OrderResponse, what has left as a DespatchAdvice.
    """
    found = _whole(caller, order_id)
    asked_for = ubl_answers.kind(request)
    return ubl_answers.answer(found, caller.tenant, asked_for, clock.now()) if asked_for else found


def _whole(caller: Grant, order_id: str) -> OrderWhole:
    row = _row(caller, order_id)
    scope, order_id = view(caller).scope, row["order_id"]
    with reading(scope) as s:
        jobs, pieces = standing.job_orders(s, scope, order_id), standing.pieces(s, scope, order_id)
    counts = scanned.made(dict(zip(jobs["job_order_id"], jobs["factory_id"], strict=True)))
    made: dict[str, dict[str, int]] = {}
    for (job_order_id, operation), one in counts.items():
        made.setdefault(job_order_id, {})[operation] = one.good
    work = [WorkOut(**job, made=made.get(job["job_order_id"], {})) for job in _plain(jobs)]
    return OrderWhole(
        **dict(_short(row, booked.hears(scope, [row]))),
        waits=row["waits"] or "",
        skus=[SkuOut(**sku) for sku in _plain(pieces)] or _sent_skus(caller, order_id),
        work=work,
        open_changes=row["open_changes"] or 0,
    )


@routes.post("/orders/{order_id}/changes", status_code=202)
def change(caller: Caller, key: Key, order_id: InPath, asked: ChangeIn, response: Response) -> ChangeOut:
    """Asks for a change. It goes to planning and to the factories, and comes back answered."""
    once = Once(caller, f"POST /orders/{order_id}/changes", key, asked.model_dump_json())
    made = once.answered(response, 202, lambda: _asked(caller, order_id, asked, once.request_id))
    return ChangeOut.model_validate(made)


@routes.get("/orders/{order_id}/changes")
def asked(caller: Caller, order_id: InPath) -> list[ChangeOut]:
    """The changes of an order, the newest first."""
    order_id = _row(caller, order_id)["order_id"]
    with reading(view(caller).scope) as s:
        rows = tickets.of_orders(s, view(caller).scope, order_id)
    return [_ticket(row) for row in records(rows)]


def _asked(caller: Grant, order_id: str, asked: ChangeIn, nonce: str) -> Row:
    with reading(view(caller).scope) as s:
        known = find(s, view(caller).scope, order_id)
    found = changes.sent(caller, known) if known else None
    if found is None or known is None:
        detail = "no plan has this order yet, it is not one that you sent, or there is none: look at GET /orders"
        raise ProblemError(404, "no-such-order", detail)
    wish = _wish(found, asked)
    waiting = changes.open_of(caller, known)
    if wish is None:
        raise ProblemError(409, "nothing-new", "this is how the order is already")
    if wish.kind in waiting or "cancel" in waiting:
        raise ProblemError(409, "change-open", "a change of this kind is open: wait until it is done or refused")
    if faults := changes.ask(caller, found, wish, asked.note, nonce):
        raise refused(faults)
    with reading(view(caller).scope) as s:
        rows = tickets.of_orders(s, view(caller).scope, known)
    return next(_ticket(row).model_dump(mode="json") for row in records(rows) if row["kind"] == wish.kind)


def _wish(found: changes.SentOrder, asked: ChangeIn) -> changes.Wish | None:
    if asked.kind == "pieces":
        wanted = {line.sku_id: line.quantity for line in asked.lines} | dict.fromkeys(asked.dropped, 0)
        if unknown := wanted.keys() - found.pieces.keys():
            faults = [f"SKU {sku_id} is not in the order: place another order for it" for sku_id in sorted(unknown)]
            raise InputError("unknown-sku", faults)
        return changes.pieces_wish(found, wanted)
    if asked.due_on and asked.kind == "date":
        return changes.date_wish(found, asked.due_on)
    if asked.destination and asked.kind == "address":
        return changes.address_wish(found, asked.destination.latitude, asked.destination.longitude)
    return changes.Wish("cancel", {}, {})


def _ticket(row: Row) -> ChangeOut:
    told = {name: row[name] for name in ("kind", "state", "asked", "before", "answer", "answered")}
    return ChangeOut(change_id=row["ticket_id"], asked_at=row["at"], **told)


def _row(caller: Grant, order_id: str) -> Row:
    """One of theirs, by our id or theirs.

    Raises
    ------
    ProblemError
        There is none of this id, or it is somebody else's.
    """
    if found := booked.of_id(view(caller).scope, order_id):
        return found
    raise ProblemError(404, "no-such-order", f"you have no order {order_id}")


def _short(row: Row, hears: dict[str, Row]) -> OrderOut:
    told = PromiseOut(promised_on=row["promised_on"], probability=row["probability"]) if row["promised_on"] else None
    first = hears.get(row["order_id"])
    when = HearsOut(after=first["hears"], answer_by=first["answer_by"], plan_on=first["plan_on"]) if first else None
    days = {name: _date(row[name]) for name in ("placed_on", "due_on")}
    names = ("order_id", "code", "source", "state", "waits_for")
    counts = {"quantity": int(row["pieces"] or 0), "shipped": int(row["shipped"] or 0)}
    return OrderOut(**{name: row[name] for name in names}, **days, **counts, promise=told, hears=when)


def _date(value: Any) -> date:
    return pd.Timestamp(value).date()


def _sent_skus(caller: Grant, order_id: str) -> list[SkuOut]:
    found = changes.sent(caller, order_id)
    pieces = found.pieces if found else {}
    return [SkuOut(sku_id=sku_id, quantity=count, shipped=0, received=0) for sku_id, count in pieces.items()]


def _plain(rows: pd.DataFrame) -> list[Row]:
    """Rows for models; what is missing is None."""
    return records(rows)


routes.include_router(placing)
