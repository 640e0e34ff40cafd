"""Whatever a file holds: no exception, rows in = accepted + quarantined, and what is accepted keeps the contract."""

import csv
import gzip
import io
import tempfile
from datetime import date, datetime
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from feed_rows import good, write_csv
from hypothesis import HealthCheck, assume, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import ValidationError

from c2m.feeds import landing, quarantine, records
from c2m.feeds.contracts import FEEDS
from c2m.feeds.ingest import bring_in
from c2m.feeds.mapping import ReadOptions
from c2m.feeds.world import World
from c2m.settings import settings

_FEW = hypothesis_settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
_READ = ReadOptions.model_validate({})

_cell = st.one_of(
    st.sampled_from(
        ["", " ", "nan", "-inf", "1e400", "-3", "0.5", "9999-12-31", "m1", "x y", '"', "\ufeff", "1;2", "é"]
    ),
    st.text(max_size=8),
)


@st.composite
def _reviews(draw: st.DrawFn) -> bytes:
    """Rows of the reviews feed with cells changed, dropped or added, now and then bytes changed."""
    columns = list(good("reviews"))
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    for number in range(draw(st.integers(0, 6))):
        row = good("reviews", review_id=f"r{draw(st.integers(0, number))}")
        for column in draw(st.lists(st.sampled_from(columns), max_size=2)):
            row[column] = draw(_cell)
        writer.writerow([*row.values(), *draw(st.lists(_cell, max_size=1))][: draw(st.sampled_from([None, None, 3]))])
    content = bytearray(text.getvalue().encode("utf-8", "replace"))
    for place in draw(st.lists(st.integers(0, max(0, len(content) - 1)), max_size=2)):
        content[place] = draw(st.integers(0, 255))
    return bytes(content)


def _outcome(folder: Path) -> pd.Series:
    """The outcome of the one file of a world that lacks all that a day needs."""
    (source,) = World.load(folder).sources()
    bring_in(source)
    return landing.read_landed("file_outcomes").iloc[0]


@_FEW
@given(
    name=st.sampled_from(["reviews.csv", "reviews.csv.gz", "reviews.jsonl", "reviews.parquet"]),
    content=st.one_of(_reviews(), st.binary(max_size=200)),
    packed=st.booleans(),
)
def test_any_file_is_accounted_for(name: str, content: bytes, packed: bool) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("C2M_HOME", f"{folder}/home")
        settings.cache_clear()
        (Path(folder) / name).write_bytes(gzip.compress(content) if packed else content)
        row = _outcome(Path(folder))
        landed = duckdb.sql(f"FROM {landing.source('reviews')}").df()
        held = set(quarantine.read("reviews")["record"])
    settings.cache_clear()
    assert row["rows_in"] == row["accepted"] + row["quarantined"]
    assert row["accepted"] == len(landed) + row["duplicates"]
    assert row["quarantined"] == len(held)
    assert held.isdisjoint(landed["_record"]) and held | set(landed["_record"]) <= set(range(1, row["rows_in"] + 1))
    for review in landed.to_dict("records"):
        FEEDS["reviews"].row.model_validate({k: None if v != v else v for k, v in review.items() if k[0] != "_"})


# A quote after other characters is no CSV: readers may differ there, and in what NUL means.
_sane = st.text(alphabet="a ,\n\r'\té#\\1", max_size=12) | st.just('"x, ""y""\n"')


@hypothesis_settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    rows=st.lists(st.lists(_sane, min_size=1, max_size=4).map(",".join), max_size=5),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_the_fast_and_the_forgiving_reader_agree(rows: list[str], end: str) -> None:
    text = end.join(["a,b", *rows])
    assume("\r " not in text)  # DuckDB drops the blank behind a carriage return alone
    with tempfile.TemporaryDirectory() as folder, landing.connect() as fast, landing.connect() as slow:
        path = Path(folder) / "x.csv"
        path.write_bytes(text.encode())
        sound = records._read_sound_csv(fast, path, _READ, records._Wanted(None))
        if sound:
            assert records._read_csv(slow, path, _READ, records._Wanted(None)) == sound
            assert fast.sql("FROM records").fetchall() == slow.sql("FROM records").fetchall()


_values = {
    "INTEGER": st.integers(-5, 60) | st.sampled_from([10**7, 10**7 + 1]),
    "BIGINT": st.integers(-5, 60) | st.sampled_from([10**9, 10**9 + 1, 2**40]),
    "DOUBLE": st.floats(-200, 700) | st.sampled_from([0.0, 0.2, 1.0, 2.0, float("nan"), float("inf")]),
    "DECIMAL(18,4)": st.decimals(-2, 1000, places=4, allow_nan=False),
    "DECIMAL(18,8)": st.decimals(-2, 1000, places=8, allow_nan=False),
    "DATE": st.dates(date(1999, 12, 1), date(2100, 2, 1)),
    "TIMESTAMP": st.datetimes(datetime(1999, 12, 1), datetime(2100, 2, 1)),  # noqa: DTZ001  UTC, as it lands
    "BOOLEAN": st.booleans(),
    "VARCHAR": st.sampled_from(["m1", "EUR", "BD", "x y", "", "mqtt", "a" * 65, "http://x", "knit;print", "a\0"]),
}


