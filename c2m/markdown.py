"""Tables in Markdown, for the pages of Prefect and MLflow."""

import re
from collections.abc import Iterable
from typing import Any

import pandas as pd

_MARKS = re.compile(r"[\\`*_\[\]<>&#|~]")


def table(frame: pd.DataFrame, most_rows: int = 200) -> str:
    """A frame as a Markdown table; says how many rows it left out."""
    if frame.empty:
        return "_none_\n"
    lines = [_row(frame.columns), _row("---:" if pd.api.types.is_numeric_dtype(t) else "---" for t in frame.dtypes)]
    lines += [_row(map(cell, row)) for row in frame.head(most_rows).itertuples(index=False)]
    if len(frame) > most_rows:
        lines.append(f"\n_{len(frame) - most_rows:,} more rows are in the run folder._")
    return "\n".join(lines) + "\n"


def plain(text: str) -> str:
    """Words of a person in a line of Markdown, where they mean nothing but themselves."""
    return _MARKS.sub(r"\\\g<0>", " ".join(text.split()))


def _row(cells: Iterable[Any]) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def cell(value: Any) -> str:
    """A number with separators and three decimals at most; nothing for what is missing."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return "" if pd.isna(value) else f"{value:,.3f}".rstrip("0").rstrip(".")
    if isinstance(value, int):
        return f"{value:,}"
    return "" if value is None or value is pd.NaT else str(value)
