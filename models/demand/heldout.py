"""What the last weeks say of a model that has not seen them: how totals spread, and where quantiles miss their levels.

Trees are trained once more, up to a cut before the end, and forecast from many origins after it. What all series
together came out above or below their expectation at an origin is taken out: a handful of weeks says how series spread
about the common level, not how that level errs.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from c2m.domain.newsvendor import WINDOW_LEVELS
from c2m.settings import ForecastPolicy
from models.demand.boosting import QUANTILE_LEVELS, learned
from models.demand.features import Cells, blocks, in_order, ratio
from models.demand.sample import sample
from models.demand.scorer import Scorer
from models.panel.matrices import Floats, Ints, Panel

WINDOWS = (1, 3, 7, 14, 28, 56)  # periods over which totals are measured
CLASSES = 4  # of expected totals, equally many each
MAX_SERIES = 2_000  # series whose totals are measured, evenly chosen
ASSUMED_VARIATION = 0.7  # of a total beyond Poisson, relative: median over speed classes, Amazon apparel, 7 and 14 days
FEWEST_TOTALS = 60 * CLASSES  # observed totals below which their spread is assumed, not measured
# Held-out periods below which quantiles are left alone: a handful of weeks says more of what these had in common than
# of quantiles (orange juice, six weeks: MAPE 33.2 instead of 31.1).
FEWEST_PERIODS = 20
# A quantile is corrected where its level lies further than this outside of the shares below it and at most it.
TOLERANCE = 0.01
FACTORS = sorted(np.geomspace(1 / 3, 3, 111), key=lambda factor: abs(np.log(factor)))


@dataclass(frozen=True)
class Measured:
    """windows: per window, how totals spread over their expectation, by class. conformal: a factor per level."""

    windows: list[dict[str, Any]]
    conformal: list[float]


def assumed_spread() -> dict[str, Any]:
    """Where too little was seen: negative binomial, with a spread of the level that is typical of single styles."""
    size, means = 1 / ASSUMED_VARIATION**2, np.geomspace(0.01, 1e4, 40)
    ratios = [stats.nbinom.ppf(level, size, size / (size + means)) / means for level in WINDOW_LEVELS]
    return {"window": 1, "means": means.tolist(), "ratios": np.array(ratios).tolist()}


ASSUMED = Measured([assumed_spread()], [1.0] * len(QUANTILE_LEVELS))


def heldout(panel: Panel, policy: ForecastPolicy, logarithmic: bool) -> Measured:
    """Measured on the last two horizons, or the last third of a short panel; assumed where that is too little."""
    start = int(panel.first.min())
    cut = panel.end - min(2 * policy.horizon_days, (panel.end - start) // 3)
    windows = [window for window in WINDOWS if window <= min(policy.horizon_days, panel.end - cut)]
    if not windows or cut - start < 2 * len(windows):
        return ASSUMED
    longest = max(windows)
    cells = _blocks(panel, cut, longest)
    conforms = panel.end - cut >= FEWEST_PERIODS
    mean, quantiles = _predicted(panel, cut, cells, policy, logarithmic, conforms)
    reached = cells.origin + np.tile(np.arange(1, longest + 1), len(cells) // longest) <= panel.end
    y, mean = (
        np.where(reached, values, np.nan).reshape(-1, longest) for values in (panel.y[cells.series, cells.target], mean)
    )
    origin = cells.origin[::longest]
    actual, expected = y.cumsum(axis=1), mean.cumsum(axis=1)
    expected *= _common(expected, actual, origin)
    spreads = [_spread(window, expected[:, window - 1], actual[:, window - 1]) for window in windows]
    if not conforms:
        return Measured(spreads, ASSUMED.conformal)
    quantiles *= _common(mean, y, origin).reshape(-1, 1)
    return Measured(spreads, conformal(y.ravel(), quantiles, panel.whole))


def conformal(y: Floats, quantiles: Floats, whole: bool) -> list[float]:
    """Per level the factor nearest to 1 with which the quantiles (rows, levels) hold it on y (rows,): split-conformal.

    The idea is that of conformalised quantile regression (Romano, Patterson, Candès 2019), multiplied instead of added,
    because demand scales. Of discrete demand no quantile need have its level below it: the level must lie between the
    shares of y below the quantile and at most the quantile.
    """
    known = np.isfinite(y) & np.isfinite(quantiles).all(axis=1)
    if known.sum() < FEWEST_TOTALS:
        return ASSUMED.conformal
    return [_factor(level, y[known], of, whole) for level, of in zip(QUANTILE_LEVELS, quantiles[known].T, strict=True)]


def _factor(level: float, y: Floats, quantile: Floats, whole: bool) -> float:
    """The nearest to 1 that holds the level; else the one that comes closest."""
    miss = []
    for factor in FACTORS:
        corrected = np.rint(factor * quantile) if whole else factor * quantile
        miss.append(max((y < corrected).mean() - level, level - (y <= corrected).mean()))
        if miss[-1] <= TOLERANCE:
            break
    return float(FACTORS[int(np.argmin(miss))])


def _predicted(
    panel: Panel, cut: int, cells: Cells, policy: ForecastPolicy, logarithmic: bool, quantiles: bool
) -> tuple[Floats, Floats]:
    """Mean (rows,) and quantiles (rows, levels; else none) of the cells by a model that ends at `cut`."""
    with tempfile.TemporaryDirectory() as scratch:
        known = sample(panel, cut, policy, Path(scratch))
        boosters = learned(known, policy, logarithmic, quantiles)
    facts = {"launch": None, "logarithmic": logarithmic, "quantile_levels": QUANTILE_LEVELS, "whole": False}
    model = Scorer(boosters, {**known.columns, **facts, "conformal": ASSUMED.conformal})
    found = in_order((at, model.predict(rows)) for at, rows in blocks(panel, cells)).to_numpy()
    return found[:, 0], found[:, 1:]


def _common(expected: Floats, actual: Floats, origin: Ints) -> Floats:
    """(rows, periods): sum of the actual over that of the expected (rows, periods), of all rows of the same origin."""
    both = pd.DataFrame(np.hstack([np.where(np.isnan(actual), np.nan, expected), actual]))
    sums = both.groupby(origin).transform("sum").to_numpy()
    return ratio(sums[:, expected.shape[1] :], sums[:, : expected.shape[1]])


def _blocks(panel: Panel, cut: int, longest: int) -> Cells:
    """`longest` periods ahead for each of some series from every other origin after `cut`, where it has history."""
    some = np.unique(np.linspace(0, len(panel.ids) - 1, MAX_SERIES).astype(np.int64))
    pairs = np.stack(np.meshgrid(some, np.arange(cut, panel.end, 2), indexing="ij"), axis=-1).reshape(-1, 2)
    pairs = pairs[panel.first[pairs[:, 0]] <= pairs[:, 1]]
    series, origin = (np.repeat(column, longest) for column in pairs.T)
    target = origin + np.tile(np.arange(1, longest + 1), len(pairs))
    return Cells(series, origin, np.minimum(target, panel.y.shape[1] - 1))


def _spread(window: int, expected: Floats, actual: Floats) -> dict[str, Any]:
    """Quantiles of actual over expected, in classes of expected totals of equal size."""
    known = np.isfinite(actual) & (expected > 0)
    expected, actual = expected[known], actual[known]
    if len(actual) < FEWEST_TOTALS:
        return assumed_spread() | {"window": window}
    classes = np.array_split(np.argsort(expected, kind="stable"), CLASSES)
    ratios = [np.quantile(actual[members] / expected[members], WINDOW_LEVELS) for members in classes]
    means = [float(np.median(expected[members])) for members in classes]
    return {"window": window, "means": means, "ratios": np.transpose(ratios).tolist()}
