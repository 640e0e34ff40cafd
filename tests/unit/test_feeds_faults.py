"""What is wrong with a file or a row is told; nothing is taken for something else, and nothing goes uncounted."""

import gzip
import json
import os
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest
from feed_rows import LEAST, good, write_csv, write_good_world
from typer.testing import CliRunner

from c2m import clock
from c2m.cli import app
from c2m.errors import InputError
from c2m.feeds import landing, quarantine, shape
from c2m.feeds.forms import packed
from c2m.feeds.ingest import ingest
from c2m.feeds.world import World
from expectations import batches


@pytest.fixture
def world(tmp_path: Path, home: Path) -> Path:
    """One good row of the feeds that are looked at here."""
    return write_good_world(tmp_path / "world", (*LEAST, "stock", "reviews"))


def outcome(world: Path, feed: str) -> pd.Series:
    table = ingest(World.load(world))
    return table[table["feed"] == feed].iloc[0]


def landed(feed: str) -> pd.DataFrame:
    return duckdb.sql(f"FROM {landing.source(feed)} ORDER BY _batch_id, _record").df()


MAPPING = """
feed: stock
files: shop.csv
columns: {merchant_id: "'m1'", sku_id: Sku, location_id: "'main'", as_of: Moment, on_hand: Qty, known_at: KNOWN}
"""


@pytest.mark.parametrize(
    ("known_at", "expected"),
    [
        ("TIMESTAMP '2026-01-01'", ["2026-01-01 00:00:00"] * 2),
        ("coalesce(Changed, Moment)", ["2026-01-03 00:00:00", "2026-01-02 00:00:00"]),
        ("Changed", ["2026-01-03 00:00:00", "2026-02-01 00:00:00"]),  # an empty cell: when the file arrived
    ],
)
def test_known_at_is_what_the_mapping_says(world: Path, known_at: str, expected: list[str]) -> None:
    clock.set_now(datetime(2026, 2, 1, tzinfo=UTC))
    (world / "stock.csv").unlink()
    (world / "shop.csv").write_text("Sku,Moment,Qty,Changed\na,2026-01-02,5,2026-01-03\nb,2026-01-02,6,\n")
    (world / "shop.yaml").write_text(MAPPING.replace("KNOWN", f'"{known_at}"'))
    (world / "world.yaml").write_text("sources: [{mapping: shop.yaml}]\n")
    ingest(World.load(world))
    assert [str(moment) for moment in landed("stock")["known_at"]] == expected


def test_a_misspelt_optional_column_is_named(world: Path) -> None:
    rows = [{"knownat": "2026-01-05", "Text ": "good", "shelf": "7"} | good("reviews")]
    del rows[0]["known_at"]
    write_csv(world / "reviews.csv", rows)
    row = outcome(world, "reviews")
    assert (row["status"], row["accepted"]) == ("ok", 1)
    assert row["problems"] == "column 'knownat' is not read: is known_at meant? Then name it so"


@pytest.mark.parametrize(
    ("quantity", "pieces"),
    [("2", 2), ("2.0", 2), ("2e0", 2), ("1.99999", None), ("2.0000000000000000001", None), ("1.5", None)],
)
def test_pieces_are_whole(world: Path, quantity: str, pieces: int | None) -> None:
    write_csv(world / "stock.csv", [good("stock", on_hand=quantity)])
    row = outcome(world, "stock")
    assert row["accepted"] == (pieces is not None)
    assert list(landed("stock")["on_hand"]) == ([] if pieces is None else [pieces])


def test_every_row_of_an_archive_with_a_wrong_checksum_is_counted(world: Path) -> None:
    (world / "reviews.csv").unlink()
    text = write_csv(world / "x.csv", [good("reviews", review_id=f"r{n}") for n in range(20_000)]).read_bytes()
    (world / "x.csv").unlink()
    content = bytearray(gzip.compress(text))
    content[-8] ^= 1
    (world / "reviews.csv.gz").write_bytes(content)
    row = outcome(world, "reviews")
    assert (row["status"], row["rows_in"], row["quarantined"]) == ("rejected", 20_000, 20_000)
    assert "archive is damaged" in row["problems"]


def test_what_follows_a_wrong_checksum_in_one_file_is_had_too() -> None:
    first = bytearray(gzip.compress(b"a" * 9_000))
    first[-6] ^= 1
    found, damage = packed.unpack(bytes(first) + gzip.compress(b"b" * 9_000))
    assert found == b"a" * 9_000 + b"b" * 9_000
    assert damage


def test_a_bomb_is_refused_in_words(world: Path) -> None:
    (world / "reviews.csv").unlink()
    with gzip.open(world / "reviews.csv.gz", "wb") as file:
        for _ in range(128):
            file.write(b"\n" * (1 << 20))
    row = outcome(world, "reviews")
    assert row["status"] == "rejected"
    assert "unpacks to more than" in row["problems"]


def test_pipes_folders_and_odd_names_end_in_words(world: Path) -> None:
    (world / "reviews.csv").unlink()
    os.mkfifo(world / "reviews.csv")
    (world / "stock.csv").unlink()
    (world / "stock.csv").mkdir()
    (world / "catalogue.csv").rename(world / "catalogue.\udcff.csv")
    with pytest.raises(InputError) as caught:
        ingest(World.load(world))
    told = "\n".join(caught.value.faults)
    told.encode()
    assert "reviews.csv: reviews.csv is a pipe or a device, not a file" in told
    assert "stock.csv: stock.csv is a folder, not a file" in told
    assert "its name is not UTF-8; rename it" in told
    assert len(landed("sales_lines")) == 1


