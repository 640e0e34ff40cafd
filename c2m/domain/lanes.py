"""Days by which deliveries over a lane are late, as receipts have shown them: what to add to a planned day.

A lane is a way from place to place by a mode. Its own deliveries count, the newest most, and beside them those of its
mode as so many more deliveries. In: days late of deliveries that were received. Out: days, below 0 for earlier.
"""

import numpy as np

from c2m.domain.arrays import Flags, Floats, Ints

# Of half-lives of 90 to 730 days and weights of 10 and 40, those that came nearest to 90 % in the deliveries of scms
# from 2009 to 2011 (90.1 %): python -m benchmarks.promises.lanes
HALF_LIFE_DAYS = 90.0
MODE_DELIVERIES = 10.0


def days_to_add(days_late: Ints, days_ago: Ints, is_own: Flags, level: float) -> int:
    """The days after the planned one by which a delivery of a lane is there with probability `level`.

    Parameters
    ----------
    days_late
        (N,) of past deliveries by the lane's mode: received day less planned day.
    days_ago
        (N,) days since each has been known.
    is_own
        (N,) which of them went over the lane itself.
    level
        Between 0 and 1.

    Returns
    -------
    int
        Days; 0 where no delivery is known.

    Examples
    --------
    Of five deliveries, which all came over the lane itself, two were late:

    >>> days_to_add(np.array([0, 0, 1, 0, 2]), np.array([1, 5, 9, 20, 30]), np.ones(5, dtype=bool), 0.9)
    2
    """
    if not len(days_late):
        return 0
    recent = 0.5 ** (days_ago / HALF_LIFE_DAYS)
    weight = recent * is_own + MODE_DELIVERIES * recent / recent.sum()
    return _quantile(days_late, weight, level)


def _quantile(values: Ints, weight: Floats, level: float) -> int:
    order = np.argsort(values, kind="stable")
    reached = weight[order].cumsum()
    return int(values[order][np.searchsorted(reached, level * reached[-1] * (1 - 1e-12))])
