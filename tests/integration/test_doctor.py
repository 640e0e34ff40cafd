"""`c2m up` for real, and `c2m doctor` beside it: well at first, then each part broken and named in words."""

import hashlib
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil
import pytest
from day_kit import command
from playwright.sync_api import sync_playwright

from c2m.doctor import pages, schedules
from c2m.floor.child import LOOPBACK, free_port
from c2m.orchestrator import Orchestrator
from c2m.settings import settings

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(900),
]
PORTS = tuple(f"C2M_{name}_PORT" for name in ("PREFECT", "MLFLOW", "DOCS", "MQTT", "HTTP", "RELAY", "ROOMS"))


class Platform:
    """A `c2m up` in a process, and commands beside it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        plain = {name: value for name, value in os.environ.items() if not name.startswith(("C2M_", "PREFECT_"))}
        self.env = plain | {"C2M_HOME": str(home), "C2M_WATCH_EVERY_S": "4", **{p: str(free_port()) for p in PORTS}}
        self.said = home.parent / "said.txt"
        self.process = subprocess.Popen(
            command("up"), env=self.env, stdout=self.said.open("w"), stderr=subprocess.STDOUT
        )

    def await_up(self) -> None:
        await_that(lambda: "Ctrl-C" in self.said.read_text() or self.process.poll() is not None, 400)
        assert "Ctrl-C" in self.said.read_text(), self.said.read_text()
        self.url = f"http://{LOOPBACK}:{self.env['C2M_PREFECT_PORT']}"
        self.key = json.loads(self.c2m("env", "--json").stdout)["PREFECT_API_AUTH_STRING"]
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PREFECT_API_AUTH_STRING", self.key)
            self.ask = Orchestrator(self.url).ask

    def c2m(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command(*arguments), env=self.env | env, capture_output=True, text=True)

    def doctor(self, **env: str) -> dict[str, dict[str, Any]]:
        """What is not well, by check."""
        done = self.c2m("doctor", "--json", **env)
        wrong = {one["check"]: one for one in json.loads(done.stdout) if one["ok"] is False}
        assert done.returncode == (2 if wrong else 0)
        assert all(check in done.stderr for check in wrong)
        return wrong

    def processes(self, words: str) -> list[psutil.Process]:
        """The process that runs a command with these words, and those that it started; it may be about to come back."""

        def running() -> list[psutil.Process]:
            children = [p for p in psutil.Process(self.process.pid).children() if p.status() != psutil.STATUS_ZOMBIE]
            return [p for p in children if words in " ".join(p.cmdline())]

        (found,) = await_that(running, 60)
        return [*found.children(recursive=True), found]

    def kill(self, words: str) -> None:
        for process in self.processes(words):
            process.kill()

    @contextmanager
    def hanging(self, words: str) -> Iterator[None]:
        """They are there, and do nothing."""
        stopped = self.processes(words)
        for process in stopped:
            process.suspend()
        try:
            yield
        finally:
            for process in stopped:
                with suppress(psutil.NoSuchProcess):
                    process.resume()


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    up = Platform(tmp_path_factory.mktemp("up") / "home")
    try:
        up.await_up()
        yield up
    finally:
        up.process.send_signal(signal.SIGINT)
        assert up.process.wait(60) == 0, up.said.read_text()


def await_that(seen: Callable[[], Any], seconds: float) -> Any:
    """The first true answer within some seconds, else the last one."""
    until = time.monotonic() + seconds
    while not (found := seen()) and time.monotonic() < until:
        time.sleep(0.1)
    return found


def test_a_platform_that_has_started_is_well(platform: Platform) -> None:
    time.sleep(91)  # from then on each schedule must have its next run
    assert platform.doctor() == {}
    assert "each of 6 schedules has a next run" in platform.c2m("doctor", "--json").stdout
    assert "NOT WELL" not in platform.said.read_text()


def test_another_home_is_refused_the_ports_and_nobody_else_gets_the_home(platform: Platform, tmp_path: Path) -> None:
    other = platform.c2m("up", C2M_HOME=str(tmp_path))
    assert other.returncode == 2
    assert "is taken by a server of another home (" in other.stderr
    assert all(platform.env[port] in other.stderr for port in PORTS)
    again = platform.c2m("run", "--date", "2026-04-13")
    assert again.returncode == 2
    assert f"c2m up (process {platform.process.pid}) works in" in again.stderr


def test_pages_of_another_home_are_named(platform: Platform, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("C2M_MLFLOW_PORT", "C2M_DOCS_PORT"):
        monkeypatch.setenv(name, platform.env[name])
    monkeypatch.setenv("PREFECT_API_URL", f"{platform.url}/api")
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", platform.key)
    settings.cache_clear()
    (server,), (mlflow,), (documents,) = (list(check()) for check in (schedules.server, pages.mlflow, pages.documents))
    assert f"is the server of {platform.home}, not of {home}" in server.seen
    assert [server.ok, mlflow.ok, documents.ok] == [False, False, False]


ATTACK = """<!doctype html><title>careless</title><script>
async function attack(api) {
  const json = {"content-type": "application/json"};
  const tries = [
    fetch(api + "/deployments/filter", {method: "POST", headers: json, body: "{}"}),
    fetch(api + "/deployments/filter", {method: "POST", headers: {"content-type": "text/plain"}, body: "{}"}),
    fetch(api + "/flows/", {method: "POST", mode: "no-cors", body: '{"name": "stolen"}'}),
    fetch(api + "/csrf-token?client=me"),
    new Promise((yes, no) => {
      const socket = new WebSocket(api.replace("http", "ws") + "/events/out", "prefect");
      socket.onopen = () => yes({ok: true});
      socket.onerror = () => no("refused");
    }),
  ];
  return (await Promise.allSettled(tries)).map(one => one.status === "fulfilled" && one.value.ok);
}
</script>"""


def test_a_careless_web_page_and_another_user_of_the_machine_get_nothing(platform: Platform) -> None:
    """In a real browser: a page of another site, and one whose name points at us (DNS rebinding)."""
    binary = shutil.which("chromium")
    if not binary:
        pytest.skip("chromium is not installed")
    before = platform.ask("/flows/filter", {})
    port = platform.url.rpartition(":")[2]
    with sync_playwright() as tools:
        browser = tools.chromium.launch(
            executable_path=binary, args=["--no-sandbox", "--host-resolver-rules=MAP *.example 127.0.0.1"]
        )
        page = browser.new_page()
        page.route("http://careless.example/", lambda route: route.fulfill(body=ATTACK, content_type="text/html"))
        page.goto("http://careless.example/")
        for host in (LOOPBACK, "localhost", "rebound.example"):
            assert page.evaluate("api => attack(api)", f"http://{host}:{port}/api") == [False] * 5, host
        rebound = page.goto(f"http://rebound.example:{port}/")
        assert rebound is not None
        assert (rebound.status, "Host 'rebound.example" in rebound.text()) == (403, True)
        browser.close()
    assert platform.ask("/flows/filter", {}) == before
    for number in ("C2M_MLFLOW_PORT", "C2M_DOCS_PORT"):
        assert httpx.get(f"http://{LOOPBACK}:{platform.env[number]}/").status_code == 401
    assert httpx.post(f"{platform.url}/api/flows/filter", json={}).status_code in (401, 403)


def test_with_the_key_the_pages_open_and_ask_no_other_host(platform: Platform) -> None:
    binary = shutil.which("chromium")
    if not binary:
        pytest.skip("chromium is not installed")
    asked: list[str] = []
    with sync_playwright() as tools:
        browser = tools.chromium.launch(executable_path=binary, args=["--no-sandbox"])
        user, _, password = platform.key.partition(":")
        page = browser.new_page(http_credentials={"username": user, "password": password})
        page.on("request", lambda request: asked.append(request.url))
        page.goto(platform.url)
        page.get_by_placeholder("admin:pass").fill(platform.key)
        page.keyboard.press("Enter")
        page.get_by_role("link", name="Deployments").click()
        page.get_by_text("daily").first.wait_for()
        for number, words in (("C2M_MLFLOW_PORT", "Experiments"), ("C2M_DOCS_PORT", "Data Docs")):
            page.goto(f"http://{LOOPBACK}:{platform.env[number]}/")
            page.get_by_text(words).first.wait_for()
        browser.close()
    assert {urlsplit(url).hostname for url in asked if url.startswith("http")} == {LOOPBACK}


def test_a_deployment_without_its_schedule_and_a_schedule_without_a_run_are_named(platform: Platform) -> None:
    track = platform.ask("/deployments/name/track/track")
    of_track = f"/deployments/{track['id']}/schedules"
    over = [
        {"schedule": {"rrule": "DTSTART:20200101T000000Z\nRRULE:FREQ=DAILY;COUNT=1", "timezone": "UTC"}, "active": True}
    ]
    platform.ask(f"{of_track}/{track['schedules'][0]['id']}", method="DELETE")
    (added,) = platform.ask(of_track, over)
    wrong = await_that(lambda: "schedules" in (found := platform.doctor()) and found, 150)
    assert wrong["deployments"]["seen"] == "track has no active schedule 30 8-20 * * *"
    assert wrong["schedules"]["seen"].startswith("track has no next run")
    platform.ask(f"{of_track}/{added['id']}", method="DELETE")
    once_more = [{"schedule": track["schedules"][0]["schedule"], "active": True}]
    platform.ask(of_track, once_more)
    assert await_that(lambda: platform.doctor() == {}, 120)  # the scheduler makes its runs within a minute


@contextmanager
def kept(*files: Path) -> Iterator[None]:
    """They are as they were once the block ends; those that were not there are gone."""
    before = {file: file.read_bytes() if file.exists() else None for file in files}
    try:
        yield
    finally:
        for file, content in before.items():
            if content is None:
                file.unlink(missing_ok=True)
            else:
                file.write_bytes(content)


@contextmanager
def changed(database: Path, there: str, back: str) -> Iterator[None]:
    """A statement and later another one, behind everybody's back."""

    def run(statement: str) -> None:
        with sqlite3.connect(database, timeout=30) as connection:
            connection.execute(statement)

    run(there)
    try:
        yield
    finally:
        run(back)


