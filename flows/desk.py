"""The desk that gives quotes: keeps the plan in force ready, and makes it ready anew once another one is released."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from threading import Lock

from sqlalchemy.orm import Session

from c2m import clock
from c2m.domain.promises import correction_of_quotes
from c2m.domain.quotes import Offer, Quote, QuoteRequest
from c2m.errors import InputError
from c2m.ledger import job_orders, orders, plans, status
from c2m.ledger.plans import Standing
from c2m.ledger.store import reading
from c2m.settings import settings
from c2m.warehouse.published import manifest, read
from optimization.book.currencies import OF_FACTORY, OF_PIECE, in_currency, plan_currency
from optimization.book.daily_instance import tellable
from optimization.book.later_work import OBSERVED_DAYS
from optimization.contract import instances
from optimization.contract.plan import read_plan
from optimization.promising.free_capacity import FreeCapacity, fits, ready
from optimization.promising.known import Known
from optimization.promising.quotes import quote


@dataclass(frozen=True)
class _Kept:
    plan_id: str
    build_id: str
    room: FreeCapacity


class Desk:
    """`c2m.domain.quotes.Quoter` for this process; many threads may ask at once."""

    def __init__(self) -> None:
        self._kept: _Kept | None = None
        self._lock = Lock()

    def quote(self, asked: QuoteRequest, reserved: Mapping[str, Offer]) -> Quote:
        """Offers against the plan in force."""
        room = self.room()
        planned_on = clock.read_on(clock.now())
        return quote(room, asked, list(_beside(room, reserved).values()), planned_on, settings().plan)

    def holds(self, given: Quote, offer: Offer, reserved: Mapping[str, Offer]) -> bool:
        """Whether an offer's minutes are still free; one without minutes of its own is bound to its plan."""
        room = self.room()
        if not offer.taken:
            return given.plan_id == room.plan_id
        return fits(room, offer, list(_beside(room, reserved).values()), clock.read_on(clock.now()))

    def room(self) -> FreeCapacity:
        """The plan in force, ready.

        Raises
        ------
        InputError
            No plan is in force, or its files are gone.
        """
        with reading() as s:
            standing = plans.in_force(s)
        if standing is None:
            raise InputError("no-plan", ["no plan has been released yet: quotes are given once one is"])
        build_id = manifest()["build_id"]
        with self._lock:
            if self._kept is None or (self._kept.plan_id, self._kept.build_id) != (standing.plan_id, build_id):
                self._kept = _Kept(standing.plan_id, build_id, _made(standing))
            return self._kept.room


def _beside(room: FreeCapacity, reserved: Mapping[str, Offer]) -> dict[str, Offer]:
    """The accepted offers whose orders the plan does not have yet."""
    return {order_id: offer for order_id, offer in reserved.items() if order_id not in room.order_ids}


def _made(standing: Standing) -> FreeCapacity:
    folder = settings().home / standing.folder
    instance, plan = instances.read(folder / "instance"), read_plan(folder / "plan")
    with reading() as s:
        known, lots, live = _known(s), orders.open_lots(s), job_orders.live(s)
    return ready(standing.plan_id, instance, plan, lots, live, known, settings().plan.promise_level)


def _known(session: Session) -> Known:
    """As flows/plan.py has it for the plan."""
    day, versions = clock.business_date(clock.now()), status.versions(session)
    factories, rates = read("factories"), read("exchange_rates")
    currency = plan_currency(factories)
    return Known(
        factories=in_currency(factories, OF_FACTORY, rates, currency),
        capabilities=tellable(read("factory_capabilities"), versions),
        calendar=read("factory_calendar"),
        scores=read("factory_scores"),
        skus=in_currency(read("skus"), OF_PIECE, rates, currency),
        versions=versions,
        told=job_orders.told(session, clock.now() - timedelta(days=OBSERVED_DAYS)),
        until=clock.cut_off(day),
        correction=correction_of_quotes(read("promises"), day),
    )
