"""The query interface of EPCIS 2.0 as an application of its own, mounted at /epcis of the order room.

Events are told, not taken: whoever makes goods says so by scans (docs/factories.md). Capture, named queries and
subscriptions are not offered; what is asked for beyond the parameters below is refused, so that no filter is ignored.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Path, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from c2m import clock
from c2m.ledger.rooms import standing
from c2m.ledger.store import Scope, reading
from c2m.rooms.api import problems
from c2m.rooms.api.caller import Party
from c2m.rooms.api.problems import ProblemError
from c2m.rooms.epcis import happened, jsonld, names
from c2m.rooms.epcis.happened import EventQuery, Position, Row
from c2m.rooms.scoped import view
from c2m.wire.messages import Moment

PREFIX = "/epcis"
A_PAGE = 1000
LD = "application/ld+json"
_VERSIONS = {"GS1-EPCIS-Version": "2.0.0", "GS1-CBV-Version": "2.0.0"}
_ABOUT = """What happened to goods, as GS1 EPCIS 2.0 events: a factory is told its own, a merchant those of its lots.

Send `Authorization: Bearer TOKEN` with the token of a link. Errors are problem documents (RFC 9457)."""


def _parts(given: Any) -> Any:
    """A value that is given several times, or with commas."""
    return [part for one in given for part in str(one).split(",")] if isinstance(given, list) else given


Name = Annotated[str, Field(min_length=1, max_length=300, pattern=r"^[\x21-\x7e]+$")]
Names = Annotated[list[Name], BeforeValidator(_parts), Field(max_length=200)]
Types = Annotated[
    list[Literal["ObjectEvent", "AggregationEvent", "TransformationEvent", "TransactionEvent", "AssociationEvent"]],
    BeforeValidator(_parts),
]


class EventParameters(BaseModel):
    """Which events. Lists: with commas, or the parameter several times."""

    model_config = ConfigDict(extra="forbid")

    types: Types | None = Field(None, alias="eventType")
    since: Moment | None = Field(None, alias="GE_eventTime")
    until: Moment | None = Field(None, alias="LT_eventTime")
    recorded_since: Moment | None = Field(None, alias="GE_recordTime")
    recorded_until: Moment | None = Field(None, alias="LT_recordTime")
    steps: Names | None = Field(None, alias="EQ_bizStep", description="shipping, or the address of the CBV, or ours")
    classes: Names | None = Field(None, alias="MATCH_anyEPCClass", description="Classes of goods, whole")
    limit: Annotated[int, Field(ge=1, le=A_PAGE)] = Field(100, alias="perPage")
    token: Annotated[str, Field(max_length=300)] | None = Field(None, alias="nextPageToken")


def create() -> FastAPI:
    """The application."""
    app = problems.application("C2M events (GS1 EPCIS 2.0)", "2.0.0", _ABOUT, PREFIX)
    app.get("/events")(found)
    app.get("/events/{event_id}")(one)
    return app


def found(caller: Party, request: Request, wanted: Annotated[EventParameters, Query()]) -> Response:
    """Events in the order of their record, page by page: the header Link has the next page."""
    scope = view(caller).scope
    limits = wanted.model_dump(include={"types", "since", "until", "recorded_since", "recorded_until"})
    limits |= {"operations": wanted.steps and names.operations(wanted.steps)}
    limits |= {"skus": wanted.classes and _skus(scope, wanted.classes), "after": _position(wanted.token)}
    jobs = _jobs(scope)
    rows = happened.rows(jobs, scope.merchant_id, EventQuery(**limits, limit=wanted.limit + 1))
    shown = rows[: wanted.limit]
    more = {"Link": _next(request, shown[-1])} if len(rows) > len(shown) else {}
    return _answer(request, jsonld.document(_events(scope, jobs, shown), clock.now()), more)


def one(caller: Party, request: Request, event_id: Annotated[str, Path(pattern=r"^urn:c2m:event:\w{32}$")]) -> Response:
    """The event of an id."""
    scope = view(caller).scope
    own_id = event_id.rpartition(":")[2]
    jobs = _jobs(scope)
    rows = happened.rows(jobs, scope.merchant_id, EventQuery(event_id=own_id, limit=1))
    if not rows:
        raise ProblemError(404, "no-such-event", f"there is no event {event_id}, or it is not yours")
    return _answer(request, {"@context": jsonld.CONTEXT} | _events(scope, jobs, rows)[0], {})


def _answer(request: Request, content: Mapping[str, Any], more: Mapping[str, str]) -> Response:
    kind = LD if LD in request.headers.get("accept", "") else "application/json"
    return JSONResponse(content, headers={**_VERSIONS, **more}, media_type=kind)


def _jobs(scope: Scope) -> list[Row]:
    with reading(scope) as s:
        return [{str(k): v for k, v in row.items()} for row in standing.batches(s, scope).to_dict("records")]


def _skus(scope: Scope, classes: Sequence[str]) -> list[tuple[str, str]]:
    """Lots and SKUs of classes of goods."""
    with reading(scope) as s:
        rows = standing.sku_codes(s, scope)
    known = rows[["merchant_id", "lot_id", "sku_id", "sku_code"]].itertuples(index=False, name=None)
    return [(lot, sku) for owner, lot, sku, code in known if names.goods(owner, lot, sku, code) in set(classes)]


def _events(scope: Scope, jobs: Sequence[Row], rows: Sequence[Row]) -> list[jsonld.Event]:
    by_id = {job["job_order_id"]: job for job in jobs}
    with reading(scope) as s:
        known = standing.sku_codes(s, scope, {row["lot_id"] for row in rows})
    codes = {
        (lot, sku): code for lot, sku, code in zip(known["lot_id"], known["sku_id"], known["sku_code"], strict=True)
    }
    is_factory = scope.factory_id is not None
    return [
        jsonld.event(row, by_id[row["job_order_id"]], codes.get((row["lot_id"], row["sku_id"])), is_factory)
        for row in rows
    ]


def _next(request: Request, last: Row) -> str:
    token = base64.urlsafe_b64encode(f"{last['recorded_at'].isoformat()} {last['event_id']}".encode()).decode()
    url = request.url.include_query_params(nextPageToken=token)
    return f'<{PREFIX}/events?{url.query}>; rel="next"'


def _position(token: str | None) -> Position | None:
    if token is None:
        return None
    try:
        at, event_id = base64.urlsafe_b64decode(token).decode("ascii").split(" ")
        datetime.fromisoformat(at)
    except (binascii.Error, ValueError):
        detail = "nextPageToken is none that was given here: take it from the header Link of the page before"
        raise ProblemError(422, "no-such-page", detail) from None
    return at, event_id
