"""Leave to begin for job orders of later stages: once the pieces of the stage before have arrived.

Pieces are counted from the scans as they lie there, at any moment; the marts count them once a day, with all that was
taken back since.
"""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from c2m.feeds import landing
from c2m.ledger.conversation import outbox
from c2m.ledger.conversation.outbox import NewMessage
from c2m.ledger.tables import JobOrder
from c2m.wire.messages import CANCEL, RECEIVE, STORE, Start

_RECEIVED = """
    SELECT job_order_id, sum(quantity)::BIGINT FROM (
        SELECT DISTINCT ON (factory_id, scan_id) factory_id, scan_id, job_order_id, quantity
        FROM {scans} WHERE operation = $operation AND job_order_id IN $job_orders
            AND (factory_id, scan_id) NOT IN (SELECT (factory_id, corrects) FROM {scan_corrections})
    ) GROUP BY job_order_id
"""


def give(session: Session, at: datetime) -> int:
    """Tells factories to begin what has all its pieces. Of one that is being asked something else, the answer decides.

    Parameters
    ----------
    session
        Transaction of the ledger.
    at
        UTC; noted with it.

    Returns
    -------
    int
        How many job orders may begin.
    """
    waiting = _waiting(session)
    if not waiting:
        return 0
    for job_order_id, pieces in _received(sorted(waiting)):
        _count(waiting[job_order_id], pieces, at)
    asked = outbox.unanswered(session, CANCEL) | outbox.unanswered(session, STORE)
    ready = [job for name, job in waiting.items() if name not in asked and _has_all(job)]
    outbox.put(session, [_start(job, at) for job in ready])
    return len(ready)


def _waiting(session: Session) -> dict[str, JobOrder]:
    """Job orders of later stages that have not been told to begin, by id."""
    chosen = select(JobOrder).where(JobOrder.stage > 1, JobOrder.state == "NotAllowedToStart")
    return {job.job_order_id: job for job in session.scalars(chosen.order_by(JobOrder.job_order_id))}


def _count(job: JobOrder, pieces: int, at: datetime) -> None:
    if pieces != job.arrived:
        job.arrived, job.at = pieces, at


def _has_all(job: JobOrder) -> bool:
    return bool(job.accepted) and job.arrived >= job.quantity


def _start(job: JobOrder, at: datetime) -> NewMessage:
    return NewMessage(job.factory_id, Start(job_order_id=job.job_order_id, revision=job.revision), at)


def _received(job_order_ids: list[str]) -> list[tuple[str, int]]:
    landing.ensure_landing()
    query = _RECEIVED.format(**{name: landing.source(name) for name in ("scans", "scan_corrections")})
    with landing.connect() as connection:
        return connection.execute(query, {"operation": RECEIVE, "job_orders": job_order_ids}).fetchall()
