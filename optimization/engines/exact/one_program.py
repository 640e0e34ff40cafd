"""The exact regime: an instance over some of its pairs is stated, compiled and searched by branch and bound."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from c2m.domain.arrays import Floats
from optimization.contract.instances import Instance
from optimization.contract.plan import PAIR
from optimization.engines.exact.branch_and_bound import best, better, exactly, frozen_alone
from optimization.statement import mip, schedule
from optimization.statement.highs import Limits, Program, Progress, compile_model, limited, search
from optimization.statement.reduction import Pairs
from optimization.statement.solution import Solution


def solved(
    instance: Instance,
    reduced: Pairs,
    limits: Limits,
    progress: Callable[[Progress], None] | None = None,
    engaged: tuple[int, int] | None = None,
    known: pd.DataFrame | None = None,
) -> Solution | None:
    """The best found within the limits, stating included.

    Parameters
    ----------
    instance
        What is planned.
    reduced
        The pairs that can carry work, and their days (`reduce`).
    limits
        When to stop.
    progress
        Called with each step of the search; None: nobody is told.
    engaged
        The fewest and the most factories to look at plans of, among those that there is a choice about; None: any
        number.
    known
        The allocation of a plan to start from, as far as it is over these pairs: lot_id, factory_id, quantity (pieces);
        None: there is none.

    Returns
    -------
    Solution or None
        None where frozen work does not fit.
    """
    began = time.monotonic()
    model = mip.state(instance, reduced)
    program = compile_model(model)
    start = frozen_alone(program)
    if start is None:
        return None
    if known is not None:
        start = better(program, start, point(program, model, known))
    if engaged:
        program = _counted(program, model, *engaged)
    left = replace(limits, seconds=limits.seconds - (time.monotonic() - began))
    found = best(program, program.columns(model.quantity)[1], start, left, progress)
    made = allocation(program, model, found.values)
    return Solution(
        allocation=made,
        work=schedule.by_day(reduced, made, work(program, model, found.values)),
        cost=program.value(found.values),
        bound=-np.inf if found.bound is None else found.bound,
        bound_by=found.bound_by,
        rows=len(program.row_lower),
        columns=len(program.cost),
        integers=int(program.integer.sum()),
        nodes=found.nodes,
        lp_iterations=found.lp_iterations,
    )


def bounded(
    instance: Instance, reduced: Pairs, known: pd.DataFrame, limits: Limits, told: Callable[[float], None]
) -> None:
    """Raises the bound by branch and bound from a plan's allocation until a limit; `told` hears of each one.

    Pieces and waiting need not be whole there: a fifth of the nodes, and hardly a lower bound.
    """
    model = mip.state(instance, reduced)
    program = compile_model(model)
    if (start := point(program, model, known)) is not None:
        search(_in_fractions(program, model), start, limits, lambda step: told(step.bound))


def _in_fractions(program: Program, model: Any) -> Program:
    """The program in which pieces and waiting need not be whole."""
    integer = program.integer.copy()
    for variable in (model.quantity, model.waiting):
        integer[program.columns(variable)[1]] = False
    return replace(program, integer=integer)


def point(program: Program, model: Any, allocation: pd.DataFrame) -> Floats | None:
    """The best point with the pieces of an allocation, no work waiting; None where they do not fit."""
    pieces = allocation.set_index(PAIR)["quantity"].to_dict()
    engaging = set(allocation["factory_id"])
    values = program.lower.copy()
    for variable, value in (
        (model.quantity, lambda pair: pieces.get(pair, 0)),
        (model.used, lambda pair: pair in pieces),
        (model.engaged, lambda factory_id: factory_id in engaging),
    ):
        keys, columns = program.columns(variable)
        values[columns] = [value(key) for key in keys]
    return exactly(program, values)


def _counted(program: Program, model: Any, fewest: int, most: int) -> Program:
    _, columns = program.columns(model.engaged)
    return limited(program, columns, min(fewest, len(columns)), most)


def allocation(program: Program, model: Any, values: Floats) -> pd.DataFrame:
    """Pieces of the pairs that make any: lot_id, factory_id, quantity."""
    keys, columns = program.columns(model.quantity)
    table = pd.DataFrame(keys, columns=PAIR).assign(quantity=np.rint(values[columns]).astype("int64"))
    return table[table["quantity"] > 0].sort_values(PAIR, ignore_index=True)


def work(program: Program, model: Any, values: Floats) -> pd.DataFrame:
    """Minutes of work by span, setup included: lot_id, factory_id, span, minutes."""
    keys, columns = program.columns(model.work)
    return pd.DataFrame(keys, columns=[*PAIR, "span"]).assign(minutes=np.maximum(0.0, values[columns]))
