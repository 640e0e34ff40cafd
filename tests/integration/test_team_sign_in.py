"""Sign-in of a team by OpenID Connect, against a provider that runs: who comes in as what, and what is refused."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from joserfc.jwk import RSAKey
from oidc_kit import CLIENT, SECRET, Provider, provider
from rooms_kit import fill, served

from c2m.ledger.rooms import links
from c2m.ledger.store import reading
from c2m.settings import SignInPolicy, settings

ROLES = {"ops": "operator", "auditors": "auditor", "shop": "merchant:M1", "mill": "factory:F2"}


@pytest.fixture(scope="module")
def team() -> Iterator[Provider]:
    with provider() as made:
        yield made


@pytest.fixture(scope="module")
def site(team: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A served home whose settings name the provider."""
    with pytest.MonkeyPatch.context() as patch:
        told = {"ISSUER": team.issuer, "CLIENT_ID": CLIENT, "CLIENT_SECRET": SECRET, "ROLES": json.dumps(ROLES)}
        for name, value in told.items():
            patch.setenv(f"C2M_SIGN_IN__{name}", value)
        with served(tmp_path_factory.mktemp("team"), fill) as address:
            yield address


@pytest.fixture
def come(site: str, team: Provider) -> Iterator[Callable[..., httpx.Response]]:
    """Signs in as a person of these groups; where the browser ends up."""
    clients = []

    def enter(*groups: str, **more: Any) -> httpx.Response:
        team.person = {"sub": "u1", "name": "Lin Wei", "groups": list(groups), **more}
        client = httpx.Client(base_url=site, trust_env=False, follow_redirects=True)
        clients.append(client)
        return client.get("/team/in")

    yield enter
    team.twist, team.key = dict, team.signing_key
    for client in clients:
        client.close()


@pytest.mark.parametrize(
    ("group", "home", "sees", "other"),
    [("ops", "/", "PO-of-M1", "nothing at all"), ("shop", "/merchant", "PO-of-M1", "PO-of-M2"),
     ("mill", "/factory", "alert(", "Shirt of M1")],
)  # fmt: skip
def test_who_comes_from_the_team_gets_the_role_of_their_group(
    come: Callable[..., httpx.Response], group: str, home: str, sees: str, other: str
) -> None:
    page = come("everybody", group)
    assert (page.status_code, page.url.path) == (200, home), page.text
    shown = page.text if home != "/" else httpx.get(page.url.join("/orders"), cookies=page.history[-1].cookies).text
    assert sees in shown and other not in shown


def test_the_request_has_a_code_challenge_a_state_and_a_nonce(
    come: Callable[..., httpx.Response], team: Provider
) -> None:
    first, second = come("ops"), come("ops")
    assert first.status_code == second.status_code == 200
    asked, again = team.asked[-2:]
    assert asked["code_challenge_method"] == ["S256"] and asked["response_type"] == ["code"]
    assert all(asked[name] != again[name] for name in ("code_challenge", "state", "nonce"))


TWISTS: dict[str, tuple[dict[str, Any], str]] = {
    "another issuer": ({"iss": "https://elsewhere.example"}, "another issuer than http://127.0.0.1"),
    "another audience": ({"aud": ["other"], "azp": CLIENT}, "for another client than order-room"),
    "another nonce": ({"nonce": "of-somebody-else"}, "answers another sign-in"),
    "no nonce": ({"nonce": None}, "answers another sign-in"),
    "expired": ({"exp": int(time.time()) - 3600}, "has expired"),
}


@pytest.mark.parametrize("twist", TWISTS)
def test_a_wrong_token_is_refused_in_words(come: Callable[..., httpx.Response], team: Provider, twist: str) -> None:
    changes, words = TWISTS[twist]
    team.twist = lambda claims: {name: one for name, one in (claims | changes).items() if one is not None}
    page = come("ops")
    assert (page.status_code, page.url.path) == (403, "/team/back")
    assert words in page.text and "c2m_room" not in page.cookies


def test_a_token_that_another_has_signed_is_refused(come: Callable[..., httpx.Response], team: Provider) -> None:
    come("ops")
    signed, team.signing_key = team.signing_key, RSAKey.generate_key(2048, parameters={"kid": "k1", "alg": "RS256"})
    page = come("ops")
    team.signing_key = signed
    assert page.status_code == 403 and "not signed by the provider" in page.text


def test_an_account_without_a_role_and_a_foreign_state_come_to_nothing(
    come: Callable[..., httpx.Response], site: str
) -> None:
    page = come("everybody")
    assert page.status_code == 403 and "has no role here (groups everybody)" in page.text
    forged = httpx.get(f"{site}/team/back?code=abc&state=of-somebody-else")
    assert forged.status_code == 403 and "did not come through" in forged.text
    denied = httpx.get(f"{site}/team/back?error=access_denied&error_description=<b>no</b>")
    assert "&lt;b&gt;no" in denied.text


def test_who_signs_out_is_out_and_a_revoked_sign_in_ends(come: Callable[..., httpx.Response], site: str) -> None:
    come("ops")
    with reading() as s:
        made = links.all_of(s).iloc[0]
    assert (made["role"], made["person"]) == ("operator", "Lin Wei") and made["made_by"].startswith("OpenID Connect")
    with httpx.Client(base_url=site, trust_env=False, follow_redirects=True) as client:
        page = client.get("/team/in")
        csrf = page.text.partition('name="csrf" value="')[2].partition('"')[0]
        kept = dict(client.cookies)
        assert client.post("/out", data={"csrf": csrf}).url.path == "/sign-in"
        assert (
            httpx.get(f"{site}/", cookies=kept, follow_redirects=False).status_code == 303
        )  # an old cookie is of no use
        assert client.get("/team/out").url.path == "/sign-in"


def test_links_go_on_beside_it(site: str) -> None:
    page = httpx.get(f"{site}/sign-in")
    assert "/team/in" in page.text and "link" in page.text


def test_settings_of_a_sign_in_are_whole_or_refused() -> None:
    with pytest.raises(ValueError, match=r"needs sign_in\.client_id and sign_in\.roles"):
        SignInPolicy(issuer="https://accounts.example")
    with pytest.raises(ValueError, match="should match pattern"):
        SignInPolicy(issuer="http://accounts.example", client_id="c", roles={"g": "merchant"})
    assert settings().sign_in.issuer is None or settings().sign_in.issuer.startswith("http://127.0.0.1")
