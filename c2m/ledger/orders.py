"""Orders and their lots: recorded from the order book, moved by what factories ship.

open -> in_production -> closed, or cancelled. A lot is closed when of each SKU the shipped good pieces reach its
quantity less the order's tolerance (by the setting goods.close_orders_by: the received ones); an order when all its
lots that were not cancelled are. Ended is not final for the
merchant: what grows, is reopened, or falls short by a scan that was taken back, is open again; what was shipped and is
no longer ordered is surplus.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import ColumnElement, Select, and_, case, exists, func, or_, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from c2m.domain.operations import names_of
from c2m.errors import InputError
from c2m.ledger.quantities import record_quantities
from c2m.ledger.states import LIVE, UNFINISHED
from c2m.ledger.store import EVERYONE, Scope, chunks, frame, rows, serialise, upsert
from c2m.ledger.tables import JobOrder, JobOrderSku, Lot, LotSku, Order, Promise
from c2m.settings import settings

ORDER = [c.name for c in Order.__table__.columns if c.name not in ("state", "closed_at", "at")]
LOT = [c.name for c in Lot.__table__.columns if c.name not in ("shipped", "state", "at")]
OPTIONAL = {  # of a lot
    "style_name": None,
    "style_code": None,
    "specification_url": None,
    "personalisation": None,
    "operations": None,
    "stages": 1,
    "waits": "",
}
CODES = ("sku_code", "colour_code", "size_code")  # of a SKU, the merchant's own
TOLD = ("size", *CODES)  # of a SKU, where its catalogue says it
PLANNING = [  # what open_lots tells of a lot's order
    "source",
    "parent_order_id",
    "placed_on",
    "release_on",
    "due_on",
    "priority",
    "tolerance_share",
    "max_factories",
    "currency",
    "destination_latitude",
    "destination_longitude",
]


def record(
    session: Session,
    orders: pd.DataFrame,
    lots: pd.DataFrame,
    lot_skus: pd.DataFrame,
    at: datetime,
    quantities: pd.DataFrame | None = None,
) -> None:
    """Takes over the order book; the same rows change nothing.

    An order comes with all its lots, a lot with all its SKUs: what is no longer there is cancelled, or zero.

    Parameters
    ----------
    session
        Transaction of the ledger.
    orders
        Columns ORDER; `state` may be absent, and `cancelled` in it cancels. Where merchant_order_id is absent, a
        merchant's order has the same id in its feed.
    lots
        Columns LOT: quantity in pieces, minutes per piece, money per piece.
    lot_skus
        lot_id, sku_id, quantity (pieces), and TOLD if it is known.
    at
        UTC; noted with what it changes.
    quantities
        How the quantities came about (`c2m.ledger.quantities`); None: nothing to tell.

    Raises
    ------
    InputError
        Orders, lots and SKUs do not fit together; every fault is named.
    """
    _refuse_inconsistent(orders, lots, lot_skus)
    serialise(session, "order book")
    fresh = {"state": "open", "at": at}
    own_ids = orders["order_id"].where(orders["source"] == "merchant")
    named = _with(orders, {"order_code": None, "merchant_order_id": own_ids})
    order_rows = [row | fresh | {"closed_at": None} for row in rows(Order, named, ORDER)]
    upsert(session, Order, order_rows, keep=("state", "closed_at"))
    in_hand = _routes_in_hand(session, lots["lot_id"])
    lot_rows = [
        row | fresh | {"shipped": 0} | in_hand.get(str(row["lot_id"]), {})
        for row in rows(Lot, _with(lots, OPTIONAL), LOT)
    ]
    upsert(session, Lot, lot_rows, keep=("state", "shipped"))
    told = _with(lot_skus, dict.fromkeys(TOLD))
    sku_rows = [row | {"shipped": 0} for row in rows(LotSku, told, ["lot_id", "sku_id", *TOLD, "quantity"])]
    upsert(session, LotSku, sku_rows + _vanished_skus(session, lot_skus), keep=("shipped",))
    if quantities is not None:
        record_quantities(session, quantities, at)
    cancelled = set(orders.loc[orders["state"] == "cancelled", "order_id"]) if "state" in orders else set()
    _cancel(session, set(orders["order_id"]), set(lots["lot_id"]), cancelled, at)
    _reopen(session, lots[~lots["order_id"].isin(cancelled)], at)
    session.flush()
    _settle_of_orders(session, sorted(set(orders["order_id"])), at)


def _routes_in_hand(session: Session, lot_ids: Iterable[str]) -> dict[str, dict[str, object]]:
    """Operations and stages of lots that factories were told of: they stay what they were."""
    found: dict[str, dict[str, object]] = {}
    for some in chunks(sorted(lot_ids)):
        told = select(JobOrder.lot_id).where(JobOrder.lot_id.in_(some))
        chosen = select(Lot.lot_id, Lot.operations, Lot.stages).where(Lot.lot_id.in_(told), Lot.operations.is_not(None))
        for lot_id, operations, stages in session.execute(chosen):
            found[lot_id] = {"operations": operations, "stages": stages}
    return found


def _with(given: pd.DataFrame, missing: Mapping[str, Any]) -> pd.DataFrame:
    return given.assign(**{name: value for name, value in missing.items() if name not in given})


def _refuse_inconsistent(orders: pd.DataFrame, lots: pd.DataFrame, lot_skus: pd.DataFrame) -> None:
    faults = []
    for name, table, key in (
        ("orders", orders, ["order_id"]),
        ("lots", lots, ["lot_id"]),
        ("lot_skus", lot_skus, ["lot_id", "sku_id"]),
    ):
        twice = table.loc[table.duplicated(key), key]
        faults += [f"{name} {', '.join(row)}: given twice, expected once" for row in twice.itertuples(index=False)]
    strangers = lots[~lots["order_id"].isin(orders["order_id"])]
    faults += [f"lot {row.lot_id}: its order {row.order_id} is not among the orders" for row in strangers.itertuples()]
    total = lots["lot_id"].map(lot_skus.groupby("lot_id")["quantity"].sum()).fillna(0)
    faults += [
        f"lot {lot_id}: its SKUs sum to {total:g} pieces, expected its quantity {quantity}"
        for lot_id, quantity, total in zip(lots["lot_id"], lots["quantity"], total, strict=True)
        if total != quantity
    ]
    if faults:
        raise InputError("order-book-inconsistent", faults)


def _vanished_skus(session: Session, lot_skus: pd.DataFrame) -> list[dict[str, object]]:
    given = set(zip(lot_skus["lot_id"], lot_skus["sku_id"], strict=True))
    vanished: list[dict[str, object]] = []
    for some in chunks(sorted(set(lot_skus["lot_id"]))):
        names = ("lot_id", "sku_id", *TOLD)
        held = session.execute(select(*(getattr(LotSku, name) for name in names)).where(LotSku.lot_id.in_(some)))
        gone = sorted((row for row in map(tuple, held) if row[:2] not in given), key=lambda row: row[:2])
        vanished += [dict(zip(names, row, strict=True)) | {"quantity": 0, "shipped": 0} for row in gone]
    return vanished


def _cancel(session: Session, order_ids: set[str], lot_ids: set[str], cancelled: set[str], at: datetime) -> None:
    change = {"state": "cancelled", "at": at}
    unfinished = _unfinished_lots(session, order_ids)
    gone = [lot_id for lot_id, order_id in unfinished if lot_id not in lot_ids or order_id in cancelled]
    for some in chunks(sorted(cancelled)):
        unfinished_orders = (Order.order_id.in_(some), Order.state.in_(UNFINISHED))
        session.execute(update(Order).where(*unfinished_orders).values(change))
    for some in chunks(gone):
        session.execute(update(Lot).where(Lot.lot_id.in_(some)).values(change))


def _unfinished_lots(session: Session, order_ids: set[str]) -> list[tuple[str, str]]:
    """Lot and order of what is not finished of some orders."""
    found: list[tuple[str, str]] = []
    for some in chunks(sorted(order_ids)):
        chosen = select(Lot.lot_id, Lot.order_id).where(Lot.order_id.in_(some), Lot.state.in_(UNFINISHED))
        found += session.execute(chosen).tuples()
    return found


def _reopen(session: Session, lots: pd.DataFrame, at: datetime) -> None:
    """What was cancelled and is ordered again."""
    _open_again(session, Order.order_id, lots["order_id"], {"closed_at": None, "at": at})
    _open_again(session, Lot.lot_id, lots["lot_id"], {"at": at})


def _open_again(
    session: Session, key: InstrumentedAttribute[str], ids: Iterable[str], change: Mapping[str, object]
) -> None:
    """The rows of a table with these keys."""
    for some in chunks(sorted(set(ids))):
        again = update(key.class_).where(key.in_(some), key.class_.state == "cancelled")
        session.execute(again.values(state="open", **change))


def _settle_of_orders(session: Session, order_ids: Sequence[str], at: datetime) -> None:
    """Of those on which work was given out: a new quantity may close them, open them again, or leave a surplus."""
    for some in chunks(order_ids):
        given_out = select(JobOrder.lot_id).where(JobOrder.order_id.in_(some)).distinct()
        settle(session, session.scalars(given_out.order_by(JobOrder.lot_id)).all(), at)


def rooms() -> Select[tuple[str, str, int]]:
    """lot_id, sku_id, pieces: what is neither shipped nor asked of anyone; negative where it is more than ordered.

    Where orders close by receipt, what was lost is to be made again. Of lots made in stages: at the last one.
    """
    asked = case((JobOrderSku.quantity > JobOrderSku.shipped, JobOrderSku.quantity), else_=JobOrderSku.shipped)
    lost = JobOrderSku.lost if _close_by_receipt() else 0
    given = case((JobOrder.counted, JobOrderSku.shipped), else_=asked) - lost
    taken = (
        select(JobOrder.lot_id, JobOrderSku.sku_id, func.sum(given).label("pieces"))
        .join(JobOrder, JobOrder.job_order_id == JobOrderSku.job_order_id)
        .where(JobOrder.is_last)
        .group_by(JobOrder.lot_id, JobOrderSku.sku_id)
        .subquery()
    )
    same = and_(taken.c.lot_id == LotSku.lot_id, taken.c.sku_id == LotSku.sku_id)
    left = (LotSku.quantity - func.coalesce(taken.c.pieces, 0)).label("pieces")
    return select(LotSku.lot_id, LotSku.sku_id, left).outerjoin(taken, same)


def rooms_of_stages(session: Session, lot_ids: Sequence[str]) -> list[tuple[str, int, str, int]]:
    """lot_id, stage, sku_id, pieces: as `rooms`, of the stages before the last."""
    asked = case((JobOrderSku.quantity > JobOrderSku.shipped, JobOrderSku.quantity), else_=JobOrderSku.shipped)
    given = func.sum(case((JobOrder.counted, JobOrderSku.shipped), else_=asked) - JobOrderSku.lost)
    key = (JobOrder.lot_id, JobOrder.stage, JobOrderSku.sku_id)
    chosen = select(*key, given).join(JobOrder, JobOrder.job_order_id == JobOrderSku.job_order_id)
    chosen = chosen.where(JobOrder.lot_id.in_(lot_ids), JobOrder.stage < JobOrder.stages).group_by(*key)
    taken = {(lot_id, stage, sku_id): int(pieces) for lot_id, stage, sku_id, pieces in session.execute(chosen)}
    ordered = select(LotSku.lot_id, Lot.stages, LotSku.sku_id, LotSku.quantity).join(Lot, Lot.lot_id == LotSku.lot_id)
    ordered = ordered.where(LotSku.lot_id.in_(lot_ids), Lot.stages > 1).order_by(LotSku.lot_id, LotSku.sku_id)
    return [
        (lot_id, stage, sku_id, quantity - taken.get((lot_id, stage, sku_id), 0))
        for lot_id, stages, sku_id, quantity in session.execute(ordered)
        for stage in range(1, stages)
    ]


def open_lots(session: Session, scope: Scope = EVERYONE) -> pd.DataFrame:
    """Lots with pieces to be made, as planning reads them.

    Parameters
    ----------
    session
        Transaction of the ledger.
    scope
        Whose are seen.

    Returns
    -------
    pd.DataFrame
        The lot's columns, its order's (PLANNING, called), and: committed, the pieces that live job orders are still to
        make; remaining, these and of each SKU the pieces that nobody is to deliver yet; promised_on, the first date of
        the order that the merchant was told, by a quote that it took (then quoted) or by a plan. Values per piece are
        floats: planning reckons so.
    """
    held = (
        select(JobOrder.lot_id, func.sum(JobOrder.to_make).label("committed"))
        .where(JobOrder.counted.is_(False), JobOrder.state.in_(LIVE), JobOrder.is_last)
        .group_by(JobOrder.lot_id)
        .subquery()
    )
    room = rooms().subquery()
    free = (
        select(room.c.lot_id, func.sum(case((room.c.pieces > 0, room.c.pieces), else_=0)).label("free"))
        .group_by(room.c.lot_id)
        .subquery()
    )
    told = select(Promise.promised_on).where(Promise.order_id == Lot.order_id, Promise.made_at.is_not(None))
    first_told = told.order_by(Promise.made_at, Promise.plan_id).limit(1).scalar_subquery()
    remaining = func.coalesce(free.c.free, 0) + func.coalesce(held.c.committed, 0)
    # What waits now and was given out before goes on.
    can_be_planned = or_(Lot.waits == "", held.c.committed > 0)
    statement = (
        select(
            *Lot.__table__.columns,
            *(getattr(Order, name) for name in PLANNING),
            called().label("called"),
            first_told.label("promised_on"),
            exists().where(Promise.order_id == Lot.order_id, Promise.quoted).label("quoted"),
            remaining.label("remaining"),
            func.coalesce(held.c.committed, 0).label("committed"),
        )
        .join(Order, Order.order_id == Lot.order_id)
        .outerjoin(held, held.c.lot_id == Lot.lot_id)
        .outerjoin(free, free.c.lot_id == Lot.lot_id)
        .where(Lot.state.in_(UNFINISHED), remaining > 0, can_be_planned, *scope.conditions(Lot))
        .order_by(Lot.lot_id)
    )
    lots = frame(session, statement)
    return lots.astype({"unit_value": float, "unit_cost_basis": float, "remaining": np.int64, "committed": np.int64})


def routed(session: Session) -> frozenset[str]:
    """Names of the operations of all lots that follow a routing."""
    return names_of(session.scalars(select(Lot.operations).where(Lot.operations.is_not(None)).distinct()))


def held(session: Session) -> pd.DataFrame:
    """What merchants' orders, lots and SKUs are called (optimization/book/identity.py), also of orders without lots.

    The lot that orders most of a SKU comes first.
    """
    names = (Order.order_id, Order.merchant_id, Order.merchant_order_id, Lot.lot_id, LotSku.sku_id)
    chosen = select(*names, Lot.personalisation)
    chosen = chosen.outerjoin(Lot, Lot.order_id == Order.order_id).outerjoin(LotSku, LotSku.lot_id == Lot.lot_id)
    ordered = chosen.where(Order.source == "merchant").order_by(Order.order_id, LotSku.quantity.desc(), Lot.lot_id)
    return frame(session, ordered)


def waiting(session: Session, scope: Scope = EVERYONE) -> pd.DataFrame:
    """Lots that cannot be planned.

    Parameters
    ----------
    session
        Transaction of the ledger.
    scope
        Whose are seen.

    Returns
    -------
    pd.DataFrame
        called (as people call the order), style_id, colour, due_on, merchant_id, quantity (pieces), waits (why),
        order_id, lot_id.
    """
    columns = (
        called().label("called"),
        Lot.style_id,
        Lot.colour,
        Order.due_on,
        Lot.merchant_id,
        Lot.quantity,
        Lot.waits,
        Lot.order_id,
        Lot.lot_id,
    )
    chosen = select(*columns).join(Order, Order.order_id == Lot.order_id)
    of_scope = chosen.where(Lot.waits != "", Lot.state.in_(UNFINISHED), *scope.conditions(Lot))
    return frame(session, of_scope.order_by(Lot.order_id, Lot.lot_id))


def number() -> ColumnElement[str | None]:
    """What a merchant calls an order: its own number, else its id in the merchant's feed; of replenishment, nothing."""
    return func.coalesce(Order.order_code, Order.merchant_order_id)


