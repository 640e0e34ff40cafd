"""Order quantities: reference values, an oracle that tries every quantity, and what moves an order up or down."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from c2m.domain.newsvendor import WINDOW_LEVELS, WINDOW_QUANTILES, Stakes, quantile_at
from c2m.errors import InputError
from c2m.settings import ReplenishmentPolicy
from optimization.book.lots import SAM
from optimization.book.replenishment import batch_pieces, replenish, water_fill

DAY = date(2026, 3, 2)
POLICY = ReplenishmentPolicy.model_validate({})
LAST = pd.DataFrame({"merchant_id": ["m"], "style_id": ["s"], "colour": ["red"], "order_id": ["earlier"]})


def windows(mean: float = 600, sd: float = 60, style: str = "s") -> pd.DataFrame:
    quantiles = {name: norm.ppf(level, mean, sd) for name, level in WINDOW_QUANTILES.items()}
    key = {
        "merchant_id": "m",
        "style_id": style,
        "business_date": DAY,
        "window_days": 14,
        "known_at": pd.Timestamp("2026-03-02 01:00"),
    }
    return pd.DataFrame([{**key, "model_version": "7", "mean": mean, **quantiles}])


def styles(price: float = 30.0, cost: float = 12.0) -> pd.DataFrame:
    return pd.DataFrame([{"merchant_id": "m", "style_id": "s", "price": price, "cost": cost, "currency": "USD"}])


def skus() -> pd.DataFrame:
    shares = {"red-S": 0.1, "red-M": 0.3, "red-L": 0.2, "blue-S": 0.1, "blue-M": 0.2, "blue-L": 0.1}
    rows = [
        {"merchant_id": "m", "sku_id": sku, "style_id": "s", "colour": sku.split("-")[0], "size_share": share}
        for sku, share in shares.items()
    ]
    facts = {
        "category": "shirt",
        "crafts": "knit;print",
        "price": 30.0,
        "cost": 12.0,
        "currency": "USD",
        "sam_minutes": 10.0,
    }
    return pd.DataFrame(rows).assign(**facts, **dict.fromkeys(SAM, 2.0))


def stock(**on_hand: int) -> pd.DataFrame:
    rows = [{"merchant_id": "m", "sku_id": sku.replace("_", "-"), "on_hand": n} for sku, n in on_hand.items()]
    return pd.DataFrame(rows, columns=["merchant_id", "sku_id", "on_hand"]).assign(in_transit=0, on_order=0)


def pieces(window: pd.DataFrame, held: pd.DataFrame, price: float = 30.0) -> "pd.Series[int]":
    _, _, lot_skus, _ = replenish(window, held, styles(price), skus(), LAST, POLICY, DAY)
    return lot_skus.set_index("sku_id")["quantity"]


def expected_cost(order: float, underage: float, overage: float, demand: np.ndarray) -> float:
    return float(np.mean(underage * np.maximum(demand - order, 0) + overage * np.maximum(order - demand, 0)))


def test_published_newsvendor_example() -> None:
    ratio = Stakes(np.array([0.70]), np.array([0.18])).critical_ratio
    order = quantile_at(norm.ppf([WINDOW_LEVELS], 50, 8), ratio)
    assert order == pytest.approx([56.60395592743389], rel=1e-12)
    demand = norm.ppf((np.arange(2_000_000) + 0.5) / 2_000_000, 50, 8)
    assert expected_cost(order[0], 0.70, 0.18, demand) == pytest.approx(1.9976051931766445, rel=1e-6)


@pytest.mark.parametrize(("underage", "overage"), [(5.0, 1.0), (1.0, 3.0), (9.0, 0.4)])
def test_no_other_quantity_is_cheaper_on_skewed_demand(underage: float, overage: float) -> None:
    demand = np.random.default_rng(7).gamma(4, 60, 20_000)
    costs = [expected_cost(q, underage, overage, demand) for q in range(0, 1_200, 2)]
    ratio = Stakes(np.array([underage]), np.array([overage])).critical_ratio
    order = quantile_at(np.quantile(demand, [WINDOW_LEVELS]), ratio)[0]
    assert expected_cost(order, underage, overage, demand) <= min(costs) * 1.003


def test_tail_beyond_the_last_quantile_is_the_normal_one() -> None:
    assert quantile_at(norm.ppf([WINDOW_LEVELS], 50, 8), np.array([0.995])) == pytest.approx([norm.ppf(0.995, 50, 8)])
    assert np.isfinite(quantile_at(norm.ppf([WINDOW_LEVELS], 50, 8), np.array([1.0])))
    assert quantile_at(norm.ppf([WINDOW_LEVELS], 1, 80), np.array([0.01])) == [0.0]


def test_what_loses_money_is_not_made() -> None:
    assert pieces(windows(), stock(), price=12.0).empty
    assert pieces(windows(), stock(), price=3.0).empty


def test_an_empty_shelf_is_filled_to_the_level_along_the_size_curve() -> None:
    overage = 12 * (1 - 0.35 + 0.0005 * 14)
    level = norm.ppf(18 / (18 + overage), 600, 60)
    order = pieces(windows(), stock())
    assert level <= order.sum() < level + 2  # each colour is rounded up to whole pieces
    assert order.to_numpy() == pytest.approx(order.sum() * skus().set_index("sku_id")["size_share"][order.index], abs=1)


def test_the_size_that_is_short_is_refilled_and_the_full_one_is_not() -> None:
    order = pieces(windows(), stock(red_S=200, red_M=10, red_L=100, blue_S=60, blue_M=120, blue_L=60))
    assert "red-S" not in order.index
    assert order["red-M"] == order.max()


@pytest.mark.parametrize("name", ["in_transit", "on_order"])
def test_what_is_to_come_counts_like_what_is_on_hand(name: str) -> None:
    held = stock(red_M=150)
    coming = held.assign(on_hand=0, **{name: held["on_hand"]})
    pd.testing.assert_series_equal(pieces(windows(), held), pieces(windows(), coming))


@pytest.mark.parametrize("sku", ["red_S", "red_M", "blue_L"])
def test_more_stock_never_orders_more(sku: str) -> None:
    totals = [pieces(windows(), stock(blue_M=30, **{sku: held})).sum() for held in range(0, 900, 60)]
    assert totals == sorted(totals, reverse=True)
    assert totals[0] > totals[-1]


def test_a_higher_forecast_never_orders_less() -> None:
    held = stock(red_M=120, blue_S=90)
    totals = [pieces(windows(mean, mean / 8), held).sum() for mean in range(1, 1_500, 75)]
    assert totals == sorted(totals)
    assert totals[0] == 0 < totals[-1]


def test_batches_are_nothing_or_the_minimum_or_the_need() -> None:
    need = np.array([0.0, 49.9, 50.0, 99.5, 100.0, 100.2])
    assert batch_pieces(need, POLICY).tolist() == [0, 0, 100, 100, 100, 101]


def test_water_fill_levels_the_emptiest_first() -> None:
    share, position = np.array([0.5, 0.3, 0.2]), np.array([0.0, 30.0, 100.0])
    group = np.zeros(3, dtype=np.int64)
    assert water_fill(np.array([20.0]), share, position, group).tolist() == [20, 0, 0]
    assert water_fill(np.array([130.0]), share, position, group) == pytest.approx([100, 30, 0])
    assert water_fill(np.array([870.0]), share, position, group) == pytest.approx([500, 270, 100])


def test_orders_carry_parent_dates_and_the_same_ids_every_time() -> None:
    orders, lots, lot_skus, _ = replenish(windows(), stock(), styles(), skus(), LAST, POLICY, DAY)
    again, *_ = replenish(windows(700), stock(), styles(), skus(), LAST, POLICY, DAY)
    tomorrow = windows().assign(business_date=date(2026, 3, 3))
    later, *_ = replenish(tomorrow, stock(), styles(), skus(), LAST, POLICY, date(2026, 3, 3))
    assert orders["order_id"].tolist() == again["order_id"].tolist()
    assert not set(orders["order_id"]) & set(later["order_id"])
    by_colour = lots.set_index("order_id")["colour"]
    parents = dict(zip(by_colour[orders["order_id"]], orders["parent_order_id"].fillna("none"), strict=True))
    assert parents == {"red": "earlier", "blue": "none"}
    assert set(orders["due_on"]) == {date(2026, 3, 9)}
    assert lots["quantity"].sum() == lot_skus["quantity"].sum()
    assert lots["crafts"].unique().tolist() == ["knit;print"]


def test_an_empty_day_orders_nothing() -> None:
    orders, lots, lot_skus, quantities = replenish(windows().head(0), stock(), styles(), skus(), LAST, POLICY, DAY)
    assert orders.empty and lots.empty and lot_skus.empty and quantities.empty
    assert {"order_id", "parent_order_id", "due_on"} <= set(orders.columns)


def test_every_broken_forecast_is_named() -> None:
    broken = pd.concat([windows(), windows(style="t").assign(q975=np.inf), windows(style="u").assign(q40=np.nan)])
    with pytest.raises(InputError) as error:
        replenish(broken, stock(), styles(), skus(), LAST, POLICY, DAY)
    assert [("style t" in fault, "style u" in fault) for fault in error.value.faults] == [(True, False), (False, True)]


def test_the_last_forecast_of_the_day_counts() -> None:
    earlier = windows(2_000).assign(known_at=pd.Timestamp("2026-03-02 00:30"))
    twice = pd.concat([windows(), earlier])
    pd.testing.assert_series_equal(pieces(twice, stock()), pieces(windows(), stock()))


def test_a_forecast_of_another_day_or_window_is_refused() -> None:
    for other in (windows().assign(window_days=7), windows().assign(business_date=date(2026, 3, 1))):
        with pytest.raises(InputError, match="forecast again"):
            replenish(other, stock(), styles(), skus(), LAST, POLICY, DAY)
