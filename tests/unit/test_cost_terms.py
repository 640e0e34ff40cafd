"""Every formulation of the plan carries every term of its cost as `optimization.contract.terms` says.

Each case has one sensible plan, in which a term costs a known amount per unit of its price, and nothing else costs
anything that moves with that price.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pytest
from joint_kit import joint, open_days
from plan_kit import checked, instance

from optimization.contract.instances import Instance
from optimization.contract.plan import Plan, cost_parts
from optimization.contract.terms import FORMULATIONS, IN_STAGES, TERMS, Term
from optimization.engines.bounds import column_generation, lagrangian
from optimization.engines.bounds.relaxation import Relaxed, relax
from optimization.engines.exact import one_program
from optimization.engines.location.engagement import floors
from optimization.engines.staged import by_days
from optimization.engines.staged.mix import mixed
from optimization.engines.staged.routes import Routes, bounded
from optimization.engines.whole_lots.assignment import assignment_of
from optimization.planning.solve import solve
from optimization.stages.flat import flat_of
from optimization.statement.fixed import Fixed
from optimization.statement.highs import Limits, search
from optimization.statement.part import Others, Whole, cut, whole_of
from optimization.statement.reduction import reduce
from optimization.verification import plan_rules, stage_rules
from optimization.verification.verifier import Verification

LIMITS = Limits(60, 0.0, 1)
LOT = {"lot_id": "A", "quantity": 10, "due_day": 1, "max_factories": 1, "unmet_cost": 1000}
AT = {"lot_id": "A", "factory_id": "F", "unit_cost": 1, "max_lot": 10}


def unit(price: float) -> Instance:
    """10 pieces."""
    return instance([LOT], [AT | {"unit_cost": price}], _days(10))


def setup(price: float) -> Instance:
    """One setup."""
    return instance([LOT], [AT | {"setup_cost": price}], _days(10))


def engagement(price: float) -> Instance:
    """One factory."""
    return instance([LOT], [AT], _days(10), [{"factory_id": "F", "engagement_cost": price}])


def overtime(price: float) -> Instance:
    """4 minutes beyond 6."""
    return instance([LOT], [AT], [_days(6)[0] | {"overtime_minutes": 4, "overtime_cost": price}])


def late(price: float) -> Instance:
    """4 pieces that the second day makes, a day late."""
    return instance([LOT | {"max_late_days": 1, "late_cost": price}], [AT], _days(6, 4))


def unmet(price: float) -> Instance:
    """10 pieces of B, for which A leaves no minute."""
    return instance([LOT, LOT | {"lot_id": "B", "unmet_cost": price}], [AT, AT | {"lot_id": "B"}], _days(10))


def shortfall(price: float) -> Instance:
    """15 minutes below the target."""
    return instance([LOT], [AT], _days(10), [{"factory_id": "F", "target_minutes": 25, "shortfall_cost": price}])


def change(price: float) -> Instance:
    """10 pieces that G had, where B takes every minute now."""
    lots = [LOT | {"max_factories": 2}, LOT | {"lot_id": "B", "unmet_cost": 2000}]
    at_g = {"factory_id": "G"}
    held = [at_g | {"lot_id": "A", "quantity": 10, "change_cost": price}]
    return instance(
        lots, [AT, AT | at_g, AT | at_g | {"lot_id": "B"}], [*_days(10), *(day | at_g for day in _days(10))], None, held
    )


def transfer(price: float) -> Instance:
    """10 pieces that F begins and G ends."""
    lot = {"order_id": "A", "quantity": 10, "due_day": 2}
    arcs = [{"order_id": "A", "stage": stage, "factory_id": at} for stage, at in ((1, "F"), (2, "G"))]
    stages = [{"order_id": "A", "stage": stage} for stage in (1, 2)]
    lane = [{"from_factory": "F", "to_factory": "G", "cost": price, "days": 1}]
    return joint([lot], arcs, open_days("FG", 2), stages=stages, transfers=lane)


CASES: dict[str, tuple[Callable[[float], Instance], float]] = {
    "unit": (unit, 10),
    "setup": (setup, 1),
    "engagement": (engagement, 1),
    "overtime": (overtime, 4),
    "late": (late, 4),
    "unmet": (unmet, 10),
    "shortfall": (shortfall, 15),
    "change": (change, 10),
    "transfer": (transfer, 10),
}


def _days(*minutes: float) -> list[dict[str, object]]:
    return [{"factory_id": "F", "day": day, "minutes": each} for day, each in enumerate(minutes, start=1)]


@dataclass(frozen=True)
class Solved:
    """A case with its best plan, and what formulations need of it."""

    problem: Instance
    plan: Plan
    folder: Path

    @cached_property
    def whole(self) -> Whole:
        reduced = reduce(self.problem)
        return whole_of(self.problem, reduced)

    @cached_property
    def relaxed(self) -> Relaxed:
        found = relax(self.whole.arrays)
        assert found is not None
        return found

    @cached_property
    def verdict(self) -> Verification:
        return checked(self.problem, self.plan, self.folder)


def _program(case: Solved) -> float:
    found = one_program.solved(case.problem, reduce(case.problem), LIMITS)
    assert found is not None
    return found.cost


def _part(case: Solved) -> float:
    """All lots as a part, beside nobody; what no part can change is counted with the rest."""
    w = case.whole
    nobody = np.zeros_like(w.arrays.room)
    alone = Others(nobody, np.zeros(len(nobody), bool), np.zeros(len(nobody), bool), nobody)
    cost = _program(Solved(cut(w, np.arange(len(w.arrays.order)), alone), case.plan, case.folder))
    left_alone = np.setdiff1d(np.arange(len(w.arrays.quantity)), w.arrays.order)
    return cost + float((w.arrays.quantity * w.arrays.unmet_cost)[left_alone].sum())


def _whole_lots(case: Solved) -> float:
    w = case.whole
    made = case.plan.allocation.set_index("lot_id")["factory_id"]
    chosen = w.factory_ids.get_indexer(made.reindex(w.lot_ids).fillna("-"))
    return assignment_of(w.arrays).value(chosen)


def _mix(case: Solved) -> float:
    """The best mix of the routes of the bound and of those around them."""
    routes = Routes(flat_of(case.problem))
    bound = bounded(routes, 60.0)
    routes.around(bound.price)
    mix = mixed(routes, routes.legs())
    program = mix.blocks.program(mix.binary)
    found = search(program, None, LIMITS)
    assert found.values is not None
    return program.value(found.values)


VALUES: dict[str, Callable[[Solved], float]] = {
    "plan": lambda case: sum(
        cost_parts(case.problem, case.plan.allocation, case.plan.schedule, case.plan.moves).values()
    ),
    "judge": lambda case: float(case.verdict.objective or 0.0),
    "program": _program,
    "fixed program": lambda case: Fixed(case.problem, case.plan).cost,
    "draft": lambda case: case.whole.draft(case.plan.allocation, case.plan.schedule).cost(),
    "part": _part,
    "whole lots": _whole_lots,
    "relaxation": lambda case: case.relaxed.value,
    "prices": lambda case: lagrangian.bound(case.whole.arrays, case.relaxed.prices),
    "patterns": lambda case: column_generation.value(case.whole.arrays, case.relaxed.prices),
    "judge's bound": lambda case: float(case.verdict.confirmed_bound or 0.0),
    "floors": lambda case: floors(case.whole.arrays, 0.5).bound,
    "stages": lambda case: by_days.solved(case.problem, LIMITS).cost,
    "mix": _mix,
    "routes": lambda case: bounded(Routes(flat_of(case.problem)), 60.0).value,
}


def test_every_term_and_every_formulation_is_tried() -> None:
    names = [term.name for term in TERMS]
    problem = unit(1)
    assert [*cost_parts(problem, *_tables(problem)), "transfer"] == names
    assert list(plan_rules.COST | stage_rules.COST) == names
    assert list(CASES) == names
    assert set(VALUES) == set(FORMULATIONS)
    assert all((Path(__file__).parents[2] / file).is_file() for file, _ in FORMULATIONS.values())


def _tables(problem: Instance) -> tuple[object, object]:
    plan = solve(problem, gap=0.0, reasoned=False)
    return plan.allocation, plan.schedule


@pytest.fixture(scope="module")
def solved(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, float], Solved]:
    """A case at a price, solved once."""
    kept: dict[tuple[str, float], Solved] = {}

    def of(name: str, price: float) -> Solved:
        if (name, price) not in kept:
            problem = CASES[name][0](price)
            kept[name, price] = Solved(problem, solve(problem, gap=0.0, reasoned=False), tmp_path_factory.mktemp(name))
        return kept[name, price]

    return of


@pytest.mark.parametrize("formulation", FORMULATIONS)
@pytest.mark.parametrize("term", TERMS, ids=lambda term: term.name)
def test_a_term_is_carried_as_the_table_says(
    term: Term, formulation: str, solved: Callable[[str, float], Solved]
) -> None:
    low, high = 0.5, 2.0
    if term.name == "transfer" and formulation not in IN_STAGES:
        assert term.carried(formulation)[0] == "left out"
        return
    value, amount = VALUES[formulation], CASES[term.name][1]
    more = value(solved(term.name, high)) - value(solved(term.name, low))
    how, _ = term.carried(formulation)
    expected = amount * (high - low)
    if how == "exactly":
        assert more == pytest.approx(expected, rel=1e-6)
    elif how == "at least":
        assert 1e-6 < more <= expected * (1 + 1e-6)
    else:
        assert more == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("term", TERMS, ids=lambda term: term.name)
def test_a_bound_is_never_above_the_cost(term: Term, solved: Callable[[str, float], Solved]) -> None:
    case = solved(term.name, 2.0)
    cost = VALUES["plan"](case)
    bounds = ("relaxation", "prices", "patterns", "judge's bound", "floors", "routes")
    for name in bounds[-1:] if term.name == "transfer" else bounds:
        assert VALUES[name](case) <= cost * (1 + 1e-6) + 1e-6, name
