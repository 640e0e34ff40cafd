"""Inputs that once went wrong, read where they lie beside the project, with the values that are right."""

import shutil
from datetime import date
from pathlib import Path

import duckdb
import pytest
import yaml

from c2m.errors import InputError
from c2m.feeds import landing, quarantine
from c2m.feeds.ingest import ingest
from c2m.feeds.mapping import ReadOptions
from c2m.feeds.records import read
from c2m.feeds.world import World
from expectations import batches

pytestmark = pytest.mark.shared
CASES = Path(__file__).parents[3] / "shared" / "cases" / "feeds"


@pytest.fixture
def case(tmp_path: Path, home: Path, request: pytest.FixtureRequest) -> Path:
    """A copy of the case that the test names, its sources read through the project's own mappings."""
    folder, mappings = request.param
    if not (CASES / folder).is_dir():
        pytest.skip(f"cases not found at {CASES}")
    world = tmp_path / "world"
    shutil.copytree(CASES / folder, world, copy_function=shutil.copyfile)
    sources = [{"mapping": mapping, "root": "files"} for mapping in mappings]
    (world / "world.yaml").write_text(yaml.safe_dump({"sources": sources}))
    return world


SHOPIFY = ("shopify/sales_lines.yaml",)
BOTH = [("shopify_orders_export/world", SHOPIFY), ("shopify_orders_export/world2", SHOPIFY)]


@pytest.mark.parametrize("case", BOTH, indirect=True, ids=["first", "refunded"])
def test_shopify_orders_export(case: Path) -> None:
    ingest(World.load(case))
    assert quarantine.read("sales_lines").empty
    lines = duckdb.sql(
        f"""SELECT sale_code, sku_id, status FROM {landing.source("sales_lines")}
        QUALIFY row_number() OVER (PARTITION BY sale_line_id ORDER BY known_at DESC) = 1 ORDER BY sale_line_id"""
    ).fetchall()
    last = "cancelled" if (case / "files" / "orders_export_2.csv").exists() else "placed"
    assert lines == [
        ("#1001", "TEE-red-M", "shipped"),
        ("#1001", "TEE-red-S", "shipped"),
        ("#1002", "POLO-navy-L", "cancelled"),
        ("#1002", "POLO-red-L", "cancelled"),
        ("#1003", "TEE-red-S", last),
        ("#1003", "TEE-red-S", last),
    ]


SHEET = ("size_sheet/merchant_orders.yaml", "size_sheet/merchant_order_lines.yaml")


@pytest.mark.parametrize("case", [("size_sheet/world", SHEET)], indirect=True, ids=["sheet"])
def test_size_sheet(case: Path) -> None:
    ingest(World.load(case))
    assert quarantine.read("merchant_order_lines").empty
    lines = duckdb.sql(f"SELECT order_id, sku_id, quantity FROM {landing.source('merchant_order_lines')}").fetchall()
    assert {(sku, pieces) for order, sku, pieces in lines if order == "PO-77"} == {
        ("TEE-red-S", 60), ("TEE-red-M", 170), ("TEE-red-L", 170), ("TEE-red-XL", 60),
        ("TEE-navy-S", 60), ("TEE-navy-L", 120),
    }  # fmt: skip
    assert sum(pieces for order, _, pieces in lines if order == "PO-78") == 7_200


@pytest.mark.parametrize("case", [("excel/world", ())], indirect=True, ids=["workbook"])
def test_excel(case: Path) -> None:
    with landing.connect() as connection:
        found = read(connection, case / "files" / "sales_lines.xlsx", ReadOptions.model_validate({}))
        assert (found.columns, found.problems) == (("id", "sku"), ())
        assert connection.sql("SELECT id, sku FROM records").fetchall() == [("1", "TEE-red-S")]
    with pytest.raises(InputError, match=r"sales_lines\.xlsx: columns missing: .*; the file has id, sku"):
        ingest(World.load(case))


@pytest.mark.parametrize("case", [("two_currencies/world", ())], indirect=True, ids=["yen"])
def test_two_currencies(case: Path) -> None:
    table = ingest(World.load(case)).set_index("feed")
    assert table.loc["sales_lines", "rows_in"] == 1_260
    waiting = quarantine.read("sales_lines")
    assert set(waiting["rule"]) == {"amount-rate"}
    assert len(waiting) == table.loc["sales_lines", "quarantined"] == 140
    (case / "exchange_rates.csv").write_text("currency,quote_currency,day,rate\nJPY,EUR,2025-01-01,0.0062\n")
    ingest(World.load(case))
    assert quarantine.read("sales_lines").empty


@pytest.mark.parametrize("case", [("zeros_lost/world", ())], indirect=True, ids=["zeros"])
def test_zeros_lost(case: Path) -> None:
    ingest(World.load(case))
    found = batches.of_feeds(date(2026, 3, 9))["matches"].set_index("subject")
    assert found.loc["all merchants", "unlisted_share"] == pytest.approx(521 / 1_588, abs=0.02)
    assert list(quarantine.read("merchant_order_lines")["rule"]) == ["sku_id-unknown"]