def test_a_rejected_file_shows_in_the_exit_code(world: Path) -> None:
    (world / "reviews.csv").write_text("merchant_id,stars\nm1,4\n")
    result = CliRunner().invoke(app, ["ingest", "--world", str(world)])
    assert result.exit_code == 2
    assert "reviews.csv: no row accepted: columns missing" in result.output
    assert quarantine.read("reviews")["record"].tolist() == [1]


def read_with(monkeypatch: pytest.MonkeyPatch, file: Path, happens: Callable[[], object]) -> None:
    """Lets something happen to a file once it has been read."""
    read = shape.read

    def and_then(*given: Any) -> shape.ShapedRows:
        found = read(*given)
        if given[1] == file:
            happens()
        return found

    monkeypatch.setattr("c2m.feeds.ingest.read", and_then)


def test_a_file_that_grows_while_it_is_read_is_left_for_the_next_run(
    world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = world / "sales_lines.csv"
    read_with(monkeypatch, file, lambda: write_csv(file, [good("sales_lines"), good("sales_lines", sale_line_id="s2")]))
    with pytest.raises(InputError, match=r"sales_lines.csv: it changed while it was read"):
        ingest(World.load(world))
    monkeypatch.undo()
    table = ingest(World.load(world))
    assert table[table["feed"] == "sales_lines"][["rows_in", "accepted"]].values.tolist() == [[2, 2]]
    told = landing.read_landed("file_outcomes", feed="sales_lines").sort_values("arrived_at")
    assert told["status"].tolist() == ["changed", "ok"]


def test_a_file_that_goes_away_or_is_only_touched_comes_in_whole_once_it_is_back(
    world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = world / "sales_lines.csv"
    text = file.read_bytes()
    read_with(monkeypatch, file, file.unlink)
    with pytest.raises(InputError, match=r"sales_lines.csv: it was taken away while it was read"):
        ingest(World.load(world))
    monkeypatch.undo()
    file.write_bytes(text)
    read_with(monkeypatch, file, lambda: os.utime(file, (1, 1)))
    with pytest.raises(InputError, match=r"sales_lines.csv: it changed while it was read"):
        ingest(World.load(world))
    monkeypatch.undo()
    assert outcome(world, "sales_lines")[["rows_in", "accepted", "status"]].tolist() == [1, 1, "ok"]


def test_several_files_of_which_none_can_be_used_are_accounted_for(world: Path) -> None:
    (world / "reviews.csv").unlink()
    for name, text in (("a", "x,y\n1,2\n"), ("b", "z\n1\n2\n"), ("c", "")):
        (world / "reviews").mkdir(exist_ok=True)
        (world / "reviews" / f"{name}.csv").write_text(text)
    table = ingest(World.load(world))
    found = table[table["feed"] == "reviews"]
    assert found[["rows_in", "quarantined"]].values.tolist() == [[1, 1], [2, 2], [0, 0]]
    assert set(found["status"]) == {"rejected"}


def test_quarantine_is_counted_by_rule_without_a_file(world: Path) -> None:
    write_csv(world / "stock.csv", [good("stock", on_hand=pieces) for pieces in ("-1", "-2", "x", "5")])
    ingest(World.load(world))
    for words in (["quarantine"], ["quarantine", "stock"]):
        result = CliRunner().invoke(app, [*words, "--json"])
        counts = {(row["feed"], row["rule"]): row["rows"] for row in json.loads(result.stdout)}
        assert counts == {("stock", "on_hand-range"): 2, ("stock", "on_hand-type"): 1}
    assert CliRunner().invoke(app, ["quarantine", "shoes"]).exit_code == 2


def test_a_text_with_a_nul_stays_out_of_every_ledger(world: Path) -> None:
    write_csv(world / "sales_lines.csv", [good("sales_lines"), good("sales_lines", sale_line_id="s2", region="a\0b")])
    ingest(World.load(world))
    assert quarantine.read("sales_lines")["rule"].tolist() == ["region-length"]


def test_codes_that_differ_by_zeros_or_case_are_different_and_what_is_not_listed_is_told(world: Path) -> None:
    listed = [("m1", "0042"), ("m1", "Tee"), ("m2", "42")]
    write_csv(world / "catalogue.csv", [good("catalogue", merchant_id=m, sku_id=sku) for m, sku in listed])
    sold = [*listed, ("m1", "42"), ("m1", "tee"), ("m2", "0042")]
    rows = [good("sales_lines", merchant_id=m, sku_id=sku, sale_line_id=f"s-{sku}", quantity="300") for m, sku in sold]
    write_csv(world / "sales_lines.csv", rows)
    ingest(World.load(world))
    assert set(landing.latest("sales_lines")[["merchant_id", "sku_id"]].itertuples(index=False, name=None)) == set(sold)
    found = batches.of_feeds(date(2026, 1, 6))["matches"].set_index("subject")["unlisted_share"]
    assert found["all merchants"] == 0.5
