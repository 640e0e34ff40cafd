"""Dead letters on both databases: found by factory, reason and age, shown, and taken back exactly once."""

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from floor_world import landed_scans
from ledger_kit import HOUR, NOW, job, record, release, sent
from sqlalchemy import select, text
from typer.testing import CliRunner

from c2m import clock
from c2m.cli import app
from c2m.errors import InputError
from c2m.floor.collect import Arrival, Waiting, _accept, commit
from c2m.floor.readmit import CorrectedMessage, Readmission, readmit
from c2m.ledger import audit, status, store
from c2m.ledger.conversation import inbox, letters
from c2m.ledger.conversation.letters import LetterFilter
from c2m.ledger.tables import AuditEntry, DeadLetter, Inbox
from c2m.settings import settings
from c2m.wire.messages import MAX_BYTES, JobResponse, Scan, Status, compose, factory_source, topic


@pytest.fixture(autouse=True)
def now(ledger: str) -> None:
    clock.set_now(NOW)


def arrive(topic_name: str, body: bytes) -> str:
    """Lets the collector take a message; the reason of its dead letter."""
    return commit([Arrival(topic_name, body, lambda _: None)], clock.now())[0]


def scans(*names: str, factory_id: str = "F1") -> bytes:
    rows = [Scan(scan_id=n, job_order_id="J1", sku_id="A", operation="sew", quantity=1, at=NOW) for n in names]
    return compose(rows, factory_source(factory_id), NOW).body()


def acceptance(job_order_id: str) -> bytes:
    said = JobResponse(job_order_id=job_order_id, revision=1, sequence=1, state="NotAllowedToStart", accepted=True)
    return compose(said, factory_source("F1"), NOW).body()


def every_letter() -> list[DeadLetter]:
    with store.session() as session:
        return list(session.scalars(select(DeadLetter).order_by(DeadLetter.at, DeadLetter.topic)))


def take_back(letter: DeadLetter, topic: str | None = None, body: bytes | None = None) -> Readmission:
    (outcome,) = readmit([letter.letter_id], "olga", CorrectedMessage(topic, body))
    return outcome


def whole() -> audit.Audited:
    with store.session() as session:
        found = audit.verify(session)
    assert found.faults == []
    return found


def c2m(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, [*arguments])
    assert result.exit_code == code, result.output
    return result.output


@pytest.mark.parametrize(("factory_id", "kind"), [("F1", "\x00"), ("F\x00", "scans"), ("F" * 70_000, "scans")])
def test_a_path_that_no_topic_could_have_stops_nobody(factory_id: str, kind: str) -> None:
    """Over HTTP a name may hold what no database stores; the collector must survive it."""
    waiting = Waiting(10_000)
    _accept(waiting, factory_id, kind, b"{}")
    (reason,) = commit([waiting.get()], clock.now())
    assert reason.startswith("unknown topic c2m/v1/F")
    assert len(every_letter()[0].topic) <= 300


def test_an_answer_to_an_order_that_was_unknown_takes_effect_once_when_it_is_known() -> None:
    record()
    release(("L1", "F1", 600))
    with store.session() as session:
        sent(session)
        held = store.frame(session, text("SELECT * FROM job_orders"))
    body = acceptance(job().job_order_id)
    with store.session() as session:  # as where a ledger was restored to a moment before the plan
        session.execute(text("UPDATE job_orders SET factory_id = 'F9'"))
    assert "cannot be obeyed" in arrive(topic("F1", "job-responses"), body)
    (letter,) = every_letter()
    assert take_back(letter) == Readmission(
        letter.letter_id, False, f"refused: unknown job order {held.job_order_id[0]}"
    )
    with store.session() as session:
        session.execute(text("UPDATE job_orders SET factory_id = 'F1'"))
    clock.set_now(NOW + HOUR)
    assert take_back(letter) == Readmission(letter.letter_id, True, "accepted")
    assert (job().state, job().accepted) == ("NotAllowedToStart", True)
    after = whole().entries
    assert take_back(letter) == Readmission(letter.letter_id, True, "accepted")
    assert whole().entries == after
    (kept,) = every_letter()
    assert (kept.readmitted_at, kept.actor, kept.result) == (NOW + HOUR, "olga", "accepted")
    assert (kept.at, kept.payload.encode(), kept.reason) == (NOW, body, letter.reason)
    with store.session() as session:
        assert len(session.scalars(select(Inbox)).all()) == 1
        told = session.scalars(select(AuditEntry).where(AuditEntry.event == "readmitted").order_by(AuditEntry.position))
        assert [(entry.message_id, entry.actor, entry.detail.split(":")[0]) for entry in told] == [
            (letter.letter_id, "olga", "refused"),
            (letter.letter_id, "olga", "accepted"),
        ]
        assert status.summary(session)["dead_letters"] == 0


