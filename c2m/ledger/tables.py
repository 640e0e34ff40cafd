"""The ledger's tables, with what their columns mean (see docs/reference/ledger.md). Quantities are good pieces."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar, get_args

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    ColumnElement,
    Double,
    Enum,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Text,
    UniqueConstraint,
    case,
    false,
    text,
)
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from c2m.ledger import states
from c2m.ledger.types import Moment, Money

Id = Annotated[str, mapped_column(String(64))]
Key = Annotated[str, mapped_column(String(64), primary_key=True)]
# Sums of what factories say they made: thirty scans at the limit of a scan are past 32 bits.
Sum = Annotated[int, mapped_column(BigInteger().with_variant(Integer(), "sqlite"))]
LongText = Annotated[str, mapped_column(Text)]
Code = Annotated[str, mapped_column(String(255))]  # as the merchant spells it
# Messages that were never sent. Literally the words of an index: with a parameter in them no database would use it.
UNTRIED, TRIED = text("state = 'pending' AND next_attempt_at IS NULL"), text("next_attempt_at IS NOT NULL")


def _one_of(words: object, name: str) -> Enum:
    """Words instead of a native enum: adding one is then an ordinary migration on both databases."""
    return Enum(*get_args(words), name=name, native_enum=False, length=20, create_constraint=True)


class Base(DeclarativeBase):
    """Names for every constraint, so that a later migration can speak of them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar = {
        str: String(200),
        datetime: Moment,
        float: Double(),  # SQLAlchemy 2.0 would take FLOAT
        Decimal: Money,
        states.OrderState: _one_of(states.OrderState, "state"),
        states.PlanState: _one_of(states.PlanState, "state"),
        states.Delivery: _one_of(states.Delivery, "state"),
        states.JobState: _one_of(states.JobState, "state"),
        states.Source: _one_of(states.Source, "source"),
        states.Decided: _one_of(states.Decided, "decision"),
        states.Role: _one_of(states.Role, "role"),
        states.TicketKind: _one_of(states.TicketKind, "kind"),
        states.TicketState: _one_of(states.TicketState, "state"),
    }


class Order(Base):
    """A merchant's or a replenishment order.

    merchant_order_id: its id in the merchant's feeds, unique within the merchant; of replenishment, none.
    order_code: the merchant's own number, as the merchant spells it.

    priority: 1 first, none: no matter; max_factories: how many may share a lot, none: as the platform has it.
    destination_latitude, destination_longitude: degrees.
    """

    __tablename__ = "orders"
    order_id: Mapped[Key]
    merchant_id: Mapped[Id] = mapped_column(index=True)
    source: Mapped[states.Source]
    parent_order_id: Mapped[Id | None]
    placed_on: Mapped[date]
    release_on: Mapped[date | None]
    due_on: Mapped[date]
    priority: Mapped[int | None]
    tolerance_share: Mapped[float]
    max_factories: Mapped[int | None]
    currency: Mapped[str] = mapped_column(String(3))
    merchant_order_id: Mapped[Id | None]
    order_code: Mapped[Code | None]
    destination_latitude: Mapped[float | None]
    destination_longitude: Mapped[float | None]
    state: Mapped[states.OrderState]
    closed_at: Mapped[datetime | None]
    at: Mapped[datetime]


