"""Documents are read in parts: the records are those of the whole document, and memory does not grow with it."""

import io
import json
import tracemalloc
from collections.abc import Callable, Iterator

import pytest

from c2m.feeds.forms.nested import Tree, TreeError, json_records, xml_records

DOCUMENT = """ {"before": [1.50, {"x": "]}"}], "data" : {"n": -12e3, "orders": [
 {"Order": 7.10, "who": {"tags": [], "é\\u00fc\\n\\"": null}}, 12, "text", true, [] , {"last": 1234567890123456789}
 ], "behind": {}}, "end": false}\n"""


class _Trickle(io.StringIO):
    """Gives a few characters at a time, whatever is asked for."""

    few = 1

    def read(self, size: int | None = -1) -> str:
        return super().read(self.few)


@pytest.mark.parametrize("few", [1, 2, 3, 7])
def test_a_document_in_parts_is_the_document(few: int) -> None:
    text = _Trickle(DOCUMENT)
    text.few = few
    whole = json.loads(DOCUMENT, parse_float=str, parse_int=str, parse_constant=str)
    assert list(json_records(text, "data.orders")) == whole["data"]["orders"]
    assert list(json_records(_Trickle("[]"), None)) == []
    assert list(json_records(_Trickle("12"), None)) == ["12"]


@pytest.mark.parametrize(
    ("text", "path", "said"),
    [
        ('[{"a": 1}, {"a": 2]', None, "Expecting ',' delimiter"),
        ('{"a": [1, 2', "a", "expected , or ]"),
        ('{"a": [1]} 7', "a", "no 'a' of the path 'a'; there is 7"),
        ('{"a": [1], "b": 2, "a": [3]}', "a", "comes twice"),
        ('{"a": [1]}', "b.c", "no 'b' of the path 'b.c'; there is a"),
        ("[1]", "a", "there is a list"),
        ("", None, "Expecting value"),
    ],
)
def test_what_is_no_document_is_said(text: str, path: str | None, said: str) -> None:
    with pytest.raises(TreeError, match=said):
        list(json_records(_Trickle(text), path))


def test_elements_in_the_order_of_the_document() -> None:
    content = b'<r xmlns="u"><o id="1"><o id="2"/><t>a</t></o><x><o id="3">b</o></x></r>'
    found = list(xml_records(io.BytesIO(content), "o", ()))
    assert found == [{"@id": "1", "o": {"@id": "2"}, "t": "a"}, {"@id": "2"}, {"@id": "3", "": "b"}]
    assert list(xml_records(io.BytesIO(content), None, ())) == [found[0], {"o": found[2]}]


def peak_bytes(records: Iterator[Tree]) -> int:
    tracemalloc.start()
    count = sum(1 for _ in records)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count
    return peak


def as_json(count: int) -> Iterator[Tree]:
    return json_records(
        io.StringIO(json.dumps({"orders": [{"order": i, "note": "x" * 200} for i in range(count)]})), "orders"
    )


def as_xml(count: int) -> Iterator[Tree]:
    rows = "".join(f"<order id='{i}'><note>{'x' * 200}</note></order>" for i in range(count))
    return xml_records(io.BytesIO(f"<orders>{rows}</orders>".encode()), "order", ())


@pytest.mark.parametrize("document", [as_json, as_xml])
def test_memory_does_not_grow_with_the_document(document: Callable[[int], Iterator[Tree]]) -> None:
    small, large = document(4_000), document(20_000)  # 1 and 5 MB
    assert peak_bytes(large) < 1.3 * peak_bytes(small) + 50_000
