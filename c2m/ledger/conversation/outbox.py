"""Messages to factories: written with the fact that they tell, delivered at least once, in order, until answered.

Delivery runs on wall-clock time (the `wall` of each function), so that a retry does not wait for a virtual clock.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any

from pydantic_core import to_json
from sqlalchemy import RowMapping, delete, func, select, update
from sqlalchemy.exc import NoResultFound
from sqlalchemy.orm import Session, aliased

from c2m.ids import derive_id
from c2m.ledger import audit
from c2m.ledger.store import chunks, insert_missing, serialise, upsert
from c2m.ledger.tables import UNTRIED, Outbox, RelayLease
from c2m.settings import settings
from c2m.wire.messages import CANCEL, PLATFORM, STORE, Cancel, JobOrder, Start, compose, type_of

OPEN = ("pending", "sent")
# After which a relay that fell silent counts as dead, where it does not come back by its name.
LEASE = timedelta(seconds=60)
MOST_DOUBLINGS = 6  # a factory that is silent for hours is asked again about once an hour at the default timeout


@dataclass(frozen=True)
class OutboxMessage:
    """What the relay sends: `body` as it is, under `message_id`."""

    message_id: str
    factory_id: str
    job_order_id: str
    type: str
    body: bytes


@dataclass(frozen=True)
class NewMessage:
    """A message to be written; its id follows from job order, revision and type."""

    factory_id: str
    data: JobOrder | Start | Cancel
    at: datetime

    @property
    def message_id(self) -> str:
        """Under which it is known, however often it is written or sent."""
        return derive_id(self.data.job_order_id, self.data.revision, type_of(self.data))


def put(session: Session, letters: Sequence[NewMessage]) -> None:
    """Appends messages to their factories' queues; one that is already there stays as it is."""
    factories = sorted({letter.factory_id for letter in letters})
    serialise(session, "outbox", factories)
    position = _last_positions(session, factories)
    rows = []
    for letter in letters:
        position[letter.factory_id] = position.get(letter.factory_id, 0) + 1
        rows.append(_row(letter, position[letter.factory_id]))
    known = _known(session, [str(row["message_id"]) for row in rows])
    insert_missing(session, Outbox, rows)
    for row in rows:
        if row["message_id"] not in known:
            _note(session, "written", session.info.get(audit.ACTOR, PLATFORM), row)


def _last_positions(session: Session, factory_ids: Sequence[str]) -> dict[str, int]:
    position: dict[str, int] = {}
    for some in chunks(factory_ids):
        last = select(Outbox.factory_id, func.max(Outbox.position)).where(Outbox.factory_id.in_(some))
        position |= dict(session.execute(last.group_by(Outbox.factory_id)).tuples().all())
    return position


def _known(session: Session, message_ids: Sequence[str]) -> set[str]:
    """Which of the messages are in the outbox already."""
    found: set[str] = set()
    for some in chunks(message_ids):
        found.update(session.scalars(select(Outbox.message_id).where(Outbox.message_id.in_(some))))
    return found


def _note(session: Session, event: audit.Event, actor: str, row: Mapping[Any, Any], detail: str = "") -> None:
    digest = audit.digest_of(to_json(row["payload"]))
    what = (row["message_id"], row["type"], actor, digest, row["job_order_id"], detail)
    audit.note(session, audit.Entry(row["factory_id"], event, *what))


def _row(letter: NewMessage, position: int) -> dict[str, object]:
    envelope = compose(letter.data, PLATFORM, letter.at, letter.message_id)
    return {
        "message_id": envelope.id,
        "factory_id": letter.factory_id,
        "job_order_id": letter.data.job_order_id,
        "revision": letter.data.revision,
        "type": envelope.type,
        "payload": envelope.model_dump(mode="json", exclude_none=True),
        "position": position,
        "state": "pending",
        "attempts": 0,
        "next_attempt_at": None,
        "at": letter.at,
    }


def claim(session: Session, relay: str, wall: datetime, without: Collection[str] = ()) -> list[OutboxMessage]:
    """What is due for factories that no other relay is at; these are the relay's until it frees them or LEASE passes.

    Parameters
    ----------
    session
        Transaction of the ledger.
    relay
        Its name.
    wall
        UTC of the real clock, on which transports run.
    without
        Factories to leave alone now.

    Returns
    -------
    list of OutboxMessage
        In order per factory.
    """
    serialise(session, "relays")
    messages = due(session, wall, without={*_taken(session, relay, wall), *without})
    _lease(session, relay, {message.factory_id for message in messages}, wall + LEASE)
    return messages


def _lease(session: Session, relay: str, factory_ids: set[str], until: datetime) -> None:
    """The factories are the relay's until then."""
    leases = [{"factory_id": factory_id, "relay": relay, "until": until} for factory_id in sorted(factory_ids)]
    upsert(session, RelayLease, leases)


def _taken(session: Session, relay: str, wall: datetime) -> Iterable[str]:
    """Factories that another relay is at."""
    return session.scalars(select(RelayLease.factory_id).where(RelayLease.relay != relay, RelayLease.until > wall))


