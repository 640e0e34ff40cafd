"""How the platform speaks to the Prefect server while that is busy."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import httpx
import pytest

from c2m import orchestrator


@pytest.fixture
def busy() -> Iterator[HTTPServer]:
    """A server that is busy for its first `refused` requests."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.refused -= 1  # type: ignore[attr-defined]
            self.send_response(503 if server.refused >= 0 else 200)  # type: ignore[attr-defined]
            self.end_headers()
            self.wfile.write(b'{"value": "/home"}')

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Answer)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_busy_server_is_asked_again_and_in_the_end_believed(
    busy: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orchestrator, "_AGAIN_S", 0.01)
    asking = orchestrator.Orchestrator(f"http://127.0.0.1:{busy.server_port}")
    busy.refused = 3  # type: ignore[attr-defined]
    assert str(asking.home()) == "/home"
    monkeypatch.setattr(orchestrator, "_BUSY_FOR_S", 0.1)
    busy.refused = 1000  # type: ignore[attr-defined]
    with pytest.raises(httpx.HTTPStatusError, match="503"):
        asking.home()
