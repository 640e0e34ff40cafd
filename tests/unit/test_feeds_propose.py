"""`c2m map`: what it proposes for an unknown export brings its rows in, and it says what it is not sure of."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner
from workbooks import write_workbook

from c2m.cli import app
from c2m.errors import InputError
from c2m.feeds.forms.sniff import sniff
from c2m.feeds.mapping import parse
from c2m.feeds.propose import propose

GERMAN = """Verkäufe März

Bestellnummer;Artikel;Datum;Menge;Betrag;Status;Kunde
7;tee s;31.03.2026;2;1.020,50;Shipped;Ada
7;tee m;31.03.2026;1;10,00;Cancelled;Ada
8;tee s;01.04.2026;1;10,00;Shipped;Bo
8;tee s;01.04.2026;1;10,00;mystery;Bo
"""


def expressions(file: Path) -> dict[str, str]:
    return {guess.column: guess.expression for guess in propose(file, "sales_lines").guesses}


def test_encoding_delimiter_title_dates_and_decimal_commas_are_found(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    path.write_bytes(GERMAN.encode("cp1252"))
    assert sniff(path, "csv") == {"encoding": "cp1252", "delimiter": ";", "header": 3}
    found = propose(path, "sales_lines")
    by_column = {guess.column: guess for guess in found.guesses}
    assert by_column["sold_on"].expression == """CAST(strptime("Datum", '%d.%m.%Y') AS DATE)"""
    assert by_column["quantity"].sure > 0.7
    assert by_column["status"].sure == 0.75  # a word in four says nothing that is known
    assert by_column["currency"].sure == 0
    assert found.counts == {"rows_in": 4, "accepted": 0, "quarantined": 4, "left_out": 0}
    assert found.broken["style_id-type"] == 4  # no style: that is left to a person
    assert found.rows["amount"].astype(float).tolist() == [1020.5, 10.0, 10.0, 10.0]
    lines = found.rows["sale_line_id"].str.rpartition("-")[0]
    assert lines.tolist() == ["7-tee_s-1", "7-tee_m-1", "8-tee_s-1", "8-tee_s-2"]
    assert "Kunde" not in found.text


def test_what_it_writes_is_a_mapping_that_brings_rows_in(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "shop [1].csv"
    path.write_text("line_id,sku,style,order_date,qty,total,status,currency\n1,a,A,2026-01-02,2,20,paid,USD\n")
    found = propose(path, "sales_lines")
    assert found.counts == {"rows_in": 1, "accepted": 1, "quarantined": 0, "left_out": 0}
    assert parse(found.text, "m").files == "shop [[]1].csv"
    out = tmp_path / "m.yaml"
    result = CliRunner().invoke(app, ["map", str(path), "--feed", "sales_lines", "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert out.read_text() == found.text
    for said in ("How sure", "Ten rows as they would come in", "100% sure"):
        assert said in result.output
    said = json.loads(CliRunner().invoke(app, ["map", str(path), "--feed", "sales_lines", "--json"]).output)
    assert said["rows"][0]["quantity"] == 2


def test_order_fields_on_the_first_line_alone_are_filled_down(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(
        "order,sku,style,date,qty,status,coupon\n7,a,A,2026-01-02,1,paid,\n7,b,B,,2,,\n8,a,A,2026-01-03,1,paid,x\n"
    )
    found = propose(path, "sales_lines")
    assert parse(found.text, "m").shape.fill_down[0].model_dump() == {
        "columns": ["date", "status"],
        "within": ["order"],
    }
    assert found.counts["accepted"] == 3


def test_a_workbook_and_a_document(home: Path, tmp_path: Path) -> None:
    rows = [["Season"], ["Order No", "SKU", "Model", "Date", "Qty"], [7, "a-1", "a", "2026-01-02", 3]]
    book = write_workbook(tmp_path / "x.xlsx", {"about": [["us"]], "lines": rows})
    assert sniff(book, "excel") == {"sheet": "lines", "header": 2}
    assert propose(book, "sales_lines").counts["accepted"] == 1
    (tmp_path / "x.json").write_text(json.dumps({"meta": 1, "data": {"orders": [{"sku": "a", "qty": 1}]}}))
    assert sniff(tmp_path / "x.json", "json") == {"path": "data.orders"}
    assert expressions(tmp_path / "x.json")["quantity"] == '"qty"'
    (tmp_path / "x.xml").write_text("<s><o><sku>a</sku></o><o><sku>b</sku></o></s>")
    assert sniff(tmp_path / "x.xml", "xml") == {"path": "o"}


@pytest.mark.parametrize("content", [b"", b"\x00\xff\x00", b"PK\x03\x04", b"\x1f\x8bx"])
@pytest.mark.parametrize("name", ["x.csv", "x.json", "x.xml", "x.xlsx", "x.zip", "x.parquet", "x.csv.gz"])
def test_what_cannot_be_read_ends_in_words(home: Path, tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError) as caught:
        propose(tmp_path / name, "stock")
    assert name in caught.value.faults[0]
    with pytest.raises(InputError, match="no feed is called"):
        propose(tmp_path / name, "sales")


def export(
    file: Path, *lines: str, encoding: str = "utf-8", header: str = "line_id,sku,style,day,qty,total,status"
) -> Path:
    file.write_bytes("\n".join([header, *lines, ""]).encode(encoding))
    return file


@pytest.mark.parametrize(
    ("lines", "column", "seen"),
    [
        (["1,a,A,3/14/2026 2:05 PM,1,9,paid", "2,a,A,3/4/2026 11:00 AM,1,9,paid"],
         "sold_on", ["2026-03-14", "2026-03-04"]),
        (['1,a,A,"Mar 14, 2026",1,9,paid', '2,a,A,"Mar 4, 2026",1,9,paid'], "sold_on", ["2026-03-14", "2026-03-04"]),
        (["1,a,A,46095,1,9,paid", "2,a,A,46085.5,1,9,paid"], "sold_on", ["2026-03-14", "2026-03-04"]),
        (["1,a,A,2026-03-14,1,9,paid", "2,a,A,04/03/2026,1,9,paid", "3,a,A,13/03/2026,1,9,paid",
          "4,a,A,46095,1,9,paid"], "sold_on", ["2026-03-14", "2026-03-04", "2026-03-13", "2026-03-14"]),
        (['1,a,A,2026-03-04,1,"€1,234.50",paid', "2,a,A,2026-03-04,1,(€10.00),paid"], "amount", [1234.5, -10]),
        (['1,a,A,2026-03-04,1,"1.234,50 €",paid', '2,a,A,2026-03-04,1,"EUR 10,00",paid'], "amount", [1234.5, 10]),
        (['1,a,A,2026-03-04,1,"Rs. 1,23,456.50",paid', '2,a,A,2026-03-04,1,Rs. 7,paid'], "amount", [123456.5, 7]),
        (["1,a,A,2026-03-04,1,1\u202f234.5,paid", "2,a,A,2026-03-04,1,1'000,paid"], "amount", [1234.5, 1000]),
        (["1,a,A,2026-03-04,1.000,9,paid", "2,a,A,2026-03-04,2.500,9,paid"], "quantity", [1000, 2500]),
        (['1,"=""007""",A,2026-03-04,1,9,paid', "2,\u00a0008\u200b,A,2026-03-04,1,9,paid"], "sku_id", ["007", "008"]),
    ],
    ids=["am-pm", "month", "serial", "mixed", "symbol", "comma", "lakh", "spaces", "thousand", "code"],
)  # fmt: skip
def test_what_stands_in_cells_is_read_as_it_is_meant(
    home: Path, tmp_path: Path, lines: list[str], column: str, seen: list[object]
) -> None:
    found = propose(export(tmp_path / "x.csv", *lines), "sales_lines").rows[column]
    shown = found.astype(str).tolist() if column in ("sold_on", "sku_id") else found.astype(object).tolist()
    assert shown == seen


