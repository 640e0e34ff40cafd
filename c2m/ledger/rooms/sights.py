"""Orders and job orders as people in the order room see them, by scope: nobody gets a row that is not theirs.

What people know an order by comes first (its code, style and colour); ids come last. Quantities are good pieces.
"""

from dataclasses import dataclass
from datetime import date
from typing import Any, Literal, get_args

import pandas as pd
from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.orm import Session

from c2m.domain.personalisation import pairs
from c2m.ledger.orders import number
from c2m.ledger.states import UNFINISHED, JobState
from c2m.ledger.store import Scope, frame
from c2m.ledger.tables import JobOrder, Lot, LotSku, Order, Promise

ORDER = ("merchant_id", "source", "state", "placed_on", "due_on", "currency", "closed_at", "order_id")
_WHEN = ("start_on", "due_on", "transit_days")
JOB = ("state", "quantity", "good_pieces", "shipped", "defects", *_WHEN, "rank", "accept_by", "reason")
Sort = Literal["due_on", "placed_on", "code", "merchant_id", "state"]
SORTS: tuple[Sort, ...] = get_args(Sort)
CODE = number()
STYLE = func.coalesce(Lot.style_name, Lot.style_id)
_LOST: tuple[JobState, ...] = ("Refused", "Expired", "Aborted")


@dataclass(frozen=True)
class OrderFilter:
    """Which orders, in which order. text: found in code, merchant, style or colour. late_on: late on this day."""

    text: str = ""
    state: str = ""  # one of them; '': any
    source: str = ""  # merchant or replenishment; '': any
    late_on: date | None = None
    sort: Sort = "due_on"
    descending: bool = False


def orders(
    session: Session, scope: Scope, wanted: OrderFilter | None = None, limit: int | None = None, offset: int = 0
) -> pd.DataFrame:
    """Orders as a list shows them.

    Parameters
    ----------
    session
        Transaction of the ledger.
    scope
        A merchant's or everyone's: a factory sees job orders, not orders.
    wanted
        Which; default: all, the earliest due first.
    limit
        At most so many rows.
    offset
        Rows to leave out first.

    Returns
    -------
    pandas.DataFrame
        code, style_name (of the largest lot), colour, colours (how many), ORDER, pieces, shipped, promised_on.
    """
    wanted = wanted or OrderFilter()
    key: Any = CODE if wanted.sort == "code" else getattr(Order, wanted.sort)
    chosen = select(CODE.label("code"), *(getattr(Order, name) for name in ORDER)).where(*_wanted(scope, wanted))
    ordered = chosen.order_by(key.desc() if wanted.descending else key, Order.due_on, Order.order_id)
    found = frame(session, ordered.limit(limit).offset(offset) if limit else ordered)
    return found.merge(_lots_in_short(session, found), on="order_id", how="left")


def count(session: Session, scope: Scope, wanted: OrderFilter) -> int:
    """How many orders are wanted.

    Parameters
    ----------
    session
        Transaction of the ledger.
    scope
        Whose rows are seen.
    wanted
        Which ones.

    Returns
    -------
    int
        Orders.
    """
    return session.scalar(select(func.count()).select_from(Order).where(*_wanted(scope, wanted))) or 0


def _wanted(scope: Scope, wanted: OrderFilter) -> list[ColumnElement[bool]]:
    conditions = scope.conditions(Order)
    if wanted.state:
        conditions.append(Order.state.in_(UNFINISHED) if wanted.state == "unfinished" else Order.state == wanted.state)
    if wanted.source:
        conditions.append(Order.source == wanted.source)
    if wanted.late_on:
        conditions += [Order.state.in_(UNFINISHED), Order.due_on < wanted.late_on]
    if text := wanted.text.strip():
        of_order = select(Lot.lot_id).where(Lot.order_id == Order.order_id)
        named = or_(*(column.icontains(text, autoescape=True) for column in (Lot.style_name, Lot.style_id, Lot.colour)))
        own = (Order.order_code, Order.merchant_order_id, Order.order_id, Order.merchant_id)
        conditions.append(
            or_(*(column.icontains(text, autoescape=True) for column in own), of_order.where(named).exists())
        )
    return conditions


def _lots_in_short(session: Session, found: pd.DataFrame) -> pd.DataFrame:
    """order_id, style_name, colour, colours, pieces, shipped, promised_on of the orders of a list."""
    order_ids = list(found["order_id"])
    lots = frame(
        session,
        select(Lot.order_id, STYLE.label("style_name"), Lot.colour, Lot.quantity, Lot.shipped)
        .where(Lot.order_id.in_(order_ids))
        .order_by(Lot.quantity.desc(), Lot.lot_id),
    )
    short = lots.groupby("order_id", as_index=False).agg(
        style_name=("style_name", "first"),
        colour=("colour", "first"),
        colours=("colour", "size"),
        pieces=("quantity", "sum"),
        shipped=("shipped", "sum"),
    )
    told = frame(
        session,
        select(Promise.order_id, Promise.promised_on, Promise.probability)
        .where(Promise.order_id.in_(order_ids), Promise.made_at.is_not(None))
        .order_by(Promise.made_at.desc()),
    ).drop_duplicates("order_id")
    return short.merge(told, on="order_id", how="left")


