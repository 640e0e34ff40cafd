"""How the matrix's factories speak HTTP: they answer 2xx once a message is in the journal, and post until they get one.

None of the platform's code is used here, as in factory.py.
"""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

import httpx

_SENDERS = 24
_PATIENCE_S = 15.0  # with the journal, and with an answer of the platform
_TRY_AGAIN_S = 0.3


@dataclass(frozen=True)
class Heard:
    """A message as it came, over either transport."""

    factory_id: str
    body: bytes
    acknowledge: Callable[[], object]


def listen(port: int, hand_on: Callable[[Heard], object]) -> None:
    """Serves POST /{factory_id} in threads, until the process ends."""

    class Ear(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 60

        def do_POST(self) -> None:
            body, safe = self.rfile.read(int(self.headers["content-length"])), Event()
            hand_on(Heard(self.path.strip("/"), body, safe.set))
            self.send_response(204 if safe.wait(_PATIENCE_S) else 503)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    class Server(ThreadingHTTPServer):
        allow_reuse_address = daemon_threads = True
        request_queue_size = 128

    Thread(target=Server(("127.0.0.1", port), Ear).serve_forever, daemon=True).start()


class Mouth:
    """Posts letters to the platform, several at a time, each again and again until it is taken."""

    def __init__(self, port: int, keys: Mapping[str, str], arrived: Callable[[int], object]) -> None:
        self._keys, self._arrived = keys, arrived
        self._client = httpx.Client(
            base_url=f"http://127.0.0.1:{port}/v1/factories/", timeout=_PATIENCE_S, trust_env=False
        )
        self._pool = ThreadPoolExecutor(_SENDERS)

    def say(self, factory_id: str, kind: str, body: bytes, position: int) -> None:
        """Takes the letter on; its position goes to `arrived` at its end."""
        self._pool.submit(self._post, f"{factory_id}/{kind}", self._keys.get(factory_id), body, position)

    def _post(self, path: str, key: str | None, body: bytes, position: int) -> None:
        headers = {"authorization": f"Bearer {key}"} if key else {}
        while not self._is_taken(path, body, headers):
            time.sleep(_TRY_AGAIN_S)
        self._arrived(position)

    def _is_taken(self, path: str, body: bytes, headers: Mapping[str, str]) -> bool:
        try:
            status = self._client.post(path, content=body, headers=headers).status_code
        except httpx.HTTPError:
            return False
        return 200 <= status < 300 or status == 422  # the platform keeps those as dead letters, which the judge finds
