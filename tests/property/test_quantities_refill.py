"""Refilling a shelf: whatever the stock, sums are exact, the emptiest come first, and more stock never orders more."""

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from c2m.domain.newsvendor import WINDOW_LEVELS, Stakes, quantile_at
from c2m.settings import ReplenishmentPolicy
from optimization.book.replenishment import refill, water_fill

POLICY = ReplenishmentPolicy.model_validate({})
shelf = st.lists(st.tuples(st.integers(1, 100), st.integers(0, 2_000)), min_size=1, max_size=12)


@settings(deadline=None)
@given(st.lists(st.tuples(shelf, st.integers(0, 5_000)), min_size=1, max_size=5))
def test_water_fill_pours_exactly_and_to_one_level(shelves: list[tuple[list[tuple[int, int]], int]]) -> None:
    totals = np.array([total for _, total in shelves], dtype=float)
    share, position = (np.array([sku[i] for skus, _ in shelves for sku in skus], dtype=float) for i in (0, 1))
    group = np.repeat(np.arange(len(shelves)), [len(skus) for skus, _ in shelves])
    poured = water_fill(totals, share, position, group)
    assert (poured >= 0).all()
    assert np.allclose(np.bincount(group, poured), totals)
    cover = (position + poured) / share
    for g in range(len(shelves)):
        got = (group == g) & (poured > 1e-9)
        if got.any():
            assert np.allclose(cover[got], cover[got][0])
            assert (cover[(group == g) & ~got] >= cover[got][0] - 1e-6).all()


def ordered(level: float, held: list[int]) -> int:
    skus = pd.DataFrame({"merchant_id": "m", "style_id": "s", "sku_id": [f"k{i}" for i in range(len(held))]})
    skus = skus.assign(colour=[f"c{i % 2}" for i in range(len(held))], size_share=1 / len(held))
    levels = pd.DataFrame({"merchant_id": ["m"], "style_id": ["s"], "level": [level]})
    stock = skus[["merchant_id", "sku_id"]].assign(on_hand=held, in_transit=0, on_order=0)
    return int(refill(levels, stock, skus, POLICY)["quantity"].sum())


@settings(deadline=None, max_examples=40)  # each example runs four pandas joins
@given(st.lists(st.integers(0, 600), min_size=1, max_size=8), st.floats(0, 4_000), st.data())
def test_more_stock_or_a_lower_level_never_orders_more(held: list[int], level: float, data: st.DataObject) -> None:
    base = ordered(level, held)
    sku, pieces = data.draw(st.integers(0, len(held) - 1)), data.draw(st.integers(0, 500))
    assert ordered(level, [n + pieces * (i == sku) for i, n in enumerate(held)]) <= base
    assert ordered(level * data.draw(st.floats(0, 1)), held) <= base


@given(
    st.lists(st.floats(0, 1e4), min_size=len(WINDOW_LEVELS), max_size=len(WINDOW_LEVELS)).map(sorted),
    st.lists(st.floats(0, 1), min_size=2, max_size=2).map(sorted),
)
def test_the_level_rises_with_the_ratio_and_never_falls_below_zero(quantiles: list[float], ratios: list[float]) -> None:
    low, high = quantile_at(np.array([quantiles, quantiles]), np.array(ratios))
    assert 0 <= low <= high + 1e-9 * (1 + high)


@given(st.floats(-100, 100), st.floats(0, 100))
def test_the_critical_ratio_is_a_probability(underage: float, overage: float) -> None:
    ratio = Stakes(np.array([underage]), np.array([overage])).critical_ratio[0]
    assert 0 <= ratio <= 1
    assert (ratio > 0) == (underage > 0) or ratio < 1e-300
