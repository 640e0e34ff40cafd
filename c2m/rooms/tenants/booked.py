"""Orders of a merchant as it knows them: those that a plan has taken up, and those that have only come in."""

from typing import Any

import pandas as pd

from c2m import clock
from c2m.ledger import promises
from c2m.ledger.orders import find, own_ids
from c2m.ledger.rooms import standing
from c2m.ledger.store import Scope, reading
from c2m.people.json_rows import records
from c2m.rooms.tenants import landed

Row = dict[str, Any]


def orders(scope: Scope) -> list[Row]:
    """All of theirs, by due day: rows of `standing.orders`; the state of one that no plan has yet is `received`."""
    with reading(scope) as s:
        known, there = records(standing.orders(s, scope)), own_ids(s, scope)
    headers = landed.own("merchant_orders", scope)
    fresh = _fresh(scope, headers[~headers["order_id"].isin(there)])
    return sorted([*known, *fresh], key=lambda row: (str(row["due_on"])[:10], row["order_id"]))


def of_id(scope: Scope, order_id: str) -> Row | None:
    """One of theirs, by our id or theirs."""
    found = _planned(scope, order_id) or _fresh(scope, landed.own("merchant_orders", scope, order_id=order_id))
    return found[0] if found else None


def hears(scope: Scope, rows: list[Row]) -> dict[str, Row]:
    """Of these orders those that were told no date, by order_id: hears, answer_by, plan_on of `promises.undated`."""
    today, one = clock.business_date(clock.now()), rows[0]["order_id"] if len(rows) == 1 else None
    with reading(scope) as s:
        known = records(promises.undated(s, today, scope, one))
        fresh = {"hears": "plan", "answer_by": None, "plan_on": promises.next_plan(s, today)[0]}
    received = {row["order_id"]: fresh for row in rows if row["state"] == "received"}
    return {row["order_id"]: row for row in known} | received


def _planned(scope: Scope, order_id: str) -> list[Row]:
    """The one that a plan has taken up."""
    with reading(scope) as s:
        return records(standing.orders(s, scope, find(s, scope, order_id) or order_id))


def _fresh(scope: Scope, headers: pd.DataFrame) -> list[Row]:
    """Orders that no plan has taken up."""
    named = _styles(scope, headers)
    found = []
    for header in records(headers):
        state = "cancelled" if header["status"] == "cancelled" else "received"
        told = {"state": state, "source": "merchant", "code": header["order_code"], "promised_on": None, "waits": ""}
        told |= {"pieces": header["total_quantity"] or 0, "shipped": 0, "open_changes": 0, "is_late": False}
        told |= {"waits_for": "plan" if state == "received" else "nothing"}
        days = {name: header[name] for name in ("order_id", "placed_on", "due_on")}
        found.append(days | told | named.get(header["order_id"], {"style_name": None, "colour": None, "colours": 1}))
    return found


def _styles(scope: Scope, headers: pd.DataFrame) -> dict[str, Row]:
    """style_name and colour of the largest part of each order, and colours: how many parts it has."""
    if headers.empty:
        return {}
    lines = landed.own("merchant_order_lines", scope)
    lines = lines[lines["order_id"].isin(headers["order_id"])]
    skus = landed.own("catalogue", scope)[["sku_id", "style_id", "style_name", "colour"]]
    parts = lines.merge(skus, on="sku_id").assign(style_name=lambda row: row["style_name"].fillna(row["style_id"]))
    part = ["order_id", "style_name", "colour"]
    sums = parts.groupby(part, dropna=False)["quantity"].sum().reset_index()
    largest = sums.sort_values("quantity", ascending=False, kind="stable").groupby("order_id")
    first = largest[["style_name", "colour"]].first().assign(colours=largest.size())
    return {str(row["order_id"]): row for row in records(first.reset_index())}
