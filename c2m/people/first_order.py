"""The way from a design to a style: feed files of its catalogue rows, routing and bill, and of its test order.

In: the design's row, what is known of sizes, cost and date. Out: files as the merchant would write them; once they are
brought in, the style has the design's code, and the mart `designs` says that it comes from there.
"""

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from c2m.domain.apportion import apportion
from c2m.domain.designs import Design, design_of
from c2m.files import write_atomically
from c2m.wire.messages import TIMED

_ONE_COLOUR, _ONE_SIZE = "single", "one-size"  # of a design that names none, nor has a category that tells
_SAM = [f"sam_{name}_minutes" for name in TIMED]


def written(
    row: Mapping[str, Any], skus: pd.DataFrame, cost: float, pieces: int, days: tuple[date, date]
) -> dict[str, pd.DataFrame]:
    """Rows by feed.

    Parameters
    ----------
    row
        Of the mart `designs`.
    skus
        The mart of this name: the merchant's sizes in the category, with the shares in which they sell.
    cost
        Of a piece of the test order.
    pieces
        Of the test order, in the first colour alone: a lot is one colour.
    days
        On which it is placed, and due.

    Returns
    -------
    dict
        catalogue, merchant_orders, merchant_order_lines; routings and bill_of_materials where the design has them.
    """
    design = design_of(row)
    shares = _sizes(row, skus)
    colours = str(row["colours"]).split(";") if row["colours"] else [_ONE_COLOUR]
    catalogue = _catalogue(row, design, colours, list(shares.index), cost)
    first = catalogue[catalogue["colour"] == colours[0]]
    header = {"merchant_id": design.merchant_id, "order_id": f"{design.design_id}-TEST"}
    lines = first[["merchant_id", "sku_id"]].assign(order_id=header["order_id"], quantity=apportion(pieces, shares))
    order = header | {"placed_on": days[0], "due_on": days[1], "currency": design.currency}
    order |= {"tolerance_share": 0.03, "status": "open"}
    found = {
        "catalogue": catalogue,
        "routings": _routing(row),
        "bill_of_materials": _bill(row),
        "merchant_orders": pd.DataFrame([order]),
        "merchant_order_lines": lines[lines["quantity"] > 0],
    }
    return {feed: rows for feed, rows in found.items() if len(rows)}


def write(found: Mapping[str, pd.DataFrame], folder: Path) -> list[Path]:
    """Writes rows as CSV files, one per feed.

    Parameters
    ----------
    found
        Rows by feed, with its columns.
    folder
        Where the files go; it is made where it lacks.

    Returns
    -------
    list of Path
        The files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for feed, rows in found.items():
        write_atomically(folder / f"{feed}.csv", rows.to_csv(index=False, lineterminator="\n").encode())
    return [folder / f"{feed}.csv" for feed in found]


def _sizes(row: Mapping[str, Any], skus: pd.DataFrame) -> "pd.Series[float]":
    """Shares of sizes: as the merchant's styles of the category sell; a size that none has, as a mean one."""
    own = skus[(skus["merchant_id"] == row["merchant_id"]) & (skus["category"] == row["category"])]
    usual = own.groupby("size")["size_share"].mean()
    named = str(row["sizes"]).split(";") if row["sizes"] else list(usual.index) or [_ONE_SIZE]
    mean = float(usual.mean()) if len(usual) else 1.0
    return pd.Series([float(usual.get(size, mean)) for size in named], named)


def _catalogue(
    row: Mapping[str, Any], design: Design, colours: list[str], sizes: list[str], cost: float
) -> pd.DataFrame:
    ids = [(colour, size, f"{design.design_id}-{colour}-{size}") for colour in colours for size in sizes]
    rows = pd.DataFrame(ids, columns=["colour", "size", "sku_id"])
    rows["sku_id"] = rows["sku_id"].str.replace(r"[^A-Za-z0-9_-]+", "_", regex=True).str[:64]
    facts: dict[str, Any] = {
        "merchant_id": design.merchant_id,
        "style_id": design.design_id,
        "category": design.category,
    }
    facts |= {"price": row["price"], "cost": round(cost, 4), "currency": design.currency}
    facts |= {"crafts": ";".join(design.crafts), "style_name": row["design_name"], "attributes": row["attributes"]}
    return rows.assign(**facts, **{name: row[name] for name in _SAM})


def _routing(row: Mapping[str, Any]) -> pd.DataFrame:
    if not isinstance(row["routing"], str):
        return pd.DataFrame()
    steps = [one.operation for one in design_of(row).steps]
    told = [
        {"step": n, "operation": s.name, "craft": s.craft, "sam_minutes": s.sam_minutes, "stage": s.stage}
        for n, s in enumerate(steps, 1)
    ]
    return pd.DataFrame(told).assign(merchant_id=row["merchant_id"], style_id=row["design_id"])


def _bill(row: Mapping[str, Any]) -> pd.DataFrame:
    """Lines of one material are added up: a bill names each once."""
    if not isinstance(row["bill_of_materials"], str):
        return pd.DataFrame()
    lines = pd.DataFrame(json.loads(row["bill_of_materials"])).reindex(
        columns=["material_id", "quantity", "unit", "waste_share"]
    )
    lines = lines.fillna({"waste_share": 0.0})
    each = lines.groupby(["material_id", "unit"], as_index=False).agg(
        quantity=("quantity", "sum"), waste_share=("waste_share", "max")
    )
    return each.assign(merchant_id=row["merchant_id"], parent_kind="style", parent_id=row["design_id"], colour="")
