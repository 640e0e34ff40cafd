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
    assert found.counts == {"rows_in": 4, "accepted": 0, "quarantined": 4}  # no style: that is left to a person
    assert found.broken["style_id-type"] == 4
    assert found.rows["amount"].astype(float).tolist() == [1020.5, 10.0, 10.0, 10.0]
    assert found.rows["sale_line_id"].tolist() == ["7-tee_s-1", "7-tee_m-1", "8-tee_s-1", "8-tee_s-2"]
    assert "Kunde" not in found.text


def test_what_it_writes_is_a_mapping_that_brings_rows_in(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "shop [1].csv"
    path.write_text("line_id,sku,style,order_date,qty,total,status,currency\n1,a,A,2026-01-02,2,20,paid,USD\n")
    found = propose(path, "sales_lines")
    assert found.counts == {"rows_in": 1, "accepted": 1, "quarantined": 0}
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
