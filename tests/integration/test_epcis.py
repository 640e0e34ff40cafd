"""EPCIS 2.0 events out of scans and receipts: valid by GS1's schema, found page by page, each party's own."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import httpx
import pandas as pd
import pytest
from api_kit import Caller
from ledger_kit import job
from schemas_kit import epcis_schema
from test_merchant_api import NOW, served  # noqa: F401 - fixture
from warehouse_world import land

from c2m.doors import App
from c2m.feeds import landing
from c2m.rooms.epcis import names

GTIN = "4006381333931"
STEPS = ("cut", "sew", "inspect", "pack", "ship")
START = datetime.fromisoformat("2026-01-06T08:00:00")


def scan(n: int, number: int, operation: str, **more: Any) -> dict[str, Any]:
    """A scan of the job order at factory n."""
    at = START + timedelta(hours=number)
    who = {"factory_id": f"F{n}", "scan_id": f"s{number}", "job_order_id": job(f"F{n}").job_order_id}
    what = {"sku_id": f"S{n}-M", "operation": operation, "quantity": 40, "defects": 0, "line_id": "LN1"}
    return who | what | {"bundle_id": None, "at": at, "received_at": at + timedelta(minutes=1)} | more


@pytest.fixture(scope="module")
def told(served: App) -> Iterator[App]:  # noqa: F811
    """Factories F1 and F2 have scanned a batch of M1 and M2 through all steps; M1 has received some of it."""
    rows = [scan(n, number, name) for n in (1, 2) for number, name in enumerate(STEPS)]
    rows += [scan(1, 7, "sew", defects=3, quantity=5), scan(1, 8, "sew"), scan(1, 9, "pack", bundle_id="B7")]
    landing.land_frame("scans", pd.DataFrame(rows))
    fix = scan(1, 12, "sew", quantity=4, corrects="s7")
    landing.land_frame("scan_corrections", pd.DataFrame([fix]))
    aside = {"factory_id": "F1", "scan_id": "s8", "reason": "twice", "actor": "ops", "received_at": START}
    landing.land_frame("scan_set_asides", pd.DataFrame([aside]))
    came = {"merchant_id": "M1", "receipt_id": "R1", "location_id": "W1", "sku_id": "S1-M", "quantity": 38}
    came |= {"lost_quantity": 2, "received_at": START + timedelta(days=3), "known_at": START + timedelta(days=3)}
    empty = {"material_id": None, "shipment_id": None, "purchase_order_id": None}
    land("receipts", [came | empty | {"job_order_id": job("F1").job_order_id}])
    yield served


def events(answer: httpx.Response) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    return answer.json()["epcisBody"]["queryResults"]["resultsBody"]["eventList"]


@pytest.fixture
def merchant(told: App) -> Caller:
    return Caller(told, "merchant", "M1")


def ask(caller: Caller, query: str = "", **more: Any) -> httpx.Response:
    return caller.call("GET", f"/events{query}", below="/epcis", **more)


def test_each_step_of_a_batch_is_an_event(merchant: Caller) -> None:
    found = events(ask(merchant))
    goods = [one for one in found if one["disposition"] not in ("non_conformant", "urn:c2m:disposition:lost")]
    steps = [(one["type"], one["bizStep"]) for one in goods]
    assert steps == [
        ("TransformationEvent", "creating_class_instance"),
        ("ObjectEvent", "urn:c2m:bizstep:sew"),
        ("ObjectEvent", "inspecting"),
        ("AggregationEvent", "packing"),
        ("ObjectEvent", "shipping"),
        ("ObjectEvent", "urn:c2m:bizstep:sew"),
        ("ObjectEvent", "urn:c2m:bizstep:sew"),
        ("AggregationEvent", "packing"),
        ("ObjectEvent", "urn:c2m:bizstep:sew"),
        ("ObjectEvent", "receiving"),
    ]
    assert goods[0]["outputQuantityList"] == [{"epcClass": "urn:c2m:goods:M1:L1:S1-M", "quantity": 40}]
    assert goods[7]["parentID"] == "urn:c2m:pack:F1:B7"
    assert goods[4]["destinationList"] == [{"type": "possessing_party", "destination": "urn:c2m:party:M1"}]
    assert (goods[9]["bizLocation"]["id"], goods[9]["quantityList"][0]["quantity"]) == ("urn:c2m:place:M1:W1", 38)
    assert goods[9]["bizTransactionList"][0] == {"type": "po", "bizTransaction": "urn:c2m:order:O1"}
    lost = [one["quantityList"][0]["quantity"] for one in found if one not in goods]
    assert sorted(lost) == [2, 3]


def test_what_was_corrected_or_set_aside_stays_and_says_so(merchant: Caller) -> None:
    found = {one["eventID"]: one for one in events(ask(merchant))}
    declared = [one for one in found.values() if "errorDeclaration" in one]
    sewn = {one["quantityList"][0]["quantity"]: one["errorDeclaration"] for one in declared}
    assert sewn.keys() == {5, 3, 40}
    assert (sewn[40]["reason"], sewn[5]["reason"], sewn[3]["reason"]) == ("did_not_occur", *["incorrect_data"] * 2)
    (right,) = sewn[5]["correctiveEventIDs"]
    assert found[right]["quantityList"][0]["quantity"] == 4 and "correctiveEventIDs" not in sewn[3]


@pytest.mark.parametrize(("role", "tenant"), [("merchant", "M1"), ("factory", "F1")])
def test_a_document_is_valid_by_the_schema_of_gs1(
    told: App, role: str, tenant: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    schema = epcis_schema(tmp_path_factory.getbasetemp())
    caller = Caller(told, role, tenant)
    answer = ask(caller, headers={"accept": "application/ld+json"})
    assert answer.headers["content-type"] == "application/ld+json"
    assert [error.message for error in schema.iter_errors(answer.json())] == []
    assert len(events(answer)) >= 10 and answer.json()["@context"][0].startswith("https://ref.gs1.org/")
    alone = ask(caller, f"/{events(answer)[0]['eventID']}")
    assert [error.message for error in schema.iter_errors(alone.json())] == []
    broken = answer.json()
    broken["epcisBody"]["queryResults"]["resultsBody"]["eventList"][1]["action"] = "SEEN"
    assert list(schema.iter_errors(broken)) != []


def test_pages_follow_each_other_without_a_gap(merchant: Caller) -> None:
    whole = [one["eventID"] for one in events(ask(merchant))]
    assert len(set(whole)) == len(whole)
    seen, query = [], "?perPage=3&EQ_bizStep=packing,shipping,receiving,urn:c2m:bizstep:sew"
    while query:
        answer = ask(merchant, query)
        assert len(events(answer)) <= 3
        seen += [one["eventID"] for one in events(answer)]
        link = answer.headers.get("link", "")
        assert not link or link.endswith('>; rel="next"')
        query = link[len("</epcis/events") :].partition(">")[0]
    assert seen == [one["eventID"] for one in events(ask(merchant)) if one["bizStep"] not in
                    ("creating_class_instance", "inspecting")]  # fmt: skip


def test_filters_keep_what_they_name(merchant: Caller) -> None:
    whole = events(ask(merchant))
    early = events(ask(merchant, "?GE_eventTime=2026-01-06T09:00:00Z&LT_eventTime=2026-01-06T10:00:00%2B00:00"))
    assert [one["eventTime"] for one in early] == ["2026-01-06T09:00:00.000Z"]
    assert len(events(ask(merchant, "?MATCH_anyEPCClass=urn:c2m:goods:M1:L1:S1-M"))) == len(whole)
    assert events(ask(merchant, "?MATCH_anyEPCClass=urn:c2m:goods:M2:L2:S2-M")) == []
    packs = events(ask(merchant, "?eventType=AggregationEvent"))
    assert {one["type"] for one in packs} == {"AggregationEvent"} and len(packs) == 2
    late = events(
        ask(merchant, "?GE_recordTime=2026-01-09T00:00:00Z&EQ_bizStep=https://ref.gs1.org/cbv/BizStep-receiving")
    )
    assert {one["disposition"] for one in late} == {"available", "urn:c2m:disposition:lost"}


def test_what_cannot_be_asked_is_refused_with_every_fault(merchant: Caller) -> None:
    answer = ask(merchant, "?EQ_action=ADD&perPage=0&GE_eventTime=soon")
    assert answer.headers["content-type"] == "application/problem+json"
    assert {one["at"] for one in answer.json()["faults"]} == {"query.EQ_action", "query.perPage", "query.GE_eventTime"}
    assert ask(merchant, "?nextPageToken=abc").json()["type"] == "no-such-page"


def test_each_party_is_told_its_own(told: App, merchant: Caller) -> None:
    factory, other = Caller(told, "factory", "F1"), Caller(told, "merchant", "M2")
    own = {one["eventID"] for one in events(ask(factory))}
    assert own == {one["eventID"] for one in events(ask(merchant)) if one["bizStep"] != "receiving"}
    assert ":LN1" in ask(factory).text and ":LN1" not in ask(merchant).text
    theirs = ask(other)
    assert len(events(theirs)) == len(STEPS) and not own & {one["eventID"] for one in events(theirs)}
    assert not [mark for mark in ("M1", "F1", "O1", "L1", "S1-") if mark in theirs.text]
    assert ask(other, f"/{min(own)}").json()["type"] == "no-such-event"
    assert ask(Caller(told)).status_code == 401
    assert ask(Caller(told, "operator")).json()["type"] == "not-a-merchant"


def test_a_gtin_makes_a_digital_link_and_a_wrong_one_does_not() -> None:
    assert names.goods("M1", "L1", "K", GTIN) == f"https://id.gs1.org/01/0{GTIN}/10/L1"
    assert (
        names.goods("M1", "L1", "K", GTIN[:-1] + "2") == names.goods("M1", "L1", "K", None) == "urn:c2m:goods:M1:L1:K"
    )
    long = names.goods("M1", "L" * 40, "K", GTIN).rpartition("/")[2]
    assert len(long) == 20
