"""Key figures: what each is, what it is now, how it went."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from c2m.ledger.store import reading
from c2m.rooms import measures, page, plot
from c2m.rooms.entry import Operations
from c2m.rooms.scoped import view
from c2m.settings import settings

routes = APIRouter()


@routes.get("/figures")
def figures(request: Request, person: Operations) -> Response:
    """Each measure with its definition and its line."""
    with reading() as s:
        found = measures.all_of(s, view(person.grant))
    drawn = [(measure, plot.line(measure.course)) for measure in found]
    filled = {"days": measures.DAYS, "small": measures.SMALL_PIECES}
    return page.shown(request, "figures.html", measures=drawn, currency=settings().currency, filled=filled)
