"""A file as a table of text, `records`: those of its columns that are wanted, and what the reader says of each row.

"#record" is the number of the record in the file (empty lines do not count), "#file" 1, "#fault" the reading rule that
the record breaks, "#seen" how, "#cells" a row without columns as JSON (where the file holds nothing but wanted
columns). Blank cells are NULL. DuckDB reads a sound CSV file; one that it refuses (ragged rows, wrong bytes, an open
quote) is read once more, slowly and forgivingly, so that every record is counted and only the bad ones are set aside.
Every form is read in bounded parts; of a workbook its reader holds one sheet (see workbook.py).

`records` is a view: its rows lie in the table `lines` in the file's order, and DuckDB's own row number counts them.
To number them while they are read would keep all but one core idle.
"""

import codecs
import csv
import gzip
import io
import itertools
import json
import re
import tempfile
import textwrap
import unicodedata
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, cast

import duckdb
import pyarrow as pa

from c2m.feeds.forms import nested, ooxml, packed, sniff, workbook
from c2m.feeds.mapping import ReadOptions
from c2m.feeds.rules import literal, quoted

_AT_ONCE = 20_000  # rows of a table that are read in Python
_MOST_COLUMNS = 2_000
_MOST_CELL_BYTES = 64 << 20
_END = "\udcfe"  # behind the last line: a cell that holds it took in all that follows an open quote
_STRAY = "\udcfc"  # behind a line in which text follows a closing quote
_LOST = "\udcff"  # stands for bytes that the encoding does not know; no text can hold it
# What DuckDB calls the encodings that it reads right. Of UTF-16 in one order of bytes it gives no row, and no error.
_DUCKDB_READS = {"utf-8": "utf-8", "utf-8-sig": "utf-8", "iso8859-1": "latin-1"}
_UNSEEN = "\ufeff\u200b\u200c\u200d\u200e\u200f\u2060"
codecs.register_error("c2m-lost", lambda error: (_LOST, error.end))  # type: ignore[attr-defined]

_WORKBOOKS = dict.fromkeys((".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"), "excel")
_SUFFIXES = {
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".json": "json",
    ".xml": "xml",
}
_TEXT = ("csv", "jsonl", "json")
_SUFFIXES |= {".zip": "zip", **_WORKBOOKS}
_JSON = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=str, object_pairs_hook=nested.once)
_SEPARATOR_LINE = re.compile('"?sep=(.)"?[\r\n]*', re.IGNORECASE)  # the first line of what Excel writes
UNREADABLE = (
    OSError, LookupError, EOFError, RecursionError, zlib.error, zipfile.BadZipFile, duckdb.Error,
    UnicodeError,  # of UTF-16 without the mark that tells its order of bytes, nothing can be told
    NotImplementedError, RuntimeError,  # a zip that is packed in an unknown way, or locked by a password
    csv.Error,  # a cell beyond the limit
    packed.BombError, nested.TreeError, workbook.WorkbookError,
)  # fmt: skip

Parsed = tuple[str | None, str | None, str | None, Sequence[str | None]]  # fault, seen, cells of a faulty row, cells
_Object = tuple[str | None, str | None, str | None, dict[str, str | None]]  # the same of an object, with its fields
_SAID = ("#fault", "#seen", "#cells")
_SOUND = ", ".join(f'NULL::VARCHAR AS "{name}"' for name in _SAID)


@dataclass(frozen=True)
class Records:
    """What stands in the table `records`, and what is wrong with the file as a whole."""

    columns: tuple[str, ...]
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def told(self) -> str:
        """The columns as a message names them: of a wrong file a name may be all of its text."""
        return textwrap.shorten(", ".join(name[:60] for name in self.columns[:100]), 600) or "none"


def kind_of(path: Path) -> str | None:
    """The form of a file by its name, before .gz or .zip where that follows; None for one that is no data."""
    form = Path(path.name.removesuffix(".gz")).suffix.lower()
    return (_SUFFIXES.get(Path(path.stem).suffix.lower()) if form == ".zip" else None) or _SUFFIXES.get(form)


@dataclass(frozen=True)
class _Wanted:
    """The columns that may be kept, whatever the case of their letters; one without a name cannot be asked for."""

    names: frozenset[str] | None  # None: all

    def __contains__(self, name: str) -> bool:
        return name != "" and (self.names is None or name.casefold() in self.names)

    def all_of(self, header: Sequence[str]) -> bool:
        """Whether the file holds nothing else, so that a whole line may be kept."""
        return all(name in self for name in header)


