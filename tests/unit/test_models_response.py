"""The response model: against ridge on dummies written out, and where it has nothing to say."""

from dataclasses import replace
from itertools import product
from statistics import NormalDist

import numpy as np
import pandas as pd
import pytest

from c2m.settings import ForecastPolicy
from models.demand.features import matrix
from models.demand.forecast import asked_cells, forecast
from models.demand.response import COMMON_RIDGE, LEVEL_BELIEF, LEVEL_HALF_LIFE, RIDGE, response
from models.demand.train import train
from models.panel.long import panel_of
from models.panel.matrices import Floats, Panel

PERIODS, ASKED = 90, 3


def sales(elasticity: float = -2.0, noise: float = 0.1, start: str | int = 0) -> pd.DataFrame:
    """12 series of two brands in six stores: price, deal, some weeks missing; the last ASKED periods are asked."""
    random, frames = np.random.default_rng(5), []
    for number in range(12):
        store, brand = divmod(number, 2)
        price = 1 + brand + random.choice([0, 0, -0.3], PERIODS)
        deal = (random.random(PERIODS) < 0.3).astype(float)
        log = 3 + 0.1 * store + (elasticity - brand) * np.log(price) + 0.4 * deal + random.normal(0, noise, PERIODS)
        ds = np.arange(PERIODS) if start == 0 else pd.date_range(str(start), periods=PERIODS)
        frame = pd.DataFrame({"series_id": f"s{number:02}", "ds": ds, "y": np.exp(log), "price": price, "deal": deal})
        frame = frame.assign(brand=f"b{brand}", store=f"m{store}")
        keep = (random.random(PERIODS) > 0.1) | (np.arange(PERIODS) >= PERIODS - ASKED)
        frame.loc[np.arange(PERIODS) >= PERIODS - ASKED, "y"] = np.nan
        frames.append(frame[keep])
    return pd.concat(frames, ignore_index=True)


def by_dummies(frame: pd.DataFrame) -> "pd.Series[float]":
    """Ridge on written-out columns, within series by subtracting each one's means; levels by hand."""
    seen = frame["y"].notna()
    x = frame[["price", "deal"]].copy()
    for number, category in product(("price", "deal"), ("brand", "store")):
        wide = frame.pivot(index="series_id", columns="ds", values=number).ffill(axis=1)
        means = wide.groupby(frame.groupby("series_id")[category].first()).transform("mean").stack()
        x[f"{number} of {category}"] = means[pd.MultiIndex.from_frame(frame[["series_id", "ds"]])].to_numpy()
    x = (x.clip(x[seen].min(), x[seen].max(), axis=1) - x[seen].mean()) / x[seen].std(ddof=0)
    parts = [x.to_numpy()]
    for column in ("brand", "store"):
        parts += [x.mul(frame[column] == level, axis=0).to_numpy() for level in sorted(frame[column].unique())]
    design = np.hstack(parts)
    log, of = np.log(frame["y"]), frame["series_id"]
    own = pd.DataFrame(design)
    centred = (own - own[seen].groupby(of[seen]).transform("mean").reindex(own.index))[seen].to_numpy()
    about = (log - log.groupby(of).transform("mean"))[seen].to_numpy()
    belief = np.sqrt([COMMON_RIDGE] * x.shape[1] + [RIDGE] * (design.shape[1] - x.shape[1]))
    more = np.vstack([centred, np.diag(belief)])
    effects = np.linalg.lstsq(more, np.concatenate([about, np.zeros(design.shape[1])]), rcond=None)[0]
    rest, last = log - design @ effects, frame.loc[seen, "ds"].max()
    levels = {}
    for series, values in rest[seen].groupby(of[seen]):
        weight = 0.5 ** ((last - frame.loc[values.index, "ds"]) / LEVEL_HALF_LIFE)
        beyond = (weight * (values - values.mean())).sum() / (weight.sum() + LEVEL_BELIEF)
        levels[series] = values.mean() + beyond
    return (of.map(levels) + design @ effects)[~seen]


def expected(panel: Panel) -> Floats:
    """Of the asked cells."""
    return response(panel, asked_cells(panel))


def test_it_is_ridge_within_series() -> None:
    frame = sales().sort_values(["series_id", "ds"], ignore_index=True)
    assert expected(panel_of(frame)) == pytest.approx(by_dummies(frame).to_numpy(), abs=1e-9)


