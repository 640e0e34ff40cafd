"""The day for operations: what waits for whom, the plan in six figures, what stands in the way; all exceptions."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.orm import Session

from c2m import clock
from c2m.ledger import alerts, status
from c2m.ledger.rooms import decisions, sights
from c2m.ledger.rooms.sights import OrderFilter
from c2m.ledger.store import Scope, reading
from c2m.people.json_rows import records
from c2m.rooms import page, plan_files
from c2m.rooms.entry import Anyone, Operations
from c2m.rooms.pages.plans import figures, why_it_waits
from c2m.rooms.scoped import view

routes = APIRouter()
SHOWN = 500  # alerts of the page of exceptions
FIRST = 8  # rows of each list on the page of the day


@routes.get("/")
def today(request: Request, person: Anyone) -> Response:
    """Exceptions first, then the plan, then what is late and what waits; a merchant or factory comes to its own room.

    So the site's bare address, which people type or keep, leads everybody to their first page.
    """
    if person.home != "/":
        return RedirectResponse(person.home, 303)
    scope, date = view(person.grant).scope, clock.business_date(clock.now())
    late, waiting = OrderFilter(late_on=date), OrderFilter(state="open")
    with reading() as s:
        plans = decisions.recent(s, 1)
        late_lots = decisions.count_late(s, plans[0]["plan_id"]) if plans else 0
        counts = status.summary(s)
        found: dict[str, Any] = {
            **_alerts(s, scope, FIRST),
            "late": records(sights.orders(s, scope, late, FIRST)),
            "late_count": sights.count(s, scope, late),
            "open_count": sights.count(s, scope, waiting),
            "answers": waiting_for_factories(s, scope),
        }
    plan = plans[0] if plans else None
    if plan:
        found["figures"] = figures(plan, plan_files.of(plan["folder"]), late_lots)
        found["waits"] = why_it_waits(plan["folder"])
    return page.shown(request, "today.html", plan=plan, dead_letters=counts["dead_letters"], **found)


def waiting_for_factories(session: Session, scope: Scope) -> list[dict[str, Any]]:
    """How many job orders wait for an answer of each factory, and until when at the earliest.

    Parameters
    ----------
    session
        Transaction of the ledger.
    scope
        Whose.

    Returns
    -------
    list of dict
        factory_id, job_orders, pieces, accept_by; the soonest first.
    """
    jobs = sights.job_orders(session, scope, state="Released")
    sums = jobs.groupby("factory_id", as_index=False).agg(
        job_orders=("job_order_id", "size"), pieces=("quantity", "sum"), accept_by=("accept_by", "min")
    )
    return records(sums.sort_values("accept_by"))


@routes.get("/exceptions")
def exceptions(request: Request, person: Operations) -> Response:
    """Every open alert with its move, and the job orders that came back."""
    scope = view(person.grant).scope
    with reading() as s:
        found = _alerts(s, scope, SHOWN) | {"back": records(sights.given_back(s, scope))}
    return page.shown(request, "exceptions.html", **found)


def _alerts(session: Session, scope: Scope, most: int) -> dict[str, Any]:
    """The gravest alerts, how many there are, and what their orders are called."""
    standing = alerts.standing(session)
    shown = records(standing.head(most))
    concerned = sorted({order_id for alert in shown for order_id in alert["order_ids"]})
    return {"alerts": shown, "alert_count": len(standing), "named": sights.names(session, scope, concerned)}
