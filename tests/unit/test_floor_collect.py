"""The collector's commit: scans on disk, answers in the ledger, the rest in dead letters; repeated without effect."""

import asyncio
import json
from concurrent.futures import Future
from datetime import timedelta
from pathlib import Path
from queue import Full
from threading import Event, Thread

import httpx
import pytest
from floor_world import MORNING, begin, landed_scans, release
from sqlalchemy import select, text
from typer.testing import CliRunner

from c2m.cli import app
from c2m.errors import InputError
from c2m.feeds.landing import read_landed
from c2m.floor import collect, corrections, http
from c2m.floor.collect import Arrival, Waiting, commit
from c2m.ledger import store
from c2m.ledger.tables import DeadLetter, FactoryStatus, Inbox, JobOrder, Outbox
from c2m.settings import settings
from c2m.wire.messages import (
    MAX_BYTES,
    START,
    JobResponse,
    Payload,
    Scan,
    Status,
    compose,
    factory_source,
    topic,
)

LATER = MORNING + timedelta(hours=1)


def scan(number: int) -> Scan:
    return Scan(scan_id=f"s{number}", job_order_id="J1", sku_id="A", operation="sew", quantity=number, at=MORNING)


def arrival(kind: str, data: Payload, factory_id: str = "F1", source: str | None = None) -> Arrival:
    message = compose(data, factory_source(source or factory_id), MORNING)
    return Arrival(topic(factory_id, kind), message.body(), lambda _: None)  # type: ignore[arg-type]


def letters() -> list[tuple[str, str]]:
    with store.session() as session:
        return [tuple(row) for row in session.execute(select(DeadLetter.factory_id, DeadLetter.reason))]


def job() -> JobOrder:
    with store.session() as session:
        return session.scalars(select(JobOrder)).one()


@pytest.fixture(autouse=True)
def ledger(home: Path) -> None:
    begin()


def test_scans_land_once_with_the_time_of_their_first_arrival() -> None:
    group = [arrival("scans", [scan(1), scan(2)]), arrival("scans", [scan(3)], "F2")]
    assert commit(group, MORNING) == ["", ""]
    assert commit(group, LATER) == ["", ""]
    landed = landed_scans().sort_values("scan_id")
    assert landed[["factory_id", "scan_id", "quantity"]].values.tolist() == [
        ["F1", "s1", 1],
        ["F1", "s2", 2],
        ["F2", "s3", 3],
    ]
    assert set(landed["received_at"]) == {MORNING.replace(tzinfo=None)}


def test_a_wrong_scan_of_a_batch_does_not_refuse_the_others() -> None:
    batch = arrival("scans", [scan(1), scan(2), scan(3)])
    told = json.loads(batch.body)
    told["data"][1]["quantity"] = -5
    wrong = Arrival(batch.topic, json.dumps(told).encode(), batch.done)
    for _ in range(2):
        assert commit([wrong], MORNING)[0].startswith("1 of 3 scans are wrong, the others were taken: ")
    assert sorted(landed_scans()["scan_id"]) == ["s1", "s3"]
    with store.session() as session:
        letter = session.scalars(select(DeadLetter)).one()
    kept = json.loads(letter.payload)
    assert [one["scan_id"] for one in kept["data"]] == ["s2"]
    kept["data"][0]["quantity"] = 5
    assert commit([Arrival(batch.topic, json.dumps(kept).encode(), batch.done)], LATER) == [""]
    assert sorted(landed_scans()["scan_id"]) == ["s1", "s2", "s3"]


def test_what_takes_a_scan_back_lands_apart() -> None:
    taken_back = scan(1).model_copy(update={"scan_id": "c1", "corrects": "s1", "quantity": 0})
    assert commit([arrival("scans", [scan(1), taken_back])], MORNING) == [""]
    assert landed_scans()["scan_id"].tolist() == ["s1"]
    assert read_landed("scan_corrections")[["scan_id", "corrects", "quantity"]].values.tolist() == [["c1", "s1", 0]]
    itself = json.loads(arrival("scans", [taken_back]).body)
    itself["data"][0]["corrects"] = "c1"
    assert "corrects itself" in commit([Arrival("c2m/v1/F1/scans", json.dumps(itself).encode(), print)], MORNING)[0]


