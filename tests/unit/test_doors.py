"""Who gets in at a page: Host, Origin and key, over HTTP and WebSocket, by whatever name the loopback is called."""

import base64
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI, WebSocket
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families
from starlette.websockets import WebSocketDisconnect

from c2m.doors import Door, key, login
from c2m.errors import InputError
from c2m.floor.child import free_port
from c2m.health import Health, our_version
from c2m.home import HEADER, home_id
from c2m.settings import settings

app = FastAPI()


@app.get("/")
def page() -> str:
    return "inside"


@app.post("/change")
def change() -> str:
    return "changed"


@app.websocket("/stream")
async def stream(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text("inside")
    await socket.close()


@pytest.fixture
def keyed(home: Path) -> Iterator[TestClient]:
    with TestClient(Door(app, keyed=True), "http://127.0.0.1:4200") as client:  # type: ignore[arg-type]
        yield client


@pytest.fixture
def unkeyed(home: Path) -> Iterator[TestClient]:
    with TestClient(Door(app, keyed=False), "http://127.0.0.1:4200") as client:  # type: ignore[arg-type]
        yield client


@pytest.mark.parametrize("host", ["127.0.0.1:4200", "localhost:4200", "LOCALHOST:4200", "[::1]:4200"])
def test_every_name_of_the_loopback_is_ours(unkeyed: TestClient, host: str) -> None:
    assert unkeyed.get("/", headers={"host": host}).json() == "inside"


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example:4200", "evil.example:4200", "", "127.0.0.1@evil.example", "x:y"]
)
def test_a_name_that_somebody_else_has_pointed_at_us_is_refused(unkeyed: TestClient, host: str) -> None:
    answer = unkeyed.get("/", headers={"host": host})
    assert (answer.status_code, answer.headers[HEADER]) == (403, home_id())
    assert "C2M_ALLOWED_HOSTS" in answer.text


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "https://evil.example:4200", "null", "", "http://127.0.0.1:9999", "http://localhost", "x"],
)
def test_a_foreign_page_is_refused(unkeyed: TestClient, origin: str) -> None:
    assert unkeyed.post("/change", headers={"origin": origin}).status_code == 403


@pytest.mark.parametrize("origin", ["http://127.0.0.1:4200", "http://localhost:4200"])
def test_our_own_page_is_let_in(unkeyed: TestClient, origin: str) -> None:
    assert unkeyed.post("/change", headers={"origin": origin}).json() == "changed"


