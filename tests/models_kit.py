"""Small panels for the tests of the forecast."""

import numpy as np
import pandas as pd

from c2m.settings import ForecastPolicy

POLICY = ForecastPolicy(horizon_days=7, rounds=20, threads=1, backtest_origins=2)


def long_frame(series: int = 12, days: int = 60, ahead: int = 7, seed: int = 1) -> pd.DataFrame:
    """Whole pieces with a weekly rhythm, promotions known ahead, a category; later series start later."""
    random = np.random.default_rng(seed)
    dates = pd.date_range("2026-01-05", periods=days + ahead)
    frames = []
    for number in range(series):
        promotion = random.choice([0.0, 0.2], days + ahead, p=[0.9, 0.1])
        level = (0.3 + number) * (1 + 0.4 * (dates.day_of_week >= 5)) * (1 + 5 * promotion)
        y = random.poisson(level).astype(float)
        y[days:] = np.nan
        facts = {"series_id": f"s{number:02d}", "category": f"c{number % 3}"}
        frames.append(pd.DataFrame({**facts, "ds": dates, "y": y, "promotion": promotion})[min(2 * number, 24) :])
    return pd.concat(frames, ignore_index=True)
