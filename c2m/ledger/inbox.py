"""What factories say: each message takes effect once; what cannot be obeyed becomes a dead letter with its reason.

Several messages may share a transaction, which locks their job orders first (`lock`), in the order in which a release, and
all else that takes many of them, locks them. Where two transactions nevertheless wait for each other, PostgreSQL ends
one with an OperationalError, and it is to be repeated as a whole. The locks leave the keys free (FOR NO KEY UPDATE):
whoever writes a row that refers to a job order, such as the relay, does not wait for them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from c2m.floor.messages import KIND_OF_TYPE, Envelope, ResponseMessage, StatusMessage, derive_id, topic
from c2m.ledger import audit, responses, status
from c2m.ledger.store import chunks, insert_missing
from c2m.ledger.tables import DeadLetter, Inbox, JobOrder

DEAD = "dead-letter"


def lock(session: Session, envelopes: Iterable[object]) -> None:
    """Locks the job orders that the responses among these speak of, by id."""
    spoken_of = {message.data.job_order_id for message in envelopes if isinstance(message, ResponseMessage)}
    for some in chunks(sorted(spoken_of)):
        concerned = select(JobOrder.job_order_id).where(JobOrder.job_order_id.in_(some))
        session.execute(concerned.order_by(JobOrder.job_order_id).with_for_update(key_share=True))


def receive(session: Session, envelope: Envelope, topic_factory_id: str, at: datetime) -> str:
    """Obeys a response or a status; returns its effect: `responses.Effect`, status, duplicate or dead-letter."""
    if envelope.factory_id != topic_factory_id:
        return _refuse(
            session, envelope, topic_factory_id, f"source {envelope.source} spoke for {topic_factory_id}", at
        )
    if isinstance(envelope, StatusMessage):
        status.report(session, topic_factory_id, envelope.data.online, envelope.data.through, at)
        return "status"
    if not isinstance(envelope, ResponseMessage):
        return _refuse(session, envelope, topic_factory_id, f"type {envelope.type}, expected a response or status", at)
    # The lock on the job order makes two copies of one message come one after the other.
    job = session.get(JobOrder, envelope.data.job_order_id, with_for_update={"key_share": True})
    if job is None or job.factory_id != topic_factory_id:
        return _refuse(session, envelope, topic_factory_id, f"unknown job order {envelope.data.job_order_id}", at)
    if envelope.data.revision > job.revision:
        asked = f"revision {envelope.data.revision}, expected at most {job.revision}"
        return _refuse(session, envelope, topic_factory_id, asked, at)
    if session.get(Inbox, (envelope.source, envelope.id)):
        return "duplicate"
    # A factory's clock may run ahead; nothing happens later than now.
    effect = responses.answer(session, job, envelope.data, min(envelope.time, at))
    session.add(_entry(envelope, topic_factory_id, effect, at))
    digest = audit.digest_of(envelope.body())
    what = (envelope.id, envelope.type, envelope.source, digest, envelope.data.job_order_id, effect)
    audit.note(session, audit.Entry(topic_factory_id, "received", *what))
    session.flush()  # a later message of the same transaction reads the job order afresh
    return effect


def _entry(envelope: ResponseMessage, factory_id: str, effect: str, at: datetime) -> Inbox:
    return Inbox(
        source=envelope.source,
        message_id=envelope.id,
        type=envelope.type,
        factory_id=factory_id,
        effect=effect,
        at=at,
    )


def _refuse(session: Session, envelope: Envelope, factory_id: str, reason: str, at: datetime) -> str:
    where = topic(factory_id, KIND_OF_TYPE[envelope.type])
    dead_letter(session, factory_id, where, envelope.body(), reason, at)
    return DEAD


@dataclass(frozen=True)
class Refused:
    """A message that nobody can obey."""

    factory_id: str
    topic: str
    payload: bytes
    reason: str

    @property
    def text(self) -> str:
        """As the ledger keeps it: PostgreSQL stores no NUL."""
        return self.payload.decode("utf-8", "replace").replace("\x00", "\ufffd")

    @property
    def letter_id(self) -> str:
        """The same message refused for the same reason is one letter."""
        return derive_id("dead-letter", self.topic, self.text, self.reason)


def dead_letter(session: Session, factory_id: str, topic: str, payload: bytes, reason: str, at: datetime) -> str:
    """Keeps a message that nobody can obey; the same one again changes nothing. Returns its letter_id."""
    refused = Refused(factory_id, topic, payload, reason)
    dead_letters(session, [refused], at)
    return refused.letter_id


def dead_letters(session: Session, refused: Iterable[Refused], at: datetime) -> None:
    """Keeps many at once: a flood of them must not hold up what can be obeyed."""
    letters = {letter.letter_id: letter for letter in refused}
    known: set[str] = set()
    for some in chunks(list(letters)):
        known.update(session.scalars(select(DeadLetter.letter_id).where(DeadLetter.letter_id.in_(some))))
    new = {letter_id: letter for letter_id, letter in letters.items() if letter_id not in known}
    for letter_id, letter in new.items():
        where, digest = letter.topic[:200], audit.digest_of(letter.payload)
        what = (letter_id, where, where, digest)
        audit.note(session, audit.Entry(letter.factory_id, "dead-letter", *what, detail=letter.reason))
    rows = [
        {"letter_id": letter_id, "factory_id": x.factory_id, "topic": x.topic, "payload": x.text, "reason": x.reason}
        for letter_id, x in new.items()
    ]
    insert_missing(session, DeadLetter, [row | {"at": at} for row in rows])
