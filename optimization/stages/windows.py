"""The days on which a stage can be worked so that its pieces have arrived before and can still pass on after.

In: arcs of the flat instance with their first and last day, transfers, pieces ready. Out: the same days, narrowed.
Frozen work may stay where it is and is not narrowed at its end. A setup needs no pieces: where there is one, the first
day stays, unless no piece can be run at all.
"""

from collections import defaultdict

import numpy as np
import pandas as pd

from c2m.domain.arrays import Ints
from optimization.contract.instances import Instance, open_minutes, rows
from optimization.stages.transfers import NEVER, Transfers


class WorkingDays:
    """The days on which factories work, by number of factory."""

    def __init__(self, instance: Instance, transfers: Transfers) -> None:
        days = instance.capacity[open_minutes(instance.capacity).to_numpy() > 0]
        self._horizon = instance.horizon_days
        works = np.zeros((len(transfers.names), self._horizon + 2), dtype=bool)
        works[transfers.numbers(days["factory_id"]), days["day"]] = True
        day = np.arange(self._horizon + 2)
        self._next = np.minimum.accumulate(np.where(works, day, NEVER)[:, ::-1], axis=1)[:, ::-1]
        self._last = np.maximum.accumulate(np.where(works, day, -NEVER), axis=1)

    def from_day(self, factory: Ints, day: Ints) -> Ints:
        """The first working day of each factory from a day on; NEVER where there is none."""
        return np.asarray(self._next[factory, np.clip(day, 0, self._horizon + 1)])

    def until_day(self, factory: Ints, day: Ints) -> Ints:
        """The last working day of each factory up to a day; -NEVER where there is none."""
        return np.asarray(self._last[factory, np.clip(day, 0, self._horizon)])


def narrowed(
    arcs: pd.DataFrame, parts: pd.DataFrame, transfers: Transfers, ready: pd.DataFrame, calendar: WorkingDays
) -> pd.DataFrame:
    """The arcs (sorted by lot_id) with their days narrowed."""
    factory = transfers.numbers(arcs["factory_id"])
    first = calendar.from_day(factory, arcs["first_day"].to_numpy())
    last = calendar.until_day(factory, arcs["last_day"].to_numpy())
    setup_day, links = first.copy(), _links(arcs["lot_id"], parts)
    lying = {str(lot_id): table for lot_id, table in ready.groupby("lot_id")}
    for order, lot_id, here, there in links:
        begins = _arrival(order, transfers, factory, first, here, there)
        if lot_id in lying:
            begins = np.minimum(begins, _arrival_of(lying[lot_id], order, transfers, factory[there]))
        first[there] = calendar.from_day(factory[there], np.maximum(first[there], begins))
    frozen = arcs["frozen"].to_numpy()
    for order, _, here, there in reversed(links):
        needed = _needed(order, transfers, factory, last, here, there)
        ends = calendar.until_day(factory[here], np.minimum(last[here], needed))
        last[here] = np.where(frozen[here], last[here], ends)
    prepared = arcs["prepared"].to_numpy() & (first <= last)
    return arcs.assign(first_day=np.where(prepared, setup_day, first), last_day=last)


def _links(lot_ids: "pd.Series[str]", parts: pd.DataFrame) -> list[tuple[str, str, slice, slice]]:
    """The lot, the stage that ends, and the rows of that stage and of the next, by stage."""
    place = _places(lot_ids)
    return [(row.order, row.lot_id, place[row.lot_id], place[row.next]) for row in rows(parts[~parts["last"]])]


def _places(lot_ids: "pd.Series[str]") -> defaultdict[str, slice]:
    """The rows of each lot of a sorted column; none of another."""
    codes, names = pd.factorize(lot_ids)
    ends = np.searchsorted(codes, np.arange(len(names) + 1))
    slices = {str(name): slice(int(ends[n]), int(ends[n + 1])) for n, name in enumerate(names)}
    return defaultdict(lambda: slice(0, 0), slices)


def _arrival(lot_id: str, transfers: Transfers, factory: Ints, first: Ints, here: slice, there: slice) -> Ints:
    """The first day on which a piece of one stage can be at each pair of the next."""
    _, days = transfers.between(lot_id, factory[here], factory[there])
    return np.asarray((first[here, None] + days).min(axis=0, initial=NEVER))


def _needed(lot_id: str, transfers: Transfers, factory: Ints, last: Ints, here: slice, there: slice) -> Ints:
    """The last day on which a piece of each pair of one stage can leave for one of the next."""
    _, days = transfers.between(lot_id, factory[here], factory[there])
    return np.asarray((last[None, there] - days).max(axis=1, initial=-NEVER))


def _arrival_of(ready: pd.DataFrame, lot_id: str, transfers: Transfers, factory: Ints) -> Ints:
    """The same of pieces that are ready."""
    _, days = transfers.between(lot_id, transfers.numbers(ready["factory_id"]), factory)
    return np.asarray((ready["day"].to_numpy()[:, None] + days).min(axis=0, initial=NEVER))
