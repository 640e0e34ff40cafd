"""Lots that go whole to one factory: bound and plan beside every plan there is, on tiny instances."""

import time
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
from plan_kit import cheapest, checked, instance, optimum_unless_refused

from benchmarks.allocation import rival_assignment, rivals
from benchmarks.allocation.textbook import Clock
from optimization.contract.instances import Instance
from optimization.engines.whole_lots import dive_and_branch
from optimization.engines.whole_lots.assignment import assignment_of, stated
from optimization.engines.whole_lots.dive import Dives, Task, finished
from optimization.engines.whole_lots.knapsacks import Knapsacks, ascend
from optimization.planning.solve import solve
from optimization.statement.dense import dense
from optimization.statement.highs import Limits, search
from optimization.statement.part import Whole, whole_of
from optimization.statement.reduction import reduce


def whole_lots(seed: int) -> Instance:
    """Lots of one factory at most, one day: setups, lots in part, overtime, targets, engagement, incumbents."""
    r = np.random.default_rng(seed)
    orders, arcs, incumbent = [], [], []
    for o in range(int(r.integers(2, 5))):
        quantity = int(r.integers(1, 5))
        orders.append({"order_id": f"O{o}", "quantity": quantity, "due_day": 1, "max_factories": 1})
        orders[-1] |= {"unmet_cost": float(r.choice([2, 9, 40])), "late_cost": 0.0}
        arcs += [_arc(r, f"O{o}", f"F{f}", quantity) for f in range(3) if r.random() < 0.8]
        if arcs and arcs[-1]["order_id"] == f"O{o}" and r.random() < 0.5:
            pair = {name: arcs[-1][name] for name in ("order_id", "factory_id")}
            frozen = bool(r.random() < 0.4)
            held = {"quantity": 1 if frozen else quantity, "change_cost": float(r.choice([0, 3])), "frozen": frozen}
            incumbent.append(pair | held)
    capacity = [
        {"factory_id": f"F{f}", "day": 1, "minutes": int(r.integers(2, 8))}
        | {"overtime_minutes": int(r.integers(0, 3)), "overtime_cost": 1.5}
        for f in range(3)
    ]
    factories = [
        {"factory_id": f"F{f}", "engagement_cost": float(r.choice([0, 5, 12]))}
        | {"target_minutes": int(r.integers(0, 9)), "shortfall_cost": float(r.choice([0, 1, 12]))}
        for f in range(3)
    ]
    return instance(orders, arcs, capacity, factories, incumbent, horizon_days=1)


def _arc(r: np.random.Generator, order: str, factory: str, quantity: int) -> dict[str, Any]:
    pair = {"order_id": order, "factory_id": factory, "min_lot": int(r.choice([0, quantity])), "max_lot": quantity}
    costs = {"unit_cost": float(r.integers(1, 9)), "setup_cost": float(r.choice([0, 3]))}
    return pair | costs | {"minutes_per_piece": int(r.integers(1, 4)), "setup_minutes": int(r.choice([0, 0, 1]))}


def ready(problem: Instance) -> Whole:
    reduced = reduce(problem)
    return whole_of(problem, reduced)


@pytest.mark.parametrize("room", [250, 350])
def test_a_book_beyond_all_minutes_whose_lots_may_be_made_in_part_is_no_choice_of_whole_lots(
    room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dive_and_branch, "_FEWEST", 1)
    problem = instance(
        [{"order_id": o, "quantity": 100, "due_day": 1, "max_factories": 1, "unmet_cost": 9} for o in "ABC"],
        [{"order_id": o, "factory_id": "F", "unit_cost": 1} for o in "ABC"],
        [{"factory_id": "F", "day": 1, "minutes": room}],
    )
    assert dive_and_branch.suits(ready(problem), Limits(1, 0, 1)) == (room > 300)


@pytest.mark.parametrize("seed", range(20))
def test_packings_prove_a_bound(seed: int) -> None:
    problem = whole_lots(seed)
    expected = cheapest(problem)
    if expected is None:
        return
    reduced = reduce(problem)
    a = assignment_of(dense(problem, reduced))
    k = Knapsacks(a)
    rough = k.pack(np.random.default_rng(seed).uniform(0, 40, len(a.left)))
    cheapest_choices = np.minimum(a.left, a.cost.min(axis=1, initial=np.inf))
    best, share = ascend(k, cheapest_choices, turns=60)
    assert rough.value <= expected + 1e-6
    assert best.value <= expected + 1e-6
    assert best.value >= k.pack(cheapest_choices).value
    assert (share >= 0).all()
    assert not share[~a.allowed].any()