@pytest.mark.parametrize(
    ("lines", "column", "doubt"),
    [
        (["1,a,A,3/4/2026,1,9,paid", "2,a,A,5/4/2026,1,9,paid"], "sold_on", "the other way round"),
        (["1,a,A,2026-03-04,1.000,9,paid", "2,a,A,2026-03-04,3.000,9,paid"], "quantity", "thousands or decimals"),
        (['1,a,A,2026-03-04,1,"9,500",paid'], "amount", "thousands or decimals"),
        (["1,5.90123E+12,A,2026-03-04,1,9,paid"], "sku_id", "rounded 1 codes"),
        (["1,a,A,2026-03-04,1,$9,paid", "2,a,A,2026-03-04,1,€9,paid"], "currency", "stand $, €"),
    ],
    ids=["day-month", "pieces", "amount", "rounded", "currencies"],
)
def test_what_may_mean_two_things_is_said(
    home: Path, tmp_path: Path, lines: list[str], column: str, doubt: str
) -> None:
    found = propose(export(tmp_path / "x.csv", *lines), "sales_lines")
    guess = next(guess for guess in found.guesses if guess.column == column)
    assert doubt in guess.doubt and doubt in found.text
    assert guess.sure <= 0.5


def test_returns_are_left_out_and_a_line_of_totals_is_quarantined(home: Path, tmp_path: Path) -> None:
    lines = ["1,a,A,2026-03-04,3,9 €,paid", "2,a,A,2026-03-05,-1,-3 €,refunded", "3,b,A,2026-03-05,2,6 €,paid"]
    found = propose(export(tmp_path / "x.csv", *lines, "Total,,,,4,12 €,"), "sales_lines")
    assert found.counts == {"rows_in": 4, "accepted": 2, "quarantined": 1, "left_out": 1}
    assert next(guess for guess in found.guesses if guess.column == "currency").expression == "'EUR'"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_text_of_two_bytes_a_letter_is_found(home: Path, tmp_path: Path, encoding: str) -> None:
    path = export(tmp_path / "x.csv", "1,a,A,2026-03-04,3,9,paid", encoding=encoding)
    assert propose(path, "sales_lines").counts["accepted"] == 1


