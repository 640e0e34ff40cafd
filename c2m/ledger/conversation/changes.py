"""What a merchant no longer wants is asked back from factories, begun work too: they agree, or go on and say why.

A job order that makes nothing that is still ordered is cancelled; of one that makes some, less is asked by a revision.
What has not begun is asked first. One question at a time, and the same one never twice: a factory that refused goes on.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import case, select
from sqlalchemy.orm import Session

from c2m.ledger import orders
from c2m.ledger.conversation import outbox
from c2m.ledger.conversation.outbox import NewMessage
from c2m.ledger.states import LIVE, STARTED
from c2m.ledger.store import chunks
from c2m.ledger.tables import JobOrder, JobOrderRevision, JobOrderSku, Lot
from c2m.settings import settings
from c2m.wire import messages
from c2m.wire.messages import CANCEL, STORE, Cancel

Pieces = dict[str, int]  # by sku_id
REASON = "the merchant no longer orders it"


def ask(session: Session, at: datetime) -> int:
    """Asks the factories of every lot that has more pieces at work than are ordered to make fewer.

    Parameters
    ----------
    session
        Transaction of the ledger.
    at
        UTC, when the questions are written.

    Returns
    -------
    int
        How many questions were written to the outbox.
    """
    excess = _excess(session)
    open_ = outbox.unanswered(session, CANCEL) | outbox.unanswered(session, STORE)
    letters: list[NewMessage] = []
    for some in chunks(sorted(excess)):
        jobs = _live(session, some)
        skus = _skus(session, [job.job_order_id for job in jobs])
        agreed = outbox.agreed(session, {job.job_order_id: job.confirmed_revision for job in jobs})
        for job in jobs:
            if job.job_order_id in open_ and not (excess[job.lot_id] is None and job.confirmed_revision == 0):
                excess[job.lot_id] = {}  # until it is answered nobody knows what is still too much
                continue
            wanted = _wanted(excess[job.lot_id], skus[job.job_order_id])
            if letter := _question(session, job, wanted, agreed.get(job.job_order_id), at):
                letters.append(letter)
    session.flush()
    outbox.put(session, letters)
    return len(letters)


def _excess(session: Session) -> dict[str, Pieces | None]:
    """Per lot the pieces at work beyond what is ordered; None: all of them, the lot is cancelled."""
    live = select(JobOrder.lot_id).where(JobOrder.state.in_(LIVE))
    room = orders.rooms().subquery()
    found: dict[str, Pieces | None] = defaultdict(dict)
    over = select(room.c.lot_id, room.c.sku_id, room.c.pieces).where(room.c.pieces < 0, room.c.lot_id.in_(live))
    for lot_id, sku_id, pieces in session.execute(over):
        found[lot_id] = (found[lot_id] or {}) | {sku_id: -int(pieces)}
    for lot_id in session.scalars(select(Lot.lot_id).where(Lot.state == "cancelled", Lot.lot_id.in_(live))):
        found[lot_id] = None
    return dict(found)


def _live(session: Session, lot_ids: Sequence[str]) -> list[JobOrder]:
    """Job orders of lots, what has not begun first; locked in the order of their ids, as everywhere."""
    begun = case((JobOrder.state.in_(STARTED), 1), else_=0)
    jobs = select(JobOrder).where(JobOrder.job_order_id.in_(_locked(session, lot_ids)))
    return list(session.scalars(jobs.order_by(begun, JobOrder.start_on.desc(), JobOrder.job_order_id)))


def _locked(session: Session, lot_ids: Sequence[str]) -> Sequence[str]:
    chosen = select(JobOrder.job_order_id).where(JobOrder.lot_id.in_(lot_ids), JobOrder.state.in_(LIVE))
    return session.scalars(chosen.order_by(JobOrder.job_order_id).with_for_update(key_share=True)).all()


def _skus(session: Session, job_order_ids: Sequence[str]) -> dict[str, list[JobOrderSku]]:
    found: dict[str, list[JobOrderSku]] = defaultdict(list)
    chosen = select(JobOrderSku).where(JobOrderSku.job_order_id.in_(job_order_ids)).order_by(JobOrderSku.sku_id)
    for sku in session.scalars(chosen):
        found[sku.job_order_id].append(sku)
    return found


def _wanted(excess: Pieces | None, skus: Sequence[JobOrderSku]) -> Pieces:
    """What is still wanted of a job order: nothing that is made is asked back, unless all is."""
    if excess is None:
        return {}
    wanted = {}
    for sku in skus:
        less = min(excess.get(sku.sku_id, 0), _not_made(sku))
        excess[sku.sku_id] = excess.get(sku.sku_id, 0) - less
        wanted[sku.sku_id] = sku.quantity - less
    return wanted


def _not_made(sku: JobOrderSku) -> int:
    return max(0, sku.quantity - max(sku.good_pieces, sku.shipped))


def _question(
    session: Session, job: JobOrder, wanted: Pieces, agreed: messages.JobOrder | None, at: datetime
) -> NewMessage | None:
    total = sum(wanted.values())
    if total == job.quantity or total == job.asked_pieces:
        return None
    outbox.void(session, [job.job_order_id])
    job.asked_pieces, job.cut_accepted, job.made_pieces, job.at = total, None, None, at
    if total == 0 or agreed is None:
        return NewMessage(
            job.factory_id, Cancel(job_order_id=job.job_order_id, revision=job.revision, reason=REASON), at
        )
    before = session.get_one(JobOrderRevision, (job.job_order_id, job.revision))
    job.revision, job.requested = job.revision + 1, total
    job.accept_by = at + timedelta(hours=settings().plan.accept_within_hours)
    session.add(
        JobOrderRevision(
            job_order_id=job.job_order_id,
            revision=job.revision,
            plan_id=before.plan_id,
            quantity=total,
            started=before.started,
        )
    )
    return NewMessage(job.factory_id, _less(agreed, job, wanted), at)


def _less(agreed: messages.JobOrder, job: JobOrder, wanted: Pieces) -> messages.JobOrder:
    """The agreed job order with fewer pieces."""
    skus = {sku_id: pieces for sku_id, pieces in wanted.items() if pieces}
    items = agreed.items and tuple(
        item.model_copy(update={"quantity": skus[item.sku_id]}) for item in agreed.items if item.sku_id in skus
    )
    terms = {"revision": job.revision, "accept_by": job.accept_by, "quantity": job.requested, "quantity_by_sku": skus}
    return agreed.model_copy(update=terms | {"items": items})
