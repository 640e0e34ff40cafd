"""The price of a minute on both sides equals stating and solving the whole model again with one minute less or more."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from plan_kit import instance, tiny

from c2m.errors import InfeasibleError
from optimization.contract.instances import Instance
from optimization.contract.plan import Plan
from optimization.explanation import marginal_prices
from optimization.planning.solve import solve
from optimization.statement.fixed import Fixed
from optimization.statement.highs import compile_model, complete
from optimization.statement.mip import state
from optimization.statement.reduction import reduce


def with_minutes(problem: Instance, factory: str, day: int, more: float) -> Instance:
    here = (problem.capacity["factory_id"] == factory) & (problem.capacity["day"] == day)
    capacity = problem.capacity.assign(minutes=problem.capacity["minutes"] + np.where(here, more, 0.0))
    return replace(problem, capacity=capacity)


def cost_with_fixed_switches(problem: Instance, plan: Plan) -> float:
    """The statement in Pyomo with its switches at the plan's values and fractional pieces; inf where nothing fits."""
    reduced = reduce(problem)
    limits = problem.orders.set_index("lot_id")["quantity"]
    pairs = reduced.pairs.assign(most=np.minimum(reduced.pairs["max_lot"], reduced.pairs["lot_id"].map(limits)))
    model = state(problem, replace(reduced, pairs=pairs))
    placed = set(zip(plan.allocation["lot_id"], plan.allocation["factory_id"], strict=True))
    if placed - set(zip(pairs["lot_id"], pairs["factory_id"], strict=True)):
        return np.inf
    last_day = reduced.spans.set_index(["factory_id", "span"])["last_day"]
    runs = plan.schedule[plan.schedule["run_minutes"] > 1e-9].groupby(["lot_id", "factory_id"])["day"].min()
    for o, f in model.used:
        model.used[o, f].fix(float((o, f) in placed))
    for f in model.engaged:
        model.engaged[f].fix(float(f in set(plan.allocation["factory_id"])))
    for o, f, k in model.waiting:
        model.waiting[o, f, k].fix(float((o, f) in placed and runs[o, f] > last_day[f, k]))
    program = compile_model(model)
    values = complete(program)
    return np.inf if values is None else program.value(values)


def busy(seed: int) -> Instance:
    """Ten lots at four factories, days equal or not, setups, minimum lots, overtime, lateness, daily limits."""
    r = np.random.default_rng(seed)
    orders, arcs = [], []
    for o in range(10):
        lot: dict[str, Any] = {"order_id": f"L{o}", "quantity": int(r.integers(50, 400))}
        lot |= {"release_day": int(r.integers(1, 3)), "due_day": int(r.integers(3, 7)), "max_late_days": 2}
        orders.append(lot | {"late_cost": float(r.choice([0, 0.3])), "unmet_cost": 30.0, "max_factories": 2})
        for f in r.choice(4, 3, replace=False).tolist():
            arc: dict[str, Any] = {"order_id": f"L{o}", "factory_id": f"F{f}", "unit_cost": float(r.integers(3, 9))}
            arc |= {"minutes_per_piece": float(r.integers(4, 12)), "min_lot": int(r.choice([0, 40])), "max_lot": 400}
            arc |= {"setup_cost": float(r.choice([0, 50])), "setup_minutes": float(r.choice([0, 60]))}
            arcs.append(arc | ({"max_minutes_per_day": 700.0} if r.random() < 0.3 else {}))
    minutes = [float(m) for m in r.choice([900, 1100], 4)]
    capacity = [
        {"factory_id": f"F{f}", "day": d, "minutes": minutes[f], "overtime_minutes": 150, "overtime_cost": 0.4}
        for f in range(4)
        for d in range(1, 7)
        if (f + d) % 6
    ]
    costs = [{"factory_id": f"F{f}", "target_minutes": 3000, "shortfall_cost": 0.05} for f in range(4)]
    return instance(orders, arcs, capacity, costs, horizon_days=6)


def assert_prices_equal_solving_again(problem: Instance, plan: Plan, positions: list[int]) -> None:
    fixed = Fixed(problem, plan)
    now = cost_with_fixed_switches(problem, plan)
    for position in positions:
        row, price = fixed.days.iloc[position], marginal_prices.minute(fixed, position)
        more = cost_with_fixed_switches(with_minutes(problem, row["factory_id"], row["day"], 1), plan)
        near = 1e-6 + 1e-8 * now
        if row["minutes"] < 1:  # a day off has no minute to take
            assert np.isnan(price.less)
            continue
        less = cost_with_fixed_switches(with_minutes(problem, row["factory_id"], row["day"], -1), plan)
        assert price.less == pytest.approx(less - now, abs=near)
        assert price.more == pytest.approx(now - more, abs=near)


@pytest.mark.parametrize("seed", range(4))
def test_minute_of_a_busy_factory_costs_what_solving_again_says(seed: int) -> None:
    problem = busy(seed)
    plan = solve(problem, time_limit_s=3, gap=0.02)
    fixed = Fixed(problem, plan)
    some = np.random.default_rng(seed).choice(np.flatnonzero(fixed.days["minutes"] >= 1), 3).tolist()
    assert_prices_equal_solving_again(problem, plan, [*marginal_prices.dearest(fixed, 3), *some])


@pytest.mark.parametrize("seed", range(10))
def test_minute_of_a_tiny_instance_costs_what_solving_again_says(seed: int) -> None:
    problem = tiny(seed)
    try:
        plan = solve(problem)
    except InfeasibleError:
        pytest.skip("frozen work does not fit: there is no plan to price")
    fixed = Fixed(problem, plan)
    assert_prices_equal_solving_again(problem, plan, np.flatnonzero(fixed.days["minutes"] >= 2).tolist()[:5])
