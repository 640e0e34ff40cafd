"""The exact regime of stages and pools: the whole instance as one program by days, searched by branch and bound.

In: an Instance with stages or pools, limits. Out: the Solution, moves included.
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from c2m.domain.arrays import Floats
from c2m.errors import InfeasibleError
from optimization.contract.instances import Instance, rows
from optimization.contract.plan import PAIR, cost_parts
from optimization.stages.flat import Flat, flat_of
from optimization.stages.plan_tables import Tables, tables
from optimization.stages.program import state
from optimization.statement.frozen_causes import frozen_causes
from optimization.statement.highs import Limits, Program, Progress, SearchResult, compile_model, complete, search
from optimization.statement.solution import Solution

_MOVED = 0.01  # what a day of a piece under way counts beside one of a minute of work
_EARLY_GAP, _EARLY_NODES = 1e-3, 100
_PART = re.compile(r"order (\S+)/(\d+)")


@dataclass(frozen=True)
class DayProgram:
    """An instance stated by days."""

    flat: Flat
    model: Any
    program: Program

    def point(self, plan: Tables) -> Floats | None:
        """The best point with a plan's pieces and the days by which its setups are done; None where it does not fit."""
        values, model, pieces = self.program.lower.copy(), self.model, self._pieces(plan.allocation)
        teams = {pair: team for pair, team in model.data.team_of.items() if pair in pieces}
        shared, engaged, done = set(teams.values()), {f for _, f in pieces}, self._set_up(plan.schedule)
        passed = {} if plan.moves is None else self._passed(plan.moves)
        for variable, value in (
            (model.quantity, lambda key: pieces.get(key, 0)),
            (model.used, lambda key: key in pieces),
            (model.shared, lambda key: key in shared),
            (model.passed, lambda key: passed.get(key, 0)),
            (model.begun, lambda key: key[0] in shared and done.get(key[0], 0) <= key[1]),
            (model.engaged, lambda key: key in engaged),
        ):
            keys, columns = self.program.columns(variable)
            values[columns] = [value(key) for key in keys]
        return polished(self.program, values)

    def _flat(self, table: pd.DataFrame) -> pd.DataFrame:
        return table.assign(lot_id=table["lot_id"] + "/" + table.get("stage", pd.Series(1, table.index)).astype("str"))

    def _pieces(self, allocation: pd.DataFrame) -> dict[tuple[str, str], int]:
        return {(row.lot_id, row.factory_id): row.quantity for row in rows(self._flat(allocation))}

    def _passed(self, moves: pd.DataFrame) -> dict[tuple[str, str, str], int]:
        total = (
            self._flat(moves)
            .groupby(["lot_id", "from_factory", "to_factory"])["quantity"]
            .sum()
            .round()
            .astype("int64")
        )
        return {(row.lot_id, row.from_factory, row.to_factory): row.quantity for row in rows(total.reset_index())}

    def _set_up(self, schedule: pd.DataFrame) -> dict[str, int]:
        """The last setup day of each team."""
        days = self._flat(schedule[schedule["setup_minutes"] > 0]).merge(self.flat.teams, on=PAIR)
        return dict(days.groupby("team")["day"].max())

    def tables(self, values: Floats) -> Tables:
        """A point whose whole columns are whole as the tables of a plan."""
        return tables(self.flat, self.model, self.program, values)


def stated(instance: Instance) -> DayProgram:
    """The program of an instance. Raises InfeasibleError where frozen pieces have no day or no room by themselves."""
    flat = flat_of(instance)
    refuse_stranded(flat)
    model = state(flat)
    return DayProgram(flat, model, compile_model(model))


