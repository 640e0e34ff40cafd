"""The forecast panel: many series on one regular time axis, as matrices.

Rules of the long form (series_id, ds, y, further columns known ahead) that `c2m forecast` reads:

* (series_id, ds) is unique; ds is a date or a whole number; y is finite and not negative, or empty.
* Rows with empty y after a series' last observation are asked for; earlier empty ones are missing, and so are absent
  rows, unless `absent="zero"`: then they are zero from the series' first row to the last day observed in any series.
* Further columns are known ahead: numbers, or categories (text). Past the last value given, the last one holds.

The step of the axis is the greatest common divisor of the gaps (days, months, whole numbers).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import duckdb
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from c2m.errors import InputError
from c2m.settings import settings
from c2m.warehouse.published import read

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Absent = Literal["missing", "zero"]

KEYS = ("series_id", "ds", "y")
MAX_CELLS = 100_000_000  # series x periods; 0.8 GB as doubles
MAX_PERIODS = 20_000  # 54 years of days
SEASONS = {"D": 7, "W": 52, "M": 12}  # periods after which demand repeats: a week, a year, a year


@dataclass(frozen=True)
class Category:
    """A text column: codes (N, T), -1 where empty, into levels."""

    codes: Ints
    levels: tuple[str, ...]


@dataclass(frozen=True)
class Panel:
    """N series x T periods. nan in `y` is a missing observation; `asked` marks the cells to forecast."""

    ids: "pd.Index[Any]"
    ds: "pd.Index[Any]"
    y: Floats
    asked: Bools
    season: int  # periods in a season, 0 where none is known
    numbers: dict[str, Floats] = field(default_factory=dict)  # known ahead
    categories: dict[str, Category] = field(default_factory=dict)  # known ahead
    past: dict[str, Floats] = field(default_factory=dict)  # known only once the period is over

    @cached_property
    def seen(self) -> Bools:
        """Which cells hold an observation."""
        return ~np.isnan(self.y)

    @cached_property
    def whole(self) -> bool:
        """Whether demand comes in whole pieces."""
        return bool((self.y[self.seen] % 1 == 0).all())

    @cached_property
    def first(self) -> Ints:
        """Column of each series' first observation; T where it has none."""
        return np.where(self.seen.any(axis=1), self.seen.argmax(axis=1), self.y.shape[1])

    @cached_property
    def last(self) -> Ints:
        """Column of each series' last observation; -1 where it has none."""
        periods = self.y.shape[1]
        return np.where(self.seen.any(axis=1), periods - 1 - self.seen[:, ::-1].argmax(axis=1), -1)

    @property
    def kept(self) -> dict[str, Ints]:
        """(N,) codes of each category that every series keeps over all periods."""
        return {name: c.codes[:, 0] for name, c in self.categories.items() if (c.codes == c.codes[:, :1]).all()}

    @property
    def end(self) -> int:
        """Column of the last observation of any series."""
        return int(self.last.max(initial=-1))

    def some(self, rows: slice) -> "Panel":
        """Some of the series."""
        return replace(
            self,
            ids=self.ids[rows],
            y=self.y[rows],
            asked=self.asked[rows],
            numbers={name: values[rows] for name, values in self.numbers.items()},
            categories={name: Category(c.codes[rows], c.levels) for name, c in self.categories.items()},
            past={name: values[rows] for name, values in self.past.items()},
        )

    def until(self, origin: int, horizon: int) -> "Panel":
        """The panel as it stood at column `origin`: later observations are hidden, the next `horizon` of them asked."""
        periods = np.arange(self.y.shape[1])
        ahead = (periods > origin) & (periods <= origin + horizon)
        y = np.where(periods <= origin, self.y, np.nan)
        past = {name: np.where(periods <= origin, values, np.nan) for name, values in self.past.items()}
        return replace(self, y=y, asked=ahead & self.seen & (self.first <= origin)[:, None], past=past)


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
    y = _matrix((len(ids), len(ds)), rows, columns, frame["y"].to_numpy(dtype=np.float64, na_value=np.nan))
    present = _matrix(y.shape, rows, columns, np.ones(len(frame))) == 1
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
    if not (dates or pd.to_datetime(frame["ds"], errors="coerce", format="ISO8601").notna().all()):
        yield f"ds holds what is neither a date nor a whole number, such as {frame['ds'].iloc[0]!r}; write YYYY-MM-DD"
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


def _matrix(shape: tuple[int, int], rows: Ints, columns: Ints, values: Floats) -> Floats:
    """Values at (row, column), nan elsewhere."""
    matrix = np.full(shape, np.nan)
    matrix[rows, columns] = values
    return matrix


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
            numbers[name] = carried(_matrix(shape, rows, columns, np.where(np.isfinite(values), values, np.nan)))
        else:
            codes, levels = pd.factorize(column.astype("string"), sort=True)
            matrix = carried(_matrix(shape, rows, columns, np.where(codes < 0, np.nan, codes)))
            categories[name] = Category(np.nan_to_num(matrix, nan=-1).astype(np.int64), tuple(map(str, levels)))
    return numbers, categories


