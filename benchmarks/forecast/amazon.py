"""Daily demand per style on Amazon apparel: ours, simple baselines, statsforecast, LightGBM; the same folds for all.

    .venv/bin/python -m benchmarks.forecast.amazon [ORIGINS]          (needs ../shared/data; 40 minutes)

Demand: pieces asked (Qty > 0, cancelled lines too), 2022-04-01 to 2022-06-28 (03-31 and 06-29 are partial days). Folds:
the last 28 origins with 14 days after them, a day apart; horizons 1 to 14 days. Series: every style sold before the
first origin. Every method is fitted anew at each origin. A rival's quantiles are its point plus the empirical quantiles
of its own errors at the origins before, in eight classes of style speed; `wape_of_q50` takes the median of these
instead of its point. Costs: what the order policy would lose by each forecast, at prices and costs of the mapping.
"""

import sys
import time
import warnings
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import yaml

from benchmarks.forecast.rivals import LEARNED, STATISTICAL, Rivals
from c2m.domain.newsvendor import Stakes
from c2m.settings import settings
from models.demand.features import Cells, in_order, matrix
from models.demand.forecast import asked_cells, forecast
from models.demand.scorer import Scorer
from models.demand.train import train
from models.evaluation import cost
from models.evaluation.backtest import OURS, calibration, compared, fold, miscalibration, score, scores, transform
from models.evaluation.baselines import BASELINES, Points, baseline_frame
from models.evaluation.segments import SEGMENTS
from models.governance import promotion_gate
from models.panel.long import panel_of
from models.panel.matrices import Floats, Panel

SALES = "amazon_india_apparel/Amazon Sale Report.csv.gz"
MAPPING = Path(__file__).parents[2] / "mappings" / "amazon_india_apparel" / "catalogue.yaml"
ORIGINS, HORIZON = 28, 14
RECURSIVE = "c2m_recursive"  # the same model, day by day: why the engine is direct
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


def stakes(panel: Panel) -> Stakes:
    """What a piece too few and too many cost, by the category's price and cost in the project's mapping."""
    columns = yaml.safe_load(MAPPING.read_text(encoding="utf-8"))["columns"]
    category = panel.categories["category"]
    names = pd.DataFrame({"Category": np.array(category.levels)[category.codes[:, 0]]})
    query = f"SELECT ({columns['price']})::DOUBLE, ({columns['cost']})::DOUBLE FROM names"
    price, piece_cost = duckdb.sql(query).fetchnumpy().values() if len(names) else ()
    policy = settings().replenishment
    return Stakes.of(np.asarray(price), np.asarray(piece_cost), policy.window_days, policy)


