"""The generated world through the real ingest: everything planted is quarantined, everything else lands."""

import json
import shutil
from datetime import date
from pathlib import Path

import docs_kit
import duckdb
import numpy as np
import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from c2m.cli import app
from c2m.errors import InputError
from c2m.feeds.ingest import ingest
from c2m.feeds.world import World
from c2m.simulation.world import write_supply, write_world

ROOT = Path(__file__).parents[2]
OPENING = date(2026, 3, 11)
COVER_DAYS = 8.0


def quarantined(home: Path) -> pd.DataFrame:
    """One row per record and broken rule."""
    files = (home / "quarantine" / "*" / "*.parquet").as_posix()
    return duckdb.execute(
        "SELECT DISTINCT feed, batch_id, record, rule FROM read_parquet(?, union_by_name = true)", [files]
    ).df()


def test_rows_in_are_accepted_or_quarantined_and_the_quarantine_holds_what_was_planted(home: Path) -> None:
    write_world(home / "world", 7, "small")
    outcomes = ingest(World.load(home / "world"))
    assert (outcomes["rows_in"] == outcomes["accepted"] + outcomes["quarantined"]).all()
    planted = json.loads((home / "world" / "dirt.json").read_text())
    found = outcomes.groupby("feed")["quarantined"].sum()
    assert found.to_dict() == {feed: sum(kinds.values()) for feed, kinds in planted.items()}
    rules = quarantined(home).value_counts(["feed", "rule"]).to_dict()
    for feed, counts in planted.items():
        assert counts == {rule: rules.get((feed, rule)) for rule in counts}


