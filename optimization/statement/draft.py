"""A plan in arrays while searches work on it: pieces and minutes of each pair, and what they cost."""

from dataclasses import dataclass

import numpy as np

from c2m.domain.arrays import Flags, Floats, Ints
from optimization.statement.dense import Dense


@dataclass
class Draft:
    """quantity (pairs,), setup and run minutes (pairs, days)."""

    arrays: Dense
    quantity: Ints
    setup: Floats
    run: Floats

    def load(self) -> Floats:
        """Minutes of work (factories, days)."""
        load = np.zeros_like(self.arrays.room)
        used = np.flatnonzero(self.quantity)
        np.add.at(load, self.arrays.factory[used], self.setup[used] + self.run[used])
        return load

    def pair_costs(self, pairs: Ints) -> Floats:
        """(n,) money: unit, setup, late and change cost of some pairs (n,)."""
        arrays, quantity = self.arrays, self.quantity[pairs]
        late = np.maximum(0, np.arange(arrays.days) - arrays.on_time_day[pairs, None])
        run = (self.run[pairs] * late).sum(axis=1) * arrays.late_cost[pairs] / arrays.pace[pairs]
        change = arrays.change_cost[pairs] * np.maximum(0, arrays.held[pairs] - quantity)
        return np.asarray(arrays.unit_cost[pairs] * quantity + arrays.setup_cost[pairs] * (quantity > 0) + run + change)

    def cost_of(self, orders: Ints, pairs: Ints) -> float:
        """What some orders cost, all their pairs given: pairs and unmet pieces.

        Parameters
        ----------
        orders
            (n,) orders.
        pairs
            (m,) all their pairs.

        Returns
        -------
        float
            Money.
        """
        arrays = self.arrays
        made = np.bincount(arrays.order[pairs], self.quantity[pairs], len(arrays.quantity))[orders]
        unmet = (arrays.quantity[orders] - made) * arrays.unmet_cost[orders]
        return float(self.pair_costs(pairs).sum() + unmet.sum())

    def factory_costs(self, factories: Ints, load: Floats, engaged: Flags) -> Floats:
        """Overtime, engagement and shortfall of some factories under a load.

        Parameters
        ----------
        factories
            (n,) factories.
        load
            (factories, days) minutes.
        engaged
            (factories,) which of them work at all.

        Returns
        -------
        numpy.ndarray
            (n,) money.
        """
        arrays, load = self.arrays, load[factories]
        overtime = (arrays.overtime_cost[factories] * np.maximum(0, load - arrays.minutes[factories])).sum(axis=1)
        short = np.maximum(0, arrays.target_minutes[factories] - load.sum(axis=1)) * arrays.shortfall_cost[factories]
        return np.asarray(overtime + short + arrays.engagement_cost[factories] * engaged[factories])

    def cost(self) -> float:
        """The contract's cost of the plan."""
        arrays = self.arrays
        engaged = np.bincount(arrays.factory, self.quantity, len(arrays.minutes)) > 0
        factories = self.factory_costs(np.arange(len(arrays.minutes)), self.load(), engaged)
        return (
            arrays.lost
            + self.cost_of(np.arange(len(arrays.quantity)), np.arange(len(arrays.order)))
            + float(factories.sum())
        )


def empty(arrays: Dense) -> Draft:
    """The draft without any work."""
    minutes = np.zeros((len(arrays.order), arrays.days))
    return Draft(arrays, np.zeros(len(arrays.order), dtype=np.int64), minutes, minutes.copy())
