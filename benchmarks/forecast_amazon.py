"""Forecast accuracy on Amazon apparel, style x day: ours, simple baselines and statsforecast on the same folds.

    python benchmarks/forecast_amazon.py          (needs ../shared/data and the extra `bench`; 3 minutes)

Demand: pieces asked (Qty > 0, cancelled lines too), 2022-04-01 to 2022-06-28 (03-31 and 06-29 are partial days).
Folds: 4 weekly origins, first forecast days 2022-06-01, -08, -15, -22, horizon 7 days. Series: every style sold before
the first origin. Every rival's quantiles are its point plus the empirical quantiles of its own errors at the
origins before, in eight classes of style speed; `wape_of_q50` takes the median of these instead of its point. "28 days"
takes a style's own last 28 days as its distribution.
"""

import os
import sys
import time
import warnings
from pathlib import Path

os.environ.setdefault("NIXTLA_ID_AS_COL", "1")

import duckdb
import numpy as np
import pandas as pd

from c2m.settings import settings
from models import baselines, evaluate
from models.features import Cells
from models.forecast import QUANTILES, asked_cells
from models.panel import Panel, panel_of
from models.train import QUANTILE_LEVELS, train

SALES = "amazon_india_apparel/Amazon Sale Report.csv.gz"
HORIZON, SEASON = 7, 7
DEMAND = """
    SELECT "Style" AS series_id, strptime("Date", '%m-%d-%y')::DATE AS ds, sum("Qty"::INT)::DOUBLE AS y,
           arg_max("Category", "Date") AS category
    FROM read_csv(?, all_varchar = true)
    WHERE "Qty"::INT > 0 AND strptime("Date", '%m-%d-%y')::DATE BETWEEN '2022-04-01' AND '2022-06-28'
    GROUP BY ALL
"""


def amazon(folder: Path) -> Panel:
    """Demand of every style on every day since its first sale."""
    demand = duckdb.execute(DEMAND, [str(folder / SALES)]).df()
    category = demand.groupby("series_id")["category"].first()
    return panel_of(demand.assign(category=demand["series_id"].map(category)), absent="zero")


def rivals() -> list[object]:
    """statsforecast's models for short, seasonal or intermittent series."""
    from statsforecast import models as m

    return [
        m.AutoETS(season_length=SEASON),
        m.AutoTheta(season_length=SEASON),
        m.SimpleExponentialSmoothingOptimized(),
        m.SeasonalExponentialSmoothingOptimized(season_length=SEASON),
        m.CrostonOptimized(),
        m.CrostonSBA(),
        m.TSB(alpha_d=0.1, alpha_p=0.1),
        m.ADIDA(),
        m.IMAPA(),
        m.WindowAverage(window_size=28),
    ]


def rival_points(panel: Panel, origin: int) -> pd.DataFrame:
    """Every rival's points for every series with history at `origin`: index (series, target), one column per rival."""
    from statsforecast import StatsForecast

    known = panel.until(origin, HORIZON)
    series, column = np.nonzero(known.seen)
    long = pd.DataFrame({"unique_id": series, "ds": column, "y": known.y[series, column]})
    enough = long.groupby("unique_id")["y"].transform("size") >= 2 * SEASON
    engine = StatsForecast(models=rivals(), freq=1, n_jobs=1, fallback_model=_fallback())
    points = engine.forecast(df=long[enough], h=HORIZON).set_index(["unique_id", "ds"])
    naive = pd.Series(np.nanmean(known.y[:, max(0, origin - 27) : origin + 1], axis=1))
    every = pd.MultiIndex.from_product([np.unique(series), range(origin + 1, origin + 1 + HORIZON)])
    points = points.reindex(every)
    return points.apply(lambda rival: rival.fillna(pd.Series(naive[every.get_level_values(0)].to_numpy(), every)))


def _fallback() -> object:
    from statsforecast.models import Naive

    return Naive()


def rival_frames(fold: Panel, cells: Cells, points: dict[int, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Each rival's points and quantiles for one fold, as `baselines.baseline_frame` gives them."""
    past = baselines.past_cells(fold, cells)
    past_points = pd.concat([points[origin] for origin in np.unique(past.origin)])
    past_points = past_points.loc[list(zip(past.series, past.target, strict=True))]
    now = points[int(cells.origin[0])].loc[list(zip(cells.series, cells.target, strict=True))]
    frames = {}
    for rival in now.columns:
        errors = fold.y[past.series, past.target] - past_points[rival].to_numpy()
        given = np.maximum(now[rival].to_numpy(dtype=np.float64), 0)
        frames[rival] = baselines.with_quantiles(fold, cells, given, past, errors)
    return frames


def own_days(fold: Panel, cells: Cells) -> pd.DataFrame:
    """A style's last 28 days as the distribution of each day to come."""
    days = baselines.recent(fold, cells, 28)
    frame = pd.DataFrame(np.nanquantile(days, QUANTILE_LEVELS, axis=1).T, columns=QUANTILES)
    return frame.assign(point=frame["q50"], mean=np.nanmean(days, axis=1))


def compare(panel: Panel) -> pd.DataFrame:
    """Scores of every method over all folds."""
    policy = settings().forecast.model_copy(update={"backtest_origins": 4})
    origins = evaluate.origins(panel, policy, HORIZON)
    steps = range(origins[0] - HORIZON * baselines.PAST_ORIGINS, origins[-1] + 1, HORIZON)
    points = {origin: rival_points(panel, origin) for origin in steps}
    parts = [evaluate.backtest(panel, policy, HORIZON).cells]
    for origin in origins:
        fold = evaluate.fold(panel, origin, HORIZON, origins[0])
        cells = asked_cells(fold)
        frames = rival_frames(fold, cells, points) | {"28 days": own_days(fold, cells)}
        came = pd.DataFrame({"y": panel.y[cells.series, cells.target]})
        parts += [came.assign(method=name, **frame[["point", "mean", *QUANTILES]]) for name, frame in frames.items()]
    every = pd.concat(parts)
    medians = evaluate.scores(every.assign(point=every["q50"]))["wape"]
    return evaluate.scores(every).assign(wape_of_q50=medians)


def main() -> None:
    folder = settings().shared_data
    if not (folder / SALES).exists():
        sys.exit(f"{folder / SALES} is not there; this benchmark needs the public data")
    warnings.filterwarnings("ignore", category=RuntimeWarning)  # means of styles without a day
    panel = amazon(folder)
    started = time.perf_counter()
    trained = train(panel, settings().forecast)
    seconds = time.perf_counter() - started
    size = f"{len(panel.ids):,} styles x {panel.end + 1} days, {trained.spec['rows']:,} training rows"
    print(f"{size}, XGBoost {trained.spec['xgboost']}")
    print(f"training: {seconds:.1f} s")
    table = compare(panel).sort_values("wape").round(4)
    print(table.to_string())


if __name__ == "__main__":
    main()
