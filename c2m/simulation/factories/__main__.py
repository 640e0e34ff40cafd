"""Simulated factories over real MQTT and HTTP.

python -m c2m.simulation.factories --factories FILE --seed N --state DIR --http-port P
"""

import argparse
import secrets
import uuid
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from threading import Event

from c2m import clock
from c2m.floor import credentials, http
from c2m.floor.child import LOOPBACK
from c2m.floor.delivery import Carrier, Letter, NotDeliveredError
from c2m.floor.mqtt import Connection, ReceivedMessage, Will
from c2m.floor.service import announce, stop_on_signal
from c2m.settings import settings
from c2m.simulation.factories import profile
from c2m.simulation.factories.engine import Engine, Incoming
from c2m.simulation.factories.factory import SimulatedFactory
from c2m.simulation.factories.state import State
from c2m.wire.messages import REMEMBERED_S, topic

_SENDERS = 8


def main() -> None:
    """Reads the command line and runs until a signal."""
    parser = argparse.ArgumentParser(prog="python -m c2m.simulation.factories", description="Simulated factories")
    parser.add_argument("--factories", type=Path, required=True, help="JSON list of factory rows")
    parser.add_argument("--seed", type=int, default=0, help="the same seed and job orders give the same production")
    parser.add_argument("--state", type=Path, required=True, help="folder in which the factories remember")
    parser.add_argument("--http-port", type=int, required=True, help="loopback port of the HTTP factories")
    options = parser.parse_args()
    run(options.factories, options.seed, options.state, options.http_port, stop_on_signal())


def run(factories_file: Path, seed: int, folder: Path, http_port: int, stop: Event) -> None:
    """Runs the factories of a file until `stop`."""
    state, session = State(folder), uuid.uuid4().hex
    rows = profile.read(factories_file)
    factories = {name: SimulatedFactory(row, seed, state, session, peers=rows) for name, row in rows.items()}
    carriers: dict[str, Carrier] = {}
    with ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(_SENDERS))
        engine = Engine(factories, state, carriers.__getitem__, pool)
        client = stack.enter_context(http.Client())
        over_mqtt = [factory for factory in factories.values() if factory.profile.transport == "mqtt"]
        connections = {factory.profile.factory_id: _connect(factory, engine) for factory in over_mqtt}
        carriers.update(dict.fromkeys(factories, http.carrier(client, _platform_url, _with_key)))
        carriers.update({name: connection.carry for name, connection in connections.items()})
        for connection in connections.values():
            stack.enter_context(connection)
        inlet = http.inlet("/{factory_id}", lambda *parts: _accept(engine, *parts), refusal)
        stack.enter_context(http.serve(inlet, http_port))
        announce(connections.values())
        engine.run(stop)
        for name, connection in connections.items():
            with suppress(NotDeliveredError):
                connection.publish(topic(name, "status"), factories[name].farewell(clock.now()), retain=True)


def _connect(factory: SimulatedFactory, engine: Engine) -> Connection:
    factory_id = factory.profile.factory_id

    def hand_on(message: ReceivedMessage) -> None:
        engine.inbox.put(Incoming(factory_id, message.payload, lambda _: connection.acknowledge(message)))

    will = Will(topic(factory_id, "status"), factory.farewell(clock.now()))
    connection = Connection(
        f"c2m-factory-{factory_id}", [topic(factory_id, "job-orders")], hand_on, will, remembers_s=REMEMBERED_S
    )
    return connection


def _accept(engine: Engine, factory_id: str, _kind: str, body: bytes) -> "Future[str]":
    safe: Future[str] = Future()
    engine.inbox.put(Incoming(factory_id, body, safe.set_result))
    return safe


def refusal(_factory_id: str, authorization: str | None) -> tuple[int, str] | None:
    """Nobody but this home's relay gives them work."""
    wanted = credentials.simulated_login()["authorization"]
    if secrets.compare_digest((authorization or "").encode(), wanted.encode()):
        return None
    return 401, "simulated factories take the messages of their own platform alone"


def _with_key(_letter: Letter) -> dict[str, str]:
    """They are the platform's own, as its services are."""
    return {"authorization": f"Bearer {credentials.platform_key()}"}


def _platform_url(letter: Letter) -> str:
    return f"http://{LOOPBACK}:{settings().http_port}/v1/factories/{letter.factory_id}/{letter.kind}"


if __name__ == "__main__":
    main()
