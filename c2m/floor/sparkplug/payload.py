"""The wire format of Sparkplug B (Eclipse Sparkplug 3.0, chapter 6): protobuf, described here by its field numbers.

What the adapter does not read (data sets, templates, properties) is skipped by the parser as unknown fields.
"""

from datetime import datetime
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message, message_factory

_OPTIONAL = descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL
_REPEATED = descriptor_pb2.FieldDescriptorProto.LABEL_REPEATED
_PAYLOAD = {"timestamp": (1, "UINT64"), "seq": (3, "UINT64"), "uuid": (4, "STRING"), "body": (5, "BYTES")}
_METRIC = {
    "name": (1, "STRING"),
    "alias": (2, "UINT64"),
    "timestamp": (3, "UINT64"),
    "datatype": (4, "UINT32"),
    "is_historical": (5, "BOOL"),
    "is_transient": (6, "BOOL"),
    "is_null": (7, "BOOL"),
}
_VALUES = {
    "int_value": (10, "UINT32"),
    "long_value": (11, "UINT64"),
    "float_value": (12, "FLOAT"),
    "double_value": (13, "DOUBLE"),
    "boolean_value": (14, "BOOL"),
    "string_value": (15, "STRING"),
}
_BOOLEAN = 11
_SIGNED_BITS = {1: 32, 2: 32, 3: 32, 4: 64}  # Int8 to Int64 travel as two's complement in int_value or long_value


def _described() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="c2m/sparkplug_b.proto", package="c2m.sparkplug", syntax="proto2")
    payload, metric = file.message_type.add(name="Payload"), file.message_type.add(name="Metric")
    metric.oneof_decl.add(name="value")
    for owner, fields, oneof in ((payload, _PAYLOAD, {}), (metric, _METRIC, {}), (metric, _VALUES, {"oneof_index": 0})):
        for name, (number, kind) in fields.items():
            type_ = descriptor_pb2.FieldDescriptorProto.Type.Value(f"TYPE_{kind}")
            owner.field.add(name=name, number=number, type=type_, label=_OPTIONAL, **oneof)
    kind = descriptor_pb2.FieldDescriptorProto.TYPE_MESSAGE
    payload.field.add(name="metrics", number=2, type=kind, label=_REPEATED, type_name=".c2m.sparkplug.Metric")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("c2m.sparkplug.Payload"))


Payload = _described()
Malformed = message.DecodeError


def decode(body: bytes) -> Any:
    """The payload of a message.

    Raises
    ------
    Malformed
        These bytes are no payload.
    """
    return Payload.FromString(body)


def value(metric: Any, datatype: int) -> int | float | bool | str | None:
    """What a metric says, in the datatype of its birth; None where it says nothing, or nothing simple."""
    field = metric.WhichOneof("value")
    if field is None or metric.is_null:
        return None
    found: int | float | bool | str | bytes = getattr(metric, field)
    if isinstance(found, bytes):  # a text that is no UTF-8
        return None
    return _with_sign(found, _SIGNED_BITS.get(datatype)) if isinstance(found, int) else found


def _with_sign(number: int, bits: int | None) -> int:
    """A number of so many bits, the first of them its sign; None: it has none."""
    return number - (1 << bits) if bits and number >= 1 << (bits - 1) else number


def rebirth(at: datetime) -> bytes:
    """The command that asks an edge node for its births."""
    at_ms = int(at.timestamp() * 1000)
    told = {"name": "Node Control/Rebirth", "timestamp": at_ms, "datatype": _BOOLEAN, "boolean_value": True}
    body: bytes = Payload(timestamp=at_ms, metrics=[told]).SerializeToString()
    return body
