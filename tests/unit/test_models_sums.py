"""Quantiles of sums against the sum of normals in closed form; what is estimated against what was simulated."""

import numpy as np
import pandas as pd
import pytest
from models_kit import long_frame
from scipy import stats

from models.demand.boosting import QUANTILE_LEVELS
from models.demand.forecast import QUANTILES
from models.ensemble.sums import Dependence, quantiles_of_sums, sums
from models.panel.long import panel_of

LEVELS = np.array(QUANTILE_LEVELS)
HORIZON = 6


@pytest.mark.parametrize(
    "dependence", [Dependence(0, 0), Dependence(0.4, 0), Dependence(0.3, 0.7), Dependence(0.99, 0)]
)
def test_sums_of_normals_are_those_of_the_closed_form(dependence: Dependence) -> None:
    mean, deviation = np.arange(100.0, 108), np.linspace(1, 9, 8)
    quantiles = stats.norm.ppf(LEVELS, mean[:, None], deviation[:, None])[:, None].repeat(HORIZON, axis=1)
    weights = np.array([np.ones(8), np.arange(8) < 3, 0.25 * (np.arange(8) == 5)], dtype=float)
    found = quantiles_of_sums(quantiles, weights, dependence)
    between = np.full((8, 8), dependence.between) + (1 - dependence.between) * np.eye(8)
    ahead = np.arange(HORIZON)
    lasting = (dependence.over_time ** np.abs(ahead[:, None] - ahead)).sum()
    for weight, sums_found in zip(weights, found, strict=True):
        spread = np.sqrt((weight * deviation) @ between @ (weight * deviation))
        period = stats.norm.ppf(LEVELS, weight @ mean, spread)
        total = stats.norm.ppf(LEVELS, HORIZON * (weight @ mean), spread * np.sqrt(lasting))
        np.testing.assert_allclose(sums_found[:-1], np.tile(period, (HORIZON, 1)), atol=0.15 * spread)
        np.testing.assert_allclose(sums_found[-1], total, atol=0.15 * spread * np.sqrt(lasting))


def test_what_held_out_errors_share_is_found() -> None:
    random, between, over_time = np.random.default_rng(4), 0.5, 0.6
    ahead = np.arange(HORIZON)
    course = over_time ** np.abs(ahead[:, None] - ahead)
    covariance = np.kron(between + (1 - between) * np.eye(10), course)
    error = random.multivariate_normal(np.zeros(10 * HORIZON), covariance, 400).reshape(400, 10, HORIZON)
    error *= np.linspace(1, 50, 10)[:, None]
    error[random.random(error.shape) < 0.1] = np.nan
    found = Dependence.of(error)
    assert (found.between, found.over_time) == pytest.approx((between, over_time), abs=0.05)
    assert Dependence.of(np.full((2, 3, 1), np.nan)) == Dependence(0, 0)


def test_the_band_of_all_is_narrower_than_the_sum_of_bands_and_means_add_up() -> None:
    panel = panel_of(long_frame(12, 60))
    rows, columns = np.nonzero(panel.asked)
    quantiles = stats.poisson.ppf(LEVELS, 1.0 + rows[:, None])
    frame = pd.DataFrame({"series_id": panel.ids[rows], "ds": panel.ds[columns], "mean": 1.0 + rows})
    frame[QUANTILES] = quantiles
    found = sums(panel, frame, Dependence(0.1, 0.2))
    every = found[found["level"] == "all"]
    parts = found[(found["level"] == "category") & found["ds"].notna()]
    assert every["mean"].iloc[-1] == pytest.approx(frame["mean"].sum())
    np.testing.assert_allclose(parts.groupby("ds")["mean"].sum(), every["mean"].iloc[:-1])
    added = frame.groupby("ds")[["q10", "q90"]].sum()
    of_sum = every.dropna(subset="ds").set_index("ds")
    assert (of_sum["q90"] - of_sum["q10"] < 0.7 * (added["q90"] - added["q10"])).all()
    assert ((of_sum["q10"] < of_sum["mean"]) & (of_sum["mean"] < of_sum["q90"])).all()
