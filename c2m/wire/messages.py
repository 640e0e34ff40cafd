"""What travels between platform and factory: CloudEvents 1.0, structured JSON, the same over MQTT and HTTP.

This file is the contract; every limit below is part of it. The rules of the conversation:

* `store` offers a job order, or a new quantity of it (revision + 1). The factory answers by one job-response with
  `accepted`; it refuses what arrives after `accept_by`. It begins only after `start`.
* Every job-response carries the latest revision that the factory has seen and a `sequence` that grows with each.
* `accepted: false` with state NotAllowedToStart or Aborted refuses the whole job order. With AllowedToStart, Running,
  Interrupted or Ended it refuses only what was last asked (a new quantity, a cancel): the earlier agreement stands.
* `rank` is a job order's place in the factory's order of work: whole, smaller first, with gaps; equal or absent: by
  due_on, then job_order_id. A `store` that differs from what is agreed in `rank` alone (and revision + 1) tells another
  rank of work that has not begun. It needs no acceptance, and is taken after `accept_by` too; the factory answers it by
  a job-response of that revision. `accepted: false` leaves agreement and earlier rank, in every state but Aborted.
* A factory that understands all fields says `version: 2` in its status, over HTTP at its registration. Who says nothing
  gets messages of version 1: without `rank`, `items`, `style_name`, `crafts`, `price`, `currency`, `specification_url`,
  `order_code`, `style_code`, and no work that needs a craft, which those messages could not tell.
* A lot may be made in stages, one factory after another: `stage` of `stages`, and `next_factory_id`, to whom the pieces
  go from this one. Absent: the lot is made whole. A factory that receives pieces of the stage before scans them with
  operation `receive` on its own job order; `start` comes once so many have arrived as it is to make. Every stage ends
  with `inspect`, past which a piece is good, and `ship`, by which it leaves. A `store` that differs from what is agreed
  in `next_factory_id` alone (or in that and `rank`, and revision + 1) is answered as one of the rank is, and is taken
  also after work has begun.
* `cancel` is confirmed by state Aborted, also by a factory that does not know the job order. A `store` that comes after
  its cancel is refused.
* A message is sent again, with the same id and the same bytes, until it is answered; a factory that has answered it
  sends that same answer again.
* A batch of scans of which some are wrong is taken without them; those become a dead letter. A scan that was wrong is
  taken back by another with `corrects`.
* `sequence` may jump by MAX_JUMP at most: a counter that ran away would make all later answers stale.
* A broker that is killed forgets what it acknowledged since it last saved its queues (ours: within a second). After a
  lost connection a factory sends again, as it was, what was acknowledged in the five seconds before.
"""

import re
from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime
from functools import cache
from typing import Annotated, Literal, get_args

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic_core import ErrorDetails, from_json, to_json

from c2m.ids import derive_id

# Besides, JSON may be nested 200 levels deep: there pydantic's parser stops, before it runs out of stack.
MAX_BYTES = 4 * 1024 * 1024  # a full batch of scans is about 1.5 MB
MAX_SCANS = 5_000
MAX_SKUS = 1_000  # of a job order
MAX_PIECES = 100_000_000
MAX_JUMP = 10_000  # of `sequence`, from one answer on a job order to the next
PLATFORM = "c2m/platform"
MAX_URL = 2000  # characters of a URL
VERSION = 2  # the newest that we speak

STORE = "c2m.job-order.store"
START = "c2m.job-order.start"
CANCEL = "c2m.job-order.cancel"
RESPONSE = "c2m.job-response"
SCANS = "c2m.scans"
STATUS = "c2m.status"

REMEMBERED_S = 5  # see above: what a factory sends again after a lost connection

