"""The servers behind the pages: Prefect, its worker, MLflow, documents. Children of who starts them; loopback only."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from c2m.errors import C2MError
from c2m.floor.child import LOOPBACK, await_ready, child, free_port, listens
from c2m.settings import settings

PROJECT = Path(__file__).parents[1]
POOL = "c2m"
_PREFECT = [sys.executable, "-m", "prefect", "--no-prompt"]
# The slowest start seen on two busy cores was 35 s (Prefect, with its database migrations).
_START_TIMEOUT_S = 120.0


def environment(prefect_url: str) -> dict[str, str]:
    """What Prefect, MLflow, dbt and Great Expectations read: all state under C2M_HOME, no telemetry, no other API."""
    home = settings().home.absolute()
    return {
        "C2M_HOME": str(home),
        "C2M_PROJECT": str(PROJECT),
        "PREFECT_HOME": str(home / "prefect"),
        "PREFECT_API_URL": f"{prefect_url}/api",
        "PREFECT_SERVER_UI_API_URL": f"{prefect_url}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "WARNING",
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
    """The Prefect server that PREFECT_API_URL names, if it answers, else one of our own; either way the environment."""
    given = os.environ.get("PREFECT_API_URL", "").removesuffix("/api")
    if given and answers(f"{given}/api/health"):
        os.environ |= environment(given)
        yield
        return
    port = settings().prefect_port if not listens(settings().prefect_port) else free_port()
    os.environ |= environment(f"http://{LOOPBACK}:{port}")
    with prefect_server(port):
        yield
        from prefect.logging.handlers import APILogWorker

        APILogWorker.drain_all(timeout=5)  # its thread would otherwise speak to a server that is gone


@contextmanager
def serving(name: str, command: list[str], health_url: str, more: dict[str, str] | None = None) -> Iterator[None]:
    """A child that has answered `health_url`."""
    with child(name, [sys.executable, "-m", *command], more) as process:
        await_ready(name, process, lambda: answers(health_url), _START_TIMEOUT_S)
        yield


def answers(url: str) -> bool:
    """Whether a page is there."""
    try:
        with urlopen(url, timeout=2) as response:  # noqa: S310 - always a loopback address of ours
            return bool(response.status == 200)
    except (URLError, OSError):
        return False


def prefect_server(port: int) -> AbstractContextManager[None]:
    """Prefect's API and pages."""
    command = ["prefect", "server", "start", "--host", LOOPBACK, "--port", str(port)]
    return serving("prefect-server", command, f"http://{LOOPBACK}:{port}/api/health")


def mlflow_server(port: int) -> AbstractContextManager[None]:
    """MLflow's API and pages, on the database that the flows write."""
    command = ["mlflow", "server", "--host", LOOPBACK, "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", settings().mlflow]
    return serving("mlflow-server", command, f"http://{LOOPBACK}:{port}/health")


def documents(port: int) -> AbstractContextManager[None]:
    """Data Docs, dbt docs and the files of the plans; nothing else of C2M_HOME is served."""
    command = ["uvicorn", "flows.documents:app", "--host", LOOPBACK, "--port", str(port), "--log-level", "warning"]
    return serving("documents", command, f"http://{LOOPBACK}:{port}/")


def deploy() -> None:
    """The work pool and the deployments of prefect.yaml."""
    for arguments in (["work-pool", "create", POOL, "--type", "process", "--overwrite"], ["deploy", "--all"]):
        done = subprocess.run([*_PREFECT, *arguments], cwd=PROJECT, capture_output=True, text=True)
        if done.returncode:
            raise C2MError("deploy-failed", [done.stdout[-2000:] + done.stderr[-2000:]])


@contextmanager
def worker() -> Iterator[None]:
    """The deployments, and a worker that runs them."""
    deploy()
    with child("prefect-worker", [*_PREFECT, "worker", "start", "--pool", POOL, "--type", "process"]):
        yield
