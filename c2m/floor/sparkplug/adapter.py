"""The adapter service: hears the edge nodes of a mapping, says as their factories what their counters mean.

What is to be said is first written down together with how far the counters were read (C2M_HOME/sparkplug), then
published, and the edge nodes' messages are acknowledged last. Killed anywhere, the adapter says the same again.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from queue import Empty, Full, Queue
from threading import Event

from pydantic import BaseModel, ConfigDict

from c2m import clock
from c2m.files import write_atomically
from c2m.floor import http
from c2m.floor.delivery import Letter, NotDeliveredError
from c2m.floor.mqtt import Connection, ReceivedMessage
from c2m.floor.service import announce, stop_on_signal
from c2m.floor.sparkplug import payload
from c2m.floor.sparkplug.mapping import EdgeNode, Site, load
from c2m.floor.sparkplug.session import Device, MetricValue, Session
from c2m.floor.sparkplug.tally import Seen, Tally
from c2m.health import Health
from c2m.settings import settings
from c2m.wire.messages import MAX_SCANS, REMEMBERED_S, Kind, Scan, Status, compose, factory_source

_NODE_KINDS, _DEVICE_KINDS = ("NBIRTH", "NDATA", "NDEATH"), ("DBIRTH", "DDATA", "DDEATH")
_GROUP = 500  # messages that are taken together: one write to disk, one publication
_MOST_WAITING = 50_000  # edge nodes publish with QoS 0: the broker holds nothing back while the platform is down
_POLL_S = 0.2
_RETRY_S = 1.0
_ASK_EVERY_S = 10.0  # a node that was asked for its births and is silent is asked again

log = logging.getLogger(__name__)


class _Said(BaseModel):
    """A message to the platform that is not acknowledged yet."""

    factory_id: str
    kind: Kind
    body: str


class _State(BaseModel):
    """What a restart must know. seen: per edge node and line; alive: which edge nodes live."""

    model_config = ConfigDict(extra="forbid")

    seen: dict[str, dict[str, Seen]] = {}
    alive: dict[str, bool] = {}
    unsaid: list[_Said] = []


def run(mapping: Path, stop: Event | None = None) -> None:
    """Adapts a site that speaks Sparkplug B.

    Parameters
    ----------
    mapping
        YAML file that says what is what.
    stop
        Once set, it ends; None: a signal ends it.

    Raises
    ------
    InputError
        The mapping cannot be read or breaks its form.
    """
    site = load(mapping)
    stop = stop or stop_on_signal()
    heard: Queue[ReceivedMessage] = Queue(_MOST_WAITING)
    adapter = Adapter(site, settings().home / "sparkplug" / f"{site.group}.json")
    name, hand_on = f"c2m-sparkplug-{site.group}", partial(_put, heard)
    connection = Connection(name, list(topics(site)), hand_on, remembers_s=REMEMBERED_S)
    with connection, http.tell_health(lambda: Health(faults=() if connection.is_up() else ("no broker",))):
        announce([connection])
        while not stop.is_set():
            adapter.ask(connection)
            group = _next_group(heard)
            for message in group:
                adapter.hear(message.topic, message.payload, clock.now())
            if group:
                adapter.write_down()
            if _say(adapter, connection, stop):
                for message in group:
                    connection.acknowledge(message)
    adapter.write_down()  # what was said; after a kill it is said again


def _put(heard: "Queue[ReceivedMessage]", message: ReceivedMessage) -> None:
    """What there is no room for is a gap in its node's sequence: the births that are asked for make up for it."""
    with suppress(Full):
        heard.put_nowait(message)


def topics(site: Site) -> Iterator[str]:
    """What the adapter subscribes to."""
    for node in site.edge_nodes:
        for kind in _NODE_KINDS:
            yield f"spBv1.0/{site.group}/{kind}/{node.edge_node}"
        for kind in _DEVICE_KINDS:
            yield f"spBv1.0/{site.group}/{kind}/{node.edge_node}/+"


def _next_group(heard: "Queue[ReceivedMessage]") -> list[ReceivedMessage]:
    group: list[ReceivedMessage] = []
    with suppress(Empty):
        group.append(heard.get(timeout=_POLL_S))
        while len(group) < _GROUP:
            group.append(heard.get_nowait())
    return group


