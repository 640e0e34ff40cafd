"""Credentials on a real Mosquitto and over HTTP: a factory reads and writes its own, and nothing of another's."""

import contextlib
import json
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from floor_world import MORNING, begin, factory_rows, landed_scans, release, write_world
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
from sqlalchemy import select
from typer.testing import CliRunner

import c2m.doctor.floor
from c2m.cli import app
from c2m.errors import InputError
from c2m.floor import broker, credentials
from c2m.floor.child import await_ready, child, free_port, listens
from c2m.floor.processes import FloorProcesses, floor
from c2m.ledger import store
from c2m.ledger.tables import DeadLetter, Outbox
from c2m.settings import settings
from c2m.wire.messages import Scan, compose, factory_source

pytestmark = [
    pytest.mark.mosquitto,
    pytest.mark.skipif(broker.mosquitto_path() is None, reason="the mosquitto broker is not installed"),
]


class Party:
    """Someone at the broker, with what it heard."""

    def __init__(
        self, running: FloorProcesses, name: str, key: str | None, ca: Path | None = None, client_id: str | None = None
    ) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self.connected, self.refused, self.subscribed = (threading.Event() for _ in range(3))
        self.client = Client(CallbackAPIVersion.VERSION2, client_id or f"test-{name}")
        if key is not None:
            self.client.username_pw_set(name, key)
        if ca:
            self.client.tls_set(str(ca))
        self.client.on_message = lambda _c, _u, message: self.heard.append((message.topic, message.payload))
        self.client.on_connect = lambda *args: (self.refused if args[3].is_failure else self.connected).set()
        self.client.on_disconnect = lambda *_: self.refused.set()
        self.client.on_subscribe = lambda *_: self.subscribed.set()
        self.client.connect("127.0.0.1", running.mqtt_port)
        self.client.loop_start()

    def hear(self, *topics: str) -> None:
        assert self.connected.wait(10)
        self.client.subscribe([(topic, 1) for topic in topics])
        assert self.subscribed.wait(10)

    def say(self, topic: str, body: bytes) -> None:
        deadline = time.monotonic() + 10  # who wrote where it must not may have been thrown out; it comes back
        while not self.client.is_connected():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        with contextlib.suppress(RuntimeError):  # thrown out while the message was under way
            self.client.publish(topic, body, 1).wait_for_publish(10)


@pytest.fixture
def keys(home: Path) -> dict[str, str]:
    begin()
    write_world(factory_rows(("mqtt", "mqtt")), settings().home / "factories.json")
    return {name: credentials.issue(name) for name in ("F1", "F2")}


@pytest.fixture
def running(keys: dict[str, str]) -> Iterator[FloorProcesses]:
    with floor(None, engine="mosquitto") as found:
        yield found


def scan_of(factory_id: str, name: str) -> bytes:
    scan = Scan(scan_id=name, job_order_id="J", sku_id="K", operation="sew", quantity=1, at=MORNING)
    return compose([scan], factory_source(factory_id), MORNING).body()


def await_scan(name: str) -> None:
    deadline = time.monotonic() + 20
    while not list((settings().landing / "scans").glob("[!.]*.parquet")) or name not in set(landed_scans()["scan_id"]):
        assert time.monotonic() < deadline, name
        time.sleep(0.05)


def test_a_factory_reads_and_writes_its_own_and_nothing_of_another(
    running: FloorProcesses, keys: dict[str, str]
) -> None:
    own, other = Party(running, "F1", keys["F1"]), Party(running, "F2", keys["F2"])
    own.hear("c2m/v1/F1/job-orders")
    other.hear("c2m/v1/+/job-orders", "c2m/v1/F1/job-orders", "#", "$SYS/#")
    release([("F1", 100)])
    deadline = time.monotonic() + 20
    while not own.heard:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    other.say("c2m/v1/F1/scans", scan_of("F1", "forged"))
    other.say("c2m/v1/F2/scans", scan_of("F1", "in-anothers-name"))
    while not list((settings().landing / "scans").glob("[!.]*.parquet")):
        other.say("c2m/v1/F2/scans", scan_of("F2", "honest"))
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert set(landed_scans()["scan_id"]) == {"honest"}
    assert [topic for topic, _ in other.heard] == []
    with store.session() as session:
        (letter,) = session.scalars(select(DeadLetter))
        assert (letter.factory_id, "source c2m/factory/F1 spoke for F2" in letter.reason) == ("F2", True)
        assert session.scalars(select(Outbox.state)).all() == ["sent"]