OPERATIONS = ("cut", "sew", "finish", "inspect", "pack", "ship")  # of version 1, and of styles without a routing
TIMED = OPERATIONS[:-1]  # whose minutes a style without a routing names: its columns sam_<name>_minutes
RECEIVE, INSPECT, SHIP = "receive", "inspect", "ship"  # pieces come, are good, and leave
Kind = Literal["job-orders", "job-responses", "scans", "status"]
KIND_OF_TYPE: dict[str, Kind] = {
    STORE: "job-orders",
    START: "job-orders",
    CANCEL: "job-orders",
    RESPONSE: "job-responses",
    SCANS: "scans",
    STATUS: "status",
}
FactoryState = Literal["NotAllowedToStart", "AllowedToStart", "Running", "Interrupted", "Ended", "Aborted"]

ID_PATTERN = "[A-Za-z0-9_-]{1,64}"
Id = Annotated[str, Field(pattern=f"^{ID_PATTERN}$")]
Operation = Id  # of OPERATIONS, or by the name that the style's routing gives it


def _is_known(name: str, info: ValidationInfo[Collection[str] | None]) -> str:
    known = info.context
    if known is not None and name not in known:
        raise ValueError(f"{name!r} is no operation of any order, expected one of {', '.join(sorted(known))}")
    return name