@pytest.mark.parametrize("seed", range(20))
def test_the_choice_is_the_cheapest_plan(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dive_and_branch, "_FEWEST", 1)
    problem = whole_lots(seed)
    monkeypatch.setattr(dive_and_branch, "_in_parts_alone", lambda a: False)
    assert dive_and_branch.suits(ready(problem), Limits(1, 0, 1))
    expected = optimum_unless_refused(problem, lambda it: solve(it, 5, 0, threads=1))
    if expected is None:
        return
    plan = solve(problem, 5, 0, threads=1)
    assert checked(problem, plan, tmp_path).broken == []
    assert plan.report["bound"] <= expected + 1e-6
    assert plan.report["objective"] == pytest.approx(expected, rel=1e-6, abs=1e-6)


def free_to_engage(lots: int, factories: int, seed: int, engagement: float = 0) -> Instance:
    """Whole lots of one piece that cost the more the fewer minutes they take; engaging costs nothing by default."""
    r = np.random.default_rng(seed)
    minutes = r.integers(1, 31, (lots, factories))
    pairs = [(o, f) for o in range(lots) for f in range(factories)]
    arcs = [
        {"order_id": f"O{o}", "factory_id": f"F{f}", "unit_cost": float(41 - minutes[o, f] + r.integers(-3, 4))}
        | {"minutes_per_piece": int(minutes[o, f])}
        for o, f in pairs
    ]
    room = 0.8 * minutes.sum(axis=0) / factories
    orders = [{"order_id": f"O{o}", "quantity": 1, "due_day": 1, "max_factories": 1} for o in range(lots)]
    capacity = [{"factory_id": f"F{f}", "day": 1, "minutes": int(room[f])} for f in range(factories)]
    priced = [{"factory_id": f"F{f}", "engagement_cost": engagement} for f in range(factories)] if engagement else None
    return instance([one | {"unmet_cost": 500.0} for one in orders], arcs, capacity, priced, horizon_days=1)


def test_the_solver_alone_searches_the_plain_assignment_mip() -> None:
    """Number by number what the benchmark's rival states on its own, so both pass through the same plans."""
    problem = free_to_engage(12, 4, seed=3)
    a = assignment_of(ready(problem).arrays)
    ours, plain = stated(a, a.allowed).program, rival_assignment.state(problem)
    for name in ("cost", "lower", "upper", "integer", "row_lower", "row_upper"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(plain, name), err_msg=name)
    assert ours.matrix.shape == plain.matrix.shape
    assert abs(ours.matrix - plain.matrix).sum() == 0


@pytest.mark.parametrize("cost", [0, 70])
def test_the_plain_assignment_of_the_benchmark_is_the_cheapest_plan(cost: int, tmp_path: Path) -> None:
    problem = free_to_engage(3, 3, seed=4, engagement=cost)
    best = cheapest(problem)
    plan = rivals.solve("assignment", problem, Clock(20, 0.0, 1))
    assert checked(problem, plan, tmp_path).broken == []
    assert (plan.report["objective"], plan.report["bound"]) == pytest.approx((best, best))


def test_the_plain_assignment_of_the_benchmark_refuses_what_it_does_not_state() -> None:
    with pytest.raises(SystemExit, match="not a plain assignment: the instance has lots that can be made in part"):
        rivals.solve("assignment", whole_lots(1), Clock(20, 0.0, 1))


