"""The shelf of each merchant in a replay: receipts come in, shoppers take what is there, what is left is counted.

In: opening stock, sales lines, receipts, all as they landed. Out: a row per SKU and day (pieces asked for, served,
received, on hand at the day's end), and each night a count of the SKUs that moved, as rows of the feed `stock`. Who
finds nothing buys nothing, and the platform still sees what was asked for. A piece that is cancelled or returned later
does not go on sale again. All in pieces. With a price answer, demand and takings follow the prices in force.
"""

from datetime import date, timedelta
from pathlib import Path

import pandas as pd

from c2m import clock
from c2m.feeds import landing
from c2m.feeds.ingest import ingest
from c2m.feeds.world import World
from c2m.files import write_atomically
from c2m.ledger import store
from c2m.ledger.rooms import prices
from c2m.warehouse import published

_SKU = ["merchant_id", "sku_id"]
_PIECES = ["asked", "served", "received", "on_hand"]
_HAIR = 1e-9  # of a piece, by which a sum of parts may miss a whole
_STOCK = """SELECT merchant_id, sku_id, sum(on_hand) AS pieces FROM (
        FROM {source} WHERE known_at < $cut_off QUALIFY row_number() OVER (
            PARTITION BY merchant_id, sku_id, location_id ORDER BY as_of DESC, known_at DESC, _row_hash DESC) = 1
    ) GROUP BY ALL"""
_ASKED = """SELECT merchant_id, sku_id, sum(quantity) AS pieces FROM (
        FROM {source} WHERE sold_on = $day AND known_at < $cut_off QUALIFY row_number() OVER (
            PARTITION BY merchant_id, sale_line_id ORDER BY known_at DESC, _row_hash DESC) = 1
    ) WHERE status <> 'cancelled' AND quantity > 0 GROUP BY ALL"""
_RECEIVED = """SELECT r.merchant_id, r.sku_id, sum(r.quantity) AS pieces FROM {source} AS r
    JOIN (SELECT DISTINCT job_order_id, order_id FROM {jobs}) USING (job_order_id)
    JOIN (SELECT DISTINCT order_id FROM {orders} WHERE source = 'replenishment') USING (order_id)
    WHERE r.received_at >= $begin AND r.received_at < $cut_off GROUP BY ALL"""


class ReplayShelf:
    """What lies in the shelves as days go by."""

    def __init__(self, folder: Path, first: date, price_answer: float | None = None) -> None:
        landing.ensure_landing()
        self.folder = folder
        self.price_answer = price_answer
        self._owed = pd.Series(dtype=float)  # parts of pieces that another price makes, until they are whole
        self.on_hand = _pieces(_STOCK, "stock", first)
        self.days: list[pd.DataFrame] = []
        self.last = first  # day that passed; its table is empty where nothing lay there and nobody asked

    def day(self, day: date) -> None:
        """Lets a day pass whose receipts have come in, and sends the count of its end."""
        after = day + timedelta(days=1)
        moves = {"asked": _pieces(_ASKED, "sales_lines", after, day=day)}
        moves["received"] = _pieces(_RECEIVED, "receipts", after, begin=_utc(day))
        table = pd.concat({"on_hand": self.on_hand, **moves}, axis=1).fillna(0.0).assign(price_ratio=1.0)
        if self.price_answer is not None:
            table["price_ratio"] = _price_ratios().reindex(table.index).fillna(1.0)
            owed = self._owed.reindex(table.index, fill_value=0.0)
            table["asked"], self._owed = answered(table["asked"], owed, table["price_ratio"] ** self.price_answer)
        there = table["on_hand"] + table["received"]
        table["served"] = table["asked"].clip(upper=there)
        table["on_hand"] = there - table["served"]
        self.on_hand, self.last = table["on_hand"], day
        moved = table[(table["asked"] > 0) | (table["received"] > 0)]
        self.days.append(table.reset_index()[[*_SKU, *_PIECES, "price_ratio"]].assign(day=day))
        self._count(moved, day)

    def _count(self, moved: pd.DataFrame, day: date) -> None:
        counted = _utc(day + timedelta(days=1)) - timedelta(seconds=1)
        rows = moved["on_hand"].astype("int64").reset_index()
        rows = rows.assign(location_id="main", as_of=counted, known_at=counted).sort_values(_SKU)
        if len(rows):
            text = rows.to_csv(index=False, lineterminator="\n", date_format="%Y-%m-%d %H:%M:%S")
            write_atomically(self.folder / "stock" / f"{day}.csv", text.encode())
            ingest(World.load(self.folder))

    def left(self) -> pd.DataFrame:
        """merchant_id, sku_id, on_hand once all that has come since is there too, without further shoppers."""
        now = clock.business_date(clock.now())
        late = _pieces(_RECEIVED, "receipts", now + timedelta(days=1), begin=_utc(self.last + timedelta(days=1)))
        return self.on_hand.add(late, fill_value=0.0).rename("on_hand").reset_index()

    def book(self) -> pd.DataFrame:
        """merchant_id, sku_id, day and the pieces of each."""
        return pd.concat(self.days, ignore_index=True)


def answered(
    asked: "pd.Series[float]", owed: "pd.Series[float]", factor: "pd.Series[float]"
) -> "tuple[pd.Series[float], pd.Series[float]]":
    """Whole pieces that shoppers ask for where demand is `factor` times as high, and what of it waits to be whole."""
    due = owed + asked * factor
    whole = (due + _HAIR) // 1.0
    return whole, due - whole


def _price_ratios() -> "pd.Series[float]":
    """By merchant and SKU with a price in force: that over the list price."""
    with store.session() as session:
        held = prices.in_force(session)
    rows = held.merge(published.read("skus")[[*_SKU, "price"]], on=_SKU, suffixes=("", "_listed"))
    return (rows["price"].astype(float) / rows["price_listed"]).set_axis(pd.MultiIndex.from_frame(rows[_SKU]))


def _utc(day: date) -> pd.Timestamp:
    return pd.Timestamp(clock.cut_off(day)).tz_localize(None)


def _pieces(query: str, feed: str, until: date, **values: object) -> "pd.Series[float]":
    """Pieces by merchant and SKU, of what was known when `until` began."""
    named = {"source": feed, "jobs": "ledger_job_orders", "orders": "ledger_orders"}
    sql = query.format(**{name: landing.source(of) for name, of in named.items()})
    with landing.connect() as connection:
        found = connection.execute(sql, {**values, "cut_off": _utc(until)}).df()
    return found.set_index(_SKU)["pieces"].astype(float)
