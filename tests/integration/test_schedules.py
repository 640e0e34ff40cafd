"""Days start by themselves, and two flows never write the warehouse at once: a real server, scheduler and worker."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from c2m.ledger.store import migrate
from c2m.orchestrator import orchestrator, warehouse_limit
from c2m.settings import settings
from flows import services, timelapse
from flows.warehouse import LEASE_S

pytestmark = pytest.mark.long
DEPLOYED = yaml.safe_load((services.PROJECT / "prefect.yaml").read_text(encoding="utf-8"))["deployments"]
SCHEDULED = {deployment["name"] for deployment in DEPLOYED if "schedules" in deployment}


@pytest.fixture(scope="module")
def api(prefect_url: str) -> Iterator[Callable[..., Any]]:
    """Asks the server whose deployments a worker runs: POST with a body, else GET."""
    migrate()
    with services.worker():
        yield orchestrator(prefect_url).ask


def await_that(seen: Callable[[], Any], seconds: float) -> Any:
    """The first true answer within some seconds, else the last one."""
    until = time.monotonic() + seconds
    while not (found := seen()) and time.monotonic() < until:
        time.sleep(0.2)
    return found


def soon(api: Callable[..., Any], flow: str, seconds: float) -> str:
    """The flow `flow`, deployed once more as `soon`: due in some seconds and then a year later. Returns its id."""
    like = api(f"/deployments/name/{flow}/{flow}")
    kept = {name: like[name] for name in ("flow_id", "entrypoint", "pull_steps", "parameters", "work_pool_name")}
    due = (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()
    yearly = {"schedule": {"interval": 31_536_000, "anchor_date": due}, "active": True}
    return str(api("/deployments/", kept | {"name": "soon", "path": like["path"], "schedules": [yearly]})["id"])


def test_each_schedule_has_runs_ahead(api: Callable[..., Any]) -> None:
    ahead = {
        "flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}, "start_time": {"is_null_": True}},
        "deployments": {"name": {"any_": sorted(SCHEDULED)}},
    }

    def names() -> set[str]:
        flows = {flow["id"]: flow["name"] for flow in api("/flows/filter", {})}
        return {flows[run["flow_id"]] for run in api("/flow_runs/filter", ahead)}

    assert await_that(lambda: names() == SCHEDULED, 60), names()


def test_a_run_starts_by_itself_when_it_is_due_and_completes(api: Callable[..., Any]) -> None:
    deployment = soon(api, "dispatch", seconds=10)
    of_it = {
        "sort": "EXPECTED_START_TIME_ASC",
        "deployments": {"id": {"any_": [deployment]}},
        "flow_runs": {"state": {"type": {"not_any_": ["SCHEDULED", "PENDING", "RUNNING"]}}},
    }
    runs = await_that(lambda: api("/flow_runs/filter", of_it), 90)
    assert [(run["state_name"], run["auto_scheduled"]) for run in runs] == [("Completed", True)]
    (run,) = runs
    due, started = (datetime.fromisoformat(run[name]) for name in ("expected_start_time", "start_time"))
    assert timedelta() <= started - due < timedelta(seconds=60)


@pytest.fixture(scope="module")
def transformed(api: Callable[..., Any], world: Path) -> Callable[..., str]:
    """A home whose warehouse is built; starts a deployment for its day and returns the run's id."""
    feeds = timelapse.adopt(world)
    day = settings().business_date
    assert day
    timelapse.prepare(feeds, day)

    def start(flow: str) -> str:
        deployment = api(f"/deployments/name/{flow}/{flow}")["id"]
        asked = {"parameters": {"parameters": {"business_date": day.isoformat()}}}
        return str(api(f"/deployments/{deployment}/create_flow_run", asked)["id"])

    assert ended(api, start("transform")) == "Completed"
    return start


def ended(api: Callable[..., Any], run: str, seconds: float = 180) -> str:
    """The state in which a run ended, or in which it still is after some seconds."""
    over = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
    await_that(lambda: api(f"/flow_runs/{run}")["state_type"] in over, seconds)
    return str(api(f"/flow_runs/{run}")["state_name"])


def slots(api: Callable[..., Any]) -> int:
    return int(api(f"/v2/concurrency_limits/{warehouse_limit()}")["active_slots"])


def test_two_flows_that_start_together_have_the_warehouse_in_turn(
    api: Callable[..., Any], transformed: Callable[..., str]
) -> None:
    since = datetime.now(UTC).isoformat()
    runs = [transformed("track"), transformed("robot")]
    assert [ended(api, run) for run in runs] == ["Completed", "Completed"]
    asked = {"event": {"prefix": ["prefect.concurrency-limit."]}, "occurred": {"since": since}, "order": "ASC"}

    def held() -> list[tuple[datetime, str]]:
        found = api("/events/filter", {"filter": asked})["events"]
        return sorted((datetime.fromisoformat(event["occurred"]), event["event"].split(".")[-1]) for event in found)

    # More than these two where a schedule comes due meanwhile.
    await_that(lambda: len(held()) >= 4 and len(held()) % 2 == 0, 15)
    assert [what for _, what in held()] == ["acquired", "released"] * (len(held()) // 2)
    first_release, _ = held()[1]
    if len(held()) == 4:  # else the first release may be that of a scheduled run
        assert all(datetime.fromisoformat(api(f"/flow_runs/{run}")["start_time"]) < first_release for run in runs)


def test_a_run_that_is_killed_gives_the_warehouse_back(
    api: Callable[..., Any], transformed: Callable[..., str]
) -> None:
    killed = transformed("robot")
    assert await_that(lambda: slots(api), 60) == 1
    os.kill(int(api(f"/flow_runs/{killed}")["infrastructure_pid"].rsplit(":")[-1]), signal.SIGKILL)
    assert slots(api) == 1  # until its lease ends
    assert ended(api, transformed("track"), LEASE_S + 120) == "Completed"
    assert ended(api, killed) == "Crashed"
    assert slots(api) == 0


def test_a_server_that_starts_anew_finds_no_slot_taken(api: Callable[..., Any], prefect_url: str) -> None:
    name = warehouse_limit()
    api("/v2/concurrency_limits/increment-with-lease", {"names": [name], "slots": 1})
    assert slots(api) == 1
    orchestrator(prefect_url).claim()  # what `c2m up` and `c2m run` do first
    assert slots(api) == 0
