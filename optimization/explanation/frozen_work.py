"""What would make frozen work fit that does not: overtime at its price, or the pieces that must be set free.

Both are the cheapest plan of the frozen pairs alone: one with overtime without end, one in which pieces may be left.
"""

from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from optimization.contract.edits import Edit
from optimization.contract.instances import Instance, rows
from optimization.contract.plan import PAIR
from optimization.explanation.cures import in_words, lift_overtime, overtime_needed
from optimization.unmet.counterfactual import cheapest

_SECONDS = 10.0


@dataclass(frozen=True)
class Remedy:
    """Edits after which the frozen work fits, and what they cost."""

    words: str
    edits: tuple[Edit, ...]
    extra_cost: float


def remedies(instance: Instance) -> list[Remedy]:
    """The ways to make frozen work fit, cheapest first."""
    held = instance.frozen
    alone = _alone(instance, held)
    found = [*_overtime(alone, instance), *_released(alone, held)]
    return sorted(found, key=lambda remedy: remedy.extra_cost)


def _alone(instance: Instance, held: pd.DataFrame) -> Instance:
    """The frozen pairs as an instance of their own; the longest that each may become is what is frozen."""
    kept = held[[*PAIR, "quantity"]].rename(columns={"quantity": "kept"})
    arcs = instance.arcs.merge(kept, on=PAIR)
    arcs = arcs.assign(max_lot=arcs[["max_lot", "kept"]].min(axis=1), unit_cost=0.0, setup_cost=0.0)
    orders = instance.orders[instance.orders["lot_id"].isin(held["lot_id"])].assign(late_cost=0.0)
    capacity = instance.capacity[instance.capacity["factory_id"].isin(held["factory_id"])]
    return replace(
        instance,
        orders=orders.reset_index(drop=True),
        arcs=arcs.drop(columns="kept"),
        capacity=capacity.reset_index(drop=True),
        factories=instance.factories[:0],
        incumbent=held.reset_index(drop=True),
    )


def _overtime(alone: Instance, instance: Instance) -> list[Remedy]:
    """Overtime on the days that lack it; no remedy where a lot is too large for its factory or its order."""
    roomy = lift_overtime(alone, instance)
    choice = cheapest(replace(roomy, orders=roomy.orders.assign(unmet_cost=0.0)), _SECONDS)
    edits = tuple(overtime_needed(alone, choice.plan.schedule))
    cost = sum(edit.values["overtime_cost"] * edit.more["overtime_minutes"] for edit in edits)
    return [Remedy(in_words(edits, instance.day_1), edits, cost)] if edits else []


def _released(alone: Instance, held: pd.DataFrame) -> list[Remedy]:
    """The frozen pieces set free that cost least; a piece without a price of change counts as one."""
    choice = cheapest(_loosened(alone, held), _SECONDS)
    made = choice.plan.allocation.rename(columns={"quantity": "made"})
    left = held.merge(made, on=PAIR, how="left").fillna({"made": 0})
    left = left[left["made"] < left["quantity"]]
    edits = tuple(_set_free(row) for row in rows(left))
    cost = float(((left["quantity"] - left["made"]) * left["change_cost"]).sum())
    return [Remedy(" and ".join(edit.words for edit in edits), edits, cost)] if edits else []


def _loosened(alone: Instance, held: pd.DataFrame) -> Instance:
    """The frozen pairs free to take less, and most of the dearest to change where not all fits."""
    price = held["change_cost"].where(held["change_cost"] > 0, 1.0)
    kept = alone.arcs.merge(held.assign(price=price)[[*PAIR, "price"]], on=PAIR)
    dear = float(kept["price"].max()) + 1.0
    arcs = alone.arcs.assign(min_lot=0, unit_cost=dear - kept["price"].to_numpy())
    orders = alone.orders.assign(unmet_cost=dear)
    return replace(alone, arcs=arcs, orders=orders, incumbent=alone.incumbent.assign(quantity=0))


def _set_free(row: Any) -> Edit:
    """What is not made of a frozen pair is no longer frozen."""
    pieces = f"{row.quantity - row.made:,.0f} of {row.quantity:,} pieces"
    pair = {"lot_id": row.lot_id, "factory_id": row.factory_id}
    words = f"set {pieces} of {row.lot_id} at {row.factory_id} free"
    return Edit("incumbent", pair, {"quantity": int(row.made)}, words=words)
