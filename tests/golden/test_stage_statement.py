"""Each constraint and the cost of the program by days, as LP text, on an instance small enough to check by hand.

After a wanted change: GOLDEN_WRITE=1 pytest tests/golden/test_stage_statement.py, then read the difference.
"""

from pathlib import Path

import pytest
from joint_kit import joint, open_days
from plan_kit import assert_golden

from optimization.contract.instances import Instance
from optimization.stages.flat import flat_of
from optimization.stages.program import state

GOLDEN = Path(__file__).parent / "stages"
PAIRS = ("served", "within", "lot_most", "lot_least", "sharing", "working", "daily", "taking")
SETUPS = ("pool_least", "pooling", "preparing", "prepared", "started", "placed")
FACTORIES = ("capacity", "engaging", "target")
PASSING = ("moving", "arriving", "leaving", "finished", "supplied")
CONSTRAINTS = (*PAIRS, *SETUPS, *FACTORIES, *PASSING)


def example() -> Instance:
    """A lot in two stages, knitted at F and sewn at F or G, one piece knitted already; two lots that share a setup."""
    shared = {"factory_id": "G", "setup_cost": 5, "setup_minutes": 3, "min_lot": 2}
    single = {"quantity": 1, "due_day": 2}
    return joint(
        orders=[
            {"order_id": "A", "quantity": 4, "due_day": 2, "max_late_days": 1, "late_cost": 0.5, "max_factories": 1},
            *({"order_id": name} | single for name in ("B", "C")),
        ],
        arcs=[
            {"order_id": "A", "stage": 1, "factory_id": "F", "minutes_per_piece": 2, "max_minutes_per_day": 6},
            {"order_id": "A", "stage": 2, "factory_id": "F", "unit_cost": 3},
            {"order_id": "A", "stage": 2, "factory_id": "G", "unit_cost": 2},
            *({"order_id": name} | shared for name in ("B", "C")),
        ],
        capacity=open_days("FG", 3),
        stages=[{"order_id": "A", "stage": 1, "name": "knit"}, {"order_id": "A", "stage": 2, "name": "sew"}],
        transfers=[{"from_factory": "F", "to_factory": "G", "cost": 0.75, "days": 1}],
        ready=[{"order_id": "A", "stage": 1, "factory_id": "F", "day": 2, "quantity": 1}],
        pools=[{"order_id": "B", "pool_id": "P"}, {"order_id": "C", "pool_id": "P"}],
        factories=[{"factory_id": "G", "engagement_cost": 7, "target_minutes": 12, "shortfall_cost": 0.25}],
        incumbent=[{"order_id": "A", "stage": 2, "factory_id": "F", "quantity": 3, "change_cost": 1}],
    )


@pytest.mark.parametrize("name", [*CONSTRAINTS, "cost"])
def test_statement_is_the_golden_one(name: str, tmp_path: Path) -> None:
    assert_golden(state(flat_of(example())), CONSTRAINTS, name, GOLDEN, tmp_path)
