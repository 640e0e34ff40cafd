"""What it is worth that lots may be split: the same book planned with every lot at one factory.

What an earlier round of a day has committed is the day's own decision, not given from outside: a day is asked about
with its book (optimization/planning/daybook.py), in which such commitments are free again.
In: Instance, Plan, seconds. Out: `Splitting`.
"""

from dataclasses import dataclass, replace

from optimization.contract.instances import Instance
from optimization.contract.plan import Plan, PlanSize, cost_parts
from optimization.contract.wording import counted
from optimization.explanation.form import Against
from optimization.planning.solve import solve


@dataclass(frozen=True)
class Splitting:
    """How many lots are split, over how many factories at most, and the book without any split; None: not planned."""

    lots: int
    most_factories: int
    nothing_split: Against | None

    @property
    def words(self) -> str:
        """What splits are worth, in a sentence."""
        if not self.lots:
            return "No lot is split."
        lots = counted(self.lots, "lot is", "lots are")
        split = f"{lots} split, over {counted(self.most_factories, 'factory')} at most."
        if self.nothing_split is None:
            return split
        return f"{split} With every lot at one factory the book would cost {self.nothing_split.words}."


def worth(instance: Instance, plan: Plan, seconds: float) -> Splitting:
    """What the splits of a plan are worth; counted only where there are no seconds, or frozen work does not fit."""
    size = PlanSize(instance, plan.allocation)
    counts = size.split_lots and seconds > 0
    nothing_split = _nothing_split(instance, plan, seconds) if counts else None
    return Splitting(size.split_lots, max(1, size.most_factories), nothing_split)


def _nothing_split(instance: Instance, plan: Plan, seconds: float) -> Against:
    """The book with every lot at one factory, as good as the time allows, against what the plan costs in it."""
    single = replace(instance, orders=instance.orders.assign(max_factories=1))
    other = solve(single, time_limit_s=seconds, reasoned=False).report
    now = cost_parts(instance, plan.allocation, plan.schedule)
    by_part = {name: cost - now[name] for name, cost in other["cost"].items()}
    return Against(sum(by_part.values()), other["bound"] - sum(now.values()), by_part, [])
