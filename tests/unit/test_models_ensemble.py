"""The forecast of any panel: trend and season go on, choices follow what came, and nothing looks ahead."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from models_kit import long_frame
from scipy import stats

from c2m.errors import InputError
from c2m.settings import settings
from models.demand.boosting import QUANTILE_LEVELS
from models.demand.forecast import QUANTILES
from models.ensemble import auto
from models.ensemble.blend import Spread, blended, weights
from models.ensemble.contest import Contest, contest
from models.ensemble.differences import differences
from models.ensemble.folds import Fold, backs
from models.ensemble.forecaster import Forecaster
from models.ensemble.members import _searched
from models.ensemble.panel_forecast import MODELS, ahead, answer, at_level
from models.ensemble.sums import Dependence
from models.panel.long import panel_of
from models.panel.matrices import Floats, Panel


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("C2M_FORECAST__ROUNDS", "20")
    monkeypatch.setenv("C2M_FORECAST__THREADS", "1")


def monthly(series: int = 8, months: int = 72) -> tuple[Panel, Floats]:
    """Levels of a trend and a season, noise of 1 %; the panel and what comes in the next year without noise."""
    random, at = np.random.default_rng(1), np.arange(months + 12)
    base = random.uniform(50, 500, (series, 1)) * (1 + 0.02 * at) * (1 + 0.3 * np.sin(at * np.pi / 6))
    rows = pd.MultiIndex.from_product(
        [[f"s{i:02d}" for i in range(series)], pd.date_range("2018-01-01", periods=months, freq="MS")]
    )
    noisy = base[:, :months] * random.normal(1, 0.01, (series, months))
    frame = pd.DataFrame({"series_id": rows.get_level_values(0), "ds": rows.get_level_values(1), "y": noisy.ravel()})
    return panel_of(frame), base[:, months:]


@pytest.mark.parametrize("most", [300, 5])
def test_trend_and_season_go_on_also_where_some_series_decide_for_all(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auto, "MOST_SERIES", most)
    panel, coming = monthly()
    found = answer(ahead(panel, 12), ranges=(80, 95))
    frame = found.frame
    points = frame["point"].to_numpy().reshape(coming.shape)
    assert np.abs(points / coming - 1).mean() < 0.02
    assert (np.diff(frame[QUANTILES].to_numpy(), axis=1) >= 0).all()
    assert (frame["lo-95"] <= frame["lo-80"]).all()
    assert (frame["hi-80"] == frame["q90"]).all()
    assert frame["ds"].nunique() == 12
    assert frame["ds"].min() == pd.Timestamp("2024-01-01")
    assert "8 smooth series" in found.words[0]
    assert "held-out origins" in found.words[0]


def test_one_bad_cell_changes_no_other_series() -> None:
    panel, _ = monthly(8, 60)
    points = {}
    for value in (panel.y[3, 50], 1e9):
        y = panel.y.copy()
        y[3, 50] = value
        found = answer(ahead(replace(panel, y=y), 3))
        points[value] = found.frame[found.frame["series_id"] != "s03"]["point"].to_numpy()
    assert "s03 2022-03-01: y is" in found.words[0]
    before, after = points.values()
    assert np.abs(after / before - 1).max() < 0.01


def test_a_line_without_a_season_goes_on() -> None:
    years = np.arange(25)
    frame = pd.concat(
        pd.DataFrame({"series_id": f"s{i}", "ds": 2000 + years, "y": 10.0 + i + 2 * years}) for i in range(8)
    )
    found = answer(ahead(panel_of(frame), 3)).frame
    assert np.allclose(
        found["point"].to_numpy().reshape(8, 3), 60 + np.arange(8)[:, None] + 2 * np.arange(3), rtol=0.02
    )


def test_trees_on_differences_know_only_their_own_past() -> None:
    """A season with a trend that every series has goes on; a series' forecast moves with it and scales with it."""
    panel, coming = monthly(10, 72)
    fold = Fold.of(panel, 0, 12)
    found = differences(fold, settings().forecast)
    assert np.abs(found / coming - 1).mean() < 0.06
    moved = differences(Fold.of(replace(panel, y=10 * panel.y + 500), 0, 12), settings().forecast)
    np.testing.assert_allclose(moved, 10 * found + 500, rtol=1e-3)
    short = differences(Fold.of(monthly(2, 20)[0], 0, 3), settings().forecast)
    assert np.isnan(short).all()


def test_the_form_found_step_by_step_is_nearly_that_of_all_forms() -> None:
    from statsforecast.models import AutoETS

    panel, _ = monthly(4, 60)
    for y in panel.y:
        found, best = (model.model_["aicc"] for model in (_searched(y, 12), AutoETS(season_length=12).fit(y)))
        assert found < best + 4


def test_many_zeros_are_forecast_by_members_for_them() -> None:
    panel = panel_of(long_frame())
    found = answer(panel)
    assert len(found.frame) == panel.asked.sum()
    assert (found.frame["q05"] >= 0).all()
    assert (found.frame[QUANTILES] % 1 == 0).all().all()
    assert any("sparse series" in words for words in found.words)


