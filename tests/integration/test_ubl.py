"""UBL 2.3 at the addresses of orders: an Order in, OrderResponse and DespatchAdvice out, valid by OASIS's schemas."""

from typing import Any

import httpx
import pytest
from api_kit import Caller
from lxml import etree
from schemas_kit import ubl_schema
from sqlalchemy import update
from test_merchant_api import served  # noqa: F401 - fixture

from c2m.doors import App
from c2m.feeds import landing
from c2m.ledger.store import session
from c2m.ledger.tables import LotSku
from c2m.rooms.api import ubl, ubl_answers

XML = {"content-type": "application/xml"}
NAMES = {"cac": ubl.CAC, "cbc": ubl.CBC}
ORDER = """<?xml version="1.0" encoding="UTF-8"?>
<Order xmlns="urn:oasis:names:specification:ubl:schema:xsd:Order-2"
  xmlns:cac="urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2"
  xmlns:cbc="urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2">
  <cbc:UBLVersionID>2.3</cbc:UBLVersionID>
  <cbc:ID>PO 81</cbc:ID>
  <cbc:IssueDate>2026-01-05</cbc:IssueDate>
  <cac:BuyerCustomerParty/>
  <cac:SellerSupplierParty/>
  <cac:Delivery>
    <cac:DeliveryLocation><cac:Address><cac:LocationCoordinate>
      <cbc:LatitudeDegreesMeasure unitCode="DD">33</cbc:LatitudeDegreesMeasure>
      <cbc:LatitudeMinutesMeasure unitCode="MIN">30</cbc:LatitudeMinutesMeasure>
      <cbc:LatitudeDirectionCode>S</cbc:LatitudeDirectionCode>
      <cbc:LongitudeDegreesMeasure unitCode="DD">151.2</cbc:LongitudeDegreesMeasure>
    </cac:LocationCoordinate></cac:Address></cac:DeliveryLocation>
    <cac:RequestedDeliveryPeriod><cbc:EndDate>2026-02-01</cbc:EndDate></cac:RequestedDeliveryPeriod>
  </cac:Delivery>
  <cac:OrderLine><cac:LineItem>
    <cbc:ID>1</cbc:ID>
    <cbc:Quantity unitCode="C62">40</cbc:Quantity>
    <cac:Item><cac:BuyersItemIdentification><cbc:ID>S1-M</cbc:ID></cac:BuyersItemIdentification></cac:Item>
  </cac:LineItem></cac:OrderLine>
</Order>
"""


@pytest.fixture
def merchant(served: App) -> Caller:  # noqa: F811
    return Caller(served, "merchant", "M1")


def send(caller: Caller, document: str, key: str = "", **headers: str) -> httpx.Response:
    return caller.call("POST", "/orders", key=key, content=document.encode(), headers=XML | headers)


def valid(answer: httpx.Response, name: str) -> Any:
    """The document of an answer, by the schema of its kind."""
    assert answer.status_code in (200, 201), answer.text
    root = etree.fromstring(answer.content)
    schema = ubl_schema(name)
    assert schema.validate(root), schema.error_log
    return root


def test_an_order_of_ubl_is_placed_once_and_answered(merchant: Caller) -> None:
    ubl_schema("Order").assertValid(etree.fromstring(ORDER.encode()))
    answer = send(merchant, ORDER, key="u1")
    response = valid(answer, "OrderResponse")
    assert (answer.status_code, answer.headers["content-type"]) == (201, "application/xml")
    assert response.findtext("cac:OrderReference/cbc:ID", "", NAMES) == "PO 81"
    assert response.findtext("cbc:OrderResponseCode", "", NAMES) == "AB"
    assert send(merchant, ORDER, key="u1", accept="application/json").json()["code"] == "PO 81"
    order_id = response.findtext("cbc:SalesOrderID", "", NAMES)
    header = landing.read_landed("merchant_orders", order_id=order_id)
    places = header[["destination_latitude", "destination_longitude"]].to_numpy().tolist()
    lines = landing.read_landed("merchant_order_lines", order_id=order_id)
    assert (places, lines["quantity"].tolist(), merchant.get(f"/orders/{order_id}")["due_on"]) == (
        [[-33.5, 151.2]],
        [40],
        "2026-02-01",
    )


def test_an_order_by_json_and_the_same_by_ubl_are_one(merchant: Caller) -> None:
    line = {"sku_id": "S1-M", "quantity": 40}
    place = {"latitude": -33.5, "longitude": 151.2}
    wanted = {"code": "PO 82", "due_on": "2026-02-01", "lines": [line], "destination": place}
    first = merchant.post("/orders", wanted, key="both")
    again = send(merchant, ORDER.replace("PO 81", "PO 82"), key="both", accept="application/json")
    assert again.json() == first


PROPERTY = "<cac:AdditionalItemProperty><cbc:Name>{}</cbc:Name><cbc:Value>{}</cbc:Value></cac:AdditionalItemProperty>"


