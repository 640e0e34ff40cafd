"""What this API says of an order, as UBL 2.3: OrderResponse and DespatchAdvice, valid by OASIS's schemas."""

from datetime import datetime

from fastapi import Request, Response
from lxml import etree

from c2m.errors import InputError
from c2m.rooms.api.bodies import OrderWhole, SkuOut
from c2m.rooms.api.ubl import CAC, CBC, DOCUMENT, PIECE, SENT_XML, XML, Element

RESPONSE = "application/vnd.oasis.ubl.orderresponse+xml"
DESPATCH = "application/vnd.oasis.ubl.despatchadvice+xml"
KINDS = (XML, RESPONSE, DESPATCH)
# UN/EDIFACT 4343: acknowledged, accepted, accepted with another date, rejected.
_SEEN, _ACCEPTED, _CHANGED, _REJECTED = "AB", "AP", "CA", "RE"


def kind(request: Request) -> str:
    """Which of KINDS a request asks for; '' where it asks for JSON. Who sent a document and names none gets one."""
    asked = [part.partition(";")[0].strip().lower() for part in request.headers.get("accept", "*/*").split(",")]
    for one in asked:
        if one in KINDS or one == "text/xml":
            return one if one in KINDS else XML
        if one == "application/json":
            return ""
    return XML if request.scope.get(SENT_XML) else ""


def answer(order: OrderWhole, merchant_id: str, kind: str, at: datetime, status: int = 200) -> Response:
    """An order as a document.

    Parameters
    ----------
    order
        What is known of it.
    merchant_id
        Whose it is.
    kind
        One of KINDS.
    at
        When it is said, UTC.
    status
        Of HTTP.

    Raises
    ------
    InputError
        `nothing-shipped`: there is nothing yet that a DespatchAdvice could tell.
    """
    make = despatch_advice if kind == DESPATCH else order_response
    made = etree.tostring(make(order, merchant_id, at), xml_declaration=True, encoding="UTF-8", pretty_print=True)
    return Response(made, status, media_type=kind)


def order_response(order: OrderWhole, merchant_id: str, at: datetime) -> Element:
    """Whether an order is accepted, and for which day: the promise, where there is one."""
    root = _document("OrderResponse", f"{order.order_id}-{_code(order)}")
    _add(root, "cbc:SalesOrderID", order.order_id)
    _add(root, "cbc:IssueDate", at.date())
    _add(root, "cbc:OrderResponseCode", _code(order))
    _add(root, "cbc:Note", f"state: {order.state}; waits for: {order.waits_for}")
    _reference(root, order)
    _party(root, "cac:SellerSupplierParty", "C2M")
    _party(root, "cac:BuyerCustomerParty", merchant_id)
    if order.promise:
        period = _add(_add(root, "cac:Delivery"), "cac:PromisedDeliveryPeriod")
        _add(period, "cbc:EndDate", order.promise.promised_on)
        _add(period, "cbc:Description", f"probability {order.promise.probability:.3f}")
    for number, sku in enumerate(order.skus, start=1):
        line = _add(_add(root, "cac:OrderLine"), "cac:LineItem")
        _add(line, "cbc:ID", number)
        _add(line, "cbc:Quantity", sku.quantity, unitCode=PIECE)
        _item(line, sku)
    return root


def despatch_advice(order: OrderWhole, merchant_id: str, at: datetime) -> Element:
    """What has left so far of an order, by SKU, and what is still to come."""
    left = [(number, sku) for number, sku in enumerate(order.skus, start=1) if sku.shipped]
    if not left:
        raise InputError(
            "nothing-shipped", [f"nothing of order {order.order_id} has been shipped yet: ask again later"]
        )
    root = _document("DespatchAdvice", f"{order.order_id}-{sum(sku.shipped for _, sku in left)}")
    _add(root, "cbc:IssueDate", at.date())
    _reference(root, order)
    _party(root, "cac:DespatchSupplierParty", "C2M")
    _party(root, "cac:DeliveryCustomerParty", merchant_id)
    for number, sku in left:
        line = _add(root, "cac:DespatchLine")
        _add(line, "cbc:ID", number)
        _add(line, "cbc:DeliveredQuantity", sku.shipped, unitCode=PIECE)
        _add(line, "cbc:OutstandingQuantity", max(0, sku.quantity - sku.shipped), unitCode=PIECE)
        _add(_add(line, "cac:OrderLineReference"), "cbc:LineID", number)
        _item(line, sku)
    return root


def _code(order: OrderWhole) -> str:
    if order.state == "cancelled":
        return _REJECTED
    if order.promise is None:
        return _SEEN
    return _CHANGED if order.promise.promised_on > order.due_on else _ACCEPTED


def _document(name: str, own_id: str) -> Element:
    """A new document with version and id."""
    space = DOCUMENT.format(name)
    root = etree.Element(f"{{{space}}}{name}", nsmap={None: space, "cac": CAC, "cbc": CBC})
    _add(root, "cbc:UBLVersionID", "2.3")
    _add(root, "cbc:ID", own_id)
    return root


def _add(parent: Element, name: str, value: object = None, **attributes: str) -> Element:
    prefix, _, local = name.partition(":")
    made = etree.SubElement(parent, f"{{{CAC if prefix == 'cac' else CBC}}}{local}", attributes)
    made.text = None if value is None else str(value)
    return made


def _reference(root: Element, order: OrderWhole) -> None:
    reference = _add(root, "cac:OrderReference")
    _add(reference, "cbc:ID", order.code or order.order_id)
    _add(reference, "cbc:SalesOrderID", order.order_id)


def _party(root: Element, name: str, party_id: str) -> None:
    party = _add(_add(root, name), "cac:Party")
    _add(_add(party, "cac:PartyIdentification"), "cbc:ID", party_id)


def _item(line: Element, sku: SkuOut) -> None:
    _add(_add(_add(line, "cac:Item"), "cac:BuyersItemIdentification"), "cbc:ID", sku.sku_id)
