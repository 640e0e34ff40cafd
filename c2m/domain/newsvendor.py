"""The newsvendor: how much to have of what sells from stock, and what a wrong quantity costs.

Orders are placed by it (`optimization.book.replenishment`), and forecasts are judged by it
(`models.governance.promotion_gate`).

A piece that is missing costs 6, one that is left over 2: enough for three windows in four is best.

>>> stakes = Stakes(np.array([6.0]), np.array([2.0]))
>>> stakes.critical_ratio.tolist()
[0.75]
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from c2m.domain.arrays import Floats
from c2m.settings import ReplenishmentPolicy

# Of the total demand over lead time plus review period, which an order covers.
WINDOW_QUANTILES = {
    f"q{digits}": float(f"0.{digits}")
    for digits in ("05", "10", "20", "30", "40", "50", "60", "70", "80", "90", "95", "975")
}
WINDOW_LEVELS = tuple(WINDOW_QUANTILES.values())
SURPRISE = "surprise-"  # begins the version of a forecast of a spike (models/surprise)
# Beyond one stock-out in a thousand windows the extrapolated tail says nothing any more.
RATIO_LIMITS = (0.001, 0.999)


@dataclass(frozen=True)
class Stakes:
    """Money per piece: what a piece too few and a piece too many cost. Arrays of one shape, such as (styles,)."""

    underage: Floats  # of a piece too few: the margin that it would have brought
    overage: Floats  # of a piece too many: what is lost of its cost, and its holding

    @classmethod
    def of(cls, price: Floats, cost: Floats, window_days: int, policy: ReplenishmentPolicy) -> "Stakes":
        """A missed sale loses the margin; a piece left over its cost less salvage, and its holding over the window.

        Where a missing piece costs nothing (price at or below cost) underage is 0: such a style is not made for stock.

        Parameters
        ----------
        price
            (N,) what a piece is sold for.
        cost
            (N,) what it costs to make, in the same currency.
        window_days
            Days that an order covers: lead time and review period.
        policy
            `salvage_share` and `holding_share_per_day`, shares of the cost.

        Returns
        -------
        Stakes
            In the currency of the prices.
        """
        held = policy.holding_share_per_day * window_days
        return cls(np.maximum(price - cost, 0.0), cost * (1 - policy.salvage_share + held))

    @property
    def critical_ratio(self) -> Floats:
        """(N,) probability of meeting all demand at the best level: underage / (underage + overage)."""
        return np.divide(
            self.underage, self.underage + self.overage, out=np.zeros_like(self.underage), where=self.underage > 0
        )

    def regret(self, level: Floats, demand: Floats) -> Floats:
        """Money lost against having had exactly the demand.

        Parameters
        ----------
        level
            (N,) pieces that were there, chosen before.
        demand
            (N,) pieces that were asked for.

        Returns
        -------
        numpy.ndarray
            (N,) money in the currency of the stakes, never below 0.
        """
        return self.underage * np.maximum(demand - level, 0) + self.overage * np.maximum(level - demand, 0)


def sure_version(level: float) -> str:
    """What stands for a model's version where a spike was forecast, and is ordered for up to this quantile."""
    return f"{SURPRISE}{level:g}"


def most_sure(version: str) -> float:
    """The quantile up to which is ordered by a forecast of that version: 1 but for spikes.

    A spike is looked at again within the hour, and what has become sure by then is ordered then.

    >>> most_sure("surprise-0.35"), most_sure("7")
    (0.35, 1.0)
    """
    return float(version.removeprefix(SURPRISE)) if version.startswith(SURPRISE) else 1.0


def quantile_at(quantiles: Floats, ratio: Floats) -> Floats:
    """Demand at a probability, from quantiles of it.

    Linear between neighbours on the scale of the standard normal score: exact for a normal total, and sums over many
    days are near to one. Beyond the outer quantiles the outer segments go on: a normal tail with the spread that the
    forecast shows last, so that skew at the edge is kept.

    Parameters
    ----------
    quantiles
        (N, 12) pieces at WINDOW_LEVELS, rising along each row.
    ratio
        (N,) probabilities; those beyond RATIO_LIMITS count as these limits.

    Returns
    -------
    numpy.ndarray
        (N,) pieces, never below 0; 0 where the ratio is 0.

    Examples
    --------
    Demand of 100 pieces with a standard deviation of 10:

    >>> quantiles = 100 + 10 * ndtri([WINDOW_LEVELS])
    >>> quantile_at(quantiles, np.array([0.75])).round(1).tolist()
    [106.7]
    """
    grid = ndtri(WINDOW_LEVELS)
    score = ndtri(np.clip(ratio, *RATIO_LIMITS))
    left = np.clip(np.searchsorted(grid, score) - 1, 0, len(grid) - 2)
    low, high = (np.take_along_axis(quantiles, at[:, None], axis=1)[:, 0] for at in (left, left + 1))
    level = low + (high - low) * (score - grid[left]) / (grid[left + 1] - grid[left])
    return np.where(ratio > 0, np.maximum(level, 0.0), 0.0)
