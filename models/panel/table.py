"""The rows of a panel file: CSV (any usual encoding and delimiter, also gzipped), Parquet, or an Excel sheet.

In: a path. Out: a frame of the file's columns, nothing of it interpreted: cells of CSV and Excel are text (repeated
ones as categories), empty ones missing; cells of Parquet have their types. Besides, how the file was read, in words.
"""

import csv
import gzip
import io
import zipfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from c2m.errors import InputError
from c2m.feeds.forms import packed, workbook
from c2m.feeds.forms.sniff import sniff

WORKBOOKS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
_PARQUET = b"PAR1"
_SHOWN = 5  # faults of a kind that are shown
_FEW, _LOOKED_AT = 0.2, 50_000  # distinct texts among so many rows, below which a column is read as categories
_TEXT = pa.string()


@dataclass(frozen=True)
class Table:
    """A file's rows, and in words how it was read."""

    frame: pd.DataFrame
    read_as: str


def read_table(path: Path) -> Table:
    """The rows of a file; InputError where it cannot be read."""
    if not path.is_file():
        raise InputError("no-panel", [f"no such file; expected {_EXPECTED}"])
    try:
        return _read(path)
    except zipfile.BadZipFile:
        raise _unreadable("it is no workbook that can be read: cut short, or of another kind") from None
    except workbook.WorkbookError as error:
        raise _unreadable(str(error)) from None
    except (EOFError, gzip.BadGzipFile) as error:
        raise _unreadable(f"its gzip archive is damaged: {error}") from None


_EXPECTED = "a CSV, Parquet or Excel panel with the columns series_id (or unique_id), ds and y"


def _unreadable(seen: str) -> InputError:
    return InputError("unreadable-panel", [f"{seen}; expected {_EXPECTED}"])


def _read(path: Path) -> Table:
    with path.open("rb") as file:
        start = file.read(4)
    if start == _PARQUET or path.suffix in (".parquet", ".pq"):
        return Table(_of_parquet(path), "Parquet")
    if path.suffix.lower() in WORKBOOKS:
        return _of_workbook(path)
    if start == packed.ZIP:
        raise _unreadable("it is a zip archive: unpack it, or pack it with gzip")
    if not start:
        raise _unreadable("the file is empty")
    return _of_csv(path)


def _of_parquet(path: Path) -> pd.DataFrame:
    """Zones stay with their dates. An index that pandas wrote as a further column is left out unless it has a name."""
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError, ValueError):
        raise _unreadable("it is no Parquet file that can be read: cut short, or of another kind") from None
    nested = [field.name for field in table.schema if pa.types.is_nested(field.type)]
    if nested:
        raise _unreadable(f"columns with lists or records ({', '.join(nested)}); a cell is one value")
    return _as_pandas(table)


def _as_pandas(table: pa.Table) -> pd.DataFrame:
    """Repeated texts become categories: a million rows of a thousand ids hold a thousand texts."""
    for at, field in enumerate(table.schema):
        if pa.types.is_string(field.type) or pa.types.is_large_string(field.type):
            column = table.column(at).cast(_TEXT)
            some = column.slice(0, _LOOKED_AT)
            if pc.count_distinct(some).as_py() <= _FEW * len(some):
                column = column.dictionary_encode().unify_dictionaries()
            table = table.set_column(at, field.name, column)
    frame: pd.DataFrame = table.to_pandas(ignore_metadata=True, date_as_object=False)
    return frame


def _of_csv(path: Path) -> Table:
    options = {"encoding": "utf-8", "delimiter": ",", "header": 1} | sniff(path, "csv")
    names = _header(path, options)
    said = _in_words(options)
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise InputError("bad-panel", [f"columns named twice: {', '.join(map(repr, twice))} (read as {said})"])
    bad: list[Any] = []
    table = _parsed(path, options, names, bad)
    if bad:
        shown = "; ".join(f"{row.text!r} has {row.actual_columns}" for row in bad[:_SHOWN])
        wanted = f"the {len(names)} cells of the header (read as {said})"
        raise InputError("bad-panel", [f"{len(bad)} rows do not have {wanted}: {shown}"])
    return Table(_as_pandas(table), said)


def _in_words(options: dict[str, Any]) -> str:
    delimiter = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}[options["delimiter"]]
    return f"{options['encoding'].upper()} text with {delimiter} between columns"


def _header(path: Path, options: dict[str, Any]) -> list[str]:
    """The names of the columns."""
    with gzip.open(path) if packed.packing(path) == packed.GZIP else path.open("rb") as stream:
        text = io.TextIOWrapper(stream, options["encoding"], "replace", newline="")
        rows = csv.reader(text, delimiter=options["delimiter"])
        return next((row for row in rows if rows.line_num >= options["header"]), [])


def _parsed(path: Path, options: dict[str, Any], names: Sequence[str], bad: list[Any]) -> pa.Table:
    """Every cell as text; rows of another width go to `bad`."""

    def odd(row: Any) -> str:
        if row.text.strip():
            bad.append(row)
        return "skip"

    places = list(map(str, range(len(names))))
    read = pyarrow.csv.ReadOptions(encoding=options["encoding"], skip_rows=options["header"], column_names=places)
    parse = pyarrow.csv.ParseOptions(
        delimiter=options["delimiter"], newlines_in_values=True, invalid_row_handler=odd, ignore_empty_lines=True
    )
    convert = pyarrow.csv.ConvertOptions(
        column_types=dict.fromkeys(places, _TEXT),
        strings_can_be_null=True,
        null_values=[""],
        quoted_strings_can_be_null=True,
    )
    try:
        with pa.input_stream(str(path), compression="gzip" if packed.packing(path) == packed.GZIP else None) as stream:
            table = pyarrow.csv.read_csv(stream, read, parse, convert)
    except pa.ArrowInvalid as error:
        if "Empty CSV" in str(error):
            return pa.table({name: pa.array([], _TEXT) for name in names})
        if "UTF8" in str(error) and options["encoding"] == "utf-8":
            return _parsed(path, options | {"encoding": "cp1252"}, names, bad)
        raise _unreadable(f"it is no table of text (read as {_in_words(options)})") from None
    except UnicodeError:
        raise _unreadable(f"its text is of several encodings (most of it {options['encoding'].upper()})") from None
    return table.rename_columns(list(names))


def _of_workbook(path: Path) -> Table:
    """The longest sheet."""
    options = {"sheet": None, "header": 1} | sniff(path, "excel")
    rows = list(workbook.rows(path, options["sheet"], options["header"]))
    if not rows:
        raise _unreadable("the workbook is empty")
    frame = pd.DataFrame(rows[1:], columns=rows[0], dtype="str")
    said = "an Excel sheet" + (f" ({options['sheet']})" if options["sheet"] else "")
    return Table(frame.replace("", None), said)
