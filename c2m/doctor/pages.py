"""Whether the pages beside Prefect answer, and are this home's."""

from collections.abc import Iterator

import httpx

from c2m.doctor.finding import Finding
from c2m.floor.child import LOOPBACK
from c2m.home import HEADER, home_id
from c2m.settings import settings

_AGAIN = "start c2m up anew, on another port where this one is taken"
_TIMEOUT_S = 5


def documents() -> Iterator[Finding]:
    """Data Docs, dbt docs and plans: they say whose they are in a header."""
    url = f"http://{LOOPBACK}:{settings().docs_port}/"
    owner = _get(url).headers.get(HEADER)
    ours = owner == home_id()
    seen = f"{url} answers" + ("" if ours else f" for home {owner or 'unknown'}, this is {home_id()}")
    yield Finding("documents", ours, seen, "" if ours else f"C2M_DOCS_PORT: {_AGAIN}")


def mlflow() -> Iterator[Finding]:
    """MLflow: whose its server is follows from the tag that `c2m up` set in its database."""
    shared = settings().mlflow_uri or ""
    if shared.startswith("http"):
        answer = _get(f"{shared}/health")
        yield Finding("MLflow", answer.is_success, f"{shared}, a team's server, answers with {answer.status_code}")
        return
    url = f"http://{LOOPBACK}:{settings().mlflow_port}"
    owner = mlflow_owner(url)
    ours = owner == home_id()
    seen = f"{url} answers" + ("" if ours else f" for home {owner or 'unknown'}, this is {home_id()}")
    yield Finding("MLflow", ours, seen, "" if ours else f"C2M_MLFLOW_PORT: {_AGAIN}")


def mlflow_owner(url: str) -> str | None:
    """The home whose registry an MLflow server serves."""
    found = _get(f"{url}/api/2.0/mlflow/experiments/get?experiment_id=0").raise_for_status().json()
    tags = {tag["key"]: tag["value"] for tag in found["experiment"].get("tags", ())}
    return tags.get(HEADER)


def claim_mlflow(url: str) -> None:
    """Has the registry of this home say so."""
    tag = {"experiment_id": "0", "key": HEADER, "value": home_id()}
    path = "api/2.0/mlflow/experiments/set-experiment-tag"
    httpx.post(f"{url}/{path}", json=tag, trust_env=False, timeout=_TIMEOUT_S).raise_for_status()


def _get(url: str) -> httpx.Response:
    return httpx.get(url, trust_env=False, timeout=_TIMEOUT_S)
