"""Calls of the merchant API in this process, as a merchant's program makes them."""

import asyncio
from typing import Any
from uuid import uuid4

import httpx

from c2m.doors import App
from c2m.rooms import links


class Caller:
    """A program with a token; without a role: one without."""

    def __init__(self, app: App, role: str = "", tenant: str = "") -> None:
        self._app = app
        about = (role, tenant, f"program of {tenant}", 1, "test")
        self.token = links.give(*about)[0] if role else ""  # type: ignore[arg-type]

    def call(self, method: str, path: str, body: Any = None, key: str = "", **more: Any) -> httpx.Response:
        """An answer; a request that changes something has a key of its own where none is given."""
        headers = {"authorization": f"Bearer {self.token}"} if self.token else {}
        below = more.pop("below", "/api/v1")
        if method == "POST":
            headers["idempotency-key"] = key or uuid4().hex
        return asyncio.run(self._call(method, f"{below}{path}", headers | more.pop("headers", {}), body, more))

    async def _call(self, method: str, path: str, headers: Any, body: Any, more: Any) -> httpx.Response:
        transport = httpx.ASGITransport(self._app)  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.request(method, path, json=body, headers=headers, **more)

    def get(self, path: str) -> Any:
        """The content of an answer that must be there."""
        answer = self.call("GET", path)
        assert answer.status_code == 200, (path, answer.status_code, answer.text)
        return answer.json()

    def post(self, path: str, body: Any, status: int = 201, key: str = "") -> Any:
        """The content of the answer to something new."""
        answer = self.call("POST", path, body, key)
        assert answer.status_code == status, (path, answer.status_code, answer.text)
        return answer.json()
