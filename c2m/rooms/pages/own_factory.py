"""What a factory sees of itself and keeps up to date: load ahead, scorecard, calendar and capabilities."""

from collections.abc import Mapping
from datetime import date, timedelta
from secrets import token_urlsafe
from typing import Any

import pandas as pd
from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from c2m import clock
from c2m.domain.crafts import apart
from c2m.ids import derive_id
from c2m.ledger.rooms import decisions, sights
from c2m.ledger.store import reading
from c2m.people.json_rows import records
from c2m.rooms import entry, page, plan_files
from c2m.rooms.entry import Factory, Person
from c2m.rooms.pages import board
from c2m.rooms.scoped import view
from c2m.rooms.tenants import landed
from c2m.warehouse import published

routes = APIRouter(prefix="/factory")
DAYS_SHOWN = 28
_PLANS = 20


@routes.get("/load")
def load(request: Request, person: Factory) -> Response:
    """Its days of the plan that stands: paid time, work, overtime, what is free."""
    with reading() as s:
        known = decisions.recent(s, _PLANS)
        chosen = next((plan for plan in known if plan["state"] == "released"), None)
        files = board.files_of(s, chosen)
        days, work = _own(files, person.grant.tenant) if files else (pd.DataFrame(), pd.DataFrame())
        jobs = sights.job_orders(s, view(person.grant).scope)
    return page.shown(request, "own_load.html", days=records(days), lots=_lots_by_day(work, jobs), plan=chosen)


def _lots_by_day(work: pd.DataFrame, jobs: pd.DataFrame) -> dict[date, list[str]]:
    """Names of the lots; the beginning of its id where a lot is no job order yet."""
    named = {row["lot_id"]: f"{row['style_name']}, {row['colour']}" for row in records(jobs)}
    lots: dict[date, list[str]] = {}
    for row in records(work):
        lots.setdefault(row["day"], []).append(named.get(row["lot_id"], row["lot_id"][:8]))
    return lots


def _own(files: plan_files.PlanFolder, factory_id: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    today = clock.business_date(clock.now())
    days, work = (
        rows[(rows["factory_id"] == factory_id) & (rows["day"] >= today)] for rows in (files.days, files.work)
    )
    return days, work


@routes.get("/score")
def score(request: Request, person: Factory) -> Response:
    """Its score per category, what it is made of, what its band allows, and the crafts in which it is another one."""
    cards: list[dict[str, Any]] = []
    crafts: list[dict[str, Any]] = []
    if published.is_published():
        mine = view(person.grant)
        parts = mine.mart("factory_score_components").sort_values("points")
        of_category = {str(name): records(rows) for name, rows in parts.groupby("category")}
        found = records(mine.mart("factory_scores").sort_values("category"))
        cards = [card | {"parts": of_category.get(card["category"], [])} for card in found]
        crafts = records(apart(mine.mart("factory_capabilities"), mine.mart("factories")))
    return page.shown(request, "own_score.html", cards=cards, crafts=crafts)


@routes.get("/terms")
def terms(request: Request, person: Factory) -> Response:
    """Its calendar and capabilities as last told, with the forms that change them."""
    return _terms(request, person)


@routes.post("/calendar", dependencies=[entry.Unforged])
async def keep_calendar(request: Request, person: Factory) -> Response:
    """Takes changed days."""
    form = {name: str(value) for name, value in (await request.form()).items()}
    return await run_in_threadpool(_keep, request, person, "factory_calendar", _days, form)


@routes.post("/capabilities", dependencies=[entry.Unforged])
async def keep_capabilities(request: Request, person: Factory) -> Response:
    """Takes changed efficiencies, and a new category or craft."""
    form = {name: str(value) for name, value in (await request.form()).items()}
    return await run_in_threadpool(_keep, request, person, "factory_capabilities", _skills, form)


def _keep(request: Request, person: Person, feed: str, rows_of: Any, form: Mapping[str, str]) -> Response:
    try:
        rows = rows_of(person, form)
    except ValueError:
        return _terms(request, person, [], page.words(request, "terms.not_understood"))
    if not rows:
        return _terms(request, person, [], page.words(request, "terms.nothing_new"))
    name = derive_id("room-terms", person.grant.tenant, feed, form.get("nonce", ""))
    arrived = landed.write(person.grant.scope, feed, rows, name)
    if arrived.faults:
        return _terms(request, person, arrived.faults)
    return RedirectResponse("/factory/terms?kept=yes", 303)


def _days(person: Person, form: Mapping[str, str]) -> list[dict[str, Any]]:
    """The days that the form changes. Raises ValueError where a number is none."""
    held = {f"{row['day']:%Y-%m-%d}": row for row in _calendar(person)}
    rows = []
    for day, row in held.items():
        told = {name: form.get(f"{name}-{day}") for name in ("minutes", "overtime_minutes", "reason")}
        if told["minutes"] is None:
            continue
        minutes, overtime = float(told["minutes"]), float(told["overtime_minutes"] or 0)
        reason = told["reason"] or None
        if (minutes, overtime, reason) != (row["minutes"], row["overtime_minutes"], row["reason"]):
            rows.append(row | {"minutes": minutes, "overtime_minutes": overtime, "reason": reason})
    return rows


def _skills(person: Person, form: Mapping[str, str]) -> list[dict[str, Any]]:
    """The capabilities that the form changes or adds. Raises ValueError where a number is none."""
    rows = []
    for number, row in enumerate(records(landed.own("factory_capabilities", person.grant.scope))):
        told = form.get(f"efficiency-{number}")
        if told and form.get(f"name-{number}") == row["name"] and float(told) != row["efficiency"]:
            rows.append(row | {"efficiency": float(told)})
    if name := form.get("new_name", "").strip():
        added = {"factory_id": person.grant.tenant, "kind": form.get("new_kind", ""), "name": name}
        rows.append(added | {"efficiency": float(form.get("new_efficiency", ""))})
    return rows


def _calendar(person: Person) -> list[dict[str, Any]]:
    """Its days from today on."""
    today = pd.Timestamp(clock.business_date(clock.now()))
    found = landed.own("factory_calendar", person.grant.scope)
    days = pd.to_datetime(found["day"])
    return records(found[(days >= today) & (days < today + timedelta(days=DAYS_SHOWN))])


def _terms(request: Request, person: Person, faults: list[dict[str, Any]] | None = None, fault: str = "") -> Response:
    return page.shown(
        request,
        "own_terms.html",
        400 if faults or fault else 200,
        days=_calendar(person),
        skills=records(landed.own("factory_capabilities", person.grant.scope)),
        kept="kept" in request.query_params,
        faults=faults or [],
        fault=fault,
        nonce=token_urlsafe(16),
    )
