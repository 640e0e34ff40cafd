"""Why a lot has its quantity: its order and, of what is made for stock, how forecast, money and stock give it."""

from collections.abc import Sequence
from typing import Any

import duckdb
from sqlalchemy import select
from sqlalchemy.orm import Session

from c2m.feeds import landing
from c2m.ids import derive_id
from c2m.ledger.quantities import STOCK
from c2m.ledger.tables import Lot, LotSku, Order, OrderQuantity, OrderQuantitySku
from c2m.why.link import Link, pieces
from c2m.why.reckoning import Reckoned, reckon

Figures = dict[str, Any]


def of_lot(session: Session, connection: duckdb.DuckDBPyConnection, lot: Lot) -> Link:
    """The lot is what its order and its SKUs make it."""
    order = session.get_one(Order, lot.order_id)
    link = Link("lot", lot.lot_id, _lot_words(lot, order))
    link.figures = {"order_id": lot.order_id, "source": order.source, "style_id": lot.style_id, "colour": lot.colour}
    link.figures |= {"quantity": lot.quantity, "placed_on": order.placed_on, "due_on": order.due_on}
    _compare_id(link, session, connection, lot, order)
    link.expect("pieces of its SKUs", lot.quantity, sum(skus_of(session, lot.lot_id).values()))
    return link


def _compare_id(link: Link, session: Session, connection: duckdb.DuckDBPyConnection, lot: Lot, order: Order) -> None:
    """It follows from the order's id and the labels of its SKUs, as they were when it was made."""
    labels, skus = (lot.style_id, lot.colour), sorted(skus_of(session, lot.lot_id, least=0))
    if lot.lot_id in _names(lot, order, [labels], skus):
        return
    told = _labels(connection, lot.merchant_id, skus) if order.source == "merchant" else []
    if labels in told and lot.lot_id in _names(lot, order, told, skus):
        link.words.append("Its style or colour had another name when the lot was made.")
    else:
        link.expect("its id", min(_names(lot, order, [labels], [])), lot.lot_id)


def _names(lot: Lot, order: Order, labels: Sequence[tuple[str, str]], skus: Sequence[str]) -> set[str]:
    """Ids that the lot may have had by these labels: see optimization/book/identity.py."""
    own_ids = [order.merchant_order_id or order.order_id, order.order_id]  # the second in ledgers before 0020
    if lot.personalisation:
        return {derive_id(own, lot.merchant_id, sku_id, lot.personalisation) for own in own_ids for sku_id in skus}
    apart: list[tuple[str, ...]] = [(), *((sku_id,) for sku_id in skus)]
    return {derive_id(own, lot.merchant_id, *of, *one) for own in own_ids for of in labels for one in apart}


def _labels(connection: duckdb.DuckDBPyConnection, merchant_id: str, skus: Sequence[str]) -> list[tuple[str, str]]:
    """Style and colour of SKUs, as the catalogue has ever told them."""
    query = f"""SELECT DISTINCT style_id, colour FROM {landing.source("catalogue")}
        WHERE merchant_id = $merchant_id AND list_contains($skus, sku_id)"""  # noqa: S608
    return connection.execute(query, {"merchant_id": merchant_id, "skus": list(skus)}).fetchall()


def _lot_words(lot: Lot, order: Order) -> list[str]:
    style = f"{lot.style_id} (the merchant's {lot.style_code})" if lot.style_code else lot.style_id
    number = order.order_code or order.merchant_order_id
    own = f", the merchant's {number}" if number else ""
    return [
        f"{lot.quantity:,} pieces of style {style}, {lot.colour}, of {lot.merchant_id}; {lot.state}, "
        f"{lot.shipped:,} shipped.",
        f"Order {order.order_id} ({order.source}{own}), placed {order.placed_on}, due {order.due_on}, {order.state}.",
    ]


def skus_of(session: Session, lot_id: str, least: int = 1) -> dict[str, int]:
    """Pieces by SKU, of those with so many pieces."""
    chosen = select(LotSku.sku_id, LotSku.quantity).where(LotSku.lot_id == lot_id, LotSku.quantity >= least)
    return dict(session.execute(chosen.order_by(LotSku.sku_id)).tuples().all())


