"""Writes small Excel workbooks, out of their XML alone."""

import zipfile
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

_MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"

_STYLES = f'<styleSheet {_MAIN}><numFmts><numFmt numFmtId="164" formatCode={{}}/></numFmts><cellXfs>{{}}</cellXfs>'


@dataclass(frozen=True)
class Cell:
    """A cell of whatever kind: the attributes and the content of its element."""

    attributes: str
    content: str


def write_workbook(
    path: Path,
    sheets: dict[str, Sequence[Sequence[object]]],
    hidden: Container[str] = (),
    last: Mapping[str, object] | None = None,
    number_format: str = "General",
    calculation: str = "",
) -> Path:
    """A workbook of these sheets; text, numbers and truth values keep their kind, None is an empty cell.

    `last` are cells by their place that every sheet has below its rows; `number_format` is that of the cell style 1;
    `calculation` are the attributes of the element that tells how formulas are computed.
    """
    numbers = range(1, len(sheets) + 1)
    states = ("hidden" if name in hidden else "visible" for name in sheets)
    names = "".join(
        f'<sheet name={quoteattr(n)} sheetId="{i}" r:id="r{i}" state="{state}"/>'
        for i, n, state in zip(numbers, sheets, states, strict=True)
    )
    targets = "".join(
        f'<Relationship Id="r{i}" Type="{_OFFICE}/worksheet" Target="worksheets/sheet{i}.xml"/>' for i in numbers
    )
    targets += f'<Relationship Id="s" Type="{_OFFICE}/styles" Target="styles.xml"/>'
    styles = _STYLES.format(quoteattr(number_format), '<xf numFmtId="0"/><xf numFmtId="164"/>')
    root = f'<Relationship Id="r" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/>'
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", f'<Types xmlns="{_PACKAGE}/content-types"/>')
        archive.writestr("_rels/.rels", f'<Relationships xmlns="{_PACKAGE}/relationships">{root}</Relationships>')
        archive.writestr("xl/styles.xml", f"{styles}</styleSheet>")
        archive.writestr(
            "xl/workbook.xml",
            f'<workbook {_MAIN} xmlns:r="{_OFFICE}"><sheets>{names}</sheets><calcPr {calculation}/></workbook>',
        )
        archive.writestr(
            "xl/_rels/workbook.xml.rels", f'<Relationships xmlns="{_PACKAGE}/relationships">{targets}</Relationships>'
        )
        for number, rows in zip(numbers, sheets.values(), strict=True):
            archive.writestr(f"xl/worksheets/sheet{number}.xml", _sheet(rows, last or {}))
    return path


def _sheet(rows: Sequence[Sequence[object]], last: Mapping[str, object]) -> str:
    lines = "".join(
        f'<row r="{r}">{"".join(_cell(chr(64 + c) + str(r), value) for c, value in enumerate(row, 1))}</row>'
        for r, row in enumerate(rows, 1)
    )
    lines += "".join(f"<row>{_cell(place, value)}</row>" for place, value in last.items())
    return f"<worksheet {_MAIN}><sheetData>{lines}</sheetData></worksheet>"


def _cell(place: str, value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, Cell):
        return f'<c r="{place}" {value.attributes}>{value.content}</c>'
    if isinstance(value, bool):
        return f'<c r="{place}" t="b"><v>{int(value)}</v></c>'
    if isinstance(value, int | float):
        return f'<c r="{place}"><v>{value}</v></c>'
    return f'<c r="{place}" t="inlineStr"><is><t>{escape(str(value))}</t></is></c>'
