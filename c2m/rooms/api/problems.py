"""Errors of the API as problem documents (RFC 9457): what was seen, what was expected, what to do; all faults."""

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from c2m.errors import C2MError

MEDIA_TYPE = "application/problem+json"
# Status by the reason of an error; what is not named here is a conflict with how things stand.
STATUS = {"quote-refused": 422, "unknown-sku": 422, "key-reused": 422, "rows-refused": 422, "url-refused": 422}
STATUS |= {"not-in-catalogue": 422, "no-such-offer": 422, "no-plan": 503, "no-quotes": 503, "document-refused": 422}
_TITLES = {400: "Not understood", 401: "No valid token", 403: "Not allowed", 404: "Not found", 405: "No such method"}
_TITLES |= {406: "No such form", 409: "Conflict", 413: "Too large", 415: "No such form", 422: "Refused"}


class Fault(BaseModel):
    """One fault. at: where in the request."""

    at: str
    what: str


class Problem(BaseModel):
    """An error, by RFC 9457."""

    type: str = Field(description="What kind of error, as a name that stays the same")
    title: str
    status: int
    detail: str = Field(description="In words: what was seen, what was expected, what to do")
    faults: list[Fault] = Field(default_factory=list, description="Every fault of the request")


class ProblemError(Exception):
    """An answer that is a problem."""

    def __init__(self, status: int, kind: str, detail: str, faults: Sequence[Fault] = ()) -> None:
        super().__init__(detail)
        self.problem = Problem(type=kind, title=_TITLES.get(status, "Error"), status=status, detail=detail)
        self.problem.faults = list(faults)


def refused(faults: Sequence[dict[str, Any]]) -> ProblemError:
    """Rows that the rules of their feed are against: record, rule, seen, advice."""
    told = [Fault(at=str(one["rule"]), what=f"{one['seen']}: {one['advice']}") for one in faults]
    return ProblemError(422, "rows-refused", "the rules of the feed are against it; nothing was ordered", told)


def application(title: str, version: str, about: str, prefix: str) -> FastAPI:
    """An application mounted at `prefix` that answers every error so, with openapi.json and without pages."""
    told: Any = {"model": Problem, "description": "Refused, with all faults", "content": {MEDIA_TYPE: {}}}
    app = FastAPI(
        title=title,
        version=version,
        description=about,
        servers=[{"url": prefix}],
        docs_url=None,
        redoc_url=None,
        responses={"4XX": told},
    )
    app.exception_handler(ProblemError)(_known)
    app.exception_handler(C2MError)(_in_words)
    app.exception_handler(RequestValidationError)(_not_valid)
    app.exception_handler(HTTPException)(of_http)
    return app


def answer(problem: Problem, headers: dict[str, str] | None = None) -> Response:
    """A problem as it is sent."""
    return JSONResponse(problem.model_dump(), problem.status, headers, media_type=MEDIA_TYPE)


def _known(_: Request, error: Exception) -> Response:
    problem: Problem = error.problem  # type: ignore[attr-defined]
    return answer(problem, {"www-authenticate": 'Bearer realm="C2M"'} if problem.status == 401 else None)


def _in_words(_: Request, error: Exception) -> Response:
    reason, faults = getattr(error, "reason", "error"), getattr(error, "faults", [])
    return answer(ProblemError(STATUS.get(reason, 409), reason, "; ".join(faults)).problem)


def _not_valid(_: Request, error: Exception) -> Response:
    every = error.errors()  # type: ignore[attr-defined]
    found = [Fault(at=".".join(map(str, one["loc"])), what=one["msg"]) for one in every]
    detail = "the request does not fit its description (openapi.json); every fault is listed"
    return answer(ProblemError(422, "request-not-valid", detail, found).problem)


def of_http(_: Request, error: Exception) -> Response:
    """An error of HTTP as a problem."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail = {404: "there is no such address, or it is not yours", 405: "this address does not know the method"}
    found = ProblemError(status, "http", detail.get(status, str(getattr(error, "detail", "")))).problem
    return answer(found, dict(getattr(error, "headers", None) or {}))
