"""The cheapest pattern of an order against every set of its pairs, each solved as a linear program; prices raised."""

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from plan_kit import instance
from scipy.linalg import block_diag
from scipy.optimize import linprog

from c2m.domain.arrays import Floats
from optimization.contract.instances import Instance
from optimization.engines.bounds import orders_at_prices
from optimization.engines.bounds.column_generation import improve, value
from optimization.engines.bounds.lagrangian import bound
from optimization.engines.bounds.master import Master
from optimization.engines.bounds.relaxation import relax
from optimization.statement.dense import Dense, dense
from optimization.statement.reduction import reduce

DAYS = 5


def several(seed: int, count: int = 6, factories: int = 6) -> Instance:
    """Orders that compete for little capacity, with incumbents, lots, lateness, daily limits and few factories each."""
    r = np.random.default_rng(seed)
    names = [f"F{f}" for f in range(factories)]
    orders: list[dict[str, Any]] = []
    arcs: list[dict[str, Any]] = []
    held: list[dict[str, Any]] = []
    for o in range(count):
        order = {"order_id": f"O{o}", "quantity": int(r.integers(20, 80)), "max_factories": int(r.integers(1, 4))}
        due = {"due_day": int(r.integers(2, 5)), "max_late_days": 2, "late_cost": float(r.choice([0, 2]))}
        orders.append(order | due | {"unmet_cost": float(r.choice([12, 40]))})
        for f in names:
            low = int(r.integers(1, 20))
            arcs.append(
                {
                    "order_id": f"O{o}",
                    "factory_id": f,
                    "unit_cost": r.uniform(5, 9),
                    "minutes_per_piece": r.uniform(1, 3),
                    "setup_cost": r.uniform(0, 60),
                    "setup_minutes": r.uniform(0, 20),
                    "min_lot": low,
                    "max_lot": low + int(r.integers(5, 40)),
                    "max_minutes_per_day": r.uniform(20, 60) if r.random() < 0.3 else None,
                }
            )
        for f in r.choice(names, 2, replace=False):
            frozen = bool(r.random() < 0.5)
            pieces = int(r.integers(0, 6)) if frozen else int(r.integers(1, 30))
            row = {"order_id": f"O{o}", "factory_id": f, "quantity": pieces, "frozen": frozen}
            held.append(row | {"change_cost": float(r.uniform(0, 6))})
    capacity = [
        {"factory_id": f, "day": day, "minutes": 60, "overtime_minutes": 15, "overtime_cost": 1.0}
        for f in names
        for day in range(1, DAYS + 1)
        if r.random() < 0.9
    ]
    return instance(orders, arcs, capacity, incumbent=held, horizon_days=DAYS)


def arrays(seed: int, **size: int) -> Dense:
    problem = several(seed, **size)
    return dense(problem, reduce(problem))


def least_by_enumeration(d: Dense, prices: Floats, order: int) -> float:
    """The least cost of an order over all sets of its pairs."""
    pairs = np.flatnonzero(d.order == order)
    must = [p for p in pairs if d.kept[p]]
    may = [p for p in pairs if not d.kept[p]]
    sets = (chosen for size in range(len(may) + 1) for chosen in combinations(may, size))
    few = (chosen for chosen in sets if not chosen or len(must) + len(chosen) <= d.max_factories[order])
    return min(least_of_set(d, prices, order, [*must, *chosen]) for chosen in few)


def least_of_set(d: Dense, prices: Floats, order: int, pairs: list[int]) -> float:
    """By pair: pieces by day, setup by day, pieces of the incumbent that stay. Setup keeps up with the pieces."""
    fixed = d.quantity[order] * d.unmet_cost[order] + d.setup_cost[pairs].sum()
    cost, most, made, of_pair, limits, equal, total = [], [], [], [], [], [], []
    for p in pairs:
        days = [day for day in range(d.first_day[p], d.last_day[p] + 1) if d.room[d.factory[p], day] > 0]
        price, n = prices[d.factory[p], days], len(days)
        late = d.late_cost[p] * np.maximum(0, np.array(days) - d.on_time_day[p])
        piece = d.unit_cost[p] + d.pace[p] * price + late - d.unmet_cost[order]
        cost.append(np.concatenate([piece, price, [-d.change_cost[p]]]))
        reach = [min(d.room[d.factory[p], day], d.day_limit[p]) / d.pace[p] for day in days]
        most.append(np.concatenate([reach, np.full(n, np.inf), [d.held[p]]]))
        pieces = np.concatenate([np.ones(n), np.zeros(n + 1)])
        until = np.tril(np.ones((n, n)))
        follows = np.concatenate([until * d.setup_minutes[p] / d.most[p], -until, np.zeros((n, 1))], axis=1)
        stays = np.concatenate([-np.ones(n), np.zeros(n), [1.0]])
        of_pair.append(np.concatenate([[pieces, -pieces, stays], follows]))
        limits += [d.most[p], -d.least[p], 0.0, *np.zeros(n)]
        equal.append(np.concatenate([np.zeros(n), np.ones(n), [0.0]])[None])
        total.append(d.setup_minutes[p])
        made.append(pieces)
    if not pairs:
        return float(fixed)
    rows = np.concatenate([block_diag(*of_pair), np.concatenate(made)[None]])
    bounds = [(0, x) for x in np.concatenate(most)]
    limits.append(d.quantity[order])
    found = linprog(np.concatenate(cost), rows, limits, block_diag(*equal), total, bounds)
    return float(fixed + found.fun) if found.status == 0 else np.inf


