"""What the merchant API takes and gives, as models: its OpenAPI document is made from them.

Quantities are good pieces, moments are UTC, probabilities are shares of 1.
"""

import json
from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Literal, Self

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field, model_validator

from c2m.domain.personalisation import canonical
from c2m.domain.quotes import Needs, Offer
from c2m.ledger.states import TicketKind, TicketState

MOST_LINES = 1000
_ID = r"^[A-Za-z0-9_-]{1,64}$"

Id = Annotated[str, Field(pattern=_ID)]
InPath = Annotated[str, Path(pattern=_ID)]
Pieces = Annotated[int, Field(ge=1, le=10_000_000)]
Code = Annotated[
    str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$", description="Your own number")
]
Day = Annotated[date, Field(ge=date(2000, 1, 1), le=date(2100, 1, 1))]
Share = Annotated[float, Field(ge=0, le=1)]


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Line(_In):
    """Pieces of a SKU."""

    sku_id: Id
    quantity: Pieces

    @property
    def own(self) -> str:
        """What makes the pieces a shopper's own, as the feed and the ledger have it; '' where nothing does."""
        return ""


class OrderLine(Line):
    """Pieces of a SKU, or those of them that are one shopper's own."""

    personalisation: (
        dict[Annotated[str, Field(min_length=1, max_length=200)], Annotated[str, Field(max_length=500)]] | None
    ) = Field(
        None,
        min_length=1,
        max_length=20,
        description='What each piece gets, such as {"name": "Ada"}: such pieces are a lot of their own',
    )

    @property
    def own(self) -> str:
        """As JSON."""
        return canonical(json.dumps(self.personalisation)) if self.personalisation else ""


class Place(_In):
    """Where goods go, in degrees."""

    latitude: Annotated[float, Field(ge=-90, le=90)]
    longitude: Annotated[float, Field(ge=-180, le=180)]


class _Lines(_In):
    lines: Sequence[Line] = Field(max_length=MOST_LINES)
    destination: Place | None = Field(None, description="Default: where your other orders go")
    repeats: Id | None = Field(None, description="The order that this one repeats")

    @model_validator(mode="after")
    def _one_line_a_sku(self) -> Self:
        names = [(line.sku_id, line.own) for line in self.lines]
        if len(set(names)) < len(names):
            raise ValueError("a SKU stands in several lines; add them up")
        return self

    @property
    def pieces(self) -> dict[str, int]:
        """By SKU, of what is alike for everyone."""
        return {line.sku_id: line.quantity for line in self.lines if not line.own}

    @property
    def place(self) -> tuple[float | None, float | None]:
        """Latitude and longitude."""
        return (self.destination.latitude, self.destination.longitude) if self.destination else (None, None)


class OrderIn(_Lines):
    """A new order."""

    code: Code
    due_on: Day
    lines: list[OrderLine] = Field(min_length=1, max_length=MOST_LINES)

    @property
    def own(self) -> dict[tuple[str, str], int]:
        """Pieces by SKU and personalisation."""
        return {(line.sku_id, line.own): line.quantity for line in self.lines if line.own}


class Style(_In):
    """What a style needs that is not in your catalogue. Minutes are standard ones of a piece."""

    category: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$")]
    crafts: list[Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^;\x00-\x1f\x7f]+$")]] = Field(
        [], max_length=20
    )
    sam_minutes: Annotated[float, Field(gt=0, le=10_000)]
    price: Annotated[float, Field(gt=0, le=1e9, description="Of a piece, in the currency of quotes")]
    cost: Annotated[float, Field(gt=0, le=1e9, description="Of a piece, material included")]
    quantity: Pieces

    @property
    def needs(self) -> Needs:
        """As quotes take it."""
        return Needs(self.category, tuple(self.crafts), self.sam_minutes, self.price, self.cost, self.quantity)


class QuoteIn(_Lines):
    """What a quote is asked for: lines of your catalogue, or a style that is not in it yet."""

    lines: list[Line] = Field([], max_length=MOST_LINES)
    style: Style | None = None
    wanted_on: Day | None = Field(None, description="When you want all of it; default: as soon as possible")

    @model_validator(mode="after")
    def _asks(self) -> Self:
        if not self.lines and self.style is None:
            raise ValueError("nothing is asked for: give lines or a style")
        return self


class Maker(BaseModel):
    """What one factory would make of one style and colour."""

    factory_id: str
    style_id: str
    colour: str
    quantity: int
    start_on: date
    finish_on: date


class OfferOut(BaseModel):
    """One way to make the order.

    soonest: the first day; cheapest: the least cost; both in time that is free. pressed: by your date, in time that
    other orders have: `delays` of them, at `delays_cost`, which is part of the price.
    """

    name: Literal["soonest", "cheapest", "pressed"]
    promised_on: date
    probability: Share = Field(description="That all of it is there on that day")
    in_time: Share | None = Field(description="That all of it is there on the day that you want it")
    planned_on: date = Field(description="When it is there if nothing goes wrong; no promise")
    price: float
    price_per_piece: float
    cost: dict[str, float] = Field(description="What the price is made of, by term of the plan's cost")
    makers: list[Maker]
    delays: int = Field(description="Lots of other orders that would be late by it")
    delays_cost: float

    @classmethod
    def of(cls, offer: Offer, pieces: int) -> Self:
        """An offer without whose lots it delays."""
        makers = [
            Maker(
                **{name: getattr(one, name) for name in Maker.model_fields if name != "quantity"}, quantity=one.pieces
            )
            for one in offer.shares
        ]
        told = {name: getattr(offer, name) for name in ("name", "promised_on", "probability", "in_time", "planned_on")}
        price = round(offer.price, 2)
        money = {"price": price, "price_per_piece": round(price / pieces, 4), "cost": dict(offer.cost)}
        return cls(**told, **money, makers=makers, delays=len(offer.delays), delays_cost=offer.cost.get("delays", 0.0))