class Lot(Base):
    """One style-colour of one order: the planning unit. waits: why it cannot be planned now; '' where it can.

    style_code: the merchant's own number of the style; none where there is none, or not one for all of its SKUs.
    personalisation: JSON of what makes its pieces a shopper's own (c2m/domain/personalisation.py); none of most lots.
    operations: JSON by name, in their order, of craft, sam_minutes and stage; none where the five minutes say it all.
    stages: after one another, in which it is made, each at a factory of its own.

    crafts: those that a factory needs, with semicolons between. quantity: pieces that are ordered. unit_value,
    unit_cost_basis: price and cost of a piece, in the order's currency. style_name, specification_url: of the
    catalogue, for people.
    """

    __tablename__ = "lots"
    __table_args__ = (CheckConstraint("quantity >= 0 AND shipped >= 0", "pieces"),)
    lot_id: Mapped[Key]
    order_id: Mapped[Id] = mapped_column(ForeignKey("orders.order_id"), index=True)
    merchant_id: Mapped[Id]
    style_id: Mapped[Id]
    colour: Mapped[str]
    category: Mapped[str]
    crafts: Mapped[str]
    style_name: Mapped[str | None]
    style_code: Mapped[Code | None]
    personalisation: Mapped[str | None] = mapped_column(Text)
    specification_url: Mapped[str | None] = mapped_column(Text)
    quantity: Mapped[int]
    unit_value: Mapped[Decimal]
    unit_cost_basis: Mapped[Decimal]
    sam_cut_minutes: Mapped[float]
    sam_sew_minutes: Mapped[float]
    sam_finish_minutes: Mapped[float]
    sam_inspect_minutes: Mapped[float]
    sam_pack_minutes: Mapped[float]
    sam_minutes: Mapped[float]
    operations: Mapped[str | None] = mapped_column(Text)
    stages: Mapped[int] = mapped_column(default=1, server_default="1")
    shipped: Mapped[Sum]
    waits: Mapped[LongText] = mapped_column(default="", server_default="")
    state: Mapped[states.OrderState] = mapped_column(index=True)
    at: Mapped[datetime]


class LotSku(Base):
    """A lot's pieces per SKU, and the merchant's own numbers of it.

    surplus: shipped beyond what the merchant orders and tolerates; in no stock.

    quantity: pieces that are ordered, of this size.
    """

    __tablename__ = "lot_skus"
    __table_args__ = (CheckConstraint("quantity >= 0 AND shipped >= 0", "pieces"),)
    lot_id: Mapped[Key] = mapped_column(ForeignKey("lots.lot_id"))
    sku_id: Mapped[Key]
    size: Mapped[str | None]
    sku_code: Mapped[Code | None]
    colour_code: Mapped[Code | None]
    size_code: Mapped[Code | None]
    quantity: Mapped[int]
    shipped: Mapped[Sum]
    surplus: Mapped[Sum] = mapped_column(default=0, server_default="0")


class OrderQuantity(Base):
    """Why a replenishment lot has its quantity: see c2m/ledger/quantities.py.

    forecast_mean, level, needed, lot_quantity: pieces; q05 to q975: quantiles of the style's demand over the window, in
    pieces, by the model of model_version. price, cost: of a piece, in `currency`; salvage_share, holding_share_per_day:
    of the cost; critical_ratio: probability at which the level is taken.
    """

    __tablename__ = "order_quantities"
    lot_id: Mapped[Key] = mapped_column(ForeignKey("lots.lot_id"))
    order_id: Mapped[Id]
    merchant_id: Mapped[Id]
    style_id: Mapped[Id]
    colour: Mapped[str]
    business_date: Mapped[date] = mapped_column(index=True)
    build_id: Mapped[Id]
    model_version: Mapped[str]
    forecast_at: Mapped[datetime]
    window_days: Mapped[int]
    forecast_mean: Mapped[float]
    q05: Mapped[float]
    q10: Mapped[float]
    q20: Mapped[float]
    q30: Mapped[float]
    q40: Mapped[float]
    q50: Mapped[float]
    q60: Mapped[float]
    q70: Mapped[float]
    q80: Mapped[float]
    q90: Mapped[float]
    q95: Mapped[float]
    q975: Mapped[float]
    price: Mapped[Decimal]
    cost: Mapped[Decimal]
    currency: Mapped[str] = mapped_column(String(3))
    salvage_share: Mapped[float]
    holding_share_per_day: Mapped[float]
    critical_ratio: Mapped[float]
    level: Mapped[float]
    needed: Mapped[float]
    trigger_share: Mapped[float]
    minimum_order_pieces: Mapped[int]
    lot_quantity: Mapped[int]
    at: Mapped[datetime]


