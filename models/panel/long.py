"""The forecast panel: many series on one regular time axis, as matrices.

Rules of the long form (series_id, ds, y, further columns known ahead) that `c2m forecast` reads:

* (series_id, ds) is unique; ds is a date or a whole number; y is finite and not negative, or empty.
* Rows with empty y after a series' last observation are asked for; earlier empty ones are missing, and so are absent
  rows, unless `absent="zero"`: then they are zero from the series' first row to the last day observed in any series.
* Further columns are known ahead: numbers, or categories (text). Past the last value given, the last one holds.

The step of the axis is the greatest common divisor of the gaps (days, months, whole numbers).
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import duckdb
import numpy as np
import pandas as pd

from c2m.errors import InputError
from models.panel.matrices import SEASONS, Bools, Category, Floats, Ints, Panel, carried, placed

Absent = Literal["missing", "zero"]

KEYS = ("series_id", "ds", "y")
MAX_CELLS = 100_000_000  # series x periods; 0.8 GB as doubles
MAX_PERIODS = 20_000  # 54 years of days


def read_panel(path: Path, absent: Absent = "missing") -> Panel:
    """The panel of a CSV or Parquet file."""
    if not path.is_file():
        raise InputError(
            "no-panel", [f"{path}: no such file; expected a CSV or Parquet panel ({', '.join(KEYS)}, ...)"]
        )
    try:
        return panel_of(_frame(path), absent)
    except InputError as error:
        raise InputError(error.reason, [f"{path}: {fault}" for fault in error.faults]) from None


def _frame(path: Path) -> pd.DataFrame:
    """The file's rows, series_id as text."""
    with duckdb.connect() as connection:
        try:
            if path.suffix == ".parquet":
                relation = connection.read_parquet(str(path))
            else:
                relation = connection.read_csv(str(path), dtype={"series_id": "VARCHAR"}, sample_size=-1)
            return relation.df()
        except duckdb.Error as error:
            raise InputError("unreadable-panel", [str(error).splitlines()[0]]) from None


def panel_of(frame: pd.DataFrame, absent: Absent = "missing") -> Panel:
    """The panel of a long frame; every broken rule is named at once."""
    _refuse(
        [f"column {key} is missing; found {', '.join(map(str, frame.columns))}" for key in KEYS if key not in frame]
    )
    frame = frame.assign(series_id=frame["series_id"].astype("string"))
    _refuse(list(_faults(frame)))
    ids = pd.Index(sorted(frame["series_id"].unique()), dtype=object, name="series_id")
    rows = ids.get_indexer(frame["series_id"].to_numpy(dtype=object))
    columns, ds, season = _axis(frame["ds"])
    _refuse(_irregular(ids, rows, columns) if absent == "missing" else [])
    _refuse_size(len(ids), len(ds))
    y = placed((len(ids), len(ds)), rows, columns, frame["y"].to_numpy(dtype=np.float64, na_value=np.nan))
    present = placed(y.shape, rows, columns, np.ones(len(frame))) == 1
    asked = present & (np.arange(len(ds)) > _last_seen(y)[:, None])
    if absent == "zero":
        y = _with_zeros(y, present, asked)
    numbers, categories = _covariates(frame, rows, columns, y.shape)
    return Panel(ids, ds, y, asked, season, numbers, categories)


def _refuse(faults: list[str]) -> None:
    if faults:
        raise InputError("bad-panel", faults)


def _faults(frame: pd.DataFrame) -> Iterable[str]:
    """What is wrong with keys and values, each with series and counts."""
    if frame.empty:
        yield "no rows; expected at least one observation"
        return
    dates = pd.api.types.is_datetime64_any_dtype(frame["ds"]) or pd.api.types.is_integer_dtype(frame["ds"])
    # pandas 2 has no date past 2262.
    odd = frame["ds"][pd.to_datetime(frame["ds"], errors="coerce", format="ISO8601").isna() & (not dates)]
    if len(odd):
        what = "neither a date nor a whole number"
        yield f"ds holds what is {what}, such as {odd.iloc[0]!r}; write YYYY-MM-DD, and look for a stray date"
    if not pd.api.types.is_numeric_dtype(frame["y"]) and frame["y"].notna().any():
        yield f"y is not a number throughout (read as {frame['y'].dtype}); leave it empty where it is missing"
        return
    y = frame["y"].astype("float64")
    checks = {
        "an empty series_id": frame["series_id"].isna() | (frame["series_id"] == ""),
        "the same (series_id, ds) as another row": frame.duplicated(["series_id", "ds"], keep="first"),
        "negative y; demand is zero or more": y < 0,
        "infinite y": y.abs() == np.inf,
    }
    yield from (_named(frame.loc[broken, "series_id"], what) for what, broken in checks.items() if broken.any())
    if y.isna().all():
        yield f"y is empty in all {len(frame)} rows; at least one series needs an observation"