@dataclass(frozen=True)
class Contest:
    """Everyone on the same folds of one panel."""

    panel: Panel
    origins: list[int]

    @cached_property
    def others(self) -> dict[str, Points]:
        """All but ours."""
        window = settings().replenishment.window_days
        return BASELINES | Rivals(self.panel, max(HORIZON, window)).points()

    def run(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """`evaluate.Backtest.cells` and `cost.costs` over all origins."""
        cells, costs = zip(*(self._at(origin) for origin in self.origins), strict=True)
        return pd.concat(cells, ignore_index=True), pd.concat(costs, ignore_index=True)

    def _at(self, origin: int) -> tuple[pd.DataFrame, pd.DataFrame]:
        policy, window = settings().forecast, settings().replenishment.window_days
        known = fold(self.panel, origin, HORIZON, self.origins[0])
        cells, model = asked_cells(known), train(known, policy).scorer()
        frames = {OURS: forecast(known, "wape", model), RECURSIVE: recursive(known, model)}
        frames |= {name: baseline_frame(points, known, cells) for name, points in self.others.items()}
        everyone: dict[str, cost.Contestant] = {OURS: cost.Ours(policy, model)}
        everyone |= {name: cost.Baseline(points) for name, points in self.others.items()}
        print(f"origin {self.panel.ds[origin]:%Y-%m-%d}: {len(cells):,} cells", file=sys.stderr)
        return compared(self.panel, cells, frames), cost.costs(
            self.panel, stakes(self.panel), everyone, [origin], window
        )


def recursive(known: Panel, model: Scorer) -> pd.DataFrame:
    """The forecasts of a fold when each day is forecast from the day before, whose mean stands in for its demand."""
    cells, y, found = asked_cells(known), known.y.copy(), []
    for target in np.unique(cells.target):
        at = np.flatnonzero(cells.target == target)
        series = cells.series[at]
        day = Cells(series, cells.target[at] - 1, cells.target[at])
        found.append((at, model.predict(matrix(replace(known, y=y), day))))
        y[series, target] = found[-1][1]["mean"]
    return in_order(found).assign(point=lambda frame: frame["q50"])


def show(title: str, table: pd.DataFrame, digits: int = 3) -> None:
    """One table under its title."""
    print(f"\n{title}\n{table.round(digits).to_string()}")


def by_segment(cells: pd.DataFrame, methods: list[str], figure: str) -> pd.DataFrame:
    """Methods x segments of one figure of `evaluate.score`."""
    some = cells[cells["method"].isin(methods)]
    grouped = {name: scores(group)[figure] for name, group in some.groupby("segment")}
    return pd.DataFrame(grouped).reindex(columns=[name for name in SEGMENTS if name in grouped])


def by_horizon(cells: pd.DataFrame, methods: list[str]) -> pd.DataFrame:
    """Methods x days ahead: WAPE."""
    some = cells[cells["method"].isin(methods)]
    grouped = some.groupby(["method", "horizon_day"], sort=False)
    wape = pd.Series({key: score(group)["wape"] for key, group in grouped})
    return wape.unstack().loc[methods]


def deciles(values: Floats) -> pd.DataFrame:
    """Share of the transform in each tenth of (0, 1); 0.1 each where calibrated."""
    counts, _ = np.histogram(values, bins=10, range=(0, 1))
    return pd.DataFrame([counts / len(values)], columns=[f"{tenth / 10:.1f}" for tenth in range(10)], index=["share"])


def tell(cells: pd.DataFrame, costs: pd.DataFrame) -> None:
    """Every table."""
    table = scores(cells).assign(wape_of_q50=scores(cells.assign(point=cells["q50"]))["wape"]).sort_values("wape")
    show("All origins and horizons", table.drop(columns="pieces"), 4)
    statistical = table.loc[[name for name in table.index if name in STATISTICAL]].index[0]
    few = [OURS, RECURSIVE, "seasonal_naive", str(statistical), *LEARNED]
    for figure in ("wape", "pinball", "bias"):
        show(f"{figure} by segment", by_segment(cells, few, figure))
    show("WAPE by days ahead", by_horizon(cells, few))
    ours = cells[cells["method"] == OURS]
    show("Calibration: share of cells below, and at most, each quantile of ours", calibration(ours).set_index("level"))
    off = {name: miscalibration(group) for name, group in ours.groupby("segment")} | {"all": miscalibration(ours)}
    show("How far the worst level lies outside of its two shares", pd.DataFrame([off], index=[OURS]))
    show("Probability integral transform, randomised, by tenths", deciles(transform(ours)))
    others = [name for name in table.index if name not in (OURS, RECURSIVE)]
    money = promotion_gate.beside(costs, OURS, others, settings().promotion).sort_values("cost")
    show(f"Business cost, {settings().promotion.confidence:.0%} interval of what ours saves", money)


def main() -> None:
    folder = settings().shared_data
    if not (folder / SALES).exists():
        sys.exit(f"{folder / SALES} is not there; this benchmark needs the public data")
    warnings.filterwarnings("ignore", category=RuntimeWarning)  # means of styles without a day
    warnings.filterwarnings("ignore", message="Found null values")  # of lags that go back before a style began
    panel, started = amazon(folder), time.perf_counter()
    last = panel.end - HORIZON
    count = int(sys.argv[1]) if len(sys.argv) > 1 else ORIGINS
    contest = Contest(panel, list(range(last - count + 1, last + 1)))
    tell(*contest.run())
    print(f"\n{len(panel.ids):,} styles x {panel.end + 1} days, {count} origins: {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
