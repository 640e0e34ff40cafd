"""A factory's job orders as it works on them: what is asked, what it may answer, what making them needs.

What making needs is what its latest message says; the page of a factory without a machine shows what a machine would
have read.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from pydantic_core import to_json
from sqlalchemy import select
from sqlalchemy.orm import Session

from c2m.ledger.conversation.outbox import OPEN
from c2m.ledger.states import LIVE, STARTED
from c2m.ledger.store import Scope
from c2m.ledger.tables import FactoryStatus, JobOrder, JobOrderSku, Lot, LotSku, Order, Outbox
from c2m.wire import messages
from c2m.wire.messages import CANCEL, STORE


@dataclass(frozen=True)
class Item:
    """Pieces of a SKU. codes: the merchant's own of SKU, colour and size, '' where there is none."""

    sku_id: str
    colour: str
    size: str
    codes: tuple[str, str, str]
    quantity: int
    good_pieces: int
    shipped: int


@dataclass(frozen=True)
class Job:
    """A job order of a factory. asked: its latest message; acts: what the factory may say now."""

    job_order_id: str
    factory_id: str
    order_id: str
    code: str  # of the order, as its merchant spells it
    merchant_id: str
    style_name: str  # '' where there is none
    style_code: str  # the merchant's own number
    colour: str
    state: str  # as in the ledger
    has_begun: bool
    revision: int  # the latest that was asked
    sequence: int  # number of the factory's newest word
    quantity: int  # pieces
    reason: str  # of the factory, in words
    accept_by: datetime
    asked: messages.JobOrder
    question: str  # offer, change, rank, cancel; '' where none is open
    acts: tuple[str, ...]
    items: tuple[Item, ...]


def of_factory(session: Session, job_order_id: str, scope: Scope) -> Job | None:
    """A job order as its factory sees it.

    Parameters
    ----------
    session
        Transaction of the ledger.
    job_order_id
        Which one.
    scope
        Whose rows are seen.

    Returns
    -------
    Job or None
        None where there is none in scope.
    """
    chosen = select(JobOrder, Lot, Order).join(Lot, Lot.lot_id == JobOrder.lot_id)
    chosen = chosen.join(Order, Order.order_id == JobOrder.order_id)
    found = session.execute(chosen.where(JobOrder.job_order_id == job_order_id, *scope.conditions(JobOrder))).first()
    if found is None:
        return None
    job, lot, order = found
    said = session.scalars(select(Outbox).where(Outbox.job_order_id == job_order_id).order_by(Outbox.position)).all()
    asked = [messages.JobOrder.model_validate_json(to_json(one.payload["data"])) for one in said if one.type == STORE]
    question = _question(job, said)
    return Job(
        job_order_id=job_order_id,
        factory_id=job.factory_id,
        order_id=job.order_id,
        code=order.order_code or order.merchant_order_id or "",
        merchant_id=job.merchant_id,
        style_name=lot.style_name or lot.style_id,
        style_code=lot.style_code or "",
        colour=lot.colour,
        state=job.state,
        has_begun=job.has_begun,
        revision=job.revision,
        sequence=job.sequence,
        quantity=job.quantity,
        reason=job.reason,
        accept_by=job.accept_by,
        asked=asked[-1],
        question=question,
        acts=_acts(job, question),
        items=_items(session, job, lot),
    )


def has_machine(session: Session, factory_id: str) -> bool:
    """Whether a system of the factory's own has said that it is there, and not that it left.

    Parameters
    ----------
    session
        Transaction of the ledger.
    factory_id
        Which factory.

    Returns
    -------
    bool
        False where people answer by hand.
    """
    return bool(session.scalar(select(FactoryStatus.online).where(FactoryStatus.factory_id == factory_id)))


def _question(job: JobOrder, said: Iterable[Outbox]) -> str:
    """What waits for an answer; a cancel comes first."""
    open_ = [one for one in said if one.state in OPEN]
    if any(one.type == CANCEL for one in open_):
        return "cancel"
    stores = [one for one in open_ if one.type == STORE]
    if not stores:
        return ""
    if job.ranked_revision and stores[-1].revision == job.ranked_revision:
        return "rank"
    return "change" if job.confirmed_revision else "offer"


def _acts(job: JobOrder, question: str) -> tuple[str, ...]:
    """In the order in which they are offered."""
    if question == "cancel":
        return ("give_back", "go_on") if job.has_begun else ("give_back",)
    if job.state not in LIVE:
        return ()
    answers = ("accept", "refuse") if question else ()
    if job.state in STARTED:
        return (*answers, "finish", "interrupt" if job.state == "Running" else "resume")
    return answers if question or not job.confirmed_revision else ("start",)


def _items(session: Session, job: JobOrder, lot: Lot) -> tuple[Item, ...]:
    skus = {sku.sku_id: sku for sku in session.scalars(select(LotSku).where(LotSku.lot_id == lot.lot_id))}
    held = select(JobOrderSku).where(JobOrderSku.job_order_id == job.job_order_id).order_by(JobOrderSku.sku_id)
    return tuple(
        _item(skus[one.sku_id], lot.colour, one) for one in session.scalars(held) if one.quantity or one.good_pieces
    )


def _item(sku: LotSku, colour: str, made: JobOrderSku) -> Item:
    codes = sku.sku_code or "", sku.colour_code or "", sku.size_code or ""
    return Item(sku.sku_id, colour, sku.size or "", codes, made.quantity, made.good_pieces, made.shipped)