Scanned = Annotated[Operation, AfterValidator(_is_known)]  # whoever reads scans says as context what is known
# No control characters: PostgreSQL refuses NUL, and a terminal would obey the others.
Text = Annotated[str, Field(max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$")]
Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
Code = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]*$")]  # as the merchant spells it
Pieces = Annotated[int, Field(ge=0, le=MAX_PIECES)]
Rank = Annotated[int, Field(ge=-(2**53) + 1, le=2**53 - 1)]  # what every JSON parser keeps whole
Counter = Annotated[int, Field(ge=1, le=2_000_000_000)]
# Bounds, because the last hours of year 9999 have no UTC equivalent in Python.
Moment = Annotated[
    AwareDatetime,
    Field(ge=datetime(2000, 1, 1, tzinfo=UTC), lt=datetime(2200, 1, 1, tzinfo=UTC)),
    AfterValidator(lambda moment: moment.astimezone(UTC)),
]


class _Data(BaseModel):
    """Payloads take no unknown field and coerce nothing: a misspelt field is an error, not a default."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class RoutingStep(_Data):
    """One operation of a job order and its standard minutes per piece."""

    name: Operation
    sam_minutes: float = Field(ge=0, le=100_000, allow_inf_nan=False)


class Destination(_Data):
    """Where the goods go; empty where the order names no place."""

    latitude: float | None = Field(None, ge=-90, le=90, allow_inf_nan=False)  # degrees
    longitude: float | None = Field(None, ge=-180, le=180, allow_inf_nan=False)  # degrees


class Item(_Data):
    """Pieces of one SKU. The codes are the merchant's own, where the catalogue gives them.

    `personalisation`: names with texts, such as a name to embroider, which each of the pieces gets.
    """

    sku_id: Id
    colour: Name
    size: Name | None = None
    quantity: Annotated[int, Field(ge=1, le=MAX_PIECES)]  # pieces
    sku_code: Code | None = None
    colour_code: Code | None = None
    size_code: Code | None = None
    personalisation: dict[Name, Text] | None = Field(None, min_length=1, max_length=20)


class JobOrder(_Data):
    """Store: pieces of one lot for one factory. `due_on` is the day of arrival at the destination.

    From `rank` on: version 2. Accepting agrees to `price`, of the factory, per piece, in its `currency`. `order_code`
    and `style_code` are the merchant's own numbers, as the merchant spells them.
    """

    job_order_id: Id
    revision: Counter
    order_id: Id
    merchant_id: Id
    style_id: Id
    category: Name
    quantity: Annotated[int, Field(ge=1, le=MAX_PIECES)]  # good pieces
    quantity_by_sku: dict[Id, Pieces] = Field(min_length=1, max_length=MAX_SKUS)  # pieces; they sum to `quantity`
    start_on: date
    due_on: date
    accept_by: Moment
    operations: tuple[RoutingStep, ...] = Field(min_length=1, max_length=50)
    destination: Destination = Destination()
    rank: Rank | None = None
    items: tuple[Item, ...] | None = Field(None, min_length=1, max_length=MAX_SKUS)
    style_name: Name | None = None
    crafts: tuple[Name, ...] | None = Field(None, max_length=50)
    price: float | None = Field(None, ge=0, le=1e12, allow_inf_nan=False)
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] | None = None
    specification_url: Annotated[str, Field(pattern=r"^https?://[^\s\x00-\x1f\x7f]+$", max_length=MAX_URL)] | None = (
        None
    )
    order_code: Code | None = None
    style_code: Code | None = None
    stage: Annotated[int, Field(ge=1, le=20)] | None = None  # of the lot, from 1; absent: it is made whole
    stages: Annotated[int, Field(ge=2, le=20)] | None = None  # of how many
    next_factory_id: Id | None = None

    @model_validator(mode="after")
    def _skus_make_the_quantity(self) -> "JobOrder":
        if (total := sum(self.quantity_by_sku.values())) != self.quantity:
            raise ValueError(f"quantity_by_sku sums to {total}, expected quantity = {self.quantity}")
        wanted = {sku_id: pieces for sku_id, pieces in self.quantity_by_sku.items() if pieces}
        if self.items is not None and (items := {item.sku_id: item.quantity for item in self.items}) != wanted:
            raise ValueError(f"items give {items}, expected quantity_by_sku = {wanted}")
        if (self.price is None) != (self.currency is None):
            raise ValueError("price and currency: one stands without the other, expected both or neither")
        return self

    @model_validator(mode="after")
    def _stages_follow_each_other(self) -> "JobOrder":
        number, last = self.stage or 0, self.stages or 0
        if number > last or (number == 0) != (last == 0):
            raise ValueError(f"stage {self.stage} of {self.stages}, expected one of them, or neither")
        if (self.next_factory_id is not None) != (number < last):
            raise ValueError("next_factory_id stands with every stage but the last, and with no other")
        return self

    def of_version(self, version: int) -> "JobOrder":
        """What a factory of this version is told of it."""
        return self if version >= VERSION else self.model_copy(update=dict.fromkeys(ADDED))

    def is_ranked_anew(self, agreed: "JobOrder") -> bool:
        """Whether it differs from what is agreed in its rank alone."""
        return self._as_in(agreed, "rank")

    def is_sent_elsewhere(self, agreed: "JobOrder") -> bool:
        """Whether it differs from what is agreed in where its pieces go, and at most in its rank too."""
        return self.next_factory_id != agreed.next_factory_id and self._as_in(agreed, "rank", "next_factory_id")

    def _as_in(self, agreed: "JobOrder", *names: str) -> bool:
        same = {name: getattr(agreed, name) for name in (*names, "revision")}
        return self.model_copy(update=same) == agreed


_CODES, _STAGES = ("order_code", "style_code"), ("stage", "stages", "next_factory_id")
ADDED = ("rank", "items", "style_name", "crafts", "price", "currency", "specification_url", *_CODES, *_STAGES)  # by 2


class Start(_Data):
    """Leave to begin."""

    job_order_id: Id
    revision: Counter


class Cancel(_Data):
    """Take back what was asked; the quantity returns to planning once the factory confirms."""

    job_order_id: Id
    revision: Counter
    reason: Text = ""


class JobResponse(_Data):
    """A factory's word on one job order.

    `made`: with a cancel or a cut that it accepts after work has begun, the good pieces that it has or will still
    deliver, at least those scanned. The job order then stands at what was asked or at `made`, whichever is more, until
    that is shipped. Absent or 0 on a cancel: nothing, and the state is Aborted.
    """

    job_order_id: Id
    revision: Counter
    sequence: Counter
    state: FactoryState
    accepted: bool | None = None
    reason: Text = ""
    made: Pieces | None = None


class Scan(_Data):
    """One scan on the line: increments, not totals.

    `corrects` names an earlier scan of the same factory, job order, SKU and operation, which is no correction itself:
    quantity and defects are then its right values, not differences. Of several corrections the latest `at` holds, then
    the greatest scan_id.
    """

    scan_id: Id
    job_order_id: Id
    sku_id: Id
    operation: Scanned
    quantity: Pieces
    defects: Pieces = 0
    line_id: Id | None = None
    bundle_id: Id | None = None
    at: Moment
    corrects: Id | None = None

    @model_validator(mode="after")
    def _corrects_another(self) -> "Scan":
        if self.corrects == self.scan_id:
            raise ValueError(f"scan {self.scan_id} corrects itself, expected the scan_id of an earlier scan")
        return self


class Status(_Data):
    """Whether a factory is reachable; `through`: all that was due up to this (virtual) time has been sent.

    `version`: of the messages that it understands; absent: 1.
    """

    online: bool
    through: Moment | None = None
    version: Annotated[int, Field(ge=1, le=1000)] | None = None


class _Envelope(BaseModel):
    """CloudEvents attributes; unknown ones are extensions, which the standard allows."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)

    specversion: Literal["1.0"] = "1.0"
    id: Name
    source: Name
    subject: Name | None = None
    time: Moment
    datacontenttype: Literal["application/json"] = "application/json"

    @property
    def factory_id(self) -> str | None:
        """The factory that speaks, by its source; None for anyone else."""
        match = re.fullmatch(f"c2m/factory/({ID_PATTERN})", self.source)
        return match[1] if match else None

    def body(self) -> bytes:
        """The bytes on the wire."""
        return self.model_dump_json(exclude_none=True).encode()


class StoreMessage(_Envelope):
    """platform -> factory."""

    type: Literal["c2m.job-order.store"] = "c2m.job-order.store"
    data: JobOrder


class StartMessage(_Envelope):
    """platform -> factory."""

    type: Literal["c2m.job-order.start"] = "c2m.job-order.start"
    data: Start


class CancelMessage(_Envelope):
    """platform -> factory."""

    type: Literal["c2m.job-order.cancel"] = "c2m.job-order.cancel"
    data: Cancel


class ResponseMessage(_Envelope):
    """factory -> platform."""

    type: Literal["c2m.job-response"] = "c2m.job-response"
    data: JobResponse


class ScansMessage(_Envelope):
    """factory -> platform, a batch."""

    type: Literal["c2m.scans"] = "c2m.scans"
    data: list[Scan] = Field(min_length=1, max_length=MAX_SCANS)


class StatusMessage(_Envelope):
    """factory -> platform, retained; also the last will."""

    type: Literal["c2m.status"] = "c2m.status"
    data: Status


Envelope = StoreMessage | StartMessage | CancelMessage | ResponseMessage | ScansMessage | StatusMessage
_BY_TYPE = Field(discriminator="type")
Payload = JobOrder | Start | Cancel | JobResponse | list[Scan] | Status
_ENVELOPES: dict[type, tuple[type[Envelope], str]] = {
    JobOrder: (StoreMessage, STORE),
    Start: (StartMessage, START),
    Cancel: (CancelMessage, CANCEL),
    JobResponse: (ResponseMessage, RESPONSE),
    list: (ScansMessage, SCANS),
    Status: (StatusMessage, STATUS),
}


@cache
def adapter() -> TypeAdapter[Envelope]:
    """Validates any message, and gives the JSON schema of all of them."""
    return TypeAdapter(Annotated[Envelope, _BY_TYPE])


def parse(body: bytes, operations: Collection[str] | None = None) -> Envelope | str:
    """Reads a message; what is wrong is an answer, not an error.

    Parameters
    ----------
    body
        JSON as it came.
    operations
        The only ones that scans may name; None: any.

    Returns
    -------
    Envelope or str
        The message, or in words what is wrong with it.

    Examples
    --------
    A factory accepts a job order; and a message that lacks its sender:

    >>> from datetime import UTC
    >>> word = JobResponse(job_order_id="J1", revision=1, sequence=1, state="AllowedToStart", accepted=True)
    >>> message = compose(word, factory_source("F1"), datetime(2026, 3, 2, 8, tzinfo=UTC))
    >>> parse(message.model_dump_json().encode()) == message
    True
    >>> parse(message.model_dump_json(exclude={"source"}).encode())
    'c2m.job-response.source: Field required'
    """
    if len(body) > MAX_BYTES:
        return f"message of {len(body)} bytes, expected at most {MAX_BYTES}: send smaller batches"
    try:
        return adapter().validate_json(body, context=operations)
    except ValidationError as error:
        return _in_words(_faults(error))


def parse_part(body: bytes, operations: Collection[str] | None = None) -> tuple[Envelope, bytes, str] | None:
    """Takes a batch of scans of which only some are wrong apart.

    Parameters
    ----------
    body
        JSON as it came.
    operations
        The only ones that scans may name; None: any.

    Returns
    -------
    tuple or None
        The right scans, the wrong ones as a message, and the reason; None where nothing is wrong, everything, or
        something else than scans.
    """
    try:
        adapter().validate_json(body[: MAX_BYTES + 1], context=operations)
    except ValidationError as error:
        faults = _faults(error)
    else:
        return None
    places = [fault["loc"] for fault in faults]
    if not all(loc[:2] == (SCANS, "data") and len(loc) > 2 and isinstance(loc[2], int) for loc in places):
        return None
    wrong = {loc[2] for loc in places}
    told = from_json(body)
    right = [scan for i, scan in enumerate(told["data"]) if i not in wrong]
    if not right:
        return None
    rest = to_json(told | {"data": [told["data"][i] for i in sorted(wrong)]})
    reason = f"{len(wrong)} of {len(told['data'])} scans are wrong, the others were taken: {_in_words(faults)}"
    return adapter().validate_json(to_json(told | {"data": right})), rest, reason[:2000]


def _faults(error: ValidationError) -> list[ErrorDetails]:
    return error.errors(include_url=False, include_input=False, include_context=False)


def _in_words(faults: Sequence[ErrorDetails]) -> str:
    words = [f"{'.'.join(map(str, fault['loc'])) or 'message'}: {fault['msg']}" for fault in faults[:20]]
    return _printable("; ".join(words))[:2000]


def compose(data: Payload, source: str, time: datetime, id: str | None = None) -> Envelope:
    """The envelope for a payload.

    Parameters
    ----------
    data
        The payload, whose type says that of the message.
    source
        Who says it, as CloudEvents has it.
    time
        In any zone.
    id
        None: it derives from source, time and content.

    Returns
    -------
    Envelope
        What is sent.
    """
    envelope, type_ = _ENVELOPES[type(data)]
    id = id or derive_id(type_, source, time.astimezone(UTC).isoformat(), to_json(data).decode())
    return envelope.model_validate({"id": id, "source": source, "time": time, "data": data})


def type_of(data: Payload) -> str:
    """The CloudEvents type of a message with this payload."""
    return _ENVELOPES[type(data)][1]


def factory_source(factory_id: str) -> str:
    """CloudEvents source of a factory."""
    return f"c2m/factory/{factory_id}"


def topic(factory_id: str, kind: Kind) -> str:
    """A topic of MQTT.

    Parameters
    ----------
    factory_id
        `+` subscribes to all factories.
    kind
        Of the messages.

    Returns
    -------
    str
        For the broker.
    """
    return f"c2m/v1/{factory_id}/{kind}"


def shared(topic_name: str, group: str) -> str:
    """A subscription whose messages go to one of its subscribers each.

    Parameters
    ----------
    topic_name
        What is subscribed to.
    group
        Name that the subscribers share.

    Returns
    -------
    str
        For the broker.
    """
    return f"$share/{group}/{topic_name}"


def parse_topic(name: str) -> tuple[str, Kind] | None:
    """(factory_id, kind) of a topic, None where it is not one of ours."""
    match = re.fullmatch(f"c2m/v1/({ID_PATTERN})/({'|'.join(get_args(Kind))})", name)
    return (match[1], match[2]) if match else None  # type: ignore[return-value]  # the pattern admits kinds alone


def _printable(text: str) -> str:
    """Without control characters, and encodable: field names of a foreign message end up in the reason."""
    return re.sub(r"[\x00-\x1f\x7f]", " ", text).encode("utf-8", "replace").decode()
