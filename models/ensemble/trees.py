"""The engine of `models.demand` as a member: fed demand as it is, or demand over that of one season before.

The second goes on with a trend and a season, which the first, fed levels, cannot: what it forecasts is growth, and the
forecast is growth times the season before, whose own forecast stands in where that lies ahead.
"""

from dataclasses import replace

import numpy as np

from c2m.errors import InputError
from c2m.settings import ForecastPolicy
from models.demand.boosting import QUANTILE_LEVELS
from models.demand.features import ratio
from models.demand.forecast import QUANTILES, forecast
from models.demand.train import train
from models.ensemble.folds import Fold, gather
from models.ensemble.members import filled
from models.panel.matrices import Floats, Panel

MOST_GROWTH = 20.0  # over a season; more is a slip of the pen or a beginning, and says nothing of growth
MEDIAN = QUANTILE_LEVELS.index(0.5)


def level(fold: Fold, policy: ForecastPolicy) -> Floats:
    """(N, horizon, levels): quantiles of the engine fed demand as it is; nan with too little to learn from."""
    cells = fold.cells
    asked = np.zeros(fold.panel.y.shape, dtype=bool)
    asked[cells.series, cells.target] = True
    panel = replace(fold.panel, asked=asked)
    recipe = policy.model_copy(update={"horizon_days": min(fold.horizon, 90)})
    try:
        frame = forecast(panel, "wape", train(panel, recipe, totals=False).scorer())
    except InputError:
        return np.full((*fold.target.shape, len(QUANTILES)), np.nan)
    return fold.matrix(frame[QUANTILES].to_numpy())


def growth(fold: Fold, policy: ForecastPolicy) -> Floats:
    """(N, horizon, levels): the same fed demand over that of a season (or a period) before; nan where that is zero."""
    season = max(1, fold.panel.season)
    known = replace(fold, panel=replace(fold.panel, y=ratios(fold.panel, season)))
    found = level(known, policy)
    y = np.concatenate(
        [gather(filled(fold.panel), fold.origin[:, None] + 1 - season + np.arange(season)), found[..., MEDIAN]], 1
    )
    for ahead in range(fold.horizon):
        y[:, season + ahead] *= y[:, ahead]
    base = y[:, : fold.horizon]
    quantiles: Floats = found * base[..., None]
    return quantiles


def ratios(panel: Panel, season: int) -> Floats:
    """(N, T): demand over that of `season` periods before, where both are above zero and like each other."""
    before = np.full(panel.y.shape, np.nan)
    before[:, season:] = panel.y[:, :-season]
    found = ratio(panel.y, before)
    return np.where((found < MOST_GROWTH) & (found > 1 / MOST_GROWTH), found, np.nan)
