"""Worlds of many merchants, all alike but for their ids, a folder each, and one row of a file broken in some way.

Every merchant calls its orders PO-1 and PO-2. In: a folder, how many. Out: feed files; text of a broken file.
"""

import csv
import io
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

DAY = date(2026, 3, 6)
KNOWN = "2026-03-01T08:00:00Z"
CATEGORIES = [f"category{number}" for number in range(5)]
SIZES = ("S", "M", "L")
Row = dict[str, str]

# What a cell may hold instead. Each has stopped some product: limits, signs, words for nothing, other people's ids.
JUNK = (
    "", " ", "0", "-1", "1e400", "NaN", "inf", "1.5", "2147483648", "9223372036854775808", "10000000", "0.00001",
    "null", "2026-02-30", "9999-12-31", "0001-01-01", "2026-03-01T08:00:00+99:00", "true", "JPY", "XXX", "M002",
    "PO-2", "#1", "#2", "'; DROP TABLE orders; --", "=1+1", "\x00", "\x1b[31m", "\U0001f600" * 40, "a" * 5_000,
    '"', '"\n"', ",,,,", "\u202e", "cancelled",
)  # fmt: skip
KINDS = ("cell", "column", "doubled", "torn", "bytes")


@dataclass(frozen=True)
class Breakage:
    """One row of one file of one merchant. kind: a cell of it, a cell swapped, said twice, cut short, or no text."""

    merchant_id: str
    feed: str
    row: int
    column: int
    junk: str
    kind: str


def merchant_ids(count: int) -> list[str]:
    """The merchants of a world."""
    return [f"M{number:03d}" for number in range(1, count + 1)]


def drawn(draws: random.Random, count: int) -> Breakage:
    """Any breakage in a world of `count` merchants."""
    feed = draws.choice(list(rows_of("M001")))
    chosen = draws.choice(merchant_ids(count)), feed, draws.randrange(100), draws.randrange(100)
    return Breakage(*chosen, draws.choice(JUNK), draws.choice(KINDS))


def rows_of(merchant_id: str) -> dict[str, list[Row]]:
    """The feeds of a merchant."""
    number = int(merchant_id[1:])
    style_id = f"s{number}"
    skus = [f"{style_id}-{size}" for size in SIZES]
    owner = {"merchant_id": merchant_id, "known_at": KNOWN}
    made = {"colour": "red", "category": CATEGORIES[number % len(CATEGORIES)], "crafts": "", "currency": "USD"}
    made |= {f"sam_{name}_minutes": "2" for name in ("cut", "sew", "finish", "inspect", "pack")}
    price = {"price": str(20 + number % 7), "cost": str(8 + number % 3)}
    order = {"placed_on": "2026-03-01", "due_on": "2026-03-30", "currency": "USD", "status": "open"}
    order |= {"tolerance_share": "0.02", "line_count": "3"}
    sale = {"channel": "web", "style_id": style_id, "quantity": "3", "status": "shipped", "amount": "60"}
    sale |= {"currency": "USD", "promotion": "false", "business_customer": "false"}
    origin = {"location_id": "main", "received_at": KNOWN, "purchase_order_id": "P1"}
    lines = [(order_id, sku_id) for order_id in ("PO-1", "PO-2") for sku_id in skus]
    days = [(DAY - timedelta(days=1 + back)).isoformat() for back in range(6)]
    return {
        "catalogue": [
            owner | made | price | {"style_id": style_id, "sku_id": sku_id, "size": size}
            for sku_id, size in zip(skus, SIZES, strict=True)
        ],
        "sales_lines": [
            owner | sale | {"sale_line_id": f"{sku_id}-{day}", "sku_id": sku_id, "sold_on": day}
            for sku_id in skus
            for day in days
        ],
        "stock": [
            owner | {"sku_id": sku_id, "location_id": "main", "as_of": KNOWN, "on_hand": str(10 + number % 40)}
            for sku_id in skus
        ],
        "merchant_orders": [owner | order | {"order_id": order_id} for order_id in ("PO-1", "PO-2")],
        "merchant_order_lines": [
            owner | {"order_id": order_id, "sku_id": sku_id, "quantity": str(100 + number + place)}
            for place, (order_id, sku_id) in enumerate(lines)
        ],
        "receipts": [owner | origin | {"receipt_id": "R1", "sku_id": skus[0], "quantity": "5"}],
    }


def write(folder: Path, merchant_id: str, broken: Sequence[Breakage] = ()) -> Path:
    """Writes the world of a merchant, which may speak for nobody else, with some rows broken; its folder."""
    world = folder / merchant_id
    world.mkdir(parents=True, exist_ok=True)
    (world / "world.yaml").write_text(f"merchants: [{merchant_id}]\n")
    for feed, rows in rows_of(merchant_id).items():
        text = _csv(rows).encode()
        for breakage in broken:
            if breakage.feed == feed:
                text = _broken(text, breakage)
        (world / f"{feed}.csv").write_bytes(text)
    return world


def _csv(rows: Sequence[Row]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _broken(text: bytes, breakage: Breakage) -> bytes:
    """A file with one of its rows broken."""
    header, *lines = text.splitlines(keepends=True)
    at = breakage.row % len(lines)
    cells = lines[at].rstrip(b"\n").split(b",")
    place = breakage.column % len(cells)
    junk = breakage.junk.encode("utf-8", "surrogatepass")
    if breakage.kind == "cell":
        cells[place] = b'"' + junk.replace(b'"', b'""') + b'"'
    elif breakage.kind == "column":
        cells[place], cells[-1] = cells[-1], cells[place]
    elif breakage.kind == "torn":
        cells = cells[:place]
    elif breakage.kind == "bytes":
        cells[place] = b"\xff\xfe" + junk
    line = b",".join(cells) + b"\n"
    twice = lines[at] + line.replace(b"1", b"2") if breakage.kind == "doubled" else line
    return b"".join([header, *lines[:at], twice, *lines[at + 1 :]])