def test_what_makes_pieces_a_shoppers_own_is_a_property_of_their_item(merchant: Caller) -> None:
    own = PROPERTY.format("Colour", "red") + PROPERTY.format("name", "Ada")
    document = ORDER.replace("</cac:Item>", f"{own}</cac:Item>").replace("PO 81", "PO 83")
    ubl_schema("Order").assertValid(etree.fromstring(document.encode()))
    placed = send(merchant, document, accept="application/json").json()
    rows = landing.read_landed("merchant_order_lines", order_id=placed["order_id"])
    assert rows[["quantity", "personalisation"]].to_numpy().tolist() == [[40, '{"name": "Ada"}']]
    twice = send(merchant, document.replace("Colour", "name").replace("Ada", "").replace("PO 83", "PO 84")).json()
    assert {one["at"] for one in twice["faults"]} == {
        f"/*/cac:OrderLine/cac:LineItem/cac:Item/cac:AdditionalItemProperty[2]/cbc:{name}" for name in ("Name", "Value")
    }
    long = send(merchant, document.replace("Ada", "a" * 501)).json()
    assert [one["at"] for one in long["faults"]] == [
        "/*/cac:OrderLine/cac:LineItem/cac:Item/cac:AdditionalItemProperty"
    ]


def test_what_is_promised_and_what_has_left_is_told(merchant: Caller) -> None:
    asked = {"accept": ubl_answers.RESPONSE}
    valid(merchant.call("GET", "/orders/O1", headers=asked), "OrderResponse")
    early = merchant.call("GET", "/orders/O1", headers={"accept": ubl_answers.DESPATCH})
    assert (early.status_code, early.json()["type"]) == (409, "nothing-shipped")
    with session() as s:
        s.execute(update(LotSku).where(LotSku.lot_id == "L1", LotSku.sku_id == "S1-M").values(shipped=120))
    answer = merchant.call("GET", "/orders/O1", headers={"accept": ubl_answers.DESPATCH})
    advice = valid(answer, "DespatchAdvice")
    line = "cac:DespatchLine/cbc:{}Quantity"
    assert [advice.findtext(line.format(name), "", NAMES) for name in ("Delivered", "Outstanding")] == ["120", "180"]
    assert merchant.call("GET", "/orders/O1", headers={"accept": "text/html, */*"}).json()["order_id"] == "O1"
    stranger = merchant.call("GET", "/orders/O2", headers=asked)
    assert stranger.headers["content-type"] == "application/problem+json" and stranger.status_code == 404


def test_every_fault_of_a_document_is_told_by_its_xpath(merchant: Caller) -> None:
    changes = {"PO 81": "", "2026-02-01": "soon", ">40<": ">forty<", 'unitCode="C62"': 'unitCode="MTR"', ">30<": ">x<"}
    document = ORDER
    for old, new in changes.items():
        document = document.replace(old, new)
    answer = send(merchant, document)
    assert (answer.status_code, answer.json()["type"]) == (422, "document-refused")
    assert {one["at"] for one in answer.json()["faults"]} == {
        "/*/cbc:ID",
        "/*/cac:Delivery/cac:RequestedDeliveryPeriod/cbc:EndDate",
        "/*/cac:OrderLine/cac:LineItem/cbc:Quantity",
        "/*/cac:OrderLine/cac:LineItem/cbc:Quantity/@unitCode",
        "/*/cac:Delivery/cac:DeliveryLocation/cac:Address/cac:LocationCoordinate/cbc:LatitudeMinutesMeasure",
    }


SECRET = '<!DOCTYPE Order [<!ENTITY e SYSTEM "file:///etc/hostname">]>'
LAUGHS = '<!DOCTYPE Order [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>'


@pytest.mark.parametrize(
    "document",
    [
        ORDER.replace("<Order ", f"{SECRET}<Order ").replace("PO 81", "&e;"),
        ORDER.replace("<Order ", f"{LAUGHS}<Order ").replace("PO 81", "&b;"),
        ORDER[:500],
        "",
        "<Order/>",
        ORDER.replace("Order-2", "Invoice-2"),
        "<a>" * 100_000,
    ],
    ids=["entity of a file", "entities", "cut off", "nothing", "another namespace", "another document", "deep"],
)
def test_no_document_reaches_files_or_fails_us(merchant: Caller, document: str) -> None:
    answer = send(merchant, document)
    assert (answer.status_code, answer.json()["type"]) == (422, "document-refused"), answer.text
    assert send(merchant, " " * (ubl.MOST_BYTES + 1)).status_code == 413


def test_whose_order_it_is_says_the_token(served: App) -> None:  # noqa: F811
    party = "<cac:BuyerCustomerParty><cac:Party><cac:PartyIdentification><cbc:ID>M1</cbc:ID></cac:PartyIdentification>"
    document = ORDER.replace("<cac:BuyerCustomerParty/>", f"{party}</cac:Party></cac:BuyerCustomerParty>")
    answer = send(Caller(served, "merchant", "M2"), document)
    assert answer.json()["type"] == "unknown-sku"  # S1-M is of M1
    assert send(Caller(served), document).status_code == 401
