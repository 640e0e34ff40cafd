"""`c2m allocate` beside its rivals on the same cases in the same run; every plan goes through `c2m verify`.

    .venv/bin/python -m benchmarks.allocation.suite [CASE ...] [--only REGEX] [--solver c2m ...] [--seconds S]
    [--list]

One result a file, benchmarks/results/allocation/<case>/<solver>-<version>-<seconds>s.json: what is there is not run
again. A version is the library's and a hash of the code that runs. Seconds and memory are the whole process's with its
children: starting Python, reading, solving, writing. benchmarks/allocation/report.py makes the page out of the results.
"""

import argparse
import ast
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import duckdb
import psutil

from benchmarks.allocation import cases
from c2m.files import write_atomically

ROOT = Path(__file__).parents[2]
THREADS = 2
GRACE_S = 120.0  # beyond 1.5 times its limit: then a solver has not kept to it and is stopped
SAMPLE_S = 0.2  # between two looks at the memory

# seconds, asked gap
PUBLIC = {"orlib": (60, 1e-6), "capa": (300, 1e-6), "holmberg": (60, 1e-6), "gap": (60, 1e-6)}
BARE = "own_200x50_s1,off_share=0,capped_share=0,delayed_share=0,setup_scale=0,release_scale=0"
FROZEN = {
    "plain_200x50_s1": 30,
    "full_200x50_s1": 30,
    "plain_1000x200_s1": 120,
    "full_1000x200_s1": 120,
    BARE: 30,
    "plain_10000x1000_s1": 600,
    "plain_100000x10000_s1": 1800,
}
GROWTH = {  # case: seconds; the two largest are among the frozen ones too
    f"plain_{lots}x{lots // 10}_s1": seconds
    for lots, seconds in {100: 60, 300: 60, 1000: 120, 3000: 240, 10_000: 600, 30_000: 900, 100_000: 1800}.items()
}
KNOBS = ("load=0.4", "load=0.9", "slack_days=4", "off_share=0.3", "lot_scale=4", "candidates=4", "candidates=30")
KNOBS += ("capped_share=1", "delayed_share=1")
HARDNESS = ["own_300x60_s1", *(f"own_300x60_s1,{knob}" for knob in KNOBS)]
RE_PLANS = [f"replan_200x50_s1,price={price:g}" for price in (0, 0.1, 0.3, 1, 3, 10)]
ACCEPTED = {f"replan_{size}_s1,price=0.3,accepted=0.95": s for size, s in {"200x50": 60, "3000x400": 300}.items()}
RIVALS = ("highs", "cpsat", "greedy")
CONTESTED = ("cap124", "capa_8000", "holmberg_p56", "gap_c20200", *list(FROZEN)[:4])
ASKED_GAP = 1e-4  # of generated cases: there the time is the limit

# Where the code of a solver begins, the package that counts for its version, its library
CODE = {
    "c2m": ("optimization.planning.solve", "optimization", "highspy"),
    "highs": ("benchmarks.allocation.rival_highs", "benchmarks", "highspy"),
    "cpsat": ("benchmarks.allocation.rival_cpsat", "benchmarks", "ortools"),
    "assignment": ("benchmarks.allocation.rival_assignment", "benchmarks", "highspy"),
    "greedy": ("optimization.engines.first.rule", "optimization", "highspy"),
}


@dataclass(frozen=True)
class Run:
    """One solver on one case within limits."""

    case: str
    solver: str
    limit_s: float
    asked_gap: float

    @property
    def file(self) -> Path:
        """Where its result is kept."""
        name = f"{self.solver}-{solver_version(self.solver)}-{self.limit_s:g}s.json"
        return results_folder() / self.case / name


def results_folder() -> Path:
    """Results by case; they are part of the project, so that each figure of the page can be looked up."""
    return ROOT / "benchmarks" / "results" / "allocation"


