"""What a plan leaves: pieces and lots by cause, and the factories at which more minutes would cure most of it.

In: Instance, Plan, each short lot's code of its cause (optimization/unmet/reasons.py). Out: `Shortage`, with frames.
"""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from optimization.contract.instances import Instance, records
from optimization.contract.plan import Plan, unmet_pieces
from optimization.contract.wording import counted, money
from optimization.unmet.reasons import WORDS


@dataclass(frozen=True)
class Shortage:
    """The pieces left and what leaving them costs.

    by_cause    code, cause (words), lots, pieces, cost; the dearest first
    by_factory  factory_id, lots, pieces, minutes (lacking), saves: each lot where a minute saves most, counted once;
                without regard to other lots that would move
    """

    lots: int
    pieces: int
    of_lots: int
    of_pieces: int
    cost: float
    by_cause: pd.DataFrame
    by_factory: pd.DataFrame

    @property
    def words(self) -> str:
        """All of it in a sentence."""
        return (
            f"**{self.pieces:,} of {counted(self.of_pieces, 'piece')} are not placed**, "
            f"in {self.lots:,} of {counted(self.of_lots, 'lot')}. To leave them costs {money(self.cost)}."
        )

    @property
    def figures(self) -> dict[str, Any]:
        """The same for programs."""
        return {name: records(held) if isinstance(held, pd.DataFrame) else held for name, held in vars(self).items()}


def shortage(instance: Instance, plan: Plan, codes: dict[str, str], waits: pd.DataFrame) -> Shortage | None:
    """What the plan leaves; None where it leaves nothing. `waits`: as waiting.py finds them."""
    missing = unmet_pieces(instance, plan.allocation)
    short = missing[missing > 0]
    if not len(short):
        return None
    unmet_cost = instance.orders.set_index("lot_id")["unmet_cost"].reindex(short.index)
    lots = pd.DataFrame({"code": [codes[str(o)] for o in short.index], "pieces": short, "cost": short * unmet_cost})
    return Shortage(
        lots=len(short),
        pieces=int(short.sum()),
        of_lots=len(instance.orders),
        of_pieces=int(instance.orders["quantity"].sum()),
        cost=float(lots["cost"].sum()),
        by_cause=_by_cause(lots),
        by_factory=_by_factory(waits),
    )


def _by_cause(lots: pd.DataFrame) -> pd.DataFrame:
    summed = _summed(lots, "code", "cost")
    return summed.assign(cause=summed["code"].map(WORDS))[["code", "cause", "lots", "pieces", "cost"]]


def _by_factory(waits: pd.DataFrame) -> pd.DataFrame:
    once = waits.drop_duplicates("lot_id")
    return _summed(once[["factory_id", "pieces", "minutes", "saves"]], "factory_id", "saves")


def _summed(table: pd.DataFrame, key: str, by: str) -> pd.DataFrame:
    """Sums and number of lots by key, the greatest first."""
    grouped = table.groupby(key)
    summed = grouped.sum().assign(lots=grouped.size())
    return summed.sort_values(by, ascending=False, kind="stable").reset_index()
