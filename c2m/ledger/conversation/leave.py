"""Leave to begin for job orders of later stages: once the pieces of the stage before have arrived.

Pieces are counted from the scans as they lie there, at any moment; the marts count them once a day, with all that was
taken back since.
"""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from c2m.feeds import landing
from c2m.ledger.conversation import outbox
from c2m.ledger.conversation.outbox import Letter
from c2m.ledger.tables import JobOrder
from c2m.wire.messages import CANCEL, RECEIVE, STORE, Start

_RECEIVED = """
    SELECT job_order_id, sum(quantity)::BIGINT FROM (
        SELECT DISTINCT ON (factory_id, scan_id) factory_id, scan_id, job_order_id, quantity
        FROM {scans} WHERE operation = $operation AND job_order_id IN $job_orders
            AND (factory_id, scan_id) NOT IN (SELECT (factory_id, corrects) FROM {corrections})
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
    chosen = select(JobOrder).where(JobOrder.stage > 1, JobOrder.state == "NotAllowedToStart")
    waiting = {job.job_order_id: job for job in session.scalars(chosen.order_by(JobOrder.job_order_id))}
    if not waiting:
        return 0
    for job_order_id, pieces in _received(sorted(waiting)):
        job = waiting[job_order_id]
        job.arrived, job.at = pieces, at if pieces != job.arrived else job.at
    asked = outbox.unanswered(session, CANCEL) | outbox.unanswered(session, STORE)
    ready = [job for name, job in waiting.items() if job.accepted and job.arrived >= job.quantity and name not in asked]
    starts = [(job.factory_id, Start(job_order_id=job.job_order_id, revision=job.revision)) for job in ready]
    outbox.put(session, [Letter(factory_id, start, at) for factory_id, start in starts])
    return len(ready)


def _received(job_order_ids: list[str]) -> list[tuple[str, int]]:
    landing.ensure_landing()
    with landing.connect() as connection:
        query = _RECEIVED.format(scans=landing.source("scans"), corrections=landing.source("scan_corrections"))
        found = connection.execute(query, {"operation": RECEIVE, "job_orders": job_order_ids}).fetchall()
    return [(str(job_order_id), int(pieces)) for job_order_id, pieces in found]
