"""A file as a table of text, `records`: those of its columns that are wanted, and what the reader says of each row.

"#record" is the number of the record in the file (empty lines do not count), "#fault" the reading rule that it
breaks, "#seen" how, "#cells" a row without columns as JSON (where the file holds nothing but wanted columns). Blank
cells are NULL. DuckDB reads a sound CSV file; one that it refuses (ragged rows, wrong bytes, an open quote) is read
once more, slowly and forgivingly, so that every record is counted and only the bad ones are set aside.
"""

import codecs
import csv
import gzip
import io
import json
import sys
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from c2m.feeds.mapping import ReadOptions
from c2m.feeds.rules import quoted

_LOST = "\udcff"  # stands for bytes that the encoding does not know; no text can hold it
codecs.register_error("c2m-lost", lambda error: (_LOST, error.end))  # type: ignore[attr-defined]

_SUFFIXES = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}
_GZIP = b"\x1f\x8b"

Parsed = tuple[str | None, str | None, str | None, Sequence[str | None]]  # fault, seen, cells of a faulty row, cells
_SOUND = 'NULL::VARCHAR AS "#fault", NULL::VARCHAR AS "#seen", NULL::VARCHAR AS "#cells"'


@dataclass(frozen=True)
class Records:
    """What stands in the table `records`, and what is wrong with the file as a whole."""

    columns: tuple[str, ...]
    problems: tuple[str, ...] = ()


def kind_of(path: Path) -> str | None:
    """csv, jsonl or parquet by the file's name, which may end in .gz; None for any other file."""
    return _SUFFIXES.get(Path(path.name.removesuffix(".gz")).suffix)


@dataclass(frozen=True)
class _Wanted:
    """The columns that may be kept, whatever the case of their letters."""

    names: frozenset[str] | None  # None: all

    def __contains__(self, name: str) -> bool:
        return self.names is None or name.casefold() in self.names

    def all_of(self, header: Sequence[str]) -> bool:
        """Whether the file holds nothing else, so that a whole line may be kept."""
        return all(name in self for name in header)


def read(
    connection: duckdb.DuckDBPyConnection, path: Path, options: ReadOptions, columns: Iterable[str] | None = None
) -> Records:
    """Makes the table `records` of a file with these of its columns; whatever the file holds, it does not raise."""
    wanted = _Wanted(None if columns is None else frozenset(name.casefold() for name in columns))
    kind = options.format or kind_of(path) or "csv"
    try:
        if kind == "parquet":
            return _read_parquet(connection, path, wanted)
        if kind == "csv" and (sound := _read_sound_csv(connection, path, options, wanted)):
            return sound
        content, damage = _unpacked(path)
        text = content.decode(options.encoding, "c2m-lost").removeprefix("\ufeff")
    except (OSError, LookupError, duckdb.Error) as error:
        return _store(connection, (), (), wanted, f"cannot be read: {error}")
    rows = _read_jsonl if kind == "jsonl" else partial(_read_csv, options=options)
    records = rows(connection, text, wanted=wanted)
    return replace(records, problems=(*damage, *records.problems))


def _read_sound_csv(
    connection: duckdb.DuckDBPyConnection, path: Path, options: ReadOptions, wanted: _Wanted
) -> Records | None:
    """DuckDB's reader, strict; None where the file is not sound or in an encoding that DuckDB does not know."""
    header = _sound_header(path, options)
    if not header or _header_problem(header):
        return None
    positions = {f"c{i}": "VARCHAR" for i in range(len(header))}
    try:
        connection.execute(
            f"""CREATE TEMP TABLE records AS SELECT row_number() OVER () AS "#record", {_SOUND}{_cells(header, wanted)}
            FROM read_csv($path, auto_detect = false, header = true, all_varchar = true, strict_mode = true,
                          columns = $columns, delim = $delimiter, quote = $quote, escape = $quote, encoding = $encoding,
                          compression = $packed)""",  # noqa: S608
            {"path": str(path), "columns": positions, "packed": "gzip" if _is_packed(path) else "none"}
            | options.model_dump(include={"delimiter", "quote", "encoding"}),
        )
    except duckdb.Error:
        return None
    return Records(header)


def _sound_header(path: Path, options: ReadOptions) -> tuple[str, ...]:
    """The first record; () where an archive is damaged: DuckDB would not notice a false checksum."""
    try:
        with _open(path) as stream:
            text = io.TextIOWrapper(stream, options.encoding, newline="")
            header = next(_csv_rows(text, options), [])
            while _is_packed(path) and stream.read(1 << 20):
                pass
            text.detach()
    except (OSError, EOFError, zlib.error, UnicodeError, csv.Error):
        return ()
    return _names(header)


def _open(path: Path) -> gzip.GzipFile | io.BufferedReader:
    return gzip.open(path) if _is_packed(path) else path.open("rb")


