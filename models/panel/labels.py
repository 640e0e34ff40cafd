"""What the periods of a panel are called: as the dates of its rows are, and further ones in the same way.

Where series have days of their own in the same periods (weeks that end on Sunday and on Saturday), each keeps its own.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from models.panel.dates import Dates, Ticks
from models.panel.matrices import Ints
from models.panel.periods import PeriodLength, Places, like


@dataclass(frozen=True)
class Labels:
    """common: (T,), of all series. Where they differ, places (N, T) into `own`."""

    common: "pd.Index[Any]"
    own: "pd.Index[Any] | None" = None
    places: Ints | None = None


def labelled(places: Places, dates: Dates, step: PeriodLength, columns: Ints, numbers: Ints) -> Labels:
    """Labels of the periods `numbers` (T,), where rows lie in `columns` (rows,)."""
    first = np.full(len(numbers), -1)
    first[columns[::-1]] = places.dates[::-1]
    if (first[columns] == places.dates).all():
        return Labels(_filled(dates, first, step, places.ticks, numbers))
    cells = np.full((len(places.names), len(numbers)), -1)
    cells[places.series, columns] = places.dates
    further: list[Ticks] = []
    for row in range(len(cells)):
        absent = np.flatnonzero(cells[row] < 0)
        cells[row, absent] = len(dates.ticks) + sum(map(len, further)) + np.arange(len(absent))
        further.append(like(step, places.of(row), numbers[absent]))
    own = dates.continued(np.concatenate(further))
    return Labels(_filled(dates, first, step, places.of(0), numbers), own, cells)


def _filled(dates: Dates, first: Ints, step: PeriodLength, ticks: Ticks, numbers: Ints) -> "pd.Index[Any]":
    absent = np.flatnonzero(first < 0)
    labels = dates.continued(like(step, ticks, numbers[absent]))
    places = first.copy()
    places[absent] = len(dates.given) + np.arange(len(absent))
    return labels[places].rename("ds")
