"""Peers that behave badly over HTTP: slow, endless and idle ones hold up only themselves. On real sockets."""

import hashlib
import hmac
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from floor_world import MORNING, begin, factory_rows, publish_factories, release
from sqlalchemy import select

from c2m.floor import collect, credentials, http, relay
from c2m.floor.child import LOOPBACK, free_port
from c2m.floor.delivery import Letter, NotDeliveredError
from c2m.floor.service import READY
from c2m.ledger import store
from c2m.ledger.tables import Outbox
from c2m.settings import settings
from c2m.wire.messages import Scan, compose, factory_source

HEAD = b"HTTP/1.1 204 No Content\r\n"


class Factory:
    """An HTTP endpoint of one's own making: `answer` talks on the bare connection, once the request is there."""

    def __init__(self, answer: Callable[[socket.socket], None]) -> None:
        self.answer, self.heard = answer, []  # type: tuple[Callable[[socket.socket], None], list[bytes]]
        self.server = socket.create_server((LOOPBACK, 0))
        self.url = f"http://{LOOPBACK}:{self.server.getsockname()[1]}/"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=self._talk, args=(self.server.accept()[0],), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with closing(connection), suppress(OSError):
            said = b""
            while b"}" not in said[-3:]:
                said += connection.recv(65536)
            self.heard.append(said)
            self.answer(connection)


def well(connection: socket.socket) -> None:
    connection.sendall(HEAD + b"connection: close\r\n\r\n")


def dripping(connection: socket.socket) -> None:
    for byte in HEAD * 1000:
        connection.sendall(bytes([byte]))
        time.sleep(0.3)


