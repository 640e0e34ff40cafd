"""What was taken in another currency than the catalogue's is converted or waits; it is never added up as it is."""

from pathlib import Path

import duckdb
import pandas as pd
import pytest
from feed_rows import LEAST, good, write_csv, write_good_world

from c2m.feeds import landing, quarantine
from c2m.feeds.ingest import ingest
from c2m.feeds.world import World


@pytest.fixture
def world(tmp_path: Path, home: Path) -> Path:
    return write_good_world(tmp_path / "world", LEAST)


def bring_in(world: Path, *sales: dict[str, str]) -> dict[str, str]:
    """Rule by sale line of what waits after these sales have come."""
    write_csv(world / "sales_lines.csv", [good("sales_lines", **sale) for sale in sales])
    ingest(World.load(world))
    waiting = quarantine.read("sales_lines")
    return dict(zip(waiting["raw"].str.extract('"sale_line_id": ?"([^"]*)"')[0], waiting["rule"], strict=True))


def test_an_amount_without_a_rate_waits_and_says_what_is_lacking(world: Path) -> None:
    sales = [
        {"sale_line_id": "euro"},
        {"sale_line_id": "yen", "currency": "JPY", "amount": "3200"},
        {"sale_line_id": "free", "currency": "JPY", "amount": "0"},
        {"sale_line_id": "blank", "currency": "JPY", "amount": ""},
        {"sale_line_id": "unknown-style", "currency": "JPY", "style_id": "shirt", "sku_id": "shirt-red-M"},
    ]
    assert bring_in(world, *sales) == {"yen": "amount-rate"}
    row = quarantine.read("sales_lines").iloc[0]
    assert row["seen"] == "amount=3200.0000, currency=JPY, merchant_id=m1, style_id=tee, sold_on=2026-01-04"
    assert row["advice"].startswith("Bring in exchange_rates between this currency and the catalogue's")


@pytest.mark.parametrize(
    ("rate", "waits"),
    [
        ({"currency": "JPY", "quote_currency": "EUR", "day": "2026-01-04"}, False),
        ({"currency": "EUR", "quote_currency": "JPY", "day": "2025-12-31"}, False),
        ({"currency": "JPY", "quote_currency": "EUR", "day": "2026-01-05"}, True),  # of a later day
        ({"currency": "JPY", "quote_currency": "USD", "day": "2026-01-01"}, True),
    ],
    ids=["that day", "other way round", "later", "other pair"],
)
def test_it_comes_in_by_itself_once_a_rate_is_there(world: Path, rate: dict[str, str], waits: bool) -> None:
    assert bring_in(world, {"sale_line_id": "euro"}, {"sale_line_id": "yen", "currency": "JPY"}) == {
        "yen": "amount-rate"
    }
    write_csv(world / "exchange_rates.csv", [good("exchange_rates", **rate)])
    table = ingest(World.load(world)).set_index("feed")
    assert quarantine.read("sales_lines").empty is not waits
    assert table.loc["sales_lines", "accepted"] == (1 if waits else 2)
    assert pd.isna(table.loc["exchange_rates", "tenant"])
    landed = duckdb.sql(f"SELECT currency FROM {landing.source('sales_lines')} ORDER BY ALL").fetchall()
    assert landed == [("EUR",)] if waits else [("EUR",), ("JPY",)]


def test_a_rate_between_equal_currencies_or_of_nothing_is_set_aside(world: Path) -> None:
    rates = [{"quote_currency": "JPY"}, {"rate": "0"}, {"rate": "-1"}, {"rate": "nan"}, {}]
    write_csv(world / "exchange_rates.csv", [good("exchange_rates", **rate) for rate in rates])
    table = ingest(World.load(world)).set_index("feed")
    assert (table.loc["exchange_rates", "accepted"], table.loc["exchange_rates", "quarantined"]) == (1, 4)
