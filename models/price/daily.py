"""Price proposals of a day, from the published marts: what was sold at which price, and what each style has and costs.

In: the panel of the daily run, the marts styles, skus and stock_position, today's forecast windows, prices in force,
the price of a line minute. Out: a row per SKU of the styles whose price should change (`COLUMNS`).
"""

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from c2m.domain.arrays import Floats
from c2m.ids import derive_id
from c2m.ledger.rooms import prices
from c2m.ledger.store import reading
from c2m.settings import PricePolicy, ReplenishmentPolicy
from c2m.warehouse.published import read
from models.panel.daily import style_series
from models.panel.matrices import Panel
from models.price import rails
from models.price.effect import Effect, measure
from models.price.elasticity import Elasticity, Sales, estimate
from models.price.proposal import PricedStyles, Proposed, propose

STYLE = ["merchant_id", "style_id"]
COLUMNS = [
    "proposal_id", *STYLE, "sku_id", "day", "currency", "price_now", "price", "list_price", "cost", "minute_price",
    "elasticity", "elasticity_low", "elasticity_high", "days", "gain", "gain_low", "gain_high", "held_out",
]  # fmt: skip
_HISTORY_DAYS = 180
_LEAST_SOLD = 30  # pieces in the history, below which a style tells nothing and is left out


@dataclass(frozen=True)
class Today:
    """What a day's proposals rest on beside the panel. `in_force`: merchant_id, sku_id, price, since."""

    day: date
    styles: pd.DataFrame  # mart styles
    skus: pd.DataFrame  # mart skus
    stock: pd.DataFrame  # mart stock_position
    windows: pd.DataFrame  # rows of landing/forecast_windows of the day
    in_force: pd.DataFrame
    minute_price: float  # what a paid minute of a line is worth by the plan


def sales_of(panel: Panel) -> Sales:
    """The panel's past as the elasticity model takes it.

    A price is the day's average over the style's usual one; on a day without a sale it follows from the promotion.
    """
    past = np.flatnonzero(~panel.asked.any(axis=0))[-_HISTORY_DAYS:]
    pieces, depth = panel.y[:, past], panel.numbers["promotion_depth"][:, past]
    paid = panel.past["unit_price"][:, past]
    full = np.ma.masked_array(paid, np.isnan(paid) | (depth > 0))
    usual = np.ma.median(full, axis=1, keepdims=True).filled(np.nan)
    ratio = np.where(np.isnan(paid / usual), 1 - depth, paid / usual)
    usable = ~np.isnan(pieces)
    category = panel.categories["category"].codes[:, 0]
    minutes = panel.numbers["livestream_minutes"][:, past]
    return Sales(np.where(usable, pieces, 0.0), np.clip(ratio, 0.2, 3.0), depth > 0, minutes, usable, category)


def proposals(panel: Panel, today: Today, policy: PricePolicy, stock_policy: ReplenishmentPolicy) -> pd.DataFrame:
    """Rows of price proposals, COLUMNS.

    Parameters
    ----------
    panel
        Styles by days, pieces.
    today
        Marts, forecast, prices in force, price of a minute.
    policy
        Guard rails and limits.
    stock_policy
        Lead time, salvage and holding.

    Returns
    -------
    pd.DataFrame
        Every rail is kept by every row; styles of which that is not so are left out.
    """
    known = _with_elasticity(today, panel, estimate(sales_of(panel)))
    if known.empty:
        return pd.DataFrame(columns=COLUMNS)
    skus = _railed(today, known, policy)
    offers = _offers(known, skus, today, stock_policy)
    return _rows(known, skus, offers.now, propose(offers, policy), today, policy)


def _with_elasticity(today: Today, panel: Panel, found: Elasticity) -> pd.DataFrame:
    """Styles that sell and are forecast today, one row each, with stock, forecast and elasticity."""
    low, high = found.interval()
    sold = np.nansum(panel.y, axis=1)
    told = {"elasticity": found.mean, "spread": found.spread, "sold": sold}
    told |= {"elasticity_low": low, "elasticity_high": high}
    styles = today.styles.assign(series_id=style_series(today.styles)).merge(
        pd.DataFrame(told, index=panel.ids), left_on="series_id", right_index=True
    )
    windows = today.windows.sort_values("known_at", kind="stable").drop_duplicates(STYLE, keep="last")
    rows = styles.merge(_stock(today), on=STYLE)
    rows = rows.merge(windows[[*STYLE, "window_days", "mean", "q10", "q90"]], on=STYLE)
    return rows[(rows["sold"] >= _LEAST_SOLD) & (rows["mean"] > 0)].reset_index(drop=True)