def called() -> ColumnElement[str]:
    """The same, of an order without a number its id."""
    return func.coalesce(Order.order_code, Order.merchant_order_id, Order.order_id)


def find(session: Session, scope: Scope, name: str) -> str | None:
    """The id of the order that has a name, its id here or in its merchant's feed.

    Parameters
    ----------
    session
        Transaction of the ledger.
    scope
        Whose rows are seen.
    name
        What it was called.

    Returns
    -------
    str or None
        None where there is none in scope.
    """
    same = or_(Order.order_id == name, Order.merchant_order_id == name)
    found = select(Order.order_id).where(same, *scope.conditions(Order)).order_by(Order.order_id != name)
    return session.scalar(found.limit(1))


def own_ids(session: Session, scope: Scope) -> set[str]:
    """Ids in their merchants' feeds of all orders in scope.

    Parameters
    ----------
    session
        Transaction of the ledger.
    scope
        Whose rows are seen.

    Returns
    -------
    set of str
        Without replenishment, which has none.
    """
    held = select(Order.merchant_order_id).where(Order.merchant_order_id.is_not(None), *scope.conditions(Order))
    return set(session.scalars(held))


def own_id(session: Session, scope: Scope, order_id: str) -> str | None:
    """The id of an order in its merchant's feed.

    Parameters
    ----------
    session
        Transaction of the ledger.
    scope
        Whose rows are seen.
    order_id
        Its id here.

    Returns
    -------
    str or None
        None of what is not in scope, and of replenishment.
    """
    of_order = select(Order.merchant_order_id).where(Order.order_id == order_id, *scope.conditions(Order))
    return session.scalar(of_order)