def test_a_proxys_name_is_let_in_where_a_setting_names_it(unkeyed: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {"host": "c2m.example.org", "origin": "https://c2m.example.org"}
    assert unkeyed.post("/change", headers=asked).status_code == 403
    monkeypatch.setenv("C2M_ALLOWED_HOSTS", '["c2m.example.org"]')
    settings.cache_clear()
    assert unkeyed.post("/change", headers=asked).json() == "changed"
    mixed = {"host": "c2m.example.org", "origin": "http://127.0.0.1"}
    assert unkeyed.post("/change", headers=mixed).status_code == 403


def test_pages_behind_a_proxy_are_let_in_by_the_address_that_is_set(
    unkeyed: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("C2M_PUBLIC_URLS", '{"prefect": "https://c2m.example.org/"}')
    settings.cache_clear()
    asked = {"host": "c2m.example.org", "origin": "https://c2m.example.org"}
    answer = unkeyed.post("/change", headers=asked)
    assert answer.json() == "changed"
    assert "connect-src 'self' data: blob:" in answer.headers["content-security-policy"]
    assert unkeyed.post("/change", headers=asked | {"origin": "https://c2m.example.org:8443"}).status_code == 403
    assert settings().page_url("prefect") == "https://c2m.example.org"
    assert settings().page_url("mlflow") == "http://127.0.0.1:5000"


@pytest.mark.parametrize("address", ["c2m.example.org", "https://a:b@c2m.example", "https://c2m.example/pages", "x:y"])
def test_an_address_that_no_page_can_have_is_refused(home: Path, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("C2M_PUBLIC_URLS", f'{{"prefect": "{address}"}}')
    settings.cache_clear()
    with pytest.raises(InputError, match=r"C2M_PUBLIC_URLS.* is no address|has a path"):
        settings()


@pytest.mark.parametrize("name", ["host", "origin", "authorization"])
def test_what_is_said_twice_counts_as_neither(home: Path, name: str) -> None:
    with TestClient(Door(app, keyed=True), "http://127.0.0.1:4200") as client:  # type: ignore[arg-type]
        said = base64.b64encode(f"c2m:{key()}".encode()).decode()
        good = {"host": "127.0.0.1:4200", "origin": "http://127.0.0.1:4200", "authorization": f"Basic {said}"}
        bad = {"host": "evil.example", "origin": "http://evil.example", "authorization": "Basic x"}
        assert client.get("/", headers=good).status_code == 200
        for twice in ((bad, good), (good, bad)):
            headers = [
                *((key, value) for key, value in good.items() if key != name),
                *((name, one[name]) for one in twice),
            ]
            assert client.get("/", headers=headers).status_code in (401, 403)


def test_without_the_key_the_browser_is_told_to_ask_for_it(keyed: TestClient) -> None:
    answer = keyed.get("/")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Basic ")
    assert "c2m env" in answer.text
    assert key() not in answer.text


@pytest.mark.parametrize("wrong", ["Basic", "Basic x", "Bearer {key}", "Basic {other_user}", "Basic {longer}"])
def test_a_wrong_key_is_refused(keyed: TestClient, wrong: str) -> None:
    told = {
        "key": key(),
        "other_user": base64.b64encode(f"root:{key()}".encode()).decode(),
        "longer": base64.b64encode(f"c2m:{key()}x".encode()).decode(),
    }
    assert keyed.get("/", headers={"authorization": wrong.format(**told)}).status_code == 401


def test_with_the_key_the_page_asks_no_other_host(keyed: TestClient) -> None:
    answer = keyed.get("/", auth=("c2m", key()))
    assert (answer.json(), answer.headers[HEADER]) == ("inside", home_id())
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'self' ")
    assert "http://127.0.0.1:4200 ws://127.0.0.1:4200" in policy


def test_a_stream_has_the_same_door(unkeyed: TestClient) -> None:
    with unkeyed.websocket_connect("/stream", headers={"host": "127.0.0.1:4200"}) as socket:
        assert socket.receive_text() == "inside"
    foreign = {"host": "127.0.0.1:4200", "origin": "http://evil.example"}
    with pytest.raises(WebSocketDisconnect), unkeyed.websocket_connect("/stream", headers=foreign):
        pass


def test_the_key_is_its_owners_alone_and_stays(home: Path) -> None:
    first = key()
    assert len(first) >= 43  # 256 bits
    assert (home / "pages.key").stat().st_mode & 0o077 == 0
    assert key() == first


def test_a_given_key_prevails(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("C2M_PAGES_KEY", "given")
    settings.cache_clear()
    assert key() == "given"
    assert not (home / "pages.key").exists()


def test_the_key_goes_to_no_other_machine_and_to_no_other_user(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = f"http://127.0.0.1:{free_port()}"
    assert login(ours) == ("c2m", key())
    assert login("http://192.0.2.1:4200") is None
    monkeypatch.setattr("c2m.doors._listener", lambda _port: 65534)
    assert login(ours) is None


def test_each_line_of_the_security_page_has_its_test() -> None:
    root = Path(__file__).parents[2]
    page = (root / "docs" / "security.md").read_text(encoding="utf-8")
    tests = {file.name: file.read_text(encoding="utf-8") for file in (root / "tests").rglob("test_*.py")}
    lines = re.findall(r"^\| \d.*\| (\S+) \|$", page, re.M)
    assert len(lines) > 10
    assert [
        name for name in lines if name not in tests and not any(f"def {name}" in code for code in tests.values())
    ] == []


def test_health_is_told_to_all_in_two_words_and_in_full_with_the_key(home: Path) -> None:
    behind = Health(lag_s=12.5)
    door = Door(app, keyed=True, look=lambda: behind)  # type: ignore[arg-type]
    with TestClient(door, "http://127.0.0.1:8470") as client:
        bare, full = client.get("/health"), client.get("/health", auth=("c2m", key()))
        wrong = client.get("/health", auth=("c2m", "wrong"))
        foreign = client.get("/health", headers={"host": "evil.example"})
    assert (bare.status_code, bare.json()) == (200, {"alive": True, "ready": True})
    assert wrong.json() == bare.json()
    assert foreign.status_code == 403
    assert full.json() == {"alive": True, "ready": True, "version": our_version(), "lag_s": 12.5, "faults": []}


def test_a_process_that_cannot_work_is_not_ready_whatever_its_look_raises(home: Path) -> None:
    def look() -> Health:
        raise OSError("disk gone\nsecond line")

    for seen, told in ((look, "OSError: disk gone"), (lambda: Health(faults=("no broker",)), "no broker")):
        with TestClient(Door(app, keyed=False, look=seen), "http://127.0.0.1:8470") as client:  # type: ignore[arg-type]
            answer = client.get("/health", auth=("c2m", key()))
        assert (answer.status_code, answer.json()["ready"], answer.json()["faults"]) == (503, False, [told])


def test_metrics_need_the_key_before_every_application(home: Path) -> None:
    for keyed in (True, False):
        with TestClient(Door(app, keyed=keyed), "http://127.0.0.1:8470") as client:  # type: ignore[arg-type]
            assert client.get("/metrics").status_code == 401
            text = client.get("/metrics", auth=("c2m", key())).text
        names = {family.name for family in text_string_to_metric_families(text)}
        assert "process_resident_memory_bytes" in names
