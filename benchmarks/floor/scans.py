"""Scans from a broker to Parquet on disk, acknowledged: how many a second, and in how much memory.

    .venv/bin/python -m benchmarks.floor.scans [SECONDS]          (needs mosquitto; default 60 per row)
    .venv/bin/python -m benchmarks.floor.scans --flat [SECONDS]   (default 600; batches of 100 at RATE)

Mosquitto, the collector and the load generator share the machine, a process each. Four connections publish with QoS 1
as fast as the broker takes it, at most 200 messages under way each, so that what is measured is what the collector
keeps up with: a row ends once every scan lies on disk and every message is acknowledged. For longer than a minute this
cannot go on: what waits, Mosquitto saves anew every second, and it falls to a tenth once that is 2 GB. `--flat`
therefore publishes at a rate, and prints the collector's memory every 30 s.
"""

import json
import os
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from threading import Semaphore
from typing import Any

import duckdb
import pandas as pd
import psutil
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from c2m.floor import broker, credentials
from c2m.floor.child import child, free_port
from c2m.floor.processes import service
from c2m.ledger import store
from c2m.settings import settings

BATCHES = (1, 10, 100, 1000)
CONNECTIONS, UNDER_WAY = 4, 200
RATE = 60_000  # scans a second
DEADLINE_S, SAMPLE_S = 600, 0.5
_SCAN = (
    '{{"scan_id":"{id}","job_order_id":"4f1c1e0e-7a51-5f0e-9c55-0d5d4c3f6a11","sku_id":"S-12-M","operation":"sew",'
    '"quantity":9,"defects":1,"line_id":"line-2","bundle_id":"b-17","at":"2026-01-05T12:00:00Z"}}'
)
_MESSAGE = (
    '{{"specversion":"1.0","id":"{id}","source":"c2m/factory/{factory}","type":"c2m.scans",'
    '"datacontenttype":"application/json","time":"2026-01-05T12:00:00Z","data":[{scans}]}}'
)


def body(factory_id: str, number: int, batch: int) -> bytes:
    """One message of a factory."""
    scans = ",".join(_SCAN.format(id=f"{number}-{place}") for place in range(batch))
    return _MESSAGE.format(id=f"{factory_id}-{number}", factory=factory_id, scans=scans).encode()


def load(port: int, batch: int, seconds: float, rate: float) -> None:
    """Publishes until the time is over, at most `rate` scans a second; prints the number of messages."""
    free = {f"F{number}": Semaphore(UNDER_WAY) for number in range(CONNECTIONS)}
    clients = {name: _client(name, port, room) for name, room in free.items()}
    began, sent = time.monotonic(), 0
    while (now := time.monotonic()) < began + seconds:
        time.sleep(max(0.0, began + sent * batch / rate - now))
        for name, client in clients.items():
            free[name].acquire()
            client.publish(f"c2m/v1/{name}/scans", body(name, sent, batch), 1)
            sent += 1
    for room in free.values():
        for _ in range(UNDER_WAY):
            room.acquire()
    print(json.dumps(sent))


def _client(name: str, port: int, room: Semaphore) -> Client:
    client = Client(CallbackAPIVersion.VERSION2, f"load-{name}")
    client.username_pw_set(credentials.PLATFORM, credentials.platform_key())
    client.max_inflight_messages_set(UNDER_WAY)
    client.on_publish = lambda *_: room.release()
    client.connect("127.0.0.1", port)
    client.loop_start()
    return client


def measured(batch: int, seconds: float, watch: bool = False) -> dict[str, Any]:
    """One row: everything starts anew. watch: publish at RATE, print the collector's memory as time goes by."""
    with tempfile.TemporaryDirectory() as home, ExitStack() as stack:
        os.environ |= {"C2M_HOME": home, "C2M_MQTT_VERSION": "5", "C2M_HTTP_PORT": str(free_port())}
        settings.cache_clear()
        store.migrate()
        running = stack.enter_context(broker.start(engine="mosquitto"))
        meeting = {"C2M_MQTT_PORT": str(running.port)}
        collector = stack.enter_context(service("collector", ["c2m.floor.collect"], meeting))
        seen = psutil.Process(collector.pid)
        log, began = Path(home) / "logs" / "load.log", time.perf_counter()
        command = [sys.executable, "-m", "benchmarks.floor.scans", "--load", str(running.port), str(batch)]
        with child("load", [*command, str(seconds), str(RATE if watch else "inf")]) as generator:
            memory: list[float] = []
            while generator.poll() is None:
                memory.append(seen.memory_info().rss / 2**20)
                if watch and len(memory) % (30 / SAMPLE_S) == 1:
                    print(f"{len(memory) * SAMPLE_S:6.0f} s {memory[-1]:8.0f} MiB", flush=True)
                time.sleep(SAMPLE_S)
        sent = json.loads(log.read_text().splitlines()[-1])
        while landed() < sent * batch:
            if time.perf_counter() - began > seconds + DEADLINE_S:
                raise SystemExit(f"{landed()} of {sent * batch} scans on disk after {DEADLINE_S} s more")
            time.sleep(0.05)
        took = time.perf_counter() - began
        row = {"scans_a_message": batch, "bytes": len(body("F1", 1, batch)), "messages": sent, "seconds": took}
        row |= {"messages_a_second": sent / took, "scans_a_second": sent * batch / took}
        for name, process in {"collector": seen, "broker": psutil.Process(running.process.pid)}.items():
            row[f"{name}_cpu_s"] = sum(process.cpu_times()[:2])
        return row | {"mib_at_a_third": memory[len(memory) // 3], "mib_at_the_end": memory[-1]}


def landed() -> int:
    """Rows on disk."""
    names = [str(file) for file in (settings().landing / "scans").glob("[!.]*.parquet")]
    found = "SELECT sum(num_rows)::BIGINT FROM parquet_file_metadata(?)"
    (count,) = (names and duckdb.execute(found, [names]).fetchone()) or (0,)
    return int(count)


def main() -> None:
    if sys.argv[1:2] == ["--load"]:
        load(int(sys.argv[2]), int(sys.argv[3]), *map(float, sys.argv[4:]))
        return
    if broker.mosquitto_path() is None:
        sys.exit("mosquitto is not installed; this benchmark needs it")
    flat = sys.argv[1:2] == ["--flat"]
    given = [float(word) for word in sys.argv[1 + flat :]]
    seconds = given[0] if given else 600.0 if flat else 60.0
    rows = [measured(100, seconds, watch=True)] if flat else [measured(batch, seconds) for batch in BATCHES]
    print(pd.DataFrame(rows).round(1).to_string(index=False))


if __name__ == "__main__":
    main()
