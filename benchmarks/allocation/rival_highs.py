"""The textbook MIP in HiGHS. In: an instance and limits. Out: a plan with the MIP's bound."""

import highspy
import numpy as np

from benchmarks.allocation.textbook import SEED, Clock, Statement, plan_of, state
from optimization.contract.instances import Instance
from optimization.contract.plan import Plan
from optimization.statement.solver import Solver

TOLERANCE = 1e-9  # the contract allows 1e-6 minutes; HiGHS' own default of 1e-6 pieces is above that


def solve(instance: Instance, clock: Clock) -> Plan:
    """Branch and bound on the textbook MIP; the whole columns are then fixed and the rest is polished as an LP."""
    model = state(instance)
    values, bound, solver = branched(model, clock)
    values = _polished(model, values)
    clock.note(bound, model.cost @ values + model.offset)
    return plan_of(model, values, bound, solver, clock)


def branched(model: Statement, clock: Clock) -> tuple[np.ndarray, float, str]:
    """The best point by branch and bound, its bound, and the solver's name with its version."""
    solver = _highs(model)
    for option, value in {
        "time_limit": clock.left,
        "mip_rel_gap": clock.gap,
        "mip_abs_gap": 1e-9,
        "mip_feasibility_tolerance": TOLERANCE,
        "threads": clock.threads,
        "random_seed": SEED,
    }.items():
        solver.setOptionValue(option, value)
    solver.cbMipLogging += lambda event: clock.note(event.data_out.mip_dual_bound, event.data_out.mip_primal_bound)
    solver.run()
    info = solver.getInfo()
    if info.primal_solution_status != highspy.SolutionStatus.kSolutionStatusFeasible:
        raise SystemExit(f"no plan within {clock.seconds:g} s: {solver.modelStatusToString(solver.getModelStatus())}")
    bound = info.mip_dual_bound if model.integer.any() else info.objective_function_value
    return np.array(solver.getSolution().col_value), float(bound), f"HiGHS {solver.version()}"


def _highs(model: Statement) -> highspy.Highs:
    lp, matrix = highspy.HighsLp(), model.matrix
    lp.num_col_, lp.num_row_ = len(model.cost), len(model.row_lower)
    lp.col_cost_, lp.offset_ = model.cost, model.offset
    lp.col_lower_, lp.col_upper_ = model.lower, model.upper
    lp.row_lower_, lp.row_upper_ = model.row_lower, model.row_upper
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.start_, lp.a_matrix_.index_, lp.a_matrix_.value_ = matrix.indptr, matrix.indices, matrix.data
    kinds = (highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger)
    lp.integrality_ = [kinds[flag] for flag in model.integer.tolist()]
    solver = Solver()
    solver.resetGlobalScheduler(True)  # HiGHS refuses another number of threads than the process's first solve had
    solver.setOptionValue("log_to_console", False)
    solver.passModel(lp)
    return solver


def _polished(model: Statement, values: np.ndarray) -> np.ndarray:
    whole = np.flatnonzero(model.integer)
    fixed = np.rint(values[whole])
    solver = _highs(model)
    solver.changeColsBounds(len(whole), whole.astype(np.int32), fixed, fixed)
    solver.changeColsIntegrality(
        len(whole), whole.astype(np.int32), np.full(len(whole), highspy.HighsVarType.kContinuous)
    )
    solver.setOptionValue("primal_feasibility_tolerance", TOLERANCE)
    solver.run()
    if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        raise SystemExit(f"the MIP's plan breaks when its whole numbers are rounded: {solver.getModelStatus()}")
    return np.array(solver.getSolution().col_value)
