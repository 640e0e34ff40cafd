"""Plans for operations: the recent ones, one with the decision on it, two side by side."""

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import httpx
import pandas as pd
from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response
from starlette.background import BackgroundTask

from c2m import clock
from c2m.errors import InputError
from c2m.ledger import plans
from c2m.ledger.rooms import decisions, sights
from c2m.ledger.store import reading, session
from c2m.orchestrator import orchestrator
from c2m.people.json_rows import records
from c2m.rooms import page, plan_files
from c2m.rooms.entry import Decider, NotYoursError, Operations, Unforged
from c2m.rooms.plan_files import PlanFolder
from c2m.rooms.scoped import view
from c2m.settings import settings

log = logging.getLogger(__name__)
routes = APIRouter(prefix="/plans")
LISTED, LOTS = 60, 300
_WAITS = "**Waits for a person**: "  # begins the page of a plan that is over its limits


@dataclass(frozen=True)
class PlanFigures:
    """A plan in six figures; money in `currency`. None: its files are gone, or it was not compared."""

    cost: float
    saved: float | None
    pieces: int | None
    placed: int | None
    late_lots: int | None
    overtime_minutes: float | None
    utilisation: float | None
    currency: str


def figures(plan: dict[str, Any], files: PlanFolder | None, late_lots: int) -> PlanFigures:
    """Six figures of a plan.

    Parameters
    ----------
    plan
        Its row in the ledger.
    files
        Its folder.
    late_lots
        That arrive after they are due, by the ledger.

    Returns
    -------
    PlanFigures
        As its folder says; what only the ledger knows where that is gone.
    """
    cost = float(plan["objective"])
    if files is None:
        return PlanFigures(cost, None, None, None, late_lots, None, None, settings().currency)
    return PlanFigures(
        files.day.get("objective", cost),
        files.day.get("saved"),
        files.pieces,
        files.pieces - sum(one["quantity"] for one in files.unmet),
        late_lots,
        float(files.days["overtime"].sum()),
        files.utilisation,
        files.currency,
    )


def why_it_waits(folder: str) -> list[str]:
    """The limits that a plan is over, as its page says them."""
    file = settings().home / folder / "page.md"
    first = file.read_text(encoding="utf-8").partition("\n")[0] if file.exists() else ""
    return first.removeprefix(_WAITS).split("; ") if first.startswith(_WAITS) else []


@routes.get("")
def recent(request: Request, person: Operations) -> Response:
    """The recent plans, and the choice of two."""
    with reading() as s:
        found = decisions.recent(s, LISTED)
    return page.shown(request, "plans.html", plans=found, currency=settings().currency)


@routes.get("/compare")
def compare(
    request: Request, person: Operations, one: Annotated[str, Query(max_length=64)], other: Annotated[str, Query()]
) -> Response:
    """Two plans side by side: figures, cost by part, and which pieces moved."""
    with reading() as s:
        both = [_known(decisions.of_id(s, plan_id)) for plan_id in (one, other)]
        files = [plan_files.of(plan["folder"]) for plan in both]
        first, second = files
        if first is None or second is None:
            gone = "the files of one of these plans were removed (retention.plans_days): choose a later one"
            raise InputError("plan-files-gone", [gone])
        late = [decisions.count_late(s, plan_id) for plan_id in (one, other)]
        moved = plan_files.difference(first, second)
        names = sights.labels(s, view(person.grant).scope, sorted(set(moved["lot_id"]))[:LOTS])
    rows = names.merge(moved, on="lot_id").sort_values("change", key=abs, ascending=False)
    return page.shown(
        request,
        "compare.html",
        plans=both,
        figures=[figures(*known) for known in zip(both, files, late, strict=True)],
        costs=[(part, first.cost[part], second.cost.get(part, 0.0)) for part in first.cost],
        currency=first.currency,
        moved=records(rows),
        count=len(moved),
    )


@routes.get("/{plan_id}")
def plan(request: Request, person: Operations, plan_id: str) -> Response:
    """A plan, its lots, and the form by which it is decided."""
    return _page(request, plan_id)


def _page(
    request: Request, plan_id: str, faults: Sequence[str] = (), reason: str = "", held: Sequence[str] = ()
) -> Response:
    """reason, held: what stands in the form, where something of it was wrong: a lost tick would release a lot."""
    with reading() as s:
        found = _known(decisions.of_id(s, plan_id))
        lots, count = decisions.lots(s, plan_id, LOTS), decisions.count_lots(s, plan_id)
        late = decisions.count_late(s, plan_id)
        files = plan_files.of(found["folder"])
        unmet = pd.DataFrame(files.unmet if files else [], columns=["lot_id", "quantity", "reason"])
        largest = unmet.sort_values("quantity", ascending=False, kind="stable").head(LOTS)
        unmet_names = sights.labels(s, view(request.state.person.grant).scope, list(largest["lot_id"]))
    unmet_rows = unmet_names.drop(columns="quantity").merge(largest, on="lot_id")
    return page.shown(
        request,
        "plan.html",
        409 if faults else 200,
        plan=found,
        figures=figures(found, files, late),
        waits=why_it_waits(found["folder"]),
        lots=records(lots),
        count=count,
        unmet=records(unmet_rows.sort_values("quantity", ascending=False)),
        faults=faults,
        reason=reason,
        held=held,
    )


@routes.post("/{plan_id}", dependencies=[Unforged])
def decide(
    request: Request,
    person: Decider,
    plan_id: str,
    decision: Annotated[str, Form()],
    reason: Annotated[str, Form(max_length=2000)] = "",
    without: Annotated[list[str] | None, Form()] = None,
) -> Response:
    """Releases the plan, whole or without the ticked lots, or rejects it; a reason is needed."""
    held, why, at = without or [], reason.strip(), clock.now()
    if not why:
        return _page(request, plan_id, [page.words(request, "plan.reason_needed")], "", held)
    if decision == "reject" and held:
        return _page(request, plan_id, [page.words(request, "plan.reject_is_whole")], why, held)
    try:
        with session() as s:
            if decision == "reject":
                plans.reject(s, plan_id, person.grant.person, why, at)
            elif decision == "release":
                plans.release(s, plan_id, person.grant.person, why, held, at)
            else:
                raise NotYoursError
            title = plans.standing(s, plan_id).title
    except InputError as error:
        return _page(request, plan_id, error.faults, why, held)
    return RedirectResponse(f"/plans/{plan_id}", 303, background=BackgroundTask(tell_prefect, plan_id, title))


def tell_prefect(plan_id: str, title: str) -> None:
    """Starts a run of `release`: it finds the plan decided, shows its page anew and lets the day go on."""
    try:
        if url := os.environ.get("PREFECT_API_URL"):
            orchestrator(url.removesuffix("/api")).start(
                "release", f"release {title}", {"plan_id": plan_id}, f"decided-{plan_id}"
            )
    except httpx.HTTPError as error:  # the next run of track or robot does the same
        log.warning("Prefect was not told of the decision on %s: %s", plan_id, error)


def _known(plan: dict[str, Any] | None) -> dict[str, Any]:
    if plan is None:
        raise NotYoursError
    return plan
