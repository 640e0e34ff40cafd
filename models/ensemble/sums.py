"""Quantiles of sums over series and periods, from sample paths; a quantile of a sum is no sum of quantiles.

The margins of the paths are the forecasts themselves. How they move together is a Gaussian copula of two numbers, both
from held-out errors: one factor that all series share, and what is left of an error a period later. Every sum is taken
from the same paths, so that quantiles of all levels belong to one distribution. Units: those of y.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import signal, stats

from models.demand.boosting import QUANTILE_LEVELS
from models.demand.features import mean_seen, ratio
from models.demand.forecast import QUANTILES
from models.panel.matrices import Bools, Floats, Ints, Panel

DRAWS, AT_ONCE = 2000, 100  # paths; of these in memory
MOST = 0.99  # correlation
ALL = "all"
_SCORES = stats.norm.ppf(QUANTILE_LEVELS)


@dataclass(frozen=True)
class Dependence:
    """between: correlation of the errors of two series in one period. over_time: of one series in neighbouring ones."""

    between: float
    over_time: float

    @classmethod
    def of(cls, error: Floats) -> "Dependence":
        """Of held-out errors (folds, N, horizon), nan where none; a series that always errs alike depends on itself."""
        seen, alike = np.isfinite(error), _of_size_one(error)
        count = seen.sum(axis=1)
        beside = alike.sum(axis=1) ** 2 - (alike**2).sum(axis=1)
        next_one, both = alike[..., 1:] * alike[..., :-1], seen[..., 1:] & seen[..., :-1]
        pairs = count * (count - 1)
        return cls(_share(beside.sum(), int(pairs.sum())), _share(next_one.sum(), int(both.sum())))

    def independent(self, error: Floats) -> float:
        """As how many independent errors those held out (folds, N, horizon) tell of their size: one at least.

        Sizes of two series go together by the square of how their errors do.
        """
        seen = np.isfinite(error)
        folds, series, periods = (int(seen.any(axis=others).sum()) for others in ((1, 2), (0, 2), (0, 1)))
        of_series = series / (1 + (series - 1) * self.between**2)
        of_periods = max(1.0, periods * (1 - self.over_time) / (1 + self.over_time))
        return max(1.0, folds * of_series * of_periods)

    @classmethod
    def mean(cls, each: "Sequence[Dependence]", counts: Sequence[int]) -> "Dependence":
        """The mean dependence of several groups.

        Parameters
        ----------
        each
            Of each group.
        counts
            How many series each has.

        Returns
        -------
        Dependence
            Weighed by series.
        """
        pairs = [(one.between, one.over_time) for one in each]
        return cls(*map(float, np.average(pairs, axis=0, weights=counts)))


ASSUMED = Dependence(0.2, 0.5)  # where no errors were held out


def _of_size_one(error: Floats) -> Floats:
    """Errors over the root of the mean square of their series; zero where there is none."""
    size = np.sqrt(mean_seen(np.hstack([*error]) ** 2))
    return np.nan_to_num(ratio(error, size[:, None]))


def _share(total: float, count: int) -> float:
    return float(np.clip(total / count, 0.0, MOST)) if count else 0.0


def quantiles_of_sums(quantiles: Floats, weights: Floats, dependence: Dependence, seed: int = 0) -> Floats:
    """Quantiles of weighted sums of series.

    Parameters
    ----------
    quantiles
        (N, horizon, levels) at QUANTILE_LEVELS, rising; nan where a series is not asked for, which adds nothing.
    weights
        (sums, N): 1 for a member, or a share.
    dependence
        How errors move together.
    seed
        Of the paths: the same paths for every sum of a call.

    Returns
    -------
    numpy.ndarray
        (sums, horizon + 1, levels): of each period, and last of the total over all periods.
    """
    random, found = np.random.default_rng(seed), []
    for _ in range(DRAWS // AT_ONCE):
        paths = np.nan_to_num(_paths(quantiles, dependence, random))
        sums = np.einsum("gn,dnh->dgh", weights, paths, optimize=True)
        found.append(np.concatenate([sums, sums.sum(axis=2, keepdims=True)], axis=2))
    levels: Floats = np.moveaxis(np.quantile(np.concatenate(found), QUANTILE_LEVELS, axis=0), 0, -1)
    return levels


def _paths(quantiles: Floats, dependence: Dependence, random: np.random.Generator) -> Floats:
    """(draws, N, horizon): on the line through a cell's quantiles over a normal's; below zero only where these are."""
    series, horizon, _ = quantiles.shape
    common = _lasting(random.standard_normal((AT_ONCE, 1, horizon)), dependence.over_time)
    own = _lasting(random.standard_normal((AT_ONCE, series, horizon)), dependence.over_time)
    score = np.sqrt(dependence.between) * common + np.sqrt(1 - dependence.between) * own
    paths = _at(quantiles, score)
    return np.where(quantiles[None, ..., 0] >= 0, np.maximum(paths, 0), paths)


def _at(quantiles: Floats, score: Floats) -> Floats:
    """(draws, N, horizon): of each cell the quantile at a normal's scores."""
    right = np.clip(np.searchsorted(_SCORES, score), 1, len(_SCORES) - 1)
    low, high = (np.take_along_axis(quantiles[None], at[..., None], axis=3)[..., 0] for at in (right - 1, right))
    share = (score - _SCORES[right - 1]) / (_SCORES[right] - _SCORES[right - 1])
    found: Floats = low + share * (high - low)
    return found


