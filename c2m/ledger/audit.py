"""The audit: who sent what when; a chain of entries per factory, each with a hash over itself and the one before.

Entries are noted while a transaction runs and written as it commits, factory by factory in one order, so that two
transactions never wait for each other's chains. The database refuses to change or delete an entry; `verify` finds what
was done behind its back: a chain that was changed shows it in every later hash, and one that was cut off at its end
shows it against the outbox, the inbox, or ends that were kept elsewhere. Entries of long ago lie in files (archive.py).
"""

import gzip
import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain, groupby
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from pydantic_core import to_json
from sqlalchemy import Select, event, func, select
from sqlalchemy.orm import Session

from c2m.errors import InputError
from c2m.ledger.store import chunks, frame, insert_missing, serialise
from c2m.ledger.tables import AuditArchive, AuditEntry, Inbox, Outbox
from c2m.settings import settings

End = tuple[int, str]
Event = Literal["written", "sent", "received", "dead-letter", "readmitted"]
_NOTED, ACTOR = "audit", "actor"  # keys of Session.info
_BATCH = 10_000  # rows read at once
_FACTS = ("factory_id", "position", "event", "message_id", "type", "job_order_id", "actor")


@dataclass(frozen=True)
class Entry:
    """What happened to a message. detail: the attempt, the effect, or why nobody could obey it."""

    factory_id: str
    event: Event
    message_id: str
    type: str
    actor: str
    digest: str  # SHA-256 of the message as JSON
    job_order_id: str = ""
    detail: str = ""


@dataclass(frozen=True)
class Audited:
    """ends: position and hash of each factory's last entry; kept elsewhere, they show that nothing was cut off.

    away: files of archived entries that are not at hand; the chains go on from the ends that the ledger keeps of them.
    """

    entries: int
    ends: dict[str, End]
    faults: list[str]
    away: list[str]


def acting(session: Session, actor: str) -> None:
    """What is written in this transaction, `actor` has decided."""
    session.info[ACTOR] = actor


def note(session: Session, entry: Entry) -> None:
    """Keeps an entry for the end of the transaction."""
    session.info.setdefault(_NOTED, []).append(entry)


def digest_of(body: bytes) -> str:
    """SHA-256 of a message's bytes."""
    return hashlib.sha256(body).hexdigest()


@event.listens_for(Session, "before_commit")
def _write(session: Session) -> None:
    noted: dict[str, list[Entry]] = defaultdict(list)
    for entry in session.info.pop(_NOTED, ()):
        noted[entry.factory_id].append(entry)
    if not noted:
        return
    serialise(session, "audit", noted)
    ends, at = _ends(session, sorted(noted)), datetime.now(UTC)
    chains = (_linked(ends.get(factory_id, (0, "")), noted[factory_id], at) for factory_id in sorted(noted))
    insert_missing(session, AuditEntry, list(chain.from_iterable(chains)))


def _linked(end: End, entries: list[Entry], at: datetime) -> Iterator[dict[str, Any]]:
    """The entries as rows of their chain, each sealed with the hash of the one before it."""
    position, before = end
    for number, entry in enumerate(entries, position + 1):
        row = {"position": number, "at": at, **vars(entry)}
        before = _seal(before, row)
        yield row | {"hash": before}


@event.listens_for(Session, "after_rollback")
def _forget(session: Session) -> None:
    session.info.pop(_NOTED, None)


def _ends(session: Session, factory_ids: Sequence[str]) -> dict[str, End]:
    """Position and hash of each chain's last entry, be it archived."""
    ends: dict[str, End] = {}
    for some in chunks(factory_ids):
        for entries in (_last_archived(some), _last_written(some)):
            ends |= {factory_id: (position, seal) for factory_id, position, seal in session.execute(entries)}
    return ends


def _last_archived(factory_ids: Sequence[str]) -> Select[tuple[str, int, str]]:
    """What was cut off of their chains, the last of each chain last."""
    cut = select(AuditArchive.factory_id, AuditArchive.position, AuditArchive.hash)
    return cut.where(AuditArchive.factory_id.in_(factory_ids)).order_by(AuditArchive.position)


def _last_written(factory_ids: Sequence[str]) -> Select[tuple[str, int, str]]:
    last = select(AuditEntry.factory_id, func.max(AuditEntry.position).label("position"))
    last_of = last.where(AuditEntry.factory_id.in_(factory_ids)).group_by(AuditEntry.factory_id).subquery()
    same = (AuditEntry.factory_id == last_of.c.factory_id) & (AuditEntry.position == last_of.c.position)
    return select(AuditEntry.factory_id, AuditEntry.position, AuditEntry.hash).join(last_of, same)


def _seal(before: str, row: Mapping[str, Any]) -> str:
    """SHA-256 over the hash before and every column of an entry."""
    facts = [str(row[name]) for name in _FACTS]
    text = json.dumps([before, *facts, row["at"].isoformat(), row["digest"], row["detail"]])
    return hashlib.sha256(text.encode()).hexdigest()


def history(session: Session, job_order_id: str) -> pd.DataFrame:
    """All that was written, sent and received about a job order, in the order of the audit log.

    Parameters
    ----------
    session
        Transaction of the ledger.
    job_order_id
        Which one.

    Returns
    -------
    pd.DataFrame
        at, event, type, actor, message_id, detail.
    """
    names = ("at", "event", "type", "actor", "message_id", "detail")
    statement = select(*(getattr(AuditEntry, name) for name in names)).where(AuditEntry.job_order_id == job_order_id)
    return frame(session, statement.order_by(AuditEntry.factory_id, AuditEntry.position))