@pytest.mark.parametrize("months", [2, 5, 13, 20])
def test_a_history_of_hardly_a_season_is_forecast(months: int) -> None:
    found = answer(ahead(monthly(4, months)[0], 2)).frame
    assert np.isfinite(found[["point", *QUANTILES]].to_numpy()).all()


def test_each_model_can_be_asked_for_by_name() -> None:
    panel = ahead(monthly(3, 48)[0], 6)
    for model in MODELS:
        assert answer(panel, model=model).frame["point"].notna().all(), model


def test_every_fault_of_the_question_is_told() -> None:
    with pytest.raises(InputError) as error:
        answer(monthly(2, 30)[0], model="Prophet")
    assert "no model is called Prophet; there are auto, champion" in str(error.value)
    assert "--horizon" in str(error.value)


def test_a_fold_knows_nothing_of_what_came_later() -> None:
    panel, _ = monthly(3, 40)
    changed = replace(panel, y=np.where(np.arange(40) > 27, 1e6, panel.y))
    ours, theirs = (Fold.of(each, 12, 6) for each in (panel, changed))
    np.testing.assert_array_equal(ours.panel.y, theirs.panel.y)
    np.testing.assert_array_equal(ours.actual(panel), panel.y[:, 28:34])


def test_origins_lie_a_horizon_apart_and_leave_two_seasons() -> None:
    assert backs(monthly(2, 72)[0], 12, 4) == [12, 24, 36, 48]
    assert backs(monthly(2, 48)[0], 12, 4) == [12, 16, 20, 24]
    assert backs(monthly(2, 8)[0], 12, 4) == []


def test_shares_are_of_the_members_that_come_true() -> None:
    random = np.random.default_rng(2)
    actual = random.normal(100, 10, (3, 20, 4))
    noise = random.normal(0, 1, (2, *actual.shape))
    members = {"high": actual + 5 + noise[0], "low": actual - 5 + noise[1], "wrong": actual + 40}
    shares = weights(members, actual, np.ones((3, 20)))
    assert shares == pytest.approx({"high": 0.5, "low": 0.5, "wrong": 0}, abs=0.02)
    error = blended({**members, "none": np.full(actual.shape, np.nan)}, {**shares, "none": 0.5}) - actual
    assert np.abs(error).mean() < 1


def test_quantiles_are_those_of_held_out_errors() -> None:
    error = np.random.default_rng(3).normal(0, 2, (4, 300, 6))
    found = Spread.of(error).quantiles(np.zeros((300, 6)), np.ones(300)).mean(axis=(0, 1))
    assert np.allclose(found[[1, 3, 5]], [-2.563, 0, 2.563], atol=0.15)


