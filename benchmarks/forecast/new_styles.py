"""Sales of new styles in their first six weeks (visuelle), beside attribute neighbours and the median curve.

    .venv/bin/python -m benchmarks.forecast.new_styles          (needs ../shared/data)

Held out: the last 500 styles by release date. Ours forecasts each of them in the week of its release, from what the
other styles had sold up to the week before. The rivals are shown more: all twelve weeks of every style that is not held
out, also those that lie after the release.
"""

import sys
import warnings

import duckdb
import numpy as np
import pandas as pd

from c2m.settings import settings
from models.demand.forecast import forecast
from models.panel.long import panel_of
from models.panel.matrices import Floats

DATA = "visuelle/train.csv"
HELD_OUT, WEEKS, SOLD_WEEKS, NEIGHBOURS = 500, 6, 12, 50
PIECES = 1065  # per unit of the file
ATTRIBUTES = ["category", "color", "fabric"]
STYLES = """
    SELECT 's' || external_code || '/' || row_number() OVER (ORDER BY release_date, external_code) AS series_id,
           date_trunc('week', release_date)::DATE AS released, category, color, fabric,
           ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"] AS sold
    FROM read_csv(?) ORDER BY release_date, external_code
"""


def weekly(styles: pd.DataFrame) -> pd.DataFrame:
    """One row per style and week on sale: series_id, ds, y (pieces) and the attributes."""
    sold = np.maximum(np.rint(np.stack(styles["sold"].to_numpy()) * PIECES), 0)  # 14 weeks have more returns than sales
    weeks = np.arange(SOLD_WEEKS)
    rows = styles.loc[styles.index.repeat(SOLD_WEEKS), ["series_id", "released", *ATTRIBUTES]]
    start = pd.to_datetime(rows.pop("released"))
    return rows.assign(ds=start + pd.to_timedelta(np.tile(weeks, len(styles)) * 7, "D"), y=sold.ravel())


def ours(known: pd.DataFrame, held_out: pd.DataFrame) -> Floats:
    """(styles, WEEKS): every style held out, forecast in its week of release."""
    history, asked = weekly(known), weekly(held_out)
    points = np.empty((len(held_out), WEEKS))
    for released, group in held_out.groupby("released"):
        day = pd.Timestamp(str(released))
        ahead = asked[asked["series_id"].isin(group["series_id"]) & (asked["ds"] < day + pd.Timedelta(weeks=WEEKS))]
        panel = panel_of(pd.concat([history[history["ds"] < day], ahead.assign(y=np.nan)]))
        found = forecast(panel, "wape").pivot(index="series_id", columns="ds", values="point")
        points[held_out.index.get_indexer(group.index)] = found.loc[group["series_id"]].to_numpy()
    return points


def neighbours(known: pd.DataFrame, held_out: pd.DataFrame) -> tuple[Floats, Floats]:
    """(styles, WEEKS) twice: mean and median curve of the 50 styles that share most attributes, the latest first."""
    curves = np.stack(known["sold"].to_numpy())[:, :WEEKS] * PIECES
    shared = sum((held_out[name].to_numpy()[:, None] == known[name].to_numpy()).astype(int) for name in ATTRIBUTES)
    latest_first = np.argsort(-shared[:, ::-1], axis=1, kind="stable")[:, :NEIGHBOURS]
    near = curves[len(known) - 1 - latest_first]
    return near.mean(axis=1), np.median(near, axis=1)


def main() -> None:
    file = settings().shared_data / DATA
    if not file.exists():
        sys.exit(f"{file} is not there; this benchmark needs the public data")
    warnings.filterwarnings("ignore", category=RuntimeWarning)
    styles = duckdb.execute(STYLES, [str(file)]).df().astype(dict.fromkeys(["series_id", *ATTRIBUTES], object))
    known, held_out = styles.iloc[:-HELD_OUT], styles.iloc[-HELD_OUT:]
    curves, came = (np.stack(some["sold"].to_numpy())[:, :WEEKS] * PIECES for some in (known, held_out))
    mean, median = neighbours(known, held_out)
    every = {
        "c2m": ours(known, held_out),
        "neighbours, mean of 50": mean,
        "neighbours, median of 50": median,
        "median curve": np.broadcast_to(np.median(curves, axis=0), came.shape),
    }
    errors = {name: np.abs(points - came).sum() / came.sum() for name, points in every.items()}
    bias = {name: (points - came).sum() / came.sum() for name, points in every.items()}
    print(pd.DataFrame({"wape": errors, "bias": bias}).round(4).to_string())


if __name__ == "__main__":
    main()
