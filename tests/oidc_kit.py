"""A provider of OpenID Connect on a port of its own: Authlib's authorisation server, with one client and no passwords.

Whoever comes is signed in as `person`. `twist` may change what a token says, as a wrong provider would.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import AuthorizationCodeMixin, ClientMixin
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core.grants import OpenIDCode
from flask import Flask, Response, jsonify, redirect, request
from joserfc import jwt
from joserfc.jwk import RSAKey
from werkzeug.serving import make_server

CLIENT, SECRET = "order-room", "of-the-client"


class Client(ClientMixin):
    """The order room."""

    def get_client_id(self) -> str:
        return CLIENT

    def get_allowed_scope(self, scope: str) -> str:
        return scope

    def get_default_redirect_uri(self) -> str:
        return ""

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return urlsplit(redirect_uri).path == "/team/back"

    def check_client_secret(self, client_secret: str) -> bool:
        return client_secret == SECRET

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method == "client_secret_basic"

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "authorization_code"


class Code(dict[str, Any], AuthorizationCodeMixin):
    """A code that was given and not yet taken."""

    def __getattr__(self, name: str) -> Any:
        return self.get(name)

    def get_redirect_uri(self) -> str:
        return str(self["redirect_uri"])

    def get_scope(self) -> str:
        return str(self["scope"])

    def get_nonce(self) -> Any:
        return self.get("nonce")

    def get_auth_time(self) -> int:
        return int(time.time())

    def get_acr(self) -> None:
        return None

    def get_amr(self) -> None:
        return None


class Identity(OpenIDCode):
    """What the ID token says."""

    def __init__(self, provider: "Provider") -> None:
        super().__init__(require_nonce=True)
        self.provider = provider

    def exists_nonce(self, nonce: str, request: Any) -> bool:
        return False

    def generate_user_info(self, user: Any, scope: str) -> Any:
        return dict(user)

    def resolve_client_private_key(self, client: Any) -> Any:
        return self.provider.signing_key

    def get_client_claims(self, client: Any) -> dict[str, Any]:
        return {"iss": self.provider.issuer, "exp": int(time.time()) + 300}


def grant_of(provider: "Provider") -> type[AuthorizationCodeGrant]:
    """The grant by code whose codes this provider keeps."""

    class Grant(AuthorizationCodeGrant):
        def save_authorization_code(self, code: str, asked: Any) -> None:
            told = asked.payload.data
            kept = {name: told.get(name) for name in ("nonce", "code_challenge", "code_challenge_method")}
            named = {"redirect_uri": asked.payload.redirect_uri, "scope": asked.payload.scope}
            provider.codes[code] = Code(code=code, **named, **kept)

        def query_authorization_code(self, code: str, client: Any) -> Any:
            return provider.codes.get(code)

        def delete_authorization_code(self, authorization_code: Any) -> None:
            provider.codes.pop(authorization_code["code"], None)

        def authenticate_user(self, authorization_code: Any) -> Any:
            return provider.person

    return Grant


class Provider:
    """What stands at `issuer`."""

    def __init__(self) -> None:
        self.person: dict[str, Any] = {"sub": "u1", "name": "Lin Wei", "groups": ["ops"]}
        self.twist: Callable[[dict[str, Any]], dict[str, Any]] = dict
        self.key = self.signing_key = RSAKey.generate_key(2048, parameters={"kid": "k1", "alg": "RS256"})
        self.codes: dict[str, Code] = {}
        self.asked: list[dict[str, list[str]]] = []
        self.app = self._app()
        self.server = make_server("127.0.0.1", 0, self.app, threaded=True)
        self.issuer = self.named = f"http://127.0.0.1:{self.server.port}"

    def _app(self) -> Flask:
        app, provider = Flask("provider"), self
        server = AuthorizationServer(app, lambda client_id: Client() if client_id == CLIENT else None, lambda *_: None)
        server.register_grant(grant_of(self), [Identity(self), CodeChallenge(required=True)])

        @app.get("/.well-known/openid-configuration")
        def metadata() -> Response:
            here = provider.issuer
            return jsonify(
                issuer=provider.named,
                authorization_endpoint=f"{here}/authorize",
                token_endpoint=f"{here}/token",
                jwks_uri=f"{here}/keys",
                end_session_endpoint=f"{here}/end",
                id_token_signing_alg_values_supported=["RS256", "none", "HS256"],
            )

        @app.get("/keys")
        def keys() -> Response:
            return jsonify(keys=[provider.key.as_dict(private=False)])

        @app.get("/authorize")
        def authorize() -> Any:
            provider.asked.append(parse_qs(request.query_string.decode()))
            grant = server.get_consent_grant(end_user=provider.person)
            return server.create_authorization_response(grant_user=provider.person, grant=grant)

        @app.post("/token")
        def token() -> Any:
            made = server.create_token_response()
            told = made.get_json()
            if "id_token" in told:
                claims = jwt.decode(told["id_token"], provider.signing_key).claims
                header = {"alg": "RS256", "kid": "k1"}
                told["id_token"] = jwt.encode(header, provider.twist(claims), provider.signing_key)
            return jsonify(told), made.status_code

        @app.get("/end")
        def end() -> Any:
            return redirect(request.args["post_logout_redirect_uri"])

        return app


@contextmanager
def provider() -> Iterator[Provider]:
    """One that runs until the block ends."""
    made = Provider()
    thread = threading.Thread(target=made.server.serve_forever)
    thread.start()
    try:
        yield made
    finally:
        made.server.shutdown()
        thread.join()
