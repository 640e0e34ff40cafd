"""The generated world: deterministic, calibrated, loaded as it says, with orders that no factory can make alone."""

from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from benchmarks.worlds.calibrate import RESULTS, measure
from c2m.errors import InputError
from c2m.feeds.contracts import FEEDS
from c2m.simulation.world import assumptions, catalogue, demand, network, write_world
from c2m.simulation.world.span import Span

ROOT = Path(__file__).parents[2]
LARGE_PIECES = 2_000  # ordinary orders stop at 1,200


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("world")
    write_world(path, 7, "small")
    return path


@pytest.fixture(scope="module")
def business_date(folder: Path) -> pd.Timestamp:
    return pd.Timestamp(yaml.safe_load((folder / "world.yaml").read_text())["business_date"])


# Cells that only a planted fault holds.
PLANTED = r"dirt-.*|NOBODYS-.*|nan|-5|-60|smells"


def clean(folder: Path, feed: str) -> pd.DataFrame:
    """The feed without its planted faults, as text; a reader of its own, independent of the ingest."""
    path = next(p for p in (folder / f"{feed}.csv", folder / f"{feed}.csv.gz") if p.exists())
    rows = pd.read_csv(path, dtype=str, keep_default_na=False)
    planted = rows.apply(lambda cells: cells.str.fullmatch(PLANTED)).any(axis=1)
    planted |= rows.get("quantity", pd.Series("1", rows.index)) == "0"
    return rows[~planted].drop_duplicates([*FEEDS[feed].key, "known_at"], ignore_index=True)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_the_same_seed_writes_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    write_world(tmp_path, 7, "small")
    assert contents(tmp_path) == contents(folder)


def test_another_seed_writes_another_world_and_leaves_no_file_of_the_first(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "sales_lines.csv").write_text("left over from a world small enough to stay unpacked")
    write_world(tmp_path, 8, "small")
    ours, theirs = contents(folder), contents(tmp_path)
    assert ours.keys() == theirs.keys()
    assert ours["sales_lines.csv.gz"] != theirs["sales_lines.csv.gz"]


def test_an_unknown_size_is_refused_with_the_sizes_there_are(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="small, city, nation"):
        write_world(tmp_path, 1, "galaxy")


def test_every_feed_is_there_with_the_columns_of_its_contract(folder: Path) -> None:
    # All counts in one currency; receipts follow from what is made; whoever makes a style brings its material; designs
    # come with the whole joint factory; the catalogue has the five minutes, which need no routing.
    told_later = {"exchange_rates", "receipts", "lanes", "routings"} | {name for name in FEEDS if "materials" in name}
    told_later |= {"suppliers", "designs"}
    for feed in (feed for name, feed in FEEDS.items() if name not in told_later):
        assert list(clean(folder, feed.name)) == [c.name for c in feed.columns]


def test_small_is_small(folder: Path) -> None:
    lines = clean(folder, "sales_lines")
    assert 20_000 < lines["sale_line_id"].nunique() < 60_000
    assert clean(folder, "catalogue")["style_id"].nunique() == 40
    assert len(clean(folder, "factories")) == 12
    assert clean(folder, "merchant_orders")["order_id"].nunique() == 14


# --- Time


def test_each_of_fourteen_days_on_brings_new_sales_and_the_week_new_orders(
    folder: Path, business_date: pd.Timestamp
) -> None:
    lines = clean(folder, "sales_lines")
    placed = pd.to_datetime(lines.loc[lines["status"] == "placed", "sold_on"])
    for day in pd.date_range(business_date, periods=14):
        assert (placed == day).sum() > 20
    orders = pd.to_datetime(clean(folder, "merchant_orders")["known_at"])
    assert (orders < business_date).any()
    assert (orders > business_date + pd.Timedelta(days=1)).any()


