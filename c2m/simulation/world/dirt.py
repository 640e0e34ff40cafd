"""Planted faults: a small, counted number of records of each kind that the quarantine knows.

Each is a good record of the same file with one thing broken and, where the key is not what is broken, a key of its own.
Faults of a value stand amid the good records; faults of the text (ragged rows, wrong bytes) in a file of their own, a
second delivery that overlaps the first, so that the big file keeps its fast reader.
"""

import csv
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import pandas as pd

from c2m.feeds.contracts import FEEDS
from c2m.simulation.world.feed_files import as_csv

ONE_IN = 500  # planted over good records of a feed, all kinds together; of each kind at least one, at most MOST
MOST = 50


@dataclass(frozen=True)
class PlantedFault:
    """What is done to one cell, and the rule by which the quarantine knows it.

    '#' in the value stands for a number; cells after `cut` are left off.
    """

    rule: str
    column: str
    value: str
    own_key: str = ""  # the column that gets a value of its own, so that the record supersedes no good one
    cut: int | None = None


@dataclass(frozen=True)
class Planted:
    """Records to write amid the good ones, the content of the torn file, and how many of them break each rule."""

    amid: bytes = b""
    torn: bytes = b""
    counts: dict[str, int] = field(default_factory=dict)


_LINE, _EARLY_LINES = "sale_line_id", 60
_FAULTS: dict[str, tuple[PlantedFault, ...]] = {
    "sales_lines": (
        PlantedFault("quantity-range", "quantity", "-3", _LINE),
        PlantedFault("amount-type", "amount", "NaN", _LINE),
        PlantedFault("amount-type", "amount", "inf", _LINE),
        PlantedFault("sold_on-range", "sold_on", "9999-12-31", _LINE),
        PlantedFault("sku_id-form", "sku_id", "no such id!", _LINE),
        PlantedFault("style_id-type", "style_id", "", _LINE),
        PlantedFault("status-choice", "status", "lost", _LINE),
        PlantedFault("key-conflict", "quantity", "77"),
    ),
    "catalogue": (
        PlantedFault("price-type", "price", "inf", "sku_id"),
        PlantedFault("category-type", "category", "", "sku_id"),
        PlantedFault("key-conflict", "price", "77.77"),
    ),
    "stock": (PlantedFault("on_hand-range", "on_hand", "-1", "location_id"),),
    "merchant_orders": (PlantedFault("due_on-range", "due_on", "9999-12-31", "order_id"),),
    "merchant_order_lines": (
        PlantedFault("sku_id-unknown", "sku_id", "NOBODYS-#"),
        PlantedFault("quantity-range", "quantity", "-1"),
    ),
    "factory_calendar": (
        PlantedFault("minutes-finite", "minutes", "nan"),
        PlantedFault("overtime_minutes-range", "overtime_minutes", "-60"),
    ),
    "demand_signals": (PlantedFault("value-range", "value", "-5"), PlantedFault("signal-choice", "signal", "smells")),
    "reviews": (PlantedFault("rating-range", "rating", "9", "review_id"),),
    "market": (PlantedFault("volume-range", "volume", "-1", "source"),),
}
_TORN: dict[str, tuple[PlantedFault, ...]] = {
    "sales_lines": (
        PlantedFault("row-shape", "channel", "web", _LINE, cut=-3),
        PlantedFault("encoding", "channel", "caf\udce9", _LINE),  # a byte that is no UTF-8
    ),
}


def plant(feed: str, frame: pd.DataFrame, rows: int) -> Planted:
    """Faults for a feed of about `rows` rows, made of rows of `frame`."""
    faults, torn = _FAULTS.get(feed, ()), _TORN.get(feed, ())
    if not faults:
        return Planted()
    each = max(1, min(MOST, rows // (ONE_IN * len(faults + torn))))
    clean = _to_spoil(feed, frame).head(each * len(faults))
    header = (",".join(c.name for c in FEEDS[feed].columns) + "\n").encode()
    return Planted(
        _text(_broken(feed, clean, faults)),
        header + _text(_broken(feed, clean.head(each * len(torn)), torn)) + as_csv(feed, clean) if torn else b"",
        Counter(fault.rule for fault in faults + torn for _ in range(min(each, len(clean) // len(faults)))),
    )


def _to_spoil(feed: str, frame: pd.DataFrame) -> pd.DataFrame:
    """The first rows; of order lines those of a small order, which then waits: large ones show how they are shared."""
    if feed != "merchant_order_lines":
        return frame
    early = frame.head(_EARLY_LINES)
    return early[early["order_id"] == early.groupby("order_id")["quantity"].sum().idxmin()]


def _broken(feed: str, frame: pd.DataFrame, faults: tuple[PlantedFault, ...]) -> Iterator[list[str]]:
    """The records of `frame`, each with the next fault."""
    columns = [c.name for c in FEEDS[feed].columns]
    for number, cells in enumerate(csv.reader(io.StringIO(as_csv(feed, frame).decode()))):
        fault = faults[number % len(faults)]
        record = dict(zip(columns, cells, strict=True))
        if fault.own_key:
            record[fault.own_key] = f"dirt-{fault.rule}-{number}"
        record[fault.column] = fault.value.replace("#", str(number))
        yield list(record.values())[: fault.cut]


def _text(records: Iterator[list[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(records)
    return text.getvalue().encode("utf-8", "surrogateescape")
