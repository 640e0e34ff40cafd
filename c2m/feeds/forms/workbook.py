"""Excel workbooks (.xlsx, .xlsm, .xlsb, .xls, .ods): a sheet's rows as text.

The reader holds every cell between a sheet's first and last filled one: a blank typed at XFD1048576 has it ask for
hundreds of GB, and its library then ends the process. It therefore runs in a process of its own with bounded memory
(`python -m c2m.feeds.forms.workbook`), which writes each row as a line of JSON.
"""

import itertools
import json
import resource
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, time
from pathlib import Path
from typing import Any

import python_calamine

from c2m.feeds.forms import ooxml

_BLANK = b"\xef\xbb\xbf \r\n\t"
_PACKED = (b"PK", b"\x1f\x8b")
_COMPOUND = b"\xd0\xcf\x11\xe0"  # old workbooks, and locked ones of any age
_EXACT = 1e15
_MOST_BYTES = 4 << 30  # a million rows of a hundred cells


class WorkbookError(Exception):
    """The workbook cannot be read."""


def _refusal(path: Path, error: Exception) -> WorkbookError:
    if is_table_of_text(path):
        return WorkbookError("text under the name of a workbook: say read: {format: csv, delimiter: ...}")
    with path.open("rb") as file:
        start = file.read(400).lstrip(_BLANK)
    if start.startswith(b"<"):
        return WorkbookError("a page under the name of a workbook: open it in a spreadsheet and save it as .xlsx")
    if start.startswith(_COMPOUND):
        return WorkbookError(
            "locked by a password, or damaged: open it in a spreadsheet and save it as .xlsx without one"
        )
    return WorkbookError(f"no workbook that can be read: {error or type(error).__name__}")


def doubts(path: Path) -> Iterator[str]:
    """What cannot be told of a workbook of this form."""
    if not ooxml.is_workbook(path):
        yield "of this form of workbook an error (#N/A) comes in as a blank cell: saved as .xlsx it would be told"


def is_table_of_text(path: Path) -> bool:
    """Whether a file that is called a workbook is text between delimiters, as many shops write under .xls."""
    with path.open("rb") as file:
        start = file.read(400)
    return b"\x00" not in start and not start.lstrip(_BLANK).startswith((b"<", *_PACKED)) and b"\n" in start


def tops(path: Path, most: int) -> dict[str, tuple[int, list[list[str]]]]:
    """Of every sheet by its name how many rows it has, and the first of them as text."""
    return {name: (height, first) for name, height, first in _apart("tops", path, most)}


def _tops(path: Path, most: int) -> Iterator[tuple[str, int, list[list[str]]]]:
    with python_calamine.load_workbook(str(path)) as book:
        for sheet in map(book.get_sheet_by_name, book.sheet_names):
            yield (
                sheet.name,
                sheet.total_height,
                [list(map(text_of, row)) for row in itertools.islice(sheet.iter_rows(), most)],
            )


def rows(path: Path, sheet: str | None, header: int, empty: Sequence[str] = ()) -> Iterator[list[str]]:
    """The rows of a sheet, blank ones left out; a cell that cannot be used begins with `ooxml.FAULT`.

    Parameters
    ----------
    path
        The workbook.
    sheet
        Its name; None: the first.
    header
        The row to begin with, from 1.
    empty
        Errors that mean an empty cell, such as #N/A; they come as text.

    Yields
    ------
    list[str]
        The cells of a row as text.

    Raises
    ------
    WorkbookError
        The workbook or its sheet cannot be read.
    """
    return _apart("rows", path, sheet, header, list(empty))


def _rows(path: Path, sheet: str | None, header: int, empty: Sequence[str]) -> Iterator[list[str]]:
    with python_calamine.load_workbook(str(path)) as book:
        names = book.sheet_names
        if sheet is not None and sheet not in names:
            raise WorkbookError(f"no sheet {sheet!r}; there is {', '.join(map(repr, names))}")
        found = book.get_sheet_by_name(sheet or _only(book, header))
        told = ooxml.passed_over(path, found.name, empty) if ooxml.is_workbook(path) else {}
        yield from _filled(found, header, told)


