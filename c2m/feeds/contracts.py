"""The feed contracts, and the Parquet schemas of everything else that lands. The one place where a row rule is stated.

A feed is a set of CSV, JSON-lines or Parquet files with the columns of its model below. Ids match [A-Za-z0-9_-]{1,64};
money is decimal in the row's currency; minutes are standard or paid minutes as the column says; every row has
`known_at` in UTC: a day reads only rows known before its cut-off.

* upsert: of the rows with one key, the latest known_at holds
* snapshot: the key holds the moment, each row is what was true then
* append: rows are added; a later known_at of the same key is a revision
"""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal
from zoneinfo import available_timezones

from pydantic import BaseModel, ConfigDict, Field

from c2m.feeds.rules import NO_NUL, Conversion, Feed, Reference, Rule, Sql, literal
from c2m.wire.messages import TIMED

# Dates outside are typing errors or a foreign system's "for ever" (9999-12-31).
_FIRST, _END = date(2000, 1, 1), date(2100, 1, 1)
_MOST_PIECES = 10_000_000  # one order line; more is a wrong column
_MOST_MINUTES = 10_000_000  # one factory day: 20,000 operators for 8 hours

FIRST_LINE = "#1"  # of the lines without an id of their own that are equal in the rest of their key

_LIST = r"^([a-z0-9_-]+(;[a-z0-9_-]+)*)?$"
_BREAKS = r"^([0-9]+(\.[0-9]+)?:[0-9]+(\.[0-9]+)?(;[0-9]+(\.[0-9]+)?:[0-9]+(\.[0-9]+)?)*)?$"
Letters = Annotated[str, NO_NUL]
ID = "[A-Za-z0-9_-]{1,64}"
Id = Annotated[str, Sql("VARCHAR"), Field(pattern=f"^{ID}$")]
Label = Annotated[Letters, Sql("VARCHAR"), Field(min_length=1, max_length=200)]
Code = Annotated[Letters, Sql("VARCHAR"), Field(min_length=1, max_length=255)]  # as others spell it, any Unicode
AddedCode = Annotated[Letters, Sql("VARCHAR", added=True), Field(min_length=1, max_length=255)]
# A name that a job order tells and both sides must spell alike: what a message cannot carry is no part of it.
Term = Annotated[str, Sql("VARCHAR"), Field(min_length=1, max_length=200, pattern=r"^[^[:cntrl:]]+$")]
Text = Annotated[Letters, Sql("VARCHAR"), Field(max_length=20_000)]
Currency = Annotated[str, Sql("VARCHAR", "ISO 4217"), Field(pattern=r"^[A-Z]{3}$")]
Day = Annotated[date, Sql("DATE", "date"), Field(ge=_FIRST, lt=_END)]
_SINCE, _BEFORE = datetime(2000, 1, 1), datetime(2100, 1, 1)  # noqa: DTZ001 - UTC by contract
Moment = Annotated[datetime, Sql("TIMESTAMP", "UTC"), Field(ge=_SINCE, lt=_BEFORE)]
Flag = Annotated[bool, Sql("BOOLEAN")]
Money = Annotated[Decimal, Sql("DECIMAL(18,4)", "currency"), Field(ge=0)]
Price = Annotated[Decimal, Sql("DECIMAL(18,4)", "currency per piece"), Field(gt=0)]
Pieces = Annotated[int, Sql("INTEGER", "pieces"), Field(ge=0, le=_MOST_PIECES)]
Count = Annotated[int, Sql("INTEGER"), Field(ge=1, le=1_000_000)]
Sam = Annotated[float, Sql("DOUBLE", "standard minutes per piece"), Field(gt=0, le=600)]
Minutes = Annotated[float, Sql("DOUBLE", "paid operator minutes"), Field(ge=0, le=_MOST_MINUTES)]
Latitude = Annotated[float, Sql("DOUBLE", "degrees north"), Field(ge=-90, le=90)]
Longitude = Annotated[float, Sql("DOUBLE", "degrees east"), Field(ge=-180, le=180)]
Share = Annotated[float, Sql("DOUBLE", "share"), Field(ge=0, le=1)]


