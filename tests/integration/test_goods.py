"""Goods from the factory to the shelf: receipts, promised arrivals, losses, stock, and orders that close by receipt."""

import random
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest
from ledger_kit import NOW, job, live_to, lot_row, order_row, record, release, shipped
from sqlalchemy import update
from warehouse_world import dbt, land, moment, sku

from c2m.errors import C2MError
from c2m.ledger import job_orders, orders, store
from c2m.ledger.tables import JobOrder, Lot
from c2m.settings import settings
from c2m.simulation import warehouses
from c2m.warehouse.published import dbt_args
from flows.warehouse import run_dbt

DAY = date(2026, 1, 20)
GOODS = ["made", "at_factory", "in_transit", "received", "assumed", "lost", "surplus"]
KNOWN = moment("2026-01-01")


def scan(number: int, operation: str, pieces: int, at: str, job_order_id: str = "j1") -> dict[str, Any]:
    row = {"factory_id": "F1", "scan_id": f"{job_order_id}-{number}", "job_order_id": job_order_id, "sku_id": "s-M"}
    when = moment(at)
    return row | {"operation": operation, "quantity": pieces, "defects": 0, "at": when, "received_at": when}


def receipt(pieces: int, at: str, lost: int = 0, merchant_id: str = "m", **origin: str) -> dict[str, Any]:
    when = moment(at)
    row = {"merchant_id": merchant_id, "receipt_id": f"{origin} {at}", "location_id": "main", "sku_id": "s-M"}
    row |= {"quantity": pieces, "lost_quantity": lost, "received_at": when, "known_at": when}
    return row | (origin or {"job_order_id": "j1"})


def world(*merchants: str) -> None:
    """Of each merchant one SKU, and a replenishment of 110 pieces: 100 made on the 5th, shipped on the 6th, 4 days."""
    zone = {"factory_id": "F1", "timezone": "UTC", "status": "active", "currency": "EUR", "known_at": KNOWN}
    land("factories", [zone | dict.fromkeys(("lines", "operators", "min_lot", "handling_days"), 1)])
    for number, merchant_id in enumerate(merchants, 1):
        name = {"order_id": f"o{number}", "merchant_id": merchant_id, "known_at": KNOWN}
        lot, jobs = {"lot_id": f"l{number}"}, {"job_order_id": f"j{number}", "factory_id": "F1"}
        land("catalogue", [sku("s-M", merchant_id=merchant_id)])
        land("stock", [{**name, "sku_id": "s-M", "location_id": "main", "as_of": moment("2026-01-04"), "on_hand": 7}])
        land("ledger_orders", [name | {"source": "replenishment", "tolerance_share": 0.0, "state": "in_production"}])
        land("ledger_lots", [name | lot | {"style_id": "s", "quantity": 110, "state": "in_production"}])
        land("ledger_lot_skus", [lot | {"sku_id": "s-M", "quantity": 110, "known_at": KNOWN}])
        at = {"state": "Running", "quantity": 110, "revision": 1, "sequence": 1, "at": KNOWN, "accepted": True}
        land("ledger_job_orders", [name | lot | jobs | at])
        land("ledger_job_order_skus", [{**jobs, "sku_id": "s-M", "quantity": 110, "known_at": KNOWN}])
        land("ledger_promise_factories", [{**name, "plan_id": "p", "factory_id": "F1", "transit_days": 4}])
        made = [("inspect", 100, "2026-01-05 10:00"), ("ship", 96, "2026-01-06 18:00")]
        land("scans", [scan(i, *facts, f"j{number}") for i, facts in enumerate(made)])


def built(day: date, *more: str) -> duckdb.DuckDBPyConnection:
    selected = ("--select", "+goods", "+stock_position", "int_goods_days", *more)
    result = dbt("build", day, *selected, "--exclude", "test_type:unit", "relationships*")
    failed = [(node.node.name, node.message) for node in result.result if node.status not in ("success", "pass")]
    assert not failed, failed
    return duckdb.connect(str(settings().warehouse), read_only=True)


def goods(day: date) -> dict[str, list[int]]:
    with built(day) as warehouse:
        rows = warehouse.execute(f"SELECT job_order_id, {', '.join(GOODS)} FROM marts.goods ORDER BY 1").fetchall()
        return {job_order_id: list(figures) for job_order_id, *figures in rows}


def stock() -> dict[str, tuple[int, ...]]:
    with duckdb.connect(str(settings().warehouse), read_only=True) as warehouse:
        names = "on_hand, in_transit, on_order, assumed"
        rows = warehouse.execute(f"SELECT merchant_id, {names} FROM marts.stock_position ORDER BY 1").fetchall()
        return {merchant_id: tuple(figures) for merchant_id, *figures in rows}


