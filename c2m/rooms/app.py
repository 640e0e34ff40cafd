"""The site: routes, headers, what a person sees where they may not go or something is wrong.

It stands behind the same door as the other servers (c2m/doors.py), which asks for no key here: people sign in by
link, or with their team's accounts.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from c2m.domain.quotes import Quoter
from c2m.doors import App, Door
from c2m.errors import C2MError
from c2m.health import Health
from c2m.ledger import store
from c2m.rooms import entry, limit, page, team
from c2m.rooms.api import problems, site
from c2m.rooms.api.calls import Bell
from c2m.rooms.epcis import door
from c2m.rooms.pages import (
    board,
    factory,
    figures,
    market,
    merchant,
    network,
    operations_room,
    ordering,
    orders,
    own_factory,
    plans,
    shelf,
    sign_in,
    voices,
)
from c2m.settings import settings

# Each with its `routes`.
_OURS = (sign_in, operations_room, orders, board, network, plans, market, figures)
ROOMS = (*_OURS, merchant, ordering, shelf, voices, factory, own_factory)
_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}


def create(quoter: Quoter | None = None) -> App:
    """The site behind its door. quoter: who gives quotes to merchants; None: nobody does."""
    app = FastAPI(title="C2M order room", lifespan=_ringing, docs_url=None, redoc_url=None, openapi_url=None)
    app.state.quoter = quoter
    for room in ROOMS:
        app.include_router(room.routes)
    app.mount(site.PREFIX, site.create(quoter))
    app.mount(door.PREFIX, door.create())
    if settings().sign_in.issuer:
        app.mount(team.PREFIX, team.create())
    app.mount("/static", StaticFiles(directory=page.HERE / "static"), name="static")
    app.add_middleware(limit.BodyLimit)
    app.middleware("http")(_with_headers)
    app.exception_handler(entry.SignInNeededError)(_to_sign_in)
    app.exception_handler(entry.NotYoursError)(_not_found)
    app.exception_handler(HTTPException)(_not_found)
    app.exception_handler(RequestValidationError)(_not_found)
    app.exception_handler(C2MError)(_in_words)
    return Door(app, keyed=False, look=_look)


@asynccontextmanager
async def _ringing(_: FastAPI) -> AsyncIterator[None]:
    """Merchants' addresses are called while the site is served."""
    bell = Bell()
    bell.start()
    yield
    bell.stop()


async def _with_headers(request: Request, go_on: Callable[[Request], Awaitable[Response]]) -> Response:
    response = await go_on(request)
    response.headers.update(_HEADERS)
    return response


def _to_sign_in(request: Request, _: Exception) -> Response:
    if request.method == "GET":
        return RedirectResponse("/sign-in", 303)
    return page.shown(request, "sign_in.html", 401, token=None)


def _not_found(request: Request, error: Exception) -> Response:
    """The same words whether there is no such page or it is somebody else's."""
    status = error.status_code if isinstance(error, HTTPException) else 404
    if request.url.path.startswith(
        (f"{site.PREFIX}/", f"{door.PREFIX}/")
    ):  # with a line break in it, which leads to no mounted application
        return problems.of_http(request, error)
    faults = [str(getattr(error, "detail", ""))] if status in limit.STATUS else []
    return page.shown(request, "error.html", status, faults=faults)


def _in_words(request: Request, error: Exception) -> Response:
    return page.shown(request, "error.html", 409, faults=getattr(error, "faults", []))


def _look() -> Health:
    """Ready once the ledger answers."""
    with store.reading():
        return Health()
