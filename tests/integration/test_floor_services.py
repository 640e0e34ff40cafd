"""The floor over real brokers and real HTTP: to the end, through crashes and outages, and with nothing left behind."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Any

import httpx
import pandas as pd
import pytest
from floor_world import MORNING, allot, begin, factory_rows, landed_scans, release, write_world
from sqlalchemy import select

from c2m import clock
from c2m.errors import C2MError
from c2m.floor import broker, collect, credentials, http, relay
from c2m.floor.child import child, free_port, listens
from c2m.floor.processes import floor, service, settle
from c2m.floor.service import READY
from c2m.ledger import status, store
from c2m.ledger.tables import DeadLetter, FactoryStatus, JobOrder, Outbox
from c2m.settings import settings
from c2m.simulation.factories.__main__ import refusal
from c2m.simulation.factories.__main__ import run as simulate
from c2m.wire.messages import MAX_BYTES, Status, compose, factory_source

mosquitto = pytest.param(
    "mosquitto",
    marks=[
        pytest.mark.mosquitto,
        pytest.mark.skipif(broker.mosquitto_path() is None, reason="the mosquitto broker is not installed"),
    ],
)
BOTH = pytest.mark.parametrize("site", [mosquitto, "amqtt"], indirect=True)
MOSQUITTO = pytest.mark.parametrize("site", [mosquitto], indirect=True)
TRANSPORTS = ("mqtt", "http", "mqtt")
FACTORIES = {"F1", "F2", "F3"}
END = MORNING + timedelta(days=20)


class Site:
    """Broker and addresses of one test; services run as threads here or as processes beside."""

    def __init__(self, engine: broker.Engine, stack: ExitStack, patch: pytest.MonkeyPatch) -> None:
        self.engine, self.stack = engine, stack
        self.ports = free_port(), free_port(), free_port()
        self.env = {
            "C2M_MQTT_PORT": str(self.ports[0]),
            "C2M_MQTT_VERSION": "5" if engine == "mosquitto" else "3.1.1",
            "C2M_HTTP_PORT": str(self.ports[1]),
            "C2M_HTTP_FACTORY_URL": f"http://127.0.0.1:{self.ports[2]}/{{factory_id}}",
        }
        for name, value in self.env.items():
            patch.setenv(name, value)
        settings.cache_clear()
        self.factories = settings().home / "factories.json"

    def open_broker(self, stack: ExitStack | None = None) -> broker.Broker:
        return (stack or self.stack).enter_context(broker.start(self.ports[0], self.engine))

    def thread(self, run: Callable[[Event], object], ready: pytest.LogCaptureFixture) -> None:
        """Runs a service in this process until the test ends; returns once it is ready."""
        stop, said = Event(), ready.messages.count(READY)
        thread = Thread(target=run, args=(stop,))
        thread.start()
        self.stack.callback(lambda: (stop.set(), thread.join()))
        await_that(lambda: ready.messages.count(READY) > said)

    def run(self, ready: pytest.LogCaptureFixture) -> None:
        """Broker and all services: who is spoken to before the speaker."""
        self.open_broker()
        for run in (collect.run, self.simulate, relay.run):
            self.thread(run, ready)

    def simulate(self, stop: Event) -> None:
        simulate(self.factories, 1, settings().home / "sim", self.ports[2], stop)

    def process(self, name: str, await_it: bool = True) -> subprocess.Popen[bytes]:
        sim = ["--factories", str(self.factories), "--seed", "1", "--state", str(settings().home / "sim")]
        modules = {
            "relay": ["c2m.cli", "relay"],
            "collector": ["c2m.floor.collect"],
            "factories": ["c2m.simulation.factories", *sim, "--http-port", str(self.ports[2])],
        }
        if await_it:
            return self.stack.enter_context(service(name, modules[name], self.env))
        return self.stack.enter_context(child(name, [sys.executable, "-m", *modules[name]], self.env))


@pytest.fixture
def site(
    home: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture
) -> Iterator[Site]:
    caplog.set_level("INFO")
    with ExitStack() as stack:
        begin()
        made = Site(request.param, stack, monkeypatch)
        write_world(factory_rows(TRANSPORTS), made.factories)
        yield made


def await_that(holds: Callable[[], object], timeout_s: float = 20) -> None:
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def go_to(*days: float) -> None:
    for day in days:
        clock.set_now(MORNING + timedelta(days=day))
        settle(FACTORIES, clock.now(), 30)


def job_orders() -> pd.DataFrame:
    columns = (JobOrder.lot_id, JobOrder.factory_id, JobOrder.state, JobOrder.revision, JobOrder.quantity)
    with store.session() as session:
        return store.frame(session, select(*columns).order_by(JobOrder.lot_id))


def shipped() -> int:
    """Pieces by the scans on disk, each counted once however often it came."""
    scans = landed_scans().drop_duplicates(["factory_id", "scan_id"])
    return int(scans.loc[scans["operation"] == "ship", "quantity"].sum())


def await_versions() -> None:
    """Until every factory has said which version of the messages it understands: it decides on what it is sent."""
    await_that(lambda: {told.factory_id for told in in_ledger(FactoryStatus) if told.online} == FACTORIES)


def in_ledger(table: type[Any]) -> list[Any]:
    with store.session() as session:
        return list(session.scalars(select(table)))


@BOTH
def test_job_orders_run_to_their_end_amended_cancelled_and_refused_ones_too(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site.run(caplog)
    release([("F1", 500), ("F2", 600), ("F3", 700), ("F1", 60_000), ("F2", 300), ("F3", 400)])
    settle(FACTORIES, MORNING, 30)
    kept = [("O1-1", "F1", 500), ("O1-2", "F2", 600), ("O1-3", "F3", 350), ("O1-5", "F2", 300)]
    allot(kept, round=2)  # O1-3 halved, O1-6 taken back; O1-4 was refused
    settle(FACTORIES, MORNING, 30)
    go_to(2, 6, 20)
    assert job_orders()["state"].tolist() == ["Ended", "Ended", "Ended", "Refused", "Ended", "Cancelled"]
    assert job_orders()["revision"].tolist()[2] == 2
    assert {message.state for message in in_ledger(Outbox)} == {"answered"}
    assert in_ledger(DeadLetter) == []
    assert shipped() == 500 + 600 + 350 + 300


@pytest.mark.long
@BOTH
def test_killed_services_that_start_again_leave_the_same_ledger_and_scans(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    site.open_broker()
    running = {name: site.process(name) for name in ("collector", "factories", "relay")}

    def crash(name: str) -> None:
        running[name].kill()
        running[name].wait()
        running[name] = site.process(name, await_it=False)

    pieces = [(name, 900) for name in sorted(FACTORIES)] * 2
    await_versions()
    release(pieces)
    for name in ("relay", "factories", "collector"):  # in the middle of the first exchange
        crash(name)
    settle(FACTORIES, MORNING, 30)
    clock.set_now(MORNING + timedelta(days=4))
    crash("factories")  # in the middle of what they have to tell
    crash("collector")
    settle(FACTORIES, clock.now(), 30)
    go_to(20)
    disturbed, scans = ledger_facts(), landed_scans()
    assert set(job_orders()["state"]) == {"Ended"}
    assert shipped() == 900 * len(pieces)

    monkeypatch.setenv("C2M_HOME", str(tmp_path / "calm"))
    calm = Site(site.engine, site.stack, monkeypatch)
    begin()
    write_world(factory_rows(TRANSPORTS), calm.factories)
    calm.run(caplog)
    await_versions()
    release(pieces)
    settle(FACTORIES, MORNING, 30)
    go_to(4, 20)
    columns = ["factory_id", "scan_id", "job_order_id", "operation", "quantity", "defects", "at"]
    once = scans[columns].drop_duplicates().sort_values(columns, ignore_index=True)
    pd.testing.assert_frame_equal(once, landed_scans()[columns].sort_values(columns, ignore_index=True))
    for name, table in ledger_facts().items():
        pd.testing.assert_frame_equal(disturbed[name], table, obj=name)


def ledger_facts() -> dict[str, pd.DataFrame]:
    with store.session() as session:
        return store.snapshot(session)


@MOSQUITTO
def test_what_is_released_while_everything_is_down_arrives_once_it_is_up(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    release([("F1", 300), ("F2", 300), ("F3", 300)])
    site.open_broker()
    site.thread(relay.run, caplog)
    await_that(lambda: "not delivered" in caplog.text)
    assert {message.state for message in in_ledger(Outbox)} == {"pending"}
    site.thread(collect.run, caplog)
    site.thread(site.simulate, caplog)
    settle(FACTORIES, MORNING, 30)
    assert set(job_orders()["state"]) == {"AllowedToStart"}


@MOSQUITTO
def test_a_broker_that_goes_and_comes_back_loses_nothing(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    with ExitStack() as first:
        site.open_broker(first)
        for run in (collect.run, site.simulate, relay.run):
            site.thread(run, caplog)
        settle(FACTORIES, MORNING, 30)
    release([("F1", 300), ("F2", 300), ("F3", 300)])
    await_that(lambda: "no connection to the broker" in caplog.text)
    site.open_broker()
    settle(FACTORIES, MORNING, 30)
    go_to(20)
    assert set(job_orders()["state"]) == {"Ended"}
    assert shipped() == 900


@BOTH
def test_nobody_answers_and_the_offer_expires(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    site.open_broker()
    site.thread(relay.run, caplog)
    release([("F1", 300), ("F2", 300)])
    clock.set_now(MORNING + timedelta(hours=11))
    time.sleep(1.2)
    assert set(job_orders()["state"]) == {"Released"}
    clock.set_now(MORNING + timedelta(hours=14))
    await_that(lambda: set(job_orders()["state"]) == {"Expired"})
    with pytest.raises(C2MError, match="factory F1 has reported up to None"):
        settle({"F1"}, clock.now(), 0)


@MOSQUITTO
def test_the_http_inlet_says_what_became_of_a_message(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    site.open_broker()
    site.thread(collect.run, caplog)
    url = f"http://127.0.0.1:{site.ports[1]}/v1/factories/F9/status"
    message = compose(Status(online=True, through=MORNING), factory_source("F9"), MORNING).body()
    key = {"authorization": f"Bearer {credentials.platform_key()}"}
    with httpx.Client(trust_env=False) as client:
        assert client.post(url, content=message).status_code == 401
        client.headers.update(key)
        assert client.post(url, content=message).status_code == 204
        assert client.post(url.replace("F9", "F8"), content=message).status_code == 422
        assert client.post(url, content=b"[" * 100_000).json()["reason"].startswith("message: Invalid JSON")
        assert client.post(url, content=b" " * (MAX_BYTES + 1)).status_code == 413
    with store.session() as session:
        assert status.factories(session)["factory_id"].tolist() == ["F9"]
    assert len(in_ledger(DeadLetter)) == 2


def test_simulated_factories_take_work_of_their_own_platform_alone(home: Path) -> None:
    async def post(headers: dict[str, str]) -> int:
        taken: Future[str] = Future()
        taken.set_result("")
        transport = httpx.ASGITransport(http.inlet("/{factory_id}", lambda *_: taken, refusal))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return (await client.post("/F1", content=b"{}", headers=headers)).status_code

    factory = {"authorization": f"Bearer {credentials.issue('F1')}"}
    asked = ({}, factory, credentials.simulated_login())
    assert [asyncio.run(post(headers)) for headers in asked] == [401, 401, 204]


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie that nobody has reaped yet does not."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel ends children of a killed parent on Linux alone")
def test_the_floor_does_not_outlive_a_killed_parent(home: Path) -> None:
    begin()
    factories = write_world(factory_rows(["mqtt"]), home / "factories.json")
    script = (
        "import signal, sys, time, pathlib; from c2m.floor.processes import floor\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})\n"  # of which its children must know nothing
        "with floor(pathlib.Path(sys.argv[1])) as f: print(*f.pids.values(), flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(factories)], stdout=subprocess.PIPE) as parent:
        assert parent.stdout
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(pids) == 4
        assert all(map(alive, pids))
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
    await_that(lambda: not any(map(alive, pids)))


def test_the_floor_ends_with_its_block(home: Path) -> None:
    begin()
    factories = write_world(factory_rows(["mqtt"]), home / "factories.json")
    with floor(factories) as running:
        assert listens(running.mqtt_port)
        assert listens(running.http_port)
        assert (home / "floor.json").exists()
    assert not any(map(alive, running.pids.values()))
    assert not listens(running.mqtt_port)


def test_a_broker_whose_port_is_taken_says_so(home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(C2MError, match="broker ended with exit code"), broker.start(taken.getsockname()[1]):
            pass
