"""The shadow run: the rule by which common planning tools place orders. What the plan saves is counted against it.

Work that stands first (frozen pieces). Then orders by priority and due date, each at its cheapest capable factory that
has room for all of it. It is split only when none has: the cheapest takes what it can, and so on. What cannot be made
in time is made late where the order allows it. Days fill forwards, regular minutes before overtime.
In: an Instance, or its arrays with a draft of what stands. Out: a plan that keeps every rule of the contract.
"""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from c2m.domain.arrays import Floats, Ints
from c2m.errors import InfeasibleError
from optimization.contract.instances import LARGEST, Instance
from optimization.contract.plan import Plan, cost_parts, unmet_pieces
from optimization.contract.tolerances import ROOM_MINUTES
from optimization.engines.first.rounding import drafted, spread
from optimization.statement.dense import Dense
from optimization.statement.draft import Draft
from optimization.statement.frozen_causes import frozen_causes
from optimization.statement.part import Whole, whole_of
from optimization.statement.reduction import reduce


@dataclass(frozen=True)
class _Floor:
    """Minutes that are left by factory and day, and what the pairs have of them so far."""

    arrays: Dense
    regular: Floats  # (factories, days)
    overtime: Floats  # (factories, days)
    worked: Floats  # (pairs, days)
    pieces: Ints  # (pairs,)

    def room(self, pairs: Ints, end: Ints) -> Ints:
        """Pieces that each of some pairs, alone, can still make before its end."""
        arrays, day = self.arrays, np.arange(self.arrays.days)
        within = (arrays.first_day[pairs, None] <= day) & (day < end[pairs, None])
        minutes = (self._open(pairs) * within).sum(axis=1) - self._setup(pairs)
        return np.clip((minutes + ROOM_MINUTES) / arrays.pace[pairs], 0.0, LARGEST).astype(np.int64)

    def place(self, pair: int, pieces: int, end: int) -> None:
        """Takes the minutes of the pieces, and of the setup where it is the pair's first work, from the days."""
        days, f = slice(self.arrays.first_day[pair], end), self.arrays.factory[pair]
        minutes = pieces * self.arrays.pace[pair] + float(self._setup(pair))
        most = self._open(pair)[days]
        regular = _filled(np.minimum(self.regular[f, days], most), minutes)
        overtime = _filled(np.minimum(self.overtime[f, days], most - regular), minutes - regular.sum())
        self.regular[f, days] -= regular
        self.overtime[f, days] -= overtime
        self.worked[pair, days] += regular + overtime
        self.pieces[pair] += pieces

    def _setup(self, pairs: Any) -> Floats:
        return np.where(self.pieces[pairs] > 0, 0.0, self.arrays.setup_minutes[pairs])

    def _open(self, pairs: Any) -> Floats:
        """Minutes of each day that a pair, or each of some, may still work."""
        f = self.arrays.factory[pairs]
        left = self.arrays.day_limit[pairs][..., None] - self.worked[pairs]
        return np.asarray(np.clip(self.regular[f] + self.overtime[f], 0.0, np.maximum(0.0, left)))


def _filled(room: Floats, minutes: float) -> Floats:
    """The minutes laid into the days in turn."""
    filled: Floats = np.clip(minutes - (np.cumsum(room) - room), 0.0, room)
    return filled


def greedy(instance: Instance) -> Plan:
    """The rule's plan.

    Raises
    ------
    InfeasibleError
        The frozen work does not fit.
    InputError
        The instance has stages or pools.
    """
    began = time.monotonic()
    instance.refuse_joint("the common rule")
    reduced = reduce(instance)
    whole = whole_of(instance, reduced)
    draft = by_rule(whole, frozen_work(whole))
    plan = Plan(whole.allocation(draft), whole.schedule(draft), {})
    plan.report.update(_report(instance, plan, time.monotonic() - began))
    return plan


def frozen_work(whole: Whole) -> Draft:
    """The frozen pieces alone. Raises InfeasibleError where they do not fit."""
    most = whole.reduced.pairs["most"].to_numpy()
    over = np.bincount(whole.arrays.order, whole.arrays.kept, len(whole.arrays.quantity)) > whole.arrays.quantity
    fits = not over.any() and bool((whole.arrays.kept <= most).all())
    draft = spread(whole.arrays, whole.arrays.kept) if fits else None
    if draft is None:
        raise InfeasibleError("frozen-work-does-not-fit", frozen_causes(whole.instance, whole.reduced))
    return draft


def by_rule(whole: Whole, standing: Draft) -> Draft:
    """What stands as it stands, and the rest of each order by the rule."""
    arrays, load = whole.arrays, standing.load()
    regular = np.maximum(0.0, arrays.minutes - load)
    floor = _Floor(
        arrays,
        regular,
        overtime=np.maximum(0.0, arrays.room - load) - regular,
        worked=standing.setup + standing.run,
        pieces=standing.quantity.copy(),
    )
    queue = whole.instance.orders.sort_values(["priority", "due_day", "lot_id"]).index.to_numpy()
    cheapest = _cheapest_first(whole)
    on_time = np.minimum(arrays.on_time_day, arrays.last_day).clip(min=-1) + 1
    for end in (on_time, arrays.last_day + 1):
        for order in queue:
            _place(order, cheapest[whole.first_pair[order] : whole.first_pair[order + 1]], floor, end)
    return drafted(arrays, floor.pieces, floor.worked)


def _cheapest_first(whole: Whole) -> Ints:
    """The pairs of each order by what a piece costs there; a piece that stays with its incumbent saves the change."""
    arrays = whole.arrays
    cost = (
        arrays.unit_cost
        + arrays.setup_cost / arrays.quantity[arrays.order]
        - np.where(arrays.held > 0, arrays.change_cost, 0.0)
    )
    return np.lexsort((cost, arrays.order))


def _place(order: int, mine: Ints, floor: _Floor, end: Ints) -> None:
    """Gives what is left of an order to the cheapest factory with room for all of it, else to each what it takes."""
    arrays = floor.arrays
    left = int(arrays.quantity[order] - floor.pieces[mine].sum())
    while left > 0:
        done = floor.pieces[mine]
        shared = ((done > 0) & (arrays.kept[mine] == 0)).sum() >= arrays.max_new[order]
        pieces = np.minimum(left, np.minimum(arrays.most[mine] - done, floor.room(mine, end)))
        offers = (pieces > 0) & (done + pieces >= arrays.least[mine]) & ((done > 0) | ~shared)
        if not offers.any():
            return
        whole_offers = offers & (pieces == left)
        chosen = int(np.argmax(whole_offers if whole_offers.any() else offers))
        floor.place(int(mine[chosen]), int(pieces[chosen]), int(end[mine[chosen]]))
        left -= int(pieces[chosen])


def _report(instance: Instance, plan: Plan, seconds: float) -> dict[str, Any]:
    """The report of a plan about whose quality nothing is known: no cost is below zero."""
    cost, left = cost_parts(instance, plan.allocation, plan.schedule), unmet_pieces(instance, plan.allocation)
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
