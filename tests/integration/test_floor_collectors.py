"""Several collectors on one broker: they share scans and responses, and believe a factory's word once all have it."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from floor_world import MORNING, begin, release
from ledger_kit import NOW
from s3_kit import s3
from sqlalchemy import select
from test_floor_services import await_that, mosquitto

from c2m import objects
from c2m.errors import InputError
from c2m.floor import broker, collect, credentials
from c2m.floor.child import free_port, stop
from c2m.floor.delivery import Letter
from c2m.floor.mqtt import Connection
from c2m.floor.processes import service
from c2m.ledger import status, store
from c2m.ledger.tables import FactoryReport, JobOrder
from c2m.settings import settings
from c2m.wire.messages import REMEMBERED_S, JobResponse, Kind, Payload, Scan, Status, compose, factory_source

NAMES = ["c2m-collector", "c2m-collector-2"]
FACTORIES = ["F1", "F2", "F3"]
HOUR = timedelta(hours=1)


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("C2M_COLLECTORS", json.dumps(NAMES))
    settings.cache_clear()


@pytest.fixture
def speaker(home: Path, named: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    """A broker and the connection over which all factories speak."""
    begin()
    with broker.start(engine="mosquitto") as running:
        monkeypatch.setenv("C2M_MQTT_PORT", str(running.port))
        settings.cache_clear()
        with Connection("factories") as connection:
            assert connection.ready.wait(20)
            yield connection


def collector(name: str) -> dict[str, str]:
    """What a process that runs as this collector is started with."""
    return {"C2M_COLLECTOR_NAME": name, "C2M_HTTP_PORT": str(free_port())}


def say(speaker: Connection, kind: Kind, factory_id: str, data: Payload) -> None:
    body = compose(data, factory_source(factory_id), MORNING).body()
    list(speaker.carry([Letter("", factory_id, kind, body)]))


def scan_up_to(speaker: Connection, first: int, last: int, through: datetime) -> None:
    """Scans of every factory, a message each, then its word that this was all."""
    for factory_id in FACTORIES:
        for number in range(first, last):
            scan = Scan(scan_id=f"s{number}", job_order_id="J1", sku_id="A", operation="sew", quantity=1, at=MORNING)
            say(speaker, "scans", factory_id, [scan])
        say(speaker, "status", factory_id, Status(online=True, through=through))


def known_to(saved: Path, name: str) -> bool:
    """Whether a broker's saved state holds the client and its subscription: they may be saved one after the other."""
    return saved.exists() and all(word in saved.read_bytes() for word in (name.encode(), b"+/scans"))


def landed() -> tuple[int, int]:
    """Scans on disk: different ones, and all."""
    files = [str(file) for file in (settings().landing / "scans").glob("[!.]*.parquet")]  # others are being written
    counts = "SELECT count(DISTINCT (factory_id, scan_id)), count(*) FROM read_parquet(?)"
    return duckdb.execute(counts, [files]).fetchone() or (0, 0) if files else (0, 0)


def believed() -> set[datetime | None]:
    """Up to when the ledger takes the factories' scans as complete; None for one that it has not heard."""
    with store.session() as session:
        through = status.factories(session).set_index("factory_id")["through"].to_dict()
    return {through.get(factory_id) for factory_id in FACTORIES}


def heard(collector_name: str) -> set[datetime]:
    with store.session() as session:
        return set(session.scalars(select(FactoryReport.through).where(FactoryReport.collector == collector_name)))


@pytest.mark.parametrize("engine", [mosquitto])
def test_two_collectors_share_the_work_and_what_one_left_waits_for_who_takes_its_name(
    engine: str, speaker: Connection
) -> None:
    release([(factory_id, 300) for factory_id in FACTORIES * 4])
    with store.session() as session:
        offered = [(job.factory_id, job.job_order_id) for job in session.scalars(select(JobOrder))]
    with ExitStack() as stack:
        first, _ = (stack.enter_context(service(name, ["c2m.floor.collect"], collector(name))) for name in NAMES)
        for factory_id, job_order_id in offered:
            said = {"revision": 1, "sequence": 1, "state": "NotAllowedToStart", "accepted": True}
            say(speaker, "job-responses", factory_id, JobResponse(job_order_id=job_order_id, **said))
        scan_up_to(speaker, 0, 20, MORNING)
        await_that(lambda: believed() == {MORNING})
        assert landed() == (60, 60), "every scan is on disk, none went to both"
        with store.session() as session:
            assert set(session.scalars(select(JobOrder.state))) == {"NotAllowedToStart"}

        first.kill()
        first.wait()
        scan_up_to(speaker, 20, 40, MORNING + HOUR)
        await_that(lambda: heard(NAMES[1]) == {MORNING + HOUR})
        assert 60 < landed()[0] < 120, "the other has its share, and no more"
        assert believed() == {MORNING}, "nothing is believed complete that is not on disk"

        stack.enter_context(service("its heir", ["c2m.floor.collect"], collector(NAMES[0])))
        await_that(lambda: believed() == {MORNING + HOUR})
        assert landed()[0] == 120