class OrderQuantitySku(Base):
    """A SKU of the lot's style when the lot's quantity was reckoned; of another colour's, quantity is 0.

    Counts are pieces; lacking: what it is short of its share of the level.
    """

    __tablename__ = "order_quantity_skus"
    lot_id: Mapped[Key] = mapped_column(ForeignKey("order_quantities.lot_id"))
    sku_id: Mapped[Key]
    sku_colour: Mapped[str]
    size_share: Mapped[float]
    on_hand: Mapped[Sum]
    in_transit: Mapped[Sum] = mapped_column(default=0, server_default="0")
    on_order: Mapped[Sum]
    lacking: Mapped[float]
    quantity: Mapped[int]


class JobOrderRevision(Base):
    """Which plan a revision of a job order came from, and what it asked for.

    started: pieces of the plan's allocation that other, begun job orders of the same lot and factory had still to make.

    quantity: pieces.
    """

    __tablename__ = "job_order_revisions"
    job_order_id: Mapped[Key] = mapped_column(ForeignKey("job_orders.job_order_id"))
    revision: Mapped[int] = mapped_column(primary_key=True)
    plan_id: Mapped[Id] = mapped_column(ForeignKey("plans.plan_id"))
    quantity: Mapped[int]
    started: Mapped[int]


class Plan(Base):
    """A joint-factory plan, proposed for a decision.

    round: of the day, from 1. objective, bound: cost, and what no plan can cost less than, in the plan's currency; gap:
    their distance as a share of the cost. status: of the search, optimal or feasible. split_orders: how many lots
    several factories share. model_version: of the forecast that it serves.
    """

    __tablename__ = "plans"
    plan_id: Mapped[Key]
    business_date: Mapped[date] = mapped_column(index=True)
    round: Mapped[int]
    state: Mapped[states.PlanState]
    objective: Mapped[Decimal]
    bound: Mapped[Decimal]
    gap: Mapped[float]
    status: Mapped[str]
    split_orders: Mapped[int]
    unmet_pieces: Mapped[int]
    instance_sha256: Mapped[Id]
    model_version: Mapped[str | None]
    folder: Mapped[LongText]
    at: Mapped[datetime]


# Of the plans of a round: on a clock that stands still, the plan in place of a rejected one has the same time.
LATEST = ((Plan.state == "rejected").asc(), Plan.at.desc(), Plan.plan_id)


class PlanAllocation(Base):
    """What a plan gives to a factory of a lot. withheld: not dispatched when the plan was released.

    place: in the order in which the plan has the factory work, 1 first; price: of the factory, per piece.
    next_factory_id: where the pieces of a stage before the last go; transit_days: their way to there, or to the
    destination, which `finish_on` counts in: the work ends so many days before.

    quantity: good pieces.
    """

    __tablename__ = "plan_allocations"
    plan_id: Mapped[Key] = mapped_column(ForeignKey("plans.plan_id"))
    lot_id: Mapped[Key] = mapped_column(ForeignKey("lots.lot_id"))
    stage: Mapped[int] = mapped_column(primary_key=True, default=1, server_default="1")
    factory_id: Mapped[Key]
    next_factory_id: Mapped[Id | None]
    quantity: Mapped[int]
    start_on: Mapped[date]
    finish_on: Mapped[date]
    transit_days: Mapped[int] = mapped_column(default=0, server_default="0")
    withheld: Mapped[bool]
    place: Mapped[int | None]
    price: Mapped[Decimal | None]
    currency: Mapped[str | None] = mapped_column(String(3))


class Purchase(Base):
    """A material of a purchase order that a plan proposes; quantity in its unit, price per unit.

    released_at: when it was released, by the decision on the plan; withheld: held back by it.
    """

    __tablename__ = "purchases"
    purchase_order_id: Mapped[Key]
    material_id: Mapped[Key]
    plan_id: Mapped[Id] = mapped_column(ForeignKey("plans.plan_id"), index=True)
    supplier_id: Mapped[Id]
    quantity: Mapped[float]
    unit: Mapped[str] = mapped_column(String(16))
    price: Mapped[float]
    currency: Mapped[str] = mapped_column(String(3))
    order_on: Mapped[date]
    due_on: Mapped[date]
    withheld: Mapped[bool]
    released_at: Mapped[datetime | None]
    at: Mapped[datetime]