def test_a_workbook_that_is_none(home: Path, tmp_path: Path) -> None:
    header = "line_id\tsku\tstyle\tday\tqty\ttotal\tstatus"
    path = export(tmp_path / "x.xls", "1\ta\tA\t2026-03-04\t3\t9\tpaid", header=header)
    assert sniff(path, "csv") == {"delimiter": "\t"}
    assert propose(path, "sales_lines").counts["accepted"] == 1
    path.write_text("<html><table><tr><td>sku</td></tr></table></html>\n")
    with pytest.raises(InputError, match="a page under the name of a workbook"):
        propose(path, "sales_lines")


def test_columns_of_one_name_and_titles_as_wide_as_the_table(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    path.write_text("Bericht;;;;\n\nBestellnr.;Artikelnr.;Artikelnr.;Datum;Menge\n1;007-M;x;13.04.2026;2\n")
    assert sniff(path, "csv")["names"] == ["Bestellnr.", "Artikelnr.", "Artikelnr. 2", "Datum", "Menge"]
    found = propose(path, "sales_lines").rows.iloc[0]
    assert (found["sku_id"], found["quantity"], str(found["sold_on"])[:10]) == ("007-M", 2, "2026-04-13")


@pytest.mark.parametrize(
    "header, line",
    [
        ("订单号,商品编码,日期,数量,币种", "7,A-1,2026年4月13日,2,CNY"),
        ("Numéro,Réf,Date,Quantité,Devise", "7,A-1,13/04/2026,2,EUR"),
        ("Pedido,Referencia,Fecha,Cantidad,Moneda", "7,A-1,13/04/2026,2,EUR"),
    ],
)
def test_headers_in_other_languages_are_known(home: Path, tmp_path: Path, header: str, line: str) -> None:
    path = tmp_path / "export.csv"
    path.write_text(f"{header}\n{line}\n")
    found = propose(path, "sales_lines").rows.iloc[0]
    assert (found["sale_code"], found["sku_id"], found["quantity"]) == ("7", "A-1", 2)
    assert str(found["sold_on"])[:10] == "2026-04-13"


def test_a_header_alone_and_a_list_in_a_cell_are_said(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    path.write_text("order_id,sku,date,quantity\n")
    assert "nothing in this file looks like sales_lines" in propose(path, "sales_lines").text
    path = tmp_path / "export.json"
    path.write_text(json.dumps({"orders": [{"id": n, "currency": "EUR", "items": [{"sku": "a"}]} for n in (1, 2)]}))
    assert "items holds lists: `explode`" in propose(path, "sales_lines").text
