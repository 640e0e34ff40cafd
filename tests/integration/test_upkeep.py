"""A home in the long run: what is too old goes, an older home is upgraded, a newer one is left alone."""

import json
import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from ledger_kit import answer, job_orders_of
from sqlalchemy import text
from typer.testing import CliRunner

from c2m import clock
from c2m.cli import app
from c2m.errors import InputError
from c2m.feeds import file_outcomes
from c2m.feeds.file_outcomes import FileOutcome
from c2m.feeds.landing import ensure_landing
from c2m.ledger import audit, store
from c2m.ledger.conversation import inbox, letters
from c2m.ledger.rooms import quotes
from c2m.settings import settings
from c2m.upkeep import retention
from c2m.upkeep.backup import restore
from c2m.upkeep.upgrade import saved, upgrade

TODAY = date(2026, 6, 1)


@pytest.fixture
def old_home(home: Path) -> Path:
    """A home with something old and something young of each kind."""
    clock.set_now(datetime(2026, 6, 1, 12, tzinfo=UTC))
    store.migrate()
    ensure_landing()
    for days in (181, 180):
        folder = home / "runs" / (TODAY - timedelta(days=days)).isoformat() / "plan"
        folder.mkdir(parents=True)
        (folder / "report.json").write_text("{}")
    for name, days in (("old", 91), ("young", 89)):
        arrived = datetime(2026, 6, 1, tzinfo=UTC).replace(tzinfo=None) - timedelta(days=days)
        file_outcomes.record(FileOutcome(name, "stock", None, "f.csv", "", "", 1, 0, 1, 0, 0, "partial", "", arrived))
        for end in ("parquet", "yaml"):
            file = home / "quarantine" / "stock" / f"{name}.{end}"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(b"rows")
    with store.session() as session:
        for body, days in ((b"1", 190), (b"2", 190), (b"3", 5), (b"4", 370)):
            inbox.dead_letter(session, "F1", "c2m/v1/F1/scans", body, "no scan", clock.now() - timedelta(days=days))
        session.execute(
            text("UPDATE dead_letters SET readmitted_at = at WHERE payload IN ('1', '3')")
        )  # as if a person had readmitted them
        for name, days, order_id in (("old", 95, ""), ("young", 80, ""), ("taken", 95, "O1")):
            at = clock.now() - timedelta(days=days)
            row = {"quote_id": name, "merchant_id": "M1", "plan_id": "P1", "asked": {}, "said": {}, "at": at}
            quotes.keep(session, row | {"valid_until": at + timedelta(days=1)})
            if order_id:
                quotes.accept(session, name, "soonest", order_id, at)
    log = home / "logs" / "relay.log"
    log.parent.mkdir()
    log.write_text("".join(f"line {number:07d}\n" for number in range(100_000)))
    return home


def held(home: Path) -> set[str]:
    kinds = ("runs/*", "quarantine/*/*")
    return {str(path.relative_to(home)) for kind in kinds for path in home.glob(kind)}