def read(
    connection: duckdb.DuckDBPyConnection, path: Path, options: ReadOptions, columns: Iterable[str] | None = None
) -> Records:
    """Makes the table `records` of a file; whatever the file holds, it does not raise.

    Parameters
    ----------
    connection
        Where the table is made.
    path
        The file, packed or not.
    options
        How it is to be read.
    columns
        Those that the table gets; None: all.

    Returns
    -------
    Records
        Columns found, and problems and notes in words.
    """
    wanted = _Wanted(None if columns is None else frozenset(name.casefold() for name in columns))
    try:
        kind = options.format or kind_of(path) or "csv"
        if kind != "excel" and packed.packing(path) == packed.ZIP:
            return _read_zip(connection, path, options, wanted)
        found = _read(connection, path, options, wanted, kind)
        doubts = workbook.doubts(path) if kind == "excel" else sniff.doubts(path, options.encoding)
        return replace(found, notes=tuple(doubts) if kind in (*_TEXT, "excel") else ())
    except UNREADABLE as error:
        drop(connection)
        return _nothing(connection, f"cannot be read: {error}{_advice(error)}")


def _advice(error: Exception) -> str:
    """What to do, where the library's words do not say it."""
    if "\\x00" in str(error):
        return "; NUL characters, as UTF-16 has: name the encoding, as read: {encoding: utf-16}"
    return "; name its order of bytes, as utf-16-le" if "start with BOM" in str(error) else ""


def drop(connection: duckdb.DuckDBPyConnection) -> None:
    """Takes the table `records` away, for the next file's."""
    connection.execute("DROP VIEW IF EXISTS records; DROP TABLE IF EXISTS lines")


def _nothing(connection: duckdb.DuckDBPyConnection, problem: str) -> Records:
    """The table `records` of a file that gives no record."""
    return _store(connection, (), (), _Wanted(None), problem)


def _read_zip(connection: duckdb.DuckDBPyConnection, path: Path, options: ReadOptions, wanted: _Wanted) -> Records:
    """One file of a zip, or several of the same columns, one below the other."""
    names, unclear = packed.members(path, options.member)
    if len(names) < 2:
        return _read_member(connection, path, names[0], options, wanted) if names else _nothing(connection, unclear)
    problems: list[str] = []
    columns: tuple[str, ...] = ()
    for name in names:
        found = _read_member(connection, path, name, options, wanted)
        columns = columns or found.columns
        problems += [f"{name}: {problem}" for problem in found.problems]
        if set(found.columns) != set(columns):
            drop(connection)
            return _nothing(connection, f"{name} has other columns than {names[0]}: name those that are alike")
        make = "CREATE OR REPLACE TEMP TABLE members AS" if name == names[0] else "INSERT INTO members BY NAME"
        connection.execute(f'{make} SELECT * EXCLUDE ("#record", "#file") FROM records')  # noqa: S608
        drop(connection)
    connection.execute("ALTER TABLE members RENAME TO lines")
    _show(connection, "*")
    return Records(columns, tuple(problems))


def _read_member(
    connection: duckdb.DuckDBPyConnection, path: Path, name: str, options: ReadOptions, wanted: _Wanted
) -> Records:
    with tempfile.TemporaryDirectory() as folder:
        inner = Path(folder) / "member"
        with inner.open("wb") as file:
            packed.extract(path, name, file)
        return _read(connection, inner, options, wanted, options.format or kind_of(Path(name)) or "csv")


def _read(
    connection: duckdb.DuckDBPyConnection, path: Path, options: ReadOptions, wanted: _Wanted, kind: str
) -> Records:
    if kind == "parquet":
        return _read_parquet(connection, path, wanted)
    if kind == "excel":
        return _read_workbook(connection, path, options, wanted)
    if packed.is_packed_twice(path):
        return _nothing(connection, "an archive within an archive: give the inner one, or unpack it")
    if kind in ("csv", "jsonl") and packed.has_endless_line(path):
        most = f"expected at most {packed.LONGEST_LINE_MB} MB"
        return _nothing(
            connection, f"a line does not end: {most}; is it text, in lines, in the encoding that is named?"
        )
    if kind == "csv":
        return _read_sound_csv(connection, path, options, wanted) or _read_csv(connection, path, options, wanted)
    stream, damage = _whole(path)
    with stream:
        if kind == "xml":
            objects = map(_object, nested.xml_records(stream, options.path, options.lists))
            return _store_objects(connection, objects, wanted, *damage)
        with _decoded(stream, options.encoding, "c2m-lost", "\n") as text:
            if kind == "json":
                objects = map(_object, nested.json_records(text, options.path))
            elif (first := next(lines := filter(str.strip, text), None)) is None:
                return _nothing(connection, "the file is empty")
            else:
                objects = map(_json_object, itertools.chain([first], lines))
            return _store_objects(connection, objects, wanted, *damage)


