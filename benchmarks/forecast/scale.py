"""Seconds and memory of features, training and scoring as series grow, and what sampling the training rows costs.

    .venv/bin/python -m benchmarks.forecast.scale [SERIES ...]          (25 minutes; default 1,000 to 100,000)

Generated demand: 400 days and 28 ahead, levels lognormal with a median of 0.3 pieces a day (62 % of cells are zero), a
weekly rhythm, a drift of each series, promotions known ahead, 30 categories, a fifth of the series younger than the
panel. Each size has a process of its own, so that its peak memory is its own. The last table trains on a sample of the
rows and on all of them, at 10,000 series, and compares the pinball loss over the 28 days.
"""

import json
import resource
import subprocess
import sys
import time

import numpy as np
import pandas as pd

from c2m.settings import ForecastPolicy, settings
from models.demand.forecast import QUANTILES, forecast
from models.demand.train import train
from models.evaluation.backtest import pinball
from models.panel.matrices import SEASONS, CategoricalColumn, Floats, Panel

DAYS, AHEAD = 400, 28
SIZES = (1_000, 10_000, 100_000)
COMPARED = 10_000  # series, sample against all rows
EVERY_ROW = 4_000_000  # COMPARED x DAYS: one row per observation


def generated(series: int, seed: int = 1) -> Panel:
    """All observations, the last AHEAD days among them; nothing asked."""
    random = np.random.default_rng(seed)
    shape = series, DAYS + AHEAD
    days = np.arange(shape[1])
    promotion = np.where(random.random(shape) < 0.05, 0.2, 0.0)
    season = 1 + 0.4 * np.isin(days % 7, (5, 6)) * random.uniform(0, 1.5, (series, 1))
    drift = np.exp(np.cumsum(random.normal(0, 0.03, shape), axis=1))
    level = np.exp(random.normal(np.log(0.3), 1.5, (series, 1)))
    y = random.poisson(level * season * drift * (1 + 4 * promotion) * random.gamma(2, 0.5, shape)).astype(np.float64)
    start = np.where(random.random(series) < 0.2, random.integers(1, DAYS - 7, series), 0)
    y[days < start[:, None]] = np.nan
    ids = pd.Index([f"s{number:06d}" for number in range(series)], dtype=object, name="series_id")
    codes = np.broadcast_to(random.integers(0, 30, (series, 1)), shape)
    category = CategoricalColumn(codes, tuple(f"c{number:02d}" for number in range(30)))
    ds = pd.date_range("2025-01-01", periods=shape[1], name="ds")
    return Panel(ids, ds, y, np.zeros(shape, bool), SEASONS["D"], {"promotion": promotion}, {"category": category})


def measured(series: int, training_rows: int | None = None) -> dict[str, float]:
    """One row of the tables, in this process."""
    update = {"horizon_days": AHEAD} | ({"training_rows": training_rows} if training_rows else {})
    policy: ForecastPolicy = settings().forecast.model_copy(update=update)
    whole = generated(series)
    known = whole.until(DAYS - 1, AHEAD)
    began = time.perf_counter()
    trained = train(known, policy)
    done = time.perf_counter()
    found = forecast(known, "wape", trained.scorer())
    scored = time.perf_counter()
    figures = {"series": series, "training_rows": trained.spec["rows"], "train_s": done - began}
    figures |= {
        "score_s": scored - done,
        "together_s": scored - began,
        "cells": len(found),
        "pinball": loss(whole, found),
    }
    return figures | {"peak_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20}


def loss(whole: Panel, found: pd.DataFrame) -> float:
    """Pieces per cell, mean over the quantiles."""
    came: Floats = whole.y[:, DAYS:].ravel()
    return float(pinball(came, found[QUANTILES].to_numpy()).mean())


def apart(*arguments: int) -> dict[str, float]:
    """`measured` in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.forecast.scale", "--one", *map(str, arguments)]
    lines = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    row: dict[str, float] = json.loads(lines[-1])
    return row


def main() -> None:
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(measured(*map(int, sys.argv[2:]))))
        return
    sizes = [int(size) for size in sys.argv[1:]] or list(SIZES)
    print(f"{DAYS} days, {AHEAD} ahead, {settings().forecast.threads} threads")
    print(pd.DataFrame([apart(size) for size in sizes]).round(2).to_string(index=False))
    rows = pd.DataFrame([apart(COMPARED), apart(COMPARED, EVERY_ROW)])
    rows["pinball_to_all"] = rows["pinball"] / rows["pinball"].iloc[-1]
    print(f"\na sample of the rows, and all of them\n{rows.round(4).to_string(index=False)}")


if __name__ == "__main__":
    main()
