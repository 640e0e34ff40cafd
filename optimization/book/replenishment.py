"""How much to make of what is sold from stock: newsvendor order-up-to levels, size curve, minimum batch.

In: quantiles of each style's total demand over lead time plus review period (pieces), stock on hand and on order, price
and cost. Out: orders, lots and lot SKUs in the ledger's columns, and how each quantity came about
(docs/reference).
The rules are told in docs/operations.md.
"""

from datetime import date, timedelta

import numpy as np
import pandas as pd

from c2m.domain.apportion import apportion_within
from c2m.domain.arrays import Floats, Ints
from c2m.domain.newsvendor import WINDOW_QUANTILES, Stakes, most_sure, quantile_at
from c2m.errors import InputError
from c2m.ids import derive_id
from c2m.ledger.quantities import STOCK
from c2m.settings import ReplenishmentPolicy
from optimization.book.identity import LOT
from optimization.book.lots import make_lots

STYLE = ["merchant_id", "style_id"]
BATCH = [*STYLE, "colour"]
# What a level follows from: the forecast of the window, and the money that a piece too many or too few costs.
_FORECAST = ["model_version", "known_at", "window_days", "mean", *WINDOW_QUANTILES]
_MONEY = ["price", "cost", "currency"]


def replenish(
    windows: pd.DataFrame,
    stock: pd.DataFrame,
    styles: pd.DataFrame,
    skus: pd.DataFrame,
    last_orders: pd.DataFrame,
    policy: ReplenishmentPolicy,
    business_date: date,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """One order of one lot for each style-colour that is short of its order-up-to level.

    A style that the marts `styles` and `skus` do not know cannot be made and is left out. The level is the newsvendor's
    quantile of demand over lead time plus review period (`c2m.domain.newsvendor`).

    Parameters
    ----------
    windows
        Rows of landing/forecast_windows: each style's total over that window, quantiles in pieces.
    stock
        The mart `stock_position`: on the shelf and on its way, pieces per SKU.
    styles
        The mart of this name: price and cost per piece.
    skus
        The mart of this name: size_share sums to 1 over a style.
    last_orders
        merchant_id, style_id, colour and order_id of the newest order of each.
    policy
        Least quantities (pieces), lead time and review (days), holding and shortage rates.
    business_date
        Day on which it is ordered.

    Returns
    -------
    tuple
        (orders, lots, lot_skus) for `ledger.orders.record`, and quantities: one row per lot and SKU of its style with
        all that the quantity was reckoned from, in the columns of `c2m.ledger.quantities`.

    Raises
    ------
    InputError
        A style's quantiles are not numbers, or no forecast was made this day over this window.
    """
    levels = order_up_to_levels(windows, styles, policy, business_date)
    reckoned = refill(levels, stock, skus, policy)
    lines = reckoned.loc[reckoned["quantity"] > 0, [*BATCH, "sku_id", "quantity"]].reset_index(drop=True)
    keys = lines[BATCH].itertuples(index=False)
    lines["order_id"] = [derive_id("replenishment", *key, business_date) for key in keys]
    lots, lot_skus = make_lots(lines, skus)
    orders = _orders(lines, styles, last_orders, policy, business_date)
    return orders, lots, lot_skus, _reasons(lots, reckoned, levels, policy, business_date)


def order_up_to_levels(
    windows: pd.DataFrame, styles: pd.DataFrame, policy: ReplenishmentPolicy, business_date: date
) -> pd.DataFrame:
    """Per style: forecast, price, cost, critical_ratio, and level (pieces to have on hand or on order)."""
    window_days = policy.window_days
    rows = _of_today(windows, window_days, business_date).merge(styles[[*STYLE, *_MONEY]], on=STYLE)
    price, cost = (rows[name].to_numpy(dtype=float) for name in ("price", "cost"))
    most = rows["model_version"].map(most_sure).to_numpy(dtype=float)
    ratio = np.minimum(Stakes.of(price, cost, window_days, policy).critical_ratio, most)
    level = quantile_at(rows[list(WINDOW_QUANTILES)].to_numpy(dtype=float), ratio)
    return rows[[*STYLE, *_FORECAST, *_MONEY]].assign(critical_ratio=ratio, level=level)


def refill(levels: pd.DataFrame, stock: pd.DataFrame, skus: pd.DataFrame, policy: ReplenishmentPolicy) -> pd.DataFrame:
    """What a style lacks, in batches, to the SKUs that are short: a row for every SKU of the styles that have a level.

    merchant_id, style_id, colour, sku_id; size_share; on_hand, in_transit, on_order; lacking (of the SKU, pieces
    before batches); needed (the same of its style-colour); quantity (whole pieces, batches and sizes counted; 0: none).
    """
    rows = skus[[*BATCH, "sku_id", "size_share"]].query("size_share > 0").merge(levels[[*STYLE, "level"]], on=STYLE)
    rows = rows.merge(stock[["merchant_id", "sku_id", *STOCK]], on=["merchant_id", "sku_id"], how="left")
    rows = rows.sort_values([*BATCH, "sku_id"], ignore_index=True).fillna(dict.fromkeys(STOCK, 0))
    position = rows[STOCK].sum(axis=1).to_numpy(dtype=float)
    share = rows["size_share"].to_numpy(dtype=float)
    style, batch = (rows.groupby(keys).ngroup().to_numpy().astype(np.int64) for keys in (STYLE, BATCH))
    short = np.maximum(rows.groupby(style)["level"].first().to_numpy() - np.bincount(style, position), 0.0)
    lacking = water_fill(short, share, position, style)
    need = np.bincount(batch, lacking)
    pieces = batch_pieces(need, policy)
    quantity = apportion_within(pieces, water_fill(pieces, share, position, batch), batch)
    return rows.drop(columns="level").assign(lacking=lacking, needed=need[batch], quantity=quantity)


def batch_pieces(need: Floats, policy: ReplenishmentPolicy) -> Ints:
    """Whole pieces to order per style-colour: none below the trigger, else the need or the minimum if that is more."""
    whole = np.ceil(np.round(need, 6)).astype(np.int64)
    least = policy.minimum_order_pieces
    return np.where(need >= policy.trigger_share * least, np.maximum(whole, least), 0)


def water_fill(totals: Floats | Ints, share: Floats, position: Floats, group: Ints) -> Floats:
    """Pour `totals` (G,) pieces into the SKUs (N,) of each group, the emptiest first (position / share levelled).

    Group by group, SKU i gets max(0, share_i x level - position_i), with the one level at which these sum to the total:
    the least, over the k emptiest SKUs, of the level that they would reach alone.
    """
    emptiest = np.lexsort((position / share, group))
    poured = pd.DataFrame({"group": group, "share": share, "position": position}).iloc[emptiest]
    running = poured.groupby("group")[["share", "position"]].cumsum()
    reached = (totals[poured["group"]] + running["position"]) / running["share"]
    level: Floats = reached.groupby(poured["group"]).min().to_numpy(dtype=float)
    return np.maximum(share * level[group] - position, 0.0)


def _reasons(
    lots: pd.DataFrame, reckoned: pd.DataFrame, levels: pd.DataFrame, policy: ReplenishmentPolicy, business_date: date
) -> pd.DataFrame:
    """Every SKU of a lot's style beside the figures of the lot (`lot_quantity`: its pieces) and of the style."""
    of_lot = lots[["lot_id", *LOT, "quantity"]].rename(columns={"quantity": "lot_quantity"})
    rows = of_lot.merge(levels, on=STYLE).rename(columns={"known_at": "forecast_at", "mean": "forecast_mean"})
    needs = reckoned.drop_duplicates(BATCH)[[*BATCH, "needed"]]
    skus = reckoned.drop(columns="needed").rename(columns={"colour": "sku_colour"})
    rows = rows.merge(needs, on=BATCH).merge(skus, on=STYLE)
    rows["quantity"] = rows["quantity"].where(rows["sku_colour"] == rows["colour"], 0)
    return rows.assign(
        business_date=business_date,
        salvage_share=policy.salvage_share,
        holding_share_per_day=policy.holding_share_per_day,
        minimum_order_pieces=policy.minimum_order_pieces,
        trigger_share=policy.trigger_share,
    )


def _orders(
    lines: pd.DataFrame,
    styles: pd.DataFrame,
    last_orders: pd.DataFrame,
    policy: ReplenishmentPolicy,
    business_date: date,
) -> pd.DataFrame:
    parents = last_orders.drop_duplicates(BATCH, keep="last").set_index(BATCH)["order_id"].rename("parent_order_id")
    orders = lines[["order_id", *BATCH]].drop_duplicates("order_id").merge(styles[[*STYLE, "currency"]], on=STYLE)
    orders = orders.join(parents, on=BATCH)
    return orders[["order_id", "merchant_id", "parent_order_id", "currency"]].assign(
        source="replenishment",
        placed_on=business_date,
        release_on=business_date + timedelta(days=1 + policy.cloth_days),
        due_on=business_date + timedelta(days=policy.lead_time_days),
        priority=np.nan,
        tolerance_share=policy.tolerance_share,
        max_factories=np.nan,
        destination_latitude=np.nan,
        destination_longitude=np.nan,
        state="open",
    )


def _of_today(windows: pd.DataFrame, window_days: int, business_date: date) -> pd.DataFrame:
    """The last forecast made today of each style for the right window; refused where missing or not a number."""
    today = pd.to_datetime(windows["business_date"]) == pd.Timestamp(business_date)
    rows = windows[today & (windows["window_days"] == window_days)]
    rows = rows.sort_values([*STYLE, "known_at"]).drop_duplicates(STYLE, keep="last")
    broken = rows[~np.isfinite(rows[list(WINDOW_QUANTILES)].to_numpy(dtype=float)).all(axis=1)]
    faults = [
        f"merchant {row.merchant_id}, style {row.style_id}: a quantile is not a number; forecast again"
        for row in broken.itertuples()
    ]
    if rows.empty and len(windows):
        seen = sorted(set(windows["window_days"]))
        faults.append(f"no forecast of {business_date} over {window_days} days; windows seen: {seen}; forecast again")
    if faults:
        raise InputError("forecast-windows", faults)
    return rows
