"""How an unknown file is to be read: encoding, delimiter, line of the header, sheet, path of the records.

Out: keys of a mapping's `read`, those that differ from the default alone.
"""

import codecs
import csv
import gzip
import io
import json
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from c2m.feeds.forms import packed, workbook

_LOOKED_AT = 1 << 20  # bytes
_LINES = 60
_DELIMITERS = ",;\t|"


def sniff(path: Path, kind: str | None) -> dict[str, Any]:
    """How a file of a merchant is to be read.

    Parameters
    ----------
    path
        The file, packed or not.
    kind
        csv, excel, json, jsonl, xml, parquet or zip; None: csv.

    Returns
    -------
    dict
        Keys of a mapping's `read` (encoding, delimiter, header, sheet, path ...) that differ from the default alone.
    """
    if kind == "excel":
        return _sheet(path)
    if kind in ("parquet", "jsonl", "zip"):
        return {}
    content = _start(path, whole=kind in ("json", "xml"))
    encoding = _encoding(content)
    text = content.decode(encoding, "replace").removeprefix("\ufeff")
    found = {} if encoding == "utf-8" else {"encoding": encoding}
    if kind == "json":
        return found | _path(text)
    return _tag(content) if kind == "xml" else found | _table(text)


def doubts(path: Path, encoding: str) -> Iterator[str]:
    """What speaks against the encoding that a mapping names: of one byte a letter, all bytes are letters of any."""
    content = b""
    if encoding != "utf-8":
        with suppress(OSError, EOFError, zlib.error):  # a damaged archive is told by whoever reads all of it
            content = _start(path, whole=False)
    beyond = set(content.translate(None, bytes(range(128))))
    if not beyond or len(bytes(range(256)).decode(encoding, "replace")) != 256:
        return
    if _encoding(content) == "utf-8":
        yield f"its letters beyond ASCII make UTF-8: is read: {{encoding: utf-8}} meant instead of {encoding}?"
    elif codecs.lookup(encoding).name == "iso8859-1" and beyond & set(range(0x80, 0xA0)):
        yield f"it has letters that {encoding} lacks: is read: {{encoding: cp1252}} meant?"


def _start(path: Path, whole: bool) -> bytes:
    if whole:
        return packed.unpack(path.read_bytes())[0]
    with gzip.open(path) if packed.packing(path) == packed.GZIP else path.open("rb") as stream:
        return stream.read(_LOOKED_AT)


def _encoding(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    for place, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        if (
            len(content) > 20 and content[place:400:2].count(0) > len(content[:400]) / 4
        ):  # of Latin letters every other byte
            return encoding
    try:
        content[: content.rfind(b"\n") + 1 or None].decode()
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def _table(text: str) -> dict[str, Any]:
    lines = text.splitlines()[:_LINES]
    if lines and lines[0].lower().startswith(("sep=", '"sep=')):
        return {}
    found = {delimiter: _rows(lines, delimiter) for delimiter in _DELIMITERS}
    delimiter = max(_DELIMITERS, key=lambda one: _agreement([row for _, row in found[one]]))
    width = _width([row for _, row in found[delimiter]])
    header, row = next((one for one in found[delimiter] if len(one[1]) == width and _names(one[1])), (1, []))
    told = ({} if delimiter == "," else {"delimiter": delimiter}) | ({} if header == 1 else {"header": header})
    return told | _numbered(row)


def _rows(lines: Sequence[str], delimiter: str) -> list[tuple[int, list[str]]]:
    """Rows with the line in which each begins."""
    reader, rows, begins = csv.reader(io.StringIO("\n".join(lines)), delimiter=delimiter), [], 1
    for row in reader:
        rows.append((begins, row))
        begins = reader.line_num + 1
    return rows


def _width(rows: Sequence[Sequence[str]]) -> int:
    counts = Counter(len(row) for row in rows if row)
    return counts.most_common(1)[0][0] if counts else 0


def _agreement(rows: Sequence[Sequence[str]]) -> float:
    """How well rows agree on a number of cells above one."""
    width = _width(rows)
    return sum(len(row) == width for row in rows) * (width > 1) + width / 1000


def _names(row: Sequence[str]) -> bool:
    """Whether these cells may name columns: filled, most unlike each other, no numbers."""
    filled = [cell.strip() for cell in row if cell.strip()]
    numbers = sum(cell.replace(".", "").replace("-", "").isdigit() for cell in filled)
    return len(set(filled)) > len(row) / 2 and numbers == 0


def _numbered(row: Sequence[str]) -> dict[str, list[str]]:
    """`names` where two columns have the same one: from the second on it gets a number."""
    names: list[str] = []
    taken: Counter[str] = Counter()
    for cell in row:
        name = cell.strip()
        taken[name.casefold()] += 1
        names.append(f"{name} {taken[name.casefold()]}" if name and taken[name.casefold()] > 1 else name)
    return {"names": names} if any(name and count > 1 for name, count in taken.items()) else {}


def _sheet(path: Path) -> dict[str, Any]:
    """The longest sheet, and the first row of it that may be a header."""
    if packed.packing(path) == packed.ZIP:
        packed.check_zip(path)
    tops = workbook.tops(path, _LINES)
    sheet = max(tops, key=lambda name: tops[name][0], default=None)
    if sheet is None:
        return {}
    names, rows = list(tops), tops[sheet][1]
    header, row = next(((at, row) for at, row in enumerate(rows, 1) if _names(row)), (1, []))
    told = ({} if sheet == names[0] else {"sheet": sheet}) | ({} if header == 1 else {"header": header})
    return told | _numbered(row)


def _path(text: str) -> dict[str, Any]:
    """The first list of objects."""
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    found = next(_lists(tree, ()), ())
    return {"path": ".".join(found)} if found else {}


def _lists(tree: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if isinstance(tree, list) and tree and isinstance(tree[0], dict):
        yield path
    for key, value in tree.items() if isinstance(tree, dict) else ():
        yield from _lists(value, (*path, key))


def _tag(content: bytes) -> dict[str, Any]:
    """The tag of the elements nearest to the root that come more than once."""
    if b"<!DOCTYPE" in content:
        return {}
    try:
        level = [ElementTree.fromstring(content)]  # noqa: S314  without a document type there is nothing to expand
    except ElementTree.ParseError:
        return {}
    while level := [child for element in level for child in element]:
        tag, count = Counter(child.tag.rpartition("}")[2] for child in level).most_common(1)[0]
        if count > 1:
            return {"path": tag}
    return {}
