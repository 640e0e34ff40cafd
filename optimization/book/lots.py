"""SKU lines of orders -> lots (one style-colour of one order, the planning unit) with its SKUs, in ledger columns.

In: lines (merchant_id, order_id, sku_id, quantity in pieces, of merchants' orders merchant_order_id too, and
personalisation where there is any: pieces of one SKU with the same are a lot) and the mart `skus`. Minutes are
standard, per piece.
"""

import numpy as np
import pandas as pd

from c2m.domain.personalisation import canonical
from c2m.errors import InputError
from optimization.book.identity import LOT, NOTHING, lot_ids

SAM = ["sam_cut_minutes", "sam_sew_minutes", "sam_finish_minutes", "sam_inspect_minutes", "sam_pack_minutes"]
TOLD = ["style_name", "style_code", "specification_url"]  # of a lot to the factory, where the catalogue says it
TOLD_OF_SKU = ["size", "sku_code", "colour_code", "size_code"]
PER_PIECE = {"unit_value": "price", "unit_cost_basis": "cost", **{name: name for name in [*SAM, "sam_minutes"]}}
_OF_SKU = ["merchant_id", "sku_id", "style_id", "colour", "category", "crafts", "currency", *PER_PIECE.values()]


def make_lots(
    lines: pd.DataFrame, skus: pd.DataFrame, held: pd.DataFrame = NOTHING
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Lots and their SKUs. What is stated per piece is the mean over the lot's pieces; crafts those that any needs.

    Parameters
    ----------
    lines
        order_id, merchant_id, sku_id, quantity (pieces): lines of orders.
    skus
        The mart `skus`.
    held
        Lots that the ledger knows, see `identity`; empty: none.

    Returns
    -------
    tuple of pd.DataFrame
        (lots, lot_skus) in the ledger's columns, and currency: of the lot's values, that of its SKUs; of several, their
        names.

    Raises
    ------
    InputError
        A line names a SKU that the mart does not know.
    """
    rows = _with_catalogue(lines, skus)
    _refuse_unknown(rows)
    rows["lot_id"] = lot_ids(rows, held)
    by_lot = rows.groupby("lot_id", sort=False)
    lots = by_lot[[*LOT, "category", "personalisation", *TOLD]].first()
    lots["style_code"] = lots["style_code"].where(by_lot["style_code"].nunique() <= 1)  # never one of several
    lots["crafts"] = by_lot["crafts"].agg(lambda lists: ";".join(_union(lists)))
    lots["currency"] = by_lot["currency"].agg(lambda own: " and ".join(sorted(set(own))))
    lots["quantity"] = by_lot["quantity"].sum().astype(np.int64)
    for column, per_piece in PER_PIECE.items():
        total = (rows[per_piece].astype(float) * rows["quantity"]).groupby(rows["lot_id"], sort=False).sum()
        lots[column] = total / lots["quantity"]
    lots = lots.assign(shipped=0, state="open").reset_index()
    return lots, _lot_skus(rows)


def _with_catalogue(lines: pd.DataFrame, skus: pd.DataFrame) -> pd.DataFrame:
    """The lines with what the catalogue says of their SKUs."""
    told = [*TOLD, *TOLD_OF_SKU]
    facts = skus.assign(**{name: None for name in told if name not in skus})[[*_OF_SKU, *told]]
    asked = [name for name in ["merchant_id", "order_id", "merchant_order_id", "sku_id", "quantity"] if name in lines]
    own = pd.Series(None, lines.index, dtype=object)
    if "personalisation" in lines:
        own = lines["personalisation"].astype(object).map(canonical, na_action="ignore")
    rows = lines[asked].assign(personalisation=own)
    return rows.merge(facts, on=["merchant_id", "sku_id"], how="left", validate="many_to_one")


def _lot_skus(rows: pd.DataFrame) -> pd.DataFrame:
    by_sku = rows.groupby(["lot_id", "sku_id"], sort=False, as_index=False)
    facts = {name: (name, "first") for name in TOLD_OF_SKU}
    return by_sku.agg(quantity=("quantity", "sum"), **facts).assign(shipped=0)


def _union(lists: pd.Series) -> list[str]:
    return sorted({craft for crafts in lists.dropna().unique() for craft in crafts.split(";") if craft})


def _refuse_unknown(rows: pd.DataFrame) -> None:
    unknown = rows[rows["style_id"].isna()].rename(columns={"merchant_order_id": "own_id"})
    if len(unknown):
        raise InputError(
            "order-of-unknown-sku",
            [
                f"merchant {row.merchant_id}, order {getattr(row, 'own_id', row.order_id)}: "
                f"SKU {row.sku_id} is not in the catalogue; send its catalogue row or correct the order line, "
                "then run the day again"
                for row in unknown.itertuples()
            ],
        )
