"""The shadow run: the rule by which common planning tools place orders. What the plan saves is counted against it.

Frozen work first. Then orders by priority and due date, each at its cheapest capable factory that has room for all of
it. It is split only when none has: the cheapest takes what it can, and so on. What cannot be made in time is made late
where the order allows it. Days fill forwards, regular minutes before overtime.
In: an Instance. Out: a Plan that keeps every rule of the contract.
"""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from c2m.errors import InfeasibleError
from optimization import reasons, timetable
from optimization.pairs import MINUTES_EPSILON, Pairs, reduce
from optimization.plan import PAIR, Plan, cost_parts, unmet_pieces
from optimization.problem import Instance, rows
from optimization.schedule import setup_first

Floats = NDArray[np.float64]

_PATIENCE_S = 0.5  # for the days of frozen work; the last thousandth of their cost takes ten times as long


@dataclass(frozen=True)
class _Floor:
    """Minutes that are left by factory and day, and what the pairs have of them so far; day 1 is column 0.

    first, on_time, last: bounds of a pair's window as slices of the columns.
    """

    regular: Floats  # (factories, days)
    overtime: Floats  # (factories, days)
    worked: dict[int, Floats]  # by pair: (days,)
    pieces: NDArray[np.int64]  # by pair
    factory: NDArray[np.int64]  # by pair
    first: NDArray[np.int64]
    on_time: NDArray[np.int64]
    last: NDArray[np.int64]
    limit: Floats  # minutes a day
    setup: Floats  # minutes
    per_piece: Floats  # minutes

    def room(self, pair: int, end: int) -> int:
        """Pieces that the pair can still make until a day."""
        days = slice(self.first[pair], end)
        minutes = self._open(pair, days).sum() - (0.0 if pair in self.worked else self.setup[pair])
        return int(max(0.0, (minutes + MINUTES_EPSILON) / self.per_piece[pair]))

    def place(self, pair: int, pieces: int, end: int) -> None:
        """Takes the minutes of the pieces, and of the setup where it is the pair's first work, from the days."""
        days, f = slice(self.first[pair], end), self.factory[pair]
        minutes = pieces * self.per_piece[pair] + (0.0 if pair in self.worked else self.setup[pair])
        most = self._open(pair, days)
        regular = _filled(np.minimum(self.regular[f, days], most), minutes)
        overtime = _filled(np.minimum(self.overtime[f, days], most - regular), minutes - regular.sum())
        self.take(pair, days, regular + overtime)
        self.pieces[pair] += pieces

    def take(self, pair: int, days: Any, minutes: Floats) -> None:
        """Books minutes of a pair on days: regular ones while they last."""
        f = self.factory[pair]
        regular = np.minimum(self.regular[f, days], minutes)
        self.regular[f, days] -= regular
        self.overtime[f, days] -= minutes - regular
        self.worked.setdefault(pair, np.zeros(self.regular.shape[1]))[days] += minutes

    def _open(self, pair: int, days: slice) -> Floats:
        free: Floats = self.regular[self.factory[pair], days] + self.overtime[self.factory[pair], days]
        if np.isinf(self.limit[pair]):
            return free
        left: Floats = self.limit[pair] - (self.worked[pair][days] if pair in self.worked else 0.0)
        return np.minimum(free, left)


def _filled(room: Floats, minutes: float) -> Floats:
    """The minutes laid into the days in turn."""
    filled: Floats = np.clip(minutes - (np.cumsum(room) - room), 0.0, room)
    return filled


def greedy(instance: Instance) -> Plan:
    """The rule's plan. Raises InfeasibleError where the frozen work does not fit."""
    began = time.monotonic()
    reduced = reduce(instance)
    pairs = _cheapest_first(reduced.pairs)
    floor = _floor(reduced, pairs, instance.horizon_days)
    _place_frozen(instance, reduced, floor, pairs)
    bounds = pairs[["least", "most", "frozen"]].to_numpy(dtype=np.int64)
    positions = {order_id: table.to_numpy() for order_id, table in pairs.groupby("order_id").groups.items()}
    queue = instance.orders.sort_values(["priority", "due_day", "order_id"])
    for end in (floor.on_time, floor.last):
        for order in rows(queue[queue["order_id"].isin(positions)]):
            _place(order, positions[order.order_id], bounds, floor, end)
    used = np.array(sorted(floor.worked), dtype=np.int64)
    allocation = pairs.loc[used, PAIR].assign(quantity=floor.pieces[used])
    minutes = np.array([floor.worked[pair] for pair in used]).reshape(len(used), instance.horizon_days)
    days = setup_first(minutes, pairs.loc[used], pd.DataFrame({"day": np.arange(instance.horizon_days) + 1}))
    keys = [*PAIR, "day"]
    plan = allocation.sort_values(PAIR, ignore_index=True), days.sort_values(keys, ignore_index=True)
    return Plan(*plan, _report(instance, *plan, time.monotonic() - began))


