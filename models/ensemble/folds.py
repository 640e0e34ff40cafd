"""Held-out origins: what a panel said of each series some horizons before its end, and what came then.

A fold hides the last periods of every series, each counted from its own last observation, so that series that end on
different days are judged alike. Fold 0 hides nothing: it is what is asked for.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from models.demand.features import Cells
from models.panel.matrices import Floats, Ints, Panel

FEWEST_KNOWN = 4  # observations before the oldest origin


@dataclass(frozen=True)
class Fold:
    """panel: as known at the origins. origin: (N,) column of the last period known, -1 before a series began."""

    panel: Panel
    origin: Ints
    horizon: int  # periods ahead

    @classmethod
    def of(cls, panel: Panel, back: int, horizon: int) -> "Fold":
        """The panel as it was before the last observations of each series.

        Parameters
        ----------
        panel
            Series by periods.
        back
            Periods before the last observation of each series.
        horizon
            Periods ahead that are judged.

        Returns
        -------
        Fold
            Hides all that came later.
        """
        origin = np.where(panel.last >= 0, np.maximum(panel.last - back, -1), -1)
        hidden = np.arange(panel.y.shape[1]) > origin[:, None]
        past = {name: np.where(hidden, np.nan, values) for name, values in panel.past.items()}
        return cls(replace(panel, y=np.where(hidden, np.nan, panel.y), past=past), origin, horizon)

    @cached_property
    def target(self) -> Ints:
        """(N, horizon): columns ahead of each origin; they may lie past the panel's end."""
        return self.origin[:, None] + np.arange(1, self.horizon + 1)

    def actual(self, panel: Panel) -> Floats:
        """(N, horizon): what came, in units of y; nan where nothing did or the fold knew nothing of the series."""
        inside = (self.target < panel.y.shape[1]) & (self.origin >= panel.first)[:, None]
        return np.where(inside, gather(panel.y, self.target), np.nan)

    def asked(self, panel: Panel) -> Panel:
        """The panel as it was, asking for what then came."""
        rows, ahead = np.nonzero(np.isfinite(self.actual(panel)))
        asked = np.zeros(panel.y.shape, dtype=bool)
        asked[rows, self.target[rows, ahead]] = True
        return replace(self.panel, asked=asked)

    @cached_property
    def cells(self) -> Cells:
        """Every period ahead of every series that has a history, as far as the panel reaches."""
        known = (self.origin >= self.panel.first)[:, None] & (self.target < self.panel.y.shape[1])
        series, ahead = np.nonzero(known)
        return Cells(series, self.origin[series], self.target[series, ahead])

    def matrix(self, values: Floats) -> Floats:
        """Values of cells, (rows,) or (rows, levels), at their places: (N, horizon) or (N, horizon, levels), in the
        same units; nan elsewhere.
        """
        found = np.full((*self.target.shape, *values.shape[1:]), np.nan)
        found[self.cells.series, self.cells.target - self.cells.origin - 1] = values
        return found


def gather(values: Floats, columns: Ints) -> Floats:
    """Each row's values at columns of its own.

    Parameters
    ----------
    values
        (N, T) in any units.
    columns
        (N, C) columns, which are cut at the ends.

    Returns
    -------
    numpy.ndarray
        (N, C) in the units of the values.
    """
    return np.take_along_axis(values, np.clip(columns, 0, values.shape[1] - 1), axis=1)


def backs(panel: Panel, horizon: int, most: int) -> list[int]:
    """Periods to go back for each of the held-out origins.

    A horizon apart where history allows, nearer where it is short, so that the oldest origin of the median series still
    has two seasons before it, or one, or half of a shorter history.

    Parameters
    ----------
    panel
        Series by periods.
    horizon
        Periods ahead that are judged.
    most
        How many origins at most.

    Returns
    -------
    list of int
        Periods, the nearest origin first; empty where the median series is too short.
    """
    lengths = (panel.last - panel.first + 1)[panel.last >= 0]
    length = int(np.median(lengths)) if len(lengths) else 0
    seasons = 2 * panel.season if length >= 2 * panel.season + horizon else min(panel.season, length // 2)
    need = max(FEWEST_KNOWN, seasons)
    room = length - need - horizon
    if room < 0:
        return []
    step = horizon if room >= (most - 1) * horizon else max(1, room // (most - 1))
    return [horizon + step * fold for fold in range(most) if step * fold <= room]
