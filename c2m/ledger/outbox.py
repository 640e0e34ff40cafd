"""Messages to factories: written with the fact that they tell, delivered at least once, in order, until answered.

Delivery runs on wall-clock time (the `wall` of each function), so that a retry does not wait for a virtual clock.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic_core import to_json
from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from c2m.floor.messages import CANCEL, PLATFORM, STORE, Cancel, JobOrder, Start, compose, derive_id
from c2m.ledger import audit
from c2m.ledger.store import chunks, insert_missing, serialise, upsert
from c2m.ledger.tables import Outbox, RelayLease
from c2m.settings import settings

OPEN = ("pending", "sent")
# After which a relay that fell silent counts as dead, where it does not come back by its name.
LEASE = timedelta(seconds=60)
MOST_DOUBLINGS = 6  # a factory that is silent for hours is asked again about once an hour at the default timeout


@dataclass(frozen=True)
class Message:
    """What the relay sends: `body` as it is, under `message_id`."""

    message_id: str
    factory_id: str
    job_order_id: str
    type: str
    body: bytes


@dataclass(frozen=True)
class Letter:
    """A message to be written; its id follows from job order, revision and type."""

    factory_id: str
    data: JobOrder | Start | Cancel


def put(session: Session, letters: Sequence[Letter], at: datetime) -> None:
    """Appends messages to their factories' queues; one that is already there stays as it is."""
    factories = sorted({letter.factory_id for letter in letters})
    serialise(session, "outbox", factories)
    position: dict[str, int] = {}
    for some in chunks(factories):
        last = select(Outbox.factory_id, func.max(Outbox.position)).where(Outbox.factory_id.in_(some))
        position |= dict(session.execute(last.group_by(Outbox.factory_id)).all())
    rows = []
    for letter in letters:
        position[letter.factory_id] = position.get(letter.factory_id, 0) + 1
        rows.append(_row(letter, position[letter.factory_id], at))
    known = _known(session, [str(row["message_id"]) for row in rows])
    insert_missing(session, Outbox, rows)
    for row in rows:
        if row["message_id"] not in known:
            _note(session, "written", session.info.get(audit.ACTOR, PLATFORM), row)


def _known(session: Session, message_ids: Sequence[str]) -> set[str]:
    """Which of the messages are in the outbox already."""
    found: set[str] = set()
    for some in chunks(message_ids):
        found.update(session.scalars(select(Outbox.message_id).where(Outbox.message_id.in_(some))))
    return found


def _note(session: Session, event: audit.Event, actor: str, row: Mapping[str, Any], detail: str = "") -> None:
    digest = audit.digest_of(to_json(row["payload"]))
    what = (row["message_id"], row["type"], actor, digest, row["job_order_id"], detail)
    audit.note(session, audit.Entry(row["factory_id"], event, *what))


def _row(letter: Letter, position: int, at: datetime) -> dict[str, object]:
    job_order_id, revision = letter.data.job_order_id, letter.data.revision
    envelope = compose(letter.data, PLATFORM, at)
    message_id = derive_id(job_order_id, revision, envelope.type)
    return {
        "message_id": message_id,
        "factory_id": letter.factory_id,
        "job_order_id": job_order_id,
        "revision": revision,
        "type": envelope.type,
        "payload": envelope.model_copy(update={"id": message_id}).model_dump(mode="json", exclude_none=True),
        "position": position,
        "state": "pending",
        "attempts": 0,
        "next_attempt_at": None,
        "at": at,
    }


def claim(session: Session, relay: str, wall: datetime, without: Collection[str] = ()) -> list[Message]:
    """What is due for factories that no other relay is at; these are the relay's until it frees them or LEASE passes.

    without: factories to leave alone now.
    """
    serialise(session, "relays")
    theirs = select(RelayLease.factory_id).where(RelayLease.relay != relay, RelayLease.until > wall)
    taken = {*session.scalars(theirs), *without}
    messages = due(session, wall, without=taken)
    mine = sorted({message.factory_id for message in messages})
    upsert(session, RelayLease, [{"factory_id": name, "relay": relay, "until": wall + LEASE} for name in mine])
    return messages


def free(session: Session, relay: str) -> None:
    """The relay is at no factory any more."""
    session.execute(delete(RelayLease).where(RelayLease.relay == relay))


