"""Kinds of series that forecasts are judged apart for: new, intermittent, slow, fast."""

import numpy as np

from models.demand.features import History
from models.panel.matrices import Panel

SEGMENTS = ("fast", "slow", "intermittent", "new")
NEW = 28  # periods of history below which a series that started within the panel is new
RARE = 0.5  # of the last 28 periods with a sale, below which a series is intermittent


def segments(panel: Panel, origin: int) -> "np.ndarray[tuple[int], np.dtype[np.str_]]":
    """The segment of each series as known at an origin; the fast sell more than the median of the rest.

    Parameters
    ----------
    panel
        Series by periods.
    origin
        Column of the last period that is known.

    Returns
    -------
    numpy.ndarray
        (N,) new, intermittent, fast or slow, by row of the panel.
    """
    history = History(panel.y[:, : origin + 1])
    sold = History(np.where(history.seen, history.values > 0, np.nan)).mean(28)[:, -1]
    new = (origin - panel.first < NEW) & (panel.first > panel.first.min())
    rare = ~new & ~(sold >= RARE)
    level = np.nan_to_num(history.mean(28)[:, -1])
    steady = level[~new & ~rare]
    fast = level > (np.median(steady) if len(steady) else 0)
    return np.select([new, rare, fast], ["new", "intermittent", "fast"], "slow")
