"""A stated Pyomo model handed to HiGHS as arrays, which is 3 to 5 times quicker than Pyomo's own interfaces."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from threading import Event
from typing import Any

import highspy
import numpy as np
from numpy.typing import NDArray
from pyomo.repn.plugins.standard_form import LinearStandardFormCompiler
from scipy import sparse

from c2m.domain.arrays import Floats
from optimization.statement.solver import Solver

SEED = 20260101  # the same instance and limits give the same plan
# Of integer columns: 1e-6, HiGHS's own, times minutes per piece breaks 1e-6 minutes of capacity.
MIP_TOLERANCE, _LOOSEST = 1e-9, 1e-6

_LOST = 1e-6  # relative; a point that costs so much more than what HiGHS tells is not the one it found
_LEAST_SECONDS = 0.05  # what a call gets once the time is over


@dataclass(frozen=True)
class Limits:
    """When to stop. Where `nodes` of branch and bound stop it instead of time, which is reproducible, seconds are inf.

    `stop`: set by whoever wants the best plan so far. `below`: what a point must cost less than to be looked for.
    """

    seconds: float
    gap: float  # relative, (cost - bound) / cost
    threads: int  # of the processor
    nodes: int | None = None
    stop: Event | None = None
    below: float = np.inf

    @property
    def stopped(self) -> bool:
        """Whether the best so far is wanted now."""
        return self.stop is not None and self.stop.is_set()


class Spent(Event):
    """Set once this process has worked so many seconds, which a busy machine stretches, or another event is set."""

    def __init__(self, seconds: float, stop: Event | None = None) -> None:
        super().__init__()
        self._until, self._stop = time.process_time() + seconds, stop

    def is_set(self) -> bool:
        """Asked by the solver now and then."""
        return time.process_time() >= self._until or (self._stop is not None and self._stop.is_set())


@dataclass(frozen=True)
class Progress:
    """Where a running search stands. `incumbent` is None until a plan is found; money is the instance's currency."""

    seconds: float  # since the search began
    bound: float  # what no plan can cost less than
    incumbent: float | None  # cost of the best plan so far
    gap: float | None  # (incumbent - bound) / incumbent, a share


@dataclass(frozen=True)
class SearchResult:
    """What a search found: column values of the best point, None where there is none, and a proven bound.

    `closed`: it ended by the asked gap, not by a limit. `infeasible`: it is proven that there is no point.
    """

    values: Floats | None  # (columns,)
    bound: float | None
    closed: bool
    nodes: int  # of branch and bound, how many
    lp_iterations: int  # of the simplex, how many
    infeasible: bool = False


@dataclass(frozen=True)
class Program:
    """min cost x + offset, row_lower <= matrix x <= row_upper, lower <= x <= upper, x integer where `integer`."""

    cost: Floats  # (columns,) money per unit
    offset: float
    lower: Floats  # (columns,)
    upper: Floats  # (columns,)
    integer: NDArray[np.bool_]  # (columns,)
    matrix: Any  # scipy.sparse.csc_array
    row_lower: Floats  # (rows,)
    row_upper: Floats  # (rows,)
    column: dict[int, int]  # id of the Pyomo variable -> column

    def value(self, values: Floats) -> float:
        """Cost of a point (columns,)."""
        return float(self.cost @ values) + self.offset

    def columns(self, variable: Any) -> tuple[list[Any], NDArray[np.int64]]:
        """Keys of an indexed variable and their columns; entries that no row or cost mentions are left out."""
        found = [(key, self.column[id(entry)]) for key, entry in variable.items() if id(entry) in self.column]
        return [key for key, _ in found], np.array([column for _, column in found], dtype=np.int64)


def compile_model(model: Any) -> Program:
    """The arrays of a model with one linear objective to minimise."""
    form = LinearStandardFormCompiler().write(model, mixed_form=True)
    sense = np.array([row.bound_type for row in form.rows])
    bounds = [variable.bounds for variable in form.columns]
    return Program(
        cost=form.c.toarray().ravel().astype(float),
        offset=float(form.c_offset[0]),
        lower=np.array([-np.inf if low is None else low for low, _ in bounds], dtype=float),
        upper=np.array([np.inf if high is None else high for _, high in bounds], dtype=float),
        integer=np.array([variable.is_integer() for variable in form.columns], dtype=bool),
        matrix=form.A,
        row_lower=np.where(sense <= 0, form.rhs, -np.inf),
        row_upper=np.where(sense >= 0, form.rhs, np.inf),
        column={id(variable): position for position, variable in enumerate(form.columns)},
    )


def limited(program: Program, columns: Any, least: float, most: float) -> Program:
    """A program with one more row, on the sum of some columns.

    Parameters
    ----------
    program
        As it was; it stays so.
    columns
        (n,) numbers of columns.
    least
        Of the sum, in the columns' unit.
    most
        Of the sum, in the columns' unit.

    Returns
    -------
    Program
        The longer one.
    """
    row = sparse.csr_array((np.ones(len(columns)), (np.zeros_like(columns), columns)), shape=(1, len(program.cost)))
    return replace(
        program,
        matrix=sparse.vstack([program.matrix, row], format="csc"),
        row_lower=np.append(program.row_lower, least),
        row_upper=np.append(program.row_upper, most),
    )


def complete(program: Program, seconds: float = np.inf) -> Floats | None:
    """The best point of a program when no column need be whole.

    Parameters
    ----------
    program
        What is solved.
    seconds
        For the solver.

    Returns
    -------
    numpy.ndarray or None
        (columns,); None where there is none, or not within the time.
    """
    solver = _solver(replace(program, integer=np.zeros_like(program.integer)))
    if np.isfinite(seconds):
        solver.setOptionValue("time_limit", max(_LEAST_SECONDS, seconds))
    solver.run()
    if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        return None
    return np.array(solver.getSolution().col_value)


