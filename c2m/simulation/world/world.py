"""A generated world as feed files: shoppers, merchants, factories, and faults to be caught. Same seed, same bytes."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd

from c2m.errors import InputError
from c2m.files import write_atomically
from c2m.simulation.world import assumptions, catalogue, demand, dirt, market, network, orders, reviews, sales
from c2m.simulation.world.feed_files import write_feed, write_settings
from c2m.simulation.world.span import Span

BUSINESS_DATE = date(2026, 4, 13)  # a Monday; the Chinese holidays of May fall into the first plans
TIMEZONE, CURRENCY, HOME = "Asia/Shanghai", "USD", "CN"
_CALENDAR_DAYS = (14, 150)  # before and after the business date
_FUTURE_DAYS = 45  # sales and arrivals go on for days of later runs
_WAREHOUSES = ((31.20, 121.45), (23.12, 113.30), (30.27, 120.15), (39.90, 116.40))


@dataclass(frozen=True)
class WorldSize:
    """How big a world is."""

    merchants: int
    styles: int
    pieces_per_style_day: float
    history_days: int
    factories: int
    orders: int
    large_orders: int


SIZES = {
    "corner": WorldSize(1, 8, 5.0, 120, 6, 4, 0),  # for replays by the hundred
    "small": WorldSize(2, 40, 5.0, 180, 12, 14, 3),
    "city": WorldSize(8, 400, 3.0, 270, 60, 70, 15),
    "nation": WorldSize(50, 4000, 1.2, 365, 600, 700, 150),  # 1.2: near the 0.94 of the Amazon data
}


@dataclass(frozen=True)
class Merchant:
    """One merchant's part of the world; sales lines are made of it only while they are written."""

    number: int
    styles: pd.DataFrame
    skus: pd.DataFrame
    demand: demand.ShopperDemand


def write_world(folder: Path, seed: int, size: str, future_days: int = _FUTURE_DAYS) -> None:
    """Writes the feed files, world.yaml and dirt.json (faults planted, by feed and rule) of a generated world.

    Parameters
    ----------
    folder
        Where they go.
    seed
        Of what is drawn: the same seed gives the same files.
    size
        A name of SIZES.
    future_days
        Days from the business date on on which shoppers buy. Where these are more than by default, merchants too order
        on all of them, at the same rate.

    Raises
    ------
    InputError
        The size has no such name.
    """
    scale = sized(size)
    span = Span(BUSINESS_DATE, TIMEZONE, scale.history_days, future_days)
    merchants = [_merchant(seed, number, scale, span) for number in range(1, scale.merchants + 1)]
    skus = pd.concat([merchant.skus for merchant in merchants], ignore_index=True)
    factories = network.network(
        np.random.default_rng([seed, 2]),
        scale.factories,
        network.skills_of(skus),
        HOME,
        CURRENCY,
        span.midnights[0],
        [BUSINESS_DATE + timedelta(days=day) for day in range(-_CALENDAR_DAYS[0], _calendar_end(future_days))],
    )
    arrivals = _arrivals(scale, size, span)
    headers, lines = orders.merchant_orders(np.random.default_rng([seed, 3]), arrivals, skus, factories, span)
    small = {
        "catalogue": skus,
        "factories": factories.factories,
        "factory_capabilities": factories.capabilities,
        "factory_calendar": factories.calendar,
        "stock": pd.concat([_opening_stock(seed, merchant, span) for merchant in merchants], ignore_index=True),
        "merchant_orders": headers,
        "merchant_order_lines": lines,
        "market": market.market(np.random.default_rng([seed, 8]), _by_category(merchants), span, CURRENCY),
    }
    faults = {feed: _write(folder, feed, iter([frame]), len(frame)) for feed, frame in small.items()}
    faults |= _write_shoppers(folder, seed, merchants, span)
    write_atomically(folder / "dirt.json", json.dumps(faults, indent=2).encode())
    write_settings(
        folder,
        {"name": f"demo-{size}", "timezone": TIMEZONE, "currency": CURRENCY, "business_date": BUSINESS_DATE},
    )


def _by_category(merchants: list[Merchant]) -> dict[str, "np.ndarray"]:
    """Order lines of all merchants a day, by category."""
    found: dict[str, np.ndarray] = {}
    for m in merchants:
        for category, rows in m.styles.groupby("category").indices.items():
            found[str(category)] = found.get(str(category), 0.0) + m.demand.lines[rows].sum(axis=0).astype(np.float64)
    return found


