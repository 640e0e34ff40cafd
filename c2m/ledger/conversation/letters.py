"""Dead letters to look through: which there are, what one says, and what became of it."""

from dataclasses import dataclass
from datetime import datetime

import pandas as pd
from sqlalchemy import ColumnElement, delete, func, or_, select
from sqlalchemy.orm import Session

from c2m.errors import InputError
from c2m.ledger import audit
from c2m.ledger.store import chunks, frame
from c2m.ledger.tables import DeadLetter

_LISTED = ("letter_id", "at", "factory_id", "topic", "size_bytes", "reason", "readmitted_at", "actor", "result")


@dataclass(frozen=True)
class LetterFilter:
    """Which letters: None asks nothing. reason: a part of it, in any case. until, since: when the letter came."""

    factory_id: str | None = None
    reason: str | None = None
    until: datetime | None = None
    since: datetime | None = None
    readmitted: bool = False  # those too

    def conditions(self) -> list[ColumnElement[bool]]:
        """For `where(*...)`."""
        asked: list[ColumnElement[bool]] = [] if self.readmitted else [DeadLetter.readmitted_at.is_(None)]
        if self.factory_id is not None:
            named = DeadLetter.topic.startswith(f"c2m/v1/{self.factory_id}/", autoescape=True)
            asked.append(or_(DeadLetter.factory_id == self.factory_id, named))
        if self.reason is not None:
            asked.append(DeadLetter.reason.icontains(self.reason, autoescape=True))
        if self.until is not None:
            asked.append(DeadLetter.at <= self.until)
        if self.since is not None:
            asked.append(DeadLetter.at >= self.since)
        return asked


def found(session: Session, wanted: LetterFilter, most: int) -> pd.DataFrame:
    """The newest of the letters.

    Parameters
    ----------
    session
        Transaction of the ledger.
    wanted
        Which letters.
    most
        How many at most.

    Returns
    -------
    pd.DataFrame
        All columns of the table `dead_letters` but the message itself.
    """
    columns = (getattr(DeadLetter, name) for name in _LISTED)
    newest = select(*columns).where(*wanted.conditions()).order_by(DeadLetter.at.desc(), DeadLetter.letter_id)
    return frame(session, newest.limit(most))


def count(session: Session, wanted: LetterFilter) -> int:
    """How many letters there are.

    Parameters
    ----------
    session
        Transaction of the ledger.
    wanted
        Which letters.

    Returns
    -------
    int
        Letters.
    """
    return session.scalar(select(func.count()).select_from(DeadLetter).where(*wanted.conditions())) or 0


def old(session: Session, settled_before: datetime, open_before: datetime) -> tuple[int, int]:
    """How much of the letters is old.

    Parameters
    ----------
    session
        Transaction of the ledger.
    settled_before
        UTC; letters taken after all that came earlier count.
    open_before
        UTC; others that came earlier count.

    Returns
    -------
    tuple of int
        Letters, and their bytes.
    """
    kept = func.sum(func.length(DeadLetter.payload))
    count, size = session.execute(select(func.count(), kept).where(_old(settled_before, open_before))).one()
    return count, int(size or 0)


def forget(session: Session, settled_before: datetime, open_before: datetime) -> None:
    """Deletes old letters; the audit keeps that they came, and what became of each.

    Parameters
    ----------
    session
        Transaction of the ledger.
    settled_before
        UTC; letters taken after all that came earlier go.
    open_before
        UTC; others that came earlier go.
    """
    session.execute(delete(DeadLetter).where(_old(settled_before, open_before)))


def _old(settled_before: datetime, open_before: datetime) -> ColumnElement[bool]:
    taken = DeadLetter.readmitted_at.is_not(None) & (DeadLetter.at < settled_before)
    return taken | (DeadLetter.readmitted_at.is_(None) & (DeadLetter.at < open_before))


def letter_ids(session: Session, wanted: LetterFilter) -> list[str]:
    """The letters in the order of their arrival.

    Parameters
    ----------
    session
        Transaction of the ledger.
    wanted
        Which letters.

    Returns
    -------
    list of str
        Their ids.
    """
    chosen = select(DeadLetter.letter_id).where(*wanted.conditions())
    return list(session.scalars(chosen.order_by(DeadLetter.at, DeadLetter.letter_id)))


def require(session: Session, letter_ids: list[str]) -> None:
    """Refuses identifiers that no letter has, all of them at once.

    Parameters
    ----------
    session
        Transaction of the ledger.
    letter_ids
        To be looked up.

    Raises
    ------
    InputError
        Names them.
    """
    known = _known(session, letter_ids)
    if unknown := [name for name in letter_ids if name not in known]:
        raise InputError("unknown-letter", [f"no dead letter {name}; see c2m letters list --all" for name in unknown])


def _known(session: Session, letter_ids: list[str]) -> set[str]:
    known: set[str] = set()
    for some in chunks(letter_ids):
        known |= set(session.scalars(select(DeadLetter.letter_id).where(DeadLetter.letter_id.in_(some))))
    return known


def is_whole(letter: DeadLetter) -> bool:
    """Whether the text that was kept is the message as it came: not cut, and every byte of it was UTF-8."""
    return audit.digest_of(letter.payload.encode()) == letter.digest


def newest_reason(session: Session, topic: str, digest: str) -> str:
    """Why a message was last refused.

    Parameters
    ----------
    session
        Transaction of the ledger.
    topic
        That it came by.
    digest
        SHA-256 of the whole message.

    Returns
    -------
    str
        In words; '' where it never was.
    """
    same = select(DeadLetter.reason).where(DeadLetter.digest == digest, DeadLetter.topic == topic)
    return session.scalars(same.order_by(DeadLetter.at.desc(), DeadLetter.letter_id)).first() or ""


def note(
    session: Session, letter_id: str, actor: str, result: str, digest: str, at: datetime, taken: bool
) -> DeadLetter:
    """Writes down a try to take a letter back, here and in the audit; one that was taken before stays as it is.

    Parameters
    ----------
    session
        Transaction of the ledger.
    letter_id
        Which letter.
    actor
        Who tries.
    result
        What came of it, in words.
    digest
        SHA-256 of what was taken in its place.
    at
        UTC.
    taken
        Whether it was taken.

    Returns
    -------
    DeadLetter
        The letter as it stands now.
    """
    letter = session.get_one(DeadLetter, letter_id, with_for_update=True)
    if letter.readmitted_at is None:
        letter.readmitted_at, letter.actor, letter.result = at if taken else None, actor, result
        where = letter.topic[:200]
        entry = audit.Entry(letter.factory_id, "readmitted", letter_id, where, actor, digest, detail=result)
        audit.note(session, entry)
    return letter
