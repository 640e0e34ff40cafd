"""What a merchant's shoppers say of its styles, and which batches they complain of; how sure each figure is."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from c2m.rooms import page
from c2m.rooms.entry import Merchant
from c2m.rooms.pages import shelf
from c2m.rooms.scoped import view
from c2m.warehouse import published

routes = APIRouter(prefix="/merchant")
_LEAST_SAID, _MOST = 3, 200


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
        rows=page.records(ranked.head(_MOST)),
        batches=page.records(batches.sort_values("odds", ascending=False).head(_MOST)),
    )
