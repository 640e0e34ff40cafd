"""What the XML of an .xlsx sheet says and its reader passes over: errors, formulas never computed, zeros of a format.

The reader gives an error (#N/A) and a formula without a result as blank cells, and 00042, which the format 00000 shows,
as 42. Only sheets that hold such a cell are read so: whether one does, a look at their bytes tells.
"""

import posixpath
import re
import zipfile
from collections.abc import Container, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

FAULT = "\udcfd"  # before a cell that cannot be used, its place and a blank; no text can begin with it
_STEP, _LONGEST_MARK = 1 << 20, 200
_LITERAL = re.compile(r'"([^"]*)"|\\(.)|([-/ ])')

Told = dict[int, dict[int, str]]  # by row and column, from 0: the cell as text
_Element = ElementTree.Element


def fault(cell: str) -> str:
    """What is wrong with a cell that begins with FAULT, and what to do.

    >>> fault(f"{FAULT}C7 =A7*2")
    'C7 holds =A7*2, never computed: open the workbook in a spreadsheet and save it'
    """
    at, _, seen = cell.removeprefix(FAULT).partition(" ")
    if seen.startswith("="):
        return f"{at} holds {seen[:80]}, never computed: open the workbook in a spreadsheet and save it"
    if seen.startswith("#"):
        return f"{at} holds the error {seen}: correct its formula, or clear the cell"
    return f"{at} holds {seen}, more than the 15 digits that a cell keeps: type it as text"


def is_workbook(path: Path) -> bool:
    """Whether this is a workbook of that form."""
    with suppress(zipfile.BadZipFile), zipfile.ZipFile(path) as archive:
        return _workbook(archive) is not None
    return False


@dataclass(frozen=True)
class _Book:
    """How the cells of a workbook are to be understood."""

    zeros: dict[str, str]  # format by number of a cell's style, of those that show leading zeros
    never_computed: tuple[str, ...]  # results that a formula has where nobody computed it
    empty: Container[str]


def passed_over(path: Path, sheet: str, empty: Container[str] = ()) -> Told:
    """The cells of a sheet that its reader would give otherwise: with a fault, or with the zeros that are seen.

    empty: errors that mean an empty cell.
    """
    with zipfile.ZipFile(path) as archive:
        book = _workbook(archive)
        if book is None:
            return {}
        parts = dict(_related(archive, book).values())
        tree = _root(archive, book)
        recalculated = any(one.get("fullCalcOnLoad") in ("1", "true") for one in _all(tree, "calcPr"))
        zeros = _zeros(archive, parts["styles"]) if "styles" in parts else {}
        read_as = _Book(zeros, ("", "0") if recalculated else ("",), empty)
        ids = {one.get("name"): _attribute(one, "id") for one in _all(tree, "sheet")}
        _, part = _related(archive, book).get(ids.get(sheet) or "", ("", ""))
        if not part or not _has_some(archive, part, zeros):
            return {}
        found: Told = {}
        for row, column, text in _cells(archive, part, read_as):
            found.setdefault(row, {})[column] = text
        return found


def _workbook(archive: zipfile.ZipFile) -> str | None:
    """The part that lists the sheets; of another form of workbook there is none in XML."""
    part = next((part for kind, part in _related(archive, "").values() if kind == "officeDocument"), "")
    return part if part.endswith(".xml") else None


