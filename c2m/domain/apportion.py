"""Whole pieces shared out in proportion, sums exact: a batch over its SKUs, a job order over what is left of each SKU.

Largest remainder (Hamilton) method; ties go to the earlier row, so that the same input gives the same pieces.

>>> apportion(100, [3, 1, 2]).tolist()
[50, 17, 33]
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Pieces = NDArray[np.int64]


def apportion(total: int, weights: ArrayLike) -> Pieces:
    """Shares pieces out in proportion to weights; equally where every weight is zero.

    Where the weights are pieces and hold at least the total, no share exceeds its weight: sharing out what is left, one
    factory after the other, keeps the sums of the factories and of the SKUs exact.

    Parameters
    ----------
    total
        Pieces.
    weights
        (N,) numbers, none below 0.

    Returns
    -------
    numpy.ndarray
        (N,) whole pieces that sum to the total.
    """
    weights = np.asarray(weights)
    return apportion_within(np.array([total]), weights, np.zeros(len(weights), dtype=np.int64))


def apportion_within(totals: ArrayLike, weights: ArrayLike, group: ArrayLike) -> Pieces:
    """Shares whole pieces among the rows of each group by largest remainders (Hamilton's method).

    Parameters
    ----------
    totals
        (G,) pieces of each group, whole and >= 0.
    weights
        (N,) >= 0; where all of a group are 0 its rows share alike.
    group
        (N,) each row's index into `totals`.

    Returns
    -------
    array of int
        (N,) pieces of each row; those of a group sum to its total.

    Raises
    ------
    ValueError
        A negative number, or a group of pieces without any row.
    """
    totals = np.asarray(totals, dtype=np.int64)
    weights, group = np.asarray(weights, dtype=np.float64), np.asarray(group, dtype=np.int64)
    _refuse_bad(totals, weights, group)
    weights = np.where(np.bincount(group, weights, len(totals))[group] > 0, weights, 1.0)
    quota = weights / np.bincount(group, weights, len(totals))[group] * totals[group]
    pieces: Pieces = np.floor(quota).astype(np.int64)
    given = np.zeros(len(totals), dtype=np.int64)
    np.add.at(given, group, pieces)
    by_remainder = np.lexsort((pieces - quota, group))
    first_of_group = np.searchsorted(group[by_remainder], group[by_remainder])
    rank = np.arange(len(group)) - first_of_group
    pieces[by_remainder] += rank < (totals - given)[group[by_remainder]]
    return pieces


def _refuse_bad(totals: Pieces, weights: NDArray[np.float64], group: Pieces) -> None:
    if (totals < 0).any() or not np.isfinite(weights).all() or (weights < 0).any():
        raise ValueError("apportion: totals and weights must be finite and not negative")
    if (totals[np.bincount(group, minlength=len(totals)) == 0] > 0).any():
        raise ValueError("apportion: pieces to share, but no row to give them to")
