"""Messages of long ago leave the ledger: those of job orders that ended, answers heard, then the audit of both.

The audit's entries go to a file of C2M_HOME/audit first. The ledger keeps where each chain was cut, and `audit.verify`
goes on from there; a file that is still there is verified with the rest. An entry leaves only after its message, since
outbox and inbox are proved against the chains.
"""

import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Select, Text, cast, delete, exists, func, insert, or_, select
from sqlalchemy.orm import Session

from c2m.files import write_with
from c2m.ledger import states
from c2m.ledger.conversation.outbox import OPEN
from c2m.ledger.store import serialise
from c2m.ledger.tables import AuditArchive, AuditEntry, Base, Inbox, JobOrder, Outbox
from c2m.settings import settings

_ROWS = 10_000  # read at once
_ENTRY_BYTES = 400  # of an audit entry with its index, about


@dataclass(frozen=True)
class Before:
    """Moments before which messages are old: of job orders that have not changed since, and of answers heard."""

    outbox: datetime
    inbox: datetime

    @property
    def sent(self) -> ColumnElement[bool]:
        """Messages of job orders that ended, were counted, and have nothing open."""
        ended = select(JobOrder.job_order_id).where(
            JobOrder.state.not_in(states.LIVE),
            or_(JobOrder.counted, JobOrder.state != "Ended"),
            JobOrder.at < self.outbox,
        )
        waiting = select(Outbox.job_order_id).where(Outbox.state.in_(OPEN))
        return Outbox.job_order_id.in_(ended) & Outbox.job_order_id.not_in(waiting)

    @property
    def heard(self) -> ColumnElement[bool]:
        """Answers; one that came again would be older than what its job order has heard since, and change nothing."""
        return Inbox.at < self.inbox

    @property
    def cuts(self) -> Select[tuple[str, int]]:
        """Per factory the position of the last entry that may leave: an old message's, before the first whose message
        stays.
        """
        sent = exists().where(Outbox.message_id == AuditEntry.message_id, ~self.sent)
        heard = exists().where(Inbox.source == AuditEntry.actor, Inbox.message_id == AuditEntry.message_id, ~self.heard)
        first = select(AuditEntry.factory_id, func.min(AuditEntry.position).label("position"))
        first_kept = first.where(or_(sent, heard)).group_by(AuditEntry.factory_id).subquery()
        last = select(AuditEntry.factory_id, func.max(AuditEntry.position).label("position"))
        return (
            last.outerjoin(first_kept, first_kept.c.factory_id == AuditEntry.factory_id)
            .where(AuditEntry.event.in_(("written", "received")))
            .where(or_(first_kept.c.position.is_(None), AuditEntry.position < first_kept.c.position))
            .group_by(AuditEntry.factory_id)
        )


def _count(session: Session, table: type[Base], which: Any) -> int:
    return session.scalar(select(func.count()).select_from(table).where(which)) or 0


def counted(session: Session, before: Before) -> dict[str, tuple[int, int]]:
    """How much would leave the tables.

    Parameters
    ----------
    session
        Transaction of the ledger.
    before
        What may leave.

    Returns
    -------
    dict
        Rows and bytes (about) by table.
    """
    sizes = func.sum(func.length(cast(Outbox.payload, Text)))
    sent, size = session.execute(select(func.count(), sizes).select_from(Outbox).where(before.sent)).one()
    heard, entries = _count(session, Inbox, before.heard), _count(session, AuditEntry, _in(before.cuts))
    return {"outbox": (sent, int(size or 0)), "inbox": (heard, 0), "audit": (entries, entries * _ENTRY_BYTES)}


def leave(session: Session, before: Before) -> Path | None:
    """Removes what may leave, the audit's entries into a file.

    The file is there before the transaction ends. One that broke off leaves a file that no row names, and the next
    writes over it.

    Parameters
    ----------
    session
        Transaction of the ledger.
    before
        What may leave.

    Returns
    -------
    Path or None
        The file; None where no entry of the audit left.
    """
    serialise(session, "archive")
    cuts = session.execute(before.cuts).tuples().all()
    file = _write(session, cuts) if cuts else None
    session.execute(delete(AuditEntry).where(_in(select(AuditArchive.factory_id, AuditArchive.position))))
    session.execute(delete(Inbox).where(before.heard))
    session.execute(delete(Outbox).where(before.sent))
    return file


def _in(cuts: Select[tuple[str, int]]) -> ColumnElement[bool]:
    cut = cuts.subquery()
    return exists().where(cut.c.factory_id == AuditEntry.factory_id, cut.c.position >= AuditEntry.position)


def _write(session: Session, cuts: Sequence[tuple[str, int]]) -> Path:
    number = session.scalar(select(func.count(func.distinct(AuditArchive.file)))) or 0
    file = settings().home / "audit" / f"{number + 1:05d}.jsonl.gz"
    table, ends = AuditEntry.__table__, {}

    def write(part: Path) -> None:
        with gzip.open(part, "wt", encoding="utf-8") as lines:
            for factory_id, position in sorted(cuts):
                chosen = select(table).where(table.c.factory_id == factory_id, table.c.position <= position)
                asked = chosen.order_by(table.c.position).execution_options(yield_per=_ROWS)
                for row in session.execute(asked).mappings():
                    lines.write(json.dumps({**row, "at": row["at"].isoformat()}) + "\n")
                    ends[factory_id] = (row["position"], row["hash"])

    write_with(file, write)
    at = datetime.now(UTC)
    rows = [
        {"factory_id": factory_id, "position": position, "hash": seal, "file": file.name, "at": at}
        for factory_id, (position, seal) in ends.items()
    ]
    session.execute(insert(AuditArchive), rows)
    return file
