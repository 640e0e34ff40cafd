"""The factory messages as documents for integrators: AsyncAPI 3 for MQTT, OpenAPI 3.1 for HTTP, both from the models.

Everything that a gateway needs stands in them: rules of the conversation, topics and paths, schemas with every limit,
one example of each message. `docs/asyncapi.yaml` and `docs/openapi.yaml` are what `c2m contract` prints.
"""

import re
import textwrap
from datetime import UTC, date, datetime, timedelta
from typing import Any

import yaml

from c2m.wire import messages
from c2m.wire.messages import (
    KIND_OF_TYPE,
    MAX_BYTES,
    PLATFORM,
    Cancel,
    Envelope,
    Item,
    JobOrder,
    JobResponse,
    Kind,
    Payload,
    RoutingStep,
    Scan,
    Start,
    Status,
    adapter,
    compose,
    factory_source,
)

VERSION = "2.0.0"
_WIDTH = 110  # characters of a line of text
_BLOCK = re.compile(r".+(?:\n(?!\* ).+)*")  # a paragraph, or an item of a list
_CONTENT_TYPE = "application/cloudevents+json"
_NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
_FACTORY, _JOB = "F1", "4f1c1e0e-7a51-5f0e-9c55-0d5d4c3f6a11"
_SAYS: dict[Kind, str] = {
    "job-orders": "Offers, starts and cancels of job orders, from the platform to one factory.",
    "job-responses": "A factory's answers, and the state of its work.",
    "scans": "Increments of work done, in batches.",
    "status": "Whether a factory is reachable: retained, and its last will.",
}
_FROM_PLATFORM: tuple[Kind, ...] = ("job-orders",)
_OVER_HTTP: tuple[Kind, ...] = ("job-responses", "scans")


class _Plain(yaml.SafeDumper):
    """Without anchors, and long text as it reads."""

    def ignore_aliases(self, data: object) -> bool:
        """Everything is written out."""
        return True


def _text(dumper: _Plain, text: str) -> yaml.ScalarNode:
    """Text of several lines as it reads, so narrow that it fits where it is set in."""
    narrow = _BLOCK.sub(_filled, text) if "\n" in text else text
    return dumper.represent_scalar("tag:yaml.org,2002:str", narrow, style="|" if "\n" in text else None)


def _filled(block: re.Match[str]) -> str:
    words = " ".join(block[0].split())
    return textwrap.fill(
        words, _WIDTH, break_on_hyphens=False, subsequent_indent="  " if words.startswith("* ") else ""
    )


_Plain.add_representer(str, _text)


def as_yaml(document: dict[str, Any]) -> str:
    """The document as people read it."""
    return yaml.dump(document, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=120)


def asyncapi() -> dict[str, Any]:
    """AsyncAPI 3.0 of the platform: it sends job orders and receives the rest."""
    parameter = {"factoryId": {"description": f"The factory's identifier, {messages.ID_PATTERN}"}}
    channels = {
        kind: {
            "address": f"c2m/v1/{{factoryId}}/{kind}",
            "description": words,
            "parameters": parameter,
            "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in _names(kind)},
        }
        for kind, words in _SAYS.items()
    }
    operations = {
        kind: {
            "action": "send" if kind in _FROM_PLATFORM else "receive",
            "channel": {"$ref": f"#/channels/{kind}"},
            "bindings": {"mqtt": {"qos": 1, "retain": kind == "status", "bindingVersion": "0.2.0"}},
        }
        for kind in _SAYS
    }
    return {
        "asyncapi": "3.0.0",
        "info": _info("C2M factory messages over MQTT"),
        "defaultContentType": _CONTENT_TYPE,
        "servers": {"broker": {"host": "127.0.0.1:1883", "protocol": "mqtt", "description": _BROKER}},
        "channels": channels,
        "operations": operations,
        "components": {"messages": {name: _message(name) for name in _EXAMPLES}, "schemas": _schemas()},
    }


def openapi() -> dict[str, Any]:
    """OpenAPI 3.1: what the platform takes, and as webhooks what a factory's own endpoint is sent."""
    identifier = {"name": "factory_id", "in": "path", "required": True, "schema": {"type": "string"}}
    paths = {
        f"/v1/factories/{{factory_id}}/{kind}": {"parameters": [identifier], "post": _post(kind)} for kind in _OVER_HTTP
    }
    return {
        "openapi": "3.1.0",
        "info": _info("C2M factory messages over HTTP"),
        "servers": [{"url": "http://127.0.0.1:8181"}],
        "paths": paths,
        "webhooks": {"job-orders": {"post": _post("job-orders")}},
        "components": {"schemas": _schemas()},
    }


