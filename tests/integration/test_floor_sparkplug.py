"""The Sparkplug adapter between a tiny edge node and the collector, on a real Mosquitto."""

import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
from sparkplug_kit import Node, body, mapping, metric, now_ms, until
from sqlalchemy import select

from c2m.feeds.landing import read_landed
from c2m.floor import broker, collect, credentials
from c2m.floor.child import free_port
from c2m.floor.mqtt import Connection, ReceivedMessage
from c2m.floor.service import READY
from c2m.floor.sparkplug import adapter
from c2m.ledger import store
from c2m.ledger.tables import DeadLetter, FactoryStatus
from c2m.settings import settings
from c2m.wire.messages import Scan, compose, factory_source, topic

pytestmark = [
    pytest.mark.mosquitto,
    pytest.mark.skipif(broker.mosquitto_path() is None, reason="the mosquitto broker is not installed"),
]


@pytest.fixture(autouse=True)
def ledger(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "_ASK_EVERY_S", 0.5)
    monkeypatch.setattr(adapter, "_RETRY_S", 0.1)
    store.migrate()


@pytest.fixture
def key(ledger: None) -> str:
    return credentials.issue("F1")


@pytest.fixture
def port(key: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Of a broker that knows F1."""
    with broker.start(engine="mosquitto") as running:
        monkeypatch.setenv("C2M_MQTT_PORT", str(running.port))
        monkeypatch.setenv("C2M_HTTP_PORT", str(free_port()))
        settings.cache_clear()
        yield running.port


@contextmanager
def beside(run: Callable[[threading.Event], None]) -> Iterator[None]:
    """A service of the floor, in a thread."""
    stop = threading.Event()
    thread = threading.Thread(target=run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(20)
        assert not thread.is_alive()


def landed() -> tuple[int, int, int]:
    """Good pieces, defects, and scans that came twice."""
    if not list((settings().landing / "scans").glob("[!.]*.parquet")):
        return 0, 0, 0
    scans = read_landed("scans")
    return int(scans["quantity"].sum()), int(scans["defects"].sum()), int(scans["scan_id"].duplicated().sum())


def online() -> bool | None:
    with store.session() as session:
        known = session.get(FactoryStatus, "F1")
    return known and known.online


def test_from_birth_to_death_every_piece_becomes_a_scan_once(port: int, key: str, tmp_path: Path) -> None:
    running = partial(adapter.run, mapping(tmp_path))
    with beside(collect.run):
        node = Node(port, key, **{"Sewn/Good": 100})
        with beside(running):
            until(lambda: node.rebirths)  # the births came before the adapter: it asks for them
            until(online)
            node.work(good=103, rejected=2)
            until(lambda: landed() == (3, 2, 0))
            asked = node.rebirths
            node.seq += 1  # a message was lost
            node.work(good=110)
            until(lambda: node.rebirths > asked)
            until(lambda: landed() == (10, 2, 0))
            node.work(good=4)  # reset
            until(lambda: landed() == (14, 2, 0))
            repeated = node.work(good=5, qos=1)
            asked = node.rebirths
            node.client.publish(node.topic("DDATA"), repeated, 1)
            until(lambda: node.rebirths > asked)
            node.work(good=6)
            until(lambda: landed() == (16, 2, 0))
        node.work(good=9)  # nobody hears it
        with beside(running):
            until(lambda: landed() == (19, 2, 0))
            node.vanish()
            until(lambda: online() is False)
            node = Node(port, key, 1, **{"Sewn/Good": 11, "Sewn/Rejected": 2})
            until(online)
            until(lambda: landed() == (21, 2, 0))
        node.leave()
    with store.session() as session:
        assert session.scalars(select(DeadLetter)).all() == []


def test_with_credentials_a_site_is_heard_by_its_own_adapter_and_spoken_for_by_nobody_else(
    key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    other = credentials.issue("F2")
    port = request.getfixturevalue("port")
    heard: list[bytes] = []
    platform = Client(CallbackAPIVersion.VERSION2, "platform")
    platform.username_pw_set(credentials.PLATFORM, credentials.platform_key())
    platform.on_connect = lambda *_: platform.subscribe([("c2m/v1/F1/scans", 1), ("c2m/v1/F1/status", 1)])
    platform.on_message = lambda _client, _data, message: heard.append(message.payload)
    platform.connect("127.0.0.1", port)
    platform.loop_start()
    monkeypatch.setenv("C2M_MQTT_USERNAME", "F1")
    monkeypatch.setenv("C2M_MQTT_PASSWORD", key)
    settings.cache_clear()
    file = settings().home / "sparkplug" / "F1.json"

    def alive() -> dict[str, bool]:
        known: dict[str, bool] = json.loads(file.read_bytes())["alive"] if file.exists() else {}
        return known

    with beside(partial(adapter.run, mapping(tmp_path))):
        node = Node(port, key)
        until(alive)
        intruder = ["mosquitto_pub", "-p", str(port), "-u", "F2", "-P", other, "-q", "1", "-s"]
        said = body(None, now_ms(), metric("bdSeq", 0))
        subprocess.run([*intruder, "-t", node.topic("NDEATH")], input=said, check=False, timeout=20)
        node.work(good=1)
        until(lambda: any(b'"quantity":1' in said and b"c2m/factory/F1" in said for said in heard))
        assert not [said for said in heard if b'"online":false' in said]
        node.leave()
    platform.disconnect()
    platform.loop_stop()


def test_a_message_with_qos_0_does_not_cost_the_collector_its_connection(
    port: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    scan = Scan(scan_id="s1", job_order_id="J1", sku_id="K1", operation="sew", quantity=1, at=datetime.now(UTC))
    with beside(collect.run), Connection("a-factory") as factory:
        until(factory.ready.is_set)
        until(lambda: READY in caplog.messages)  # what is said with QoS 0 to nobody is lost
        for number in range(3):
            said = compose([scan.model_copy(update={"scan_id": f"s{number}"})], factory_source("F1"), scan.at).body()
            factory.publish(topic("F1", "scans"), said, qos=0)
            until(lambda: landed()[0] == number + 1)  # noqa: B023
    log = (settings().home / "logs" / "broker.log").read_text()
    assert "c2m-collector" not in log, log


def test_nothing_is_acknowledged_before_the_platform_has_it(
    port: int, key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    acknowledged: list[ReceivedMessage] = []
    tell = Connection.acknowledge
    monkeypatch.setattr(Connection, "acknowledge", lambda self, m: (acknowledged.append(m), tell(self, m)))
    heard: list[bytes] = []
    with beside(partial(adapter.run, mapping(tmp_path))):
        node = Node(port, key)
        file = settings().home / "sparkplug" / "F1.json"
        until(lambda: file.exists() and b"online" in file.read_bytes())  # written down, and nobody takes it
        node.work(good=3, qos=1)
        with pytest.raises(AssertionError):
            until(lambda: any(m.mid for m in acknowledged), 1.5)
        with Connection("platform", ["c2m/v1/+/scans", "c2m/v1/+/status"], lambda m: heard.append(m.payload)):
            until(lambda: any(m.mid for m in acknowledged))  # the messages with QoS 0 have no packet id
            until(lambda: any(b'"quantity":3' in body for body in heard))
        node.leave()