def test_goods_go_from_the_factory_through_transit_to_the_shelf(home: Path) -> None:
    """m1 sends receipts, m2 does not; of the 4 pieces that a receipt does not tell of nobody hears for 14 days."""
    world("m", "n")
    assert goods(date(2026, 1, 8)) == {name: [100, 4, 96, 0, 0, 0, 0] for name in ("j1", "j2")}
    assert stock() == dict.fromkeys(("m", "n"), (7, 96, 14, 0))
    land("receipts", [receipt(90, "2026-01-09 09:00", lost=2), receipt(500, "2026-01-09 10:00", merchant_id="n")])
    assert goods(date(2026, 1, 12)) == {"j1": [100, 4, 4, 90, 0, 2, 0], "j2": [100, 4, 0, 96, 96, 0, 0]}
    assert stock() == {"m": (97, 4, 14, 0), "n": (603, 0, 14, 96)}
    assert goods(date(2026, 1, 26))["j1"] == [100, 4, 0, 90, 0, 6, 0]
    land("receipts", [receipt(4, "2026-01-26 09:00")])
    assert goods(date(2026, 1, 28))["j1"] == [100, 4, 0, 94, 0, 2, 0], "found again"
    with duckdb.connect(str(settings().warehouse), read_only=True) as warehouse:  # j2 was overdue too, and all there
        days = warehouse.execute(
            "SELECT arrived_on::VARCHAR, changed_on::VARCHAR FROM marts.goods ORDER BY job_order_id"
        )
        assert days.fetchall() == [("2026-01-26", "2026-01-26"), ("2026-01-10", "2026-01-10")]


def test_receipts_by_shipment_by_order_or_by_neither_are_of_the_goods_that_came(home: Path) -> None:
    """m, n, p and q have 96 pieces each on their way since the 6th; q ordered them to another place than its shelf."""
    world("m", "n", "p", "q")
    land("ledger_orders", [{"order_id": "o4", "merchant_id": "q", "source": "merchant", "tolerance_share": 0.0,
                            "state": "in_production", "known_at": KNOWN + timedelta(days=1)}])  # fmt: skip
    land(
        "receipts",
        [
            receipt(90, "2026-01-08 09:00", lost=2, shipment_id="j1-1"),
            receipt(50, "2026-01-08 09:00", merchant_id="n", purchase_order_id="o2"),
            receipt(60, "2026-01-08 10:00", merchant_id="n", purchase_order_id="o2"),
            receipt(11, "2026-01-06 09:00", merchant_id="p", purchase_order_id="before it left"),
            receipt(40, "2026-01-08 09:00", merchant_id="p", purchase_order_id="its own number"),
            receipt(30, "2026-01-08 11:00", merchant_id="q", purchase_order_id="for the shelf"),
            receipt(20, "2026-01-08 12:00", merchant_id="q", shipment_id="for the shop") | {"location_id": "shop"},
        ],
    )
    assert goods(date(2026, 1, 9)) == {
        "j1": [100, 4, 4, 90, 0, 2, 0],
        "j2": [100, 4, 0, 96, 0, 0, 0],
        "j3": [100, 4, 56, 40, 0, 0, 0],
        "j4": [100, 4, 76, 20, 0, 0, 0],
    }
    assert stock() == {"m": (97, 4, 14, 0), "n": (117, 0, 14, 0), "p": (58, 56, 14, 0), "q": (37, 0, 0, 0)}


ORIGINS = ("job_order_id", "shipment_id", "purchase_order_id")
Taken = dict[tuple[str, str | None], list[int]]