@pytest.mark.parametrize("series", [1, 4])
def test_ranges_learned_from_few_errors_hold_what_they_should(series: int) -> None:
    """Without the allowance for few errors the 80 % range of one series holds 0.70."""
    random, inside = np.random.default_rng(6), []
    for _ in range(300 // series):
        error, coming = random.normal(0, 1, (4, series, 6)), random.normal(0, 1, (series, 6))
        told = Spread.of(error).quantiles(np.zeros((series, 6)), np.ones(series))
        told = auto.widened(told, auto.scarce(Dependence.of(error).independent(error)), -np.inf)
        inside.append((coming > told[..., 1]) & (coming < told[..., 5]))
    assert np.mean(inside) == pytest.approx(0.8, abs=0.03)


@pytest.mark.parametrize(("whole", "asked"), [(False, 2.0), (True, 1.0)])
def test_ranges_are_as_wide_as_held_out_origins_and_a_short_history_ask(whole: bool, asked: float) -> None:
    """A normal with twice the deviation asks for twice the width; pieces whose quantiles are exact ask for nothing."""
    random, levels = np.random.default_rng(5), np.array(QUANTILE_LEVELS)
    shape = (4, 100, 6)
    actual = random.poisson(2, shape) if whole else random.normal(0, 2, shape)
    told = np.broadcast_to(stats.poisson.ppf(levels, 2) if whole else stats.norm.ppf(levels), (*shape, len(levels)))
    middle = told[..., 3]
    held = auto.HeldOut(actual.astype(float), np.ones((4, 100, 1)), {"a": middle}, {}, middle, whole, 0.2)
    wider = auto._wider(held, told, ("", 0.0), auto.SMOOTH)
    assert wider == pytest.approx(asked**0.5 * (1 + auto.SHORT * 0.2), rel=0.03)


def test_without_errors_there_are_no_quantiles() -> None:
    assert np.isnan(Spread.of(np.full((2, 3, 4), np.nan)).quantiles(np.zeros((3, 4)), np.ones(3))).all()


def test_levels_beyond_the_quantiles_are_a_normals() -> None:
    levels = np.array([0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95])
    normal = stats.norm.ppf(levels, 100, 10)[None]
    assert at_level(normal, 0.975)[0] == pytest.approx(stats.norm.ppf(0.975, 100, 10))
    assert at_level(normal, 0.4)[0] == pytest.approx(stats.norm.ppf(0.4, 100, 10), abs=0.2)


@pytest.mark.parametrize("name", ["out.csv", "out.parquet"])
def test_files(tmp_path: Path, name: str) -> None:
    found = answer(panel_of(long_frame()), model="Median14")
    found.write(found.frame, tmp_path / name)
    read = pd.read_csv if name.endswith("csv") else pd.read_parquet
    assert len(read(tmp_path / name)) == 12 * 7


def test_one_object_as_the_field_knows_it(tmp_path: Path) -> None:
    panel, _ = monthly(5, 60)
    rows, columns = np.nonzero(panel.seen)
    df = pd.DataFrame({"unique_id": panel.ids[rows], "ds": panel.ds[columns], "y": panel.y[rows, columns]})
    ours = Forecaster(model="ETS").set_params(metric="rmse").fit(df)
    found = ours.predict(3, level=[80])
    assert list(found) == ["unique_id", "ds", "c2m", "c2m-mean", "c2m-lo-80", "c2m-hi-80"]
    assert found.groupby("unique_id")["ds"].min().eq(pd.Timestamp("2023-01-01")).all()
    ours.save(tmp_path / "saved")
    again = Forecaster.load(tmp_path / "saved")
    assert again.get_params() == ours.get_params()
    pd.testing.assert_frame_equal(again.predict(3, level=[80]), found)
    rows_asked = found[["unique_id", "ds"]].iloc[:2]
    pd.testing.assert_frame_equal(again.predict(X_df=rows_asked, level=[80]).iloc[:, :2], rows_asked)
    validated = ours.cross_validation(df, h=3, n_windows=2)
    assert validated["cutoff"].unique().tolist() == [pd.Timestamp("2022-06-01"), pd.Timestamp("2022-09-01")]
    assert (validated["y"] / validated["c2m"] - 1).abs().mean() < 0.03
    with pytest.raises(ValueError, match="no parameter horizon; there are model, metric"):
        ours.set_params(horizon=3)


def test_the_backtest_names_the_method_that_is_best_on_every_figure() -> None:
    found = contest(monthly(5, 72)[0], 6, 2)
    table = found.figures().set_index("method")
    assert table.index[0] in ("auto", "ETS")
    assert table.loc["auto", "MASE"] < 0.5 * table.loc["SeasonalNaive", "MASE"]
    assert (found.cells.groupby("method").size() == 5 * 6 * 2).all()
    naive = found.cells[found.cells["method"] == "SeasonalNaive"]
    assert table.loc["SeasonalNaive", "WAPE"] == pytest.approx(
        (naive["point"] - naive["y"]).abs().sum() / naive["y"].sum()
    )
    assert found.best in found.words
    with pytest.raises(InputError, match="needs more than 140"):
        contest(monthly(2, 72)[0], 70)


@pytest.mark.parametrize(("loss", "origins", "best"), [(0.92, 1, "auto"), (0.92, 4, "ETS"), (0.85, 1, "ETS")])
def test_another_method_is_named_where_it_is_ahead_by_more_than_chance(loss: float, origins: int, best: str) -> None:
    rows = [("auto", 1.0), ("ETS", loss), ("SeasonalNaive", 2.0)]
    cells = pd.DataFrame([(method, back, of, 1.0) for method, of in rows for back in range(origins)])
    found = Contest(cells.set_axis(["method", "back", "pinball", "scale"], axis=1))
    assert found.best == best
    assert ("may be chance" in found.words) == (best == "auto")


def test_the_obvious_forecasts_are_judged_as_they_are() -> None:
    """With a trend the seasonal naive forecast errs by a season of it, and smoothing goes on with both."""
    months, random = 72, np.random.default_rng(0)
    course = 1.5 * np.arange(months) + 15 * np.sin(2 * np.pi * np.arange(months) / 12)
    y = [50 + 20 * i + course + random.normal(0, 2, months) for i in range(6)]
    when = pd.MultiIndex.from_product([[f"s{i}" for i in range(6)], pd.date_range("2018-01-01", periods=72, freq="MS")])
    frame = pd.DataFrame({"y": np.concatenate(y)}, when.set_names(["series_id", "ds"])).reset_index()
    figures = contest(panel_of(frame), 6).figures().set_index("method")["WAPE"]
    past = np.array(y)
    naive = [np.abs(past[:, n - 12 : n - 6] - past[:, n : n + 6]).sum() for n in (48, 54, 60, 66)]
    came = [past[:, n : n + 6].sum() for n in (48, 54, 60, 66)]
    assert figures["SeasonalNaive"] == pytest.approx(sum(naive) / sum(came), rel=1e-6)
    assert figures["ETS"] < 0.4 * figures["SeasonalNaive"]
