"""Why a stage is made where it is: by hand, on a lot whose first stage two factories can make and its second one."""

import pytest
from joint_kit import joint, open_days

from optimization.explanation.answer import summary
from optimization.planning.solve import solve

ARCS = [
    {"order_id": "A", "stage": 1, "factory_id": "F", "setup_cost": 4},
    {"order_id": "A", "stage": 1, "factory_id": "G", "unit_cost": 2.25},
    {"order_id": "A", "stage": 2, "factory_id": "H"},
]
LANES = [{"from_factory": f, "to_factory": "H", "cost": cost, "days": 1} for f, cost in (("F", 0.5), ("G", 0.75))]
STAGES = [{"order_id": "A", "stage": 1, "name": "knit"}, {"order_id": "A", "stage": 2, "name": "pack"}]


@pytest.mark.parametrize(
    ("open_at", "words"),
    [
        ("FGH", "knit at F from day 1, 0.50 a piece cheaper than G; "),
        ("GH", "knit at G from day 1, though F costs 0.50 a piece less without overtime and lateness; "),
    ],
)
def test_a_stage_is_where_a_piece_with_its_way_costs_least(open_at: str, words: str) -> None:
    orders = [{"order_id": "A", "quantity": 4}]
    instance = joint(orders, ARCS, open_days(open_at, 2), 2, stages=STAGES, transfers=LANES)
    last = f"pack at H from day 2 (once pieces of {open_at[0]} have come, 1 day on the way), which alone can make it."
    assert f"* Lot A, 4 pieces: {words}{last}" in summary(instance, solve(instance))