def test_nobody_is_taken_without_a_credential_of_today(running: FloorProcesses, keys: dict[str, str]) -> None:
    for name, key in (("F1", None), ("F1", "wrong"), ("F1", keys["F2"]), ("F3", keys["F1"]), ("c2m-platform", "")):
        assert Party(running, name, key).refused.wait(10), (name, key)
    old = Party(running, "F1", keys["F1"])
    assert old.connected.wait(10)
    told = CliRunner().invoke(app, ["factory", "add", "F1"])
    new = told.stdout.strip()
    assert old.refused.wait(10) or Party(running, "F1", keys["F1"]).refused.wait(10)
    deadline = time.monotonic() + 10  # the broker reads the new key when the signal reaches it
    while not Party(running, "F1", new).connected.wait(0.5):
        assert time.monotonic() < deadline
    assert Party(running, "F1", keys["F1"]).refused.wait(10)
    CliRunner().invoke(app, ["factory", "revoke", "F2"])
    time.sleep(0.5)
    assert Party(running, "F2", keys["F2"]).refused.wait(10)
    assert [line.split()[:2] for line in CliRunner().invoke(app, ["factory", "list"]).stdout.splitlines()] == [
        ["F1", "until"]
    ]


def test_the_next_key_holds_beside_the_old_one_until_that_has_expired(
    running: FloorProcesses, keys: dict[str, str]
) -> None:
    told = CliRunner().invoke(app, ["factory", "rotate", "F1", "--overlap-days", str(6 / 86_400)])
    user, key = told.stdout.split()
    assert user == "F1.2"
    deadline = time.monotonic() + 10
    while not (new := Party(running, user, key)).connected.wait(0.5):
        assert time.monotonic() < deadline
    assert Party(running, "F1", keys["F1"]).connected.wait(5)
    new.say("c2m/v1/F2/scans", scan_of("F2", "forged"))
    new.say("c2m/v1/F1/scans", scan_of("F1", "by-the-next-key"))
    await_scan("by-the-next-key")
    assert "forged" not in set(landed_scans()["scan_id"])
    keeper, body = credentials.Doorkeeper(), b"{}"
    assert keeper.refusal("F1", f"Bearer {key}") is None
    assert keeper.refusal("F1", f"Bearer {keys['F1']}") is None
    assert credentials.signature("F1", body)[credentials.SIGNATURE].count("v1=") == 2
    while len(credentials.of("F1")) > 1:
        time.sleep(0.2)
    broker.forget_expired()  # as `c2m up` does with each look
    time.sleep(0.5)
    assert Party(running, "F1", keys["F1"]).refused.wait(10)
    assert Party(running, user, key).connected.wait(10)
    assert (keeper.refusal("F1", f"Bearer {keys['F1']}") or (0,))[0] == 401
    assert credentials.signature("F1", body)[credentials.SIGNATURE].count("v1=") == 1


def test_a_key_that_expires_soon_is_named_until_it_is_followed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("C2M_KEY_DAYS", "13")
    settings.cache_clear()
    credentials.issue("F1")
    (found,) = c2m.doctor.floor.keys()
    assert (found.ok, "the key of F1 expires on" in found.seen) == (False, True)
    monkeypatch.setenv("C2M_KEY_DAYS", "365")
    settings.cache_clear()
    credentials.rotate("F1", 7)
    assert c2m.doctor.floor.keys()[0].ok
    with pytest.raises(InputError, match="factory F9 has no credential"):
        credentials.rotate("F9", 7)


