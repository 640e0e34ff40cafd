"""The joint-factory plan: orders split over factories at least cost, with proven bound, independent judge, reasons.

>>> import pandas as pd
>>> from optimization import Instance, solve
>>> order = {"order_id": "A", "quantity": 100, "release_day": 1, "due_day": 2, "max_late_days": 0, "max_factories": 2}
>>> costs = {"unit_cost": [4.0, 5.0], "setup_cost": 0.0, "setup_minutes": 0.0, "minutes_per_piece": 6.0}
>>> limits = {"min_lot": 10, "max_lot": 100, "transit_days": 0}
>>> tables = {
...     "orders": pd.DataFrame([order | {"late_cost": 1.0, "unmet_cost": 20.0}]),
...     "arcs": pd.DataFrame({"order_id": "A", "factory_id": ["near", "far"], **costs, **limits}),
...     "capacity": pd.DataFrame(
...         {"factory_id": ["near", "near", "far"], "day": [1, 2, 1], "minutes": [180.0, 180.0, 600.0]}
...     ).assign(overtime_minutes=0.0, overtime_cost=0.0),
... }
>>> plan = solve(Instance.from_tables(tables))
>>> plan.allocation[["factory_id", "quantity"]].to_dict("list")
{'factory_id': ['far', 'near'], 'quantity': [40, 60]}
>>> plan.report["objective"], plan.report["status"]
(440.0, 'optimal')

`allocate`, `verify`, `explain` and `what_if` do it for folders, as the commands of the same names.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optimization.contract.instances import Instance
    from optimization.contract.plan import Plan
    from optimization.explanation.answer import explain
    from optimization.planning.solve import allocate, solve
    from optimization.verification.verifier import verify
    from optimization.whatif.comparison import what_if

__all__ = ["Instance", "Plan", "allocate", "explain", "solve", "verify", "what_if"]

_FROM = {
    "Instance": "contract.instances",
    "Plan": "contract.plan",
    "allocate": "planning.solve",
    "explain": "explanation.answer",
    "solve": "planning.solve",
    "verify": "verification.verifier",
    "what_if": "whatif.comparison",
}


def __getattr__(name: str) -> Any:
    """What is offered, imported when it is first asked for: the judge needs no solver."""
    if name not in _FROM:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_FROM[name]}"), name)