def free(session: Session, relay: str, factory_ids: Collection[str]) -> None:
    """Says that a relay is at factories no more.

    Parameters
    ----------
    session
        Transaction of the ledger.
    relay
        Its name.
    factory_ids
        Those it leaves.
    """
    for some in chunks(sorted(factory_ids)):
        session.execute(delete(RelayLease).where(RelayLease.relay == relay, RelayLease.factory_id.in_(some)))


def due(session: Session, wall: datetime, limit: int = 500, without: Collection[str] = ()) -> list[OutboxMessage]:
    """What to send now, in order per factory; of one job order no message while an earlier one was never sent.

    Asked for in three parts, each of which an index gives in its order: a hundred thousand that wait cost no more than
    the few that are taken.

    Parameters
    ----------
    session
        Transaction of the ledger.
    wall
        UTC of the real clock, on which transports run.
    limit
        How many at most.
    without
        Factories to leave alone.

    Returns
    -------
    list of OutboxMessage
        In order per factory.
    """
    again = [(Outbox.state == state, Outbox.next_attempt_at <= wall) for state in OPEN]
    waiting = _first(session, [UNTRIED], (Outbox.position, Outbox.factory_id), limit, without)
    for which in again:
        waiting += _first(session, which, (Outbox.next_attempt_at, Outbox.position), limit, without)
    waiting.sort(key=itemgetter("position", "factory_id"))
    return [
        OutboxMessage(row["message_id"], row["factory_id"], row["job_order_id"], row["type"], to_json(row["payload"]))
        for row in waiting[:limit]
    ]


def overdue(session: Session, wall: datetime, now: datetime, grace: timedelta, most: int = 100) -> int:
    """How many messages the relay should have taken up already.

    Parameters
    ----------
    session
        Transaction of the ledger.
    wall
        UTC of the real clock, on which transports run.
    now
        UTC of the platform's clock: of what was never tried.
    grace
        For how long they may have been due.
    most
        How many of a kind are counted at most.

    Returns
    -------
    int
        Messages.
    """
    kinds = [[UNTRIED, Outbox.at <= now - grace]]
    kinds += [[Outbox.state == state, Outbox.next_attempt_at <= wall - grace] for state in OPEN]
    return sum(len(_first(session, which, (Outbox.position,), most, ())) for which in kinds)


def lag_s(session: Session, wall: datetime, now: datetime) -> float:
    """For how long the message that has waited longest was due.

    Parameters
    ----------
    session
        Transaction of the ledger.
    wall
        UTC of the real clock, on which transports run.
    now
        UTC of the platform's clock: of what was never tried.

    Returns
    -------
    float
        Seconds; 0 where none is due.
    """
    untried = session.scalar(select(func.min(Outbox.at)).where(UNTRIED))
    again = session.scalar(select(func.min(Outbox.next_attempt_at)).where(Outbox.state.in_(OPEN)))
    waited = [(now - untried).total_seconds()] if untried else []
    waited += [(wall - again).total_seconds()] if again else []
    return max([0.0, *waited])


def _first(
    session: Session, which: Iterable[Any], order: Iterable[Any], limit: int, without: Collection[str]
) -> list[RowMapping]:
    """The first messages of a kind that neither their factory nor an earlier message of their job order holds up."""
    earlier = aliased(Outbox)
    blocked = (
        select(earlier.message_id)
        .where(earlier.job_order_id == Outbox.job_order_id, earlier.position < Outbox.position)
        .where(earlier.state == "pending")
    )
    columns = (Outbox.message_id, Outbox.factory_id, Outbox.job_order_id, Outbox.type, Outbox.payload, Outbox.position)
    elsewhere = (Outbox.factory_id.not_in(some) for some in chunks(sorted(without)))
    statement = select(*columns).where(*which, ~blocked.exists(), *elsewhere).order_by(*order).limit(limit)
    return list(session.execute(statement).mappings())


def lock(session: Session, message_ids: Iterable[str]) -> None:
    """Locks messages for this transaction. All who lock messages do it in the order of their ids, so that none waits
    for another.

    Parameters
    ----------
    session
        Transaction of the ledger.
    message_ids
        In any order.
    """
    for some in chunks(sorted(message_ids)):
        chosen = select(Outbox.message_id).where(Outbox.message_id.in_(some))
        session.execute(chosen.order_by(Outbox.message_id).with_for_update())


def mark_sent(session: Session, message_ids: Sequence[str], wall: datetime) -> None:
    """The transport took messages over; they come due again unless the factory answers in time.

    Parameters
    ----------
    session
        Transaction of the ledger.
    message_ids
        Those it took.
    wall
        UTC of the real clock, on which transports run.
    """
    for row in _attempted(session, message_ids, wall, {"state": "sent"}):
        _note(session, "sent", PLATFORM, row, f"attempt {row['attempts'] + 1}")


def postpone(session: Session, message_ids: Sequence[str], wall: datetime) -> None:
    """The transport could not take messages; they come due again later.

    Parameters
    ----------
    session
        Transaction of the ledger.
    message_ids
        Those it could not take.
    wall
        UTC of the real clock, on which transports run.
    """
    _attempted(session, message_ids, wall, {})


