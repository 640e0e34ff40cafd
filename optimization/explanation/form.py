"""The form of an explanation, and how another plan compares with the present one."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from optimization.contract.instances import Instance, records
from optimization.contract.plan import Plan
from optimization.contract.terms import COST_WORDS
from optimization.contract.tolerances import MONEY_SHARE
from optimization.contract.wording import money
from optimization.unmet import rest
from optimization.unmet.counterfactual import Counterfactual

CENT = 0.005  # money; less than this is not shown
_NUMBER = re.compile(r"-?[\d,.]+|")


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
        """The extra cost, as a range where it is not proven, and what it is made of."""
        parts = "; ".join(
            f"{COST_WORDS[name]} {signed(cost)}" for name, cost in self.by_part.items() if abs(cost) >= CENT
        )
        return self._amount + (f" ({parts})" if parts else "")

    @property
    def _amount(self) -> str:
        extra, least = self.extra_cost, max(0.0, self.at_least)
        if extra < -CENT:
            return f"{money(-extra)} less; the search for the plan stopped before it found that"
        if extra <= CENT:
            return "as much as now"
        if self.extra_cost - self.at_least <= CENT + MONEY_SHARE * abs(extra) or money(least) == money(extra):
            return f"{money(extra)} more"
        return f"{money(least)} to {money(extra)} more" if least > CENT else f"at most {money(extra)} more"


def signed(amount: float) -> str:
    """An amount with its sign."""
    return f"{'+' if amount >= 0 else '-'}{money(abs(amount))}"


def _is_of_numbers(rows: list[dict[str, str]], column: str) -> bool:
    return all(_NUMBER.fullmatch(row[column]) for row in rows)


def table(records: Iterable[dict[str, str]]) -> list[str]:
    """Records as the lines of a Markdown table; columns of numbers stand to the right."""
    rows = list(records)
    if not rows:
        return []
    rule = ["---:" if _is_of_numbers(rows, name) else "---" for name in rows[0]]
    return [f"| {' | '.join(cells)} |" for cells in [rows[0], rule, *(row.values() for row in rows)]]


def against(part: Instance, plan: Plan, choice: Counterfactual) -> Against | None:
    """A choice in a part of the book against the plan in that part; None where there is no such plan."""
    if not choice.possible:
        return None
    now = rest.cost_of(part, plan)
    by_part = {name: choice.cost[name] - now[name] for name in now}
    extra, least = sum(by_part.values()), choice.bound - sum(now.values())
    return Against(extra, min(extra, least), by_part, records(choice.plan.allocation))


@dataclass(frozen=True)
class Names:
    """What people call a lot, by lot_id; the others go by their lot_id."""

    lots: Mapping[str, str]

    def lot(self, lot_id: str) -> str:
        """A lot in words."""
        return self.lots.get(lot_id, f"Lot {lot_id}")
