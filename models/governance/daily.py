"""The forecast of the daily run, by the champion: rows for the landing zone."""

from datetime import date
from typing import Protocol

import numpy as np
import pandas as pd
from scipy import stats

from c2m import clock
from c2m.domain.newsvendor import WINDOW_QUANTILES
from models.demand.features import Cells, in_order, mean_seen
from models.demand.forecast import Part, forecast, windows
from models.demand.scorer import Scorer
from models.ensemble.folds import Fold, backs
from models.ensemble.members import seasonal_naive
from models.ensemble.sums import Dependence, sums
from models.evaluation.baselines import BASELINES, Points, recent
from models.evaluation.cost import Baseline
from models.panel.daily import style_series
from models.panel.matrices import Floats, Panel

FOLDS = 4  # origins whose errors show how styles move together


class Champion(Protocol):
    """What forecasts the day: a version of the registry, or a model that was never registered."""

    @property
    def version(self) -> str:
        """By which its rows are known."""

    @property
    def scorer(self) -> Scorer:
        """How totals spread about their mean."""

    def predict(self, features: pd.DataFrame) -> pd.DataFrame:
        """Columns mean, q05 .. q95."""


def forecast_daily(
    panel: Panel, champion: Champion, business_date: date, window_days: int
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """The champion's forecast of a day, as it lands.

    Parameters
    ----------
    panel
        Styles by days, pieces.
    champion
        The registered version that forecasts.
    business_date
        The first day that is forecast.
    window_days
        Days of the total: lead time plus review period.

    Returns
    -------
    tuple
        Rows of landing/forecasts (per style and day) and of landing/forecast_windows (of the total over the window),
        and the feature rows behind them (per style and day).
    """
    seen: list[Part] = []
    days = forecast(panel, "wape", champion, seen)
    totals = windows(days, champion.scorer, window_days)
    days["horizon_day"] = (days["ds"] - pd.Timestamp(business_date)).dt.days.astype("int32") + 1
    days["ds"] = days["ds"].dt.date
    forecasts, over_window = (_landed(frame, champion.version, business_date) for frame in (days, totals))
    keys = forecasts[["merchant_id", "style_id", "ds"]]
    features = in_order(seen)  # the merchant is one of them
    return forecasts, over_window, pd.concat([keys, features[features.columns.difference(keys.columns, False)]], axis=1)


def bands(panel: Panel, forecasts: pd.DataFrame) -> pd.DataFrame:
    """Quantiles of all styles together, of each merchant and of each category.

    How errors move together is measured on the seasonal naive forecast of the last weeks, which errs with the market as
    the champion does.

    Parameters
    ----------
    panel
        Styles by days, pieces.
    forecasts
        Rows of landing/forecasts of one day.

    Returns
    -------
    pd.DataFrame
        level, key, ds (empty: over all days), mean and quantiles in pieces (`models.ensemble.sums.sums`).
    """
    frame = forecasts.assign(series_id=style_series(forecasts), ds=pd.to_datetime(forecasts["ds"]))
    return sums(panel, frame, Dependence.of(naive_errors(panel, frame["ds"].nunique())))


def naive_errors(panel: Panel, horizon: int) -> Floats:
    """(folds, N, horizon): of the seasonal naive forecast at the last origins, in pieces."""
    folds = [Fold.of(panel, back, horizon) for back in backs(panel, horizon, FOLDS)]
    errors = [fold.actual(panel) - seasonal_naive(fold) for fold in folds]
    return np.array(errors) if errors else np.full((1, len(panel.ids), horizon), np.nan)


def mean_28(panel: Panel, cells: Cells) -> Floats:
    """Mean of the last 28 periods: the flat forecast of a season that is planned once."""
    return mean_seen(recent(panel, cells, 28))


RIVALS: dict[str, Points] = {**BASELINES, "mean_28": mean_28}  # what may stand in the champion's place


def baseline_daily(panel: Panel, name: str, business_date: date, window_days: int) -> pd.DataFrame:
    """Rows of landing/forecast_windows by one of `RIVALS`, in the champion's place.

    Parameters
    ----------
    panel
        Styles by days, pieces.
    name
        Of the rival.
    business_date
        The first day that is forecast.
    window_days
        Days of the total: lead time plus review period.

    Returns
    -------
    pd.DataFrame
        Per style: mean and quantiles of the total, pieces. They spread as the rival erred over windows before; where
        there are less than three windows of history, as Poisson counts do.
    """
    series = np.flatnonzero(panel.last >= 0)
    days = np.tile(np.arange(1, window_days + 1), len(series))
    origin = np.full(len(days), panel.end)
    points = RIVALS[name](panel, Cells(np.repeat(series, window_days), origin, origin + days))
    total = np.nan_to_num(points).reshape(len(series), window_days).sum(axis=1)
    if panel.end - int(panel.first.min()) >= 3 * window_days:
        quantiles = Baseline(RIVALS[name]).totals(panel, series, panel.end, window_days)
    else:
        quantiles = stats.poisson.ppf(list(WINDOW_QUANTILES.values()), total[:, None])
    frame = pd.DataFrame(quantiles, columns=list(WINDOW_QUANTILES))
    frame.insert(0, "mean", total)
    frame.insert(0, "window_days", np.int32(window_days))
    frame.insert(0, "series_id", panel.ids[series])
    return _landed(frame, name, business_date)


def _landed(frame: pd.DataFrame, version: str, business_date: date) -> pd.DataFrame:
    """With the style in place of the series, and by whom and when it was made."""
    _name_style(frame)
    frame.insert(2, "business_date", business_date)
    return frame.assign(model_version=version, known_at=clock.now().replace(tzinfo=None))


def _name_style(frame: pd.DataFrame) -> None:
    """Puts merchant_id and style_id, as the first columns, in the place of series_id."""
    names = frame.pop("series_id").str.split("/", n=1)
    frame.insert(0, "merchant_id", names.str[0])
    frame.insert(1, "style_id", names.str[1])
