"""Who calls: the party behind a bearer token, and the answer to a request that was sent before with the same key.

The token is that of a link to the order room (`c2m rooms link --role merchant`): it expires and can be revoked. Every
read and write takes the scope of its grant.
"""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Depends, Header, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from c2m import clock
from c2m.ids import derive_id
from c2m.ledger.rooms.links import Grant
from c2m.ledger.states import Role
from c2m.ledger.store import insert_missing, reading, session
from c2m.ledger.tables import ApiAnswer
from c2m.rooms import links
from c2m.rooms.api.problems import ProblemError

_KEY_REUSED = "this Idempotency-Key came before with another body: send a new key with a new request"
_token = HTTPBearer(auto_error=False, description="The token of a link: what stands after /in/ in it")


def _granted(*roles: Role) -> Callable[..., Grant]:
    """Lets in whose token is of one of the roles."""

    def granted(given: Annotated[HTTPAuthorizationCredentials | None, Depends(_token)]) -> Grant:
        grant = links.bearer(given.credentials, datetime.now(UTC)) if given else None
        if grant is None:
            raise ProblemError(401, "no-token", "send Authorization: Bearer TOKEN with the token of a link that holds")
        if grant.role not in roles:
            wanted = " or ".join(roles)
            raise ProblemError(403, f"not-a-{roles[0]}", f"this token is of a {grant.role}; expected one of a {wanted}")
        return grant

    return granted


Caller = Annotated[Grant, Depends(_granted("merchant"))]
Party = Annotated[Grant, Depends(_granted("merchant", "factory"))]
Key = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=r"^[\x21-\x7e]+$",
        description="Yours, new for each request that is not a repetition: the same again gets the same answer",
    ),
]


class Once:
    """A request that takes effect once, whatever is sent again."""

    def __init__(self, grant: Grant, address: str, key: str, body: str) -> None:
        self._grant = grant
        self.request_id = derive_id("api", grant.tenant, address, key)
        self._sha256 = hashlib.sha256(body.encode()).hexdigest()

    def answered(self, response: Response, status: int, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The answer: that of before, else what is made now.

        Raises
        ------
        ProblemError
            The key came before with another body.
        """
        if (before := self._before()) is None:
            made, at = make(), clock.now()
            row = {"request_id": self.request_id, "merchant_id": self._grant.tenant, "body_sha256": self._sha256}
            with session() as s:
                insert_missing(s, ApiAnswer, [row | {"status": status, "answer": made, "at": at}])
            before = self._before()
        assert before is not None
        response.status_code, answer = before
        return answer

    def _before(self) -> tuple[int, dict[str, Any]] | None:
        with reading() as s:
            found = s.get(ApiAnswer, self.request_id)
            if found is None:
                return None
            if found.body_sha256 == self._sha256:
                return found.status, found.answer
        raise ProblemError(422, "key-reused", _KEY_REUSED)