class Decision(Base):
    """Who released or rejected a plan, and why.

    actor: a person, or the release policy; without_lots: those that a release held back.
    """

    __tablename__ = "decisions"
    decision_id: Mapped[Key]
    plan_id: Mapped[Id] = mapped_column(ForeignKey("plans.plan_id"))
    decision: Mapped[states.Decided]
    actor: Mapped[str]
    reason: Mapped[LongText]
    without_lots: Mapped[list[str]] = mapped_column(JSON)
    at: Mapped[datetime]


class PlanHold(Base):
    """Who has looked at a plan and let it wait, and why."""

    __tablename__ = "plan_holds"
    hold_id: Mapped[Key]
    plan_id: Mapped[Id] = mapped_column(ForeignKey("plans.plan_id"), index=True)
    actor: Mapped[str]
    reason: Mapped[LongText]
    at: Mapped[datetime]


class Promise(Base):
    """The date of a whole order by a plan. made_at: when the merchant heard it; none: not yet, or never.

    quoted: the date is that of a quote against this plan, which the order was placed by.

    modelled: probability of the date before the correction that past promises taught, probability: after it, as stated.
    pieces: what the order was for; unplaced: those that the plan gives to nobody, and then no date is promised.
    """

    __tablename__ = "promises"
    plan_id: Mapped[Key] = mapped_column(ForeignKey("plans.plan_id"))
    order_id: Mapped[Key] = mapped_column(ForeignKey("orders.order_id"), index=True)
    merchant_id: Mapped[Id]
    pieces: Mapped[int]
    unplaced: Mapped[int]
    planned_on: Mapped[date]
    promised_on: Mapped[date]
    modelled: Mapped[float]
    probability: Mapped[float]
    quoted: Mapped[bool] = mapped_column(default=False, server_default=false())
    made_at: Mapped[datetime | None]
    at: Mapped[datetime]


class PromiseFactory(Base):
    """Who makes pieces of a promised order, and the days from there to its destination."""

    __tablename__ = "promise_factories"
    __table_args__ = (ForeignKeyConstraint(["plan_id", "order_id"], ["promises.plan_id", "promises.order_id"]),)
    plan_id: Mapped[Key]
    order_id: Mapped[Key]
    factory_id: Mapped[Key]
    transit_days: Mapped[int]


