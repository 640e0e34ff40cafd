"""The shadow run keeps every rule of the contract, never beats the optimum, and follows its own rule."""

from pathlib import Path

import pytest
from plan_kit import checked, instance, optimum_unless_refused, tiny

from optimization.contract.instances import Instance
from optimization.engines.first.rule import greedy


@pytest.mark.parametrize("seed", range(60))
def test_tiny_instances_are_placed_within_every_rule_and_never_below_the_optimum(seed: int, tmp_path: Path) -> None:
    problem = tiny(seed)
    optimum = optimum_unless_refused(problem, greedy)
    if optimum is None:
        return
    plan = greedy(problem)
    assert checked(problem, plan, tmp_path).broken == []
    assert plan.report["objective"] >= optimum - 1e-6


def made(problem: Instance) -> dict[tuple[str, str], int]:
    return {(row.lot_id, row.factory_id): row.quantity for row in greedy(problem).allocation.itertuples()}


TWO = [
    {"order_id": o, "factory_id": f, "unit_cost": cost, "max_lot": 99} for o in "AB" for f, cost in (("F", 1), ("G", 3))
]
DAY = [{"factory_id": f, "day": 1, "minutes": 50} for f in "FG"]


def test_priority_goes_before_due_date_and_the_cheapest_factory_is_filled_first() -> None:
    orders = [{"order_id": "A", "quantity": 40, "due_day": 1}, {"order_id": "B", "quantity": 40, "due_day": 5}]
    assert made(instance(orders, TWO, DAY)) == {("A", "F"): 40, ("B", "G"): 40}
    orders[0]["priority"], orders[1]["priority"] = 2, 1
    assert made(instance(orders, TWO, DAY)) == {("B", "F"): 40, ("A", "G"): 40}


def test_a_lot_is_split_only_when_no_factory_has_room_for_all_of_it() -> None:
    orders = [{"order_id": "A", "quantity": 30, "due_day": 1}, {"order_id": "B", "quantity": 60, "due_day": 5}]
    assert made(instance(orders, TWO, DAY)) == {("A", "F"): 30, ("B", "F"): 20, ("B", "G"): 40}


def test_a_piece_that_stays_with_its_incumbent_saves_the_change() -> None:
    held = [{"order_id": "A", "factory_id": "G", "quantity": 40, "change_cost": 5}]
    assert made(instance([{"order_id": "A", "quantity": 40}], TWO[:2], DAY, incumbent=held)) == {("A", "G"): 40}


def test_late_days_are_used_last() -> None:
    order = {"order_id": "A", "quantity": 60, "due_day": 1, "max_late_days": 2}
    capacity = [*DAY[:1], {"factory_id": "F", "day": 2, "minutes": 50}]
    plan = greedy(instance([order], TWO[:1], capacity))
    assert plan.schedule[["day", "run_minutes"]].to_numpy().tolist() == [[1, 50], [2, 10]]
    assert made(instance([order], TWO[:2], [*DAY, capacity[1]])) == {("A", "F"): 50, ("A", "G"): 10}


@pytest.mark.filterwarnings("error")
def test_room_for_more_pieces_than_a_number_holds_is_room_for_all() -> None:
    problem = instance(
        [{"lot_id": "A", "quantity": 10}],
        [{"lot_id": "A", "factory_id": "F", "minutes_per_piece": 1e-6}],
        [{"factory_id": "F", "day": 1, "minutes": 1e15}],
    )
    assert greedy(problem).allocation["quantity"].tolist() == [10]
