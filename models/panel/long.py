"""The forecast panel: many series on one regular time axis, as matrices.

Rules of the long form (series_id or unique_id, ds, y, further columns known ahead) that `c2m forecast` reads:

* (series_id, ds) is unique; ds is a date, a time or a whole number (`models.panel.dates`); y is finite, or empty.
* Rows with empty y after a series' last observation are asked for; with a horizon, its next periods are instead.
  Earlier empty ones are missing, and so are absent rows, unless `absent="zero"`: then they are zero from the series'
  first row to the last period observed in any series.
* Further columns are known ahead: numbers, or categories (text). Past the last value given, the last one holds. Where
  four cells in five are numbers, the others are faults: one mistyped price makes no category of all.
* The step of the axis is told or inferred (`models.panel.periods`), and the season follows from it unless told.
"""

from pathlib import Path
from typing import Any, Literal, TypedDict, Unpack

import numpy as np
import pandas as pd

from c2m.errors import InputError
from models.panel import periods
from models.panel.columns import KEYS, keyed
from models.panel.dates import Order
from models.panel.labels import Labels, labelled
from models.panel.matrices import Bools, CategoricalColumn, Floats, Ints, Panel, carried, placed
from models.panel.numerals import distinct, is_text, numerals
from models.panel.rows import PanelRows, named, read_rows
from models.panel.table import read_table

Absent = Literal["missing", "zero"]

MAX_CELLS = 100_000_000  # series x periods; 0.8 GB as doubles
MAX_PERIODS = 100_000  # 11 years of hours


class PanelOptions(TypedDict, total=False):
    """What is said of a panel beside its rows.

    frequency: h, 30min, D, B, W, M, Q, Y and their kin. season: periods after which demand repeats. order: of day and
    month. horizon: periods to forecast after each series' last observation.
    """

    frequency: str | None
    season: int | None
    order: Order | None
    horizon: int | None


def read_panel(path: Path, absent: Absent = "missing", **said: Unpack[PanelOptions]) -> Panel:
    """The panel of a CSV, Parquet or Excel file. Keywords: those of `PanelOptions`.

    Parameters
    ----------
    path
        A long table: series_id, ds, y and covariates.
    absent
        What a row that is not there means: not observed, or no demand.

    Returns
    -------
    Panel
        With notes in words on how it was read.

    Raises
    ------
    InputError
        The file cannot be read, or its rows break a rule; all faults at once.
    """
    try:
        table = read_table(path)
        return panel_of(table.frame, absent, **said).noted(f"read as {table.read_as}")
    except InputError as error:
        raise InputError(error.reason, [f"{path}: {fault}" for fault in error.faults]) from None


def panel_of(frame: pd.DataFrame, absent: Absent = "missing", **said: Unpack[PanelOptions]) -> Panel:
    """The panel of a long frame. Keywords: those of `PanelOptions`.

    Parameters
    ----------
    frame
        A row per series and period: series_id, ds, y and covariates.
    absent
        What a row that is not there means: not observed, or no demand.

    Returns
    -------
    Panel
        Series by periods, with notes in words on how it was read.

    Raises
    ------
    InputError
        Rows break a rule; all faults at once.

    Examples
    --------
    >>> days = pd.date_range("2026-01-05", periods=28)
    >>> shirts = pd.DataFrame({"series_id": "shirt", "ds": days, "y": [1, 2, 3, 4, 5, 6, 7] * 4})
    >>> panel = panel_of(shirts, horizon=7)
    >>> panel.y.shape, panel.season
    ((1, 35), 7)
    """
    frame, notes = keyed(frame)
    rows = read_rows(frame, said.get("order"))
    places = periods.Places(rows.series, rows.date, rows.dates.ticks, rows.names)
    step = _step(places, absent, said.get("frequency"))
    numbers = step.numbers(rows.dates.ticks)[rows.date]
    first, ahead = int(numbers.min()), said.get("horizon") or 0
    _refuse(list(_misplaced(places, numbers, step, ahead)))
    columns = numbers - first
    shape = len(rows.names), _width(columns, rows.y, ahead)
    labels = labelled(places, rows.dates, step, columns, np.arange(first, first + shape[1]))
    y, asked = _demand(rows, columns, shape, absent, ahead)
    covariates = _covariates(frame, rows.series, columns, shape)
    season, longer = (said.get("season") or step.seasons[0]), (0 if said.get("season") else step.seasons[1])
    panel = _panel(rows, labels, (y, asked), covariates, (season, longer))
    return panel.noted(*notes, *rows.notes, _in_words(panel, step))


def _panel(
    rows: PanelRows,
    labels: Labels,
    demand: tuple[Floats, Bools],
    covariates: tuple[dict[str, Floats], dict[str, CategoricalColumn]],
    seasons: tuple[int, int],
) -> Panel:
    ids = pd.Index(rows.names, dtype=object, name="series_id")
    return Panel(
        ids, labels.common, *demand, seasons[0], *covariates, longer=seasons[1], own=labels.own, places=labels.places
    )


def _step(places: periods.Places, absent: Absent, frequency: str | None) -> periods.PeriodLength:
    if frequency:
        return periods.fitted(periods.told(frequency), places.ticks)
    return periods.step_of(places, strict=absent == "missing")


