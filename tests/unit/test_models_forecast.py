"""Forecasts of awkward panels, the value that suits a metric, totals over windows."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from models_kit import POLICY, long_frame

from c2m.domain.newsvendor import WINDOW_LEVELS
from c2m.errors import InputError
from c2m.settings import settings
from models.demand.boosting import QUANTILE_LEVELS
from models.demand.forecast import QUANTILES, asked_cells, forecast, point, windows
from models.demand.heldout import assumed_spread
from models.demand.train import train
from models.panel.long import panel_of


@pytest.fixture(autouse=True)
def quick(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few rounds: these panels are small."""
    monkeypatch.setenv("C2M_FORECAST__ROUNDS", "40")
    monkeypatch.setenv("C2M_FORECAST__THREADS", "1")
    settings.cache_clear()


def sound(found: pd.DataFrame, rows: int) -> pd.DataFrame:
    """One row per cell asked; finite, not negative, quantiles in order."""
    assert list(found) == ["series_id", "ds", "point", "mean", *QUANTILES]
    assert len(found) == rows
    numbers = found[["point", "mean", *QUANTILES]].to_numpy()
    assert np.isfinite(numbers).all()
    assert (numbers >= 0).all()
    assert (np.diff(found[QUANTILES].to_numpy(), axis=1) >= 0).all()
    return found


def test_the_forecast_follows_level_and_promotion() -> None:
    frame = long_frame(series=20, days=90)
    found = sound(forecast(panel_of(frame), "rmse"), 20 * 7)
    level = found.groupby("series_id")["mean"].mean()
    assert level.corr(pd.Series(range(20), level.index)) > 0.98
    asked = frame[frame["y"].isna()].merge(found, on=["series_id", "ds"])
    relative = asked["mean"] / asked["series_id"].map(level)
    assert relative[asked["promotion"] > 0].mean() > 1.3 * relative[asked["promotion"] == 0].mean()


def test_the_same_panel_gives_the_same_forecast_in_any_order_of_rows() -> None:
    frame = long_frame()
    once = forecast(panel_of(frame))
    pd.testing.assert_frame_equal(once, forecast(panel_of(frame.sample(frac=1, random_state=1))))


def test_new_series_are_forecast_by_a_learner_of_launches() -> None:
    random, frames = np.random.default_rng(3), []
    for number in range(240):
        level, start = (4, 12, 36)[number % 3], random.integers(0, 60)
        ds = pd.date_range("2026-01-05", periods=12) + pd.Timedelta(days=int(start))
        y = random.poisson(level * np.exp(-np.arange(12) / 6)).astype(float)
        frames.append(pd.DataFrame({"series_id": f"s{number}", "category": f"c{number % 3}", "ds": ds, "y": y}))
    known = pd.concat(frames)
    ahead = pd.date_range(known["ds"].max() + pd.Timedelta(days=1), periods=6)
    new = pd.concat(
        pd.DataFrame({"series_id": f"new{level}", "category": f"c{level}", "ds": ahead, "y": np.nan})
        for level in range(3)
    )
    panel = panel_of(pd.concat([known, new]))
    model = train(
        panel, settings().forecast.model_copy(update={"horizon_days": 6, "rounds": 150}), totals=False
    ).scorer()
    assert {"on_sale", "category"} <= set(model.spec["launch"]["features"])
    assert "mean_7" not in model.spec["launch"]["features"]
    found = sound(forecast(panel, "rmse", model), 18).pivot(index="series_id", columns="ds", values="mean")
    expected = np.array([[4.0], [12.0], [36.0]]) * np.exp(-np.arange(6) / 6)
    np.testing.assert_allclose(found, expected, rtol=0.25)


def awkward() -> dict[str, pd.DataFrame]:
    frame = long_frame()
    one, future = frame["series_id"] == "s03", frame["y"].isna()
    next_year = frame[~future].assign(ds=frame["ds"] + pd.Timedelta(days=365))
    later = frame[future].assign(ds=frame["ds"] + pd.Timedelta(days=365))
    return {
        "series of length 1": frame[~one | future | (frame["ds"] == "2026-02-20")],
        "all zeros": frame.assign(y=frame["y"] * 0),
        "one series all zeros": frame.assign(y=frame["y"].where(~one | future, 0)),
        "all missing in one series": frame.assign(y=frame["y"].where(~one)),
        "a gap of a year": pd.concat([frame[~future], next_year, later]),
        "a constant covariate": frame.assign(shops=3),
        "a covariate missing ahead": frame.assign(promotion=frame["promotion"].where(~future)),
        "a covariate new ahead": frame.assign(launch=np.where(future, 1.0, np.nan)),
        "a category new ahead": frame.assign(event=np.where(future, "fair", "none")),
        "one series of 1e9": frame.assign(y=frame["y"].where(~one | future, 1e9)),
        "a column that XGBoost would not name": frame.rename(columns={"promotion": "price [<EUR>]"}),
    }


@pytest.mark.parametrize("case", list(awkward()))
def test_awkward_panels_get_a_sound_forecast(case: str) -> None:
    frame = awkward()[case]
    found = forecast(panel_of(frame), "mape")
    last = frame[frame["y"].notna()].groupby("series_id")["ds"].max()
    asked = frame["y"].isna() & ~(frame["ds"] <= frame["series_id"].map(last))
    sound(found, int(asked.sum()))


