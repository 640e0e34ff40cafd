"""The wire: what a factory's integrator may rely on, and what is turned away with which words."""

import json
from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from c2m.ids import derive_id
from c2m.wire import messages
from c2m.wire.messages import (
    PLATFORM,
    JobOrder,
    JobResponse,
    RoutingStep,
    Scan,
    Status,
    compose,
    factory_source,
    parse,
)

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
ORDER = JobOrder(
    job_order_id="J1",
    revision=1,
    order_id="O1",
    merchant_id="M1",
    style_id="S1",
    category="tops",
    quantity=3,
    quantity_by_sku={"A": 1, "B": 2},
    start_on=date(2026, 1, 6),
    due_on=date(2026, 1, 12),
    accept_by=NOON,
    operations=(RoutingStep(name="cut", sam_minutes=1.5),),
)


def wire(**changes: object) -> bytes:
    """The store message with fields of its data replaced."""
    message = json.loads(compose(ORDER, PLATFORM, NOON).body())
    message["data"].update(changes)
    return json.dumps(message).encode()


@pytest.mark.parametrize(
    "data",
    [
        ORDER,
        messages.Start(job_order_id="J1", revision=1),
        messages.Cancel(job_order_id="J1", revision=2, reason="verändert"),
        JobResponse(job_order_id="J1", revision=1, sequence=1, state="NotAllowedToStart", accepted=True),
        [Scan(scan_id="1", job_order_id="J1", sku_id="A", operation="sew", quantity=5, at=NOON)],
        Status(online=True, through=NOON),
    ],
)
def test_every_message_comes_back_as_it_was(data: messages.Payload) -> None:
    message = compose(data, factory_source("F1"), NOON)
    assert parse(message.body()) == message
    assert message.factory_id == "F1"


def test_the_envelope_is_a_cloudevent_in_structured_json() -> None:
    seen = json.loads(compose(ORDER, PLATFORM, NOON).body())
    assert {"specversion", "id", "source", "type", "time", "datacontenttype", "data"} == set(seen)
    assert (seen["specversion"], seen["type"], seen["source"]) == ("1.0", "c2m.job-order.store", "c2m/platform")


def test_ids_follow_from_content() -> None:
    first, again = (compose(ORDER, PLATFORM, NOON) for _ in range(2))
    other = compose(ORDER, PLATFORM, NOON + timedelta(seconds=1))
    assert first.id == again.id != other.id
    assert derive_id("a", "bc") != derive_id("ab", "c")


def test_times_are_utc_inside() -> None:
    shanghai = timezone(timedelta(hours=8))
    message = compose(ORDER, PLATFORM, NOON.astimezone(shanghai))
    assert message == compose(ORDER, PLATFORM, NOON)


def test_extensions_of_the_envelope_are_allowed_but_unknown_data_is_not() -> None:
    message = json.loads(wire())
    assert not isinstance(parse(json.dumps(message | {"traceparent": "00-ab"}).encode()), str)
    assert parse(wire(colour="red")) == "c2m.job-order.store.data.colour: Extra inputs are not permitted"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"quantity": 4}, "quantity_by_sku sums to 3, expected quantity = 4"),
        ({"quantity": "3"}, "data.quantity: Input should be a valid integer"),
        ({"quantity": 0}, "data.quantity"),
        ({"revision": 0}, "data.revision"),
        ({"job_order_id": "x" * 65}, "data.job_order_id: String should match pattern"),
        ({"job_order_id": "a/b"}, "data.job_order_id: String should match pattern"),
        ({"accept_by": "2026-01-05T12:00:00"}, "data.accept_by: Input should have timezone info"),
        ({"accept_by": "9999-12-31T23:59:59-12:00"}, "data.accept_by: Input should be less than 2200"),
        ({"accept_by": 1767225600}, "data.accept_by"),
        ({"operations": [{"name": "dye it", "sam_minutes": 1}]}, "data.operations.0.name"),
        ({"operations": [{"name": "cut", "sam_minutes": -1}]}, "data.operations.0.sam_minutes"),
        ({"category": "a\x00b"}, "data.category"),
        ({"x\x00y": 1}, "data.x y: Extra inputs"),
    ],
)
def test_a_broken_field_is_named(changes: dict[str, object], words: str) -> None:
    reason = parse(wire(**changes))
    assert isinstance(reason, str)
    assert words in reason
    assert "\x00" not in reason


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe{}",
        b"[" * 100_000,
        b'{"type": "c2m.unknown"}',
        wire().replace(b"3", b"NaN"),
    ],
)
def test_what_is_no_message_gets_a_reason(body: bytes) -> None:
    assert isinstance(parse(body), str)


def test_a_message_has_a_size_limit() -> None:
    assert "send smaller batches" in str(parse(b" " * (messages.MAX_BYTES + 1)))
    scan = Scan(scan_id="x" * 64, job_order_id="x" * 64, sku_id="x" * 64, operation="inspect", quantity=1, at=NOON)
    full = compose([scan] * messages.MAX_SCANS, factory_source("F1"), NOON)
    assert not isinstance(parse(full.body()), str)


def test_topics_name_factory_and_kind() -> None:
    for kind in ("job-orders", "job-responses", "scans", "status"):
        assert messages.parse_topic(messages.topic("F-1", kind)) == ("F-1", kind)  # type: ignore[arg-type]
    assert messages.topic("F1", "scans") == "c2m/v1/F1/scans"
    for foreign in ("c2m/v1/F1/other", "c2m/v1/F1/scans\n", "c2m/v1//scans", "c2m/v1/a b/scans", "x"):
        assert messages.parse_topic(foreign) is None


def test_every_type_has_a_schema_and_a_topic() -> None:
    kinds = set(messages.adapter().json_schema()["discriminator"]["mapping"])
    assert kinds == set(messages.KIND_OF_TYPE)
