"""What factories say: each message takes effect once; what cannot be obeyed becomes a dead letter with its reason.

Several messages may share a transaction. On PostgreSQL two such transactions can then wait for each other; the database
ends one of them with an OperationalError, and it is to be repeated as a whole.
"""

from datetime import datetime

from sqlalchemy.orm import Session

from c2m.floor.messages import KIND_OF_TYPE, MAX_BYTES, Envelope, ResponseMessage, StatusMessage, derive_id, topic
from c2m.ledger import audit, responses, status
from c2m.ledger.store import insert_missing
from c2m.ledger.tables import DeadLetter, Inbox, JobOrder

DEAD = "dead-letter"


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
    job = session.get(JobOrder, envelope.data.job_order_id, with_for_update=True)
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


def dead_letter(session: Session, factory_id: str, topic: str, payload: bytes, reason: str, at: datetime) -> str:
    """Keeps a message that nobody can obey; the same one again changes nothing. Returns its letter_id.

    Of a message that is too large for anybody to obey, what fits is kept.
    """
    text = payload[:MAX_BYTES].decode("utf-8", "replace").replace("\x00", "\ufffd")  # PostgreSQL stores no NUL
    digest = audit.digest_of(payload)
    letter_id = derive_id("dead-letter", topic, digest, reason)
    if session.get(DeadLetter, letter_id) is None:
        where = topic[:200]
        audit.note(session, audit.Entry(factory_id, "dead-letter", letter_id, where, where, digest, detail=reason))
    letter = {"letter_id": letter_id, "factory_id": factory_id, "topic": topic, "payload": text, "reason": reason}
    insert_missing(session, DeadLetter, [letter | {"size_bytes": len(payload), "digest": digest, "at": at}])
    return letter_id