def due(session: Session, wall: datetime, limit: int = 500, without: Collection[str] = ()) -> list[Message]:
    """What to send now, in order per factory; of one job order no message while an earlier one was never sent."""
    earlier = aliased(Outbox)
    blocked = (
        select(earlier.message_id)
        .where(earlier.job_order_id == Outbox.job_order_id, earlier.position < Outbox.position)
        .where(earlier.state == "pending")
    )
    statement = (
        select(Outbox.message_id, Outbox.factory_id, Outbox.job_order_id, Outbox.type, Outbox.payload)
        .where(Outbox.state.in_(OPEN), or_(Outbox.next_attempt_at.is_(None), Outbox.next_attempt_at <= wall))
        .where(~blocked.exists(), *(Outbox.factory_id.not_in(some) for some in chunks(sorted(without))))
        .order_by(Outbox.position, Outbox.factory_id)
        .limit(limit)
    )
    return [
        Message(row.message_id, row.factory_id, row.job_order_id, row.type, to_json(row.payload))
        for row in session.execute(statement)
    ]


def mark_sent(session: Session, message_ids: Sequence[str], wall: datetime) -> None:
    """The transport took them over; they come due again unless the factory answers in time."""
    for some in chunks(message_ids):
        columns = (Outbox.message_id, Outbox.factory_id, Outbox.job_order_id, Outbox.type, Outbox.payload)
        found = session.execute(
            select(*columns, Outbox.attempts).where(Outbox.message_id.in_(some)).order_by(Outbox.position)
        )
        for row in map(dict, found.mappings()):
            _note(session, "sent", PLATFORM, row, f"attempt {row['attempts'] + 1}")
    _attempted(session, message_ids, wall, {"state": "sent"})


def postpone(session: Session, message_ids: Sequence[str], wall: datetime) -> None:
    """The transport could not take them; they come due again later."""
    _attempted(session, message_ids, wall, {})


def _attempted(session: Session, message_ids: Sequence[str], wall: datetime, change: dict[str, str]) -> None:
    for some in chunks(message_ids):
        chosen = (Outbox.message_id.in_(some), Outbox.state.in_(OPEN))
        for attempts in session.scalars(select(Outbox.attempts).where(*chosen).distinct()).all():
            pause = timedelta(seconds=settings().answer_timeout_s * 2 ** min(attempts, MOST_DOUBLINGS))
            later = {"attempts": attempts + 1, "next_attempt_at": wall + pause}
            session.execute(update(Outbox).where(*chosen, Outbox.attempts == attempts).values(later | change))


def mark_answered(session: Session, job_order_id: str, type: str, revision: int | None = None) -> None:
    """The factory answered what we said of this type (and revision): it is not sent again."""
    statement = update(Outbox).where(Outbox.job_order_id == job_order_id, Outbox.type == type)
    if revision is not None:
        statement = statement.where(Outbox.revision == revision)
    session.execute(statement.values(state="answered"))


def void(session: Session, job_order_ids: Iterable[str]) -> None:
    """What is still open of these job orders is overtaken: not sent again. Cancels go on until they are confirmed."""
    for some in chunks(sorted(job_order_ids)):
        open_ = (Outbox.job_order_id.in_(some), Outbox.state.in_(OPEN), Outbox.type != CANCEL)
        session.execute(update(Outbox).where(*open_).values(state="void"))


def cancel_again(session: Session, letter: Letter, at: datetime) -> None:
    """Writes a cancel; one that was answered already is sent once more."""
    put(session, [letter], at)
    message = Outbox.message_id == derive_id(letter.data.job_order_id, letter.data.revision, CANCEL)
    reopened = {"state": "pending", "next_attempt_at": None}
    session.execute(update(Outbox).where(message, Outbox.state.not_in(OPEN)).values(reopened))


def unanswered(session: Session, type: str, job_order_id: str | None = None) -> set[str]:
    """Job orders that owe us an answer to a message of this type."""
    statement = select(Outbox.job_order_id).where(Outbox.type == type, Outbox.state.in_(OPEN))
    if job_order_id is not None:
        statement = statement.where(Outbox.job_order_id == job_order_id)
    return set(session.scalars(statement))


def offered(session: Session, job_order_id: str, revision: int) -> tuple[JobOrder, bool]:
    """What a revision asked of the factory, and whether the factory has answered it."""
    wanted = select(Outbox.payload, Outbox.state).where(Outbox.message_id == derive_id(job_order_id, revision, STORE))
    message = session.execute(wanted).one()
    return JobOrder.model_validate_json(to_json(message.payload["data"])), message.state == "answered"
