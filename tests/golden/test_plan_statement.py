"""Each constraint and the cost of the model, as LP text, on an instance small enough to check by hand.

After a wanted change: GOLDEN_WRITE=1 pytest tests/golden/test_plan_statement.py, then read the difference.
"""

from pathlib import Path

import pytest
from plan_kit import assert_golden, instance

from optimization.contract.instances import Instance
from optimization.statement.mip import state
from optimization.statement.reduction import reduce

GOLDEN = Path(__file__).parent / "plan"
CONSTRAINTS = (
    "served",
    "lot_most",
    "lot_least",
    "sharing",
    "engaging",
    "opening",
    "enough",
    "working",
    "capacity",
    "late_work",
    "late_all",
    "target",
    "taking",
)


def example() -> Instance:
    """Two lots, two factories, three days; at F a late lot with a setup, at G a daily limit and an incumbent."""
    late = {"due_day": 2, "max_late_days": 1, "late_cost": 0.5, "max_factories": 1, "unmet_cost": 20}
    made_at_f = {
        "unit_cost": 3,
        "minutes_per_piece": 2,
        "setup_cost": 5,
        "setup_minutes": 3,
        "min_lot": 2,
        "max_lot": 8,
    }
    days = [1, 2, 3]
    return instance(
        orders=[{"order_id": "A", "quantity": 10} | late, {"order_id": "B", "quantity": 4, "due_day": 3}],
        arcs=[
            {"order_id": "A", "factory_id": "F"} | made_at_f,
            {"order_id": "A", "factory_id": "G", "minutes_per_piece": 1.5, "max_minutes_per_day": 6},
            {"order_id": "B", "factory_id": "F", "unit_cost": 2},
        ],
        capacity=[
            *({"factory_id": "F", "day": d, "minutes": 10, "overtime_minutes": 2, "overtime_cost": 0.5} for d in days),
            *({"factory_id": "G", "day": d, "minutes": 8} for d in days),
        ],
        factories=[{"factory_id": "F", "engagement_cost": 7, "target_minutes": 12, "shortfall_cost": 0.25}],
        incumbent=[{"order_id": "A", "factory_id": "G", "quantity": 3, "change_cost": 1}],
    )


@pytest.mark.parametrize("name", [*CONSTRAINTS, "cost"])
def test_statement_is_the_golden_one(name: str, tmp_path: Path) -> None:
    problem = example()
    assert_golden(state(problem, reduce(problem)), CONSTRAINTS, name, GOLDEN, tmp_path)


def test_golden_write_writes_what_is_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOLDEN_WRITE", "1")
    problem = example()
    assert_golden(state(problem, reduce(problem)), CONSTRAINTS, "cost", tmp_path, tmp_path)
    assert (tmp_path / "cost.lp").read_text("utf-8") == (GOLDEN / "cost.lp").read_text("utf-8")
