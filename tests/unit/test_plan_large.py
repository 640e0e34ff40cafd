"""The large-scale regime on an instance that branch and bound can judge: all rules, an honest bound, a near plan."""

import os
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pytest
from distributed import LocalCluster
from plan_kit import checked, day_of_work

from c2m.errors import InfeasibleError, InputError
from c2m.settings import settings
from optimization.contract.instances import Instance
from optimization.contract.plan import cost_parts
from optimization.engines.bounds import column_generation, lagrangian
from optimization.engines.bounds.relaxation import relax
from optimization.engines.exact.workers import Workers
from optimization.engines.first.rounding import rounded
from optimization.engines.large import ascent, in_parts
from optimization.engines.large.neighbourhood import NeighbourhoodSearch
from optimization.planning.solve import solve
from optimization.statement.dense import dense
from optimization.statement.part import whole_of
from optimization.statement.reduction import reduce

SECONDS, SHORT = 12.0, 8.0


@pytest.fixture(scope="module")
def problem() -> Instance:
    return day_of_work()


@pytest.fixture(scope="module")
def optimum(problem: Instance) -> float:
    """Its cost within a thousandth, by branch and bound."""
    return float(solve(problem, time_limit_s=60, gap=1e-3).report["objective"])


@pytest.mark.parametrize("most_slots", [in_parts._MOST_SLOTS, 0], ids=["by linear program", "by ascent"])
def test_plan_keeps_every_rule_and_is_near_the_optimum(
    problem: Instance, optimum: float, most_slots: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(in_parts, "_FEWEST_SLOTS", 0)
    monkeypatch.setattr(in_parts, "_MOST_SLOTS", most_slots)
    plan = solve(problem, time_limit_s=SECONDS, gap=1e-3)
    report = checked(problem, plan, tmp_path)
    assert report.broken == []
    assert plan.report["bound"] <= optimum * (1 + 1e-3)
    assert optimum * (1 - 1e-3) <= plan.report["objective"] <= 1.03 * optimum
    assert report.confirmed_bound is not None
    assert report.confirmed_bound > 0.9 * plan.report["bound"]
    assert [step[2] for step in plan.report["engine"]["trace"]] == sorted(
        (step[2] for step in plan.report["engine"]["trace"]), reverse=True
    )


def test_rounded_plan_counts_what_the_contract_counts(problem: Instance) -> None:
    reduced = reduce(problem)
    d = dense(problem, reduced)
    relaxed = relax(d)
    assert relaxed is not None
    draft = rounded(d, relaxed)
    assert draft is not None
    search = NeighbourhoodSearch(whole_of(problem, reduced), draft, relaxed.prices)
    outcome = in_parts._outcome(search, in_parts._Bound(relaxed.value, "lp", relaxed.prices))
    assert sum(cost_parts(problem, outcome.allocation, outcome.work).values()) == pytest.approx(draft.cost())
    assert (draft.load() <= d.room + 1e-6).all()


def test_ascent_comes_near_the_relaxation(problem: Instance) -> None:
    d = dense(problem, reduce(problem))
    relaxed = relax(d)
    assert relaxed is not None
    ascended = ascent.ascend(d, SECONDS)
    assert ascended.bound == lagrangian.bound(d, ascended.prices)
    assert 0.9 * relaxed.value <= ascended.bound <= relaxed.value * (1 + 1e-6)


def test_bound_is_raised_however_long_the_ascent_took(problem: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its time counts from when there are prices: as a part of the first minutes it was over by then when busy."""
    d = dense(problem, reduce(problem))
    ascended = ascent.ascend(d, SECONDS)

    def raised_here(workers: Workers, *asked: Any) -> None:  # a process of its own takes seconds to begin
        workers._best.value, _ = column_generation.improve(*asked)

    for name in ("_FEWEST_SLOTS", "_MOST_SLOTS", "_MOST_NODE_SLOTS"):
        monkeypatch.setattr(in_parts, name, 0)
    late = (in_parts._BOUND_BY + 0.05) * SHORT
    monkeypatch.setattr(in_parts, "ascend", lambda arrays, seconds: time.sleep(late) or ascended)
    monkeypatch.setattr(Workers, "raise_by_patterns", raised_here)
    bound = solve(problem, time_limit_s=SHORT, gap=1e-6).report["bound"]
    assert bound > 1.01 * column_generation.value(d, ascended.prices)


def test_frozen_work_without_room_is_refused_with_causes(problem: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_parts, "_FEWEST_SLOTS", 0)
    incumbent = problem.incumbent.assign(frozen=True, quantity=problem.orders["quantity"].max())
    capacity = problem.capacity.assign(minutes=np.minimum(problem.capacity["minutes"], 1.0), overtime_minutes=0.0)
    with pytest.raises(InfeasibleError):
        solve(replace(problem, incumbent=incumbent, capacity=capacity), time_limit_s=SECONDS)


@pytest.mark.long
def test_a_part_whose_worker_is_killed_is_planned_anew(problem: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    reduced = reduce(problem)
    d = dense(problem, reduced)
    relaxed = relax(d)
    assert relaxed is not None
    draft = rounded(d, relaxed)
    assert draft is not None
    search = NeighbourhoodSearch(whole_of(problem, reduced), draft, relaxed.prices)
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        monkeypatch.setenv("C2M_PLAN__DASK_SCHEDULER", cluster.scheduler_address)
        settings.cache_clear()
        with Workers(2) as workers:
            search.step(workers.pool, workers.free, time.monotonic() + SECONDS)
            (part,) = search._running
            assert not part.done()
            for worker in cluster.workers.values():  # whichever has it
                os.kill(worker.pid, signal.SIGKILL)
            until = time.monotonic() + 120
            while not part.done() and time.monotonic() < until:
                search.step(workers.pool, 0, until)
    assert search.tried == 1
    outcome = in_parts._outcome(search, in_parts._Bound(relaxed.value, "lp", relaxed.prices))
    assert (draft.load() <= d.room + 1e-6).all()
    assert sum(cost_parts(problem, outcome.allocation, outcome.work).values()) == pytest.approx(search.cost)


def test_a_scheduler_that_does_not_answer_is_named(problem: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("C2M_PLAN__DASK_SCHEDULER", "tcp://127.0.0.1:9")
    settings.cache_clear()
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "1s"}),
        pytest.raises(InputError, match="no scheduler answers"),
    ):
        Workers(2)
