"""The exact regime of stages and pools: the whole instance as one program by days, searched by branch and bound.

In: an Instance with stages or pools, limits. Out: the Outcome, moves included.
"""

import re
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from c2m.errors import InfeasibleError
from optimization.contract.instances import Instance
from optimization.contract.plan import cost_parts
from optimization.stages.flat import Flat, flat_of
from optimization.stages.program import state
from optimization.stages.reading import tables
from optimization.statement.frozen_causes import frozen_causes
from optimization.statement.highs import Floats, Limits, Program, Progress, compile_model, complete, search
from optimization.statement.outcome import Outcome

_PART = re.compile(r"order (\S+)/(\d+)")


def solved(instance: Instance, limits: Limits, progress: Callable[[Progress], None] | None = None) -> Outcome:
    """The best plan within the limits. Raises InfeasibleError where the frozen work does not fit."""
    began = time.monotonic()
    flat = flat_of(instance)
    _refuse_stranded(flat)
    model = state(flat)
    program = compile_model(model)
    start = None if len(instance.frozen) else _polished(program, program.lower)
    left = replace(limits, seconds=limits.seconds - (time.monotonic() - began))
    found = search(program, start, left, progress)
    values = _polished(program, start if found.values is None else found.values)
    if values is None:
        raise InfeasibleError("frozen-work-does-not-fit", causes(flat))
    made = tables(flat, model, program, values)
    return Outcome(
        allocation=made.allocation,
        work=made.schedule,
        moves=made.moves,
        cost=sum(cost_parts(instance, made.allocation, made.schedule, made.moves).values()),
        bound=0.0 if found.bound is None else found.bound,
        bound_by="mip",
        rows=len(program.row_lower),
        columns=len(program.cost),
        integers=int(program.integer.sum()),
        nodes=found.nodes,
        lp_iterations=found.lp_iterations,
    )


def causes(flat: Flat) -> list[str]:
    """Why the frozen work cannot be done as it stands; never empty."""
    found = frozen_causes(flat.instance, flat.reduced)
    named = (_PART.sub(r"order \1, stage \2", cause) for cause in found)
    beyond = f"material on day {flat.instance.horizon_days + 1}"  # what has no first day begins after the last
    reached = [cause.replace(beyond, "no piece of the stage before reaches it in time") for cause in named]
    return [*reached, "a stage can only work pieces that the stage before has finished and moved to it"]


def _refuse_stranded(flat: Flat) -> None:
    """Frozen pieces without a day to be made on, or more of them than their pair can take."""
    pairs = flat.reduced.pairs
    stranded = (pairs["kept"] > 0) & ((pairs["reach"] <= 0) | (pairs["kept"] > pairs["most"]))
    if stranded.any():
        raise InfeasibleError("frozen-work-does-not-fit", causes(flat))


def _polished(program: Program, values: Floats | None) -> Floats | None:
    """The best point with the integer columns of `values`, made whole."""
    if values is None:
        return None
    whole = np.rint(values)
    lower = np.where(program.integer, whole, program.lower)
    upper = np.where(program.integer, whole, program.upper)
    return complete(replace(program, lower=lower, upper=upper))