def labels(session: Session, lot_ids: Sequence[str]) -> pd.DataFrame:
    """What people know lots by, finished ones too.

    Parameters
    ----------
    session
        Transaction of the ledger.
    lot_ids
        Which lots.

    Returns
    -------
    pd.DataFrame
        order (the merchant's number of it, or whose replenishment it is), style (its name, else its id), colour,
        due_on; then order_id, source, merchant_id, style_id, lot_id.
    """
    told = (number().label("number"), Lot.style_name, Lot.colour, Order.due_on)
    columns = (Lot.order_id, Order.source, Lot.merchant_id, Lot.style_id, Lot.lot_id)
    parts = [
        frame(session, select(*told, *columns).join(Order, Order.order_id == Lot.order_id).where(Lot.lot_id.in_(some)))
        for some in chunks(lot_ids)
    ]
    if not parts:
        return pd.DataFrame(columns=["order", "style", *(column.key for column in (*told[2:], *columns))])
    rows = pd.concat(parts, ignore_index=True)
    code, name = rows.pop("number"), rows.pop("style_name").fillna(rows["style_id"])
    rows.insert(0, "order", code.where(rows["source"] == "merchant", "replenishment " + rows["merchant_id"]))
    rows.insert(1, "style", name)
    return rows


def last_of_style(session: Session, before: date) -> pd.DataFrame:
    """The newest replenishment order of each style-colour, cancelled ones left out.

    Parameters
    ----------
    session
        Transaction of the ledger.
    before
        Orders placed on this day or later do not count.

    Returns
    -------
    pd.DataFrame
        merchant_id, style_id, colour, order_id.
    """
    newest = func.row_number().over(
        partition_by=(Lot.merchant_id, Lot.style_id, Lot.colour), order_by=(Order.placed_on.desc(), Order.order_id)
    )
    ranked = (
        select(Lot.merchant_id, Lot.style_id, Lot.colour, Lot.order_id, newest.label("age"))
        .join(Order, Order.order_id == Lot.order_id)
        .where(Order.source == "replenishment", Order.placed_on < before, Lot.state != "cancelled")
        .subquery()
    )
    columns = (ranked.c.merchant_id, ranked.c.style_id, ranked.c.colour, ranked.c.order_id)
    return frame(session, select(*columns).where(ranked.c.age == 1).order_by(*columns))


