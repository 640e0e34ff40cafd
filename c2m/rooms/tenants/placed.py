"""A new order of a merchant: its rows go in through the feed, the next plan takes it up. Sent twice it is one order.

The id of an order follows from its merchant and the merchant's own number, so that whoever sends it, by form, by API or
from operations, means the same order.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pandas as pd

from c2m import clock
from c2m.errors import InputError
from c2m.ids import placed_id
from c2m.ledger.store import Scope
from c2m.rooms.tenants import landed
from c2m.settings import settings


@dataclass(frozen=True)
class PlacedOrder:
    """What is ordered. code: the merchant's own number; pieces: by SKU; own: by SKU and personalisation (canonical)."""

    code: str
    due_on: date
    pieces: Mapping[str, int]
    latitude: float | None = None
    longitude: float | None = None
    parent_order_id: str | None = None
    own: Mapping[tuple[str, str], int] = field(default_factory=dict)

    @property
    def quantity(self) -> int:
        """All pieces."""
        return sum(self.pieces.values()) + sum(self.own.values())


def order_id_of(merchant_id: str, code: str) -> str:
    """The id of the order that a merchant calls so."""
    return placed_id(merchant_id, code)


def place(scope: Scope, new: PlacedOrder) -> landed.Arrived | None:
    """Brings the order in.

    Returns
    -------
    Arrived or None
        The file that did not come in whole, with what the rules say against its rows; None: all of it came in.

    Raises
    ------
    InputError
        `code-taken`: another order of the merchant has this code; `unknown-sku`: a SKU is not in its catalogue.
    """
    header, lines = _rows(scope, new)
    if _is_there(scope, header["order_id"], new):
        return None
    for feed, rows in (("merchant_orders", [header]), ("merchant_order_lines", lines)):
        arrived = landed.write(scope, feed, rows, header["order_id"])
        if arrived.faults or arrived.outcome.problems:
            return arrived
    return None


def _rows(scope: Scope, new: PlacedOrder) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    _, merchant_id = landed.tenant(scope)
    pieces = {sku_id: count for sku_id, count in new.pieces.items() if count}
    currencies = _currencies(scope, [*pieces, *(sku_id for sku_id, _ in new.own)])
    header = {
        "merchant_id": merchant_id,
        "order_id": order_id_of(merchant_id, new.code),
        "order_code": new.code,
        "placed_on": clock.business_date(clock.now()),
        "due_on": new.due_on,
        "currency": next(iter(currencies.values()), settings().currency),
        "tolerance_share": landed.TOLERANCE_SHARE,
        "destination_latitude": new.latitude,
        "destination_longitude": new.longitude,
        "status": "open",
        "parent_order_id": new.parent_order_id,
        "line_count": len(pieces) + len(new.own),
        "total_quantity": new.quantity,
    }
    line = {"merchant_id": merchant_id, "order_id": header["order_id"], "order_line_id": "#1", "status": "open"}
    alike = [line | {"sku_id": sku_id, "quantity": count} for sku_id, count in pieces.items()]
    return header, alike + [
        line | {"order_line_id": f"own-{number}", "sku_id": sku_id, "quantity": count, "personalisation": own}
        for number, ((sku_id, own), count) in enumerate(sorted(new.own.items()), start=1)
    ]


def _currencies(scope: Scope, skus: Sequence[str]) -> dict[str, str]:
    catalogue = landed.own("catalogue", scope)
    own = dict(zip(catalogue["sku_id"], catalogue["currency"], strict=True))
    if unknown := [sku_id for sku_id in dict.fromkeys(skus) if sku_id not in own]:
        faults = [f"SKU {sku_id} is not in your catalogue: send its row there first" for sku_id in unknown]
        raise InputError("unknown-sku", faults)
    return {sku_id: own[sku_id] for sku_id in skus}


def _is_there(scope: Scope, order_id: str, new: PlacedOrder) -> bool:
    """Whether this very order is there already.

    Raises
    ------
    InputError
        Another one has its code.
    """
    headers = landed.own("merchant_orders", scope, order_id=order_id)
    if headers.empty:
        return False
    lines = landed.own("merchant_order_lines", scope, order_id=order_id)
    rows = lines[["sku_id", "personalisation", "quantity"]].itertuples(index=False, name=None)
    there = {(sku_id, own if isinstance(own, str) else ""): count for sku_id, own, count in rows if count}
    wanted = {(sku_id, ""): count for sku_id, count in new.pieces.items() if count} | dict(new.own)
    due_on = pd.Timestamp(headers["due_on"].iloc[0]).date()
    if there and (there, due_on) != (wanted, new.due_on):
        known = f"{new.code} names an order with other pieces or another date already"
        raise InputError("code-taken", [f"{known}: give a new order another code, or ask for a change of that one"])
    return bool(there)
