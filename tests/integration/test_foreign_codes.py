"""A merchant's own codes, from the shop's file to the message that a factory receives: none lost, no two become one."""

import json
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest
import yaml
from feed_rows import good, write_csv, write_good_world
from floor_world import factory_rows
from ledger_kit import NOW, job_orders_of, lot_row, order_row, plan_of, record
from typer.testing import CliRunner
from warehouse_world import build

from c2m.cli import app
from c2m.errors import InputError
from c2m.feeds.ingest import ingest
from c2m.feeds.world import World
from c2m.floor.processes import write_factories
from c2m.ledger import orders, plans, status, store
from c2m.ledger.rooms import work
from c2m.ledger.store import EVERYONE
from c2m.ledger.tables import Outbox
from c2m.simulation.factories.factory import SimulatedFactory
from c2m.simulation.factories.profile import Profile, read
from c2m.simulation.factories.state import State
from c2m.warehouse import published
from c2m.why import chain
from c2m.wire.messages import parse
from optimization.book.daily_instance import merchant_lots

DAY = date(2026, 1, 6)
FIRST_VERSION = Path(__file__).parents[1] / "golden" / "messages_v1.schema.json"
LONG = "长" * 255
# style, its code, colour, its code, size, its code, the SKU's code; what is told apart by one letter alone is in here.
GOODS = [
    ("款/7", "红", "01", "M", "040", "款/7-红-M"),
    ("款/7", "蓝", "1", "M", "040", "款/7-蓝-M"),
    ("款/7", "蓝", "1", "L", "40", "款/7-蓝-m"),
    ("款 7", "红", "01", "M", "040", "款 7-红-M"),
    ("款 7", "红", "01", "Ｍ", "\u200440", LONG),
]
ORDERS = {"PO/红 1": [0, 1, 2], "PO 红 1": [3, 4], "po/红 1": [0]}


@pytest.fixture
def ledger_of_codes(home: Path, tmp_path: Path) -> dict[str, str]:
    """A world of the shop's own files, in the ledger; the ledger's orders by the shop's number."""
    folder = tmp_path / "world"
    write_good_world(folder)
    write_csv(folder / "catalogue.csv", [good("catalogue", crafts="")])  # that every factory can be told
    columns = ("style_code", "colour", "colour_code", "size", "size_code", "sku_code")
    ids = {"sku_id": "id_of(sku_code)", "style_id": "id_of(style_code)"}
    _map(folder, "catalogue", dict(zip(columns, columns, strict=True)) | ids | {"crafts": "''"})
    _map(folder, "merchant_orders", {"order_id": "id_of(po)", "order_code": "po"})
    _map(folder, "merchant_order_lines", {"order_id": "id_of(po)", "sku_id": "id_of(sku_code)", "quantity": "pieces"})
    write_csv(folder / "shop-catalogue.csv", [dict(zip(columns, row, strict=True)) for row in GOODS])
    write_csv(folder / "shop-merchant_orders.csv", [{"po": po} for po in ORDERS])
    lines = [{"po": po, "sku_code": GOODS[n][5], "pieces": "100"} for po, places in ORDERS.items() for n in places]
    write_csv(folder / "shop-merchant_order_lines.csv", lines)
    mapped = [{"mapping": f"{feed}.yaml"} for feed in ("catalogue", "merchant_orders", "merchant_order_lines")]
    (folder / "world.yaml").write_text(yaml.safe_dump({"sources": mapped}))
    came = ingest(World.load(folder))
    assert came["quarantined"].sum() == 0
    store.migrate()
    build(DAY, "--select", "+merchant_order_book", "--exclude-resource-type", "test")
    published.publish(DAY)
    with store.session() as s:
        book = published.read("merchant_order_book")
        orders.record(s, *merchant_lots(book, published.read("skus"), orders.held(s)), NOW)
        found = store.snapshot(s)["orders"]
    return dict(zip(found["order_code"].fillna(found["merchant_order_id"]), found["order_id"], strict=True))


def _map(folder: Path, feed: str, columns: dict[str, str]) -> None:
    """A mapping whose other columns are constants."""
    constants = {name: f"'{value}'" for name, value in good(feed).items()}
    of_feed = {"feed": feed, "files": f"shop-{feed}.csv", "columns": constants | columns}
    text = yaml.safe_dump(of_feed, allow_unicode=True)
    (folder / f"{feed}.yaml").write_text(text, encoding="utf-8")


def _profile(file: Path) -> Profile:
    """A factory that takes everything."""
    skill = pd.DataFrame([{"factory_id": "F1", "kind": "category", "name": "tee", "efficiency": 1.0}])
    days = pd.DataFrame({"day": [DAY + timedelta(days=ahead) for ahead in range(9)]})
    rows = factory_rows(["mqtt"])
    write_factories(file, rows, skill, days.assign(factory_id="F1", minutes=99_999.0, overtime_minutes=0.0))
    return read(file)["F1"]


def test_a_factory_reads_the_merchants_own_codes(ledger_of_codes: dict[str, str], tmp_path: Path) -> None:
    assert ledger_of_codes.keys() >= ORDERS.keys()
    wanted = {(po, *GOODS[n]) for po, places in ORDERS.items() for n in places}
    state = State(tmp_path / "sim")
    factory = SimulatedFactory(_profile(tmp_path / "factories.json"), 1, state, "session")
    with store.session() as s, state.transaction():
        status.register(s, "F1", 2, NOW)
        lots = orders.open_lots(s).query("order_id in @ledger_of_codes.values() and category == 'tee'")
        asked = plans.propose(s, plan_of([(lot.lot_id, "F1", lot.quantity) for lot in lots.itertuples()]))
        plans.release(s, asked, "ops", "fits", [], NOW)
        for one in s.query(Outbox):
            factory.receive(parse(json.dumps(one.payload, ensure_ascii=False).encode()), NOW)
    seen = {
        (job.order.order_code, job.order.style_code, item.colour, item.colour_code, item.size, item.size_code,
         item.sku_code)
        for job in state.jobs("F1")
        for item in job.order.items
    }  # fmt: skip
    assert seen == wanted | {("o1", None, "red", None, "M", None, None)}, "and the native order, which has no codes"
    with store.session() as s:
        shown = [work.of_factory(s, job.job_order_id, EVERYONE) for job in job_orders_of("F1")]
    on_the_page = {
        (job.code, job.style_code, job.colour, item.size, *item.codes) for job in shown for item in job.items
    }
    assert {(po, style, colour, size, sku, colour_code, size_code) for
            po, style, colour, colour_code, size, size_code, sku in wanted} <= on_the_page  # fmt: skip
    told = CliRunner().invoke(app, ["why", "PO/红 1"]).output
    assert "the merchant's PO/红 1" in told and "the merchant's 款/7" in told


def test_an_order_is_found_by_the_number_that_its_merchant_gave_it(sqlite_ledger: str) -> None:
    names = {"a": ("M1", "7"), "b": ("M2", "7"), "c": ("M2", "8")}
    headers = [order_row(name, merchant_id=who, order_code=code) for name, (who, code) in names.items()]
    record(headers, [lot_row(order_id="a")])
    with store.session() as s:
        assert chain.why(s, "8").of == "c"
        with pytest.raises(InputError, match="7: 2 orders are called so; name one by its id: a of M1; b of M2"):
            chain.why(s, "7")
