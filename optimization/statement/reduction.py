"""What the model decides on: the pairs that can carry work, and the spans of days that need no telling apart.

In: an Instance. Out: `Pairs`, frames in pieces, minutes and days. Nothing here loses a plan: an arc is dropped only
where no feasible plan uses it, and days are joined only where every schedule of the span becomes one of its days.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from c2m.domain.arrays import Floats, Ints
from optimization.contract.instances import Instance, open_minutes, window
from optimization.contract.keys import located, taken
from optimization.contract.plan import PAIR
from optimization.contract.tolerances import ROOM_MINUTES

Columns = dict[str, Any]  # by name, of one length

_OF_ORDER = {"quantity": "order_quantity"} | {
    name: name for name in ("due_day", "max_late_days", "max_factories", "late_cost", "unmet_cost")
}
_OF_INCUMBENT = {"quantity": "held"} | {name: name for name in ("change_cost", "frozen", "setup_done")}


@dataclass(frozen=True)
class Pairs:
    """The reduced instance.

    pairs  lot_id, factory_id (sorted), the arc's costs and minutes (none for a setup that is done), and
           first_day, last_day (days with capacity in the window), on_time_day (last day that is not late), late_cost,
           least, most (pieces when used), kept (frozen pieces), held (incumbent pieces), change_cost, frozen,
           max_new (pairs that the order may have beside those with frozen pieces)
    days   factory_id, day, minutes, overtime_minutes, overtime_cost, span: days with capacity, numbered per factory
    spans  factory_id, span: first_day, last_day, days, minutes, overtime_minutes, overtime_cost
    dropped  lot_id, factory_id, reason: arcs that no plan can use
    """

    pairs: pd.DataFrame
    days: pd.DataFrame
    spans: pd.DataFrame
    dropped: pd.DataFrame


def reduce(instance: Instance) -> Pairs:
    """The eligible pairs of an instance with tight bounds, and its days joined into spans."""
    grid = Grid(instance)
    days = instance.capacity[(open_minutes(instance.capacity) > 0).to_numpy()].reset_index(drop=True)
    arcs = _bounded(_joined(instance), days, grid)
    reason = _why_dropped(arcs)
    table, stays = pd.DataFrame(arcs, copy=False), reason == ""
    pairs = table[stays].reset_index(drop=True)
    dropped = table.loc[~stays, PAIR].assign(reason=reason[~stays]).reset_index(drop=True)
    days["span"] = _span_numbers(days, pairs, grid)
    return Pairs(pairs, days, _spans(days), dropped)


def _spans(days: pd.DataFrame) -> pd.DataFrame:
    """The days of each span together; they stand one below the other in the order of the spans."""
    by_span = days.groupby(["factory_id", "span"])
    size = by_span.size().to_numpy()
    end = np.cumsum(size)
    first_day, last_day = (days["day"].to_numpy()[at] for at in (end - size, end - 1))
    spans = by_span[["minutes", "overtime_minutes"]].sum().assign(overtime_cost=by_span["overtime_cost"].max())
    return spans.reset_index().assign(first_day=first_day, last_day=last_day, days=size)


def _joined(instance: Instance) -> Columns:
    """Arcs with what their order and their incumbent say about them, and their window."""
    order = located(instance.arcs, instance.orders, ["lot_id"])
    arcs, order = instance.arcs[order >= 0], order[order >= 0]
    held = located(arcs, instance.incumbent, PAIR)
    columns = {str(name): column.array if name in PAIR else column.to_numpy() for name, column in arcs.items()}
    columns |= {new: instance.orders[name].to_numpy()[order] for name, new in _OF_ORDER.items()}
    columns |= {new: taken(instance.incumbent[name], held, 0) for name, new in _OF_INCUMBENT.items()}
    for name in ("setup_cost", "setup_minutes"):
        columns[name] = np.where(columns["setup_done"], 0.0, columns[name])
    columns["kept"] = np.where(columns["frozen"], columns["held"], 0)
    columns["first_day"], columns["last_day"] = window(columns, instance.horizon_days, columns["frozen"])
    return columns | {"on_time_day": columns["due_day"] - columns["transit_days"]}


def _bounded(arcs: Columns, days: pd.DataFrame, grid: "Grid") -> Columns:
    """first_day and last_day moved to days with capacity; reachable minutes; least and most pieces when used."""
    most = grid.table(days, open_minutes(days))
    factory = grid.factory(arcs)
    begin, end = np.clip(arcs["first_day"] - 1, 0, grid.days), np.clip(arcs["last_day"], 0, grid.days)
    count, first, last = _open_days(most, factory, begin, end)  # of the window, which is days[begin:end]
    some = count > 0
    arcs["first_day"] = np.where(some, first, arcs["first_day"])
    arcs["last_day"] = np.where(some, last, arcs["last_day"])
    arcs["reach"] = np.where(some, _reach(arcs, most, factory, begin, end), 0.0)
    pieces = np.floor((arcs["reach"] - arcs["setup_minutes"] + ROOM_MINUTES) / arcs["minutes_per_piece"])
    lot = pd.factorize(arcs["lot_id"])[0]
    free = np.minimum(arcs["max_lot"], arcs["order_quantity"] - (_by_lot(lot, arcs["kept"]) - arcs["kept"]))
    arcs["least"] = np.maximum(np.where(arcs["frozen"], arcs["kept"], arcs["min_lot"]), 1)
    arcs["most"] = np.minimum(np.maximum(pieces, 0), free).astype(np.int64)
    arcs["max_new"] = np.maximum(arcs["max_factories"] - _by_lot(lot, arcs["kept"] > 0), 0)
    return arcs


def _open_days(most: Floats, factory: Ints, begin: Ints, end: Ints) -> tuple[Ints, Ints, Ints]:
    """How many open days of its factory lie in each window, and the first and the last of them where there are any."""
    days = most.shape[1]
    before = np.concatenate([np.zeros((len(most), 1), dtype=int), np.cumsum(most > 0, axis=1)], axis=1)
    at = before[factory, begin]
    count = np.maximum(0, before[factory, np.maximum(begin, end)] - at)
    # the n-th open day of a factory, by position in a row padded to the horizon
    opened = np.argsort(most <= 0, axis=1, kind="stable") + 1
    first, last = np.minimum(at, days - 1), np.clip(at + count - 1, 0, days - 1)
    return count, opened[factory, first], opened[factory, last]


def _by_lot(lot: Ints, pieces: NDArray[Any]) -> Ints:
    """For each pair, the sum over all pairs of its lot."""
    return np.bincount(lot, pieces).astype(np.int64)[lot]


def _reach(arcs: Columns, most: Floats, factory: Ints, begin: Ints, end: Ints) -> Floats:
    """Minutes that a pair can work in its window."""
    sums = np.concatenate([np.zeros((len(most), 1)), np.cumsum(most, axis=1)], axis=1)
    reach = sums[factory, np.maximum(begin, end)] - sums[factory, begin]
    limit = arcs["max_minutes_per_day"]
    limited = np.flatnonzero(np.isfinite(limit))
    day = np.arange(most.shape[1])
    within = (begin[limited, None] <= day) & (day < end[limited, None])
    reach[limited] = (np.minimum(most[factory[limited]], limit[limited, None]) * within).sum(axis=1)
    return np.asarray(reach)


def _why_dropped(arcs: Columns) -> NDArray[np.str_]:
    """The rule that stops an arc, nothing where none does. Work that is frozen stays, whether it fits or not."""
    return np.select(
        [
            arcs["kept"] > 0,
            arcs["first_day"] > arcs["last_day"],
            arcs["reach"] <= 0,
            arcs["least"] > arcs["order_quantity"],
            arcs["most"] < arcs["least"],
            arcs["max_new"] == 0,
        ],
        [
            "",
            "window empty",
            "no capacity in the window",
            "minimum lot above the quantity",
            "window too short for a lot",
            "frozen work is at as many factories as may share it",
        ],
        default="",
    )


def _span_numbers(days: pd.DataFrame, pairs: pd.DataFrame, grid: "Grid") -> Any:
    """Number of the span of each day within its factory: it grows where a day must be told apart from the one before.

    A window or a lateness step begins, the price of overtime changes, or a pair with a daily limit meets days of
    unequal capacity (over equal days, even spreading keeps every limit; over unequal ones only the sum is certain).
    """
    cuts, paced = _marks(pairs, grid)
    factory, day = grid.factory(days), days["day"].to_numpy()
    follows = np.concatenate([[False], factory[1:] == factory[:-1]])
    before = np.where(follows, np.concatenate([[0], day[:-1]]), 0)
    parted = cuts[factory, day] > cuts[factory, before]
    change = {name: _changes(days[name].to_numpy()) for name in ("minutes", "overtime_minutes", "overtime_cost")}
    unequal = change["minutes"] | change["overtime_minutes"]
    breaks = follows & (parted | change["overtime_cost"] | (paced[factory, day] & unequal))
    busy = np.isin(factory, grid.factory(pairs))
    numbers = np.cumsum(breaks)
    first = np.searchsorted(factory, factory)
    return np.where(busy, numbers - numbers[first], 0)


def _changes(values: Floats) -> Any:
    return np.concatenate([[False], np.diff(values) != 0])


def _marks(pairs: pd.DataFrame, grid: "Grid") -> tuple[Any, Any]:
    """Per factory and day (from 0): cuts up to the day, and whether a pair with a daily limit may work on it."""
    cuts, late, paced = (np.zeros((grid.factories, grid.days + 2), dtype=int) for _ in range(3))
    factory, first, last = grid.factory(pairs), pairs["first_day"].to_numpy(), pairs["last_day"].to_numpy()
    np.add.at(cuts, (factory, first), 1)
    np.add.at(cuts, (factory, last + 1), 1)
    on_time = np.maximum(pairs["on_time_day"].to_numpy(), first)
    for table, chosen, begin in (
        (late, (pairs["late_cost"] > 0) & (on_time < last), on_time + 1),
        (paced, np.isfinite(pairs["max_minutes_per_day"]), first),
    ):
        rows = chosen.to_numpy()
        np.add.at(table, (factory[rows], begin[rows]), 1)
        np.add.at(table, (factory[rows], last[rows] + 1), -1)
    steps = (np.cumsum(late, axis=1) > 0) | (cuts > 0)
    return np.cumsum(steps, axis=1), np.cumsum(paced, axis=1) > 0


class Grid:
    """Factories and days as rows and columns of a matrix."""

    def __init__(self, instance: Instance) -> None:
        self._names = pd.Index(instance.capacity["factory_id"].unique())
        self._names = self._names.union(pd.Index(instance.arcs["factory_id"].unique()))
        self.factories, self.days = len(self._names), instance.horizon_days

    def factory(self, table: pd.DataFrame | Columns) -> Ints:
        """Row of each factory_id of a table."""
        return np.asarray(self._names.get_indexer(table["factory_id"]), dtype=np.int64)

    def table(self, days: pd.DataFrame, column: "pd.Series[float]") -> Floats:
        """A column of these days by factory and day as a matrix; 0 where there is no row."""
        matrix = np.zeros((self.factories, self.days))
        matrix[self.factory(days), days["day"].to_numpy() - 1] = column
        return matrix