@dataclass(frozen=True)
class Exchange:
    """Points (columns,), in the units of the columns, that another search finds meanwhile: `offered` gives a new one or
    None, `improved` hears of ours.
    """

    offered: Callable[[], Floats | None] | None
    improved: Callable[[Floats], None]


def search(
    program: Program,
    start: Floats | None,
    limits: Limits,
    progress: Callable[[Progress], None] | None = None,
    exchange: Exchange | None = None,
) -> SearchResult:
    """Branch and bound until a limit, from a feasible start where there is one.

    Parameters
    ----------
    program
        What is solved.
    start
        (columns,) a feasible point, in the units of the columns; None: there is none.
    limits
        When to stop.
    progress
        Called with each step of the search; None: nobody is told.
    exchange
        With another search; None: there is none.

    Returns
    -------
    SearchResult
        What was found.
    """
    solver = _solver(program)
    solver.resetGlobalScheduler(True)  # HiGHS refuses another number of threads than the process's first solve had
    for option, value in _options(limits).items():
        solver.setOptionValue(option, value)
    if start is not None:
        solver.setSolution(len(start), np.arange(len(start), dtype=np.int32), start)
    if progress:
        _report(solver, progress, time.monotonic())
    if limits.stop:
        solver.cbMipInterrupt += partial(_interrupt, limits)
    if exchange and exchange.offered:
        solver.cbMipUserSolution += partial(_offer, exchange.offered)
    if exchange:
        solver.cbMipImprovingSolution += lambda event: exchange.improved(np.array(event.data_out.mip_solution))
    _run(solver)
    if _lost(solver, program):
        solver.clearSolver()  # of the start too, without which it keeps the point
        _run(solver)
    info = solver.getInfo()
    found = info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible
    closed = solver.getModelStatus() == highspy.HighsModelStatus.kOptimal
    of_optimum = info.objective_function_value if closed else -np.inf
    bound = info.mip_dual_bound if program.integer.any() else of_optimum
    return SearchResult(
        values=np.array(solver.getSolution().col_value) if found else None,
        bound=bound if np.isfinite(bound) else None,
        closed=closed,
        nodes=max(0, info.mip_node_count),
        lp_iterations=max(0, info.simplex_iteration_count),
        infeasible=solver.getModelStatus() == highspy.HighsModelStatus.kInfeasible,
    )


def _run(solver: Solver) -> None:
    """Runs it. HiGHS 1.16 calls an optimum that misses its tolerance by a hair an error: then with a looser one."""
    tolerance = MIP_TOLERANCE
    while solver.run() == highspy.HighsStatus.kError:
        status = solver.getModelStatus()
        if status != highspy.HighsModelStatus.kSolveError or tolerance >= _LOOSEST:
            raise RuntimeError(f"HiGHS failed: {solver.modelStatusToString(status)}")
        tolerance *= 10
        solver.setOptionValue("mip_feasibility_tolerance", tolerance)
        solver.clearSolver()


def _lost(solver: Solver, program: Program) -> bool:
    """Whether HiGHS hands back its start instead of the better point that it found; 1.16.0 does, where presolve solves.

    The objective that it tells is then that of the better point (tests/property/test_location_oracle.py, seed 5).
    """
    told = float(solver.getInfo().objective_function_value)
    if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        return False
    return program.value(np.array(solver.getSolution().col_value)) > told + _LOST * max(1.0, abs(told))


def _options(limits: Limits) -> dict[str, Any]:
    stop: dict[str, Any] = {"mip_max_nodes": limits.nodes} if limits.nodes else {}
    if np.isfinite(limits.below):
        stop["objective_bound"] = limits.below
    if np.isfinite(limits.seconds):
        stop["time_limit"] = max(_LEAST_SECONDS, limits.seconds)
    return stop | {
        "mip_rel_gap": limits.gap,
        "mip_abs_gap": 1e-9,
        "mip_feasibility_tolerance": MIP_TOLERANCE,
        "threads": limits.threads,
    }


def _solver(program: Program) -> Any:
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = len(program.cost), len(program.row_lower)
    lp.col_cost_, lp.offset_ = program.cost, program.offset
    lp.col_lower_, lp.col_upper_ = program.lower, program.upper
    lp.row_lower_, lp.row_upper_ = program.row_lower, program.row_upper
    lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    lp.a_matrix_.start_, lp.a_matrix_.index_ = program.matrix.indptr, program.matrix.indices
    lp.a_matrix_.value_ = program.matrix.data
    if program.integer.any():
        kinds = (highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger)
        lp.integrality_ = [kinds[flag] for flag in program.integer.tolist()]
    solver = Solver()
    solver.setOptionValue("random_seed", SEED)
    solver.passModel(lp)
    return solver


def _interrupt(limits: Limits, event: Any) -> None:
    event.data_in.user_interrupt = limits.stopped


def _offer(offered: Callable[[], Floats | None], event: Any) -> None:
    point = offered()
    if point is not None:
        event.data_in.setSolution(point)


def _report(solver: Any, progress: Callable[[Progress], None], began: float) -> None:
    solver.cbMipLogging += partial(_tell, progress, began)


def _tell(progress: Callable[[Progress], None], began: float, event: Any) -> None:
    data = event.data_out
    known = np.isfinite(data.mip_primal_bound)
    incumbent, gap = (data.mip_primal_bound, data.mip_gap) if known else (None, None)
    progress(Progress(time.monotonic() - began, data.mip_dual_bound, incumbent, gap))
