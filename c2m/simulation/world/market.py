"""What others tell of the market, by category and week: an index of searches that runs ahead, and a panel of shops.

Planted: searches of a category follow what this world's merchants will sell of it LEAD_WEEKS later; prices of the panel
drift by PRICE_DRIFT a week, each category its own way.
"""

from typing import Any

import numpy as np
import pandas as pd

from c2m.domain.arrays import Floats
from c2m.simulation.world import assumptions
from c2m.simulation.world.span import Span

SEARCHES, PANEL = "searches", "shop-panel"
LEAD_WEEKS = 2
NOISE = 0.05  # of a week, standard deviation of the logarithm
TIMES = 400.0  # pieces of the panel for one of this world's
PRICE_DRIFT = 0.003  # a week
KNOWN_DAYS = {SEARCHES: 8, PANEL: 11}  # after the first day of the week that is told


def market(rng: np.random.Generator, lines: dict[str, Floats], span: Span, currency: str) -> pd.DataFrame:
    """Rows of the feed.

    Parameters
    ----------
    rng
        Of this feed alone.
    lines
        By category, order lines of all merchants on each day of the span.
    span
        Days of the world.
    currency
        Of the panel's prices.

    Returns
    -------
    pd.DataFrame
        Whole weeks from Monday on; of searches until LEAD_WEEKS before the end.
    """
    first = (7 - int(span.weekday[0])) % 7
    median_price = {one.name: assumptions.MEDIAN_PRICE * one.price_ratio for one in assumptions.CATEGORIES}
    parts = []
    for at, (category, by_day) in enumerate(sorted(lines.items())):
        weeks = by_day[first : first + (len(by_day) - first) // 7 * 7].reshape(-1, 7).sum(axis=1)
        noise = np.exp(NOISE * rng.normal(size=(3, len(weeks))))
        day = first + 7 * np.arange(len(weeks))
        searches = _searches(weeks, noise[0])
        price = _prices(median_price[category], PRICE_DRIFT if at % 2 else -PRICE_DRIFT, noise[2])
        volume = (TIMES * _smooth(weeks) * noise[1]).round()
        parts += [
            _rows(span, SEARCHES, category, day[: len(searches)], volume=searches),
            _rows(span, PANEL, category, day, volume=volume, price=price, currency=currency),
        ]
    return pd.concat(parts, ignore_index=True)


def _searches(weeks: Floats, noise: Floats) -> Floats:
    """An index, 100 in a mean week, of what is sold LEAD_WEEKS later."""
    return (100 * weeks[LEAD_WEEKS:] / max(weeks.mean(), 1e-9) * noise[LEAD_WEEKS:]).round(2)


def _prices(median: float, drift: float, noise: Floats) -> Floats:
    """Of each week; drift: growth per week."""
    return (median * np.exp(drift * np.arange(len(noise))) * noise**0.2).round(2)


def _smooth(weeks: Floats) -> Floats:
    """The mean of a week and its neighbours."""
    return np.convolve(np.pad(weeks, 1, "edge"), np.full(3, 1 / 3), "valid")


def _rows(span: Span, source: str, category: str, day: "np.ndarray", **values: Any) -> pd.DataFrame:
    known_at = span.moments(day + KNOWN_DAYS[source], 6 * 3600)
    frame = pd.DataFrame({"source": source, "category": category, "day": span.dates[day], "known_at": known_at})
    return frame.assign(**values)
