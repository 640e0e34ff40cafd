"""The order room on a real server: signing in by link, whose rows each sees, what is refused."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import httpx
import pytest
from ledger_kit import lot_row, order_row, record, release, sku_rows
from markupsafe import escape

from c2m.floor.child import LOOPBACK, free_port
from c2m.ledger.rooms import links as kept
from c2m.ledger.store import migrate, session
from c2m.rooms import links, texts
from c2m.settings import settings
from flows import services

TENANTS = {"merchant": ("M1", "M2"), "factory": ("F1", "F2")}
UNKIND = "<script>alert('stripes')</script>"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A served home with an order of each of two merchants."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("C2M_HOME", str(tmp_path_factory.mktemp("rooms")))
        port = free_port()
        patch.setenv("C2M_ROOMS_PORT", str(port))
        settings.cache_clear()
        migrate()
        _fill()
        with services.rooms(port):
            yield f"http://{LOOPBACK}:{port}"
    settings.cache_clear()


def _fill() -> None:
    """Merchants M1 and M2 with an order each, made by F1 and F2; every name tells whose it is."""
    names = {"1": "Shirt of M1", "2": UNKIND}
    owners = {number: {"merchant_id": f"M{number}"} for number in names}
    orders = [order_row(f"O{n}", order_code=f"PO-of-M{n}", **owner) for n, owner in owners.items()]
    lots = [lot_row(f"L{n}", order_id=f"O{n}", style_name=names[n], **owner) for n, owner in owners.items()]
    record(orders, lots, [row for n in names for row in sku_rows(f"L{n}")])
    release(("L1", "F1", 1000), ("L2", "F2", 1000))


@pytest.fixture
def browser(site: str) -> Iterator[Callable[..., httpx.Client]]:
    """Signs in with a new link, as a person does: opens it, presses the button."""
    clients = []

    def enter(role: str, tenant: str = "") -> httpx.Client:
        token, _ = links.give(role, tenant, "somebody", 1, "test")
        client = httpx.Client(base_url=site, trust_env=False)
        clients.append(client)
        assert client.get(f"/in/{token}").status_code == 200
        assert client.get("/", follow_redirects=False).status_code == 303  # looking at a link signs nobody in
        assert client.post("/in", data={"token": token}).status_code == 303
        return client

    yield enter
    for client in clients:
        client.close()


@pytest.mark.parametrize(
    ("role", "tenant", "home"), [("operator", "", "/"), ("merchant", "M1", "/merchant"), ("factory", "F1", "/factory")]
)
def test_a_link_opens_the_room_of_its_role_alone(browser: Callable, role: str, tenant: str, home: str) -> None:
    client = browser(role, tenant)
    rooms = ("/", "/merchant", "/factory")
    assert {room: client.get(room).status_code for room in rooms} == {r: 200 if r == home else 404 for r in rooms}


@pytest.mark.parametrize(("role", "own", "other"), [(role, *names) for role, names in TENANTS.items()])
def test_a_tenant_sees_its_own_rows_alone(browser: Callable, role: str, own: str, other: str) -> None:
    page = browser(role, own).get(f"/{role}").text
    assert "Shirt of M1" in page
    assert "PO-of-M2" not in page and str(escape(UNKIND)) not in page
    assert str(escape(UNKIND)) in browser(role, other).get(f"/{role}").text  # what others wrote is text


def test_a_revoked_link_ends_its_session_at_once(browser: Callable) -> None:
    client = browser("operator")
    with session() as s:
        kept.revoke(s, [kept.all_of(s)["link_id"][0]], datetime.now(UTC))
    answer = client.get("/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")


def test_an_expired_or_foreign_link_opens_nothing(site: str) -> None:
    expired, _ = links.give("operator", "", "somebody", -1, "test")
    for token in (expired, f"{expired}x", "no-token"):
        answer = httpx.post(f"{site}/in", data={"token": token}, trust_env=False)
        assert (answer.status_code, "set-cookie" in answer.headers) == (403, False)


def test_a_form_without_the_sessions_token_does_nothing(browser: Callable) -> None:
    client = browser("operator")
    assert client.post("/out", data={"csrf": "guessed"}).status_code == 404
    assert client.get("/").status_code == 200
    csrf = re.search(r'name="csrf" value="([^"]+)"', client.get("/").text)
    assert csrf and client.post("/out", data={"csrf": csrf[1]}).status_code == 303
    assert client.get("/").status_code == 303


def test_pages_load_nothing_from_elsewhere_and_forbid_scripts_in_them(browser: Callable) -> None:
    answer = browser("operator").get("/")
    policy = answer.headers.get_list("content-security-policy")
    assert any("default-src 'none'" in one and "unsafe" not in one for one in policy)
    assert not re.search(r"(?:src|href)=\"(?!/|#)|<script>|<style|style=|\son\w+=", answer.text)


def test_every_language_has_every_text_with_the_same_places_to_fill_in() -> None:
    def places(code: str) -> dict[str, set[str]]:
        return {key: set(re.findall(r"{(\w*)", text)) for key, text in texts.catalogue(code).items()}

    assert {code: places(code) for code in texts.languages()} == dict.fromkeys(texts.languages(), places("en"))


def test_a_page_speaks_the_language_that_its_reader_prefers(browser: Callable) -> None:
    client = browser("operator")
    assert 'lang="zh"' in client.get("/", headers={"accept-language": "fr, zh-CN;q=0.9, en;q=0.5"}).text
    assert client.get("/language/zh?to=//elsewhere.example").headers["location"] == "/"
    assert '<html lang="zh"' in client.get("/").text
