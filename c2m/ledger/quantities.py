"""Why each replenishment lot has its quantity: the figures that it follows from, of the lot and of its style's SKUs.

Pieces, unless the name says otherwise. Of the lot: the published marts that stock and prices are of (build_id); the
forecast of the window (model_version, forecast_at, window_days, forecast_mean, q05 to q975: the style's total demand);
price, cost, salvage and holding (shares of the cost), the critical_ratio that they give, the level (of the style) at
that probability; what its colour needed of what the style lacked; the smallest batch and the share of it from which one
is ordered; the pieces ordered. Of each SKU of the style, other colours' too: its share of demand, on hand, in transit,
on order, what it lacked, the pieces ordered.
"""

from datetime import date, datetime

import pandas as pd
from sqlalchemy import Subquery, func, select
from sqlalchemy.orm import Session

from c2m.ledger.store import chunks, frame, rows, upsert
from c2m.ledger.tables import Lot, OrderQuantity, OrderQuantitySku

LOT = [c.name for c in OrderQuantity.__table__.columns if c.name != "at"]
SKU = [c.name for c in OrderQuantitySku.__table__.columns]
STOCK = ["on_hand", "in_transit", "on_order"]  # of a SKU: each piece that there is or will be is in one of them
_GONE = {"sku_colour": "", "size_share": 0.0, **dict.fromkeys(STOCK, 0), "lacking": 0.0, "quantity": 0}


def record_quantities(session: Session, quantities: pd.DataFrame, at: datetime) -> None:
    """Takes over how quantities came about, a row per lot and SKU of its style; the same rows change nothing."""
    moments = pd.to_datetime(quantities["forecast_at"]).dt.tz_localize("UTC")
    lots = quantities.assign(forecast_at=moments).drop_duplicates("lot_id")
    upsert(session, OrderQuantity, [row | {"at": at} for row in rows(OrderQuantity, lots, LOT)])
    upsert(session, OrderQuantitySku, rows(OrderQuantitySku, quantities, SKU) + _vanished(session, quantities))


def of_day(session: Session, day: date) -> pd.DataFrame:
    """The lots ordered on a day with the figures that their quantities came from.

    Parameters
    ----------
    session
        Transaction of the ledger.
    day
        Business date of the orders.

    Returns
    -------
    pd.DataFrame
        The columns of the table `order_quantities`, style (its name, else its id), and the pieces that the style had:
        STOCK, with style_ before each name.
    """
    stock = _stock_of_styles()
    held = [column for column in stock.c if column.name != "lot_id"]
    style = func.coalesce(Lot.style_name, Lot.style_id).label("style")
    chosen = select(*OrderQuantity.__table__.columns, style, *held)
    chosen = chosen.join(stock, stock.c.lot_id == OrderQuantity.lot_id).join(Lot, Lot.lot_id == OrderQuantity.lot_id)
    of = chosen.where(OrderQuantity.business_date == day)
    lots = frame(session, of.order_by(OrderQuantity.merchant_id, OrderQuantity.style_id, OrderQuantity.colour))
    return lots.astype({"price": float, "cost": float, **{column.name: int for column in held}})


def _stock_of_styles() -> Subquery:
    """By lot, the sums over the SKUs of its style."""
    sums = (func.sum(getattr(OrderQuantitySku, name)).label(f"style_{name}") for name in STOCK)
    return select(OrderQuantitySku.lot_id, *sums).group_by(OrderQuantitySku.lot_id).subquery()


def _vanished(session: Session, quantities: pd.DataFrame) -> list[dict[str, object]]:
    """SKUs that have left the style since: the lot was reckoned anew without them."""
    given = set(zip(quantities["lot_id"], quantities["sku_id"], strict=True))
    key = (OrderQuantitySku.lot_id, OrderQuantitySku.sku_id)
    held = {
        (lot_id, sku_id)
        for some in chunks(sorted(set(quantities["lot_id"])))
        for lot_id, sku_id in session.execute(select(*key).where(OrderQuantitySku.lot_id.in_(some)))
    }
    return [{"lot_id": lot_id, "sku_id": sku_id, **_GONE} for lot_id, sku_id in sorted(held - given)]