def test_a_line_is_known_when_it_is_sold_and_what_became_of_it_later(folder: Path) -> None:
    lines = clean(folder, "sales_lines")
    known = pd.to_datetime(lines["known_at"]).dt.tz_localize("UTC").dt.tz_convert("Asia/Shanghai")
    placed = lines["status"] == "placed"
    assert (known[placed].dt.date.astype(str) == lines.loc[placed, "sold_on"]).all()
    history = lines.assign(known=known).sort_values("known", kind="stable")
    assert (history.groupby("sale_line_id")["status"].first() == "placed").all()
    assert set(history.groupby("sale_line_id")["status"].last()) == {"delivered", "cancelled", "returned"}


def test_promotions_and_livestreams_are_known_ahead_and_looks_are_not(folder: Path) -> None:
    signals = clean(folder, "demand_signals")
    day, known = pd.to_datetime(signals["day"]), pd.to_datetime(signals["known_at"])
    ahead = signals["signal"].isin(["promotion_depth", "livestream_minutes"])
    assert (known[ahead] < day[ahead] - pd.Timedelta(days=6)).all()
    assert (known[~ahead] > day[~ahead]).all()


def test_stock_is_one_snapshot_in_the_last_second_before_the_day(folder: Path, business_date: pd.Timestamp) -> None:
    as_of = pd.to_datetime(clean(folder, "stock")["as_of"]).unique()
    assert as_of == [business_date - pd.Timedelta(hours=8, seconds=1)]


def test_calendars_have_days_off_of_their_country_and_run_120_days_ahead(
    folder: Path, business_date: pd.Timestamp
) -> None:
    days = clean(folder, "factory_calendar").merge(clean(folder, "factories")[["factory_id", "country"]])
    days["day"] = pd.to_datetime(days["day"])
    assert days.groupby("factory_id")["day"].max().min() >= business_date + pd.Timedelta(days=120)
    idle = days[days["minutes"].astype(float) == 0]
    assert (idle["reason"] != "").all()
    assert {"weekend", "holiday", "maintenance"} <= set(days["reason"])
    bangladesh = days[(days["country"] == "BD") & (days["reason"] == "weekend")]
    assert (bangladesh["day"].dt.day_of_week == 4).all()
    labour_day = days[(days["country"] == "CN") & (days["day"] == "2026-05-01")]
    assert (labour_day["reason"] == "holiday").all()


# --- Calibration


def drawn(styles: int = 800, pieces_per_day: float = 0.95) -> tuple[pd.DataFrame, demand.ShopperDemand, Span]:
    span, rng = Span(date(2026, 4, 13), "UTC", 90, 21), np.random.default_rng(3)
    frame = catalogue.styles(rng, "m", styles, span, pieces_per_day)
    return frame, demand.draw(rng, frame, span), span


def test_demand_is_as_intermittent_and_as_concentrated_as_measured() -> None:
    _, drawn_demand, _ = drawn()
    lines = drawn_demand.lines[:, :90]
    mean = lines.mean(axis=1)
    middling = lines[(mean >= 1) & (mean < 2)]
    assert (middling == 0).mean() == pytest.approx(0.347, abs=0.05)
    assert (lines == 0).mean() == pytest.approx(0.664, abs=0.07)
    totals = np.sort(lines.sum(axis=1))[::-1]
    assert totals[:80].sum() / totals.sum() == pytest.approx(0.548, abs=0.06)


def test_weekdays_sell_as_measured() -> None:
    styles, _, span = drawn(400, 5.0)
    share = np.zeros(7)
    for seed in range(3):
        lines = demand.draw(np.random.default_rng(seed), styles, span).lines[:, :105]
        share += np.array([lines[:, span.weekday[:105] == day].sum() for day in range(7)])
    # Streams fall on Tuesday, Thursday and Saturday and carry over to the next day, on top of the measured pattern.
    assert share / share.mean() == pytest.approx(assumptions.WEEKDAY, abs=0.08)


def test_promotions_and_livestreams_raise_demand() -> None:
    _, drawn_demand, _ = drawn(400, 5.0)
    lines, expected = drawn_demand.lines, drawn_demand.lines.mean(axis=1, keepdims=True)

    def lift(mask: np.ndarray) -> float:
        return float(lines[mask].sum() / np.broadcast_to(expected, lines.shape)[mask].sum())

    assert lift(drawn_demand.promotion_depth >= 0.3) > 1.3
    assert lift(drawn_demand.livestream_minutes > 0) > 2


