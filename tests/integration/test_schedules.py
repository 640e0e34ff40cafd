"""Days start by themselves: Prefect's own scheduler and a worker run what prefect.yaml deploys, on a real server."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import yaml

from c2m.ledger.store import migrate
from flows import services

pytestmark = pytest.mark.long
DEPLOYED = yaml.safe_load((services.PROJECT / "prefect.yaml").read_text(encoding="utf-8"))["deployments"]
SCHEDULED = {deployment["name"] for deployment in DEPLOYED if "schedules" in deployment}


@pytest.fixture(scope="module")
def api(prefect_url: str) -> Iterator[Callable[..., Any]]:
    """Asks the server whose deployments a worker runs: POST with a body, else GET."""
    migrate()
    with services.worker(), httpx.Client(base_url=f"{prefect_url}/api", timeout=30) as client:

        def ask(path: str, body: dict[str, Any] | None = None) -> Any:
            answer = client.get(path) if body is None else client.post(path, json=body)
            return answer.raise_for_status().json()

        yield ask


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
