"""Where the platform stands, for `c2m status`: rows by feed, orders, job orders, plan, forecast."""

import math
from datetime import date
from pathlib import Path
from typing import Any

from c2m import clock, objects
from c2m.feeds.landing import read_landed
from c2m.files import read_json
from c2m.ledger import plans, status
from c2m.ledger.store import session
from c2m.people import book, bought, designs
from c2m.settings import settings


def overview() -> dict[str, Any]:
    """business_date, rows {in, accepted, ...} per feed, orders and job_orders by state, plan, forecast.

    shared_lots and open_orders: rows as `c2m.people.book` makes them; purchases: those of the plan's day.
    """
    ledger = _ledger()  # first: it says in words that there is no home, or one of another version
    seen = {"business_date": clock.business_date(clock.now()), "rows": rows(), **ledger, "forecast": forecast()}
    purchases = bought.in_short(date.fromisoformat(ledger["plan"]["business_date"])) if ledger["plan"] else []
    seen |= {"purchases": purchases, "designs": designs.in_short()}
    return seen | {"shared_lots": book.shared_lots(), "open_orders": book.open_orders()}


def _ledger() -> dict[str, Any]:
    """The ledger's part, its plan with where it stands and what its folder says."""
    with session() as s:
        ledger = status.summary(s)
        if plan := ledger["plan"]:
            plan["standing"] = plans.standing(s, plan["plan_id"]).words
    if plan:
        plan |= kept(plan)
    return ledger


def kept(plan: dict[str, Any]) -> dict[str, Any]:
    """What ended the search, what the verifier says, what the day and the common rule cost: as kept in the folder."""
    folder = objects.here(settings().home / plan["folder"])
    report, verdict = _json(folder / "plan/report.json"), _json(folder / "verdict.json")
    verified = verdict.get("verdict", {}).get("words")  # absent in older folders
    told = {"stopped_by": report.get("stopped_by"), "verified": verified, "joint": _json(folder / "joint.json")}
    return told | _day_figures(_json(folder / "day.json"))


def _day_figures(day: dict[str, Any]) -> dict[str, Any]:
    names = {"day_objective": "objective", "common_rule_objective": "common_rule_objective", "saved": "saved"}
    return {name: day[key] for name, key in names.items() if key in day}


def in_words(plan: dict[str, Any]) -> dict[str, str]:
    """The plan for people: how it stands, what the day costs, how good it is."""
    currency = settings().currency
    by = {"time": ", ended by time", "nodes": ", ended by the node limit", "interrupt": ", interrupted"}
    gap = math.ceil(round(plan["gap"] * 1e4, 6)) / 100  # what is left to prove is never understated
    words = {
        "plan": f"{plan['business_date']}, round {plan['round']}: {plan['plan_id']}",
        "stands": plan["standing"],
        "cost of the day": f"{plan.get('day_objective', plan['objective']):,.0f} {currency}",
    }
    if "saved" in plan:
        apart = f"{abs(plan['saved']):,.0f} {currency}"
        beside = f"saved {apart}" if plan["saved"] >= 0 else f"{apart} less than the plan"
        words["common rule"] = f"{plan['common_rule_objective']:,.0f} {currency}: {beside}"
    return words | {
        "search": f"{plan['status']}{by.get(plan['stopped_by'] or '', '')}: no plan of this round costs less than "
        f"{plan['bound']:,.0f} {currency}, {gap:.2f} % below",
        "verifier": plan["verified"] or "",
        "lots split": f"{plan['split_orders']:,}",
        "pieces not placed": f"{plan['unmet_pieces']:,}",
        "files": str(settings().home / plan["folder"]),
    }


def rows() -> dict[str, dict[str, int]]:
    """Rows in = accepted + quarantined + left out, per feed, over every file seen."""
    names = {"rows_in": "in", "accepted": "accepted", "quarantined": "quarantined", "left_out": "left_out"}
    sums = read_landed("file_outcomes").groupby("feed")[list(names)].sum().rename(columns=names)
    return {str(feed): {name: int(row[name]) for name in names.values()} for feed, row in sums.iterrows()}


def forecast() -> dict[str, Any]:
    """The last forecast's model and its error against the seasonal naive one; empty before the first forecast."""
    files = sorted(settings().runs.glob("*/forecast.json"))
    return _json(files[-1]) if files else {}


def _json(file: Path) -> dict[str, Any]:
    """What a file holds; nothing where it is not there."""
    content: dict[str, Any] = read_json(file) if file.exists() else {}
    return content