def _is_packed(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == _GZIP


def _names(header: Iterable[str]) -> tuple[str, ...]:
    return tuple(name.removeprefix("\ufeff").strip().replace(_LOST, "\ufffd") for name in header)


def _header_problem(header: Sequence[str]) -> str | None:
    if not header:
        return "the file is empty: its first line must name the columns"
    names = [name.casefold() for name in header]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        return f"columns named twice: {', '.join(map(repr, twice))}"
    return None


def _csv_rows(lines: Iterable[str], options: ReadOptions) -> Iterator[list[str]]:
    csv.field_size_limit(sys.maxsize)
    return (row for row in csv.reader(lines, delimiter=options.delimiter, quotechar=options.quote) if row)


def _unpacked(path: Path) -> tuple[bytes, tuple[str, ...]]:
    """The file's bytes, unpacked where packed; of a damaged archive what can be had, and the damage."""
    content = path.read_bytes()
    if not content.startswith(_GZIP):
        return content, ()
    try:
        return gzip.decompress(content), ()
    except (EOFError, OSError, zlib.error) as error:
        return _salvaged(content), (f"the archive is damaged: {error}",)


def _salvaged(content: bytes) -> bytes:
    unpack, parts = zlib.decompressobj(zlib.MAX_WBITS | 16), bytearray()
    try:
        for start in range(0, len(content), 4096):
            parts += unpack.decompress(content[start : start + 4096])
    except zlib.error:
        pass  # what came before the damage is kept
    return bytes(parts)


def _read_csv(connection: duckdb.DuckDBPyConnection, text: str, options: ReadOptions, wanted: _Wanted) -> Records:
    rows = _csv_rows(io.StringIO(text, newline=""), options)
    header = _names(next(rows, []))
    if problem := _header_problem(header):
        return _store(connection, (), ((None, None, None, ()) for _ in rows), wanted, problem)
    whole = wanted.all_of(header)
    return _store(connection, header, (_shaped(row, header, whole) for row in rows), wanted)


def _shaped(row: list[str], header: tuple[str, ...], whole: bool) -> Parsed:
    while len(row) > len(header) and not row[-1]:  # delimiters at the end of the line, as DuckDB takes them
        row = row[:-1]
    if len(row) != len(header):
        cells = _as_json(row) if whole else None
        return "row-shape", f"{len(row)} cells under a header of {len(header)}", cells, [None] * len(header)
    if any(_LOST in cell for cell in row):
        at = next(name for name, cell in zip(header, row, strict=True) if _LOST in cell)
        return "encoding", f"bytes of another encoding in {at}", None, [cell.replace(_LOST, "\ufffd") for cell in row]
    return None, None, None, row


def _as_json(cells: Iterable[str]) -> str:
    return json.dumps([cell.replace(_LOST, "\ufffd") for cell in cells])


def _read_jsonl(connection: duckdb.DuckDBPyConnection, text: str, wanted: _Wanted) -> Records:
    lines = [line for line in text.split("\n") if line.strip()]
    objects = [_json_object(line) for line in lines]
    columns = tuple(dict.fromkeys(name for _, _, row in objects for name in row))
    whole = wanted.all_of(columns)
    rows = [
        (fault, seen, _as_json([line]) if fault and whole else None, [row.get(name) for name in columns])
        for line, (fault, seen, row) in zip(lines, objects, strict=True)
    ]
    if columns and (problem := _header_problem(columns)):
        return _store(connection, (), rows, wanted, problem)
    return _store(connection, columns, rows, wanted)


def _json_object(line: str) -> tuple[str | None, str | None, dict[str, str | None]]:
    """Fault, what was seen, values; numbers keep the digits that they are written with."""
    try:
        line.encode()
        row = json.loads(line, parse_float=str, parse_int=str, parse_constant=str)
        if not isinstance(row, dict):
            return "row-shape", f"JSON {type(row).__name__}, not an object", {}
        json.dumps(row, ensure_ascii=False).encode()  # an escape such as \ud800 alone is no text either
    except UnicodeError:
        return "encoding", "bytes of another encoding", {}
    except (ValueError, RecursionError) as error:
        return "row-shape", f"not JSON: {error}", {}
    return None, None, {name.strip(): _as_text(value) for name, value in row.items()}


def _as_text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)


def _read_parquet(connection: duckdb.DuckDBPyConnection, path: Path, wanted: _Wanted) -> Records:
    source = connection.read_parquet(str(path), file_row_number=True)
    header = tuple(name for name in source.columns if name != "file_row_number")
    texts = [f"{quoted(name)}::VARCHAR AS c{i}" for i, name in enumerate(header)]
    _create(connection, source.project(", ".join(['file_row_number + 1 AS "#record"', _SOUND, *texts])), header, wanted)
    return Records(header)


def _store(
    connection: duckdb.DuckDBPyConnection,
    header: tuple[str, ...],
    rows: Iterable[Parsed],
    wanted: _Wanted,
    *problems: str,
) -> Records:
    """The table `records` of rows read in Python."""
    faults, seen, lines, cells = zip(*rows, strict=True) if (rows := list(rows)) else ((), (), (), ())
    columns = list(zip(*cells, strict=True)) if header and cells else [()] * len(header)
    said = {"#fault": faults, "#seen": seen, "#cells": lines} | {f"c{i}": column for i, column in enumerate(columns)}
    table = pa.table({name: pa.array(values, pa.string()) for name, values in said.items()})
    table = table.add_column(0, "#record", pa.array(range(1, len(faults) + 1), pa.int64()))
    _create(connection, connection.from_arrow(table), header, wanted)
    return Records(header, problems)


def _create(
    connection: duckdb.DuckDBPyConnection, rows: duckdb.DuckDBPyRelation, header: Sequence[str], wanted: _Wanted
) -> None:
    """The table `records`; DuckDB finds `rows` by its name here."""
    kept = '"#record", "#fault", "#seen", "#cells"' + _cells(header, wanted)
    connection.execute(f"CREATE TEMP TABLE records AS SELECT {kept} FROM rows")  # noqa: S608


def _cells(header: Sequence[str], wanted: _Wanted) -> str:
    """The wanted ones of columns c0, c1, ... under the file's names, blank cells NULL."""
    kept = [(f"c{i}", name) for i, name in enumerate(header) if name in wanted]
    return "".join(f", CASE WHEN trim({cell}) <> '' THEN {cell} END AS {quoted(name)}" for cell, name in kept)
