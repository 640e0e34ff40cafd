"""Numbers written as text: 1000, 1e3, 1,000.5, 1.000,5, 1 000,5.

A column is read in one way throughout. Where a comma may be of thousands or of decimals in every cell, nobody is
guessed for: the cells are refused.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from models.panel.matrices import Bools, Floats, Ints

MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "<na>", "#n/a", "nat"})
_DIGITS = r"[+-]?\d{1,3}"
# Written in either way, a cell may also be whole and without marks.
_READINGS = {  # how: pattern, mark of thousands, mark of decimals
    "decimal points": (rf"(?:{_DIGITS}(?:,\d{{3}})+|[+-]?\d+)(?:\.\d+)?", ",", "."),
    "decimal commas": (rf"(?:{_DIGITS}(?:[.  ’']\d{{3}})+|[+-]?\d+)(?:,\d+)?", ".  ’'", ","),
}


@dataclass(frozen=True)
class Numerals:
    """values: (n,), nan where missing or not a number. wrong: (n,), the cells that are no numbers. said: how read."""

    values: Floats
    wrong: Bools
    why: str = "not a number"
    said: str = ""


def numerals(texts: "pd.Series[str]") -> Numerals:
    """Numbers of distinct texts (n,)."""
    texts = texts.astype("str").str.strip()
    known = ~texts.str.lower().isin(MISSING).to_numpy()
    values = pd.to_numeric(texts.where(known), errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    marked = known & np.isnan(values)
    if not marked.any():
        return Numerals(values, marked)
    fits = {how: texts.str.fullmatch(pattern).to_numpy(dtype=bool) for how, (pattern, _, _) in _READINGS.items()}
    exponents = known & ~marked & texts.str.contains("[eE]", regex=True).to_numpy(dtype=bool)
    ways = [how for how, fit in fits.items() if (fit | exponents | ~known).all()]
    if len(ways) == 2:
        return Numerals(values, marked, "1,000 may be 1000 or 1.000; write it without a comma")
    if not ways:
        return Numerals(values, marked)
    _, thousands, decimals = _READINGS[ways[0]]
    plain = texts.str.replace(f"[{thousands}]", "", regex=True).str.replace(decimals, ".", regex=False)
    read = pd.to_numeric(plain.where(known & ~exponents), errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    return Numerals(np.where(exponents, values, read), np.zeros(len(values), dtype=bool), said=ways[0])


def is_text(column: "pd.Series[Any]") -> bool:
    """Whether cells are text, or of several kinds."""
    return not (pd.api.types.is_numeric_dtype(column) or pd.api.types.is_datetime64_any_dtype(column))


def distinct(column: "pd.Series[Any]") -> tuple[Ints, "pd.Series[str]"]:
    """(rows,) place of each cell among the distinct texts, -1 where it is empty; and those texts."""
    codes, texts = pd.factorize(column)
    return codes.astype(np.int64), pd.Series(np.asarray(texts, dtype=object)).map(str).astype("str")
