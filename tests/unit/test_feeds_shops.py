"""The mappings that come with the project, each on a small file in the layout of its shop."""

import json
from pathlib import Path

import duckdb
import pytest
from feed_rows import LEAST, good, write_csv, write_good_world
from workbooks import write_workbook

from c2m.feeds import landing, quarantine
from c2m.feeds.ingest import ingest
from c2m.feeds.world import World


@pytest.fixture
def world(tmp_path: Path, home: Path) -> Path:
    """A good world without sales or orders."""
    folder = write_good_world(tmp_path / "world", LEAST)
    (folder / "sales_lines.csv").unlink()
    (folder / "files").mkdir()
    return folder


def bring_in(world: Path, *mappings: str, columns: str) -> tuple[tuple[int, ...], list[tuple[object, ...]]]:
    """Rows in, accepted, quarantined, left out of the last mapping's files; what landed."""
    sources = "".join(f"  - {{mapping: {mapping}, root: files}}\n" for mapping in mappings)
    (world / "world.yaml").write_text(f"sources:\n{sources}")
    table = ingest(World.load(world))
    counts = table[table["mapping"] == mappings[-1]][["rows_in", "accepted", "quarantined", "left_out"]].sum()
    feed = Path(mappings[-1]).stem
    rows = duckdb.sql(f"SELECT {columns} FROM {landing.source(feed)} ORDER BY _batch_id, _record").fetchall()
    return tuple(int(count) for count in counts), rows


def csv(world: Path, name: str, text: str) -> None:
    (world / "files" / name).write_text(text)


LINES = "sale_line_id, sku_id, quantity, status, amount::DOUBLE, region"
SHOPIFY = """Name,Email,Financial Status,Currency,Discount Code,Created at,Lineitem quantity,Lineitem price,\
Lineitem sku,Lineitem fulfillment status,Billing Province,Cancelled at
#7,x@y.example,paid,EUR,SPRING,2026-01-02 23:30:00 -0500,2,10.00,tee-S,fulfilled,NY,
#7,x@y.example,,,,,1,12.50,tee-M,pending,,
#8,z@y.example,paid,EUR,,2026-01-03 10:00:00 +0800,1,10.00,tee-S,pending,,2026-01-03 11:00:00 +0800
#8,z@y.example,,,,,1,10.00,tee-S,pending,,
#9,z@y.example,paid,EUR,,2026-01-03 12:00:00 +0800,1,50.00,,pending,,
"""


def test_shopify(world: Path) -> None:
    csv(world, "orders_export.csv", SHOPIFY)
    counts, rows = bring_in(world, "shopify/sales_lines.yaml", columns=LINES)
    assert counts == (5, 4, 0, 1)
    assert rows == [
        ("_7-tee-S-1", "tee-S", 2, "shipped", 20.0, "NY"),
        ("_7-tee-M-1", "tee-M", 1, "placed", 12.5, "NY"),
        ("_8-tee-S-1", "tee-S", 1, "cancelled", 10.0, None),
        ("_8-tee-S-2", "tee-S", 1, "cancelled", 10.0, None),
    ]
    days = duckdb.sql(
        f"SELECT DISTINCT sold_on::VARCHAR, known_at::VARCHAR FROM {landing.source('sales_lines')} ORDER BY 1"
    )
    assert days.fetchall() == [("2026-01-02", "2026-01-03 04:30:00"), ("2026-01-03", "2026-01-03 02:00:00")]


def test_woocommerce(world: Path) -> None:
    csv(
        world,
        "orders-export-1.csv",
        "order_id,order_number,date,status,billing_first_name,billing_state,coupon_items,line_items\n"
        "1,7,2026-01-02 10:00:00,completed,Ada,BY,,id:1|name:Tee|sku:tee-S|quantity:2|total:20.00;"
        "id:2|name:Tee|sku:tee-M|quantity:1|total:10.00\n2,8,2026-01-02 10:00:00,new,Bo,,,id:3|sku:tee-S|quantity:1\n",
    )
    counts, rows = bring_in(world, "woocommerce/sales_lines.yaml", columns=LINES)
    assert counts == (3, 2, 1, 0)
    assert rows == [("7-1", "tee-S", 2, "shipped", 20.0, "BY"), ("7-2", "tee-M", 1, "shipped", 10.0, "BY")]
    assert "status-type" in set(quarantine.read("sales_lines")["rule"])


