"""A running plan as the commitments of the next one: what it gave a factory is taken away again only at a price.

In: the instance, the allocation in force, the price of a change per piece. Out: the instance with these incumbents.
What is frozen in it stays frozen, at the pieces that are; a setup that is done stays done.
"""

from dataclasses import replace

import numpy as np
import pandas as pd

from c2m.errors import InputError
from optimization.contract.instances import Instance
from optimization.contract.plan import pair_key


def as_incumbents(instance: Instance, allocation: pd.DataFrame, change_cost: float | None = None) -> Instance:
    """The instance with the allocation as its incumbents.

    Where no `change_cost` is given, a pair's own in the instance holds, else the median of the instance's.
    """
    unknown = set(allocation["lot_id"]) - set(instance.orders["lot_id"])
    faults = [f"allocation: order {order} is not in the instance" for order in sorted(unknown)]
    held = instance.incumbent
    if change_cost is None and held.empty:
        faults.append("change_cost: the instance has no incumbent to take it from; give it (money per piece)")
    if faults:
        raise InputError("running-plan-invalid", faults)
    typical = held["change_cost"].median() if change_cost is None else change_cost
    key = pair_key(instance)
    rows = allocation.merge(held.rename(columns={"quantity": "was"}), on=key, how="left")
    frozen, done = rows["frozen"].eq(True), rows["setup_done"].eq(True)
    incumbent = pd.DataFrame(
        {
            **{name: rows[name] for name in key},
            "quantity": np.where(frozen, rows["was"], rows["quantity"]).astype("int64"),
            "change_cost": typical if change_cost is not None else rows["change_cost"].fillna(typical),
            "frozen": frozen,
            "setup_done": done,
        }
    )
    return replace(instance, incumbent=incumbent.sort_values(key, ignore_index=True))
