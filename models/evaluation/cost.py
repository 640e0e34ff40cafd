"""What forecasts cost the business: the order policy turns each into a level, then demand comes.

From each origin a contestant forecasts the total over lead time plus review period, knowing what was known then. Of
that the newsvendor makes a level (`c2m.domain.newsvendor`) on an empty shelf; a piece too few and a piece too many
cost money.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd

from c2m.domain.newsvendor import WINDOW_QUANTILES, Stakes, quantile_at
from c2m.settings import ForecastPolicy, settings
from c2m.warehouse.published import read
from models.demand.features import Cells, is_logarithmic
from models.demand.forecast import forecast, windows
from models.demand.scorer import Scorer
from models.demand.train import train
from models.evaluation.baselines import Points, baseline_totals
from models.evaluation.segments import segments
from models.panel.daily import style_series
from models.panel.matrices import Floats, Ints, Panel


class Contestant(Protocol):
    """Who forecasts totals."""

    def totals(self, known: Panel, series: Ints, origin: int, window: int) -> Floats:
        """Quantiles of totals, for series of a panel.

        Parameters
        ----------
        known
            Hides what came after the origin, and asks for the window of these series.
        series
            (N,) rows of the panel.
        origin
            Column of the last period that is known.
        window
            Periods after it that are summed.

        Returns
        -------
        numpy.ndarray
            (N, 12) pieces at WINDOW_LEVELS.
        """


@dataclass(frozen=True)
class Ours:
    """A recipe, and the model that it gave once: that model where it learned from nothing after the origin.

    Elsewhere, and where there is none, the recipe is trained anew on what was known then.
    """

    recipe: ForecastPolicy
    model: Scorer | None = None

    def totals(self, known: Panel, series: Ints, origin: int, window: int) -> Floats:
        """As `Contestant` tells.

        Parameters
        ----------
        known
            Hides what came after the origin, and asks for the window of these series.
        series
            (N,) rows of the panel.
        origin
            Column of the last period that is known.
        window
            Periods after it that are summed.

        Returns
        -------
        numpy.ndarray
            (N, 12) pieces at WINDOW_LEVELS.
        """
        model = self.model
        if model is None or pd.Timestamp(model.spec["end"]) > known.ds[origin]:
            # The response that the mean follows on such panels stands beside quantiles.
            model = train(known, self.recipe, quantiles=is_logarithmic(known)).scorer()
        found = windows(forecast(known, "rmse", model), model, window)
        return found[list(WINDOW_QUANTILES)].to_numpy(dtype=np.float64)


@dataclass(frozen=True)
class Baseline:
    """A rival's points with the errors that its totals made just before."""

    points: Points

    def totals(self, known: Panel, series: Ints, origin: int, window: int) -> Floats:
        """As `Contestant` tells.

        Parameters
        ----------
        known
            Hides what came after the origin, and asks for the window of these series.
        series
            (N,) rows of the panel.
        origin
            Column of the last period that is known.
        window
            Periods after it that are summed.

        Returns
        -------
        numpy.ndarray
            (N, 12) pieces at WINDOW_LEVELS.
        """
        start = np.full(len(series), origin)
        return baseline_totals(self.points, known, Cells(series, start, start + window), window)


def origins(panel: Panel, window: int, folds: int) -> list[int]:
    """Columns of the latest origins whose window has passed, a season apart; two windows of history at least."""
    step = panel.season or window
    found = [panel.end - window - step * back for back in reversed(range(folds))]
    return [origin for origin in found if origin - int(panel.first.min()) >= 2 * window]


def published(panel: Panel, contestants: Mapping[str, Contestant], folds: int) -> pd.DataFrame:
    """What each contestant's quantities would have cost on the daily panel.

    Prices are those of the published styles, lead time and review period those of the settings; the loss is the
    newsvendor's.

    Parameters
    ----------
    panel
        Styles by days, pieces.
    contestants
        By name: gives quantiles of the total over the window.
    folds
        How many origins, a window apart, the latest last.

    Returns
    -------
    pd.DataFrame
        series_id, origin, segment, came (pieces), and the money that each contestant's quantities cost.
    """
    policy = settings().replenishment
    styles, window = read("styles"), policy.window_days
    money = styles.set_index(style_series(styles))[["price", "cost"]].reindex(panel.ids).to_numpy(dtype=np.float64)
    stakes = Stakes.of(money[:, 0], money[:, 1], window, policy)
    return costs(panel, stakes, contestants, origins(panel, window, folds), window)


def costs(
    panel: Panel, stakes: Stakes, contestants: Mapping[str, Contestant], at: Iterable[int], window: int
) -> pd.DataFrame:
    """Per origin and series with history there: series_id, origin, segment, came (pieces), money per contestant."""
    folds = [_fold(panel, stakes, contestants, origin, window) for origin in at]
    return pd.concat(folds, ignore_index=True) if folds else pd.DataFrame()


def _fold(
    panel: Panel, stakes: Stakes, contestants: Mapping[str, Contestant], origin: int, window: int
) -> pd.DataFrame:
    known = panel.until(origin, window)
    series = np.flatnonzero(known.asked.any(axis=1))
    came = np.nansum(panel.y[series, origin + 1 : origin + 1 + window], axis=1)
    at_stake = Stakes(stakes.underage[series], stakes.overage[series])
    facts = {"series_id": panel.ids[series], "origin": panel.ds[origin], "segment": segments(panel, origin)[series]}
    losses = {
        name: at_stake.regret(
            quantile_at(contestant.totals(known, series, origin, window), at_stake.critical_ratio), came
        )
        for name, contestant in contestants.items()
    }
    return pd.DataFrame({**facts, "came": came, **losses})
