"""What the market does, for operations and a merchant: volume and price of categories ahead, and how sure that is."""

import pandas as pd
from fastapi import APIRouter, Request
from fastapi.responses import Response

from c2m.domain import markets
from c2m.feeds import landing
from c2m.people.json_rows import records
from c2m.rooms import page
from c2m.rooms.entry import Merchant, Operations
from c2m.rooms.scoped import view

routes = APIRouter()
_MOST = 300


@routes.get("/market")
def of_all(request: Request, person: Operations) -> Response:
    """Every merchant's sales, and what others tell."""
    return _shown(request, newest())


@routes.get("/merchant/market")
def of_merchant(request: Request, person: Merchant) -> Response:
    """Their own sales, and what others tell of the categories that they sell."""
    scope = view(person.grant).scope
    rows = newest()
    own = rows[rows["merchant_id"] == scope.merchant_id]
    outside = rows[(rows["merchant_id"] == "") & rows["category"].isin(own["category"])]
    return _shown(request, pd.concat([own, outside]))


def newest() -> pd.DataFrame:
    """The forecast that was made last; empty before there is one."""
    landing.ensure_landing()
    landed = landing.read_landed("market_forecasts")
    last: pd.DataFrame = landed[landed["known_at"] == landed["known_at"].max()]
    return last


def _shown(request: Request, rows: pd.DataFrame) -> Response:
    told = markets.changes(rows)
    drawn = told.assign(course=markets.courses(rows, told)).head(_MOST)
    return page.shown(request, "market.html", rows=records(drawn), own=markets.OWN)