def test_every_kind_of_fault_is_planted(home: Path) -> None:
    write_world(home / "world", 7, "small")
    planted = json.loads((home / "world" / "dirt.json").read_text())
    kinds = {rule.rsplit("-", 1)[-1] for counts in planted.values() for rule in counts}
    # Out of range and far dates, no number, infinite, empty, ill-formed id, unknown word, unknown style, one key twice.
    assert kinds >= {"range", "finite", "type", "form", "choice", "unknown", "conflict"}
    assert {"row-shape", "encoding"} <= planted["sales_lines"].keys()


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A foreign shop: its own columns, mapped by YAML; two styles, 60 days, and a SKU that comes after the opening."""
    folder = tmp_path_factory.mktemp("shop")
    rng, rows = np.random.default_rng(1), []
    for day in pd.date_range("2026-02-01", periods=60):
        skus = ["A-M", "A-L", "B-M", "B-L"] + (["A-XL"] if day >= pd.Timestamp(OPENING) else [])
        rows += [(day.date(), sku, int(pieces)) for sku, pieces in zip(skus, rng.poisson(6, len(skus)), strict=True)]
    pd.DataFrame(rows, columns=["When", "Item", "Pieces"]).rename_axis("No").to_csv(folder / "export.csv")
    known = "strptime(\"When\", '%Y-%m-%d') + INTERVAL 12 HOUR"
    constants = {"merchant_id": "'shop'", "currency": "'INR'", "known_at": known}
    sku = {"sku_id": '"Item"', "style_id": """split_part("Item", '-', 1)"""}
    minutes = {f"sam_{operation}_minutes": "4" for operation in ("cut", "sew", "finish", "inspect", "pack")}
    goods = {
        "colour": "'red'",
        "size": "'M'",
        "category": "'kurta'",
        "price": "700",
        "cost": "300",
        "crafts": "'print'",
    }
    sold = {"sale_line_id": '"No"', "channel": "'web'", "sold_on": '"When"', "quantity": '"Pieces"'}
    sold |= {"status": "'shipped'", "promotion": "false", "business_customer": "false"}
    for feed, columns in {"catalogue": sku | goods | minutes, "sales_lines": sku | sold}.items():
        mapping = {"feed": feed, "files": "export.csv", "columns": constants | columns}
        (folder / f"{feed}.mapping.yaml").write_text(yaml.safe_dump(mapping))
    sources = [{"mapping": f"{feed}.mapping.yaml"} for feed in ("catalogue", "sales_lines")]
    told = {"name": "shop", "timezone": "Asia/Kolkata", "currency": "INR", "sources": sources}
    (folder / "world.yaml").write_text(yaml.safe_dump(told | {"settings": {"plan": {"horizon_days": 14}}}))
    return folder


def test_the_supply_of_a_mapped_world_is_a_world_of_its_own(foreign: Path, home: Path) -> None:
    write_supply(home / "world", 3, "small", foreign, OPENING, COVER_DAYS)
    outcomes = ingest(World.load(home / "world"))
    assert outcomes["status"].unique().tolist() == ["ok"]
    assert {"catalogue", "sales_lines", "stock", "factories", "merchant_order_lines"} <= set(outcomes["feed"])
    told = World.load(home / "world")
    assert told.overrides["business_date"] == OPENING.isoformat()
    assert told.overrides["plan"] == {"horizon_days": 14}
    factories = pd.read_csv(home / "world" / "factories.csv")
    assert (factories["country"] == "IN").mean() > 0.5
    assert set(factories["currency"]) == {"INR"}


def test_opening_stock_covers_the_stated_days_of_recent_demand(foreign: Path, tmp_path: Path) -> None:
    write_supply(tmp_path, 3, "small", foreign, OPENING, COVER_DAYS)
    lines = pd.read_csv(foreign / "export.csv", parse_dates=["When"])
    opening = pd.Timestamp(OPENING)
    recent = lines[(lines["When"] < opening) & (lines["When"] >= opening - pd.Timedelta(days=28))]
    wanted = recent.groupby("Item")["Pieces"].sum() / 28 * COVER_DAYS
    stock = pd.read_csv(tmp_path / "stock.csv").set_index("sku_id")["on_hand"]
    assert stock.sum() == pytest.approx(wanted.sum(), abs=0.5)
    assert (stock - wanted).abs().max() <= 1


def test_nothing_after_the_opening_is_looked_at(foreign: Path, tmp_path: Path) -> None:
    for name in ("whole", "cut"):
        shutil.copytree(foreign, tmp_path / name)
    lines = pd.read_csv(tmp_path / "cut" / "export.csv")
    lines[lines["When"] < OPENING.isoformat()].to_csv(tmp_path / "cut" / "export.csv", index=False)
    for name in ("whole", "cut"):
        given = {"amazon": tmp_path / f"{name}-supply", "over": tmp_path / name, "opening_on": OPENING}
        assert CliRunner().invoke(app, docs_kit.of("how-to/prove-it.md", "demo-world amazon", **given)).exit_code == 0
    files = [{p.name: p.read_bytes() for p in (tmp_path / f"{n}-supply").glob("*.csv")} for n in ("whole", "cut")]
    assert files[0] == files[1]


def test_native_files_of_a_world_go_along(home: Path) -> None:
    write_world(home / "shop", 7, "small")
    given = {"my_week": home / "world", "over": home / "shop"}
    assert CliRunner().invoke(app, docs_kit.of("how-to/prove-it.md", "demo-world my-week", **given)).exit_code == 0
    assert yaml.safe_load((home / "world" / "world.yaml").read_text())["business_date"] == date(2026, 4, 13)
    names = {path.name for path in (home / "world").iterdir()}
    assert {"catalogue.csv", "sales_lines.csv.gz", "reviews.csv", "factories.csv", "world.yaml"} <= names


def test_a_catalogue_that_nobody_knew_at_the_opening_is_refused(foreign: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="known before 2020-01-01"):
        write_supply(tmp_path, 3, "small", foreign, date(2020, 1, 1))
    with pytest.raises(InputError, match="names no business_date"):
        write_supply(tmp_path, 3, "small", foreign)


def test_a_shop_without_sales_or_with_a_column_short_is_refused(foreign: Path, tmp_path: Path) -> None:
    shutil.copytree(foreign, tmp_path / "shop")
    export = tmp_path / "shop" / "export.csv"
    pd.read_csv(export).drop(columns="Pieces").to_csv(export, index=False)
    with pytest.raises(InputError, match=r"export\.csv: .*Pieces"):
        write_supply(tmp_path / "world", 3, "small", tmp_path / "shop", OPENING)
    export.unlink()
    with pytest.raises(InputError, match="no file of catalogue"):
        write_supply(tmp_path / "world", 3, "small", tmp_path / "shop", OPENING)


@pytest.mark.shared
def test_supply_for_the_amazon_data_splits_orders_over_the_week(shared_data: Path, tmp_path: Path) -> None:
    opening = date(2022, 6, 1)
    write_supply(tmp_path, 7, "small", ROOT / "worlds" / "amazon_india", opening)
    orders = pd.read_csv(tmp_path / "merchant_orders.csv", parse_dates=["placed_on", "known_at"])
    pieces = pd.read_csv(tmp_path / "merchant_order_lines.csv").groupby("order_id")["quantity"].sum()
    large = orders[orders["order_id"].map(pieces) > 2_000]
    assert (large["known_at"] < "2022-06-07").sum() >= 3
    assert orders["placed_on"].between("2022-05-25", "2022-06-10").all()
    days = pd.read_csv(tmp_path / "factory_calendar.csv", parse_dates=["day"])["day"]
    assert days.min() <= pd.Timestamp("2022-05-01") < pd.Timestamp("2022-09-30") <= days.max()
    assert 9_000 < pd.read_csv(tmp_path / "stock.csv")["on_hand"].sum() < 15_000