class JobOrder(Base):
    """One lot's pieces at one factory, one attempt.

    quantity: what the factory may have to deliver, the most of what it agreed to and what it is asked for;
    requested: what the latest revision asks for. A quantity falls only when the factory agrees.
    answered_revision, sequence: of the factory's newest word. confirmed_revision: the newest one that it accepted.
    counted: ended, and its shipped pieces are final; what it did not ship is open for planning again.
    rank: among the factory's job orders, smaller first, as last asked; none for a factory that does not know it.
    agreed_rank: as it stands at the factory. ranked_revision: the newest that asks for another rank alone, else 0.
    asked_pieces: what was last asked of it once the merchant wanted less; none where that never was.
    made_pieces: what the factory then said that it has made and will deliver. cut_accepted: its answer, none before.
    begun_at: when work on it began, by the factory's word; none before, and where that was never said.
    stage, stages: which stage of its lot it is, of how many; next_factory_id: where its pieces go from there, none from
    the last. arrived: pieces of the stage before that its factory has received by scan.
    due_on: when its pieces shall be where they go; transit_days: of the way there, so work shall end so much earlier.
    """

    __tablename__ = "job_orders"
    __table_args__ = (
        UniqueConstraint("lot_id", "factory_id", "attempt"),
        Index(None, "factory_id", "state"),
        Index(None, "state", "accept_by"),
        CheckConstraint("quantity >= 0 AND shipped >= 0", "pieces"),
    )
    job_order_id: Mapped[Key]
    lot_id: Mapped[Id] = mapped_column(ForeignKey("lots.lot_id"))
    order_id: Mapped[Id] = mapped_column(ForeignKey("orders.order_id"))
    merchant_id: Mapped[Id]
    factory_id: Mapped[Id]
    stage: Mapped[int] = mapped_column(default=1, server_default="1")
    stages: Mapped[int] = mapped_column(default=1, server_default="1")
    next_factory_id: Mapped[Id | None]
    arrived: Mapped[Sum] = mapped_column(default=0, server_default="0")
    attempt: Mapped[int]
    revision: Mapped[int]
    quantity: Mapped[int]
    requested: Mapped[int]
    state: Mapped[states.JobState]
    answered_revision: Mapped[int]
    sequence: Mapped[int]
    confirmed_revision: Mapped[int]
    accepted: Mapped[bool | None]
    reason: Mapped[LongText]
    accept_by: Mapped[datetime]
    start_on: Mapped[date]
    due_on: Mapped[date]
    transit_days: Mapped[int] = mapped_column(default=0, server_default="0")
    rank: Mapped[int | None] = mapped_column(BigInteger)
    agreed_rank: Mapped[int | None] = mapped_column(BigInteger)
    ranked_revision: Mapped[int] = mapped_column(default=0, server_default="0")
    good_pieces: Mapped[Sum]
    shipped: Mapped[Sum]
    defects: Mapped[Sum]
    asked_pieces: Mapped[int | None]
    made_pieces: Mapped[int | None]
    cut_accepted: Mapped[bool | None]
    begun_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    counted: Mapped[bool]
    at: Mapped[datetime]

    @property
    def has_begun(self) -> bool:
        """Whether work on it began, by the factory's word."""
        return self.begun_at is not None or self.state in states.BEGUN

    @hybrid_property
    def is_last(self) -> bool:
        """Whether its pieces go to the merchant: it is the last stage of its lot."""
        return self.stage == self.stages

    @hybrid_property
    def to_make(self) -> int:
        """Pieces that are not good yet: what has passed inspection and waits to be shipped needs no more line time."""
        return max(0, self.quantity - max(self.good_pieces, self.shipped))

    @to_make.inplace.expression
    @classmethod
    def _to_make(cls) -> ColumnElement[int]:
        made = case((cls.good_pieces > cls.shipped, cls.good_pieces), else_=cls.shipped)
        return case((cls.quantity > made, cls.quantity - made), else_=0)


class JobOrderSku(Base):
    """A job order's pieces per SKU; the quantities sum to the job order's.

    surplus: shipped beyond what was agreed and is tolerated, or of work that never began; never in stock.
    received, lost: of what was shipped; what is neither is in transit.

    quantity: pieces, as that of the job order.
    """

    __tablename__ = "job_order_skus"
    __table_args__ = (CheckConstraint("quantity >= 0 AND shipped >= 0", "pieces"),)
    job_order_id: Mapped[Key] = mapped_column(ForeignKey("job_orders.job_order_id"))
    sku_id: Mapped[Key]
    quantity: Mapped[int]
    good_pieces: Mapped[Sum]
    shipped: Mapped[Sum]
    surplus: Mapped[Sum] = mapped_column(default=0, server_default="0")
    received: Mapped[Sum] = mapped_column(default=0, server_default="0")
    lost: Mapped[Sum] = mapped_column(default=0, server_default="0")


class Counted(Base):
    """Up to when what was made has been counted. One row; not in TABLES."""

    __tablename__ = "counted"
    what: Mapped[Key]
    through: Mapped[datetime]


class Outbox(Base):
    """Messages to factories. payload: the envelope, sent with the same bytes each time.

    attempts and next_attempt_at belong to the transport and run on wall-clock time.

    position: grows with each message to its factory; revision: of the job order that it tells; type: as CloudEvents has
    it.
    """

    __tablename__ = "outbox"
    __table_args__ = (
        UniqueConstraint("factory_id", "position"),
        # None that begins with the state alone: SQLite would take it, and sort a hundred thousand rows to find a few.
        Index("ix_outbox_untried", "position", "factory_id", sqlite_where=UNTRIED, postgresql_where=UNTRIED),
        Index("ix_outbox_tried", "state", "next_attempt_at", "position", sqlite_where=TRIED, postgresql_where=TRIED),
        Index(None, "job_order_id", "state"),
        Index(None, "type", "state"),
    )
    message_id: Mapped[Key]
    factory_id: Mapped[Id]
    job_order_id: Mapped[Id] = mapped_column(ForeignKey("job_orders.job_order_id"))
    revision: Mapped[int]
    type: Mapped[str] = mapped_column(String(40))
    payload: Mapped[dict[str, Any]] = mapped_column(JSON)
    position: Mapped[int]
    state: Mapped[states.Delivery]
    attempts: Mapped[int]
    next_attempt_at: Mapped[datetime | None]
    at: Mapped[datetime]


