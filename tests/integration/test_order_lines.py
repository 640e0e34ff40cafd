"""Several lines of one SKU in an order: from the file to the order book, the ledger, the job order and the closing."""

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd
from feed_rows import good, write_csv, write_good_world
from ledger_kit import NOW, job, live_to, release, shipped
from warehouse_world import build

from c2m import clock
from c2m.feeds import quarantine
from c2m.feeds.ingest import ingest, readmit
from c2m.feeds.landing import read_landed
from c2m.feeds.world import World
from c2m.ledger import job_orders, orders, status, store
from c2m.ledger.store import Scope
from c2m.ledger.tables import Outbox
from c2m.rooms.api import ubl
from c2m.rooms.api.bodies import OrderIn
from c2m.rooms.pages import ordering
from c2m.rooms.tenants import placed
from c2m.warehouse import published
from c2m.why import chain
from optimization.book.daily_instance import merchant_lots

DAY = date(2026, 1, 6)
LATER = "2026-01-05T09:00:00Z"


UBL = """<Order xmlns="urn:oasis:names:specification:ubl:schema:xsd:Order-2"
  xmlns:cac="urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2"
  xmlns:cbc="urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2"><cbc:ID>by UBL</cbc:ID>
  <cac:Delivery><cac:RequestedDeliveryPeriod><cbc:EndDate>2026-02-01</cbc:EndDate></cac:RequestedDeliveryPeriod>
  </cac:Delivery><cac:OrderLine><cac:LineItem><cbc:ID>1</cbc:ID><cbc:Quantity>3</cbc:Quantity><cac:Item>
  <cac:BuyersItemIdentification><cbc:ID>{sku}</cbc:ID></cac:BuyersItemIdentification><cac:AdditionalItemProperty>
  <cbc:Name>name</cbc:Name><cbc:Value>Cy</cbc:Value></cac:AdditionalItemProperty></cac:Item></cac:LineItem>
  </cac:OrderLine></Order>"""

Line = dict[str, str]


def line(quantity: int, **changes: str) -> Line:
    return good("merchant_order_lines", quantity=str(quantity), **changes)


def world(tmp_path: Path, headers: Sequence[Line], *files: Sequence[Line]) -> None:
    """Each list of lines is a file; the files came in one after the other."""
    folder = tmp_path / "world"
    write_good_world(folder)
    write_csv(folder / "catalogue.csv", [good("catalogue", crafts="")])  # that every factory can be told
    write_csv(folder / "merchant_orders.csv", headers)
    for number, rows in enumerate(files):
        name = f"merchant_order_lines.{number}.csv" if number else "merchant_order_lines.csv"
        write_csv(folder / name, rows)
        ingest(World.load(folder))


def book() -> pd.DataFrame:
    build(DAY, "--select", "+merchant_order_book", "--exclude-resource-type", "test")
    published.publish(DAY)
    return published.read("merchant_order_book").sort_values(["sku_id", "order_line_id"])


def test_two_lines_of_one_sku_are_ordered_made_and_closed_as_two(home: Path, tmp_path: Path) -> None:
    world(tmp_path, [good("merchant_orders")], [line(100), line(200)])
    store.migrate()
    ordered = book()
    assert list(ordered["quantity"]) == [100, 200]
    with store.session() as session:
        skus = published.read("skus")
        orders.record(session, *merchant_lots(ordered, skus, orders.held(session)), NOW)
        lot_id = orders.open_lots(session).loc[0, "lot_id"]
    release((lot_id, "F1", 300))
    live_to("Running")
    assert job().quantity == 300
    for pieces, state in ((200, "in_production"), (291, "closed")):  # 3 % may be missing
        with store.session() as session:
            job_orders.apply_progress(session, shipped((job().job_order_id, "tee-red-M", pieces)), NOW)
            assert store.snapshot(session)["orders"]["state"].tolist() == [state]


