"""Messages of long ago leave the ledger, their audit goes to a file, and the chains still prove themselves."""

import gzip
import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from ledger_kit import NOW, answer, job, live_to, lot_row, order_row, record, release, sent, shipped, sku_rows
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError

from c2m.ledger import archive, audit, job_orders, store

LATER = NOW + timedelta(days=100)
OLD = archive.Before(NOW + timedelta(days=50), NOW + timedelta(days=50))


@pytest.fixture
def lived(ledger: str) -> str:
    """F1 has a job order that ended and was counted, then one that runs; F2 refused. The dialect of the ledger."""
    both = [order_row(), order_row("O2")], [lot_row(), lot_row("L2", order_id="O2")], [*sku_rows(), *sku_rows("L2")]
    record(*both)
    release(("L1", "F1", 600), ("L1", "F2", 400))
    with store.session() as session:
        sent(session)
    ended = live_to("Ended")
    answer(job("F2"), 1, "NotAllowedToStart", False)
    with store.session() as session:
        through = NOW + timedelta(days=1)
        job_orders.apply_progress(session, shipped((ended.job_order_id, "K0", 240)), through)
    release(("L2", "F1", 600), round=2, at=LATER)
    answer(in_state("Released"), 1, "NotAllowedToStart", True, at=LATER)
    return store.engine(ledger).dialect.name


def counts() -> dict[str, int]:
    with store.session() as session:
        return {
            name: session.scalar(text(f"SELECT count(*) FROM {name}")) or 0 for name in ("outbox", "inbox", "audit")
        }


def verified() -> audit.Audited:
    with store.session() as session:
        return audit.verify(session)


def test_what_ended_long_ago_leaves_and_what_lives_stays(lived: str, home: Path) -> None:
    before, whole = counts(), verified()
    with store.reading() as session:
        told = {kind: count for kind, (count, _) in archive.counted(session, OLD).items()}
    with store.session() as session:
        file = archive.leave(session, OLD)
    after = counts()
    assert told == {kind: before[kind] - after[kind] for kind in before}
    assert after["outbox"] == 2  # store and start of the one that lives
    assert after["inbox"] == 1
    assert file is not None
    archived = entries(file)
    assert len(archived) == before["audit"] - after["audit"] == told["audit"]
    assert {row["factory_id"] for row in archived} == {"F1", "F2"}
    again = verified()
    assert (again.faults, again.away, again.entries, again.ends) == ([], [], whole.entries, whole.ends)
    with store.session() as session:
        assert archive.leave(session, OLD) is None


def test_the_chain_goes_on_and_verifies_without_the_file(lived: str) -> None:
    with store.session() as session:
        file = archive.leave(session, OLD)
    answer(in_state("NotAllowedToStart"), 2, "AllowedToStart", at=LATER)
    release(("L1", "F2", 400), round=3, at=LATER)  # of F2 nothing was left
    assert file is not None
    file.rename(file.with_name("elsewhere"))
    found = verified()
    assert (found.faults, found.away) == ([], [file.name])


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda rows: rows[1].update(actor="nobody"), "entry 2 .* was changed"),
        (lambda rows: rows.pop(), "does not end where the ledger cut its chain"),
        (lambda rows: rows.pop(0), "entry 1 is missing before 2"),
    ],
)
def test_an_archive_that_was_changed_is_named(lived: str, change: object, fault: str) -> None:
    with store.session() as session:
        file = archive.leave(session, OLD)
    assert file is not None and callable(change)
    rows = entries(file)
    change(rows)
    with gzip.open(file, "wt") as lines:
        lines.writelines(json.dumps(row) + "\n" for row in rows)
    assert any(re.search(fault, each) for each in verified().faults), verified().faults


def test_only_what_was_archived_can_be_deleted(lived: str) -> None:
    with pytest.raises(DatabaseError, match="append-only"), store.session() as session:
        session.execute(text("DELETE FROM audit WHERE position = 1"))
    with store.session() as session:
        archive.leave(session, OLD)
    with pytest.raises(DatabaseError, match="append-only"), store.session() as session:
        session.execute(text("DELETE FROM audit"))
    assert verified().faults == []


def test_an_answer_that_comes_again_after_its_message_left_changes_nothing(lived: str) -> None:
    ended = in_state("Ended")
    with store.session() as session:
        archive.leave(session, OLD)
    before = snapshot("job_orders")
    assert answer(ended, 4, "Ended") == "stale"
    after = snapshot("job_orders")
    assert before.equals(after)
    assert verified().faults == []


def snapshot(name: str) -> pd.DataFrame:
    with store.session() as session:
        return store.snapshot(session)[name]


def in_state(state: str) -> Any:
    return next(row for row in snapshot("job_orders").itertuples() if row.state == state)


def entries(file: Path) -> list[dict[str, Any]]:
    with gzip.open(file, "rt") as lines:
        return [json.loads(line) for line in lines]
