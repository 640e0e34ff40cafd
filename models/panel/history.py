"""The history that travels with a model, and the panel that rows of business keys make of it.

In: rows of series_id (or merchant_id and style_id), ds and, where it was observed, y; columns known ahead. Out: the
panel with them. Rows without y are asked for. Observations take the place of what the history holds; past its last
value, a column known ahead holds. Imports only what travels with the model.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from models.panel.matrices import CategoricalColumn, Floats, Ints, Panel

KEYS = ("merchant_id", "style_id", "series_id", "ds")
NEEDED = "series_id (or merchant_id and style_id) and ds"


def saved(panel: Panel, file: Path) -> None:
    """Writes a panel as arrays alone, nothing is pickled: times as nanoseconds, columns beside y as floats of 32 bits.

    Parameters
    ----------
    panel
        What is written.
    file
        In NumPy's packed format (.npz).
    """
    held: dict[str, Any] = {}
    for name, category in panel.categories.items():
        held |= {f"category {name}": category.codes, f"levels {name}": np.array(category.levels, dtype=str)}
    for kind, columns in (("number", panel.numbers), ("past", panel.past)):
        held |= {f"{kind} {name}": values.astype(np.float32) for name, values in columns.items()}
    ds = pd.DatetimeIndex(panel.ds).as_unit("ns").to_numpy()
    with file.open("wb") as target:
        np.savez_compressed(target, ids=np.array(panel.ids, dtype=str), ds=ds, y=panel.y, season=panel.season, **held)


def loaded(file: Path) -> Panel:
    """What `saved` wrote; nothing is asked for."""
    with np.load(file) as arrays:
        held = {name: arrays[name] for name in arrays.files}
    ids, ds = pd.Index(held["ids"].astype(object), name="series_id"), pd.DatetimeIndex(held["ds"], name="ds")
    levels, codes = _of_kind(held, "levels"), _of_kind(held, "category")
    kept = {name: CategoricalColumn(codes[name], tuple(map(str, levels[name]))) for name in codes}
    numbers, past = _of_kind(held, "number"), _of_kind(held, "past")
    unasked = np.zeros(held["y"].shape, dtype=bool)
    return Panel(ids, ds, held["y"], unasked, int(held["season"]), numbers, kept, past)


def _of_kind(held: dict[str, Any], kind: str) -> dict[str, Any]:
    names = [name.removeprefix(f"{kind} ") for name in held if name.startswith(f"{kind} ")]
    return {name: _double(held[f"{kind} {name}"]) for name in names}


def _double(values: Any) -> Any:
    return values.astype(np.float64) if values.dtype == np.float32 else values


@dataclass(frozen=True)
class Question:
    """panel: with the rows' cells asked for. series, column: of each asked row, in order. keys: as it named them."""

    panel: Panel
    series: Ints  # (rows,) row of the panel
    column: Ints  # (rows,) column of the panel
    keys: pd.DataFrame


def asked(history: Panel, rows: pd.DataFrame) -> Question:
    """The panel of a history, with rows that are added to it.

    Parameters
    ----------
    history
        Series by periods.
    rows
        series_id or merchant_id and style_id, ds, y; where y is empty, it is asked for.

    Returns
    -------
    Question
        The panel, and where the asked rows stand in it.

    Raises
    ------
    ValueError
        Columns lack, rows come twice, or dates are not on the history's axis.
    """
    rows = _keyed(rows)
    grid = _Grid.of(history, rows)
    known = rows["y"].notna().to_numpy()
    wanted = grid.series[~known], grid.column[~known]
    keys = rows.loc[~known, [name for name in KEYS if name in rows]]
    return Question(grid.panel(history, rows, wanted), *wanted, keys.reset_index(drop=True))


def _keyed(rows: pd.DataFrame) -> pd.DataFrame:
    """With series_id, ds as times and y."""
    rows = _with_series(rows)
    if not {"series_id", "ds"} <= set(rows):
        raise ValueError(f"columns {', '.join(map(str, rows))}: needed are {NEEDED}; y where it was observed")
    rows = rows.assign(ds=pd.to_datetime(rows["ds"]), y=rows["y"].astype(float) if "y" in rows else np.nan)
    _refuse_wrong_dates(rows)
    return rows


