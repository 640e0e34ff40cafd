"""The order room on a real server: signing in by link, whose rows each sees, what is refused."""

import re
from collections.abc import Callable
from datetime import UTC, datetime

import httpx
import pytest
from markupsafe import escape
from rooms_kit import UNKIND

from c2m.ledger.rooms import links as kept
from c2m.ledger.store import session
from c2m.rooms import links, texts

TENANTS = {"merchant": ("M1", "M2"), "factory": ("F1", "F2")}


@pytest.mark.parametrize(
    ("role", "tenant", "home"), [("operator", "", "/"), ("merchant", "M1", "/merchant"), ("factory", "F1", "/factory")]
)
def test_a_link_opens_the_room_of_its_role_alone(browser: Callable, role: str, tenant: str, home: str) -> None:
    client = browser(role, tenant)
    rooms = ("/", "/merchant", "/factory")
    found = {room: client.get(room).status_code for room in rooms}
    assert found == {room: 200 if room == home else 404 for room in rooms} | {"/": 200 if home == "/" else 303}
    assert client.get("/", follow_redirects=True).url.path == home  # the bare address leads everybody to their own


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
    assert client.post("/out", data={"csrf": _csrf(client)}).status_code == 303
    assert client.get("/").status_code == 303


def test_a_cookie_copied_before_its_holder_signs_out_is_of_no_use(site: str) -> None:
    token, _ = links.give("operator", "", "somebody", 1, "test")
    here, elsewhere = (httpx.Client(base_url=site, trust_env=False) for _ in range(2))
    with here, elsewhere:
        for client in (here, elsewhere):
            assert client.post("/in", data={"token": token}).status_code == 303
        copied = dict(here.cookies)
        assert httpx.get(f"{site}/", cookies=copied).status_code == 200
        assert here.post("/out", data={"csrf": _csrf(here)}).status_code == 303
        answers = here.get("/"), httpx.get(f"{site}/", cookies=copied), elsewhere.get("/")
        assert [answer.status_code for answer in answers] == [303, 303, 200]


def _csrf(client: httpx.Client) -> str:
    return client.get("/").text.partition('name="csrf" value="')[2].partition('"')[0]


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
