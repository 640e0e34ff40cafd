"""UBL 2.3 orders: an Order as the body that this API takes, with every fault by its XPath.

Only what an order here has is read: ID, the requested delivery, lines with item, pieces and what makes them a shopper's
own. Entities are not expanded,
nothing is fetched, and a document type declaration is refused.
"""

import json
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from lxml import etree
from pydantic import ValidationError

from c2m.rooms.api.bodies import OrderIn
from c2m.rooms.api.problems import Fault, ProblemError

CAC = "urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2"
CBC = "urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2"
DOCUMENT = "urn:oasis:names:specification:ubl:schema:xsd:{}-2"
XML = "application/xml"
ORDER = "application/vnd.oasis.ubl.order+xml"
MOST_BYTES = 5 * 1024 * 1024
SENT_XML = "c2m.sent_xml"  # of a request's scope: its body was translated
PIECE = "C62"  # one, by UN/ECE Recommendation 20
_PIECES = {None, PIECE, "H87", "EA", "PCE", "NAR"}
_NAMES = {"cac": CAC, "cbc": CBC}
_DUE = "cac:Delivery/cac:RequestedDeliveryPeriod/cbc:EndDate"
_PLACES = ("cac:Delivery/cac:DeliveryLocation/cac:Address", "cac:Delivery/cac:DeliveryAddress")
_ITEMS = tuple(f"cac:Item/cac:{whose}ItemIdentification/cbc:ID" for whose in ("Buyers", "Sellers"))
_OWN = "cac:Item/cac:AdditionalItemProperty"
# Properties that say what the article is: its catalogue row says it too, and nothing of a shopper.
_OF_ARTICLE = {"colour", "color", "size", "style", "material", "composition", "brand", "season", "gender", "model"}

Element = Any  # of lxml, which has no types of its own
Body = dict[str, Any]


class UblRoute(APIRoute):
    """An address that takes an Order of UBL in the place of its JSON body."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """As FastAPI asks for it."""
        answer = super().get_route_handler()

        async def translated(request: Request) -> Response:
            if not is_xml(request):
                return await answer(request)
            told = json.dumps(read(await request.body())).encode()

            async def receive() -> dict[str, Any]:
                return {"type": "http.request", "body": told, "more_body": False}

            headers = [one for one in request.scope["headers"] if one[0] not in (b"content-type", b"content-length")]
            headers.append((b"content-type", b"application/json"))
            return await answer(Request({**request.scope, "headers": headers, SENT_XML: True}, receive))

        return translated


def is_xml(request: Request) -> bool:
    """Whether the body of a request is an XML document."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind in (XML, "text/xml", ORDER)


def read(content: bytes) -> Body:
    """The body of a new order.

    Parameters
    ----------
    content
        The document as it was sent.

    Returns
    -------
    dict
        As `OrderIn` takes it from JSON.

    Raises
    ------
    ProblemError
        With every fault, each at its XPath.
    """
    order = _parsed(content)
    faults: list[Fault] = []
    body: Body = {"code": _text(order, "cbc:ID", faults), "due_on": _text(order, _DUE, faults)}
    lines = order.findall("cac:OrderLine/cac:LineItem", _NAMES)
    body["lines"] = [_line(line, faults) for line in lines]
    found = [place for path in _PLACES if (place := order.find(f"{path}/cac:LocationCoordinate", _NAMES)) is not None]
    if found:
        body["destination"] = _place(found[0], faults)
    try:
        OrderIn.model_validate_json(json.dumps(body))
    except ValidationError as error:
        known = {fault.at for fault in faults}
        told = [Fault(at=_path(order, lines, one["loc"]), what=one["msg"]) for one in error.errors()]
        faults += [fault for fault in told if fault.at not in known]
    if faults:
        detail = "the Order cannot be taken (docs/merchants.md says what is read of it); every fault is listed"
        raise ProblemError(422, "document-refused", detail, faults)
    return body