class Warehouse:
    """What one merchant was sent, and what came, drawn at random; `taken` is the plain way to tell whose goods came."""

    def __init__(self, number: int) -> None:
        draws, self.name, self.counts = random.Random(number), f"m{number}", number % 3 > 0
        jobs = [(f"{self.name}-{kind}", kind) for kind in ("replenishment", "merchant")]
        moments = [moment(f"2026-01-{day:02d} {hour}:00") for day in range(5, 9) for hour in (10, 16)]
        self.sent = [
            {"job": name, "source": kind, "scan": f"{name}-{i}", "at": at, "pieces": draws.randrange(1, 40)}
            for name, kind in jobs
            for i, at in enumerate(sorted(draws.sample(moments, draws.randrange(1, 4))))
        ]
        known = {"job_order_id": [name for name, _ in jobs], "shipment_id": [one["scan"] for one in self.sent]}
        known["purchase_order_id"] = [f"PO-{kind}" for _, kind in jobs] + ["its own"]
        self.came = []
        for i, at in enumerate(sorted(draws.choices(moments, k=8))):
            origin = draws.choice(ORIGINS)
            row = {"receipt_id": f"R{i}", origin: draws.choice([*known[origin], "unknown"])}
            row |= {"quantity": draws.randrange(30), "lost_quantity": draws.choice([0, 0, 5])}
            place = draws.choice(["main", "shop"])
            self.came.append(row | {"received_at": at, "location_id": place, "merchant_id": self.name})

    def rows(self) -> dict[str, list[dict[str, Any]]]:
        """By feed what has landed of it."""
        owner = {"merchant_id": self.name, "known_at": KNOWN, "state": "Running", "sku_id": "s-M"}
        work = owner | {"factory_id": "F1", "at": KNOWN, "quantity": 999, "revision": 1, "sequence": 1}
        orders = []
        for kind in ("replenishment", "merchant"):
            name = {"order_id": f"o-{self.name}-{kind}", "lot_id": f"l-{self.name}-{kind}", "order_code": f"PO-{kind}"}
            orders.append(work | name | {"job_order_id": f"{self.name}-{kind}", "source": kind, "tolerance_share": 0.0})
        moved = [(one["scan"], one["pieces"], one["at"], one["job"]) for one in self.sent]
        return {
            "catalogue": [sku("s-M", merchant_id=self.name)],
            "stock": [owner | {"location_id": "main", "as_of": KNOWN, "on_hand": 0}] if self.counts else [],
            **dict.fromkeys(("ledger_orders", "ledger_job_orders", "ledger_job_order_skus"), orders),
            "scans": [scan(0, "ship", pieces, str(at), job) | {"scan_id": name} for name, pieces, at, job in moved],
            "receipts": [{**dict.fromkeys(ORIGINS), **owner, **row} for row in self.came],
        }

    def taken(self) -> Taken:
        lying = sorted((dict(one) for one in self.sent), key=lambda one: (one["at"], one["scan"]))
        found: Taken = defaultdict(lambda: [0, 0])
        for step in range(4):
            for row in self.came:
                parts = self._offered(row, lying, step)
                if parts is None:
                    continue
                for place, wanted in enumerate((row["quantity"], row["lost_quantity"])):
                    left = wanted
                    for one in parts:
                        pieces = min(left, one["pieces"])
                        one["pieces"] -= pieces
                        left -= pieces
                        if step:
                            found[row["receipt_id"], one["job"]][place] += pieces
                    named = row.get("job_order_id") if step == 0 and row["job_order_id"] != "unknown" else None
                    found[row["receipt_id"], named][place] += left if step else wanted
        return {key: pieces for key, pieces in found.items() if sum(pieces)}

    def _offered(self, row: dict[str, Any], lying: list[dict[str, Any]], step: int) -> list[dict[str, Any]] | None:
        """The shipments that this receipt may be of, if it is the turn of such receipts."""
        by = [
            [one for one in lying if one["job"] == row.get("job_order_id")],
            [one for one in lying if one["scan"] == row.get("shipment_id")],
            [one for one in lying if f"PO-{one['source']}" == row.get("purchase_order_id")],
        ]
        if "job_order_id" in row:
            return by[0] if step == 0 else None
        named = next((turn for turn in (1, 2) if by[turn]), 3)
        if named != step:
            return None
        kind = "replenishment" if row["location_id"] == "main" else "merchant"
        there = [one for one in lying if one["at"] <= row["received_at"] and (not self.counts or one["source"] == kind)]
        return by[step] if step < 3 else there


def test_whose_goods_came_is_what_a_plain_search_finds(home: Path) -> None:
    factory = {"factory_id": "F1", "timezone": "UTC", "status": "active", "currency": "EUR"}
    land("factories", [factory | {"known_at": KNOWN}])
    warehouses = [Warehouse(number) for number in range(40)]
    landed = [one.rows() for one in warehouses]
    for feed in landed[0]:
        land(feed, [row for rows in landed for row in rows[feed]])
    with built(DAY, "int_receipts") as warehouse:
        told = "SELECT merchant_id, receipt_id, job_order_id, quantity, lost_quantity FROM int_receipts"
        rows = warehouse.execute(told).fetchall()
    for one in warehouses:
        seen = {(row[1], row[2]): list(row[3:]) for row in rows if row[0] == one.name}
        assert seen == one.taken(), one.name