def test_nothing_sells_before_its_release() -> None:
    styles, drawn_demand, _ = drawn()
    for style in np.flatnonzero(styles["release_day"].notna()):
        assert drawn_demand.lines[style, : int(styles["release_day"].iat[style])].sum() == 0


def test_sizes_cancellations_and_returns_are_as_measured(folder: Path) -> None:
    lines = clean(folder, "sales_lines")
    size = lines.loc[lines["status"] == "placed", "sku_id"].str.rsplit("-", n=1).str[-1]
    share = size.value_counts(normalize=True)[list(assumptions.SIZES)]
    assert share.to_numpy() == pytest.approx(np.array(assumptions.SIZE_CURVE) / sum(assumptions.SIZE_CURVE), abs=0.05)
    last = lines.drop_duplicates("sale_line_id", keep="last")["status"].value_counts(normalize=True)
    assert last["cancelled"] == pytest.approx(assumptions.CANCELLED_SHARE, abs=0.01)
    assert last["returned"] / (1 - last["cancelled"]) == pytest.approx(assumptions.RETURNED_SHARE, abs=0.01)


def test_prices_pay_for_the_making(folder: Path) -> None:
    styles, factories = clean(folder, "catalogue"), clean(folder, "factories")
    price = styles["price"].astype(float)
    assert 8 < price.quantile(0.25) < price.quantile(0.75) < 40
    minutes = styles[list(catalogue.SAM)].astype(float).sum(axis=1)
    conversion = minutes / assumptions.EFFICIENCY_MEAN * factories["minute_cost"].astype(float).median() / price
    assert 0.10 < conversion.median() < 0.25
    assert (styles["cost"].astype(float) < price).all()


def test_efficiencies_spread_as_between_measured_teams() -> None:
    skills = network.Skills(tuple(c.name for c in assumptions.CATEGORIES), ("knit",), 0.5)
    days = [date(2026, 4, 13)]
    made = network.network(np.random.default_rng(1), 400, skills, "CN", "USD", np.datetime64("2026-01-01"), days)
    by_factory = made.capabilities.groupby("factory_id")["efficiency"].mean()
    assert by_factory.mean() == pytest.approx(assumptions.EFFICIENCY_MEAN, abs=0.01)
    assert by_factory.std() == pytest.approx(assumptions.EFFICIENCY_SD, abs=0.012)
    assert (made.factories["country"] == "CN").mean() == pytest.approx(assumptions.HOME_SHARE, abs=0.01)


@pytest.mark.shared
def test_measured_numbers_are_what_the_public_data_say(shared_data: Path) -> None:
    found = measure(shared_data)
    assert [figure for figure in found if not figure.holds] == []
    kept = pd.read_csv(RESULTS)  # of which the page is written
    assert kept["name"].tolist() == [figure.name for figure in found]
    seen = [(figure.used, figure.measured) for figure in found]
    np.testing.assert_allclose(kept[["used", "measured"]], seen, rtol=1e-3)


# --- The order book against the factories


@pytest.fixture(scope="module")
def book(folder: Path) -> pd.DataFrame:
    """Orders with their lot: pieces, standard minutes, what the style needs."""
    goods = clean(folder, "catalogue").set_index("sku_id")
    lines = clean(folder, "merchant_order_lines").drop_duplicates(["order_id", "sku_id"])
    lines["minutes"] = lines["sku_id"].map(goods[list(catalogue.SAM)].astype(float).sum(axis=1))
    lines[["category", "crafts"]] = goods.loc[lines["sku_id"], ["category", "crafts"]].to_numpy()
    lines["pieces"] = lines["quantity"].astype(int)
    lots = lines.groupby("order_id").agg({"pieces": "sum", "minutes": "first", "category": "first", "crafts": "first"})
    return clean(folder, "merchant_orders").drop_duplicates("order_id").set_index("order_id").join(lots)