def _read_sound_csv(
    connection: duckdb.DuckDBPyConnection, path: Path, options: ReadOptions, wanted: _Wanted
) -> Records | None:
    """DuckDB's reader, strict; None where the file is not sound or written in a way that DuckDB does not know."""
    encoding = _DUCKDB_READS.get(codecs.lookup(options.encoding).name)
    found = _sound_header(path, options) if encoding and not options.escape else None
    if not found or _header_problem(found[0]):
        return None
    header, options = found
    positions = {f"c{i}": "VARCHAR" for i in range(len(header))}
    try:
        connection.execute(
            f"""CREATE TEMP TABLE lines AS SELECT {_kept(header, wanted)}
            FROM read_csv($path, auto_detect = false, header = $named, all_varchar = true, strict_mode = true,
                          columns = $columns, delim = $delimiter, quote = $quote, escape = $quote, encoding = $encoding,
                          compression = $packed)""",  # noqa: S608
            {"path": _glob_of(path), "columns": positions, "packed": "gzip" if _is_packed(path) else "none"}
            | {"named": options.header > 0, "encoding": encoding}
            | options.model_dump(include={"delimiter", "quote"}),
        )
    except duckdb.Error:
        return None
    _show(connection, f"{_SOUND}, *")
    return Records(tuple(filter(None, header)))


def _glob_of(path: Path) -> str:
    """As DuckDB finds this file alone: to it, `sales[1].csv` is a pattern that means sales1.csv."""
    return re.sub(r"([*?\[])", r"[\1]", str(path))


def _show(connection: duckdb.DuckDBPyConnection, shown: str) -> None:
    """The view `records` of the table `lines`."""
    numbered = 'rowid + 1 AS "#record", 1 AS "#file"'
    connection.execute(f"CREATE TEMP VIEW records AS SELECT {numbered}, {shown} FROM lines")  # noqa: S608


def _sound_header(path: Path, options: ReadOptions) -> tuple[tuple[str, ...], ReadOptions] | None:
    """The first record and how to read; None where lines stand above it, or the file or its archive is damaged."""
    try:
        if _is_packed(path):
            packed.check(path)  # DuckDB would not notice a false checksum
        with _open(path) as stream:
            text = _decoded(stream, options.encoding, "strict", "")
            lines, skip, options = _below_title(text, options)
            header = _header(_csv_rows(lines, options), options)
            text.detach()
    except (OSError, EOFError, zlib.error, UnicodeError, csv.Error):
        return None
    # DuckDB loses every row where the lines that it skips end otherwise than the others.
    return None if skip else (header, options)


def _decoded(stream: BinaryIO, encoding: str, errors: str, newline: str) -> io.TextIOWrapper:
    """The text of a stream, without a mark of the order of bytes: before a quote it would make this a letter."""
    text = io.TextIOWrapper(stream, encoding, errors, newline)
    if text.read(1) != "\ufeff":
        text.seek(0)
    return text


def _below_title(text: io.TextIOBase, options: ReadOptions) -> tuple[Iterator[str], int, ReadOptions]:
    """The lines from the header on, how many stand above it, and how to read: a first line `sep=;` prevails."""
    lines = iter(text)
    start = next(lines, "")
    named = _SEPARATOR_LINE.fullmatch(start)
    skip = max(options.header - 1, 1 if named else 0)
    if skip == 0:
        lines = itertools.chain([start], lines)
    for _ in range(skip - 1):
        next(lines, "")
    return lines, skip, options.model_copy(update={"delimiter": named[1]}) if named else options


def _open(path: Path) -> BinaryIO:
    return cast(BinaryIO, gzip.open(path)) if _is_packed(path) else path.open("rb")


def _is_packed(path: Path) -> bool:
    return packed.packing(path) == packed.GZIP


def _names(header: Iterable[str]) -> tuple[str, ...]:
    """As a person types them: composed (a Mac writes u and two dots), without blanks and unseen letters around."""
    shown = (re.sub(f"[{_END}{_STRAY}{ooxml.FAULT}]", "", name).replace(_LOST, "\ufffd") for name in header)
    composed = (unicodedata.normalize("NFC", name) for name in shown)
    return tuple(name.strip().strip(_UNSEEN).strip() for name in composed)


