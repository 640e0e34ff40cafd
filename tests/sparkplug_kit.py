"""A tiny Sparkplug edge node, whose wire format is written here by hand: nothing of it is shared with the adapter."""

import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

INT64, BOOLEAN, STRING = 4, 11, 12
MAPPING = """
group: F1
edge_nodes:
  - edge_node: Gateway 1
    factory_id: F1
    lines:
      - device: Line 1
        line_id: L1
        job_order: Order/Id
        sku: Order/Sku
        counters:
          - {operation: sew, good: Sewn/Good, defects: Sewn/Rejected}
"""
ALIASES = {"Order/Id": 1, "Order/Sku": 2, "Sewn/Good": 3, "Sewn/Rejected": 4}
Value = int | str | bool | float | None


def varint(number: int) -> bytes:
    low = number & 0x7F
    return bytes([low | 0x80]) + varint(number >> 7) if number > 0x7F else bytes([low])


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value % (1 << 64))


def text(field: int, value: bytes) -> bytes:
    return varint(field << 3 | 2) + varint(len(value)) + value


def metric(
    name: str | None, value: Value, at_ms: int | None = None, alias: int | None = None, historical: bool = False
) -> bytes:
    """A metric; by its alias alone where the name is None."""
    said = b""
    if name is not None:
        said += text(1, name.encode())
    if alias is not None:
        said += number(2, alias)
    if at_ms is not None:
        said += number(3, at_ms)
    said += number(4, {bool: BOOLEAN, str: STRING}.get(type(value), INT64))
    if historical:
        said += number(5, 1)
    if value is None:
        return said + number(7, 1)
    if isinstance(value, bool):
        return said + number(14, value)
    if isinstance(value, str):
        return said + text(15, value.encode())
    if isinstance(value, float):
        return said + varint(13 << 3 | 1) + struct.pack("<d", value)
    return said + number(11, value)


def body(seq: int | None, at_ms: int, *metrics: bytes) -> bytes:
    said = number(1, at_ms) + b"".join(text(2, each) for each in metrics)
    return said if seq is None else said + number(3, seq)


def now_ms() -> int:
    return int(time.time() * 1000)


def mapping(folder: Path) -> Path:
    file = folder / "site.yaml"
    file.write_text(MAPPING)
    return file


class Node:
    """Gateway 1 with Line 1 on a broker: births, data by alias, a will, births again when it is asked."""

    def __init__(self, port: int, key: str, bd_seq: int = 0, **values: Value) -> None:
        self.bd_seq, self.seq, self.rebirths = bd_seq, 0, 0
        self.values: dict[str, Value] = {"Order/Id": "J1", "Order/Sku": "K1", "Sewn/Good": 0, "Sewn/Rejected": 0}
        self.values |= values
        self.lock = threading.RLock()
        self.client = Client(CallbackAPIVersion.VERSION2, f"gateway-{bd_seq}")
        self.client.username_pw_set("F1", key)
        self.client.will_set(self.topic("NDEATH"), body(None, now_ms(), metric("bdSeq", bd_seq)), 1)
        self.client.on_message = lambda *_: self.born(asked=True)
        subscribed = threading.Event()
        self.client.on_connect = lambda *_: self.client.subscribe(self.topic("NCMD"), 0)
        self.client.on_subscribe = lambda *_: subscribed.set()
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        assert subscribed.wait(20)
        self.born()

    def topic(self, kind: str) -> str:
        return f"spBv1.0/F1/{kind}/Gateway 1" + ("/Line 1" if kind[0] == "D" else "")

    def say(self, kind: str, *metrics: bytes, qos: int = 0) -> bytes:
        said = body(self.seq, now_ms(), *metrics)
        self.seq = (self.seq + 1) % 256
        self.client.publish(self.topic(kind), said, qos)
        return said

    def born(self, asked: bool = False) -> None:
        with self.lock:
            self.rebirths += asked
            self.seq = 0
            self.say("NBIRTH", metric("bdSeq", self.bd_seq), metric("Node Control/Rebirth", False))
            self.say("DBIRTH", *(metric(name, value, now_ms(), ALIASES[name]) for name, value in self.values.items()))

    def work(self, qos: int = 0, **values: Value) -> bytes:
        """New values of good, rejected, order, sku; told by alias alone."""
        names = {"good": "Sewn/Good", "rejected": "Sewn/Rejected", "order": "Order/Id", "sku": "Order/Sku"}
        with self.lock:
            time.sleep(0.005)  # a later millisecond
            self.values |= {names[name]: value for name, value in values.items()}
            told = (metric(None, value, now_ms(), ALIASES[names[name]]) for name, value in values.items())
            return self.say("DDATA", *told, qos=qos)

    def vanish(self) -> None:
        """As when the power fails: the broker says the will."""
        self.client.loop_stop()
        self.client.socket().close()

    def leave(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


def until(true: Callable[[], object], timeout_s: float = 30) -> None:
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)
