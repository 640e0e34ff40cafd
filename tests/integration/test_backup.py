"""A home in a file: taken from a finished day and in the midst of changes, laid out elsewhere, and worked on."""

import json
import shutil
import sqlite3
import subprocess
import tarfile
import threading
from contextlib import closing
from pathlib import Path

import pytest
from day_kit import assert_same_ledger, command, environment, ledger

from c2m import backup
from c2m.errors import InputError
from c2m.settings import settings


def c2m(home: Path, prefect_url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), env=environment(home, prefect_url), capture_output=True, text=True)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_restored_home_is_the_same_and_goes_on_elsewhere(undisturbed: Path, tmp_path: Path, prefect_url: str) -> None:
    file, moved = tmp_path / "home.tar.gz", tmp_path / "elsewhere" / "home"
    done = c2m(undisturbed, prefect_url, "backup", str(file))
    assert done.returncode == 0, done.stderr
    assert file.stat().st_mode & 0o077 == 0  # it holds keys
    done = c2m(undisturbed, prefect_url, "restore", str(file), "--home", str(moved))
    assert done.returncode == 0, done.stderr
    assert_same_ledger(moved, undisturbed)
    before = json.loads(c2m(moved, prefect_url, "status", "--json").stdout)
    away = undisturbed.rename(undisturbed.with_name("away"))  # nothing of the old place is asked for
    try:
        done = c2m(moved, prefect_url, "run", "--date", before["business_date"], "--json")
        assert done.returncode == 0, done.stderr
        audit = c2m(moved, prefect_url, "audit", "verify")
        assert audit.returncode == 0, audit.stdout + audit.stderr
    finally:
        away.rename(undisturbed)
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


def test_what_cannot_be_saved_or_restored_is_said(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"has no ledger\.db"):
        backup.save(tmp_path / "b.tar.gz")
    monkeypatch.setenv("C2M_LEDGER_URL", "postgresql://db/c2m")
    settings.cache_clear()
    with pytest.raises(InputError, match="C2M_LEDGER_URL names a server"):
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