def _header(rows: Iterator[list[str]], options: ReadOptions) -> tuple[str, ...]:
    """The columns' names: the mapping's, else those of the first row, which is taken unless there is no header."""
    first = next(rows, []) if options.header else []
    return _names(options.names or first)


def _header_problem(header: Sequence[str]) -> str | None:
    if not any(header):
        return "the file is empty: its first line must name the columns"
    if any("\x00" in name for name in header):
        return "its header has NUL characters, as UTF-16 has: name the encoding, as read: {encoding: utf-16}"
    if len(header) > _MOST_COLUMNS:
        return f"{len(header):,} columns, expected at most {_MOST_COLUMNS:,}: is the delimiter right?"
    names = Counter(name.casefold() for name in header if name)
    if twice := sorted(name for name, count in names.items() if count > 1):
        return f"columns named twice: {', '.join(map(repr, twice))}; name all of them, as read: {{names: [...]}}"
    return None


def _csv_rows(lines: Iterable[str], options: ReadOptions) -> Iterator[list[str]]:
    csv.field_size_limit(_MOST_CELL_BYTES)
    signs = options.model_dump(include={"delimiter"}) | {"quotechar": options.quote, "escapechar": options.escape}
    taken: list[str] = []
    rows = csv.reader(_noted(itertools.chain(lines, [_END]), taken), strict=True, **signs)
    return itertools.takewhile(lambda row: row != [_END], filter(None, _each(rows, taken, signs)))


def _noted(lines: Iterable[str], taken: list[str]) -> Iterator[str]:
    for line in lines:
        taken.append(line)
        yield line


def _each(rows: Iterator[list[str]], taken: list[str], signs: dict[str, str]) -> Iterator[list[str]]:
    """The rows; the last cell of one whose quotes are not right ends with a sign of it."""
    while True:
        try:
            row = next(rows, None)
        except csv.Error as error:
            if "limit" in str(error):
                raise
            *cells, last = next(csv.reader(taken, **signs))  # type: ignore[arg-type]
            row = [*cells, last + ("" if last.endswith(_END) else _STRAY)]
        if row is None:
            return
        taken.clear()
        yield row


def _read_csv(connection: duckdb.DuckDBPyConnection, path: Path, options: ReadOptions, wanted: _Wanted) -> Records:
    stream, damage = _whole(path)
    with stream, _decoded(stream, options.encoding, "c2m-lost", "") as text:
        lines, _, options = _below_title(text, options)
        rows = _csv_rows(lines, options)
        records = _store_table(connection, _header(rows, options), rows, wanted)
    return replace(records, problems=(*damage, *records.problems))


def _whole(path: Path) -> tuple[BinaryIO, tuple[str, ...]]:
    """A file's content as a stream; only of a damaged archive all that can be had is in memory, and the damage told."""
    if _is_packed(path):
        try:
            packed.check(path)
        except (OSError, EOFError, zlib.error):
            content, damage = packed.unpack(path.read_bytes())
            return io.BytesIO(content), damage
    return _open(path), ()


def _read_workbook(connection: duckdb.DuckDBPyConnection, path: Path, options: ReadOptions, wanted: _Wanted) -> Records:
    if packed.packing(path) == packed.ZIP:
        packed.check_zip(path)
    rows = workbook.rows(path, options.sheet, max(options.header, 1), options.empty)
    header = _header(rows, options)
    marked = [at for at, name in enumerate(header) if name in wanted]
    return _store_table(connection, header, rows, wanted, marked)


def _store_table(
    connection: duckdb.DuckDBPyConnection,
    header: tuple[str, ...],
    rows: Iterator[list[str]],
    wanted: _Wanted,
    marked: Sequence[int] = (),
) -> Records:
    """The table `records` of a header and the rows below it; `marked`: where a cell may be one that has a fault."""
    if problem := _header_problem(header):
        return _store(connection, (), ((None, None, None, ()) for _ in rows), wanted, problem)
    whole = wanted.all_of(header)
    return _store(connection, header, (_shaped(row, header, whole, marked) for row in rows), wanted)


