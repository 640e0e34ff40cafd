"""HTTP, both directions: letters go out by POST; what comes in is answered 2xx only once it is safe. Loopback only.

Where credentials were issued, each factory needs its key. Production puts its own gateway (TLS) before the port.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from queue import Full

import httpx
import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from c2m.floor.child import LOOPBACK
from c2m.floor.delivery import Carrier, Letter, NotDeliveredError
from c2m.wire.messages import MAX_BYTES

_TIMEOUT_S = 10
_CONTENT_TYPE = "application/cloudevents+json"
_SAFE_TIMEOUT_S = 60
_TRY_AGAIN = (401, 403, 404, 408, 425, 429)  # refusals that are about the moment or the set-up, not about the message

log = logging.getLogger(__name__)

# (factory_id, kind, body) -> ends once the message is safe, with the reason where it was refused, else ''; raises Full
# where there is no room for it now.
Accept = Callable[[str, str, bytes], "Future[str]"]
# (factory_id, Authorization header) -> HTTP status and reason where nothing of this message is read.
Refusal = Callable[[str, str | None], tuple[int, str] | None]


def client() -> httpx.Client:
    """A pool of connections; proxies of the environment have no say in what stays on the machine."""
    return httpx.Client(timeout=_TIMEOUT_S, trust_env=False, headers={"content-type": _CONTENT_TYPE})


def carrier(client: httpx.Client, url_of: Callable[[Letter], str]) -> Carrier:
    """Posts letters one after another. One that the other side refuses for good has arrived, and holds up nobody."""

    def carry(letters: Sequence[Letter]) -> Iterator[Letter]:
        for letter in letters:
            try:
                answer = client.post(url_of(letter), content=letter.body)
            except httpx.HTTPError as error:
                raise NotDeliveredError(f"{url_of(letter)}: {type(error).__name__} {error}") from error
            if answer.is_client_error and answer.status_code not in _TRY_AGAIN:
                log.warning(
                    "%s refused a message for good: HTTP %s %s", url_of(letter), answer.status_code, answer.text
                )
            elif not answer.is_success:
                raise NotDeliveredError(f"{url_of(letter)}: HTTP {answer.status_code} {answer.text[:200]}")
            yield letter

    return carry


def inlet(path: str, accept: Accept, refusal: Refusal = lambda *_: None) -> FastAPI:
    """An application that takes messages at `path`; the parts {factory_id} and {kind} name the addressee."""
    app = FastAPI(title="C2M factory messages", docs_url=None, redoc_url=None, openapi_url=None)

    @app.post(path)
    async def receive(request: Request) -> Response:
        if refused := refusal(request.path_params["factory_id"], request.headers.get("authorization")):
            return JSONResponse({"reason": refused[1]}, refused[0])
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > MAX_BYTES:
                return JSONResponse({"reason": f"more than {MAX_BYTES} bytes: send smaller batches"}, 413)
        names = request.path_params
        try:
            future = accept(names["factory_id"], names.get("kind", ""), body)
            reason = await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(future)), _SAFE_TIMEOUT_S)
        except (Full, TimeoutError):
            return JSONResponse({"reason": "not safe yet: send it again"}, 503)
        return JSONResponse({"reason": reason}, 422) if reason else Response(status_code=204)

    return app


@contextmanager
def serve(app: FastAPI, port: int) -> Iterator[None]:
    """Serves on a loopback port, in a thread, until the block ends."""
    config = uvicorn.Config(app, LOOPBACK, port, log_level="warning", access_log=False, limit_concurrency=256)
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
