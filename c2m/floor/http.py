"""HTTP, both directions: letters go out by POST; what comes in is answered 2xx only once it is safe. Loopback only.

Where credentials were issued, each factory needs its key. Production puts its own gateway (TLS) before the port.
"""

import asyncio
import ipaddress
import logging
import resource
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from queue import Full
from typing import Any, Self

import httpx
import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from uvicorn.protocols.http.h11_impl import H11Protocol

from c2m.doors import Door
from c2m.floor.child import LOOPBACK
from c2m.floor.delivery import Carrier, Letter, NotDeliveredError
from c2m.health import Health, Look
from c2m.settings import settings
from c2m.wire.messages import MAX_BYTES

# Of one answer: until its status has come, and of the text behind it. Of one factory's letters in a row: with an answer
# below the time for which a relay leases a factory.
_ANSWER_S, _TEXT_S, _LETTERS_S = 10.0, 1.0, 30.0
_MOST_TEXT = 2000
_HEADERS = {"content-type": "application/cloudevents+json", "accept-encoding": "identity"}
_UNLIMITED = httpx.Limits(max_connections=None, max_keepalive_connections=100)  # whoever posts has few threads
_HEADERS_S, _BODY_S, _SAFE_TIMEOUT_S = (
    10.0,
    30.0,
    60.0,
)  # of what comes in: until it is here whole, and until it is safe
_SIDE_BY_SIDE, _MOST_BUSY = 32, 256  # messages that are received at a time, of one factory and of all
_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")  # IPv4 addresses behind a gateway, private ones among them
_LAST_PORT = 65_535
_TRY_AGAIN = (401, 403, 404, 408, 425, 429)  # refusals that are about the moment or the set-up, not about the message

log = logging.getLogger(__name__)

# (factory_id, kind, body) -> ends once the message is safe, with the reason where it was refused, else ''; raises Full
# where there is no room for it now.
Accept = Callable[[str, str, bytes], "Future[str]"]
# (factory_id, Authorization header) -> HTTP status and reason where nothing of this message is read.
Refusal = Callable[[str, str | None], tuple[int, str] | None]


def _not_delivered(url: str, error: Exception) -> NotDeliveredError:
    said = str(error) or f"no answer within {_ANSWER_S:g} s"
    return NotDeliveredError(f"{url}: {type(error).__name__} {said}")