def quantity_of(session: Session, lot: Lot) -> tuple[Link, Figures | None, list[Figures]]:
    """The quantity reckoned again from what was kept of it; these figures of the lot, and of the SKUs of its style."""
    link = Link("quantity", lot.lot_id)
    kept = session.get(OrderQuantity, lot.lot_id)
    if kept is None:
        link.expect("how the quantity of a replenishment lot came about", "kept with it", None)
        return link, None, []
    chosen = select(OrderQuantitySku).where(OrderQuantitySku.lot_id == lot.lot_id).order_by(OrderQuantitySku.sku_id)
    figures, skus = _figures(kept), [_figures(sku) for sku in session.scalars(chosen)]
    again = reckon(figures, skus)
    link.words = _words(figures, skus, again)
    link.figures = {name: value for name, value in figures.items() if name not in ("lot_id", "at")} | {"skus": skus}
    key = (lot.merchant_id, lot.style_id, lot.colour, kept.business_date)
    link.expect("the id of its order", derive_id("replenishment", *key), lot.order_id)
    for name in ("critical_ratio", "level", "needed"):
        link.expect(f"{name.replace('_', ' ')} from the figures kept", getattr(again, name), figures[name])
    link.expect("pieces that these figures give", again.quantity, lot.quantity)
    _compare_skus(link, again, skus, skus_of(session, lot.lot_id))
    return link, figures, skus


def _figures(row: OrderQuantity | OrderQuantitySku) -> Figures:
    return {column.key: getattr(row, column.key) for column in row.__table__.columns}


def _compare_skus(link: Link, again: Reckoned, skus: Sequence[Figures], ordered: dict[str, int]) -> None:
    kept = {sku["sku_id"]: sku["quantity"] for sku in skus if sku["quantity"]}
    link.expect("pieces by SKU", kept, ordered)
    for sku_id, share in again.shares.items():
        if abs(kept.get(sku_id, 0) - share) > 1 + 1e-6:
            link.expect(f"pieces of SKU {sku_id}, in whole ones", round(share), kept.get(sku_id, 0))


def _words(lot: Figures, skus: Sequence[Figures], again: Reckoned) -> list[str]:
    return [*_level_words(lot), *_batch_words(lot, skus, again)]


def _level_words(lot: Figures) -> list[str]:
    """Why the level is what it is."""
    return [
        f"{_margin_words(lot)} So demand should be met with probability {lot['critical_ratio']:.3f}.",
        f"{_demand_words(lot)}; at that probability {pieces(lot['level'])} pieces: the level.",
    ]


def _demand_words(lot: Figures) -> str:
    return (
        f"Demand over the {lot['window_days']} days that the order covers: mean {pieces(lot['forecast_mean'])}, half "
        f"the time up to {pieces(lot['q50'])}, 9 times of 10 up to {pieces(lot['q90'])}"
    )


def _margin_words(lot: Figures) -> str:
    price, cost, currency = lot["price"], lot["cost"], lot["currency"]
    missed = f"A piece missed loses {price - cost:,.2f} {currency} (price {price:,.2f}, cost {cost:,.2f})"
    return f"{missed}; one left over loses its cost less {lot['salvage_share']:.0%} salvage, plus holding."


def _batch_words(lot: Figures, skus: Sequence[Figures], again: Reckoned) -> list[str]:
    """From what the style has to what is ordered."""
    hand, moving, coming = (sum(sku[name] for sku in skus) for name in STOCK)
    trigger = lot["trigger_share"] * lot["minimum_order_pieces"]
    got = ", ".join(f"{sku['sku_id']} {sku['quantity']:,}" for sku in skus if sku["quantity"])
    return [
        f"The style has {hand:,} on hand, {moving:,} in transit and {coming:,} on order: it lacks "
        f"{pieces(again.lacking)}, of which "
        f"{pieces(lot['needed'])} fall to {lot['colour']}.",
        f"Smallest batch {lot['minimum_order_pieces']:,}, ordered from a need of {pieces(trigger)} on: "
        f"{lot['lot_quantity']:,} pieces, {pieces(lot['lot_quantity'] - lot['needed'])} more than needed.",
        f"By SKU: {got}.",
    ]