_BROKER = "MQTT 3.1.1 or 5, QoS 1, persistent sessions. The username is the factory's identifier."


def _info(title: str) -> dict[str, Any]:
    return {"title": title, "version": VERSION, "description": messages.__doc__}


def _example(data: Payload) -> Envelope:
    source = PLATFORM if isinstance(data, JobOrder | Start | Cancel) else factory_source(_FACTORY)
    return compose(data, source, _NOON)


_OFFER = JobOrder(
    job_order_id=_JOB,
    revision=1,
    order_id="O-7",
    merchant_id="shop-3",
    style_id="S-12",
    category="kurta",
    quantity=100,
    quantity_by_sku={"S-12-M": 60, "S-12-L": 40},
    start_on=date(2026, 1, 6),
    due_on=date(2026, 1, 14),
    accept_by=_NOON + timedelta(hours=12),
    operations=(RoutingStep(name="cut", sam_minutes=1.6), RoutingStep(name="sew", sam_minutes=13.5)),
    rank=3_000_000,
    items=tuple(
        Item(
            sku_id=f"S-12-{size}",
            colour="indigo",
            size=size,
            quantity=pieces,
            sku_code=f"12/靛蓝 {size}",
            colour_code="007",
        )
        for size, pieces in {"M": 60, "L": 40}.items()
    ),
    style_name="Straight kurta, block print",
    crafts=("print",),
    price=84.5,
    currency="INR",
    specification_url="https://shop-3.example/specifications/S-12.pdf",
    order_code="PO 2026/007",
    style_code="12/直筒",
)
_SCAN = Scan(
    scan_id="scan-1",
    job_order_id=_JOB,
    sku_id="S-12-M",
    operation="sew",
    quantity=9,
    defects=1,
    line_id="line-2",
    at=_NOON,
)
_PAYLOADS: tuple[Payload, ...] = (
    _OFFER,
    Start(job_order_id=_JOB, revision=1),
    Cancel(job_order_id=_JOB, revision=1, reason="no longer in the plan"),
    JobResponse(job_order_id=_JOB, revision=1, sequence=1, state="NotAllowedToStart", accepted=True),
    [_SCAN],
    Status(online=True, version=messages.VERSION),
)
_EXAMPLES: dict[str, Envelope] = {type(example).__name__: example for example in map(_example, _PAYLOADS)}


def _names(kind: Kind) -> list[str]:
    return [name for name, example in _EXAMPLES.items() if KIND_OF_TYPE[example.type] == kind]


def _message(name: str) -> dict[str, Any]:
    example = _EXAMPLES[name]
    payload = example.model_dump(mode="json", exclude_none=True)
    return {
        "name": example.type,
        "contentType": _CONTENT_TYPE,
        "payload": {"$ref": f"#/components/schemas/{name}"},
        "examples": [{"name": "an example", "payload": payload}],
    }


def _schemas() -> dict[str, Any]:
    found: dict[str, Any] = adapter().json_schema(ref_template="#/components/schemas/{model}")["$defs"]
    return found


def _post(kind: Kind) -> dict[str, Any]:
    """A message of this kind as the body of a POST."""
    names = _names(kind)
    schemas: list[dict[str, Any]] = [{"$ref": f"#/components/schemas/{name}"} for name in names]
    examples = {name: {"value": _EXAMPLES[name].model_dump(mode="json", exclude_none=True)} for name in names}
    content = {"schema": schemas[0] if len(schemas) == 1 else {"oneOf": schemas}, "examples": examples}
    return {
        "operationId": kind,
        "summary": _SAYS[kind],
        "requestBody": {"required": True, "content": {_CONTENT_TYPE: content}},
        "responses": {
            "204": {"description": "Safe: it will not be lost. Not an acceptance of what it asks."},
            "413": {"description": f"More than {MAX_BYTES} bytes: send smaller batches."},
            "422": {"description": "It breaks the contract and lies with the dead letters; the reason is in the body."},
            "503": {"description": "Not safe yet: send it again."},
        },
    }