def _cheapest_first(pairs: pd.DataFrame) -> pd.DataFrame:
    """The pairs of each order by what a piece costs there; a piece that stays with its incumbent saves the change."""
    setup = pairs["setup_cost"] / pairs["order_quantity"]
    cost = pairs["unit_cost"] + setup - pairs["change_cost"].where(pairs["held"] > 0, 0.0)
    return pairs.assign(cost=cost).sort_values(["order_id", "cost", "factory_id"], ignore_index=True)


def _floor(reduced: Pairs, pairs: pd.DataFrame, horizon_days: int) -> _Floor:
    factories = pd.Index(reduced.days["factory_id"].unique())
    at = factories.get_indexer(reduced.days["factory_id"]), reduced.days["day"].to_numpy() - 1
    regular, overtime = np.zeros((2, len(factories), horizon_days))
    regular[at], overtime[at] = reduced.days["minutes"], reduced.days["overtime_minutes"]
    return _Floor(
        regular,
        overtime,
        worked={},
        pieces=np.zeros(len(pairs), dtype=np.int64),
        factory=factories.get_indexer(pairs["factory_id"]),
        first=pairs["first_day"].to_numpy() - 1,
        on_time=pairs[["on_time_day", "last_day"]].min(axis=1).to_numpy().clip(min=0),
        last=pairs["last_day"].to_numpy(),
        limit=pairs["max_minutes_per_day"].to_numpy(dtype=float),
        setup=pairs["setup_minutes"].to_numpy(dtype=float),
        per_piece=pairs["minutes_per_piece"].to_numpy(dtype=float),
    )


def _place_frozen(instance: Instance, reduced: Pairs, floor: _Floor, pairs: pd.DataFrame) -> None:
    """Gives the frozen pairs their days, at best: forwards, one of them could block another's window."""
    frozen = pairs[pairs["kept"] > 0]
    if frozen.empty:
        return
    over = frozen.groupby("order_id")["kept"].sum() > frozen.groupby("order_id")["order_quantity"].first()
    fits = not over.any() and (frozen["kept"] <= frozen["most"]).all()
    settled = frozen[PAIR].assign(quantity=frozen["kept"])
    days = timetable.at_best(instance, reduced, settled, _PATIENCE_S) if fits else None
    if days is None:
        raise InfeasibleError("frozen-work-does-not-fit", reasons.frozen_causes(instance, reduced))
    keys = frozen[PAIR].assign(pair=frozen.index)
    work = days.assign(minutes=days["setup_minutes"] + days["run_minutes"]).merge(keys, on=PAIR)
    for pair, table in work.groupby("pair"):
        floor.take(int(str(pair)), table["day"].to_numpy() - 1, table["minutes"].to_numpy())
    floor.pieces[frozen.index] = frozen["kept"]


def _place(order: Any, mine: Any, bounds: Any, floor: _Floor, end: Any) -> None:
    """Gives what is left of an order to the cheapest factory with room for all of it, else to each what it takes."""
    left = order.quantity - floor.pieces[mine].sum()
    while left > 0:
        shared = order.max_factories <= ((floor.pieces[mine] > 0) & (bounds[mine, 2] == 0)).sum()
        offers = []
        for pair in mine:
            least, most, frozen = bounds[pair]
            done = floor.pieces[pair]
            pieces = min(left, most - done, floor.room(pair, end[pair])) if done or frozen or not shared else 0
            if pieces > 0 and done + pieces >= least:
                offers.append((pair, pieces))
            if pieces == left:
                break
        if not offers:
            return
        pair, pieces = offers[-1] if offers[-1][1] == left else offers[0]
        floor.place(pair, pieces, end[pair])
        left -= pieces


def _report(instance: Instance, allocation: pd.DataFrame, days: pd.DataFrame, seconds: float) -> dict[str, Any]:
    """The report of a plan about whose quality nothing is known: no cost is below zero."""
    cost, left = cost_parts(instance, allocation, days), unmet_pieces(instance, allocation)
    objective = sum(cost.values())
    reason = "the rule found no room for them in the windows of its factories"
    return {
        "status": "feasible",
        "objective": objective,
        "bound": 0.0,
        "bound_by": "lagrangian",
        "gap": 1.0 if objective > 0 else 0.0,
        "cost": cost,
        "unmet": [{"order_id": o, "quantity": int(n), "reason": reason} for o, n in left[left > 0].items()],
        "instance_sha256": instance.sha256,
        "seconds": round(seconds, 3),
        "engine": {"solver": "greedy rule"},
    }