def begin(session: Session, begun: dict[tuple[str, str], datetime]) -> None:
    """Work on lots has begun. begun: when, by order and lot."""
    _begin(session, Order, Order.order_id, {order_id: at for (order_id, _), at in reversed(begun.items())})
    _begin(session, Lot, Lot.lot_id, {lot_id: at for (_, lot_id), at in reversed(begun.items())})


def _begin(
    session: Session, table: type[Order | Lot], key: InstrumentedAttribute[str], moments: Mapping[str, datetime]
) -> None:
    for some in chunks(sorted(moments)):
        known = select(key, table.state).where(key.in_(some)).order_by(key).with_for_update(key_share=True)
        open_ = [name for name, state in session.execute(known) if state == "open"]
        change = [{key.key: name, "state": "in_production", "at": moments[name]} for name in open_]
        if change:
            session.execute(update(table), change)


def settle(session: Session, lot_ids: Sequence[str], at: datetime) -> None:
    """Sums what the job orders of these lots shipped, and moves lots and orders on."""
    order_ids: set[str] = set()
    for some in chunks(lot_ids):
        concerned = set(session.scalars(select(Lot.order_id).where(Lot.lot_id.in_(some))))
        order_ids |= concerned
        # Orders before lots, by their ids, as everywhere, so that two transactions cannot wait for each other.
        chosen = select(Order.order_id).where(Order.order_id.in_(sorted(concerned))).order_by(Order.order_id)
        session.execute(chosen.with_for_update(key_share=True))
        _settle_lots(session, some, at)
    for some in chunks(sorted(order_ids)):
        _settle_orders(session, some, at)


