"""Elasticities of planted worlds: how often 90 % intervals hold, and how far off, beside what one would else take.

    .venv/bin/python -m benchmarks.price.planted [WORLDS]          (200 worlds: two minutes)

A world has 30 styles of three categories over 180 days. Planted beside the elasticity: a season per category, the
weekday, a life cycle and a slow drift of each style, noise beyond Poisson, livestreams; promotions that come when the
season is high (they look better than they are) and markdowns when a style fades (they look worse), shown as promotions,
which adds to demand without the price; sales of the whole shop; days without stock, on which nothing sells.
"""

import sys

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.price.elasticity import Sales, estimate

Floats = NDArray[np.float64]

STYLES, DAYS, CATEGORIES = 30, 180, 3


def world(seed: int) -> tuple[Sales, Floats]:
    """What was sold, and the elasticity of each style."""
    random = np.random.default_rng(seed)
    category = np.arange(STYLES) % CATEGORIES
    truth = random.normal(random.normal(-1.8, 0.3, CATEGORIES)[category], 0.4)
    day = np.arange(DAYS)
    season = 0.4 * np.sin(2 * np.pi * (day / 365 + random.random(CATEGORIES)[:, None]))[category]
    weekday = np.array([-0.1, -0.1, -0.1, 0.0, 0.1, 0.2, 0.1])[day % 7]
    life = random.normal(0, 0.3, STYLES)[:, None] * (day / DAYS - 0.5)
    drift = random.normal(0, 0.05, (STYLES, DAYS))
    for one in range(1, DAYS):
        drift[:, one] += 0.95 * drift[:, one - 1]
    trend = season + life + drift
    depth = np.zeros((STYLES, DAYS))
    chance = 0.04 * np.exp(1.5 * season) + 0.04 * np.exp(-3 * (life + drift))
    for style, start in np.argwhere(random.random(depth.shape) < chance):
        depth[style, start : start + random.integers(3, 8)] = random.choice([0.1, 0.15, 0.2, 0.3])
    for start in (60, 130):
        depth[:, start : start + 3] = 0.2
    regular = np.ones((STYLES, DAYS))
    for style in range(STYLES):
        for start in random.integers(20, DAYS - 20, 2):
            regular[style, start:] *= random.choice([0.92, 0.95, 1.05, 1.08])
    price, shown = regular * (1 - depth), depth > 0
    minutes = np.where(random.random(depth.shape) < 0.02, random.choice([30.0, 60.0], depth.shape), 0.0)
    level = np.log(random.lognormal(np.log(12), 0.8, STYLES))[:, None]
    display, stream = 0.15, 0.3 * np.log1p(minutes / 30)
    mean = np.exp(level + trend + weekday + truth[:, None] * np.log(price) + display * shown + stream)
    pieces = random.poisson(mean * random.gamma(12, 1 / 12, mean.shape)).astype(float)
    usable = np.ones(mean.shape, dtype=bool)
    for style, start in np.argwhere(random.random(mean.shape) < 0.006):
        usable[style, start : start + random.integers(2, 9)] = False
    return Sales(np.where(usable, pieces, 0.0), price, shown, minutes, usable, category), truth


def naive(sales: Sales) -> Floats:
    """Slope of log(pieces + 1) on log(price), style by style: what a spreadsheet gives."""
    x, y = np.log(sales.price), np.log1p(sales.pieces)
    x, y = x - x.mean(axis=1, keepdims=True), y - y.mean(axis=1, keepdims=True)
    slope: Floats = (x * y).sum(axis=1) / np.maximum((x * x).sum(axis=1), 1e-9)
    return slope


def run(worlds: int, first: int = 1000) -> pd.DataFrame:
    """One row per method: coverage of its 90 % interval, bias, root mean square error."""
    rows = []
    for seed in range(first, first + worlds):
        sales, truth = world(seed)
        found = estimate(sales)
        low, high = found.interval()
        alone_low, alone_high = found.alone - 1.645 * found.error, found.alone + 1.645 * found.error
        rows += [
            ("ours", ((low <= truth) & (truth <= high)).mean(), found.mean - truth, (high - low).mean()),
            (
                "each style alone",
                ((alone_low <= truth) & (truth <= alone_high)).mean(),
                found.alone - truth,
                (alone_high - alone_low).mean(),
            ),
            ("slope of logarithms", np.nan, naive(sales) - truth, np.nan),
        ]
    table = pd.DataFrame(rows, columns=["method", "coverage_90", "error", "width"])
    table = table.assign(bias=[one.mean() for one in table["error"]], mse=[(one**2).mean() for one in table["error"]])
    means = table.groupby("method", sort=False)[["coverage_90", "width", "bias", "mse"]].mean()
    return means.assign(rmse=np.sqrt(means.pop("mse")))


if __name__ == "__main__":
    print(run(int(sys.argv[1]) if len(sys.argv) > 1 else 200).round(3).to_string())
