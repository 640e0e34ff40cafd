"""MQTT connections: QoS 1, persistent sessions, acknowledged by us once a message is safe, reopened when they break.

A message that is not acknowledged comes again after a restart of either side: every receiver must bear repetition.
"""

import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Self

from paho.mqtt.client import (
    Client,
    MQTTMessage,
    MQTTv5,
    MQTTv311,
)
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from pydantic import SecretStr

from c2m.floor import credentials
from c2m.floor.delivery import Letter, NotDeliveredError
from c2m.settings import settings
from c2m.wire.messages import topic

QOS = 1
_NO_SUBSCRIBER = 0x10  # MQTT 5 reason code of a PUBACK: the broker took the message and has nobody to give it to
_SESSION_EXPIRY_S = 7 * 24 * 3600
_IN_FLIGHT = 500  # messages under way unacknowledged, either direction: the back-pressure of a slow receiver
_KEEPALIVE_S = 30
_ACKNOWLEDGE_TIMEOUT_S = 10


@dataclass(frozen=True)
class ReceivedMessage:
    """A message as received."""

    topic: str  # that it came by
    payload: bytes
    mid: int  # number of its packet, by which it is acknowledged
    session: int  # number of the connection that it came over; its packet id means nothing on a later one


@dataclass(frozen=True)
class Will:
    """What the broker says, retained, when we vanish."""

    topic: str  # where it is said
    payload: bytes


class Connection:
    """One client; use as context manager. `on_message` runs in the network thread and must only hand the message on.

    given_up: topics that a session kept from earlier may still hold, and that are not wanted any more.
    remembers_s: after a lost connection letters are sent again that were acknowledged within so many seconds before. A
    broker that is killed forgets what it acknowledged since it last saved its queues.
    """

    def __init__(
        self,
        client_id: str,
        topics: Iterable[str] = (),
        on_message: Callable[[ReceivedMessage], object] | None = None,
        will: Will | None = None,
        given_up: Iterable[str] = (),
        remembers_s: float = 0,
    ) -> None:
        self._client_id, self._remembers_s = client_id, remembers_s
        self._recent: deque[tuple[float, str, bytes]] = deque()  # acknowledged at (monotonic), topic, payload
        self._given_up = list(given_up)
        self._topics = [(name, QOS) for name in topics]
        self._on_message = on_message
        self._acknowledged: dict[int, Future[None]] = {}
        self._session = 0
        self.ready = threading.Event()  # connected, and subscribed where there is something to subscribe to
        self._client = _client(client_id, keeps=bool(self._topics))
        self._client.on_connect = self._connected
        self._client.on_disconnect = self._disconnected
        self._client.on_message = self._received
        self._client.on_publish = self._published
        self._client.on_subscribe = lambda *_: self.ready.set()
        if will:
            self._client.will_set(will.topic, will.payload, QOS, retain=True)

    def __enter__(self) -> Self:
        """Starts to connect, in the background, for as long as it takes."""
        options = _of_session(bool(self._topics)) if settings().mqtt_version == "5" else {}
        self._client.connect_async(settings().mqtt_host, settings().mqtt_port, _KEEPALIVE_S, **options)
        self._client.loop_start()
        return self

    def __exit__(self, *exception: object) -> None:
        """Leaves in order: no last will, the session stays with the broker."""
        self._client.disconnect()
        self._client.loop_stop()

    def is_up(self) -> bool:
        """Whether there is a connection now, and what was to be subscribed to was."""
        return self._client.is_connected() and self.ready.is_set()

    def publish(self, topic_name: str, payload: bytes, retain: bool = False, qos: int = QOS) -> "Future[None]":
        """Sends a message.

        Parameters
        ----------
        topic_name
            Where to.
        payload
            As it is sent.
        retain
            Whether the broker keeps it for those who come later.
        qos
            Level of MQTT: 0, 1 or 2.

        Returns
        -------
        Future
            Ends with the broker's acknowledgement or a NotDeliveredError.

        Raises
        ------
        NotDeliveredError
            There is no connection now: nothing was sent, nothing is queued.
        """
        if not self._client.is_connected():
            raise NotDeliveredError(f"no connection to the broker at {settings().mqtt_host}:{settings().mqtt_port}")
        mid = self._client.publish(topic_name, payload, qos, retain).mid
        # The acknowledgement may be here already; whoever comes first makes the future (setdefault is atomic).
        future = self._acknowledged.setdefault(mid, Future())
        future.add_done_callback(lambda _: self._acknowledged.pop(mid, None))
        return future

    def carry(self, letters: Sequence[Letter]) -> Iterator[Letter]:
        """Publishes all the letters at once, then waits for each; status alone is retained."""
        return self._acknowledged_ones(letters, [self._send(letter) for letter in letters])

    def _send(self, letter: Letter) -> "Future[None]":
        name = topic(letter.factory_id, letter.kind)
        if letter.kind == "status":
            return self.publish(name, letter.body, retain=True)
        return self._memorable(name, letter.body)

    def _memorable(self, name: str, payload: bytes) -> "Future[None]":
        future = self.publish(name, payload)
        if self._remembers_s:
            future.add_done_callback(lambda done: self._remember(done, name, payload))
        return future

    def _remember(self, done: "Future[None]", name: str, payload: bytes) -> None:
        if done.exception() is None:
            self._recent.append((time.monotonic(), name, payload))
            self._forget()

    def _forget(self) -> None:
        while self._recent and time.monotonic() - self._recent[0][0] > self._remembers_s:
            self._recent.popleft()

    def _acknowledged_ones(self, letters: Sequence[Letter], futures: "Sequence[Future[None]]") -> Iterator[Letter]:
        for letter, future in zip(letters, futures, strict=True):
            try:
                future.result(_ACKNOWLEDGE_TIMEOUT_S)
            except TimeoutError as error:
                raise NotDeliveredError(f"no acknowledgement within {_ACKNOWLEDGE_TIMEOUT_S} s") from error
            yield letter

    def acknowledge(self, message: ReceivedMessage) -> None:
        """Tells the broker that the message is safe. After a reconnection it comes again and is acknowledged then.

        One that was sent with QoS 0 has no packet id: an acknowledgement would be a breach, for which brokers hang up.
        """
        if message.mid and message.session == self._session:
            self._client.ack(message.mid, QOS)

    def _connected(self, client: Client, userdata: object, flags: object, reason: ReasonCode, *_: object) -> None:
        if reason.is_failure:  # of a broker that was started anew, and so was the key
            _identify(client, self._client_id)
            return
        self._session += 1
        for _again in range(len(self._recent)):
            _at, name, payload = self._recent.popleft()
            try:
                self._memorable(name, payload)
            except NotDeliveredError:  # lost again meanwhile: the next connection's turn
                self._recent.append((time.monotonic(), name, payload))
        if self._given_up:
            client.unsubscribe(self._given_up)
        if self._topics:
            client.subscribe(self._topics)
        else:
            self.ready.set()

    def _disconnected(self, *_: object) -> None:
        self._session += 1
        self.ready.clear()
        self._forget()

    def _received(self, client: Client, userdata: object, message: MQTTMessage) -> None:
        if self._on_message:
            self._on_message(ReceivedMessage(message.topic, bytes(message.payload), message.mid, self._session))

    def _published(self, client: Client, userdata: object, mid: int, reason: ReasonCode, *_: object) -> None:
        future = self._acknowledged.setdefault(mid, Future())
        if reason.value == _NO_SUBSCRIBER or reason.is_failure:
            future.set_exception(NotDeliveredError(str(reason)))
        else:
            future.set_result(None)


