"""What is kept of an order quantity gives the quantity again, reckoned by other code and from nothing else."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c2m.domain.newsvendor import WINDOW_QUANTILES
from c2m.ledger.quantities import STOCK
from c2m.settings import ReplenishmentPolicy
from c2m.why.reckoning import reckon
from optimization.book.lots import SAM
from optimization.book.replenishment import replenish

DAY = date(2026, 3, 2)
NO_ORDERS = pd.DataFrame(columns=["merchant_id", "style_id", "colour", "order_id"])
policies = st.builds(
    ReplenishmentPolicy,
    minimum_order_pieces=st.integers(1, 400),
    trigger_share=st.floats(0.05, 1),
    salvage_share=st.floats(0, 1),
    holding_share_per_day=st.floats(0, 0.01),
    lead_time_days=st.integers(1, 20),
)
styles = st.lists(
    st.tuples(
        st.lists(st.floats(0, 3_000), min_size=12, max_size=12),  # quantiles, to be sorted
        st.floats(0.01, 500),  # price
        st.floats(0.01, 500),  # cost
        st.lists(st.tuples(st.integers(1, 50), st.integers(0, 900), st.integers(0, 300)), min_size=1, max_size=8),
    ),
    min_size=1,
    max_size=4,
)


@settings(deadline=None, max_examples=60)
@given(styles, policies)
def test_kept_figures_give_the_quantity_again(
    drawn: list[tuple[list[float], float, float, list[tuple[int, int, int]]]], policy: ReplenishmentPolicy
) -> None:
    _, lots, lot_skus, reasons = replenish(*_marts(drawn, policy), NO_ORDERS, policy, DAY)
    ordered = {lot_id: group.set_index("sku_id")["quantity"] for lot_id, group in lot_skus.groupby("lot_id")}
    assert set(reasons["lot_id"]) == set(lots["lot_id"])
    for lot_id, rows in reasons.groupby("lot_id"):
        kept = rows.to_dict("records")
        again = reckon(kept[0], kept)
        assert again.quantity == kept[0]["lot_quantity"] == ordered[lot_id].sum()
        for name in ("critical_ratio", "level", "needed"):
            assert getattr(again, name) == pytest.approx(kept[0][name], rel=1e-6, abs=1e-6)
        assert again.lacking == pytest.approx(sum(row["lacking"] for row in kept), rel=1e-6, abs=1e-6)
        got = {row["sku_id"]: row["quantity"] for row in kept if row["quantity"]}
        assert got == ordered[lot_id].to_dict()
        assert all(abs(got.get(sku_id, 0) - share) < 1 + 1e-6 for sku_id, share in again.shares.items())


def _marts(
    drawn: list[tuple[list[float], float, float, list[tuple[int, int, int]]]], policy: ReplenishmentPolicy
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """(windows, stock, styles, skus): style by style; SKUs by turns of two colours."""
    ids = [{"merchant_id": "m", "style_id": f"s{i}"} for i in range(len(drawn))]
    facts = {"business_date": DAY, "window_days": policy.window_days, "known_at": pd.Timestamp(DAY), "mean": 1.0}
    windows = [
        {**key, **facts, "model_version": "3", **dict(zip(WINDOW_QUANTILES, np.sort(quantiles), strict=True))}
        for key, (quantiles, *_) in zip(ids, drawn, strict=True)
    ]
    money = [
        {**key, "price": price, "cost": cost, "currency": "USD"}
        for key, (_, price, cost, _) in zip(ids, drawn, strict=True)
    ]
    shelves = [
        {
            **key,
            "sku_id": f"{key['style_id']}-{k}",
            "colour": "rb"[k % 2],
            "share": share,
            "on_hand": hand,
            "in_transit": on // 3,
            "on_order": on - on // 3,
        }
        for key, (*_, shelf) in zip(ids, drawn, strict=True)
        for k, (share, hand, on) in enumerate(shelf)
    ]
    skus = pd.DataFrame(shelves)
    skus["size_share"] = skus["share"] / skus.groupby("style_id")["share"].transform("sum")
    stock = skus[["merchant_id", "sku_id", *STOCK]]
    skus = skus.assign(
        category="shirt", crafts="", price=1.0, cost=1.0, currency="USD", sam_minutes=5.0, **dict.fromkeys(SAM, 1.0)
    )
    return pd.DataFrame(windows), stock, pd.DataFrame(money), skus.drop(columns=STOCK)
