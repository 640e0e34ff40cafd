"""The form of an explanation, and how another plan compares with the present one."""

from dataclasses import dataclass
from typing import Any

from optimization import rest
from optimization.counterfactual import Choice
from optimization.plan import Plan
from optimization.problem import Instance

_SAME = 1e-6  # relative; a bound nearer to the cost than this proves it
CENT = 0.005  # money; less than this is not shown


@dataclass(frozen=True)
class Explained:
    """What was found: lines of Markdown for people, figures for programs."""

    title: str
    lines: list[str]
    figures: dict[str, Any]

    @property
    def text(self) -> str:
        """The lines under their title."""
        return "\n".join([f"# {self.title}", "", *self.lines, ""])


@dataclass(frozen=True)
class Against:
    """Another plan against the present one: extra cost (below 0: cheaper), proven least, cost by part, its pairs."""

    extra_cost: float
    at_least: float
    by_part: dict[str, float]
    allocation: list[dict[str, Any]]

    @property
    def words(self) -> str:
        """The extra cost, as an interval where it is not proven, and what it is made of."""
        parts = ", ".join(f"{name} {cost:+,.2f}" for name, cost in self.by_part.items() if abs(cost) >= CENT)
        made_of = f" ({parts})" if parts else ""
        if self.extra_cost - self.at_least > CENT + _SAME * abs(self.extra_cost):
            return f"{self.at_least:+,.2f} at least, {self.extra_cost:+,.2f} in the best plan found{made_of}"
        return f"{abs(self.extra_cost):,.2f} {'more' if self.extra_cost >= 0 else 'less'}{made_of}"


def against(part: Instance, plan: Plan, choice: Choice) -> Against | None:
    """A choice in a part of the book against the plan in that part; None where there is no such plan."""
    if not choice.possible:
        return None
    now = rest.cost_of(part, plan)
    by_part = {name: choice.cost[name] - now[name] for name in now}
    extra, least = sum(by_part.values()), choice.bound - sum(now.values())
    pairs = [{str(name): cell for name, cell in row.items()} for row in choice.plan.allocation.to_dict("records")]
    return Against(extra, min(extra, least), by_part, pairs)
