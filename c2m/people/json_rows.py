"""Rows of a frame as pages, the API and `--json` take them."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def records(rows: "pd.DataFrame") -> list[dict[str, Any]]:
    """Each row by the names of its columns; what is missing is None."""
    names = list(map(str, rows.columns))
    filled = rows.astype(object).where(rows.notna(), None)
    return [dict(zip(names, row, strict=True)) for row in filled.itertuples(index=False, name=None)]