def _shaped(row: list[str], header: tuple[str, ...], whole: bool, marked: Sequence[int]) -> Parsed:
    if row[-1].endswith((_END, _STRAY)):
        torn = [*row[:-1], row[-1][:-1]]
        is_open = f"a quote is not closed{_lines(torn)}"
        told = is_open if row[-1][-1] == _END else "something stands behind a closing quote"
        return _of_no_shape(torn, told, header, whole)
    row = _as_wide(row, header)
    if len(row) != len(header):
        return _of_no_shape(row, f"{len(row)} cells under a header of {len(header)}{_lines(row)}", header, whole)
    if any(_LOST in cell for cell in row):
        at = next(name for name, cell in zip(header, row, strict=True) if _LOST in cell)
        return "encoding", f"bytes of another encoding in {at}", None, [cell.replace(_LOST, "\ufffd") for cell in row]
    if marked and any(cell.startswith(ooxml.FAULT) for cell in row):
        return _with_faulty_cells(row, marked)
    return None, None, None, row


def _of_no_shape(row: list[str], told: str, header: tuple[str, ...], whole: bool) -> Parsed:
    """A row of which no cell can be told to be of a column."""
    return "row-shape", told, _as_json(row) if whole else None, [None] * len(header)


def _as_wide(row: list[str], header: tuple[str, ...]) -> list[str]:
    """As wide as the header, where only delimiters are too many: at the end of the line, or of the header alone."""
    while len(row) > len(header) and not row[-1]:  # as DuckDB takes them
        row = row[:-1]
    return row if any(header[len(row) :]) else [*row, *header[len(row) :]]


def _with_faulty_cells(row: list[str], marked: Sequence[int]) -> Parsed:
    """A row of a workbook with the faults of its wanted cells; those of the others do not matter."""
    faults = [ooxml.fault(row[at]) for at in marked if row[at].startswith(ooxml.FAULT)]
    shown = [cell.partition(" ")[2] if cell.startswith(ooxml.FAULT) else cell for cell in row]
    return ("cell", "; ".join(faults), None, shown) if faults else (None, None, None, shown)


def _lines(row: Iterable[str]) -> str:
    """How far a torn record runs on: a quote that nobody closes takes in all that follows."""
    further = sum(cell.count("\n") for cell in row)
    return f", over {further + 1:,} lines" if further else ""


def _as_json(cells: Iterable[str]) -> str:
    return json.dumps([cell.replace(_LOST, "\ufffd") for cell in cells])


def _json_object(line: str) -> _Object:
    """Of a line of JSON; numbers keep the digits that they are written with."""
    line = line.removesuffix("\n")
    try:
        line.encode()
        row = _JSON.decode(line)
        if not isinstance(row, dict):
            return "row-shape", f"JSON {type(row).__name__}, not an object", _as_json([line]), {}
        if "\\u" in line:
            json.dumps(row, ensure_ascii=False).encode()  # an escape such as \ud800 alone is no text either
    except UnicodeError:
        return "encoding", "bytes of another encoding", _as_json([line]), {}
    except (ValueError, RecursionError) as error:
        return "row-shape", f"not JSON: {error}", _as_json([line]), {}
    return None, None, None, {name.strip(): nested.as_text(value) for name, value in row.items()}


def _object(tree: nested.Tree) -> _Object:
    """Of a document's record."""
    if isinstance(tree, dict):
        return None, None, None, nested.flat(tree)
    return "row-shape", "no object with fields", None, {}


def _store_objects(
    connection: duckdb.DuckDBPyConnection, objects: Iterator[_Object], wanted: _Wanted, *problems: str
) -> Records:
    """The table `records` of objects, each with fields of its own: a column is added where it first comes."""
    columns: dict[str, None] = {}
    if (first := next(objects, None)) is None:  # a day without orders: nothing is said of the columns
        return _store(connection, tuple(wanted.names or ()), (), wanted, *problems)
    objects = itertools.chain([first], objects)
    _make_lines(connection)
    while some := list(itertools.islice(objects, _AT_ONCE)):
        columns |= dict.fromkeys(name for *_, row in some for name in row)
        header = () if _header_problem(tuple(columns)) else tuple(columns)
        said = list(zip(*(one[:3] for one in some), strict=True))
        _append(connection, said, [[row.get(name) for *_, row in some] for name in header], header, wanted)
    problem = (
        _header_problem(tuple(columns)) if columns else "no line is a JSON object; of a list, read: {format: json}"
    )
    if problem:
        _show(connection, ", ".join(map(quoted, _SAID)))
        return Records((), (*problems, problem))
    _show(connection, "*" if wanted.all_of(tuple(columns)) else '* REPLACE (NULL::VARCHAR AS "#cells")')
    return Records(tuple(filter(None, columns)), problems)


