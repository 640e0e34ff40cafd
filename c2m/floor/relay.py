"""The relay: takes what is due from the ledger's outbox to the factories, each over its transport; expires offers.

A long-lived service; it keeps nothing but pauses in memory. Killed between a delivery and its record it delivers again:
factories know a message by its id. Several relays share the work, each under a name of its own: it leases the
factories that it is at.
"""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache, partial
from threading import Event

import duckdb
from prometheus_client import Counter
from sqlalchemy.exc import SQLAlchemyError

from c2m import clock
from c2m.errors import InputError
from c2m.floor import credentials, http
from c2m.floor.delivery import Carrier, DeliveryReport, Letter, NotDeliveredError, Pauses, begin, failed
from c2m.floor.mqtt import Connection
from c2m.floor.service import announce, stop_on_signal
from c2m.health import Health
from c2m.ledger import job_orders, store
from c2m.ledger.conversation import outbox
from c2m.settings import settings
from c2m.warehouse import published

POLL_S, _IDLE_POLL_S = 0.05, 0.25  # 20 looks a second at an empty outbox take 8 % of a core
_EXPIRE_EVERY_S = 1.0
_LEDGER_PAUSE_S = 1.0
_TURN_S = 0.2  # a turn ends, also while a factory has not answered yet
_STILL_S = 15.0  # a turn takes 0.2 s, and up to the timeout of a busy ledger
_SENDERS = 64  # most of them wait for factories that speak HTTP

_SENT = Counter("c2m_messages_sent", "Messages that were delivered to factories")
_FAILED = Counter("c2m_deliveries_failed", "Deliveries to one factory that broke off; they are tried again")

log = logging.getLogger(__name__)


def run(stop: Event | None = None) -> None:
    """Relays until `stop`, without one until a signal."""
    stop = stop or stop_on_signal()
    name = settings().relay_name
    with (
        http.Client() as client,
        ThreadPoolExecutor(_SENDERS) as pool,
        Connection(credentials.client_id(name)) as connection,
    ):
        relay = _Relay(name, partial(_Route, connection.carry, partial(_over_http, client)), pool)
        with http.tell_health(lambda: _health(relay, connection)):
            announce([connection])
            pause_s = POLL_S
            while not stop.wait(pause_s):
                try:
                    pause_s = POLL_S if relay.turn() else min(1.5 * pause_s, _IDLE_POLL_S)
                    relay.turned_at = time.monotonic()
                except SQLAlchemyError as error:
                    log.warning("no ledger, trying again: %s", error)
                    stop.wait(_LEDGER_PAUSE_S)


def _health(relay: "_Relay", connection: Connection) -> Health:
    with store.reading() as session:
        lag_s = outbox.lag_s(session, datetime.now(UTC), clock.now())
    still_s = time.monotonic() - relay.turned_at
    checks = {
        f"no connection to the broker at {settings().mqtt_host}:{settings().mqtt_port}": connection.is_up(),
        f"no turn for {still_s:.0f} s: the ledger fails, or a turn hangs": still_s < _STILL_S,
    }
    return Health(lag_s, tuple(fault for fault, holds in checks.items() if not holds))


def _over_http(client: http.Client, factory_id: str, url: str) -> Carrier:
    """An address that a feed gave must be public, unless it is word for word the one that we would take without."""
    if url == settings().http_factory_url.format(factory_id=factory_id):
        return http.carrier(client, lambda _: url, _as_ours)
    return http.carrier(client, lambda _: url, _signature, public=True)


def _signature(letter: Letter) -> dict[str, str]:
    return credentials.signature(letter.factory_id, letter.body)


def _as_ours(letter: Letter) -> Mapping[str, str]:
    """For simulated factories, which know the relay by a key."""
    return {**_signature(letter), **credentials.simulated_login()}


def addresses() -> Mapping[str, str | None]:
    """Endpoint URL of each published factory, None where it speaks MQTT."""
    try:
        return _addresses_of(published.manifest()["build_id"])
    except (InputError, OSError, duckdb.Error) as error:
        raise NotDeliveredError(f"the published factories cannot be read: {error}") from error