def names(session: Session, scope: Scope, order_ids: list[str]) -> dict[str, str]:
    """What people know orders by: code, style and colour.

    Parameters
    ----------
    session
        Transaction of the ledger.
    scope
        A merchant's or everyone's.
    order_ids
        Which, a page of them.

    Returns
    -------
    dict
        Name by order_id; of others' orders there is none.
    """
    chosen = select(CODE.label("code"), Order.order_id).where(Order.order_id.in_(order_ids), *scope.conditions(Order))
    found = frame(session, chosen)
    named = found.merge(_lots_in_short(session, found), on="order_id")[["order_id", "code", "style_name", "colour"]]
    return {row[0]: ", ".join(part for part in row[1:] if part and part == part) for row in named.to_numpy()}


def order(session: Session, scope: Scope, order_id: str) -> dict[str, Any] | None:
    """An order as its page shows it: as in a list, with `lots` and what of it nobody makes; None: there is none here.

    Parameters
    ----------
    session
        Transaction of the ledger.
    scope
        A merchant's or everyone's.
    order_id
        Which.

    Returns
    -------
    dict or None
        Columns of `orders`, and lots: style_name, colour, category, crafts, quantity, shipped, waits, personalisation
        (texts by name), sizes.
    """
    chosen = select(CODE.label("code"), *(getattr(Order, name) for name in ORDER))
    found = frame(session, chosen.where(Order.order_id == order_id, *scope.conditions(Order)))
    if found.empty:
        return None
    whole = found.merge(_lots_in_short(session, found), on="order_id", how="left").astype(object)
    row: dict[str, Any] = dict(whole.where(whole.notna(), None).iloc[0])
    of_lot = ("colour", "category", "crafts", "quantity", "shipped", "waits", "specification_url", "state", "lot_id")
    lots = select(STYLE.label("style_name"), Lot.personalisation, *(getattr(Lot, name) for name in of_lot))
    lots = lots.where(Lot.order_id == order_id)
    skus = select(LotSku.lot_id, LotSku.size, LotSku.sku_id, LotSku.quantity, LotSku.shipped, LotSku.surplus)
    skus = skus.join(Lot, Lot.lot_id == LotSku.lot_id).where(Lot.order_id == order_id).order_by(LotSku.sku_id)
    sizes = {lot_id: rows.to_dict("records") for lot_id, rows in frame(session, skus).groupby("lot_id")}
    row["lots"] = [
        {**lot, "personalisation": pairs(lot["personalisation"]), "sizes": sizes.get(lot["lot_id"], [])}
        for lot in frame(session, lots.order_by(Lot.quantity.desc(), Lot.lot_id)).to_dict("records")
    ]
    return row


def job_orders(
    session: Session, scope: Scope, order_id: str | None = None, state: JobState | None = None
) -> pd.DataFrame:
    """JOB with what people know it by: code, style_name, colour, merchant_id, factory_id and the ids.

    Parameters
    ----------
    session
        Transaction of the ledger.
    scope
        A factory's, a merchant's or everyone's.
    order_id
        Only those of an order.
    state
        Only those in this state.

    Returns
    -------
    pandas.DataFrame
        A row per job order, by factory in the order of work.
    """
    conditions = scope.conditions(JobOrder)
    if order_id is not None:
        conditions.append(JobOrder.order_id == order_id)
    if state is not None:
        conditions.append(JobOrder.state == state)
    work = (JobOrder.factory_id, JobOrder.rank.is_(None), JobOrder.rank, JobOrder.due_on, JobOrder.job_order_id)
    return frame(session, _job_orders(*conditions).order_by(*work))


def _job_orders(*conditions: ColumnElement[bool]) -> Select[Any]:
    """The statement behind job orders: JOB with what people know it by and the ids."""
    tenants = (JobOrder.merchant_id, JobOrder.factory_id)
    ids = (JobOrder.begun_at, JobOrder.ended_at, JobOrder.order_id, JobOrder.lot_id, JobOrder.job_order_id)
    named = (CODE.label("code"), Order.source, STYLE.label("style_name"), Lot.colour)
    staged = (JobOrder.stage, JobOrder.stages, JobOrder.next_factory_id, JobOrder.arrived, Lot.operations)
    chosen = select(*named, *tenants, *(getattr(JobOrder, name) for name in JOB), *ids, *staged)
    joined = chosen.join(Lot, Lot.lot_id == JobOrder.lot_id).join(Order, Order.order_id == JobOrder.order_id)
    return joined.where(*conditions)


def labels(session: Session, scope: Scope, lot_ids: list[str]) -> pd.DataFrame:
    """code, source, style_name, colour, merchant_id, due_on, quantity, order_id, lot_id of lots.

    Parameters
    ----------
    session
        Transaction of the ledger.
    scope
        A merchant's or everyone's.
    lot_ids
        Which, a page of them.

    Returns
    -------
    pandas.DataFrame
        A row per lot that there is.
    """
    of_lot = (Lot.colour, Lot.merchant_id, Order.due_on, Lot.quantity, Lot.order_id, Lot.lot_id)
    chosen: Select[Any] = select(CODE.label("code"), Order.source, STYLE.label("style_name"), *of_lot)
    joined = chosen.join(Order, Order.order_id == Lot.order_id)
    return frame(session, joined.where(Lot.lot_id.in_(lot_ids), *scope.conditions(Lot)))


def given_back(session: Session, scope: Scope) -> pd.DataFrame:
    """Job orders that a factory refused, did not answer or gave up, whose order is not finished: as `job_orders`.

    Parameters
    ----------
    session
        Transaction of the ledger.
    scope
        A factory's, a merchant's or everyone's.

    Returns
    -------
    pandas.DataFrame
        The latest first.
    """
    gone = _job_orders(JobOrder.state.in_(_LOST), Order.state.in_(UNFINISHED), *scope.conditions(JobOrder))
    return frame(session, gone.order_by(JobOrder.ended_at.desc(), JobOrder.job_order_id))
