"""The collector: what factories say, over MQTT and HTTP, becomes durable, then is acknowledged; in this order, always.

Scans become immutable Parquet in landing/scans; responses and status go through the ledger's inbox; what cannot be
obeyed becomes a dead letter. Whatever waits is committed together: one file, one transaction, many messages.
"""

import hashlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache, partial
from operator import attrgetter
from queue import Empty, Full, Queue
from threading import Event

import pyarrow as pa
import pyarrow.parquet as pq
from prometheus_client import Counter
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.orm import Session

from c2m import clock, objects
from c2m.errors import InputError
from c2m.feeds.contracts import PRODUCED
from c2m.files import sync
from c2m.floor import credentials, http
from c2m.floor.mqtt import Connection, ReceivedMessage
from c2m.floor.service import announce, stop_on_signal
from c2m.health import Health
from c2m.ledger import orders, store
from c2m.ledger.conversation import inbox
from c2m.ledger.conversation.inbox import FactoryMessage
from c2m.settings import settings
from c2m.wire.messages import (
    KIND_OF_TYPE,
    OPERATIONS,
    RECEIVE,
    Envelope,
    Scan,
    ScansMessage,
    parse,
    parse_part,
    parse_topic,
    shared,
    topic,
)

# What several collectors share: each message goes to one of them. Scans are increments and responses carry (revision,
# sequence), so that either may overtake another. A status may not: it says that all scans up to a moment were sent, and
# those may lie with any of the collectors. So each hears every status, behind the scans that fell to it, and the ledger
# believes a moment once all have heard it (c2m/ledger/status.py). Retained status and last wills reach each as they
# would one alone.
_SHARED = [topic("+", "job-responses"), topic("+", "scans")]
# Nobody can guess the group's name: who joined it would be given some of the messages, and these would be lost.
_GROUP_NAME = "c2m-collectors"
_MOST_TOPIC = 300  # of a path over HTTP, which may be of any length
# One commit: at most so many messages, and no further one beyond so many bytes, which bounds memory (a scan as an
# object takes five times its bytes). What waits for it: so many bytes; then nothing more is read off the network.
_GROUP, _GROUP_BYTES, _WAITING_BYTES = 500, 8 * 1024 * 1024, 16 * 1024 * 1024
_ARRIVAL_BYTES = 1024  # of memory for a message of no bytes
_POLL_S = 0.2
_RETRY_S = 1.0
_STILL_S = 15.0  # a commit takes some milliseconds
_ARROW = {"VARCHAR": pa.string(), "INTEGER": pa.int32(), "TIMESTAMP": pa.timestamp("us")}
_FIELDS = attrgetter(*Scan.model_fields)
# Where scans land: those that take others back lie apart, which keeps the many free of a column for the few.
_SCHEMAS = {
    name: pa.schema([(column, _ARROW[kind]) for column, kind in PRODUCED[name].items()])
    for name in ("scans", "scan_corrections")
}

_MESSAGES = Counter(
    "c2m_messages_received", "Messages of factories that are safe, by kind and result", ["kind", "result"]
)
_SCANS = Counter("c2m_scans", "Scans that have landed")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Arrival:
    """A message as it came; `done` is called once it is safe: with '', or why it became a dead letter.

    collector: of several, the one that heard it. Over HTTP all that was said before is safe, whoever heard it: ''.
    """

    topic: str  # of MQTT, which names factory and kind
    body: bytes
    done: Callable[[str], object]
    collector: str = ""


class Waiting(Queue[Arrival]):
    """Arrivals by their bytes, which `maxsize` bounds. `put` waits for room, and with it whoever reads the network.

    The broker then holds back what we do not read, and a factory that speaks HTTP is told to come again: under load
    messages wait where they are safe, instead of here.
    """

    def _init(self, maxsize: int) -> None:
        super()._init(maxsize)
        self._bytes = 0

    def _qsize(self) -> int:
        return self._bytes

    def _put(self, item: Arrival) -> None:
        super()._put(item)
        self._bytes += _ARRIVAL_BYTES + len(item.body)

    def _get(self) -> Arrival:
        item: Arrival = super()._get()
        self._bytes -= _ARRIVAL_BYTES + len(item.body)
        return item


