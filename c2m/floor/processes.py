"""The factory floor of one machine as child processes: broker, collector, simulated factories, relay.

They meet on free loopback ports, which C2M_HOME/floor.json states; their logs lie in C2M_HOME/logs. They end with the
block, and with us where we are killed.
"""

import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from c2m.errors import C2MError
from c2m.files import write_atomically, write_json
from c2m.floor import broker
from c2m.floor.child import LOOPBACK, Child, await_ready, child, free_port
from c2m.floor.service import READY
from c2m.ledger import status, store
from c2m.ledger.conversation import outbox
from c2m.settings import settings

_SETTLE_POLL_S = 0.05


@dataclass(frozen=True)
class FloorProcesses:
    """Where the processes are found. `factory_http_port`: of the simulated HTTP factories."""

    engine: broker.Engine
    mqtt_port: int  # of the MQTT broker
    http_port: int  # of the platform's HTTP service for factories
    factory_http_port: int
    children: Mapping[str, Child]  # processes by name

    @property
    def pids(self) -> dict[str, int]:
        """The process behind each name, as of now."""
        return {name: process.pid for name, process in self.children.items()}

    def note(self) -> None:
        """Writes to C2M_HOME where the processes are found now."""
        facts = {name: value for name, value in vars(self).items() if name != "children"} | {"pids": self.pids}
        write_json(settings().home / "floor.json", facts)


@contextmanager
def floor(
    factories: Path | None,
    seed: int = 0,
    mqtt_port: int | None = None,
    http_port: int | None = None,
    engine: broker.Engine | None = None,
    relay_port: int | None = None,
) -> Iterator[FloorProcesses]:
    """Runs broker, collector, relay and, where there is a file of them, simulated factories until the block ends.

    Parameters
    ----------
    factories
        File of `write_factories`; None: no simulated factory.
    seed
        Of what the factories do.
    mqtt_port
        Of the broker; None: a free one.
    http_port
        Of the collector; None: a free one.
    engine
        Of the broker; None: the one that is installed.
    relay_port
        At which the relay tells its health; None: a free one.

    Yields
    ------
    FloorProcesses
        Its ports and process ids, and the broker's engine.

    Raises
    ------
    C2MError
        A service does not start; with the end of its log.
    """
    with ExitStack() as stack:
        running = stack.enter_context(broker.start(mqtt_port, engine))
        http_port, factory_http_port = http_port or free_port(), free_port()
        env = _environment(running, http_port, factory_http_port)
        # Who is spoken to listens before the speaker starts: MQTT 3.1.1 does not say when nobody does.
        modules = {"collector": ["c2m.floor.collect"]}
        if factories:
            simulate = ["c2m.simulation.factories", "--factories", str(factories), "--seed", str(seed)]
            simulate += ["--state", str(settings().home / "sim"), "--http-port", str(factory_http_port)]
            modules["factories"] = simulate
        modules["relay"] = ["c2m.floor.relay"]
        env["C2M_HEALTH_PORT"] = str(relay_port or free_port())
        children = {name: stack.enter_context(service(name, module, env)) for name, module in modules.items()}
        together = {"broker": running.process, **children}
        found = FloorProcesses(running.engine, running.port, http_port, factory_http_port, together)
        found.note()
        yield found
        for process in children.values():
            process.terminate()  # all at once; then the stack waits for one after another, and stops the broker last


def _environment(running: broker.Broker, http_port: int, factory_http_port: int) -> dict[str, str]:
    """What the services must know of where they meet."""
    return {
        "PREFECT_API_AUTH_STRING": "",  # the key of the pages is none of their business
        "C2M_HOME": str(settings().home.absolute()),
        "C2M_MQTT_HOST": LOOPBACK,
        "C2M_MQTT_PORT": str(running.port),
        "C2M_MQTT_VERSION": "5" if running.engine == "mosquitto" else "3.1.1",
        "C2M_HTTP_PORT": str(http_port),
        "C2M_HTTP_FACTORY_URL": f"http://{LOOPBACK}:{factory_http_port}/{{factory_id}}",
    }


@contextmanager
def service(name: str, module: list[str], env: Mapping[str, str]) -> Iterator[Child]:
    """Runs a module that says when it is ready (c2m/floor/service.py); yields its process then."""
    with child(name, [sys.executable, "-m", *module], env) as process:
        await_ready(process, lambda: READY in process.said())
        yield process


def write_factories(path: Path, factories: pd.DataFrame, capabilities: pd.DataFrame, calendar: pd.DataFrame) -> None:
    """The file that the simulated factories read.

    Parameters
    ----------
    path
        Where it goes.
    factories
        The mart or the feed of this name.
    capabilities
        factory_id, kind, name, efficiency.
    calendar
        factory_id, day, minutes, overtime_minutes.
    """
    skills = _by_factory(capabilities[["factory_id", "kind", "name", "efficiency"]])
    days = calendar[["factory_id", "day", "minutes", "overtime_minutes"]].copy()
    days["day"] = pd.to_datetime(days["day"]).dt.strftime("%Y-%m-%d")
    entries = _by_factory(days)
    rows = [
        {**row, "capabilities": skills.get(row["factory_id"], []), "calendar": entries.get(row["factory_id"], [])}
        for row in _plain(factories)
    ]
    write_atomically(path, json.dumps(rows, default=str).encode())


def settle(factory_ids: set[str], moment: datetime, timeout_s: float = 120) -> None:
    """Waits until all is said: no message without its answer, and each factory has told everything.

    Parameters
    ----------
    factory_ids
        Those that are waited for.
    moment
        UTC, up to which they must have told.
    timeout_s
        Seconds after which the wait fails.

    Raises
    ------
    C2MError
        Somebody is behind after that time; each fault is named.
    """
    deadline = time.monotonic() + timeout_s
    while behind := _behind(factory_ids, moment):
        if time.monotonic() > deadline:
            raise C2MError("floor-not-settled", [f"after {timeout_s} s: {fault}" for fault in behind])
        time.sleep(_SETTLE_POLL_S)


def _behind(factory_ids: set[str], moment: datetime) -> list[str]:
    with store.session() as session:
        open_messages = status.summary(session)["outbox"]
        reports = status.factories(session)
    through = dict(zip(reports["factory_id"], reports["through"], strict=True))
    late = sorted(name for name in factory_ids if not (through.get(name) and through[name] >= moment))
    unanswered = sum(open_messages.get(state, 0) for state in outbox.OPEN)
    faults = [f"factory {name} has reported up to {through.get(name)}, expected {moment}" for name in late]
    return faults + ([f"{unanswered} messages to factories have no answer"] if unanswered else [])


def _by_factory(frame: pd.DataFrame) -> dict[str, list[dict[str, Any]]]:
    return {str(name): _plain(group.drop(columns="factory_id")) for name, group in frame.groupby("factory_id")}


def _plain(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return frame.astype(object).where(frame.notna(), None).to_dict("records")  # type: ignore[return-value]
