"""The rivals of `c2m allocate`, each a process of its own: the textbook MIP in HiGHS and in CP-SAT, the plain
assignment MIP in HiGHS (whole lots on one day alone), the greedy rule.

    python -m benchmarks.allocation.rivals highs|cpsat|assignment|greedy INSTANCE PLAN SECONDS GAP THREADS

Writes a plan as `c2m allocate` does. The time limit includes reading and stating.
"""

import sys
import time
from importlib import import_module
from pathlib import Path

from benchmarks.allocation.textbook import Clock
from optimization.contract import instances
from optimization.contract.instances import Instance
from optimization.contract.plan import Plan


def solve(solver: str, instance: Instance, clock: Clock) -> Plan:
    """Imports the one solver alone: two of them do not bear each other in one process."""
    if solver == "greedy":
        from optimization.engines.first.rule import greedy

        return greedy(instance)
    plan: Plan = import_module(f"benchmarks.allocation.rival_{solver}").solve(instance, clock)
    return plan


def main(solver: str, instance: str, plan: str, seconds: str, gap: str, threads: str) -> None:
    """Solves one instance folder into a plan folder."""
    clock = Clock(float(seconds), float(gap), int(threads))
    found = solve(solver, instances.read(Path(instance)), clock)
    found.report["seconds"] = round(time.monotonic() - clock.began, 3)
    found.write(Path(plan))


if __name__ == "__main__":
    main(*sys.argv[1:])
