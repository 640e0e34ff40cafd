"""Whether the factory floor can speak: broker, relay, collector, and what waits to be sent."""

import json
import os
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from c2m import clock
from c2m.doctor.finding import Finding, judged
from c2m.errors import C2MError
from c2m.floor import credentials
from c2m.floor.child import LOOPBACK, listens, log_file
from c2m.ledger.conversation.outbox import overdue
from c2m.ledger.store import session
from c2m.settings import settings
from c2m.upkeep import keeper

# What the command line of each process has in it; a pid of a floor that has ended may be anyone's.
_COMMANDS = {
    "broker": ("mosquitto", "c2m.floor.embedded"),
    "collector": ("c2m.floor.collect",),
    "relay": ("c2m.floor.relay",),
    "factories": ("c2m.simulation.factories",),
}
# A client without a name (MQTT 3.1.1), and how a broker takes it: the last byte says why where it does not.
_CONNECT, _TAKEN = b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00", b"\x20\x02\x00\x00"
_ANSWER_S = 5.0
_FOLLOWED = timedelta(days=14)  # before its end a key should be followed by the next one
_SENT = timedelta(minutes=5)  # the relay looks every few seconds, and tries a factory again within minutes


def broker() -> list[Finding]:
    """It runs, answers, and takes nobody without a key."""
    if settings().mqtt_host != LOOPBACK:
        return [Finding("broker", None, f"the broker is {settings().mqtt_host}'s, not of this machine")]
    return _own_broker(_floor())


def _own_broker(floor: dict[str, Any]) -> list[Finding]:
    port = floor["mqtt_port"]
    said = _said_to_a_stranger(port) if _runs("broker", floor["pids"]["broker"]) and listens(port) else b""
    faults = [] if said else [f"nobody answers on port {port}"]
    if said == _TAKEN:
        faults = [f"what answers on port {port} takes everyone without a key: it is not the broker that we started"]
    return judged(
        "broker", faults, f"{floor['engine']} on port {port}", f"read {log_file('broker')}; start c2m up anew"
    )


def _said_to_a_stranger(port: int) -> bytes:
    """How the broker answers who names no key; nothing where it does not answer."""
    try:
        with socket.create_connection((LOOPBACK, port), _ANSWER_S) as plain:
            if not settings().mqtt_cert_file:
                plain.sendall(_CONNECT)
                return plain.recv(4) or b"hung up"
            trusted = ssl.create_default_context(cafile=settings().mqtt_ca_file)
            trusted.check_hostname = False
            with trusted.wrap_socket(plain) as safe:
                safe.sendall(_CONNECT)
                return safe.recv(4) or b"hung up"
    except TimeoutError:
        return b""
    except OSError:
        return b"hung up"


def services() -> Iterator[Finding]:
    """Relay, collector, and simulated factories where there are any."""
    if settings().mqtt_host == LOOPBACK:
        yield from (_service(name, pid) for name, pid in _floor()["pids"].items() if name != "broker")


def _service(name: str, pid: int) -> Finding:
    if _runs(name, pid):
        return Finding(name, True, f"process {pid} runs")
    return Finding(name, False, f"process {pid} has ended", f"read {log_file(name)}; start c2m up anew")


def processes() -> list[Finding]:
    """No child of `c2m up` has ended again and again."""
    noted = keeper.noted()
    faults = [
        f"{one['process']} keeps failing since {one['since']}, {one['reason']}"
        for one in noted
        if one["state"] == "keeps failing"
    ]
    well = f"{len(noted)} run, restarted {sum(one['restarts'] for one in noted)} times"
    return judged("processes", faults, well, f"read its file in {settings().home / 'logs'}")


def keys() -> list[Finding]:
    """Each factory with keys has one that holds for some time yet."""
    soon, last = datetime.now(UTC) + _FOLLOWED, dict[str, datetime | None]()
    for user, hashes in credentials.known().items():
        factory_id, end = credentials.owner(user), credentials.expires(hashes)
        known = last.get(factory_id, end)
        last[factory_id] = None if known is None or end is None else max(known, end)
    faults = [f"the key of {name} expires on {end:%Y-%m-%d}" for name, end in last.items() if end and end < soon]
    move = "c2m factory rotate FACTORY issues the next one, while the old one holds on"
    return judged("keys", faults, f"{len(last)} factories and services have keys that hold", move)


def outbox() -> list[Finding]:
    """Nothing has waited for long to be sent."""
    with session() as transaction:
        count = overdue(transaction, datetime.now(UTC), clock.now(), _SENT)
    faults = [f"{count} messages to factories are due for more than {_SENT.seconds // 60} minutes"] if count else []
    return judged("outbox", faults, "no message is overdue", f"read {log_file('relay')}")


def _floor() -> dict[str, Any]:
    file = settings().home / "floor.json"
    if not file.exists():
        raise C2MError("no-floor", ["no floor was ever started on this home: start c2m up"])
    found: dict[str, Any] = json.loads(file.read_bytes())
    return found


def _runs(name: str, pid: int) -> bool:
    try:
        os.kill(pid, 0)
        command = Path(f"/proc/{pid}/cmdline")
        return not command.exists() or any(part in command.read_text() for part in _COMMANDS[name])
    except OSError:  # it has ended, or is somebody else's
        return False
