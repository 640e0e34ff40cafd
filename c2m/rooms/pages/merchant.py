"""A merchant's room: its own orders, and the page of each: how it stands, what is said, what is asked to change."""

from collections.abc import Sequence
from datetime import date, datetime
from secrets import token_urlsafe
from typing import Annotated, Any

import pandas as pd
from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from c2m import clock
from c2m.ledger import promises
from c2m.ledger.rooms import room, standing, tickets
from c2m.ledger.store import reading, session
from c2m.people.json_rows import records
from c2m.rooms import entry, page
from c2m.rooms.entry import Merchant, NotYoursError, Person
from c2m.rooms.scoped import view
from c2m.rooms.tenants import booked, changes, landed, scanned, told
from c2m.warehouse import published

routes = APIRouter(prefix="/merchant")


@routes.get("")
def orders(request: Request, person: Merchant) -> Response:
    """Its orders, the earliest due first; one that has come in stands there at once."""
    return page.shown(request, "merchant.html", orders=booked.orders(view(person.grant).scope))


@routes.get("/orders/{order_id}")
def order(request: Request, person: Merchant, order_id: str) -> Response:
    """One order."""
    return _order(request, person, order_id)


@routes.post("/orders/{order_id}/posts", dependencies=[entry.Unforged])
def say(
    person: Merchant, order_id: str, said: Annotated[str, Form()], nonce: Annotated[str, Form(max_length=64)]
) -> Response:
    """Says something in the order's room."""
    told.say(person, order_id, said, nonce)
    return RedirectResponse(f"/merchant/orders/{order_id}#conversation", 303)


@routes.post("/orders/{order_id}/changes", dependencies=[entry.Unforged])
async def change(request: Request, person: Merchant, order_id: str) -> Response:
    """Asks for a change: other pieces, another date or address, or none of it any more."""
    form = {name: str(value) for name, value in (await request.form()).items()}
    return await run_in_threadpool(_change, request, person, order_id, form)


def _change(request: Request, person: Merchant, order_id: str, form: dict[str, str]) -> Response:
    found = changes.sent(person.grant, order_id)
    if found is None:
        raise NotYoursError
    try:
        wish = _wish(found, form)
    except (ValueError, KeyError):
        return _order(request, person, order_id, fault="change.not_understood")
    if wish is None:
        return _order(request, person, order_id, fault="change.nothing_new")
    waiting = changes.open_of(person.grant, order_id)
    if wish.kind in waiting or "cancel" in waiting:
        return _order(request, person, order_id, fault="change.waits")
    if faults := changes.ask(person.grant, found, wish, form.get("note", ""), form.get("nonce", "")):
        return _order(request, person, order_id, faults=faults)
    return RedirectResponse(f"/merchant/orders/{order_id}#changes", 303)


def _wish(found: changes.SentOrder, form: dict[str, str]) -> changes.Wish | None:
    """What a form asks for. Raises ValueError or KeyError where it cannot be understood."""
    kind = form["kind"]
    if kind == "pieces":
        given = {sku_id: form.get(f"pieces-{sku_id}", "").strip() for sku_id in found.pieces}
        return changes.pieces_wish(found, {sku_id: _whole(pieces) for sku_id, pieces in given.items() if pieces})
    if kind == "date":
        return changes.date_wish(found, date.fromisoformat(form["due_on"]))
    if kind == "address":
        return changes.address_wish(found, _degrees(form["latitude"], 90), _degrees(form["longitude"], 180))
    if kind == "cancel" and form.get("sure"):
        return changes.Wish("cancel", {}, {})
    raise ValueError(kind)


def _whole(text: str) -> int:
    number = int(text)
    if number < 0:
        raise ValueError(text)
    return number


def _degrees(text: str, most: float) -> float:
    number = float(text)
    if not -most <= number <= most:
        raise ValueError(text)
    return number


def _order(request: Request, person: Merchant, order_id: str, fault: str = "", faults: Sequence[Any] = ()) -> Response:
    scope = view(person.grant).scope
    with reading(scope) as s:
        rows = standing.orders(s, scope, order_id)
        behind = not rows.empty and tickets.is_behind(s, order_id)
    if rows.empty:
        return _received(request, person, order_id)
    if behind:
        with session() as s:
            tickets.settle(s, clock.now(), order_id, scope)
    with reading(scope) as s:
        jobs, steps = standing.job_orders(s, scope, order_id), room.steps(s, order_id, scope)
        said, asked = room.posts(s, order_id, scope), tickets.of_orders(s, scope, order_id)
        pieces = standing.pieces(s, scope, order_id)
        undated = promises.undated(s, clock.business_date(clock.now()), scope, order_id)
    factories = dict(zip(jobs["job_order_id"], jobs["factory_id"], strict=True))
    counts, row = scanned.made(factories), records(rows)[0]
    sent = changes.sent(person.grant, order_id)
    return page.shown(
        request,
        "own_order.html",
        400 if fault or faults else 200,
        order=row,
        stages=told.stages(row, jobs, steps, counts, pieces, _arrived(person, order_id)),
        outlook=_outlook(scope, order_id),
        hears=next(iter(records(undated)), None),
        jobs=records(jobs),
        counts=counts,
        operations=told.operations(jobs),
        pieces=records(pieces),
        changes=records(asked),
        sent=sent,
        names=_names(pieces),
        feed=told.conversation(steps, said, asked, jobs, counts),
        videos=told.videos(jobs),
        nonce=token_urlsafe(16),
        fault=fault,
        faults=faults,
    )


def _received(request: Request, person: Person, order_id: str) -> Response:
    """An order that no plan has taken up yet."""
    found, sent = booked.of_id(view(person.grant).scope, order_id), changes.sent(person.grant, order_id)
    if found is None or sent is None:
        raise NotYoursError
    if found["order_id"] != order_id:  # a plan knows it by another id than its merchant
        return RedirectResponse(f"/merchant/orders/{found['order_id']}", 303)
    return page.shown(request, "received.html", order=found, pieces=sent.pieces)


def _arrived(person: Merchant, order_id: str) -> datetime | None:
    """The day on which the last of its goods arrived, of those that have."""
    if not published.is_published() or "goods" not in published.manifest()["marts"]:
        return None
    goods = view(person.grant).mart("goods")
    days = goods[goods["order_id"] == order_id].get("arrived_on", pd.Series()).dropna()  # not in builds of old
    return None if days.empty else clock.cut_off(pd.Timestamp(days.max()).date())


def _names(pieces: pd.DataFrame) -> dict[str, str]:
    """What people call a SKU, by sku_id."""
    return {
        row["sku_id"]: " ".join(filter(None, (row["style_name"], row["colour"], row["size"])))
        for row in records(pieces)
    }


def _outlook(scope: Any, order_id: str) -> dict[str, Any] | None:
    """When the last of its job orders will be finished: dates met with 10, 50 and 90 %, as the robot saw it last."""
    found = landed.produced("outlooks", scope, order_id=order_id)
    if found.empty:
        return None
    newest = found[found["at"] == found["at"].max()]
    return {name: newest[name].max(skipna=False) for name in ("q10", "q50", "q90", "at", "late_chance")}
