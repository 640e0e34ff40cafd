"""Signing in by link, out again, and the choice of a language."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from c2m.ledger.rooms.links import end_own, end_session
from c2m.ledger.store import session
from c2m.rooms import entry, links, page, team, texts
from c2m.settings import settings

routes = APIRouter()


@routes.get("/sign-in")
def needed(request: Request) -> Response:
    """How to get in."""
    return page.shown(request, "sign_in.html", 401, token=None, team=_team())


@routes.get("/in/{token}")
def open_link(request: Request, token: str) -> Response:
    """A page that posts: what only looks at a link, such as a chat's preview, signs nobody in."""
    return page.shown(request, "sign_in.html", token=token)


@routes.post("/in")
def enter(request: Request, token: Annotated[str, Form()]) -> Response:
    """Takes the token and begins a session."""
    if (grant := links.redeem(token)) is None:
        return page.shown(request, "sign_in.html", 403, token=None, refused=True)
    response = RedirectResponse(entry.HOME.get(grant.role, "/"), 303)
    entry.begin(response, grant)
    return response


@routes.post("/out", dependencies=[entry.Unforged])
def leave(request: Request) -> Response:
    """Ends the session, wherever its cookie is; one that a team's account began ends with its entry in the list."""
    if person := entry.known(request):
        now = datetime.now(UTC)
        with session() as s:
            end_session(s, person.grant, person.csrf, now)
            end_own(s, person.grant.link_id, team.maker(), now)
    response = RedirectResponse("/sign-in", 303)
    entry.end(response)
    return response


def _team() -> str:
    """Where people sign in with their team's accounts; '' where that is not set up."""
    return team.PREFIX if settings().sign_in.issuer else ""


@routes.get("/language/{code}")
def speak(code: str, to: str = "/") -> Response:
    """Chooses a language and goes back to a page of ours."""
    own = to if to.startswith("/") and not to.startswith(("//", "/\\")) else "/"
    response = RedirectResponse(own, 303)
    if code in texts.languages():
        response.set_cookie(page.LANGUAGE, code, max_age=365 * 86400, httponly=True, samesite="lax")
    return response
