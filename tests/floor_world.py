"""A small world for tests of the floor: factories, an order book in the ledger, a released plan, the published mart."""

import json
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pandas as pd

from c2m import clock
from c2m.floor.processes import write_factories
from c2m.ledger import orders, plans, store
from c2m.settings import settings
from c2m.wire.messages import OPERATIONS, JobOrder, RoutingStep

DAY = date(2026, 3, 2)  # a Monday
MORNING = datetime(2026, 3, 1, 12, tzinfo=UTC)
SAM = {"cut": 1.0, "sew": 8.0, "finish": 1.0, "inspect": 1.0, "pack": 1.0}


def factory_rows(transports: Sequence[str], **changes: object) -> pd.DataFrame:
    """Factories F1, F2, ... that want every order and can make 600 shirts a day each."""
    row = {
        "timezone": "UTC", "operators": 20, "lines": 2, "setup_minutes": 60.0, "min_lot": 50,
        "small_order_willingness": 1.0, "endpoint_url": None,
    } | changes  # fmt: skip
    return pd.DataFrame([{"factory_id": f"F{i}", "transport": t, **row} for i, t in enumerate(transports, 1)])


def write_world(factories: pd.DataFrame, path: Path) -> Path:
    """The factories file of the simulation and the published mart that the relay reads."""
    ids = factories["factory_id"]
    capabilities = pd.DataFrame({"factory_id": ids, "kind": "category", "name": "shirt", "efficiency": 0.75})
    days = [DAY + timedelta(days=i) for i in range(28)]
    calendar = pd.DataFrame(
        [
            {"factory_id": f, "day": d, "minutes": 9600.0 * (d.weekday() < 5), "overtime_minutes": 0.0}
            for f in ids
            for d in days
        ]
    )
    write_factories(path, factories, capabilities, calendar)
    publish_factories(factories)
    return path


def publish_factories(factories: pd.DataFrame) -> None:
    """Lays out published/ as `c2m.warehouse.published.publish` does, with the one mart that the floor reads."""
    build = settings().published / f"build-{time.time_ns()}"
    build.mkdir(parents=True, exist_ok=True)
    frame = factories.astype({"endpoint_url": "string"})
    duckdb.from_df(frame).write_parquet(str(build / "factories.parquet"))
    marts = {"factories": {"file": f"{build.name}/factories.parquet", "rows": len(frame), "sha256": ""}}
    (settings().published / "current.json").write_text(json.dumps({"build_id": build.name, "marts": marts}))


def release(pieces: Iterable[tuple[str, int]], round: int = 1, at: datetime = MORNING) -> None:
    """Puts a lot per (factory, quantity) into the ledger, all of one order, and releases a plan of just that."""
    pairs = list(pieces)
    number = range(1, len(pairs) + 1)
    order = {
        "order_id": f"O{round}", "merchant_id": "M1", "source": "merchant", "parent_order_id": None, "placed_on": DAY,
        "release_on": None, "due_on": DAY + timedelta(days=20), "priority": None, "tolerance_share": 0.0,
        "max_factories": None, "currency": "USD", "destination_latitude": None, "destination_longitude": None,
    }  # fmt: skip
    lots = pd.DataFrame(
        [
            {"lot_id": f"O{round}-{n}", "order_id": f"O{round}", "merchant_id": "M1", "style_id": "S1",
             "colour": "blue", "category": "shirt", "crafts": "", "quantity": quantity,
             "unit_value": 20, "unit_cost_basis": 8,
             **{f"sam_{name}_minutes": minutes for name, minutes in SAM.items()}, "sam_minutes": sum(SAM.values())}
            for n, (_, quantity) in zip(number, pairs, strict=True)
        ]
    )  # fmt: skip
    skus = [(f"O{round}-{n}", q) for n, (_, q) in zip(number, pairs, strict=True)]
    lot_skus = pd.DataFrame(
        [
            {"lot_id": lot_id, "sku_id": f"{lot_id}-{size}", "quantity": quantity // 2 + odd * (quantity % 2)}
            for lot_id, quantity in skus
            for size, odd in (("M", 0), ("L", 1))
        ]
    )
    with store.session() as session:
        orders.record(session, pd.DataFrame([order]), lots, lot_skus, at)
    allot([(f"O{round}-{n}", f, q) for n, (f, q) in zip(number, pairs, strict=True)], round, at)


def allot(pairs: Iterable[tuple[str, str, int]], round: int, at: datetime = MORNING) -> None:
    """Releases a plan of (lot, factory, quantity)."""
    rows = [(*pair, DAY + timedelta(days=1), DAY + timedelta(days=12)) for pair in pairs]
    allocation = pd.DataFrame(rows, columns=["lot_id", "factory_id", "quantity", "start_on", "finish_on"])
    plan = plans.ProposedPlan(
        business_date=DAY, round=round, objective=1, bound=1, gap=0, status="optimal", instance_sha256=f"{round}",
        model_version=None, folder="", allocation=allocation, unmet_pieces=0, at=at,
    )  # fmt: skip
    with store.session() as session:
        plan_id = plans.propose(session, plan)
        plans.release(session, plan_id, "test", "test", (), at)


def order(quantity: int = 240, revision: int = 1, job_order_id: str = "J1", **changes: object) -> JobOrder:
    """A job order as a factory gets it."""
    fields = {
        "job_order_id": job_order_id, "revision": revision, "order_id": "O1", "merchant_id": "M1", "style_id": "S1",
        "category": "shirt", "quantity": quantity,
        "quantity_by_sku": {"A": quantity // 2, "B": quantity - quantity // 2},
        "start_on": DAY + timedelta(days=1), "due_on": DAY + timedelta(days=12),
        "accept_by": MORNING + timedelta(hours=12),
        "operations": tuple(RoutingStep(name=name, sam_minutes=SAM[name]) for name in OPERATIONS if name in SAM),
    }  # fmt: skip
    return JobOrder(**(fields | changes))


def landed_scans() -> pd.DataFrame:
    """Every scan that the collector put on disk, repetitions of a message included."""
    files = str(settings().landing / "scans" / "[!.]*.parquet")  # others are being written
    return duckdb.sql(f"SELECT * FROM read_parquet('{files}')").df()


def begin() -> None:
    """A ledger, and a virtual clock at the morning of the test day."""
    clock.set_now(MORNING)
    store.migrate()
