"""Events of a merchant's orders: told at its addresses, and asked for again from any position on."""

import secrets
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from c2m import clock
from c2m.ledger.rooms import events, webhooks
from c2m.ledger.store import reading, session
from c2m.rooms.api import calls
from c2m.rooms.api.bodies import InPath
from c2m.rooms.api.caller import Caller, Key, Once
from c2m.rooms.api.problems import ProblemError
from c2m.rooms.scoped import view

routes = APIRouter(tags=["events"])
A_PAGE = 500


class WebhookIn(BaseModel):
    """Where to call."""

    url: Annotated[str, Field(min_length=9, max_length=2000, pattern=r"^https?://[^\s\x00]+$")]


class WebhookOut(BaseModel):
    """An address. secret: told once, when it is made; calls are signed with it (Standard Webhooks)."""

    webhook_id: str
    url: str
    secret: str | None


class EventOut(BaseModel):
    """What happened: order.promised, order.closed, work.begun, work.ended, work.refused, work.stopped, change.*"""

    id: str = Field(description="The same however often it is told")
    position: int
    type: str
    order_id: str
    happened_at: str
    data: dict[str, Any]


class Events(BaseModel):
    """Events in their order. next: `after` of what comes then."""

    events: list[EventOut]
    next: int


@routes.post("/webhooks", status_code=201)
def add(caller: Caller, key: Key, wanted: WebhookIn, response: Response) -> WebhookOut:
    """Has an address called with every event from now on. A call that is not answered 2xx is made again, later."""

    def make() -> dict[str, Any]:
        calls.refuse(wanted.url)
        webhook_id = secrets.token_urlsafe(12)
        with session() as s:
            if len(webhooks.of_scope(s, view(caller).scope)) >= webhooks.MOST:
                raise ProblemError(409, "too-many", f"you have {webhooks.MOST} addresses: end one first")
            events.collect(s, clock.now())
            webhooks.add(s, webhook_id, caller.tenant, wanted.url, events.last(s), clock.now())
        return {"webhook_id": webhook_id, "url": wanted.url, "secret": None}

    once = Once(caller, "POST /webhooks", key, wanted.model_dump_json())
    made = once.answered(response, 201, make)
    return WebhookOut(**made | {"secret": calls.secret_of(made["webhook_id"])})


@routes.get("/webhooks")
def addresses(caller: Caller) -> list[WebhookOut]:
    """Your addresses."""
    with reading(view(caller).scope) as s:
        rows = webhooks.of_scope(s, view(caller).scope)
        return [WebhookOut(webhook_id=row.webhook_id, url=row.url, secret=None) for row in rows]


@routes.delete("/webhooks/{webhook_id}", status_code=204)
def end(caller: Caller, webhook_id: InPath) -> Response:
    """Ends an address."""
    with session() as s:
        if not webhooks.end(s, webhook_id, view(caller).scope, clock.now()):
            raise ProblemError(404, "no-such-webhook", f"you have no webhook {webhook_id}")
    return Response(status_code=204)


@routes.get("/events")
def again(
    caller: Caller,
    after: Annotated[int, Query(ge=0, le=2**62)] = 0,
    limit: Annotated[int, Query(ge=1, le=A_PAGE)] = A_PAGE,
) -> Events:
    """The events of your orders behind a position: what an address missed, or all of them."""
    with session() as s:
        events.collect(s, clock.now())
    with reading(view(caller).scope) as s:
        found = [EventOut.model_validate(calls.told(one)) for one in events.after(s, view(caller).scope, after, limit)]
    return Events(events=found, next=found[-1].position if found else after)
