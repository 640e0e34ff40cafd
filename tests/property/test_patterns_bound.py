"""The bound of patterns is never above the cheapest of all plans, whatever the prices, nor below the weaker bound."""

from functools import cache

import numpy as np
import pytest
from plan_kit import cheapest, tiny

from c2m.domain.arrays import Floats
from optimization.engines.bounds.column_generation import improve, value
from optimization.engines.bounds.lagrangian import bound
from optimization.engines.bounds.relaxation import relax
from optimization.statement.dense import Dense, dense
from optimization.statement.reduction import reduce


def prices_of(d: Dense, r: np.random.Generator) -> Floats:
    """Prices of any size; below zero down to what a missing minute costs where there is a target."""
    highest = r.choice([0.0, 1.0, 5.0, 30.0])
    lowest = r.choice([0.0, 1.0, 1.5], size=(len(d.room), 1)) * d.shortfall_cost[:, None]
    return np.asarray(r.uniform(-lowest, highest, size=d.room.shape))


@cache
def least_cost(seed: int) -> float:
    cost = cheapest(tiny(seed))
    return np.inf if cost is None else cost


@pytest.mark.parametrize("seed", range(20))
def test_value_is_a_bound(seed: int) -> None:
    problem, r = tiny(seed), np.random.default_rng(seed)
    d = dense(problem, reduce(problem))
    for prices in [np.zeros(d.room.shape)] + [prices_of(d, r) for _ in range(10)]:
        proven = value(d, prices)
        assert proven <= least_cost(seed) + 1e-9
        assert proven >= bound(d, prices) - 1e-8


@pytest.mark.parametrize("seed", range(16))
def test_raised_prices_prove_no_more_than_the_optimum(seed: int) -> None:
    problem, r = tiny(seed), np.random.default_rng(seed)
    d = dense(problem, reduce(problem))
    for start in (np.zeros(d.room.shape), prices_of(d, r)):
        best, prices = improve(d, start, 5.0)
        assert value(d, start) <= best + 1e-8
        assert best == pytest.approx(value(d, prices), rel=1e-9, abs=1e-8)
        assert best <= least_cost(seed) + 1e-9
        relaxed = relax(d)
        if relaxed and not d.engagement_cost.any():  # the relaxation ties pairs to engaged factories, patterns do not
            assert best >= relaxed.value - 1e-4 * abs(relaxed.value)