def test_a_piece_that_is_nowhere_stops_the_build(home: Path) -> None:
    world("m")
    built(DAY).close()
    with duckdb.connect(str(settings().warehouse)) as warehouse:
        warehouse.execute("UPDATE int_goods_days SET in_transit = in_transit - 1 WHERE day = '2026-01-06'")
    with pytest.raises(C2MError) as told:
        run_dbt(dbt_args("test", DAY, "every_piece_is_somewhere_int_goods_days_"))
    (fault,) = told.value.faults
    assert fault.startswith("test.c2m.every_piece_is_somewhere_int_goods_days_"), fault
    assert "Got 1 result" in fault


@pytest.fixture
def by_receipt(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("C2M_GOODS__CLOSE_ORDERS_BY", "receipt")
    settings.cache_clear()
    yield
    settings.cache_clear()


def at_the_factory(pieces: int, received: int, lost: int) -> tuple[str, int]:
    """The order's state and the pieces to be planned, once so many were shipped and arrived."""
    arrived = pd.DataFrame([{"job_order_id": job().job_order_id, "sku_id": "S", "received": received, "lost": lost}])
    with store.session() as session:
        job_orders.apply_progress(session, shipped((job().job_order_id, "S", pieces)), NOW + timedelta(days=9), arrived)
        lots = orders.open_lots(session)
        return store.snapshot(session)["orders"]["state"].iloc[0], int((lots["remaining"] - lots["committed"]).sum())


@pytest.mark.usefixtures("by_receipt")
def test_an_order_closes_by_what_arrived_and_what_was_lost_is_made_again(sqlite_ledger: str) -> None:
    record(
        [order_row(tolerance_share=0.0)], [lot_row(quantity=300)], [{"lot_id": "L1", "sku_id": "S", "quantity": 300}]
    )
    release(("L1", "F1", 300))
    live_to("Ended")
    assert at_the_factory(300, 0, 0) == ("in_production", 0), "all is in transit"
    assert at_the_factory(300, 290, 10) == ("in_production", 10)
    assert at_the_factory(300, 300, 0) == ("closed", 0)
    assert at_the_factory(300, 200, 0) == ("in_production", 0), "a receipt was corrected"


def test_an_order_closes_by_shipment_where_nothing_else_is_asked(sqlite_ledger: str) -> None:
    record(
        [order_row(tolerance_share=0.0)], [lot_row(quantity=300)], [{"lot_id": "L1", "sku_id": "S", "quantity": 300}]
    )
    release(("L1", "F1", 300))
    live_to("Ended")
    assert at_the_factory(300, 290, 10) == ("closed", 0)


def test_pieces_that_are_lost_between_stages_are_asked_for_again(sqlite_ledger: str) -> None:
    """Of 300 that left F1 for F2, 280 were received there in time: 20 have room again in the first stage."""
    record(
        [order_row(tolerance_share=0.0)],
        [lot_row(quantity=300)],
        [{"lot_id": "L1", "sku_id": "S", "quantity": 300}],
    )
    release(("L1", "F1", 300))
    live_to("Ended")
    with store.session() as session:
        session.execute(update(JobOrder).values(stage=1, stages=2, next_factory_id="F2"))
        session.execute(update(Lot).values(stages=2))
    at_the_factory(300, 0, 0)
    over = {"lot_id": "L1", "stage": 2, "factory_id": "F2", "sku_id": "S"}
    with store.session() as session:
        assert orders.rooms_of_stages(session, ["L1"]) == [("L1", 1, "S", 0)]
        assert job_orders.lost_between(session, pd.DataFrame([over | {"missing": 0}])).empty
        lost = job_orders.lost_between(session, pd.DataFrame([over | {"missing": 20}]))
    assert lost[["received", "lost"]].to_numpy().tolist() == [[0, 20]]
    at_the_factory(300, *lost[["received", "lost"]].iloc[0])
    with store.session() as session:
        assert orders.rooms_of_stages(session, ["L1"]) == [("L1", 1, "S", 20)]
        assert job_orders.of_stages(session)[["shipped", "lost"]].to_numpy().tolist() == [[300, 20]]


def test_simulated_warehouses_receive_what_factories_shipped_once(home: Path) -> None:
    world("m", "n")
    for hour in (11, 13, 14):
        warehouses.send(datetime(2026, 1, 10, hour, tzinfo=UTC))
        files = sorted((warehouses.folder() / "receipts").glob("*.csv"))
        assert [file.name for file in files] == ([] if hour == 11 else ["2026-01-10.csv"])
    rows = pd.read_csv(files[0])
    assert len(rows) == 1, "one of two merchants sends receipts"
    assert rows["quantity"].sum() + rows["lost_quantity"].sum() == 96
    assert rows["received_at"].str.startswith("2026-01-10 10:00").all()
