"""The public orange-juice benchmark through `c2m forecast`, beside the published submissions.

    .venv/bin/python -m benchmarks.forecast.orange_juice [ROUND ...]

Store x brand x week. In round r weeks 40 to 135 + 2 (r - 1) are known, and the two weeks after a gap of one are asked;
their prices, deals and features are known. MAPE and WAPE over the rows that came. What of the engine was chosen by this
data was chosen on rounds 1 to 4; rounds 5 to 8 stand apart.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from c2m.settings import settings

DATA = "orange_juice/yx_to_week_152.csv.gz"
FIRST_END, STEP, GAP, ASKED = 135, 2, 1, 2  # weeks
ROUNDS = range(1, 9)
# Chosen on rounds 1 to 4 and on eight like them before. Asked are the weeks two and three ahead: nearer ones are
# therefore not drawn more often.
CONFIGURATION = {"C2M_FORECAST__ROUNDS": "400", "C2M_FORECAST__NEARNESS": "0"}
PUBLISHED = {  # rounds 1 to 8: MAPE, WAPE (../shared/data/README.md)
    "LightGBM": (35.37, 48.71),
    "mean": (69.94, 61.19),
    "ARIMA": (71.17, 62.67),
    "ETS": (71.60, 63.61),
    "naive": (113.88, 83.86),
    "seasonal naive": (185.54, 103.35),
}
ROWS = """
    SELECT store || '/' || brand AS series_id, week::BIGINT AS ds, exp(logmove) AS y,
           [price1, price2, price3, price4, price5, price6, price7, price8, price9, price10, price11][brand] AS price,
           columns('price[0-9]+'),
           deal::DOUBLE AS deal, feat::DOUBLE AS feat, 'store ' || store AS store, 'brand ' || brand AS brand
    FROM read_csv(?)
"""


def sales() -> pd.DataFrame:
    """Every row of the file as `c2m forecast` reads it."""
    return duckdb.execute(ROWS, [str(settings().shared_data / DATA)]).df()


def asked(rows: pd.DataFrame, number: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The panel of a round, and what came in its asked weeks."""
    end = FIRST_END + STEP * (number - 1)
    ahead = rows["ds"].between(end + GAP + 1, end + GAP + ASKED)
    panel = rows[(rows["ds"] <= end) | ahead]
    return panel.assign(y=panel["y"].where(panel["ds"] <= end)), rows[ahead]


def forecasts(metric: str, rounds: list[int]) -> Iterator[pd.DataFrame]:
    """Per round: what came (y), and the point that the command gave for it."""
    rows = sales()
    for number in rounds:
        panel, came = asked(rows, number)
        with tempfile.TemporaryDirectory() as scratch:
            file, out = Path(scratch) / "panel.parquet", Path(scratch) / "forecast.parquet"
            panel.to_parquet(file, index=False)
            command = [sys.executable, "-m", "c2m.cli", "forecast", str(file), "--out", str(out), "--metric", metric]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=os.environ | CONFIGURATION)
            found = pd.read_parquet(out)[["series_id", "ds", "point"]]
        yield came[["series_id", "ds", "y"]].merge(found, how="left", validate="1:1").assign(round=number)


def error(metric: str, rows: pd.DataFrame) -> float:
    """Percent; a row without a forecast counts as one of zero."""
    miss = (rows["point"].fillna(0) - rows["y"]).abs()
    return float(100 * ((miss / rows["y"]).mean() if metric == "mape" else miss.sum() / rows["y"].sum()))


def main() -> None:
    rounds = [int(number) for number in sys.argv[1:]] or list(ROUNDS)
    if not (settings().shared_data / DATA).exists():
        sys.exit(f"{settings().shared_data / DATA} is not there; this benchmark needs the public data")
    parts = {"rounds 1 to 4": ROUNDS[:4], "rounds 5 to 8": ROUNDS[4:], "rounds 1 to 8": ROUNDS}
    table = pd.DataFrame(index=[f"c2m forecast, {part}" for part in parts])
    for metric in ("mape", "wape"):
        rows = pd.concat(forecasts(metric, rounds))
        table[metric] = [error(metric, rows[np.isin(rows["round"], part)]) for part in parts.values()]
    published = pd.DataFrame.from_dict(PUBLISHED, orient="index", columns=["mape", "wape"])
    print(pd.concat([table, published]).round(2).to_string())


if __name__ == "__main__":
    main()