def test_the_largest_series_does_not_drown_the_others() -> None:
    frame = long_frame()
    giant = frame["series_id"] == "s03"
    found = forecast(panel_of(frame.assign(y=frame["y"].where(~giant | frame["y"].isna(), 1e9))), "rmse")
    level = found.groupby("series_id")["mean"].mean()
    assert 0.8e9 < level["s03"] < 1.2e9
    assert 5 < level["s11"] < 30


def test_a_single_period_is_too_short() -> None:
    frame = pd.DataFrame({"series_id": ["a", "a"], "ds": ["2026-01-01", "2026-01-02"], "y": [3.0, None]})
    with pytest.raises(InputError, match="at least two periods"):
        forecast(panel_of(frame))


def test_a_gap_before_what_is_asked_makes_the_horizon_longer() -> None:
    frame = long_frame()
    first_asked = frame["ds"] == frame.loc[frame["y"].isna(), "ds"].min()
    cells = asked_cells(panel_of(frame[~first_asked]))
    assert (cells.target - cells.origin).min() == 2


def test_point_is_what_the_metric_rewards() -> None:
    """Against a brute search on a large sample of a skewed, positive distribution."""
    sample = np.random.default_rng(5).lognormal(2, 0.8, 40_000)
    levels = [0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95]
    frame = pd.DataFrame([{"mean": sample.mean(), **dict(zip(QUANTILES, np.quantile(sample, levels), strict=True))}])
    tries = np.linspace(0.5, 30, 600)
    for metric, loss in {"wape": np.abs, "rmse": np.square, "mape": lambda e: np.abs(e) / sample}.items():
        best = tries[np.argmin([loss(sample - value).mean() for value in tries])]
        assert point(frame, metric)[0] == pytest.approx(best, rel=0.12), metric


def test_totals_over_a_window_cover_what_comes() -> None:
    """Trained on the first 90 days of a world that repeats itself; judged on the 7 and 14 days after."""
    full = panel_of(long_frame(series=150, days=104, ahead=0, seed=2).drop(columns="promotion"))
    known = full.until(89, 14)
    scorer = train(known, POLICY.model_copy(update={"horizon_days": 14, "rounds": 60})).scorer()
    days = forecast(known, "wape", scorer)
    for window in (7, 14):
        found = windows(days, scorer, window)
        came = full.y[:, 90 : 90 + window].sum(axis=1)
        quantiles = found.filter(like="q").to_numpy()
        assert (np.diff(quantiles, axis=1) >= 0).all()
        assert found["mean"].sum() == pytest.approx(came.sum(), rel=0.1)
        assert 0.68 < ((came >= found["q10"]) & (came <= found["q90"])).mean() < 0.92
    longer = windows(days, scorer, 28)
    assert longer["mean"].sum() == pytest.approx(2 * found["mean"].sum(), rel=0.05)


def test_quantiles_of_demand_that_multiplies_hold_what_comes() -> None:
    """Lognormal demand, never zero: the outer levels lie a factor of 7 apart."""
    random = np.random.default_rng(4)
    level, weeks = random.lognormal(6, 1, 60), 120
    y = level[:, None] * random.lognormal(0, 0.6, (60, weeks))
    grid = pd.MultiIndex.from_product([[f"s{i:02d}" for i in range(60)], range(weeks)], names=["series_id", "ds"])
    frame = pd.DataFrame({"y": y.ravel()}, index=grid).reset_index()
    found = sound(forecast(panel_of(frame.assign(y=frame["y"].where(frame["ds"] < weeks - 10)))), 600)
    came = y[:, -10:].reshape(-1, 1)
    np.testing.assert_allclose((came <= found[QUANTILES]).mean(), QUANTILE_LEVELS, atol=0.06)
    assert (found["q05"] > 0).all()


def test_the_spread_assumed_for_short_histories_is_a_distribution() -> None:
    table = assumed_spread()
    totals = np.array(table["ratios"]) * table["means"]
    assert (np.diff(totals, axis=0) >= 0).all()
    median = totals[WINDOW_LEVELS.index(0.5), -1]
    assert 0.6 < median / table["means"][-1] < 1


def test_a_market_that_fell_is_not_said_to_fall_on() -> None:
    """Two months of days tell nothing of where the market goes; what one series does beside it goes on."""
    random, days, ahead = np.random.default_rng(8), 70, 14
    dates = pd.date_range("2026-01-05", periods=days + ahead)
    frames = []
    for number in range(60):
        y = random.poisson((5 + number) * 0.985 ** np.arange(days + ahead)).astype(float)
        frames.append(pd.DataFrame({"series_id": f"s{number:02d}", "ds": dates, "y": y}))
    frame = pd.concat(frames)
    panel = panel_of(frame.assign(y=frame["y"].where(frame["ds"] < dates[days])))
    found = forecast(panel, "rmse").groupby("ds")["mean"].sum().to_numpy()
    level = panel.y[:, days - 7 : days].sum(axis=0).mean()
    assert found[-1] == pytest.approx(level, rel=0.06)  # 0.985 ** 14 = 0.81 of it, if the fall went on
