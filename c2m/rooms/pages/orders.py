"""Orders for operations: a list with filter, search, sort, pages and export; an order's page, live from scans."""

import csv
import io
from collections.abc import Iterator
from secrets import token_urlsafe
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

import pandas as pd
import xlsxwriter
from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response, StreamingResponse
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from c2m import clock
from c2m.feeds.forms.cells import neutral
from c2m.ledger import promises
from c2m.ledger.rooms import room, sights, tickets
from c2m.ledger.rooms.sights import OrderFilter, Sort
from c2m.ledger.store import reading
from c2m.people.json_rows import records
from c2m.rooms import entry, live, page
from c2m.rooms.entry import Anyone, Decider, NotYoursError, Operations, Person, known
from c2m.rooms.scoped import view
from c2m.rooms.tenants import scanned, told
from c2m.warehouse import published

routes = APIRouter()
PAGE_ROWS = 50
EXPORT_ROWS = 100_000
EXPORTED = (
    "code", "merchant_id", "style_name", "colour", "colours", "source", "state", "pieces", "shipped", "placed_on",
    "due_on", "promised_on", "order_id",
)  # fmt: skip
feed = live.ScanStream()


class ListQuery(BaseModel):
    """What a list is asked for, in its address."""

    text: str = Field("", max_length=100)
    state: Literal["", "unfinished", "open", "in_production", "closed", "cancelled", "late"] = "unfinished"
    source: Literal["", "merchant", "replenishment"] = ""
    sort: Sort = "due_on"
    down: bool = False
    page: int = Field(1, ge=1, le=1_000_000)

    @property
    def wanted(self) -> OrderFilter:
        """The same for the ledger."""
        late_on = clock.business_date(clock.now()) if self.state == "late" else None
        state = "" if late_on else self.state
        return OrderFilter(self.text, state, self.source, late_on, self.sort, self.down)

    def address(self, **changes: Any) -> str:
        """The query part of the address of this list, changed; what is as usual is left out."""
        told = self.model_copy(update=changes).model_dump(exclude_defaults=True)
        return f"?{urlencode(told)}" if told else "?"


@routes.get("/orders")
def orders(request: Request, person: Operations, asked: Annotated[ListQuery, Query()]) -> Response:
    """A page of the list."""
    scope = view(person.grant).scope
    with reading() as s:
        total = sights.count(s, scope, asked.wanted)
        found = sights.orders(s, scope, asked.wanted, PAGE_ROWS, (asked.page - 1) * PAGE_ROWS)
    pages = max(1, -(-total // PAGE_ROWS))
    shown: dict[str, Any] = {
        "asked": asked,
        "total": total,
        "pages": pages,
        "address": lambda number: asked.address(page=number),
    }
    return page.shown(request, "orders.html", orders=records(found), **shown)


@routes.get("/orders.{form}")
def export(person: Operations, form: Literal["csv", "xlsx"], asked: Annotated[ListQuery, Query()]) -> Response:
    """The whole list as a file."""
    with reading() as s:
        found = sights.orders(s, view(person.grant).scope, asked.wanted, EXPORT_ROWS)
    rows = found[list(EXPORTED)]
    name = {"content-disposition": f'attachment; filename="orders.{form}"', "cache-control": "no-store"}
    if form == "csv":
        return Response(_csv(rows), media_type="text/csv; charset=utf-8", headers=name)
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    return Response(_workbook(rows), media_type=kind, headers=name)


def _csv(rows: pd.DataFrame) -> str:
    """With a byte-order mark, by which Excel knows UTF-8."""
    out = io.StringIO()
    csv.writer(out).writerows([rows.columns, *([neutral(str(cell)) for cell in row] for row in _cells(rows))])
    return f"\ufeff{out.getvalue()}"


def _cells(rows: pd.DataFrame) -> Iterator[list[Any]]:
    for row in rows.astype(object).to_numpy():
        yield ["" if pd.isna(cell) else cell for cell in row]


def _workbook(rows: pd.DataFrame) -> bytes:
    """One sheet; what others wrote stays text, be it like a formula or an address."""
    out = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(out, options) as book:
        sheet, head = book.add_worksheet("orders"), book.add_format({"bold": True})
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        sheet.write_row(0, 0, rows.columns, head)
        for number, row in enumerate(_cells(rows), 1):
            for column, cell in enumerate(row):
                if hasattr(cell, "isoformat"):
                    sheet.write_datetime(number, column, pd.Timestamp(cell).to_pydatetime(), day)
                else:
                    sheet.write(number, column, cell)
        sheet.freeze_panes(1, 0)
        sheet.autofit()
    return out.getvalue()


@routes.get("/orders/{order_id}")
def order(request: Request, person: Operations, order_id: str) -> Response:
    """An order: what was asked, who makes it, how far it is, what happened, what is said and what is to change."""
    scope = view(person.grant).scope
    with reading() as s:
        found = sights.order(s, scope, order_id)
        if found is None:
            raise NotYoursError
        jobs, steps = sights.job_orders(s, scope, order_id), room.steps(s, order_id, scope)
        said, asked = room.posts(s, order_id, scope), tickets.of_orders(s, scope, order_id)
        undated = promises.undated(s, clock.business_date(clock.now()), scope, order_id)
    counts = scanned.made(dict(zip(jobs["job_order_id"], jobs["factory_id"], strict=True)))
    return page.shown(
        request,
        "order.html",
        order=found,
        hears=next(iter(records(undated)), None),
        changes=records(asked),
        names=_names(found),
        feed=told.conversation(steps, said, asked, jobs, counts),
        nonce=token_urlsafe(16),
        jobs=records(jobs),
        pieces=watch_of(person, jobs).pieces,
        operations=told.operations(jobs),
    )


def _names(order: Any) -> dict[str, str]:
    """What people call a SKU of an order, by sku_id."""
    return {
        size["sku_id"]: " ".join(filter(None, (lot["style_name"], lot["colour"], size["size"])))
        for lot in order["lots"]
        for size in lot["sizes"]
    }


@routes.post("/orders/{order_id}/posts", dependencies=[entry.Unforged])
def say(
    person: Decider, order_id: str, said: Annotated[str, Form()], nonce: Annotated[str, Form(max_length=64)]
) -> Response:
    """Says something in the order's room: its merchant and its factories read it."""
    told.say(person, order_id, said, nonce)
    return RedirectResponse(f"/orders/{order_id}#conversation", 303)


@routes.get("/live/{order_id}")
async def pieces(request: Request, person: Anyone, order_id: str) -> Response:
    """The pieces of an order's job orders as a stream of events, for whoever may see them."""
    watch = await run_in_threadpool(_watched, person, order_id)
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(
        feed.stream(watch, lambda: known(request) is not None), media_type="text/event-stream", headers=headers
    )


def _watched(person: Person, order_id: str) -> live.Watch:
    with reading() as s:
        jobs = sights.job_orders(s, view(person.grant).scope, order_id)
    if jobs.empty:
        raise NotYoursError
    return watch_of(person, jobs)


def watch_of(person: Person, jobs: pd.DataFrame) -> live.Watch:
    """The pieces of these job orders now; none before anything is published."""
    progress = view(person.grant).mart("job_order_progress") if published.is_published() else live.NOTHING
    return live.now(list(jobs["job_order_id"]), progress)
