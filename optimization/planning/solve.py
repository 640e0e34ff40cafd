"""An instance to a plan: reduce, know, search, schedule, report. `allocate` does it for folders.

What is known before any search (optimization/engines/first/start_plans.py) is the first plan of each way of searching
and its floor: no plan costs more, whatever stops the search. A plan's cost is recomputed from the whole pieces and the
schedule; the bound is the search's proven one.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np

from c2m.errors import InfeasibleError
from optimization.contract import groups, instances
from optimization.contract.instances import Instance
from optimization.contract.plan import Plan, cost_parts, empty_frame, gap_share
from optimization.contract.tolerances import ROUND_OFF_SHARE
from optimization.engines.bounds import lagrangian
from optimization.engines.bounds.relaxation import relax
from optimization.engines.exact import undo_changes
from optimization.engines.first import start_plans
from optimization.engines.first.rule import greedy
from optimization.engines.staged import by_routes
from optimization.planning.choose import SearchMethod, choose
from optimization.statement.highs import Limits, Progress
from optimization.statement.part import Whole, whole_of
from optimization.statement.reduction import reduce
from optimization.statement.solution import Solution
from optimization.statement.solver import Solver
from optimization.unmet import in_stages, reasons

# Share of the time, and most seconds, for undoing changes that do not pay. Measured at 10,000 x 1,000, busy machine:
# 60 s of it gain 6 k, 60 s of the search before it 50 k.
_SETTLING_BY, _SETTLING_S = 0.1, 15.0
_JOINT_BY = 0.5  # most of the time for lots in stages and pools, where others share no factory with them
_MOST_PRICED, _PRICING_BY = 20_000, 0.2  # slots, and share of the time, of the relaxation that prices come from


def allocate(
    instance_folder: Path,
    plan_folder: Path,
    time_limit_s: float = 300,
    gap: float = 1e-6,
    threads: int = 2,
    node_limit: int | None = None,
    progress: Callable[[Progress], None] | None = None,
    stop: Event | None = None,
    rule: bool = False,
) -> dict[str, Any]:
    """Reads an instance, writes its plan, returns the report.

    Parameters
    ----------
    instance_folder
        Folder with orders, arcs, capacity and so on, CSV or Parquet (optimization/contract/instances.py).
    plan_folder
        Folder for allocation, schedule, prices and report.json, which comes last.
    time_limit_s
        Seconds until the search ends with the best plan so far.
    gap
        Relative gap, (cost - bound) / cost, at which it ends.
    threads
        Processor threads, the bound's included.
    node_limit
        How many nodes of branch and bound stop the search instead of time: the same plan on any machine.
    progress
        Called with each step of the search (seconds, bound, cost of the best plan).
    stop
        Once set, the search ends with the best plan so far.
    rule
        The plan of the common rule (optimization/engines/first/rule.py) instead of the best one.

    Returns
    -------
    dict
        The content of report.json: status, objective, bound, gap, cost by term, unmet lots with reasons.

    Raises
    ------
    InputError
        With every fault of the instance.
    InfeasibleError
        Where the frozen work alone does not fit; report.json then has the causes.
    """
    began = time.monotonic()
    instance = instances.read(instance_folder)
    try:
        if rule:
            plan = greedy(instance)
        else:
            left = time_limit_s - (time.monotonic() - began)
            plan = solve(instance, left, gap, threads, node_limit, progress, stop)
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
    reasoned: bool = True,
    settled: bool = True,
) -> Plan:
    """The best plan found within the limits, never dearer than what is known before.

    Parameters
    ----------
    instance
        What is to be planned; `Instance.from_tables` makes one.
    time_limit_s
        Seconds until the search ends with the best plan so far.
    gap
        Relative gap, (cost - bound) / cost, at which it ends.
    threads
        Processor threads, the bound's included.
    node_limit
        How many nodes of branch and bound stop the search instead of time: the same plan on any machine.
    progress
        Called with each step of the search (seconds, bound, cost of the best plan).
    stop
        Once set, the search ends with the best plan so far.
    reasoned
        Without it, the report gives no reasons for what is unmet: finding them takes searches of its own.
    settled
        Without it, changes of a re-plan that do not pay are not undone: looking for them ends by time.

    Returns
    -------
    Plan
        Pieces by lot and factory, minutes by day, and a report with cost, proven bound and gap.

    Raises
    ------
    InfeasibleError
        Where the frozen work alone does not fit, with the causes.
    """
    began, trace = time.monotonic(), Trace(progress)
    time_limit_s = np.inf if node_limit else time_limit_s
    if instance.joint:
        limits = Limits(time_limit_s, gap, threads, node_limit, stop)
        parts = groups.apart(instance)
        return _apart(instance, *parts, limits, trace, reasoned) if parts else _in_stages(instance, limits, trace)
    reduced = reduce(instance)
    whole = whole_of(instance, reduced)
    start, costs = start_plans.cheapest(whole)
    start = replace(start, bound=_priceless_bound(instance))
    trace(Progress(0.0, start.bound, start.cost, None))
    settling_s = 0.0 if instance.incumbent.empty or not settled else min(_SETTLING_S, _SETTLING_BY * time_limit_s)
    limits = Limits(time_limit_s - settling_s - (time.monotonic() - began), gap, threads, node_limit, stop)
    way = choose(whole, limits)
    found = _floored(instance, _searched(whole, way, limits, start, trace), start)
    report = _report(instance, found, gap)
    report["engine"] = {"way": way.words} | _engine(found, limits) | {"trace": trace.steps, "known": costs}
    plan = Plan(found.allocation, found.work, report, found.prices)
    if settled and len(instance.incumbent) and report["gap"] > 0:
        plan = undo_changes.settled(instance, reduced, plan, settling_s, stop)
    if reasoned:
        proven, until = plan.report["status"] == "optimal", began + time_limit_s + reasons.GRACE_S
        plan.report["unmet"] = reasons.unmet(instance, plan.allocation, plan.schedule, proven, until)
    plan.report["stopped_by"] = _stopped_by(plan.report, limits)
    plan.report["seconds"] = round(time.monotonic() - began, 3)
    return plan


def _apart(
    instance: Instance, plain: Instance, joint: Instance, limits: Limits, trace: "Trace", reasoned: bool
) -> Plan:
    """The plan of two parts that have nothing in common, each sought on its own; the trace tells of both together."""
    began = time.monotonic()
    staged = _in_stages(joint, replace(limits, seconds=_JOINT_BY * limits.seconds), Trace(None))
    left = limits.seconds - (time.monotonic() - began)
    told = partial(_beside, staged.report, trace)
    ours = solve(plain, left, limits.gap, limits.threads, limits.nodes, told, limits.stop, reasoned)
    plan = groups.together(instance, ours, staged)
    plan.report["engine"]["trace"] = trace.steps
    plan.report["seconds"] = round(time.monotonic() - began, 3)
    return plan


def _beside(staged: dict[str, Any], trace: "Trace", step: Progress) -> None:
    """Tells of a step of the plain part's search together with the plan of the joint one."""
    cost = _sum(step.incumbent, staged["objective"])
    bound = step.bound + staged["bound"]
    trace(replace(step, bound=bound, incumbent=cost, gap=None if cost is None else gap_share(cost, bound)))


