"""An instance to a plan: reduce, state, search, round, schedule, report. `allocate` does it for folders.

The plan is feasible whatever stops the search: it starts from the frozen work alone, every other piece unmet. Its cost
is recomputed from the whole pieces and the schedule; the bound is the search's proven one.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pandas as pd

from c2m.errors import InfeasibleError
from optimization import exact, large, location, problem, reasons, schedule, stability
from optimization import prices as lagrangian
from optimization.dense import dense, factory_names
from optimization.exact import Outcome
from optimization.highs import Limits, Progress
from optimization.pairs import Pairs, reduce
from optimization.plan import Plan, cost_parts, empty_frame
from optimization.problem import Instance
from optimization.relaxation import relax
from optimization.solver import Solver

_SETTLING_BY, _SETTLING_S = 0.1, 60.0  # share of the time, or seconds, for undoing changes that do not pay
_MOST_PRICED, _PRICING_S = 20_000, 10.0  # slots and seconds of the relaxation that a plan's prices come from
_ROUND_OFF = 1e-9  # relative; what recomputing the cost of a proven optimum may add to its gap


def allocate(
    instance_folder: Path,
    plan_folder: Path,
    time_limit_s: float = 300,
    gap: float = 1e-6,
    threads: int = 2,
    node_limit: int | None = None,
    progress: Callable[[Progress], None] | None = None,
    stop: Event | None = None,
) -> dict[str, Any]:
    """Reads an instance, writes its plan, returns the report; reports frozen work that does not fit, then raises."""
    instance = problem.read(instance_folder)
    try:
        plan = solve(instance, time_limit_s, gap, threads, node_limit, progress, stop)
    except InfeasibleError as error:
        report = {"status": "infeasible", "objective": None, "bound": None, "gap": None, "causes": error.faults}
        report["instance_sha256"] = instance.sha256
        Plan(empty_frame("allocation"), empty_frame("schedule"), report).write(plan_folder)
        raise
    plan.write(plan_folder)
    return plan.report


def solve(
    instance: Instance,
    time_limit_s: float = 300,
    gap: float = 1e-6,
    threads: int = 2,
    node_limit: int | None = None,
    progress: Callable[[Progress], None] | None = None,
    stop: Event | None = None,
) -> Plan:
    """The best plan found within the limits. Raises InfeasibleError.

    `node_limit` stops by nodes instead of time, which is reproducible. `stop`, once set, ends the search with the best
    plan so far.
    """
    began, trace = time.monotonic(), Trace(progress)
    reduced = reduce(instance)
    share = 1.0 if instance.incumbent.empty else 1.0 - _SETTLING_BY
    limits = Limits(share * time_limit_s - (time.monotonic() - began), gap, threads, node_limit, stop)
    for regime in (location.solved, large.solved, exact.solved):
        if found := regime(instance, reduced, limits, trace):
            break
    else:
        raise InfeasibleError("frozen-work-does-not-fit", reasons.frozen_causes(instance, reduced))
    days = found.work if "day" in found.work else schedule.by_day(reduced, found.allocation, found.work)
    report = _report(instance, reduced, days, found, gap)
    report["instance_sha256"] = instance.sha256
    report["engine"] = _engine(found, limits) | {"trace": trace.steps}
    plan = Plan(found.allocation, days, report, _prices(instance, reduced) if found.prices is None else found.prices)
    if len(instance.incumbent) and report["gap"] > 0:
        plan = stability.settled(instance, plan, _SETTLING_S if node_limit else _SETTLING_BY * time_limit_s, stop)
    plan.report["seconds"] = round(time.monotonic() - began, 3)
    return plan


def _prices(instance: Instance, reduced: Pairs) -> pd.DataFrame | None:
    """Prices of capacity that confirm much of a bound; None where they would take longer than they are worth."""
    d = dense(instance, reduced)
    relaxed = relax(d, seconds=_PRICING_S) if len(d.slots[0]) <= _MOST_PRICED else None
    return None if relaxed is None else lagrangian.table(d, factory_names(instance, reduced), relaxed.prices)


class Trace:
    """Progress handed on and kept: seconds since the start, bound, incumbent; a step where one of them changes."""

    def __init__(self, progress: Callable[[Progress], None] | None) -> None:
        self.steps: list[list[float | None]] = []
        self._progress, self._began = progress, time.monotonic()

    def __call__(self, step: Progress) -> None:
        """Hands a step on, its seconds counted from the start of the whole."""
        step = replace(step, seconds=time.monotonic() - self._began)
        known = [_finite(step.bound), _finite(step.incumbent)]
        if not self.steps or self.steps[-1][1:] != known:
            self.steps.append([round(step.seconds, 3), *known])
        if self._progress:
            self._progress(step)


def _finite(value: float | None) -> float | None:
    return value if value is not None and np.isfinite(value) else None


def _report(
    instance: Instance,
    reduced: Pairs,
    days: pd.DataFrame,
    found: Outcome,
    asked: float,
) -> dict[str, Any]:
    parts = cost_parts(instance, found.allocation, days)
    objective = sum(parts.values())
    bound = min(objective, _priceless_bound(instance) if found.bound is None else found.bound)
    gap = (objective - bound) / abs(objective) if objective > bound else 0.0
    proven = gap <= max(asked, _ROUND_OFF)
    return {
        "status": "optimal" if proven else "feasible",
        "objective": objective,
        "bound": bound,
        "bound_by": "lagrangian" if found.bound is None else found.bound_by,
        "gap": gap,
        "cost": parts,
        "unmet": reasons.unmet(instance, reduced, found.allocation, days, proven),
    }


def _priceless_bound(instance: Instance) -> float:
    """What every plan costs at least: each piece at its cheapest arc or unmet (capacity priced at zero)."""
    cheapest = instance.arcs.groupby("order_id")["unit_cost"].min()
    orders = instance.orders.set_index("order_id")
    return float((orders["quantity"] * np.fmin(orders["unmet_cost"], cheapest.reindex(orders.index))).sum())


def _engine(found: Outcome, limits: Limits) -> dict[str, Any]:
    return {
        "solver": f"HiGHS {Solver().version()}",
        "rows": found.rows,
        "columns": found.columns,
        "integers": found.integers,
        "nodes": found.nodes,
        "lp_iterations": found.lp_iterations,
        "asked_gap": limits.gap,
        "threads": limits.threads,
        "node_limit": limits.nodes,
    }
