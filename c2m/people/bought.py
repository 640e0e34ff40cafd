"""What is bought for a day: purchase orders of its plans, materials that are there, and what is left out."""

from datetime import date
from typing import Any

import pandas as pd

from c2m import clock
from c2m.ledger.purchasing import purchases
from c2m.ledger.store import session
from c2m.people.json_rows import records
from c2m.warehouse.published import is_published, manifest, read

_STOCK = ["material_id", "material_name", "on_hand", "used", "unit"]


def of_day(day: date | None) -> dict[str, list[dict[str, Any]]]:
    """Rows by title; of a home without materials all are empty.

    Parameters
    ----------
    day
        The business date; None: today.

    Returns
    -------
    dict
        purchase_orders, materials_that_are_there, left_out.
    """
    bought = _lines(day or clock.business_date(clock.now()))
    return {
        "purchase_orders": records(bought),
        "materials_that_are_there": records(_mart("material_stock", _STOCK)),
        "left_out": records(_mart("material_faults", ["fault", "words"])),
    }


def in_short(day: date) -> list[dict[str, Any]]:
    """The purchase orders of a day's plans as people read them.

    Parameters
    ----------
    day
        The business date.

    Returns
    -------
    list of dict
        Supplier, material by its name, quantity, price, when it is there and how it stands: proposed, held back, or
        released with its plan, which holds when a later round takes the plan's place.
    """
    lines = _lines(day)
    lines = lines[lines["state"].isin(["proposed", "released"]) | lines["released_at"].notna()]
    names = _mart("material_stock", _STOCK).set_index("material_id")["material_name"].to_dict()
    return [
        {
            "supplier": line["supplier_id"],
            "material": names.get(line["material_id"], line["material_id"]),
            "quantity": f"{line['quantity']:,g} {line['unit']}",
            "price": f"{line['price']:,.2f} {line['currency']}",
            "there by": f"{line['due_on']:%Y-%m-%d}",
            "stands": _stands(line),
        }
        for line in records(lines)
    ]


def _lines(day: date) -> pd.DataFrame:
    with session() as s:
        return purchases.of_day(s, day)


def _stands(line: dict[str, Any]) -> str:
    if line["withheld"]:
        return "held back when its plan was released"
    return "released" if line["released_at"] else "proposed, waits for its plan"


def _mart(name: str, columns: list[str]) -> pd.DataFrame:
    """Columns of a mart; before the first build, and of one that is older than it, no row."""
    return read(name)[columns] if is_published() and name in manifest()["marts"] else pd.DataFrame(columns=columns)