def test_scans_are_set_aside_with_a_record() -> None:
    commit([arrival("scans", [scan(1), scan(2)])], MORNING)
    with pytest.raises(InputError, match="sent no scan s9"):
        corrections.set_scans_aside("F1", ["s1", "s9"], "typed", "ops", MORNING)
    assert [corrections.set_scans_aside("F1", ["s1"], "typed", "ops", MORNING) for _ in range(2)] == [1, 0]
    kept = read_landed("scan_set_asides")
    assert kept[["factory_id", "scan_id", "reason", "actor"]].values.tolist() == [["F1", "s1", "typed", "ops"]]
    name = next(path.name for path in (settings().landing / "scans").glob("[!_]*.parquet"))
    about = ["--file", name, "--reason", "of another plant", "--actor", "ops"]
    told = CliRunner().invoke(app, ["scans", "set-aside", *about]).stdout
    assert str(corrections.set_file_aside(name, "again", "ops", LATER)) in told
    assert json.loads((settings().home / "set_aside" / f"{name}.json").read_text())["reason"] == "of another plant"
    assert landed_scans().empty
    with pytest.raises(InputError, match="expected the name of a file"):
        corrections.set_file_aside("../scans/_empty.parquet", "x", "ops", MORNING)


def test_two_answers_of_one_job_order_in_one_group_and_again() -> None:
    release([("F1", 300)])
    job_order_id = job().job_order_id
    said = [
        JobResponse(job_order_id=job_order_id, revision=1, sequence=1, state="NotAllowedToStart", accepted=True),
        JobResponse(job_order_id=job_order_id, revision=1, sequence=2, state="AllowedToStart"),
    ]
    group = [arrival("job-responses", answer) for answer in said]
    assert commit([*group, group[0]], MORNING) == ["", "", ""]
    assert commit(group, MORNING) == ["", ""]
    assert (job().state, job().accepted, job().sequence) == ("AllowedToStart", True, 2)
    with store.session() as session:
        assert len(session.scalars(select(Inbox)).all()) == 2


def test_a_status_says_how_far_a_factory_has_reported() -> None:
    commit([arrival("status", Status(online=True, through=MORNING)), arrival("status", Status(online=False))], MORNING)
    with store.session() as session:
        known = session.get(FactoryStatus, "F1")
    assert known is not None
    assert (known.online, known.through) == (False, MORNING)


def test_bad_messages_become_dead_letters_with_their_reason_and_harm_nobody() -> None:
    group = [
        Arrival("c2m/v1/F1/scans", b"\xff\x00{", lambda _: None),
        arrival("scans", [scan(1)], "F1", source="F2"),
        arrival("status", [scan(1)]),
        Arrival("c2m/v1/F1/else", b"{}", lambda _: None),
        arrival("job-responses", JobResponse(job_order_id="J9", revision=1, sequence=1, state="Running")),
        arrival("scans", [scan(2)]),
    ]
    reasons = commit(group, MORNING)
    assert commit(group, MORNING) == reasons
    assert reasons[-1] == ""
    assert landed_scans()["scan_id"].tolist() == ["s2"]
    found = [reason for _, reason in sorted(letters(), key=str)]
    assert len(found) == 5
    for words in ("Invalid JSON", "spoke for F1", "type c2m.scans on topic", "unknown topic", "unknown job order J9"):
        assert any(words in reason for reason in found), (words, found)