def _say(adapter: "Adapter", connection: Connection, stop: Event) -> bool:
    """Publishes until all is acknowledged; not, where it is stopped before."""
    while letters := adapter.unsaid():
        try:
            for _ in connection.carry(letters):
                adapter.said()
        except NotDeliveredError as error:
            log.warning("%s messages not said yet, trying again: %s", len(letters), error)
            if stop.wait(_RETRY_S):
                return False
    return True


@dataclass
class Adapter:
    """The edge nodes of a mapping, and what they have told."""

    site: Site
    file: Path
    _sessions: dict[str, Session] = field(default_factory=lambda: defaultdict(Session))
    _asked_at: dict[str, float] = field(default_factory=dict)  # monotonic seconds
    _counted: dict[str, list[Scan]] = field(default_factory=lambda: defaultdict(list))  # by factory
    _online: dict[str, _Said] = field(default_factory=dict)  # by factory, the newest status

    def __post_init__(self) -> None:
        self._nodes = {node.edge_node: node for node in self.site.edge_nodes}
        self._state = _State.model_validate_json(self.file.read_bytes()) if self.file.exists() else _State()

    def hear(self, topic: str, body: bytes, at: datetime) -> None:
        """Takes a message of an edge node over into the state."""
        _, _, kind, name, *rest = topic.split("/")
        node, device, session = self._nodes[name], rest[0] if rest else None, self._sessions[name]
        try:
            said = payload.decode(body)
        except payload.Malformed as error:
            log.warning("%s: %s bytes that are no Sparkplug payload: %s", topic, len(body), error)
            session.in_step = False
            return
        if kind == "NDEATH":
            if session.died(said):
                self._live(node, False, at)
            return
        if kind == "NBIRTH":
            self._live(node, True, at)
        self._count(node, device, session.hear(kind, device, said), at)

    def _live(self, node: EdgeNode, alive: bool, at: datetime) -> None:
        """Where the life of an edge node changes whether anything of its factory lives, the factory says so."""
        siblings = [other.edge_node for other in self.site.edge_nodes if other.factory_id == node.factory_id]
        before = [self._state.alive[name] for name in siblings if name in self._state.alive]
        self._state.alive[node.edge_node] = alive
        online = any(self._state.alive.get(name, False) for name in siblings)
        if not before or online != any(before):
            self._online[node.factory_id] = _letter(node.factory_id, "status", Status(online=online), at)

    def _count(self, node: EdgeNode, device: Device, readings: list[MetricValue], at: datetime) -> None:
        latest_ms = int((at.timestamp() + settings().plan.clock_skew_s) * 1000)
        for line in node.lines:
            if line.device == device:
                place = (node.factory_id, self.site.group, node.edge_node, device or "")
                seen = self._state.seen.setdefault(node.edge_node, {}).setdefault(line.line_id, {})
                self._counted[node.factory_id] += Tally(line, place, seen).take(readings, latest_ms)

    def write_down(self) -> None:
        """Makes durable how far was read, and what is to be said of it: scans, then the status behind them."""
        for factory_id, scans in self._counted.items():
            for start in range(0, len(scans), MAX_SCANS):
                batch = scans[start : start + MAX_SCANS]
                self._state.unsaid.append(_letter(factory_id, "scans", batch, batch[-1].at))
        self._state.unsaid += self._online.values()
        self._counted.clear()
        self._online.clear()
        write_atomically(self.file, self._state.model_dump_json().encode())

    def unsaid(self) -> list[Letter]:
        """What is not acknowledged yet."""
        return [Letter("", said.factory_id, said.kind, said.body.encode()) for said in self._state.unsaid]

    def said(self) -> None:
        """The first of it is. After a restart it is said again, under the same id: the file is not written for it."""
        self._state.unsaid.pop(0)

    def ask(self, connection: Connection) -> None:
        """Asks the edge nodes that are out of step to be born again, each at most every so often."""
        for node in self.site.edge_nodes:
            last = self._asked_at.get(node.edge_node, float("-inf"))
            if self._sessions[node.edge_node].in_step or time.monotonic() - last < _ASK_EVERY_S:
                continue
            if connection.ready.is_set():
                self._asked_at[node.edge_node] = time.monotonic()
                with suppress(NotDeliveredError):  # the next turn asks again
                    command = f"spBv1.0/{self.site.group}/NCMD/{node.edge_node}"
                    connection.publish(command, payload.rebirth(clock.now()), qos=0)


def _letter(factory_id: str, kind: Kind, data: list[Scan] | Status, at: datetime) -> _Said:
    body = compose(data, factory_source(factory_id), at).body()
    return _Said(factory_id=factory_id, kind=kind, body=body.decode())