class RelayLease(Base):
    """Which relay is at a factory now, so that no other sends to it. Transport, not business: not in TABLES."""

    __tablename__ = "relay_leases"
    factory_id: Mapped[Key]
    relay: Mapped[str] = mapped_column(index=True)
    until: Mapped[datetime]


class Inbox(Base):
    """Job responses received, and what each did. digest: of what it said; none in rows of before there was one.

    source, type: of the message, as CloudEvents has them; effect: what it did to the ledger.
    """

    __tablename__ = "inbox"
    source: Mapped[str] = mapped_column(primary_key=True)
    message_id: Mapped[str] = mapped_column(primary_key=True)
    type: Mapped[str] = mapped_column(String(40))
    factory_id: Mapped[Id]
    effect: Mapped[str] = mapped_column(String(40))
    digest: Mapped[Id | None]
    at: Mapped[datetime]


class DeadLetter(Base):
    """A message that could not be obeyed, with the reason.

    payload: as text, the first MAX_BYTES of it; digest and size_bytes are of the whole message as it came.
    readmitted_at: when it was taken after all; none while it is open. actor, result: of the last try.
    """

    __tablename__ = "dead_letters"
    letter_id: Mapped[Key]
    factory_id: Mapped[str]
    topic: Mapped[LongText]
    payload: Mapped[LongText]
    size_bytes: Mapped[int]
    digest: Mapped[Id] = mapped_column(index=True)
    reason: Mapped[LongText]
    at: Mapped[datetime]
    readmitted_at: Mapped[datetime | None]
    actor: Mapped[str | None]
    result: Mapped[str | None] = mapped_column(Text)


class AuditEntry(Base):
    """What happened to a message between platform and factory: one chain per factory, see c2m/ledger/audit.py.

    hash: over this entry and the hash before. Not in TABLES: it tells of the ledger, and is no part of the business.
    """

    __tablename__ = "audit"
    factory_id: Mapped[Key]
    position: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    event: Mapped[str] = mapped_column(String(20))
    message_id: Mapped[str]
    type: Mapped[str]
    job_order_id: Mapped[Id] = mapped_column(index=True)
    actor: Mapped[str]
    digest: Mapped[Id]
    detail: Mapped[LongText]
    hash: Mapped[Id]


class AuditArchive(Base):
    """Where a chain was cut: entries up to this one, with its hash, lie in a file of C2M_HOME/audit. Not in TABLES."""

    __tablename__ = "audit_archives"
    factory_id: Mapped[Key]
    position: Mapped[int] = mapped_column(primary_key=True)
    hash: Mapped[Id]
    file: Mapped[str]
    at: Mapped[datetime]


class FactoryStatus(Base):
    """What a factory last said of itself. version: of the messages that it understands."""

    __tablename__ = "factory_status"
    factory_id: Mapped[Key]
    online: Mapped[bool]
    through: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(default=1, server_default="1")
    at: Mapped[datetime]


class FactoryReport(Base):
    """Up to when one of several collectors heard a factory. Transport, not business: not in TABLES."""

    __tablename__ = "factory_reports"
    factory_id: Mapped[Key]
    collector: Mapped[str] = mapped_column(primary_key=True)
    through: Mapped[datetime]