def _refuse_wrong_dates(rows: pd.DataFrame) -> None:
    twice, empty = int(rows.duplicated(["series_id", "ds"]).sum()), int(rows["ds"].isna().sum())
    if twice or empty:
        raise ValueError(f"ds: {twice} rows come twice, {empty} have none")


def _with_series(rows: pd.DataFrame) -> pd.DataFrame:
    if "series_id" in rows or "style_id" not in rows:
        return rows
    return rows.assign(series_id=rows["merchant_id"] + "/" + rows["style_id"])


@dataclass(frozen=True)
class _Grid:
    """Series by periods that hold a history and rows. more: of both, than the history has. series, column: of rows."""

    ids: "pd.Index[Any]"
    ds: pd.DatetimeIndex
    more: tuple[int, int]
    series: Ints
    column: Ints

    @classmethod
    def of(cls, history: Panel, rows: pd.DataFrame) -> "_Grid":
        ids, ds = _ids(history, rows), _axis(history, rows)
        column = ds.get_indexer(pd.DatetimeIndex(rows["ds"]))
        off = rows["ds"][column < 0].astype(str)
        if len(off):
            raise ValueError(f"ds {', '.join(off.unique()[:5])}: not on the axis of the history, from {ds[0]}")
        more = len(ids) - len(history.ids), len(ds) - len(history.ds)
        return cls(ids, ds, more, ids.get_indexer(pd.Index(rows["series_id"].to_numpy(dtype=object))), column)

    def panel(self, history: Panel, rows: pd.DataFrame, wanted: tuple[Ints, Ints]) -> Panel:
        """The history with what the rows tell."""
        y = self.placed(history.y, rows["y"], False)
        cells = np.zeros(y.shape, dtype=bool)
        cells[wanted] = True
        numbers = {name: self.placed(values, rows.get(name), True) for name, values in history.numbers.items()}
        past = {name: self.placed(values, rows.get(name), False) for name, values in history.past.items()}
        kept = {name: self.category(each, rows.get(name)) for name, each in history.categories.items()}
        return replace(history, ids=self.ids, ds=self.ds, y=y, asked=cells, numbers=numbers, categories=kept, past=past)

    def placed(self, values: Floats, given: Any, holds: bool) -> Floats:
        """A column of numbers with what the rows give; past its end the last value holds, or nothing is known."""
        wide: Floats = self.wider(values, np.nan)
        if not holds:
            wide[:, values.shape[1] :] = np.nan
        if given is not None:
            told = pd.to_numeric(given).to_numpy(dtype=np.float64, na_value=np.nan)
            seen = ~np.isnan(told)
            wide[self.series[seen], self.column[seen]] = told[seen]
        return wide

    def category(self, kept: CategoricalColumn, given: Any) -> CategoricalColumn:
        """A column of texts; a new series has the one that its rows give, all over."""
        codes = self.wider(kept.codes, -1)
        if given is None:
            return CategoricalColumn(codes, kept.levels)
        texts = pd.Index(given.astype(object).fillna("").astype(str))
        levels = (*kept.levels, *sorted({*texts} - {*kept.levels, ""}))
        told = pd.Index(levels).get_indexer(texts)
        new = (self.series >= len(kept.codes)) & (told >= 0)
        codes[self.series[new]] = told[new][:, None]
        return CategoricalColumn(codes, levels)

    def wider(self, values: Any, empty: float) -> Any:
        """With further series, which are empty, and further periods, to which the last value holds."""
        tall = np.pad(values, ((0, self.more[0]), (0, 0)), constant_values=empty)
        return np.pad(tall, ((0, 0), (0, self.more[1])), mode="edge")


def _ids(history: Panel, rows: pd.DataFrame) -> "pd.Index[Any]":
    """Of the history, then new ones."""
    new = [name for name in rows["series_id"].unique() if name not in history.ids]
    ids: pd.Index[Any] = pd.Index([*history.ids, *new], dtype=object, name="series_id")
    return ids


def _axis(history: Panel, rows: pd.DataFrame) -> pd.DatetimeIndex:
    """Of the history, as far as the rows reach."""
    last = max(history.ds[-1], rows["ds"].max())
    return pd.date_range(history.ds[0], last, freq=history.ds[1] - history.ds[0], name="ds")