class QuoteOut(BaseModel):
    """A quote. No offer: `lacking` says why: no factory that can make it, or no room up to `horizon_ends_on`."""

    quote_id: str
    currency: str
    quantity: int
    valid_until: datetime
    horizon_ends_on: date
    offers: list[OfferOut]
    lacking: Literal["", "factory", "room"]
    order_id: str | None = Field(description="The order that it became")


class Accept(_In):
    """An offer of a quote as an order."""

    offer: Literal["soonest", "cheapest", "pressed"]
    code: Code


class Received(BaseModel):
    """An order that has come in; the next plan takes it up."""

    order_id: str
    code: str
    due_on: date
    quantity: int


class PromiseOut(BaseModel):
    """A date that every factory behind it has agreed to."""

    promised_on: date
    probability: Share


class HearsOut(BaseModel):
    """When you hear of the date of an order that has none yet.

    after: what comes first: correction (of what keeps it from being planned), answer (of factories that were asked),
    release (of a plan that waits for a person), plan (the next one).
    """

    after: Literal["correction", "answer", "release", "plan"]
    answer_by: datetime | None = Field(description="When the last factory that was asked has answered at the latest")
    plan_on: date = Field(description="The day whose plan takes in what has no factory then")


class SkuOut(BaseModel):
    """How far a SKU of an order is."""

    sku_id: str
    quantity: int
    shipped: int
    received: int
    personalisation: dict[str, str] = Field({}, description="What makes these pieces a shopper's own")


class WorkOut(BaseModel):
    """A factory's job order."""

    job_order_id: str
    factory_id: str
    state: str
    accepted: bool | None
    quantity: int
    due_on: date
    made: dict[str, int] = Field(description="Good pieces by operation, as scanned")


class OrderOut(BaseModel):
    """An order in short. state: received (no plan has it yet), open, in_production, closed, cancelled."""

    order_id: str
    code: str | None
    source: Literal["merchant", "replenishment"]
    state: Literal["received", "open", "in_production", "closed", "cancelled"]
    waits_for: str = Field(description="plan, answer, start, production, rest, correction or nothing")
    placed_on: date
    due_on: date
    quantity: int
    shipped: int
    promise: PromiseOut | None
    hears: HearsOut | None = Field(description="Of an order that is to be made and has no promise")


class OrderWhole(OrderOut):
    """An order with all that is known of it."""

    waits: str = Field(description="Why it cannot be planned; empty where it can")
    skus: list[SkuOut]
    work: list[WorkOut]
    open_changes: int


class Orders(BaseModel):
    """Orders, by due day. next: `after` of the next page."""

    orders: list[OrderOut]
    next: str | None


class ChangeIn(_In):
    """What is to change: other pieces, another date or place, or none of it any more. The one field of `kind`."""

    kind: Literal["pieces", "date", "address", "cancel"]
    lines: list[Line] = Field([], max_length=MOST_LINES, description="New pieces of the SKUs that change (pieces)")
    dropped: list[Id] = Field([], max_length=MOST_LINES, description="SKUs that fall away (pieces)")
    due_on: Day | None = Field(None, description="date")
    destination: Place | None = Field(None, description="address")
    note: Annotated[str, Field(max_length=1000, pattern=r"^[^\x00]*$")] = ""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        wanted = {
            "pieces": self.lines or self.dropped,
            "date": self.due_on,
            "address": self.destination,
            "cancel": True,
        }
        if not wanted[self.kind]:
            raise ValueError(f"a change of kind {self.kind} needs what is to be new")
        return self


class ChangeOut(BaseModel):
    """A change and how far it is: asked, planned, sent to a factory, answered, done, refused."""

    change_id: str
    kind: TicketKind
    state: TicketState
    asked: dict[str, int | float | str]
    before: dict[str, int | float | str | None]
    answer: str = Field(description="What became of it, as a key: done, factory_goes_on, promised, promised_later, ...")
    answered: dict[str, int | float | str]
    asked_at: datetime


class Demand(BaseModel):
    """What shoppers will ask for of a style on a day: expected pieces, and quantiles."""

    style_id: str
    day: date
    mean: float
    q10: float
    q50: float
    q90: float


class Forecast(BaseModel):
    """The newest forecast of your styles. next: `after` of the next page."""

    made_on: date | None
    demand: list[Demand]
    next: str | None


class Shelf(BaseModel):
    """Pieces of a SKU: there, under way, ordered."""

    sku_id: str
    on_hand: int
    in_transit: int
    on_order: int


class Stock(BaseModel):
    """Stock of your SKUs as of the last build. next: `after` of the next page."""

    stock: list[Shelf]
    next: str | None
