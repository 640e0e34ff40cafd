"""Whether days start by themselves: Prefect's server, its scheduler, its worker, what is deployed, who may write."""

import os
import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

import yaml

from c2m import PROJECT
from c2m.doctor.finding import Finding, judged
from c2m.floor.child import LOOPBACK, STARTS, log_file
from c2m.orchestrator import POOL, orchestrator, warehouse_limit
from c2m.settings import settings

PROJECT_FILE = PROJECT / "prefect.yaml"
_PICKED_UP_S = 120  # a worker asks for due runs every 10 s
_SCHEDULED_S = 90  # the scheduler looks at all schedules every 60 s
_BEATS = 3  # of a worker that may be missed, as in Prefect itself
_RECENT = timedelta(minutes=15)
_LOG_TAIL_BYTES = 1_000_000
_DEPLOY = "start c2m up anew, which deploys again"
# 23:12:01.345 | ERROR   | docket.worker - ...; then perhaps a traceback; its last line begins with the exception's name
_STAMP = re.compile(r"^(\d\d:\d\d:\d\d)\.\d+ \| (\w+)\s*\| (\S+) - (.*)")
_RAISED = re.compile(r"^[A-Za-z_][\w.]*(Error|Exception|Exit|Warning|Interrupt)\b.*")


def address() -> str:
    """Where Prefect's server is, without /api."""
    return os.environ.get("PREFECT_API_URL", f"http://{LOOPBACK}:{settings().prefect_port}").removesuffix("/api")


def server() -> Iterator[Finding]:
    """It answers, and is this home's."""
    home, own = orchestrator(address()).home(), settings().home.resolve()
    if home in (None, own):
        yield Finding("Prefect server", True, f"{address()} answers, for {home or 'whoever uses it'}")
    else:
        seen = f"{address()} is the server of {home}, not of {own}"
        yield Finding("Prefect server", False, seen, _OTHER_PORT)


_OTHER_PORT = "set C2M_PREFECT_PORT to a free port and start c2m up anew"


def deployments() -> list[Finding]:
    """They are those of prefect.yaml."""
    there = {one["name"]: one for one in _deployed()}
    wanted = yaml.safe_load(PROJECT_FILE.read_text(encoding="utf-8"))["deployments"]
    missing = [one["name"] for one in wanted if one["name"] not in there]
    faults = [f"{len(missing)} of {len(wanted)} are not deployed: {', '.join(missing)}"] if missing else []
    faults += [fault for one in wanted if one["name"] in there for fault in _differences(one, there[one["name"]])]
    return judged("deployments", faults, f"{len(wanted)} as in prefect.yaml", _DEPLOY)


def _differences(wanted: dict[str, Any], there: dict[str, Any]) -> Iterator[str]:
    name = wanted["name"]
    if there["paused"]:
        yield f"{name} is paused"
    if there["entrypoint"] != wanted["entrypoint"]:
        yield f"{name} runs {there['entrypoint']}, not {wanted['entrypoint']}"
    cron = {one["schedule"].get("cron"): one for one in there["schedules"]}
    for schedule in wanted.get("schedules", ()):
        found = cron.get(schedule["cron"])
        if found is None or not found["active"]:
            yield f"{name} has no active schedule {schedule['cron']}"
        elif found["schedule"]["timezone"] != settings().timezone:
            zone = found["schedule"]["timezone"]
            yield f"{name} is scheduled in the zone {zone}; the business day is in {settings().timezone}"


def next_runs() -> list[Finding]:
    """Each active schedule has a run ahead: the scheduler works."""
    server, now = orchestrator(address()), datetime.now(UTC)
    faults, count = [], 0
    for deployment in _deployed():
        asked = {
            "deployments": {"id": {"any_": [deployment["id"]]}},
            "flow_runs": {
                "state": {"type": {"any_": ["SCHEDULED"]}},
                "expected_start_time": {"after_": now.isoformat()},
            },
        }
        old = [one for one in deployment["schedules"] if (now - _moment(one["updated"])).total_seconds() > _SCHEDULED_S]
        active = {one["id"]: one["schedule"] for one in old if one["active"] and not deployment["paused"]}
        count += len(active)
        made_by = {(run["created_by"] or {}).get("id") for run in server.ask("/flow_runs/filter", asked)}
        faults += [
            f"{deployment['name']} has no next run, though {_said(active[id_])}" for id_ in active.keys() - made_by
        ]
    move = f"Prefect's scheduler does not work: read {log_file('prefect-server')}, start c2m up anew"
    return judged("schedules", faults, f"each of {count} schedules has a next run", move)


def late_runs() -> list[Finding]:
    """No run of ours is due that nobody picked up. One that waits for another of its deployment is not late."""
    now = datetime.now(UTC)
    names = {one["id"]: one["name"] for one in _deployed()}
    asked = {
        "deployments": {"id": {"any_": list(names)}},
        "flow_runs": {
            "state": {"name": {"any_": ["Scheduled", "Late"]}},
            "expected_start_time": {"before_": (now - timedelta(seconds=_PICKED_UP_S)).isoformat()},
        },
    }
    late = orchestrator(address()).ask("/flow_runs/filter", {**asked, "sort": "EXPECTED_START_TIME_ASC"})
    faults = [
        f"{names[run['deployment_id']]} was due {run['expected_start_time'][:16]} and has not started" for run in late
    ]
    return judged("late runs", faults, "none is overdue", "look at the worker")