def _attempted(
    session: Session, message_ids: Sequence[str], wall: datetime, change: dict[str, str]
) -> list[RowMapping]:
    """Counts an attempt of what is still open; returns the messages as they were before, in their factories' order."""
    names = ("message_id", "type", "payload", "job_order_id", "factory_id", "position", "attempts", "state")
    columns = [getattr(Outbox, name) for name in names]
    found: list[RowMapping] = []
    for some in chunks(message_ids):
        chosen = select(*columns).where(Outbox.message_id.in_(some)).order_by(Outbox.message_id).with_for_update()
        rows = session.execute(chosen).mappings().all()
        tried: dict[int, list[str]] = defaultdict(list)
        for row in rows:
            if row["state"] in OPEN:
                tried[row["attempts"]].append(row["message_id"])
        for attempts, ids in tried.items():
            pause = timedelta(seconds=settings().answer_timeout_s * 2 ** min(attempts, MOST_DOUBLINGS))
            later = {"attempts": attempts + 1, "next_attempt_at": wall + pause}
            session.execute(update(Outbox).where(Outbox.message_id.in_(ids)).values(later | change))
        found += rows
    return sorted(found, key=itemgetter("position"))


@dataclass
class Correspondence:
    """All that was said to a factory about one job order, locked; what changes is written as the session flushes."""

    messages: list[Outbox] = field(default_factory=list)

    def unanswered(self, type: str) -> bool:
        """Whether the factory owes us an answer to a message of this type."""
        return any(message.type == type and message.state in OPEN for message in self.messages)

    def answered(self, type: str, revision: int | None = None) -> None:
        """The factory answered what we said of this type (and revision): it is not sent again."""
        for message in self.messages:
            if message.type == type and revision in (None, message.revision):
                message.state = "answered"

    def void(self) -> None:
        """What is still open is overtaken: not sent again. Cancels go on until they are confirmed."""
        for message in self.messages:
            if message.type != CANCEL and message.state in OPEN:
                message.state = "void"

    def offered(self, revision: int) -> tuple[JobOrder, bool]:
        """What a revision asked of the factory, and whether the factory has answered it."""
        for message in self.messages:
            if (message.type, message.revision) == (STORE, revision):
                return JobOrder.model_validate_json(to_json(message.payload["data"])), message.state == "answered"
        raise NoResultFound(f"revision {revision} of the job order was never offered")

    def reopen(self, message_id: str) -> bool:
        """Sends a message once more that was answered already; whether there is such a message."""
        for message in self.messages:
            if message.message_id == message_id:
                if message.state not in OPEN:
                    message.state, message.next_attempt_at = "pending", None
                return True
        return False


def correspondence(session: Session, job_order_ids: Sequence[str]) -> dict[str, Correspondence]:
    """By job order."""
    found: dict[str, Correspondence] = defaultdict(Correspondence)
    for some in chunks(job_order_ids):
        chosen = select(Outbox).where(Outbox.job_order_id.in_(some)).order_by(Outbox.message_id).with_for_update()
        for message in session.scalars(chosen.execution_options(populate_existing=True)):
            found[message.job_order_id].messages.append(message)
    return found


def agreed(session: Session, confirmed: Mapping[str, int]) -> dict[str, JobOrder]:
    """What each job order's factory has accepted last, by its confirmed revision."""
    found: dict[str, JobOrder] = {}
    for some in chunks(sorted(confirmed)):
        for job_order_id, revision, payload in _stored(session, some):
            if revision == confirmed[job_order_id]:
                found[job_order_id] = JobOrder.model_validate_json(to_json(payload["data"]))
    return found


def _stored(session: Session, job_order_ids: Sequence[str]) -> Iterable[Any]:
    """Id, revision and payload of all that factories were asked to make."""
    chosen = select(Outbox.job_order_id, Outbox.revision, Outbox.payload)
    return session.execute(chosen.where(Outbox.job_order_id.in_(job_order_ids), Outbox.type == STORE))


def void(session: Session, job_order_ids: Iterable[str]) -> None:
    """As of a `Correspondence`, of many job orders."""
    found = _unsent(session, job_order_ids)
    lock(session, found)
    for some in chunks(found):
        session.execute(update(Outbox).where(Outbox.message_id.in_(some), Outbox.state.in_(OPEN)).values(state="void"))


def _unsent(session: Session, job_order_ids: Iterable[str]) -> list[str]:
    """Messages about job orders that are not sent yet; a cancel is sent in any case."""
    found: list[str] = []
    for some in chunks(sorted(job_order_ids)):
        open_ = (Outbox.job_order_id.in_(some), Outbox.state.in_(OPEN), Outbox.type != CANCEL)
        found += session.scalars(select(Outbox.message_id).where(*open_))
    return found


def unanswered(session: Session, type: str) -> set[str]:
    """Job orders that owe us an answer to a message of this type."""
    return set(session.scalars(select(Outbox.job_order_id).where(Outbox.type == type, Outbox.state.in_(OPEN))))
