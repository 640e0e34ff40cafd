"""The supply side for a mapped foreign world: factories, calendars, merchants' orders, opening stock over its styles.

The folder written is a world of its own: its world.yaml names the foreign files where they lie, native ones are copied.
No faults are planted.
"""

import math
from collections.abc import Container
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from c2m.errors import InputError
from c2m.feeds.world import World
from c2m.files import write_atomically
from c2m.settings import settings
from c2m.simulation.world import assumptions, mapped, network, orders, sales
from c2m.simulation.world.feed_files import write_feed, write_settings
from c2m.simulation.world.span import Span
from c2m.simulation.world.world import WorldSize, sized

_KNOWN_DAYS = 120  # before the opening: factories are known from then on
_CALENDAR_DAYS = (31, 122)  # before and after the opening
_ARRIVAL_DAYS = (-7, 9)  # orders are placed from the first to the last, large ones up to _LARGE_LAST_DAY; 0 = opening
_LARGE_LAST_DAY = 4
_MORE_LARGE = 2  # than a generated world of the size, so that a week sees several split
_LEAST_RATE = 0.5  # pieces a day: merchants order what sells
_REPLENISHMENT_LOAD = 0.4  # of the factories that are added for the styles' own demand
_MINUTES_PER_FACTORY_DAY = 7_600  # paid: 17.3 operators, 510 minutes, six days of seven


def write_supply(
    folder: Path, seed: int, size: str, over: Path, opening_on: date | None = None, cover_days: float = 10
) -> None:
    """Writes the supply side of a world whose catalogue and demand come from mapped files.

    The network is that of a generated world of `size`, and factories enough for the demand of the styles on top.

    Parameters
    ----------
    folder
        Where the feed files and world.yaml go.
    seed
        Of what is drawn: the same seed gives the same files.
    size
        A name of SIZES.
    over
        Folder of the world whose sources are mapped.
    opening_on
        Date at whose start every SKU has its first stock; None: the world's business date.
    cover_days
        Days of the daily demand of the four weeks before that this stock holds.

    Raises
    ------
    InputError
        The size has no such name, or the world breaks its form or has no business date.
    """
    scale, world = sized(size), World.load(over)
    opening_on = opening_on or _business_date(world)
    zone = str(world.overrides.get("timezone", settings().timezone))
    span = Span(opening_on, zone, _KNOWN_DAYS, _CALENDAR_DAYS[1])
    home = next((c.country for c in assumptions.CLUSTERS if c.timezone == zone), assumptions.CLUSTERS[0].country)
    opening = span.midnights[span.history_days]
    skus = mapped.skus(world, opening_on, opening)
    skus["destination_latitude"], skus["destination_longitude"] = _middle(home)
    factories = network.network(
        np.random.default_rng([seed, 2]),
        scale.factories + _factories_for(skus),
        network.skills_of(skus),
        home,
        str(world.overrides.get("currency", settings().currency)),
        span.midnights[0],
        [opening_on + timedelta(days=day) for day in range(-_CALENDAR_DAYS[0], _CALENDAR_DAYS[1] + 1)],
    )
    headers, lines = orders.merchant_orders(
        np.random.default_rng([seed, 3]), _arrivals(scale, span), _selling(skus), factories, span
    )
    on_hand = skus["rate"].to_numpy("float64") * cover_days
    feeds = {
        "factories": factories.factories,
        "factory_capabilities": factories.capabilities,
        "factory_calendar": factories.calendar,
        "stock": sales.stock(skus, on_hand, opening),
        "merchant_orders": headers,
        "merchant_order_lines": lines,
    }
    for feed, frame in feeds.items():
        write_feed(folder, feed, iter([frame]))
    _copy_others(folder, world, feeds)
    write_settings(folder, _settings(over, opening_on))


def _arrivals(scale: WorldSize, span: Span) -> orders.OrderVolume:
    first, last = (span.history_days + day for day in _ARRIVAL_DAYS)
    large_last = span.history_days + _LARGE_LAST_DAY
    return orders.OrderVolume(scale.orders, scale.large_orders + _MORE_LARGE, first, large_last, last)


def _copy_others(folder: Path, world: World, feeds: Container[str]) -> None:
    """The files of the world that are read as they come, of feeds that are not written anew."""
    for source in world.sources():
        if not source.mapping.name and source.mapping.feed.name not in feeds:
            write_atomically(folder / source.name, source.file.read_bytes())


def _business_date(world: World) -> date:
    told = world.overrides.get("business_date")
    if told is None:
        raise InputError(
            "no-date", [f"{world.folder}: world.yaml names no business_date; give the date of the opening"]
        )
    return date.fromisoformat(told)


def _middle(country: str) -> tuple[float, float]:
    """Where the goods go: the middle of the country's clusters."""
    places = [(c.latitude, c.longitude) for c in assumptions.CLUSTERS if c.country == country]
    latitude, longitude = np.mean(places, axis=0).round(3)
    return float(latitude), float(longitude)


def _factories_for(skus: pd.DataFrame) -> int:
    minutes = float((skus["rate"] * skus["sam_minutes"]).sum()) / assumptions.EFFICIENCY_MEAN
    return math.ceil(minutes / _REPLENISHMENT_LOAD / _MINUTES_PER_FACTORY_DAY)


def _selling(skus: pd.DataFrame) -> pd.DataFrame:
    """The SKUs of styles that sell; all where none does."""
    rate = skus.groupby("style_id")["rate"].transform("sum")
    return skus[rate >= min(_LEAST_RATE, float(rate.max()))]


def _settings(over: Path, opening_on: date) -> dict[str, object]:
    """world.yaml of `over`, its sources told so that they are found from any folder."""
    file = over / "world.yaml"
    told = yaml.safe_load(file.read_text(encoding="utf-8")) if file.exists() else {}
    for source in told.get("sources", []):
        if (over / source["mapping"]).is_file():
            source["mapping"] = str((over / source["mapping"]).resolve())
        if "${shared_data}" not in source.get("root", "."):
            source["root"] = str((over / source.get("root", ".")).resolve())
    return told | {"business_date": opening_on}
