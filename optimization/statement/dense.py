"""A reduced instance as arrays, on which the large-scale searches compute.

Pairs, orders and factories are numbered; a *slot* is one pair on one day of its window on which its factory has room.
Days count from 0 here. Shapes: (pairs,), (orders,), (factories,), (factories, days), (slots,).
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from c2m.domain.arrays import Flags, Floats, Ints
from optimization.contract.instances import Instance
from optimization.contract.keys import located
from optimization.contract.plan import PAIR
from optimization.statement.reduction import Pairs


@dataclass(frozen=True)
class Dense:
    """Money in the instance's currency, minutes of the factory, pieces; `most` is never below 1."""

    order: Ints  # (pairs,), ascending
    factory: Ints
    unit_cost: Floats
    pace: Floats  # minutes per piece
    setup_cost: Floats
    setup_minutes: Floats
    least: Ints
    most: Ints
    kept: Ints
    held: Ints
    change_cost: Floats
    frozen: Flags
    late_cost: Floats
    on_time_day: Ints
    first_day: Ints
    last_day: Ints
    day_limit: Floats  # minutes of the pair a day
    quantity: Ints  # (orders,)
    max_factories: Ints
    max_new: Ints  # pairs at most beside those with frozen pieces
    unmet_cost: Floats
    minutes: Floats  # (factories, days)
    overtime: Floats
    overtime_cost: Floats
    engagement_cost: Floats  # (factories,)
    target_minutes: Floats
    shortfall_cost: Floats
    lost: float  # change cost of incumbents that no pair can keep

    @cached_property
    def room(self) -> Floats:
        """Minutes of each factory and day, overtime included."""
        return self.minutes + self.overtime

    @property
    def days(self) -> int:
        """Days of the horizon."""
        return int(self.minutes.shape[1])

    @cached_property
    def always(self) -> Flags:
        """Factories (factories,) that frozen pieces engage."""
        return np.bincount(self.factory, self.kept > 0, minlength=len(self.engagement_cost)) > 0

    @cached_property
    def slots(self) -> tuple[Ints, Ints]:
        """Pair and day of all slots."""
        return self.slots_of(np.arange(len(self.order)))

    def slots_of(self, pairs: Ints) -> tuple[Ints, Ints]:
        """Pair and day of the slots of some pairs, by pair and day."""
        width = self.last_day[pairs] - self.first_day[pairs] + 1
        width = np.maximum(0, width)
        pair = np.repeat(pairs, width)
        begins = np.repeat(np.cumsum(width) - width, width)
        day = np.repeat(self.first_day[pairs], width) + np.arange(len(pair)) - begins
        is_open = self.room[self.factory[pair], day] > 0
        return pair[is_open], day[is_open]

    def late_per_piece(self, pair: Ints, day: Ints) -> Floats:
        """Cost of a piece that is finished on a day."""
        return np.asarray(self.late_cost[pair] * np.maximum(0, day - self.on_time_day[pair]))


def dense(instance: Instance, reduced: Pairs) -> Dense:
    """The arrays of an instance over its eligible pairs."""
    pairs, orders = reduced.pairs, instance.orders
    names = factory_names(instance, reduced)
    column = {name: pairs[name].to_numpy() for name in pairs.columns}
    by_factory = instance.factories.set_index("factory_id").reindex(names).fillna(0.0)
    lost = instance.incumbent[located(instance.incumbent, pairs, PAIR) < 0]
    return Dense(
        order=places(pd.Index(orders["lot_id"]), pairs["lot_id"]),
        factory=places(names, pairs["factory_id"]),
        pace=column["minutes_per_piece"],
        most=np.maximum(1, column["most"]),
        on_time_day=column["on_time_day"] - 1,
        first_day=column["first_day"] - 1,
        last_day=column["last_day"] - 1,
        day_limit=column["max_minutes_per_day"],
        **{name: column[name] for name in _AS_THEY_ARE},
        quantity=orders["quantity"].to_numpy(),
        max_factories=orders["max_factories"].to_numpy(),
        max_new=np.maximum(0, orders["max_factories"].to_numpy() - _standing(pairs, orders)),
        unmet_cost=orders["unmet_cost"].to_numpy(),
        **_by_day(instance, names),
        engagement_cost=by_factory["engagement_cost"].to_numpy(),
        target_minutes=by_factory["target_minutes"].to_numpy(),
        shortfall_cost=by_factory["shortfall_cost"].to_numpy(),
        lost=float((lost["change_cost"] * lost["quantity"]).sum()),
    )


def _standing(pairs: pd.DataFrame, orders: pd.DataFrame) -> Ints:
    """Pairs with frozen pieces (orders,)."""
    owners = places(pd.Index(orders["lot_id"]), pairs["lot_id"][pairs["kept"] > 0])
    return np.bincount(owners, minlength=len(orders))


def factory_names(instance: Instance, reduced: Pairs) -> "pd.Index[str]":
    """The factories in the order of their numbers; one without any capacity can still miss its target."""
    names: pd.Index[str] = pd.Index(instance.capacity["factory_id"].unique())
    for table in (reduced.pairs, instance.factories):
        names = names.union(pd.Index(table["factory_id"].unique()))
    return names


def places(names: "pd.Index[str]", column: "pd.Series[Any]") -> Ints:
    """Number of each name of a column."""
    return np.asarray(names.get_indexer(pd.Index(column)), dtype=np.int64)


_AS_THEY_ARE = (
    "unit_cost", "setup_cost", "setup_minutes", "least", "kept", "held", "change_cost", "frozen", "late_cost",

)  # fmt: skip


def _by_day(instance: Instance, names: "pd.Index[str]") -> dict[str, Any]:
    factory, day = places(names, instance.capacity["factory_id"]), instance.capacity["day"].to_numpy() - 1
    tables = {}
    for name, source in (("minutes", "minutes"), ("overtime", "overtime_minutes"), ("overtime_cost", "overtime_cost")):
        tables[name] = np.zeros((len(names), instance.horizon_days))
        tables[name][factory, day] = instance.capacity[source]
    return tables
