"""Small files come in together as if one by one; of what has landed only the files that may tell are opened."""

import random
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from feed_rows import LEAST, good, write_csv, write_good_world

from c2m import clock
from c2m.feeds import ingest as intake
from c2m.feeds import landing, quarantine
from c2m.feeds.ingest import ingest
from c2m.feeds.world import World
from c2m.settings import settings

_LOOKED_AT = (*LEAST, "stock", "reviews", "merchant_orders", "merchant_order_lines")


def write_lines(world: Path, files: int) -> None:
    """Files of order lines: repeats, conflicts, equal lines, torn rows, lacking columns, one that is no feed at all."""
    chance = random.Random(7)
    for number in range(files):
        rows = [
            good(
                "merchant_order_lines", quantity=str(chance.randint(-1, 2)), known_at=f"2026-01-0{chance.randint(5, 7)}"
            )
            for _ in range(chance.randint(0, 4))
        ]
        if number % 3 == 0:
            rows = [{name: text for name, text in row.items() if name != "known_at"} for row in rows]
        file = write_csv(world / "merchant_order_lines" / f"{number:02}.csv", rows or [good("merchant_order_lines")])
        if number % 4 == 1:
            file.write_text(file.read_text() + "torn\n")
    (world / "merchant_order_lines" / "05.csv").write_text("a,b\n1,2\n")


def came_in(world: Path) -> tuple[pd.DataFrame, list[tuple[object, ...]], pd.DataFrame]:
    clock.set_now(datetime(2026, 1, 9, tzinfo=UTC))
    table = ingest(World.load(world))
    rows = duckdb.sql(f"FROM {landing.source('merchant_order_lines')} ORDER BY _batch_id, _record").fetchall()
    return table, rows, quarantine.read("merchant_order_lines")


def test_together_is_one_after_the_other(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = write_good_world(tmp_path / "world", _LOOKED_AT)
    (world / "merchant_order_lines.csv").unlink()
    (world / "merchant_order_lines").mkdir()
    write_lines(world, 14)
    table, rows, held = came_in(world)
    assert set(table[table["feed"] == "merchant_order_lines"]["status"]) == {"ok", "partial", "rejected"}
    assert {"key-conflict", "row-shape", "quantity-range", "file"} <= set(held["rule"])
    accounted = table["accepted"] + table["quarantined"] + table["left_out"]
    assert (table["rows_in"] == accounted).all() and table["duplicates"].sum() > 0

    monkeypatch.setenv("C2M_HOME", str(tmp_path / "alone"))
    settings.cache_clear()
    monkeypatch.setattr(intake, "_MOST_TOGETHER", 1)
    alone, alone_rows, alone_held = came_in(world)
    pd.testing.assert_frame_equal(table, alone)
    assert rows == alone_rows
    pd.testing.assert_frame_equal(held, alone_held)


@pytest.mark.parametrize("good_pieces", [-1, 3], ids=["some broken", "all accepted"])
def test_rows_land_in_the_order_of_their_records(tmp_path: Path, home: Path, good_pieces: int) -> None:
    """Enough rows for every core."""
    world = write_good_world(tmp_path / "world", _LOOKED_AT)
    duckdb.sql(
        f"""COPY (SELECT 'm1' AS merchant_id, 'k' || i AS sku_id, 'l1' AS location_id,
            TIMESTAMP '2026-01-05' AS as_of, CASE WHEN i % 1000 = 7 THEN {good_pieces} ELSE 3 END AS on_hand,
            TIMESTAMP '2026-01-05' AS known_at FROM range(300000) AS t(i)) TO '{world / "stock.csv"}' (HEADER)"""
    )
    ingest(World.load(world))
    rows = duckdb.sql(f"SELECT _record, sku_id FROM {landing.source('stock')}").fetchall()
    assert rows == [(i + 1, f"k{i}") for i in range(300_000) if good_pieces > 0 or i % 1000 != 7]


def test_only_files_that_may_hold_the_same_row_are_opened(tmp_path: Path, home: Path) -> None:
    world = write_good_world(tmp_path / "world", _LOOKED_AT)
    for day in range(5, 9):
        write_csv(world / "stock.csv", [good("stock", known_at=f"2026-01-0{day}")])
        ingest(World.load(world))
    noons = [datetime.fromisoformat(f"2026-01-{day:02}T12:00") for day in range(4, 9)]
    assert len(landing.landed_between("stock", noons[0], noons[-1])) == 4
    (seventh,) = landing.landed_between("stock", noons[2], noons[3])
    assert str(duckdb.sql(f"SELECT known_at FROM '{seventh}'").fetchall()[0][0]) == "2026-01-07 00:00:00"
    assert landing.landed_between("stock", None, None) == []


def test_files_of_sources_that_speak_for_different_merchants(tmp_path: Path, home: Path) -> None:
    """Read together, each file is held to its own source's merchants."""
    world = write_good_world(tmp_path / "world", _LOOKED_AT)
    (world / "reviews.csv").unlink()
    columns = "".join(f"  {name}: '\"{name}\"'\n" for name in good("reviews"))
    (world / "reviews.yaml").write_text(f"feed: reviews\nfiles: '*.csv'\ncolumns:\n{columns}")
    sources = "sources:\n"
    for owner in ("m1", "m2", "m3"):
        rows = [good("reviews", merchant_id=name, review_id=f"{owner}-{name}") for name in ("m1", "m2")]
        write_csv(world / owner / "x.csv", rows)
        sources += f"  - {{mapping: reviews.yaml, root: {owner}, merchants: [{owner}]}}\n"
    (world / "world.yaml").write_text(sources)
    table = ingest(World.load(world))
    assert table[table["feed"] == "reviews"]["accepted"].tolist() == [1, 1, 0]
    held = quarantine.read("reviews").sort_values(["advice", "seen"])
    assert held["seen"].tolist() == ["merchant_id=m2", "merchant_id=m1", "merchant_id=m1", "merchant_id=m2"]
    assert held["advice"].str.extract("for (m[0-9])")[0].tolist() == ["m1", "m2", "m3", "m3"]
    assert set(held["rule"]) == {"merchant-not-of-source"}