def _only(book: python_calamine.CalamineWorkbook, header: int) -> str:
    """The first sheet that is neither hidden nor empty; another of its columns is not passed over without a word."""
    visible = python_calamine.SheetVisibleEnum.Visible
    shown = [sheet.name for sheet in book.sheets_metadata if sheet.visible == visible] or book.sheet_names
    first, *others = [name for name in shown if book.get_sheet_by_name(name).total_height] or shown
    columns = next(_filled(book.get_sheet_by_name(first), header), [])
    alike = [name for name in others if columns and next(_filled(book.get_sheet_by_name(name), header), []) == columns]
    if alike:
        names = ", ".join(map(repr, (first, *alike)))
        raise WorkbookError(f"sheets {names} have the same columns: name one, read: {{sheet: ...}}; a source for each")
    return first


def _apart(asked: str, path: Path, *more: object) -> Iterator[Any]:
    """What a process of its own says of a workbook; it is ended where nobody listens any more."""
    command = [sys.executable, "-m", __name__, json.dumps([asked, str(path), *more])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as reader:
        try:
            for said in map(json.loads, reader.stdout or ()):
                if isinstance(said, str):
                    raise WorkbookError(said)
                yield said
        except BaseException:
            reader.kill()
            raise
    if reader.returncode:
        raise WorkbookError(
            f"its cells reach so far that they do not fit into {_MOST_BYTES >> 30} GiB: delete what stands far below or"
            " to the right of the table, or save the sheet as .csv"
        )


def _serve(asked: str, name: str, *more: Any) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_BYTES, _MOST_BYTES))
    path = Path(name)
    answer: Callable[..., Iterator[object]] = _tops if asked == "tops" else _rows
    try:
        for said in answer(path, *more):
            print(json.dumps(said))
    except WorkbookError as error:
        print(json.dumps(str(error)))
    except (python_calamine.CalamineError, IndexError, ValueError) as error:
        print(json.dumps(str(_refusal(path, error))))


def _filled(
    sheet: python_calamine.CalamineSheet, header: int, passed_over: ooxml.Told | None = None
) -> Iterator[list[str]]:
    _, first = sheet.start or (0, 0)
    known = passed_over or {}
    for number, row in itertools.islice(_numbered(sheet, known), header - 1, None):
        texts = [text_of(cell) for cell in row]
        told = known.get(number, {}) | _inexact(number, first, row)
        for column in told.keys() & range(first, first + len(texts)):
            texts[column - first] = told[column]
        if any(text.strip() for text in texts):
            yield texts


def _numbered(sheet: python_calamine.CalamineSheet, passed_over: ooxml.Told) -> Iterator[tuple[int, Sequence[object]]]:
    """The rows by number, from 0; to the reader, one of nothing but formulas without results is below the last row."""
    number = -1
    for number, row in enumerate(sheet.iter_rows()):
        yield number, row
    yield from ((below, [""] * sheet.width) for below in sorted(passed_over) if below > number)


def _inexact(number: int, first: int, row: Iterable[object]) -> dict[int, str]:
    """Numbers of more digits than a cell keeps: the last ones of what was typed are lost."""
    cells = (one for one in enumerate(row, first) if isinstance(one[1], float) and abs(one[1]) >= _EXACT)
    return {column: f"{ooxml.FAULT}{ooxml.place(number, column)} {cell}" for column, cell in cells}


def text_of(cell: object) -> str:
    """As a person reads it: 3 rather than 3.0, a day without a time where the cell has none."""
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < _EXACT:
        return str(int(cell))
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == time() else cell.isoformat(" ")
    return str(cell)


if __name__ == "__main__":
    _serve(*json.loads(sys.argv[1]))
