"""JSON and XML documents as flat records: a field within a field is `outer.inner`, a list stays as JSON text.

    {"order": "7", "customer": {"state": "NY"}, "items": [{"sku": "a"}]}  ->  order, customer.state, items

In XML an attribute is `@name`, an element that comes more than once in its parent a list. A document type is refused:
its entities could unpack without end, or name other files.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any
from xml.etree import ElementTree
from xml.parsers import expat

Tree = Any  # text, a dict of trees or a list of trees


class TreeError(Exception):
    """The document cannot be read, or holds no records where they are looked for."""


def json_records(text: str, path: str | None) -> list[Tree]:
    """The list of records at a dotted path of keys; without one the document is the list, or the one record."""
    try:
        tree = json.loads(text, parse_float=str, parse_int=str, parse_constant=str)
    except (ValueError, RecursionError) as error:
        raise TreeError(f"not JSON: {error}") from error
    for key in path.split(".") if path else ():
        if not isinstance(tree, dict) or key not in tree:
            has = ", ".join(tree) if isinstance(tree, dict) else f"a {type(tree).__name__}"
            raise TreeError(f"no {key!r} of the path {path!r}; there is {has}")
        tree = tree[key]
    return tree if isinstance(tree, list) else [tree]


def xml_records(content: bytes, tag: str | None, lists: Iterable[str]) -> list[Tree]:
    """The elements with this tag, wherever they stand; without one the children of the root."""
    try:
        _refuse_document_type(content)
        root = ElementTree.fromstring(content)  # noqa: S314  without a document type there is nothing to expand
    except (ElementTree.ParseError, expat.ExpatError, LookupError, ValueError) as error:
        raise TreeError(f"not XML: {error}") from error
    if not (found := [one for one in root.iter() if _name(one) == tag] if tag else list(root)):
        tags = ", ".join(dict.fromkeys(_name(one) for one in root.iter()))
        raise TreeError(f"no element {tag!r}; there is {tags[:200]}")
    return [_tree(element, frozenset(lists)) for element in found]


def flat(tree: Tree) -> dict[str, str | None]:
    """A record's fields by dotted name, as text."""
    return dict(_fields(tree, ""))


def as_text(value: Tree) -> str | None:
    """A value as it stands, a list or an object as JSON."""
    return value if value is None or isinstance(value, str) else json.dumps(value)


def _fields(tree: dict[str, Tree], prefix: str) -> Iterator[tuple[str, str | None]]:
    for key, value in tree.items():
        name = f"{prefix}.{key.strip()}".strip(".")
        if isinstance(value, dict) and value:
            yield from _fields(value, name)
        else:
            yield name, as_text(value)


def _refuse_document_type(content: bytes) -> None:
    def refuse(*_: object) -> None:
        raise TreeError("the XML has a document type (<!DOCTYPE ...>); give it without one")

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse
    parser.Parse(content, True)


def _name(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _tree(element: ElementTree.Element, lists: frozenset[str]) -> Tree:
    fields: dict[str, Tree] = {f"@{name}": value for name, value in element.attrib.items()}
    text = (element.text or "").strip() or None
    if not fields and not len(element):
        return text
    if text:
        fields[""] = text
    children: dict[str, list[Tree]] = {}
    for child in element:
        children.setdefault(_name(child), []).append(_tree(child, lists))
    several = {name: trees if len(trees) > 1 or name in lists else trees[0] for name, trees in children.items()}
    return fields | several