@pytest.mark.long
@pytest.mark.parametrize("engine", [mosquitto])
def test_collectors_on_machines_without_a_disk_in_common_lose_nothing_when_one_is_killed(
    engine: str, speaker: Connection, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def on(machine: str, name: str) -> dict[str, str]:
        own = {"C2M_HOME": str(home.parent / machine), "C2M_LEDGER_URL": settings().ledger}
        own |= {"C2M_MQTT_USERNAME": credentials.PLATFORM, "C2M_MQTT_PASSWORD": credentials.platform_key() or ""}
        return collector(name) | own

    with s3(monkeypatch), ExitStack() as stack:
        first, _ = (
            stack.enter_context(service(name, ["c2m.floor.collect"], on(f"machine of {name}", name))) for name in NAMES
        )
        scan_up_to(speaker, 0, 20, MORNING)
        await_that(lambda: believed() == {MORNING})
        assert landed() == (0, 0), "nothing of it lies here"
        objects.fetch(settings().landing)
        assert landed()[0] == 60, "every scan is in the bucket; on a busy machine the broker gives one twice"

        first.kill()
        first.wait()
        scan_up_to(speaker, 20, 40, MORNING + HOUR)
        stack.enter_context(service("its heir", ["c2m.floor.collect"], on("a third machine", NAMES[0])))
        await_that(lambda: believed() == {MORNING + HOUR})
        objects.fetch(settings().landing)
        assert landed()[0] == 120


@pytest.mark.parametrize("engine", [mosquitto])
def test_who_is_alone_again_hears_everything_once(
    engine: str, speaker: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    with service("one of two", ["c2m.cli", "collect"], collector(NAMES[0])) as process:
        stop(process)
    monkeypatch.delenv("C2M_COLLECTORS")
    with service("alone", ["c2m.floor.collect"], collector(NAMES[0])):
        scan_up_to(speaker, 0, 10, MORNING)
        await_that(lambda: believed() == {MORNING})
        assert landed() == (30, 30)


@pytest.mark.usefixtures("named")
def test_a_moment_counts_once_every_collector_has_heard_it(ledger: str) -> None:
    def hear(collector_name: str, hours: int | None) -> datetime | None:
        through = None if hours is None else NOW + hours * HOUR
        with store.session() as session:
            status.report(session, "F1", hours is not None, through, NOW, collector_name)
        with store.session() as session:
            return status.factories(session)["through"].iloc[0]  # type: ignore[no-any-return]

    assert hear(NAMES[0], 1) is None
    assert hear(NAMES[1], 3) == NOW + HOUR
    assert hear(NAMES[0], None) == NOW + HOUR
    assert hear(NAMES[0], 2) == NOW + 2 * HOUR
    assert hear("", 5) == NOW + 5 * HOUR, "over HTTP all that was said before is safe"
    assert hear(NAMES[1], 4) == NOW + 5 * HOUR, "never back"


@pytest.mark.usefixtures("named")
def test_a_collector_that_nobody_knows_does_not_start(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("C2M_COLLECTOR_NAME", "c2m-collector-3")
    settings.cache_clear()
    with pytest.raises(InputError, match="c2m-collector-3 is not among"):
        collect.run()


@pytest.mark.parametrize("engine", [mosquitto])
def test_what_a_killed_broker_acknowledged_and_forgot_is_sent_again(
    engine: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin()
    monkeypatch.setenv("C2M_MQTT_PORT", str(port := free_port()))
    settings.cache_clear()
    scan = Scan(scan_id="s1", job_order_id="J1", sku_id="A", operation="sew", quantity=1, at=MORNING)
    saved = settings().home / "broker" / "mosquitto.db"
    with ExitStack() as stack:
        with broker.start(port, engine="mosquitto") as first:
            with service("collector", ["c2m.floor.collect"], collector(NAMES[0])):
                await_that(lambda: known_to(saved, NAMES[0]))
            before = saved.read_bytes()
            factory = stack.enter_context(Connection("factory", remembers_s=REMEMBERED_S))
            assert factory.ready.wait(20)
            say(factory, "scans", "F1", [scan])
            os.kill(first.process.pid, signal.SIGKILL)
        saved.write_bytes(before)
        stack.enter_context(broker.start(port, engine="mosquitto"))
        stack.enter_context(service("collector", ["c2m.floor.collect"], collector(NAMES[0])))
        await_that(lambda: landed() == (1, 1))
