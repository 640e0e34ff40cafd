"""What a plan leaves: pieces and lots by cause, and the factories at which more minutes would cure most of it.

In: Instance, Plan, each short lot's code of its cause (optimization/unmet/reasons.py). Out: `Shortage`, with frames.
"""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from optimization.contract.instances import Instance
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
        pieces = f"{self.pieces:,} of {counted(self.of_pieces, 'piece')}"
        lots = f"{self.lots:,} of {counted(self.of_lots, 'lot')}"
        return f"**{pieces} are not made**, in {lots}. To leave them costs {money(self.cost)}."

    @property
    def figures(self) -> dict[str, Any]:
        """The same for programs."""
        totals = {name: getattr(self, name) for name in ("lots", "pieces", "of_lots", "of_pieces", "cost")}
        tables = {"by_cause": self.by_cause, "by_factory": self.by_factory}
        return {**totals, **{name: table.to_dict("records") for name, table in tables.items()}}


def shortage(instance: Instance, plan: Plan, codes: dict[str, str], waits: pd.DataFrame) -> Shortage | None:
    """What the plan leaves; None where it leaves nothing. `waits`: as waiting.py finds them."""
    missing = unmet_pieces(instance, plan.allocation)
    short = missing[missing > 0]
    if not len(short):
        return None
    unmet_cost = instance.orders.set_index("lot_id")["unmet_cost"].reindex(short.index)
    lots = pd.DataFrame({"code": [codes[str(o)] for o in short.index], "pieces": short, "cost": short * unmet_cost})
    by_cause = _summed(lots, "code", "cost").assign(cause=lambda table: table["code"].map(WORDS))
    once = waits.drop_duplicates("lot_id")[["factory_id", "pieces", "minutes", "saves"]]
    return Shortage(
        lots=len(short),
        pieces=int(short.sum()),
        of_lots=len(instance.orders),
        of_pieces=int(instance.orders["quantity"].sum()),
        cost=float(lots["cost"].sum()),
        by_cause=by_cause[["code", "cause", "lots", "pieces", "cost"]],
        by_factory=_summed(once, "factory_id", "saves"),
    )


def _summed(table: pd.DataFrame, key: str, by: str) -> pd.DataFrame:
    """Sums and number of lots by key, the greatest first."""
    grouped = table.groupby(key)
    summed = grouped.sum().assign(lots=grouped.size())
    return summed.sort_values(by, ascending=False, kind="stable").reset_index()
