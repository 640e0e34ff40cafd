"""The feeds that shoppers make: sales lines with their status changes, demand signals; and the stock they find."""

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from c2m.domain.arrays import Floats, Ints
from c2m.simulation.world import assumptions
from c2m.simulation.world.catalogue import attributes, numbers
from c2m.simulation.world.demand import ShopperDemand
from c2m.simulation.world.span import Span

Marks = npt.NDArray[np.bool_]

_CHANNELS = (("marketplace", "app", "livestream", "web"), (0.46, 0.28, 0.16, 0.10))
_REGIONS = (("Guangdong", "Zhejiang", "Jiangsu", "Shanghai", "Beijing", "Sichuan", "Hubei", "Shandong"),
            (0.20, 0.15, 0.15, 0.12, 0.12, 0.10, 0.08, 0.08))  # fmt: skip


def sales_lines(
    rng: np.random.Generator, demand: ShopperDemand, styles: pd.DataFrame, skus: pd.DataFrame, span: Span
) -> pd.DataFrame:
    """Each line as placed, and once more as delivered, cancelled or returned, known later; in the order of known_at."""
    placed, day = _placed(rng, demand, styles, skus, span)
    later = _settled(rng, placed, day, span)
    rows = pd.concat([placed, later], ignore_index=True)
    return rows.sort_values(["known_at", "sale_line_id"], kind="stable", ignore_index=True)


def _placed(
    rng: np.random.Generator, demand: ShopperDemand, styles: pd.DataFrame, skus: pd.DataFrame, span: Span
) -> tuple[pd.DataFrame, Ints]:
    """The lines, and the day index of each."""
    day, style = (axis.ravel() for axis in np.meshgrid(np.arange(span.days), np.arange(len(styles)), indexing="ij"))
    count = demand.lines.T.ravel()
    day, style = day.repeat(count), style.repeat(count)
    depth = demand.promotion_depth[style, day]
    quantity = 1 + (rng.random(len(day)) < assumptions.SEVERAL_PIECES_SHARE) * rng.integers(1, 5, len(day))
    sku = _pick_skus(rng, style, styles, skus)
    price = skus["price"].to_numpy()[sku] * (1 - depth)
    second = np.sort(rng.integers(0, 86_400, len(day)))
    second = rng.permutation(second)
    rows = pd.DataFrame(
        {
            "merchant_id": skus["merchant_id"].iat[0],
            "sale_line_id": _numbered(str(skus["merchant_id"].iat[0]), len(day)),
            "sale_code": None,
            "channel": rng.choice(_CHANNELS[0], len(day), p=_CHANNELS[1]),
            "sku_id": skus["sku_id"].to_numpy()[sku],
            "style_id": skus["style_id"].to_numpy()[sku],
            "sold_on": span.dates[day],
            "quantity": quantity,
            "status": "placed",
            "amount": (price * quantity).round(2),
            "currency": skus["currency"].iat[0],
            "promotion": depth > 0,
            "business_customer": rng.random(len(day)) < assumptions.BUSINESS_CUSTOMER_SHARE,
            "region": rng.choice(_REGIONS[0], len(day), p=_REGIONS[1]),
            "known_at": span.moments(day, second),
        }
    )
    rows["channel"] = _taken_up(rows, day >= span.history_days - assumptions.RISING_DAYS)
    return rows, day


def _taken_up(rows: pd.DataFrame, lately: Marks) -> "pd.Series[str]":
    """Channels, with the planted trend: livestreams draw lines of styles that have the attribute which rises."""
    random = np.random.default_rng([len(rows), 28])  # its own: all else is as without the trend
    attribute, value = assumptions.RISING
    has = np.array([attributes(number)[attribute] == value for number in numbers(rows["style_id"])])
    return rows["channel"].mask(has & lately & (random.random(len(rows)) < assumptions.RISING_SHARE), "livestream")


