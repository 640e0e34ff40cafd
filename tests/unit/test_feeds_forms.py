"""A table is read the same whatever its form: workbook, zip, title lines, JSON, XML; what cannot be read says why."""

import gzip
import json
import zipfile
from pathlib import Path
from xml.sax.saxutils import escape

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from workbooks import Cell, write_workbook

from c2m.feeds import landing
from c2m.feeds.mapping import ReadOptions
from c2m.feeds.records import Records, read

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


def test_a_sheet_that_another_one_could_be_is_named_and_a_hidden_one_is_passed_over(home: Path, tmp_path: Path) -> None:
    cells = [["Order", "Sku", "Qty"], [7, "a b", 2.0], [8, "ü", None]]
    path = write_workbook(tmp_path / "x.xlsx", {"March": cells, "notes": [["read me"]], "April": cells[:2]})
    assert problem(path) == (
        "cannot be read: sheets 'March', 'April' have the same columns: name one, read: {sheet: ...}; a source for each"
    )
    assert held(path, sheet="March") == HELD
    path = write_workbook(tmp_path / "y.xlsx", {"March": cells[:2], "April": cells}, hidden=("March",))
    assert held(path) == HELD


def test_a_cell_far_below_its_table_ends_no_process(home: Path, tmp_path: Path) -> None:
    path = write_workbook(tmp_path / "x.xlsx", {"s": [["Order"], [7]]}, last={"XFD1048576": " "})
    assert problem(path).startswith("cannot be read: its cells reach so far that they do not fit into 4 GiB")


@pytest.mark.parametrize("name", ["x.csv", "x.csv.gz", "x.jsonl"])
def test_a_line_without_an_end_loses_no_row_in_silence(tmp_path: Path, name: str) -> None:
    content = CSV.encode() + b"0" * 40_000_000
    (tmp_path / name).write_bytes(gzip.compress(content, 1) if name.endswith(".gz") else content)
    assert problem(tmp_path / name).startswith("a line does not end: expected at most 16 MB")


