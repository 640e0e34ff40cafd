"""Links that sign a person in to the order room: made and shown once. The ledger keeps whose they are, and a hash."""

import secrets
from datetime import UTC, datetime, timedelta

from itsdangerous import BadSignature, URLSafeSerializer

from c2m.home import secret
from c2m.ledger.rooms import links
from c2m.ledger.rooms.links import Grant
from c2m.ledger.states import Role
from c2m.ledger.store import reading, session
from c2m.settings import settings

_SALT = "c2m.rooms.link"


def give(role: Role, tenant: str, person: str, days: float, made_by: str) -> tuple[str, Grant]:
    """A new link.

    Parameters
    ----------
    role
        What its holder may do.
    tenant
        The merchant or factory whose rows it shows; '' for the platform's own people.
    person
        For whom it is, in words.
    days
        Until it expires, wall clock.
    made_by
        Who gives it.

    Returns
    -------
    tuple of str and Grant
        The token that the link carries, and what it gives.

    Raises
    ------
    InputError
        There is no such role, or the tenant does not fit it.
    """
    links.refuse(role, tenant)
    at = datetime.now(UTC)
    token = signer(_SALT).dumps(secrets.token_urlsafe(24))
    grant = Grant(links.new_id(token), role, tenant, person, at + timedelta(days=days))
    with session() as s:
        links.make(s, token, grant, made_by, at)
    return token, grant


def redeem(token: str) -> Grant | None:
    """What a token gives; None where it is none of ours, has expired or was revoked."""
    try:
        signer(_SALT).loads(token)
    except BadSignature:
        return None
    with session() as s:
        return links.of_token(s, token, datetime.now(UTC))


def bearer(token: str, at: datetime) -> Grant | None:
    """As `redeem`, for a program that says its token with every request; its use is noted once an hour."""
    try:
        signer(_SALT).loads(token)
    except BadSignature:
        return None
    with reading() as s:
        grant, is_stale = links.seen(s, token, at)
    if grant and is_stale:
        redeem(token)
    return grant


def address(token: str) -> str:
    """The link as a person gets it."""
    return f"{site()}/in/{token}"


def site() -> str:
    """Where a browser finds the order room."""
    return settings().page_url("rooms").rstrip("/")


def signer(salt: str) -> URLSafeSerializer:
    """Signs with this home's key what comes back from a browser; each use has a salt of its own."""
    return URLSafeSerializer(secret("rooms"), salt)
