"""The pages of operations on a real server: what is found, decided, exported, and live from the floor."""

import csv
import io
import re
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute
from ledger_kit import job_orders_of
from python_calamine import CalamineWorkbook
from rooms_kit import MARKS, UNKIND, WAITING
from sqlalchemy import update

from c2m import clock
from c2m.floor.collect import Arrival, commit
from c2m.ledger import plans
from c2m.ledger.store import EVERYONE, reading, session
from c2m.ledger.tables import JobOrder, Order
from c2m.rooms import measures
from c2m.rooms.app import ROOMS
from c2m.rooms.scoped import View
from c2m.wire.messages import Scan, compose, factory_source, topic

PERSONS = (
    ("operator", ""),
    ("auditor", ""),
    ("merchant", "M1"),
    ("merchant", "M2"),
    ("factory", "F1"),
    ("factory", "F2"),
)
FOREIGN = {"M1": "M2", "M2": "M1", "F1": "F2", "F2": "F1"}


def csrf(client: httpx.Client, path: str) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', client.get(path).text)
    assert found
    return found[1]


def addresses() -> list[tuple[str, str]]:
    """Every address of the site, with each id that the home knows in each place."""
    jobs = [job.job_order_id for job in job_orders_of()]
    known = ("O1", "O2", "L1", "L2", "M1", "M2", "F1", "F2", *jobs, WAITING.plan_id, "csv", "no-such", "..%2f", "%00")
    found = []
    for route in [route for room in ROOMS for route in room.routes.routes if isinstance(route, APIRoute)]:
        methods, path = route.methods, route.path
        if "{" in path and not path.startswith("/live"):
            paths = {re.sub(r"{[^}]+}", one, path) for one in known}
        else:
            paths = {path.replace("{order_id}", "no-such")}
        found += [(method, one) for method in methods & {"GET", "POST"} for one in sorted(paths)]
    return found


@pytest.mark.parametrize(("role", "tenant"), PERSONS)
def test_no_address_shows_a_row_of_another_tenant_or_fails(browser: Callable, role: str, tenant: str) -> None:
    client, home = browser(role, tenant), {"merchant": "/merchant", "factory": "/factory"}.get(role, "/")
    token = csrf(client, home)
    shown = ""
    for method, path in addresses():
        if path == "/out" or (method == "POST" and role == "operator"):
            continue
        answer = client.request(method, path, data={"csrf": token, "reason": "x"} if method == "POST" else None)
        assert answer.status_code < 500, (method, path, answer.text)
        shown += answer.text
    foreign = [mark for mark in MARKS.get(FOREIGN.get(tenant, ""), ()) if mark in shown]
    assert foreign == [], [shown[shown.index(mark) - 200 :][:300] for mark in foreign]
    assert not tenant or MARKS[tenant][0] in shown or MARKS[tenant][1] in shown  # else the test would see nothing


def test_orders_are_found_by_what_people_call_them(browser: Callable) -> None:
    client = browser("operator")
    for text, found in (("po-of-m2", {"PO-of-M2"}), ("Shirt of", {"PO-of-M1"}), ("red", {"PO-of-M1", "PO-of-M2"})):
        page = client.get("/orders", params={"text": text}).text
        assert set(re.findall(r">\s*(PO-of-M\d)\s*</a>", page)) == found
    assert "No order fits" in client.get("/orders", params={"text": "%"}).text  # a sign is a sign
    ordered = [client.get(f"/orders?sort=code&down={down}").text for down in ("true", "false")]
    assert [re.findall(r">\s*(PO-of-M\d)\s*</a>", page)[0] for page in ordered] == ["PO-of-M2", "PO-of-M1"]
    assert client.get("/orders?page=0").status_code == 404


def test_orders_go_to_excel_and_csv_as_text(browser: Callable) -> None:
    client = browser("operator")
    rows = list(csv.DictReader(io.StringIO(client.get("/orders.csv?sort=code").text.removeprefix("\ufeff"))))
    assert [(row["code"], row["style_name"], row["due_on"]) for row in rows] == [
        ("PO-of-M1", "Shirt of M1", "2026-01-20"),
        ("PO-of-M2", UNKIND, "2026-01-20"),
    ]
    book = CalamineWorkbook.from_filelike(io.BytesIO(client.get("/orders.xlsx?sort=code").content))
    head, *cells = book.get_sheet_by_index(0).to_python()
    assert [dict(zip(head, row, strict=True))["pieces"] for row in cells] == [1000, 1000]