class PriceProposal(Base):
    """A price that a SKU should have from a day on, and what was decided. Like alerts not in TABLES.

    Money per piece in the SKU's currency; minute_price: of a line minute, by the plan. elasticity with its 90 %
    interval; gain: of the whole style over `days`, mean and 80 % range. held_out: kept back, to measure the others by.
    """

    __tablename__ = "price_proposals"
    proposal_id: Mapped[Key]
    merchant_id: Mapped[Id]
    style_id: Mapped[Id]
    sku_id: Mapped[Id]
    day: Mapped[date] = mapped_column(index=True)
    currency: Mapped[str] = mapped_column(String(3))
    price_now: Mapped[float]
    price: Mapped[float]
    list_price: Mapped[float]
    cost: Mapped[float]
    minute_price: Mapped[float]
    elasticity: Mapped[float]
    elasticity_low: Mapped[float]
    elasticity_high: Mapped[float]
    days: Mapped[int]
    gain: Mapped[float]
    gain_low: Mapped[float]
    gain_high: Mapped[float]
    held_out: Mapped[bool]
    state: Mapped[str] = mapped_column(String(20))
    actor: Mapped[str]
    reason: Mapped[LongText]
    decided_at: Mapped[datetime | None]
    at: Mapped[datetime]


class Alert(Base):
    """A warning of the order robot, from the run that found it to the one that did not. Like the audit not in TABLES.

    kind and subject: what it is about; of those that are open no two are about the same.
    """

    __tablename__ = "alerts"
    alert_id: Mapped[Key]
    kind: Mapped[str] = mapped_column(String(20))
    subject: Mapped[str]
    factory_id: Mapped[Id]
    severity: Mapped[int]
    cause: Mapped[LongText]
    move: Mapped[LongText]
    job_order_ids: Mapped[list[str]] = mapped_column(JSON)
    order_ids: Mapped[list[str]] = mapped_column(JSON)
    opened_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    closed_at: Mapped[datetime | None] = mapped_column(index=True)


class AlertNotice(Base):
    """What a target has heard of an alert: the severity it was told last, 0 that it is over."""

    __tablename__ = "alert_notices"
    alert_id: Mapped[Key] = mapped_column(ForeignKey("alerts.alert_id"))
    target: Mapped[Key]
    severity: Mapped[int]
    at: Mapped[datetime]


class RoomLink(Base):
    """A link by which a person signs in to the order room, or the sign-in of a team's own. Not in TABLES.

    token_sha256: of the token, which nobody keeps. tenant: the merchant or factory whose rows it shows; '' for others.
    """

    __tablename__ = "room_links"
    link_id: Mapped[Key]
    token_sha256: Mapped[Id] = mapped_column(unique=True)
    role: Mapped[states.Role]
    tenant: Mapped[Id]
    person: Mapped[str]
    made_by: Mapped[str]
    made_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class EndedSession(Base):
    """A session that its holder has ended: its cookie, copied before, is of no use. Not in TABLES.

    session_sha256: of what the session's forms carry, which the cookie holds. expires_at: the link's; then it may go.
    """

    __tablename__ = "room_ended_sessions"
    session_sha256: Mapped[Key]
    expires_at: Mapped[datetime]


class RoomPost(Base):
    """What a person said in the room of an order. Not in TABLES: words, not business.

    factory_id: whose conversation it is part of, and who sees it beside merchant and operations; '' for all factories.
    """

    __tablename__ = "room_posts"
    post_id: Mapped[Key]
    order_id: Mapped[Id] = mapped_column(ForeignKey("orders.order_id"), index=True)
    merchant_id: Mapped[Id]
    factory_id: Mapped[Id]
    role: Mapped[states.Role]
    person: Mapped[str]
    text: Mapped[LongText]
    at: Mapped[datetime]


class RoomTicket(Base):
    """A merchant's change of an order: what was asked, of what, and how far it is. Not in TABLES, like the posts.

    asked: the new values, by SKU (pieces), `due_on`, `latitude` and `longitude`; before: the old ones. history: each
    state with its moment. answer: key of the words that say what became of it; answered: what fills them in.
    """

    __tablename__ = "room_tickets"
    ticket_id: Mapped[Key]
    order_id: Mapped[Id] = mapped_column(ForeignKey("orders.order_id"), index=True)
    merchant_id: Mapped[Id]
    kind: Mapped[states.TicketKind]
    asked: Mapped[dict[str, Any]] = mapped_column(JSON)
    before: Mapped[dict[str, Any]] = mapped_column(JSON)
    note: Mapped[LongText]
    person: Mapped[str]
    state: Mapped[states.TicketState] = mapped_column(index=True)
    answer: Mapped[str]
    answered: Mapped[dict[str, Any]] = mapped_column(JSON)
    history: Mapped[list[list[str]]] = mapped_column(JSON)
    at: Mapped[datetime]