def endless(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    while True:
        connection.sendall(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")


def silent(_connection: socket.socket) -> None:
    time.sleep(60)


@pytest.fixture
def services(
    home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> Iterator[Callable[..., None]]:
    """Runs relay.run or collect.run beside the embedded broker until the test ends."""
    from c2m.floor import broker

    caplog.set_level("INFO")
    begin()
    ports = {"C2M_MQTT_PORT": free_port(), "C2M_HTTP_PORT": free_port()}
    for name, port in ports.items():
        monkeypatch.setenv(name, str(port))
    monkeypatch.setenv("C2M_MQTT_VERSION", "3.1.1")
    monkeypatch.setenv("C2M_ENDPOINT_HOSTS", json.dumps([LOOPBACK]))
    settings.cache_clear()
    with ExitStack() as stack:
        stack.enter_context(broker.start(ports["C2M_MQTT_PORT"], "amqtt"))

        def start(run: Callable[[threading.Event], object]) -> None:
            stop, said = threading.Event(), caplog.messages.count(READY)
            thread = threading.Thread(target=run, args=(stop,))
            thread.start()
            stack.callback(lambda: (stop.set(), thread.join()))
            await_that(lambda: caplog.messages.count(READY) > said)

        yield start


def await_that(holds: Callable[[], object], timeout_s: float = 20) -> None:
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def sent() -> set[str]:
    """Factories whose message has left the outbox."""
    with store.session() as session:
        return set(session.scalars(select(Outbox.factory_id).where(Outbox.state == "sent")))


@pytest.mark.parametrize("bad", [dripping, silent])
def test_a_slow_factory_holds_up_only_itself(
    bad: Callable[[socket.socket], None], services: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "_ANSWER_S", 3.0)
    slow, good = Factory(bad), Factory(well)
    factories = factory_rows(["http"] * 3).assign(endpoint_url=[slow.url, good.url, good.url])
    publish_factories(factories)
    services(relay.run)
    release([("F1", 100)])
    await_that(lambda: slow.heard)
    begun = time.monotonic()
    release([("F2", 100), ("F3", 100)], round=2)
    await_that(lambda: sent() == {"F2", "F3"})
    assert time.monotonic() - begun < 2.5  # the slow one has not even run into its limit
    await_that(lambda: len(slow.heard) > 1)  # it is tried again after its limit
    assert sent() == {"F2", "F3"}


def test_an_endless_answer_counts_by_its_status_and_is_not_read(services: Callable[..., None]) -> None:
    talker = Factory(endless)
    publish_factories(factory_rows(["http"]).assign(endpoint_url=talker.url))
    services(relay.run)
    release([("F1", 100)])
    await_that(lambda: sent() == {"F1"})
    assert len(talker.heard) == 1


def test_connections_that_say_nothing_keep_nobody_out(
    services: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "_HEADERS_S", 1.0)
    services(collect.run)
    idle = [socket.create_connection((LOOPBACK, settings().http_port)) for _ in range(600)]
    for connection in idle[:300]:
        connection.sendall(b"POST /v1/factories/F1/scans HTTP/1.1\r\nhost: x")  # and no more
    scan = Scan(scan_id="s", job_order_id="J", sku_id="K", operation="sew", quantity=1, at=MORNING)
    body = compose([scan], factory_source("F1"), MORNING).body()
    url = f"http://{LOOPBACK}:{settings().http_port}/v1/factories/F1/scans"
    key = {"authorization": f"Bearer {credentials.platform_key()}"}
    assert httpx.post(url, content=body, headers=key, trust_env=False).status_code == 204
    for connection in idle:
        with closing(connection):
            connection.settimeout(10)
            assert connection.recv(1) == b""  # closed by the platform
    assert httpx.post(url, content=body, headers=key | {"host": "evil.example"}, trust_env=False).status_code == 403


def test_a_body_that_drips_is_given_up(services: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "_BODY_S", 1.0)
    services(collect.run)
    with socket.create_connection((LOOPBACK, settings().http_port), timeout=10) as connection:
        head = "POST /v1/factories/F1/scans HTTP/1.1", "host: localhost", "content-length: 1000"
        key = f"authorization: Bearer {credentials.platform_key()}"
        connection.sendall("\r\n".join((*head, key, "", "{")).encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 408 ")


def test_a_feed_cannot_have_us_call_our_own_machine(home: Path) -> None:
    for host in (LOOPBACK, "localhost", "[::1]", "0.0.0.0", "10.0.0.1", "169.254.169.254", "[fd00::1]"):
        with pytest.raises(NotDeliveredError, match=r"is not a public address; C2M_ENDPOINT_HOSTS="):
            http.public_address(f"http://{host}:8080/x")
    assert http.public_address("https://93.184.215.14/x") == "93.184.215.14"


def test_a_name_that_resolves_anew_is_called_by_the_address_that_was_looked_at(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: public when it is looked at, ours when it is called."""
    ours, answers = Factory(well), ["93.184.215.14"]
    port = int(ours.url.rpartition(":")[2].strip("/"))
    real = socket.getaddrinfo

    def resolve(host: str, *rest: Any, **named: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        asked = name == "factory.example"
        return real((answers.pop() if answers else LOOPBACK) if asked else name, *rest, **named)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(http, "_ANSWER_S", 1.0)
    letter = Letter("k", "F1", "job-orders", b"{}")
    with http.Client() as client:
        carry = http.carrier(client, lambda _: f"http://factory.example:{port}/x", public=True)
        with pytest.raises(NotDeliveredError):
            list(carry([letter]))
        assert (ours.heard, answers) == ([], [])
        assert client.post(f"http://factory.example:{port}/x", b"{}", {}, LOOPBACK)[0] == 204
    assert f"host: factory.example:{port}\r\n".encode() in ours.heard[0].lower()


@pytest.mark.parametrize(
    "url",
    [
        "http://[bad/x",
        "http://mill.example:99999999/x",
        f"http://{'m' * 64}.example/x",
        "http://8.8.8.8/\x01",
        "http:///x",
        "https://[64:ff9b::7f00:1]/x",
        "https://224.0.0.1/x",
    ],
)
def test_an_address_that_cannot_be_called_stops_its_own_letters_alone(home: Path, url: str) -> None:
    """Whatever a row of a feed says: an error of another kind would end the relay, for all factories."""
    letter = Letter("k", "F1", "job-orders", b"{}")
    with http.Client() as client:
        for public in (True, False):
            with pytest.raises(NotDeliveredError):
                list(http.carrier(client, lambda _: url, public=public or "//8" not in url)([letter]))


def test_an_address_of_a_feed_that_begins_like_ours_is_not_ours(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = Factory(well)
    monkeypatch.setenv("C2M_HTTP_FACTORY_URL", ours.url + "{factory_id}")
    settings.cache_clear()
    with http.Client() as client:
        letter = Letter("k", "F1", "job-orders", b"{}")
        with pytest.raises(NotDeliveredError, match="is not a public address"):
            list(relay._over_http(client, "F1", ours.url + "F1/../admin")([letter]))
        assert list(relay._over_http(client, "F1", ours.url + "F1")([letter])) == [letter]
    assert len(ours.heard) == 1
    assert credentials.simulated_login()["authorization"].encode() in ours.heard[0]  # how simulated factories know us


def test_what_a_factory_gets_is_signed_with_what_both_sides_know(services: Callable[..., None]) -> None:
    key = credentials.issue("F1")
    good = Factory(well)
    publish_factories(factory_rows(["http"]).assign(endpoint_url=good.url))
    (settings().home / "credentials.json").rename(settings().home / "held.json")  # MQTT by the embedded broker
    services(relay.run)
    (settings().home / "held.json").rename(settings().home / "credentials.json")
    release([("F1", 100)])
    await_that(lambda: good.heard)
    head, _, body = good.heard[0].partition(b"\r\n\r\n")
    (line,) = [line for line in head.decode().splitlines() if line.lower().startswith("c2m-signature: ")]
    parts = dict(part.split("=") for part in line.partition(": ")[2].split(","))
    assert abs(int(parts["t"]) - time.time()) < 60
    secret = hashlib.sha256(key.encode()).hexdigest().encode()
    expected = hmac.new(secret, parts["t"].encode() + b"." + body, hashlib.sha256).hexdigest()
    assert parts["v1"] == expected
