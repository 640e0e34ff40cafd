"""What factories say: each message takes effect once; what cannot be obeyed becomes a dead letter with its reason.

Several messages may share a transaction, which locks their job orders first (`lock`), in the order in which a release,
and all else that takes many of them, locks them. Where two transactions nevertheless wait for each other, PostgreSQL
ends one with an OperationalError, and it is to be repeated as a whole. The locks leave the keys free (FOR NO KEY
UPDATE): whoever writes a row that refers to a job order, such as the relay, does not wait for them.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import NamedTuple

from pydantic_core import to_json
from sqlalchemy import insert, select, tuple_
from sqlalchemy.orm import Session

from c2m.ids import derive_id
from c2m.ledger import audit, orders, status
from c2m.ledger.conversation import dispatch, outbox, responses
from c2m.ledger.conversation.dispatch import Pieces
from c2m.ledger.conversation.responses import AnsweredJob
from c2m.ledger.store import chunks, insert_missing
from c2m.ledger.tables import DeadLetter, Inbox, JobOrder, JobOrderSku, Outbox
from c2m.wire.messages import KIND_OF_TYPE, MAX_BYTES, MAX_JUMP, Envelope, ResponseMessage, StatusMessage, topic

DEAD = "dead-letter"


class FactoryMessage(NamedTuple):
    """A message, the factory that its topic names, and of several collectors the one that heard it."""

    envelope: Envelope
    factory_id: str
    collector: str = ""  # '' where there is one alone


def lock(session: Session, envelopes: Iterable[object]) -> None:
    """Locks the job orders that the responses among these speak of, by id, then what was said about them, by id.

    All at once: a transaction that locked them as it comes to them would wait for a relay that waits for it.
    """
    spoken_of = {message.data.job_order_id for message in envelopes if isinstance(message, ResponseMessage)}
    for some in chunks(sorted(spoken_of)):
        _lock_jobs(session, some)


def _lock_jobs(session: Session, job_order_ids: Sequence[str]) -> None:
    concerned = select(JobOrder.job_order_id).where(JobOrder.job_order_id.in_(job_order_ids))
    session.execute(concerned.order_by(JobOrder.job_order_id).with_for_update(key_share=True))
    said = select(Outbox.message_id).where(Outbox.job_order_id.in_(job_order_ids))
    session.execute(said.order_by(Outbox.message_id).with_for_update())


def receive(session: Session, envelope: Envelope, topic_factory_id: str, at: datetime) -> str:
    """Obeys a response or a status; returns its effect: `responses.Effect`, status, duplicate or dead-letter."""
    return receive_all(session, [FactoryMessage(envelope, topic_factory_id)], at)[0]


def receive_all(session: Session, said: Sequence[FactoryMessage], at: datetime) -> list[str]:
    """As `receive`, of many: what they are about is read and written at once, which takes a tenth of the time.

    Parameters
    ----------
    session
        Transaction of the ledger.
    said
        Messages in the order in which they came.
    at
        UTC.

    Returns
    -------
    list of str
        The effect of each.
    """
    lock(session, [each.envelope for each in said])
    return [effect for some in _apart(said) for effect in _receive(session, some, at)]


def _apart(said: Sequence[FactoryMessage]) -> Iterator[list[FactoryMessage]]:
    """In their order, cut where a job order speaks again: its next answer meets what became of the one before."""
    some: list[FactoryMessage] = []
    spoken: set[str] = set()
    for each in said:
        job_order_id = each.envelope.data.job_order_id if isinstance(each.envelope, ResponseMessage) else ""
        if job_order_id in spoken:
            yield some
            some, spoken = [], set()
        some.append(each)
        spoken |= {job_order_id} - {""}
    yield some


@dataclass
class _Desk:
    """What a group of messages is about. heard: what took effect, for which factory, and its effect."""

    at: datetime
    cases: dict[str, AnsweredJob]
    known: dict[tuple[str, str], str | None]
    heard: list[tuple[ResponseMessage, str, str]] = field(default_factory=list)


def _receive(session: Session, said: Sequence[FactoryMessage], at: datetime) -> list[str]:
    answers = [each.envelope for each in said if isinstance(each.envelope, ResponseMessage)]
    desk = _Desk(at, _cases(session, sorted(answer.data.job_order_id for answer in answers)), _known(session, answers))
    skus = {job_order_id: case.skus for job_order_id, case in desk.cases.items()}
    effects = [_obey(session, desk, each) for each in said]
    if desk.heard:
        _write(session, desk, {name: case.skus for name, case in desk.cases.items() if case.skus != skus[name]})
    return effects


def _write(session: Session, desk: _Desk, changed_skus: Mapping[str, Pieces]) -> None:
    session.flush()
    # In the order in which they spoke: a factory is told to start in the order in which it accepted.
    cases = [desk.cases[envelope.data.job_order_id] for envelope, _, _ in desk.heard]
    orders.begin(session, {(case.job.order_id, case.job.lot_id): case.job.at for case in cases if case.begun})
    dispatch.write_skus(session, changed_skus)
    outbox.put(session, [letter for case in cases for letter in case.letters])
    session.execute(insert(Inbox), [_entry(*heard, desk.at) for heard in desk.heard])
    for heard in desk.heard:
        _note_received(session, *heard)


def _note_received(session: Session, envelope: ResponseMessage, factory_id: str, effect: str) -> None:
    digest = audit.digest_of(envelope.body())
    what = (envelope.id, envelope.type, envelope.source, digest, envelope.data.job_order_id, effect)
    audit.note(session, audit.Entry(factory_id, "received", *what))


def _cases(session: Session, job_order_ids: Sequence[str]) -> dict[str, AnsweredJob]:
    """By job order, as it stands now that it is locked: two copies of one message come one after the other."""
    cases: dict[str, AnsweredJob] = {}
    for some in chunks(job_order_ids):
        chosen = select(JobOrder).where(JobOrder.job_order_id.in_(some)).order_by(JobOrder.job_order_id)
        jobs = session.scalars(chosen.execution_options(populate_existing=True)).all()
        messages = outbox.correspondence(session, [job.job_order_id for job in jobs])
        skus = _skus(session, some)
        for job in jobs:
            cases[job.job_order_id] = AnsweredJob(job, messages[job.job_order_id], skus[job.job_order_id])
    return cases


def _skus(session: Session, job_order_ids: Sequence[str]) -> dict[str, Pieces]:
    """By job order the pieces of each SKU."""
    skus: dict[str, Pieces] = defaultdict(dict)
    held = select(JobOrderSku.job_order_id, JobOrderSku.sku_id, JobOrderSku.quantity)
    for job_order_id, sku_id, pieces in session.execute(held.where(JobOrderSku.job_order_id.in_(job_order_ids))):
        skus[job_order_id][sku_id] = pieces
    return skus


def _known(session: Session, answers: Sequence[ResponseMessage]) -> dict[tuple[str, str], str | None]:
    """Source and id of those that took effect before, with the digest of what they said."""
    keys = [(answer.source, answer.id) for answer in answers]
    found = select(Inbox.source, Inbox.message_id, Inbox.digest)
    found = found.where(tuple_(Inbox.source, Inbox.message_id).in_(keys))
    return {(source, name): digest for source, name, digest in session.execute(found)} if keys else {}


def _obey(session: Session, desk: _Desk, said: FactoryMessage) -> str:
    envelope, factory_id, collector = said
    if envelope.factory_id != factory_id:
        return _refuse(session, envelope, factory_id, f"source {envelope.source} spoke for {factory_id}", desk.at)
    if isinstance(envelope, StatusMessage):
        gateway = envelope.data
        status.report(session, factory_id, gateway.online, gateway.through, desk.at, collector, gateway.version)
        return "status"
    if not isinstance(envelope, ResponseMessage):
        told = f"type {envelope.type}, expected a response or status"
        return _refuse(session, envelope, factory_id, told, desk.at)
    case = desk.cases.get(envelope.data.job_order_id)
    if case is None or case.job.factory_id != factory_id:
        return _refuse(session, envelope, factory_id, f"unknown job order {envelope.data.job_order_id}", desk.at)
    return _obey_answer(session, desk, envelope, case)


def _obey_answer(session: Session, desk: _Desk, envelope: ResponseMessage, case: AnsweredJob) -> str:
    answer, job = envelope.data, case.job
    key, digest = (envelope.source, envelope.id), _said(envelope)
    if answer.revision > job.revision:
        told = f"revision {answer.revision}, expected at most {job.revision}"
    elif desk.known.get(key, "") in (None, digest):
        return "duplicate"
    elif key in desk.known:
        told = f"id {envelope.id} again with other content: an id names one message, give this one its own"
    elif answer.sequence - job.sequence > MAX_JUMP:
        told = _jump_words(job.sequence, answer.sequence)
    else:
        # A factory's clock may run ahead; nothing happens later than now.
        effect = responses.answer(case, answer, min(envelope.time, desk.at))
        desk.known[key] = digest
        desk.heard.append((envelope, job.factory_id, effect))
        return effect
    return _refuse(session, envelope, job.factory_id, told, desk.at)


def _jump_words(last: int, sequence: int) -> str:
    return f"sequence {sequence} after {last} is a jump of {sequence - last}, expected {MAX_JUMP} at most"


def _said(envelope: ResponseMessage) -> str:
    """A digest of what it says; the same message may be stamped anew when it is sent again."""
    return audit.digest_of(to_json(envelope.data))


def _entry(envelope: ResponseMessage, factory_id: str, effect: str, at: datetime) -> dict[str, object]:
    return {
        "source": envelope.source,
        "message_id": envelope.id,
        "type": envelope.type,
        "factory_id": factory_id,
        "effect": effect,
        "digest": _said(envelope),
        "at": at,
    }


def _refuse(session: Session, envelope: Envelope, factory_id: str, reason: str, at: datetime) -> str:
    where = topic(factory_id, KIND_OF_TYPE[envelope.type])
    dead_letter(session, factory_id, where, envelope.body(), reason, at)
    return DEAD


@dataclass(frozen=True)
class Refused:
    """A message that nobody can obey."""

    factory_id: str
    topic: str  # that it came by
    payload: bytes
    reason: str  # in words

    @cached_property
    def digest(self) -> str:
        """Of the bytes as they came."""
        return audit.digest_of(self.payload)

    @cached_property
    def letter_id(self) -> str:
        """The same message refused for the same reason is one letter."""
        return derive_id("dead-letter", self.topic, self.digest, self.reason)

    @property
    def row(self) -> dict[str, object]:
        """As the ledger keeps it; of a message that is too large for anybody to obey, what fits."""
        facts = {"letter_id": self.letter_id, "factory_id": self.factory_id, "topic": self.topic, "payload": self._text}
        return facts | {"reason": self.reason, "size_bytes": len(self.payload), "digest": self.digest}

    @property
    def _text(self) -> str:
        """Without NUL, which PostgreSQL does not store."""
        return self.payload[:MAX_BYTES].decode("utf-8", "replace").replace("\x00", "\ufffd")


def dead_letter(session: Session, factory_id: str, topic: str, payload: bytes, reason: str, at: datetime) -> str:
    """Keeps a message that nobody can obey; the same one again changes nothing. Returns its letter_id."""
    refused = Refused(factory_id, topic, payload, reason)
    dead_letters(session, [refused], at)
    return refused.letter_id


def dead_letters(session: Session, refused: Iterable[Refused], at: datetime) -> None:
    """Keeps messages that cannot be obeyed, many at once: a flood of them must not hold up what can be.

    Parameters
    ----------
    session
        Transaction of the ledger.
    refused
        Each with its reason.
    at
        UTC.
    """
    letters = {letter.letter_id: letter for letter in refused}
    known = _known_letters(session, list(letters))
    new = [letter for letter_id, letter in letters.items() if letter_id not in known]
    for letter in new:
        _note_dead(session, letter)
    insert_missing(session, DeadLetter, [letter.row | {"at": at} for letter in new])


def _known_letters(session: Session, letter_ids: list[str]) -> set[str]:
    """Those of them that are kept already."""
    known: set[str] = set()
    for some in chunks(letter_ids):
        known.update(session.scalars(select(DeadLetter.letter_id).where(DeadLetter.letter_id.in_(some))))
    return known


def _note_dead(session: Session, letter: Refused) -> None:
    where = letter.topic[:200]
    what = (letter.letter_id, where, where, letter.digest)
    audit.note(session, audit.Entry(letter.factory_id, "dead-letter", *what, detail=letter.reason))
