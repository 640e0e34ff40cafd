"""The best schedule of settled pieces: who makes how much is given, only the days are open.

In: the reduced instance and an allocation (lot_id, factory_id, quantity in pieces) of some factories. Out: their
schedule with the least overtime and lateness, by the same statement as the plan's, every pair held at its pieces.
"""

from dataclasses import replace

import pandas as pd

from optimization.contract.instances import Instance
from optimization.contract.plan import PAIR
from optimization.engines.exact.branch_and_bound import frozen_alone
from optimization.statement import mip, schedule
from optimization.statement.highs import Limits, compile_model, search
from optimization.statement.reduction import Pairs

_GAP = 1e-9  # relative: schedules are compared by what they cost


def at_best(instance: Instance, reduced: Pairs, allocation: pd.DataFrame, seconds: float = 10) -> pd.DataFrame | None:
    """The schedule; None where these pieces cannot be made within their windows."""
    pieces = allocation.groupby("lot_id")["quantity"].sum()
    orders = instance.orders[instance.orders["lot_id"].isin(pieces.index)]
    orders = orders.assign(quantity=orders["lot_id"].map(pieces))
    held = replace(instance, orders=orders, factories=instance.factories[:0], incumbent=instance.incumbent[:0])
    settled = _settled(reduced, allocation)
    model = mip.state(held, settled)
    program = compile_model(model)
    start = frozen_alone(program)
    if start is None or len(settled.pairs) < len(allocation):
        return None
    found = search(program, start, Limits(seconds, _GAP, threads=1))
    keys, columns = program.columns(model.work)
    minutes = (start if found.values is None else found.values)[columns].clip(min=0.0)
    work = pd.DataFrame(keys, columns=[*PAIR, "span"]).assign(minutes=minutes)
    return schedule.by_day(settled, allocation[[*PAIR, "quantity"]], work)


def _held_at(allocation: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    """The pairs that are in the allocation; they make neither more nor less."""
    used = pairs.merge(allocation[[*PAIR, "quantity"]], on=PAIR)
    held = used.pop("quantity")
    return used.assign(kept=held, least=held, held=held, most=held)


def _settled(reduced: Pairs, allocation: pd.DataFrame) -> Pairs:
    """The pairs of the allocation, each held at its pieces; the days and spans of their factories."""
    pairs = _held_at(allocation, reduced.pairs)
    days, spans = (table[table["factory_id"].isin(pairs["factory_id"])] for table in (reduced.days, reduced.spans))
    return Pairs(pairs, days, spans, reduced.dropped[:0])
