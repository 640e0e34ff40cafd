"""Who may come in at a page or an endpoint of ours: asked by our name, from no foreign page, with this home's key.

A browser sends what any page tells it to send, also to the loopback. The name in `Host` gives away a foreign domain
that resolves to us, `Origin` a foreign page. The key keeps out other users of the machine. Prefect checks the key
itself and asks for it on its own page; before MLflow and the documents the browser asks (HTTP Basic, user `c2m`).
Behind each door the process tells its own health (c2m/health.py).
"""

import base64
import json
import os
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from c2m import health
from c2m.home import HEADER, home_id, secret
from c2m.settings import settings

USER = "c2m"
_LOOPBACK_NAMES = ("127.0.0.1", "localhost", "::1")
# Scripts and styles within pages are Prefect's, MLflow's and dbt's own way. Prefect's page names its API by address,
# which is another name of the same where it was opened as localhost.
_OWN_HOST_ONLY = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; form-action 'self'; frame-ancestors 'self'; "
    "connect-src 'self' {also}data: blob:"
)
_ALSO = "http://127.0.0.1:{port} ws://127.0.0.1:{port} "
_LISTENS = "0A"  # state of a socket in /proc/net/tcp

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


class Door:
    """ASGI middleware: 403 for a foreign Host or Origin, 401 without the key.

    Each answer says which home it is of, and has the browser ask no other host for anything that the page names.

    keyed: whether the key is asked for here, and not by the application behind. look: how the process is.
    """

    def __init__(self, app: App, keyed: bool, look: health.Look = health.Health) -> None:
        self._app, self._keyed, self._look = app, keyed, look

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Lets in, or refuses in words."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        said: dict[str, str] = {}
        for raw, value in scope["headers"]:  # one that is said twice names no host, no origin and no key
            name = raw.decode("latin-1").lower()
            said[name] = f"{said[name]}, {value.decode('latin-1')}" if name in said else value.decode("latin-1")
        path = scope["path"] if scope["type"] == "http" else ""
        status, reason = self._refusal(said, path)
        if not status and path in health.PATHS:
            told = await health.answer(path, _is_login(said.get("authorization", "")), self._look)
            await _answer(_signed(send, said["host"]), *told)
        elif not status:
            await self._app(scope, receive, _signed(send, said["host"]))
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})  # before it was accepted: the handshake gets 403
        else:
            await _refuse(_signed(send, ""), status, reason)

    def _refusal(self, said: dict[str, str], path: str) -> tuple[int, str]:
        host, origin = _host(said.get("host", "")), said.get("origin")
        if host is None:
            return 403, f"Host {said.get('host')!r} is none of ours; C2M_ALLOWED_HOSTS names those of a gateway"
        if origin is not None and not _same(urlsplit(origin), host):
            return 403, f"Origin {origin!r} is another site than the one that is asked"
        keyed = path == "/metrics" or (self._keyed and path != "/health")
        if keyed and not _is_login(said.get("authorization", "")):
            return 401, f"the key of this home is needed: user {USER}, password as `c2m env` prints it"
        return 0, ""


def _host(text: str) -> SplitResult | None:
    """Host and port that a request names, where the host is ours."""
    try:
        named = urlsplit(f"//{text}")
        _ = named.port  # raises where it is none
    except ValueError:
        return None
    return named if named.hostname in (*_LOOPBACK_NAMES, *settings().host_names) else None


def _same(origin: SplitResult, host: SplitResult) -> bool:
    """Whether a page is of the site that it asks; the loopback has several names."""
    if origin.scheme not in ("http", "https") or _host(origin.netloc) is None or origin.port != host.port:
        return False
    local = {origin.hostname in _LOOPBACK_NAMES, host.hostname in _LOOPBACK_NAMES}
    return local == {True} or origin.hostname == host.hostname


def _signed(send: Send, host: str) -> Send:
    port = host.rpartition(":")[2]
    also = _ALSO.format(port=port) if port.isdecimal() else ""
    said = {
        HEADER: home_id(),
        "content-security-policy": _OWN_HOST_ONLY.format(also=also),
        "x-content-type-options": "nosniff",
    }
    more = [(name.encode(), value.encode()) for name, value in said.items()]

    async def signed(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *more]
        await send(message)

    return signed


async def _answer(send: Send, status: int, told: bytes | dict[str, Any]) -> None:
    kind = health.METRICS_TYPE if isinstance(told, bytes) else "application/json"
    headers = [(b"content-type", kind.encode()), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": told if isinstance(told, bytes) else json.dumps(told).encode()})


async def _refuse(send: Send, status: int, reason: str) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    if status == 401:
        headers.append((b"www-authenticate", b'Basic realm="C2M", charset="UTF-8"'))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": f"{reason}\n".encode()})


def _is_login(authorization: str) -> bool:
    scheme, _, told = authorization.partition(" ")
    wanted = base64.b64encode(f"{USER}:{key()}".encode())
    return scheme.lower() == "basic" and secrets.compare_digest(told.strip().encode(), wanted)


def key() -> str:
    """The key of this home's pages: `C2M_PAGES_KEY`, else one that was made at random when it was first needed."""
    if given := settings().pages_key:
        return given.get_secret_value()
    return secret("pages")


def login(url: str) -> tuple[str, str] | None:
    """User and key for a server of this home; None where another user listens, who must not see the key."""
    address = urlsplit(url)
    ours = address.hostname in _LOOPBACK_NAMES and _listener(address.port or 80) in (None, os.getuid())
    return (USER, key()) if ours else None


def _listener(port: int) -> int | None:
    """The user (uid) whose process listens at a port of the loopback; None where the system does not say."""
    tables = [Path("/proc/net/tcp"), Path("/proc/net/tcp6")]
    lines = [line.split() for table in tables if table.exists() for line in table.read_text().splitlines()[1:]]
    uids = [int(line[7]) for line in lines if line[3] == _LISTENS and int(line[1].rpartition(":")[2], 16) == port]
    return uids[0] if uids else None
