"""Sign-in of a team by OpenID Connect: with the accounts that its people have, where the settings name a provider.

Authorisation code with PKCE, state and nonce. What the provider's token says of a person (`sign_in.claim`) gives the
role; then a session begins as by a link: it is listed with the links, expires, and can be revoked.
"""

import logging
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from authlib.integrations.base_client import OAuthError
from fastapi import FastAPI, Request
from fastapi.responses import RedirectResponse, Response
from joserfc.errors import ClaimError, JoseError
from starlette.middleware.sessions import SessionMiddleware

from c2m.errors import InputError
from c2m.home import secret
from c2m.ledger.rooms import links
from c2m.ledger.rooms.links import Grant
from c2m.ledger.store import session
from c2m.rooms import entry, page
from c2m.rooms.links import site
from c2m.settings import settings

PREFIX = "/team"
DISCOVERY = "/.well-known/openid-configuration"
# Never `none`, and never one whose key both sides know.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
_COOKIE, _COOKIE_S, _LEEWAY_S = "c2m_team", 600, 60
_WORDS = {
    "iss": "it is of another issuer than {issuer}",
    "aud": "it is for another client than {client_id}",
    "azp": "it is for another client than {client_id}",
    "nonce": "it answers another sign-in than this one",
    "exp": "it has expired",
}

log = logging.getLogger(__name__)


def create() -> FastAPI:
    """The addresses of the sign-in, mounted at PREFIX; the provider is asked when somebody signs in, not before."""
    app = FastAPI(title="C2M team sign-in", docs_url=None, redoc_url=None, openapi_url=None)
    kept: dict[str, Any] = {"session_cookie": _COOKIE, "max_age": _COOKIE_S, "path": PREFIX, "same_site": "lax"}
    key = secret("rooms") + _COOKIE
    app.add_middleware(SessionMiddleware, secret_key=key, https_only=site().startswith("https://"), **kept)
    app.state.provider = _provider()
    app.get("/in")(leave_for_the_provider)
    app.get("/back")(come_back)
    app.get("/out")(sign_out_there)
    app.exception_handler(InputError)(_in_words)
    return app


async def leave_for_the_provider(request: Request) -> Response:
    """Sends a person to the provider."""
    provider = await _known(request)
    sent: Response = await provider.authorize_redirect(request, f"{site()}{PREFIX}/back")
    return sent


async def come_back(request: Request) -> Response:
    """Takes what the provider says of a person, and begins a session."""
    provider = await _known(request)
    asked = settings().sign_in
    named = {"iss": asked.issuer, "aud": asked.client_id}
    wanted = {claim: {"essential": True, "value": value} for claim, value in named.items()}
    try:
        token = await provider.authorize_access_token(request, claims_options=wanted, leeway=_LEEWAY_S)
    except (OAuthError, JoseError, httpx.HTTPError, ValueError) as error:
        raise _refused(error) from None
    grant = granted(token.get("userinfo") or {})
    with session() as s:
        links.make(s, secrets.token_urlsafe(32), grant, maker(), datetime.now(UTC))
    response = RedirectResponse(entry.HOME.get(grant.role, "/"), 303)
    entry.begin(response, grant)
    return response


async def sign_out_there(request: Request) -> Response:
    """Sends a person to where the provider ends its own session."""
    provider = await _known(request)
    if not provider.server_metadata.get("end_session_endpoint"):
        raise InputError("no-sign-out", ["the provider has no address to sign out at: sign out on its own pages"])
    sent: Response = await provider.logout_redirect(
        request, f"{site()}/sign-in", client_id=settings().sign_in.client_id
    )
    return sent


def granted(claims: Mapping[str, Any]) -> Grant:
    """What a person may do here, by what the provider says of them.

    Raises
    ------
    InputError
        Nothing that it says has a role here.
    """
    asked = settings().sign_in
    told = claims.get(asked.claim)
    values = [told] if isinstance(told, str) else [str(one) for one in told or []]
    found = next((role for value, role in asked.roles.items() if value in values), None)
    if not claims.get("sub") or found is None:
        seen = f"{asked.claim} {', '.join(values) or '(none)'}"
        raise InputError("no-role", [f"your account has no role here ({seen}): ask whoever runs this platform"])
    role, _, tenant = found.partition(":")
    person = str(claims.get("name") or claims.get("email") or claims["sub"])[:200]
    expires_at = datetime.now(UTC) + timedelta(hours=asked.hours)
    return Grant(secrets.token_hex(6), role, tenant, person, expires_at)  # type: ignore[arg-type]


def maker() -> str:
    """Who has made the links of such sessions."""
    return f"OpenID Connect, {settings().sign_in.issuer}"[:200]


def _provider() -> Any:
    from authlib.integrations.starlette_client import OAuth  # loads clients that nobody needs without a provider

    asked = settings().sign_in
    assert asked.issuer is not None
    hidden = asked.client_secret.get_secret_value() if asked.client_secret else None
    return OAuth().register(
        "team",
        client_id=asked.client_id,
        client_secret=hidden,
        server_metadata_url=asked.issuer.rstrip("/") + DISCOVERY,
        client_kwargs={"scope": asked.scope, "code_challenge_method": "S256", "timeout": 15},
    )


async def _known(request: Request) -> Any:
    """The provider, with what it publishes of itself.

    Raises
    ------
    InputError
        It does not answer, or is another one than the settings name.
    """
    provider = request.app.state.provider
    try:
        told = await provider.load_server_metadata()
    except (httpx.HTTPError, ValueError, RuntimeError) as error:
        raise _refused(error) from None
    if (seen := told.get("issuer")) != settings().sign_in.issuer:
        raise InputError("sign-in", [f"the provider calls itself {seen}; expected {settings().sign_in.issuer}"])
    offered = told.get("id_token_signing_alg_values_supported") or ["RS256"]
    told["id_token_signing_alg_values_supported"] = [one for one in offered if one in ALGORITHMS]
    return provider


def _refused(error: Exception) -> InputError:
    """What went wrong, in words; the provider's own stand in the log too."""
    log.warning("sign-in refused: %s", error)
    asked = settings().sign_in
    if isinstance(error, ClaimError):
        why = _WORDS.get(str(error.claim), str(error)).format(issuer=asked.issuer, client_id=asked.client_id)
        return InputError("sign-in", [f"the provider's token is refused: {why}. Sign in again"])
    if isinstance(error, JoseError):
        return InputError("sign-in", [f"the provider's token is refused: it is not signed by the provider ({error})"])
    if isinstance(error, OAuthError):
        return InputError("sign-in", [f"the sign-in did not come through: {error.description or error.error}"])
    return InputError("sign-in", [f"{asked.issuer} does not answer as a provider of OpenID Connect: try again later"])


def _in_words(request: Request, error: Exception) -> Response:
    return page.shown(request, "error.html", 403, faults=getattr(error, "faults", []))
