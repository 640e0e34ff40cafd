"""Differences of two arms with their interval: seeds are drawn again, and with them blocks of weeks.

In: sums per seed and week (`c2m.proof.outcomes`). Where both arms have the same seeds, these are drawn together, so
that what a seed does to both falls out; weeks are drawn in circular blocks, the same for both arms: what a history
does to both falls out too. Where a world has too few weeks for two blocks, seeds alone are drawn.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from c2m.domain.arrays import Floats

BLOCK_WEEKS = 2
DRAWS = 1000


@dataclass(frozen=True)
class Difference:
    """arm less base of an outcome; low and high: 95 %."""

    arm: float
    base: float
    low: float
    high: float
    seeds: int
    weeks: int

    @property
    def value(self) -> float:
        """arm - base."""
        return self.arm - self.base

    @property
    def shown(self) -> bool:
        """Whether the interval leaves out zero."""
        return bool(self.low > 0 or self.high < 0)


def difference(arm: pd.DataFrame, base: pd.DataFrame, paired: bool = True, draws: int = DRAWS) -> Difference:
    """arm - base of one outcome.

    Parameters
    ----------
    arm, base
        seed, week, above, below.
    paired
        The arms have the same seeds, which mean the same in both; else each arm draws its own.
    draws
        Bootstrap samples.

    Returns
    -------
    Difference
        With the percentile interval.

    Raises
    ------
    ValueError
        Paired arms of other seeds, or fewer than two seeds: an interval needs them.
    """
    one, other = _cube(arm), _cube(base)
    if paired and set(arm["seed"]) != set(base["seed"]):
        raise ValueError(f"paired arms have seeds {sorted(set(arm['seed']))} and {sorted(set(base['seed']))}")
    if min(one.shape[1], other.shape[1]) < 2:
        raise ValueError("one seed gives no interval; replay two at least")
    random = np.random.default_rng(20260101)
    weeks = _weeks(random, one.shape[2], draws)
    seeds = random.integers(one.shape[1], size=(draws, one.shape[1]))
    own = seeds if paired else random.integers(other.shape[1], size=(draws, other.shape[1]))
    drawn = _ratios(one, seeds, weeks) - _ratios(other, own, weeks)
    low, high = np.nanquantile(drawn, [0.025, 0.975]) if np.isfinite(drawn).any() else (np.nan, np.nan)
    return Difference(_whole(one), _whole(other), float(low), float(high), one.shape[1], one.shape[2])


def _cube(sums: pd.DataFrame) -> Floats:
    """(2, seeds, weeks): above and below."""
    axes = [np.unique(sums[name], return_inverse=True) for name in ("seed", "week")]
    cube = np.zeros((2, *(len(labels) for labels, _ in axes)))
    for part, name in zip(cube, ("above", "below"), strict=True):
        np.add.at(part, tuple(places for _, places in axes), sums[name].to_numpy(dtype=np.float64))
    return cube


def _weeks(random: np.random.Generator, weeks: int, draws: int) -> NDArray[np.int64]:
    """(draws, weeks) columns in circular blocks."""
    if weeks < 2 * BLOCK_WEEKS:
        return np.broadcast_to(np.arange(weeks), (draws, weeks)).astype(np.int64)
    starts = random.integers(weeks, size=(draws, -(-weeks // BLOCK_WEEKS)))
    blocks = (starts[:, :, None] + np.arange(BLOCK_WEEKS)) % weeks
    return blocks.reshape(draws, -1)[:, :weeks]


def _ratios(cube: Floats, seeds: NDArray[np.int64], weeks: NDArray[np.int64]) -> Floats:
    """(draws,): the outcome of each sample."""
    drawn = cube[:, seeds[:, :, None], weeks[:, None, :]].sum(axis=(2, 3))
    ratios: Floats = np.divide(drawn[0], drawn[1], out=np.full(len(seeds), np.nan), where=drawn[1] != 0)
    return ratios


def _whole(cube: Floats) -> float:
    above, below = cube.sum(axis=(1, 2))
    return float(above / below) if below else np.nan
