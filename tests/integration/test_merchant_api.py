"""The merchant API without a day: orders once and only once, changes, forecast and stock, errors in words."""

import base64
import hmac
import json
import threading
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from api_kit import Caller
from ledger_kit import lot_row, order_row, record, release, sku_rows
from warehouse_world import land, sku

from c2m import clock
from c2m.doors import App
from c2m.feeds import landing
from c2m.floor.http import Client
from c2m.ledger.rooms import links, webhooks
from c2m.ledger.store import migrate, session
from c2m.rooms import app, limit
from c2m.rooms.api import calls, site
from c2m.rooms.tenants import changes
from c2m.settings import settings

NOW = datetime.fromisoformat("2026-01-05T08:00:00+00:00")
SIZES = ("S", "M", "L")
ORDER = {"code": "PO 7", "due_on": "2026-02-01", "lines": [{"sku_id": "S1-M", "quantity": 40}]}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """Merchants M1 and M2 with a catalogue, an order that is being made, and a forecast each; the clock stands."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("C2M_HOME", str(tmp_path_factory.mktemp("api")))
        settings.cache_clear()
        migrate()
        clock.set_now(NOW)
        for n in (1, 2):
            _fill(n)
        release(("L1", "F1", 900), ("L2", "F2", 900))
        yield app.create()
    settings.cache_clear()


def _fill(n: int) -> None:
    known = {"merchant_id": f"M{n}", "known_at": (NOW - timedelta(days=1)).replace(tzinfo=None)}
    land("catalogue", [sku(f"S{n}-{size}", style_name=f"Shirt of M{n}", style_id=f"S{n}", **known) for size in SIZES])
    dates = {"placed_on": date(2026, 1, 1), "due_on": date(2026, 1, 20), "currency": "EUR", "tolerance_share": 0.02}
    order = known | {"order_id": f"O{n}"}
    land("merchant_orders", [order | dates | {"status": "open", "order_code": f"PO-of-M{n}"}])
    land(
        "merchant_order_lines", [order | {"order_line_id": "#1", "sku_id": f"S{n}-{s}", "quantity": 300} for s in SIZES]
    )
    days = {"style_id": f"S{n}", "business_date": date(2026, 1, 4), "model_version": "1", "point": 1.0, "mean": 5.0 * n}
    levels = {f"q{level}": float(level) for level in ("05", "10", "25", "50", "75", "90", "95")}
    land("forecasts", [known | days | levels | {"ds": date(2026, 1, 5 + i), "horizon_day": i + 1} for i in range(3)])
    own = {"merchant_id": f"M{n}", "order_id": f"O{n}"}
    lot = lot_row(f"L{n}", 900, style_id=f"S{n}", style_name=f"Shirt of M{n}", **own)
    skus = [row | {"sku_id": f"S{n}-{SIZES[i]}"} for i, row in enumerate(sku_rows(f"L{n}", (300,) * 3))]
    record([order_row(f"O{n}", order_code=f"PO-of-M{n}", merchant_id=f"M{n}")], [lot], skus)


@pytest.fixture
def merchant(served: App) -> Caller:
    return Caller(served, "merchant", "M1")


def test_an_order_is_placed_once(merchant: Caller) -> None:
    first = merchant.post("/orders", ORDER, key="k1")
    assert merchant.post("/orders", ORDER, key="k1") == first == merchant.post("/orders", ORDER, key="k2")
    other = merchant.call("POST", "/orders", ORDER | {"due_on": "2026-02-02"}, key="k1")
    assert (other.status_code, other.json()["type"]) == (422, "key-reused")
    taken = merchant.call("POST", "/orders", ORDER | {"due_on": "2026-02-02"}, key="k3")
    assert (taken.status_code, taken.json()["type"]) == (409, "code-taken")
    rows = landing.read_landed("merchant_order_lines", order_id=first["order_id"])
    assert rows[["merchant_id", "sku_id", "quantity"]].to_numpy().tolist() == [["M1", "S1-M", 40]]
    seen = merchant.get(f"/orders/{first['order_id']}")
    assert (seen["state"], seen["waits_for"], seen["skus"][0]["quantity"]) == ("received", "plan", 40)
    assert seen["promise"] is None and seen["hears"] == {"after": "plan", "answer_by": None, "plan_on": "2026-01-06"}


def test_whoever_was_told_no_date_hears_when_one_will_be_told(merchant: Caller) -> None:
    whole = merchant.get("/orders/O1")
    (listed,) = (row for row in merchant.get("/orders")["orders"] if row["order_id"] == "O1")
    assert whole["promise"] is None and whole["hears"] == listed["hears"]
    assert (whole["hears"]["after"], whole["hears"]["plan_on"]) == ("answer", "2026-01-06")
    assert datetime.fromisoformat(whole["hears"]["answer_by"]) > NOW


def test_personalised_pieces_are_ordered_by_shopper(merchant: Caller) -> None:
    lines = [{"sku_id": "S1-M", "quantity": 3, "personalisation": {"name": name}} for name in ("王", "Ada")]
    order = {"code": "PO 8", "due_on": "2026-02-01", "lines": [{"sku_id": "S1-M", "quantity": 40}, *lines]}
    placed = merchant.post("/orders", order)
    assert merchant.post("/orders", order | {"lines": order["lines"][::-1]}) == placed  # under another key
    assert placed["quantity"] == 46
    rows = landing.read_landed("merchant_order_lines", order_id=placed["order_id"])
    told = rows[["quantity", "personalisation"]].fillna("").to_numpy().tolist()
    assert sorted(told) == [[3, '{"name": "Ada"}'], [3, '{"name": "王"}'], [40, ""]]
    twice = merchant.call("POST", "/orders", order | {"code": "Z", "lines": [lines[0], lines[0]]})
    assert twice.status_code == 422
    grant = links.Grant("l", "merchant", "M1", "ann", NOW)
    sent = changes.sent(grant, placed["order_id"])
    assert sent is not None
    wish = changes.pieces_wish(sent, {"S1-M": 45})
    assert wish is not None
    assert [fault["rule"] for fault in changes.ask(grant, sent, wish, "fewer", "n1")] == ["personalised"]


def test_errors_are_problem_documents_with_every_fault(merchant: Caller) -> None:
    bad = {"code": "", "due_on": "soon", "lines": [{"sku_id": "S1 M", "quantity": 0}]}
    answer = merchant.call("POST", "/orders", bad)
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert {"type", "title", "status", "detail", "faults"} == told.keys() and told[
        "status"
    ] == answer.status_code == 422
    assert {one["at"] for one in told["faults"]} == {
        "body.code",
        "body.due_on",
        "body.lines.0.sku_id",
        "body.lines.0.quantity",
    }
    unknown = merchant.call("POST", "/orders", ORDER | {"code": "X", "lines": [{"sku_id": "S2-M", "quantity": 1}]})
    assert (unknown.status_code, unknown.json()["type"]) == (422, "unknown-sku")
    past = merchant.call("POST", "/orders", ORDER | {"code": "Y", "due_on": "2025-01-01"})
    assert past.json()["faults"][0]["at"] == "due-before-placed"
    assert merchant.call("POST", "/quotes", {"lines": ORDER["lines"]}).json()["type"] == "no-quotes"


@pytest.mark.parametrize("kind", ["application/json", "application/xml"])
def test_of_nobody_more_is_read_than_fits(served: App, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limit, "MOST", 1000)
    answer = Caller(served).call("POST", "/orders", headers={"content-type": kind}, content=b"[" * 1001)
    assert (answer.status_code, answer.headers["content-type"]) == (413, "application/problem+json")


def test_only_a_merchants_token_that_holds_is_let_in(served: App) -> None:
    operator, nobody = Caller(served, "operator"), Caller(served)
    assert operator.call("GET", "/orders").status_code == 403
    answer = nobody.call("GET", "/orders")
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Bearer realm="C2M"')
    gone = Caller(served, "merchant", "M1")
    assert gone.call("GET", "/orders").status_code == 200
    with session() as s:
        links.revoke(s, [links.new_id(gone.token)], NOW)
    assert gone.call("GET", "/orders").status_code == 401


def test_a_merchant_sees_its_own_alone(served: App, merchant: Caller) -> None:
    for path in ("/orders", "/orders/O1", "/forecast", "/stock"):
        told = json.dumps(merchant.get(path))
        assert "M2" not in told and "S2" not in told and "O2" not in told, path
    for path in ("/orders/O2", "/orders/O2/changes", "/quotes/unknown"):
        assert merchant.call("GET", path).status_code == 404, path
    theirs = merchant.call("POST", "/orders/O2/changes", {"kind": "cancel"})
    assert theirs.status_code == 404
    broken = merchant.call("POST", "/orders/O1%0A/changes", {"kind": "cancel"})  # a line break fits no address at all
    assert (broken.status_code, broken.headers["content-type"]) == (404, "application/problem+json")
    assert {row["mean"] for row in merchant.get("/forecast")["demand"]} == {5.0}


def test_orders_come_page_by_page(merchant: Caller) -> None:
    seen, after = [], ""
    while True:
        page = merchant.get(f"/orders?limit=1{after}")
        seen += [row["order_id"] for row in page["orders"]]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert seen == [row["order_id"] for row in merchant.get("/orders")["orders"]] and len(set(seen)) == len(seen)


def test_a_change_is_asked_once_and_shown(merchant: Caller) -> None:
    wanted = {"kind": "pieces", "lines": [{"sku_id": "S1-S", "quantity": 100}], "dropped": ["S1-L"], "note": "less"}
    first = merchant.post("/orders/O1/changes", wanted, 202, key="c1")
    assert first == merchant.post("/orders/O1/changes", wanted, 202, key="c1")
    assert (first["kind"], first["state"], first["asked"]) == ("cut", "asked", {"S1-S": 100, "S1-L": 0})
    assert merchant.get("/orders/O1/changes") == [first]
    again = merchant.call("POST", "/orders/O1/changes", wanted | {"dropped": ["S1-M"]}, key="c2")
    assert (again.status_code, again.json()["type"]) == (409, "change-open")
    assert merchant.get("/orders/O1")["open_changes"] == 1


def test_the_document_is_the_one_in_docs() -> None:
    file = Path(__file__).parents[2] / "docs" / "merchants.openapi.json"
    written = json.loads(file.read_text(encoding="utf-8"))
    assert written == site.create().openapi(), "renew it: .venv/bin/python scripts/reference.py"
    assert written["openapi"].startswith("3.1")


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, list[tuple[Any, bytes]], list[int]]]:
    """A merchant's server: its address, what it was told, and the statuses that it answers with next."""
    calls: list[tuple[Any, bytes]] = []
    statuses: list[int] = []

    class Server(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            calls.append((self.headers, self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(statuses.pop(0) if statuses else 204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("C2M_ENDPOINT_HOSTS", '["127.0.0.1"]')
    settings.cache_clear()
    yield f"http://127.0.0.1:{server.server_port}/c2m", calls, statuses
    server.shutdown()
    thread.join()
    server.server_close()
    settings.cache_clear()


def test_events_are_called_signed_until_taken_and_can_be_asked_for_again(
    served: App, heard: tuple[str, list[tuple[Any, bytes]], list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, seen, statuses = heard
    merchant, other = Caller(served, "merchant", "M2"), Caller(served, "merchant", "M1")
    webhook = merchant.post("/webhooks", {"url": url}, key="w")
    assert merchant.post("/webhooks", {"url": url}, key="w") == webhook
    statuses += [500, 302]
    merchant.post("/orders/O2/changes", {"kind": "date", "due_on": "2026-03-01"}, 202)
    monkeypatch.setattr(webhooks, "_FIRST", timedelta(0))
    with Client() as client:
        while calls.round_of_calls(client):
            pass
    key = base64.b64decode(webhook["secret"].removeprefix("whsec_"))
    assert len(seen) == 3  # refused twice, then taken
    for headers, body in seen:
        over = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        expected = base64.b64encode(hmac.digest(key, over, "sha256")).decode()
        assert headers["webhook-signature"] == f"v1,{expected}"
    assert len({headers["webhook-id"] for headers, _ in seen}) == 1
    told = json.loads(seen[0][1])
    assert (told["type"], told["order_id"], told["data"]["kind"]) == ("change.asked", "O2", "date")
    replayed = merchant.get(f"/events?after={told['position'] - 1}")
    assert replayed["events"] == [told] and merchant.get(f"/events?after={replayed['next']}")["events"] == []
    assert all(event["order_id"] != "O2" for event in other.get("/events")["events"])
    assert other.call("DELETE", f"/webhooks/{webhook['webhook_id']}").status_code == 404
    assert merchant.call("DELETE", f"/webhooks/{webhook['webhook_id']}").status_code == 204
    assert merchant.get("/webhooks") == []


OURS = [
    "http://example.com/x",
    "https://127.0.0.1/x",
    "https://10.0.0.1/",
    "https://[::1]/",
    "https://[64:ff9b::7f00:1]/",
]
NONE = ["https://[bad", "https://8.8.8.8/\x01", "https://8.8.8.8:99999/", f"https://{'s' * 64}.example/"]


@pytest.mark.parametrize("url", [*OURS, *NONE])
def test_no_address_of_ours_is_called(merchant: Caller, url: str) -> None:
    answer = merchant.call("POST", "/webhooks", {"url": url})
    assert (answer.status_code, answer.json()["type"]) == (422, "url-refused")
