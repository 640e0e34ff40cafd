"""The floors under plans that use a pair or engage so many factories hold on tiny instances with every feature."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from plan_kit import checked, optimum_unless_refused, tiny
from scipy import sparse

import optimization.planning.solve as searching
from optimization.engines.exact.branch_and_bound import frozen_alone
from optimization.engines.location import by_floors
from optimization.engines.location.engagement import floors
from optimization.planning.choose import SearchMethod
from optimization.planning.solve import solve
from optimization.statement.dense import dense
from optimization.statement.highs import Limits, Program, compile_model, limited, search
from optimization.statement.mip import state
from optimization.statement.reduction import reduce

EXACT = Limits(seconds=60, gap=0, threads=1)


def optimum(program: Program) -> float:
    """Cost of the best point; infinite where there is none."""
    found = search(program, program.lower, EXACT)
    return np.inf if found.values is None else program.value(found.values)


@pytest.mark.parametrize("seed", range(15))
def test_no_plan_costs_less_than_its_floor(seed: int) -> None:
    problem = tiny(seed)
    reduced = reduce(problem)
    model = state(problem, reduced)
    program = compile_model(model)
    if frozen_alone(program) is None:
        return
    proven = floors(dense(problem, reduced), seconds=1)
    assert proven.bound <= optimum(program) + 1e-6
    _, quantity = program.columns(model.quantity)
    for least, floor, column in zip(reduced.pairs["least"], proven.pair, quantity, strict=True):
        lower = program.lower.copy()
        lower[column] = max(lower[column], least)
        assert floor <= optimum(replace(program, lower=lower)) + 1e-6
    _, engaged = program.columns(model.engaged)
    for count, floor in enumerate(proven.count[: len(engaged) + 1]):
        assert floor <= optimum(limited(program, engaged, count, count)) + 1e-6


@pytest.mark.parametrize("seed", range(18))
def test_leaving_pairs_out_by_their_floors_keeps_the_optimum(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        searching, "choose", lambda *_: SearchMethod("location", "it is tried", by_floors.solved, priced=True)
    )
    problem = tiny(seed)
    expected = optimum_unless_refused(problem, solve)
    if expected is None:
        return
    plan = solve(problem)
    assert checked(problem, plan, tmp_path).broken == []
    assert plan.report["objective"] == pytest.approx(expected, rel=1e-6, abs=1e-6)
    assert plan.report["bound"] <= expected + 1e-6


def test_an_optimum_that_misses_the_tolerance_by_a_hair_is_no_error() -> None:
    """HiGHS 1.16.0 calls this one a solve error: a right-hand side of round-off, as little capacity leaves it."""
    minutes, capacity, hair = 37.16028408589078, 11110.924941681344, 1.000444171950221e-09
    rows = [
        [1, 0, 0, 0, 0],
        [-minutes, -793, 0, 1, 1],
        [0, 0, 0, 1, 0],
        [0, 0, -1, 0, 1],
        [minutes, -capacity, -1, 0, 0],
    ]
    program = Program(
        cost=np.array([2.05092637114549, 16.08, 0.0021393808458580917, 0, 0]),
        offset=0.0,
        lower=np.zeros(5),
        upper=np.array([299, 1, np.inf, np.inf, np.inf]),
        integer=np.array([False, True, False, False, False]),
        matrix=sparse.csc_array(rows),
        row_lower=np.array([299, 0, -np.inf, -np.inf, -np.inf]),
        row_upper=np.array([299, 0, hair, 0, 0]),
        column={},
    )
    start = np.array([299, 1, 793 + 299 * minutes, 0, 793 + 299 * minutes])
    found = search(program, start, Limits(10, 1e-6, 1))
    assert found.values is not None
    least = (2.05092637114549 + 0.0021393808458580917 * minutes) * 299  # the second column at zero
    assert program.value(found.values) == pytest.approx(least, rel=1e-7)
