"""The rules by which a factory's answers move a job order (the other half stands in c2m/floor/messages.py).

A response carries up to two things: a decision on a revision (`accepted`), which counts once per revision whenever it
arrives, and the state of the work, which counts only if (revision, sequence) is newer than all heard before.
"""

from datetime import datetime
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from c2m.floor import messages
from c2m.floor.messages import CANCEL, START, STORE, Cancel, FactoryState, JobResponse, Start
from c2m.ledger import dispatch, orders, outbox
from c2m.ledger.outbox import Letter
from c2m.ledger.states import GIVEN_BACK, LIVE, RANK, STARTED, JobState, advance
from c2m.ledger.tables import JobOrder, JobOrderSku

Effect = Literal[
    "accepted",  # agreed to a revision
    "refused",  # the whole job order: its quantity is free at once
    "kept",  # refused a new quantity or a cancel: the earlier agreement stands
    "progressed",  # the state moved on
    "finished",  # ended, aborted, or its cancel is confirmed
    "conflict",  # goes on with what was given back already: told to stop
    "recorded",  # newer, but nothing follows from it
    "stale",  # older than what is known
]


def answer(session: Session, job: JobOrder, said: JobResponse, time: datetime) -> Effect:
    """Applies one response to a locked job order."""
    newer = (said.revision, said.sequence) > (job.answered_revision, job.sequence)
    if newer:
        job.answered_revision, job.sequence = said.revision, said.sequence
        job.reason, job.at = said.reason or job.reason, time
    if job.state not in LIVE:
        decision = _decide(session, job, said) if job.state == "Ended" else None
        return decision or (_after_the_end(session, job, said, time) if newer else "stale")
    nothing_agreed = job.confirmed_revision == 0 or said.state in ("NotAllowedToStart", "Aborted")
    if said.accepted is False and nothing_agreed:
        return _refuse(session, job, time) if newer else "stale"
    decision = _decide(session, job, said)
    if _waits_for_start(session, job, said, newer):
        outbox.put(session, [Letter(job.factory_id, Start(job_order_id=job.job_order_id, revision=job.revision))], time)
    if not newer:
        return decision or "stale"
    moved = _progress(session, job, said.state, time)
    return decision or moved or "recorded"


def _decide(session: Session, job: JobOrder, said: JobResponse) -> Effect | None:
    """Settles what the factory was asked: a revision, or a cancel that it refuses."""
    if said.accepted is None:
        return None
    offer, answered = outbox.offered(session, job.job_order_id, said.revision)
    if answered and said.accepted is False:
        outbox.mark_answered(session, job.job_order_id, CANCEL)
    if answered:
        return None if said.accepted else "kept"
    if job.confirmed_revision == 0 and not said.accepted:
        return None
    # Undecided, therefore the latest: a job order is not revised while its last revision waits for an answer.
    outbox.mark_answered(session, job.job_order_id, STORE, said.revision)
    if said.accepted:
        job.accepted, job.confirmed_revision = True, said.revision
    else:
        offer, _ = outbox.offered(session, job.job_order_id, job.confirmed_revision)
    _commit_to(session, job, offer)
    return "accepted" if said.accepted else "kept"


def _commit_to(session: Session, job: JobOrder, agreed: messages.JobOrder) -> None:
    """The agreed quantity holds, per SKU too."""
    job.quantity = job.requested = agreed.quantity
    known = select(JobOrderSku.sku_id).where(JobOrderSku.job_order_id == job.job_order_id)
    skus = dict.fromkeys(session.scalars(known), 0) | agreed.quantity_by_sku
    dispatch.write_skus(session, {job.job_order_id: skus})


def _waits_for_start(session: Session, job: JobOrder, said: JobResponse, newer: bool) -> bool:
    waiting = said.accepted is True and said.state == "NotAllowedToStart" and said.revision == job.revision
    overtaken = not newer and RANK[job.state] > RANK["NotAllowedToStart"]
    return waiting and not overtaken and not outbox.unanswered(session, CANCEL, job.job_order_id)


def _refuse(session: Session, job: JobOrder, time: datetime) -> Effect:
    job.accepted = False
    outbox.mark_answered(session, job.job_order_id, STORE, job.answered_revision)
    _finish(session, job, "Refused", time)
    return "refused"


def _progress(session: Session, job: JobOrder, said: FactoryState, time: datetime) -> Effect | None:
    """Moves the state forward; None where it stays."""
    if said in ("Ended", "Aborted"):
        cancelled = said == "Aborted" and outbox.unanswered(session, CANCEL, job.job_order_id)
        _finish(session, job, "Cancelled" if cancelled else said, time)
        return "finished"
    if RANK[said] >= RANK["AllowedToStart"]:
        outbox.mark_answered(session, job.job_order_id, START)
    if said in STARTED:
        orders.begin(session, job.order_id, job.lot_id, time)
    before, job.state = job.state, advance(job.state, said)
    return "progressed" if job.state != before else None


def _finish(session: Session, job: JobOrder, state: JobState, time: datetime) -> None:
    """Nothing was made where the start was never confirmed: the quantity is free at once, else after the last scans.

    An offer that is open when the work has ended is asked about until it is decided: the factory made what it agreed to.
    """
    job.counted = state != "Ended" and RANK[job.state] < RANK["AllowedToStart"]
    job.state, job.ended_at = state, time
    outbox.mark_answered(session, job.job_order_id, CANCEL)
    if state == "Ended":
        outbox.mark_answered(session, job.job_order_id, START)
    else:
        outbox.void(session, [job.job_order_id])


def _after_the_end(session: Session, job: JobOrder, said: JobResponse, time: datetime) -> Effect:
    """A factory that goes on with what it, or its silence, gave back is told to stop."""
    if job.state not in GIVEN_BACK or said.accepted is False:
        return "recorded"
    if said.state == "Aborted":
        outbox.mark_answered(session, job.job_order_id, CANCEL)
        return "recorded"
    if said.state != "Ended":
        stop = Cancel(job_order_id=job.job_order_id, revision=job.revision, reason=f"already {job.state}")
        outbox.cancel_again(session, Letter(job.factory_id, stop), time)
    return "conflict"
