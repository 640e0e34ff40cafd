"""The ledger in the landing zone: changed rows once, the newest known_at per key holds, a crash costs nothing."""

from datetime import timedelta
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from ledger_kit import HOUR, NOW, answer, job, job_orders_of, lot_row, record, release, sku_rows

from c2m.feeds.contracts import PRODUCED
from c2m.feeds.landing import source
from c2m.ledger import changelog, store
from c2m.ledger.tables import TABLES


def landed(name: str) -> pd.DataFrame:
    """The newest landed row per key, as dbt reads it."""
    keys = ", ".join(column.name for column in TABLES[name].__table__.primary_key)
    newest = f"QUALIFY row_number() OVER (PARTITION BY {keys} ORDER BY known_at DESC) = 1"
    return duckdb.sql(f"SELECT * FROM {source('ledger_' + name)} {newest} ORDER BY {keys}").df()


def test_the_schema_of_the_landing_zone_is_that_of_the_ledger() -> None:
    for name in changelog.EXPORTED:
        columns = set(PRODUCED[f"ledger_{name}"]) - {"known_at"}
        assert columns <= set(TABLES[name].__table__.columns.keys())
        assert set(PRODUCED[f"ledger_{name}"].values()) <= set(changelog.ARROW)


def test_what_landed_is_what_the_ledger_holds(ledger: str) -> None:
    record()
    release(("L1", "F1", 600), ("L1", "F2", 400))
    answer(job("F2"), 1, "Aborted", False)
    files = changelog.export()
    assert len(files) == 5
    with store.session() as session:
        held = store.snapshot(session)
    for name in changelog.EXPORTED:
        assert len(landed(name)) == len(held[name])
    orders, jobs = landed("job_orders"), {row.job_order_id: row for row in job_orders_of()}
    for row in orders.itertuples():
        ledger_row = jobs[row.job_order_id]
        assert (row.state, row.quantity, row.at.tz_localize("UTC")) == (
            ledger_row.state,
            ledger_row.quantity,
            ledger_row.at,
        )
    lots = duckdb.sql(f"SELECT unit_value, known_at FROM {source('ledger_lots')}").fetchall()
    assert [str(lots[0][0]), lots[0][1]] == ["12.3457", NOW.replace(tzinfo=None)]


def test_only_changes_land_and_only_once(sqlite_ledger: str) -> None:
    assert changelog.export() == []
    record()
    first = changelog.export()
    assert sorted(path.parent.name for path in first) == ["ledger_lot_skus", "ledger_lots", "ledger_orders"]
    assert changelog.export() == []
    record(lots=[lot_row(quantity=900)], skus=sku_rows(pieces=[400, 300, 200]), at=NOW + HOUR)
    second = changelog.export()
    assert [pd.read_parquet(path)["quantity"].tolist() for path in second] == [[900], [0]]


def test_a_change_back_counts_even_on_a_clock_that_stands_still(sqlite_ledger: str) -> None:
    for quantity in (1000, 900, 1000):
        record(lots=[lot_row(quantity=quantity)], skus=[{"lot_id": "L1", "sku_id": "K0", "quantity": quantity}])
        assert changelog.export()
        assert landed("lots")["quantity"].tolist() == [quantity]
    assert landed("lots")["known_at"].max() == NOW.replace(tzinfo=None) + timedelta(microseconds=2)


def test_a_change_is_known_since_it_happened(sqlite_ledger: str) -> None:
    record()
    release(("L1", "F1", 1000))
    changelog.export()
    answer(job(), 1, "NotAllowedToStart", True)
    changelog.export()
    later = (NOW + HOUR).replace(tzinfo=None)
    assert landed("job_orders")["known_at"].tolist() == [later]
    assert landed("lots")["known_at"].tolist() == [NOW.replace(tzinfo=None)]


def test_a_crash_between_two_files_is_made_good(sqlite_ledger: str, monkeypatch: pytest.MonkeyPatch) -> None:
    record()
    real, written = changelog.write_parquet, []

    def fail_at_the_second(relation: duckdb.DuckDBPyRelation, path: Path) -> None:
        if written:
            raise OSError("disk full")
        written.append(path)
        real(relation, path)

    monkeypatch.setattr(changelog, "write_parquet", fail_at_the_second)
    with pytest.raises(OSError, match="disk full"):
        changelog.export()
    monkeypatch.undo()
    again = changelog.export()
    assert len(again) == 2
    assert written[0] not in again
    assert changelog.export() == []
