"""All checks, one after the other. What a check cannot reach is a finding too, never a traceback.

Where one cause explains others only the cause is told: the others are not judged.
"""

from collections.abc import Iterator, Mapping

import httpx

from c2m.doctor import floor, home_state, install, pages, schedules
from c2m.doctor.finding import Check, Finding
from c2m.errors import C2MError
from c2m.home import occupant
from c2m.upkeep import keeper

SERVER: Mapping[str, Check] = {"Prefect server": schedules.server}
AT_SERVER: Mapping[str, Check] = {
    "deployments": schedules.deployments,
    "schedules": schedules.next_runs,
    "late runs": schedules.late_runs,
    "last runs": schedules.last_runs,
    "worker": schedules.worker,
    "warehouse limit": schedules.limit,
}
SERVICES: Mapping[str, Check] = {
    "server log": schedules.log,
    "MLflow": pages.mlflow,
    "documents": pages.documents,
    "processes": floor.processes,
    "health": pages.healths,
    "broker": floor.broker,
    "floor services": floor.services,
    "keys": floor.keys,
    "outbox": floor.outbox,
    "clock": home_state.moment,
}
HOME: Mapping[str, Check] = {
    "ledger": home_state.ledger,
    "landing": home_state.landing,
    "warehouse": home_state.warehouse,
    "marts": home_state.marts,
    "last day": home_state.last_day,
    "backup": home_state.backups,
    "disk": home_state.disk,
    "packages": install.packages,
}


def examine(from_outside: bool = True) -> list[Finding]:
    """A finding or more of every check. from_outside: not by the process that runs the platform."""
    platform = list(_platform()) if from_outside else []
    running = all(one.ok for one in platform)
    return [*platform, *(_services() if running else ()), *_all(HOME)]


def _platform() -> Iterator[Finding]:
    by = occupant()
    if by and by.startswith("c2m up"):
        if keeper.noted():
            yield Finding("platform", True, f"{by} runs on this home")
        else:
            move = "wait until it says that C2M is up, then look again"
            yield Finding("platform", False, f"{by} is starting", move)
    else:
        move = f"wait until {by} is through, then start c2m up" if by else "start it: c2m up"
        yield Finding("platform", False, "c2m up does not run on this home", move)


def _services() -> list[Finding]:
    server = _all(SERVER)
    if all(one.ok for one in server):
        return [*server, *_all(AT_SERVER), *_all(SERVICES)]
    unjudged = [Finding(name, None, "the Prefect server could not be asked") for name in AT_SERVER]
    return [*server, *unjudged, *_all(SERVICES)]


def _all(checks: Mapping[str, Check]) -> list[Finding]:
    return [finding for name, check in checks.items() for finding in _of(name, check)]


def _of(name: str, check: Check) -> list[Finding]:
    try:
        return list(check())
    except C2MError as error:
        if error.reason == "clock" and name != "clock":
            return [Finding(name, None, "the clock cannot be read")]
        return [Finding(name, False, "; ".join(error.faults), "mend that, then look again: c2m doctor")]
    except httpx.RequestError as error:
        return [Finding(name, False, _unanswered(error), "start c2m up anew")]
    except Exception as error:  # whatever a broken part makes a library raise: it is what the check found
        seen = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
        return [Finding(name, False, seen, "read the logs in C2M_HOME/logs, start c2m up anew")]


def _unanswered(error: httpx.RequestError) -> str:
    url = error.request.url
    return f"{url.scheme}://{url.netloc.decode()} does not answer ({error})"