@pytest.mark.parametrize("feed", sorted(FEEDS))
@hypothesis_settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_predicates_say_what_the_model_says(feed: str, data: st.DataObject) -> None:
    """pydantic judges one row at a time; the derived SQL must agree, field by field."""
    contract = FEEDS[feed]
    fields = [rule for rule in contract.rules if len(rule.columns) == 1 and rule.name.startswith(f"{rule.columns[0]}-")]
    with landing.connect() as connection:
        for column in contract.columns:
            value = data.draw(_values[column.type])
            holds = [
                f"({rule.holds})"
                for rule in fields
                if rule.columns == (column.name,) and rule.name in _derived(column.name)
            ]
            query = (
                f"SELECT {' AND '.join(holds) or 'true'} FROM (SELECT CAST($value AS {column.type}) AS {column.name})"
            )
            answer = connection.execute(query, {"value": value}).fetchone()
            assert answer == (_model_accepts(contract.row, column.name, value),), (column, value)


def _derived(column: str) -> set[str]:
    return {f"{column}-{kind}" for kind in ("choice", "finite", "form", "length", "filled", "range")}


def _model_accepts(row: type, column: str, value: object) -> bool:
    try:
        row.model_validate({column: value})
    except ValidationError as error:
        return not any(fault["loc"][:1] == (column,) for fault in error.errors())
    return True


@_FEW
@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("56"), st.sampled_from(["5", "6"])), max_size=12))
def test_one_content_stands_per_key_and_known_at(rows: list[tuple[str, str, str]]) -> None:
    """A dictionary filled in file order says which rows stand, repeat or conflict."""
    standing: dict[tuple[str, str], str] = {}
    for place, day, hand in rows:
        standing.setdefault((place, day), hand)
    conflicts = [row for row in rows if standing[row[:2]] != row[2]]
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("C2M_HOME", f"{folder}/home")
        settings.cache_clear()
        cells = [good("stock", location_id=p, known_at=f"2026-01-0{d}", on_hand=h) for p, d, h in rows]
        write_csv(Path(folder) / "stock.csv", cells, list(good("stock")))
        row = _outcome(Path(folder))
        landed = duckdb.sql(f"SELECT location_id, day(known_at), on_hand FROM {landing.source('stock')}").fetchall()
    settings.cache_clear()
    assert {(place, str(day)): str(hand) for place, day, hand in landed} == standing
    assert row["quarantined"] == len(conflicts)
    assert row["duplicates"] == len(rows) - len(conflicts) - len(standing)


_SHOP = """
feed: reviews
files: shop.csv
fill_down: [{columns: [day], within: [order]}]
explode: {rows: "string_split(items, ';')", as: item, number: n}
unpivot: {columns: [s, m], name: size, value: stars, none: ["-"]}
where: [{keep: stars <> '9', reason: nines}]
add_up: {value: stars, as: sum, within: [order, item, size]}
number_lines: {as: line, within: [order, item]}
columns:
  merchant_id: "'m1'"
  review_id: regexp_replace(concat_ws('-', "order", item, line), '[^A-Za-z0-9_-]', '_', 'g')
  style_id: item
  reviewed_on: CAST(day AS DATE)
  rating: sum
"""
_columns = ("order", "day", "items", "s", "m")
_shop_cells = st.sampled_from(["", "o1", "o2", "2026-01-02", "a", "a;b", "a;;b;a", ";", "-", "9", "3", "x", "1;2", "é"])


@_FEW
@given(st.lists(st.lists(_shop_cells, min_size=4, max_size=6), max_size=8))
def test_rows_of_a_shaped_file_are_accounted_for(rows: list[list[str]]) -> None:
    """Rows in follow from the cells alone: per sound record its items, and of each its filled sizes, else one."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("C2M_HOME", f"{folder}/home")
        settings.cache_clear()
        (Path(folder) / "shop.yaml").write_text(_SHOP)
        (Path(folder) / "world.yaml").write_text("sources: [{mapping: shop.yaml}]\n")
        (Path(folder) / "shop.csv").write_text("\n".join(map(",".join, [_columns, *rows])) + "\n", encoding="utf-8")
        row = _outcome(Path(folder))
        landed = duckdb.sql(f"FROM {landing.source('reviews')}").df()
        held = set(quarantine.read("reviews")["record"])
    settings.cache_clear()
    assert row["rows_in"] == row["accepted"] + row["quarantined"] + row["left_out"]
    assert (row["accepted"], row["quarantined"]) == (len(landed) + row["duplicates"], len(held))
    assert held.isdisjoint(landed["_record"]) and held | set(landed["_record"]) <= set(range(1, row["rows_in"] + 1))
    if not any(len(cells) != len(_columns) for cells in rows):  # a torn record may make faults of those below it
        assert row["rows_in"] == sum(_rows_of(*cells[2:]) for cells in rows if any(cells))


def _rows_of(items: str, s: str, m: str) -> int:
    sizes = sum(cell not in ("", "-") for cell in (s, m))
    return max(1, sizes) * sum(item != "" for item in items.split(";")) or 1
