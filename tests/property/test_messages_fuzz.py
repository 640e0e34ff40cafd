"""No bytes that anyone may send crash the reader of messages."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c2m.wire.messages import KIND_OF_TYPE, parse

NESTED = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.sampled_from(
    ["specversion", "id", "source", "type", "time", "data", "job_order_id", "revision", "state", "quantity_by_sku"]
)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_in_words(body: bytes) -> None:
    assert parse(body)


@settings(max_examples=250, deadline=None)
@given(st.dictionaries(FIELDS, NESTED), st.sampled_from(list(KIND_OF_TYPE)), st.dictionaries(FIELDS, NESTED) | NESTED)
def test_any_json_is_read_or_refused_in_printable_words(envelope: dict, kind: str, data: object) -> None:
    seen = parse(json.dumps(envelope | {"specversion": "1.0", "type": kind, "data": data}).encode())
    if isinstance(seen, str):
        assert seen.encode()
        assert "\x00" not in seen
    else:
        assert parse(seen.body()) == seen


@pytest.mark.parametrize(("opened", "closed"), [("[", "]"), ('{"a":', "}")])
def test_however_deep_a_message_is_nested_it_is_refused_in_words(opened: str, closed: str) -> None:
    for depth in (300, 10_000, 400_000):
        for body in (f"{opened * depth}1{closed * depth}", opened * depth):
            assert "recursion limit exceeded" in str(parse(body.encode()))