def _calendar_end(future_days: int) -> int:
    return _CALENDAR_DAYS[1] + 1 + max(0, future_days - _FUTURE_DAYS)


def _arrivals(scale: WorldSize, size: str, span: Span) -> orders.OrderVolume:
    """Orders of the first two weeks, or of all days of a longer world."""
    today = span.history_days
    if span.future_days <= _FUTURE_DAYS:
        large_last = today - 1 if size in ("corner", "small") else today + 3
        return orders.OrderVolume(
            scale.orders, scale.large_orders, first=today - 6, large_last=large_last, last=today + 7
        )
    share, last = (6 + span.future_days) / 13, today + span.future_days - 1
    counts = round(share * scale.orders), round(share * scale.large_orders)
    return orders.OrderVolume(*counts, first=today - 6, large_last=last, last=last)


def sized(size: str) -> WorldSize:
    """The size of that name."""
    if size not in SIZES:
        raise InputError("unknown-size", [f"size is {size!r}; expected one of {', '.join(SIZES)}"])
    return SIZES[size]


def _merchant(seed: int, number: int, scale: WorldSize, span: Span) -> Merchant:
    rng = np.random.default_rng([seed, 1, number])
    count = scale.styles // scale.merchants
    styles = catalogue.styles(rng, f"m{number:02d}", count, span, scale.pieces_per_style_day)
    skus = catalogue.skus(rng, styles, span, CURRENCY)
    latitude, longitude = _WAREHOUSES[number % len(_WAREHOUSES)]
    skus = skus.assign(destination_latitude=latitude, destination_longitude=longitude)
    return Merchant(number, styles, skus, demand.draw(rng, styles, span))


def _opening_stock(seed: int, merchant: Merchant, span: Span) -> pd.DataFrame:
    """Each style-colour has its own days of cover of recent demand; its sizes are off balance a little."""
    rng = np.random.default_rng([seed, 4, merchant.number])
    skus = merchant.skus
    rate = dict(zip(merchant.styles["style_id"], sales.recent_rate(merchant.demand, span), strict=True))
    colour, names = pd.factorize(skus["style_id"] + skus["colour"])
    cover = rng.uniform(*assumptions.OPENING_COVER_DAYS, len(names))[colour]
    pieces = skus["style_id"].map(rate) * skus["share"] * cover * rng.uniform(0.7, 1.3, len(skus))
    return sales.stock(skus, pieces.to_numpy("float64"), span.midnights[span.history_days])


def _write_shoppers(folder: Path, seed: int, merchants: list[Merchant], span: Span) -> dict[str, dict[str, int]]:
    """sales_lines, demand_signals, reviews, one merchant in memory at a time."""
    said: list[pd.DataFrame] = []

    def sales_parts() -> Iterator[pd.DataFrame]:
        for merchant in merchants:
            rng = np.random.default_rng([seed, 5, merchant.number])
            lines = sales.sales_lines(rng, merchant.demand, merchant.styles, merchant.skus, span)
            said.append(reviews.reviews(rng, lines))
            yield lines

    def signal_parts() -> Iterator[pd.DataFrame]:
        for merchant in merchants:
            rng = np.random.default_rng([seed, 6, merchant.number])
            yield sales.demand_signals(rng, merchant.demand, merchant.styles, span)

    lines = sum(int(merchant.demand.lines.sum()) for merchant in merchants)
    days = sum(merchant.demand.lines.size for merchant in merchants)
    return {
        "sales_lines": _write(folder, "sales_lines", sales_parts(), 2 * lines),
        "demand_signals": _write(folder, "demand_signals", signal_parts(), 3 * days),
        "reviews": _write(folder, "reviews", iter([pd.concat(said, ignore_index=True)]), lines // 50),
    }


def _write(folder: Path, feed: str, parts: Iterator[pd.DataFrame], rows: int) -> dict[str, int]:
    """Writes a feed of about `rows` rows with its faults; returns how many break each rule."""
    first = next(parts)
    planted = dirt.plant(feed, first, rows)
    write_feed(folder, feed, chain([first], parts), planted.amid)
    if planted.torn:
        write_atomically(folder / f"{feed}.second.csv", planted.torn)
    return planted.counts
