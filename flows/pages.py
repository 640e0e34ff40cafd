"""The applications of Prefect, MLflow, the documents and the order room, each behind our door; started by services.py.

python -m flows.pages MODULE:FACTORY PORT     serves it; closes idle connections, waits for no open stream
"""

import asyncio
import sys
from functools import partial

import httpx
import uvicorn
from prometheus_client import REGISTRY

from c2m.doors import App, Door
from c2m.floor.child import LOOPBACK
from c2m.floor.http import Impatient, allow_connections
from c2m.health import Health
from c2m.upkeep.metrics import HomeCollector, of_home


def prefect() -> App:
    """Prefect's API and pages; they ask for the key themselves (`PREFECT_SERVER_API_AUTH_STRING`)."""
    from prefect.server.api.server import create_app

    app = create_app(final=True)
    return Door(app, keyed=False, look=partial(_of, app, "/api/ready"))


def mlflow() -> App:
    """MLflow's API and pages: `mlflow server --app-name c2m` finds them by the entry point in pyproject.toml."""
    from mlflow.server.fastapi_app import app

    return Door(app, keyed=True, look=partial(_of, app, "/health"))


def documents() -> App:
    """Data Docs, dbt docs, plans and job orders."""
    from flows.documents import app

    REGISTRY.register(HomeCollector())
    return Door(app, keyed=True, look=of_home)


def rooms() -> App:
    """The order room with the merchant API, whose quotes are given against the plan in force."""
    from c2m.rooms import app
    from flows.desk import Desk

    return app.create(Desk())


def _of(app: App, path: str) -> Health:
    """What an application of others says of itself there."""
    answer = asyncio.run(_ask(app, path))
    return Health(faults=() if answer.is_success else (f"{path} answers with {answer.status_code}",))


async def _ask(app: App, path: str) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
        return await client.get(f"http://{LOOPBACK}{path}")


def serve(named: str, port: int) -> None:
    """Serves an application until a signal comes.

    Parameters
    ----------
    named
        MODULE:FACTORY, the function that makes it.
    port
        On the loopback address.
    """
    allow_connections()
    served = uvicorn.Config(named, LOOPBACK, port, http=Impatient, factory=True, log_level="warning")
    served.timeout_graceful_shutdown = 3
    uvicorn.Server(served).run()


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))