def _lasting(steps: Floats, over_time: float) -> Floats:
    """Independent normals (draws, n, horizon) as a course of variance one, of which so much is left a period later."""
    news = np.sqrt(1 - over_time**2)
    first = steps[..., :1] / news  # of variance one, as all the others
    found: Floats = signal.lfilter([news], [1, -over_time], np.concatenate([first, steps[..., 1:]], axis=2))
    return found


def sums(panel: Panel, frame: pd.DataFrame, dependence: Dependence) -> pd.DataFrame:
    """Quantiles of sums: of all series and of each category that series keep.

    Parameters
    ----------
    panel
        Series by periods, with their categories.
    frame
        series_id, ds, mean and quantiles, a row per asked cell.
    dependence
        How errors move together.

    Returns
    -------
    pd.DataFrame
        level, key, ds (empty: over all of them), mean and quantiles in units of y.
    """
    when = pd.Index(frame["ds"])
    labels = when.unique().sort_values()
    cells = panel.ids.get_indexer(pd.Index(frame["series_id"].to_numpy(dtype=object))), labels.get_indexer(when)
    quantiles, means = (
        _placed((len(panel.ids), len(labels)), cells, frame[names].to_numpy()) for names in (QUANTILES, ["mean"])
    )
    keys, weights = _weights(panel)
    expected = weights @ np.nan_to_num(means[..., 0])
    told = quantiles_of_sums(quantiles, weights, dependence)
    return _framed(keys, labels, np.column_stack([expected, expected.sum(axis=1)]), told)


def _placed(shape: tuple[int, int], cells: tuple[Ints, Ints], values: Floats) -> Floats:
    found = np.full((*shape, values.shape[1]), np.nan)
    found[cells] = values
    return found


def _weights(panel: Panel) -> tuple[pd.DataFrame, Floats]:
    """level and key of each sum, and (sums, N) whose members they are."""
    level, key, members = zip(*_groups(panel), strict=True)
    return pd.DataFrame({"level": level, "key": key}), np.array(members, dtype=np.float64)


def _groups(panel: Panel) -> Iterator[tuple[str, str, Bools]]:
    """Level, key and members of each sum."""
    yield ALL, ALL, panel.last >= -1
    for name, codes in panel.kept.items():
        for code, level in enumerate(panel.categories[name].levels):
            yield name, level, codes == code


def _framed(keys: pd.DataFrame, labels: "pd.Index[Any]", means: Floats, quantiles: Floats) -> pd.DataFrame:
    """A row per sum and period; the last of each sum, over all periods, has no ds."""
    periods = means.shape[1]
    rows = keys.loc[keys.index.repeat(periods)].reset_index(drop=True)
    ends = labels.append(labels[:0].insert(0, None))
    told = pd.DataFrame(quantiles.reshape(-1, len(QUANTILES)), columns=QUANTILES)
    return pd.concat([rows.assign(ds=[*ends] * len(keys), mean=means.ravel()), told], axis=1)
