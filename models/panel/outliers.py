"""Observations that are mistakes: one cell of a series far beyond all others, as 25 typed as 100000.

Such a cell would move the level of its series and what all series have in common. The median of its neighbours stands
in for it, and it is named. What comes twice in a series is a level or a season, what several series have in the same
period is an event, and what a promotion known ahead explains is a success: these stay.

Numbers known ahead are mended in the same way where one cell of a series is a hundred times all others or a hundredth
of them: a price of 1e6 among those of 10 moved the forecasts of other series by 24 %.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from models.panel.matrices import Bools, Floats, Ints, Panel

BEYOND = 3.0  # times the largest of the others
FAR = 5.0  # deviations of the logarithm from its median
LEAST_DEVIATION = 0.25  # of the logarithm, so that a series without noise has no outliers of a few percent
FEWEST = 5  # other observations than zero from which is known how they vary
BEYOND_FEW = 100.0  # times the largest of the others, where they are fewer
RARE = 0.2  # share of the periods in which a number is so unusual at most, to explain a cell
NEIGHBOURS = 14  # nearest observations whose median stands in
ALIKE = 5.0  # times the least of a series' numbers, that the largest is at most where they are alike
EVENT = 3  # series that are far off in the same period
_ROWS = 4096  # series at once
_SHOWN = 5


@dataclass(frozen=True)
class Outliers:
    """Cells that are mistakes: series and column (n,); what was observed, and what stands in for it."""

    series: Ints
    column: Ints
    observed: Floats
    instead: Floats

    def words(self, panel: Panel, what: str = "y", cause: str = "over three times") -> list[str]:
        """Each by series and date; of many the first ones."""
        labels = panel.when(self.series, self.column).astype(str)
        names = panel.ids[self.series]
        cells = zip(names, labels, self.observed, self.instead, strict=True)
        words = [f"{name} {when}: {what} is {y:g}, taken as {other:g}" for name, when, y, other in cells]
        if not words:
            return []
        more = f"; and {len(words) - _SHOWN} more" if len(words) > _SHOWN else ""
        why = f"{cause} all others of its series; the median of the neighbours stands in"
        return [f"outliers ({why}): {'; '.join(words[:_SHOWN])}{more}"]


def without_outliers(panel: Panel) -> tuple[Panel, Outliers]:
    """The panel with plausible values in place of mistakes, and these."""
    series, column = _single(panel.y, _found)
    explained = [_is_explained(panel, row, at) for row, at in zip(series, column, strict=True)]
    left = ~np.array(explained, dtype=bool)
    y, found = _mended(panel.y, series[left], column[left])
    return replace(panel, y=y), found


def without_slips(panel: Panel) -> tuple[Panel, list[str]]:
    """The panel with plausible numbers known ahead in place of mistakes, and these in words."""
    numbers, words = dict(panel.numbers), []
    for name, values in panel.numbers.items():
        numbers[name], found = _mended(values, *_single(values, _slips))
        words += found.words(panel, name, "a hundred times, or a hundredth of,")
    return replace(panel, numbers=numbers), words


def _single(values: Floats, find: Callable[[Floats, int], tuple[Ints, Ints]]) -> tuple[Ints, Ints]:
    """Rows and columns of the cells (N, T) that are found, but for those of several series in one period."""
    parts = [find(values[start : start + _ROWS], start) for start in range(0, len(values), _ROWS)]
    series, column = (np.concatenate(cells) for cells in zip(*parts, strict=True))
    single = np.bincount(column, minlength=1)[column] < EVENT
    return series[single], column[single]


def _mended(values: Floats, series: Ints, column: Ints) -> tuple[Floats, Outliers]:
    """Values (N, T) with what is usual in place of some cells."""
    mended = values.copy() if len(series) else values
    instead = np.array([_usual(values[row], at) for row, at in zip(series, column, strict=True)])
    mended[series, column] = instead
    return mended, Outliers(series, column, values[series, column], instead)


def _slips(values: Floats, start: int) -> tuple[Ints, Ints]:
    """As `_found`, of numbers known ahead (n, T)."""
    known, rows = np.isfinite(values), np.arange(len(values))
    high = np.where(known, np.abs(values), -np.inf).argmax(axis=1)
    low = np.where(known, values, np.inf).argmin(axis=1)
    others = np.where(known, values, np.nan)
    others[rows, high] = others[rows, low] = np.nan
    above, below = _far_off(values[rows, high], values[rows, low], others)
    found = np.flatnonzero(above | below)
    return found + start, np.where(above, high, low)[found]


def _far_off(high: Floats, low: Floats, others: Floats) -> tuple[Bools, Bools]:
    """Of each row whether its largest is far above the others (n, T), and whether its least is far below them.

    The second only where the others are alike, as prices are: among degrees a frost is no mistake.
    """
    least, most = np.fmin.reduce(others, axis=1), np.fmax.reduce(np.abs(others), axis=1)
    enough = np.isfinite(others).sum(axis=1) >= FEWEST
    above = enough & (most > 0) & (np.abs(high) > BEYOND_FEW * most)
    below = enough & (least > 0) & (most <= ALIKE * least) & (low < least / BEYOND_FEW)
    return above, below


def _found(y: Floats, start: int) -> tuple[Ints, Ints]:
    """Rows, counted from `start`, and columns of the mistakes in (n, T) observations."""
    size = np.where(np.isnan(y), 0.0, np.abs(y))
    column = size.argmax(axis=1)
    rows = np.arange(len(y))
    largest = size[rows, column]
    others = size.copy()
    others[rows, column] = 0.0
    count, most = (others > 0).sum(axis=1), others.max(axis=1)
    suspected = np.flatnonzero((largest > BEYOND * most) & (count >= FEWEST))
    few = np.flatnonzero((largest > BEYOND_FEW * most) & (count > 0) & (count < FEWEST))
    certain = [*few, *(row for row in suspected if _is_far(largest[row], others[row]))]
    return np.array(certain, dtype=np.int64) + start, column[certain].astype(np.int64)


def _is_far(largest: float, others: Floats) -> bool:
    """Whether the logarithm is many deviations from those of the other observations (T,), zeros left out."""
    logs = np.log(others[others > 0])
    middle = float(np.median(logs))
    chance = float(np.exp(-middle / 2)) if (others % 1 == 0).all() else 0.0  # of a count about its mean
    deviation = max(LEAST_DEVIATION, chance, 1.4826 * float(np.median(np.abs(logs - middle))))
    return bool(np.log(largest) - middle > FAR * deviation)


def _is_explained(panel: Panel, row: int, at: int) -> bool:
    """Whether a number known ahead is unusual there too, unless the cell is beyond what any promotion does."""
    size = np.abs(panel.y[row])
    if size[at] > BEYOND_FEW * np.nanmax(np.delete(size, at)):
        return False
    for values in panel.numbers.values():
        known = values[row, panel.seen[row]]
        distance = np.abs(values[row, at] - np.nanmedian(known))
        if distance > 0 and (np.abs(known - np.nanmedian(known)) >= distance).mean() <= RARE:
            return True
    return False


def _usual(y: Floats, at: int) -> float:
    """The median of the observations about a column, none of them the column's own; itself an observation."""
    columns = np.flatnonzero(~np.isnan(y))
    columns = columns[columns != at]
    nearest = columns[np.argsort(np.abs(columns - at), kind="stable")[:NEIGHBOURS]]
    return float(np.quantile(y[nearest], 0.5, method="lower"))