def test_magento(world: Path) -> None:
    parent = {"item_id": 1, "sku": "tee-S", "product_type": "configurable", "qty_ordered": 2, "qty_canceled": 0,
              "qty_refunded": 0, "qty_shipped": 2, "row_total": 20.5, "discount_amount": 0}  # fmt: skip
    child = parent | {"item_id": 2, "parent_item_id": 1, "product_type": "simple", "row_total": 0}
    order = {"increment_id": "000000007", "created_at": "2026-01-02 23:30:00", "updated_at": "2026-01-04 08:00:00",
             "status": "complete", "order_currency_code": "EUR", "customer_email": "x@y.example",
             "billing_address": {"region": "Bayern"}, "items": [parent, child]}  # fmt: skip
    csv(world, "orders.json", json.dumps({"items": [order], "total_count": 1}))
    counts, rows = bring_in(world, "magento/sales_lines.yaml", columns=f"{LINES}, sold_on::VARCHAR, known_at::VARCHAR")
    assert counts == (2, 1, 0, 1)
    assert rows == [
        ("000000007-1", "tee-S", 2, "shipped", 20.5, "Bayern", "2026-01-03", "2026-01-04 08:00:00"),
    ]  # fmt: skip


def test_olist(world: Path) -> None:
    csv(
        world,
        "olist_order_items_dataset.csv",
        "order_id,order_item_id,product_id,seller_id,price\no7,1,p1,s1,58.9\no8,1,p2,s1,9\n",
    )
    csv(
        world,
        "olist_orders_dataset.csv",
        "order_id,customer_id,order_status,order_purchase_timestamp\no7,c1,delivered,2018-01-02 10:56:33\n",
    )
    csv(world, "olist_customers_dataset.csv", "customer_id,customer_city,customer_state\nc1,campinas,SP\n")
    counts, rows = bring_in(world, "olist/sales_lines.yaml", columns=f"{LINES}, known_at::VARCHAR")
    assert counts == (2, 1, 1, 0)
    assert rows == [("o7-1", "p1", 1, "delivered", 58.9, "SP", "2018-01-03 01:59:59")]
    assert set(quarantine.read("sales_lines")["rule"]) == {"join-orders"}


def test_uci_online_retail(world: Path) -> None:
    head = ["InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country"]
    line = [536365, "85123A", "HOLDER", 6, "2010-12-01 08:26:00", 2.55, 17850, "France"]
    others = [["C536379", "85123A", *line[2:]], [536366, "POST", *line[2:]], [536367, 85123, "damaged", -4, *line[4:]]]
    write_workbook(world / "files" / "Online Retail.xlsx", {"Online Retail": [head, line, line, *others]})
    counts, rows = bring_in(world, "uci_online_retail/sales_lines.yaml", columns=LINES)
    assert counts == (5, 2, 0, 3)
    assert rows == [
        (f"536365-85123A-{n}", "85123A", 6, "shipped", 15.3, "France") for n in (1, 2)
    ]  # fmt: skip


def test_size_sheet(world: Path) -> None:
    write_csv(world / "sales_lines.csv", [good("sales_lines")])
    skus = [f"tee-{colour}-{size}" for colour in ("red", "navy") for size in ("S", "M", "L", "XL")]
    write_csv(world / "catalogue.csv", [good("catalogue", sku_id=sku) for sku in skus])
    csv(
        world,
        "orderbook.csv",
        'PO No,Style,Colour,Ex-fty,S,M,L,XL,Total\nP1,tee,red,2027-03-30,60,"1,200",0,-,1260\n'
        "P1,,navy,2027-03-30,,5,,,5\nP1,,red,2027-03-30,x,50,,,50\n",
    )
    orders, lines = "size_sheet/merchant_orders.yaml", "size_sheet/merchant_order_lines.yaml"
    counts, rows = bring_in(world, orders, lines, columns="order_id, sku_id, quantity")
    assert counts == (5, 3, 1, 1)
    assert rows == [("P1", "tee-red-S", 60), ("P1", "tee-red-M", 1250), ("P1", "tee-navy-M", 5)]
    assert duckdb.sql(f"SELECT count(*) FROM {landing.source('merchant_orders')}").fetchone() == (1,)
