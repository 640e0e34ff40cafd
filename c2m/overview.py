"""Where the platform stands, for `c2m status`: rows by feed, orders, job orders, plan, forecast."""

import json
from typing import Any

from c2m import book, clock
from c2m.feeds.landing import read_landed
from c2m.ledger import status
from c2m.ledger.store import session
from c2m.settings import settings


def overview() -> dict[str, Any]:
    """business_date, rows {in, accepted, quarantined} per feed, orders and job_orders by state, plan, forecast.

    shared_lots and open_orders: rows as `c2m.book` makes them.
    """
    with session() as s:
        ledger = status.summary(s)
    if ledger["plan"]:
        ledger["plan"] |= shadow(ledger["plan"])
    seen = {"business_date": clock.business_date(clock.now()), "rows": rows(), **ledger, "forecast": forecast()}
    return seen | {"shared_lots": book.shared_lots(), "open_orders": book.open_orders()}


def shadow(plan: dict[str, Any]) -> dict[str, float]:
    """What the rule of common planning tools would have cost on the plan's day; empty where it was not run."""
    file = settings().home / plan["folder"] / "shadow" / "report.json"
    if not file.exists():
        return {}
    cost = json.loads(file.read_text(encoding="utf-8"))["objective"]
    return {"common_rule_objective": cost, "saved": cost - plan["objective"]}


def rows() -> dict[str, dict[str, int]]:
    """Rows in = accepted + quarantined, per feed, over every file seen."""
    outcomes = read_landed("file_outcomes")
    sums = outcomes.groupby("feed")[["rows_in", "accepted", "quarantined"]].sum()
    return {
        str(feed): {"in": int(row.rows_in), "accepted": int(row.accepted), "quarantined": int(row.quarantined)}
        for feed, row in sums.iterrows()
    }


def forecast() -> dict[str, Any]:
    """The last forecast's model and its error against the seasonal naive one; empty before the first forecast."""
    files = sorted(settings().runs.glob("*/forecast.json"))
    return json.loads(files[-1].read_text(encoding="utf-8")) if files else {}
