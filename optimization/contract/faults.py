"""Rows that break a rule of the contract, in words: the first ones by name and the rest by count."""

from typing import Any

import numpy as np
import pandas as pd

_SHOWN = 20  # offending rows named per rule
_SHOWN_LETTERS = 80  # of a cell


def name_rows(faults: list[str], table: str, cells: pd.DataFrame, wrong: Any, what: str) -> None:
    """Adds one fault per offending row."""
    marked = np.asarray(wrong, dtype=bool)
    if not marked.any():
        return
    rows = cells[marked]
    for row in rows.head(_SHOWN).itertuples():
        seen = ", ".join(
            f"{name}={str(value)[:_SHOWN_LETTERS]}" for name, value in zip(cells.columns, row[1:], strict=True)
        )
        faults.append(f"{table} row {int(str(row[0])) + 1}: {seen}; {what}")
    if len(rows) > _SHOWN:
        faults.append(f"{table}: {len(rows) - _SHOWN} more rows of that kind")
