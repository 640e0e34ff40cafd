"""A million messages whose numbers stand at every limit: no later day stops, whatever factories say.

    .venv/bin/python -m benchmarks.faults.limits [--messages 1000000] [--a-day 100000] [--seed 1]

Scans, corrections, answers and status messages on the job orders of a small demo world, with pieces, counters and
moments at, beside and beyond what the contract allows, go through the collector's own `commit`. After each `a_day` of
them comes a later day, by the functions that flows call: landed scans are merged, the ledger's changes land, dbt builds
and judges every mart, the marts are published, progress is counted, what merchants no longer order is asked back, and
the planning instance is built. Prints one line of JSON; exit code 1 where anything stopped.
"""

import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import typer
from dbt.cli.main import dbtRunner

from c2m import clock
from c2m.feeds import compact
from c2m.feeds.ingest import ingest
from c2m.feeds.world import World
from c2m.floor import collect, corrections
from c2m.ledger import changelog, job_orders, orders, plans, promises, store
from c2m.ledger.conversation import changes
from c2m.settings import settings
from c2m.simulation.world.world import BUSINESS_DATE, write_world
from c2m.warehouse.published import dbt_args, publish, read
from c2m.wire.messages import MAX_JUMP, MAX_PIECES, OPERATIONS
from optimization.book.currencies import plan_currency
from optimization.book.daily_instance import build_instance, merchant_lots
from optimization.book.set_aside import set_apart
from optimization.contract.instances import Instance
from optimization.engines.first.rule import greedy

GROUP = 2_500  # messages that are committed together
BEYOND = 0.05  # the share of numbers that the contract refuses

LEGAL_PIECES = [0, 1, 9, MAX_PIECES - 1, MAX_PIECES]
PIECES = [MAX_PIECES + 1, 2**31 - 1, 2**31, 2**53, 2**63 - 1, 2**63, 10**30, -1]
LEGAL_COUNTERS = [1, 2, 3, MAX_JUMP, MAX_JUMP + 1, 1_999_999_999, 2_000_000_000]
COUNTERS = [2_000_000_001, 2**31 - 1, 2**31, 2**63, 0, -1]
LEGAL_MOMENTS = ["2000-01-01T00:00:00Z", "2199-12-31T23:59:59.999999Z", "2199-12-31T00:00:00+14:00"]
MOMENTS = ["1999-12-31T23:59:59.999999Z", "2200-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59Z"]
STATES = ["NotAllowedToStart", "AllowedToStart", "Running", "Interrupted", "Ended", "Aborted"]
TYPES = {"scans": "c2m.scans", "job-responses": "c2m.job-response", "status": "c2m.status"}
SHARES = (88, 6, 6)  # most of what factories say is scans
Job = tuple[str, str, str]  # job_order_id, factory_id, sku_id


def build(day: date) -> None:
    """What has landed and changed becomes the published marts of a day; raises what dbt says."""
    compact.compact()
    changelog.export()
    built = dbtRunner().invoke(["--quiet", *dbt_args("build", day)])
    if not built.success:
        nodes = getattr(built.result, "results", ())
        failed = [f"{node.node.name}: {node.message}" for node in nodes if node.status in ("error", "fail")]
        raise RuntimeError("; ".join(failed) or str(built.exception))
    publish(day)


def record_book() -> None:
    """The order book of the published marts goes into the ledger."""
    with store.session() as session:
        book = merchant_lots(read("merchant_order_book"), read("skus"), orders.held(session))
        orders.record(session, *set_apart(*book, plan_currency(read("factories"))), clock.now())


def instance_of(day: date) -> Instance | None:
    """What is to be planned on a day."""
    with store.session() as session:
        lots, live, refused = orders.open_lots(session), job_orders.live(session), job_orders.refusals(session)
    factories, capabilities, calendar = read("factories"), read("factory_capabilities"), read("factory_calendar")
    scores = read("factory_scores")
    return build_instance(lots, live, refused, factories, capabilities, calendar, scores, settings().plan, day)


def release(instance: Instance) -> None:
    """All of a greedy plan."""
    day = {"start_on": BUSINESS_DATE + timedelta(days=1), "finish_on": BUSINESS_DATE + timedelta(days=9)}
    facts: dict[str, Any] = {"business_date": BUSINESS_DATE, "round": 1, "instance_sha256": "sha", "folder": ""}
    facts |= {"objective": 1, "bound": 1, "gap": 0, "status": "optimal", "unmet_pieces": 0, "at": clock.now()}
    proposed = plans.ProposedPlan(**facts, model_version=None, allocation=greedy(instance).allocation.assign(**day))
    with store.session() as session:
        plans.release(session, plans.propose(session, proposed), "limits", "all of it", (), clock.now())


def released(home: Path) -> list[Job]:
    """The first day of the demo world, released; its job orders by SKU."""
    write_world(home / "world", 7, "small")
    clock.set_now(clock.cut_off(BUSINESS_DATE) - timedelta(minutes=1))
    ingest(World.load(home / "world"))
    store.migrate()
    build(BUSINESS_DATE)
    clock.set_now(clock.cut_off(BUSINESS_DATE) + timedelta(hours=1))
    record_book()
    release(cast(Instance, instance_of(BUSINESS_DATE)))
    with store.session() as session:
        held = store.snapshot(session)
    rows = held["job_orders"].merge(held["job_order_skus"], on="job_order_id")
    return list(rows[["job_order_id", "factory_id", "sku_id"]].itertuples(index=False, name=None))