def _settle_lots(session: Session, lot_ids: Sequence[str], at: datetime) -> None:
    skus = _shipped_skus(session, lot_ids)
    if skus.empty:
        return
    skus = _counted(skus)
    moved = skus[(skus["counted"] != skus["shipped"]) | (skus["surplus"] != skus["surplus_before"])]
    if len(moved):
        new = moved.drop(columns="shipped").rename(columns={"counted": "shipped"})
        session.execute(update(LotSku), rows(LotSku, new, ["lot_id", "sku_id", "shipped", "surplus"]))
    lots = _summed(skus)
    lots["state"] = _states(lots)
    changed = lots[(lots["state"] != lots["before"]) | (lots["shipped"] != lots["shipped_before"])]
    if len(changed):
        session.execute(update(Lot), [row | {"at": at} for row in rows(Lot, changed, ["lot_id", "shipped", "state"])])


def _counted(skus: pd.DataFrame) -> pd.DataFrame:
    """With the shipped pieces that count, the surplus above them, and whether these are enough."""
    most = most_pieces(skus["quantity"], skus["tolerance_share"]).where(skus["state"] != "cancelled", 0)
    counted = skus["total"].clip(upper=most)
    delivered = skus["received"] if _close_by_receipt() else counted
    enough = np.ceil(skus["quantity"] * (1 - skus["tolerance_share"]) - 1e-9)
    return skus.assign(counted=counted, surplus=skus["total"] - counted, is_done=delivered >= enough)


