"""Operations decide on Prefect's page: a plan that waits, its form, and the day that goes on."""

import re
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from day_kit import environment
from fastapi.testclient import TestClient

from c2m import clock
from c2m.feeds.landing import latest
from c2m.ledger import plans, status
from c2m.ledger.store import session, snapshot
from c2m.orchestrator import orchestrator
from c2m.rooms import links
from c2m.rooms.app import create
from c2m.settings import settings
from flows import services, timelapse

pytestmark = [pytest.mark.long, pytest.mark.timeout(1500)]
Api = Callable[..., Any]


@pytest.fixture(scope="module")
def api(prefect_url: str, world: Path) -> Iterator[Api]:
    """A home whose day is to be decided by a person; asks its server, whose deployments a worker runs."""
    with pytest.MonkeyPatch.context() as patch:
        told = environment(settings().home, prefect_url, C2M_RELEASE__AUTOMATIC="false")
        for name in ("C2M_RELEASE__AUTOMATIC", "C2M_PLAN__NODE_LIMIT", "C2M_FORECAST__ROUNDS", "C2M_FORECAST__THREADS"):
            patch.setenv(name, told[name])
        settings.cache_clear()
        feeds = timelapse.adopt(world)
        assert settings().business_date
        timelapse.prepare(feeds, settings().business_date)
        with session() as s:  # no factory is up to say so itself
            for factory_id in sorted(set(latest("factories")["factory_id"])):
                status.register(s, factory_id, 2, clock.now())
        with services.worker():
            yield orchestrator(prefect_url).ask
    settings.cache_clear()


def until(seen: Callable[[], Any], seconds: float = 500) -> Any:
    """The first true answer within some seconds, else the last one."""
    end = time.monotonic() + seconds
    while not (found := seen()) and time.monotonic() < end:
        time.sleep(0.5)
    return found


def runs(api: Api, flow: str) -> list[dict[str, Any]]:
    return list(api("/flow_runs/filter", {"flows": {"name": {"any_": [flow]}}, "sort": "START_TIME_ASC"}))


def state(api: Api, run: str) -> str:
    return str(api(f"/flow_runs/{run}")["state"]["name"])


def answer(api: Api, run: str, **fields: object) -> str:
    """Sends the form of a run; ACCEPT, or REJECT."""
    return str(api(f"/flow_runs/{run}/resume", {"run_input": fields})["status"])


def form(api: Api, run: str) -> str:
    """The words above the form of a suspended run."""
    keys = api(f"/flow_runs/{run}")["state"]["state_details"]["run_input_keyset"]
    return str(api(f"/flow_runs/{run}/input/{keys['description']}"))


def page(api: Api, key: str) -> str:
    (found,) = api("/artifacts/latest/filter", {"artifacts": {"key": {"any_": [key]}}})
    return str(found["data"])


def waiting(api: Api, flow: str) -> dict[str, Any]:
    """The run of a flow that is suspended, once there is one."""

    def suspended() -> list[dict[str, Any]]:
        return [run for run in runs(api, flow) if run["state_name"] == "Suspended"]

    found = until(suspended)
    of_all = api("/flow_runs/filter", {})
    assert found, [(run["name"], run["state_name"], run["state"]["message"]) for run in of_all]
    return dict(found[0])


def told_steps(api: Api, run: str) -> set[str]:
    """The steps that a run's Logs tab tells of."""
    rows = api("/logs/filter", {"logs": {"flow_run_id": {"any_": [run]}}, "limit": 200})
    return {row["message"].split()[1] for row in rows if row["name"] == "c2m.steps"}