def test_http_takes_a_factory_by_its_own_key_and_at_its_rate(
    keys: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("C2M_HTTP_MESSAGES_PER_SECOND", "5")
    settings.cache_clear()
    with floor(None, engine="mosquitto") as running, httpx.Client(trust_env=False) as client:
        url = f"http://127.0.0.1:{running.http_port}/v1/factories/F1/scans"

        def post(authorization: str | None) -> int:
            headers = {"authorization": authorization} if authorization else {}
            return client.post(url, content=scan_of("F1", "over-http"), headers=headers).status_code

        refused = (None, "Bearer", "Bearer wrong", f"Bearer {keys['F2']}", f"Basic {keys['F1']}")
        assert [post(words) for words in refused] == [401] * 5
        answers = [post(f"Bearer {keys['F1']}") for _ in range(40)]
        assert set(answers) == {204, 429}
        assert answers.count(204) >= 5


def test_no_factory_takes_over_the_session_of_a_service(running: FloorProcesses, keys: dict[str, str]) -> None:
    """A broker gives a session to whoever names its client id last: the names of the services are secret."""
    thieves = [Party(running, "F1", keys["F1"], client_id=name) for name in ("c2m-collector", "c2m-relay", "collector")]
    assert all(thief.connected.wait(10) for thief in thieves)
    Party(running, "F2", keys["F2"]).say("c2m/v1/F2/scans", scan_of("F2", "beside-a-thief"))
    await_scan("beside-a-thief")
    assert [thief.heard for thief in thieves] == [[], [], []]
    assert not any(thief.refused.is_set() for thief in thieves)  # nobody of that name was there to be thrown out


def test_no_factory_is_given_what_the_collectors_share(keys: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Who joins a shared subscription gets every other message, which is lost where he may not read it."""
    monkeypatch.setenv("C2M_COLLECTORS", '["c2m-collector", "c2m-collector-2"]')
    settings.cache_clear()
    with floor(None, engine="mosquitto") as running:
        thief, own = Party(running, "F1", keys["F1"]), Party(running, "F2", keys["F2"])
        thief.hear(*(f"$share/{name}/c2m/v1/+/scans" for name in ("c2m-collectors", "c2m-collector", "c2m")))
        for number in range(8):
            own.say("c2m/v1/F2/scans", scan_of("F2", f"shared-{number}"))
        await_scan("shared-7")
        assert {f"shared-{number}" for number in range(8)} <= set(landed_scans()["scan_id"])
        assert thief.heard == []


def test_a_will_and_a_retained_message_reach_no_further_than_the_factorys_own(
    running: FloorProcesses, keys: dict[str, str]
) -> None:
    """The broker speaks for who has vanished, and to who comes later: in nobody else's name."""
    watcher = Party(running, "F2", keys["F2"])
    watcher.hear("c2m/v1/F2/#", "spBv1.0/F2/#")
    dying = Client(CallbackAPIVersion.VERSION2, "dying")
    dying.username_pw_set("F1", keys["F1"])
    dying.will_set("c2m/v1/F2/status", scan_of("F2", "will"), 1, retain=True)
    dying.connect("127.0.0.1", running.mqtt_port)
    dying.loop_start()
    assert await_connected(dying)
    dying.publish("c2m/v1/F2/job-orders", b"{}", 1, retain=True)
    dying.publish("spBv1.0/F2/NBIRTH/x", b"", 1, retain=True)
    time.sleep(0.5)
    dying._sock_close()  # without a farewell: the broker publishes the will
    time.sleep(1)
    late = Party(running, "F2", keys["F2"], client_id="late")
    late.hear("c2m/v1/F2/#", "spBv1.0/F2/#")
    watcher.say("c2m/v1/F2/scans", scan_of("F2", "after-it"))
    await_scan("after-it")
    assert (watcher.heard, late.heard) == ([], [])


def await_connected(client: Client) -> bool:
    deadline = time.monotonic() + 10
    while not client.is_connected() and time.monotonic() < deadline:
        time.sleep(0.05)
    return client.is_connected()


@pytest.mark.parametrize("engine", ["mosquitto", "amqtt"])
def test_before_the_first_key_nobody_is_let_in_but_our_own_services(home: Path, engine: broker.Engine) -> None:
    begin()
    write_world(factory_rows(("mqtt",)), settings().home / "factories.json")
    with floor(None, engine=engine) as running:
        strangers = [
            Party(running, "F1", None),
            Party(running, "F1", "guess"),
            Party(running, credentials.PLATFORM, "x"),
        ]
        assert all(stranger.refused.wait(10) for stranger in strangers)
        assert not any(stranger.connected.is_set() for stranger in strangers)
        url = f"http://127.0.0.1:{running.http_port}/v1/factories/F1/scans"
        assert httpx.post(url, content=scan_of("F1", "x"), trust_env=False).status_code == 401
        if engine == "mosquitto":
            told = CliRunner().invoke(app, ["factory", "add", "F1"])
            assert "in force now" in told.stderr
            Party(running, "F1", told.stdout.strip()).hear("c2m/v1/F1/job-orders")


def test_a_broker_that_takes_everyone_is_named(home: Path) -> None:
    config, port = home / "broker" / "mosquitto.conf", free_port()
    config.parent.mkdir()
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    with child("broker", [broker.mosquitto_path() or "", "-c", str(config)]) as process:
        await_ready(process, lambda: listens(port))
        facts = {"engine": "mosquitto", "mqtt_port": port, "pids": {"broker": process.pid}}
        (home / "floor.json").write_text(json.dumps(facts))
        (found,) = c2m.doctor.floor.broker()
    assert (found.ok, "takes everyone without a key" in found.seen) == (False, True)


def test_the_embedded_broker_does_not_start_where_factories_have_keys(keys: dict[str, str]) -> None:
    with pytest.raises(InputError, match="install mosquitto"), broker.start(engine="amqtt"):
        pass


def test_only_hashes_lie_on_disk_and_for_their_owner_alone(running: FloorProcesses, keys: dict[str, str]) -> None:
    for file in (path for path in settings().home.rglob("*") if path.is_file()):
        content = file.read_bytes()
        assert not any(key.encode() in content for key in keys.values()), file
    private = [
        settings().home / "credentials.json",
        *(settings().home / "broker" / name for name in ("passwords", "acl")),
    ]
    assert {oct(path.stat().st_mode & 0o777) for path in private} == {"0o600"}


def test_what_is_no_factory_and_what_has_no_credential_is_named(home: Path) -> None:
    with pytest.raises(InputError, match="no factory identifier"):
        credentials.issue("F1/#")
    for name in (credentials.PLATFORM, "c2m-collector", "C2M", "c2m_relay"):
        with pytest.raises(InputError, match="a name of the platform"):
            credentials.issue(name)
    told = CliRunner().invoke(app, ["factory", "revoke", "F9"])
    assert (told.exit_code, "F9 has no credential" in told.output) == (2, True)


def test_the_floor_speaks_tls_where_the_broker_has_a_certificate(
    keys: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    certificate, key = tmp_path / "broker.crt", tmp_path / "broker.key"
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    try:
        subprocess.run(
            [*request, "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)],
            check=True,
            capture_output=True,
        )
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    for name, file in {"CA_FILE": certificate, "CERT_FILE": certificate, "KEY_FILE": key}.items():
        monkeypatch.setenv(f"C2M_MQTT_{name}", str(file))
    settings.cache_clear()
    with floor(None, engine="mosquitto") as running:  # relay and collector are ready: they speak TLS
        safe = Party(running, "F1", keys["F1"], certificate)
        safe.say("c2m/v1/F1/scans", scan_of("F1", "over-tls"))
        await_scan("over-tls")
        assert Party(running, "F1", keys["F1"]).refused.wait(10)
