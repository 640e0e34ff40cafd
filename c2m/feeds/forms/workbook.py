"""Excel workbooks (.xlsx, .xlsm, .xlsb, .xls, .ods): a sheet's rows as text.

The reader holds the cells of one sheet, which has a million rows at most; they become text row by row.
"""

import itertools
from collections.abc import Iterator
from datetime import datetime, time
from pathlib import Path

import python_calamine

_BLANK = b"\xef\xbb\xbf \r\n\t"
_PACKED = (b"PK", b"\x1f\x8b")


class WorkbookError(Exception):
    """The workbook cannot be read."""


def _refusal(path: Path, error: Exception) -> WorkbookError:
    if is_table_of_text(path):
        return WorkbookError("text under the name of a workbook: say read: {format: csv, delimiter: ...}")
    with path.open("rb") as file:
        is_page = file.read(400).lstrip(_BLANK).startswith(b"<")
    if is_page:
        return WorkbookError("a page under the name of a workbook: open it in a spreadsheet and save it as .xlsx")
    return WorkbookError(f"no workbook that can be read: {error or type(error).__name__}")


def is_table_of_text(path: Path) -> bool:
    """Whether a file that is called a workbook is text between delimiters, as many shops write under .xls."""
    with path.open("rb") as file:
        start = file.read(400)
    return b"\x00" not in start and not start.lstrip(_BLANK).startswith((b"<", *_PACKED)) and b"\n" in start


def tops(path: Path, most: int) -> dict[str, tuple[int, list[list[str]]]]:
    """Of every sheet by its name how many rows it has, and the first of them as text."""
    try:
        with python_calamine.load_workbook(str(path)) as book:
            sheets = {name: book.get_sheet_by_name(name) for name in book.sheet_names}
            return {name: (sheet.total_height, _first(sheet, most)) for name, sheet in sheets.items()}
    except (python_calamine.CalamineError, ValueError) as error:
        raise _refusal(path, error) from error


def _first(sheet: python_calamine.CalamineSheet, most: int) -> list[list[str]]:
    return [list(map(text_of, row)) for row in itertools.islice(sheet.iter_rows(), most)]


def rows(path: Path, sheet: str | None, header: int) -> Iterator[list[str]]:
    """The rows of a sheet, blank ones left out.

    Parameters
    ----------
    path
        The workbook.
    sheet
        Its name; None: the first.
    header
        The row to begin with, from 1.

    Yields
    ------
    list[str]
        The cells of a row as text.

    Raises
    ------
    WorkbookError
        The workbook or its sheet cannot be read.
    """
    try:
        with python_calamine.load_workbook(str(path)) as book:
            names = book.sheet_names
            if sheet is not None and sheet not in names:
                raise WorkbookError(f"no sheet {sheet!r}; there is {', '.join(map(repr, names))}")
            yield from _filled(book.get_sheet_by_name(sheet or names[0]), header)
    except (python_calamine.CalamineError, IndexError, ValueError) as error:
        raise _refusal(path, error) from error


def _filled(sheet: python_calamine.CalamineSheet, header: int) -> Iterator[list[str]]:
    for row in itertools.islice(sheet.iter_rows(), header - 1, None):
        texts = [text_of(cell) for cell in row]
        if any(text.strip() for text in texts):
            yield texts


def text_of(cell: object) -> str:
    """As a person reads it: 3 rather than 3.0, a day without a time where the cell has none."""
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == time() else cell.isoformat(" ")
    return str(cell)