def _sum(known: float | None, more: float) -> float | None:
    return None if known is None else known + more


def _in_stages(instance: Instance, limits: Limits, trace: "Trace") -> Plan:
    """The plan of an instance with stages or pools."""
    began = time.monotonic()
    found = by_routes.solved(instance, limits, trace)
    report = _report(instance, found, limits.gap)
    why = "lots have stages" if instance.staged else "lots share setups"
    report["engine"] = {"way": f"stages, because {why}"} | _engine(found, limits) | {"trace": trace.steps}
    report["unmet"] = in_stages.unmet(instance, found.allocation, report["status"] == "optimal")
    report["stopped_by"] = _stopped_by(report, limits)
    report["seconds"] = round(time.monotonic() - began, 3)
    return Plan(found.allocation, found.work, report, found.prices, found.moves)


def _searched(
    whole: Whole, way: SearchMethod, limits: Limits, start: Solution, progress: Callable[[Progress], None]
) -> Solution:
    """What the chosen way finds; the start where there is no time for any."""
    began = time.monotonic()
    if limits.seconds <= 0:
        return start
    if not way.priced:
        return way.solved(whole, limits, start, progress)
    start = _priced(whole, start, _PRICING_BY * limits.seconds)
    left = replace(limits, seconds=limits.seconds - (time.monotonic() - began))
    found = way.solved(whole, left, start, progress)
    if found.bound < start.bound:
        found = replace(found, bound=start.bound, bound_by=start.bound_by)
    return replace(found, prices=start.prices) if found.prices is None else found


def _priced(whole: Whole, start: Solution, seconds: float) -> Solution:
    """The start with prices of capacity and the bound that they prove, where the time suffices for them."""
    relaxed = relax(whole.arrays, seconds=seconds) if len(whole.arrays.slots[0]) <= _MOST_PRICED else None
    if relaxed is None:
        return start
    prices = lagrangian.table(whole.arrays, whole.factory_ids, relaxed.prices)
    return replace(start, bound=relaxed.value, bound_by="lp", prices=prices)


def _floored(instance: Instance, found: Solution, start: Solution) -> Solution:
    """What was found; the start where that costs less. The bound stands."""
    cost = sum(cost_parts(instance, found.allocation, found.work).values())
    return replace(found, allocation=start.allocation, work=start.work) if start.cost < cost else found


def _stopped_by(report: dict[str, Any], limits: Limits) -> str:
    """What ended the search: gap | interrupt | nodes | time."""
    if report["status"] == "optimal":
        return "gap"
    if limits.stopped:
        return "interrupt"
    return "nodes" if limits.nodes else "time"


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


def _report(instance: Instance, found: Solution, asked: float) -> dict[str, Any]:
    parts = cost_parts(instance, found.allocation, found.work, found.moves)
    objective = sum(parts.values())
    bound = min(objective, found.bound)
    gap = gap_share(objective, bound)
    proven = gap <= max(asked, ROUND_OFF_SHARE)
    return {
        "status": "optimal" if proven else "feasible",
        "objective": objective,
        "bound": bound,
        "bound_by": found.bound_by,
        "gap": gap,
        "cost": parts,
        "instance_sha256": instance.sha256,
    }


def _priceless_bound(instance: Instance) -> float:
    """What every plan costs at least: each piece at its cheapest arc or unmet (capacity priced at zero)."""
    cheapest = instance.arcs.groupby("lot_id")["unit_cost"].min()
    orders = instance.orders.set_index("lot_id")
    return float((orders["quantity"] * np.fmin(orders["unmet_cost"], cheapest.reindex(orders.index))).sum())


def _engine(found: Solution, limits: Limits) -> dict[str, Any]:
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
