"""Trees on differences over a season, in the spread of each series: one model for all, fed its own steps.

What is learned is how a series moves against its own past, so that trend and season go on by themselves and series of
every size teach each other.
"""

import numpy as np
import xgboost as xgb

from c2m.settings import ForecastPolicy
from models.demand.features import mean_seen
from models.ensemble.folds import Fold, gather
from models.ensemble.members import filled
from models.panel.matrices import Floats

TREES = {"objective": "reg:absoluteerror", "eta": 0.05, "max_leaves": 31, "max_depth": 0, "grow_policy": "lossguide"}
ROUNDS, LEAST_ROWS = 200, 20  # boosting rounds; rows of a leaf, and without twice as many nothing is learned
MOST_ROWS = 40_000  # the newest periods of all series


def differences(fold: Fold, policy: ForecastPolicy) -> Floats:
    """(N, horizon): points; nan for series too short to have the lags, and for all with too little to learn from."""
    season = max(1, fold.panel.season)
    lags = np.array(sorted({1, 2, 3, season, season + 1}))
    if fold.panel.y.shape[1] <= season + lags[-1]:
        return np.full(fold.target.shape, np.nan)
    known, middle, spread = _aligned(fold, season)
    trees = _learned(*_rows(known, lags), policy)
    if trees is None:
        return np.full(fold.target.shape, np.nan)
    return _summed(fold, season, _ahead(known, lags, trees, fold.horizon) * spread + middle)


def _aligned(fold: Fold, season: int) -> tuple[Floats, Floats, Floats]:
    """Differences of each series (N, T), the last one known in the last column, over their spread; both."""
    y, columns = filled(fold.panel), fold.origin[:, None] - np.arange(fold.panel.y.shape[1] - season)[::-1]
    inside = columns - season >= fold.panel.first[:, None]
    found = np.where(inside, gather(y, columns) - gather(y, columns - season), np.nan)
    middle = mean_seen(found)[:, None]
    spread = _not_zero(np.sqrt(mean_seen((found - middle) ** 2)))[:, None]
    return (found - middle) / spread, middle, spread


def _not_zero(spread: Floats) -> Floats:
    return np.where(spread > 0, spread, 1.0)


def _learned(features: Floats, target: Floats, policy: ForecastPolicy) -> xgb.Booster | None:
    if len(target) < 2 * LEAST_ROWS:
        return None
    machine = {"tree_method": "hist", "seed": policy.seed, "nthread": policy.threads, "min_child_weight": LEAST_ROWS}
    return xgb.train(TREES | machine, xgb.QuantileDMatrix(features, target), ROUNDS)


def _summed(fold: Fold, season: int, steps: Floats) -> Floats:
    """(N, horizon): each step on top of what was a season before, known or forecast."""
    known = gather(filled(fold.panel), fold.origin[:, None] - np.arange(season)[::-1])
    y = np.concatenate([known, steps], axis=1)
    for ahead in range(fold.horizon):
        y[:, season + ahead] += y[:, ahead]
    return np.where((fold.origin >= fold.panel.first)[:, None], y[:, season:], np.nan)


def _rows(known: Floats, lags: "np.ndarray") -> tuple[Floats, Floats]:
    """Lags (n, lags) and what followed (n,), of the newest periods."""
    newest = max(int(lags[-1]) + 1, known.shape[1] - max(1, MOST_ROWS // len(known)))
    columns = np.arange(newest, known.shape[1])
    features = np.stack([known[:, columns - lag].ravel() for lag in lags], axis=1)
    target = known[:, columns].ravel()
    whole = np.isfinite(target) & np.isfinite(features).all(axis=1)
    return features[whole], target[whole]


def _ahead(known: Floats, lags: "np.ndarray", trees: xgb.Booster, horizon: int) -> Floats:
    """(N, horizon): what the trees say, step by step; nan where a lag is not known."""
    found = known[:, -int(lags[-1]) :]
    for _ in range(horizon):
        features = np.stack([found[:, -lag] for lag in lags], axis=1)
        step = trees.inplace_predict(features).astype(np.float64)
        found = np.column_stack([found, np.where(np.isfinite(features).all(axis=1), step, np.nan)])
    return found[:, -horizon:]