def test_what_is_personalised_keeps_its_shopper_from_the_line_to_the_job_order(home: Path, tmp_path: Path) -> None:
    ada, bob = '{"name":"Ada","size": 41}', '{"name": "Bob\\n", "text": "\\u0000"}'  # a new line, NUL
    lines = [line(90), *(line(1, order_line_id=name, personalisation=ada) for name in "ab")]
    lines.append(line(1, order_line_id="c", personalisation=bob))
    wrong = [
        line(1, order_id="o2", order_line_id=f"x{at}", personalisation=text)
        for at, text in enumerate(("Ada", "[1]", "{}", '{"name": null}', '{"a": 1, "a": 2}'))
    ]
    headers = [good("merchant_orders"), good("merchant_orders", order_id="o2")]
    early = {"known_at": "2026-01-04T09:00:00Z"}  # before the plan's day ends
    world(tmp_path, headers, [one | early for one in (*lines, *wrong)])
    clock.set_now(datetime(2026, 1, 4, 9, tzinfo=UTC))
    scope, sku = Scope(merchant_id=lines[0]["merchant_id"]), lines[0]["sku_id"]
    by_ubl = OrderIn.model_validate(ubl.read(UBL.format(sku=sku).encode()))
    told = {"code": "by form", "due_on": "2026-02-01", f"pieces-{sku}": "4", f"own-{sku}": "Dan"}
    for new in (
        placed.PlacedOrder(by_ubl.code, by_ubl.due_on, by_ubl.pieces, own=by_ubl.own),
        ordering._asked(told, str(scope.merchant_id), [sku]),
    ):
        assert placed.place(scope, new) is None
    assert len(quarantine.read("merchant_order_lines")) == len(wrong)
    assert set(quarantine.read("merchant_order_lines")["rule"]) == {"personalisation-json"}
    store.migrate()
    ordered = book()
    with store.session() as session:
        status.register(session, "F1", 2, NOW)
        for again in (ordered, ordered[::-1]):  # the second time they are known
            orders.record(session, *merchant_lots(again, published.read("skus"), orders.held(session)), NOW)
        lots = orders.open_lots(session).set_index("lot_id")["quantity"].to_dict()
    assert sorted(lots.values()) == [1, 2, 3, 4, 90]
    release(*((lot_id, "F1", pieces) for lot_id, pieces in lots.items()))
    with store.session() as session:
        told = [one.payload["data"]["items"] for one in session.query(Outbox)]
        links = [link for lot_id in lots for link in chain.why(session, lot_id).links if link.name == "order lines"]
        assert [link.broken for link in links] == [[]] * len(lots)
    assert sorted((item["quantity"], str(item.get("personalisation"))) for (item,) in told) == [
        (1, "{'name': 'Bob ', 'text': ' '}"),
        (2, "{'name': 'Ada', 'size': '41'}"),
        (3, "{'name': 'Cy'}"),
        (4, "{'text': 'Dan'}"),
        (90, "None"),
    ]


# Lines of one order and SKU in files that came in one after the other, and the lines that hold.
CASES: dict[str, tuple[list[list[Line]], list[tuple[str, int]]]] = {
    "equal": ([[line(100), line(100)]], [("#1", 100), ("#2", 100)]),
    "a-later-file": ([[line(100), line(200)], [line(250, known_at=LATER)]], [("#1", 250)]),
    "a-line-cancelled": (
        [[line(100, order_line_id="a"), line(200, order_line_id="b")], [line(0, known_at=LATER, order_line_id="a")]],
        [("a", 0), ("b", 200)],
    ),
    "beside-an-id": (
        [[line(100), line(200, order_line_id="b")], [line(70, known_at=LATER)]],
        [("#1", 70), ("b", 200)],
    ),
    "the-same-file-longer": ([[line(100)], [line(100), line(200)]], [("#1", 100), ("#2", 200)]),
    "versions-in-a-file": ([[line(100), line(200, known_at=LATER)]], [("#1", 200)]),
}


def test_what_lines_hold(home: Path, tmp_path: Path) -> None:
    headers = [good("merchant_orders", order_id=order_id) for order_id in CASES]
    files = [
        [row | {"order_id": name} for name, (parts, _) in CASES.items() for part in parts[number:][:1] for row in part]
        for number in range(2)
    ]
    world(tmp_path, headers, *files)
    assert quarantine.read("merchant_order_lines").empty
    held = book().groupby("order_id")[["order_line_id", "quantity"]]
    seen = {order_id: list(rows.itertuples(index=False, name=None)) for order_id, rows in held}
    assert seen == {order_id: expected for order_id, (_, expected) in CASES.items()}


