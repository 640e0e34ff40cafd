"""A home in a file: taken from a finished day and in the midst of changes, laid out elsewhere, and worked on."""

import json
import os
import shutil
import sqlite3
import subprocess
import tarfile
import threading
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest
from day_kit import assert_same_ledger, command, environment, ledger
from ledger_kit import NOW, lot_row, new_postgresql_database, order_row
from postgresql_kit import Server, server

from c2m.errors import InputError
from c2m.ledger import orders, store
from c2m.settings import settings
from c2m.upkeep import backup


def c2m(home: Path, prefect_url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), env=environment(home, prefect_url), capture_output=True, text=True)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_restored_home_is_the_same_and_goes_on_elsewhere(undisturbed: Path, tmp_path: Path, prefect_url: str) -> None:
    file, moved = tmp_path / "home.tar.gz", tmp_path / "elsewhere" / "home"
    home = shutil.copytree(undisturbed, tmp_path / "here")  # other tests look at the one that they share
    done = c2m(home, prefect_url, "backup", str(file))
    assert done.returncode == 0, done.stderr
    assert file.stat().st_mode & 0o077 == 0  # it holds keys
    done = c2m(home, prefect_url, "restore", str(file), "--home", str(moved))
    assert done.returncode == 0, done.stderr
    assert_same_ledger(moved, home)
    before = json.loads(c2m(moved, prefect_url, "status", "--json").stdout)
    home.rename(home.with_name("away"))  # nothing of the old place is asked for
    done = c2m(moved, prefect_url, "run", "--date", before["business_date"], "--no-to-the-end", "--json")
    assert done.returncode == 0, done.stderr
    audit = c2m(moved, prefect_url, "audit", "verify")
    assert audit.returncode == 0, audit.stdout + audit.stderr
    old, new = ledger(undisturbed)["job_orders"], ledger(moved)["job_orders"]
    assert set(old["job_order_id"]) <= set(new["job_order_id"])
    assert json.loads(done.stdout)["forecast"]["model_version"] == before["forecast"]["model_version"]


def test_a_database_that_is_written_meanwhile_is_whole(home: Path, tmp_path: Path) -> None:
    """Each transaction moves a piece from one side to the other: whatever moment is kept, the sum holds."""
    with closing(sqlite3.connect(home / "ledger.db")) as connection, connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE sides (name TEXT, pieces INTEGER)")
        connection.executemany("INSERT INTO sides VALUES (?, ?)", [("left", 1000), ("right", 0)])
    stop = threading.Event()

    def move() -> None:
        with closing(sqlite3.connect(home / "ledger.db", timeout=30)) as connection:
            while not stop.is_set():
                with connection:
                    connection.execute("UPDATE sides SET pieces = pieces - 1 WHERE name = 'left'")
                    connection.execute("UPDATE sides SET pieces = pieces + 1 WHERE name = 'right'")

    mover = threading.Thread(target=move)
    mover.start()
    try:
        for number in range(5):
            backup.save(tmp_path / f"{number}.tar.gz")
    finally:
        stop.set()
        mover.join()
    for number in range(5):
        backup.restore(tmp_path / f"{number}.tar.gz", tmp_path / f"home-{number}")
        with closing(sqlite3.connect(tmp_path / f"home-{number}" / "ledger.db")) as connection:
            assert connection.execute("SELECT sum(pieces) FROM sides").fetchone() == (1000,)


