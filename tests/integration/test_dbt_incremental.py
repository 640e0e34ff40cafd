"""Incremental models give what a full build gives, whatever ran before: next day, late data, replay, a killed build."""

from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from warehouse_world import build, dbt_process, land, moment, sale, sku

from c2m import clock
from c2m.feeds.landing import folder
from c2m.settings import settings

DAY = date(2022, 6, 1)
SCANS = {"factory_id": "f", "job_order_id": "j", "sku_id": "s-M", "operation": "cut", "defects": 0, "line_id": "L1"}
MODELS = ("--select", "+demand_daily", "+job_order_progress", "--indirect-selection", "cautious")


def scan(number: int, received_at: datetime, quantity: int = 1) -> dict[str, object]:
    return SCANS | {
        "scan_id": str(number),
        "quantity": quantity,
        "at": moment("2022-06-01 08:00"),
        "received_at": received_at,
    }


def expected(day: date) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    """Demand and progress straight from the landing zone, by another way than the models'."""
    cut_off = clock.cut_off(day).replace(tzinfo=None)
    with duckdb.connect() as connection:
        lines = connection.execute(
            f"SELECT * FROM '{folder('sales_lines')}/*.parquet' WHERE known_at < ?", [cut_off]
        ).df()
        scans = connection.execute(f"SELECT * FROM '{folder('scans')}/*.parquet' WHERE received_at < ?", [cut_off]).df()
    held = lines.sort_values("known_at").groupby("sale_line_id").tail(1)
    held = held[(held["quantity"] > 0) & (held["sold_on"] < pd.Timestamp(day))]
    held["cancelled"] = held["quantity"].where(held["status"] == "cancelled", 0)
    demand = held.groupby(["style_id", "sold_on"], as_index=False)[["quantity", "cancelled"]].sum()
    done = scans.drop_duplicates("scan_id")["quantity"].sum()
    return list(demand.sort_values(["style_id", "sold_on"]).itertuples(index=False, name=None)), [
        (done,)
    ] if done else []


def built() -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    with duckdb.connect(str(settings().warehouse), read_only=True) as connection:
        demand = connection.sql(
            """SELECT style_id, demand_date::TIMESTAMP, pieces_asked, pieces_cancelled
            FROM marts.demand_daily ORDER BY ALL"""
        )
        return demand.fetchall(), connection.sql("SELECT good_pieces FROM marts.job_order_progress").fetchall()


def land_three_days() -> None:
    land("catalogue", [sku("s-M"), sku("t-M")])
    job_order = {
        "job_order_id": "j",
        "factory_id": "f",
        "merchant_id": "m",
        "lot_id": "l",
        "revision": 1,
        "sequence": 0,
    }
    land("ledger_job_orders", [job_order | {"state": "Running", "known_at": moment("2022-05-01")}])
    days = [DAY - timedelta(days=n) for n in (3, 2, 1)]
    land("sales_lines", [sale(f"{day:%d}-{n}", day, quantity=n + 1) for day in days for n in range(3)])
    land("scans", [scan(n, moment(f"2022-05-31 09:0{n}")) for n in range(3)])


def kill_a_build(day: date) -> None:
    """Kills dbt while it merges."""
    process = dbt_process("build", day, *MODELS)
    assert process.stdout
    assert any("START sql incremental model main.int_sale_lines" in line for line in process.stdout)
    process.kill()
    process.wait()


@pytest.mark.long
def test_incremental_builds_equal_a_full_build(home: Path) -> None:
    land_three_days()
    build(DAY, *MODELS)
    assert built() == expected(DAY)

    # Next day: a new line, an old one cancelled, one that moves to another style and day, a scan delivered twice.
    evening = moment("2022-06-01 20:00")
    land("sales_lines", [
        sale("01-0", DAY),
        sale("29-0", date(2022, 5, 29), evening, status="cancelled"),
        sale("30-1", date(2022, 5, 31), evening, style_id="t", quantity=7),
    ])  # fmt: skip
    land("scans", [scan(1, moment("2022-06-01 09:00")), scan(7, moment("2022-06-01 09:00"), 5)])
    kill_a_build(DAY + timedelta(days=1))
    build(DAY + timedelta(days=1), *MODELS)
    assert built() == expected(DAY + timedelta(days=1))
    assert built() != expected(DAY)

    # Days without a build; a file that lies beyond the cut-off in part; a backfill and a late scan, known long ago.
    land("sales_lines", [sale(f"x{n}", DAY + timedelta(days=n)) for n in range(9)])
    land("sales_lines", [sale("old", date(2022, 2, 1), style_id="t", quantity=3)])
    land("scans", [scan(8, moment("2022-05-30 09:00"), 2)])
    build(DAY + timedelta(days=5), *MODELS)
    assert built() == expected(DAY + timedelta(days=5))

    # A replay of an earlier day, then the later day again, which a full build from nothing does not change.
    build(DAY, *MODELS)
    assert built() == expected(DAY)
    build(DAY + timedelta(days=7), *MODELS)
    assert built() == expected(DAY + timedelta(days=7))
    settings().warehouse.unlink()
    build(DAY + timedelta(days=7), *MODELS)
    assert built() == expected(DAY + timedelta(days=7))
