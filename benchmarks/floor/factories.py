"""Thousands of light factories in one process: a real MQTT connection each, one event loop, a book of what came.

    python -m benchmarks.floor.factories FIRST COUNT BOOK

They converse as c2m/wire/messages.py asks and want every order: `store` is accepted, `start` is answered with Running,
what comes again gets the same answer again. A message is acknowledged once its answer is under way. Ended by a signal,
they write BOOK: a line per message as it first came, and how often it came.
"""

import json
import logging
import selectors
import socket
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client, MQTTMessage, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from c2m.floor import credentials
from c2m.floor.service import READY, stop_on_signal
from c2m.settings import settings
from c2m.wire.messages import START, STORE, factory_source, topic

_KEEPALIVE_S = 300
_SWEEP_S = 30.0  # how often idle connections get the chance to ping
_ANSWER = (
    '{{"specversion":"1.0","id":"{id}","source":"{source}","type":"c2m.job-response","time":"{time}",'
    '"datacontenttype":"application/json","data":{data}}}'
)
_STATUS = (
    '{{"specversion":"1.0","id":"status-{online}","source":"{source}","type":"c2m.status","time":"{time}",'
    '"datacontenttype":"application/json","data":{{"online":{online}}}}}'
)
_STATES = {STORE: ("NotAllowedToStart", True), START: ("Running", None)}


def factory_id(number: int) -> str:
    """Of the factory with this number."""
    return f"F{number:05d}"


@dataclass
class Factory:
    """One connection, and what came over it."""

    factory_id: str
    client: Client
    book: dict[str, dict[str, Any]] = field(default_factory=dict)  # by message id
    answers: dict[str, bytes] = field(default_factory=dict)
    sequences: dict[str, int] = field(default_factory=dict)  # by job order
    subscribed: bool = False

    def hear(self, message: MQTTMessage) -> None:
        """Books a message, answers it, acknowledges it."""
        came_at, said = time.time(), json.loads(message.payload)
        if entry := self.book.get(said["id"]):
            entry["times"] += 1
        else:
            data = said["data"]
            facts = {name: data.get(name) for name in ("job_order_id", "revision", "quantity")}
            self.book[said["id"]] = facts | {"type": said["type"], "at": came_at, "times": 1}
            self.answers[said["id"]] = self._answer(said["id"], said["type"], data)
        self.client.publish(topic(self.factory_id, "job-responses"), self.answers[said["id"]], 1)
        self.client.ack(message.mid, message.qos)

    def _answer(self, message_id: str, type_: str, data: dict[str, Any]) -> bytes:
        state, accepted = _STATES[type_]
        job_order_id = data["job_order_id"]
        sequence = self.sequences[job_order_id] = self.sequences.get(job_order_id, 0) + 1
        answer = {"job_order_id": job_order_id, "revision": data["revision"], "sequence": sequence, "state": state}
        answer |= {"accepted": accepted} if accepted is not None else {}
        return _ANSWER.format(
            id=f"answer-{message_id}",
            source=factory_source(self.factory_id),
            time=datetime.now(UTC).isoformat(),
            data=json.dumps(answer),
        ).encode()

    def status(self, online: bool) -> bytes:
        """What is retained of it."""
        now = datetime.now(UTC).isoformat()
        source = factory_source(self.factory_id)
        return _STATUS.format(source=source, time=now, online=json.dumps(online)).encode()


def connect(name: str) -> Factory:
    """Asks for a session that the broker keeps, and for the job orders."""
    client = Client(CallbackAPIVersion.VERSION2, f"c2m-factory-{name}", protocol=MQTTv5, manual_ack=True)
    client.username_pw_set(credentials.PLATFORM, credentials.platform_key())
    factory = Factory(name, client)

    def connected(*_: Any) -> None:
        client.subscribe(topic(name, "job-orders"), 1)
        client.publish(topic(name, "status"), factory.status(online=True), 1, retain=True)

    def subscribed(*_: Any) -> None:
        factory.subscribed = True

    client.on_connect, client.on_subscribe = connected, subscribed
    client.on_message = lambda _client, _data, message: factory.hear(message)
    client.will_set(topic(name, "status"), factory.status(online=False), 1, retain=True)
    keeps = Properties(PacketTypes.CONNECT)
    keeps.SessionExpiryInterval = 3600
    client.connect("127.0.0.1", settings().mqtt_port, _KEEPALIVE_S, clean_start=False, properties=keeps)
    connection = client.socket()
    assert isinstance(connection, socket.socket)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return factory


def serve(first: int, count: int, book: Path) -> None:
    """Runs the factories until a signal."""
    stop, said_so, swept = stop_on_signal(), False, time.monotonic()
    with selectors.DefaultSelector() as selector:
        factories = [connect(factory_id(number)) for number in range(first, first + count)]
        for factory in factories:
            selector.register(factory.client.socket(), selectors.EVENT_READ, factory)
        unsent: set[Client] = set()  # the socket took only a part
        while not stop.is_set():
            heard = [key.data.client for key, _ in selector.select(0.01 if unsent else 0.2)]
            for client in heard:
                client.loop_read()
            unsent = {client for client in unsent.union(heard) if not _sent(client)}
            if time.monotonic() - swept > _SWEEP_S:
                swept = time.monotonic()
                for factory in factories:
                    factory.client.loop_misc()
            if not said_so and all(factory.subscribed for factory in factories):
                logging.getLogger(__name__).info(READY)
                said_so = True
    with book.open("w") as file:
        for factory in factories:
            file.writelines(
                json.dumps({"message_id": message_id, "factory_id": factory.factory_id, **entry}) + "\n"
                for message_id, entry in factory.book.items()
            )
    for factory in factories:
        factory.client.disconnect()


def _sent(client: Client) -> bool:
    if client.want_write():
        client.loop_write()
    return not client.want_write()


if __name__ == "__main__":
    serve(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