def test_a_message_that_the_ledger_cannot_take_does_not_hold_up_the_others() -> None:
    release([("F1", 300)])
    said = JobResponse(
        job_order_id=job().job_order_id, revision=1, sequence=1, state="NotAllowedToStart", accepted=True
    )
    with store.session() as session:
        session.execute(text("DELETE FROM outbox"))  # what was offered is gone: nothing to compare the answer with
    group = [arrival("job-responses", said), arrival("status", Status(online=True, through=MORNING))]
    assert ["cannot take it" in reason for reason in commit(group, MORNING)] == [True, False]
    assert [factory_id for factory_id, _ in letters()] == ["F1"]


def test_without_a_ledger_nothing_is_acknowledged_and_nothing_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collect, "_RETRY_S", 0.02)
    with store.session() as session:
        session.execute(text("ALTER TABLE factory_status RENAME TO away"))
    done, stop = Event(), Event()
    message = arrival("status", Status(online=True, through=MORNING))
    waiting = [Arrival(message.topic, message.body, lambda _: done.set())]
    thread = Thread(target=collect._commit_until_safe, args=(waiting, stop))
    thread.start()
    assert not done.wait(0.2)
    with store.session() as session:
        session.execute(text("ALTER TABLE away RENAME TO factory_status"))
    assert done.wait(5)
    thread.join()
    assert letters() == []


def test_a_message_that_is_too_long_is_kept_by_its_beginning() -> None:
    long = Arrival(topic("F1", "scans"), b"{" + b" " * MAX_BYTES, lambda _: None)
    assert commit([long], MORNING)[0].startswith(f"message of {MAX_BYTES + 1} bytes, expected at most {MAX_BYTES}")
    with store.session() as session:
        assert len(session.scalars(select(DeadLetter.payload)).one()) == MAX_BYTES


def test_a_flood_of_refused_messages_is_kept_once_each() -> None:
    noise = [Arrival(topic("F1", "status"), b"%d" % (number % 700), lambda _: None) for number in range(1000)]
    good = arrival("status", Status(online=True, through=MORNING))
    assert commit([*noise, good], MORNING)[-1] == ""
    commit(noise, LATER)
    assert len(letters()) == 700


def test_what_waits_is_bounded_by_its_bytes_and_goes_on_once_there_is_room() -> None:
    waiting, kilobytes = Waiting(10_000), Arrival("t", b"x" * 4_000, lambda _: None)
    waiting.put_nowait(kilobytes)
    waiting.put_nowait(kilobytes)
    with pytest.raises(Full):
        waiting.put_nowait(kilobytes)
    for _ in range(2):
        assert waiting.get_nowait() == kilobytes
    assert waiting.empty()
    waiting.put_nowait(Arrival("t", b"x" * 50_000, lambda _: None))
    assert waiting.qsize() > 50_000, "one message always fits, however long"


def test_who_speaks_http_is_told_to_come_again_while_there_is_no_room() -> None:
    def accept(*_: object) -> Future[str]:
        raise Full

    async def post() -> httpx.Response:
        inlet = httpx.ASGITransport(http.inlet("/{factory_id}/{kind}", accept))
        async with httpx.AsyncClient(transport=inlet, base_url="http://collector") as client:
            return await client.post("/F1/scans", content=b"{}")

    answer = asyncio.run(post())
    assert (answer.status_code, answer.json()) == (503, {"reason": "not safe yet: send it again"})


def test_starts_follow_the_order_in_which_a_factory_accepted() -> None:
    release([("F1", 300)] * 4)
    with store.session() as session:
        accepted = sorted(session.scalars(select(JobOrder.job_order_id)), reverse=True)
    said = {"revision": 1, "sequence": 1, "state": "NotAllowedToStart", "accepted": True}
    commit([arrival("job-responses", JobResponse(job_order_id=name, **said)) for name in accepted], MORNING)
    starts = select(Outbox.job_order_id).where(Outbox.type == START).order_by(Outbox.position)
    with store.session() as session:
        assert session.scalars(starts).all() == accepted