def _named(series: "pd.Series[Any]", what: str) -> str:
    """The count of broken rows and the series that have most of them."""
    worst = series.fillna("(empty)").value_counts()
    names = ", ".join(f"{name} ({count})" for name, count in worst.head(5).items())
    return f"{len(series)} rows in {len(worst)} series have {what}: {names}{', ...' if len(worst) > 5 else ''}"


def _axis(ds: "pd.Series[Any]") -> "tuple[Ints, pd.Index[Any], int]":
    """Column of each row, the label of each column, and the season."""
    if pd.api.types.is_integer_dtype(ds):
        columns, step = _regular(ds.to_numpy(dtype=np.int64))
        _refuse_size(1, int(columns.max()) + 1)
        return columns, pd.Index(int(ds.min()) + step * np.arange(columns.max() + 1), name="ds"), 0
    dates = pd.to_datetime(ds, format="ISO8601").dt.tz_localize(None).dt.normalize()
    monthly = "MS" if dates.dt.is_month_start.all() else "ME" if dates.dt.is_month_end.all() else ""
    if monthly and dates.nunique() > 1:
        months = np.asarray(dates, dtype="datetime64[M]").astype(np.int64)
        columns = months - months.min()
        labels = pd.date_range(dates.min(), periods=int(columns.max()) + 1, freq=monthly, name="ds")
        return columns, labels, SEASONS["M"]
    columns, step = _regular(np.asarray(dates, dtype="datetime64[D]").astype(np.int64))
    _refuse_size(1, int(columns.max()) + 1)
    labels = pd.date_range(dates.min(), periods=int(columns.max()) + 1, freq=f"{step}D", name="ds")
    return columns, labels, {1: SEASONS["D"], 7: SEASONS["W"]}.get(step, 0)


def _regular(ticks: Ints) -> tuple[Ints, int]:
    """Ticks as multiples of their common step from the first."""
    offsets = ticks - ticks.min()
    step = int(np.gcd.reduce(offsets)) or 1
    columns: Ints = offsets // step
    return columns, step


def _irregular(ids: "pd.Index[Any]", rows: Ints, columns: Ints) -> list[str]:
    """Series that step by more than the panel does: two frequencies in one panel, each to be forecast on its own."""
    order = np.lexsort((columns, rows))
    gaps = pd.Series(np.diff(columns[order])).where(np.diff(rows[order]) == 0)
    by_series = gaps.groupby(rows[order][1:])
    steps = pd.DataFrame({"least": by_series.min(), "most": by_series.max(), "count": by_series.count()})
    # Eight equal gaps of more than one step are a rhythm, not chance.
    odd = steps[(steps["least"] == steps["most"]) & (steps["least"] > 1) & (steps["count"] >= 8)]
    if odd.empty:
        return []
    names = ", ".join(
        f"{ids[row]} (every {gap:.0f} periods)" for row, gap in zip(odd.index[:5], odd["least"], strict=False)
    )
    return [
        f"mixed frequencies: {len(odd)} of {len(ids)} series step wider than the rest: {names}; forecast them apart"
    ]


def _refuse_size(series: int, periods: int) -> None:
    if periods > MAX_PERIODS or series * periods > MAX_CELLS:
        limits = f"{MAX_PERIODS} periods or {MAX_CELLS} cells"
        _refuse([f"{series} series x {periods} periods are over {limits}; check ds for a stray date"])


def _last_seen(y: Floats) -> Ints:
    return np.where(np.isnan(y), -1, np.arange(y.shape[1])).max(axis=1)


def _with_zeros(y: Floats, present: Bools, asked: Bools) -> Floats:
    """Zero in absent cells from a series' first row up to what is asked of it, and not past the last day observed."""
    started = np.logical_or.accumulate(present, axis=1) & ~np.logical_or.accumulate(asked, axis=1)
    known = np.arange(y.shape[1]) <= _last_seen(y).max()
    return np.where(started & known & ~present, 0.0, y)


def _covariates(
    frame: pd.DataFrame, rows: Ints, columns: Ints, shape: tuple[int, int]
) -> tuple[dict[str, Floats], dict[str, Category]]:
    """Every further column as a matrix; a column without any value is left out."""
    numbers, categories = {}, {}
    for name in (str(column) for column in frame.columns if column not in KEYS):
        column = frame[name]
        if column.notna().sum() == 0:
            continue
        if pd.api.types.is_numeric_dtype(column):
            values = column.to_numpy(dtype=np.float64, na_value=np.nan)
            numbers[name] = carried(placed(shape, rows, columns, np.where(np.isfinite(values), values, np.nan)))
        else:
            codes, levels = pd.factorize(column.astype("string"), sort=True)
            matrix = carried(placed(shape, rows, columns, np.where(codes < 0, np.nan, codes)))
            categories[name] = Category(np.nan_to_num(matrix, nan=-1).astype(np.int64), tuple(map(str, levels)))
    return numbers, categories