def planned() -> Iterator[Run]:
    """Every run of the benchmark, case by case."""
    limits: dict[str, tuple[float, float]] = {case.name: PUBLIC[case.family] for case in cases.every().values()}
    limits |= {name: (seconds, ASKED_GAP) for name, seconds in FROZEN.items()}
    limits |= dict.fromkeys([*HARDNESS, *RE_PLANS], (60, ASKED_GAP))
    limits |= {name: (seconds, ASKED_GAP) for name, seconds in (GROWTH | ACCEPTED).items()}
    for name, limit in limits.items():
        for solver in ("c2m", *(RIVALS if name in CONTESTED else ())):
            yield Run(name, solver, *limit)


@cache
def solver_version(solver: str) -> str:
    """The library's version and a hash of the solver's sources."""
    start, package, library = CODE[solver]
    sources = sorted(_sources(start, package, set()))
    digest = hashlib.sha256(b"\0".join(source.read_bytes() for source in sources))
    return f"{version(library)}-{digest.hexdigest()[:8]}"


def _sources(module: str, package: str, seen: set[Path]) -> set[Path]:
    """Files that a module of a package imports, inside functions too, and its own."""
    file = ROOT / f"{module.replace('.', '/')}.py"
    if module.split(".")[0] != package or file in seen or not file.is_file():
        return seen
    seen.add(file)
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            for name in (node.module, *(f"{node.module}.{alias.name}" for alias in node.names)):
                _sources(name, package, seen)
    return seen


def run(run: Run, instance: Path, plan: Path) -> dict[str, Any]:
    """Solves and verifies; a solver that fails has a result too."""
    limits = str(run.limit_s), str(run.asked_gap), str(THREADS)
    command = ["-m", "benchmarks.allocation.rivals", run.solver, str(instance), str(plan), *limits]
    if run.solver == "c2m":
        options = ("--time-limit", limits[0], "--gap", limits[1], "--threads", limits[2])
        command = ["-m", "c2m.cli", "allocate", str(instance), "--out", str(plan), *options]
    measured = _measured([sys.executable, *command], run.limit_s * 1.5 + GRACE_S)
    return measured | (_judged(instance, plan) if (plan / "report.json").is_file() else {"verified": False})


def _measured(command: list[str], at_most_s: float) -> dict[str, Any]:
    """Wall and processor seconds and the largest memory of a process and its children; its last words if it fails."""
    with tempfile.TemporaryFile() as words:
        began, cpu, peak = time.monotonic(), _child_seconds(), 0
        process = psutil.Popen(command, stdout=subprocess.DEVNULL, stderr=words, cwd=ROOT)
        while process.poll() is None:
            peak = max(peak, _memory(process))
            if time.monotonic() - began > at_most_s:
                _stop(process)
            time.sleep(SAMPLE_S)
        seconds = time.monotonic() - began
        words.seek(0)
        last_words = words.read()[-2000:].decode(errors="replace") if process.returncode else None
    cpu = _child_seconds() - cpu
    return {"seconds": seconds, "cpu_s": cpu, "peak_mib": peak / 2**20, "exit": process.returncode, "error": last_words}


def _child_seconds() -> float:
    """Processor time of finished child processes: what a busy machine does not distort."""
    times = os.times()
    return times.children_user + times.children_system


def _memory(process: psutil.Process) -> int:
    """Bytes of a process and its children; pages that they share count once where the system can tell."""
    total = 0
    for one in (process, *_children(process)):
        try:
            total += getattr(one.memory_full_info(), "pss", None) or one.memory_info().rss
        except psutil.Error:
            continue  # it has just ended
    return total


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return list(process.children(recursive=True))
    except psutil.Error:
        return []


def _stop(process: psutil.Process) -> None:
    for one in (*_children(process), process):
        try:
            one.kill()
        except psutil.Error:
            continue