class Client:
    """Posts over a pool of connections; the whole of an answer has a time limit, however slowly it drips.

    Use as context manager. Proxies of the environment have no say in what stays on the machine.
    """

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="http-client", daemon=True)
        self._client = httpx.AsyncClient(timeout=_ANSWER_S, trust_env=False, headers=_HEADERS, limits=_UNLIMITED)

    def __enter__(self) -> Self:
        """Starts the thread in which all is sent."""
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        """Closes all connections."""
        asyncio.run_coroutine_threadsafe(self._client.aclose(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def post(self, url: str, body: bytes, headers: Mapping[str, str], address: str | None = None) -> tuple[int, str]:
        """Posts a message.

        Parameters
        ----------
        url
            http or https.
        body
            As it is sent.
        headers
            Beside those of HTTP itself.
        address
            The one that is called, whatever the name in `url` resolves to by now; None: what it resolves to.

        Returns
        -------
        tuple
            HTTP status, and as much of the text as came in time, at most _MOST_TEXT bytes.

        Raises
        ------
        NotDeliveredError
            No status came within _ANSWER_S seconds.
        """
        sent = asyncio.run_coroutine_threadsafe(self._post(url, body, headers, address), self._loop)
        try:
            return sent.result()
        except (httpx.HTTPError, httpx.InvalidURL, OverflowError, TimeoutError) as error:
            raise _not_delivered(url, error) from error

    async def _post(self, url: str, body: bytes, headers: Mapping[str, str], address: str | None) -> tuple[int, str]:
        named, text, pinned = httpx.URL(url), b"", {}
        if address:
            headers, pinned = {**headers, "host": named.netloc.decode()}, {"sni_hostname": named.host}
            named = named.copy_with(host=address)
        asked = self._client.stream("POST", named, content=body, headers=headers, extensions=pinned)
        async with asyncio.timeout(_ANSWER_S), asked as told:
            with suppress(httpx.HTTPError, TimeoutError):  # what counts is the status, and that is here
                async with asyncio.timeout(_TEXT_S):
                    async for part in told.aiter_raw():
                        text += part
                        if len(text) > _MOST_TEXT:
                            break
        return told.status_code, text[:_MOST_TEXT].decode(errors="replace")


def public_address(url: str) -> str | None:
    """The address to call; None: whichever it is. A feed must not have us call what only we can reach.

    A name may resolve to one address when it is looked at and to another when it is called: so it is called by the
    address that was looked at, as the client that calls reads it.

    Raises
    ------
    NotDeliveredError
        It is no address, or the host has one that is not public and `endpoint_hosts` does not name it.
    """
    try:
        named = httpx.URL(url)
        if named.host in settings().endpoint_hosts:
            return None
        found = socket.getaddrinfo(named.host, named.port or named.scheme, type=socket.SOCK_STREAM)
        if (named.port or 0) > _LAST_PORT:
            raise httpx.InvalidURL(f"port {named.port} is beyond {_LAST_PORT}")
    except (OSError, UnicodeError, httpx.InvalidURL) as error:
        raise NotDeliveredError(f"{url}: {error}") from error
    for *_, address in found:
        if not _is_public(str(address[0]).partition("%")[0]):
            allow = f"C2M_ENDPOINT_HOSTS='[\"{named.host}\"]' allows it"
            raise NotDeliveredError(f"{url}: {address[0]} is not a public address; {allow}")
    return str(found[0][-1][0])


def _is_public(address: str) -> bool:
    """Whether an address is one of the internet; a translating gateway (NAT64) would lead to the machine or its net."""
    seen = ipaddress.ip_address(address)
    return seen.is_global and not seen.is_multicast and seen not in _TRANSLATED


def carrier(
    client: Client,
    url_of: Callable[[Letter], str],
    signed: Callable[[Letter], Mapping[str, str]] = lambda _: {},
    public: bool = False,
) -> Carrier:
    """Posts letters one after another. One that the other side refuses for good has arrived, and holds up nobody.

    Parameters
    ----------
    client
        Who posts.
    url_of
        Where a letter goes.
    signed
        Headers by which the other side knows that a letter is ours.
    public
        Whether the address must be a public one.

    Returns
    -------
    Carrier
        What `delivery` takes.
    """

    def carry(letters: Sequence[Letter]) -> Iterator[Letter]:
        until = time.monotonic() + _LETTERS_S
        for letter in letters:
            if time.monotonic() > until:
                raise NotDeliveredError(f"{url_of(letter)}: slow; the rest goes with the next turn")
            address = public_address(url_of(letter)) if public else None
            status, text = client.post(url_of(letter), letter.body, signed(letter), address)
            if 400 <= status < 500 and status not in _TRY_AGAIN:
                log.warning("%s refused a message for good: HTTP %s %s", url_of(letter), status, text)
            elif not 200 <= status < 300:
                raise NotDeliveredError(f"{url_of(letter)}: HTTP {status} {text[:200]}")
            yield letter

    return carry


def inlet(path: str, accept: Accept, refusal: Refusal = lambda *_: None) -> FastAPI:
    """An application that takes messages.

    Parameters
    ----------
    path
        With the parts {factory_id} and {kind}, which name the addressee.
    accept
        Takes a message.
    refusal
        Of a factory and its header `authorization`: HTTP status and reason, or None.

    Returns
    -------
    FastAPI
        For `serve`.
    """
    app = FastAPI(title="C2M factory messages", docs_url=None, redoc_url=None, openapi_url=None)
    busy: Counter[str] = Counter()  # messages that are being received, by factory

    @app.post(path)
    async def receive(request: Request) -> Response:
        factory_id = request.path_params["factory_id"]
        if refused := refusal(factory_id, request.headers.get("authorization")):
            return JSONResponse({"reason": refused[1]}, refused[0])
        if busy[factory_id] >= _SIDE_BY_SIDE or busy.total() >= _MOST_BUSY:
            return JSONResponse({"reason": "too many messages side by side: send larger batches"}, 429)
        busy[factory_id] += 1
        try:
            return await _receive(request, accept)
        finally:
            busy[factory_id] -= 1

    return app


async def _receive(request: Request, accept: Accept) -> Response:
    body, names = b"", request.path_params
    try:
        async with asyncio.timeout(_BODY_S):
            async for part in request.stream():
                body += part
                if len(body) > MAX_BYTES:
                    return JSONResponse({"reason": f"more than {MAX_BYTES} bytes: send smaller batches"}, 413)
    except TimeoutError:
        return JSONResponse({"reason": f"not here whole within {_BODY_S:g} s: send it again"}, 408)
    try:
        future = accept(names["factory_id"], names.get("kind", ""), body)
        reason = await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(future)), _SAFE_TIMEOUT_S)
    except (Full, TimeoutError):
        return JSONResponse({"reason": "not safe yet: send it again"}, 503)
    return JSONResponse({"reason": reason}, 422) if reason else Response(status_code=204)


class Impatient(H11Protocol):
    """A connection on which no request has come whole, with its headers, is closed: open ones are all that we have."""

    _last: Any = None  # the request that the last look saw

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Looks at the connection again once its headers had time to come."""
        super().connection_made(transport)
        self._next_look = self.loop.call_later(_HEADERS_S, self._look)

    def handle_websocket_upgrade(self, event: Any) -> None:
        """A stream may be silent for as long as it likes."""
        self._next_look.cancel()
        super().handle_websocket_upgrade(event)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops looking."""
        self._next_look.cancel()
        super().connection_lost(exc)

    def _look(self) -> None:
        if self.cycle is self._last and (self.cycle is None or self.cycle.response_complete):
            self.transport.close()
            return
        self._last = self.cycle
        self._next_look = self.loop.call_later(_HEADERS_S, self._look)


def allow_connections() -> None:
    """As many open connections as this process may have; the usual 1,024 are quickly taken."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@contextmanager
def serve(app: FastAPI, port: int, look: Look = Health) -> Iterator[None]:
    """Serves on a loopback port, in a thread, until the block ends.

    Parameters
    ----------
    app
        What is served.
    port
        On the loopback address.
    look
        How this process is, for `/health`.

    Yields
    ------
    None
        Once it takes requests.

    Raises
    ------
    OSError
        It cannot serve there.
    """
    allow_connections()
    config = uvicorn.Config(
        Door(app, keyed=False, look=look), LOOPBACK, port, http=Impatient, log_level="warning", access_log=False
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, name="http", daemon=True)
    thread.start()
    try:
        while not server.started:
            if not thread.is_alive():
                raise OSError(f"cannot serve on {LOOPBACK}:{port}; is the port in use?")
            time.sleep(0.01)
        yield
    finally:
        server.should_exit = True
        thread.join()


def tell_health(look: Look) -> AbstractContextManager[None]:
    """Serves the health of a process that has no other port, on `health_port`; nowhere without that setting."""
    port = settings().health_port
    silent = FastAPI(title="C2M health", docs_url=None, redoc_url=None, openapi_url=None)
    return serve(silent, port, look) if port else nullcontext()
