"""Dead letters taken back: once its cause is repaired, a message goes the way of a new arrival (collect.commit).

The message takes effect first, then the letter is closed. Killed between the two, the next try finds the message taken
(inbox, scan_id), and closes the letter.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from c2m import clock
from c2m.errors import InputError
from c2m.floor.collect import Arrival, commit
from c2m.ledger import audit, store
from c2m.ledger.conversation import letters
from c2m.ledger.tables import DeadLetter, Inbox
from c2m.wire.messages import ResponseMessage, ScansMessage, parse, parse_topic


@dataclass(frozen=True)
class CorrectedMessage:
    """What replaces a part of the message; None: as it came."""

    topic: str | None = None  # the right one
    body: bytes | None = None


@dataclass(frozen=True)
class Readmission:
    """What became of a letter. taken: now or before; else result says why it was refused again."""

    letter_id: str
    taken: bool
    result: str


def readmit(letter_ids: Sequence[str], actor: str, correction: CorrectedMessage) -> list[Readmission]:
    """Takes dead letters back, one after the other; those that were taken before stay as they are.

    Parameters
    ----------
    letter_ids
        In the order in which they are taken.
    actor
        Who says so.
    correction
        What replaces a part of them.

    Returns
    -------
    list of Readmission
        One per letter.

    Raises
    ------
    InputError
        A letter is unknown, or one body was given for several letters; nothing was taken.
    """
    if correction.body is not None and len(letter_ids) != 1:
        raise InputError("one-letter", [f"a corrected body for {len(letter_ids)} letters; it replaces that of one"])
    with store.session() as session:
        letters.require(session, list(letter_ids))
    return [_readmit(letter_id, actor, correction) for letter_id in letter_ids]


def _readmit(letter_id: str, actor: str, correction: CorrectedMessage) -> Readmission:
    with store.session() as session:
        letter = session.get_one(DeadLetter, letter_id)
    if letter.readmitted_at is not None:
        return Readmission(letter_id, True, letter.result or "")
    topic = correction.topic or letter.topic
    body = letter.payload.encode() if correction.body is None else correction.body
    at, digest = clock.now(), audit.digest_of(body)
    refusal = _unfit(letter, topic, correction)
    refused = bool(refusal or commit([Arrival(topic, body, lambda _: None)], at)[0])
    with store.session() as session:
        if refused:
            result = f"refused: {refusal or letters.newest_reason(session, topic, digest)}"
        else:
            result = _effect(session, body)
        noted = letters.note(session, letter_id, actor, result, digest, at, not refused)
        return Readmission(letter_id, noted.readmitted_at is not None, noted.result or "")


def _unfit(letter: DeadLetter, topic: str, correction: CorrectedMessage) -> str:
    """Why the message must not go the way of a new one; '' where it may."""
    if correction.body is None and not letters.is_whole(letter):
        return f"the {letter.size_bytes} bytes that came were not kept whole; give the corrected body"
    if (place := parse_topic(topic)) and place[1] == "status":
        return "a status tells of a moment that has passed; the factory repeats it"
    return ""


def _effect(session: Session, body: bytes) -> str:
    """What a message did that was taken: scans landed, or what the inbox says of an answer."""
    message = parse(body)
    if isinstance(message, ScansMessage):
        return f"{len(message.data)} scans landed"
    return session.get_one(Inbox, (message.source, message.id)).effect if isinstance(message, ResponseMessage) else ""
