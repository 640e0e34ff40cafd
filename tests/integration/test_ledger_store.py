"""The ledger's database: migrations, types and transactions, the same on SQLite and PostgreSQL."""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from threading import Thread

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from ledger_kit import NOW, new_postgresql_database, record
from sqlalchemy import inspect, make_url, select, text
from sqlalchemy.exc import IntegrityError

from c2m.ledger import status, store
from c2m.ledger.tables import TABLES, Base, FactoryStatus, Lot
from c2m.settings import settings


def test_migrations_make_exactly_the_tables_of_the_models(ledger: str) -> None:
    store.migrate()  # again: nothing happens
    with store.engine(ledger).connect() as connection:
        assert (
            compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), Base.metadata) == []
        )
        for name, table in TABLES.items():  # autogenerate does not look at check constraints
            seen = {check["name"] for check in inspect(connection).get_check_constraints(name)}
            wanted = {check.name for check in table.__table__.constraints if check.name.startswith("ck_")}
            assert seen == wanted


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_processes_that_start_at_once_may_all_migrate(database: str, home: Path) -> None:
    environment = {**os.environ, "C2M_HOME": str(home)}
    if database == "postgresql":
        environment["C2M_LEDGER_URL"] = new_postgresql_database()
    program = "from c2m.ledger import store; store.migrate(); store.migrate()"
    running = [
        subprocess.Popen([sys.executable, "-c", program], env=environment, stderr=subprocess.PIPE) for _ in range(2)
    ]
    for process in running:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors.decode()


def test_money_is_exact_and_moments_are_aware(ledger: str) -> None:
    record()
    india = datetime(2026, 1, 5, 13, 30, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    with store.session() as session:
        status.report(session, "F1", True, india, NOW)
    with store.session() as session:
        lot = session.get_one(Lot, "L1")
        assert (lot.unit_value, lot.unit_cost_basis) == (Decimal("12.3457"), Decimal("5.1000"))
        assert lot.at == NOW
        through = session.scalars(select(FactoryStatus.through)).one()
        assert through == india
        assert through is not None and through.tzinfo is UTC


def test_a_naive_moment_is_refused(sqlite_ledger: str) -> None:
    with pytest.raises(Exception, match="naive datetime"), store.session() as session:
        status.report(session, "F1", True, datetime(2026, 1, 5), NOW)  # noqa: DTZ001


def test_a_transaction_happens_as_a_whole_or_not_at_all(ledger: str) -> None:
    with pytest.raises(RuntimeError), store.session() as session:
        status.report(session, "F1", True, None, NOW)
        raise RuntimeError
    with store.session() as session:
        assert status.factories(session).empty


def test_states_and_references_are_guarded_by_the_database(ledger: str) -> None:
    record()
    for broken in (
        "UPDATE lots SET state = 'lost'",
        "UPDATE lots SET shipped = -1",
        "UPDATE lots SET order_id = 'nobody'",
    ):
        with pytest.raises(IntegrityError), store.session() as session:
            session.execute(text(broken))


def test_writers_wait_for_each_other(ledger: str) -> None:
    """Two threads that read, then write the same row lose no update."""
    record()

    def add(_: int) -> None:
        with store.session() as session:
            lot = session.get_one(Lot, "L1", with_for_update=True)
            lot.shipped += 1

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add, range(40)))
    with store.session() as session:
        assert session.get_one(Lot, "L1").shipped == 40


def test_sqlite_keeps_what_it_confirmed(sqlite_ledger: str) -> None:
    with store.engine(sqlite_ledger).connect() as connection:
        pragmas = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")]
    assert pragmas == ["wal", 2]
    assert settings().ledger == sqlite_ledger


def test_status_remembers_how_far_a_factory_reported(ledger: str) -> None:
    with store.session() as session:
        status.report(session, "F1", True, NOW, NOW)
        status.report(session, "F1", False, None, NOW + timedelta(hours=1))  # its last will
        status.report(session, "F1", True, NOW - timedelta(hours=1), NOW + timedelta(hours=2))
        seen = status.factories(session)
    assert seen[["factory_id", "online"]].to_numpy().tolist() == [["F1", True]]
    assert seen["through"][0] == NOW


@pytest.mark.skipif(sys.platform == "win32", reason="turns are file locks of POSIX")
def test_who_waits_to_write_comes_before_who_asks_later(sqlite_ledger: str) -> None:
    import fcntl

    came = []

    def write(name: str) -> None:
        with store.session() as session:
            session.execute(text("SELECT 1"))
            came.append(name)

    def waits() -> bool:
        with Path(f"{make_url(sqlite_ledger).database}-turn").open("ab") as turn:
            try:
                fcntl.flock(turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    other = Thread(target=write, args=("other",))
    with store.session() as session:
        session.execute(text("SELECT 1"))
        other.start()
        while not waits():
            time.sleep(0.01)
    write("again")
    other.join()
    assert came == ["other", "again"]
