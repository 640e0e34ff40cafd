"""What released prices brought: profit of their styles beside those held out, after against before.

In: proposals that were released or held out, profit per style and day. Out: the difference of the differences, per
style and day, with its interval. Hold-out is a draw by style, so that what moves both sides cancels.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import t

_BEFORE_DAYS, _AFTER_DAYS = 28, 14
_LEAST = 3  # styles on either side


@dataclass(frozen=True)
class Effect:
    """Money per style and day that the change of price added, its 90 % interval, and the styles on either side."""

    gain: float
    low: float
    high: float
    released: int
    held_out: int


def measure(changes: pd.DataFrame, profits: pd.DataFrame) -> Effect | None:
    """The effect; None where fewer than three styles stand on either side.

    Parameters
    ----------
    changes
        series_id, day (of the change, or of the one that was held out), held_out; one row per style.
    profits
        series_id, day, profit (money of that day; an absent day had none).

    Returns
    -------
    Effect or None
        By Welch's interval on the styles' differences.
    """
    moved = changes.assign(difference=[_difference(one, profits) for one in changes.itertuples()]).dropna()
    treated, control = (moved.loc[moved["held_out"] == side, "difference"].to_numpy() for side in (False, True))
    if min(len(treated), len(control)) < _LEAST:
        return None
    errors = np.array([side.var(ddof=1) / len(side) for side in (treated, control)])
    freedom = errors.sum() ** 2 / max((errors**2 / (np.array([len(treated), len(control)]) - 1)).sum(), 1e-12)
    gain = float(treated.mean() - control.mean())
    reach = float(t.ppf(0.95, max(freedom, 1.0)) * np.sqrt(errors.sum()))
    return Effect(gain, gain - reach, gain + reach, len(treated), len(control))


def _difference(change: Any, profits: pd.DataFrame) -> float:
    """Mean profit a day after a change less that before; none before the days after have passed."""
    since = _days_since(profits, change.day)
    if since.max() + 1 < _AFTER_DAYS:
        return float("nan")
    own = profits["series_id"] == change.series_id
    before = _mean(profits["profit"], own & since.between(-_BEFORE_DAYS, -1), _BEFORE_DAYS)
    return _mean(profits["profit"], own & since.between(0, _AFTER_DAYS - 1), _AFTER_DAYS) - before


def _days_since(rows: pd.DataFrame, day: Any) -> "pd.Series[int]":
    return (pd.to_datetime(rows["day"]) - pd.Timestamp(day)).dt.days


def _mean(profit: "pd.Series[float]", chosen: "pd.Series[bool]", days: int) -> float:
    """A day; absent days count as nothing."""
    return float(profit[chosen].sum() / days)