def _stock(today: Today) -> pd.DataFrame:
    """By style the pieces that lie and those on their way."""
    held = today.skus[[*STYLE, "sku_id"]].merge(today.stock, on=["merchant_id", "sku_id"])
    return held.assign(stock=held["on_hand"] + held["in_transit"]).groupby(STYLE)["stock"].sum().reset_index()


def _railed(today: Today, known: pd.DataFrame, policy: PricePolicy) -> pd.DataFrame:
    """SKUs of these styles: price now, its bounds, and `style`, the row of its style."""
    at = known[STYLE].assign(style=np.arange(len(known)))
    rows = today.skus.rename(columns={"price": "list_price"}).merge(at, on=STYLE)
    rows = rows.merge(today.in_force, on=["merchant_id", "sku_id"], how="left")
    rested = _rested(rows["since"], today.day)
    listed, cost = (rows[name].to_numpy(dtype=float) for name in ("list_price", "cost"))
    now = rows["price"].to_numpy(dtype=float, na_value=np.nan)
    now = np.where(np.isnan(now), listed, now)
    low, high = rails.bounds(now, listed, cost, rested, policy)
    return rows.assign(price_now=now, low=low, high=high, rested=rested, listed=listed, unit_cost=cost)


def _rested(since: "pd.Series[Any]", day: date) -> Floats:
    """Days that a price has stood; without end where it never changed."""
    changed = pd.to_datetime(since).to_numpy(dtype="datetime64[D]")
    return np.where(np.isnat(changed), np.inf, (np.datetime64(day) - changed).astype(float))


def _offers(known: pd.DataFrame, skus: pd.DataFrame, today: Today, stock_policy: ReplenishmentPolicy) -> PricedStyles:
    """Of each style: all its SKUs change by one factor, within the rails of each of them."""
    now, low_price, high_price = _style_prices(skus)
    cost = known["cost"].to_numpy(dtype=float)
    left_days = known["days_left"].to_numpy(dtype=float)
    goes_on, window = left_days > known["window_days"], known["window_days"].to_numpy(dtype=float)
    share = np.minimum(left_days / window, 1.0)
    mean, low, high = (np.maximum(known[name].to_numpy(dtype=float), 0.1) for name in ("mean", "q10", "q90"))
    keeping = stock_policy.holding_share_per_day * window
    return PricedStyles(
        now=now,
        low=low_price,
        high=high_price,
        make_cost=cost + today.minute_price * known["sam_minutes"].to_numpy(dtype=float),
        left_value=np.where(goes_on, cost * (1 - keeping), cost * stock_policy.salvage_share),
        stock=known["stock"].to_numpy(dtype=float),
        makeable=left_days > stock_policy.lead_time_days,
        demand=mean * share,
        demand_spread=np.clip(np.log(high / low) / 2.563, 0.05, 1.5),
        elasticity=known["elasticity"].to_numpy(dtype=float),
        elasticity_spread=known["spread"].to_numpy(dtype=float),
    )


def _style_prices(skus: pd.DataFrame) -> tuple[Floats, Floats, Floats]:
    """Of each style: its mean price of today, and the lowest and highest that all its SKUs' rails allow."""
    weighted = skus.assign(now=skus["price_now"] * skus["size_share"])
    mean = weighted.groupby("style")["now"].sum() / weighted.groupby("style")["size_share"].sum()
    factor = pd.DataFrame({"low": skus["low"] / skus["price_now"], "high": skus["high"] / skus["price_now"]})
    bounds = factor.groupby(skus["style"])
    now = mean.to_numpy(dtype=float)
    return now, now * bounds["low"].max().to_numpy(), now * bounds["high"].min().to_numpy()


