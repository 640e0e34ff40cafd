"""The market model: a source that runs ahead helps, its forecast adds up and lands once a week, and people read it."""

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from c2m.cli import app
from c2m.domain import markets
from c2m.feeds.landing import ensure_landing, land_frame
from c2m.settings import MarketPolicy, settings
from c2m.simulation.world import assumptions, market
from c2m.simulation.world.span import Span
from models.governance import plain
from models.governance.markets import NAME, fit
from models.market import market_model, pooled, series

HORIZON, LEAD = 4, 2
POLICY = MarketPolicy(horizon_weeks=HORIZON)


def weekly(with_source: bool = True, categories: int = 5, weeks: int = 52) -> pd.DataFrame:
    """Sales of a merchant that wander, and a source that shows them LEAD weeks before."""
    random, week = np.random.default_rng(3), pd.date_range("2025-01-06", periods=weeks, freq="7D")
    rows = []
    for number in range(categories):
        course = np.exp(np.convolve(random.normal(0, 0.25, weeks + LEAD + 3), np.ones(4) / 2, "valid"))
        own: dict[str, Any] = {"source": "own", "merchant_id": "m", "volume": np.round(400 * course[:weeks])}
        own |= {"price": 20 + np.round(random.normal(0, 0.3, weeks).cumsum(), 2), "currency": "EUR"}
        told = {"source": "index", "merchant_id": "", "volume": 100 * course[LEAD:], "price": np.nan, "currency": ""}
        rows += [pd.DataFrame({"category": f"c{number}", "week": week, **of}) for of in (own, told)[: 1 + with_source]]
    return pd.concat(rows, ignore_index=True)


@pytest.fixture(scope="module")
def panels() -> dict[str, Any]:
    return series.panels(weekly(), 13)


@pytest.fixture(scope="module")
def chosen(panels: dict[str, Any]) -> market_model.MarketModel:
    return market_model.trained(panels, HORIZON, settings().forecast)


def miss(with_source: bool) -> float:
    panel = series.panels(weekly(with_source), 13)["volume"]
    said = market_model.asked(panel, HORIZON, settings().forecast)
    own = series.names(panel)["source"] == series.OWN
    return float(np.mean([
        np.abs(pooled.pooled(said.fold(back)) - said.fold(back).actual(panel))[own] for back in (12, 8, 4)
    ]))  # fmt: skip


def test_a_source_that_runs_ahead_of_sales_makes_the_forecast_better() -> None:
    assert miss(with_source=True) < 0.8 * miss(with_source=False)


def test_nothing_that_came_later_changes_a_forecast(panels: dict[str, Any]) -> None:
    panel = panels["volume"]
    said = market_model.asked(panel, HORIZON, settings().forecast)
    before = pooled.pooled(said.fold(8))
    y = panel.y.copy()
    y[:, -8:] *= 7
    other = series.panels(weekly(), 13)["volume"]
    other.y[:] = y
    assert np.array_equal(pooled.pooled(market_model.asked(other, HORIZON, settings().forecast).fold(8)), before)


def test_a_week_without_a_sale_is_zero_and_a_price_that_nobody_paid_is_none() -> None:
    rows = weekly(with_source=False)
    gap = (rows["category"] == "c1") & (rows["week"] == "2025-06-02")
    found = series.panels(rows[~gap], 13)
    assert found["volume"].y[1, 21] == 0 and np.isnan(found["price"].y[1, 21])
    assert series.panels(rows[rows["week"] < "2025-03-01"], 13) == {}


def test_the_forecast_is_of_every_series_and_all_weeks_are_the_sum_of_them(
    panels: dict[str, Any], chosen: market_model.MarketModel, tmp_path: Path
) -> None:
    chosen.save(tmp_path / "market.json")
    found = market_model.forecast(
        market_model.MarketModel.load(tmp_path / "market.json"), panels, HORIZON, settings().forecast
    )
    pd.testing.assert_frame_equal(found, market_model.forecast(chosen, panels, HORIZON, settings().forecast))
    assert len(found) == (10 + 5) * (HORIZON + 1)  # volumes of both, prices of one
    assert (found["q10"] <= found["q90"]).all() and (found["q05"] >= 0).all()
    whole, weeks = found[found["week"].isna()], found[found["week"].notna()]
    volume = weeks[weeks["measure"] == "volume"].groupby(["source", "category"])["mean"].sum()
    told = whole[whole["measure"] == "volume"].set_index(["source", "category"])["mean"]
    assert told.to_numpy() == pytest.approx(volume[told.index].to_numpy(), rel=0.05)
    assert weeks["week"].min() == pd.Timestamp("2025-12-29") + pd.Timedelta(7, "D")
    own = whole[(whole["source"] == "own") & (whole["measure"] == "volume")].iloc[0]
    assert own["before"] == pytest.approx(
        panels["volume"].y[list(panels["volume"].ids).index("own\nm\nc0\nEUR"), -4:].sum()
    )


