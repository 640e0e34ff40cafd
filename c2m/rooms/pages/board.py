"""The board: factories x days of a plan: load, free minutes, overtime, what is late; a factory's lots by day."""

from datetime import date
from typing import Annotated, Any

import pandas as pd
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from c2m.ledger.rooms import decisions, sights
from c2m.ledger.store import reading
from c2m.people.json_rows import records
from c2m.rooms import page, plan_files
from c2m.rooms.entry import NotYoursError, Operations
from c2m.rooms.plan_files import PlanFolder
from c2m.rooms.scoped import view

routes = APIRouter(prefix="/board")
ROWS = 50  # factories on a page
PLANS = 20  # of which one can be chosen
BAR = 36  # height of a day's bar, in units of its drawing


@routes.get("")
def board(
    request: Request,
    person: Operations,
    plan: Annotated[str, Query(max_length=64)] = "",
    text: Annotated[str, Query(max_length=64)] = "",
    page_number: Annotated[int, Query(alias="page", ge=1, le=100_000)] = 1,
) -> Response:
    """Factories by load, the fullest first; the plan that was released last, unless another is asked for."""
    with reading() as s:
        known = decisions.recent(s, PLANS)
        chosen = _chosen(known, plan)
        files = files_of(s, chosen)
    rows, total = _rows(files, text, page_number) if files else ([], 0)
    pages = max(1, -(-total // ROWS))
    shown: dict[str, Any] = {"plans": known, "chosen": chosen, "text": text, "page_number": page_number, "pages": pages}
    return page.shown(request, "board.html", rows=rows, dates=files.dates if files else [], **shown)


def _chosen(known: list[dict[str, Any]], plan_id: str) -> dict[str, Any] | None:
    if plan_id and not (asked := [one for one in known if one["plan_id"] == plan_id]):
        raise NotYoursError
    if plan_id:
        return asked[0]
    stands = [one for one in known if one["state"] == "released"] or known
    return stands[0] if stands else None


def files_of(session: Session, plan: dict[str, Any] | None) -> PlanFolder | None:
    """What a plan's folder says, with what arrives late; None where there is none."""
    files = plan_files.of(plan["folder"]) if plan else None
    return plan_files.with_late(files, decisions.due_dates(session, plan["plan_id"])) if plan and files else None


def _rows(files: PlanFolder, text: str, number: int) -> tuple[list[dict[str, Any]], int]:
    """A page of factories, each with its days; how many there are."""
    sums = files.days.groupby("factory_id")[["minutes", "load", "overtime", "free", "is_late"]].sum()
    sums["share"] = (sums["load"] / sums["minutes"].where(sums["minutes"] > 0)).fillna(0.0)
    named = sums[sums.index.str.contains(text, case=False, regex=False)]
    ranked = named.sort_values(["share", "load"], ascending=False, kind="stable")
    some = ranked.iloc[(number - 1) * ROWS : number * ROWS]
    by_factory = _days(files.days[files.days["factory_id"].isin(some.index)])
    rows = [row | {"days": by_factory[row["factory_id"]]} for row in records(some.reset_index())]
    return rows, len(named)


def _days(days: pd.DataFrame) -> dict[str, dict[date, dict[str, Any]]]:
    """By factory and date, with the heights of its bar: what is worked, and what of it is overtime."""
    most = (days["minutes"] + days["overtime_minutes"]).clip(lower=1.0).groupby(days["factory_id"]).transform("max")
    drawn = days.assign(
        room=(days["minutes"] / most * BAR).round(1),
        work=(days[["load", "minutes"]].min(axis=1) / most * BAR).round(1),
        over=(days["overtime"] / most * BAR).round(1),
        share=days["load"] / days["minutes"].where(days["minutes"] > 0),
    )
    found: dict[str, dict[date, dict[str, Any]]] = {}
    for row in records(drawn):
        found.setdefault(row["factory_id"], {})[row["day"]] = row
    return found


@routes.get("/{factory_id}")
def factory(
    request: Request, person: Operations, factory_id: str, plan: Annotated[str, Query(max_length=64)] = ""
) -> Response:
    """A factory's lots by day, by the plan."""
    with reading() as s:
        chosen = _chosen(decisions.recent(s, PLANS), plan)
        files = files_of(s, chosen)
        if chosen is None or files is None or factory_id not in set(files.days["factory_id"]):
            raise NotYoursError
        work = files.work[files.work["factory_id"] == factory_id]
        names = sights.labels(s, view(person.grant).scope, sorted(set(work["lot_id"])))
    lots = work.merge(names, on="lot_id", how="left").sort_values(["day", "due_on"], kind="stable")
    by_day = {day: records(rows) for day, rows in lots.groupby("day")}
    days = _days(files.days[files.days["factory_id"] == factory_id])[factory_id]
    return page.shown(request, "factory_days.html", factory_id=factory_id, chosen=chosen, by_day=by_day, days=days)