def _in_words(panel: Panel, step: periods.PeriodLength) -> str:
    seasons = [f"{season} periods" for season in (panel.season, panel.longer) if season > 1]
    season = f"season {' and '.join(seasons)}" if seasons else "no season"
    cells = f"{panel.y.shape[0]} series x {panel.y.shape[1]} periods from {_short(panel.ds[0])}"
    return f"by {step.name}, {season}: {cells} to {_short(panel.ds[-1])}, {int(panel.asked.sum())} cells to forecast"


def _short(label: object) -> str:
    return str(label).removesuffix(" 00:00:00")


def _refuse(faults: list[str]) -> None:
    if faults:
        raise InputError("bad-panel", faults)


def _misplaced(places: periods.Places, numbers: Ints, step: periods.PeriodLength, horizon: int) -> "list[str]":
    """Dates that are far off, too many, or two in one period."""
    faults = list(periods.strays(places, numbers))
    series, count = len(places.names), int(np.ptp(numbers)) + 1 + horizon
    if not faults and (count > MAX_PERIODS or series * count > MAX_CELLS):
        limits = f"{MAX_PERIODS} periods or {MAX_CELLS} cells"
        size = f"{series} series x {count} periods (one {step.name} each) are over {limits}"
        faults.append(f"{size}; check ds for a stray date, say --freq, or a smaller --horizon")
    twice = np.flatnonzero(pd.Series(places.series * count + numbers).duplicated(keep=False))
    if len(twice):
        faults.append(f"{len(twice)} rows share a {step.name} with another of their series: {places.shown(twice)}")
    return faults


def _width(columns: Ints, y: Floats, horizon: int) -> int:
    """Periods of the panel, those of the horizon included."""
    last = int(columns[~np.isnan(y)].max())
    return max(int(columns.max()), last + horizon) + 1


def _demand(
    rows: PanelRows, columns: Ints, shape: tuple[int, int], absent: Absent, horizon: int
) -> tuple[Floats, Bools]:
    """(N, T) y, nan where it is missing; and what is asked for."""
    y = placed(shape, rows.series, columns, rows.y)
    present = placed(shape, rows.series, columns, np.ones(len(columns))) == 1
    asked = present & (np.arange(shape[1]) > _last_seen(y)[:, None])
    if absent == "zero":
        y = _with_zeros(y, present, asked)
    if horizon:
        after = np.arange(shape[1]) - _last_seen(y)[:, None]
        asked = (after > 0) & (after <= horizon) & ~np.isnan(y).all(axis=1)[:, None] | _of_new(asked, y, horizon)
    return y, asked


def _of_new(asked: Bools, y: Floats, horizon: int) -> Bools:
    """What is asked of series without an observation: the first periods of their rows."""
    new: Bools = asked & np.isnan(y).all(axis=1)[:, None] & (np.cumsum(asked, axis=1) <= horizon)
    return new


def _last_seen(y: Floats) -> Ints:
    return np.where(np.isnan(y), -1, np.arange(y.shape[1])).max(axis=1)


def _with_zeros(y: Floats, present: Bools, asked: Bools) -> Floats:
    """Zero in absent cells from a series' first row up to what is asked of it, and not past the last day observed."""
    started = np.logical_or.accumulate(present, axis=1) & ~np.logical_or.accumulate(asked, axis=1)
    known = np.arange(y.shape[1]) <= _last_seen(y).max()
    return np.where(started & known & ~present, 0.0, y)


def _covariates(
    frame: pd.DataFrame, rows: Ints, columns: Ints, shape: tuple[int, int]
) -> tuple[dict[str, Floats], dict[str, CategoricalColumn]]:
    """Every further column as a matrix; a column without any value is left out."""
    numbers, categories = {}, {}
    for name in frame.columns.difference(list(KEYS), sort=False):
        column = frame[name]
        if column.isna().all():
            continue
        values = _as_numbers(str(name), column)
        if values is not None:
            finite = np.where(np.isfinite(values) & (np.abs(values) < LARGEST_COVARIATE), values, np.nan)
            numbers[str(name)] = carried(placed(shape, rows, columns, finite))
            continue
        codes, levels = named(column)
        matrix = carried(placed(shape, rows, columns, np.where(codes < 0, np.nan, codes)))
        categories[str(name)] = CategoricalColumn(np.nan_to_num(matrix, nan=-1).astype(np.int64), tuple(levels))
    return numbers, categories


LARGEST_COVARIATE = 1e30  # single precision ends near 1e38


MOSTLY = 0.8  # of a column's cells, from which on it holds numbers, and what is none is a slip


def _as_numbers(name: str, column: "pd.Series[Any]") -> Floats | None:
    """The column as numbers (rows,), unless some of its cells are none; refused where few of them are none."""
    if pd.api.types.is_datetime64_any_dtype(column):
        return None
    if not is_text(column):
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    codes, texts = distinct(column)
    read = numerals(texts)
    values: Floats = np.where(codes >= 0, read.values[codes], np.nan)
    wrong = np.flatnonzero((codes >= 0) & read.wrong[codes])
    if 0 < len(wrong) < (1 - MOSTLY) * (len(wrong) + np.isfinite(values).sum()):
        first = f"row {wrong[0] + 1}: {column.iloc[wrong[0]]}"
        fault = f"{len(wrong)} rows have a {name} that is {read.why}, as the others are: {first}"
        raise InputError("bad-panel", [f"{fault}; mend them, or write every {name} as a word if it is a category"])
    return None if len(wrong) else values
