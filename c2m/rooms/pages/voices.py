"""What a merchant's shoppers say and ask for: complaints and praise, batches, attributes that gain; how sure it is."""

import pandas as pd
from fastapi import APIRouter, Request
from fastapi.responses import Response

from c2m.people.json_rows import records
from c2m.rooms import page
from c2m.rooms.entry import Merchant
from c2m.rooms.pages import shelf
from c2m.rooms.scoped import view
from c2m.rooms.tenants import landed
from c2m.warehouse import published

routes = APIRouter(prefix="/merchant")
_LEAST_SAID, _MOST = 3, 200


@routes.get("/coming")
def coming(request: Request, person: Merchant) -> Response:
    """Which attributes gain or lose, how sure that is, and through which channels demand is expected."""
    mine = view(person.grant)
    found = landed.produced("attribute_trends", mine.scope)
    newest = found[found["business_date"] == found["business_date"].max()]
    places = landed.produced("forecast_shares", mine.scope)
    last = places[places["known_at"] == places["known_at"].max()]
    return page.shown(
        request,
        "coming.html",
        rows=records(newest.sort_values("chance").head(_MOST)),
        places=records(_expected(last)),
    )


def _expected(last: pd.DataFrame) -> pd.DataFrame:
    """Pieces expected over the horizon by place, and their share of the dimension, the largest first."""
    sums = last.groupby(["dimension", "place"], as_index=False)["pieces"].sum()
    share = sums["pieces"] / sums.groupby("dimension")["pieces"].transform("sum")
    found: pd.DataFrame = sums.assign(share=share)
    return found.sort_values(["dimension", "pieces"], ascending=[True, False])


@routes.get("/voices")
def voices(request: Request, person: Merchant) -> Response:
    """Complaints first, the surest on top."""
    if not published.is_published():
        return page.shown(request, "voices.html", rows=[], batches=[])
    mine = view(person.grant)
    names = shelf.names_of(mine.mart("skus"))
    said, batches = (
        rows.assign(name=rows["style_id"].map(names).fillna(rows["style_id"]))
        for rows in (mine.mart("voices"), mine.mart("batches"))
    )
    told = said[said["said"] >= _LEAST_SAID]
    ranked = told.assign(is_praise=told["polarity"].isin(["good", "true"])).sort_values(
        ["is_praise", "share_low"], ascending=[True, False]
    )
    return page.shown(
        request,
        "voices.html",
        rows=records(ranked.head(_MOST)),
        batches=records(batches.sort_values("odds", ascending=False).head(_MOST)),
    )
