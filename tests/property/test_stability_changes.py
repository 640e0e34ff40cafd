"""Every change of a settled plan pays, by an oracle that shares no code with it; frozen pairs keep their pieces."""

from dataclasses import replace
from pathlib import Path

import pytest
from plan_kit import checked, cost_of, tiny

from c2m.errors import InfeasibleError
from optimization.contract.instances import Instance
from optimization.contract.plan import Plan, cost_parts
from optimization.engines.exact.undo_changes import changed_lots, settled
from optimization.planning.solve import solve
from optimization.statement.reduction import reduce
from optimization.whatif.running_plan import as_incumbents

CHANGED = [0, 10, 124, 5, 7, 62, 83, 96, 135, 143]  # seeds whose plan changes lots
Pieces = dict[str, dict[str, int]]  # by order and factory


def pieces(problem: Instance, plan: Plan) -> Pieces:
    made: Pieces = {lot_id: {} for lot_id in problem.orders["lot_id"]}
    for row in plan.allocation.itertuples():
        made[row.lot_id][row.factory_id] = row.quantity
    return made


def incumbents(problem: Instance, lot_id: str) -> dict[str, int]:
    held = problem.incumbent[problem.incumbent["lot_id"] == lot_id]
    return {row.factory_id: row.quantity for row in held.itertuples() if row.quantity > 0}


def careless(problem: Instance) -> Plan:
    """The best plan where changes cost nothing: with their price, some of its changes do not pay."""
    return solve(replace(problem, incumbent=problem.incumbent.assign(change_cost=0.0)))


@pytest.mark.parametrize("seed", CHANGED)
def test_undoing_any_changed_lot_of_a_settled_plan_does_not_lower_the_cost(seed: int, tmp_path: Path) -> None:
    problem = tiny(seed)
    before = careless(problem)
    plan = settled(problem, reduce(problem), before)
    assert checked(problem, plan, tmp_path).broken == []
    assert plan.report["objective"] <= sum(cost_parts(problem, before.allocation, before.schedule).values()) + 1e-6
    made = pieces(problem, plan)
    for row in problem.incumbent[problem.incumbent["frozen"]].itertuples():
        assert made[row.lot_id].get(row.factory_id, 0) >= row.quantity
    for lot_id in changed_lots(problem, plan.allocation):
        undone = cost_of(problem, made | {lot_id: incumbents(problem, lot_id)})
        assert undone is None or undone >= plan.report["objective"] * (1 - 1e-5)


def test_changes_that_do_not_pay_are_found() -> None:
    for problem in map(tiny, CHANGED[:3]):
        plan = settled(problem, reduce(problem), careless(problem))
        assert plan.report["engine"]["changes_undone"]


def test_a_day_that_is_like_the_day_before_changes_nothing() -> None:
    for seed in range(0, 60, 6):
        try:
            running = solve(tiny(seed))
        except InfeasibleError:
            continue
        problem = as_incumbents(tiny(seed), running.allocation, None if len(tiny(seed).incumbent) else 2.0)
        plan = solve(problem)
        assert settled(problem, reduce(problem), plan).allocation.equals(plan.allocation)
        assert plan.report["cost"]["change"] == 0