def _rows(
    known: pd.DataFrame, skus: pd.DataFrame, style_now: Floats, found: Proposed, today: Today, policy: PricePolicy
) -> pd.DataFrame:
    """A row per SKU of the styles that change, each rail checked once more."""
    at = skus["style"].to_numpy()
    wanted = np.round(skus["price_now"] * (found.price / style_now)[at] / policy.step) * policy.step
    price = np.clip(wanted, skus["low"], np.maximum(skus["high"], skus["low"]))
    rows = skus.assign(price=price.round(4), day=today.day, minute_price=today.minute_price, change=found.change[at])
    for name, values in (("gain", found.gain), ("gain_low", found.gain_low), ("gain_high", found.gain_high)):
        rows[name] = values[at]
    for name in ("elasticity", "elasticity_low", "elasticity_high"):
        rows[name] = known[name].to_numpy()[at]
    rows["days"] = known["window_days"].to_numpy()[at]
    rows = rows[rows["change"] & (rows["price"] != rows["price_now"])]
    rows = rows[~rows["style"].isin(_off_rails(rows, policy))]
    ids = [derive_id("price", *names, today.day) for names in rows[["merchant_id", "sku_id"]].itertuples(index=False)]
    kept_back = [held_out(f"{merchant}/{style}", policy) for merchant, style in rows[STYLE].itertuples(index=False)]
    return rows.assign(proposal_id=ids, held_out=kept_back)[COLUMNS].reset_index(drop=True)


def _off_rails(rows: pd.DataFrame, policy: PricePolicy) -> set[int]:
    """The styles of which any SKU's price breaks a rail."""
    money = zip(*(rows[name].tolist() for name in ("price", "price_now", "listed", "unit_cost", "rested")), strict=True)
    faults = [rails.broken(rails.PricedSku(*one), policy) for one in money]
    return set(rows["style"][[bool(fault) for fault in faults]])


def held_out(style: str, policy: PricePolicy) -> bool:
    """Whether a style's proposals are kept back: by a draw that follows from its name, so that it stays the same."""
    return int(derive_id("hold-out", style)[:8], 16) < policy.hold_out_share * 16**8


def days_left(styles: pd.DataFrame, day: date, policy: PricePolicy) -> pd.DataFrame:
    """Styles with the days until each is sold out; one without a release goes on.

    Parameters
    ----------
    styles
        The mart of this name.
    day
        Today.
    policy
        Length of a season.

    Returns
    -------
    pd.DataFrame
        The styles whose season is not over, with `days_left`.
    """
    known = styles.assign(days_left=_until(styles["released_on"], policy.season_days, day))
    return known[known["days_left"] >= 1]


def _until(released_on: "pd.Series[Any]", season_days: int, day: date) -> Floats:
    ends = pd.to_datetime(released_on) + timedelta(days=season_days)
    days = (ends - pd.Timestamp(day)).dt.days
    return np.asarray(days.to_numpy(dtype=np.float64, na_value=np.inf), dtype=np.float64)


def minute_price(folder: Path) -> float:
    """What a minute of a line is worth by a plan: the mean of its prices over factories and days; 0 without any.

    Parameters
    ----------
    folder
        Of the plan's run.

    Returns
    -------
    float
        Money per paid minute.
    """
    file = folder / "plan" / "prices.csv"
    found = pd.read_csv(file)["price"].to_numpy(dtype=float) if file.exists() else np.empty(0)
    return float(found.mean()) if len(found) else 0.0


def measured() -> Effect | None:
    """The effect of all prices that were released until now, from ledger and published marts.

    Returns
    -------
    Effect or None
        None where there is not enough to measure.
    """
    with reading() as s:
        changed = prices.changes(s)
    cost = read("styles")[[*STYLE, "cost"]]
    sold = read("demand_daily").merge(cost, on=STYLE)
    profit = sold["revenue"].astype(float) - sold["pieces_sold"] * sold["cost"].astype(float)
    daily = pd.DataFrame({"series_id": style_series(sold), "day": sold["demand_date"], "profit": profit})
    return measure(changed.assign(series_id=style_series(changed)), daily)
