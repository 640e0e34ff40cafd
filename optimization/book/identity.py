"""What an order and a lot are called, whatever their labels become.

A merchant's order id is unique within the merchant; the ledger's is derived from both and unique within all. It follows
from nothing that anybody else sends; an order that the ledger knows keeps the id that it has there, and one that was
placed here the id that it was given then. The merchant's own id stays beside it as merchant_order_id.
A SKU stays in the lot in which the ledger holds it, however its colour or style is spelled since: open work goes on.

What is personalised is a lot of its own, called by its order, SKU and personalisation: other words are another lot.

In: `held`, the ledger's orders (`orders.held`): order_id, merchant_id, merchant_order_id, lot_id, sku_id,
personalisation.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from c2m.ids import derive_id, placed_id, within_all

LOT = ["order_id", "merchant_id", "style_id", "colour"]
OWN = ["merchant_id", "merchant_order_id"]
HELD = ["order_id", *OWN, "lot_id", "sku_id", "personalisation"]
NOTHING = pd.DataFrame(columns=HELD, dtype=object)


def with_ledger_ids(book: pd.DataFrame, held: pd.DataFrame) -> pd.DataFrame:
    """The order book under the ledger's ids of orders and parents, the merchant's own beside as merchant_order_id."""
    headers = book.drop_duplicates(["merchant_id", "order_id"])
    codes = headers["order_code"] if "order_code" in headers else [None] * len(headers)
    orders = zip(headers["merchant_id"], headers["order_id"], codes, strict=True)
    names = {(who, own): _ledger_id(who, own, code) for who, own, code in orders}
    known = held.drop_duplicates(OWN)
    names |= dict(zip(zip(*(known[name] for name in OWN), strict=True), known["order_id"], strict=True))
    ours = {(who, order_id): order_id for who, order_id in zip(known["merchant_id"], known["order_id"], strict=True)}
    return book.assign(
        merchant_order_id=book["order_id"],
        order_id=_named(book, "order_id", names),
        parent_order_id=_named(book, "parent_order_id", ours | names),  # of which merchants are told our ids too
    )


def _ledger_id(merchant_id: str, own_id: str, code: object) -> str:
    return own_id if code and own_id == placed_id(merchant_id, str(code)) else within_all(merchant_id, own_id)


def _named(book: pd.DataFrame, column: str, names: Mapping[tuple[str, str], str]) -> "pd.Series[str]":
    """The ledger's ids of a column of the merchants' own order ids; none where there is none."""
    ids = [
        None if pd.isna(own) else names.get((who, own)) or within_all(who, own)
        for who, own in zip(book["merchant_id"], book[column], strict=True)
    ]
    return pd.Series(ids, book.index, dtype=object)


def lot_ids(rows: pd.DataFrame, held: pd.DataFrame) -> "pd.Series[str]":
    """The lot of each row (LOT, sku_id, personalisation and, of merchants' orders, merchant_order_id), in its order."""
    told = rows["personalisation"].notna()
    own = rows if "merchant_order_id" not in rows else rows.assign(order_id=rows["merchant_order_id"])
    keys = own.loc[told, ["order_id", "merchant_id", "sku_id", "personalisation"]]
    personal = [derive_id(*key) for key in keys.itertuples(index=False)]
    found = pd.concat([_of_labels(rows[~told], own[~told], held), pd.Series(personal, keys.index, dtype=object)])
    return found.reindex(rows.index).astype("str")


def _of_labels(rows: pd.DataFrame, own: pd.DataFrame, held: pd.DataFrame) -> "pd.Series[str]":
    """Of what is made alike for everyone. own: the same rows under the merchant's order ids, where it has some."""
    taken, held = set(held["lot_id"]), held[held["personalisation"].isna()]
    known = held.drop_duplicates(["order_id", "sku_id"]).set_index(["order_id", "sku_id"])["lot_id"]
    found = known.reindex(pd.MultiIndex.from_frame(rows[["order_id", "sku_id"]])).set_axis(rows.index)
    labels = pd.MultiIndex.from_frame(rows[LOT])
    of_label = found.groupby(labels).min()
    found = pd.Series(np.where(found.isna(), of_label.reindex(labels), found), rows.index, dtype=object)
    for key, some in own[found.isna()].groupby(LOT, sort=False):
        name = derive_id(*key)
        found[some.index] = derive_id(*key, min(some["sku_id"])) if name in taken else name
    return found
