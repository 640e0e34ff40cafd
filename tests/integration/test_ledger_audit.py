"""The audit: every message's life in one chain per factory; what is changed behind its back is found and named."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fastapi import HTTPException
from ledger_kit import NOW, answer, job, live_to, record, release, sent
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError
from typer.testing import CliRunner

from c2m.cli import app
from c2m.ledger import audit, store
from c2m.ledger.conversation import inbox

TRIGGERS = {
    "sqlite": ("DROP TRIGGER audit_update", "DROP TRIGGER audit_delete"),
    "postgresql": ("DROP TRIGGER audit_change ON audit", "DROP TRIGGER audit_delete ON audit"),
}


@pytest.fixture
def lived(ledger: str) -> str:
    """Two factories; one job order ended, one refused; a dead letter. The dialect of the ledger."""
    record()
    release(("L1", "F1", 600), ("L1", "F2", 400))
    with store.session() as session:
        sent(session)
    live_to("Ended")
    answer(job("F2"), 1, "NotAllowedToStart", False)
    with store.session() as session:
        inbox.dead_letter(session, "F2", "c2m/v1/F2/scans", b"{", "no JSON", NOW)
        inbox.dead_letter(session, "F2", "c2m/v1/F2/scans", b"{", "no JSON", NOW)
    return store.engine(ledger).dialect.name


def behind_its_back(dialect: str, *statements: str) -> None:
    with store.session() as session:
        for statement in (*TRIGGERS[dialect], *statements):
            session.execute(text(statement))


def verified(**kept: audit.End) -> audit.Audited:
    with store.session() as session:
        return audit.verify(session, kept)


def test_the_life_of_a_job_order_is_told_in_order(lived: str) -> None:
    with store.session() as session:
        found = audit.history(session, job("F1").job_order_id)
    told = [(row.event, row.type.rsplit(".", 1)[1], row.actor, row.detail) for row in found.itertuples()]
    factory = "c2m/factory/F1"
    assert told == [
        ("written", "store", "ops", ""),
        ("sent", "store", "c2m/platform", "attempt 1"),
        ("written", "start", "c2m/platform", ""),
        ("received", "job-response", factory, "accepted"),
        ("received", "job-response", factory, "progressed"),
        ("received", "job-response", factory, "progressed"),
        ("received", "job-response", factory, "finished"),
    ]
    whole = verified()
    assert (whole.faults, whole.entries) == ([], 7 + 4)
    assert set(whole.ends) == {"F1", "F2"}


def test_the_database_refuses_to_change_an_entry(lived: str) -> None:
    for statement in ("UPDATE audit SET detail = 'x'", "DELETE FROM audit"):
        with pytest.raises(DatabaseError, match="append-only"), store.session() as session:
            session.execute(text(statement))
    assert verified().faults == []


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("UPDATE audit SET actor = 'nobody' WHERE factory_id = 'F1' AND position = 2", "F1: entry 2 .* was changed"),
        ("DELETE FROM audit WHERE factory_id = 'F1' AND position = 3", "F1: entry 3 is missing before 4"),
        ("DELETE FROM audit WHERE factory_id = 'F1' AND position = 7", "entries 7 to 7 were cut off"),
        ("DELETE FROM inbox WHERE 1 = 0", None),
        ("UPDATE outbox SET payload = '{}' WHERE factory_id = 'F2'", "of the outbox is not what the audit saw"),
        ("DELETE FROM audit WHERE factory_id = 'F1'", "F1: entries 1 to 7 were cut off"),
    ],
)
def test_what_was_done_behind_its_back_is_named(lived: str, statement: str, fault: str | None) -> None:
    ends = verified().ends
    behind_its_back(lived, statement)
    found = verified(**ends).faults
    if fault:
        assert any(re.search(fault, each) for each in found), found
    else:
        assert found == []


def test_a_chain_that_was_written_anew_from_some_entry_on_shows_against_what_was_kept(lived: str) -> None:
    ends = verified().ends
    behind_its_back(lived, "DELETE FROM audit WHERE factory_id = 'F1' AND position > 5")
    answer(job("F1"), 9, "Ended")
    answer(job("F1"), 10, "Ended")
    answer(job("F1"), 11, "Ended")
    assert any("not the one that was kept" in fault for fault in verified(**ends).faults)


def test_a_transaction_that_fails_leaves_no_entry(lived: str) -> None:
    before = verified().entries
    with pytest.raises(RuntimeError), store.session() as session:
        inbox.dead_letter(session, "F1", "c2m/v1/F1/scans", b"[", "no JSON either", NOW)
        raise RuntimeError
    assert verified().entries == before


def test_transactions_at_once_make_whole_chains(ledger: str) -> None:
    def bury(number: int) -> None:
        with store.session() as session:
            for factory_id in ("F1", "F2") if number % 2 else ("F2", "F1"):
                inbox.dead_letter(session, factory_id, f"c2m/v1/{factory_id}/scans", b"%d" % number, "no JSON", NOW)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(bury, range(24)))
    assert (verified().faults, verified().entries) == ([], 48)


def test_the_command_proves_and_keeps(lived: str, tmp_path: Path) -> None:
    file = tmp_path / "ends.json"
    assert CliRunner().invoke(app, ["audit", "verify", "--keep", str(file)]).exit_code == 0
    assert CliRunner().invoke(app, ["audit", "verify", "--against", str(file), "--json"]).exit_code == 0
    shown = CliRunner().invoke(app, ["audit", "show", job("F1").job_order_id, "--json"])
    assert shown.output.count('"event"') == 7
    behind_its_back(lived, "DELETE FROM audit WHERE factory_id = 'F2' AND position = 4")
    broken = CliRunner().invoke(app, ["audit", "verify", "--against", str(file)])
    assert broken.exit_code == 2
    assert "entries 4 to 4 were cut off" in broken.output
    assert CliRunner().invoke(app, ["audit", "verify", "--against", str(tmp_path / "none")]).exit_code == 2


def test_the_life_of_a_job_order_is_a_page_on_which_text_stays_text(sqlite_ledger: str) -> None:
    record()
    release(("L1", "F1", 400))
    job_order_id = job().job_order_id
    with store.session() as session:
        entry = audit.Entry("F1", "received", "m", "c2m.job-response", "F1", "", job_order_id, "<b>no</b>")
        audit.note(session, entry)
    from flows import documents

    page = documents.job_order(job_order_id)
    assert "c2m.job-order.store" in page
    assert "&lt;b&gt;no&lt;/b&gt;" in page
    with pytest.raises(HTTPException, match="404"):
        documents.job_order("unknown")
