"""Orders and job orders as people in the order room see them, by scope: nobody gets a row that is not theirs.

What people know an order by comes first (its code, style and colour); ids come last. Quantities are good pieces.
"""

import pandas as pd
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from c2m.ledger.store import Scope, frame
from c2m.ledger.tables import JobOrder, Lot, Order

ORDER = ("order_code", "merchant_id", "source", "state", "placed_on", "due_on", "order_id")
JOB = ("state", "quantity", "good_pieces", "shipped", "defects", "start_on", "due_on", "rank", "accept_by", "reason")


def orders(session: Session, scope: Scope) -> pd.DataFrame:
    """ORDER with style_name, colours, pieces and shipped, the earliest due first.

    Parameters
    ----------
    session
        Transaction of the ledger.
    scope
        A merchant's or everyone's: a factory sees job orders, not orders.

    Returns
    -------
    pandas.DataFrame
        A row per order.
    """
    style = func.min(func.coalesce(Lot.style_name, Lot.style_id)).label("style_name")
    sums = (func.count().label("colours"), func.sum(Lot.quantity).label("pieces"), func.sum(Lot.shipped))
    chosen = select(*(getattr(Order, name) for name in ORDER), style, *sums[:2], sums[2].label("shipped"))
    joined = chosen.join(Lot, Lot.order_id == Order.order_id).where(*scope.conditions(Order)).group_by(Order.order_id)
    return frame(session, joined.order_by(Order.due_on, Order.order_id))


def job_orders(session: Session, scope: Scope) -> pd.DataFrame:
    """JOB with what people know it by: order_code, style_name, colour, merchant_id, factory_id and the ids.

    Parameters
    ----------
    session
        Transaction of the ledger.
    scope
        A factory's, a merchant's or everyone's.

    Returns
    -------
    pandas.DataFrame
        A row per job order, by factory in the order of work.
    """
    names = (Order.order_code, func.coalesce(Lot.style_name, Lot.style_id).label("style_name"), Lot.colour)
    tenants = (JobOrder.merchant_id, JobOrder.factory_id)
    ids = (JobOrder.order_id, JobOrder.lot_id, JobOrder.job_order_id)
    chosen = select(*names, *tenants, *(getattr(JobOrder, name) for name in JOB), *ids)
    joined = chosen.join(Lot, Lot.lot_id == JobOrder.lot_id).join(Order, Order.order_id == JobOrder.order_id)
    work = (JobOrder.factory_id, JobOrder.rank.is_(None), JobOrder.rank, JobOrder.due_on, JobOrder.job_order_id)
    return frame(session, joined.where(*scope.conditions(JobOrder)).order_by(*work))
