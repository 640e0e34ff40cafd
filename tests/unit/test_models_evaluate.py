"""The backtest: one set of series, every method judged alike, nothing seen of the future; ours ahead on real data."""

from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from models_kit import POLICY, long_frame
from scipy.stats import norm, poisson

from c2m.settings import settings
from models.demand.boosting import QUANTILE_LEVELS
from models.demand.forecast import QUANTILES, asked_cells
from models.demand.train import fingerprint, train
from models.evaluation.backtest import (
    OURS,
    backtest,
    calibration,
    fold,
    miscalibration,
    origins,
    pinball,
    score,
    transform,
)  # fmt: skip
from models.evaluation.baselines import BASELINES, baseline_frame, mean_7, median_14, seasonal_naive
from models.evaluation.plots import calibrated, error_by_horizon, error_by_segment, fan, importance
from models.panel.long import panel_of
from models.panel.matrices import Panel

LEVELS = dict(zip(QUANTILES, QUANTILE_LEVELS, strict=True))

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture(scope="module")
def panel() -> Panel:
    return panel_of(long_frame(ahead=0))


def test_every_method_is_judged_on_the_same_cells(panel: Panel) -> None:
    found = backtest(panel, POLICY)
    assert list(found.scores.index) == [OURS, *BASELINES]
    assert found.scores["pieces"].nunique() == 1
    counts = found.cells.groupby("method").size()
    assert counts.nunique() == 1
    assert found.cells["origin"].nunique() == 2
    began = panel.ids[panel.first <= origins(panel, POLICY, 7)[0]]
    assert set(found.cells["series_id"]) == set(began)
    assert np.isfinite(found.cells[["point", "mean", *QUANTILES]].to_numpy()).all()
    assert found.scores.loc[OURS, "wape"] < found.scores.loc["seasonal_naive", "wape"]
    for draw in (fan, calibrated, error_by_horizon, error_by_segment):
        assert all(axis.has_data() for axis in draw(found.cells).axes), draw
    gain = train(panel, POLICY).scorer().gain()
    assert gain.idxmax().startswith("promotion")  # six times the demand
    assert importance(gain).axes[0].has_data()


def test_a_fold_knows_nothing_after_its_origin(panel: Panel) -> None:
    later = np.arange(panel.y.shape[1]) > 40
    changed = replace(panel, y=np.where(later & panel.seen, panel.y * 3 + 1, panel.y))
    before, after = (fold(each, 40, 7, 40) for each in (panel, changed))
    assert fingerprint(before, POLICY) == fingerprint(after, POLICY)
    assert fingerprint(panel, POLICY) != fingerprint(changed, POLICY)
    assert train(before, POLICY) == train(after, POLICY)


def test_baselines_are_what_their_names_say(panel: Panel) -> None:
    known = fold(panel, 50, 14, 50)
    cells = asked_cells(known)
    naive, median = seasonal_naive(known, cells), median_14(known, cells)
    for row in range(0, len(cells), 17):
        series, target = cells.series[row], cells.target[row]
        assert naive[row] == known.y[series, target - 7 if target <= 57 else target - 14]
        assert median[row] == np.median(known.y[series, 37:51])


def test_baselines_get_quantiles_that_cover(panel: Panel) -> None:
    known = fold(panel, 50, 7, 50)
    cells = asked_cells(known)
    frame = baseline_frame(mean_7, known, cells).assign(y=panel.y[cells.series, cells.target])
    assert (np.diff(frame[QUANTILES].to_numpy(), axis=1) >= 0).all()
    assert score(frame)["coverage_80"] > 0.7


def test_pinball_is_least_at_the_true_quantile() -> None:
    sample = np.random.default_rng(1).gamma(2, 5, 20_000)
    truth = np.quantile(sample, QUANTILE_LEVELS)
    least = pinball(sample, np.tile(truth, (len(sample), 1))).mean(axis=0)
    for shift in (-1.0, 1.0):
        assert (pinball(sample, np.tile(truth + shift, (len(sample), 1))).mean(axis=0) > least).all()


def test_a_history_too_short_for_a_fold_has_no_scores() -> None:
    assert backtest(panel_of(long_frame(days=12, ahead=0)), POLICY).scores.empty


def poisson_cells(factor: float = 1.0, cells: int = 20_000) -> pd.DataFrame:
    """Poisson demand with its true quantiles, or with those of another mean; most of it zero or one."""
    random = np.random.default_rng(4)
    mean = random.gamma(1, 1.5, cells)
    quantiles = {
        name: poisson.ppf(level, mean * factor) for name, level in zip(QUANTILES, QUANTILE_LEVELS, strict=True)
    }
    return pd.DataFrame({"y": random.poisson(mean).astype(float), **quantiles})


def test_true_quantiles_of_counts_are_calibrated_and_wrong_ones_are_not() -> None:
    assert miscalibration(poisson_cells()) < 0.005
    assert miscalibration(poisson_cells(0.5)) > 0.05
    assert miscalibration(poisson_cells(2.0)) > 0.05
    found = calibration(poisson_cells())
    cells = poisson_cells()
    assert found["below"].iloc[3] == pytest.approx((cells["y"] < cells["q50"]).mean())
    assert found["at_most"].iloc[3] == pytest.approx((cells["y"] <= cells["q50"]).mean())


def test_the_transform_is_uniform_for_normal_demand_and_nearly_so_for_counts() -> None:
    random = np.random.default_rng(2)
    mean = random.uniform(50, 90, 20_000)
    normal = {name: norm.ppf(level, mean, 10) for name, level in LEVELS.items()}
    for cells, width in ((pd.DataFrame({"y": random.normal(mean, 10), **normal}), 0.2), (poisson_cells(), 0.35)):
        density = np.histogram(transform(cells), bins=10, range=(0, 1))[0] / 2_000
        assert np.abs(density - 1).max() < width, density
    low = np.histogram(transform(poisson_cells(2.0)), bins=10, range=(0, 1))[0] / 2_000
    assert low[-1] < 0.5


@pytest.mark.long
def test_ours_is_ahead_on_amazon_apparel(shared_data: Path) -> None:
    """The simple baselines of the acceptance; benchmarks/forecast/amazon.py has statsforecast beside them."""
    sales = shared_data / "amazon_india_apparel" / "Amazon Sale Report.csv.gz"
    demand = duckdb.execute(
        """SELECT "Style" AS series_id, strptime("Date", '%m-%d-%y')::DATE AS ds, sum("Qty"::INT)::DOUBLE AS y
           FROM read_csv(?, all_varchar = true) WHERE "Qty"::INT > 0 GROUP BY ALL
           HAVING ds BETWEEN '2022-04-01' AND '2022-06-28'""",
        [str(sales)],
    ).df()
    scores = backtest(panel_of(demand, "zero"), settings().forecast, 7).scores
    assert scores.loc[OURS, "wape"] < scores["wape"].drop(OURS).min()
    assert scores.loc[OURS, "pinball"] < scores["pinball"].drop(OURS).min()
    assert abs(scores.loc[OURS, "bias"]) < 0.05
    print(pd.DataFrame(scores).round(3).to_string())
