"""Who asks: the session behind a cookie, what its role may do, and the token that each form carries against forgery.

A session is of a link (c2m/ledger/rooms/links.py) and ends with it, or when its holder signs out: each request looks
whether it still holds.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Form, Request, Response
from itsdangerous import BadSignature

from c2m.ledger.rooms import links
from c2m.ledger.rooms.links import Grant
from c2m.ledger.states import Role
from c2m.ledger.store import reading
from c2m.rooms.links import signer, site

COOKIE = "c2m_room"
_SALT = "c2m.rooms.session"
OPERATIONS: tuple[Role, ...] = ("operator", "planner", "data", "auditor")  # see every merchant and factory
DECIDERS: tuple[Role, ...] = ("operator", "planner")
HOME = {"merchant": "/merchant", "factory": "/factory"}  # of the others: /


@dataclass(frozen=True)
class Person:
    """Who is signed in. csrf: what each form of theirs carries; no other session has the same."""

    grant: Grant
    csrf: str

    @property
    def home(self) -> str:
        """Where their room begins."""
        return HOME.get(self.grant.role, "/")

    @property
    def decides(self) -> bool:
        """Whether they may release and reject plans."""
        return self.grant.role in DECIDERS


class SignInNeededError(Exception):
    """Nobody is signed in, or no longer."""


class NotYoursError(Exception):
    """The page or the row is not for this person; whether it exists is not said."""


def begin(response: Response, grant: Grant) -> None:
    """Signs a person in: the cookie holds while the browser is open, and as long as the link does."""
    content = signer(_SALT).dumps([grant.link_id, secrets.token_urlsafe(16)])
    secure = site().startswith("https://")
    response.set_cookie(COOKIE, content, expires=grant.expires_at, httponly=True, samesite="lax", secure=secure)


def end(response: Response) -> None:
    """Takes the cookie of a session that was ended from this browser."""
    response.delete_cookie(COOKIE, httponly=True, samesite="lax")


def known(request: Request) -> Person | None:
    """Who asks; None where nobody is signed in."""
    try:
        link_id, csrf = signer(_SALT).loads(request.cookies.get(COOKIE, ""))
    except (BadSignature, ValueError):
        return None
    with reading() as s:
        grant = links.of_session(s, link_id, csrf, datetime.now(UTC))
    return Person(grant, csrf) if grant else None


def _allowed(*roles: Role) -> Callable[[Request], Person]:
    def person(request: Request) -> Person:
        found = known(request)
        if found is None:
            raise SignInNeededError
        if found.grant.role not in roles:
            raise NotYoursError
        request.state.person = found
        return found

    return person


def _unforged(request: Request, csrf: Annotated[str, Form()] = "") -> None:
    """A form comes from a page of ours: it carries what only this session's pages know."""
    found = known(request)
    if found is None:
        raise SignInNeededError
    if not secrets.compare_digest(csrf.encode(), found.csrf.encode()):
        raise NotYoursError


Operations = Annotated[Person, Depends(_allowed(*OPERATIONS))]
Decider = Annotated[Person, Depends(_allowed(*DECIDERS))]
Merchant = Annotated[Person, Depends(_allowed("merchant"))]
Factory = Annotated[Person, Depends(_allowed("factory"))]
Anyone = Annotated[Person, Depends(_allowed(*OPERATIONS, "merchant", "factory"))]
Unforged = Depends(_unforged)  # in `dependencies` of each route that a form is sent to