def test_a_plan_is_decided_by_who_may_with_a_reason_once(browser: Callable) -> None:
    path, operator = f"/plans/{WAITING.plan_id}", browser("operator")
    asked = {"decision": "release", "without": "L2"}
    auditor = browser("auditor")
    assert auditor.post(path, data={**asked, "reason": "x", "csrf": csrf(auditor, "/")}).status_code == 404
    assert "reject" not in auditor.get(path).text.lower()
    form: dict[str, Any] = {**asked, "csrf": csrf(operator, path)}
    refused = operator.post(path, data={**form, "reason": "  "})
    assert (refused.status_code, "needs a reason" in refused.text) == (409, True)
    both = operator.post(path, data={**form, "decision": "reject", "reason": "too dear"})
    assert (both.status_code, "as a whole" in both.text, "too dear" in both.text) == (409, True, True)
    assert 'value="L2" checked' in both.text  # what was ticked stays so: else the next button would release it
    assert operator.post(path, data={**form, "reason": "L2 waits for cloth"}).status_code == 303
    with reading() as s:
        made = plans.standing(s, WAITING.plan_id).decision
        assert made and (made.actor, made.reason, made.without_lots) == ("somebody", "L2 waits for cloth", ["L2"])
    again = operator.post(path, data={**form, "decision": "reject", "reason": "too late"})
    assert (again.status_code, "released" in again.text) == (409, True)


def test_a_scan_is_on_the_open_page_within_two_seconds(browser: Callable) -> None:
    client, job = browser("merchant", "M1"), next(job for job in job_orders_of("F1") if job.lot_id == "L1")
    of_job = {"job_order_id": job.job_order_id}
    assert browser("merchant", "M2").get("/live/O1").status_code == 404
    with client.stream("GET", "/live/O1", timeout=10) as stream:
        lines = (line for line in stream.iter_lines() if line.startswith("data: "))
        assert next(lines) == f'data: {{"{job.job_order_id}": {{}}}}'
        for scans, sewn in ((("s1",), 30), (("s1", "s2"), 60)):  # s1 comes again, as QoS 1 lets it
            begun, at = time.monotonic(), clock.now()
            said = [Scan(**of_job, scan_id=one, sku_id="K0", operation="sew", quantity=30, at=at) for one in scans]
            commit([Arrival(topic("F1", "scans"), compose(said, factory_source("F1"), at).body(), lambda _: None)], at)
            assert next(lines) == f'data: {{"{job.job_order_id}": {{"sew": {sewn}}}}}'
            assert time.monotonic() - begun < 2


def test_operations_speak_in_the_room_of_an_order_and_an_auditor_only_reads(browser: Callable) -> None:
    planner, auditor, merchant = browser("operator"), browser("auditor"), browser("merchant", "M1")
    told = {"csrf": csrf(planner, "/orders/O1"), "nonce": "n1", "said": "<b>Cloth</b> comes on Monday"}
    for _ in range(2):  # the same form sent twice is said once
        assert planner.post("/orders/O1/posts", data=told).status_code == 303
    own = csrf(auditor, "/orders")
    assert auditor.post("/orders/O1/posts", data=told | {"csrf": own}).status_code == 404
    for page in (planner.get("/orders/O1"), auditor.get("/orders/O1"), merchant.get("/merchant/orders/O1")):
        assert page.text.count("&lt;b&gt;Cloth&lt;/b&gt; comes on Monday") == 1
    assert 'name="said"' not in auditor.get("/orders/O1").text
    assert planner.post("/orders/no-such/posts", data=told).status_code == 404


def test_an_order_is_delivered_when_what_its_factories_shipped_has_come_not_when_that_is_noticed(site: str) -> None:
    now = clock.now()
    today = clock.business_date(now)
    dates = {"placed_on": today - timedelta(days=20), "due_on": today - timedelta(days=10)}
    with session() as s:
        s.execute(update(Order).where(Order.order_id == "O1").values(state="closed", closed_at=now, **dates))
        for way, seen in ((0, (8.0, 1.0)), (3, (11.0, 0.0))):
            shipped = {"state": "Ended", "ended_at": now - timedelta(days=12), "transit_days": way}
            s.execute(update(JobOrder).where(JobOrder.order_id == "O1").values(**shipped))
            found = {one.name: one.value for one in measures.all_of(s, View(EVERYONE))}
            assert (found["lead_time"], found["on_time_in_full"]) == seen
        s.rollback()
