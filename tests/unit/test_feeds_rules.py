"""Each row rule of each feed, by an example that breaks it alone."""

from pathlib import Path

import duckdb
import pytest
from feed_rows import good, write_csv, write_good_world

from c2m.feeds import landing, quarantine
from c2m.feeds.contracts import FEEDS, SCHEMAS
from c2m.feeds.ingest import ingest
from c2m.feeds.world import World

BROKEN = [
    ("catalogue", {"sku_id": "two words"}, "sku_id-form"),
    ("catalogue", {"sku_id": "x" * 65}, "sku_id-form"),
    ("catalogue", {"colour": ""}, "colour-type"),
    ("catalogue", {"colour": "x" * 201}, "colour-length"),
    ("catalogue", {"price": "0"}, "price-range"),
    ("catalogue", {"price": "inf"}, "price-type"),
    ("catalogue", {"price": "much"}, "price-type"),
    ("catalogue", {"currency": "euro"}, "currency-form"),
    ("catalogue", {"category": "knit\twear"}, "category-form"),
    ("catalogue", {"crafts": "print;knit"}, "crafts-order"),
    ("catalogue", {"crafts": "print, wash"}, "crafts-form"),
    ("catalogue", {"attributes": "{"}, "attributes-json"),
    ("catalogue", {"sam_sew_minutes": "inf"}, "sam_sew_minutes-finite"),
    ("catalogue", {"released_on": "9999-12-31"}, "released_on-range"),
    ("factories", {"timezone": "Mars/Base"}, "timezone-unknown"),
    ("factories", {"onboarding": "audited", "onboarding_on": "2026-01-05"}, "onboarding-evidence"),
    ("factories", {"latitude": "91"}, "latitude-range"),
    ("factories", {"latitude": "NaN"}, "latitude-finite"),
    ("factories", {"transport": "fax"}, "transport-choice"),
    ("factories", {"lines": "1.5"}, "lines-type"),
    ("factories", {"endpoint_url": "ftp://x"}, "endpoint_url-form"),
    ("factories", {"small_order_willingness": "1.1"}, "small_order_willingness-range"),
    ("factory_capabilities", {"kind": "colour"}, "kind-choice"),
    ("factory_capabilities", {"name": "dress\nes"}, "name-form"),
    ("factory_capabilities", {"efficiency": "0"}, "efficiency-range"),
    ("factory_capabilities", {"factory_id": "nobody"}, "factory_id-unknown"),
    ("factory_calendar", {"minutes": "-1"}, "minutes-range"),
    ("factory_calendar", {"factory_id": "nobody"}, "factory_id-unknown"),
    ("sales_lines", {"quantity": "-1"}, "quantity-range"),
    ("sales_lines", {"quantity": "99999999999"}, "quantity-type"),
    ("sales_lines", {"sold_on": "31/12/2025"}, "sold_on-type"),
    ("sales_lines", {"status": "lost"}, "status-choice"),
    ("sales_lines", {"promotion": "maybe"}, "promotion-type"),
    ("sales_lines", {"known_at": "soon"}, "known_at-type"),
    ("sales_lines", {"known_at": "9999-12-31T00:00:00Z"}, "known_at-range"),
    ("stock", {"on_hand": "-5"}, "on_hand-range"),
    ("stock", {"as_of": "infinity"}, "as_of-range"),
    ("merchant_orders", {"due_on": "2026-01-03"}, "due-before-placed"),
    ("merchant_orders", {"release_on": "2026-02-02"}, "due-before-release"),
    ("merchant_orders", {"destination_latitude": "5"}, "half-a-destination"),
    ("merchant_orders", {"order_id": "own", "parent_order_id": "own"}, "own-parent"),
    ("merchant_orders", {"tolerance_share": "0.3"}, "tolerance_share-range"),
    ("merchant_order_lines", {"quantity": "-1"}, "quantity-range"),
    ("merchant_order_lines", {"sku_id": "nobodys"}, "sku_id-unknown"),
    ("merchant_order_lines", {"order_id": "nobodys"}, "order_id-unknown"),
    ("market", {"volume": "", "price": ""}, "volume-or-price"),
    ("market", {"source": "own"}, "source-reserved"),
    ("market", {"volume": "-1"}, "volume-range"),
    ("market", {"price": "0"}, "price-range"),
    ("demand_signals", {"value": "1.2"}, "promotion-depth-share"),
    ("demand_signals", {"signal": "views", "value": "nan"}, "value-finite"),
    ("reviews", {"rating": "6"}, "rating-range"),
    ("bill_of_materials", {"waste_share": "1"}, "waste_share-range"),
    ("bill_of_materials", {"parent_kind": "material", "parent_id": "jersey"}, "own-part"),
    ("supplier_materials", {"pack": "6000", "minimum_order": ""}, "pack-over-capacity"),
    ("supplier_materials", {"minimum_order": "6000"}, "minimum-over-capacity"),
    ("supplier_materials", {"price_breaks": "500:2;100:1"}, "breaks-rise"),
    ("supplier_materials", {"price_breaks": "500=2"}, "price_breaks-form"),
    ("designs", {"routing": ""}, "minutes-or-routing"),
    ("designs", {"sam_sew_minutes": "9"}, "minutes-or-routing"),
    ("designs", {"routing": "sew 9.5"}, "routing-json"),
    ("designs", {"routing": '[{"operation": "sew", "sam_minutes": 0}]'}, "routing-json"),
    ("designs", {"routing": '[{"operation": "ship", "sam_minutes": 1}]'}, "routing-json"),
    ("designs", {"bill_of_materials": "[]"}, "bill-json"),
    ("designs", {"bill_of_materials": '[{"material_id": "jersey", "quantity": 1}]'}, "bill-json"),
    ("designs", {"crafts": "print;knit"}, "crafts-order"),
    ("lanes", {"to_place": "mill"}, "lane-to-itself"),
    ("lanes", {"cost_per_kg": ""}, "lane-without-cost"),
    ("reviews", {"text": "x" * 20_001}, "text-length"),
]
_KEYS = {"catalogue": "sku_id", "factories": "factory_id", "sales_lines": "sale_line_id", "stock": "location_id"}
_KEYS |= {"merchant_orders": "order_id", "reviews": "review_id"}


