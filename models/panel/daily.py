"""The panel of the daily run, from the published marts demand_daily, styles and demand_drivers."""

from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from c2m.errors import InputError
from c2m.settings import settings
from c2m.warehouse.published import read
from models.panel.matrices import SEASONS, Bools, CategoricalColumn, Floats, Panel, placed
from models.panel.outliers import without_outliers


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
    first = max(day - pd.Timedelta(history_days, "D"), styles["start"].min())
    grid = _Grid(pd.Index(styles["series_id"], dtype=object, name="series_id"), first, (day - first).days, horizon)
    on_sale = (grid.ds.to_numpy() >= styles["start"].to_numpy()[:, None]) & ~grid.ahead
    y = np.where(on_sale, grid.place(demand, "demand_date", "pieces_asked", 0.0), np.nan)
    numbers = {name: grid.place(drivers, "day", name, 0.0) for name in ("promotion_depth", "livestream_minutes")}
    past = _past(grid, demand, drivers)
    categories = {name: _static(styles[name], y.shape) for name in ("merchant_id", "category")}
    return Panel(grid.ids, grid.ds, y, grid.ahead & np.ones(y.shape, bool), SEASONS["D"], numbers, categories, past)


def _past(grid: "_Grid", demand: pd.DataFrame, drivers: pd.DataFrame) -> dict[str, Floats]:
    """What is known of days gone by alone."""
    past = {"unit_price": grid.place(demand, "demand_date", "unit_price")}
    past |= {name: grid.place(drivers, "day", name) for name in ("views", "searches", "carts")}
    return {name: np.where(grid.ahead, np.nan, values) for name, values in past.items()}


def published_panel(business_date: date) -> Panel:
    """The panel of the daily run as known at the start of `business_date`, from the published marts.

    Its notes name the cells that are mistakes; what is plausible stands in for them.

    Raises
    ------
    InputError
        No style was released or sold before that day, or nothing is published.
    """
    demand, styles, drivers = map(read, ("demand_daily", "styles", "demand_drivers"))
    panel = daily_panel(demand, styles, drivers, business_date, settings().forecast.history_days)
    plausible, odd = without_outliers(panel)
    return plausible.noted(*odd.words(panel))


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
        matrix = placed((len(self.ids), len(self.ds)), rows[inside], days[inside], values)
        return np.where(np.isnan(matrix), default, matrix)


def style_series(frame: pd.DataFrame) -> "pd.Series[str]":
    """The series of a style: merchant_id/style_id, columns of the frame; identifiers hold no slash."""
    return frame["merchant_id"].astype(str) + "/" + frame["style_id"].astype(str)


def _start_of_sale(styles: pd.DataFrame) -> "pd.Series[pd.Timestamp]":
    """Release or first sale, whichever came first."""
    start: pd.Series[pd.Timestamp] = styles[["released_on", "first_sold_on"]].apply(pd.to_datetime).min(axis=1)
    return start


def _static(column: "pd.Series[Any]", shape: tuple[int, int]) -> CategoricalColumn:
    """A text that a series keeps."""
    codes, levels = pd.factorize(column.astype("string"), sort=True)
    return CategoricalColumn(np.broadcast_to(codes[:, None], shape).astype(np.int64), tuple(map(str, levels)))