@dataclass
class Writer:
    """Messages at the limits, from a seed; `sequence` goes on by job order, so that answers are not all stale."""

    draws: random.Random
    jobs: Sequence[Job]
    now: datetime
    sequences: Counter[str] = field(default_factory=Counter)

    def message(self, number: int) -> tuple[str, bytes]:
        """Topic and bytes."""
        job = self.draws.choice(self.jobs)
        kind = self.draws.choices(list(TYPES), SHARES)[0]
        data: Any = {"online": self.draws.random() < 0.5, "through": self._moment()}
        if kind == "job-responses":
            data = self._answer(job[0])
        elif kind == "scans":
            data = [self._scan(number, place, job) for place in range(self.draws.randrange(1, 4))]
        elif kind == "status":
            data["version"] = self._one([1, 2, 1_000], [0, 1_001, 2**63])
        facts = {"specversion": "1.0", "id": f"m{number}", "source": f"c2m/factory/{job[1]}", "type": TYPES[kind]}
        body = json.dumps(facts | {"time": self._moment(), "data": data})
        return f"c2m/v1/{job[1]}/{kind}", body.encode()

    def _answer(self, job_order_id: str) -> dict[str, Any]:
        self.sequences[job_order_id] += 1
        sequence = self._one([self.sequences[job_order_id]] * 7 + LEGAL_COUNTERS, COUNTERS)
        answer = {"job_order_id": job_order_id, "revision": self._one([1] * 7 + LEGAL_COUNTERS, COUNTERS)}
        answer |= {"sequence": sequence, "state": self.draws.choice(STATES), "made": self._one(LEGAL_PIECES, PIECES)}
        return answer | {"accepted": self.draws.choice([True, False, None])}

    def _scan(self, number: int, place: int, job: Job) -> dict[str, Any]:
        scan = {"scan_id": f"{number}-{place}", "job_order_id": job[0], "sku_id": self._one([job[2]], ["other"])}
        scan |= {"operation": self.draws.choice(OPERATIONS), "at": self._moment()}
        scan |= {name: self._one(LEGAL_PIECES, PIECES) for name in ("quantity", "defects")}
        scan["line_id"] = "L" * self._one([1, 64], [65])
        earlier = f"{self.draws.randrange(max(1, number - 200), number + 2)}-0"
        return scan | ({"corrects": earlier} if self.draws.random() < 0.1 else {})

    def _moment(self) -> str:
        ago = timedelta(hours=self.draws.randrange(40))
        return str(self._one([(self.now - ago).isoformat()] * 9 + LEGAL_MOMENTS, MOMENTS))

    def _one(self, legal: Sequence[Any], beyond: Sequence[Any]) -> Any:
        return self.draws.choice(beyond if self.draws.random() < BEYOND else legal)


def later_day(number: int) -> None:
    """What a day does with what factories said."""
    day = BUSINESS_DATE + timedelta(days=number)
    clock.set_now(clock.cut_off(day) + timedelta(hours=1))
    build(day)
    now = clock.now()
    with store.session() as session:
        job_orders.expire(session, now)
        job_orders.apply_progress(session, read("job_order_progress"), clock.cut_off(day), read("goods"))
        promises.make(session, now)
        corrections.refuse(session, read("scan_corrections"), now)
    record_book()
    with store.session() as session:
        changes.ask(session, now)
    instance_of(day)


def commit(writer: Writer, numbers: range) -> Counter[str]:
    """A group of messages goes through the collector; how many it took, how many are dead letters."""
    writer.now = clock.now()
    some = [writer.message(number) for number in numbers]
    reasons = collect.commit([collect.Arrival(topic, body, lambda _: None) for topic, body in some], clock.now())
    return Counter("dead_letters" if reason else "taken" for reason in reasons)


def run(home: Path, messages: int, a_day: int, seed: int) -> dict[str, Any]:
    """Figures of the run, and in `stopped` the error of each step that stopped."""
    writer, said, stopped = Writer(random.Random(seed), released(home), clock.now()), Counter[str](), list[str]()
    began, busy = time.monotonic(), time.process_time()
    days = -(-messages // a_day)
    for day in range(1, days + 1):
        first, last = (day - 1) * a_day, min(day * a_day, messages)
        try:
            for start in range(first, last, GROUP):
                clock.set_now(clock.now() + timedelta(hours=22) * GROUP / a_day)
                said += commit(writer, range(start, min(start + GROUP, last)))
            shown = f"{last:,} messages, {time.process_time() - busy:.0f} s of processor time"
            later_day(day)
        except Exception as error:
            stopped.append(f"day {day}: {type(error).__name__}: {error}"[:4_000])
        print(f"{shown}, day {day} built {time.process_time() - busy:.0f} s", file=sys.stderr, flush=True)
    spent = {"seconds": round(time.monotonic() - began), "processor_seconds": round(time.process_time() - busy)}
    return {"messages": messages, **said, "later_days": days, **_counted(), **spent, "stopped": stopped}


def _counted() -> dict[str, int]:
    """What the last day's marts hold of it."""
    progress, goods = read("job_order_progress"), read("goods")
    return {"good_pieces": int(progress["good_pieces"].sum()), "surplus": int(goods["surplus"].sum())}


def main(messages: int = 1_000_000, a_day: int = 100_000, seed: int = 1) -> None:
    """A run in a home of its own."""
    with tempfile.TemporaryDirectory(prefix="c2m-limits-") as home:
        os.environ["C2M_HOME"] = home
        settings.cache_clear()
        found = run(Path(home), messages, a_day, seed)
    print(json.dumps(found))
    raise SystemExit(bool(found["stopped"]))


if __name__ == "__main__":
    typer.run(main)
