"""Lots that cannot be planned now, and why: they are set aside, and the rest of the day goes on."""

import pandas as pd

from c2m.wire.messages import MAX_PIECES, MAX_SKUS


def set_apart(
    orders: pd.DataFrame, lots: pd.DataFrame, lot_skus: pd.DataFrame, currency: str | None
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """The same order book, in which each lot says why it cannot be planned.

    Parameters
    ----------
    orders
        With order_id and currency.
    lots
        With order_id and quantity (pieces).
    lot_skus
        lot_id, sku_id, quantity.
    currency
        Of the plan; None: any.

    Returns
    -------
    tuple
        (orders, lots, lot_skus); `lots.waits` is a sentence, '' where the lot can be planned.
    """
    skus = lots["lot_id"].map(lot_skus.groupby("lot_id").size()).fillna(0).astype(int)
    own = lots["currency"]
    told = [
        (skus > MAX_SKUS, skus.astype(str) + f" SKUs of one style and colour, expected {MAX_SKUS:,} at most: split it"),
        (lots["quantity"] > MAX_PIECES, lots["quantity"].astype(str) + f" pieces, expected {MAX_PIECES:,}: split it"),
        (own != (currency or own), "counts in " + own + f", the plan in {currency}: send exchange_rates between them"),
    ]
    waits = lots.get("waits", pd.Series("", lots.index)).astype(object)
    for holds, words in told:
        waits = waits.mask(holds & (waits == ""), words)
    return orders, lots.assign(waits=waits), lot_skus


def unfinished_orders(book: pd.DataFrame) -> "pd.Series[str]":
    """Why orders are not whole, by order_id.

    A cancelled line counts as a line, not as pieces. Of an order that says neither how many lines nor how many pieces
    it has, a line that lies in quarantine is one that it lacks.

    Parameters
    ----------
    book
        Lines with the header's line_count and total_quantity, and the order's quarantined_lines.
    """
    seen = _seen(book)
    lacks_lines = seen["line_count"].notna() & (seen["lines"] != seen["line_count"])
    lacks_lines &= seen["open_lines"] != seen["line_count"]
    lacks_pieces = seen["total_quantity"].notna() & (seen["pieces"] != seen["total_quantity"])
    is_counted = seen["line_count"].notna() | seen["total_quantity"].notna()
    lies = _lying(seen)
    lacking = [
        (lacks_lines, _have_come(seen["lines"], seen["line_count"], "lines", lies)),
        (lacks_pieces, _have_come(seen["pieces"], seen["total_quantity"], "pieces", lies)),
        (~is_counted & (lies != ""), "lines are missing: " + lies),
    ]
    found = pd.Series("", seen.index, dtype=object)
    for lacks, words in lacking:
        found = found.mask(lacks & (found == ""), words)
    return found


def _lying(seen: pd.DataFrame) -> "pd.Series[str]":
    """What of an order lies in quarantine, '' where nothing does."""
    count = seen["quarantined"].fillna(0).astype(int)
    words = count.astype(str) + " in quarantine, such as " + seen["example"].fillna("").astype(str)
    return words.where(count > 0, "")


def _seen(book: pd.DataFrame) -> pd.DataFrame:
    """By order what has come of it, and what its header says."""
    counts = ["line_count", "total_quantity", "quarantined_lines"]
    told = book.reindex(columns=["order_id", "quantity", *counts, "quarantined_line"])
    by_order = told.assign(**{name: pd.to_numeric(told[name]) for name in counts}).groupby("order_id")
    return by_order.agg(
        lines=("quantity", "size"),
        open_lines=("quantity", lambda pieces: int((pieces > 0).sum())),
        pieces=("quantity", "sum"),
        line_count=("line_count", "first"),
        total_quantity=("total_quantity", "first"),
        quarantined=("quarantined_lines", "first"),
        example=("quarantined_line", "first"),
    )


def _have_come(
    came: "pd.Series[int]", whole: "pd.Series[float]", what: str, lies: "pd.Series[str]"
) -> "pd.Series[str]":
    words = came.astype(str) + " of " + whole.astype("Int64").astype(str) + f" {what} have come: send the rest"
    return words + lies.where(lies == "", "; " + lies)
