"""Good rows of every feed, and worlds made of them; what the tests of the intake build on."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from c2m.feeds.contracts import FEEDS

KNOWN = "2026-01-05T00:00:00Z"
GOOD: dict[str, dict[str, str]] = {
    "catalogue": {
        "merchant_id": "m1", "sku_id": "tee-red-M", "style_id": "tee", "colour": "red", "size": "M", "category": "tee",
        "price": "20", "cost": "8.50", "currency": "EUR", "crafts": "knit;print", "sam_cut_minutes": "1",
        "sam_sew_minutes": "9.5", "sam_finish_minutes": "0", "sam_inspect_minutes": "0.5", "sam_pack_minutes": "0.5",
        "attributes": '{"neck": "round"}',
    },
    "exchange_rates": {"currency": "JPY", "quote_currency": "EUR", "day": "2026-01-01", "rate": "0.0054"},
    "factories": {
        "factory_id": "f1", "country": "BD", "latitude": "23.8", "longitude": "90.4", "timezone": "Asia/Dhaka",
        "currency": "EUR", "lines": "4", "operators": "120", "minute_cost": "0.05", "overtime_minute_cost": "0.08",
        "setup_cost": "40", "setup_minutes": "90", "engagement_cost": "10", "min_lot": "50",
        "small_order_willingness": "0.7", "handling_days": "2", "transport": "mqtt", "status": "active",
    },
    "factory_capabilities": {"factory_id": "f1", "kind": "category", "name": "tee", "efficiency": "0.8"},
    "factory_calendar": {"factory_id": "f1", "day": "2026-01-07", "minutes": "57600", "overtime_minutes": "7200"},
    "sales_lines": {
        "merchant_id": "m1", "sale_line_id": "s1", "channel": "web", "sku_id": "tee-red-M", "style_id": "tee",
        "sold_on": "2026-01-04", "quantity": "2", "status": "placed", "amount": "40.00", "currency": "EUR",
        "promotion": "false", "business_customer": "no",
    },
    "stock": {"merchant_id": "m1", "sku_id": "tee-red-M", "location_id": "main", "as_of": KNOWN, "on_hand": "5"},
    "merchant_orders": {
        "merchant_id": "m1", "order_id": "o1", "placed_on": "2026-01-04", "due_on": "2026-02-01", "currency": "EUR",
        "tolerance_share": "0.03", "status": "open",
    },
    "merchant_order_lines": {"merchant_id": "m1", "order_id": "o1", "sku_id": "tee-red-M", "quantity": "300"},
    "receipts": {
        "merchant_id": "m1", "receipt_id": "a1", "location_id": "main", "sku_id": "tee-red-M", "quantity": "30",
        "lost_quantity": "1", "received_at": "2026-01-04T09:00:00Z", "purchase_order_id": "po1",
    },
    "demand_signals": {
        "merchant_id": "m1", "style_id": "tee", "day": "2026-01-09", "signal": "promotion_depth", "value": "0.2",
    },
    "market": {
        "source": "panel", "category": "tee", "day": "2025-12-29", "volume": "1200", "price": "19.5", "currency": "EUR",
    },
    "routings": {"merchant_id": "m1", "style_id": "tee", "step": "1", "operation": "sew", "sam_minutes": "9.5"},
    "reviews": {"merchant_id": "m1", "review_id": "r1", "style_id": "tee", "reviewed_on": "2026-01-04", "rating": "4"},
    "materials": {"material_id": "jersey", "material_name": "Jersey 180 g", "unit": "m2", "kg_per_unit": "0.18"},
    "bill_of_materials": {
        "merchant_id": "m1", "parent_id": "tee", "material_id": "jersey", "quantity": "0.9", "unit": "m2",
        "waste_share": "0.15",
    },
    "suppliers": {
        "supplier_id": "mill", "country": "BD", "currency": "EUR", "order_cost": "35", "capacity_per_week": "20000",
        "status": "active",
    },
    "supplier_materials": {
        "supplier_id": "mill", "material_id": "jersey", "price": "2.40", "price_breaks": "500:2.20;2000:2",
        "minimum_order": "100", "pack": "25", "lead_days": "9", "capacity_per_week": "5000",
        "currency": "EUR",
    },
    "designs": {
        "merchant_id": "m1", "design_id": "wide-tee", "category": "tee", "price": "24", "currency": "EUR",
        "routing": '[{"operation": "sew", "sam_minutes": 9.5, "craft": "knit", "attribute": "cuff"}]',
        "bill_of_materials": '[{"material_id": "jersey", "quantity": 0.9, "unit": "m2"}]',
        "attributes": '{"cuff": "wide"}',
    },
    "lanes": {
        "from_place": "mill", "to_place": "f1", "mode": "road", "cost_per_kg": "0.12", "currency": "EUR", "days": "3",
        "days_sd": "1",
    },
}  # fmt: skip


def good(feed: str, **changes: str) -> dict[str, str]:
    """A row that keeps the contract, with some cells changed."""
    return GOOD[feed] | {"known_at": KNOWN} | changes


def write_csv(path: Path, rows: Sequence[Mapping[str, str]], columns: Sequence[str] | None = None) -> Path:
    """A CSV file of these rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = io.StringIO()
    names = columns or list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    path.write_bytes(text.getvalue().encode())
    return path


LEAST = tuple(feed.name for feed in FEEDS.values() if feed.required)


def write_good_world(folder: Path, feeds: Iterable[str] = FEEDS) -> Path:
    """One good row of every feed, or of these: what a test does not look at costs it time."""
    for feed in feeds:
        write_csv(folder / f"{feed}.csv", [good(feed)])
    return folder
