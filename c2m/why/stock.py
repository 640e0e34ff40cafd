"""What a lot's style had in stock: the counts and the marts that the figures kept with the order rest on."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb

from c2m import clock
from c2m.ledger.quantities import STOCK
from c2m.warehouse import published
from c2m.why.link import Link
from c2m.why.sales import files

Figures = dict[str, Any]
_MARTS = ("stock_position", "skus", "styles", "exchange_rates")  # that tell what is kept with an order


def of_skus(connection: duckdb.DuckDBPyConnection, lot: Figures, skus: Sequence[Figures]) -> Link:
    """On hand, in transit, on order, price and share are those of the marts, where these are still there.

    Makes the table `counts`: of each SKU and location the last count before the day, with `landed`, its file's name.
    """
    link = Link("stock", f"{lot['merchant_id']}/{lot['style_id']} {lot['business_date']}")
    manifest = published.manifest_of(lot["build_id"])
    if manifest is None:
        link.expect(f"a manifest of build {lot['build_id']}", "one", None)
        _counts(connection, lot, skus, [])
        return link
    day = published.as_of(manifest, lot["business_date"])
    link.expect("business date of its marts", day, manifest["business_date"])
    link.figures = {"build_id": lot["build_id"]}
    _counts(connection, lot, skus, manifest["landed"] or [])
    counted = connection.execute("SELECT count(*), sum(on_hand)::INT, max(as_of) FROM counts").fetchone()
    if counted and counted[0]:
        link.words = [f"Last counted {counted[2]:%Y-%m-%d %H:%M} UTC: {counted[1]:,} pieces; sold and received since."]
        link.figures |= {"counted": counted[1], "as_of": counted[2]}
    else:
        link.words = ["Never counted."]
    _compare_marts(connection, link, manifest, lot, skus)
    return link


def _counts(
    connection: duckdb.DuckDBPyConnection, lot: Figures, skus: Sequence[Figures], landed: Sequence[str]
) -> None:
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE counts AS SELECT *, parse_filename(filename) AS landed
        FROM read_parquet({files(landed, "stock")}, union_by_name = true, filename = true)
        WHERE merchant_id = $merchant_id AND list_contains($skus, sku_id) AND known_at < $cut_off AND as_of < $cut_off
        QUALIFY row_number() OVER (
            PARTITION BY sku_id, location_id ORDER BY as_of DESC, known_at DESC, _row_hash DESC) = 1""",  # noqa: S608
        {
            "merchant_id": lot["merchant_id"],
            "skus": [sku["sku_id"] for sku in skus],
            "cut_off": clock.cut_off(lot["business_date"]).replace(tzinfo=None),
        },
    )


def _compare_marts(
    connection: duckdb.DuckDBPyConnection, link: Link, manifest: Figures, lot: Figures, skus: Sequence[Figures]
) -> None:
    built = manifest["marts"]
    marts = {name: published.file_of(built[name]) for name in _MARTS if name in built}
    if not all(file.exists() for file in marts.values()):
        link.words.append(f"The files of build {lot['build_id']} have made room for newer ones; its manifest stays.")
        return
    kept = {sku["sku_id"]: tuple(sku[name] for name in (*STOCK, "size_share")) for sku in skus if sku["size_share"]}
    seen = _stock_of(connection, marts, lot)
    link.expect("on hand, in transit, on order and share of each SKU, as kept with the order", kept, seen)
    money = _money_of(connection, marts, lot)
    link.expect("price and cost, as kept with the order", (lot["price"], lot["cost"], lot["currency"]), money)
    link.words.append(f"The marts of build {lot['build_id']} say the same.")


def _stock_of(
    connection: duckdb.DuckDBPyConnection, marts: Mapping[str, Path], lot: Figures
) -> dict[str, tuple[Any, ...]]:
    """By SKU of the lot's style on hand, in transit, on order and share."""
    rows = connection.execute(
        """SELECT s.sku_id, (coalesce(p.on_hand, 0), coalesce(p.in_transit, 0), coalesce(p.on_order, 0), s.size_share)
        FROM read_parquet($skus) AS s LEFT JOIN read_parquet($stock) AS p USING (merchant_id, sku_id)
        WHERE merchant_id = $merchant_id AND style_id = $style_id""",
        {"skus": str(marts["skus"]), "stock": str(marts["stock_position"])}
        | {"merchant_id": lot["merchant_id"], "style_id": lot["style_id"]},
    )
    return dict(rows.fetchall())


def _money_of(connection: duckdb.DuckDBPyConnection, marts: Mapping[str, Path], lot: Figures) -> tuple[Any, ...] | None:
    """Price and cost of the lot's style, in the lot's currency where there is a rate, and the currency."""
    money = connection.execute(
        """SELECT price, cost, currency FROM read_parquet($styles)
        WHERE merchant_id = $merchant_id AND style_id = $style_id""",
        {"styles": str(marts["styles"]), "merchant_id": lot["merchant_id"], "style_id": lot["style_id"]},
    ).fetchone()
    if money is None or money[2] == lot["currency"] or "exchange_rates" not in marts:
        return money
    return connection.execute(
        """SELECT round($price * rate, 4)::DECIMAL(18, 4), round($cost * rate, 4)::DECIMAL(18, 4), quote_currency
        FROM read_parquet($rates) WHERE (currency, quote_currency) = ($own, $counted)""",
        {"rates": str(marts["exchange_rates"]), "price": float(money[0]), "cost": float(money[1])}
        | {"own": money[2], "counted": lot["currency"]},
    ).fetchone()