def test_a_message_that_was_taken_meanwhile_changes_nothing_when_several_take_its_letter_back_at_once() -> None:
    record()
    release(("L1", "F1", 600))
    with store.session() as session:
        sent(session)
    body = acceptance(job().job_order_id)
    assert "spoke for" in arrive(topic("F2", "job-responses"), body)
    assert arrive(topic("F1", "job-responses"), body) == ""
    before = job()
    (letter,) = every_letter()
    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(lambda _: take_back(letter, topic("F1", "job-responses")), range(4)))
    assert set(outcomes) == {Readmission(letter.letter_id, True, "accepted")}
    assert job() == before
    with store.session() as session:
        assert len(session.scalars(select(AuditEntry).where(AuditEntry.event == "readmitted")).all()) == 1
    whole()


def test_scans_on_a_wrong_topic_land_once() -> None:
    body = scans("s1", "s2")
    assert "unknown topic" in arrive("c2m/v1/F1/scan", body)
    (letter,) = every_letter()
    assert not take_back(letter).taken
    for _ in range(2):
        assert take_back(letter, topic("F1", "scans")) == Readmission(letter.letter_id, True, "2 scans landed")
    assert sorted(landed_scans()["scan_id"]) == ["s1", "s2"]
    with store.session() as session:
        entries = session.scalars(select(AuditEntry.detail).where(AuditEntry.event == "readmitted")).all()
    assert entries.count("2 scans landed") == 1
    whole()