@pytest.mark.parametrize("seed", range(6))
def test_no_set_of_pairs_is_cheaper(seed: int) -> None:
    d, r = arrays(seed, count=4), np.random.default_rng(seed)
    prices = r.uniform(-0.5 * (seed % 2), 3.0, d.room.shape)
    (part,) = orders_at_prices.chunks(d)
    found = part.patterns(prices)
    work = np.bincount(found.order, found.minutes * prices.ravel()[found.place], len(d.quantity))
    expected = [least_by_enumeration(d, prices, order) for order in range(len(d.quantity))]
    assert found.cost + work == pytest.approx(expected, rel=1e-9)
    assert found.least == pytest.approx(expected, rel=1e-9)


def test_parts_give_what_the_whole_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    d = arrays(1)
    prices = np.random.default_rng(0).uniform(0, 3, d.room.shape)
    whole = value(d, prices)
    monkeypatch.setattr(orders_at_prices, "_CELLS", 40)
    assert len(list(orders_at_prices.chunks(d))) > 3
    assert value(d, prices) == pytest.approx(whole, rel=1e-12)


def test_orders_with_too_many_sets_have_the_bound_over_all_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    d = arrays(2)
    for prices in np.random.default_rng(0).uniform(0, 2, (5, *d.room.shape)):
        exact = value(d, prices)
        with monkeypatch.context() as patch:
            patch.setattr(orders_at_prices, "_MOST_SETS", 0)
            assert bound(d, prices) - 1e-8 <= value(d, prices) <= exact + 1e-8


@pytest.mark.parametrize("seed", range(4))
def test_prices_are_raised_above_the_relaxation(seed: int) -> None:
    d = arrays(seed, count=15)
    relaxed, told = relax(d), []
    assert relaxed is not None
    best, prices = improve(d, relaxed.prices, 10, lambda found, at: told.append((found, at)))
    assert best > relaxed.value * 1.001
    assert best == pytest.approx(value(d, prices), rel=1e-9)
    bounds = [found for found, _ in told]
    assert bounds == sorted(set(bounds))
    assert bounds[-1] == best
    assert told[-1][1] is prices


def test_the_end_does_not_depend_on_the_start() -> None:
    d = arrays(3, count=15)
    ends = [improve(d, start * np.ones(d.room.shape), 120)[0] for start in (0.0, 1.0, 20.0)]  # converges long before
    assert ends == pytest.approx([ends[0]] * 3, rel=1e-3)


@pytest.mark.parametrize("seed", range(3))
def test_prices_climb_before_the_first_master_program(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    d = arrays(seed, count=15)
    start = np.zeros(d.room.shape)
    least, most = value(d, start), improve(d, start, 60)[0]
    monkeypatch.setattr(Master, "solve", lambda self, seconds: None)
    assert improve(d, start, 60)[0] > least + 0.1 * (most - least)


def test_without_time_the_start_is_the_answer() -> None:
    d = arrays(4, count=15)
    start = np.ones(d.room.shape)
    best, prices = improve(d, start, 0.0)
    assert best == value(d, start)
    assert prices is start


def test_ample_capacity_costs_nothing_and_the_bound_is_the_optimum() -> None:
    arc = {"order_id": "A", "setup_cost": 50, "setup_minutes": 5, "min_lot": 5, "max_lot": 40}
    problem = instance(
        [{"order_id": "A", "quantity": 60, "max_factories": 2}],
        [arc | {"factory_id": f, "unit_cost": cost} for f, cost in (("X", 2), ("Y", 3), ("Z", 3.5))],
        [{"factory_id": f, "day": 1, "minutes": 1000} for f in "XYZ"],
    )
    d = dense(problem, reduce(problem))
    # 40 pieces at X, 20 at Y, and two setups
    assert value(d, np.zeros(d.room.shape)) == pytest.approx(80 + 60 + 100, rel=1e-9)
