"""Which way of searching an instance gets, and why: from its facts alone, told in the plan's report.

In: the instance with its arrays, and the limits. Out: the `SearchMethod`. Every one gives a `Solution` that is never
dearer than its start, so none of them can say that an instance is not its own: that is asked here, before.
"""

from collections.abc import Callable
from dataclasses import dataclass

from optimization.engines.exact import one_program
from optimization.engines.large import in_parts
from optimization.engines.location import by_floors
from optimization.engines.whole_lots import dive_and_branch
from optimization.statement.highs import Limits, Progress
from optimization.statement.part import Whole
from optimization.statement.solution import Solution

Searching = Callable[[Whole, Limits, Solution, Callable[[Progress], None]], Solution]


@dataclass(frozen=True)
class SearchMethod:
    """A way of searching: its name and why it was taken. `priced`: prices of capacity are found before it."""

    name: str
    because: str
    solved: Searching
    priced: bool

    @property
    def words(self) -> str:
        """The way as the report tells it."""
        return f"{self.name}, because {self.because}"


def choose(whole: Whole, limits: Limits) -> SearchMethod:
    """The way that suits an instance, the most special one first."""
    slots = len(whole.arrays.slots[0])
    if dive_and_branch.suits(whole, limits):
        because = f"no lot of {len(whole.arrays.quantity):,} can have two factories and days need no telling apart"
        return SearchMethod("whole lots", because, dive_and_branch.solved, priced=False)
    if by_floors.suits(whole, limits):
        because = f"{int((whole.arrays.engagement_cost > 0).sum()):,} factories cost something to engage"
        return SearchMethod("location", f"{because} and days need no telling apart", by_floors.solved, priced=True)
    if in_parts.suits(whole, limits):
        return SearchMethod("large", f"{slots:,} slots are too many for one program", in_parts.solved, priced=False)
    few = "the search ends by nodes" if limits.nodes else f"{slots:,} slots fit into one program"
    return SearchMethod("exact", few, _exactly, priced=True)


def _exactly(whole: Whole, limits: Limits, start: Solution, progress: Callable[[Progress], None]) -> Solution:
    return one_program.solved(whole.instance, whole.reduced, limits, progress, known=start.allocation) or start
