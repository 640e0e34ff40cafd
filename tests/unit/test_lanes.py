"""Lanes: what receipts teach about days, and how often such promises hold on public deliveries."""

import numpy as np
import pytest

from benchmarks.promises.lanes import _FILE, deliveries, promised
from c2m.domain.lanes import days_to_add
from c2m.settings import settings


def test_a_lane_has_its_own_days_once_it_has_deliveries() -> None:
    late = np.array([0] * 50 + [7] * 50)
    own = np.arange(100) >= 50
    now = np.zeros(100, dtype=np.int64)
    assert days_to_add(late, now, own, 0.6) == 7, "its own fifty outweigh its mode's ten"
    assert days_to_add(late, now, ~own, 0.6) == 0
    assert days_to_add(late, now, np.zeros(100, dtype=bool), 0.4) == 0, "a new lane has its mode's"
    assert days_to_add(late, np.where(own, 900, 0), own, 0.6) == 0, "what is long ago counts little"
    assert days_to_add(late[:0], now[:0], own[:0], 0.9) == 0


@pytest.mark.shared
def test_ninety_per_cent_holds_on_public_deliveries() -> None:
    file = settings().shared_data / _FILE
    if not file.is_file():
        pytest.skip(f"deliveries not found at {file}")
    judged = promised(deliveries(file), 2012, 2015)
    assert 0.88 <= judged["held"].mean() <= 0.92
    by_mode = judged.groupby("mode")["held"].mean()
    assert by_mode[["Air", "Truck"]].between(0.88, 0.92).all()
