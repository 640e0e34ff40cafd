"""Yardsticks of the literature: the planner and the order level reach values that others published.

Wagner and Whitin's lot sizes (four periods: order 210, 0, 150, 0; cost 1,380) and Fisher and Raman's ten styles of ski
wear. The newsvendor's published example stands beside the order quantities (test_quantities_replenish.py), capacitated
location in test_plan_orlib.py.
"""

import numpy as np
import pytest
from plan_kit import instance
from scipy.stats import norm

from c2m.domain.newsvendor import WINDOW_LEVELS, Stakes, quantile_at
from optimization.planning.solve import solve

# Sport Obermeyer, ten women's parkas: wholesale price, mean forecast, twice the deviation of the buyers' forecasts. A
# parka sold earns 24 % of its price, one left over loses 8 %.
PRICE = np.array([110, 99, 80, 90, 123, 173, 133, 73, 93, 148.0])
MEAN = np.array([1017, 1042, 1358, 2525, 1100, 2150, 1113, 4017, 3296, 2383.0])
DEVIATION = np.array([388, 646, 496, 680, 762, 807, 1048, 1113, 2094, 1394.0])


def test_wagner_whitin_lot_sizes() -> None:
    demand, setup, holding = [90, 120, 80, 70], 500, 2
    lots = [{"lot_id": f"of-{t}", "quantity": pieces, "unmet_cost": 9_999} for t, pieces in enumerate(demand)]
    made_in = [{"factory_id": f"in-{t}", "engagement_cost": setup} for t in range(len(demand))]
    arcs = [
        {"lot_id": f"of-{t}", "factory_id": f"in-{s}", "unit_cost": holding * (t - s)}
        for t in range(len(demand))
        for s in range(t + 1)
    ]
    capacity = [{"factory_id": row["factory_id"], "day": 1, "minutes": 999} for row in made_in]
    plan = solve(instance(lots, arcs, capacity, made_in))
    ordered = plan.allocation.groupby("factory_id")["quantity"].sum()
    assert plan.report["objective"] == pytest.approx(1380)
    assert ordered.to_dict() == {"in-0": 210, "in-2": 150}


def profit(level: np.ndarray) -> float:
    """Expected, in closed form, of ten styles with normal demand."""
    score = (level - MEAN) / DEVIATION
    left = DEVIATION * (norm.pdf(score) + score * norm.cdf(score))
    return float((PRICE * (0.24 * (level - left) - 0.08 * left)).sum())


def test_ski_wear_of_one_commitment() -> None:
    ratio = Stakes(0.24 * PRICE, 0.08 * PRICE).critical_ratio
    level = quantile_at(norm.ppf(np.array(WINDOW_LEVELS), MEAN[:, None], DEVIATION[:, None]), ratio)
    best = (0.24 * PRICE * MEAN - 0.32 * PRICE * DEVIATION * norm.pdf(norm.ppf(0.75))).sum()
    assert best == pytest.approx(410_028, abs=1)
    assert profit(level) == pytest.approx(best, rel=1e-9)
    assert profit(MEAN) < best