def _read_parquet(connection: duckdb.DuckDBPyConnection, path: Path, wanted: _Wanted) -> Records:
    source = connection.read_parquet(_glob_of(path))
    top = zip(source.columns, source.types, strict=True)
    names, texts = zip(*(leaf for name, kind in top for leaf in _leaves(name, quoted(name), kind)), strict=True)
    header = _names(names)
    if problem := _header_problem(header):
        return _nothing(connection, problem)
    rows = source.project(", ".join(f"{text}::VARCHAR AS c{i}" for i, text in enumerate(texts)))
    assert rows is not None  # DuckDB finds it by its name; one without rows is false
    connection.execute(f"CREATE TEMP TABLE lines AS SELECT {_kept(header, wanted)} FROM rows")  # noqa: S608
    _show(connection, f"{_SOUND}, *")
    return Records(header)


def _leaves(name: str, value: str, kind: duckdb.sqltypes.DuckDBPyType) -> Iterator[tuple[str, str]]:
    """A column's fields by dotted name, with their SQL: as of a JSON document, what is no single value as JSON."""
    if kind.id == "struct":
        for field, inner in kind.children:
            part = f"struct_extract({value}, {literal(field)})"
            yield from _leaves(f"{name}.{field}", part, cast(duckdb.sqltypes.DuckDBPyType, inner))
    else:
        text = {"blob": f"decode({value})"} | dict.fromkeys(("list", "array", "map", "union"), f"to_json({value})")
        yield name, text.get(kind.id, value)


def _store(
    connection: duckdb.DuckDBPyConnection,
    header: tuple[str, ...],
    rows: Iterable[Parsed],
    wanted: _Wanted,
    *problems: str,
) -> Records:
    """The table `records` of rows that were read in Python, all with the same cells."""
    rows = iter(rows)
    _make_lines(connection)
    while some := list(itertools.islice(rows, _AT_ONCE)):
        *said, cells = zip(*some, strict=True)
        _append(connection, said, list(zip(*cells, strict=True)) if header else [], header, wanted)
    _append(connection, [()] * len(_SAID), [()] * len(header), header, wanted)
    _show(connection, "*")
    return Records(tuple(filter(None, header)), problems)


def _make_lines(connection: duckdb.DuckDBPyConnection) -> None:
    columns = ", ".join(f"{quoted(name)} VARCHAR" for name in _SAID)
    connection.execute(f"CREATE TEMP TABLE lines ({columns})")


def _append(
    connection: duckdb.DuckDBPyConnection,
    said: Sequence[Sequence[str | None]],
    cells: Sequence[Sequence[str | None]],
    header: Sequence[str],
    wanted: _Wanted,
) -> None:
    """Adds rows, given column by column, to the table `lines`, and the wanted columns that it lacks."""
    lacking = [name for name in header if name in wanted and name not in connection.table("lines").columns]
    for name in lacking:
        connection.execute(f"ALTER TABLE lines ADD COLUMN {quoted(name)} VARCHAR")
    named = dict(zip(_SAID, said, strict=True)) | {f"c{i}": column for i, column in enumerate(cells)}
    rows = pa.table({name: pa.array(values, pa.string()) for name, values in named.items()})
    assert rows is not None  # DuckDB finds it by its name
    kept = _kept(header, wanted, *map(quoted, _SAID))
    connection.execute(f"INSERT INTO lines BY NAME SELECT {kept} FROM rows")  # noqa: S608


def _kept(header: Sequence[str], wanted: _Wanted, *further: str) -> str:
    """SQL: the wanted ones of columns c0, c1, ... under the file's names, blank cells NULL; and what is given."""
    kept = [(f"c{i}", quoted(name)) for i, name in enumerate(header) if name in wanted]
    # A cell that begins with a letter or a sign is filled; to trim it as well took a sixth of the time of reading.
    # ="00123" is how exports write a code that a spreadsheet is to take for text.
    text = """CASE WHEN {0} >= '>' OR ({0} >= '!' AND {0} < '=') THEN {0}
        WHEN starts_with({0}, '="') THEN nullif(regexp_replace({0}, '^="(.*)"$', '\\1'), '')
        WHEN trim({0}) <> '' THEN {0} END AS {1}"""
    cells = [text.format(*one) for one in kept]
    return ", ".join((*further, *cells)) or 'NULL::VARCHAR AS "#none"'
