"""The servers behind the pages: Prefect, its worker, MLflow, documents. Children of who starts them; loopback only."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import cache, partial
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from c2m import PROJECT
from c2m.doctor import schedules
from c2m.doors import USER, key
from c2m.errors import C2MError, InputError
from c2m.floor.child import LOOPBACK, Child, await_ready, child, free_port, listens
from c2m.home import HEADER, home_id
from c2m.orchestrator import POOL, orchestrator
from c2m.settings import settings
from c2m.upkeep.databases import on_postgresql
from c2m.upkeep.tracking import make_database

_PREFECT = [sys.executable, "-m", "prefect", "--no-prompt"]
# Prefect's first start makes its database. The slowest seen took 35 s on two busy cores, 150 s with ten more at them.
_START_TIMEOUT_S = 300.0


def environment(prefect_url: str, login: str | None = None) -> dict[str, str]:
    """What Prefect, MLflow, dbt and Great Expectations read: all state under C2M_HOME, no telemetry, no other API.

    login: user and password of a server that is not this home's own.
    """
    home = settings().home.absolute()
    return {
        "C2M_HOME": str(home),
        "C2M_PROJECT": str(PROJECT),
        # Prefect and MLflow load flows and models by name, before they import c2m.
        "PYTHONPATH": os.pathsep.join(filter(None, (str(PROJECT), os.environ.get("PYTHONPATH")))),
        "C2M_SCHEDULE_ZONE": settings().timezone,
        "PREFECT_HOME": str(home / "prefect"),
        "PREFECT_API_URL": f"{prefect_url}/api",
        "PREFECT_API_AUTH_STRING": login or f"{USER}:{key()}",
        "PREFECT_SERVER_UI_API_URL": f"{settings().public_urls.get('prefect', prefect_url)}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "PREFECT_SERVER_CONCURRENCY_MAXIMUM_CONCURRENCY_SLOT_WAIT_SECONDS": "3",  # between two questions for a slot
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "WARNING",
        "PREFECT_LOGGING_EXTRA_LOGGERS": "c2m",  # the steps of a run, in its Logs tab
        "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
        "MLFLOW_TRACKING_URI": settings().mlflow,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_LOGGING_LEVEL": "WARNING",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # seven worker processes for features that nobody here uses
        "GX_ANALYTICS_ENABLED": "false",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DO_NOT_TRACK": "1",
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath))),
    }


@contextmanager
def prefect_api() -> Iterator[None]:
    """The Prefect server that PREFECT_API_URL names, if it answers, else one of our own; either way the environment.

    Raises
    ------
    InputError
        The server that PREFECT_API_URL names belongs to another home, or refuses our key.
    """
    given = os.environ.get("PREFECT_API_URL", "").removesuffix("/api")
    if given and _answer(f"{given}/api/health"):
        refuse_server_of_another_home(given)
        os.environ |= environment(given, os.environ.get("PREFECT_API_AUTH_STRING"))
        limits = orchestrator(given)
        limits.limit_warehouse()
        limits.free_warehouse()
        yield
        return
    port = settings().prefect_port if not listens(settings().prefect_port) else free_port()
    os.environ |= environment(f"http://{LOOPBACK}:{port}")
    with own_prefect_server(port):
        yield
        from prefect.logging.handlers import APILogWorker

        APILogWorker.drain_all(timeout=5)  # its thread would otherwise speak to a server that is gone


def at_hand() -> bool:
    """Whether the Prefect server answers that PREFECT_API_URL names, else this home's own; then this process uses it.

    A server of another home is not at hand; one that nobody has claimed is, where it is named.
    """
    given = os.environ.get("PREFECT_API_URL", "").removesuffix("/api")
    url = given or f"http://{LOOPBACK}:{settings().prefect_port}"
    try:
        home = orchestrator(url).home()
    except (httpx.HTTPError, ValueError):  # nobody there, or somebody else
        return False
    if home != settings().home.resolve() and (home or not given):
        return False
    os.environ |= environment(url, os.environ.get("PREFECT_API_AUTH_STRING") if given else None)
    return True


@contextmanager
def serving(name: str, command: list[str], health_url: str, more: dict[str, str] | None = None) -> Iterator[Child]:
    """A child that has answered `health_url`, be it by asking for the key; not another home's server at its port."""
    with child(name, [sys.executable, "-m", *command], more) as process:
        await_ready(process, partial(_is_ours, health_url), _START_TIMEOUT_S)
        yield process


def _is_ours(health_url: str) -> bool:
    """Whether a server of this home answers there."""
    answer = _answer(health_url)
    return bool(answer and answer.headers.get(HEADER) == home_id())


def _answer(url: str) -> httpx.Response | None:
    with suppress(httpx.HTTPError):
        return _client().get(url)
    return None