@pytest.fixture(scope="module")
def rules_found(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, int], set[str]]:
    """One ingest of all examples, each a row after the good one: rules by feed and record."""
    world = write_good_world(tmp_path_factory.mktemp("world"))
    for feed in FEEDS:
        changes = [changed for name, changed, _ in BROKEN if name == feed]
        own = [{_KEYS[feed]: f"o{number + 2}"} if feed in _KEYS else {} for number in range(len(changes))]
        rows = [good(feed, **{**key, **changed}) for key, changed in zip(own, changes, strict=True)]
        write_csv(world / f"{feed}.csv", [good(feed), *rows])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("C2M_HOME", str(tmp_path_factory.mktemp("home")))
        from c2m.settings import settings

        settings.cache_clear()
        ingest(World.load(world))
        rows = quarantine.read()
        settings.cache_clear()
    return {place: set(group["rule"]) for place, group in rows.groupby(["feed", "record"])}


@pytest.mark.parametrize(("feed", "changes", "rule"), BROKEN, ids=[f"{f}-{r}" for f, _, r in BROKEN])
def test_example_breaks_its_rule_alone(
    rules_found: dict[tuple[str, int], set[str]], feed: str, changes: dict[str, str], rule: str
) -> None:
    record = 2 + [(c, r) for f, c, r in BROKEN if f == feed].index((changes, rule))
    assert rules_found[(feed, record)] == {rule}


# Columns of each feed when rows first landed: they are what a row's hash is made of, filled or not.
FIRST_COLUMNS = {
    "catalogue": 18,
    "exchange_rates": 5,
    "factories": 21,
    "factory_capabilities": 5,
    "factory_calendar": 6,
    "sales_lines": 15,
    "stock": 6,
    "merchant_orders": 15,
    "merchant_order_lines": 5,
    "receipts": 12,
    "demand_signals": 6,
    "reviews": 7,
}


def test_a_later_column_leaves_landed_rows_what_they_were() -> None:
    first = {name: sum(not column.added for column in feed.columns) for name, feed in FEEDS.items()}
    assert {name: first[name] for name in FIRST_COLUMNS} == FIRST_COLUMNS, "say added=True in the new column's Sql"


def test_good_rows_break_nothing(rules_found: dict[tuple[str, int], set[str]]) -> None:
    assert not [place for place in rules_found if place[1] == 1]


def test_every_rule_of_a_row_is_told(home: Path, tmp_path: Path) -> None:
    world = write_good_world(tmp_path / "world")
    write_csv(world / "stock.csv", [good("stock", sku_id="a b", on_hand="-1", as_of="never")])
    ingest(World.load(world))
    rows = quarantine.read("stock").set_index("rule")
    assert set(rows.index) == {"sku_id-form", "on_hand-range", "as_of-type"}
    assert rows.loc["on_hand-range", "seen"] == "on_hand=-1"
    assert all(rows["advice"].str.startswith("Give "))


def test_key_and_columns_exist() -> None:
    for feed in FEEDS.values():
        names = {column.name for column in feed.columns}
        assert set(feed.key) <= names
        assert {column for reference in feed.references for column in reference.columns} <= names
        assert {column for rule in feed.rules for column in rule.columns} <= names
        assert {c for one in feed.conversions for c in (one.amount, one.day, *one.columns)} <= names
        if any("currency" in column.unit for column in feed.columns):
            assert "currency" in names, f"{feed.name}: money, and no currency"
        assert feed.columns[-1].name == "known_at"


def test_every_source_reads_before_anything_landed(home: Path) -> None:
    landing.ensure_landing()
    for name, schema in SCHEMAS.items():
        relation = duckdb.sql(f"FROM {landing.source(name)}")
        assert dict(zip(relation.columns, map(str, relation.types), strict=True)) == schema
        assert relation.fetchall() == []
