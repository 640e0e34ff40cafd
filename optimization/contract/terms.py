"""The terms of a plan's cost: unit, algebra, and how each formulation carries them.

The total is the sum of the terms. A formulation that must give a plan's cost carries every term `exactly`. One that
proves a bound may carry a term `at least` (never more than it costs) or leave it out, because no term is below 0.
tests/unit/test_cost_terms.py prices a case of each term in each formulation and fails where the table is wrong.

Symbols: q pieces of a pair, x minutes of work on a day (setup and run), r run minutes, a minutes per piece.
"""

from dataclasses import dataclass
from typing import Literal

How = Literal["exactly", "at least", "left out"]

# Name, where it is, what it is for.
FORMULATIONS = {
    "plan": ("optimization/contract/plan.py", "the cost of a plan's tables; what report.json says"),
    "judge": ("optimization/verification/plan_rules.py", "the same in SQL, sharing no code"),
    "program": ("optimization/statement/mip.py", "the mixed-integer program"),
    "fixed program": ("optimization/statement/fixed.py", "the linear program once it is settled who makes what"),
    "draft": ("optimization/statement/draft.py", "a plan in arrays: common rule, first plans, large searches"),
    "part": ("optimization/statement/part.py", "some lots planned anew beside the rest of a plan"),
    "whole lots": ("optimization/engines/whole_lots/assignment.py", "the choice of one factory for each lot"),
    "relaxation": ("optimization/engines/bounds/relaxation.py", "bound: the linear relaxation by days"),
    "prices": ("optimization/engines/bounds/lagrangian.py", "bound: capacity at a price"),
    "patterns": ("optimization/engines/bounds/orders_at_prices.py", "bound: whole patterns of an order at prices"),
    "judge's bound": ("optimization/verification/plan_rules.py", "bound: capacity at a price, in SQL"),
    "floors": ("optimization/engines/location/engagement.py", "bound: which factories to engage"),
    "stages": ("optimization/stages/program.py", "the mixed-integer program of stages and pools, by days"),
    "mix": ("optimization/engines/staged/mix.py", "stages at scale: whole routes of lots, every setup paid"),
    "routes": ("optimization/engines/staged/routes.py", "bound: routes through stages at prices"),
}
# Those that know lots in stages; the others plan lots of one stage.
IN_STAGES = ("plan", "judge", "stages", "mix", "routes")
_BOUNDS = ("relaxation", "prices", "patterns", "judge's bound", "floors", "routes")


@dataclass(frozen=True)
class Term:
    """One term. `words`: for people; `unit`: of what is priced; `elsewhere`: carried otherwise than `exactly`."""

    name: str
    words: str
    column: str
    unit: str
    algebra: str
    elsewhere: dict[str, tuple[How, str]]

    def carried(self, formulation: str) -> tuple[How, str]:
        """How a formulation carries the term, and why so."""
        return self.elsewhere.get(formulation, ("exactly", ""))


def _relaxed(why: str) -> dict[str, tuple[How, str]]:
    return dict.fromkeys(_BOUNDS, ("at least", why))


_SETTLED: tuple[How, str] = ("left out", "settled with who makes what")
_NO_FLOOR: tuple[How, str] = ("left out", "floors tell factories apart, not days, targets or incumbents")

TERMS = (
    Term("unit", "making, freight, expected failures", "arcs.unit_cost", "per piece", "unit_cost q", _relaxed("")),
    Term(
        "setup",
        "setups",
        "arcs.setup_cost",
        "per pair",
        "setup_cost where q > 0 and no setup is done",
        _relaxed("a share for each piece, for the most pieces that the pair can make") | {"fixed program": _SETTLED},
    ),
    Term(
        "engagement",
        "engaging factories",
        "factories.engagement_cost",
        "per factory",
        "engagement_cost where the factory makes anything",
        _relaxed("a share for each minute or piece") | {"fixed program": _SETTLED},
    ),
    Term(
        "overtime",
        "overtime",
        "capacity.overtime_cost",
        "per minute",
        "overtime_cost max(0, sum x - minutes)",
        _relaxed("") | {"whole lots": ("at least", "all days are one, at the price of the cheapest")},
    ),
    Term(
        "late",
        "lateness",
        "orders.late_cost",
        "per piece and day",
        "late_cost r / a max(0, day + transit_days - due_day)",
        _relaxed("")
        | {
            "whole lots": ("left out", "as if all were made on the first day"),
            "floors": ("left out", "as if all were made on the first day"),
        },
    ),
    Term("unmet", "pieces not placed", "orders.unmet_cost", "per piece", "unmet_cost (quantity - sum q)", _relaxed("")),
    Term(
        "shortfall",
        "work below what was agreed",
        "factories.shortfall_cost",
        "per minute",
        "shortfall_cost max(0, target_minutes - sum x)",
        _relaxed("") | {"floors": _NO_FLOOR, "routes": ("left out", "targets have no price there")},
    ),
    Term(
        "change",
        "work taken from factories that had it",
        "incumbent.change_cost",
        "per piece",
        "change_cost max(0, incumbent quantity - q)",
        _relaxed("") | {"floors": _NO_FLOOR},
    ),
    Term(
        "transfer",
        "passing pieces on between stages",
        "transfers.cost",
        "per piece moved",
        "cost of the lane times the pieces that pass between two factories",
        dict.fromkeys(set(FORMULATIONS) - set(IN_STAGES), ("left out", "lots have one stage there"))
        | {"routes": ("at least", "")},
    ),
)

COST_WORDS = {term.name: term.words for term in TERMS}
