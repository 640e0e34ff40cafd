"""The day's book: what a day in several rounds costs, beside the same day had it been planned in one."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from joint_kit import joint, open_days
from plan_kit import checked, instance

from optimization.contract.instances import Instance
from optimization.engines.first.rule import greedy
from optimization.planning.daybook import day_book, day_of
from optimization.planning.solve import solve

DAYS = [{"factory_id": f, "day": day, "minutes": 100} for f in "FGH" for day in (1, 2)]
ORDERS = [{"order_id": "A", "quantity": 300, "due_day": 2}, {"order_id": "B", "quantity": 50, "due_day": 2}]
ARCS = [{"order_id": o, "factory_id": f, "unit_cost": cost} for o in "AB" for f, cost in (("F", 1), ("G", 2), ("H", 3))]


def later_round(first: Instance, held: list[dict[str, object]], refused: tuple[str, str] | None = None) -> Instance:
    """The day's next instance: what the day has placed is frozen, and a refused pair has no arc."""
    arcs = [arc for arc in ARCS if (arc["order_id"], arc["factory_id"]) != refused]
    rows = [{"frozen": True, "change_cost": 4} | row for row in held]
    return instance(ORDERS, arcs, DAYS, incumbent=rows)


def test_a_day_of_one_round_is_its_instance() -> None:
    first = instance(ORDERS, ARCS, DAYS)
    assert day_book(first, first) is first


def test_what_the_day_itself_placed_is_free_in_its_book_and_refused_pairs_stay_out() -> None:
    first = instance(ORDERS, ARCS, DAYS)
    held = [
        {"lot_id": "A", "factory_id": "F", "quantity": 200},
        {"lot_id": "A", "factory_id": "G", "quantity": 100},
    ]
    last = later_round(first, held, refused=("B", "G"))
    without = instance(ORDERS, [arc for arc in ARCS if (arc["order_id"], arc["factory_id"]) != ("B", "G")], DAYS)
    assert day_book(first, last).sha256 == without.sha256


def test_what_was_committed_before_the_day_stays_as_far_as_it_is_still_to_be_made() -> None:
    begun = [
        {"order_id": "A", "factory_id": "F", "quantity": 120, "frozen": True, "change_cost": 4},
        {"order_id": "B", "factory_id": "H", "quantity": 50, "frozen": False, "change_cost": 4},
    ]
    first = instance(ORDERS, ARCS, DAYS, incumbent=begun)
    # Of 120 pieces 20 were made meanwhile and 30 more were placed; the day took B from H and gave it to G.
    held = [
        {"lot_id": "A", "factory_id": "F", "quantity": 130},
        {"lot_id": "B", "factory_id": "G", "quantity": 50},
    ]
    book = day_book(first, later_round(first, held))
    rows = book.incumbent.sort_values("lot_id")[["lot_id", "factory_id", "quantity", "frozen", "change_cost"]]
    assert rows.to_numpy().tolist() == [["A", "F", 120, True, 4.0], ["B", "H", 50, False, 4.0]]
    made = [{"lot_id": "A", "factory_id": "F", "quantity": 100}]
    assert day_book(first, later_round(first, made)).incumbent["quantity"].tolist() == [100, 50]


def test_a_day_in_two_rounds_costs_what_it_would_in_one_and_its_savings_do_not_vanish() -> None:
    """The second round finds all but one lot frozen: within it the rule and the plan are alike."""
    limits = {"setup_cost": 30.0, "min_lot": 40}
    first = instance(ORDERS, [arc | limits for arc in ARCS], DAYS)
    plan = solve(first, 10)
    held = plan.allocation.assign(change_cost=4.0, frozen=True, setup_done=False)
    last = replace(first, incumbent=held)
    again = solve(last, 10)
    day = day_of(first, last, again)
    assert day.figures["objective"] == pytest.approx(plan.report["objective"])
    assert day.figures["common_rule_objective"] == pytest.approx(greedy(first).report["objective"])
    assert day.figures["saved"] >= 0
    assert sum(day.figures["cost"].values()) == pytest.approx(day.figures["objective"])
    single = solve(replace(day.book, orders=day.book.orders.assign(max_factories=1)), 10)
    frozen = solve(replace(last, orders=last.orders.assign(max_factories=1)), 10)
    assert frozen.report["objective"] == pytest.approx(again.report["objective"])
    assert single.report["objective"] > day.figures["objective"] + 1_000  # a hundred pieces of A have no place


def test_work_that_the_day_took_from_a_factory_is_charged_to_the_day() -> None:
    begun = [{"order_id": "B", "factory_id": "H", "quantity": 50, "frozen": False, "change_cost": 0.5}]
    first = instance(ORDERS[1:], ARCS[3:], DAYS, incumbent=begun)
    last = instance(
        ORDERS[1:],
        ARCS[3:],
        DAYS,
        incumbent=[{"order_id": "B", "factory_id": "F", "quantity": 50, "frozen": True, "change_cost": 0.5}],
    )
    day = day_of(first, last, solve(last, 10))
    cost = pd.Series(day.figures["cost"])
    assert cost[cost > 0].to_dict() == {"unit": 50.0, "change": 25.0}


def test_a_lot_in_stages_stays_as_planned_beside_the_common_rule(tmp_path: Path) -> None:
    orders = [{"order_id": "A", "quantity": 4, "due_day": 3}, {"order_id": "B", "quantity": 2, "due_day": 3}]
    arcs = [{"order_id": "A", "stage": stage, "factory_id": "F"} for stage in (1, 2)]
    arcs += [{"order_id": "B", "stage": 1, "factory_id": "F"}]
    stages = [{"order_id": "A", "stage": 1, "name": "knit"}, {"order_id": "A", "stage": 2, "name": "sew"}]
    book = joint(orders, arcs, open_days("F", 3), stages=stages)
    day = day_of(book, book, solve(book))
    assert day.figures["saved"] == pytest.approx(0)
    report = checked(book, day.rule, tmp_path)
    assert report.ok, report