def test_a_file_of_too_many_columns_is_refused_and_a_long_name_is_cut(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text(",".join(f"c{number}" for number in range(200_000)) + "\n")
    assert problem(tmp_path / "x.csv") == "200,000 columns, expected at most 2,000: is the delimiter right?"
    assert len(Records(("x" * 10_000_000,) * 2_000).told) <= 600


def test_a_locked_workbook_says_so(tmp_path: Path) -> None:
    path = tmp_path / "x.xlsx"
    path.write_bytes(bytes.fromhex("d0cf11e0a1b11ae1") + bytes(4096))
    assert "locked by a password" in problem(path)


def test_a_day_and_a_fraction_in_a_sheet_are_as_a_person_reads_them(home: Path, tmp_path: Path) -> None:
    path = write_workbook(tmp_path / "x.xlsx", {"s": [["Order", "Sku", "Qty"], [0.1, True, 1_000_000]]})
    assert held(path) == [("0.1", "true", "1000000")]


def test_an_error_and_a_formula_that_nobody_computed_are_told_by_their_cells(home: Path, tmp_path: Path) -> None:
    error, formula = Cell('t="e"', "<f>1/0</f><v>#DIV/0!</v>"), Cell("", "<f>D2*2</f>")
    computed, given = Cell("", "<f>1+1</f><v>2</v>"), Cell('t="str"', '<f>IF(D2="";"";D2)</f><v></v>')
    cells = [["Order", "Sku", "Qty", "Note"], [error, "a", formula, error], [7, "a", computed, error], [8, "b", given]]
    path = write_workbook(tmp_path / "x.xlsx", {"s": cells})
    columns = '"#fault", "#seen", "Order", "Qty"'
    with landing.connect() as connection:
        read(connection, path, ReadOptions.model_validate({}), ["Order", "Sku", "Qty"])
        broken, *sound = connection.sql(f"SELECT {columns} FROM records").fetchall()
    assert sound == [(None, None, "7", "2"), (None, None, "8", None)]  # nobody reads the note
    told = "A2 holds the error #DIV/0!: correct its formula, or clear the cell; "
    told += "C2 holds =D2*2, never computed: open the workbook in a spreadsheet and save it"
    assert broken == ("cell", told, "#DIV/0!", "=D2*2")
    assert held(path, columns, empty=["#DIV/0!"])[1] == (None, None, "7", "2")


def test_a_row_of_nothing_but_formulas_that_nobody_computed_is_counted(home: Path, tmp_path: Path) -> None:
    formulas = [Cell("", "<f>A9</f><v/>"), Cell('t="str"', "<f>B9</f>")]
    path = write_workbook(tmp_path / "x.xlsx", {"s": [["Order", "Sku"], [7, "a"], [], formulas]})
    assert held(path, '"#fault", "Order", "Sku"') == [(None, "7", "a"), ("cell", "=A9", "=B9")]


@pytest.mark.parametrize(
    ("calculation", "fault"), [("", None), ('fullCalcOnLoad="1"', "cell")], ids=["computed", "left to the spreadsheet"]
)
def test_a_result_of_0_counts_where_the_writer_has_computed_it(
    home: Path, tmp_path: Path, calculation: str, fault: str | None
) -> None:
    cells = [["Order", "Qty"], [7, Cell("", "<f>A2-7</f><v>0</v>")], [8, Cell("", "<f>A3-7</f><v>1</v>")]]
    path = write_workbook(tmp_path / "x.xlsx", {"s": cells}, calculation=calculation)
    assert [row for (row,) in held(path, '"#fault"')] == [fault, None]


@pytest.mark.parametrize(
    ("number_format", "shown"),
    [("00000", "00042"), ('"A-"00\\-000', "A-00-042"), ("#,##0.00", "42"), ('0" pcs"', "42")],
)
def test_a_code_is_the_one_that_its_format_shows(home: Path, tmp_path: Path, number_format: str, shown: str) -> None:
    path = write_workbook(
        tmp_path / "x.xlsx", {"s": [["Sku"], [Cell('s="1"', "<v>42</v>")]]}, number_format=number_format
    )
    assert held(path, '"Sku"') == [(shown,)]


def test_a_number_of_more_digits_than_a_cell_keeps_is_no_code(home: Path, tmp_path: Path) -> None:
    path = write_workbook(tmp_path / "x.xlsx", {"s": [["Sku"], [4006381333931], [12345678901234567890]]})
    assert held(path, '"Sku", "#fault"') == [("4006381333931", None), ("1.2345678901234567e+19", "cell")]


def test_of_an_ods_it_is_said_that_errors_look_like_blank_cells(home: Path, tmp_path: Path) -> None:
    spaces = {name: f"urn:oasis:names:tc:opendocument:xmlns:{name}:1.0" for name in ("office", "table", "text")}
    cells = "".join(
        f"<table:table-row><table:table-cell office:value-type='string'><text:p>{one}</text:p>"
        "</table:table-cell></table:table-row>"
        for one in ("Sku", "a")
    )
    named = " ".join(f"xmlns:{name}='{space}'" for name, space in spaces.items())
    content = f"<office:document-content {named}><office:body><office:spreadsheet><table:table table:name='s'>{cells}"
    content += "</table:table></office:spreadsheet></office:body></office:document-content>"
    with zipfile.ZipFile(tmp_path / "x.ods", "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("META-INF/manifest.xml", "<manifest/>")
        archive.writestr("content.xml", content)
    with landing.connect() as connection:
        found = read(connection, tmp_path / "x.ods", ReadOptions.model_validate({}))
    assert (found.columns, found.problems) == (("Sku",), ())
    assert found.notes == (
        "of this form of workbook an error (#N/A) comes in as a blank cell: saved as .xlsx it would be told",
    )


def test_a_zip_of_one_file_and_of_several(home: Path, tmp_path: Path) -> None:
    assert held(zipped(tmp_path / "a.csv.zip", x__csv=CSV)) == HELD
    several = zipped(tmp_path / "b.zip", x__csv=CSV, y__csv="a\n1\n", __MACOSX="")
    assert "holds 2 files" in problem(several)
    assert held(several, member="x.csv") == HELD
    days = zipped(tmp_path / "d.zip", b__csv=CSV.replace("7", "9"), a__csv=CSV, note__txt="by day")
    assert held(days, member="*.csv") == [*HELD, ("9", "a b", "2"), HELD[1]]
    assert "c.csv has other columns than a.csv" in problem(
        zipped(tmp_path / "e.zip", a__csv=CSV, c__csv="x\n1\n"), member="*"
    )
    torn = zipped(tmp_path / "f.zip", a__csv=CSV, b__csv=CSV + "9,x\n")
    assert held(torn, '"Order", "#fault"', member="*.csv")[-1] == (None, "row-shape")
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
        ('\ufeff"sep=;"\n' + CSV.replace(",", ";"), {}),
        ('Orders of "March\nall shops\n\n' + CSV, {"header": 4}),
        ("sep=;\nOrders\n" + CSV.replace(",", ";"), {"header": 3}),
    ],
    ids=["separator", "prevails", "in quotes", "title", "both"],
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


@pytest.mark.parametrize("torn", ["", "9,x\n"], ids=["sound", "torn"])
def test_columns_without_a_name_twice_named_and_named_by_the_mapping(home: Path, tmp_path: Path, torn: str) -> None:
    path = tmp_path / "x.csv"
    path.write_text("Order,,Sku,Qty,\n7,-,a b,2,\n8,,ü,,\n" + torn)
    assert held(path)[:2] == HELD
    path.write_text("Order,Qty,Sku,Qty\n7,1,a b,2\n8,1,ü,\n" + torn)
    assert "named twice: 'qty'; name all of them" in problem(path)
    assert held(path, names=["Order", "first", "Sku", "Qty"])[:2] == HELD
    path.write_text("7,a b,2\n8,ü,\n" + torn)
    assert held(path, header=0, names=["Order", "Sku", "Qty"])[:2] == HELD


def test_columns_of_a_sheet_that_the_mapping_names(home: Path, tmp_path: Path) -> None:
    cells = [["Item", None, "Item"], ["No", "Name", "No"], [7, "a b", 2], [8, "ü", None]]
    path = write_workbook(tmp_path / "x.xlsx", {"s": cells})
    assert held(path, header=2, names=["Order", "Sku", "Qty"]) == HELD
    assert held(path, header=0, names=["Order", "Sku", "Qty"])[2:] == HELD


def test_a_file_in_two_bytes_a_letter_that_nobody_announced_says_so(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(CSV.encode("utf-16-le"))
    assert "name the encoding, as read: {encoding: utf-16}" in problem(path)
    assert held(path, encoding="utf-16-le") == HELD


def test_records_of_a_connection_that_holds_edges_and_nodes(home: Path, tmp_path: Path) -> None:
    nodes = [
        {"cursor": name, "node": {"Order": name, "Sku": "a b", "lines": {"edges": [{"node": {"q": 2}}]}}}
        for name in "78"
    ]
    path = tmp_path / "x.json"
    path.write_text(json.dumps({"data": {"orders": {"edges": nodes}}}))
    columns = """"node.Order", json_extract_string("node.lines.edges", '$[0].node.q')"""
    assert held(path, columns, path="data.orders.edges") == [("7", "2"), ("8", "2")]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"])
def test_a_mark_of_the_order_of_bytes_hides_no_row_and_no_name(home: Path, tmp_path: Path, encoding: str) -> None:
    quoted = '"Order","Sku","Qty"\n"7","a b","2"\n"8","ü",""\n'
    mark = b"\xff\xfe" if encoding == "utf-16-le" else b"\xfe\xff" if encoding == "utf-16-be" else b""
    told = "utf-16" if encoding == "utf-16-be" else encoding
    (tmp_path / "x.csv").write_bytes(mark + quoted.encode(encoding))
    assert held(tmp_path / "x.csv", encoding="utf-8" if encoding == "utf-8-sig" else told) == HELD


def test_names_of_columns_as_people_type_them(home: Path, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("\u200bOrder,Gro\u0308ße\u00a0,\n7,M\n")  # a Mac's ö, unseen letters, a comma more
    assert held(tmp_path / "x.csv", '"Order", "Größe"') == [("7", "M")]


@pytest.mark.parametrize("kind", ["csv", "csv.gz", "parquet"])
def test_a_file_name_is_no_pattern(home: Path, tmp_path: Path, kind: str) -> None:
    for name, order in (("s[1]", "right"), ("s1", "wrong")):
        path = tmp_path / f"{name}.{kind}"
        if kind == "parquet":
            pq.write_table(pa.table({"Order": [order]}), path)
        else:
            text = f"Order\n{order}\n".encode()
            path.write_bytes(gzip.compress(text) if kind == "csv.gz" else text)
    assert held(tmp_path / f"s[1].{kind}", '"Order"') == [("right",)]


def test_an_archive_in_an_archive_and_what_systems_put_into_one(home: Path, tmp_path: Path) -> None:
    inner = zipped(tmp_path / "inner.zip", x__csv=CSV)
    with zipfile.ZipFile(tmp_path / "outer.zip", "w") as outer:
        outer.write(inner, "inner.zip")
    (tmp_path / "x.csv.gz").write_bytes(gzip.compress(gzip.compress(CSV.encode())))
    assert "an archive within an archive" in problem(tmp_path / "outer.zip")
    assert "an archive within an archive" in problem(tmp_path / "x.csv.gz")
    with zipfile.ZipFile(tmp_path / "mac.zip", "w") as archive:
        for name in ("export/x.csv", "export/.DS_Store", "__MACOSX/export/._x.csv", "._x.csv", "Thumbs.db"):
            archive.writestr(name, CSV if name == "export/x.csv" else "\x00")
    assert held(tmp_path / "mac.zip") == held(tmp_path / "mac.zip", member="*.csv") == HELD


def test_quotes_behind_a_backslash(home: Path, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text('Order,Sku\n7,"5\\" tee, red"\n8,"say ""x"""\n')
    assert held(tmp_path / "x.csv", '"Order", "Sku"', escape="\\") == [("7", '5" tee, red'), ("8", 'say "x"')]


def test_documents_behind_each_other_and_a_list_without_an_entry(home: Path, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"Order": 7}\n{"Order": 8}\n')
    assert held(tmp_path / "x.json", '"Order"') == [("7",), ("8",)]
    for text in ('{"orders": []}', '{"orders": null}'):
        (tmp_path / "x.json").write_text(text)
        assert problem(tmp_path / "x.json", path="orders") == ""
    (tmp_path / "x.jsonl").write_text("\n")
    assert problem(tmp_path / "x.jsonl") == "the file is empty"


def test_fields_within_fields_of_parquet_and_a_table_without_a_row(home: Path, tmp_path: Path) -> None:
    orders = pa.table(
        {
            "Order": ["7", "8"],
            "item": [{"sku": "a b", "at": {"qty": 2}}, {"sku": "ü", "at": None}],
            "tags": [["x", "y"], []],
            "price": pa.array(["1.50", None]).cast(pa.decimal128(9, 2)),
            "colour": pa.array(["red", "red"]).dictionary_encode(),
        }
    )
    pq.write_table(orders, tmp_path / "x.parquet")
    assert held(tmp_path / "x.parquet", '"Order", "item.sku", "item.at.qty"') == HELD
    found = held(tmp_path / "x.parquet", "tags, price, colour")
    assert found == [('["x","y"]', "1.50", "red"), ("[]", None, "red")]
    pq.write_table(orders.slice(0, 0), tmp_path / "x.parquet")
    assert held(tmp_path / "x.parquet", '"Order"') == []


def test_an_object_that_names_a_field_twice_is_a_fault(home: Path, tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text('{"Order": 7, "Order": 8}\n{"Order": 9}\n')
    found = held(tmp_path / "x.jsonl", '"Order", "#seen"')
    assert found == [(None, "not JSON: 'Order' comes twice in one object"), ("9", None)]
    (tmp_path / "x.json").write_text('[{"Order": 7, "Order": 8}, {"Order": 9}]')
    assert problem(tmp_path / "x.json") == "cannot be read: not JSON: 'Order' comes twice in one object"


def test_an_open_quote_says_how_far_it_runs_and_an_empty_zip_holds_nothing(home: Path, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text('Order,Sku\n7,a\n8,"b\n9,c\n10,d')
    told = [(None,), ("a quote is not closed, over 3 lines",)]
    assert held(tmp_path / "x.csv", '"#seen"') == told
    (tmp_path / "x.csv").write_text('Order,"Sku\n7,a\n')
    assert held(tmp_path / "x.csv", '"Order"') == []
    with zipfile.ZipFile(tmp_path / "x.zip", "w"):
        pass
    assert problem(tmp_path / "x.zip") == "the zip is empty; give it with the file that it is to hold"


@pytest.mark.parametrize(
    ("written", "named", "note"),
    [
        ("utf-8", "cp1252", "make UTF-8"),
        ("cp1252", "latin-1", "cp1252} meant"),
        ("cp1252", "cp1252", ""),
        ("utf-8", "utf-8", ""),
        ("gb18030", "gb18030", ""),
        ("cp932", "cp932", ""),
    ],
)
def test_what_speaks_against_an_encoding_is_told(
    home: Path, tmp_path: Path, written: str, named: str, note: str
) -> None:
    letters = {"cp1252": "größer € 5", "gb18030": "广东", "cp932": "表示"}.get(written, "größer €")
    (tmp_path / "x.csv").write_bytes(f"Order,Sku\n7,{letters}\n".encode(written))
    with landing.connect() as connection:
        notes = read(connection, tmp_path / "x.csv", ReadOptions.model_validate({"encoding": named})).notes
    assert (note in notes[0]) if note else notes == ()


def test_utf_16_without_its_mark_asks_for_the_order_of_bytes(home: Path, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(CSV.encode("utf-16-be"))
    assert problem(tmp_path / "x.csv", encoding="utf-16").endswith("name its order of bytes, as utf-16-le")
    assert held(tmp_path / "x.csv", encoding="utf-16-be") == HELD


def test_a_quote_amid_the_text_of_a_cell_changes_no_value_without_a_word(home: Path, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text('Order,Sku\n7,"5" tee"\n8,"say \\"x\\""\n9,"b"\n"10" , "c"\n')
    told = held(tmp_path / "x.csv", '"Order", "Sku", "#seen"')
    wrong = (None, None, "something stands behind a closing quote")
    assert told == [wrong, wrong, ("9", "b", None), wrong]
    (tmp_path / "x.csv").write_text('Order,Sku\n"10" , "c"\n')
    assert held(tmp_path / "x.csv", '"Order", "Sku"') == [("10", "c")]


@pytest.mark.parametrize("torn", ["", "9,x,,\n"], ids=["sound", "torn"])
def test_a_code_that_an_export_guards_from_spreadsheets_is_the_code(home: Path, tmp_path: Path, torn: str) -> None:
    (tmp_path / "x.csv").write_text(f'Order,Sku\n="007",1\n"=""008""",2\n="",3\n{torn}')
    assert held(tmp_path / "x.csv", '"Order"')[:3] == [("007",), ("008",), (None,)]


def test_text_that_parquet_holds_as_bytes_and_a_sheet_behind_an_empty_one(home: Path, tmp_path: Path) -> None:
    pq.write_table(pa.table({"Sku": pa.array(["ü".encode()], pa.binary())}), tmp_path / "x.parquet")
    assert held(tmp_path / "x.parquet", '"Sku"') == [("ü",)]
    pq.write_table(pa.table({"Sku": pa.array(["ü".encode("cp1252")], pa.binary())}), tmp_path / "x.parquet")
    assert "invalid UTF8" in problem(tmp_path / "x.parquet")
    path = write_workbook(tmp_path / "x.xlsx", {"empty": [], "orders": [["Order"], [7]]})
    assert held(path, '"Order"') == [("7",)]
    (tmp_path / "x.json").write_bytes('[{"Order": 7}]'.encode("utf-16"))
    assert "name the encoding, as read: {encoding: utf-16}" in problem(tmp_path / "x.json")
