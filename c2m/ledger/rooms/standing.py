"""How the orders of a merchant stand: what was promised, what each waits for, who makes it."""

from collections.abc import Collection

import pandas as pd
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from c2m.domain import personalisation
from c2m.ledger.rooms import sights
from c2m.ledger.states import LIVE, OPEN_TICKETS, STARTED
from c2m.ledger.store import Scope, frame
from c2m.ledger.tables import JobOrder, JobOrderSku, Lot, LotSku, RoomTicket

MADE = ("job_order_id", "factory_id", "lot_id", "state", "accepted", "quantity", "good_pieces", "shipped", "due_on")


def orders(session: Session, scope: Scope, order_id: str | None = None) -> pd.DataFrame:
    """Orders by due day, with what they wait for.

    Parameters
    ----------
    session
        Transaction of the ledger.
    scope
        Whose rows are seen.
    order_id
        One order; None: all.

    Returns
    -------
    pd.DataFrame
        The columns of `sights.orders`, is_late, waits_for (key of the words), waits (the reason where an order cannot
        be planned), open_changes (how many tickets are not settled).
    """
    found = sights.orders(session, scope)
    if order_id is not None:
        found = found[found["order_id"] == order_id]
    waits = select(Lot.order_id, func.max(Lot.waits).label("waits")).where(*scope.conditions(Lot))
    found = found.merge(frame(session, waits.group_by(Lot.order_id)), "left", "order_id")
    asked = select(RoomTicket.order_id, func.count().label("open_changes")).where(RoomTicket.state.in_(OPEN_TICKETS))
    found = found.merge(frame(session, asked.group_by(RoomTicket.order_id)), "left", "order_id")
    jobs = job_orders(session, scope, order_id).groupby("order_id")
    busy = {str(name): _waits_for(rows) for name, rows in jobs}
    found["waits_for"] = [_key(row, busy) for _, row in found.iterrows()]
    found["is_late"] = found["promised_on"].notna() & (found["promised_on"] > found["due_on"])
    return found.astype(object).where(found.notna(), None)


def job_orders(session: Session, scope: Scope, order_id: str | None = None) -> pd.DataFrame:
    """Job orders by factory.

    Parameters
    ----------
    session
        Transaction of the ledger.
    scope
        Whose rows are seen.
    order_id
        One order; None: all.

    Returns
    -------
    pd.DataFrame
        order_id, MADE, style_name, colour.
    """
    staged = (JobOrder.stage, JobOrder.stages, JobOrder.next_factory_id, JobOrder.arrived, Lot.operations)
    names = (func.coalesce(Lot.style_name, Lot.style_id).label("style_name"), Lot.colour, *staged)
    chosen = select(JobOrder.order_id, *(getattr(JobOrder, name) for name in MADE), *names)
    chosen = chosen.join(Lot, Lot.lot_id == JobOrder.lot_id).where(*scope.conditions(JobOrder))
    if order_id is not None:
        chosen = chosen.where(JobOrder.order_id == order_id)
    return frame(session, chosen.order_by(JobOrder.factory_id, JobOrder.job_order_id))


def batches(session: Session, scope: Scope) -> pd.DataFrame:
    """Where job orders belong.

    Parameters
    ----------
    session
        Transaction of the ledger.
    scope
        Whose rows are seen.

    Returns
    -------
    pd.DataFrame
        job_order_id, factory_id, lot_id, order_id, merchant_id, next_factory_id.
    """
    names = (JobOrder.job_order_id, JobOrder.factory_id, JobOrder.lot_id, JobOrder.order_id, JobOrder.merchant_id)
    return frame(session, select(*names, JobOrder.next_factory_id).where(*scope.conditions(JobOrder)))


def sku_codes(session: Session, scope: Scope, lot_ids: Collection[str] | None = None) -> pd.DataFrame:
    """The merchants' own numbers of SKUs in job orders.

    Parameters
    ----------
    session
        Transaction of the ledger.
    scope
        Whose rows are seen.
    lot_ids
        Which lots; None: all.

    Returns
    -------
    pd.DataFrame
        merchant_id, lot_id, sku_id, sku_code.
    """
    chosen = select(JobOrder.merchant_id, LotSku.lot_id, LotSku.sku_id, LotSku.sku_code).distinct()
    chosen = chosen.join(LotSku, LotSku.lot_id == JobOrder.lot_id).where(*scope.conditions(JobOrder))
    return frame(session, chosen if lot_ids is None else chosen.where(LotSku.lot_id.in_(lot_ids)))


def pieces(session: Session, scope: Scope, order_id: str) -> pd.DataFrame:
    """The SKUs of an order.

    Parameters
    ----------
    session
        Transaction of the ledger.
    scope
        Whose rows are seen.
    order_id
        Which order.

    Returns
    -------
    pd.DataFrame
        style_name, colour, size, sku_id, quantity, shipped and received (pieces), personalisation (by name).
    """
    arrived = select(JobOrder.lot_id, JobOrderSku.sku_id, func.sum(JobOrderSku.received).label("received"))
    arrived = arrived.join(JobOrder, JobOrder.job_order_id == JobOrderSku.job_order_id)
    by_sku = arrived.where(JobOrder.is_last).group_by(JobOrder.lot_id, JobOrderSku.sku_id).subquery()
    names = (func.coalesce(Lot.style_name, Lot.style_id).label("style_name"), Lot.colour, LotSku.size, LotSku.sku_id)
    sums = (LotSku.quantity, LotSku.shipped, func.coalesce(by_sku.c.received, 0).label("received"))
    chosen = select(*names, *sums, Lot.personalisation).join(Lot, Lot.lot_id == LotSku.lot_id)
    chosen = chosen.outerjoin(by_sku, (by_sku.c.lot_id == LotSku.lot_id) & (by_sku.c.sku_id == LotSku.sku_id))
    own = (Lot.order_id == order_id, *scope.conditions(Lot))
    found = frame(session, chosen.where(*own).order_by(Lot.style_id, Lot.colour, LotSku.sku_id, Lot.personalisation))
    told = [personalisation.pairs(text) for text in found["personalisation"]]
    return found.assign(personalisation=pd.Series(told, found.index, dtype=object))


def _waits_for(jobs: pd.DataFrame) -> str:
    states = set(jobs.loc[jobs["state"].isin(LIVE), "state"])
    if "Released" in states:
        return "answer"
    if states & set(STARTED):
        return "production"
    return "start" if states else ""


def _key(order: pd.Series, busy: dict[str, str]) -> str:
    if order["state"] in ("closed", "cancelled"):
        return "nothing"
    if order["waits"]:
        return "correction"
    return busy.get(str(order["order_id"])) or ("plan" if not order["shipped"] else "rest")
