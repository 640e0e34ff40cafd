"""What it costs to use a factory, and to use one factory only, equals the cheapest of all plans that do."""

from dataclasses import replace

import pytest
from plan_kit import cheapest, tiny

from c2m.errors import InfeasibleError
from optimization.contract.instances import Instance
from optimization.contract.plan import Plan
from optimization.explanation.lot import lot, pair
from optimization.planning.solve import solve


def planned(seed: int) -> tuple[Instance, Plan]:
    problem = tiny(seed)
    try:
        return problem, solve(problem)
    except InfeasibleError:
        pytest.skip("frozen work does not fit: there is no plan to explain")


@pytest.mark.parametrize("seed", range(12))
def test_forced_pair_costs_what_the_cheapest_of_all_plans_with_it_costs(seed: int) -> None:
    problem, plan = planned(seed)
    used = set(zip(plan.allocation["lot_id"], plan.allocation["factory_id"], strict=True))
    unused = [key for key in zip(problem.arcs["lot_id"], problem.arcs["factory_id"], strict=True) if key not in used]
    for lot_id, factory_id in unused[:2]:
        best = cheapest(problem, using=(lot_id, factory_id))
        figures = pair(problem, plan, lot_id, factory_id).figures
        if best is None:
            assert figures["forced"] is None
            assert figures["rule"] not in ("dearer", "search-stopped")
        else:
            extra = best - plan.report["objective"]
            assert figures["forced"]["extra_cost"] == pytest.approx(extra, abs=1e-5)
            assert figures["forced"]["at_least"] == pytest.approx(extra, abs=1e-3)


@pytest.mark.parametrize("seed", range(10))
def test_split_saves_against_one_factory_what_all_plans_say(seed: int) -> None:
    problem, plan = planned(seed)
    places = plan.allocation.groupby("lot_id").size()
    for lot_id in places.index[places > 1][:1]:
        single = lot(problem, plan, lot_id).figures["single_factory"]
        most = problem.orders["max_factories"].mask(problem.orders["lot_id"] == lot_id, 1)
        best = cheapest(replace(problem, orders=problem.orders.assign(max_factories=most)))
        assert best is not None
        assert single["extra_cost"] == pytest.approx(best - plan.report["objective"], abs=1e-5)