def last_runs() -> list[Finding]:
    """No deployment's last run failed or crashed. A form that was refused in words is no failure."""
    faults = []
    for deployment in _deployed():
        for run in _last_run(deployment["id"]):
            if run["state_type"] != "COMPLETED":
                said = (run["state"]["message"] or "").partition("\n")[0][:200]
                if not deployment["schedules"] and "InputError: " in said:
                    continue
                faults.append(f"{deployment['name']} {run['state_type'].lower()} at {run['end_time'][:16]} UTC: {said}")
    return judged("last runs", faults, "none failed", "read the run's log on Prefect's pages; run it again")


def _last_run(deployment_id: str) -> Any:
    """The newest run of a deployment that came to an end, in a list; an empty one where none did."""
    over = {"state": {"type": {"any_": ["COMPLETED", "FAILED", "CRASHED"]}}}
    asked = {"deployments": {"id": {"any_": [deployment_id]}}, "flow_runs": over, "sort": "END_TIME_DESC", "limit": 1}
    return orchestrator(address()).ask("/flow_runs/filter", asked)


def worker() -> list[Finding]:
    """One at least has shown up lately."""
    known = orchestrator(address()).ask(f"/work_pools/{POOL}/workers/filter", {}) or []
    now = datetime.now(UTC)
    ages = [(now - _moment(one["last_heartbeat_time"])).total_seconds() for one in known if one["last_heartbeat_time"]]
    fresh = [age for age in ages if age < _BEATS * 30]
    seen = (
        f"the last worker of the pool {POOL} showed up {min(ages):,.0f} s ago" if ages else f"the pool {POOL} has none"
    )
    faults = () if fresh else (seen,)
    return judged("worker", faults, seen, "start c2m up anew, which starts one")


def limit() -> list[Finding]:
    """One writer of the warehouse at a time, and no slot that nobody holds."""
    server, name = orchestrator(address()), warehouse_limit()
    found = server.ask(f"/v2/concurrency_limits/{name}")
    if found is None or found["limit"] != 1 or not found["active"]:
        seen = "is missing" if found is None else f"allows {found['limit']}, active: {found['active']}"
        return [Finding("warehouse limit", False, f"the global concurrency limit {name} {seen}", _DEPLOY)]
    running = server.ask("/flow_runs/filter", {"flow_runs": {"state": {"type": {"any_": ["RUNNING"]}}}, "limit": 1})
    faults = [f"{name} is taken though no flow runs"] if found["active_slots"] and not running else []
    move = (
        "it is freed a minute after a run was killed; else: "
        f"PREFECT_API_URL={address()}/api prefect gcl update {name} --active-slots 0"
    )
    return judged("warehouse limit", faults, "one writer at a time", move)


def log() -> list[Finding]:
    """No service of the server keeps failing: its loop goes on, its pages look well, and only the log tells."""
    file = log_file("prefect-server")
    if not file.exists():
        return [Finding("server log", None, f"{file} is not there: another machine's server")]
    said = _tail(file).rpartition(STARTS)[2]
    written = datetime.fromtimestamp(file.stat().st_mtime).astimezone()
    errors = Counter(recent_errors(said.splitlines(), written, datetime.now().astimezone()))
    often = [(error, count) for error, count in errors.most_common(3) if count > 1]  # one alone is no loop
    faults = [f"{count} times in 15 minutes: {error[:300]}" for error, count in often]
    return judged("server log", faults, "nothing has failed twice in 15 minutes", f"read {file}; start c2m up anew")


def _tail(file: Path) -> str:
    with file.open("rb") as content:
        content.seek(max(0, file.stat().st_size - _LOG_TAIL_BYTES))
        return content.read().decode(errors="replace")


def recent_errors(lines: list[str], written: datetime, now: datetime) -> list[str]:
    """What raised each error of the last minutes, the newest first. written: when the last line was.

    Lines have a time and no date: from the last one back, a later time of day is of the day before.
    """
    found, moment = [], written
    for at, said in reversed(list(_entries(lines))):
        then = datetime.combine(moment.date(), at, moment.tzinfo)
        moment = then if then <= moment else then - timedelta(days=1)
        if now - moment >= _RECENT:
            break
        if said:
            found.append(said)
    return found


def _entries(lines: list[str]) -> Iterator[tuple[time, str]]:
    """Each entry's time of day and its error: the last line of the traceback, else the entry itself; else nothing."""
    at, said = None, ""
    for line in lines:
        if head := _STAMP.match(line):
            if at:
                yield at, said
            at = time.fromisoformat(head[1])
            said = f"{head[3]}: {head[4]}" if head[2] in ("ERROR", "CRITICAL") else ""
        elif said and _RAISED.match(line):
            said = line
    if at:
        yield at, said


def _deployed() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = orchestrator(address()).ask(
        "/deployments/filter", {"work_pools": {"name": {"any_": [POOL]}}}
    )
    return found


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _said(schedule: dict[str, Any]) -> str:
    rule = next(schedule[kind] for kind in ("cron", "interval", "rrule") if kind in schedule)
    return f"its schedule {rule} is active"