def test_two_processes_cost_no_more_than_the_solver_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it finds alone is the plan even where the process beside it finds nothing."""
    monkeypatch.setattr(dive_and_branch, "_FEWEST", 1)
    monkeypatch.setattr(dive_and_branch, "_yielding", _nothing)
    problem = free_to_engage(20, 5, seed=1)
    a = assignment_of(ready(problem).arrays)
    alone = stated(a, a.allowed).program
    best = search(alone, None, Limits(60, 0, 1)).values
    assert best is not None
    plan = solve(problem, 60, 0, threads=2)
    assert checked(problem, plan, tmp_path).broken == []
    assert plan.report["status"] == "optimal"
    assert plan.report["objective"] == pytest.approx(alone.value(best))


def _nothing(*arguments: Any) -> None:
    """A search that finds nothing; a process imports it by name."""


def test_local_branching_moves_no_more_orders_than_it_may() -> None:
    a = assignment_of(ready(free_to_engage(14, 4, seed=2)).arrays)
    begin, best = (finished(a, a.allowed, None, Limits(20, gap, 1)) for gap in (0.05, 0))
    assert begin is not None
    assert best is not None
    for moved in (0, 2, 14):
        near = finished(a, a.allowed, begin, Limits(20, 0, 1), moved)
        assert near is not None
        assert (near != begin).sum() <= moved
        assert a.value(near) <= a.value(begin)
    assert a.value(near) == pytest.approx(a.value(best))


@pytest.mark.parametrize("target", [0, 20, 50, 500])
def test_a_part_that_fills_a_target_is_below_no_bound(target: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dive_and_branch, "_FEWEST", 1)
    problem = instance(
        [{"order_id": "A", "quantity": 100, "due_day": 1, "max_factories": 1, "unmet_cost": 2}],
        [{"order_id": "A", "factory_id": "F", "unit_cost": 1}],
        [{"factory_id": "F", "day": 1, "minutes": 50}],
        [{"factory_id": "F", "target_minutes": target, "shortfall_cost": 10}],
    )
    cost = 150.0 + 10 * max(0, target - 50)
    plan = solve(problem, 5, 0, threads=1)
    assert plan.report["objective"] == pytest.approx(cost)
    a = assignment_of(dense(problem, reduce(problem)))
    statement = stated(a, a.allowed)
    nothing = statement.point(a, np.array([-1]))
    assert (search(statement.program, nothing, Limits(5, 0, 1)).bound or 0.0) <= cost + 1e-6


@pytest.mark.parametrize("seed", range(12))
def test_a_search_below_a_cost_still_finds_what_costs_less(seed: int) -> None:
    problem = whole_lots(seed)
    if cheapest(problem) is None:
        return
    a = assignment_of(dense(problem, reduce(problem)))
    statement = stated(a, a.allowed)
    nothing = statement.point(a, np.full(len(a.left), -1))
    best = search(statement.program, nothing, Limits(5, 0, 1)).bound
    assert best is not None
    found = search(statement.program, nothing, Limits(5, 0, 1, below=best + 0.5)).values
    assert found is not None
    assert statement.program.value(found) == pytest.approx(best)


def test_dives_end_when_they_are_to_stop() -> None:
    problem = whole_lots(3)
    a = assignment_of(dense(problem, reduce(problem)))
    stop, taken = Event(), list[Any]()
    none, task = np.full(len(a.left), -1), Task(a, np.where(a.allowed, 0.0, np.inf), a.left, seed=1)

    def offered(chosen: Any) -> None:
        taken.append(chosen)
        stop.set()

    began = time.monotonic()
    Dives(task, lambda: none, offered, began + 60, stop).run(lambda bound: None)
    assert taken
    assert time.monotonic() - began < 30


def test_lots_are_made_in_part_where_whole_ones_leave_some(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of ten lots that no factory has the minutes for, whole choices make none."""
    monkeypatch.setattr(dive_and_branch, "_FEWEST", 1)
    lots, factories = range(10), range(4)
    problem = instance(
        [{"order_id": f"L{o}", "quantity": 90, "due_day": 1, "max_factories": 1, "unmet_cost": 50 + o} for o in lots],
        [
            {"order_id": f"L{o}", "factory_id": f"F{f}", "unit_cost": 2 + (3 * o + f) % 7}
            for o in lots
            for f in factories
        ],
        [{"factory_id": f"F{f}", "day": 1, "minutes": 70} for f in factories],
    )
    for threads in (1, 2):
        plan = solve(problem, 10, 1e-6, threads)
        assert checked(problem, plan, tmp_path).broken == []
        assert plan.report["status"] == "optimal"
        assert plan.report["bound_by"] == "mip"
