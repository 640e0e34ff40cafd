"""Runs on the Prefect server that wait for a person: `release` with its form, and `daily`, which goes on afterwards.

A run waits as Prefect's state Suspended: it has no process. Who decides, and where, does not matter: `settle` lets the
runs follow what the ledger says. Without a server, or on one without our deployments, nothing waits but the plan.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import uuid4

from prefect import runtime
from prefect.events import emit_event
from prefect.flow_runs import suspend_flow_run
from prefect.settings import PREFECT_API_URL, PREFECT_UI_URL
from pydantic import BaseModel

from c2m.errors import InputError
from c2m.ledger import plans
from c2m.ledger.plans import Standing
from c2m.ledger.store import session
from c2m.orchestrator import Orchestrator, orchestrator

_WAITS = ("PAUSED",)
_TO_COME = (*_WAITS, "SCHEDULED", "PENDING", "RUNNING")


def server() -> Orchestrator | None:
    """The Prefect server that this process speaks to; None where it has none."""
    url = PREFECT_API_URL.value()
    return orchestrator(url.removesuffix("/api")) if url else None


def ask(standing: Standing, reasons: list[str]) -> None:
    """Sends the event c2m.plan.waits, and starts the run of `release` in which a person decides; one a plan."""
    resource = {"prefect.resource.id": f"c2m.plan.{standing.plan_id}", "prefect.resource.name": standing.title}
    emit_event("c2m.plan.waits", resource=resource, payload={"reasons": reasons, "plan_id": standing.plan_id})
    if api := server():
        about, once = {"plan_id": standing.plan_id}, f"release-{standing.plan_id}"
        api.start("release", f"release {standing.title}", about, once)


def form_url(plan_id: str) -> str | None:
    """The page on which a person decides on a plan; None where there is no run for that."""
    runs = _runs(api, "release", _TO_COME) if (api := server()) else []
    return next(
        (
            f"{PREFECT_UI_URL.value()}/runs/flow-run/{run['id']}"
            for run in runs
            if _parameters(run).get("plan_id") == plan_id
        ),
        None,
    )


def keep(parameters: BaseModel) -> None:
    """What the run was started with, defaults filled in: when it goes on, on another day, it is about the same."""
    if (api := server()) and runtime.flow_run.id:
        kept = {"parameters": {"parameters": parameters.model_dump(mode="json")}}
        api.ask(f"/flow_runs/{runtime.flow_run.id}", kept, "PATCH")


def suspend_until_decided(day: date, parameters: BaseModel) -> None:
    """Ends this run of a deployment where the day's plan waits; it starts again once somebody has decided."""
    with session() as s:
        newest = plans.newest_of_day(s, day)
    if newest and newest.state == "proposed" and runtime.deployment.id:
        keep(parameters)
        suspend_flow_run(key=str(uuid4()))  # resumed too early by hand, it waits once more


def settle() -> None:
    """Ends each run of `release` whose plan is decided; `daily` goes on where it was released, and ends where not."""
    if api := server():
        _end_decided(api)
        _go_on_with_days(api)


def _end_decided(api: Orchestrator) -> None:
    for run in _runs(api, "release"):
        if (standing := _of_plan(_parameters(run).get("plan_id"))) and standing.state != "proposed":
            _end(api, run, "COMPLETED", standing)


def _go_on_with_days(api: Orchestrator) -> None:
    for run in _runs(api, "daily"):
        standing = _of_day(_parameters(run).get("business_date"))
        if standing and standing.was_released:
            api.ask(f"/flow_runs/{run['id']}/resume", {})
        elif standing and standing.state != "proposed":
            _end(api, run, "CANCELLED", standing)


def _of_plan(plan_id: str | None) -> Standing | None:
    """None too where the plan is not of this home."""
    try:
        with session() as s:
            return plans.standing(s, plan_id) if plan_id else None
    except InputError:
        return None


def _of_day(day: str | None) -> Standing | None:
    """None too where somebody paused the run by hand before it had a day."""
    with session() as s:
        return plans.newest_of_day(s, date.fromisoformat(day)) if day else None


def _runs(api: Orchestrator, flow: str, states: Sequence[str] = _WAITS) -> list[dict[str, Any]]:
    """Runs of a flow in some states."""
    in_states = {"state": {"type": {"any_": list(states)}}}
    return list(api.ask("/flow_runs/filter", {"flows": {"name": {"any_": [flow]}}, "flow_runs": in_states}))


def _parameters(run: dict[str, Any]) -> dict[str, Any]:
    given: dict[str, Any] = run["parameters"].get("parameters") or {}
    return given


def _end(api: Orchestrator, run: dict[str, Any], state: str, standing: Standing) -> None:
    ended = {"type": state, "message": standing.sentence}
    api.ask(f"/flow_runs/{run['id']}/set_state", {"state": ended, "force": True})
