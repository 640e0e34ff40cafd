"""The merchant API as an application of its own, mounted at /api/v1 of the order room. OpenAPI 3.1 at openapi.json."""

from typing import Any

from fastapi import FastAPI

from c2m.domain.quotes import Quoter
from c2m.rooms.api import orders, problems, quotes, supply, webhooks

PREFIX = "/api/v1"
_ABOUT = """Orders, quotes, changes, forecast and stock for the systems of a merchant (docs/merchants.md).

Send `Authorization: Bearer TOKEN` with every request. Errors are problem documents (RFC 9457)."""
PARTS = (orders, quotes, supply, webhooks)  # each with its `routes`


def create(quoter: Quoter | None = None) -> FastAPI:
    """The application. quoter: who gives quotes; None: nobody does here."""
    told: Any = {
        "model": problems.Problem,
        "description": "Refused, with all faults",
        "content": {problems.MEDIA_TYPE: {}},
    }
    app = FastAPI(
        title="C2M merchant API",
        version="1",
        description=_ABOUT,
        servers=[{"url": PREFIX}],
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        responses={"4XX": told},
    )
    app.state.quoter = quoter
    for part in PARTS:
        app.include_router(part.routes)
    problems.speak(app)
    return app
