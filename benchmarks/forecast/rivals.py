"""Other libraries' forecasts as `models.evaluation.baselines.Points`: statsforecast and LightGBM through mlforecast.

Each rival is fitted anew at every origin, on what was known then; the points are kept, because folds share origins.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

os.environ.setdefault("NIXTLA_ID_AS_COL", "1")

import numpy as np
import pandas as pd

from models.demand.features import Cells, mean_seen
from models.evaluation.baselines import Points
from models.panel.matrices import Floats, Panel

SEASON = 7
STATISTICAL = ("AutoETS", "AutoTheta", "SESOpt", "SeasESOpt", "CrostonOptimized", "CrostonSBA")
STATISTICAL += ("TSB", "ADIDA", "IMAPA", "WindowAverage")
LEARNED = ("LightGBM poisson", "LightGBM l1")


@dataclass
class Rivals:
    """Points of every rival for every series with history, `horizon` periods ahead; fitted when an origin is met."""

    panel: Panel
    horizon: int
    _fitted: dict[tuple[str, int], dict[str, Floats]] = field(default_factory=dict)

    def points(self) -> dict[str, Points]:
        """Every rival by name."""
        named = dict.fromkeys(STATISTICAL, statistical) | dict.fromkeys(LEARNED, learned)
        return {name: partial(self._give, fit, name) for name, fit in named.items()}

    def _give(self, fit: "Fit", name: str, known: Panel, cells: Cells) -> Floats:
        """What one rival says of cells; what `known` hides is not looked at, each origin has its own cut."""
        found = np.empty(len(cells))
        for origin in np.unique(cells.origin):
            rows = cells.origin == origin
            ahead = cells.target[rows] - origin - 1
            found[rows] = self._at(fit, int(origin))[name][cells.series[rows], ahead]
        return found

    def _at(self, fit: "Fit", origin: int) -> dict[str, Floats]:
        """(N, horizon) per rival: never negative; the mean of the last 28 periods where a rival has no forecast."""
        key = fit.__name__, origin
        if key not in self._fitted:
            known = self.panel.until(origin, self.horizon)
            usual = mean_seen(known.y[:, max(0, origin - 27) : origin + 1])[:, None]
            given = fit(known, origin, self.horizon)
            self._fitted[key] = {
                name: np.maximum(np.where(np.isnan(points), usual, points), 0) for name, points in given.items()
            }
        return self._fitted[key]


Fit = Callable[[Panel, int, int], dict[str, Floats]]


def observations(known: Panel) -> pd.DataFrame:
    """The long frame that both libraries read: unique_id (row of the panel), ds, y."""
    series, column = np.nonzero(known.seen)
    return pd.DataFrame({"unique_id": series, "ds": known.ds[column], "y": known.y[series, column]})


def _matrices(known: Panel, horizon: int, found: pd.DataFrame) -> dict[str, Floats]:
    """(N, horizon) per column of a frame with `horizon` rows for each of some series; nan elsewhere."""
    points = {}
    for name in found.columns.drop(["unique_id", "ds"]):
        matrix = np.full((len(known.ids), horizon), np.nan)
        matrix[found["unique_id"].unique()] = found[name].to_numpy(dtype=np.float64).reshape(-1, horizon)
        points[str(name)] = matrix
    return points


def statistical(known: Panel, origin: int, horizon: int) -> dict[str, Floats]:
    """statsforecast's models for short, seasonal or intermittent series, where two seasons were seen."""
    from statsforecast import StatsForecast
    from statsforecast import models as m

    models = [
        m.AutoETS(season_length=SEASON),
        m.AutoTheta(season_length=SEASON),
        m.SimpleExponentialSmoothingOptimized(),
        m.SeasonalExponentialSmoothingOptimized(season_length=SEASON),
        m.CrostonOptimized(),
        m.CrostonSBA(),
        m.TSB(alpha_d=0.1, alpha_p=0.1),
        m.ADIDA(),
        m.IMAPA(),
        m.WindowAverage(window_size=28),
    ]
    long = observations(known)
    enough = long[long.groupby("unique_id")["y"].transform("size") >= 2 * SEASON]
    if enough.empty:
        return {name: np.full((len(known.ids), horizon), np.nan) for name in STATISTICAL}
    engine = StatsForecast(models=models, freq="D", n_jobs=1, fallback_model=m.Naive())
    return _matrices(known, horizon, engine.forecast(df=enough, h=horizon))


def learned(known: Panel, origin: int, horizon: int) -> dict[str, Floats]:
    """LightGBM on lags, rolling means and spreads, smoothed level, weekday, category; recursive, as mlforecast is."""
    from lightgbm import LGBMRegressor
    from mlforecast import MLForecast
    from mlforecast.lag_transforms import ExponentiallyWeightedMean, RollingMean, RollingStd, SeasonalRollingMean

    common = {"n_estimators": 300, "learning_rate": 0.05, "num_leaves": 31, "min_child_samples": 40, "subsample": 0.8}
    machine = {"subsample_freq": 1, "random_state": 1, "n_jobs": 2, "verbosity": -1}
    engine = MLForecast(
        models={name: LGBMRegressor(objective=name.split()[1], **common, **machine) for name in LEARNED},
        freq="D",
        lags=[1, 2, 3, 7, 14],
        lag_transforms={
            1: [
                *(RollingMean(window, min_samples=1) for window in (3, 7, 14, 28)),
                RollingStd(28, min_samples=2),
                ExponentiallyWeightedMean(0.1),
                SeasonalRollingMean(SEASON, 4, min_samples=1),
            ]
        },
        date_features=["dayofweek"],
    )
    long = observations(known)
    for name, category in known.categories.items():
        long[name] = pd.Categorical.from_codes(category.codes[long["unique_id"], 0], list(category.levels))
    engine.fit(long, static_features=list(known.categories), dropna=False)
    return _matrices(known, horizon, engine.predict(horizon))