def _summed(skus: pd.DataFrame) -> pd.DataFrame:
    """The sums of each lot; before and shipped_before are what was written of it."""
    return skus.groupby("lot_id", as_index=False).agg(
        before=("state", "first"),
        shipped_before=("lot_shipped", "first"),
        quantity=("quantity", "sum"),
        shipped=("counted", "sum"),
        is_done=("is_done", "all"),
    )


def _states(lots: pd.DataFrame) -> pd.Series:
    """Where each lot stands now: one that was closed may have to be made once more."""
    begun = (lots["before"] == "open") & (lots["shipped"] > 0) | (lots["before"] == "closed")
    done = lots["is_done"] & (lots["quantity"] > 0) & (lots["before"] != "cancelled")
    return lots["before"].mask(begun, "in_production").mask(done, "closed")


def _shipped_skus(session: Session, lot_ids: Sequence[str]) -> pd.DataFrame:
    """SKUs of lots with the lot's state and tolerance.

    total, received: what their job orders shipped that was agreed, and what of it arrived.
    """
    sums = (func.sum(JobOrderSku.shipped).label("total"), func.sum(JobOrderSku.received).label("received"))
    total = (
        select(JobOrder.lot_id, JobOrderSku.sku_id, *sums)
        .join(JobOrder, JobOrder.job_order_id == JobOrderSku.job_order_id)
        .where(JobOrder.lot_id.in_(lot_ids), JobOrder.is_last)
        .group_by(JobOrder.lot_id, JobOrderSku.sku_id)
        .subquery()
    )
    same = and_(total.c.lot_id == LotSku.lot_id, total.c.sku_id == LotSku.sku_id)
    chosen = (
        select(
            *(LotSku.lot_id, LotSku.sku_id, LotSku.quantity, LotSku.shipped, LotSku.surplus.label("surplus_before")),
            *(Lot.state, Lot.shipped.label("lot_shipped"), Order.tolerance_share),
            *(func.coalesce(total.c[name], 0).label(name) for name in ("total", "received")),
        )
        .join(Lot, Lot.lot_id == LotSku.lot_id)
        .join(Order, Order.order_id == Lot.order_id)
        .outerjoin(total, same)
        .where(LotSku.lot_id.in_(lot_ids))
        .order_by(LotSku.lot_id, LotSku.sku_id)
    )
    return frame(session, chosen).astype({"total": "int64", "received": "int64"})