def _related(archive: zipfile.ZipFile, part: str) -> dict[str, tuple[str, str]]:
    """Kind and name of the parts that this one names, by id."""
    folder, name = posixpath.split(part)
    relations = f"{folder}/_rels/{name}.rels".lstrip("/")
    if relations not in archive.namelist():
        return {}
    named = [(one.get("Id", ""), one.get("Type", ""), one.get("Target", "")) for one in _root(archive, relations)]
    return {
        key: (kind.rpartition("/")[2], posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/"))
        for key, kind, target in named
    }


def _root(archive: zipfile.ZipFile, part: str) -> _Element:
    return ElementTree.fromstring(archive.read(part))  # noqa: S314  expat bounds what entities unpack to


def _name(element: _Element) -> str:
    return element.tag.rpartition("}")[2]


def _all(tree: _Element, name: str) -> Iterator[_Element]:
    return (one for one in tree.iter() if _name(one) == name)


def _attribute(element: _Element, name: str) -> str | None:
    """Of whatever namespace."""
    return next((value for key, value in element.items() if key.endswith(f"}}{name}")), None)


def _zeros(archive: zipfile.ZipFile, part: str) -> dict[str, str]:
    """By number of a cell's style its format, where that shows leading zeros."""
    tree = _root(archive, part)
    codes = {one.get("numFmtId"): one.get("formatCode", "") for one in _all(tree, "numFmt")}
    styles = next(_all(tree, "cellXfs"), ())
    formats = ((str(number), codes.get(style.get("numFmtId"), "")) for number, style in enumerate(styles))
    return {number: code.partition(";")[0] for number, code in formats if _places(code.partition(";")[0]) > 1}


def _places(code: str) -> int:
    """How many digits a format shows at least; 0 of one that shows more than zeros and fixed signs."""
    bare = _LITERAL.sub("", code)
    return len(bare) if not bare.strip("0") else 0


def _shown(value: str, code: str) -> str:
    """A whole number as the format shows it: its digits in the places of the zeros, what is too long in the first.

    >>> _shown("42", '"A-"00-00'), _shown("12345", "000")
    ('A-00-42', '12345')
    """
    places = _places(code)
    digits = value.zfill(places)
    rest = iter([digits[: 1 - places], *digits[1 - places :]])
    tokens = re.finditer(rf"{_LITERAL.pattern}|0", code)
    return "".join(next(rest) if token[0] == "0" else next(filter(None, token.groups()), "") for token in tokens)


def _has_some(archive: zipfile.ZipFile, part: str, zeros: dict[str, str]) -> bool:
    """Whether the sheet holds an error, a formula, or a cell of such a format."""
    styled = "|".join(zeros) or "none"
    mark = re.compile(rf"""\st=["']e["']|<(\w+:)?f[\s>/]|\ss=["']({styled})["']""".encode())
    with archive.open(part) as stream:
        behind = b""
        while step := stream.read(_STEP):
            if mark.search(behind + step):
                return True
            behind = step[-_LONGEST_MARK:]
    return False


def _cells(archive: zipfile.ZipFile, part: str, book: _Book) -> Iterator[tuple[int, int, str]]:
    row = column = -1
    with archive.open(part) as stream:
        for event, element in ElementTree.iterparse(stream, ("start", "end")):  # noqa: S314  as above
            name = _name(element)
            if event == "start" and name == "row":
                row, column = int(element.get("r", row + 2)) - 1, -1
            elif event == "end" and name == "c":
                column = _column(element.get("r", "")) if element.get("r") else column + 1
                if text := _told(element, place(row, column), book):
                    yield row, column, text
            elif event == "end" and name == "row":
                element.clear()


def _told(cell: _Element, at: str, book: _Book) -> str | None:
    """The text of a cell that its reader would give otherwise.

    A library that writes formulas without computing them leaves no result, or 0 and the wish to compute all on opening.
    """
    parts = {_name(one): one.text or "" for one in cell}
    kind, value = cell.get("t", "n"), parts.get("v", "").strip()
    if kind == "e":
        return value if value in book.empty else f"{FAULT}{at} {value or '#ERROR!'}"
    value, code = value.removesuffix(".0"), book.zeros.get(cell.get("s", ""))
    if "f" in parts and ("v" not in parts or (kind == "n" and value in book.never_computed)):
        return f"{FAULT}{at} ={parts['f']}"
    return _shown(value, code) if code and kind == "n" and value.isdecimal() else None


def _column(place: str) -> int:
    number = 0
    for letter in place.rstrip("0123456789"):
        number = number * 26 + ord(letter.upper()) - 64
    return number - 1


def place(row: int, column: int) -> str:
    """As a spreadsheet names a cell.

    >>> place(6, 27)
    'AB7'
    """
    letters = ""
    while column >= 0:
        letters = chr(65 + column % 26) + letters
        column = column // 26 - 1
    return f"{letters}{row + 1}"