def test_a_line_that_waited_comes_back_as_the_line_it_was(home: Path, tmp_path: Path) -> None:
    """Lines before their header, and one with a fault; then header, correction, and the same file once more."""
    folder = tmp_path / "world"
    write_good_world(folder)
    rows = [line(100, order_id="o2"), line(150, order_id="o2"), line(7, order_id="o2") | {"quantity": "7.5"}]
    write_csv(folder / "merchant_order_lines.csv", rows)
    ingest(World.load(folder))
    held = quarantine.read("merchant_order_lines")
    assert [json.loads(raw)["_line"] for raw in held.drop_duplicates("record")["raw"]] == ["#1", "#2", "#3"]
    write_csv(folder / "merchant_orders.csv", [good("merchant_orders"), good("merchant_orders", order_id="o2")])
    ingest(World.load(folder))
    export = tmp_path / "wrong.csv"
    assert quarantine.export_quarantine("merchant_order_lines", export) == 1
    corrected = pd.read_csv(export, dtype=str).assign(quantity="7")
    assert corrected["_line"].tolist() == ["#3"]
    corrected.to_csv(export, index=False)
    readmit(export)
    write_csv(folder / "merchant_order_lines.again.csv", [*rows[:2], rows[2] | {"quantity": "7"}])
    again = ingest(World.load(folder)).set_index("file").loc["merchant_order_lines.again.csv"]
    assert (again["accepted"], again["duplicates"], again["quarantined"]) == (3, 3, 0)
    assert sorted(read_landed("merchant_order_lines", order_id="o2")["quantity"]) == [7, 100, 150]


def test_an_order_waits_for_its_lines_in_quarantine_until_something_settles_them(home: Path, tmp_path: Path) -> None:
    names = ["sku-comes", "corrected", "cancelled", "sent-again", "counted", "own-id", "whole"]
    headers = [good("merchant_orders", order_id=name) for name in names]
    headers[names.index("counted")]["line_count"] = "1"
    rows = [line(100, order_id=name) for name in names]
    rows += [line(50, order_id=name, sku_id="tee-blue-M") for name in ("sku-comes", "cancelled", "counted")]
    rows += [line(50, order_id="corrected", sku_id="tee-bleu-M"), line(50, order_id="sent-again") | {"quantity": "5O"}]
    rows += [line(50, order_id="own-id", sku_id="tee-bleu-M", order_line_id="a")]
    world(tmp_path, headers, rows)
    # A source that speaks for another merchant names an order that is not its own.
    others = tmp_path / "others"
    write_csv(others / "merchant_order_lines.csv", [line(9, order_id="whole", sku_id="tee-blue-M")])
    (others / "world.yaml").write_text("merchants: [m2]\n")
    ingest(World.load(others))
    asked = book()
    headers, lots, _ = merchant_lots(asked, published.read("skus"))
    waits = lots.set_index(lots["order_id"].map(headers.set_index("order_id")["merchant_order_id"]))["waits"]
    assert {name for name, words in waits.items() if words} == set(names) - {"counted", "whole"}
    assert "1 in quarantine, such as tee-bleu-M (sku_id-unknown)" in waits["corrected"]
    assert "1 in quarantine, such as tee-red-M (quantity-type)" in waits["sent-again"]
    export = tmp_path / "wrong.csv"
    quarantine.export_quarantine("merchant_order_lines", export)
    corrected = pd.read_csv(export, dtype=str).query("order_id == 'corrected'").assign(sku_id="tee-red-L")
    corrected.to_csv(export, index=False)
    folder = tmp_path / "world"
    write_csv(folder / "catalogue.more.csv", [good("catalogue", sku_id="tee-red-L", crafts="")])
    ingest(World.load(folder))
    readmit(export)
    write_csv(
        folder / "merchant_order_lines.later.csv",
        [
            line(0, known_at=LATER, order_id="cancelled", sku_id="tee-blue-M"),
            line(50, known_at=LATER, order_id="sent-again"),
            line(50, known_at=LATER, order_id="own-id", sku_id="tee-red-L", order_line_id="a"),
        ],
    )
    ingest(World.load(folder))
    assert set(book().query("quarantined_lines > 0")["order_id"]) == {"sku-comes", "counted"}
    arrived = good("catalogue", sku_id="tee-blue-M", colour="blue", crafts="")
    write_csv(folder / "catalogue.new.csv", [arrived])
    ingest(World.load(folder))
    settled = book()
    assert not settled["quarantined_lines"].any()
    assert settled.groupby("order_id")["quantity"].sum().to_dict() == {
        "sku-comes": 150, "corrected": 150, "cancelled": 100, "sent-again": 50, "counted": 150, "own-id": 150,
        "whole": 100,
    }  # fmt: skip
