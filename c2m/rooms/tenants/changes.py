"""A merchant's change of an order: the changed rows go in through the feed, and a ticket follows what becomes of them.

From there it goes the way of every change: the next plan reads the rows, and what factories make beyond what is still
ordered is asked back from them (c2m/ledger/conversation/changes.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd

from c2m import clock
from c2m.ids import derive_id
from c2m.ledger import orders
from c2m.ledger.rooms import tickets
from c2m.ledger.rooms.links import Grant
from c2m.ledger.states import OPEN_TICKETS, TicketKind
from c2m.ledger.store import reading, session
from c2m.people.json_rows import records
from c2m.rooms.tenants import landed

_ORDERS, _LINES = "merchant_orders", "merchant_order_lines"


@dataclass(frozen=True)
class SentOrder:
    """An order as its merchant has sent it. order_id: the ledger's. lines: of its feed, one row per line."""

    order_id: str
    header: dict[str, Any]
    lines: pd.DataFrame

    @property
    def pieces(self) -> dict[str, int]:
        """By SKU, of the lines that are open."""
        open_ = self.lines[self.lines["status"].ne("cancelled")]
        return {str(sku_id): int(pieces) for sku_id, pieces in open_.groupby("sku_id")["quantity"].sum().items()}

    @property
    def due_on(self) -> date:
        """The date that it asks for."""
        return pd.Timestamp(self.header["due_on"]).date()


@dataclass(frozen=True)
class Wish:
    """What is asked: of the kind, the new values and the old ones, as a ticket keeps them."""

    kind: TicketKind
    asked: dict[str, Any]
    before: dict[str, Any]


def sent(grant: Grant, order_id: str) -> SentOrder | None:
    """An order as its merchant has sent it last; None where it has not: the platform's own, or nobody's."""
    with reading(grant.scope) as s:
        own_id = orders.own_id(s, grant.scope, order_id) or order_id  # that no plan has taken up yet
    headers = landed.own(_ORDERS, grant.scope, order_id=own_id)
    if headers.empty:
        return None
    return SentOrder(order_id, records(headers)[0], landed.own(_LINES, grant.scope, order_id=own_id))


def pieces_wish(order: SentOrder, asked: Mapping[str, int]) -> Wish | None:
    """Other pieces by SKU: more of any is `grow`, else less is `cut`; None where nothing differs."""
    before = order.pieces
    changed = {sku_id: pieces for sku_id, pieces in asked.items() if pieces != before.get(sku_id, 0)}
    if not changed:
        return None
    old = {sku_id: before.get(sku_id, 0) for sku_id in changed}
    return Wish("grow" if any(changed[sku] > old[sku] for sku in changed) else "cut", changed, old)


def date_wish(order: SentOrder, due_on: date) -> Wish | None:
    """Another date; None where it is the one that is asked for already."""
    if due_on == order.due_on:
        return None
    return Wish("date", {"due_on": due_on.isoformat()}, {"due_on": order.due_on.isoformat()})


def address_wish(order: SentOrder, latitude: float, longitude: float) -> Wish:
    """Another place for the goods."""
    old = {name: order.header[f"destination_{name}"] for name in ("latitude", "longitude")}
    before = {name: None if pd.isna(value) else float(value) for name, value in old.items()}
    return Wish("address", {"latitude": latitude, "longitude": longitude}, before)


def open_of(grant: Grant, order_id: str) -> list[str]:
    """Kinds of the changes of an order that are not settled yet."""
    with reading(grant.scope) as s:
        found = tickets.of_orders(s, grant.scope, order_id)
    return list(found.loc[found["state"].isin(OPEN_TICKETS), "kind"])


def ask(grant: Grant, order: SentOrder, wish: Wish, note: str, nonce: str) -> list[dict[str, Any]]:
    """Brings the changed rows in and opens the ticket; the same form twice is one change.

    Returns
    -------
    list of dict
        What the feed's rules say against it (record, rule, seen, advice); then nothing was changed or kept.
    """
    if faults := _of_shoppers(order, wish):
        return faults
    ticket_id = derive_id("room-ticket", order.order_id, nonce)
    for feed, rows in _rows(order, wish).items():
        arrived = landed.write(grant.scope, feed, rows, ticket_id)
        if arrived.faults or arrived.outcome.problems:
            return arrived.faults or [{"record": 0, "rule": "file", "seen": arrived.outcome.problems, "advice": ""}]
    kept = {"ticket_id": ticket_id, "order_id": order.order_id, "merchant_id": order.header["merchant_id"]}
    with session() as s:
        what = {"kind": wish.kind, "asked": wish.asked, "before": wish.before, "note": note[:1000]}
        tickets.ask(s, kept | what | {"person": grant.person, "at": clock.now()})
    return []


def _of_shoppers(order: SentOrder, wish: Wish) -> list[dict[str, Any]]:
    """Faults of a change of pieces of which some are personalised: a number cannot say whose."""
    own = set(order.lines.loc[order.lines["personalisation"].notna(), "sku_id"])
    advice = "Some are personalised: send the lines that change in the feed merchant_order_lines."
    return [
        {"record": number, "rule": "personalised", "seen": sku_id, "advice": advice}
        for number, sku_id in enumerate(sorted(own & wish.asked.keys()), start=1)
    ]


def _rows(order: SentOrder, wish: Wish) -> dict[str, Sequence[landed.Row]]:
    """The rows of each feed that say it; an order that tells its pieces tells the new ones."""
    header = order.header
    if wish.kind == "date":
        return {_ORDERS: [header | {"due_on": pd.Timestamp(wish.asked["due_on"])}]}
    if wish.kind == "address":
        return {_ORDERS: [header | {f"destination_{name}": value for name, value in wish.asked.items()}]}
    if wish.kind == "cancel":
        return {_ORDERS: [header | {"status": "cancelled"}]}
    rows: dict[str, Sequence[landed.Row]] = {_LINES: _lines(order, wish)}
    if pd.notna(header["total_quantity"]):
        more = sum(wish.asked.values()) - sum(wish.before.values())
        rows[_ORDERS] = [header | {"total_quantity": int(header["total_quantity"]) + more}]
    return rows


def _lines(order: SentOrder, wish: Wish) -> list[dict[str, Any]]:
    """Of each SKU that changes: all pieces on its first line, none on the others."""
    rows: list[dict[str, Any]] = []
    for sku_id, pieces in wish.asked.items():
        lines = records(order.lines[order.lines["sku_id"] == sku_id])
        numbered = all(str(line["order_line_id"]).startswith("#") for line in lines)
        for number, line in enumerate(lines[:1] if numbered else lines):
            rows.append(line | {"quantity": pieces if number == 0 else 0, "status": "open"})
    return rows
