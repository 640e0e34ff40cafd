"""Demand of a generated merchant's styles, day by day: level, life cycle, season, weekday, drift, promotions, streams.

Arrays are styles x days of the span; the drivers (promotion depth, livestream minutes) are known ahead in the feed.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from c2m.domain.arrays import Floats, Ints
from c2m.simulation.world import assumptions
from c2m.simulation.world.span import Span

# Variance of the slow drift's logarithm, of what the whole history's dispersion has on top of the daily noise.
_DRIFT_VARIANCE = np.log1p(assumptions.DRIFT_SHARE * (1 / assumptions.DISPERSION_ALL - 1 / assumptions.DISPERSION_DAY))


@dataclass(frozen=True)
class ShopperDemand:
    """Order lines asked for, and what drove them."""

    lines: Ints
    promotion_depth: Floats
    livestream_minutes: Floats


def draw(rng: np.random.Generator, styles: pd.DataFrame, span: Span) -> ShopperDemand:
    """The demand of `styles` (with `rate`, `release_day`, `category`) over the span."""
    depth, minutes = _promotions(rng, len(styles), span), _livestreams(rng, styles, span)
    rate = (
        styles["rate"].to_numpy()[:, None]
        * _life(styles["release_day"], span)
        * _season(styles["category"], span)
        * np.array(assumptions.WEEKDAY)[span.weekday]
        * _drift(rng, len(styles), span.days)
        * np.exp(assumptions.PROMOTION_ELASTICITY * depth)
        * _livestream_uplift(minutes)
    )
    k = assumptions.DISPERSION_DAY
    return ShopperDemand(rng.poisson(rng.gamma(k, rate / k)), depth, minutes)


def _life(release_day: pd.Series, span: Span) -> Floats:
    """1 all year, or the twelve measured weeks and then a fall of 5 % a week; 0 before the release."""
    cycle = np.array(assumptions.LIFE_CYCLE)
    release = release_day.to_numpy("float64", na_value=np.nan)[:, None]
    weeks = (np.arange(span.days)[None, :] - release) / 7
    known = np.clip(np.nan_to_num(weeks), 0, len(cycle) - 1).astype(int)
    after = cycle[known] * 0.95 ** np.maximum(weeks - len(cycle), 0)
    return np.where(np.isnan(release), 1.0, np.where(weeks >= 0, after, 0.0))


def _season(category: pd.Series, span: Span) -> Floats:
    kinds = {c.name: c for c in assumptions.CATEGORIES}
    swing = np.array([kinds[c].season_swing for c in category])[:, None]
    peak = np.array([kinds[c].season_peak_day for c in category])[:, None]
    day = span.first.timetuple().tm_yday + np.arange(span.days)[None, :]
    season: Floats = 1 + swing * np.cos(2 * np.pi * (day - peak) / 365.25)
    return season


def _drift(rng: np.random.Generator, styles: int, days: int) -> Floats:
    """Log-normal, mean 1, with a memory."""
    noise = rng.normal(size=(styles, days))
    noise[:, 1:] *= np.sqrt(1 - assumptions.DRIFT_MEMORY**2)
    for day in range(1, days):
        noise[:, day] += assumptions.DRIFT_MEMORY * noise[:, day - 1]
    drift: Floats = np.exp(np.sqrt(_DRIFT_VARIANCE) * noise - _DRIFT_VARIANCE / 2)
    return drift


def _promotions(rng: np.random.Generator, styles: int, span: Span) -> Floats:
    """Share of the price taken off: campaigns of 3 to 7 days per style, and the shopping days of the year."""
    depth = np.zeros((styles, span.days))
    for style, day in np.argwhere(rng.random(depth.shape) < 1 / assumptions.PROMOTION_EVERY_DAYS):
        depth[style, day : day + rng.integers(3, 8)] = rng.choice(assumptions.PROMOTION_DEPTHS)
    for day, date in enumerate(span.dates[: span.days].tolist()):
        if (date.month, date.day) in assumptions.SHOPPING_DAYS:
            depth[:, max(0, day - 2) : day + 1] = 0.20
    return depth


def _livestreams(rng: np.random.Generator, styles: pd.DataFrame, span: Span) -> Floats:
    """Minutes on air: one style in 30 (one at least) per stream day, of those on sale."""
    minutes = np.zeros((len(styles), span.days))
    release = styles["release_day"].to_numpy("float64", na_value=0)
    for day in np.flatnonzero(np.isin(span.weekday, assumptions.LIVESTREAM_WEEKDAYS)):
        on_sale = np.flatnonzero(release <= day)
        picks = rng.choice(on_sale, max(1, len(on_sale) // 30), replace=False)
        minutes[picks, day] = rng.choice(assumptions.LIVESTREAM_MINUTES, len(picks))
    return minutes


def _livestream_uplift(minutes: Floats) -> Floats:
    uplift = assumptions.LIVESTREAM_UPLIFT_PER_MINUTE * minutes
    uplift[:, 1:] += uplift[:, :-1] / 2
    return 1 + uplift
