"""Ways to make some lots alone: at least cost, or as soon as possible at least cost. Small programs, each solved whole.

In: an `Instance` of a few lots in what a plan leaves. Out: `Plan`s that serve every piece, or None. Days are its own.
"""

from dataclasses import replace

import numpy as np
import pandas as pd

from c2m.domain.arrays import Ints
from optimization.contract.instances import Instance, open_minutes
from optimization.contract.plan import Plan, unmet_pieces
from optimization.engines.exact import one_program
from optimization.statement.highs import Limits
from optimization.statement.reduction import reduce

GAP = 1e-4  # relative, of so small a program
MOST_DAYS = 6  # tried after the first day that each lot could meet alone
DEAR = 1e6  # of an unmet piece, in what the dearest piece costs: nothing stays undone to save money


def cheapest(part: Instance, seconds: float) -> Plan | None:
    """The plan at least cost, lateness counted; None where not all pieces find room."""
    return _whole(part, seconds)


def soonest(part: Instance, seconds: float) -> Plan | None:
    """The plan at least cost among those that have all pieces there by the first possible day.

    Parameters
    ----------
    part
        Its due days do not matter.
    seconds
        For each program.

    Returns
    -------
    Plan or None
        None where not all pieces find room. For several lots that share factories the first day is looked for day by
        day, from one that no plan can beat, `MOST_DAYS` far.
    """
    if (first := first_day(part)) is None:
        return None
    for day in range(first, first + MOST_DAYS + 1):
        if (found := _whole(by(part, day), seconds)) is not None:
            return found
    return None


def by(part: Instance, day: int) -> Instance:
    """The part, all of whose pieces must be there by a day."""
    return replace(part, orders=part.orders.assign(due_day=day, max_late_days=0))


def first_day(part: Instance) -> int | None:
    """A day before which no plan can have all pieces there, as if each lot were alone; None: within the horizon never.

    Exact for one lot but for minimum lots: the factories that can make most by a day make enough.
    """
    days = np.arange(1, part.horizon_days + int(part.arcs["transit_days"].max()) + 1)
    pieces = _pieces_by(part, days)
    enough = []
    for order in part.orders.to_dict("records"):
        own = np.sort(pieces[part.arcs["lot_id"].to_numpy() == order["lot_id"]], axis=0)
        enough.append(own[-int(order["max_factories"]) :].sum(axis=0) >= order["quantity"])
    met = np.logical_and.reduce(enough)
    return int(days[met.argmax()]) if met.any() else None


def _pieces_by(part: Instance, days: Ints) -> Ints:
    """(arcs, days) pieces that each arc alone could have there by each day; none where fewer than its minimum lot."""
    names = pd.Index(part.capacity["factory_id"].unique())
    minutes = np.zeros((len(names) + 1, part.horizon_days + 1))  # the last row: a factory without a minute
    rows = names.get_indexer(part.capacity["factory_id"])
    minutes[rows, part.capacity["day"].to_numpy()] = open_minutes(part.capacity).to_numpy()
    running, arcs = minutes.cumsum(axis=1), part.arcs
    factory = names.get_indexer(arcs["factory_id"])[:, None]
    first = arcs["release_day"].clip(1, part.horizon_days + 1).to_numpy()[:, None]
    last = np.clip(days - arcs["transit_days"].to_numpy()[:, None], first - 1, part.horizon_days)
    open_ = running[factory, last] - running[factory, first - 1] - arcs["setup_minutes"].to_numpy()[:, None]
    pieces = np.floor(open_ / arcs["minutes_per_piece"].to_numpy()[:, None] + 1e-9)
    pieces = np.minimum(pieces, arcs["max_lot"].to_numpy()[:, None])
    return np.where(pieces >= np.maximum(arcs["min_lot"].to_numpy()[:, None], 1), pieces, 0).astype(np.int64)


def _whole(part: Instance, seconds: float) -> Plan | None:
    dearest = float((part.arcs["unit_cost"] + part.arcs["setup_cost"]).max()) + 1.0
    priced = replace(part, orders=part.orders.assign(unmet_cost=DEAR * dearest))
    found = one_program.solved(priced, reduce(priced), Limits(seconds, GAP, threads=1))
    if found is None or unmet_pieces(part, found.allocation).any():
        return None
    return Plan(found.allocation, found.work, {})