def test_killed_between_effect_and_record_the_next_try_closes_the_letter(monkeypatch: pytest.MonkeyPatch) -> None:
    arrive("c2m/v1/F1/scan", scans("s1"))
    (letter,) = every_letter()
    with monkeypatch.context() as patch:
        patch.setattr(letters, "note", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            take_back(letter, topic("F1", "scans"))
    assert take_back(letter, topic("F1", "scans")).taken
    assert landed_scans()["scan_id"].tolist() == ["s1"]


def test_a_corrected_body_is_taken_and_a_wrong_one_is_a_letter_of_its_own() -> None:
    arrive(topic("F1", "scans"), scans("s1").replace(b'"sew"', b'"sow"'))
    (letter,) = every_letter()
    refused = take_back(letter, body=scans("s1").replace(b'"sew"', b'"saw"'))
    assert (refused.taken, "operation" in refused.result) == (False, True)
    assert len(every_letter()) == 2
    assert take_back(letter, body=scans("s1")).result == "1 scans landed"
    assert landed_scans()["scan_id"].tolist() == ["s1"]
    with pytest.raises(InputError, match="it replaces that of one"):
        readmit([each.letter_id for each in every_letter()], "olga", CorrectedMessage(body=b"{}"))


@pytest.mark.parametrize("body", [scans("s1").replace(b"s1", b"s\xff"), scans("s1").replace(b"s1", b"s\x00")])
def test_bytes_that_are_no_text_are_not_taken_for_what_they_look_like(body: bytes) -> None:
    arrive(topic("F1", "scans"), body)
    (letter,) = every_letter()
    assert "not kept whole" in take_back(letter).result
    assert take_back(letter, body=scans("s1")).taken


def test_of_a_message_that_is_too_large_what_fits_is_kept_and_the_rest_is_told(tmp_path: Path) -> None:
    body = scans("s1") + b" " * MAX_BYTES
    assert "send smaller batches" in arrive(topic("F1", "scans"), body)
    arrive(topic("F1", "scans"), body + b" ")  # the same beginning, another message
    first, second = sorted(every_letter(), key=lambda letter: letter.size_bytes)
    assert (first.size_bytes, len(first.payload), first.digest) == (
        len(body),
        MAX_BYTES,
        hashlib.sha256(body).hexdigest(),
    )
    assert second.size_bytes == len(body) + 1
    told = json.loads(c2m("letters", "show", first.letter_id, "--json", "--out", str(tmp_path / "body.json")))
    assert (told["whole"], told["size_bytes"]) == (False, len(body))
    assert (tmp_path / "body.json").stat().st_size == MAX_BYTES
    assert "not kept whole" in take_back(first).result


def test_a_status_is_not_said_again_in_a_factorys_name() -> None:
    online = compose(Status(online=True, through=NOW), factory_source("F1"), NOW)
    arrive("c2m/v1/F1/state", online.body())
    (letter,) = every_letter()
    assert "has passed" in take_back(letter, topic("F1", "status")).result
    with store.session() as session:
        assert status.factories(session).empty


def test_letters_are_found_by_factory_reason_and_age() -> None:
    for hours, factory_id, body in ((0, "F1", b"{"), (5, "F1", b"100%"), (10, "F2", b"[")):
        clock.set_now(NOW + timedelta(hours=hours))
        arrive(topic(factory_id, "scans"), body)
    arrive("c2m/v1/F2/else", b"\x1b[31m")
    clock.set_now(NOW + timedelta(hours=11))

    def ages(*arguments: str) -> list[int]:
        told = c2m("letters", "list", *arguments, "--json").splitlines()[0]
        return [round(row["age_hours"]) for row in json.loads(told)]

    assert sorted(ages()) == [1, 1, 6, 11]
    assert ages("--factory", "F1") == [6, 11]
    assert sorted(ages("--factory", "F2")) == [1, 1]
    assert ages("--reason", "UNKNOWN topic") == [1]
    assert ages("--reason", "%") == []
    assert ages("--older-than-hours", "6") == [6, 11]
    assert ages("--newer-than-hours", "6", "--factory", "F1") == [6]
    assert len(ages("--most", "3")) == 3
    assert "1 more" in c2m("letters", "list", "--most", "3")
    (letter,) = json.loads(c2m("letters", "list", "--reason", "unknown topic", "--json"))
    shown = c2m("letters", "show", letter["letter_id"])
    assert "\x1b" not in shown
    assert "\\x1b[31m" in shown


@pytest.mark.parametrize("level", ["[/red]", ":boom:", "\x1b[2J", "F1\n\x9b2J"])
def test_what_a_message_says_is_shown_and_never_obeyed(level: str) -> None:
    arrive(f"c2m/v1/{level}/scans", b'{"a": "\\u001b[2J [/red]"}')
    (letter,) = every_letter()
    refused = c2m("letters", "readmit", letter.letter_id, code=2)
    for shown in (c2m("letters", "list"), c2m("letters", "show", letter.letter_id), refused):
        assert not set(shown) & {"\x1b", "\x9b", "\N{COLLISION SYMBOL}"}
    assert "[/red]" in c2m("letters", "show", letter.letter_id)


def test_many_are_taken_back_by_their_reason_and_the_others_are_named() -> None:
    for number in range(5):
        arrive("c2m/v1/F1/scan", scans(f"s{number}"))
    arrive("c2m/v1/F1/scan", b"{")
    choice = ["--reason", "unknown topic", "--factory", "F1"]
    refused = c2m("letters", "readmit", *choice, "--topic", topic("F1", "scans"), "--actor", "olga", code=2)
    assert "Invalid JSON" in refused
    assert sorted(landed_scans()["scan_id"]) == [f"s{number}" for number in range(5)]
    assert len(json.loads(c2m("letters", "list", "--json"))) == 2  # the one, and what it was refused for now
    everything = json.loads(c2m("letters", "list", "--all", "--json"))
    assert [row["result"] for row in everything].count("1 scans landed") == 5
    assert "no dead letter nobody" in c2m("letters", "readmit", "nobody", code=2)
    assert "not both" in c2m("letters", "readmit", code=2)
    assert "not both" in c2m("letters", "readmit", "nobody", "--factory", "F1", code=2)
    assert "no dead letter nobody" in c2m("letters", "show", "nobody", code=2)
    missing = "none.json"  # short: the message is folded at 80 letters
    assert "does not exist" in c2m("letters", "readmit", everything[0]["letter_id"], "--body", missing, code=2)


def test_letters_of_an_older_ledger_get_their_size_and_digest(ledger: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(store.__file__).with_name("migrations")))
    with store.engine(settings().ledger).begin() as connection:
        connection.execute(text("DROP TABLE dead_letters"))
        connection.execute(
            text(
                "CREATE TABLE dead_letters (letter_id VARCHAR(64) PRIMARY KEY, factory_id VARCHAR(200) NOT NULL, "
                "topic TEXT NOT NULL, payload TEXT NOT NULL, reason TEXT NOT NULL, at TIMESTAMP NOT NULL)"
            )
        )
        row = (
            "INSERT INTO dead_letters VALUES (:id, 'F1', 'c2m/v1/F1/scan', :payload, 'unknown', '2026-01-05 08:00:00')"
        )
        for name, payload in (("whole", scans("s1").decode()), ("lossy", "\ufffd{")):
            connection.execute(text(row), {"id": name, "payload": payload})
        connection.execute(text("UPDATE alembic_version SET version_num = '0003'"))
        config.attributes["connection"] = connection
        command.upgrade(config, "0004")
        newest = ScriptDirectory.from_config(config).get_current_head()  # the other tables were there all along
        connection.execute(text("UPDATE alembic_version SET version_num = :newest"), {"newest": newest})
    with store.session() as session:
        assert letters.count(session, LetterFilter()) == 2
        measured = {letter.letter_id: letter for letter in session.scalars(select(DeadLetter))}
    assert letters.is_whole(measured["whole"])
    assert measured["whole"].size_bytes == len(scans("s1"))
    assert not letters.is_whole(measured["lossy"])


def test_the_same_bad_message_again_does_not_open_its_letter() -> None:
    arrive("c2m/v1/F1/scan", scans("s1"))
    (letter,) = every_letter()
    assert take_back(letter, topic("F1", "scans")).taken
    with store.session() as session:
        where, body, why = letter.topic, letter.payload.encode(), letter.reason
        assert inbox.dead_letter(session, "F1", where, body, why, NOW + HOUR) == letter.letter_id
    assert [each.readmitted_at for each in every_letter()] == [NOW]
