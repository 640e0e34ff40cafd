"""The public Amazon India apparel data through its mapping."""

import csv
import gzip
from pathlib import Path

import duckdb
import pytest

from c2m.feeds import landing, quarantine
from c2m.feeds.ingest import bring_in
from c2m.feeds.world import World
from c2m.settings import settings

pytestmark = pytest.mark.shared
_FILE = "amazon_india_apparel/Amazon Sale Report.csv.gz"


@pytest.fixture(scope="module")
def amazon(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """C2M_HOME after the demand side has come in; the factories are of no concern here."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("C2M_HOME", str(home))
        patch.setenv("C2M_SHARED_DATA", str(shared_data))
        settings.cache_clear()
        for source in World.load(Path("worlds/amazon_india")).sources():
            bring_in(source)
        yield home
    settings.cache_clear()


def test_every_order_line_is_accounted_for(amazon: Path) -> None:
    rows = duckdb.sql(f"""SELECT feed, rows_in, accepted, quarantined, duplicates
        FROM {landing.source("file_outcomes")} ORDER BY feed""").fetchall()
    assert rows == [("catalogue", 128_975, 128_975, 0, 128_975 - 82_652), ("sales_lines", 128_975, 128_975, 0, 0)]
    assert quarantine.read().empty


def test_lines_agree_with_the_file_read_by_hand(amazon: Path, shared_data: Path) -> None:
    with gzip.open(shared_data / _FILE, "rt", encoding="utf-8", newline="") as text:
        lines = list(csv.DictReader(text))
    asked = sum(int(line["Qty"]) for line in lines)
    cancelled = sum(int(line["Qty"]) for line in lines if line["Status"] == "Cancelled")
    amount = sum(float(line["Amount"] or 0) for line in lines)
    promoted = sum(bool(line["promotion-ids"]) for line in lines)
    found = duckdb.sql(f"""SELECT sum(quantity), sum(quantity) FILTER (status = 'cancelled'), sum(amount)::DOUBLE,
        count(*) FILTER (promotion), count(DISTINCT sku_id), count(DISTINCT style_id), min(sold_on)::VARCHAR,
        max(sold_on)::VARCHAR FROM {landing.source("sales_lines")}""").fetchone()
    assert found == (asked, cancelled, pytest.approx(amount), promoted, 7_195, 1_377, "2022-03-31", "2022-06-29")


def test_a_day_is_known_when_the_next_one_begins(amazon: Path) -> None:
    """The cut-off of 2022-06-01 in India is 18:30 UTC of the day before: all of May is known, nothing of June."""
    lines, cut_off = landing.source("sales_lines"), "TIMESTAMP '2022-05-31 18:30:00'"
    found = duckdb.sql(f"""SELECT max(sold_on) FILTER (known_at < {cut_off})::VARCHAR,
        min(sold_on) FILTER (known_at >= {cut_off})::VARCHAR FROM {lines}""").fetchone()
    assert found == ("2022-05-31", "2022-06-01")


def test_every_line_has_its_sku_in_the_catalogue_when_it_is_known(amazon: Path) -> None:
    missing = duckdb.sql(f"""SELECT count(*) FROM {landing.source("sales_lines")} AS s
        WHERE NOT EXISTS (SELECT 1 FROM {landing.source("catalogue")} AS c
            WHERE c.sku_id = s.sku_id AND c.style_id = s.style_id AND c.known_at <= s.known_at)""").fetchone()
    assert missing == (0,)


def test_no_city_and_no_postal_code_anywhere(amazon: Path, shared_data: Path) -> None:
    with gzip.open(shared_data / _FILE, "rt", encoding="utf-8", newline="") as text:
        rows = list(csv.DictReader(text))
    states = {row["ship-state"].strip().upper() for row in rows}
    places = {row["ship-city"].strip().upper() for row in rows} - states
    codes = {row["ship-postal-code"] for row in rows if row["ship-postal-code"]}
    for feed in ("sales_lines", "catalogue"):
        relation = duckdb.sql(f"FROM {landing.source(feed)}")
        texts = [name for name, kind in zip(relation.columns, relation.types, strict=True) if str(kind) == "VARCHAR"]
        for name in (name for name in texts if not name.startswith("_")):
            values = {str(value).upper() for (value,) in relation.select(f'"{name}"').distinct().fetchall()}
            # 'M', 'L' and the like are sizes here and a typing error for a city there.
            assert not {value for value in values & places if len(value) > 3}, name
            assert not values & codes, name
