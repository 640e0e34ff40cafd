"""What passing a piece from a factory to another costs and takes, by number of factory.

In: an Instance with `transfers`. Out: matrices of money per piece and whole days. Within a factory both are zero; a
cost without limit stands where no piece can pass.
"""

from collections import defaultdict

import numpy as np
import pandas as pd

from c2m.domain.arrays import Floats, Ints
from optimization.contract.instances import Instance, rows

NEVER = 10**6  # days: after every horizon


class Transfers:
    """The general ones, and those of single lots."""

    def __init__(self, instance: Instance) -> None:
        tables = (instance.capacity, instance.arcs, instance.ready)
        self.names = pd.Index(np.unique(np.concatenate([table["factory_id"].unique() for table in tables])))
        count = len(self.names)
        self._cost, self._days = np.full((count, count), np.inf), np.full((count, count), NEVER, dtype=np.int64)
        self._own: dict[str, list[tuple[int, int, float, int]]] = defaultdict(list)
        known = instance.transfers.assign(
            source=self.numbers(instance.transfers["from_factory"]), sink=self.numbers(instance.transfers["to_factory"])
        )
        known = known[(known["source"] >= 0) & (known["sink"] >= 0)]
        general = known[known["lot_id"] == ""]
        self._cost[general["source"], general["sink"]] = general["cost"]
        self._days[general["source"], general["sink"]] = general["days"]
        np.fill_diagonal(self._cost, 0.0)
        np.fill_diagonal(self._days, 0)
        for row in rows(known[known["lot_id"] != ""]):
            self._own[row.lot_id].append((row.source, row.sink, row.cost, row.days))

    def numbers(self, factories: "pd.Series[str]") -> Ints:
        """The number of each factory; -1 of one without capacity, arc or ready piece."""
        return np.asarray(self.names.get_indexer(pd.Index(factories)), dtype=np.int64)

    def between(self, lot_id: str, sources: Ints, sinks: Ints) -> tuple[Floats, Ints]:
        """(sources, sinks): cost per piece, inf where there is none, and days, NEVER there, for a lot."""
        at = np.ix_(sources, sinks)
        cost, days = self._cost[at], self._days[at]
        for source, sink, own_cost, own_days in self._own.get(lot_id, ()):
            here = np.ix_(sources == source, sinks == sink)
            cost[here], days[here] = own_cost, own_days
        return cost, days