def window_pieces(folder: Path, order: pd.Series) -> pd.Series:
    """Pieces that each able factory makes from release to delivery with all its overtime; slow and plain on purpose."""
    skills = clean(folder, "factory_capabilities")
    days = clean(folder, "factory_calendar")
    days = days[(days["day"] >= order["release_on"]) & (days["day"] <= order["due_on"])]
    pieces = {}
    for factory_id in clean(folder, "factories")["factory_id"]:
        own = skills[skills["factory_id"] == factory_id].set_index("name")["efficiency"].astype(float)
        needed = [order["category"], *filter(None, order["crafts"].split(";"))]
        if set(needed) <= set(own.index):
            worked = days[days["factory_id"] == factory_id][["minutes", "overtime_minutes"]].astype(float)
            pieces[factory_id] = worked.sum().sum() * own[needed].min() / order["minutes"]
    return pd.Series(pieces)


def test_three_orders_are_too_large_for_any_one_factory_and_not_for_all(folder: Path, book: pd.DataFrame) -> None:
    large = book[book["pieces"] > LARGE_PIECES]
    assert len(large) == 3
    for _, order in large.iterrows():
        able = window_pieces(folder, order)
        assert order["pieces"] > able.max()
        assert order["pieces"] < able.sum() / 2


def test_large_orders_ask_for_crafts_that_only_some_factories_have(folder: Path, book: pd.DataFrame) -> None:
    with_crafts = book[(book["pieces"] > LARGE_PIECES) & (book["crafts"] != "")]
    factories = len(clean(folder, "factories"))
    assert len(with_crafts) >= 2
    for _, order in with_crafts.iterrows():
        assert 4 <= len(window_pieces(folder, order)) <= factories * 2 / 3


def test_the_known_order_book_loads_the_factories_by_40_to_70_percent(
    folder: Path, book: pd.DataFrame, business_date: pd.Timestamp
) -> None:
    days = clean(folder, "factory_calendar")
    day = pd.to_datetime(days["day"])
    horizon = days[(day > business_date) & (day <= business_date + timedelta(days=21))]
    known = book[pd.to_datetime(book["known_at"]) < business_date]
    asked = (known["pieces"] * known["minutes"]).sum() / assumptions.EFFICIENCY_MEAN
    assert 0.40 < asked / horizon["minutes"].astype(float).sum() < 0.70


def test_every_style_has_a_maker(folder: Path) -> None:
    able = clean(folder, "factory_capabilities").groupby("factory_id")["name"].agg(set)
    for category, crafts in clean(folder, "catalogue")[["category", "crafts"]].drop_duplicates().to_numpy():
        needed = {category, *filter(None, crafts.split(";"))}
        assert sum(needed <= skills for skills in able) >= 2


def test_some_styles_need_replenishment_on_the_first_day(folder: Path, business_date: pd.Timestamp) -> None:
    lines, goods = clean(folder, "sales_lines"), clean(folder, "catalogue").set_index("sku_id")
    sold_on = pd.to_datetime(lines["sold_on"])
    recent = lines[(lines["status"] == "placed") & (sold_on < business_date)]
    recent = recent[sold_on.loc[recent.index] >= business_date - timedelta(days=28)]
    lot = goods["style_id"] + goods["colour"]
    per_day = recent["sku_id"].map(lot).value_counts() / 28
    stock = clean(folder, "stock")
    on_hand = stock["on_hand"].astype(int).groupby(stock["sku_id"].map(lot)).sum()
    short = per_day * 14 * 1.2 - on_hand.reindex(per_day.index).fillna(0)
    assert 4 <= (short >= 50).sum() <= 20


def test_moments_follow_the_clock_changes_of_the_zone() -> None:
    span = Span(date(2026, 3, 28), "Europe/Berlin", 1, 3)
    found = span.moments([0, 1, 2, -1], [0, 0, 0, 3600]).tolist()
    expected = [(3, 26, 23), (3, 27, 23), (3, 28, 23), (3, 26, 0)]
    assert found == [datetime(2026, *moment) for moment in expected]  # noqa: DTZ001
