"""What an order and a lot are called, whatever their labels become.

A merchant's order id is unique within the merchant; the ledger's within all. Who had an id first keeps it, another
merchant's order of that id is known by one derived from both; the merchant's own stays beside it as order_code.
A SKU stays in the lot in which the ledger holds it, however its colour or style is spelled since: open work goes on.

In: `held`, the ledger's lots (`orders.held`): order_id, merchant_id, lot_id, sku_id.
"""

import pandas as pd

from c2m.ids import derive_id

LOT = ["order_id", "merchant_id", "style_id", "colour"]
HELD = ["order_id", "merchant_id", "lot_id", "sku_id"]
NOTHING = pd.DataFrame(columns=HELD, dtype=object)


def with_ledger_ids(book: pd.DataFrame, held: pd.DataFrame) -> pd.DataFrame:
    """The order book under the ledger's ids of orders and parents, the merchant's own as order_code."""
    names = _order_ids(book, held)
    own = {name: pd.MultiIndex.from_frame(book[["merchant_id", name]]) for name in ("order_id", "parent_order_id")}
    parent = pd.Series(names.reindex(own["parent_order_id"]).to_numpy(), book.index)
    return book.assign(
        order_code=book["order_id"],
        order_id=names.reindex(own["order_id"]).to_numpy(),
        parent_order_id=parent.fillna(book["parent_order_id"]),
    )


def _order_ids(book: pd.DataFrame, held: pd.DataFrame) -> "pd.Series[str]":
    """The ledger's id by (merchant_id, order_id) of the merchants."""
    keys = book[["merchant_id", "order_id"]].drop_duplicates().sort_values(["order_id", "merchant_id"])
    owner = held.drop_duplicates("order_id").set_index("order_id")["merchant_id"]
    first = keys.groupby("order_id")["merchant_id"].first()
    keeps = keys["order_id"].map({**first.to_dict(), **owner.to_dict()}) == keys["merchant_id"]
    names = [
        order_id if kept else derive_id("order", merchant_id, order_id)
        for merchant_id, order_id, kept in zip(keys["merchant_id"], keys["order_id"], keeps, strict=True)
    ]
    return pd.Series(names, pd.MultiIndex.from_frame(keys), dtype=object)


def lot_ids(rows: pd.DataFrame, held: pd.DataFrame) -> "pd.Series[str]":
    """The lot of each row (LOT and sku_id), in its order."""
    known = held.drop_duplicates(["order_id", "sku_id"]).set_index(["order_id", "sku_id"])["lot_id"]
    found = known.reindex(pd.MultiIndex.from_frame(rows[["order_id", "sku_id"]])).set_axis(rows.index)
    labels = pd.MultiIndex.from_frame(rows[LOT])
    of_label = found.groupby(labels).min()
    found = found.fillna(pd.Series(of_label.reindex(labels).to_numpy(), rows.index))
    taken = set(held["lot_id"])
    for key, some in rows[found.isna()].groupby(LOT, sort=False):
        name = derive_id(*key)
        found[some.index] = derive_id(*key, min(some["sku_id"])) if name in taken else name
    return found
