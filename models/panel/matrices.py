"""A panel: many series on one regular time axis, as matrices of series x periods.

nan is a missing observation. Units: demand in pieces (or whatever the series count), periods in columns.
"""

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

SEASONS = {"D": 7, "W": 52, "M": 12}  # periods after which demand repeats: a week, a year, a year


@dataclass(frozen=True)
class CategoricalColumn:
    """A text column: codes (N, T), -1 where empty, into levels."""

    codes: Ints
    levels: tuple[str, ...]


@dataclass(frozen=True)
class Panel:
    """N series x T periods. Matrices are (N, T)."""

    ids: "pd.Index[Any]"  # of the series
    ds: "pd.Index[Any]"  # labels of the periods
    y: Floats  # what came; nan is a missing observation
    asked: Bools  # the cells to forecast
    season: int  # periods in a season, 0 where none is known
    numbers: dict[str, Floats] = field(default_factory=dict)  # known ahead
    categories: dict[str, CategoricalColumn] = field(default_factory=dict)  # known ahead
    past: dict[str, Floats] = field(default_factory=dict)  # known only once the period is over
    longer: int = 0  # periods in a second, longer season, such as a week of hours; 0 where none is known
    own: "pd.Index[Any] | None" = None  # labels of periods where series have days of their own
    places: Ints | None = None  # (N, T) into them
    notes: tuple[str, ...] = ()  # how the panel was read, in words

    @cached_property
    def seen(self) -> Bools:
        """Which cells hold an observation."""
        return ~np.isnan(self.y)

    @cached_property
    def whole(self) -> bool:
        """Whether demand comes in whole pieces; a cell in four of a series may be a slip, and decides for no other."""
        broken = (self.y % 1 > 0).sum(axis=1)
        return bool((4 * broken <= (self.seen & (self.y != 0)).sum(axis=1)).all())

    @cached_property
    def first(self) -> Ints:
        """(N,) column of each series' first observation; T where it has none."""
        return np.where(self.seen.any(axis=1), self.seen.argmax(axis=1), self.y.shape[1])

    @cached_property
    def last(self) -> Ints:
        """(N,) column of each series' last observation; -1 where it has none."""
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

    @cached_property
    def base(self) -> Floats:
        """(N,) in units of y: the least observation of a series with negative ones, else zero; the engine reads demand
        above it.
        """
        least: Floats = np.fmin.reduce(np.where(self.seen, self.y, 0.0), axis=1, initial=0.0)
        return least

    def lifted(self) -> "Panel":
        """With demand counted from each series' base, so that none is negative."""
        return replace(self, y=self.y - self.base[:, None]) if self.base.any() else self

    def when(self, series: Ints, column: Ints) -> "pd.Index[Any]":
        """The labels of cells' periods.

        Parameters
        ----------
        series
            (n,) rows of the panel.
        column
            (n,) columns of it.

        Returns
        -------
        pd.Index
            (n,) labels.
        """
        if self.own is None or self.places is None:
            return self.ds[column]
        return self.own[self.places[series, column]].rename(self.ds.name)

    def noted(self, *notes: str) -> "Panel":
        """With further words of how it was read."""
        return replace(self, notes=(*notes, *self.notes))

    def some(self, rows: slice | Bools) -> "Panel":
        """Some of the series."""
        return replace(
            self,
            ids=self.ids[rows],
            y=self.y[rows],
            asked=self.asked[rows],
            numbers={name: values[rows] for name, values in self.numbers.items()},
            categories={name: CategoricalColumn(c.codes[rows], c.levels) for name, c in self.categories.items()},
            past={name: values[rows] for name, values in self.past.items()},
            places=None if self.places is None else self.places[rows],
        )

    def until(self, origin: int, horizon: int) -> "Panel":
        """The panel as it stood at an origin: later observations are hidden.

        Parameters
        ----------
        origin
            Column of the last period that is known.
        horizon
            Periods after it that are asked for, where something came.

        Returns
        -------
        Panel
            Of the same shape.
        """
        periods = np.arange(self.y.shape[1])
        ahead = (periods > origin) & (periods <= origin + horizon)
        y = np.where(periods <= origin, self.y, np.nan)
        past = {name: np.where(periods <= origin, values, np.nan) for name, values in self.past.items()}
        return replace(self, y=y, asked=ahead & self.seen & (self.first <= origin)[:, None], past=past)


def placed(shape: tuple[int, int], rows: Ints, columns: Ints, values: Floats) -> Floats:
    """Values at their places in a matrix.

    Parameters
    ----------
    shape
        Rows and columns of the matrix.
    rows
        (n,) of the values.
    columns
        (n,) of the values.
    values
        (n,) in any units.

    Returns
    -------
    numpy.ndarray
        (rows, columns) in the same units, nan elsewhere.
    """
    matrix = np.full(shape, np.nan)
    matrix[rows, columns] = values
    return matrix


def carried(matrix: Floats) -> Floats:
    """Each row's last value known so far; before the first, the first, where the row is constant (static)."""
    filled = np.where(np.isnan(matrix), 0, np.arange(matrix.shape[1]))
    forward = np.take_along_axis(matrix, np.maximum.accumulate(filled, axis=1), axis=1)
    low, high = np.fmin.reduce(matrix, axis=1), np.fmax.reduce(matrix, axis=1)
    return np.where((low == high)[:, None], low[:, None], forward)
