"""Which columns of a table are the panel's: series_id (or unique_id), ds, y, and those known ahead.

An index that pandas wrote beside the data is none of them. A wide table, with a column per series or per date, is
refused with the way to make it long.
"""

import re
from collections.abc import Iterator
from typing import Any

import pandas as pd

from c2m.errors import InputError

KEYS = ("series_id", "ds", "y")
_ALIASES = {"unique_id": "series_id", "series": "series_id"}
_INDEX = re.compile(r"__index_level_\d+__|Unnamed: \d+|level_\d+|index|", re.IGNORECASE)
_ALWAYS = re.compile(r"__index_level_\d+__|Unnamed: \d+|", re.IGNORECASE)
_DATE_NAME = re.compile(r"\d{4}-\d{1,2}(-\d{1,2}.*)?|\d{1,2}/\d{1,2}/\d{4}|\d{6}|\d{8}|(19|20)\d{2}")


def keyed(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The table with the panel's column names and without an index; and what was done, in words."""
    frame = _with_index(frame)
    names = {column: _name(str(column)) for column in frame.columns}
    if "series_id" in names.values():
        names = {column: name if name != "unique_id" else str(column).strip() for column, name in names.items()}
    else:
        names = {column: _ALIASES.get(name, name) for column, name in names.items()}
    frame = frame.rename(columns=names)
    faults = list(_faults(frame))
    if faults:
        raise InputError("bad-panel", faults)
    dropped = [name for name in frame.columns if name not in KEYS and _is_index(str(name), frame[name])]
    notes = [f"column {name or '(unnamed)'!r} is the index of a table and is left out" for name in dropped]
    return frame.drop(columns=dropped), notes


def _with_index(frame: pd.DataFrame) -> pd.DataFrame:
    """Keys that are in the index become columns."""
    named = [name for name in frame.index.names if name is not None and _name(str(name)) in (*KEYS, *_ALIASES)]
    return frame.reset_index(level=named) if named else frame


def _name(column: str) -> str:
    """A key in other letters is the key."""
    plain = column.strip().removeprefix("\ufeff").strip("\"'")
    return plain.lower() if plain.lower() in (*KEYS, *_ALIASES) else plain


def _faults(frame: pd.DataFrame) -> Iterator[str]:
    missing = [key for key in KEYS if key not in frame.columns]
    found = ", ".join(map(str, frame.columns[:12])) + (", ..." if len(frame.columns) > 12 else "")
    twice = sorted({str(name) for name in frame.columns[frame.columns.duplicated()]})
    if twice:
        yield f"columns named twice: {', '.join(twice)}; found {found}"
    if not missing:
        return
    wide = _wide(frame)
    if wide:
        yield wide
        return
    for key in missing:
        aka = " (or unique_id)" if key == "series_id" else ""
        yield f"column {key}{aka} is missing; found {found}; needed are series_id (or unique_id), ds and y"


def _wide(frame: pd.DataFrame) -> str:
    """How a table with a column per series or per date becomes long; empty where it is neither."""
    if "y" in frame.columns:
        return ""
    columns = [str(name) for name in frame.columns]
    dates = [name for name in columns if _DATE_NAME.fullmatch(name.strip())]
    if len(dates) >= 3:
        key = next(iter(name for name in columns if name not in dates), "series_id")
        move = f"frame.melt('{key}', var_name='ds', value_name='y').rename(columns={{'{key}': 'series_id'}})"
        return f"a wide table: {len(dates)} columns are dates ({dates[0]} to {dates[-1]}); make it long, with {move}"
    others = [name for name in columns[1:] if name != "series_id"]
    numeric = [name for name in others if _is_number(frame[name])]
    if "series_id" not in columns and len(numeric) >= 2 and len(numeric) == len(others):
        shown = ", ".join(numeric[:5]) + (", ..." if len(numeric) > 5 else "")
        move = f"frame.rename(columns={{'{columns[0]}': 'ds'}}).melt('ds', var_name='series_id', value_name='y')"
        return f"a wide table: one column per series ({shown}); make it long, with {move}"
    return ""


def _is_number(column: "pd.Series[Any]") -> bool:
    return bool(pd.to_numeric(column.dropna().head(1000).astype("str"), errors="coerce").notna().all())


def _is_index(name: str, column: "pd.Series[Any]") -> bool:
    """Whether a column counts the rows: by its name alone, or by a likely name and by what it holds."""
    if _ALWAYS.fullmatch(name.strip()):
        return True
    if not _INDEX.fullmatch(name.strip()):
        return False
    numbers = pd.to_numeric(column.astype("str"), errors="coerce")
    return bool((numbers % 1 == 0).all() and numbers.is_unique)
