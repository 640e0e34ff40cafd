"""What an order and a lot are called, whatever their labels become.

A merchant's order id is unique within the merchant; the ledger's is derived from both and unique within all. It follows
from nothing that anybody else sends; an order that the ledger knows keeps the id that it has there. The merchant's own
id stays beside it as merchant_order_id.
A SKU stays in the lot in which the ledger holds it, however its colour or style is spelled since: open work goes on.

In: `held`, the ledger's orders (`orders.held`): order_id, merchant_id, merchant_order_id, lot_id, sku_id.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from c2m.ids import derive_id, within_all

LOT = ["order_id", "merchant_id", "style_id", "colour"]
OWN = ["merchant_id", "merchant_order_id"]
HELD = ["order_id", *OWN, "lot_id", "sku_id"]
NOTHING = pd.DataFrame(columns=HELD, dtype=object)


def with_ledger_ids(book: pd.DataFrame, held: pd.DataFrame) -> pd.DataFrame:
    """The order book under the ledger's ids of orders and parents, the merchant's own beside as merchant_order_id."""
    known = held.drop_duplicates(OWN).set_index(OWN)["order_id"]
    return book.assign(
        merchant_order_id=book["order_id"],
        order_id=_ledger_ids(book, "order_id", known),
        parent_order_id=_ledger_ids(book, "parent_order_id", known),
    )


def _ledger_ids(book: pd.DataFrame, column: str, known: "pd.Series[str]") -> NDArray[np.object_]:
    """The ledger's of a column of the merchants' own order ids; none where there is none."""
    own = pd.MultiIndex.from_frame(book[["merchant_id", column]])
    orders = own.dropna().unique()
    ids = [
        within_all(*order) if pd.isna(name) else name for order, name in zip(orders, known.reindex(orders), strict=True)
    ]
    return pd.Series(ids, orders, dtype=object).reindex(own, fill_value=None).to_numpy()


def lot_ids(rows: pd.DataFrame, held: pd.DataFrame) -> "pd.Series[str]":
    """The lot of each row (LOT, sku_id and, of merchants' orders, merchant_order_id), in its order."""
    known = held.drop_duplicates(["order_id", "sku_id"]).set_index(["order_id", "sku_id"])["lot_id"]
    found = known.reindex(pd.MultiIndex.from_frame(rows[["order_id", "sku_id"]])).set_axis(rows.index)
    labels = pd.MultiIndex.from_frame(rows[LOT])
    of_label = found.groupby(labels).min()
    found = found.fillna(pd.Series(of_label.reindex(labels).to_numpy(), rows.index))
    taken = set(held["lot_id"])
    own = rows if "merchant_order_id" not in rows else rows.assign(order_id=rows["merchant_order_id"])
    for key, some in own[found.isna()].groupby(LOT, sort=False):
        name = derive_id(*key)
        found[some.index] = derive_id(*key, min(some["sku_id"])) if name in taken else name
    return found
