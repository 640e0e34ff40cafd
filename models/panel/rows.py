"""The rows of a long table, read and checked: whose, when, how much. All faults are named at once, with first rows.

In: a table with the columns series_id, ds and y. Out: series, dates and y by row; y in units of the panel.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from c2m.errors import InputError
from models.panel.dates import Dates, Order, dates
from models.panel.matrices import Bools, Floats, Ints
from models.panel.numerals import MISSING, distinct, is_text, numerals

LARGEST_Y = 1e15  # up to here a double counts single pieces
_SHOWN = 3  # rows of a fault


@dataclass(frozen=True)
class PanelRows:
    """series: (rows,) into names, which are in order. date: (rows,) into the distinct ticks of `dates`. y: (rows,)."""

    series: Ints
    names: "NDArray[np.object_]"
    date: Ints
    dates: Dates
    y: Floats
    notes: tuple[str, ...]


def read_rows(frame: pd.DataFrame, order: Order | None = None) -> PanelRows:
    """The rows of a table; InputError with every fault of them."""
    if frame.empty:
        raise InputError("bad-panel", ["no rows; expected at least one observation"])
    series, names = named(frame["series_id"])
    found = dates(frame["ds"], order)
    y, wrong, why, said = _values(frame["y"])
    date, ticks = _distinct_ticks(found)
    keys = _Keys(series, date, names, frame)
    faults = [*found.faults, *keys.faults(found, y, wrong, why)]
    if not faults and np.isnan(y).all():
        faults = [f"y is empty in all {len(frame)} rows; at least one series needs an observation"]
    if faults:
        raise InputError("bad-panel", faults)
    notes = (*found.notes, *((f"y is read with {said}",) if said else ()))
    return PanelRows(series, names, date, ticks, y, notes)


def named(column: "pd.Series[Any]") -> "tuple[Ints, NDArray[np.object_]]":
    """(rows,) into the names in order, -1 where there is none; whole numbers are named without decimals."""
    if pd.api.types.is_float_dtype(column) and (column.dropna() % 1 == 0).all():
        column = column.astype("Int64")
    codes, texts = distinct(column)
    named = texts.to_numpy(dtype=object)
    names, place = np.unique(np.array([*named, ""], dtype=object), return_inverse=True)
    places = np.where(names[place] == "", -1, place - (names[0] == ""))
    return places[codes], names[1:] if names[0] == "" else names


def _values(column: "pd.Series[Any]") -> tuple[Floats, Bools, str, str]:
    """y (rows,), nan where it is missing; which rows are wrong, why, and how they were read."""
    if not is_text(column):
        if pd.api.types.is_datetime64_any_dtype(column):
            return np.full(len(column), np.nan), column.notna().to_numpy(), "not a number", ""
        return column.to_numpy(dtype=np.float64, na_value=np.nan), np.zeros(len(column), bool), "", ""
    codes, texts = distinct(column)
    if not len(texts):
        return np.full(len(column), np.nan), np.zeros(len(column), bool), "", ""
    read = numerals(texts)
    known = codes >= 0
    return np.where(known, read.values[codes], np.nan), known & read.wrong[codes], read.why, read.said


def _distinct_ticks(found: Dates) -> tuple[Ints, Dates]:
    """(rows,) into distinct ticks in order, each with the first of its labels; what is wrong stays apart."""
    ticks, first, place = np.unique(found.ticks, return_index=True, return_inverse=True)
    codes = np.where(found.codes >= 0, place[found.codes] if len(place) else -1, -1)
    return codes, Dates(codes, ticks, found.given[first], found.form)


@dataclass(frozen=True)
class _Keys:
    """Rows by key, to name those at fault."""

    series: Ints
    date: Ints
    names: "NDArray[np.object_]"
    frame: pd.DataFrame

    def faults(self, found: Dates, y: Floats, wrong: Bools, why: str) -> Iterator[str]:
        """What is wrong with keys and values."""
        reasons: dict[str, list[int]] = {}
        for place, reason in found.wrong.items():
            reasons.setdefault(reason, []).append(place)
        broken = np.isin(found.codes, list(found.wrong))
        pairs = pd.Series(self.series * (self.date.max(initial=0) + 1) + self.date)
        both = (self.series >= 0) & (self.date >= 0) & ~broken
        checks = {
            "an empty series_id": self.series < 0,
            "an empty ds": found.codes < 0,
            **{f"a ds that is {reason}": np.isin(found.codes, places) for reason, places in reasons.items()},
            "the same (series_id, ds) as another row": both & pairs.duplicated(keep=False).to_numpy(),
            f"a y that is {why}": wrong,
            "infinite y": np.isinf(y),
            f"y beyond {LARGEST_Y:.0e}, which no count reaches": np.isfinite(y) & (np.abs(y) > LARGEST_Y),
        }
        yield from (self._named(np.flatnonzero(rows), what) for what, rows in checks.items() if rows.any())

    def _named(self, rows: Ints, what: str) -> str:
        """How many rows, of which series, and the first of them as they are written."""
        some = self.frame.iloc[rows[:_SHOWN]]
        cells = zip(rows[:_SHOWN], some["series_id"], some["ds"], some["y"], strict=True)
        first = "; ".join(f"row {at + 1}: {_shown(who)}, {_shown(when)}, {_shown(y)}" for at, who, when, y in cells)
        count = len(np.unique(self.series[rows]))
        return f"{len(rows)} rows in {count} series have {what}: {first}{'; ...' * (len(rows) > _SHOWN)}"


def _shown(cell: object) -> str:
    """A cell as it is written."""
    text = "" if cell is None or cell is pd.NaT else str(cell).removesuffix(" 00:00:00")
    return "(empty)" if text.lower() in MISSING else text if len(text) < 40 else f"{text[:40]}..."