@cache
def _client() -> httpx.Client:
    """One for all questions: each new one reads the authorities of TLS, 40 ms, and a start asks a hundred times."""
    return httpx.Client(timeout=2, trust_env=False)


def refuse_server_of_another_home(url: str) -> None:
    """Runs of two homes on one server would be carried out by either's worker."""
    try:
        home = orchestrator(url).home()
    except httpx.HTTPStatusError as error:
        seen = f"PREFECT_API_URL names {url}, a Prefect server that refuses us: {error.response.text.strip()}"
        raise InputError("key-refused", [f"{seen}; unset it, or set PREFECT_API_AUTH_STRING to its key"]) from None
    if home and home != settings().home.resolve():
        seen = f"PREFECT_API_URL names {url}, the Prefect server of {home}"
        raise InputError("server-of-another-home", [f"{seen}; unset it, or set C2M_HOME to that folder"])


@contextmanager
def own_prefect_server(port: int) -> Iterator[Child]:
    """A Prefect server for this home alone, with the limit on who writes its warehouse."""
    server = orchestrator(f"http://{LOOPBACK}:{port}")

    def prepare() -> None:
        server.claim()
        server.limit_warehouse()

    with prefect_server(port) as process:
        prepare()
        process.returned = prepare
        yield process


def prefect_server(port: int) -> AbstractContextManager[Child]:
    """Prefect's API and pages, for those who have the key, from its own pages alone."""
    origins = {f"http://{LOOPBACK}:{port}", f"http://localhost:{port}", settings().page_url("prefect")}
    asked = {
        "PREFECT_SERVER_API_AUTH_STRING": f"{USER}:{key()}",
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": ",".join(sorted(origins)),
        "PREFECT_SERVER_CSRF_PROTECTION_ENABLED": "true",
        # Logs and pages of runs that were deleted, once a day; `c2m prune` deletes the runs.
        "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,orphans",
    }
    if database := on_postgresql().get("prefect"):
        asked["PREFECT_SERVER_DATABASE_CONNECTION_URL"] = database.driven("asyncpg")
        asked["PREFECT_SERVER_DATABASE_TIMEOUT"] = "60"  # after 10 s, its default, a busy machine fails a whole day
    return _uvicorn("prefect-server", "flows.pages:prefect", port, "/api/health", asked)


def mlflow_server(port: int) -> AbstractContextManager[Child]:
    """MLflow's API and pages, on the database that the flows write."""
    make_database()
    command = ["mlflow", "server", "--host", LOOPBACK, "--port", str(port), "--workers", "1"]
    command += ["--app-name", "c2m"]
    if public := settings().public_urls.get("mlflow"):
        hosts = f"localhost:*,127.0.0.1:*,{urlsplit(public).netloc}"
        command += ["--allowed-hosts", hosts, "--cors-allowed-origins", public]
    store = {"MLFLOW_BACKEND_STORE_URI": settings().mlflow}  # not where `ps` would show its password
    return serving("mlflow-server", command, f"http://{LOOPBACK}:{port}/health", store)


def documents(port: int) -> AbstractContextManager[Child]:
    """Data Docs, dbt docs and the files of the plans; nothing else of C2M_HOME is served."""
    return _uvicorn("documents", "flows.pages:documents", port, "/")


def rooms(port: int) -> AbstractContextManager[Child]:
    """The order room, where people sign in by link."""
    return _uvicorn("rooms", "flows.pages:rooms", port, "/health")


def _uvicorn(
    name: str, factory: str, port: int, health: str, more: dict[str, str] | None = None
) -> AbstractContextManager[Child]:
    """An application of ours, as flows/pages.py serves it."""
    command = ["flows.pages", factory, str(port)]
    return serving(name, command, f"http://{LOOPBACK}:{port}{health}", more)


def deploy() -> None:
    """The work pool, the deployments of prefect.yaml and the limit that their runs take."""
    orchestrator(os.environ["PREFECT_API_URL"].removesuffix("/api")).limit_warehouse()
    for arguments in (["work-pool", "create", POOL, "--type", "process", "--overwrite"], ["deploy", "--all"]):
        done = subprocess.run([*_PREFECT, *arguments], cwd=PROJECT, capture_output=True, text=True)
        if done.returncode:
            raise C2MError("deploy-failed", [done.stdout[-2000:] + done.stderr[-2000:]])


@contextmanager
def worker() -> Iterator[Child]:
    """The deployments, and a worker that runs them and has shown up."""
    deploy()
    with child("prefect-worker", [*_PREFECT, "worker", "start", "--pool", POOL, "--type", "process"]) as process:
        await_ready(process, lambda: all(one.ok for one in schedules.worker()), _START_TIMEOUT_S, poll_s=0.5)
        yield process
