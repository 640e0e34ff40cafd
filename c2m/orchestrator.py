"""The Prefect server of the platform, spoken to by its REST API, without the seconds that importing Prefect takes."""

import os
import time
import uuid
from collections.abc import Generator
from functools import cache
from pathlib import Path
from typing import Any

import httpx

from c2m.doors import login
from c2m.home import home_id
from c2m.settings import settings

_HOME = "c2m_home"  # the variable in which a server of ours says whose it is
_TIMEOUT_S = 10
# A server whose database is busy, as at its start, says so; Prefect's own client asks again too.
_BUSY, _BUSY_FOR_S, _AGAIN_S = (httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE), 20.0, 0.5
POOL = "c2m"  # whose workers run what prefect.yaml deploys


def warehouse_limit() -> str:
    """The global concurrency limit that every writer of this home's warehouse takes; homes may share a server."""
    return f"warehouse-{home_id()}"


@cache
def orchestrator(url: str) -> "Orchestrator":
    """The server at an address without /api; the connections to it are kept."""
    return Orchestrator(url)


class _KeyAndToken(httpx.Auth):
    """The key with each request, and with each that changes something the token that the server gives against CSRF."""

    requires_response_body = True

    def __init__(self, api: str) -> None:
        given = os.environ.get("PREFECT_API_AUTH_STRING")
        known = given.split(":", 1) if given else login(api)
        self._basic = httpx.BasicAuth(*known) if known else None
        self._client, self._token_url, self._token = str(uuid.uuid4()), f"{api}/csrf-token", ""

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Asks for a token where there is none, and once more where it is too old."""
        if request.method == "GET":
            yield self._keyed(request)
            return
        for _ in range(2):
            if not self._token:
                given = yield self._keyed(httpx.Request("GET", self._token_url, params={"client": self._client}))
                self._token = given.json()["token"] if given.is_success else ""  # 422 where the server asks for none
            request.headers.update({"Prefect-Csrf-Client": self._client, "Prefect-Csrf-Token": self._token})
            answer = yield self._keyed(request)
            if answer.status_code != httpx.codes.FORBIDDEN:
                return
            self._token = ""

    def _keyed(self, request: httpx.Request) -> httpx.Request:
        return next(self._basic.sync_auth_flow(request)) if self._basic else request


class Orchestrator:
    """A Prefect server at an address without /api; ask `orchestrator` for it."""

    def __init__(self, url: str) -> None:
        api = f"{url}/api"
        self._client = httpx.Client(base_url=api, timeout=_TIMEOUT_S, trust_env=False, auth=_KeyAndToken(api))

    def ask(self, path: str, body: dict[str, Any] | None = None, method: str | None = None) -> Any:
        """What the server answers; while it is busy, it is asked again for a while.

        Parameters
        ----------
        path
            Below /api.
        body
            As JSON; None: there is none.
        method
            None: POST where there is a body, else GET.

        Returns
        -------
        Any
            The answer's JSON; None where the server has nothing of that name.

        Raises
        ------
        httpx.HTTPError
            Where the server does not answer, or refuses.
        """
        answer = self._answer(method or ("GET" if body is None else "POST"), path, body)
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        answer.raise_for_status()
        return answer.json() if answer.content else {}

    def _answer(self, verb: str, path: str, body: dict[str, Any] | None) -> httpx.Response:
        """The first answer that is not of a busy server, or the last one of it."""
        until = time.monotonic() + _BUSY_FOR_S
        while (answer := self._client.request(verb, path, json=body)).status_code in _BUSY:
            if time.monotonic() > until:
                break
            time.sleep(_AGAIN_S)
        return answer

    def start(self, deployment: str, name: str, parameters: dict[str, Any], once: str) -> None:
        """Starts a run of one of our deployments; nothing where it is not deployed.

        Parameters
        ----------
        deployment
            Its name, and its flow's.
        name
            What people call the run.
        parameters
            Of the flow's own parameters, what is not as usual.
        once
            Of runs asked for under the same word there is one.

        Raises
        ------
        httpx.HTTPError
            Where the server does not answer, or refuses.
        """
        if deployed := self.ask(f"/deployments/name/{deployment}/{deployment}"):
            run = {"name": name, "parameters": {"parameters": parameters}, "idempotency_key": once}
            self.ask(f"/deployments/{deployed['id']}/create_flow_run", run)

    def home(self) -> Path | None:
        """Whose server it is; None where nobody has claimed it, as with one that a team runs."""
        found = self.ask(f"/variables/name/{_HOME}")
        return Path(found["value"]) if found else None

    def claim(self) -> None:
        """Our own server, just started: says so, and frees all slots. Whoever had one is gone with the last server.

        Leases live in the server's memory, slots in its database: what a killed server left would be taken for ever.
        """
        value = {"name": _HOME, "value": str(settings().home.resolve())}
        if self.ask(f"/variables/name/{_HOME}", value, "PATCH") is None:
            self.ask("/variables/", value)
        for limit in self.ask("/v2/concurrency_limits/filter", {}):
            if limit["active_slots"]:
                self.ask(f"/v2/concurrency_limits/{limit['id']}", {"active_slots": 0}, "PATCH")

    def limit_warehouse(self) -> None:
        """One flow at a time may write the warehouse."""
        one = {"limit": 1, "active": True}
        if self.ask(f"/v2/concurrency_limits/{warehouse_limit()}", one, "PATCH") is None:
            self.ask("/v2/concurrency_limits/", {**one, "name": warehouse_limit()})

    def free_warehouse(self) -> None:
        """For whoever has the home to himself: the slot of a run that was killed is free before its lease ends."""
        self.ask(f"/v2/concurrency_limits/{warehouse_limit()}", {"active_slots": 0}, "PATCH")