class Row(BaseModel):
    """What every feed has. `known_at` may be left out: then the arrival of the file counts."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    known_at: Moment = Field(description="When the platform could first know this row")


class SalesLine(Row):
    merchant_id: Id
    sale_line_id: Id
    sale_code: Code | None = Field(None, description="The channel's own order number")
    channel: Label
    sku_id: Id
    style_id: Id
    sold_on: Day = Field(description="Date of the order in the platform's zone")
    quantity: Pieces = Field(description="Pieces asked for, cancelled or not")
    status: Annotated[Literal["placed", "shipped", "delivered", "cancelled", "returned"], Sql("VARCHAR")]
    amount: Money | None = Field(None, description="Of the whole line, not per piece")
    currency: Currency
    promotion: Flag
    business_customer: Flag
    region: Label | None = Field(None, description="State or province; nothing finer")


class CatalogueRow(Row):
    merchant_id: Id
    sku_id: Id
    style_id: Id
    colour: Label
    size: Label
    category: Term
    price: Price = Field(description="List price")
    cost: Price = Field(description="Cost to make and bring in")
    currency: Currency
    crafts: Annotated[str, Sql("VARCHAR"), Field(pattern=_LIST)] = Field(
        "", description="Crafts that making it needs, sorted, ';' between; may be ''"
    )
    sam_cut_minutes: Sam | None = Field(None, description="These five are the routing of apparel in short")
    sam_sew_minutes: Sam | None = None
    sam_finish_minutes: Annotated[float, Sql("DOUBLE", "standard minutes per piece"), Field(ge=0, le=600)] | None = None
    sam_inspect_minutes: Sam | None = None
    sam_pack_minutes: Sam | None = None
    released_on: Day | None = None
    attributes: Text | None = Field(None, description="JSON object of further attributes")
    style_name: Annotated[Letters, Sql("VARCHAR", added=True), Field(min_length=1, max_length=200)] | None = Field(
        None, description="What people call the style"
    )
    style_code: AddedCode | None = Field(None, description="The merchant's own number of the style")
    sku_code: AddedCode | None = Field(None, description="The merchant's own number of the SKU")
    specification_url: (
        Annotated[Letters, Sql("VARCHAR", added=True), Field(pattern=r"^https?://\S+$", max_length=2000)] | None
    ) = Field(None, description="Where the style's specification lies, for whoever makes it")
    colour_code: AddedCode | None = Field(None, description="The merchant's own number of the colour")
    size_code: AddedCode | None = Field(None, description="The merchant's own number of the size")


class RoutingStep(Row):
    merchant_id: Id
    style_id: Id
    step: Count = Field(description="Place among the operations of the style, 1 first; what comes last is told last")
    operation: Id = Field(description="Name of the operation, one of its own in the routing of a style")
    craft: Annotated[str, Sql("VARCHAR"), Field(pattern=r"^[a-z0-9_-]+$")] | None = Field(
        None, description="Craft that a factory needs for it; empty: any that makes the category"
    )
    sam_minutes: Sam
    stage: Annotated[int, Sql("INTEGER", "stage, 1 first"), Field(ge=1, le=20)] = Field(
        1, description="Operations of one stage are done by one factory; a later stage may be done by another one"
    )


_STEPS = '[{"operation":"VARCHAR","sam_minutes":"DOUBLE","craft":"VARCHAR","stage":"INTEGER","attribute":"VARCHAR"}]'
_PARTS = '[{"material_id":"VARCHAR","quantity":"DOUBLE","unit":"VARCHAR","waste_share":"DOUBLE","attribute":"VARCHAR"}]'


class Design(Row):
    merchant_id: Id
    design_id: Id = Field(description="Its code; the style has it as style_id once it is in the catalogue")
    design_name: Label | None = None
    category: Term
    price: Price = Field(description="Target price")
    currency: Currency
    crafts: Annotated[str, Sql("VARCHAR"), Field(pattern=_LIST)] = Field(
        "", description="Crafts that making it needs, sorted, ';' between; of a routing those of its steps count"
    )
    sam_cut_minutes: Sam | None = Field(None, description="These five, or routing")
    sam_sew_minutes: Sam | None = None
    sam_finish_minutes: Annotated[float, Sql("DOUBLE", "standard minutes per piece"), Field(ge=0, le=600)] | None = None
    sam_inspect_minutes: Sam | None = None
    sam_pack_minutes: Sam | None = None
    routing: Text | None = Field(
        None,
        description="JSON list of steps in the order of work: operation, sam_minutes, and where they say something "
        "craft, stage (1 first), attribute (which one asks for it)",
    )
    bill_of_materials: Text | None = Field(
        None,
        description="JSON list: material_id, quantity, unit, and where they say something waste_share, attribute; "
        "empty: material is reckoned as usual of the category",
    )
    attributes: Text | None = Field(None, description="JSON object: attribute and value, as in the catalogue")
    colours: Annotated[Letters, Sql("VARCHAR"), Field(max_length=1000)] = Field(
        "", description="Colours of the first order, ';' between"
    )
    sizes: Annotated[Letters, Sql("VARCHAR"), Field(max_length=1000)] = Field(
        "", description="Sizes, ';' between; empty: those of the merchant's category"
    )
    test_pieces: Count | None = Field(None, description="Pieces of the test order; empty: the setting")
    status: Annotated[Literal["open", "dropped"], Sql("VARCHAR")] = "open"


class ExchangeRate(Row):
    currency: Currency
    quote_currency: Currency
    day: Day = Field(description="From this day until the next one that has a rate")
    rate: Annotated[Decimal, Sql("DECIMAL(18,8)", "quote_currency per currency"), Field(gt=0)]


class MarketRow(Row):
    source: Annotated[str, Sql("VARCHAR"), Field(pattern=f"^{ID}$")] = Field(
        description="Who tells it: a panel of shops, a customs office, an index of searches"
    )
    category: Term = Field(description="As the catalogue names it, where the two are to be read side by side")
    day: Day = Field(description="First day of what the row tells of, be it a day, a week or a month")
    volume: Annotated[float, Sql("DOUBLE", "of the source: pieces, an index"), Field(ge=0, le=1e15)] | None = None
    price: Annotated[Decimal, Sql("DECIMAL(18,4)", "currency per piece, or an index"), Field(gt=0)] | None = None
    currency: Currency | None = Field(None, description="Of the price; empty where that is an index")


class StockRow(Row):
    merchant_id: Id
    sku_id: Id
    location_id: Id
    as_of: Moment
    on_hand: Pieces


class MerchantOrder(Row):
    merchant_id: Id
    order_id: Id
    order_code: Code | None = Field(None, description="The merchant's own number")
    placed_on: Day
    release_on: Day | None = Field(None, description="Earliest day of work; else at once")
    due_on: Day
    currency: Currency
    priority: Annotated[int, Sql("INTEGER", "rank, 1 first"), Field(ge=1, le=1_000)] | None = None
    tolerance_share: Annotated[float, Sql("DOUBLE", "share"), Field(ge=0, le=0.2)] = Field(
        description="The order is closed at quantity less this share"
    )
    max_factories: Annotated[int, Sql("INTEGER", "factories per lot"), Field(ge=1, le=50)] | None = None
    destination_latitude: Latitude | None = None
    destination_longitude: Longitude | None = None
    status: Annotated[Literal["open", "cancelled"], Sql("VARCHAR")]
    parent_order_id: Id | None = Field(None, description="The order that this one repeats")
    line_count: Annotated[int, Sql("INTEGER", "lines", added=True), Field(ge=0, le=1_000_000)] | None = Field(
        None, description="Lines of the whole order: until so many have come it is not planned"
    )
    total_quantity: Annotated[int, Sql("BIGINT", "pieces", added=True), Field(ge=0, le=10**12)] | None = Field(
        None, description="Pieces of the whole order: until so many have come it is not planned"
    )


class MerchantOrderLine(Row):
    merchant_id: Id
    order_id: Id
    sku_id: Id
    quantity: Annotated[int, Sql("INTEGER", "pieces"), Field(ge=0, le=_MOST_PIECES)] = Field(
        description="0: the line is cancelled"
    )
    status: Annotated[Literal["open", "cancelled"], Sql("VARCHAR", added=True)] | None = Field(
        None, description="Of the line; open where it says nothing"
    )
    order_line_id: Annotated[
        str, Sql("VARCHAR", added=True), Field(pattern=r"^(#[1-9][0-9]{0,8}|[A-Za-z0-9_-]{1,64})$")
    ] = Field(
        FIRST_LINE,
        description="Lines of one SKU add up. Without an id the equal lines of one file are numbered (#1, #2, ...), "
        "and what a later file says of that SKU of the order takes the place of all of them",
    )
    personalisation: Annotated[Letters, Sql("VARCHAR", added=True), Field(max_length=4000)] | None = Field(
        None,
        description="What makes the pieces of the line a shopper's own, for the factory: JSON object of 1 to 20 names "
        'with a text of at most 500 letters each, such as {"name": "Ada"}. They are a lot of their own',
    )


# In the order in which a factory comes in; suspended: it may come back. Connected is what the conformance kit shows.
Onboarding = Literal["applied", "audited", "contracted", "connected", "trial", "active", "suspended"]


class Factory(Row):
    factory_id: Id
    factory_code: Code | None = Field(None, description="The factory's own name for itself")
    country: Annotated[str, Sql("VARCHAR", "ISO 3166 alpha-2"), Field(pattern=r"^[A-Z]{2}$")]
    latitude: Latitude
    longitude: Longitude
    timezone: Annotated[str, Sql("VARCHAR", "IANA zone")]
    currency: Currency
    lines: Count
    operators: Count
    minute_cost: Money = Field(description="Per paid minute")
    overtime_minute_cost: Money = Field(description="Per paid overtime minute")
    setup_cost: Money = Field(description="Once per lot")
    setup_minutes: Minutes = Field(description="Once per lot")
    engagement_cost: Money = Field(description="Once per plan that gives it work")
    min_lot: Annotated[int, Sql("INTEGER", "pieces"), Field(ge=1, le=_MOST_PIECES)]
    small_order_willingness: Share
    handling_days: Annotated[int, Sql("INTEGER", "days"), Field(ge=0, le=60)]
    audit_score: Annotated[float, Sql("DOUBLE", "share", added=True), Field(ge=0, le=1)] | None = Field(
        None, description="Result of its last audit, 1 = without a finding"
    )
    certificates: Annotated[str, Sql("VARCHAR", added=True), Field(pattern=_LIST)] | None = Field(
        None, description="Certificates that it holds, sorted, ';' between; may be ''"
    )
    transport: Annotated[Literal["mqtt", "http"], Sql("VARCHAR")]
    endpoint_url: Annotated[str, Sql("VARCHAR"), Field(pattern=r"^https?://\S+$")] | None = None
    status: Annotated[Literal["active", "paused"], Sql("VARCHAR")]
    onboarding: Annotated[Onboarding, Sql("VARCHAR", added=True)] | None = Field(
        None, description="How far it has come in; nothing is planned there before contracted; empty: active"
    )
    onboarding_on: Annotated[date, Sql("DATE", "date", added=True), Field(ge=_FIRST, lt=_END)] | None = Field(
        None, description="Since when it is that far"
    )
    onboarding_evidence: Annotated[Letters, Sql("VARCHAR", added=True), Field(max_length=1000)] | None = Field(
        None, description="What shows it: report, contract, result of the conformance kit, by name or address"
    )


class FactoryCapability(Row):
    factory_id: Id
    kind: Annotated[Literal["category", "craft"], Sql("VARCHAR")]
    name: Term
    efficiency: Annotated[float, Sql("DOUBLE", "standard minutes per paid minute"), Field(gt=0, le=2)]


class FactoryDay(Row):
    factory_id: Id
    day: Day
    minutes: Minutes
    overtime_minutes: Minutes = Field(description="Most that may be added")
    reason: Annotated[Literal["weekend", "holiday", "maintenance"], Sql("VARCHAR")] | None = None


class Receipt(Row):
    merchant_id: Id
    receipt_id: Id
    location_id: Id = Field(description="Where the goods arrived")
    sku_id: Id | None = Field(None, description="Of goods; either this or material_id")
    material_id: Id | None = None
    quantity: Pieces = Field(description="Pieces that are there and good")
    lost_quantity: Pieces = Field(0, description="Pieces that were to come with them and never will")
    received_at: Moment
    job_order_id: Id | None = Field(None, description="Whose pieces they are; either this or one of the next two")
    shipment_id: Id | None = None
    purchase_order_id: Id | None = None


class DemandSignal(Row):
    merchant_id: Id
    style_id: Id
    day: Day = Field(description="May lie ahead: planned livestreams and promotions")
    signal: Annotated[Literal["views", "searches", "carts", "livestream_minutes", "promotion_depth"], Sql("VARCHAR")]
    value: Annotated[float, Sql("DOUBLE", "count, minutes, or share of price"), Field(ge=0, le=1e12)]


class Review(Row):
    merchant_id: Id
    review_id: Id
    style_id: Id
    reviewed_on: Day
    rating: Annotated[int, Sql("INTEGER", "stars"), Field(ge=1, le=5)]
    text: Annotated[Letters, Sql("VARCHAR", personal=True), Field(max_length=20_000)] | None = Field(
        None, description="Lands without the names, addresses and telephone numbers that it tells"
    )
    sku_id: Annotated[str, Sql("VARCHAR", added=True), Field(pattern=f"^{ID}$")] | None = Field(
        None, description="What was bought, where it is known"
    )
    sale_line_id: Annotated[str, Sql("VARCHAR", added=True), Field(pattern=f"^{ID}$")] | None = Field(
        None, description="The sale that it is about: by it a review is traced to a batch"
    )
    title: Annotated[Letters, Sql("VARCHAR", added=True, personal=True), Field(max_length=1000)] | None = None


# Measures of materials. What stands in one column converts into the others of its row of `UNITS`.
Quantity = Annotated[float, Sql("DOUBLE", "of the material's unit"), Field(gt=0, le=1e9)]
Unit = Annotated[str, Sql("VARCHAR", "unit"), Field(pattern=r"^[a-z0-9]{1,16}$")]
Days = Annotated[float, Sql("DOUBLE", "days"), Field(ge=0, le=365)]


class Material(Row):
    material_id: Id
    material_code: Code | None = Field(None, description="The number by which buyers know it")
    material_name: Label
    unit: Unit = Field(description="In which it is bought and counted: m, m2, kg, piece, ...")
    kg_per_unit: Annotated[float, Sql("DOUBLE", "kg"), Field(gt=0, le=1e6)] | None = None
    m3_per_unit: Annotated[float, Sql("DOUBLE", "cubic metres"), Field(gt=0, le=1e6)] | None = None
    attributes: Text | None = Field(None, description="JSON object: composition, finish, certificates, ...")


class BillOfMaterials(Row):
    merchant_id: Id
    parent_kind: Annotated[Literal["style", "material"], Sql("VARCHAR")] = Field(
        "style", description="What is made of it: a style, or a material that is itself made of others"
    )
    parent_id: Id = Field(description="style_id or material_id")
    colour: Annotated[Letters, Sql("VARCHAR"), Field(max_length=200)] = Field(
        "", description="Of the style, for which it is needed; '' is all colours"
    )
    material_id: Id
    quantity: Annotated[float, Sql("DOUBLE", "unit per piece, or per unit of the parent"), Field(ge=0, le=1e6)] = Field(
        description="In what is made, waste left out; 0: no longer part of it"
    )
    unit: Unit
    waste_share: Annotated[float, Sql("DOUBLE", "share"), Field(ge=0, le=0.95)] = Field(
        0.0, description="Of what is taken, wasted: taken = quantity / (1 - waste_share)"
    )


class Supplier(Row):
    supplier_id: Id
    supplier_code: Code | None = Field(None, description="The supplier's own name for itself")
    country: Annotated[str, Sql("VARCHAR", "ISO 3166 alpha-2"), Field(pattern=r"^[A-Z]{2}$")]
    currency: Currency
    order_cost: Money = Field(description="Once per purchase order and material")
    capacity_per_week: Quantity | None = Field(
        None, description="Units of all its materials together, each in its own; empty: no limit but the materials' own"
    )
    audit_score: Share | None = Field(None, description="Result of its last audit, 1 = without a finding")
    certificates: Annotated[str, Sql("VARCHAR"), Field(pattern=_LIST)] | None = Field(
        None, description="Certificates that it holds, sorted, ';' between; may be ''"
    )
    status: Annotated[Literal["active", "paused"], Sql("VARCHAR")]


class SupplierMaterial(Row):
    supplier_id: Id
    material_id: Id
    price: Annotated[Decimal, Sql("DECIMAL(18,4)", "currency per unit"), Field(gt=0)]
    price_breaks: Annotated[str, Sql("VARCHAR"), Field(pattern=_BREAKS)] = Field(
        "", description="quantity:price, ';' between, rising: from so many units the price of all of the order"
    )
    minimum_order: Quantity | None = Field(None, description="Of one purchase; empty: one pack")
    currency: Currency
    pack: Quantity = Field(description="Sold in whole packs of so many units")
    lead_days: Annotated[int, Sql("INTEGER", "days"), Field(ge=0, le=365)] = Field(
        description="From the order to the material at the door"
    )
    capacity_per_week: Quantity | None = Field(None, description="Most units in a week; empty: no limit")
    status: Annotated[Literal["active", "paused"], Sql("VARCHAR")] = "active"


class Lane(Row):
    from_place: Id = Field(description="supplier_id, factory_id, location_id, or a country's two letters")
    to_place: Id
    mode: Annotated[Literal["air", "sea", "road", "rail", "parcel"], Sql("VARCHAR")]
    cost_per_piece: Money | None = None
    cost_per_kg: Money | None = None
    cost_per_m3: Money | None = None
    currency: Currency
    days: Days = Field(description="From door to door, as planned")
    days_sd: Days = Field(0.0, description="Spread of the days, until receipts tell it")


_ZONES = ", ".join(map(literal, sorted(available_timezones())))
_PACK = Rule(
    "pack-over-capacity",
    ("pack", "capacity_per_week"),
    "pack <= capacity_per_week",
    "Give a pack no larger than what the supplier can deliver in a week, or its true capacity.",
)
_MINIMUM = Rule(
    "minimum-over-capacity",
    ("minimum_order", "capacity_per_week"),
    "minimum_order <= capacity_per_week",
    "Give a minimum order that the supplier can deliver in a week, or its true capacity.",
)
_FROM = "list_transform(string_split(price_breaks, ';'), x -> TRY_CAST(string_split(x, ':')[1] AS DOUBLE))"
_RISING = Rule(
    "breaks-rise",
    ("price_breaks",),
    f"price_breaks = '' OR NOT regexp_full_match(price_breaks, {literal(_BREAKS)}) "
    f"OR {_FROM} = list_sort(list_distinct({_FROM}))",
    "Give the breaks by rising quantity, each quantity once.",
)
_COLOUR = Rule(
    "colour-of-a-material",
    ("parent_kind", "colour"),
    "parent_kind = 'style' OR colour = ''",
    "Leave colour empty where the parent is a material: it is the style's.",
)
_OWN_PART = Rule(
    "own-part",
    ("parent_kind", "parent_id", "material_id"),
    "parent_kind = 'style' OR parent_id <> material_id",
    "Take the line away: no material is made of itself.",
)
_ELSEWHERE = Rule(
    "lane-to-itself",
    ("from_place", "to_place"),
    "from_place <> to_place",
    "Name two places: what stays in one needs no lane.",
)
_RATE = Rule(
    "lane-without-cost",
    ("cost_per_piece", "cost_per_kg", "cost_per_m3"),
    "coalesce(cost_per_piece, cost_per_kg, cost_per_m3) IS NOT NULL",
    "Give a cost by piece, kilogram or cubic metre; 0 where it is free.",
)
_DUE = Rule(
    "due-before-placed",
    ("placed_on", "due_on"),
    "due_on >= placed_on",
    "Give a due_on on or after the day of the order.",
)
_RELEASE = Rule(
    "due-before-release", ("release_on", "due_on"), "due_on >= release_on", "Give a release_on no later than due_on."
)
_PLACE = Rule(
    "half-a-destination",
    ("destination_latitude", "destination_longitude"),
    "(destination_latitude IS NULL) = (destination_longitude IS NULL)",
    "Give both latitude and longitude of the destination, or neither.",
)
_PARENT = Rule(
    "own-parent", ("order_id", "parent_order_id"), "parent_order_id <> order_id", "Name another order as parent."
)
_GOODS = Rule(
    "goods-or-material",
    ("sku_id", "material_id"),
    "(sku_id IS NULL) <> (material_id IS NULL)",
    "Give sku_id or material_id, one of them.",
)
_ORIGIN = Rule(
    "one-origin",
    ("job_order_id", "shipment_id", "purchase_order_id"),
    "(job_order_id IS NOT NULL)::INT + (shipment_id IS NOT NULL)::INT + (purchase_order_id IS NOT NULL)::INT = 1",
    "Give job_order_id, shipment_id or purchase_order_id, one of them.",
)
_CRAFTS = Rule(
    "crafts-order",
    ("crafts",),
    "crafts = array_to_string(list_sort(list_distinct(string_split(crafts, ';'))), ';')",
    "Give each craft once, in alphabetical order.",
)
_ATTRIBUTES = Rule("attributes-json", ("attributes",), "json_valid(attributes)", "Give attributes as a JSON object.")
_OWN_TEXTS = "list_transform(json_extract(personalisation, '$.*'), lambda one: json_type(one) IN "
_OWN_TEXTS += "('VARCHAR', 'BIGINT', 'UBIGINT', 'DOUBLE', 'BOOLEAN') AND length(one ->> '$') <= 500)"
_OWN_NAMES = "list_transform(json_keys(personalisation), lambda one: length(one) BETWEEN 1 AND 200)"
_PERSONALISATION = Rule(
    "personalisation-json",
    ("personalisation",),
    "CASE WHEN NOT json_valid(personalisation) OR json_type(personalisation) <> 'OBJECT' THEN false ELSE "
    "len(json_keys(personalisation)) BETWEEN 1 AND 20 AND list_unique(json_keys(personalisation)) = "
    f"len(json_keys(personalisation)) AND list_bool_and({_OWN_NAMES}) AND list_bool_and({_OWN_TEXTS}) END",
    'Give a JSON object of 1 to 20 different names with a text each, such as {"name": "Ada"}, or nothing.',
)
_SAM_COLUMNS = tuple(f"sam_{name}_minutes" for name in TIMED)
_SHORTHAND = Rule(
    "part-of-a-routing",
    _SAM_COLUMNS,
    " + ".join(f"({name} IS NOT NULL)::INT" for name in _SAM_COLUMNS) + " IN (0, 5)",
    "Give all five minutes, or none of them where the feed routings has the operations of the style.",
)
_EITHER = Rule(
    "minutes-or-routing",
    ("routing", *_SAM_COLUMNS),
    f"coalesce({_SHORTHAND.holds}, false) AND "
    f"(routing IS NULL) = ({' AND '.join(f'{name} IS NOT NULL' for name in _SAM_COLUMNS)})",
    "Give all five minutes, or a routing, one of the two.",
)


def _list_of(column: str, shape: str, each: str) -> str:
    """Predicate: a filled JSON list of that shape, each `x` of which holds."""
    listed = f"CASE WHEN json_valid({column}) THEN json_transform({column}, {literal(shape)}) END"
    return f"""{column} IS NULL OR coalesce(
        len({listed}) > 0 AND list_bool_and(list_transform({listed}, x -> coalesce({each}, false))), false)"""


_ROUTING = Rule(
    "routing-json",
    ("routing",),
    _list_of(
        "routing",
        _STEPS,
        f"regexp_full_match(x.operation, {literal(ID)}) AND x.operation NOT IN ('receive', 'ship') "
        "AND x.sam_minutes > 0 AND x.sam_minutes <= 600 AND coalesce(x.stage, 1) BETWEEN 1 AND 20 "
        "AND (x.craft IS NULL OR regexp_full_match(x.craft, '[a-z0-9_-]+'))",
    ),
    'Give a JSON list of steps: [{"operation": "sew", "sam_minutes": 11.5, "craft": "knit", "stage": 1}, ...].',
)
_BILL = Rule(
    "bill-json",
    ("bill_of_materials",),
    _list_of(
        "bill_of_materials",
        _PARTS,
        f"regexp_full_match(x.material_id, {literal(ID)}) AND x.quantity > 0 AND x.unit <> '' "
        "AND coalesce(x.waste_share, 0) BETWEEN 0 AND 0.95",
    ),
    'Give a JSON list: [{"material_id": "jersey", "quantity": 0.9, "unit": "m2", "waste_share": 0.1}, ...].',
)
_RESERVED = Rule(
    "operation-reserved",
    ("operation",),
    "operation NOT IN ('receive', 'ship')",
    "Leave out receiving and shipping: every job order has them.",
)
_ZONE = Rule("timezone-unknown", ("timezone",), f"timezone IN ({_ZONES})", "Give an IANA zone such as Asia/Dhaka.")
_EVIDENCE = Rule(
    "onboarding-evidence",
    ("onboarding", "onboarding_on", "onboarding_evidence"),
    """onboarding IS NULL OR onboarding IN ('applied', 'active') OR (
        onboarding_on IS NOT NULL AND trim(coalesce(onboarding_evidence, '')) <> '')""",
    "Give the date from which it is that far, and the report, contract or result that shows it.",
)
_DEPTH = Rule(
    "promotion-depth-share",
    ("signal", "value"),
    "signal <> 'promotion_depth' OR value <= 1",
    "Give promotion_depth as a share of the price, 0 to 1.",
)
_PAIR = Rule(
    "one-currency",
    ("currency", "quote_currency"),
    "currency <> quote_currency",
    "Give the rate between two different currencies.",
)
_MARKET = Rule(
    "volume-or-price",
    ("volume", "price"),
    "volume IS NOT NULL OR price IS NOT NULL",
    "Give a volume, a price, or both.",
)
_OUTSIDE = Rule(
    "source-reserved", ("source",), "source <> 'own'", "Name the source otherwise: own is what merchants here sell."
)
_OF_FACTORY = (Reference(("factory_id",), "factories"),)

# In the order in which they land: what a row names comes before it.
FEEDS: dict[str, Feed] = {
    feed.name: feed
    for feed in (
        Feed(
            "catalogue",
            CatalogueRow,
            "SKU",
            ("merchant_id", "sku_id"),
            "upsert",
            (_CRAFTS, _ATTRIBUTES, _SHORTHAND),
            required=True,
        ),
        Feed(
            "routings",
            RoutingStep,
            "style x step",
            ("merchant_id", "style_id", "step"),
            "upsert",
            (_RESERVED,),
            references=(Reference(("merchant_id", "style_id"), "catalogue"),),
        ),
        Feed(
            "exchange_rates",
            ExchangeRate,
            "pair of currencies x day",
            ("currency", "quote_currency", "day"),
            "upsert",
            (_PAIR,),
        ),
        Feed(
            "factories",
            Factory,
            "factory",
            ("factory_id",),
            "upsert",
            (_ZONE, _EVIDENCE),
            required=True,
            ended="paused",
        ),
        Feed(
            "factory_capabilities",
            FactoryCapability,
            "factory x category or craft",
            ("factory_id", "kind", "name"),
            "upsert",
            references=_OF_FACTORY,
            required=True,
        ),
        Feed(
            "factory_calendar",
            FactoryDay,
            "factory x day",
            ("factory_id", "day"),
            "upsert",
            references=_OF_FACTORY,
            required=True,
        ),
        Feed(
            "sales_lines",
            SalesLine,
            "line of a shopper's order, status changes included",
            ("merchant_id", "sale_line_id"),
            "upsert",
            conversions=(Conversion("amount", "sold_on", ("merchant_id", "style_id")),),
            required=True,
            ended="cancelled",
        ),
        Feed("stock", StockRow, "SKU x location x time", ("merchant_id", "sku_id", "location_id", "as_of"), "snapshot"),
        Feed(
            "merchant_orders",
            MerchantOrder,
            "production order",
            ("merchant_id", "order_id"),
            "upsert",
            (_DUE, _RELEASE, _PLACE, _PARENT),
            ended="cancelled",
        ),
        Feed(
            "merchant_order_lines",
            MerchantOrderLine,
            "line of a production order",
            ("merchant_id", "order_id", "sku_id", "order_line_id"),
            "upsert",
            (_PERSONALISATION,),
            references=(
                Reference(("merchant_id", "order_id"), "merchant_orders"),
                Reference(("merchant_id", "sku_id"), "catalogue"),
            ),
            numbered="order_line_id",
            ended="cancelled",
        ),
        Feed(
            "receipts",
            Receipt,
            "goods that arrived",
            ("merchant_id", "receipt_id"),
            "upsert",
            (_GOODS, _ORIGIN),
            references=(Reference(("merchant_id", "sku_id"), "catalogue"),),
        ),
        Feed(
            "demand_signals",
            DemandSignal,
            "style x day x signal",
            ("merchant_id", "style_id", "day", "signal"),
            "append",
            (_DEPTH,),
        ),
        Feed(
            "market",
            MarketRow,
            "source x category x day, week or month",
            ("source", "category", "day"),
            "upsert",
            (_MARKET, _OUTSIDE),
        ),
        Feed("reviews", Review, "review", ("merchant_id", "review_id"), "append"),
        Feed("materials", Material, "material", ("material_id",), "upsert", (_ATTRIBUTES,)),
        Feed(
            "bill_of_materials",
            BillOfMaterials,
            "style or material x colour x material that it is made of",
            ("merchant_id", "parent_kind", "parent_id", "colour", "material_id"),
            "upsert",
            (_OWN_PART, _COLOUR),
            references=(Reference(("material_id",), "materials"),),
        ),
        Feed("suppliers", Supplier, "supplier", ("supplier_id",), "upsert", ended="paused"),
        Feed(
            "supplier_materials",
            SupplierMaterial,
            "supplier x material",
            ("supplier_id", "material_id"),
            "upsert",
            (_PACK, _MINIMUM, _RISING),
            references=(Reference(("supplier_id",), "suppliers"), Reference(("material_id",), "materials")),
        ),
        Feed(
            "designs",
            Design,
            "design, before it is a style",
            ("merchant_id", "design_id"),
            "upsert",
            (_CRAFTS, _ATTRIBUTES, _EITHER, _ROUTING, _BILL),
            ended="dropped",
        ),
        Feed("lanes", Lane, "from x to x mode", ("from_place", "to_place", "mode"), "upsert", (_ELSEWHERE, _RATE)),
    )
}

# What landing adds to each row of a feed: batch, number of the record in its file (the first after the header is 1;
# empty lines not counted), hash of the contract's columns.
LANDED = {"_batch_id": "VARCHAR", "_record": "BIGINT", "_row_hash": "VARCHAR"}

_STYLE_FORECAST = {"merchant_id": "VARCHAR", "style_id": "VARCHAR", "business_date": "DATE"}
_DESIGN = {"merchant_id": "VARCHAR", "design_id": "VARCHAR"}
_LEVELS = ("05", "10", "25", "50", "75", "90", "95")
_WINDOW_LEVELS = ("05", "10", "20", "30", "40", "50", "60", "70", "80", "90", "95", "975")
_MADE_BY = {"model_version": "VARCHAR", "known_at": "TIMESTAMP"}
_SAM = dict.fromkeys(_SAM_COLUMNS, "DOUBLE")

# Parquet schemas of the other producers, DuckDB types.
PRODUCED: dict[str, dict[str, str]] = {
    # status: arrived (seen, not finished: the run broke off) | ok | partial | rejected (no row accepted, see problems).
    # rows_in = accepted + quarantined + left_out; duplicates: accepted rows that had landed before, not landed again;
    # readmitted: accepted rows that came back corrected; left_out: rows that the mapping leaves out on purpose;
    # notes: their reasons with counts, and how many lines without an id of their own were numbered.
    "file_outcomes": {
        "batch_id": "VARCHAR",
        "feed": "VARCHAR",
        "tenant": "VARCHAR",
        "file": "VARCHAR",
        "file_sha256": "VARCHAR",
        "mapping": "VARCHAR",
        "rows_in": "BIGINT",
        "accepted": "BIGINT",
        "quarantined": "BIGINT",
        "duplicates": "BIGINT",
        "readmitted": "BIGINT",
        "status": "VARCHAR",
        "problems": "VARCHAR",
        "arrived_at": "TIMESTAMP",
        "left_out": "BIGINT",
        "notes": "VARCHAR",
    },
    # Lines that their order lacks: rule says why. Of a line that cannot be read in part the rest is told.
    "quarantined_order_lines": {
        "merchant_id": "VARCHAR",
        "order_id": "VARCHAR",
        "sku_id": "VARCHAR",
        "order_line_id": "VARCHAR",
        "quantity": "INTEGER",
        "status": "VARCHAR",
        "rule": "VARCHAR",
        "batch_id": "VARCHAR",
        "record": "BIGINT",
        "known_at": "TIMESTAMP",
    },
    "forecasts": {
        **_STYLE_FORECAST,
        "ds": "DATE",
        "horizon_day": "INTEGER",
        "point": "DOUBLE",
        "mean": "DOUBLE",
        **{f"q{level}": "DOUBLE" for level in _LEVELS},
        **_MADE_BY,
    },
    "forecast_windows": {
        **_STYLE_FORECAST,
        "window_days": "INTEGER",
        "mean": "DOUBLE",
        **{f"q{level}": "DOUBLE" for level in _WINDOW_LEVELS},
        **_MADE_BY,
    },
    # Spikes of incoming orders as they were at each look (models/surprise). state: livestream (the mode) | over.
    # chance: of so many orders by usual demand; usual_*: a day, before it; low, middle, high: what orders of the day
    # have to cover, met with 10, 50 and 90 %; sure_pieces: the quantile of it that is ordered for;
    # planned_pieces: that quantile when it was last planned.
    "spikes": {
        "merchant_id": "VARCHAR",
        "style_id": "VARCHAR",
        "begun_at": "TIMESTAMP",
        "found_at": "TIMESTAMP",
        "state": "VARCHAR",
        "chance": "DOUBLE",
        "usual_lines": "DOUBLE",
        "usual_pieces": "DOUBLE",
        "pieces": "DOUBLE",
        "last_hour_pieces": "DOUBLE",
        "owed_pieces": "DOUBLE",
        "half_life_h": "DOUBLE",
        "low": "DOUBLE",
        "middle": "DOUBLE",
        "high": "DOUBLE",
        "sure_pieces": "DOUBLE",
        "planned_pieces": "DOUBLE",
        "business_date": "DATE",
        "known_at": "TIMESTAMP",
    },
    # Values of attributes that gain or lose (models/trend): channel '': over all of them. growth: of its styles over
    # the others, with its 90 % interval; chance: share of false findings if it is called one.
    "attribute_trends": {
        "merchant_id": "VARCHAR",
        "attribute": "VARCHAR",
        "value": "VARCHAR",
        "channel": "VARCHAR",
        "styles": "INTEGER",
        "share_before": "DOUBLE",
        "share_recent": "DOUBLE",
        "growth": "DOUBLE",
        "growth_low": "DOUBLE",
        "growth_high": "DOUBLE",
        "chance": "DOUBLE",
        "is_sure": "BOOLEAN",
        "business_date": "DATE",
        "known_at": "TIMESTAMP",
    },
    # Volume and price of categories by week (models/market). source: own (with its merchant), or who tells it (merchant
    # ''). known_until: the last whole week known of the series. week: empty over all weeks ahead, where volume is a sum
    # and price a mean; before: the same of as many weeks up to known_until; rise_chance: that it will be more.
    "market_forecasts": {
        "source": "VARCHAR",
        "merchant_id": "VARCHAR",
        "category": "VARCHAR",
        "currency": "VARCHAR",
        "measure": "VARCHAR",
        "known_until": "DATE",
        "week": "DATE",
        "weeks": "INTEGER",
        "mean": "DOUBLE",
        **{f"q{level}": "DOUBLE" for level in _LEVELS},
        "before": "DOUBLE",
        "rise_chance": "DOUBLE",
        "business_date": "DATE",
        **_MADE_BY,
    },
    # What a design costs and when it is there, by quantity (flows/designs.py). offer: soonest | cheapest; money in the
    # plan's currency, of all pieces; days from the order to the last piece, those of materials first.
    "design_costs": {
        **_DESIGN,
        "quantity": "INTEGER",
        "offer": "VARCHAR",
        "material_cost": "DOUBLE",
        "making_cost": "DOUBLE",
        "unit_cost": "DOUBLE",
        "material_days": "INTEGER",
        "lead_days": "INTEGER",
        "probability": "DOUBLE",
        "factories": "VARCHAR",
        "currency": "VARCHAR",
        "business_date": "DATE",
        "known_at": "TIMESTAMP",
    },
    # What a design is expected to sell in a season and what is best to make of it first. lacking: in words, why it
    # cannot be made; daily: mean by day of sale, level_*: how many times that (models/design/demand.py); repeat_days:
    # until a repeat can be there; profit: expected, of the season, with a repeat where it pays; once_*: without one;
    # sold_out: chance that best_quantity does not last until the repeat.
    "design_studies": {
        **_DESIGN,
        "able": "INTEGER",
        "stages": "VARCHAR",
        "lacking": "VARCHAR",
        "price": "DOUBLE",
        "season_days": "INTEGER",
        "repeat_days": "INTEGER",
        "mean": "DOUBLE",
        **{f"q{level}": "DOUBLE" for level in _WINDOW_LEVELS},
        "daily": "DOUBLE[]",
        "level_centre": "DOUBLE",
        "level_spread": "DOUBLE",
        "level_freedom": "DOUBLE",
        "best_quantity": "INTEGER",
        "best_profit": "DOUBLE",
        "sold_out": "DOUBLE",
        "once_quantity": "INTEGER",
        "once_profit": "DOUBLE",
        "test_pieces": "INTEGER",
        "test_profit": "DOUBLE",
        "currency": "VARCHAR",
        "business_date": "DATE",
        **_MADE_BY,
    },
    # What an attribute of a design costs (minutes and material of a piece) and what its value brings: growth of styles
    # with it over others (models/trend), pieces a style sells over others, share of reviews that complain of the part.
    "design_attributes": {
        **_DESIGN,
        "attribute": "VARCHAR",
        "value": "VARCHAR",
        "minutes": "DOUBLE",
        "making_cost": "DOUBLE",
        "material_cost": "DOUBLE",
        "growth": "DOUBLE",
        "growth_low": "DOUBLE",
        "growth_high": "DOUBLE",
        "is_sure": "BOOLEAN",
        "level": "DOUBLE",
        "level_low": "DOUBLE",
        "level_high": "DOUBLE",
        "voices": "INTEGER",
        "complaints": "DOUBLE",
        "complaints_low": "DOUBLE",
        "complaints_high": "DOUBLE",
        "business_date": "DATE",
        "known_at": "TIMESTAMP",
    },
    # What the first days of sale of a style say that was a design. times: its level over what was expected, with its
    # 80 % interval; decision: wait | reorder | scale | stop; reorder: pieces; chance: that a reorder pays.
    "design_readings": {
        **_DESIGN,
        "on_sale_on": "DATE",
        "days": "INTEGER",
        "expected": "DOUBLE",
        "sold": "INTEGER",
        "sold_out": "BOOLEAN",
        "times": "DOUBLE",
        "times_low": "DOUBLE",
        "times_high": "DOUBLE",
        "ahead": "DOUBLE",
        "ahead_low": "DOUBLE",
        "ahead_high": "DOUBLE",
        "held": "INTEGER",
        "reorder": "INTEGER",
        "chance": "DOUBLE",
        "decision": "VARCHAR",
        "business_date": "DATE",
        "known_at": "TIMESTAMP",
    },
    # Forecasts by place: dimension channel or region; pieces: mean over the horizon, summing to the style's over each.
    "forecast_shares": {
        **_STYLE_FORECAST,
        "dimension": "VARCHAR",
        "place": "VARCHAR",
        "share": "DOUBLE",
        "pieces": "DOUBLE",
        **_MADE_BY,
    },
    # When each live job order will be finished, as the robot saw it at a moment: dates met with 10, 50 and 90 %.
    "outlooks": {
        "merchant_id": "VARCHAR",
        "factory_id": "VARCHAR",
        "order_id": "VARCHAR",
        "job_order_id": "VARCHAR",
        "q10": "DATE",
        "q50": "DATE",
        "q90": "DATE",
        "late_chance": "DOUBLE",
        "at": "TIMESTAMP",
    },
    # What reviews say, by the model of aspects: '' where one says nothing that it knows. part '': of the whole.
    "review_aspects": {
        "merchant_id": "VARCHAR",
        "review_id": "VARCHAR",
        "aspect": "VARCHAR",
        "polarity": "VARCHAR",
        "part": "VARCHAR",
        "chance": "DOUBLE",
        **_MADE_BY,
    },
    "scans": {
        "factory_id": "VARCHAR",
        "scan_id": "VARCHAR",
        "job_order_id": "VARCHAR",
        "sku_id": "VARCHAR",
        "operation": "VARCHAR",
        "quantity": "INTEGER",
        "defects": "INTEGER",
        "line_id": "VARCHAR",
        "bundle_id": "VARCHAR",
        "at": "TIMESTAMP",
        "received_at": "TIMESTAMP",
    },
    # Scans that take others back: quantity and defects are the right values of the scan that `corrects` names.
    "scan_corrections": {
        "factory_id": "VARCHAR",
        "scan_id": "VARCHAR",
        "corrects": "VARCHAR",
        "job_order_id": "VARCHAR",
        "sku_id": "VARCHAR",
        "operation": "VARCHAR",
        "quantity": "INTEGER",
        "defects": "INTEGER",
        "line_id": "VARCHAR",
        "bundle_id": "VARCHAR",
        "at": "TIMESTAMP",
        "received_at": "TIMESTAMP",
    },
    # Scans that a person has set aside: they count no pieces from `received_at` on.
    "scan_set_asides": {
        "factory_id": "VARCHAR",
        "scan_id": "VARCHAR",
        "reason": "VARCHAR",
        "actor": "VARCHAR",
        "received_at": "TIMESTAMP",
    },
    "ledger_orders": {
        "order_id": "VARCHAR",
        "merchant_id": "VARCHAR",
        "source": "VARCHAR",
        "parent_order_id": "VARCHAR",
        "placed_on": "DATE",
        "release_on": "DATE",
        "due_on": "DATE",
        "priority": "INTEGER",
        "tolerance_share": "DOUBLE",
        "max_factories": "INTEGER",
        "currency": "VARCHAR",
        "destination_latitude": "DOUBLE",
        "destination_longitude": "DOUBLE",
        "state": "VARCHAR",
        "closed_at": "TIMESTAMP",
        "at": "TIMESTAMP",
        "order_code": "VARCHAR",
        "known_at": "TIMESTAMP",
        "merchant_order_id": "VARCHAR",
    },
    "ledger_lots": {
        "lot_id": "VARCHAR",
        "order_id": "VARCHAR",
        "merchant_id": "VARCHAR",
        "style_id": "VARCHAR",
        "colour": "VARCHAR",
        "category": "VARCHAR",
        "crafts": "VARCHAR",
        "quantity": "INTEGER",
        "unit_value": "DECIMAL(18,4)",
        "unit_cost_basis": "DECIMAL(18,4)",
        **_SAM,
        "sam_minutes": "DOUBLE",
        "shipped": "BIGINT",
        "state": "VARCHAR",
        "at": "TIMESTAMP",
        "known_at": "TIMESTAMP",
        "style_code": "VARCHAR",
        "operations": "VARCHAR",
        "stages": "INTEGER",
        "personalisation": "VARCHAR",
    },
    "ledger_lot_skus": {
        "lot_id": "VARCHAR",
        "sku_id": "VARCHAR",
        "quantity": "INTEGER",
        "shipped": "BIGINT",
        "known_at": "TIMESTAMP",
        "sku_code": "VARCHAR",
        "colour_code": "VARCHAR",
        "size_code": "VARCHAR",
    },
    "ledger_order_quantities": {
        "lot_id": "VARCHAR",
        "order_id": "VARCHAR",
        "merchant_id": "VARCHAR",
        "style_id": "VARCHAR",
        "colour": "VARCHAR",
        "business_date": "DATE",
        "build_id": "VARCHAR",
        "model_version": "VARCHAR",
        "forecast_at": "TIMESTAMP",
        "window_days": "INTEGER",
        "forecast_mean": "DOUBLE",
        **{f"q{level}": "DOUBLE" for level in _WINDOW_LEVELS},
        "price": "DECIMAL(18,4)",
        "cost": "DECIMAL(18,4)",
        "currency": "VARCHAR",
        "salvage_share": "DOUBLE",
        "holding_share_per_day": "DOUBLE",
        "critical_ratio": "DOUBLE",
        "level": "DOUBLE",
        "needed": "DOUBLE",
        "trigger_share": "DOUBLE",
        "minimum_order_pieces": "INTEGER",
        "lot_quantity": "INTEGER",
        "known_at": "TIMESTAMP",
    },
    "ledger_order_quantity_skus": {
        "lot_id": "VARCHAR",
        "sku_id": "VARCHAR",
        "sku_colour": "VARCHAR",
        "size_share": "DOUBLE",
        "on_hand": "BIGINT",
        "on_order": "BIGINT",
        "lacking": "DOUBLE",
        "quantity": "INTEGER",
        "known_at": "TIMESTAMP",
        "in_transit": "BIGINT",
    },
    "ledger_job_orders": {
        "job_order_id": "VARCHAR",
        "lot_id": "VARCHAR",
        "order_id": "VARCHAR",
        "merchant_id": "VARCHAR",
        "factory_id": "VARCHAR",
        "attempt": "INTEGER",
        "revision": "INTEGER",
        "quantity": "INTEGER",
        "state": "VARCHAR",
        "sequence": "INTEGER",
        "rank": "BIGINT",
        "accepted": "BOOLEAN",
        "reason": "VARCHAR",
        "accept_by": "TIMESTAMP",
        "start_on": "DATE",
        "due_on": "DATE",
        "good_pieces": "BIGINT",
        "shipped": "BIGINT",
        "defects": "BIGINT",
        "ended_at": "TIMESTAMP",
        "at": "TIMESTAMP",
        "known_at": "TIMESTAMP",
        "begun_at": "TIMESTAMP",
        "stage": "INTEGER",
        "stages": "INTEGER",
        "next_factory_id": "VARCHAR",
        "transit_days": "INTEGER",
    },
    "ledger_promises": {
        "plan_id": "VARCHAR",
        "order_id": "VARCHAR",
        "merchant_id": "VARCHAR",
        "pieces": "INTEGER",
        "unplaced": "INTEGER",
        "planned_on": "DATE",
        "promised_on": "DATE",
        "modelled": "DOUBLE",
        "probability": "DOUBLE",
        "made_at": "TIMESTAMP",
        "at": "TIMESTAMP",
        "known_at": "TIMESTAMP",
        "quoted": "BOOLEAN",
    },
    "ledger_promise_factories": {
        "plan_id": "VARCHAR",
        "order_id": "VARCHAR",
        "factory_id": "VARCHAR",
        "transit_days": "INTEGER",
        "known_at": "TIMESTAMP",
    },
    "ledger_job_order_skus": {
        "job_order_id": "VARCHAR",
        "sku_id": "VARCHAR",
        "quantity": "INTEGER",
        "good_pieces": "BIGINT",
        "shipped": "BIGINT",
        "known_at": "TIMESTAMP",
    },
    "ledger_purchases": {
        "purchase_order_id": "VARCHAR",
        "material_id": "VARCHAR",
        "plan_id": "VARCHAR",
        "supplier_id": "VARCHAR",
        "quantity": "DOUBLE",
        "price": "DOUBLE",
        "currency": "VARCHAR",
        "order_on": "DATE",
        "due_on": "DATE",
        "released_at": "TIMESTAMP",
        "known_at": "TIMESTAMP",
    },
}

SCHEMAS: dict[str, dict[str, str]] = {
    **{name: {c.name: c.type for c in feed.columns} | LANDED for name, feed in FEEDS.items()},
    **PRODUCED,
}
