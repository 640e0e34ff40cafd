"""The exact regime of stages and pools: the whole instance as one program by days, searched by branch and bound.

In: an Instance with stages or pools, limits. Out: the Outcome, moves included.
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

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


@dataclass(frozen=True)
class First:
    """A plan to start from: pieces by pair and by link, and for each team the day by which its setup is done."""

    pieces: dict[tuple[str, str], int]
    passed: dict[tuple[str, str, str], int]
    set_up: dict[str, int]


def solved(
    instance: Instance, limits: Limits, progress: Callable[[Progress], None] | None = None, first: First | None = None
) -> Outcome:
    """The best plan within the limits, from a first one where there is one.

    Raises InfeasibleError where the frozen work does not fit.
    """
    began = time.monotonic()
    flat = flat_of(instance)
    _refuse_stranded(flat)
    model = state(flat)
    program = compile_model(model)
    start = None if len(instance.frozen) else _polished(program, program.lower)
    if first:
        start = _better(program, start, _polished(program, _point(model, program, first)))
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


def _point(model: Any, program: Program, first: First) -> Floats:
    """The whole columns of a first plan."""
    values = program.lower.copy()
    engaged = {f for _, f in first.pieces}
    for variable, value in (
        (model.quantity, lambda key: first.pieces.get(key, 0)),
        (model.used, lambda key: key in first.pieces),
        (model.passed, lambda key: first.passed.get(key, 0)),
        (model.begun, lambda key: first.set_up.get(key[0], key[1] + 1) <= key[1]),
        (model.engaged, lambda key: key in engaged),
    ):
        keys, columns = program.columns(variable)
        values[columns] = [value(key) for key in keys]
    return values


def _better(program: Program, point: Floats | None, other: Floats | None) -> Floats | None:
    """The cheaper of two points."""
    if point is None or other is None:
        return point if other is None else other
    return other if program.value(other) < program.value(point) else point


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