def _close_by_receipt() -> bool:
    return settings().goods.close_orders_by == "receipt"


def most_pieces(quantity: "pd.Series[int]", tolerance_share: "pd.Series[float]") -> "pd.Series[int]":
    """Pieces that count of a quantity; what is shipped beyond is surplus."""
    return (quantity * (1 + tolerance_share) + 1e-9).astype("int64")


def _settle_orders(session: Session, order_ids: Sequence[str], at: datetime) -> None:
    of_order = select(func.count()).where(Lot.order_id == Order.order_id).correlate(Order)
    unfinished_lots = of_order.where(Lot.state.in_(UNFINISHED)).scalar_subquery()
    begun_lots = of_order.where(Lot.state.in_(("in_production", "closed"))).scalar_subquery()
    chosen = update(Order).where(Order.order_id.in_(order_ids)).execution_options(synchronize_session=False)
    begun = chosen.where(Order.state == "open", begun_lots > 0)
    session.execute(begun.values(state="in_production", at=at))
    done = chosen.where(Order.state.in_(UNFINISHED), unfinished_lots == 0, begun_lots > 0)
    session.execute(done.values(state="closed", closed_at=at, at=at))
    again = chosen.where(Order.state == "closed", unfinished_lots > 0)
    session.execute(again.values(state="in_production", closed_at=None, at=at))
