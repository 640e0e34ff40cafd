"""The way of searching follows from the facts of an instance, and the report tells both."""

import pytest
from plan_kit import day_of_work, instance

from optimization.contract.instances import Instance
from optimization.planning.choose import choose
from optimization.planning.solve import solve
from optimization.statement.highs import Limits
from optimization.statement.part import whole_of
from optimization.statement.reduction import reduce


def one_day(lots: int, factories: int, most: int, engagement_cost: float = 0.0) -> Instance:
    """Every lot at every factory on one day; a lot at so many of them at most."""
    orders = [{"lot_id": f"L{n}", "quantity": 9, "max_factories": most} for n in range(lots)]
    arcs = [{"lot_id": f"L{n}", "factory_id": f"F{f}"} for n in range(lots) for f in range(factories)]
    days = [{"factory_id": f"F{f}", "day": 1, "minutes": 99} for f in range(factories)]
    costs = [{"factory_id": f"F{f}", "engagement_cost": engagement_cost} for f in range(factories)]
    return instance(orders, arcs, days, costs)


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        (day_of_work(), "exact, because 320 slots fit into one program"),
        (one_day(30, 12, most=1), "whole lots, because no lot of 30 can have two factories and days need no"),
        (one_day(60, 20, most=3, engagement_cost=5.0), "location, because 20 factories cost something to engage"),
        (day_of_work(1, lots=150, factories=60, days=30), "slots are too many for one program"),
    ],
    ids=["exact", "whole lots", "location", "large"],
)
def test_facts_decide(problem: Instance, words: str) -> None:
    reduced = reduce(problem)
    assert words in choose(whole_of(problem, reduced), Limits(60, 1e-6, 1)).words


def test_the_report_tells_why() -> None:
    assert solve(day_of_work(), node_limit=1).report["engine"]["way"] == "exact, because the search ends by nodes"
