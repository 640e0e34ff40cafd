"""The collector: what factories say, over MQTT and HTTP, becomes durable, then is acknowledged; in this order, always.

Scans become immutable Parquet in landing/scans; responses and status go through the ledger's inbox; what cannot be
obeyed becomes a dead letter. Whatever waits is committed together: one file, one transaction, many messages.
"""

import hashlib
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from operator import attrgetter
from queue import Empty, Queue
from threading import Event

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.orm import Session

from c2m import clock
from c2m.feeds.contracts import PRODUCED
from c2m.files import sync, write_with
from c2m.floor import http
from c2m.floor.credentials import Doorkeeper
from c2m.floor.messages import KIND_OF_TYPE, Envelope, Scan, ScansMessage, parse, parse_topic, topic
from c2m.floor.mqtt import Connection, Message
from c2m.floor.service import announce, stop_on_signal
from c2m.ledger import inbox, store
from c2m.settings import settings

_TOPICS = [topic("+", "job-responses"), topic("+", "scans"), topic("+", "status")]
# One commit: at most so many messages, and no further one beyond so many bytes, which bounds memory (a scan as an
# object takes five times its bytes).
_GROUP, _GROUP_BYTES = 500, 8 * 1024 * 1024
_POLL_S = 0.2
_RETRY_S = 1.0
_ARROW = {"VARCHAR": pa.string(), "INTEGER": pa.int32(), "TIMESTAMP": pa.timestamp("us")}
_FIELDS = attrgetter(*Scan.model_fields)
_SCHEMA = pa.schema([(name, _ARROW[kind]) for name, kind in PRODUCED["scans"].items()])

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Arrival:
    """A message as it came; `done` is called once it is safe: with '', or why it became a dead letter."""

    topic: str
    body: bytes
    done: Callable[[str], object]


def run(stop: Event | None = None) -> None:
    """Collects until `stop`, without one until a signal."""
    stop = stop or stop_on_signal()
    arrivals: Queue[Arrival] = Queue()

    def hand_on(message: Message) -> None:
        arrivals.put(Arrival(message.topic, message.payload, lambda _: connection.acknowledge(message)))

    connection = Connection("c2m-collector", _TOPICS, hand_on)
    inlet = http.inlet("/v1/factories/{factory_id}/{kind}", partial(_accept, arrivals), Doorkeeper().refusal)
    with connection, http.serve(inlet, settings().http_port):
        announce([connection])
        while not stop.is_set():
            if group := _next_group(arrivals):
                _commit_until_safe(group, stop)


def _accept(arrivals: "Queue[Arrival]", factory_id: str, kind: str, body: bytes) -> "Future[str]":
    safe: Future[str] = Future()
    arrivals.put(Arrival(f"c2m/v1/{factory_id}/{kind}", body, safe.set_result))
    return safe


def _next_group(arrivals: "Queue[Arrival]") -> list[Arrival]:
    """Whatever waits: a lone message is not held back, a flood is committed in large groups."""
    try:
        group = [arrivals.get(timeout=_POLL_S)]
    except Empty:
        return []
    size = len(group[0].body)
    while len(group) < _GROUP and size < _GROUP_BYTES and not arrivals.empty():
        group.append(arrivals.get())
        size += len(group[-1].body)
    return group


def _commit_until_safe(group: Sequence[Arrival], stop: Event) -> None:
    """Tries again while disk or ledger fail. Stopped before it is safe, the group comes again: nobody got an answer."""
    while not stop.is_set():
        try:
            reasons = commit(group, clock.now())
        except (OSError, OperationalError) as error:
            log.warning("%s messages not safe yet, trying again: %s", len(group), error)
            stop.wait(_RETRY_S)
            continue
        for arrival, reason in zip(group, reasons, strict=True):
            arrival.done(reason)
        return


def commit(group: Sequence[Arrival], at: datetime) -> list[str]:
    """Makes messages durable, scans before the status behind them; returns the reason of each dead letter, else ''."""
    read = [_read(arrival) for arrival in group]
    _land({arrival.body: item for arrival, item in zip(group, read, strict=True) if isinstance(item, ScansMessage)}, at)
    if all(isinstance(item, ScansMessage) for item in read):
        return [""] * len(group)
    try:
        with store.session() as session:
            return [_record(session, arrival, item, at) for arrival, item in zip(group, read, strict=True)]
    except OperationalError:
        raise
    except SQLAlchemyError as error:
        if len(group) > 1:
            return [reason for arrival in group for reason in commit([arrival], at)]
        with store.session() as session:
            return [_bury(session, group[0], f"the ledger cannot take it: {error}", at)]


def _read(arrival: Arrival) -> Envelope | str:
    """The message, or why it is none: broken schema, or a topic that it does not belong to."""
    place, message = parse_topic(arrival.topic), parse(arrival.body)
    if place is None:
        return f"unknown topic {arrival.topic}"
    if isinstance(message, str):
        return message
    factory_id, kind = place
    if KIND_OF_TYPE[message.type] != kind:
        return f"type {message.type} on topic {arrival.topic}"
    if message.factory_id != factory_id:
        return f"source {message.source} spoke for {factory_id}"
    return message


def _record(session: Session, arrival: Arrival, item: Envelope | str, at: datetime) -> str:
    if isinstance(item, str):
        return _bury(session, arrival, item, at)
    if isinstance(item, ScansMessage):
        return ""
    effect = inbox.receive(session, item, str(item.factory_id), at)
    return "cannot be obeyed, see the dead letters" if effect == inbox.DEAD else ""


def _bury(session: Session, arrival: Arrival, reason: str, at: datetime) -> str:
    """A dead letter of the factory that the topic names."""
    place = parse_topic(arrival.topic)
    inbox.dead_letter(session, place[0] if place else "", arrival.topic, arrival.body, reason, at)
    return reason


def _land(messages: Mapping[bytes, ScansMessage], at: datetime) -> None:
    """Writes scans as one file, named by its content; the first one stays, so that `received_at` never moves."""
    if not messages:
        return
    digest = hashlib.sha256()
    for body in messages:
        digest.update(body)
    file = settings().landing / "scans" / f"{digest.hexdigest()[:32]}.parquet"
    if file.exists():
        return
    table = _table(messages.values(), at)
    write_with(file, lambda part: pq.write_table(table, part))
    sync(file.parent)


def _table(messages: Iterable[ScansMessage], at: datetime) -> pa.Table:
    """A row per scan; moments in UTC, as the message model makes them, without their zone."""
    factory_ids = [message.factory_id for message in messages for _ in message.data]
    scans = [scan for message in messages for scan in message.data]
    values = zip(*map(_FIELDS, scans), strict=True)
    columns: dict[str, object] = dict(zip(Scan.model_fields, values, strict=True))
    columns["at"] = pa.array(columns["at"], pa.timestamp("us", "UTC")).cast(_ARROW["TIMESTAMP"])
    columns["factory_id"] = factory_ids
    columns["received_at"] = [at.astimezone(UTC).replace(tzinfo=None)] * len(scans)
    return pa.table([columns[name] for name in _SCHEMA.names], _SCHEMA)


if __name__ == "__main__":
    run()