@contextmanager
def exhausted_and_paused(platform: Platform) -> Iterator[None]:
    """A deployment has an active schedule that is over; another is paused."""
    track, prune = (platform.ask(f"/deployments/name/{name}/{name}") for name in ("track", "prune"))
    over = {"rrule": "DTSTART:20200101T000000Z\nRRULE:FREQ=DAILY;COUNT=1", "timezone": "UTC"}
    (added,) = platform.ask(f"/deployments/{track['id']}/schedules", [{"schedule": over, "active": True}])
    platform.ask(f"/deployments/{prune['id']}", {"paused": True}, "PATCH")
    try:
        yield
    finally:
        platform.ask(f"/deployments/{track['id']}/schedules/{added['id']}", method="DELETE")
        platform.ask(f"/deployments/{prune['id']}", {"paused": False}, "PATCH")


@contextmanager
def server_of_another_home(home: Path) -> Iterator[str]:
    """The documents of that home, at a port that this one takes for its own."""
    port = str(free_port())
    serve = ["flows.pages", "flows.pages:documents", port]
    with subprocess.Popen([sys.executable, "-m", *serve], env=os.environ | {"C2M_HOME": str(home)}) as process:
        try:
            assert await_that(lambda: socket.socket().connect_ex((LOOPBACK, int(port))) == 0, 60)
            yield port
        finally:
            process.terminate()