@lru_cache(maxsize=1)
def _addresses_of(_build_id: str) -> dict[str, str | None]:
    factories = published.read("factories")
    columns = (factories["factory_id"], factories["transport"], factories["endpoint_url"])
    return {str(row[0]): _address(*row) for row in zip(*columns, strict=True)}


def _address(factory_id: str, transport: str, endpoint_url: object) -> str | None:
    if transport == "mqtt":
        return None
    return endpoint_url if isinstance(endpoint_url, str) else settings().http_factory_url.format(factory_id=factory_id)


@dataclass(frozen=True)
class _Route:
    """Which carrier takes the letters of a factory."""

    over_mqtt: Carrier
    over_http: Callable[[str, str], Carrier]  # factory_id, URL
    known: Mapping[str, str | None]

    def __call__(self, factory_id: str) -> Carrier:
        if factory_id not in self.known:
            raise NotDeliveredError(f"factory {factory_id} is not among the published factories")
        url = self.known[factory_id]
        return self.over_http(factory_id, url) if url else self.over_mqtt


@dataclass
class _Relay:
    name: str
    route: Callable[[Mapping[str, str | None]], Callable[[str], Carrier]]  # by the addresses of now
    pool: Executor
    pauses: Pauses = field(default_factory=Pauses)
    under_way: dict[str, tuple[list[Letter], "Future[DeliveryReport]"]] = field(default_factory=dict)  # by factory
    expired_at: float = float("-inf")  # monotonic seconds
    turned_at: float = field(default_factory=time.monotonic)

    def turn(self) -> bool:
        """Delivers what is due now; whether there was anything. A slow factory holds up nobody else's turn."""
        if time.monotonic() - self.expired_at >= _EXPIRE_EVERY_S:
            with store.session() as session:
                job_orders.expire(session, clock.now())
            self.expired_at = time.monotonic()
        self.begin(self.claim())
        done, _ = wait([receipt for _, receipt in self.under_way.values()], _TURN_S)
        if done:
            ended = {name: letters for name, (letters, receipt) in self.under_way.items() if receipt in done}
            self.record([letter for letters in ended.values() for letter in letters], [one.result() for one in done])
            for name in ended:
                del self.under_way[name]
        return bool(done or self.under_way)

    def claim(self) -> list[Letter]:
        """What the outbox has for factories that do not pause, and that neither we nor another relay are at."""
        with store.session() as session:
            without = self.pauses.now() | self.under_way.keys()
            messages = outbox.claim(session, self.name, datetime.now(UTC), without)
        return [Letter(message.message_id, message.factory_id, "job-orders", message.body) for message in messages]

    def begin(self, letters: Sequence[Letter]) -> None:
        """Sends to where the published factories are now."""
        try:
            begun = begin(letters, self.route(addresses()), self.pool)
        except NotDeliveredError as error:
            begun = {letter.factory_id: failed(letter.factory_id, str(error)) for letter in letters}
        self.under_way |= {factory_id: ([], receipt) for factory_id, receipt in begun.items()}
        for letter in letters:
            self.under_way[letter.factory_id][0].append(letter)

    def record(self, letters: Iterable[Letter], receipts: Iterable[DeliveryReport]) -> None:
        """Sent is sent; where an error lasts, the letters are put off and make room for those to others."""
        sent = {key for receipt in receipts for key in receipt.delivered}
        lasting = {receipt.factory_id for receipt in receipts if self.pauses.note(receipt)}
        _SENT.inc(len(sent))
        _FAILED.inc(sum(receipt.error != "" for receipt in receipts))
        late = [letter.key for letter in letters if letter.factory_id in lasting and letter.key not in sent]
        wall = datetime.now(UTC)
        with store.session() as session:
            outbox.lock(session, [*sent, *late])
            outbox.mark_sent(session, sorted(sent), wall)
            outbox.postpone(session, late, wall)
            outbox.free(session, self.name, {letter.factory_id for letter in letters})


if __name__ == "__main__":
    run()
