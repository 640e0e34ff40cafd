"""Forecasts of a panel by the engine: one model over all series and horizons.

Output per asked cell: series_id, ds, point (best for the metric), mean, q05 .. q95.
"""

from collections.abc import Iterator
from typing import Literal, Protocol

import numpy as np
import pandas as pd
from scipy import stats

from c2m.errors import InputError
from c2m.settings import settings
from models.demand.boosting import QUANTILE_LEVELS
from models.demand.features import Cells, blocks, in_order, ratio
from models.demand.response import response
from models.demand.scorer import Scorer, quantile_name
from models.demand.train import train
from models.panel.matrices import Floats, Ints, Panel

Metric = Literal["wape", "mape", "rmse"]
Part = tuple[Ints, pd.DataFrame]  # rows, and their places among the asked cells
QUANTILES = [quantile_name(level) for level in QUANTILE_LEVELS]
_LOW, _MEDIAN, _HIGH = (QUANTILE_LEVELS.index(level) for level in (0.1, 0.5, 0.9))
_DEVIATIONS_APART = stats.norm.ppf(0.9) - stats.norm.ppf(0.1)


class DemandModel(Protocol):
    """What turns feature rows into mean and quantiles: a fresh `Scorer` or the champion."""

    def predict(self, features: pd.DataFrame) -> pd.DataFrame:
        """Columns mean, q05 .. q95."""


def forecast(
    panel: Panel, metric: Metric = "wape", model: DemandModel | None = None, seen: list[Part] | None = None
) -> pd.DataFrame:
    """Forecasts of the asked cells.

    Parameters
    ----------
    panel
        Series by periods, with cells asked for.
    metric
        That `point` is best for.
    model
        None: one is trained on the panel.
    seen
        Takes the feature rows that the model was given, in parts with their places; None: they are not kept.

    Returns
    -------
    pd.DataFrame
        series_id, ds, point, mean and quantiles in units of y, by series and ds.

    Raises
    ------
    InputError
        No cell is asked for.
    """
    base, panel, cells = panel.base, panel.lifted(), asked_cells(panel)
    if not len(cells):
        fault = "no row has an empty y after its series' last observation; add one for each period to forecast"
        raise InputError("nothing-asked", [fault])
    if model is None:
        longest = int((cells.target - cells.origin).max())
        model = train(panel, settings().forecast.model_copy(update={"horizon_days": longest})).scorer()
    frame = in_order(_scored(model, blocks(panel, cells), seen))
    if "q50" in frame:
        frame = _towards(response(panel, cells), frame, panel.whole)
    frame = frame.add(base[cells.series], axis=0)
    frame.insert(0, "point", point(frame, metric))
    frame.insert(0, "ds", panel.when(cells.series, cells.target))
    frame.insert(0, "series_id", panel.ids[cells.series])
    return frame


def _scored(model: DemandModel, parts: Iterator[Part], seen: list[Part] | None) -> Iterator[Part]:
    for at, rows in parts:
        if seen is not None:
            seen.append((at, _narrow(rows)))
        yield at, model.predict(rows)


def _narrow(rows: pd.DataFrame) -> pd.DataFrame:
    """As the trees read them: floats of 32 bits. The scale stays a double, because forecasts are multiplied by it."""
    doubles = rows.select_dtypes("float64").columns.drop("scale")
    return rows.astype(dict.fromkeys(doubles, np.float32))


def _towards(expected: Floats, frame: pd.DataFrame, whole: bool) -> pd.DataFrame:
    """The forecast moved so that its median lies halfway to exp(expected) (rows,), where that is known.

    Trees and response err differently, so that halfway is better than either. Where they disagree, less is sure: the
    variance of two guesses about their middle is added to that of the logarithm.
    """
    levels = frame[QUANTILES].to_numpy()
    known = np.isfinite(expected) & (levels[:, 0] > 0)
    logs = np.log(np.where(known[:, None], levels, 1))
    median = logs[:, [_MEDIAN]]
    half = np.where(known, expected - median[:, 0], 0)[:, None] / 2
    deviation = (logs[:, [_HIGH]] - logs[:, [_LOW]]) / _DEVIATIONS_APART
    wider = np.sqrt(1 + np.nan_to_num(ratio(half, deviation)) ** 2)
    moved = np.where(known[:, None], np.exp(median + half + (logs - median) * wider), levels)
    names = dict(zip(QUANTILES, (moved.round() if whole else moved).T, strict=True))
    return frame.assign(mean=frame["mean"] * np.exp(half[:, 0]), **names)


def windows(days: pd.DataFrame, scorer: Scorer, window_days: int) -> pd.DataFrame:
    """The total of each series over a window, from a forecast of at least a season.

    Past the forecast's end, demand stays at the mean of its last seven periods.

    Parameters
    ----------
    days
        series_id, ds, mean: the forecast day by day.
    scorer
        Knows how totals spread.
    window_days
        Days from the forecast's first on.

    Returns
    -------
    pd.DataFrame
        series_id, window_days, mean and quantiles of the total, in pieces.
    """
    mean = days.set_index(["series_id", "ds"])["mean"].unstack("ds")
    beyond = max(0, window_days - mean.shape[1]) * mean.iloc[:, -7:].mean(axis=1)
    total = mean.iloc[:, :window_days].sum(axis=1) + beyond
    frame = scorer.totals(total.to_numpy(), window_days)
    frame.insert(0, "mean", total.to_numpy())
    frame.insert(0, "window_days", np.int32(window_days))
    frame.insert(0, "series_id", total.index)
    return frame


def asked_cells(panel: Panel) -> Cells:
    """The cells to forecast, each from the last observation of its series, or of any series where it has none."""
    series, target = np.nonzero(panel.asked)
    last = panel.last[series]
    return Cells(series, np.where(last >= 0, last, np.minimum(panel.end, target - 1)), target)


def point(frame: pd.DataFrame, metric: Metric) -> Floats:
    """What of a forecast is best for the metric: its median, its mean, or its median weighed by 1 / y.

    The last is, of a lognormal distribution, the median times exp(-variance of the logarithm); where q10 is zero, the
    lower side is taken to mirror the upper one.

    Parameters
    ----------
    frame
        Columns mean, q10, q50 and q90, in units of y.
    metric
        wape, rmse or mape.

    Returns
    -------
    numpy.ndarray
        (rows,) in units of y.
    """
    if metric == "rmse":
        return frame["mean"].to_numpy()
    low, median, high = (frame[name].to_numpy() for name in ("q10", "q50", "q90"))
    if metric == "wape":
        return median
    low = np.where(low > 0, low, ratio(median**2, high))
    deviation = np.log(np.maximum(ratio(high, low), 1)) / _DEVIATIONS_APART
    return np.where(median > 0, median * np.exp(-(deviation**2)), median)