@contextmanager
def warehouse_held(home: Path) -> Iterator[None]:
    """By somebody who looks at it with DuckDB, and forgot that it is open."""
    code = f"import duckdb; c = duckdb.connect({str(home / 'warehouse.duckdb')!r}); print('here', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline()
        try:
            yield
        finally:
            process.kill()


def build_of(home: Path, day: str) -> None:
    """The pointer names a build of that day, with one mart, which was changed since."""
    marts = {"styles": {"file": "planted.parquet", "rows": 1, "sha256": "0" * 64}}
    (home / "published" / "planted.parquet").write_bytes(b"other rows")
    pointer = {"build_id": "planted", "business_date": day, "invocation_id": "planted", "marts": marts}
    (home / "published" / "current.json").write_text(json.dumps(pointer))


OVERDUE = """INSERT INTO outbox (message_id, factory_id, job_order_id, revision, type, payload, position, state,
    attempts, next_attempt_at, at)
    VALUES ('planted', 'planted', 'planted', 1, 'c2m.job-order.store', '{}', 1, 'sent', 1,
    '2020-01-01 00:00:00.000000', '2020-01-01 00:00:00.000000')"""
PACKAGE = "Metadata-Version: 2.1\nName: duckdb\nVersion: 0.9.0\n"


def test_planted_faults_are_each_named_with_what_to_do(platform: Platform, tmp_path: Path) -> None:
    """Nineteen of them, for real; the slow ones are planted first, since a worker is missed after 90 s only."""
    home, seen, moves = platform.home, dict[str, str](), dict[str, str]()
    assert platform.doctor() == {}

    def look(**env: str) -> dict[str, str]:
        found = platform.doctor(**env)
        seen.update({check: one["seen"] for check, one in found.items()})
        moves.update({f"{check}: {one['seen']}": one["move"] for check, one in found.items()})
        return {check: one["seen"] for check, one in found.items()}

    with ExitStack() as slow:
        slow.enter_context(platform.hanging("worker start"))
        slow.enter_context(exhausted_and_paused(platform))
        with ExitStack() as plants:
            pages_key, pointer = home / "pages.key", home / "published" / "current.json"
            empty = min((home / "landing").glob("*/*.parquet"))
            files = home / "credentials.json", empty, pointer, home / "published" / "planted.parquet"
            plants.enter_context(kept(*files))
            (home / "published").mkdir(exist_ok=True)
            platform.c2m("factory", "add", "F001", C2M_KEY_DAYS="5")
            empty.write_bytes(empty.read_bytes()[:-100])
            build_of(home, "2020-01-01")
            month_ago = (datetime.now(UTC) - timedelta(days=30)).timestamp()
            made = pages_key.stat().st_mtime
            os.utime(pages_key, (month_ago, month_ago))
            plants.callback(os.utime, pages_key, (made, made))
            folder = tmp_path / "duckdb-0.9.0.dist-info"
            folder.mkdir()
            (folder / "METADATA").write_text(PACKAGE)
            other = plants.enter_context(server_of_another_home(tmp_path / "other"))
            plants.enter_context(warehouse_held(home))
            bucket = "ALTER TABLE {} RENAME TO {}"
            names = ("automation_bucket", "planted")
            prefect = home / "prefect" / "prefect.db"
            plants.enter_context(changed(prefect, bucket.format(*names), bucket.format(*names[::-1])))
            plants.enter_context(platform.hanging("c2m.floor.collect"))
            odd = {"C2M_LEAST_FREE_GB": "1e9", "PYTHONPATH": str(tmp_path), "C2M_DOCS_PORT": other}
            # The server's loop fails every 5 s; what it has said twice is a fault.
            found = await_that(lambda: (one := look(**odd)).get("server log") and one, 60) or look(**odd)
        assert "the key of F001 expires on" in found["keys"]
        assert "is cut off or overwritten" in found["landing"]
        assert "is not what was published" in found["marts"]
        assert "2020-01-01 was the last good day" in found["last day"]
        assert "none, in 30 days" in found["backup"]
        assert "GB free on the disk" in found["disk"]
        assert "duckdb 0.9.0 is installed, needed is" in found["packages"]
        assert f"answers for home {home_id_of(tmp_path / 'other')}" in found["documents"]
        assert "is no flow: builds fail" in found["warehouse"]
        assert "no such table: automation_bucket" in found["server log"]
        assert "prune is paused" in found["deployments"]
        assert any("collector: " in one and "does not answer" in one for one in moves)
        with changed(home / "ledger.db", "UPDATE alembic_version SET version_num = '9999'", BACK.format(version(home))):
            assert "version 9999, this code needs" in look()["ledger"]
        with kept(home / "clock"):
            (home / "clock").write_text("tomorrow")
            assert "is no clock" in look()["clock"]
        gone = "DELETE FROM outbox WHERE message_id = 'planted'"
        with (
            platform.hanging("broker/mosquitto.conf"),
            platform.hanging("c2m.floor.relay"),
            changed(home / "ledger.db", OVERDUE, gone),
        ):
            found = look()
        assert "nobody answers on port" in found["broker"]
        assert "1 messages to factories are due for more than 5 minutes" in found["outbox"]
        assert await_that(lambda: {"worker", "schedules"} <= look().keys(), 60), seen
        assert "the last worker of the pool c2m showed up" in seen["worker"]
        assert "track has no next run" in seen["schedules"]
    assert [said for said, move in moves.items() if not move] == []
    log = home / "logs" / "prefect-server.log"
    log.write_text("")  # else its errors stand for 15 minutes
    assert await_that(lambda: platform.doctor() == {}, 120), platform.doctor()


