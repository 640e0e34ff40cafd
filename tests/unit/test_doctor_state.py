"""What `c2m doctor` finds in C2M_HOME, each thing broken for real."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from c2m import clock
from c2m.doctor import Finding, examine, floor, home_state, schedules
from c2m.files import sha256
from c2m.floor.child import LOOPBACK, free_port
from c2m.ledger import store
from c2m.settings import settings
from flows.checkup import grouped

NOON = datetime(2026, 1, 12, 12, tzinfo=UTC)


def publish(home: Path) -> Path:
    """One mart behind the pointer."""
    mart = home / "published" / "b" / "styles.parquet"
    mart.parent.mkdir(parents=True)
    mart.write_bytes(b"rows")
    entry = {"file": "b/styles.parquet", "rows": 1, "sha256": sha256(mart)}
    (home / "published" / "current.json").write_text(json.dumps({"build_id": "b", "marts": {"styles": entry}}))
    return mart


def test_a_ledger_is_well_once_it_is_migrated(home: Path) -> None:
    (before,) = home_state.ledger()
    store.migrate()
    (after,) = home_state.ledger()
    assert (before.ok, after.ok) == (False, True)
    assert "this code needs" in before.seen


def test_marts_are_whole_until_a_file_is_changed_or_gone(home: Path) -> None:
    assert home_state.marts()[0].ok is None
    mart = publish(home)
    assert home_state.marts()[0].ok
    mart.write_bytes(b"other rows")
    assert "is not what was published" in home_state.marts()[0].seen
    mart.unlink()
    assert "is missing" in home_state.marts()[0].seen


def test_a_full_disk_is_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert home_state.disk()[0].ok
    monkeypatch.setenv("C2M_LEAST_FREE_GB", "1e9")
    settings.cache_clear()
    assert "make room" in str(home_state.disk()[0])


def test_a_virtual_clock_must_go_on(home: Path) -> None:
    assert home_state.moment()[0].ok
    clock.set_now(NOON)
    assert "stands still" in home_state.moment()[0].seen
    clock.set_now(NOON, speed=1)
    assert home_state.moment()[0].ok


def test_a_platform_that_is_starting_is_said_to_be_and_its_parts_are_not_judged_yet(home: Path) -> None:
    code = "from c2m.home import occupied\nwith occupied('c2m up'): print('here', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as starts:
        assert starts.stdout
        assert starts.stdout.readline()
        found = {one.check: one for one in examine()}
        starts.kill()
    assert "is starting; wait until" in str(found["platform"])
    assert not found.keys() & {"Prefect server", "deployments", "MLflow", "broker"}


def test_missing_deployments_are_one_finding(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedules, "orchestrator", lambda _url: SimpleNamespace(ask=lambda _path, _body: []))
    (found,) = schedules.deployments()
    assert "are not deployed: " in found.seen
    assert "track" in found.seen


@pytest.mark.parametrize(
    ("schedules_", "message", "ok"),
    [
        ([], "Flow run encountered an exception: InputError: the plan of the day waits", True),
        ([], "Flow run encountered an exception: C2MError: a plan does not verify", False),
        ([{"active": True}], "Flow run encountered an exception: InputError: no world", False),
    ],
)
def test_a_refused_form_is_no_failure_of_the_platform(
    schedules_: list[Any], message: str, ok: bool, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = {"state_type": "FAILED", "state": {"message": message}, "end_time": "2026-01-12T12:00:00Z"}
    answers = {
        "/deployments/filter": [{"id": "1", "name": "plan", "schedules": schedules_}],
        "/flow_runs/filter": [run],
    }
    server = SimpleNamespace(ask=lambda path, _body: answers[path])
    monkeypatch.setattr(schedules, "orchestrator", lambda _url: server)
    (found,) = schedules.last_runs()
    assert found.ok is ok


def test_a_floor_whose_processes_have_ended_is_named(home: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    strange = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)  # a pid that was given anew
    pids = {"broker": ended.pid, "relay": ended.pid, "collector": strange.pid}
    text = json.dumps({"engine": "mosquitto", "mqtt_port": free_port(), "pids": pids})
    (home / "floor.json").write_text(text)
    assert [one.ok for one in (*floor.broker(), *floor.services())] == [False, False, False]
    strange.communicate(b"\n")


LOG = """
11:59:30.000 | ERROR   | prefect.server.old - an error of the day before
11:40:00.000 | ERROR   | prefect.server.old - an error of long ago
11:58:01.211 | ERROR   | docket.dependencies - ↩ [   393ms] schedule_deployments(){schedule_deployments}
Traceback (most recent call last):
  File "x.py", line 1, in schedule_deployments
    raise
sqlalchemy.exc.InvalidRequestError: Can't evaluate bulk DML statement; please supply
11:59:01.211 | WARNING | prefect.server.api - slow
11:59:02.211 | ERROR   | prefect.server.services.foreman - no traceback here
""".splitlines()


def test_the_servers_log_gives_what_raised_each_error_of_the_last_minutes() -> None:
    assert schedules.recent_errors(LOG, NOON, NOON) == [
        "prefect.server.services.foreman: no traceback here",
        "sqlalchemy.exc.InvalidRequestError: Can't evaluate bulk DML statement; please supply",
    ]
    assert not schedules.recent_errors(LOG, NOON, NOON + timedelta(hours=1))
    assert not schedules.recent_errors(LOG, NOON, NOON + timedelta(days=1))


def test_a_server_that_is_not_there_is_a_finding_and_no_traceback(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    address = f"http://{LOOPBACK}:{free_port()}"
    monkeypatch.setenv("PREFECT_API_URL", f"{address}/api")
    found = {one.check: one for one in examine(from_outside=False)}
    assert f"{address} does not answer" in found["Prefect server"].seen
    assert {found[check].ok for check in ("schedules", "worker", "late runs")} == {None}


def test_findings_of_one_check_are_one_alert() -> None:
    found = [
        Finding("a", False, "x", "do"),
        Finding("b", True, "y"),
        Finding("a", False, "z", "do"),
        Finding("c", None, ""),
    ]
    assert grouped(found) == [Finding("a", False, "x; z", "do")]