@dataclass
class _Chains:
    """What has been read of the chains. kept: ends that an earlier verification saw."""

    kept: Mapping[str, End]
    entries: int = 0
    ends: dict[str, End] = field(default_factory=dict)
    written: dict[str, str] = field(default_factory=dict)  # digest by message
    received: set[tuple[str, str]] = field(default_factory=set)  # source, message
    faults: list[str] = field(default_factory=list)

    def take(self, row: Mapping[str, Any]) -> None:
        """The next entry, by factory and position."""
        factory_id, number = row["factory_id"], row["position"]
        position, before = self.ends.get(factory_id, (0, ""))
        if number != position + 1:
            self.faults.append(f"factory {factory_id}: entry {position + 1} is missing before {number}")
        elif row["hash"] != _seal(before, row):
            self.faults.append(f"factory {factory_id}: entry {number} ({row['message_id']}) was changed")
        elif self.kept.get(factory_id, (0, ""))[0] == number and self.kept[factory_id][1] != row["hash"]:
            self.faults.append(f"factory {factory_id}: the chain up to {number} is not the one that was kept")
        self.entries += 1
        self.ends[factory_id] = number, row["hash"]
        if row["event"] == "written":
            self.written[row["message_id"]] = row["digest"]
        elif row["event"] == "received":
            self.received.add((row["actor"], row["message_id"]))

    def cut_off(self) -> list[str]:
        """Chains that end before what was kept of them."""
        lengths = {factory_id: position for factory_id, (position, _) in self.ends.items()}
        return [
            f"factory {factory_id}: entries {length + 1} to {position} were cut off"
            for factory_id, (position, _) in self.kept.items()
            if (length := lengths.get(factory_id, 0)) < position
        ]


def verify(session: Session, kept: Mapping[str, End] | None = None) -> Audited:
    """Goes through every chain from its first entry, and holds outbox and inbox against what the chains say of them.

    Parameters
    ----------
    session
        Transaction of the ledger.
    kept
        Ends of chains, by factory, that somebody has kept elsewhere; None: none.

    Returns
    -------
    Audited
        Entries, ends, and faults in words.
    """
    chains = _Chains(kept or {})
    away = _take_archives(session, chains)
    for row in _every(session):
        chains.take(row)
    faults = chains.faults + chains.cut_off()
    faults += _outbox_faults(session, chains.written) + _inbox_faults(session, chains.received)
    return Audited(chains.entries, chains.ends, faults, away)


def _take_archives(session: Session, chains: _Chains) -> list[str]:
    """Reads the archived entries that are at hand; a chain whose beginning is not goes on from the end kept here."""
    archived = select(AuditArchive).order_by(AuditArchive.file, AuditArchive.factory_id)
    away = []
    for name, ends in groupby(session.scalars(archived).all(), lambda row: row.file):
        is_there = (settings().home / "audit" / name).exists()
        if is_there:
            _take_archive(name, chains)
        else:
            away.append(name)
        for end in ends:
            cut = end.position, end.hash
            if is_there and chains.ends.get(end.factory_id) != cut:
                chains.faults.append(f"factory {end.factory_id}: {name} does not end where the ledger cut its chain")
            chains.ends[end.factory_id] = cut
    return away


def _take_archive(name: str, chains: _Chains) -> None:
    with gzip.open(settings().home / "audit" / name, "rt", encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            chains.take(row | {"at": datetime.fromisoformat(row["at"])})


def _told_ends(told: Any) -> dict[str, End]:
    """The ends of chains from JSON: position and hash by factory."""
    return {factory_id: (int(end[0]), str(end[1])) for factory_id, end in told.items()}


def kept(file: Path) -> dict[str, End]:
    """The ends that an earlier verification wrote.

    Raises
    ------
    InputError
        It is no such file.
    """
    try:
        return _told_ends(json.loads(file.read_bytes()))
    except (OSError, ValueError, AttributeError, IndexError, TypeError) as error:
        fault = f"{file}: {error}; expected what `c2m audit verify --keep` wrote"
        raise InputError("no-audit-ends", [fault]) from None


def _every(session: Session) -> Iterator[dict[str, Any]]:
    table = AuditEntry.__table__
    statement = select(table).order_by(table.c.factory_id, table.c.position).execution_options(yield_per=_BATCH)
    for row in session.execute(statement).mappings():
        yield dict(row)


def _outbox_faults(session: Session, written: Mapping[str, str]) -> list[str]:
    statement = select(Outbox.message_id, Outbox.payload).execution_options(yield_per=_BATCH)
    return [
        f"message {row.message_id} of the outbox is not what the audit saw written"
        for row in session.execute(statement)
        if written.get(row.message_id) != digest_of(to_json(row.payload))
    ]


def _inbox_faults(session: Session, received: set[tuple[str, str]]) -> list[str]:
    statement = select(Inbox.source, Inbox.message_id).execution_options(yield_per=_BATCH)
    return [
        f"message {message_id} of {source} is in the inbox, and the audit has not seen it received"
        for source, message_id in session.execute(statement)
        if (source, message_id) not in received
    ]
