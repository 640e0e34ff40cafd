"""The page of a business day, on its daily run: what waits for whom, the plan in short, what is late, where to look.

Everything on it comes from the ledger, the published marts and the plan's folder, so that it can be made anew.
"""

from datetime import date
from typing import Any

import pandas as pd

from c2m import clock
from c2m.domain.alert_rules import SEVERITY
from c2m.domain.promises import how_kept
from c2m.files import read_json
from c2m.ledger import alerts, job_orders, orders, plans
from c2m.ledger.plans import Standing
from c2m.ledger.store import session
from c2m.markdown import plain, table
from c2m.people import book, overview
from c2m.settings import settings
from c2m.warehouse.published import is_published, read
from flows import plan_page, reports, waiting_runs
from optimization.contract import instances
from optimization.contract.plan import PlanSize, read_plan
from optimization.contract.terms import COST_WORDS
from optimization.contract.wording import counted, money, percent

_MOST = 10  # rows of a table here; the whole stands on a page of its own
_FEEDS = {"in": "rows in", "accepted": "accepted", "quarantined": "in quarantine", "left_out": "left out on purpose"}


def publish(day: date) -> None:
    """Shows the day as it stands now, on the run that asks."""
    with session() as s:
        newest, waits, standing = plans.newest_of_day(s, day), orders.waiting(s), alerts.standing(s)
        sent = job_orders.overview(s)
    reports.page(
        "day",
        plan_page.long(day),
        *whom_it_waits_for(newest, waits),
        *(in_figures(newest) if newest else ["## The plan", "The day has no plan.", ""]),
        *late(standing),
        *came_in(),
        *went_out(sent),
        *kept(day),
        *where_to_look(newest),
    )


def whom_it_waits_for(newest: Standing | None, waits: pd.DataFrame) -> list[str]:
    """Decisions that a person owes: on the plan, on orders that are not whole, on rows in quarantine."""
    owed = []
    if newest and newest.state == "proposed":
        form = waiting_runs.form_url(newest.plan_id)
        where = f"[decide here]({form})" if form else f"`c2m release {newest.plan_id} --reason '...'`"
        because = plain("; ".join(plan_page.reasons_to_wait(newest)))
        owed.append(f"* **Operations**: the plan of round {newest.round} waits ({because}): {where}.")
    owed += [
        f"* **Merchant {plain(one['merchant_id'])}**: {one['quantity']:,} pieces of order {plain(one['called'])} "
        f"are not planned: {plain(one['waits'])}."
        for one in waits.head(_MOST).to_dict("records")
    ]
    if len(waits) > _MOST:
        owed.append(f"* {len(waits) - _MOST:,} more lots that wait for their merchants.")
    if rows := sum(of["quarantined"] for of in overview.rows().values()):
        owed.append(f"* **Data**: {counted(rows, 'row is', 'rows are')} in quarantine: `c2m quarantine`.")
    return ["## Waits for", *(owed or ["Nobody: nothing waits for a decision."]), ""]


def in_figures(newest: Standing) -> list[str]:
    """What the day costs, what that saves, how sure it is, what is placed and where."""
    folder, currency = settings().home / newest.folder, settings().currency
    day = read_json(folder / "day.json")
    plan = read_plan(folder / "plan")
    size = PlanSize(instances.read(folder / "instance"), plan.allocation)
    figures = {
        "cost of the day": f"{money(day['objective'])} {currency}",
        "saved beside the common rule": f"{money(day['saved'])} {currency} ({100 * day['saved_share']:.1f} %)",
        "proven within": f"{percent(plan.report['gap'])} of the best plan",
        "pieces placed": f"{size.placed_pieces:,} of {size.pieces:,}",
        "lots": f"{size.lots:,}, {size.split_lots:,} of them split",
        "factories": f"{size.factories:,}",
    }
    return [
        "## The plan",
        plain(newest.sentence),
        "",
        table(pd.DataFrame(figures.items(), columns=["figure", "value"])),
        *saved_by(day),
    ]


