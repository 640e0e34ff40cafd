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
    """An instance as arrays. Days count from 0; money is the instance's currency."""

    order: Ints  # (pairs,), ascending
    factory: Ints  # (pairs,)
    unit_cost: Floats  # (pairs,) per piece
    pace: Floats  # (pairs,) minutes per piece
    setup_cost: Floats  # (pairs,)
    setup_minutes: Floats  # (pairs,)
    least: Ints  # (pairs,) pieces when used
    most: Ints  # (pairs,) pieces, never below 1
    kept: Ints  # (pairs,) frozen pieces
    held: Ints  # (pairs,) incumbent pieces
    change_cost: Floats  # (pairs,) per piece taken away
    frozen: Flags  # (pairs,)
    late_cost: Floats  # (pairs,) per piece and day
    on_time_day: Ints  # (pairs,) last day that is not late
    first_day: Ints  # (pairs,) of the window
    last_day: Ints  # (pairs,) of the window
    day_limit: Floats  # (pairs,) minutes of the pair a day
    quantity: Ints  # (orders,) pieces
    max_factories: Ints  # (orders,)
    max_new: Ints  # (orders,) pairs at most beside those with frozen pieces
    unmet_cost: Floats  # (orders,) per piece
    minutes: Floats  # (factories, days)
    overtime: Floats  # (factories, days) minutes
    overtime_cost: Floats  # (factories, days) per minute
    engagement_cost: Floats  # (factories,)
    target_minutes: Floats  # (factories,)
    shortfall_cost: Floats  # (factories,) per minute
    lost: float  # change cost of incumbents that no pair can keep

    @cached_property
    def room(self) -> Floats:
        """(factories, days) minutes, overtime included."""
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
        """(slots,) pair and (slots,) day of all slots."""
        return self.slots_of(np.arange(len(self.order)))

    def slots_of(self, pairs: Ints) -> tuple[Ints, Ints]:
        """(slots,) pair and (slots,) day of the slots of some pairs (n,), by pair and day."""
        width = self.last_day[pairs] - self.first_day[pairs] + 1
        width = np.maximum(0, width)
        pair = np.repeat(pairs, width)
        begins = np.repeat(np.cumsum(width) - width, width)
        day = np.repeat(self.first_day[pairs], width) + np.arange(len(pair)) - begins
        is_open = self.room[self.factory[pair], day] > 0
        return pair[is_open], day[is_open]

    def late_per_piece(self, pair: Ints, day: Ints) -> Floats:
        """What the lateness of a piece costs that is finished on a day.

        Parameters
        ----------
        pair
            (n,) numbers of pairs.
        day
            (n,) days, from 0.

        Returns
        -------
        numpy.ndarray
            (n,) money per piece.
        """
        return np.asarray(self.late_cost[pair] * np.maximum(0, day - self.on_time_day[pair]))


def dense(instance: Instance, reduced: Pairs) -> Dense:
    """The arrays of an instance over its eligible pairs.

    Parameters
    ----------
    instance
        What is planned.
    reduced
        The pairs that can carry work, and their days (`reduce`).

    Returns
    -------
    Dense
        Days count from 0.
    """
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
    """The factories in the order of their numbers; one without any capacity can still miss its target.

    Parameters
    ----------
    instance
        What is planned.
    reduced
        The pairs that can carry work, and their days (`reduce`).

    Returns
    -------
    pd.Index
        factory_id by number.
    """
    names: pd.Index[str] = pd.Index(instance.capacity["factory_id"].unique())
    for table in (reduced.pairs, instance.factories):
        names = names.union(pd.Index(table["factory_id"].unique()))
    return names


def places(names: "pd.Index[str]", column: "pd.Series[Any]") -> Ints:
    """Numbers of the names in a column.

    Parameters
    ----------
    names
        By number.
    column
        A column of names.

    Returns
    -------
    numpy.ndarray
        (rows,) numbers from 0; -1 where a name is unknown.
    """
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
