"""The Sparkplug adapter between a tiny edge node and the collector, on a real Mosquitto."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from floor_world import landed_scans
from sparkplug_kit import Node, mapping, until
from sqlalchemy import select

from c2m.floor import broker, collect
from c2m.floor.child import free_port
from c2m.floor.mqtt import Connection, Message
from c2m.floor.sparkplug import service
from c2m.ledger import store
from c2m.ledger.tables import DeadLetter, FactoryStatus
from c2m.settings import settings

pytestmark = [
    pytest.mark.mosquitto,
    pytest.mark.skipif(broker.mosquitto_path() is None, reason="the mosquitto broker is not installed"),
]


@pytest.fixture(autouse=True)
def ledger(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "_ASK_EVERY_S", 0.5)
    monkeypatch.setattr(service, "_RETRY_S", 0.1)
    store.migrate()


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Of a broker."""
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
    scans = landed_scans()
    return int(scans["quantity"].sum()), int(scans["defects"].sum()), int(scans["scan_id"].duplicated().sum())


def online() -> bool | None:
    with store.session() as session:
        known = session.get(FactoryStatus, "F1")
    return known and known.online


def test_from_birth_to_death_every_piece_becomes_a_scan_once(port: int, tmp_path: Path) -> None:
    adapter = partial(service.run, mapping(tmp_path))
    with beside(collect.run):
        node = Node(port, **{"Sewn/Good": 100})
        with beside(adapter):
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
        with beside(adapter):
            until(lambda: landed() == (19, 2, 0))
            node.vanish()
            until(lambda: online() is False)
            node = Node(port, bd_seq=1, **{"Sewn/Good": 11, "Sewn/Rejected": 2})
            until(online)
            until(lambda: landed() == (21, 2, 0))
        node.leave()
    with store.session() as session:
        assert session.scalars(select(DeadLetter)).all() == []


def test_nothing_is_acknowledged_before_the_platform_has_it(
    port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    acknowledged: list[Message] = []
    tell = Connection.acknowledge
    monkeypatch.setattr(Connection, "acknowledge", lambda self, m: (acknowledged.append(m), tell(self, m)))
    heard: list[bytes] = []
    with beside(partial(service.run, mapping(tmp_path))):
        node = Node(port)
        file = settings().home / "sparkplug" / "F1.json"
        until(lambda: file.exists() and b"online" in file.read_bytes())  # written down, and nobody takes it
        node.work(good=3, qos=1)
        with pytest.raises(AssertionError):
            until(lambda: acknowledged, 1.5)
        with Connection("platform", ["c2m/v1/+/scans", "c2m/v1/+/status"], lambda m: heard.append(m.payload)):
            until(lambda: any(m.mid for m in acknowledged))  # the messages with QoS 0 have no packet id
            until(lambda: any(b'"quantity":3' in body for body in heard))
        node.leave()
