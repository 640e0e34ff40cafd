"""The merchant API as an application of its own, mounted at /api/v1 of the order room. OpenAPI 3.1 at openapi.json."""

from fastapi import FastAPI

from c2m.domain.quotes import Quoter
from c2m.rooms.api import forecast_and_stock, orders, problems, quotes, webhooks

PREFIX = "/api/v1"
_ABOUT = """Orders, quotes, changes, forecast and stock for the systems of a merchant (docs/merchants.md).

Send `Authorization: Bearer TOKEN` with every request. Errors are problem documents (RFC 9457)."""
PARTS = (orders, quotes, forecast_and_stock, webhooks)  # each with its `routes`


def create(quoter: Quoter | None = None) -> FastAPI:
    """The application. quoter: who gives quotes; None: nobody does here."""
    app = problems.application("C2M merchant API", "1", _ABOUT, PREFIX)
    app.state.quoter = quoter
    for part in PARTS:
        app.include_router(part.routes)
    return app