BACK = "UPDATE alembic_version SET version_num = '{}'"


def version(home: Path) -> str:
    with sqlite3.connect(home / "ledger.db") as connection:
        return str(connection.execute("SELECT version_num FROM alembic_version").fetchone()[0])


def home_id_of(home: Path) -> str:
    return hashlib.sha256(str(home.resolve()).encode()).hexdigest()[:12]


def test_a_limit_that_is_gone_and_a_service_that_fails_in_its_loop_are_named(platform: Platform) -> None:
    (limit,) = [one for one in platform.ask("/v2/concurrency_limits/filter", {}) if "warehouse" in one["name"]]
    platform.ask(f"/v2/concurrency_limits/{limit['id']}", method="DELETE")
    log = platform.home / "logs" / "prefect-server.log"
    whole = log.read_text()
    with log.open("a") as file:
        file.write(
            f"{datetime.now().astimezone():%H:%M:%S}.000 | ERROR   | docket.dependencies - schedule_deployments()\n"
            "sqlalchemy.exc.InvalidRequestError: Can't evaluate bulk DML statement\n" * 2
        )
    wrong = platform.doctor()
    assert set(wrong) == {"warehouse limit", "server log"}
    assert "is missing" in wrong["warehouse limit"]["seen"]
    assert "Can't evaluate bulk DML statement" in wrong["server log"]["seen"]
    platform.ask("/v2/concurrency_limits/", {"name": limit["name"], "limit": 1})
    log.write_text(whole)
    assert platform.doctor() == {}