def _pick_skus(rng: np.random.Generator, style: Ints, styles: pd.DataFrame, skus: pd.DataFrame) -> Ints:
    """A SKU of each line's style, by share: cumulative shares of all styles lie behind each other, one unit apart."""
    order = pd.Index(styles["style_id"]).get_indexer(skus["style_id"])
    ends = order + skus.groupby("style_id", sort=False)["share"].cumsum().to_numpy()
    # The last share of a style may end a rounding error below its unit.
    picks: Ints = np.searchsorted(ends, style + rng.random(len(style)) * (1 - 1e-9))
    return picks


def _numbered(prefix: str, count: int) -> pa.ChunkedArray:
    digits = pc.utf8_lpad(pa.array(np.arange(1, count + 1)).cast(pa.string()), 8, "0")
    return pc.binary_join_element_wise(prefix, digits, "-")


def _settled(rng: np.random.Generator, placed: pd.DataFrame, day: Ints, span: Span) -> pd.DataFrame:
    """How each line ended, and when that was known."""
    cancelled = rng.random(len(placed)) < assumptions.CANCELLED_SHARE
    returned = ~cancelled & (rng.random(len(placed)) < assumptions.RETURNED_SHARE)
    delay = np.where(cancelled, rng.integers(0, 3, len(day)), rng.integers(2, 7, len(day)))
    delay = np.where(returned, delay + rng.integers(5, 20, len(day)), delay)
    rows = placed.copy()
    rows["status"] = np.select([cancelled, returned], ["cancelled", "returned"], "delivered")
    rows["amount"] = placed["amount"].mask(cancelled & (rng.random(len(day)) < assumptions.CANCELLED_WITHOUT_AMOUNT))
    settled = span.moments(day + delay, rng.integers(28_800, 79_200, len(day)))
    rows["known_at"] = np.maximum(settled, placed["known_at"].to_numpy() + np.timedelta64(30, "m"))
    return rows


def demand_signals(rng: np.random.Generator, demand: ShopperDemand, styles: pd.DataFrame, span: Span) -> pd.DataFrame:
    """What shoppers looked at, known the night after; planned promotions and livestreams, known days ahead."""
    interest = demand.lines + rng.gamma(2.0, 1.0, demand.lines.shape)
    per_line = {"views": 22.0, "searches": 3.0, "carts": 2.5}
    parts = [_signal(name, rng.poisson(interest * count), 1, styles, span) for name, count in per_line.items()]
    promotions = _signal("promotion_depth", demand.promotion_depth, -assumptions.PROMOTION_KNOWN_DAYS, styles, span)
    streams = _signal("livestream_minutes", demand.livestream_minutes, -assumptions.LIVESTREAM_KNOWN_DAYS, styles, span)
    return pd.concat([*parts, promotions, streams], ignore_index=True)


def _signal(
    name: str, values: npt.NDArray[np.number], known_after_days: int, styles: pd.DataFrame, span: Span
) -> pd.DataFrame:
    on_sale = styles["release_day"].to_numpy("float64", na_value=0)[:, None] <= np.arange(span.days)
    day, style = np.nonzero(((values > 0) & on_sale).T)
    return pd.DataFrame(
        {
            "merchant_id": styles["merchant_id"].iat[0],
            "style_id": styles["style_id"].to_numpy()[style],
            "day": span.dates[day],
            "signal": name,
            "value": values[style, day].astype("float64"),
            "known_at": span.moments(day + known_after_days, 7_200),
        }
    )


def recent_rate(demand: ShopperDemand, span: Span, days: int = 28) -> Floats:
    """Pieces a day of each style over the `days` before the business date."""
    rate: Floats = demand.lines[:, span.history_days - days : span.history_days].mean(axis=1)
    return rate


def stock(skus: pd.DataFrame, pieces: Floats, opening: np.datetime64) -> pd.DataFrame:
    """The stock feed: one snapshot of `pieces` of `skus` in the last second before the day that begins at `opening`.

    Running totals are rounded, not the pieces: many SKUs of less than half a piece keep their sum.
    """
    on_hand = np.diff(np.rint(np.cumsum(pieces)), prepend=0).astype("int64")
    rows = skus[["merchant_id", "sku_id"]].assign(location_id="main", as_of=opening - np.timedelta64(1, "s"))
    return rows.assign(on_hand=on_hand, known_at=rows["as_of"])
