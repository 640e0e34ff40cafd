"""The backtest: one set of series, every method judged alike, nothing seen of the future; ours ahead on real data."""

from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from models_kit import POLICY, long_frame

from c2m.settings import settings
from models.baselines import BASELINES, baseline_frame, median_14, seasonal_naive
from models.evaluate import OURS, backtest, fold, origins, pinball, score
from models.forecast import QUANTILES, asked_cells
from models.panel import Panel, panel_of
from models.plots import error_by_horizon, fan
from models.train import QUANTILE_LEVELS, fingerprint, train

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
    for figure in (fan(found.cells), error_by_horizon(found.cells)):
        assert figure.axes[0].has_data()


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
    frame = baseline_frame("mean_7", known, cells).assign(y=panel.y[cells.series, cells.target])
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


def test_ours_is_ahead_on_amazon_apparel(shared_data: Path) -> None:
    """The simple baselines of the acceptance; benchmarks/forecast_amazon.py has statsforecast beside them."""
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