def test_what_cannot_be_saved_or_restored_is_said(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, postgresql_tools: None
) -> None:
    with pytest.raises(InputError, match=r"has no ledger\.db"):
        backup.save(tmp_path / "b.tar.gz")
    monkeypatch.setenv("C2M_LEDGER_URL", "postgresql://nobody@127.0.0.1:1/c2m")
    settings.cache_clear()
    with pytest.raises(InputError, match=r"C2M_LEDGER_URL: pg_dump says: .*refused"):
        backup.save(tmp_path / "b.tar.gz")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="pg_dump is not found: install the PostgreSQL client"):
        backup.save(tmp_path / "b.tar.gz")
    assert not (tmp_path / "b.tar.gz").exists()
    with pytest.raises(InputError, match="expected the name of a new folder"):
        backup.restore(tmp_path / "b.tar.gz", home)
    (tmp_path / "torn.tar.gz").write_bytes(b"no archive")
    with pytest.raises(InputError, match="no whole backup"):
        backup.restore(tmp_path / "torn.tar.gz", tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_backup_cannot_write_outside_the_new_home(tmp_path: Path) -> None:
    (tmp_path / "evil").write_text("x")
    with tarfile.open(tmp_path / "b.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "evil", "../../outside")
    with pytest.raises(InputError, match="no whole backup"):
        backup.restore(tmp_path / "b.tar.gz", tmp_path / "a" / "b" / "home")
    assert not list(tmp_path.rglob("outside"))
    shutil.rmtree(tmp_path / "a")


def test_databases_on_postgresql_go_with_the_home(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, postgresql_tools: None
) -> None:
    """Of one moment, whatever is written meanwhile; restored into empty databases alone."""
    monkeypatch.setenv("C2M_LEDGER_URL", new_postgresql_database())
    settings.cache_clear()
    store.migrate()
    record_order("O1")
    stop = threading.Event()
    writer = threading.Thread(target=record_orders, args=(stop,))
    writer.start()
    try:
        saved = backup.save(tmp_path / "b.tar.gz")
    finally:
        stop.set()
        writer.join()
    assert (saved.databases, saved.elsewhere) == (["ledger"], [])
    with pytest.raises(InputError, match=r"C2M_LEDGER_URL .* tables: expected an empty database"):
        backup.restore(tmp_path / "b.tar.gz", tmp_path / "new")
    monkeypatch.delenv("C2M_LEDGER_URL")
    settings.cache_clear()
    with pytest.raises(InputError, match="C2M_LEDGER_URL: the backup has a dump"):
        backup.restore(tmp_path / "b.tar.gz", tmp_path / "new")
    assert not (tmp_path / "new").exists()
    monkeypatch.setenv("C2M_LEDGER_URL", new_postgresql_database())
    settings.cache_clear()
    backup.restore(tmp_path / "b.tar.gz", tmp_path / "new")
    with store.session() as session:
        held = store.snapshot(session)
    assert "O1" in set(held["orders"]["order_id"])
    assert set(held["orders"]["order_id"]) == set(held["lots"]["order_id"])  # they are written together


def record_orders(stop: threading.Event) -> None:
    number = 1
    while not stop.is_set():
        number += 1
        record_order(f"O{number}")


def record_order(order_id: str) -> None:
    lot = lot_row(f"L-{order_id}", order_id=order_id)
    sku = {"lot_id": lot["lot_id"], "sku_id": "S", "size": "M", "quantity": lot["quantity"]}
    with store.session() as session:
        orders.record(session, *(pd.DataFrame([row]) for row in (order_row(order_id), lot, sku)), NOW)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_home_on_postgresql_is_the_same_at_another_server(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ledger, MLflow and, where the server has what it asks for, Prefect; then all of it on a second server."""
    old, new = tmp_path / "home", tmp_path / "elsewhere" / "home"
    with server(tmp_path / "second") as second:
        here = databases_on(second)
        monkeypatch.setenv("PATH", f"{second.tools}{os.pathsep}{os.environ['PATH']}")
        with server(tmp_path / "first") as first:
            there = databases_on(first)
            done = c2m_on(old, there, "run", "--world", str(world), "--no-to-the-end", "--json")
            assert done.returncode == 0, done.stderr
            assert not list(old.glob("ledger.db")) + list(old.rglob("mlflow.db"))
            done = c2m_on(old, there, "backup", str(tmp_path / "b.tar.gz"))
            assert done.returncode == 0, done.stderr
            assert done.stdout.count(" on PostgreSQL") == 1, done.stdout
            done = c2m_on(new, here, "restore", str(tmp_path / "b.tar.gz"), "--home", str(new))
            assert done.returncode == 0, done.stderr
            before, restored = facts_of(there), facts_of(here)
        old.rename(tmp_path / "away")  # nothing of the old place is asked for
        for name, table in before.items():
            pd.testing.assert_frame_equal(restored[name], table, obj=name)
        status = json.loads(c2m_on(new, here, "status", "--json").stdout)
        assert status["orders"] == before["orders"]["state"].value_counts().to_dict()
        done = c2m_on(new, here, "audit", "verify")
        assert done.returncode == 0, done.stdout + done.stderr


def databases_on(server: Server) -> dict[str, str]:
    names = ["C2M_LEDGER_URL", "C2M_MLFLOW_URI", *["C2M_PREFECT_DATABASE_URL"] * server.has_trigrams]
    return {name: server.new_database() for name in names}


def c2m_on(home: Path, databases: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    own = environment(home, "", **databases)
    del own["PREFECT_API_URL"]  # a server of its own, on its database
    return subprocess.run(command(*arguments), env=own, capture_output=True, text=True)


def facts_of(databases: dict[str, str]) -> dict[str, pd.DataFrame]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("C2M_LEDGER_URL", databases["C2M_LEDGER_URL"])
        settings.cache_clear()
        with store.session() as session:
            facts = store.snapshot(session)
    settings.cache_clear()
    return facts
