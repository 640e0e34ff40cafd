"""The MQTT broker of one machine: Mosquitto where it is installed, else the embedded amqtt (MQTT 3.1.1); loopback only.

Neither takes anybody without a key. The embedded one knows the platform's alone: a key of a factory (`c2m factory add`)
asks for Mosquitto. With `mqtt_cert_file` Mosquitto speaks TLS.
Production points `mqtt_host` and `mqtt_port` at its own broker and starts none.
"""

import json
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from c2m.errors import InputError
from c2m.files import write_atomically
from c2m.floor import credentials
from c2m.floor.child import LOOPBACK, Child, await_ready, child, free_port, listens
from c2m.settings import settings
from c2m.wire.messages import MAX_BYTES

Engine = Literal["mosquitto", "amqtt"]


@dataclass(frozen=True)
class Broker:
    """A running broker."""

    engine: Engine
    port: int
    process: Child


def reload() -> bool:
    """Has the running broker of this home read credentials anew; whether there is one that does."""
    floor = settings().home / "floor.json"
    pid = json.loads(floor.read_bytes())["pids"]["broker"] if floor.exists() else None
    if pid is None or not _is_mosquitto(pid):
        return False
    credentials.broker_files((settings().home / "broker").absolute())
    os.kill(pid, signal.SIGHUP)
    return True


def forget_expired() -> None:
    """Has the running broker turn away whose key has expired since it last read them."""
    passwords = settings().home / "broker" / "passwords"
    if passwords.exists() and _users(passwords) - credentials.live().keys() - {credentials.PLATFORM}:
        reload()


def _users(passwords: Path) -> set[str]:
    """Whom the broker has read."""
    return {line.partition(":")[0] for line in passwords.read_text().splitlines()}


def _is_mosquitto(pid: int) -> bool:
    """A pid of a floor that has ended may be anyone's."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip() == "mosquitto"
    except OSError:
        return False


def _tls() -> list[str]:
    files = settings().mqtt_cert_file, settings().mqtt_key_file
    names = ("certfile", "keyfile")
    return [f"{name} {file.absolute()}" for name, file in zip(names, files, strict=True) if file]


@contextmanager
def start(port: int | None = None, engine: Engine | None = None) -> Iterator[Broker]:
    """Runs a broker on `port` (default: a free one) until the block ends. Mosquitto keeps its sessions on disk.

    Raises
    ------
    InputError
        Factories have keys, and there is no Mosquitto to ask for them.
    """
    port = port or free_port()
    credentials.renew_platform_key()
    mosquitto = mosquitto_path()
    engine = engine or ("mosquitto" if mosquitto else "amqtt")
    if engine == "amqtt" and credentials.issued():
        seen = "factories have keys, and the embedded broker does not keep one factory from another's messages"
        raise InputError("broker-without-credentials", [f"{seen}: install mosquitto, which does"])
    command = (
        [mosquitto or "mosquitto", "-c", str(_mosquitto_config(port))]
        if engine == "mosquitto"
        else [sys.executable, "-m", "c2m.floor.embedded", str(port)]
    )
    with child("broker", command) as process:
        await_ready(process, lambda: listens(port))
        yield Broker(engine, port, process)


def mosquitto_path() -> str | None:
    """The Mosquitto binary; Debian puts it where the PATH of ordinary users does not lead."""
    return shutil.which("mosquitto", path=os.environ.get("PATH", os.defpath) + os.pathsep + "/usr/sbin")


def _mosquitto_config(port: int) -> Path:
    """Queues without a limit: a consumer that is down loses nothing (by default what exceeds 1,000 messages)."""
    folder = (settings().home / "broker").absolute()
    folder.mkdir(parents=True, exist_ok=True)
    lines = [
        f"listener {port} {LOOPBACK}",
        *_tls(),
        *credentials.broker_files(folder),
        "user root",  # only heeded when started as root: Mosquitto would turn into a user who cannot write here
        "persistence true",
        f"persistence_location {folder}/",
        "autosave_interval 1",
        "autosave_on_changes false",
        "max_queued_messages 0",
        "max_inflight_messages 500",
        # Who sends more is disconnected: it would be an attack on the memory of whoever receives it. Up to here a
        # message that is too long becomes a dead letter, which says so.
        f"max_packet_size {2 * MAX_BYTES}",
        "log_type error",
        "log_type warning",
    ]
    write_atomically(folder / "mosquitto.conf", ("\n".join(lines) + "\n").encode())
    return folder / "mosquitto.conf"