def saved_by(day: dict[str, Any]) -> list[str]:
    """By which parts of the cost the plan is better or worse than the common rule, the largest first."""
    rule = day["common_rule_cost"]
    apart = {COST_WORDS[part]: rule.get(part, 0.0) - amount for part, amount in day["cost"].items()}
    told = sorted(((part, by) for part, by in apart.items() if abs(by) >= 1), key=lambda of: -abs(of[1]))[:3]
    words = [f"{abs(by):,.0f} {'less' if by > 0 else 'more'} for {part}" for part, by in told]
    return [f"Why, beside the common rule: {'; '.join(words)}.", ""] if words else []


def late(standing: pd.DataFrame) -> list[str]:
    """Orders past their date, and the open alerts, the gravest first."""
    over = pd.DataFrame([row for row in book.open_orders() if row["days_late"]], columns=book.BOOK)
    shown = over[["style_id", "colour", "pieces", "due_on", "days_late", "reason", "order"]].head(_MOST)
    names = {"style_id": "style", "due_on": "due", "days_late": "days late"}
    told = [
        f"* **{SEVERITY[one['severity']]}**: {plain(one['cause'])}. _{plain(one['move'])}._"
        for one in standing.head(_MOST).to_dict("records")
    ]
    more = [f"* {len(standing) - _MOST:,} more on the [floor's page]({reports.artifact_url('floor')})"]
    return [
        "## Late, and alerts",
        f"{counted(len(over), 'lot is', 'lots are')} past their date." if len(over) else "No lot is past its date.",
        "",
        *([table(shown.rename(columns=names))] if len(shown) else []),
        *told,
        *(more if len(standing) > _MOST else []),
        "",
    ]


def came_in() -> list[str]:
    """Rows of each feed up to now."""
    rows = pd.DataFrame.from_dict(overview.rows(), orient="index").rename_axis("feed").reset_index()
    return ["## What came in", table(rows.rename(columns=_FEEDS))]


def went_out(sent: pd.DataFrame) -> list[str]:
    """Job orders by state."""
    states = sent.groupby("state", as_index=False).agg(job_orders=("job_order_id", "count"), pieces=("quantity", "sum"))
    return ["## What went out", table(states.rename(columns={"job_orders": "job orders"}))]


def kept(day: date) -> list[str]:
    """What was promised beside what was kept, of the dates that are past, and who was told no date yet."""
    found = how_kept(read("promises"), day) if is_published() else {}
    if not found.get("judged"):
        return ["## Promises", "No promised date is past yet.", "", *_undated()]
    words = f"{found['kept']:.1%} of {counted(found['judged'], 'promise')} were kept; {found['stated']:.1%} was stated"
    return ["## Promises", f"{words}. {found['open']:,} are open.", "", *_undated()]


def _undated() -> list[str]:
    """Open orders without a promised date, and when their merchants hear of one."""
    rows = book.undated()
    if not rows:
        return []
    names = {"merchant_id": "merchant", "due_on": "due", "refused_by": "refused by", "hears": "hears of a date"}
    shown = pd.DataFrame(rows[:_MOST]).drop(columns="order_id").rename(columns=names)
    more = f"{len(rows) - _MOST:,} more: `c2m promises`" if len(rows) > _MOST else ""
    return [f"{counted(len(rows), 'open order has', 'open orders have')} no date yet.", "", table(shown), more, ""]


def where_to_look(newest: Standing | None) -> list[str]:
    """Links on, to the tools beside this one too."""
    pages = {"plan": "the plan", "floor": "the floor", "forecast": "the forecast", "feeds": "what came in"}
    pages |= {"promises": "promises kept", "quantities": "why this many", "goods": "where the goods are"}
    links = [f"[{words}]({reports.artifact_url(key)})" for key, words in pages.items()]
    links += [f"[documents]({reports.documents_url()}/)"]
    if newest:
        links.append(f"[files of the plan]({reports.documents_url()}/{newest.folder}/)")
    return ["## Where to look", " · ".join(links), "", f"As of {clock.now():%Y-%m-%d %H:%M} UTC."]
