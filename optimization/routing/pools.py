"""Lots of one: which open lots share a setup, as they are of one merchant's style and colour.

In: open lots of the ledger. A pool is made at one factory and stage with one setup; each of its lots stays a job order
of its own, so that a piece keeps its order from the shopper's line to the parcel.
"""

import re

import pandas as pd

from c2m.ids import derive_id

_ALIKE = ["merchant_id", "style_id", "colour", "crafts"]
_NAMED = 50  # letters of the id that people can read


def pool_ids(lots: pd.DataFrame, most_pieces: int) -> "pd.Series[str]":
    """The pool of each lot, '' of those that share no setup.

    Parameters
    ----------
    lots
        merchant_id, style_id, colour, crafts; quantity (pieces that were ordered).
    most_pieces
        Of a lot in a pool; 0: there are no pools.

    Returns
    -------
    pd.Series
        By the index of the lots: style, colour, and a number that tells equal names apart.
    """
    small = lots[lots["quantity"] <= most_pieces]
    if len(small) < 2:
        return pd.Series("", lots.index, dtype=str)
    pooled = small[small.groupby(_ALIKE, dropna=False)["quantity"].transform("size") > 1]
    named = [_pool_id(*key) for key in pooled[_ALIKE].fillna("").itertuples(index=False)]
    return pd.Series(named, pooled.index, dtype=str).reindex(lots.index, fill_value="")


def _pool_id(merchant_id: str, style_id: str, colour: str, crafts: str) -> str:
    name = re.sub(r"[^A-Za-z0-9_-]", "-", f"{style_id}-{colour}")[:_NAMED]
    return f"{name}-{derive_id('pool', merchant_id, style_id, colour, crafts)[:8]}"


def pooled_pieces(lots: pd.DataFrame) -> "pd.Series[int]":
    """The pieces for which a factory is set up once: those of a lot, or of all lots of its pool at its stage.

    Parameters
    ----------
    lots
        lot_id (of a stage: lot/stage), quantity, pool_id.

    Returns
    -------
    pd.Series
        Pieces by the index of the lots.
    """
    stage = lots["lot_id"].str.extract("/(.*)", expand=False)
    shared = lots.groupby([lots["pool_id"], stage.fillna("")])["quantity"].transform("sum")
    return shared.where(lots["pool_id"] != "", lots["quantity"])


def pools_of(lots: pd.DataFrame, lot_ids: "pd.Series[str]") -> pd.DataFrame:
    """Lots that share a setup, as the contract's table.

    Parameters
    ----------
    lots
        lot_id, pool_id ('': none).
    lot_ids
        A column of those that are named.

    Returns
    -------
    pd.DataFrame
        lot_id, pool_id.
    """
    rows = lots[(lots["pool_id"] != "") & lots["lot_id"].isin(lot_ids)]
    return rows[["lot_id", "pool_id"]].sort_values("lot_id", ignore_index=True)
