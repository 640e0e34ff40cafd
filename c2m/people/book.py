"""The order book as people ask about it: what is open, why, and what to do; which lots several factories share."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from c2m import clock
from c2m.files import read_json
from c2m.ledger import job_orders, orders, plans, promises, status
from c2m.ledger.states import GIVEN_BACK, LIVE
from c2m.ledger.store import session
from c2m.settings import settings

LABEL = ["order", "style_id", "colour"]  # the order by its merchant's number, else by its id
BOOK = [*LABEL, "pieces", "due_on", "days_late", "reason", "move", "order_id"]
UNDATED = ["order", "merchant_id", "pieces", "due_on", "refused_by", "hears", "order_id"]
_HEARS = {
    "correction": "once it can be planned: {waits}",
    "answer": "once all factories have answered, by {answer_by:%Y-%m-%d %H:%M} UTC at the latest",
    "release": "once the plan that waits for a person is released and factories have accepted",
    "plan": "once factories have accepted by the plan of {plan_on}",
}
SHARED = [*LABEL, "pieces", "factories", "order_id"]


def open_orders() -> list[dict[str, Any]]:
    """A row per lot with pieces to be made, the longest overdue first, with BOOK.

    move: empty where factories are at all of it and it is not late.
    """
    today = clock.business_date(clock.now())
    with session() as s:
        lots, jobs, plan = orders.open_lots(s), job_orders.overview(s), status.summary(s)["plan"]
        held = plans.withheld(s, plan["plan_id"]) if plan else set()
        waits = orders.waiting(s)
    left = _left(plan, held) if plan else {}
    of_lot = dict(iter(jobs.groupby("lot_id")))
    rows = []
    for lot in lots.sort_values(["due_on", "order_id", "lot_id"]).to_dict("records"):
        late = max(0, (today - pd.Timestamp(lot["due_on"]).date()).days)
        reason, move = _why(lot, of_lot.get(lot["lot_id"], jobs.iloc[:0]), plan, left, late > 0, today)
        label = [lot["called"], lot["style_id"], lot["colour"]]
        values = [*label, lot["remaining"], f"{lot['due_on']:%Y-%m-%d}", late, reason, move, lot["order_id"]]
        rows.append(dict(zip(BOOK, values, strict=True)))
    return rows + _waiting(waits, today)


def undated() -> list[dict[str, Any]]:
    """A row per open order whose merchant was told no date yet, with UNDATED: hears says when that will be."""
    with session() as s:
        rows = promises.undated(s, clock.business_date(clock.now()))
    rows = rows.rename(columns={"called": "order"}).astype({"pieces": int, "due_on": str})
    rows["hears"] = [_HEARS[row["hears"]].format_map(row) for row in rows.to_dict("records")]
    return [{name: row[name] for name in UNDATED} for row in rows.to_dict("records")]


def _waiting(lots: pd.DataFrame, today: date) -> list[dict[str, Any]]:
    """Rows of orders that cannot be planned as they came, with BOOK: one a style and reason, its colours together."""
    rows = []
    for (order_id, style_id, reason), parts in lots.groupby(["order_id", "style_id", "waits"]):
        due, pieces = parts["due_on"].iloc[0], int(parts["quantity"].sum())
        late = max(0, (today - pd.Timestamp(due).date()).days)
        move = f"tell merchant {parts['merchant_id'].iloc[0]}"
        if "quarantine" in str(reason):
            move = "c2m quarantine merchant_order_lines: correct or cancel them"
        label = [parts["called"].iloc[0], style_id, ", ".join(sorted(parts["colour"].dropna()))]
        rows.append(dict(zip(BOOK, [*label, pieces, f"{due:%Y-%m-%d}", late, reason, move, order_id], strict=True)))
    return rows


def named(jobs: pd.DataFrame) -> pd.DataFrame:
    """Job orders with the order, style and colour by which people know their lots."""
    with session() as s:
        names = orders.labels(s, sorted(jobs["lot_id"].unique()))
    return jobs.merge(names[["lot_id", "order", "style", "colour"]], "left", "lot_id")


def shared_lots() -> list[dict[str, Any]]:
    """A row per lot that several factories make or made, the largest first, with SHARED."""
    with session() as s:
        jobs = job_orders.overview(s)
        jobs = jobs[~jobs["state"].isin(GIVEN_BACK)]
        several = jobs.groupby("lot_id")["factory_id"].transform("nunique") > 1
        names = orders.labels(s, sorted(jobs.loc[several, "lot_id"].unique()))
    rows = []
    for lot_id, parts in jobs[several].groupby("lot_id"):
        stages = [own.groupby("factory_id")["quantity"].sum() for _, own in parts.groupby("stage")]
        words = ", then ".join(map(_makers, stages))
        of = names.loc[names["lot_id"] == lot_id].iloc[0]
        label = [of["order"] if of["source"] == "merchant" else of["order_id"], of["style_id"], of["colour"]]
        rows.append(dict(zip(SHARED, [*label, int(stages[-1].sum()), words, of["order_id"]], strict=True)))
    return sorted(rows, key=lambda row: -row["pieces"])


def _makers(pieces: "pd.Series[int]") -> str:
    largest_first = pieces.sort_values(ascending=False)
    return " + ".join(f"{name} {count:,}" for name, count in largest_first.items())


def _why(
    lot: dict[Any, Any], jobs: pd.DataFrame, plan: dict[str, Any] | None, left: dict[str, str], late: bool, today: date
) -> tuple[str, str]:
    """(reason, move): of what nobody makes first, then of what is being made."""
    at_work = jobs[jobs["state"].isin(LIVE)]
    if lot["committed"] >= lot["remaining"]:
        makers = ", ".join(sorted(at_work["factory_id"].unique()))
        return f"{makers} at work, due {at_work['due_on'].max()}", "c2m alerts tells what is in the way" if late else ""
    lost = jobs[jobs["state"].isin(GIVEN_BACK) & (jobs["state"] != "Cancelled")]
    if plan and plan["state"] == "proposed":
        return f"plan {plan['plan_id']} is not decided", f'c2m release {plan["plan_id"]} --reason "..."'
    if len(lost):
        gone = lost[["factory_id", "state", "reason"]].astype(str).to_numpy().tolist()
        reason = "; ".join(f"{factory} {state.lower()}: {said}" for factory, state, said in gone)
    elif lot["lot_id"] in left:
        reason = left[lot["lot_id"]]
    else:
        reason = "no plan has taken it in yet"
    return reason, _again(today)


def _again(today: date) -> str:
    if clock.is_virtual() and not clock.speed():  # `c2m up` lets it go on, and nothing else runs days beside that
        return f"plan it again with the next day: c2m run --date {today + timedelta(days=1)}"
    return "the next day's plan takes it in; sooner: run the flow plan with an empty round"


def _left(plan: dict[str, Any], held: set[str]) -> dict[str, str]:
    """Why the latest plan leaves lots short, or its release held them back, by lot."""
    reasons = dict.fromkeys(held, f"held back when plan {plan['plan_id']} was released")
    return reasons | {one["order_id"]: one["reason"] for one in _unmet(settings().home / plan["folder"])}


def _unmet(folder: Path) -> list[dict[str, Any]]:
    """The lots that a plan leaves short; none where its folder is gone."""
    file = folder / "plan" / "report.json"
    found: list[dict[str, Any]] = read_json(file)["unmet"] if file.exists() else []
    return found