def solved(
    instance: Instance,
    limits: Limits,
    progress: Callable[[Progress], None] | None = None,
    first: Tables | None = None,
    early: bool = False,
) -> Solution:
    """The best plan within the limits, from a first one where there is one.

    early: its work is done as early as the same cost allows. Raises InfeasibleError where the frozen work does not fit,
    never because the time is over.
    """
    began = time.monotonic()
    this = stated(instance)
    program = this.program
    start = None if len(instance.frozen) else polished(program, program.lower)
    if first:
        start = _better(program, start, this.point(first))
    left = replace(limits, seconds=limits.seconds - (time.monotonic() - began))
    found = search(program, start, left, progress)
    values = polished(program, start if found.values is None else found.values)
    if values is None and not found.infeasible:
        values = any_point(program)
    if values is None:
        raise InfeasibleError("frozen-work-does-not-fit", causes(this.flat))
    return outcome(instance, this, _earlier(this, values) if early else values, found)


def _earlier(this: DayProgram, values: Floats) -> Floats:
    """The point with its work and its moves on the first days that cost no more: it leaves slack for surprises.

    Pieces and their ways stay, nothing that costs money grows, and setups may be done sooner.
    """
    program, model = this.program, this.model
    days = np.zeros_like(program.cost)
    for variable, weight in ((model.run, 1.0), (model.setting, 1.0), (model.moved, _MOVED)):
        keys, columns = program.columns(variable)
        days[columns] = [weight * key[-1] for key in keys]
    stays = program.integer.copy()
    stays[program.columns(model.begun)[1]] = False
    most = np.where(program.cost > 0, np.clip(values, program.lower, program.upper), program.upper)
    lower, upper = (np.where(stays, np.rint(values), edge) for edge in (program.lower, most))
    sooner = replace(program, cost=days, offset=0.0, lower=lower, upper=upper)
    moved = polished(sooner, search(sooner, values, Limits(np.inf, _EARLY_GAP, 1, _EARLY_NODES)).values)
    return values if moved is None else moved


def outcome(instance: Instance, this: DayProgram, values: Floats, found: SearchResult | None = None) -> Solution:
    """A point and what a search proved."""
    made, program = this.tables(values), this.program
    return Solution(
        allocation=made.allocation,
        work=made.schedule,
        moves=made.moves,
        cost=sum(cost_parts(instance, made.allocation, made.schedule, made.moves).values()),
        bound=0.0 if found is None or found.bound is None else found.bound,
        bound_by="mip",
        rows=len(program.row_lower),
        columns=len(program.cost),
        integers=int(program.integer.sum()),
        nodes=0 if found is None else found.nodes,
        lp_iterations=0 if found is None else found.lp_iterations,
    )


def any_point(program: Program) -> Floats | None:
    """A feasible point however long it takes; None where there is none."""
    free = replace(program, cost=np.zeros_like(program.cost))
    return polished(program, search(free, None, Limits(np.inf, 1.0, 1)).values)


def _better(program: Program, point: Floats | None, other: Floats | None) -> Floats | None:
    """The cheaper of two points."""
    if point is None or other is None:
        return point if other is None else other
    return other if program.value(other) < program.value(point) else point


def causes(flat: Flat) -> list[str]:
    """Why the frozen work cannot be done as it stands; never empty."""
    named = (_PART.sub(r"order \1, stage \2", cause) for cause in frozen_causes(flat.instance, flat.reduced))
    beyond = f"material on day {flat.instance.horizon_days + 1}"  # what has no first day begins after the last
    return [
        *(cause.replace(beyond, "no piece of the stage before reaches it in time") for cause in named),
        "a stage can only work pieces that the stage before has finished and moved to it",
    ]


def refuse_stranded(flat: Flat) -> None:
    """Frozen pieces without a day to be made on, or more of them than their pair can take."""
    if len(flat.reduced.pairs.query("kept > 0 and (reach <= 0 or kept > most)")):
        raise InfeasibleError("frozen-work-does-not-fit", causes(flat))


def polished(program: Program, values: Floats | None) -> Floats | None:
    """The best point with the integer columns of `values`, made whole."""
    if values is None:
        return None
    lower, upper = (np.where(program.integer, np.rint(values), edge) for edge in (program.lower, program.upper))
    return complete(replace(program, lower=lower, upper=upper))
