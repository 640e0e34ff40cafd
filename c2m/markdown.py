"""Tables and lists in words, as Markdown, for the pages of Prefect and MLflow."""

import re
from collections.abc import Collection, Iterable
from typing import Any

import pandas as pd

# Renderers make links of bare addresses; a space of no width behind the scheme keeps them text.
_ADDRESS = re.compile(r"(?i)\b(?:https?|ftp|mailto|javascript|data|xmpp):|\bwww\.|@")
_MARKS = re.compile(r"[\\`*_\[\]<>&#|~]")


def table(frame: pd.DataFrame, most_rows: int = 200, markdown: Collection[str] = ()) -> str:
    """A frame as a Markdown table.

    What others wrote (reasons, names of files, colours, reviews) is shown as text.

    Parameters
    ----------
    frame
        Columns are the heads; numbers stand right.
    most_rows
        Further ones are counted, not shown.
    markdown
        Columns that hold links of ours, which are not escaped.

    Returns
    -------
    str
        `_none_` where the frame is empty.
    """
    if frame.empty:
        return "_none_\n"
    ours = [name in markdown for name in frame.columns]
    lines = [_row(frame.columns), _row("---:" if pd.api.types.is_numeric_dtype(t) else "---" for t in frame.dtypes)]
    for row in frame.head(most_rows).itertuples(index=False):
        cells = zip(map(cell, row), ours, strict=True)
        lines.append(_row(text.replace("|", "\\|") if own else plain(text) for text, own in cells))
    if len(frame) > most_rows:
        lines.append(f"\n_{len(frame) - most_rows:,} more rows are in the run folder._")
    return "\n".join(lines) + "\n"


def plain(text: str) -> str:
    """Words of a person in a line of Markdown, where they mean nothing but themselves: no link, no mark, no HTML."""
    shown = _MARKS.sub(r"\\\g<0>", " ".join(text.split()))
    return _ADDRESS.sub("\\g<0>\u200b", shown)


def _row(cells: Iterable[Any]) -> str:
    return "| " + " | ".join(str(cell).replace("\n", " ") for cell in cells) + " |"


def cell(value: Any) -> str:
    """A number with separators and three decimals at most; nothing for what is missing."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return "" if pd.isna(value) else f"{value:,.3f}".rstrip("0").rstrip(".")
    if isinstance(value, int):
        return f"{value:,}"
    return "" if value is None or value is pd.NaT else str(value)


def listed(names: Iterable[Any], most: int = 4) -> str:
    """Some names, and how many more there are.

    Parameters
    ----------
    names
        Anything that has a text.
    most
        How many names are written out.

    Returns
    -------
    str
        Names with commas between them, and the number of the others.
    """
    every = list(map(str, names))
    return ", ".join(every[:most]) + (f" and {len(every) - most:,} more" if len(every) > most else "")