class Quoted(Base):
    """A quote that a merchant, or operations for it, was given. Not in TABLES: an offer, not business.

    asked, said: what was asked and the offers, as JSON of c2m/domain/quotes.py. offer: the one that was taken, with
    the order that it became; the minutes of that offer are taken until a plan has the order.
    """

    __tablename__ = "quotes"
    quote_id: Mapped[Key]
    merchant_id: Mapped[Id] = mapped_column(index=True)
    plan_id: Mapped[Id]
    asked: Mapped[dict[str, Any]] = mapped_column(JSON)
    said: Mapped[dict[str, Any]] = mapped_column(JSON)
    at: Mapped[datetime]
    valid_until: Mapped[datetime]
    offer: Mapped[str] = mapped_column(String(20))
    order_id: Mapped[Id]
    accepted_at: Mapped[datetime | None] = mapped_column(index=True)


class ApiAnswer(Base):
    """The answer to a request of the merchant API that carried an idempotency key; the key again gets it again.

    Not in TABLES. request_id: of merchant, address and key; body_sha256: of what was sent with it.

    status: the HTTP status, a number.
    """

    __tablename__ = "api_answers"
    request_id: Mapped[Key]
    merchant_id: Mapped[Id]
    body_sha256: Mapped[Id]
    status: Mapped[int]
    answer: Mapped[dict[str, Any]] = mapped_column(JSON)
    at: Mapped[datetime] = mapped_column(index=True)


class Webhook(Base):
    """An address that a merchant wants to be called at. Not in TABLES. after: the last event before it was there."""

    __tablename__ = "webhooks"
    webhook_id: Mapped[Key]
    merchant_id: Mapped[Id] = mapped_column(index=True)
    url: Mapped[LongText]
    after: Mapped[int]
    at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class MerchantEvent(Base):
    """Something that happened to an order, as its merchant is told. Not in TABLES: it follows from them.

    event_id: of order, kind and figures, so that each is there once; data: the figures.

    position: grows with each event of any merchant.
    """

    __tablename__ = "merchant_events"
    position: Mapped[int] = mapped_column(BigInteger().with_variant(Integer(), "sqlite"), primary_key=True)
    event_id: Mapped[Id] = mapped_column(unique=True)
    merchant_id: Mapped[Id] = mapped_column(index=True)
    order_id: Mapped[Id]
    kind: Mapped[str] = mapped_column(String(40))
    data: Mapped[dict[str, Any]] = mapped_column(JSON)
    happened_at: Mapped[datetime]
    at: Mapped[datetime]


class WebhookCall(Base):
    """An event that is to be told to an address: the outbox of the webhooks. Not in TABLES.

    next_attempt_at: none once it was taken, or given up; `answer` says which.
    """

    __tablename__ = "webhook_calls"
    webhook_id: Mapped[Key] = mapped_column(ForeignKey("webhooks.webhook_id"))
    position: Mapped[int] = mapped_column(ForeignKey("merchant_events.position"), primary_key=True)
    attempts: Mapped[int]
    next_attempt_at: Mapped[datetime | None] = mapped_column(index=True)
    answer: Mapped[str]


TABLES: dict[str, type[Base]] = {
    table.__tablename__: table
    for table in (
        Order,
        Lot,
        LotSku,
        OrderQuantity,
        OrderQuantitySku,
        Plan,
        PlanAllocation,
        Purchase,
        Decision,
        Promise,
        PromiseFactory,
        JobOrder,
        JobOrderSku,
        JobOrderRevision,
        Outbox,
        Inbox,
        DeadLetter,
        FactoryStatus,
    )
}
