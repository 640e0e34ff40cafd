"""What more minutes bring to lots that wait equals what the cheapest of all plans says, whole pieces and all rules."""

import time
from dataclasses import replace

import numpy as np
import pytest
from plan_kit import cheapest, instance, tiny

from c2m.errors import InfeasibleError
from optimization.contract.instances import Instance
from optimization.contract.plan import Plan
from optimization.explanation.answer import book
from optimization.explanation.factory_days import factory
from optimization.explanation.waiting import WaitingLots, waiting
from optimization.planning.solve import solve


def with_minutes(problem: Instance, factory_id: str, day: int, more: float) -> Instance:
    here = (problem.capacity["factory_id"] == factory_id) & (problem.capacity["day"] == day)
    capacity = problem.capacity.assign(minutes=problem.capacity["minutes"] + np.where(here, more, 0.0))
    return replace(problem, capacity=capacity)


@pytest.mark.parametrize("seed", [0, 3, 4, 7, 12, 19, 44, 52, 55, 59])
def test_minutes_more_bring_what_the_cheapest_of_all_plans_says(seed: int) -> None:
    problem = tiny(seed)
    try:
        plan = solve(problem)
    except InfeasibleError:
        pytest.skip("frozen work does not fit: there is no plan to price")
    now, found = cheapest(problem), waiting(problem, plan)
    known = problem.capacity.set_index(["factory_id", "day"]).index
    for row in found.drop_duplicates("factory_id").itertuples():
        if (row.factory_id, row.first_day) not in known:
            continue
        here = WaitingLots(problem, plan, str(row.factory_id), found)
        for minutes in (1, 2):
            best = cheapest(with_minutes(problem, str(row.factory_id), int(row.first_day), minutes))
            assert now is not None and best is not None
            step = here.step(int(row.first_day), minutes)
            assert (step.saves if step else 0.0) == pytest.approx(now - best, abs=0.01)


def three_lots(**arc: float) -> Instance:
    """Three lots of 10 pieces, two factories of 10 minutes, one factory a lot: one lot waits."""
    orders = [{"order_id": o, "quantity": 10, "due_day": 1, "max_factories": 1} for o in "ABC"]
    orders[1]["unmet_cost"] = 90
    arcs = [{"order_id": o, "factory_id": f, "unit_cost": 1, "min_lot": 1, **arc} for o in "ABC" for f in ("F1", "F2")]
    return instance(orders, arcs, [{"factory_id": f, "day": 1, "minutes": 10} for f in ("F1", "F2")])


def planned(problem: Instance) -> Plan:
    return solve(problem)


def test_a_minute_of_a_full_factory_for_which_a_lot_waits_has_its_price() -> None:
    problem = three_lots()
    figures = book(problem, planned(problem)).figures
    first = figures["minutes"][0]
    assert (first["factory_id"], first["day"]) == ("F1", 1)
    assert first["worth"] == pytest.approx(89.0)
    assert first["steps"][0] == {"minutes": 1.0, "saves": pytest.approx(89.0), "pieces": 1, "lots": ("B",)} | {
        "per_minute": pytest.approx(89.0)
    }


def test_where_a_lot_needs_its_setup_and_least_pieces_the_price_says_how_many_minutes_bring_what() -> None:
    problem = three_lots(min_lot=4, setup_minutes=2, setup_cost=20)  # 8 of each 10 pieces fit beside the setup
    plan = planned(problem)
    day = factory(problem, plan, "F1").figures["days"][0]
    assert day["steps"], day
    for step in day["steps"]:
        again = solve(with_minutes(problem, "F1", 1, step["minutes"]))
        assert plan.report["objective"] - again.report["objective"] == pytest.approx(step["saves"], abs=0.01)


def test_time_that_is_over_ends_the_trying() -> None:
    problem = three_lots()
    plan = planned(problem)
    assert WaitingLots(problem, plan, "F1", waiting(problem, plan)).steps(1, time.monotonic() - 1) == []