def test_a_dry_run_names_what_would_go_and_removes_nothing(old_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("C2M_RETENTION__LOG_MB", "1")
    settings.cache_clear()
    before = held(old_home)
    done = CliRunner().invoke(app, ["prune", "--dry-run", "--json"])
    found = {row["kind"]: row["count"] for row in json.loads(done.output)}
    assert found == {"plans": 1, "quarantine": 1, "dead letters": 2, "quotes and answers": 1, "logs": 1}
    assert held(old_home) == before


def test_what_is_old_goes_and_what_is_young_or_open_stays(old_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("C2M_RETENTION__LOG_MB", "1")
    settings.cache_clear()
    assert CliRunner().invoke(app, ["prune"]).exit_code == 0
    day = (TODAY - timedelta(days=180)).isoformat()
    assert held(old_home) == {f"runs/{day}", "quarantine/stock/young.parquet", "quarantine/stock/young.yaml"}
    with store.session() as session:
        left = set(session.scalars(text("SELECT payload FROM dead_letters")))
        assert letters.count(session, letters.LetterFilter()) == 1
        assert set(session.scalars(text("SELECT quote_id FROM quotes"))) == {"young", "taken"}
    assert left == {"2", "3"}
    lines = (old_home / "logs" / "relay.log").read_text().splitlines()
    assert lines[-1] == "line 0099999"
    assert len(lines) == 1_000_000 // 13
    assert retention.prune(dry_run=True) == []


def test_a_folder_that_leads_out_of_the_home_is_not_followed(old_home: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (old_home / "runs" / "2020-01-01").symlink_to(elsewhere)
    with pytest.raises(InputError, match="outside"):
        retention.prune(dry_run=False)
    assert elsewhere.exists()


def test_an_older_home_is_saved_then_migrated(home: Path) -> None:
    config = store._migrations()
    with store.engine(settings().ledger).begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0012")
    with pytest.raises(InputError, match=r"is at version 0012, .* c2m upgrade, c2m run"), store.session():
        pass
    done = CliRunner().invoke(app, ["alerts"])
    assert (done.exit_code, "c2m upgrade" in done.stderr) == (2, True)
    done = CliRunner().invoke(app, ["upgrade"])
    assert done.exit_code == 0, done.output
    (file,) = saved()
    held, newest = store.versions()
    assert held == newest
    restore(file, home / "before")
    with closing(sqlite3.connect(home / "before" / "ledger.db")) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == ("0012",)
    assert upgrade() is None


def test_a_newer_ledger_is_refused_by_every_command_and_left_as_it_is(home: Path) -> None:
    store.migrate()
    with closing(sqlite3.connect(home / "ledger.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    store._refuse_other_version.cache_clear()
    for arguments in (["status"], ["alerts"], ["upgrade"], ["letters", "list"], ["prune"], ["run"]):
        done = CliRunner().invoke(app, arguments)
        assert done.exit_code == 2, (arguments, done.output)
        assert "newer than this code" in done.stderr, arguments
    assert store.versions()[0] == "9999"


def test_a_home_of_version_0_1_is_upgraded_and_goes_on(home: Path) -> None:
    """What it told of orders, job orders and messages is there, whole; the factory that was at work is heard."""
    told = (Path(__file__).parents[1] / "golden" / "home_0.1" / "ledger.sql").read_text()
    with closing(sqlite3.connect(home / "ledger.db")) as connection, connection:
        connection.executescript(told)
        before = {
            name: connection.execute(f"SELECT {columns} FROM {name} ORDER BY 1").fetchall()
            for name, columns in KEPT.items()
        }
    done = CliRunner().invoke(app, ["upgrade"])
    assert done.exit_code == 0, done.output
    assert "before-" in done.output
    with closing(sqlite3.connect(home / "ledger.db")) as connection:
        for name, columns in KEPT.items():
            assert connection.execute(f"SELECT {columns} FROM {name} ORDER BY 1").fetchall() == before[name]
    (running,) = [row for row in job_orders_of("F1") if row.state == "Running"]
    assert answer(running, 4, "Ended") == "finished"
    with store.session() as session:
        assert audit.verify(session).faults == []
    assert CliRunner().invoke(app, ["status", "--json"]).exit_code == 0


KEPT = {
    "orders": "order_id, due_on, state",
    "lots": "lot_id, quantity, shipped, unit_value",
    "job_orders": "job_order_id, state, quantity, revision, sequence",
    "outbox": "message_id, state, payload",
    "inbox": "message_id, effect",
    "audit": "factory_id, position, hash",
    "dead_letters": "letter_id, payload",
}


def test_a_newer_landing_zone_is_refused_and_left_as_it_is(home: Path) -> None:
    ensure_landing()
    mark = home / "landing" / "_format"
    assert mark.read_text() == "1\n"
    mark.write_text("2\n")
    for arguments in (["upgrade"], ["run"]):
        done = CliRunner().invoke(app, arguments)
        assert (done.exit_code, "is of format '2', newer than this code" in done.stderr) == (2, True), done.output
    with pytest.raises(InputError, match="newer than this code"):
        ensure_landing()
    assert store.versions()[0] is None


def test_file_names_give_the_versions_that_alembic_knows() -> None:
    known = ScriptDirectory.from_config(store._migrations()).walk_revisions()
    assert sorted(revision.revision for revision in known) == store._known_versions()
