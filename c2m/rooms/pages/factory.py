"""A factory's room: its own job orders."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from c2m.ledger.rooms import sights
from c2m.ledger.store import reading
from c2m.rooms import page
from c2m.rooms.entry import Factory
from c2m.rooms.scoped import view

routes = APIRouter(prefix="/factory")


@routes.get("")
def job_orders(request: Request, person: Factory) -> Response:
    """Its job orders in the order of work."""
    with reading() as s:
        found = sights.job_orders(s, view(person.grant).scope)
    return page.shown(request, "factory.html", jobs=page.records(found))