def run(stop: Event | None = None) -> None:
    """Collects until `stop`, without one until a signal.

    Raises
    ------
    InputError
        The setting `collectors` does not name this one.
    """
    name, several = _own_name(), len(settings().collectors) > 1
    stop = stop or stop_on_signal()
    arrivals = Waiting(_WAITING_BYTES)
    heard_by = name if several else ""

    def hand_on(message: ReceivedMessage) -> None:
        arrival = Arrival(message.topic, message.payload, lambda _: connection.acknowledge(message), heard_by)
        while not stop.is_set():
            with suppress(Full):
                arrivals.put(arrival, timeout=_POLL_S)
                return

    shared_by = credentials.client_id(_GROUP_NAME)
    alone, together, former = _SHARED, *([shared(name, by) for name in _SHARED] for by in (shared_by, _GROUP_NAME))
    wanted, given_up = (together, [*alone, *former]) if several else (alone, [*together, *former])
    connection = Connection(credentials.client_id(name), [*wanted, topic("+", "status")], hand_on, given_up=given_up)
    inlet = http.inlet(
        "/v1/factories/{factory_id}/{kind}", partial(_accept, arrivals), credentials.Doorkeeper().refusal
    )
    safe = _Safe()
    with connection, http.serve(inlet, settings().http_port, lambda: _health(connection, safe)):
        announce([connection])
        while not stop.is_set():
            if group := _next_group(arrivals):
                with safe.at_work():
                    _commit_until_safe(group, stop)


@dataclass
class _Safe:
    """Since when the messages at hand wait to be safe: what `/health` calls the lag."""

    since: float | None = None  # monotonic seconds

    @contextmanager
    def at_work(self) -> Iterator[None]:
        self.since = time.monotonic()
        yield
        self.since = None


def _health(connection: Connection, safe: _Safe) -> Health:
    lag_s = time.monotonic() - since if (since := safe.since) is not None else 0.0
    checks = {
        f"no connection to the broker at {settings().mqtt_host}:{settings().mqtt_port}": connection.is_up(),
        f"messages have waited {lag_s:.0f} s for disk or ledger": lag_s < _STILL_S,
    }
    return Health(lag_s, tuple(fault for fault, holds in checks.items() if not holds))


def _own_name() -> str:
    """The client id: the broker keeps a session by it, so that no two collectors may have the same."""
    known = settings().collectors
    name = settings().collector_name or known[0]
    if name not in known:
        raise InputError("unknown-collector", [f"collector {name} is not among C2M_COLLECTORS {known}: name it there"])
    return name


def _accept(arrivals: Waiting, factory_id: str, kind: str, body: bytes) -> "Future[str]":
    safe: Future[str] = Future()
    name = f"c2m/v1/{factory_id}/{kind}".replace("\x00", "\ufffd")[:_MOST_TOPIC]  # PostgreSQL stores no NUL
    arrivals.put_nowait(Arrival(name, body, safe.set_result))
    return safe


def _next_group(arrivals: Waiting) -> list[Arrival]:
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


@dataclass(frozen=True)
class _Heard:
    """What an arrival says, none where it is refused whole; `refused`: the bytes of it that are, and why."""

    message: Envelope | None
    refused: bytes = b""
    reason: str = ""


def commit(group: Sequence[Arrival], at: datetime) -> list[str]:
    """Makes messages durable, scans before the status behind them.

    Parameters
    ----------
    group
        Messages as they came.
    at
        UTC.

    Returns
    -------
    list of str
        For each message '', or why it became a dead letter.
    """
    heard = [_read(arrival) for arrival in group]
    reasons = _made_safe(group, heard, at)
    for said, reason in zip(heard, reasons, strict=True):
        _count(said, reason)
    return reasons


def _count(heard: "_Heard", reason: str) -> None:
    kind = KIND_OF_TYPE[heard.message.type] if heard.message else "unknown"
    _MESSAGES.labels(kind, "dead letter" if reason else "taken").inc()
    if isinstance(heard.message, ScansMessage):
        _SCANS.inc(len(heard.message.data))


def _made_safe(group: Sequence[Arrival], heard: "Sequence[_Heard]", at: datetime) -> list[str]:
    scans = [(arrival.body, said.message) for arrival, said in zip(group, heard, strict=True)]
    _land({body: message for body, message in scans if isinstance(message, ScansMessage)}, at)
    if all(isinstance(said.message, ScansMessage) and not said.reason for said in heard):
        return [""] * len(group)
    try:
        with store.session() as session:
            return _record(session, group, heard, at)
    except OperationalError:
        raise
    except SQLAlchemyError as error:
        if len(group) > 1:
            return [reason for one, said in zip(group, heard, strict=True) for reason in _made_safe([one], [said], at)]
        reason = f"the ledger cannot take it: {error}"
        with store.session() as session:
            inbox.dead_letters(session, [_refused(group[0], _Heard(None, group[0].body, reason))], at)
        return [reason]