def restarts(platform: Platform) -> dict[str, int]:
    return {one["process"]: one["restarts"] for one in json.loads(platform.c2m("status", "--json").stdout)["processes"]}


def test_parts_that_are_killed_come_back_and_it_is_said(platform: Platform) -> None:
    before = restarts(platform)
    killed = {"relay": "c2m.floor.relay", "collector": "c2m.floor.collect", "broker": "broker/mosquitto.conf"}
    killed |= {"mlflow-server": "mlflow server", "prefect-worker": "worker start"}
    earlier = platform.said.read_text()
    for words in killed.values():
        platform.kill(words)
    assert await_that(lambda: platform.said.read_text()[len(earlier) :].count("runs again") >= len(killed), 120), (
        platform.said.read_text()
    )
    said = platform.said.read_text()[len(earlier) :]
    assert all(f"HAS ENDED  {name}, exit code -9" in said and f"runs again  {name}" in said for name in killed)
    assert await_that(lambda: platform.doctor() == {}, 60)
    assert restarts(platform) == {name: count + (name in killed) for name, count in before.items()}


def bound(sock: socket.socket, port: int) -> bool:
    try:
        sock.bind((LOOPBACK, port))
    except OSError:  # the process that was killed still has it
        return False
    return True


def test_a_part_that_keeps_failing_is_named_with_its_reason_until_it_runs(platform: Platform) -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        platform.kill("c2m.floor.collect")
        assert await_that(lambda: bound(other, int(platform.env["C2M_HTTP_PORT"])), 10)
        other.listen()
        assert await_that(lambda: "KEEPS FAILING  collector" in platform.said.read_text(), 120)
        assert await_that(lambda: "NOT WELL  processes" in platform.said.read_text(), 60), platform.said.read_text()
        found = platform.doctor()["processes"]
        assert "is the port in use?" in found["seen"]
        alerts = json.loads(platform.c2m("alerts", "--json").stdout)
        assert ("platform", "processes") in {(one["kind"], one["subject"]) for one in alerts}
    assert await_that(lambda: platform.doctor() == {}, 240)


def test_a_server_that_is_killed_comes_back_with_its_limit_free_and_the_platform_ends_in_order(
    platform: Platform,
) -> None:
    before = restarts(platform)["prefect-server"]
    platform.kill("flows.pages:prefect")
    assert await_that(lambda: "HAS ENDED  prefect-server" in platform.said.read_text(), 30)
    assert await_that(lambda: platform.said.read_text().count("runs again  prefect-server") > before, 120)
    assert await_that(lambda: platform.doctor() == {}, 120), platform.doctor()
