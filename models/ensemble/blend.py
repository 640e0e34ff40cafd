"""The blend: weights of members and quantiles about their median, both from held-out origins.

Errors are measured in the scale of each series: what the seasonal naive forecast erred by on average up to the origin
(the divisor of MASE), so that series of every size count alike.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from models.demand.boosting import QUANTILE_LEVELS
from models.demand.features import mean_seen, ratio
from models.panel.matrices import Bools, Floats, Panel

# Shares that were best on a few origins need not be best on the next: two parts in three go by each one's own error to
# minus this power; less than the least share is nothing.
HEDGE, POWER, LEAST_SHARE = 2 / 3, 4, 0.04
ROUNDS = 12  # members chosen one after the other, each as often as it helps
FAR, MOST_WILD = 30, 0.1  # times the median of a series; share of the series
LEAST_SCALE = 100  # of which part of a series' level its scale is at least
WILD = 10  # times the usual error, beyond which one counts no more
OWN_ERRORS = 8  # held-out errors of its own that weigh as much as those of all series, in a series' spread
FEWEST_ERRORS = 150  # of which quantiles are taken; where one horizon has less, its neighbours help


def wild(panel: Panel) -> Bools:
    """(N,): series with a cell far beyond all others of it, a slip of the pen perhaps, which decide nothing for others.

    None, where more than one series in ten is like that.
    """
    size = np.where(panel.y != 0, np.abs(panel.y), np.nan)
    usual = np.array([np.median(row[~np.isnan(row)]) if (~np.isnan(row)).any() else 0.0 for row in size])
    found: Bools = np.nan_to_num(size).max(axis=1, initial=0) > FAR * usual
    return found if found.mean() <= MOST_WILD else np.zeros(len(found), dtype=bool)


def scales(panel: Panel) -> Floats:
    """(N,): mean absolute change over a season; where there was none, that over a period; else what others have.

    It is at least a hundredth of the series' level: one that never moved must not drown the rest when it moves at last.
    """
    found = [_change(panel.y, lag) for lag in (max(1, panel.season), 1)]
    level = mean_seen(np.abs(panel.y))
    scale = np.maximum(np.where(found[0] > 0, found[0], found[1]), np.nan_to_num(level) / LEAST_SCALE)
    usual = np.median(scale[scale > 0]) if (scale > 0).any() else 1.0
    return np.where(scale > 0, scale, usual)


def _change(demand: Floats, lag: int) -> Floats:
    change = np.abs(demand[:, lag:] - demand[:, :-lag]) if demand.shape[1] > lag else np.empty((len(demand), 0))
    seen = ~np.isnan(change)
    found: Floats = np.where(seen, change, 0).sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
    return found


def weights(members: Mapping[str, Floats], actual: Floats, scale: Floats) -> dict[str, float]:
    """Shares of the members that together err least on held-out periods: chosen one after the other (Caruana 2004).

    Parameters
    ----------
    members
        By name (folds, N, horizon): points; nan where one has none.
    actual
        (folds, N, horizon): what came.
    scale
        (folds, N): of each series at each origin.

    Returns
    -------
    dict
        Shares by member, adding up to 1; empty where none has a point for most of what came.
    """
    names = [name for name, points in members.items() if np.isfinite(points[np.isfinite(actual)]).mean() > 0.5]
    seen = np.isfinite(actual) & np.all([np.isfinite(members[name]) for name in names], axis=0)
    if not names or not seen.any():
        return {}
    divisor = np.broadcast_to(scale[..., None], actual.shape)[seen]
    y = actual[seen] / divisor
    points = np.array([members[name][seen] / divisor for name in names])
    most = WILD * _trimmed(np.abs(points - y))
    trusted = _trusted(points, y, most)
    share = (1 - HEDGE) * _picked(points, y, most) / ROUNDS + HEDGE * trusted / trusted.sum()
    share = np.where(share < LEAST_SHARE, 0, share)
    return dict(zip(names, (share / share.sum()).tolist(), strict=True))


def _picked(points: Floats, actual: Floats, most: float) -> Floats:
    """How often each member is taken into the mean, which then errs least; no error counts for more than `most`."""
    count, total = np.zeros(len(points)), np.zeros(len(actual))
    for chosen in range(ROUNDS):
        errors = [np.minimum(np.abs((total + of) / (chosen + 1) - actual), most).mean() for of in points]
        best = int(np.argmin(errors))
        count[best] += 1
        total += points[best]
    return count


def _trusted(points: Floats, actual: Floats, most: float) -> Floats:
    """Weights by the error of each member alone."""
    alone = np.minimum(np.abs(points - actual), most).mean(axis=1)
    return np.maximum(alone, 1e-9) ** -POWER


def tamed(losses: Floats) -> Floats:
    """Losses, none of which is more than WILD times what is usual: one bad cell decides nothing for other series."""
    return np.minimum(losses, WILD * _trimmed(losses))


def _trimmed(losses: Floats) -> float:
    """Mean of all but the largest in a hundred."""
    known = losses[np.isfinite(losses)]
    return float(known[known <= np.quantile(known, 0.99)].mean()) if len(known) else 0.0


def blended(members: Mapping[str, Floats], shares: Mapping[str, float]) -> Floats:
    """Weighted mean of the members; of those that have a point, where some have none."""
    points = np.array([members[name] for name in shares])
    share = np.array(list(shares.values())).reshape(-1, *[1] * (points.ndim - 1))
    known = np.isfinite(points)
    weight = (known * share).sum(axis=0)
    total = np.where(known, points * share, 0.0).sum(axis=0)
    return ratio(total, weight)


@dataclass(frozen=True)
class Spread:
    """errors: (horizon, levels) quantiles of errors over the spread of their series.

    own: (N,) that spread over the scale of the series. typical: of all series.
    """

    errors: Floats
    own: Floats
    typical: float

    @classmethod
    def of(cls, error: Floats) -> "Spread":
        """Of held-out errors over scale (folds, N, horizon), nan where none.

        Each is divided by what its series erred by on the *other* folds, as the forecast's will be.
        """
        if not np.isfinite(error).any():
            return cls(np.full((error.shape[2], len(QUANTILE_LEVELS)), np.nan), np.ones(error.shape[1]), 1.0)
        size = tamed(np.abs(error))
        typical = max(float(np.nanmean(size)), 1e-9)
        sums, counts = np.nansum(size, axis=2), np.isfinite(error).sum(axis=2)
        others = sums.sum(axis=0) - sums, counts.sum(axis=0) - counts
        relative = error / _shrunk(*others, typical)[..., None]
        return cls(_by_horizon(relative), _shrunk(sums.sum(axis=0), counts.sum(axis=0), typical), typical)

    def of_all(self, count: int, some: slice) -> "Spread":
        """The spread of all series, from that of some; the others spread as is typical.

        Parameters
        ----------
        count
            How many series there are.
        some
            Which of them were looked at.

        Returns
        -------
        Spread
            Of `count` series.
        """
        own = np.full(count, self.typical)
        own[some] = self.own
        return replace(self, own=own)

    def quantiles(self, median: Floats, scale: Floats) -> Floats:
        """Quantiles about a median.

        Parameters
        ----------
        median
            (N, horizon) in units of y.
        scale
            (N,) of each series, in units of y.

        Returns
        -------
        numpy.ndarray
            (N, horizon, levels) in units of y.
        """
        found: Floats = median[..., None] + (scale * self.own)[:, None, None] * self.errors
        return found


def _shrunk(total: Floats, count: Floats, typical: float) -> Floats:
    found: Floats = (total + OWN_ERRORS * typical) / (count + OWN_ERRORS)
    return found


def _by_horizon(errors: Floats) -> Floats:
    """(horizon, levels): quantiles of the errors (folds, N, horizon) at and about each horizon.

    Of few errors they are those that the next one falls below as often as it should (Weibull): of 24, the range between
    the usual ones at 10 and 90 % holds 74 % of what comes.
    """
    horizon = errors.shape[2]
    found = np.empty((horizon, len(QUANTILE_LEVELS)))
    for ahead in range(horizon):
        for reach in range(horizon):
            near = errors[..., max(0, ahead - reach) : ahead + reach + 1]
            near = near[np.isfinite(near)]
            if len(near) >= FEWEST_ERRORS:
                break
        found[ahead] = np.quantile(near, QUANTILE_LEVELS, method="linear" if len(near) >= FEWEST_ERRORS else "weibull")
    return found