@lru_cache(maxsize=8)
def _operations(_ledger_url: str) -> frozenset[str]:
    """What scans may name. Asked of the ledger again where a scan names another: its lot may be new."""
    with store.reading() as session:
        return orders.routed(session) | {*OPERATIONS, RECEIVE}


def _parsed(body: bytes) -> Envelope | str:
    message = parse(body, _operations(settings().ledger))
    if isinstance(message, str) and ".operation: " in message:
        _operations.cache_clear()
        return parse(body, _operations(settings().ledger))
    return message


def _read(arrival: Arrival) -> _Heard:
    """The message, or why it is none: broken schema, or a topic that it does not belong to."""
    place, message = parse_topic(arrival.topic), _parsed(arrival.body)
    if place is None:
        return _Heard(None, arrival.body, f"unknown topic {arrival.topic}")
    refused, reason = b"", ""
    if isinstance(message, str):
        part = parse_part(arrival.body, _operations(settings().ledger))
        if part is None:
            return _Heard(None, arrival.body, message)
        message, refused, reason = part
    factory_id, kind = place
    if KIND_OF_TYPE[message.type] != kind:
        return _Heard(None, arrival.body, f"type {message.type} on topic {arrival.topic}")
    if message.factory_id != factory_id:
        return _Heard(None, arrival.body, f"source {message.source} spoke for {factory_id}")
    return _Heard(message, refused, reason)


def _record(session: Session, group: Sequence[Arrival], heard: Sequence[_Heard], at: datetime) -> list[str]:
    pairs = list(zip(group, heard, strict=True))
    inbox.dead_letters(session, [_refused(arrival, said) for arrival, said in pairs if said.reason], at)
    said = [
        FactoryMessage(item.message, str(item.message.factory_id), arrival.collector)
        for arrival, item in pairs
        if item.message is not None and not isinstance(item.message, ScansMessage)
    ]
    effects = iter(inbox.receive_all(session, said, at))
    reasons = []
    for item in heard:
        if item.message is None or isinstance(item.message, ScansMessage):
            reasons.append(item.reason)
        else:
            reasons.append("cannot be obeyed, see the dead letters" if next(effects) == inbox.DEAD else "")
    return reasons


def _refused(arrival: Arrival, heard: _Heard) -> inbox.Refused:
    """A dead letter of the factory that the topic names; of what is too long, the beginning."""
    place = parse_topic(arrival.topic)
    return inbox.Refused(place[0] if place else "", arrival.topic, heard.refused, heard.reason)


def _land(messages: Mapping[bytes, ScansMessage], at: datetime) -> None:
    """Writes scans as one file, named by its content; the first one stays, so that `received_at` never moves."""
    if not messages:
        return
    digest = hashlib.sha256()
    for body in messages:
        digest.update(body)
    said = [(message.factory_id, scan) for message in messages.values() for scan in message.data]
    for name, schema in _SCHEMAS.items():
        rows = [row for row in said if (row[1].corrects is not None) == (name == "scan_corrections")]
        file = settings().landing / name / f"{digest.hexdigest()[:32]}.parquet"
        if rows and not file.exists():
            table = _table(rows, schema, at)
            objects.write(file, partial(pq.write_table, table), first=True)
            sync(file.parent)


def _table(rows: Sequence[tuple[str | None, Scan]], schema: pa.Schema, at: datetime) -> pa.Table:
    """A row per scan; moments in UTC, as the message model makes them, without their zone."""
    values = zip(*(_FIELDS(scan) for _, scan in rows), strict=True)
    columns: dict[str, object] = dict(zip(Scan.model_fields, values, strict=True))
    columns["at"] = pa.array(columns["at"], pa.timestamp("us", "UTC")).cast(_ARROW["TIMESTAMP"])
    columns["factory_id"] = [factory_id for factory_id, _ in rows]
    columns["received_at"] = [at.astimezone(UTC).replace(tzinfo=None)] * len(rows)
    return pa.table([columns[name] for name in schema.names], schema)


if __name__ == "__main__":
    run()