def test_what_it_says_of_a_price_is_what_demand_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.demand.response.RIDGE", 1)
    frame = sales(noise=0.02)
    panel = panel_of(frame)
    dear = np.where(panel.asked, 1 + (panel.categories["brand"].codes == 1), panel.numbers["price"])
    cheap = np.where(panel.asked, dear - 0.3, dear)
    rise = expected(replace(panel, numbers=panel.numbers | {"price": cheap})) - expected(
        replace(panel, numbers=panel.numbers | {"price": dear})
    )
    brand = panel.categories["brand"].codes[asked_cells(panel).series, 0]
    assert rise[brand == 0] == pytest.approx(-2 * np.log(0.7), rel=0.1)
    assert rise[brand == 1] == pytest.approx(-3 * np.log(1.7 / 2), rel=0.1)


def test_a_number_beyond_all_seen_counts_as_the_furthest() -> None:
    panel = panel_of(sales())
    highest = np.where(panel.asked, np.nanmax(panel.numbers["price"][panel.seen]), panel.numbers["price"])
    absurd = np.where(panel.asked, 1e9, panel.numbers["price"])
    given = [expected(replace(panel, numbers=panel.numbers | {"price": price})) for price in (highest, absurd)]
    assert given[0] == pytest.approx(given[1])


def test_a_week_of_days_is_learned_too() -> None:
    plain = sales(noise=0.01, start="2026-01-05")
    thursday = (plain["ds"] - pd.Timestamp("2026-01-05")).dt.days % 7 == 3
    panel = panel_of(plain.assign(y=plain["y"] * np.exp(0.5 * thursday)))
    at = (asked_cells(panel).target % 7) == 3
    rise = expected(panel) - expected(panel_of(plain))
    assert rise[at].mean() - rise[~at].mean() == pytest.approx(0.5, rel=0.1)


def test_a_zero_here_or_there_is_left_out() -> None:
    frame = sales()
    zero = frame.assign(y=frame["y"].where(frame.index != 0, 0.0))
    missing = frame.assign(y=frame["y"].where(frame.index != 0))
    np.testing.assert_allclose(expected(panel_of(zero)), expected(panel_of(missing)))


@pytest.mark.parametrize("case", ["zeros", "no numbers", "constant", "new series", "missing"])
def test_where_it_has_nothing_to_say(case: str) -> None:
    frame = sales()
    if case == "zeros":
        frame.loc[::10, "y"] = 0.0
    elif case == "no numbers":
        frame = frame.drop(columns=["price", "deal"])
    elif case == "constant":
        frame = frame.assign(price=1.0, deal=0.0)
    elif case == "new series":
        frame.loc[frame["series_id"] == "s00", "y"] = np.nan
    else:
        frame.loc[frame["series_id"] == "s00", "price"] = np.nan
    panel = panel_of(frame)
    first = asked_cells(panel).series == 0
    found = expected(panel)
    nothing = case in ("zeros", "no numbers", "constant")
    assert np.isnan(found[first | nothing]).all()
    assert np.isfinite(found[~first]).all() != nothing


def test_many_levels_leave_the_common_effects(monkeypatch: pytest.MonkeyPatch) -> None:
    panel = panel_of(sales())
    every = expected(panel)
    monkeypatch.setattr("models.demand.response.MOST_EFFECTS", 6 * (1 + 2))
    without_stores = expected(panel)
    monkeypatch.setattr("models.demand.response.RIDGE", 1e12)
    common = expected(panel)
    assert np.abs(every - without_stores).max() > 1e-4
    assert np.abs(without_stores - common).max() > 1e-4
    monkeypatch.setattr("models.demand.response.MOST_EFFECTS", 6)
    assert expected(panel) == pytest.approx(common)


def test_forecasts_lie_halfway_between_trees_and_response() -> None:
    panel = panel_of(sales())
    scorer = train(panel, ForecastPolicy(rounds=20, threads=1, horizon_days=ASKED), totals=False).scorer()
    found = forecast(panel, "wape", scorer)
    trees = scorer.predict(matrix(panel, asked_cells(panel)))
    halfway = np.sqrt(trees["q50"] * np.exp(expected(panel)))
    assert found["point"].to_numpy() == pytest.approx(halfway.to_numpy())
    variance, before = (
        (np.log(frame["q90"] / frame["q10"]) / (2 * NormalDist().inv_cdf(0.9))) ** 2 for frame in (found, trees)
    )
    half = np.log(halfway / trees["q50"])
    assert variance.to_numpy() == pytest.approx((before + half**2).to_numpy())
    assert found["mean"].to_numpy() == pytest.approx((trees["mean"] * np.exp(half)).to_numpy())
