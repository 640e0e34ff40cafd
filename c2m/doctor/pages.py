"""Whether the pages beside Prefect answer, and are this home's: each says whose it is in a header."""

from collections.abc import Iterator

import httpx

from c2m.doctor.finding import Finding
from c2m.doors import login
from c2m.floor.child import LOOPBACK
from c2m.home import HEADER, home_id
from c2m.settings import settings

_TIMEOUT_S = 5


def documents() -> Iterator[Finding]:
    """Data Docs, dbt docs and plans."""
    yield _own("documents", f"http://{LOOPBACK}:{settings().docs_port}/", "C2M_DOCS_PORT")


def mlflow() -> Iterator[Finding]:
    """MLflow: this home's, or a team's."""
    shared = settings().mlflow_uri or ""
    if shared.startswith("http"):
        yield _of_team(shared)
    else:
        yield _own("MLflow", f"http://{LOOPBACK}:{settings().mlflow_port}/health", "C2M_MLFLOW_PORT")


def _of_team(url: str) -> Finding:
    answer = _get(f"{url}/health")
    return Finding("MLflow", answer.is_success, f"{url}, a team's server, answers with {answer.status_code}")


def healths() -> Iterator[Finding]:
    """What each process of ours says of itself at /health."""
    ports = {
        "Prefect server": settings().prefect_port,
        "MLflow": settings().mlflow_port,
        "documents": settings().docs_port,
        "collector": settings().http_port,
        "relay": settings().relay_port,
    }
    for name, port in ports.items():
        url = f"http://{LOOPBACK}:{port}/health"
        try:
            answer = _get(url, login(url))
        except httpx.HTTPError as error:
            yield Finding("health", False, f"{name}: {url} does not answer ({error})", f"read the logs of {name}")
            continue
        if answer.headers.get(HEADER) != home_id():
            yield Finding("health", False, f"{name}: {url} is not of this home", "set another port, start c2m up anew")
            continue
        told = answer.json()
        seen = f"{name}: ready, {told['lag_s'] or 0:.0f} s behind" if told["ready"] else "; ".join(told["faults"])
        yield Finding("health", told["ready"], seen, "" if told["ready"] else f"read the logs of {name}")


def _own(name: str, url: str, port: str) -> Finding:
    answer = _get(url, login(url))
    if (owner := answer.headers.get(HEADER)) != home_id():
        return _of_another_home(name, url, port, owner)
    move = "" if answer.is_success else "start c2m up anew"
    return Finding(name, answer.is_success, f"{url} answers with {answer.status_code}", move)


def _of_another_home(name: str, url: str, port: str, owner: str | None) -> Finding:
    seen = f"{url} answers for home {owner or 'unknown'}, this is {home_id()}"
    return Finding(name, False, seen, f"{port}: start c2m up anew, on another port where this one is taken")


def _get(url: str, auth: tuple[str, str] | None = None) -> httpx.Response:
    return httpx.get(url, trust_env=False, timeout=_TIMEOUT_S, auth=auth)
