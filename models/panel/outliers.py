"""Observations that are mistakes: one cell of a series far beyond all others, as 25 typed as 100000.

Such a cell would move the level of its series and what all series have in common. The median of its neighbours stands
in for it, and it is named. What comes twice in a series is a level or a season, what several series have in the same
period is an event, and what a promotion known ahead explains is a success: these stay.
"""

from dataclasses import dataclass, replace

import numpy as np

from models.panel.matrices import Floats, Ints, Panel

BEYOND = 3.0  # times the largest of the others
FAR = 5.0  # deviations of the logarithm from its median
LEAST_DEVIATION = 0.25  # of the logarithm, so that a series without noise has no outliers of a few percent
FEWEST = 5  # other observations than zero from which is known how they vary
BEYOND_FEW = 100.0  # times the largest of the others, where they are fewer
RARE = 0.2  # share of the periods in which a number is so unusual at most, to explain a cell
NEIGHBOURS = 14  # nearest observations whose median stands in
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

    def words(self, panel: Panel) -> list[str]:
        """Each by series and date; of many the first ones."""
        labels = panel.when(self.series, self.column).astype(str)
        names = panel.ids[self.series]
        cells = zip(names, labels, self.observed, self.instead, strict=True)
        words = [f"{name} {when}: y is {y:g}, taken as {other:g}" for name, when, y, other in cells]
        if not words:
            return []
        more = f"; and {len(words) - _SHOWN} more" if len(words) > _SHOWN else ""
        cause = "over three times all others of its series; the median of the neighbours stands in"
        return [f"outliers ({cause}): {'; '.join(words[:_SHOWN])}{more}"]


def without_outliers(panel: Panel) -> tuple[Panel, Outliers]:
    """The panel with plausible values in place of mistakes, and these."""
    parts = [_found(panel.y[start : start + _ROWS], start) for start in range(0, len(panel.y), _ROWS)]
    series, column = (np.concatenate(cells) for cells in zip(*parts, strict=True))
    single = np.bincount(column, minlength=1)[column] < EVENT
    explained = [_is_explained(panel, row, at) for row, at in zip(series, column, strict=True)]
    single &= ~np.array(explained, dtype=bool)
    series, column = series[single], column[single]
    y = panel.y.copy() if len(series) else panel.y
    instead = np.array([_usual(panel.y[row], at) for row, at in zip(series, column, strict=True)])
    y[series, column] = instead
    return replace(panel, y=y), Outliers(series, column, panel.y[series, column], instead)


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