def _parsed(content: bytes) -> Element:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True)
    if len(content) > MOST_BYTES:
        raise ProblemError(413, "document-too-large", f"{len(content):,} bytes; expected {MOST_BYTES:,} at most")
    try:
        root = etree.fromstring(content, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise ProblemError(422, "document-refused", f"this is no XML: {error}") from None
    if root.getroottree().docinfo.doctype:
        raise ProblemError(422, "document-refused", "the document has a document type declaration: leave it out")
    if root.tag != f"{{{DOCUMENT.format('Order')}}}Order":
        raise ProblemError(422, "document-refused", f"{root.tag} was sent; expected an Order of UBL 2")
    return root


def _line(line: Element, faults: list[Fault]) -> Body:
    """One line; what is wrong with it joins `faults`."""
    if (dated := line.find("cac:Delivery", _NAMES)) is not None:
        faults.append(Fault(at=_at(dated), what="a line has no delivery of its own here: place an order for each date"))
    named = next((path for path in _ITEMS if line.find(path, _NAMES) is not None), _ITEMS[0])
    pieces = line.find("cbc:Quantity", _NAMES)
    if pieces is not None and pieces.get("unitCode") not in _PIECES:
        faults.append(Fault(at=f"{_at(pieces)}/@unitCode", what=f"{pieces.get('unitCode')}; expected pieces: {PIECE}"))
    body: Body = {"sku_id": _text(line, named, faults), "quantity": _number(line, "cbc:Quantity", faults)}
    return body | ({"personalisation": own} if (own := _own(line, faults)) else {})


def _own(line: Element, faults: list[Fault]) -> dict[str, str]:
    """What makes the pieces of a line one shopper's own: names and texts of the item's further properties."""
    told: dict[str, str] = {}
    for one in line.findall(_OWN, _NAMES):
        name = _text(one, "cbc:Name", faults)
        if name.casefold() in _OF_ARTICLE:
            continue
        if name in told:
            faults.append(Fault(at=f"{_at(one)}/cbc:Name", what=f"{name!r} comes twice on this line: say it once"))
        told[name] = _text(one, "cbc:Value", faults)
    return told


def _place(coordinate: Element, faults: list[Fault]) -> Body:
    """Degrees of a coordinate, which UBL gives in degrees, minutes and a direction."""
    told = {}
    for name, opposite in (("Latitude", "S"), ("Longitude", "W")):
        degrees = _number(coordinate, f"cbc:{name}DegreesMeasure", faults)
        given = coordinate.find(f"cbc:{name}MinutesMeasure", _NAMES) is not None
        minutes = _number(coordinate, f"cbc:{name}MinutesMeasure", faults) if given else 0
        sign = -1 if coordinate.findtext(f"cbc:{name}DirectionCode", "", _NAMES).upper().startswith(opposite) else 1
        told[name.lower()] = sign * (degrees + minutes / 60)
    return told


def _text(element: Element, path: str, faults: list[Fault]) -> str:
    text: str = (element.findtext(path, "", _NAMES) or "").strip()
    if not text:
        faults.append(Fault(at=f"{_at(element)}/{path}", what="is missing or empty"))
    return text


def _number(element: Element, path: str, faults: list[Fault]) -> float:
    """A number; 0 where there is none, which is then a fault."""
    try:
        number = float(text) if (text := _text(element, path, faults)) else 0
    except ValueError:
        faults.append(Fault(at=f"{_at(element)}/{path}", what=f"{text!r}; expected a number"))
        return 0
    return int(number) if number == number // 1 else number


def _at(element: Element) -> str:
    path: str = element.getroottree().getpath(element)
    return path


def _path(order: Element, lines: Sequence[Element], loc: Sequence[int | str]) -> str:
    """The XPath of a place in the body."""
    if loc[:1] == ("lines",) and len(loc) > 1:
        of_line = {"sku_id": f"/{_ITEMS[0]}", "quantity": "/cbc:Quantity", "personalisation": f"/{_OWN}"}
        return _at(lines[int(loc[1])]) + of_line.get("".join(map(str, loc[2:3])), "")
    of_order = {"code": "/cbc:ID", "due_on": f"/{_DUE}", "lines": "/cac:OrderLine", "destination": f"/{_PLACES[0]}"}
    return _at(order) + of_order.get(str(loc[0]) if loc else "", "")
