"""Conformal factors: quantiles that miss their levels are stretched until they hold them, others are left alone."""

import numpy as np
import pytest
from scipy import stats

from models.demand.boosting import QUANTILE_LEVELS
from models.demand.heldout import FEWEST_TOTALS, TOLERANCE, conformal
from models.panel.matrices import Floats

ROWS = 20_000


def quantiles_of(mean: Floats) -> Floats:
    """(rows, levels) of a Poisson distribution, as whole pieces."""
    found: Floats = stats.poisson.ppf(QUANTILE_LEVELS, mean[:, None])
    return found


def outside(y: Floats, quantiles: Floats) -> Floats:
    """(levels,): how far each level lies outside of the shares below its quantile and at most it."""
    below, at_most = (y[:, None] < quantiles).mean(axis=0), (y[:, None] <= quantiles).mean(axis=0)
    found: Floats = np.maximum(below - QUANTILE_LEVELS, QUANTILE_LEVELS - at_most)
    return found


def test_quantiles_that_hold_are_left_as_they_are() -> None:
    random = np.random.default_rng(1)
    mean = random.lognormal(0, 1.5, ROWS)
    assert conformal(random.poisson(mean).astype(float), quantiles_of(mean), whole=True) == [1.0] * len(QUANTILE_LEVELS)


@pytest.mark.parametrize("miss", [0.6, 1.5])
def test_quantiles_of_another_scale_are_brought_back_to_it(miss: float) -> None:
    """Continuous demand: the factor is the empirical quantile of demand over forecast, by sorting."""
    random = np.random.default_rng(2)
    median = random.lognormal(3, 1, ROWS)
    y = median * random.lognormal(0, 0.5, ROWS)
    given = miss * median[:, None] * np.exp(0.5 * stats.norm.ppf(QUANTILE_LEVELS))
    found = conformal(y, given, whole=False)
    by_sorting = [np.quantile(y / of, level) for level, of in zip(QUANTILE_LEVELS, given.T, strict=True)]
    np.testing.assert_allclose(found, by_sorting, rtol=0.1)
    assert outside(y, given * found).max() <= TOLERANCE < 0.1 < outside(y, given).max()


def test_too_narrow_quantiles_of_whole_pieces_are_widened() -> None:
    random = np.random.default_rng(3)
    mean = random.uniform(2, 40, ROWS)
    y = random.negative_binomial(6, 6 / (6 + mean)).astype(float)
    narrow = quantiles_of(mean)
    found = conformal(y, narrow, whole=True)
    assert found[0] < 0.8 < 1.2 < found[-1]
    assert outside(y, np.rint(narrow * found)).max() <= TOLERANCE < outside(y, narrow).max()


def test_what_was_not_reached_and_a_handful_say_nothing() -> None:
    y = np.full(2 * FEWEST_TOTALS, np.nan)
    y[: FEWEST_TOTALS - 1] = 9.0
    assert conformal(y, np.ones((len(y), len(QUANTILE_LEVELS))), whole=True) == [1.0] * len(QUANTILE_LEVELS)
