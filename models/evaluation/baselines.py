"""The forecasts that ours must beat, with fair quantiles: each gets the errors that it made just before.

A baseline gives a point per cell. Its quantiles are the point plus the empirical quantiles of its own errors at earlier
origins, in classes of series of like speed.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from c2m.domain.newsvendor import WINDOW_LEVELS
from models.demand.boosting import QUANTILE_LEVELS
from models.demand.features import Cells, History, mean_seen, scale_of, usual_level
from models.demand.scorer import quantile_name
from models.panel.matrices import Floats, Ints, Panel

CLASSES = 8  # of series speed, equally many cells each
PAST_ORIGINS = 4  # origins, a season apart, whose errors make the quantiles


def recent(panel: Panel, cells: Cells, window: int) -> Floats:
    """The last observations up to the origin.

    Parameters
    ----------
    panel
        Series by periods.
    cells
        Series and origin of each row.
    window
        Periods.

    Returns
    -------
    numpy.ndarray
        (rows, window) in units of y, the latest first; nan before the series began.
    """
    columns = cells.origin[:, None] - np.arange(window)
    return np.where(columns >= 0, panel.y[cells.series[:, None], np.maximum(columns, 0)], np.nan)


def seasonal_naive(panel: Panel, cells: Cells) -> Floats:
    """Demand one season before (the same weekday last week); the last observation where there is no season."""
    last = panel.y[cells.series, cells.origin]
    if not panel.season:
        return last
    same = History(panel.y).same_season(cells, panel.season, 1)[:, 0]
    return np.where(np.isnan(same), last, same)


def median_14(panel: Panel, cells: Cells) -> Floats:
    """Median of the last 14 periods."""
    return np.nanmedian(recent(panel, cells, 14), axis=1)


def mean_7(panel: Panel, cells: Cells) -> Floats:
    """Mean of the last 7 periods."""
    return mean_seen(recent(panel, cells, 7))


Points = Callable[[Panel, Cells], Floats]  # of the cells, each from what the panel holds up to the cell's origin

BASELINES: dict[str, Points] = {
    "seasonal_naive": seasonal_naive,
    "median_14": median_14,
    "mean_7": mean_7,
}


def baseline_frame(give: Points, panel: Panel, cells: Cells) -> pd.DataFrame:
    """Columns point, mean, q05 .. q95 of one baseline for cells of one origin."""
    past = past_cells(panel, cells)
    errors = panel.y[past.series, past.target] - give(panel, past)
    return with_quantiles(panel, cells, give(panel, cells), past, errors)


def past_cells(panel: Panel, cells: Cells) -> Cells:
    """The same series and horizons at the origins before, as far as history goes."""
    step = int((cells.target - cells.origin).max())
    back = step * np.arange(1, PAST_ORIGINS + 1)[:, None]
    past = Cells(np.tile(cells.series, PAST_ORIGINS), (cells.origin - back).ravel(), (cells.target - back).ravel())
    known = past.origin >= panel.first[past.series]
    known[known] &= panel.seen[past.series[known], past.target[known]]
    return Cells(past.series[known], past.origin[known], past.target[known])


def with_quantiles(panel: Panel, cells: Cells, points: Floats, past: Cells, errors: Floats) -> pd.DataFrame:
    """Points with the empirical quantiles of past errors; never negative, whole where demand is."""
    quantiles = _spread(panel, cells, points, past, errors, QUANTILE_LEVELS)
    frame = pd.DataFrame(quantiles, columns=[quantile_name(level) for level in QUANTILE_LEVELS])
    return frame.assign(point=points, mean=points)


def _spread(
    panel: Panel, cells: Cells, points: Floats, past: Cells, errors: Floats, levels: tuple[float, ...]
) -> Floats:
    """(rows, levels): points plus the quantiles of past errors of series of like speed."""
    history = History(panel.y)
    scale = scale_of(history, usual_level(history))
    speed, past_speed = scale[cells.series, cells.origin], scale[past.series, past.origin]
    edges = np.quantile(past_speed, np.arange(1, CLASSES) / CLASSES)
    by_class = pd.Series(errors).groupby(np.searchsorted(edges, past_speed)).quantile(np.array(levels)).unstack()
    spread = by_class.reindex(range(CLASSES)).ffill().bfill().to_numpy()
    quantiles: Floats = np.maximum(points[:, None] + spread[np.searchsorted(edges, speed)], 0)
    return np.rint(quantiles) if (panel.y[panel.seen] % 1 == 0).all() else quantiles


def baseline_totals(give: Points, panel: Panel, cells: Cells, window: int) -> Floats:
    """(cells, levels): quantiles at WINDOW_LEVELS of the total over the `window` periods after each cell's origin."""
    back = window * np.arange(1, PAST_ORIGINS + 1)[:, None]
    origin = (cells.origin - back).ravel()
    past = Cells(np.tile(cells.series, PAST_ORIGINS), origin, origin + window)
    known = past.origin >= panel.first[past.series]
    past = Cells(past.series[known], past.origin[known], past.target[known])
    errors = np.nansum(panel.y[_window(past, window)], axis=1) - _total(give, panel, past, window)
    return _spread(panel, cells, _total(give, panel, cells, window), past, errors, WINDOW_LEVELS)


def _window(cells: Cells, window: int) -> tuple[Ints, Ints]:
    """(rows, window) series and columns of the periods after each cell's origin."""
    columns = cells.origin[:, None] + np.arange(1, window + 1)
    return np.broadcast_to(cells.series[:, None], columns.shape), columns


def _total(give: Points, panel: Panel, cells: Cells, window: int) -> Floats:
    """What a baseline expects in all of the window."""
    series, target = (each.ravel() for each in _window(cells, window))
    points = give(panel, Cells(series, np.repeat(cells.origin, window), target))
    return np.nansum(points.reshape(-1, window), axis=1)
