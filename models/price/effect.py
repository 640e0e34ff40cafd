"""What released prices brought: profit of their styles beside those held out, after against before.

In: proposals that were released or held out, profit per style and day. Out: the difference of the differences, per
style and day, with its interval. Hold-out is a draw by style, so that what moves both sides cancels.
"""

from dataclasses import dataclass

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


def _difference(change: object, profits: pd.DataFrame) -> float:
    """Mean profit a day after a change less that before; none before the days after have passed."""
    own = profits[profits["series_id"] == change.series_id]  # type: ignore[attr-defined]
    since = (pd.to_datetime(own["day"]) - pd.Timestamp(change.day)).dt.days  # type: ignore[attr-defined]
    last = (pd.to_datetime(profits["day"]).max() - pd.Timestamp(change.day)).days  # type: ignore[attr-defined]
    if last + 1 < _AFTER_DAYS:
        return float("nan")
    after = own.loc[since.between(0, _AFTER_DAYS - 1), "profit"].sum() / _AFTER_DAYS
    return float(after - own.loc[since.between(-_BEFORE_DAYS, -1), "profit"].sum() / _BEFORE_DAYS)
