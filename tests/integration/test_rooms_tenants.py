"""The rooms of a merchant and a factory on a real server: what each sees, says and asks for, and nobody else does."""

import json
import re
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from time import monotonic
from typing import Any

import httpx
import pytest
from ledger_kit import answer, job, lot_row, order_row, record, release, sku_rows
from rooms_kit import served
from warehouse_world import build, land, sku

from c2m import clock
from c2m.feeds import landing
from c2m.ledger import orders, store
from c2m.ledger.conversation import changes
from c2m.ledger.rooms import tickets
from c2m.ledger.store import session
from c2m.ledger.tables import DeadLetter, Inbox, JobOrder
from c2m.rooms import links
from c2m.warehouse import published
from optimization.book.daily_instance import merchant_lots

DAY = date(2026, 1, 5)
NOW = datetime.fromisoformat("2026-01-05T08:00:00+00:00")
SIZES = ("S", "M", "L")
UNKIND = "<b>Where is my batch?</b>"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A served home: merchants M1 and M2 with a catalogue and an order each, made by F1 and F2; the clock stands."""
    with served(tmp_path_factory.mktemp("rooms"), _fill) as address:
        yield address


def _fill() -> None:
    clock.set_now(NOW)
    known = NOW - timedelta(days=1)
    plain = known.replace(tzinfo=None)
    for n in (1, 2):
        owner = {"merchant_id": f"M{n}", "style_id": f"S{n}", "style_name": f"Shirt of M{n}", "category": "tops"}
        land("catalogue", [sku(f"S{n}-{size}", known_at=plain, **owner) for size in SIZES])
        header = {"merchant_id": f"M{n}", "order_id": f"O{n}", "order_code": f"PO-of-M{n}", "known_at": plain}
        dates = {"placed_on": date(2026, 1, 1), "due_on": date(2026, 1, 20), "currency": "EUR"}
        land("merchant_orders", [header | dates | {"tolerance_share": 0.02, "status": "open"}])
        line = {"merchant_id": f"M{n}", "order_id": f"O{n}", "order_line_id": "#1", "known_at": plain}
        land("merchant_order_lines", [line | {"sku_id": f"S{n}-{size}", "quantity": 300} for size in SIZES])
        days = [{"factory_id": f"F{n}", "day": DAY + timedelta(days=i), "minutes": 9600.0} for i in range(5)]
        land("factory_calendar", [one | {"overtime_minutes": 0.0, "known_at": plain} for one in days])
        skill = {"factory_id": f"F{n}", "kind": "category", "name": "tops", "efficiency": 0.8, "known_at": plain}
        land("factory_capabilities", [skill])
        land("factories", [_factory(f"F{n}") | {"known_at": plain}])
    land(
        "market_forecasts",
        [row for n in (1, 2) for row in (*_told(f"M{n}", f"tops of M{n}"), *_told("", f"tops of M{n}"))],
    )
    owners = {n: {"merchant_id": f"M{n}", "order_id": f"O{n}"} for n in (1, 2)}
    headers = [order_row(f"O{n}", order_code=f"PO-of-M{n}", merchant_id=f"M{n}") for n in owners]
    lots = [
        lot_row(f"L{n}", 900, style_id=f"S{n}", style_name=f"Shirt of M{n}", **owner) for n, owner in owners.items()
    ]
    skus = [row | {"sku_id": f"S{n}-{SIZES[i]}"} for n in owners for i, row in enumerate(sku_rows(f"L{n}", (300,) * 3))]
    record(headers, lots, skus)
    release(("L1", "F1", 900), ("L2", "F2", 900))


def _told(merchant_id: str, category: str) -> list[dict[str, Any]]:
    """A week ahead of a category, and all weeks together."""
    key = {"source": "own" if merchant_id else "panel", "merchant_id": merchant_id, "category": category, "weeks": 1}
    key |= {"currency": "EUR", "measure": "volume", "known_until": DAY, "business_date": DAY, "model_version": "1"}
    key |= {"known_at": NOW.replace(tzinfo=None), "mean": 120.0, "week": DAY + timedelta(days=7)}
    key |= {f"q{level}": float(100 + int(level)) for level in ("05", "10", "25", "50", "75", "90", "95")}
    return [key, key | {"week": None, "before": 110.0, "rise_chance": 0.85}]


def _factory(factory_id: str) -> dict[str, Any]:
    place = {"country": "CN", "latitude": 23.1, "longitude": 113.3, "timezone": "Asia/Shanghai", "currency": "EUR"}
    size = {"lines": 1, "operators": 20, "min_lot": 100, "handling_days": 1, "small_order_willingness": 1.0}
    money = {"minute_cost": 0.06, "overtime_minute_cost": 0.09, "setup_cost": 20, "engagement_cost": 10}
    rest = {"setup_minutes": 60.0, "transport": "http", "status": "active"}
    return {"factory_id": factory_id} | place | size | money | rest


class Browser:
    """A person who is signed in."""

    def __init__(self, site: str, role: str, tenant: str) -> None:
        token, _ = links.give(role, tenant, f"Lee of {tenant}", 1, "test")  # type: ignore[arg-type]
        self.client = httpx.Client(base_url=site, trust_env=False, timeout=30)
        assert self.client.post("/in", data={"token": token}).status_code == 303

    def see(self, path: str) -> str:
        answer = self.client.get(path)
        assert answer.status_code == 200, (path, answer.status_code)
        return answer.text

    def send(self, path: str, seen_at: str, **fields: str) -> httpx.Response:
        """Sends a form with what hides in the page that it stands on."""
        csrf = re.search(r'name="csrf" value="([^"]+)"', self.see(seen_at))
        assert csrf
        return self.client.post(path, data={"csrf": csrf[1], "nonce": fields.pop("nonce", "n"), **fields})


@pytest.fixture
def enter(site: str) -> Iterator[Callable[[str, str], Browser]]:
    browsers: list[Browser] = []

    def enter(role: str, tenant: str) -> Browser:
        browsers.append(Browser(site, role, tenant))
        return browsers[-1]

    yield enter
    for browser in browsers:
        browser.client.close()


def job_path(factory_id: str) -> str:
    return f"/factory/job-orders/{job(factory_id).job_order_id}"


def test_every_page_shows_the_tenants_own_alone(enter: Callable[..., Browser]) -> None:
    pages = {
        "merchant": [
            "/merchant",
            "/merchant/orders/O{n}",
            "/merchant/new?style=S{n}",
            "/merchant/shelf",
            "/merchant/voices",
            "/merchant/coming",
            "/merchant/market",
            "/merchant/designs",
        ],
        "factory": ["/factory", "{job}", "/factory/load", "/factory/score", "/factory/terms"],
    }
    pages["merchant"].append("/merchant/catalogue")
    for role, (own, other) in {"merchant": ("1", "2"), "factory": ("1", "2")}.items():
        person = enter(role, f"{role[0].upper()}{own}")
        for path in pages[role]:
            seen = person.see(path.format(n=own, job=job_path(f"F{own}")))
            assert f"of M{other}" not in seen and f"S{other}-" not in seen and f"F{other}" not in seen, path
    assert "Shirt of M1" in enter("merchant", "M1").see("/merchant")
    assert "Shirt of M1" in enter("factory", "F1").see("/factory")
    assert enter("merchant", "M1").see("/merchant/market").count("tops of M1") == 2  # its own, and what others tell


def test_nobody_reaches_what_is_anothers(enter: Callable[..., Browser]) -> None:
    mine, theirs = job_path("F1"), job_path("F2")
    merchant, factory, operator = enter("merchant", "M1"), enter("factory", "F1"), enter("operator", "")
    form = {"said": "x", "kind": "date", "due_on": "2026-02-01", "act": "refuse", "reason": "x", "operation": "cut"}
    cases = [(merchant, "/merchant/orders/O1", "/merchant/orders/O2", ("", "/posts", "/changes"))]
    cases += [(factory, mine, theirs, ("", "/answers", "/reports", "/posts"))]
    cases += [(merchant, "/merchant", mine, ("", "/answers")), (factory, "/factory", "/merchant/orders/O1", ("",))]
    for person, home, path, ends in cases:
        for end in ends:
            answer = person.send(path + end, home, **form) if end else person.client.get(path)
            assert answer.status_code == 404, (path + end, answer.status_code)
    for path in ("/live/O2", "/merchant/orders/none"):
        assert merchant.client.get(path).status_code == 404
    assert operator.client.get("/merchant/orders/O1").status_code == 404
    assert job("F2").state == "Released" and job("F2").answered_revision == 0


@pytest.mark.parametrize(
    ("role", "tenant", "path"),
    [
        ("merchant", "M1", "/merchant/orders/O1/posts"),
        ("merchant", "M1", "/merchant/orders/O1/changes"),
        ("merchant", "M1", "/merchant/new"),
        ("factory", "F1", "/factory/calendar"),
        ("factory", "F1", "/factory/capabilities"),
    ],
)
def test_a_form_of_another_site_does_nothing(enter: Callable[..., Browser], role: str, tenant: str, path: str) -> None:
    fields = {"said": "forged", "kind": "cancel", "sure": "yes", "new_kind": "craft", "new_name": "forged"}
    answer = enter(role, tenant).client.post(path, data=fields | {"csrf": "guessed", "nonce": "n"})
    assert answer.status_code == 404
    with session() as s:
        assert tickets.of_orders(s, store.EVERYONE).empty
    assert "forged" not in enter(role, tenant).see("/factory/terms" if role == "factory" else "/merchant/orders/O1")


def test_what_is_said_in_a_room_its_parties_read(enter: Callable[..., Browser]) -> None:
    merchant = enter("merchant", "M1")
    for _ in range(2):  # the button pressed twice is one message
        sent = merchant.send("/merchant/orders/O1/posts", "/merchant/orders/O1", said=UNKIND, nonce="one")
        assert sent.status_code == 303
    for person, path in ((merchant, "/merchant/orders/O1"), (enter("factory", "F1"), job_path("F1"))):
        seen = person.see(path)
        assert seen.count("&lt;b&gt;Where is my batch?&lt;/b&gt;") == 1 and UNKIND not in seen
    assert "my batch" not in enter("merchant", "M2").see("/merchant/orders/O2")


def test_an_order_in_the_form_comes_in_by_its_feed(enter: Callable[..., Browser]) -> None:
    merchant = enter("merchant", "M1")
    pieces = {"style": "S1", "pieces-S1-S": "120", "pieces-S1-M": "", "pieces-S1-L": "80"}
    page = "/merchant/new?style=S1"
    assert merchant.send("/merchant/new", page, code="SUMMER", due_on="2025-01-01", **pieces).status_code == 400
    typed = merchant.send("/merchant/new", page, code="SUMMER", due_on="soon", **pieces)
    assert (typed.status_code, typed.text.count('value="120"'), typed.text.count('value="SUMMER"')) == (400, 1, 1)
    assert merchant.send("/merchant/new", page, act="quote", due_on="9999-12-31", **pieces).status_code == 400
    for _ in range(2):
        placed = merchant.send("/merchant/new", page, code="SUMMER", due_on="2026-02-01", **pieces)
        assert placed.status_code == 303
    assert "The next plan takes it up" in merchant.see(placed.headers["location"])
    assert enter("merchant", "M2").client.get(placed.headers["location"]).status_code == 404
    assert "SUMMER" in merchant.see("/merchant")
    headers = landing.latest("merchant_orders")
    header = headers[headers["order_code"].eq("SUMMER")].iloc[0]
    lines = landing.latest("merchant_order_lines")
    own = lines[lines["order_id"].eq(header["order_id"])]
    assert (header["merchant_id"], header["line_count"], header["total_quantity"]) == ("M1", 2, 200)
    assert dict(zip(own["sku_id"], own["quantity"], strict=True)) == {"S1-S": 120, "S1-L": 80}


def test_a_text_in_the_form_goes_on_each_piece_of_its_size(enter: Callable[..., Browser]) -> None:
    merchant, page = enter("merchant", "M1"), "/merchant/new?style=S1"
    form = {"style": "S1", "code": "NAMES", "due_on": "2026-02-01", "pieces-S1-S": "2", "pieces-S1-L": "80"}
    for wrong, told in (
        ({"own-S1-M": "Ada"}, "beside a size without pieces"),
        ({"own-S1-S": "Ada", "act": "quote"}, "A quote cannot say"),
        ({"own-S1-S": "a" * 201}, "could not be read"),
    ):
        seen = merchant.send("/merchant/new", page, **form | wrong)
        assert seen.status_code == 400 and told in seen.text and "<details open>" in seen.text
    for _ in range(2):
        assert merchant.send("/merchant/new", page, **form | {"own-S1-S": " Ada "}).status_code == 303
    headers, lines = landing.latest("merchant_orders"), landing.latest("merchant_order_lines")
    own = lines.merge(headers.query("order_code == 'NAMES'")[["order_id"]]).fillna({"personalisation": ""})
    told = own[["sku_id", "quantity", "personalisation"]].sort_values("sku_id").to_numpy().tolist()
    assert told == [["S1-L", 80, ""], ["S1-S", 2, '{"text": "Ada"}']]


def test_a_file_of_orders_shows_what_did_not_come_in(enter: Callable[..., Browser]) -> None:
    merchant = enter("merchant", "M1")
    columns = "merchant_id,order_id,placed_on,due_on,currency,tolerance_share,status"
    rows = [f"{who},{name},2026-01-02,2026-02-02,EUR,0.02,open" for who, name in (("M1", "FILE1"), ("M2", "FILE2"))]
    csrf = re.search(r'name="csrf" value="([^"]+)"', merchant.see("/merchant/new"))
    file = {"file": ("../../orders.csv", "\n".join([columns, *rows]) + "\n")}
    assert csrf
    answer = merchant.client.post("/merchant/files", data={"csrf": csrf[1], "feed": "merchant_orders"}, files=file)
    assert answer.status_code == 200
    assert "merchant-not-of-source" in answer.text
    known = set(landing.latest("merchant_orders")["order_id"])
    assert "FILE1" in known and "FILE2" not in known


def test_a_file_need_not_say_whose_it_is(enter: Callable[..., Browser]) -> None:
    merchant = enter("merchant", "M1")
    csrf = re.search(r'name="csrf" value="([^"]+)"', merchant.see("/merchant/new"))
    assert csrf
    brought = {
        "merchant_orders": "order_id,placed_on,due_on,currency\nSHORT,2026-01-02,2026-02-02,EUR\n",
        "merchant_order_lines": "order_id,sku_id,quantity\nSHORT,S1-M,150\n",
    }
    for feed, text in brought.items():
        file = {"file": (f"{'x' * 300}*[?]\x01.csv", text)}
        answer = merchant.client.post("/merchant/files", data={"csrf": csrf[1], "feed": feed}, files=file)
        assert (answer.status_code, "All of it has come in" in answer.text) == (200, True), answer.text
    assert "SHORT" in merchant.see("/merchant") and "Shirt of M1" in merchant.see("/merchant/orders/SHORT")


def test_a_factory_keeps_its_calendar_and_capabilities(enter: Callable[..., Browser]) -> None:
    factory, page = enter("factory", "F1"), "/factory/terms"
    day = f"{DAY}"
    changed = {f"minutes-{day}": "4800", f"overtime_minutes-{day}": "0", f"reason-{day}": "maintenance"}
    assert factory.send("/factory/calendar", page, **changed).status_code == 303
    skill = {"new_kind": "craft", "new_name": "laser", "new_efficiency": "0.7"}
    assert factory.send("/factory/capabilities", page, **skill).status_code == 303
    wrong = factory.send("/factory/capabilities", page, **skill | {"new_name": "wrong", "new_efficiency": "7"})
    assert wrong.status_code == 400 and "efficiency-range" in wrong.text
    days, skills = landing.latest("factory_calendar"), landing.latest("factory_capabilities")
    told = days[(days["factory_id"] == "F1") & (days["day"].astype(str).str[:10] == day)].iloc[0]
    assert (told["minutes"], told["reason"]) == (4800, "maintenance")
    assert set(skills.loc[skills["factory_id"] == "F1", "name"]) == {"tops", "laser"}
    assert (
        len(days[days["factory_id"] == "F2"]) == 5 and (days.loc[days["factory_id"] == "F2", "minutes"] == 9600).all()
    )


def test_what_a_factory_says_by_hand_is_what_its_machine_would_say(enter: Callable[..., Browser]) -> None:
    """F2 by hand, F1 by messages: afterwards ledger and scans hold the same of both, and no dead letter."""
    factory, page = enter("factory", "F2"), job_path("F2")
    assert factory.send(f"{page}/answers", page, act="finish").status_code == 409  # nothing was agreed
    assert factory.send(f"{page}/answers", page, act="refuse").status_code == 409  # without a reason
    assert factory.send(f"{page}/answers", page, act="accept").status_code == 303
    assert factory.send(f"{page}/answers", page, act="start").status_code == 303
    answer(job("F1"), 1, "NotAllowedToStart", True, at=NOW)
    answer(job("F1"), 2, "Running", at=NOW)
    same = ("state", "accepted", "revision", "confirmed_revision", "answered_revision", "sequence", "begun_at")
    assert [getattr(job("F2"), name) for name in same] == [getattr(job("F1"), name) for name in same]
    for _ in range(2):  # one report, sent twice
        told = {"operation": "cut", "good-S2-S": "40", "defects-S2-S": "2", "good-S2-M": "7", "nonce": "first"}
        assert factory.send(f"{page}/reports", page, **told).status_code == 303
    scans = landing.read_landed("scans").drop_duplicates("scan_id").sort_values("quantity")
    assert scans[["factory_id", "sku_id", "operation", "quantity", "defects"]].to_numpy().tolist() == [
        ["F2", "S2-M", "cut", 7, 0],
        ["F2", "S2-S", "cut", 40, 2],
    ]
    assert "47" in enter("merchant", "M2").see("/merchant/orders/O2")
    with session() as s:
        assert s.query(DeadLetter).count() == 0
        assert {row.type for row in s.query(Inbox)} == {"c2m.job-response"}


def test_a_scan_is_on_the_open_page_within_two_seconds(enter: Callable[..., Browser]) -> None:
    factory, page = enter("factory", "F2"), job_path("F2")
    with enter("merchant", "M2").client.stream("GET", "/live/O2") as stream:
        told = (json.loads(line[6:]) for line in stream.iter_lines() if line.startswith("data: "))
        next(told)
        sent = factory.send(f"{page}/reports", page, operation="pack", nonce="second", **{"good-S2-L": "11"})
        assert sent.status_code == 303
        begun = monotonic()
        assert next(told)[job("F2").job_order_id]["pack"] == 11
        assert monotonic() - begun < 2


@pytest.mark.long
def test_a_change_goes_to_plan_and_factory_and_comes_back_answered(enter: Callable[..., Browser]) -> None:
    merchant, page = enter("merchant", "M1"), "/merchant/orders/O1"
    factory, work = enter("factory", "F1"), job_path("F1")
    for act in ("accept", "start"):  # out of turn where another test has said so already
        factory.send(f"{work}/answers", work, act=act)
    assert job("F1").state == "Running"
    told = {"kind": "pieces", "pieces-S1-S": "100", "pieces-S1-M": "300", "pieces-S1-L": "300", "note": "less, please"}
    assert merchant.send(f"{page}/changes", page, nonce="cut", **told).status_code == 303
    assert "The next plan takes it in." in merchant.see(page)
    again = merchant.send(f"{page}/changes", page, nonce="cut2", **told | {"pieces-S1-M": "5"})
    assert again.status_code == 400
    clock.set_now(NOW + timedelta(days=1))
    _plan(DAY + timedelta(days=1))
    assert "A factory has been asked" in merchant.see(page)
    assert "asked for 700 pieces instead" in factory.see(work) and "less, please" in factory.see(work)
    assert factory.send(f"{work}/answers", work, act="accept", made="0").status_code == 303
    seen = merchant.see(page)
    assert "It is done." in seen
    with session() as s:
        assert s.get_one(JobOrder, job("F1").job_order_id).quantity == 700
        assert [state for state, _ in tickets.of_orders(s, store.EVERYONE)["history"].iloc[0]] == [
            "asked", "planned", "sent", "done",
        ]  # fmt: skip


def _plan(day: date) -> None:
    """What the flow `plan` does with the order book of a day before it solves."""
    build(day, "--select", "+merchant_order_book", "--exclude-resource-type", "test")
    published.publish(day)
    at = clock.now()
    with session() as s:
        book = published.read("merchant_order_book")
        own = merchant_lots(book[book["order_id"] == "O1"], published.read("skus"), orders.held(s))
        orders.record(s, *own, at)
        changes.ask(s, at)
        tickets.settle(s, at)
