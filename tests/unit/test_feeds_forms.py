"""A table is read the same whatever its form: workbook, zip, title lines, JSON, XML; what cannot be read says why."""

import json
import zipfile
from pathlib import Path
from xml.sax.saxutils import escape

import pytest
from workbooks import write_workbook

from c2m.feeds import landing
from c2m.feeds.mapping import ReadOptions
from c2m.feeds.records import read

ROWS = [["Order", "Sku", "Qty"], ["7", "a b", "2"], ["8", "ü", ""]]
CSV = "\n".join(",".join(row) for row in ROWS) + "\n"
HELD = [("7", "a b", "2"), ("8", "ü", None)]


def held(file: Path, columns: str = '"Order", "Sku", "Qty"', **options: object) -> list[tuple[object, ...]]:
    with landing.connect() as connection:
        records = read(connection, file, ReadOptions.model_validate(options))
        assert records.problems == ()
        return connection.sql(f'SELECT {columns} FROM records ORDER BY "#record"').fetchall()


def problem(file: Path, **options: object) -> str:
    with landing.connect() as connection:
        return "; ".join(read(connection, file, ReadOptions.model_validate(options)).problems)


def zipped(path: Path, **members: str) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name.replace("__", "."), text)
    return path


def test_a_sheet_of_a_workbook(home: Path, tmp_path: Path) -> None:
    cells = [["Season 26"], [], ["Order", "Sku", "Qty", None], [7, "a b", 2.0, None], [], [8, "ü", None, None]]
    path = write_workbook(tmp_path / "x.xlsx", {"notes": [["read me"]], "orders": cells})
    assert held(path, sheet="orders", header=3) == HELD
    assert problem(path, sheet="order") == "cannot be read: no sheet 'order'; there is 'notes', 'orders'"
    (tmp_path / "y.xlsx").write_bytes(b"PK\x03\x04 no workbook")
    assert "cannot be read" in problem(tmp_path / "y.xlsx")


def test_a_day_and_a_fraction_in_a_sheet_are_as_a_person_reads_them(home: Path, tmp_path: Path) -> None:
    path = write_workbook(tmp_path / "x.xlsx", {"s": [["Order", "Sku", "Qty"], [0.1, True, 1_000_000]]})
    assert held(path) == [("0.1", "true", "1000000")]


def test_a_zip_of_one_file_and_of_several(home: Path, tmp_path: Path) -> None:
    assert held(zipped(tmp_path / "a.csv.zip", x__csv=CSV)) == HELD
    several = zipped(tmp_path / "b.zip", x__csv=CSV, y__csv="a\n1\n", __MACOSX="")
    assert "holds 3 files" in problem(several)
    assert held(several, member="x.csv") == HELD
    (tmp_path / "c.zip").write_bytes(several.read_bytes()[:-60])
    assert "cannot be read" in problem(tmp_path / "c.zip")


def test_a_zip_bomb_is_refused(home: Path, tmp_path: Path) -> None:
    assert "unpacks to more than" in problem(zipped(tmp_path / "a.zip", x__csv="a\n" * (50 << 20)))
    assert "unpacks to more than" in problem(zipped(tmp_path / "a.xlsx", x__xml=" " * (100 << 20)))


@pytest.mark.parametrize("torn", ["", "9,x\n"], ids=["sound", "torn"])
@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("sep=;\n" + CSV.replace(",", ";"), {}),
        ("\ufeffsep=;\r\n" + CSV.replace(",", ";"), {"delimiter": "|"}),
        ('Orders of "March\nall shops\n\n' + CSV, {"header": 4}),
        ("sep=;\nOrders\n" + CSV.replace(",", ";"), {"header": 3}),
    ],
    ids=["separator", "prevails", "title", "both"],
)
def test_lines_above_the_header(home: Path, tmp_path: Path, text: str, options: dict[str, object], torn: str) -> None:
    (tmp_path / "x.csv").write_text(text + torn)
    assert held(tmp_path / "x.csv", **options)[:2] == HELD


def test_nested_json(home: Path, tmp_path: Path) -> None:
    orders = [
        {"Order": 7.10, "who": {"state": "NY", "tags": []}, "lines": [{"sku": "ü"}]},
        {"Order": True, "who": {"state": None}, "more": {}},
        "no object",
    ]
    (tmp_path / "x.json").write_text(json.dumps({"data": {"orders": orders}}))
    columns = '"Order", "who.state", "who.tags", json_extract_string("lines", \'$[0].sku\'), "#fault"'
    assert held(tmp_path / "x.json", columns, path="data.orders") == [
        ("7.1", "NY", "[]", "ü", None),
        ("true", None, None, None, None),
        (None, None, None, None, "row-shape"),
    ]
    assert "no 'order' of the path 'data.order'; there is orders" in problem(tmp_path / "x.json", path="data.order")
    (tmp_path / "y.json").write_text("[1,")
    assert "not JSON" in problem(tmp_path / "y.json")
    (tmp_path / "z.json").write_text("[" * 100_000)
    assert "not JSON" in problem(tmp_path / "z.json")


def test_xml(home: Path, tmp_path: Path) -> None:
    text = """<?xml version="1.0"?><x:shop xmlns:x="urn:x"><x:order id="7"><to><state>N&amp;Y</state></to>
        <line sku="a"/><line sku="b">two</line></x:order><x:order id="8"><line sku="c"/></x:order></x:shop>"""
    (tmp_path / "x.xml").write_text(text)
    columns = """"@id", "to.state", json_extract_string("line", '$[*]."@sku"')"""
    assert held(tmp_path / "x.xml", columns, path="order", lists=["line"]) == [
        ("7", "N&Y", ["a", "b"]),
        ("8", None, ["c"]),
    ]
    assert "no element 'orders'; there is shop, order" in problem(tmp_path / "x.xml", path="orders")
    (tmp_path / "y.xml").write_text("<a><b></a>")
    assert "not XML" in problem(tmp_path / "y.xml")
    (tmp_path / "z.xml").write_text('<!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;">]><a><o>&c;</o></a>')
    assert "document type" in problem(tmp_path / "z.xml")
    deep = "<a>" * 20_000 + escape("<") + "</a>" * 20_000
    (tmp_path / "d.xml").write_text(deep)
    assert problem(tmp_path / "d.xml", path="a")
