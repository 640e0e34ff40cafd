"""A plan in arrays while searches work on it: pieces and minutes of each pair, and what they cost."""

from dataclasses import dataclass

import numpy as np

from optimization.statement.arrays import Dense, Flags, Floats, Ints


@dataclass
class Draft:
    """quantity (pairs,), setup and run minutes (pairs, days)."""

    d: Dense
    quantity: Ints
    setup: Floats
    run: Floats

    def load(self) -> Floats:
        """Minutes of work (factories, days)."""
        load = np.zeros_like(self.d.room)
        used = np.flatnonzero(self.quantity)
        np.add.at(load, self.d.factory[used], self.setup[used] + self.run[used])
        return load

    def pair_costs(self, pairs: Ints) -> Floats:
        """Unit, setup, late and change cost of some pairs."""
        d, quantity = self.d, self.quantity[pairs]
        late = np.maximum(0, np.arange(d.days) - d.on_time_day[pairs, None])
        run = (self.run[pairs] * late).sum(axis=1) * d.late_cost[pairs] / d.pace[pairs]
        change = d.change_cost[pairs] * np.maximum(0, d.held[pairs] - quantity)
        return np.asarray(d.unit_cost[pairs] * quantity + d.setup_cost[pairs] * (quantity > 0) + run + change)

    def cost_of(self, orders: Ints, pairs: Ints) -> float:
        """What some orders cost, all their pairs given: pairs and unmet pieces."""
        d = self.d
        made = np.bincount(d.order[pairs], self.quantity[pairs], len(d.quantity))[orders]
        unmet = (d.quantity[orders] - made) * d.unmet_cost[orders]
        return float(self.pair_costs(pairs).sum() + unmet.sum())

    def factory_costs(self, factories: Ints, load: Floats, engaged: Flags) -> Floats:
        """Overtime, engagement and shortfall of some factories under a load (factories, days)."""
        d, load = self.d, load[factories]
        overtime = (d.overtime_cost[factories] * np.maximum(0, load - d.minutes[factories])).sum(axis=1)
        short = np.maximum(0, d.target_minutes[factories] - load.sum(axis=1)) * d.shortfall_cost[factories]
        return np.asarray(overtime + short + d.engagement_cost[factories] * engaged[factories])

    def cost(self) -> float:
        """The contract's cost of the plan."""
        d = self.d
        engaged = np.bincount(d.factory, self.quantity, len(d.minutes)) > 0
        factories = self.factory_costs(np.arange(len(d.minutes)), self.load(), engaged)
        return d.lost + self.cost_of(np.arange(len(d.quantity)), np.arange(len(d.order))) + float(factories.sum())


def empty(d: Dense) -> Draft:
    """The draft without any work."""
    minutes = np.zeros((len(d.order), d.days))
    return Draft(d, np.zeros(len(d.order), dtype=np.int64), minutes, minutes.copy())
