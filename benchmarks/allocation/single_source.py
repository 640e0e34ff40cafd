"""Lots that go whole to one factory: `c2m allocate` beside plain HiGHS in one run, two threads and the same time each.

    python -m benchmarks.allocation.single_source [CASE ...] [--seconds S] [--together]

Cases: holmberg_p1 .. p71, yang_p16, gapd_20x100_s1 (agents x jobs, seed), sscflp_30x200_s1 (sites x customers, seed).
Without names: yang_p16, three Holmberg, three of each generated kind. HiGHS runs over two statements: the textbook's
with a day index (textbook.py here) and the plain assignment without (rival_assignment.py).
Each plan goes through `c2m verify`. Prints costs, ours with its bound, each with its distance to the best known value
(published, else the least that any of them found), ratio to the better HiGHS, and everybody's processor seconds.
One after the other for a quiet machine; on a busy one --together, so that all meet the same load.

GAP class d: minutes a ~ U[1, 100], cost 111 - a + e, e ~ U[-10, 10], capacity 0.8 sum_j a_ij / m (P. Chu, J. Beasley, A
genetic algorithm for the generalised assignment instances, Computers & OR 24, 1997). Single-source location: sites and
customers in a square, cost by distance and demand, demand U[5, 35], capacity U[100, 1000] scaled to 5 times the demand,
fixed cost rising with the root of the capacity (G. Cornuejols, R. Sridharan, J. Thizy, EJOR 50, 1991).
"""

import argparse
import re
import tempfile
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context  # a fork of a process with threads may wait for a lock for ever
from pathlib import Path

import numpy as np

from benchmarks.allocation import cases, suite
from benchmarks.allocation.cases import Case, Sites
from c2m.settings import settings
from optimization.contract import instances

_RIVALS = ("highs", "assignment")
_YANG_BEST_KNOWN = 39_318.0
_GENERATED = re.compile(r"(gapd|sscflp)_(\d+)x(\d+)_s(\d+)")
_USUAL = ["yang_p16", *(f"holmberg_p{number}" for number in (24, 56, 66))]
_USUAL += [f"gapd_{size}_s{seed}" for size in ("20x100", "20x200", "10x200") for seed in range(1, 6)]
_USUAL += [f"sscflp_{size}_s1" for size in ("30x200", "50x300", "80x400")]


def gap_d(agents: int, jobs: int, seed: int) -> Sites:
    """Generalised assignment, class d."""
    r = np.random.default_rng(seed)
    minutes = r.integers(1, 101, (jobs, agents))
    cost = 111 - minutes + r.integers(-10, 11, (jobs, agents))
    capacity = np.floor(0.8 * minutes.sum(axis=0) / agents)
    return Sites(capacity, np.zeros(agents), np.ones(jobs), cost.astype(float), minutes.astype(float))


def location(sites: int, customers: int, seed: int) -> Sites:
    """Single-source location."""
    r = np.random.default_rng(seed)
    homes, places = r.random((customers, 2)), r.random((sites, 2))
    way = np.hypot(*(homes[:, None] - places[None]).transpose(2, 0, 1))
    demand = r.integers(5, 36, customers)
    capacity = r.uniform(100, 1000, sites)
    capacity = np.floor(capacity * 5 * demand.sum() / capacity.sum())
    fixed = np.floor(r.uniform(0, 90, sites) + r.uniform(100, 110, sites) * np.sqrt(capacity))
    return Sites(capacity, fixed, demand.astype(float), np.floor(10 * way * demand[:, None]) + 1)


def case(name: str) -> Case:
    """The case of that name."""
    if drawn := _GENERATED.fullmatch(name):
        kind, sites, customers, seed = drawn[1], *map(int, drawn.group(2, 3, 4))
        made = gap_d(sites, customers, seed) if kind == "gapd" else location(sites, customers, seed)
        return Case(name, kind, None, lambda folder: instances.write(cases.single_source(made), folder))
    if name == "yang_p16":
        folder = settings().shared_data.parent / "cases" / "decisions" / name
        return Case(name, "yang", _YANG_BEST_KNOWN, partial(_copied, folder))
    return cases.case(name)


def _copied(source: Path, target: Path) -> None:
    instances.write(instances.read(source), target)


def compared(name: str, seconds: float, processes: int) -> str:
    """One case, all ways, as a line."""
    made, solvers = case(name), ("c2m", *_RIVALS)
    with tempfile.TemporaryDirectory() as scratch, ProcessPoolExecutor(processes, get_context("forkserver")) as pool:
        instance = Path(scratch) / "instance"
        made.write(instance)
        runs = [suite.Run(name, solver, seconds, 1e-6) for solver in solvers]
        plans = [Path(scratch) / solver for solver in solvers]
        found = dict(zip(solvers, pool.map(suite.run, runs, [instance] * len(runs), plans), strict=True))
    costs = {solver: one["objective"] if one["verified"] else np.inf for solver, one in found.items()}
    best = min(made.published or np.inf, *costs.values())
    ours, rival = found["c2m"], min(costs[solver] for solver in _RIVALS)
    shown = [f"{solver} {costs[solver]:.0f} ({costs[solver] / best - 1:.3%})" for solver in found]
    work = "/".join(f"{one['cpu_s']:.0f}" for one in found.values())
    reached = f"bound {ours.get('bound') or -np.inf:.1f}  {ours['seconds']:.1f} s  processor {work} s"
    return f"{name:20} {'  '.join(shown)}  ratio {costs['c2m'] / rival:.5f}  {reached}"


def main() -> None:
    """Runs what is asked for."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("names", nargs="*")
    arguments.add_argument("--seconds", type=float, default=60)
    arguments.add_argument("--together", action="store_true", help="all solvers at the same time")
    asked = arguments.parse_args()
    for name in asked.names or _USUAL:
        print(compared(name, asked.seconds, 1 + len(_RIVALS) if asked.together else 1), flush=True)


if __name__ == "__main__":
    main()
