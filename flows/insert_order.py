"""Insert order: operations ask for a quote for a merchant, see the offers, and place one of them as an order."""

from datetime import date
from typing import Literal

import pandas as pd
from prefect import State, flow
from prefect.states import Completed
from pydantic import Field

from c2m.domain.quotes import Quote, QuoteRequest
from c2m.errors import InputError
from c2m.ledger.store import Scope
from c2m.markdown import plain, table
from c2m.rooms.tenants import quoted
from c2m.steps import step
from flows import reports
from flows.desk import Desk
from flows.parameters import Now
from optimization.contract.wording import counted

Taken = Literal["none: only show the offers", "soonest", "cheapest", "pressed"]


class InsertOrder(Now):
    """What is ordered, for whom, and which offer to take."""

    merchant_id: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$", description="Whose order it is")
    code: str = Field(
        min_length=1,
        max_length=200,
        description="The merchant's own number of the order; it comes in once, however often",
    )
    pieces: dict[str, int] = Field(
        description='Good pieces by SKU of the merchant\'s catalogue, as JSON: {"m01-KURTA001-NAVY-S": 40}'
    )
    wanted_on: date | None = Field(None, description="When all of it is wanted; empty: as soon as possible")
    take: Taken = Field(
        "none: only show the offers",
        description="Which offer becomes an order; pressed: by the wanted date, at the cost of others",
    )


@flow(name="insert-order", flow_run_name="insert order {parameters.code} of {parameters.merchant_id}")
def insert_order(parameters: InsertOrder) -> State[None]:
    """Shows what the plan in force offers; where an offer is taken, the order comes in by its feed, once."""
    desk, scope = Desk(), Scope(merchant_id=parameters.merchant_id)
    asked = QuoteRequest(parameters.merchant_id, parameters.pieces, wanted_on=parameters.wanted_on)
    with step("quote"):
        given = quoted.ask(desk, scope, asked)
    reports.page("quote", f"Quote for {parameters.code} of {parameters.merchant_id}", *shown(given.quote))
    if parameters.take.startswith("none"):
        return Completed(message=f"{counted(len(given.quote.offers), 'offer')}; nothing was ordered.")
    with step("place"):
        taken = quoted.take(desk, scope, given, parameters.take, parameters.code)
    if not isinstance(taken, str):
        raise InputError("rows-refused", [f"{one['rule']}: {one['seen']}; {one['advice']}" for one in taken.faults])
    return Completed(message=f"Order {parameters.code} has come in as {taken}; the next plan takes it up.")


def shown(quote: Quote) -> list[str]:
    """The offers as a table."""
    if not quote.offers:
        none = "no factory can make it" if quote.lacking == "factory" else "not all pieces find room"
        return [f"No offer: up to {quote.horizon_ends_on} {none}."]
    rows = [
        {
            "offer": offer.name,
            "promised": offer.promised_on,
            "probability": f"{offer.probability:.0%}",
            f"price, {quote.currency}": f"{offer.price:,.0f}",
            "made by": plain(", ".join(f"{one.factory_id} ({one.pieces:,})" for one in offer.shares)),
            "delays": f"{counted(len(offer.delays), 'lot')}, {offer.cost.get('delays', 0):,.0f} {quote.currency}",
        }
        for offer in quote.offers
    ]
    return [f"{quote.pieces:,} pieces, against plan {quote.plan_id}.", "", table(pd.DataFrame(rows))]
