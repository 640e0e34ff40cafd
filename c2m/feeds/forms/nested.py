"""JSON and XML documents as flat records: a field within a field is `outer.inner`, a list stays as JSON text.

    {"order": "7", "customer": {"state": "NY"}, "items": [{"sku": "a"}]}  ->  order, customer.state, items

In XML an attribute is `@name`, an element that comes more than once in its parent a list. A document type is refused:
its entities could unpack without end, or name other files. Of a document no more is in memory than one record and a
part of the text.
"""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, TextIO
from xml.etree import ElementTree
from xml.parsers import expat

Tree = Any  # text, a dict of trees or a list of trees


class TreeError(Exception):
    """The document cannot be read, or holds no records where they are looked for."""


def once(pairs: list[tuple[str, Tree]]) -> dict[str, Tree]:
    """An object of JSON; one that names a field twice says two things."""
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} comes twice in one object")
    return fields


def json_records(stream: TextIO, path: str | None) -> Iterator[Tree]:
    """The records of the list at a dotted path of keys; without one the document is the list, or the one record.

    Of several documents, one behind the other as databases write them, those of each.
    """
    text = _Text(stream)
    try:
        yield from _found(text, path or "")
        while text.next():
            yield from _found(text, path or "")
    except json.JSONDecodeError as error:  # its place is told within the part at hand
        raise TreeError(f"not JSON: {error.msg}: {error.doc[max(error.pos - 20, 0) : error.pos + 20]!r}") from error
    except (ValueError, RecursionError) as error:
        raise TreeError(f"not JSON: {error}") from error


_ENDS = tuple(",:]} \t\r\n")
_LONGEST_WORD = 20  # characters of what may be cut at the end of a part: -Infinity, an escape


class _Text:
    """JSON read from a stream value by value."""

    _BLANK = re.compile(r"[ \t\n\r]*")
    _DECODER = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=str, object_pairs_hook=once)

    def __init__(self, stream: TextIO) -> None:
        self.stream, self.text, self.at, self.step = stream, "", 0, 1 << 18

    def _more(self) -> bool:
        if read := self.stream.read(self.step):
            self.text = self.text[self.at :] + read
            self.at = 0
            self.step = max(self.step, len(self.text))  # a large value is not tried again for each small part of it
        return bool(read)

    def next(self) -> str:
        """The character that comes next, blanks left out; '' at the end."""
        while True:
            self.at = self._BLANK.match(self.text, self.at).end()  # type: ignore[union-attr]
            if self.at < len(self.text) or not self._more():
                return self.text[self.at : self.at + 1]

    def take(self, *expected: str) -> str:
        """One of these characters, which is then behind us."""
        if (found := self.next()) not in expected or not found:
            raise ValueError(f"expected {' or '.join(expected)}, seen {found or 'the end'!r}")
        self.at += 1
        return found

    def entries(self, brackets: str) -> Iterator[None]:
        """One step for each entry of a list or an object, whose reader takes it."""
        self.take(brackets[0])
        if self.next() == brackets[1]:
            self.take(brackets[1])
            return
        yield
        while self.take(",", brackets[1]) == ",":
            yield

    def key(self) -> str:
        """The name that comes next, and its colon."""
        if self.next() != '"':
            raise ValueError(f"expected a name in quotes, seen {self.next() or 'the end'!r}")
        name = str(self.value())
        self.take(":")
        return name

    def value(self) -> Tree:
        """The whole value that comes next; a number may go on behind the text at hand."""
        self.next()
        while True:
            try:
                value, end = self._DECODER.raw_decode(self.text, self.at)
            except json.JSONDecodeError as error:
                cut = error.msg.startswith("Unterminated string") or error.pos > len(self.text) - _LONGEST_WORD
                if cut and self._more():
                    continue
                raise
            behind = self.text[end : end + _LONGEST_WORD]  # of 1.5 cut behind the point, 1 would be a whole number
            if behind[:1] in _ENDS or len(behind) == _LONGEST_WORD or not self._more():
                self.at = end
                return value


def _found(text: _Text, path: str, depth: int = 0) -> Iterator[Tree]:
    """The records behind a path; what stands beside it is read over."""
    keys = path.split(".") if path else []
    if depth == len(keys):
        if text.next() == "[":
            yield from (text.value() for _ in text.entries("[]"))
        elif (one := text.value()) is not None:
            yield one
        return
    wanted, has = keys[depth], dict[str, None]()
    if (kind := text.next()) != "{":
        raise TreeError(f"no {wanted!r} of the path {path!r}; there is {'a list' if kind == '[' else text.value()}")
    for _ in text.entries("{}"):
        key = text.key()
        if key == wanted and key in has:
            raise TreeError(f"{key!r} of the path comes twice; expected it once")
        has[key] = None
        if key == wanted:
            yield from _found(text, path, depth + 1)
        else:
            text.value()
    if wanted not in has:
        raise TreeError(f"no {wanted!r} of the path {path!r}; there is {', '.join(has)}")


def xml_records(stream: BinaryIO, tag: str | None, lists: Iterable[str]) -> Iterator[Tree]:
    """The elements with this tag, wherever they stand; without one the children of the root."""
    try:
        _refuse_document_type(stream)
        yield from (_tree(element, frozenset(lists)) for element in _elements(stream, tag))
    except (ElementTree.ParseError, expat.ExpatError, LookupError, ValueError) as error:
        raise TreeError(f"not XML: {error}") from error


def _elements(stream: BinaryIO, tag: str | None) -> Iterator[ElementTree.Element]:
    """Each record's element, the outer one of two first; what has been read is let go."""
    open_: list[ElementTree.Element] = []
    tags: dict[str, None] = {}
    records = 0  # open elements that are one
    found = False
    for event, element in ElementTree.iterparse(stream, ("start", "end")):  # noqa: S314  no document type, no entities
        meant = _name(element) == tag if tag else len(open_) == (1 if event == "start" else 2)
        if event == "start":
            tags.setdefault(_name(element))
            open_.append(element)
            records += meant
            continue
        open_.pop()
        records -= meant
        if records:
            continue
        if meant:
            found = True
            yield from (one for one in element.iter() if one is element or (tag and _name(one) == tag))
        if open_:
            open_[-1].remove(element)
    if not found:
        raise TreeError(f"no element {tag!r}; there is {', '.join(tags)[:200]}")


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


def _refuse_document_type(stream: BinaryIO) -> None:
    def refuse(*_: object) -> None:
        raise TreeError("the XML has a document type (<!DOCTYPE ...>); give it without one")

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse
    parser.ParseFile(stream)
    stream.seek(0)


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
