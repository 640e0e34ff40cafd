"""Links by which people sign in to the order room: whose they are, until when they hold, whether they were revoked.

The ledger keeps a hash of each link's token, never the token itself; the same of sessions that were ended.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import get_args

import pandas as pd
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from c2m.errors import InputError
from c2m.ids import derive_id
from c2m.ledger.states import Role
from c2m.ledger.store import Scope, frame
from c2m.ledger.tables import EndedSession, JobOrder, Order, RoomLink

TENANTS = ("merchant", "factory")  # roles that see one merchant's or one factory's rows alone
_NOTED = timedelta(hours=1)
SHOWN = ("link_id", "role", "tenant", "person", "made_by", "made_at", "expires_at", "used_at", "revoked_at")


@dataclass(frozen=True)
class Grant:
    """What a link lets its holder do. tenant: the merchant or the factory; '' for the platform's own people."""

    link_id: str
    role: Role
    tenant: str
    person: str  # who it was given to
    expires_at: datetime

    @property
    def scope(self) -> Scope:
        """Whose rows the holder sees."""
        return Scope(
            merchant_id=self.tenant if self.role == "merchant" else None,
            factory_id=self.tenant if self.role == "factory" else None,
        )


def refuse(role: str, tenant: str) -> None:
    """Refuses a role that there is not, and one without its merchant or factory, or with one that it does not need.

    Parameters
    ----------
    role
        As it was typed.
    tenant
        Merchant or factory; '': none.

    Raises
    ------
    InputError
        Both faults at once.
    """
    faults = []
    if role not in get_args(Role):
        faults.append(f"role {role!r} is unknown; expected one of {', '.join(get_args(Role))}")
    elif (role in TENANTS) != bool(tenant):
        needed = f"a {role} needs --tenant with its identifier" if role in TENANTS else f"{role} has no --tenant"
        faults.append(f"role {role}, tenant {tenant!r}: {needed}")
    if faults:
        raise InputError("room-link", faults)


def make(session: Session, token: str, grant: Grant, made_by: str, at: datetime) -> None:
    """Keeps a new link.

    Parameters
    ----------
    session
        Transaction of the ledger.
    token
        What the link carries; only its hash is kept.
    grant
        What it lets its holder do.
    made_by
        Who gives it.
    at
        UTC, wall clock.

    Raises
    ------
    InputError
        There is no such role, or it lacks its merchant or factory, or needs none.
    """
    refuse(grant.role, grant.tenant)
    kept = {name: getattr(grant, name) for name in ("link_id", "role", "tenant", "person", "expires_at")}
    session.add(RoomLink(token_sha256=_digest(token), made_by=made_by, made_at=at, **kept))


def of_token(session: Session, token: str, at: datetime) -> Grant | None:
    """What a token gives now. It is noted as used.

    Parameters
    ----------
    session
        Transaction of the ledger.
    token
        As the link carries it.
    at
        UTC.

    Returns
    -------
    Grant or None
        None where it is unknown, has expired or was revoked.
    """
    link = session.scalar(select(RoomLink).where(RoomLink.token_sha256 == _digest(token)))
    if link is None or not _holds(link, at):
        return None
    link.used_at = at
    return _grant(link)


def seen(session: Session, token: str, at: datetime) -> tuple[Grant | None, bool]:
    """What a token gives now, without a note of its use.

    Parameters
    ----------
    session
        Transaction of the ledger.
    token
        As the link carries it.
    at
        UTC.

    Returns
    -------
    tuple
        The grant, None as in `of_token`; and whether its use was last noted more than an hour ago.
    """
    link = session.scalar(select(RoomLink).where(RoomLink.token_sha256 == _digest(token)))
    if link is None or not _holds(link, at):
        return None, False
    return _grant(link), link.used_at is None or link.used_at < at - _NOTED


def of_session(session: Session, link_id: str, secret: str, at: datetime) -> Grant | None:
    """What the link of a session gives now.

    Parameters
    ----------
    session
        Transaction of the ledger.
    link_id
        Which link the session began with.
    secret
        Of the session.
    at
        UTC.

    Returns
    -------
    Grant or None
        None once it has expired or was revoked, or the session was ended.
    """
    link = session.get(RoomLink, link_id)
    if link is None or not _holds(link, at) or session.get(EndedSession, _digest(secret)) is not None:
        return None
    return _grant(link)


def end_session(session: Session, grant: Grant, secret: str, at: datetime) -> None:
    """Ends one session that a link began, whoever holds its cookie; the link and its other sessions hold on.

    Parameters
    ----------
    session
        Transaction of the ledger.
    grant
        What the session's link gives.
    secret
        What tells this session from others of the link; only its hash is kept, until the link expires.
    at
        UTC, wall clock.
    """
    session.execute(delete(EndedSession).where(EndedSession.expires_at <= at))
    session.merge(EndedSession(session_sha256=_digest(secret), expires_at=grant.expires_at))


def all_of(session: Session) -> pd.DataFrame:
    """SHOWN of every link, the newest first."""
    chosen = select(*(getattr(RoomLink, name) for name in SHOWN))
    return frame(session, chosen.order_by(RoomLink.made_at.desc(), RoomLink.link_id))


def revoke(session: Session, link_ids: Sequence[str], at: datetime) -> None:
    """Ends links and the sessions that they began; again, it changes nothing.

    Parameters
    ----------
    session
        Transaction of the ledger.
    link_ids
        Which links.
    at
        UTC.

    Raises
    ------
    InputError
        A link is unknown.
    """
    found = {link.link_id: link for link in session.scalars(select(RoomLink).where(RoomLink.link_id.in_(link_ids)))}
    if unknown := [one for one in link_ids if one not in found]:
        raise InputError("unknown-link", [f"link {one} is unknown: c2m rooms links lists them" for one in unknown])
    for link in found.values():
        link.revoked_at = link.revoked_at or at


def end_own(session: Session, link_id: str, made_by: str, at: datetime) -> None:
    """Ends a link that somebody has made, and no other.

    Parameters
    ----------
    session
        Transaction of the ledger.
    link_id
        Which link.
    made_by
        Who must have made it.
    at
        UTC.
    """
    link = session.get(RoomLink, link_id)
    if link is not None and link.made_by == made_by:
        link.revoked_at = link.revoked_at or at


def has_rows(session: Session, role: str, tenant: str) -> bool:
    """Whether the ledger knows orders of this merchant, or job orders of this factory."""
    column = Order.merchant_id if role == "merchant" else JobOrder.factory_id
    return session.scalar(select(column).where(column == tenant).limit(1)) is not None


def new_id(token: str) -> str:
    """Twelve letters by which people name a link; nothing of the token can be learned from it."""
    return derive_id("room-link", _digest(token))[:8]


def _holds(link: RoomLink, at: datetime) -> bool:
    return link.revoked_at is None and link.expires_at > at


def _grant(link: RoomLink) -> Grant:
    return Grant(link.link_id, link.role, link.tenant, link.person, link.expires_at)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