def _judged(instance: Path, plan: Path) -> dict[str, Any]:
    """What the verifier makes of the plan, and what the plan says about itself."""
    command = [sys.executable, "-m", "c2m.cli", "verify", str(instance), str(plan), "--json"]
    checked = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    if not checked.stdout:
        return {"verified": False, "error": checked.stderr[-2000:]}
    verdict = json.loads(checked.stdout)
    report = json.loads((plan / "report.json").read_text(encoding="utf-8"))
    engine = report.get("engine", {})
    said = {name: report.get(name) for name in ("status", "bound", "bound_by", "gap")}
    return said | {
        "verified": verdict["ok"],
        "broken": verdict["broken"],
        "objective": verdict["objective"],
        "cost": verdict["cost"],
        "bound_confirmed_share": verdict["bound_confirmed_share"],
        "solver_s": report.get("seconds"),
        "moved_share": _moved_share(instance, plan),
        "trace": engine.get("trace", []),
        "engine": {name: value for name, value in engine.items() if name != "trace"},
    }


def _moved_share(instance: Path, plan: Path) -> float | None:
    """Pieces taken from the plan in force over its pieces; None where there is none."""
    if not (in_force := _table(instance, "incumbent")):
        return None
    taken = "sum(greatest(0, i.quantity::bigint - coalesce(a.quantity::bigint, 0))) / sum(i.quantity::bigint)"
    tables = f"'{in_force}' i left join '{plan / 'allocation.csv'}' a using (order_id, factory_id)"
    share: float | None = duckdb.sql(f"select {taken} from {tables}").fetchall()[0][0]
    return share


def _table(instance: Path, name: str) -> Path | None:
    return next(iter(instance.glob(f"{name}.*")), None)


def _sizes(instance: Path) -> dict[str, int]:
    counted = {"orders": ("orders", "*"), "arcs": ("arcs", "*"), "factories": ("capacity", "distinct factory_id")}
    return {
        name: duckdb.sql(f"select count({what}) from '{_table(instance, table)}'").fetchall()[0][0]
        for name, (table, what) in counted.items()
    }


def complete(runs: Iterable[Run]) -> None:
    """Does the runs that have no result yet; a case is written once for all its solvers."""
    missing: dict[str, list[Run]] = {}
    for one in runs:
        if not one.file.is_file():
            missing.setdefault(one.case, []).append(one)
    for name, solvers in missing.items():
        with tempfile.TemporaryDirectory() as scratch:
            instance = Path(scratch) / "instance"
            case = cases.case(name)
            case.write(instance)
            for one in solvers:
                result = run(one, instance, Path(scratch) / one.solver)
                facts = asdict(one) | {"family": case.family, "published": case.published, **_sizes(instance)}
                facts["version"] = solver_version(one.solver)
                write_atomically(one.file, json.dumps(facts | result).encode())
                print(_line(facts | result), flush=True)


def _line(result: dict[str, Any]) -> str:
    shown = f"{result['case']:32} {result['solver']:7} {result['seconds']:7.1f} s {result['peak_mib']:7.0f} MiB  "
    if not result["verified"]:
        return shown + f"no verified plan: {(result['error'] or str(result.get('broken'))).strip()[-120:]}"
    return shown + f"{result['objective']:16.3f}  gap {result['gap']:.4%}"


def main() -> None:
    """Runs what is asked for."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("names", nargs="*", help="cases beside the benchmark's own, such as plain_300x60_s7")
    arguments.add_argument("--only", default="", help="regular expression on the names of the benchmark's own cases")
    arguments.add_argument("--solver", nargs="+", choices=CODE, default=["c2m", *RIVALS])
    arguments.add_argument("--seconds", type=float, help="limit instead of the benchmark's own (60 beside them)")
    arguments.add_argument("--list", action="store_true", help="print the runs, do none")
    asked = arguments.parse_args()
    runs = [] if asked.names else [one for one in planned() if re.search(asked.only, one.case)]
    runs += [Run(name, solver, 60, ASKED_GAP) for name in asked.names for solver in CODE]
    runs = [replace(one, limit_s=asked.seconds or one.limit_s) for one in runs if one.solver in asked.solver]
    if asked.list:
        print("\n".join(f"{one.case} {one.solver} {one.limit_s:g} s{' done' * one.file.is_file()}" for one in runs))
    else:
        complete(runs)


if __name__ == "__main__":
    main()
