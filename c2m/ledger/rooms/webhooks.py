"""Addresses at which merchants want to hear of events, and the outbox of what is to be told there.

Moments of attempts are of the wall clock: the platform's own may stand still.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from c2m.ledger.store import Scope, insert_missing
from c2m.ledger.tables import MerchantEvent, Webhook, WebhookCall

MOST = 10  # addresses of a merchant
MOST_ATTEMPTS = 14  # over two days, then the event is given up there; GET /events still has it
_FIRST, _LONGEST = timedelta(seconds=5), timedelta(hours=6)


@dataclass(frozen=True)
class Call:
    """An event to be told to an address. attempt: the number of this one."""

    webhook_id: str
    url: str  # where it is told
    position: int  # of the event
    attempt: int
    event: MerchantEvent


def add(session: Session, webhook_id: str, merchant_id: str, url: str, after: int, at: datetime) -> None:
    """Keeps an address; the same id again changes nothing.

    Parameters
    ----------
    session
        Transaction of the ledger.
    webhook_id
        Id of the address.
    merchant_id
        Whose events are told there.
    url
        The address.
    after
        Position of the last event that is not told.
    at
        UTC.
    """
    row = {"webhook_id": webhook_id, "merchant_id": merchant_id, "url": url, "after": after, "at": at}
    insert_missing(session, Webhook, [row | {"ended_at": None}])


def of_scope(session: Session, scope: Scope) -> list[Webhook]:
    """The addresses that have not ended, the first first.

    Parameters
    ----------
    session
        Transaction of the ledger.
    scope
        Whose rows are seen.

    Returns
    -------
    list of Webhook
        With their ids.
    """
    own = select(Webhook).where(Webhook.ended_at.is_(None), *scope.conditions(Webhook))
    return list(session.scalars(own.order_by(Webhook.at, Webhook.webhook_id)))


def end(session: Session, webhook_id: str, scope: Scope, at: datetime) -> bool:
    """Ends an address, and what is to be told there.

    Parameters
    ----------
    session
        Transaction of the ledger.
    webhook_id
        Which address.
    scope
        Whose rows are seen.
    at
        UTC.

    Returns
    -------
    bool
        Whether it was in scope.
    """
    found = session.scalar(select(Webhook).where(Webhook.webhook_id == webhook_id, *scope.conditions(Webhook)))
    if found is None:
        return False
    found.ended_at = found.ended_at or at
    for call in session.scalars(select(WebhookCall).where(WebhookCall.webhook_id == webhook_id)):
        call.next_attempt_at = None
    return True


def fan_out(session: Session, at: datetime) -> None:
    """Puts every event that an address has not been told into the outbox.

    Parameters
    ----------
    session
        Transaction of the ledger.
    at
        UTC, from when on it is due.
    """
    live = (MerchantEvent.merchant_id == Webhook.merchant_id, MerchantEvent.position > Webhook.after)
    chosen = select(Webhook, MerchantEvent.position).join(MerchantEvent, live[0] & live[1])
    for webhook, position in session.execute(chosen.where(Webhook.ended_at.is_(None)).order_by(MerchantEvent.position)):
        row = {"webhook_id": webhook.webhook_id, "position": position, "attempts": 0, "next_attempt_at": at}
        insert_missing(session, WebhookCall, [row | {"answer": ""}])
        webhook.after = position


def claim(session: Session, at: datetime, limit: int) -> Sequence[Call]:
    """What is due, each put off to its next attempt first: whoever is killed while telling tells it again.

    Parameters
    ----------
    session
        Transaction of the ledger.
    at
        UTC.
    limit
        How many at most.

    Returns
    -------
    list of Call
        In the order of events.
    """
    due = select(WebhookCall, Webhook.url, MerchantEvent).join(Webhook, Webhook.webhook_id == WebhookCall.webhook_id)
    due = due.join(MerchantEvent, MerchantEvent.position == WebhookCall.position)
    due = due.where(WebhookCall.next_attempt_at <= at).order_by(WebhookCall.position).limit(limit)
    calls = []
    for row, url, event in session.execute(due.with_for_update(of=WebhookCall, skip_locked=True)):
        row.attempts += 1
        row.next_attempt_at = at + min(_FIRST * 2**row.attempts, _LONGEST)
        calls.append(Call(row.webhook_id, url, row.position, row.attempts, event))
    return calls


def note(session: Session, call: Call, answer: str, taken: bool) -> None:
    """Keeps what an address answered; taken, or tried often enough, the event is not told again.

    Parameters
    ----------
    session
        Transaction of the ledger.
    call
        What was told.
    answer
        In words; 200 characters are kept.
    taken
        Whether the address took it.
    """
    row = session.get(WebhookCall, (call.webhook_id, call.position))
    if row is not None:
        row.answer = answer[:200]
        if taken or row.attempts >= MOST_ATTEMPTS:
            row.next_attempt_at = None
