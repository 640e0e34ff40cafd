"""A quote for a new order: offers of date, probability, price and factories, and what they would delay.

In: a `FreeCapacity` (the released plan, kept ready), what is asked, the offers that were accepted since. Out: a
`Quote`. What a plan has given away is never offered but in a `pressed` offer, which says what it delays and what that
costs.
"""

from collections.abc import Sequence
from datetime import date

import pandas as pd

from c2m.domain.quotes import Lacking, Offer, OfferName, Quote, QuoteRequest, Share, Taken
from c2m.settings import PlanPolicy
from optimization.contract import instances
from optimization.contract.instances import Instance
from optimization.contract.plan import PAIR, Plan, cost_parts, day_loads
from optimization.promising.asked import QUOTED, AskedInstance, lots_of, part_of
from optimization.promising.delays import Pressed, pressed
from optimization.promising.free_capacity import FreeCapacity, left_beside
from optimization.promising.futures import Futures, promise
from optimization.promising.ways import cheapest, soonest

SECONDS = 0.5  # for each of the small programs
OWN = ("unit", "setup", "engagement", "overtime")  # cost of a plan that is the order's own making
RESERVED = "reserved"


def quote(room: FreeCapacity, asked: QuoteRequest, reserved: Sequence[Offer], today: date, policy: PlanPolicy) -> Quote:
    """Offers for what is asked.

    Parameters
    ----------
    room
        The plan in force.
    asked
        Pieces by SKU, or what a new style needs.
    reserved
        Offers that were accepted since the plan was made: their minutes are taken.
    today
        The business date of the plan that will have the order: its work begins on a later day.
    policy
        Rates and limits of a plan.

    Returns
    -------
    Quote
        Without an offer where not all pieces find room within the plan's horizon.

    Raises
    ------
    InputError
        A SKU is not in the merchant's catalogue, or nothing is asked for.
    """
    ends_on = room.date_of(room.last_day(today))
    lots = lots_of(room, asked, today, asked.wanted_on or ends_on)
    pieces = int(lots["quantity"].sum())
    part = part_of(room, lots, left_beside(room, reserved, today), today, policy)
    queues = beside(room, reserved)
    offers = _free(room, part, queues, asked.wanted_on) if part else []
    if asked.wanted_on and all(offer.promised_on > asked.wanted_on for offer in offers):
        found = pressed(room, lots, today, asked.wanted_on, policy, SECONDS)
        offers += [_pressed(room, found, queues, asked.wanted_on)] if found else []
    lacking: Lacking = "" if offers else "room" if part else "factory"
    return Quote(room.plan_id, room.currency, pieces, ends_on, tuple(offers), lacking)


def beside(room: FreeCapacity, reserved: Sequence[Offer]) -> Futures:
    """The queues with what accepted offers will put into them."""
    return (
        room.futures.joined(pd.concat([_rows(room, number, offer) for number, offer in enumerate(reserved)]))
        if reserved
        else room.futures
    )


def _rows(room: FreeCapacity, number: int, offer: Offer) -> pd.DataFrame:
    shares = [
        {
            "lot_id": f"{RESERVED}-{number}",
            "order_id": f"{RESERVED}-{number}",
            "factory_id": share.factory_id,
            "quantity": share.pieces,
            "minutes": share.minutes,
            "setup_minutes": 0.0,
            "first_day": room.day_of(share.start_on),
            "planned_day": room.day_of(share.finish_on),
            "transit_days": share.transit_days,
        }
        for share in offer.shares
    ]
    return pd.DataFrame(shares)


def _free(room: FreeCapacity, part: AskedInstance, queues: Futures, wanted_on: date | None) -> list[Offer]:
    """The soonest, and the cheapest where it costs less."""
    first, least = soonest(part.plainly, SECONDS), cheapest(part.instance, SECONDS)
    found = [_offer(room, part, "soonest", first, queues, wanted_on)] if first else []
    if least:
        cheap = _offer(room, part, "cheapest", least, queues, wanted_on)
        if not found or cheap.price < found[0].price - 0.005:
            found.append(cheap)
    return found


def _offer(
    room: FreeCapacity, part: AskedInstance, name: OfferName, plan: Plan, queues: Futures, wanted_on: date | None
) -> Offer:
    told = promise(queues, _pairs(part.plainly, plan, part.shift), room.day_of(wanted_on) if wanted_on else None)
    parts = cost_parts(part.instance, plan.allocation, plan.schedule)
    return Offer(
        name=name,
        planned_on=room.date_of(told.planned_day),
        promised_on=room.date_of(told.promised_day),
        modelled=told.modelled,
        probability=told.probability,
        in_time=told.in_time,
        cost={term: round(parts[term], 4) for term in OWN},
        shares=_shares(room, part, plan),
        taken=_taken(room, part.shift, plan.schedule),
    )


def _pressed(room: FreeCapacity, found: Pressed, queues: Futures, wanted_on: date) -> Offer:
    offer = _offer(room, found.part, "pressed", found.plan, queues, wanted_on)
    delays = sum(delay.cost for delay in found.delays)
    return Offer(**vars(offer) | {"cost": found.cost | {"delays": delays}, "delays": found.delays, "taken": ()})


def _spans(plan: Plan) -> pd.DataFrame:
    """Per pair its pieces, its minutes and setup minutes, its first and last day of work."""
    sums = {"minutes": ("run_minutes", "sum"), "setup_minutes": ("setup_minutes", "sum")}
    span = plan.schedule.groupby(PAIR, as_index=False).agg(**sums, first_day=("day", "min"), planned_day=("day", "max"))
    return plan.allocation.merge(span, on=PAIR)


def _pairs(instance: Instance, plan: Plan, shift: int) -> pd.DataFrame:
    """The pairs of a plan of the part as `futures.promise` takes them."""
    rows = _spans(plan).merge(instance.arcs[[*PAIR, "transit_days"]], on=PAIR)
    days = {name: rows[name] + shift for name in ("first_day", "planned_day")}
    return rows.assign(order_id=QUOTED, **days)


def _shares(room: FreeCapacity, part: AskedInstance, plan: Plan) -> tuple[Share, ...]:
    rows = _spans(plan).merge(part.lots[["lot_id", "style_id", "colour"]], on="lot_id")
    rows = rows.merge(part.plainly.arcs[[*PAIR, "transit_days"]], on=PAIR)
    return tuple(
        Share(
            row.factory_id,
            row.style_id,
            row.colour or "",
            int(row.quantity),
            round(row.minutes + row.setup_minutes, 6),
            room.date_of(row.first_day + part.shift),
            room.date_of(row.planned_day + part.shift),
            int(row.transit_days),
        )
        for row in instances.rows(rows.sort_values(PAIR))
    )


def _taken(room: FreeCapacity, shift: int, schedule: pd.DataFrame) -> tuple[Taken, ...]:
    loads = instances.rows(day_loads(schedule))
    return tuple(Taken(row.factory_id, room.date_of(row.day + shift), round(row.load, 6)) for row in loads)