def test_the_first_is_champion_a_young_one_stays_and_an_old_one_is_challenged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("C2M_HOME", str(tmp_path))
    settings.cache_clear()
    judged: list[Any] = []
    monkeypatch.setattr(plain, "settle", lambda *told: judged.append(told))
    few, day = series.panels(weekly(with_source=False, categories=2, weeks=40), 13), date(2026, 1, 5)
    found = [fit(few, day + timedelta(age), POLICY) for age in (0, 7, 28)]
    assert [one and one[0] for one in found] == ["1", "1", "2" if judged[0][2].promoted else "1"]
    (told,) = judged
    assert told[:2] == (NAME, "2") and set(told[2].segments["segment"]) == {"volume", "price"}
    without = fit({}, day + timedelta(28), POLICY)  # nothing to choose from: the champion goes on
    assert without is not None and without[0] == "1"
    settings.cache_clear()


def test_people_read_it_at_the_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("C2M_HOME", str(tmp_path))
    settings.cache_clear()
    assert CliRunner().invoke(app, ["market"]).exit_code == 2
    ensure_landing()
    quantiles = {f"q{level}": 100.0 + at for at, level in enumerate(("05", "10", "25", "50", "75", "90", "95"))}
    key: dict[str, Any] = {
        "source": "panel",
        "merchant_id": "",
        "category": "tee",
        "currency": "EUR",
        "measure": "price",
    }
    key |= {"known_until": date(2026, 1, 5), "business_date": date(2026, 1, 12), "model_version": "1"}
    key |= {"known_at": datetime(2026, 1, 12), "mean": 103.0, "before": None, "rise_chance": None}  # noqa: DTZ001
    rows = [key | quantiles | {"week": date(2026, 1, 12) + timedelta(7 * at), "weeks": 1} for at in range(2)]
    rows.append(key | quantiles | {"week": None, "weeks": 2, "before": 100.0, "rise_chance": 0.9})
    land_frame("market_forecasts", pd.DataFrame(rows))
    shown = CliRunner().invoke(app, ["market", "--category", "tee"], env={"COLUMNS": "200"})
    assert "+3% (+1% to +5%)" in shown.stdout and "90%" in shown.stdout and "103.00 EUR" in shown.stdout
    assert '"is_sure": true' in CliRunner().invoke(app, ["market", "--json"]).stdout
    assert "known: tee" in CliRunner().invoke(app, ["market", "--category", "sock"]).stderr
    out = tmp_path / "market.csv"
    assert CliRunner().invoke(app, ["market", "--out", str(out)]).exit_code == 0 and len(pd.read_csv(out)) == 3
    settings.cache_clear()


def test_bars_go_from_the_least_to_the_most() -> None:
    assert markets.spark([1, 2, 3]) == "▁▄█" and markets.spark([5, 5]) == "▁▁"


def test_searches_of_the_demo_world_run_ahead_of_its_sales() -> None:
    span = Span(date(2026, 4, 13), "Asia/Shanghai", 180, 45)
    lines = np.random.default_rng(1).gamma(3, 10, span.days // 7 + 1).repeat(7)[: span.days]
    name = assumptions.CATEGORIES[0].name
    told = market.market(np.random.default_rng(2), {name: lines}, span, "USD")
    searches = told[told["source"] == market.SEARCHES]["volume"].to_numpy()
    first = (7 - int(span.weekday[0])) % 7
    sold = lines[first : first + (span.days - first) // 7 * 7].reshape(-1, 7).sum(axis=1)
    assert np.corrcoef(searches, sold[market.LEAD_WEEKS :])[0, 1] > 0.95
    assert (told["known_at"] > told["day"] + np.timedelta64(7, "D")).all()
