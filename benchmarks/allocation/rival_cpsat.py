"""The textbook MIP in OR-Tools' CP-SAT. In: an instance and limits. Out: a plan with its bound.

Minutes are whole ticks, fine enough to be exact; rows are scaled to whole coefficients; CP-SAT scales the cost itself
and gives its bound in the unscaled one. Not to be imported beside highspy: OR-Tools brings a HiGHS of its own.
"""

from typing import Any

import numpy as np
from ortools import __version__ as version
from ortools.sat.python import cp_model

from benchmarks.allocation.textbook import SEED, Clock, Statement, plan_of, state
from optimization.contract.instances import Instance
from optimization.contract.plan import Plan

_INFINITE = 2**60  # no row of whole numbers comes near it
DECIMALS = 4  # of minutes in an instance that can be stated exactly


def solve(instance: Instance, clock: Clock) -> Plan:
    """Search until the limit."""
    model = state(instance)
    ticks = _ticks(instance)
    unit = np.where(model.minutes, ticks, 1)  # of a column
    program, columns = _program(model, ticks, unit)
    for column, value in zip(columns, _nothing_made(model) * unit, strict=True):
        program.add_hint(column, round(value))
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = clock.left
    solver.parameters.relative_gap_limit = clock.gap
    solver.parameters.num_workers = clock.threads
    solver.parameters.random_seed = SEED

    class _OnPlan(cp_model.CpSolverSolutionCallback):
        def on_solution_callback(self) -> None:
            clock.note(self.best_objective_bound, self.objective_value)

    status = solver.solve(program, _OnPlan())
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        raise SystemExit(f"no plan within {clock.seconds:g} s: {solver.status_name(status)}")
    values = np.array([solver.value(column) for column in columns]) / unit
    clock.note(solver.best_objective_bound, solver.objective_value)
    return plan_of(model, values, solver.best_objective_bound, f"CP-SAT {version}, {ticks} ticks a minute", clock)


def _nothing_made(model: Statement) -> np.ndarray:
    """Frozen pieces alone, every other one unmet: without this start CP-SAT may end without a plan."""
    values = model.lower.copy()
    orders = model.instance.orders
    kept = model.pairs.groupby("lot_id")["kept"].sum().reindex(orders["lot_id"], fill_value=0).to_numpy()
    values[model.block["unmet"]] = orders["quantity"].to_numpy() - kept
    for name in ("taken", "shortfall"):
        values[model.block[name]] = model.upper[model.block[name]]
    return values


def _ticks(instance: Instance) -> int:
    """The least power of ten per minute in which every number of minutes is whole."""
    columns = {
        "arcs": ["minutes_per_piece", "setup_minutes", "max_minutes_per_day"],
        "capacity": ["minutes", "overtime_minutes"],
        "factories": ["target_minutes"],
    }
    values = np.concatenate([getattr(instance, name)[names].to_numpy().ravel() for name, names in columns.items()])
    values = values[np.isfinite(values)]
    for ticks in 10 ** np.arange(DECIMALS + 1):
        if np.allclose(values * ticks, np.rint(values * ticks), rtol=0, atol=1e-6):
            return int(ticks)
    raise SystemExit(f"minutes with more than {DECIMALS} decimals: CP-SAT cannot state them exactly")


def _program(model: Statement, ticks: int, unit: np.ndarray) -> tuple[Any, list[Any]]:
    program, matrix = cp_model.CpModel(), model.matrix
    lower, upper = (np.rint(bound * unit).astype(int).tolist() for bound in (model.lower, model.upper))
    columns = [program.new_int_var(low, high, "") for low, high in zip(lower, upper, strict=True)]
    row_of = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    scale = np.where(np.bincount(row_of, model.minutes[matrix.indices], matrix.shape[0]) > 0, ticks, 1)
    weights = np.rint(matrix.data * scale[row_of] / unit[matrix.indices]).astype(int)
    limits = [np.rint((bound * scale).clip(-_INFINITE, _INFINITE)) for bound in (model.row_lower, model.row_upper)]
    for row, (low, high) in enumerate(np.array(limits).T.astype(int).tolist()):
        part = slice(matrix.indptr[row], matrix.indptr[row + 1])
        terms = [columns[column] for column in matrix.indices[part]]
        program.add_linear_constraint(cp_model.LinearExpr.weighted_sum(terms, weights[part].tolist()), low, high)
    program.minimize(cp_model.LinearExpr.weighted_sum(columns, (model.cost / unit).tolist()) + model.offset)
    return program, columns
