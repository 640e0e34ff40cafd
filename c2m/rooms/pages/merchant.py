"""A merchant's room: its own orders."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from c2m.ledger.rooms import sights
from c2m.ledger.store import reading
from c2m.rooms import page
from c2m.rooms.entry import Merchant
from c2m.rooms.scoped import view

routes = APIRouter(prefix="/merchant")


@routes.get("")
def orders(request: Request, person: Merchant) -> Response:
    """Its orders, the earliest due first."""
    with reading() as s:
        found = sights.orders(s, view(person.grant).scope)
    return page.shown(request, "merchant.html", orders=page.records(found))