def _client(client_id: str, keeps: bool) -> Client:
    """keeps: the broker holds the session, and what comes meanwhile, while the client is away."""
    version5 = settings().mqtt_version == "5"
    client = Client(
        CallbackAPIVersion.VERSION2,
        client_id,
        clean_session=None if version5 else not keeps,
        protocol=MQTTv5 if version5 else MQTTv311,
        manual_ack=True,
    )
    _identify(client, client_id)
    if settings().mqtt_ca_file:
        client.tls_set(str(settings().mqtt_ca_file))
    client.reconnect_delay_set(0.1, 5)  # type: ignore[arg-type]  # seconds; fractions work
    client.max_inflight_messages_set(_IN_FLIGHT)
    client.on_socket_open = _no_delay
    return client


def _identify(client: Client, client_id: str) -> None:
    """Name and password of the settings; without them, the key that this home's broker knows since its start."""
    user, password = settings().mqtt_username, settings().mqtt_password
    if user is None and (key := credentials.platform_key()):
        user, password = credentials.PLATFORM, SecretStr(key)
    client.username_pw_set(user or client_id, password.get_secret_value() if password else None)


def _no_delay(client: Client, userdata: object, connection: Any) -> None:
    """Small packets go at once instead of waiting for the acknowledgement of the one before."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _of_session(keeps: bool) -> dict[str, Any]:
    """How MQTT 5 connects: with the session that the broker holds, or with a new one."""
    return {"clean_start": not keeps, "properties": _session_properties(keeps)}


def _session_properties(keeps: bool) -> Properties:
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = _SESSION_EXPIRY_S if keeps else 0
    properties.ReceiveMaximum = _IN_FLIGHT
    return properties