def carried(matrix: Floats) -> Floats:
    """Each row's last value known so far; before the first, the first, where the row is constant (static)."""
    filled = np.where(np.isnan(matrix), 0, np.arange(matrix.shape[1]))
    forward = np.take_along_axis(matrix, np.maximum.accumulate(filled, axis=1), axis=1)
    low, high = np.fmin.reduce(matrix, axis=1), np.fmax.reduce(matrix, axis=1)
    return np.where((low == high)[:, None], low[:, None], forward)


def daily_panel(
    demand: pd.DataFrame, styles: pd.DataFrame, drivers: pd.DataFrame, business_date: date, history_days: int
) -> Panel:
    """The panel of the daily run from the marts demand_daily, styles and demand_drivers.

    One series per style that was on sale before `business_date`. From its release or first sale to the day before, a
    day without a row is a day without demand. Asked for are the days of the forecast horizon, from `business_date` on.
    """
    day, horizon = pd.Timestamp(business_date), settings().forecast.horizon_days
    styles = styles.assign(series_id=style_series(styles), start=_start_of_sale(styles))
    styles = styles[styles["start"] < day].sort_values("series_id", ignore_index=True)
    if styles.empty:
        raise InputError("no-demand", [f"no style was released or sold before {business_date}; ingest sales first"])
    first = max(day - pd.Timedelta(days=history_days), styles["start"].min())
    grid = _Grid(pd.Index(styles["series_id"], dtype=object, name="series_id"), first, (day - first).days, horizon)
    on_sale = (grid.ds.to_numpy() >= styles["start"].to_numpy()[:, None]) & ~grid.ahead
    y = np.where(on_sale, grid.place(demand, "demand_date", "pieces_asked", 0.0), np.nan)
    numbers = {name: grid.place(drivers, "day", name, 0.0) for name in ("promotion_depth", "livestream_minutes")}
    past = {"unit_price": grid.place(demand, "demand_date", "unit_price")}
    past |= {name: grid.place(drivers, "day", name) for name in ("views", "searches", "carts")}
    past = {name: np.where(grid.ahead, np.nan, values) for name, values in past.items()}
    categories = {name: _static(styles[name], y.shape) for name in ("merchant_id", "category")}
    return Panel(grid.ids, grid.ds, y, grid.ahead & np.ones(y.shape, bool), SEASONS["D"], numbers, categories, past)


def published_panel(business_date: date) -> Panel:
    """The panel of the daily run as known at the start of `business_date`, from the published marts."""
    demand, styles, drivers = (read(name) for name in ("demand_daily", "styles", "demand_drivers"))
    return daily_panel(demand, styles, drivers, business_date, settings().forecast.history_days)


@dataclass(frozen=True)
class _Grid:
    """Styles x days: `known` days from `first`, then `horizon` days ahead."""

    ids: "pd.Index[Any]"
    first: pd.Timestamp
    known: int
    horizon: int

    @cached_property
    def ds(self) -> pd.DatetimeIndex:
        return pd.date_range(self.first, periods=self.known + self.horizon, name="ds")

    @property
    def ahead(self) -> Bools:
        """Which days lie ahead."""
        return np.arange(len(self.ds)) >= self.known

    def place(self, frame: pd.DataFrame, when: str, column: str, default: float = np.nan) -> Floats:
        """The column's values at their style and day, `default` elsewhere."""
        rows = self.ids.get_indexer(pd.Index(style_series(frame)))
        days = self.ds.get_indexer(pd.DatetimeIndex(frame[when]))
        inside = (rows >= 0) & (days >= 0)
        values = frame[column].to_numpy(dtype=np.float64, na_value=np.nan)[inside]
        matrix = _matrix((len(self.ids), len(self.ds)), rows[inside], days[inside], values)
        return np.where(np.isnan(matrix), default, matrix)


def style_series(frame: pd.DataFrame) -> "pd.Series[str]":
    """The series of a style; identifiers hold no slash."""
    return frame["merchant_id"].astype(str) + "/" + frame["style_id"].astype(str)


def _start_of_sale(styles: pd.DataFrame) -> "pd.Series[pd.Timestamp]":
    """Release or first sale, whichever came first."""
    start: pd.Series[pd.Timestamp] = styles[["released_on", "first_sold_on"]].apply(pd.to_datetime).min(axis=1)
    return start


def _static(column: "pd.Series[Any]", shape: tuple[int, int]) -> Category:
    """A text that a series keeps."""
    codes, levels = pd.factorize(column.astype("string"), sort=True)
    return Category(np.broadcast_to(codes[:, None], shape).astype(np.int64), tuple(map(str, levels)))
