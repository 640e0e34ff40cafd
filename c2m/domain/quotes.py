"""A quote: what a new order would cost, when it would arrive and how surely, who would make it, what it would delay.

Quantities are good pieces, money is in the quote's currency, probabilities are shares of 1. Days are dates.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal, Protocol

OfferName = Literal["soonest", "cheapest", "pressed"]
Lacking = Literal["", "factory", "room"]


@dataclass(frozen=True)
class Needs:
    """What a style that is not in the catalogue needs. Minutes are standard ones, price and cost are of a piece."""

    category: str
    crafts: tuple[str, ...]  # that a factory needs to make it
    sam_minutes: float
    price: float
    cost: float
    pieces: int


@dataclass(frozen=True)
class QuoteRequest:
    """What somebody would order: pieces by SKU of the catalogue, or what a new style needs."""

    merchant_id: str
    pieces: Mapping[str, int]
    needs: Needs | None = None
    wanted_on: date | None = None
    latitude: float | None = None  # of the destination, in degrees; None: where the merchant's orders go
    longitude: float | None = None  # of the destination, in degrees
    parent_order_id: str | None = None


@dataclass(frozen=True)
class Share:
    """What one factory would make of one style and colour; minutes: paid ones, setup included.

    finish_on: the last day of work; transit_days: from there to the destination.
    """

    factory_id: str
    style_id: str
    colour: str
    pieces: int
    minutes: float
    start_on: date
    finish_on: date
    transit_days: int = 0


@dataclass(frozen=True)
class Taken:
    """Minutes of a factory's day."""

    factory_id: str
    on: date
    minutes: float


@dataclass(frozen=True)
class Delay:
    """A lot of another order whose last pieces would come later than they are due; cost: of the delay."""

    lot_id: str
    days: int
    cost: float


@dataclass(frozen=True)
class Offer:
    """One way to make the order. planned_on: without days in hand; cost: by the terms of a plan, all of them its own.

    modelled: probability of the date before the correction that past quotes taught.

    soonest: the first day by which all can be there; cheapest: what a plan would do; both in minutes that are free.
    pressed: by the wanted date, in minutes that other orders have.
    """

    name: OfferName
    planned_on: date
    promised_on: date
    probability: float
    in_time: float | None  # probability that all is there by the wanted date; None: no date is wanted
    cost: Mapping[str, float]
    shares: tuple[Share, ...]
    taken: tuple[Taken, ...]
    delays: tuple[Delay, ...] = ()
    modelled: float | None = None

    @property
    def price(self) -> float:
        """What it costs in all, what it delays included."""
        return sum(self.cost.values())


@dataclass(frozen=True)
class Quote:
    """The offers for an order, the soonest first. lacking: where there is none, what there is none of: a factory that
    can make it, with minutes left at all, or room for all pieces within the horizon."""

    plan_id: str
    currency: str
    pieces: int
    horizon_ends_on: date
    offers: tuple[Offer, ...]
    lacking: Lacking = ""


class Quoter(Protocol):
    """Who gives quotes: optimization against the plan in force. reserved: accepted offers by order_id."""

    def quote(self, asked: QuoteRequest, reserved: Mapping[str, Offer]) -> Quote:
        """Offers for what is asked.

        Parameters
        ----------
        asked
            What somebody would order.
        reserved
            Accepted offers by order_id: their minutes are taken.

        Returns
        -------
        Quote
            Without offers where none can be made.

        Raises
        ------
        InputError
            No plan is in force, or a SKU is unknown.
        """

    def holds(self, quote: Quote, offer: Offer, reserved: Mapping[str, Offer]) -> bool:
        """Whether an offer of an earlier quote can still be taken: its minutes are free, or its plan is in force.

        Parameters
        ----------
        quote
            The earlier quote.
        offer
            One of its offers.
        reserved
            Accepted offers by order_id: their minutes are taken.

        Returns
        -------
        bool
            False where it must be asked for anew.
        """
