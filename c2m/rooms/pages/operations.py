"""The room of operations: the day, orders, factories, exceptions, plans."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from c2m.ledger import alerts, status
from c2m.ledger.rooms import sights
from c2m.ledger.store import reading
from c2m.rooms import page
from c2m.rooms.entry import Operations
from c2m.rooms.scoped import view

routes = APIRouter()


@routes.get("/")
def today(request: Request, person: Operations) -> Response:
    """What waits for whom."""
    with reading() as s:
        found = {"plan": status.summary(s)["plan"], "alerts": alerts.standing(s).to_dict("records")}
        orders = sights.orders(s, view(person.grant).scope)
    return page.shown(request, "today.html", orders=orders.to_dict("records")[:50], **found)