def test_a_day_waits_for_a_person_and_goes_on_after_the_decision(api: Api) -> None:
    day = settings().business_date
    assert day
    deployment = api("/deployments/name/daily/daily")["id"]
    asked = {"parameters": {"parameters": {"business_date": str(day), "patience_s": 1}}}
    daily = str(api(f"/deployments/{deployment}/create_flow_run", asked)["id"])

    # It waits: the state, the form, the pages, the event.
    decision = waiting(api, "release")["id"]
    assert until(lambda: state(api, daily) == "Suspended", 200)
    assert api(f"/flow_runs/{daily}")["name"] == f"daily {day}"
    with session() as s:
        plan = plans.waiting(s)
    assert plan
    assert api(f"/flow_runs/{decision}")["name"] == f"release {day} round 1"
    assert until(lambda: "waits" in form(api, decision), 20)  # the words follow the state
    assert f"/runs/flow-run/{decision}" in page(api, "plan")
    assert f"/runs/flow-run/{decision}" in page(api, "day")
    sent = {"filter": {"event": {"name": ["c2m.plan.waits"]}, "occurred": {"since": f"{date(2020, 1, 1)}T00:00:00Z"}}}
    assert until(lambda: api("/events/filter", sent)["events"], 30)

    # Wrong at the form, then wrong in the day: asked again with the reason; held with a note.
    assert answer(api, decision, decision="release all", reason="x", name="ann") == "REJECT"
    in_part = {"decision": "release without these lots", "reason": "wool is late", "name": "ann"}
    assert answer(api, decision, **in_part, lots=["L0"]) == "ACCEPT"
    assert until(lambda: state(api, decision) == "Suspended" and "lot L0 is not in plan" in form(api, decision), 200)
    assert answer(api, decision, decision="hold", reason="I call the mill first", name="ann") == "ACCEPT"
    held_on = "I call the mill first"
    assert until(lambda: state(api, decision) == "Suspended" and held_on in form(api, decision), 200)
    assert state(api, daily) == "Suspended"

    # In part: the day goes on, and only what was released goes out.
    with session() as s:
        lots = list(snapshot(s)["plan_allocations"].query("plan_id == @plan.plan_id")["lot_id"].unique())
    held = sorted(lots)[0]
    assert answer(api, decision, **in_part, lots=[held]) == "ACCEPT"
    assert until(lambda: state(api, decision) == "Completed", 200)
    assert "Released by ann" in api(f"/flow_runs/{decision}")["state"]["message"]
    assert until(lambda: state(api, daily) == "Completed"), api(f"/flow_runs/{daily}")["state"]
    with session() as s:
        sent_out = snapshot(s)["job_orders"]
    assert len(sent_out)
    assert held not in set(sent_out["lot_id"])
    assert set(sent_out["lot_id"]) == set(lots) - {held}
    assert "Released by ann" in page(api, "day")
    assert isinstance(sent_out, pd.DataFrame)
    assert until(lambda: {"ingest", "gate", "solve", "dispatch"} <= told_steps(api, daily), 20), told_steps(api, daily)


def test_a_decision_in_the_order_room_ends_the_run_that_waits_for_it(
    api: Api, prefect_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", f"{prefect_url}/api")
    deployment = api("/deployments/name/plan/plan")["id"]
    asked = {"parameters": {"parameters": {"business_date": str(settings().business_date), "round": None}}}
    api(f"/deployments/{deployment}/create_flow_run", asked)
    decision = waiting(api, "release")["id"]
    with session() as s:
        plan = plans.waiting(s)
    assert plan
    site = TestClient(create(), base_url="http://127.0.0.1")
    site.post("/in", data={"token": links.give("operator", "", "bea", 1, "test")[0]})
    token = re.search(r'name="csrf" value="([^"]+)"', site.get(f"/plans/{plan.plan_id}").text)
    assert token
    said = {"csrf": token[1], "decision": "reject", "reason": "the mill is closed"}
    assert site.post(f"/plans/{plan.plan_id}", data=said, follow_redirects=False).status_code == 303
    assert until(lambda: state(api, decision) == "Completed", 200)
    assert "Rejected by bea" in api(f"/flow_runs/{decision}")["state"]["message"]
    assert "Rejected by bea" in page(api, "plan")
