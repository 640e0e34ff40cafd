"""The parts of a large plan on a Dask cluster beside the process pool: the same instance and time, in one run.

    python -m benchmarks.allocation.cluster [own_10000x1000_s1] [--seconds 300] [--workers 2] [--kill]

Scheduler and workers are processes of their own, each in a folder of its own; a worker has one thread. --kill ends one
worker with SIGKILL half-way and starts no other. Each plan goes through the verifier. Prints cost, bound, gap, parts
that were planned, and broken rules.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Timer

from benchmarks.allocation import generator
from c2m.floor.child import free_port
from c2m.settings import settings
from optimization.planning.solve import allocate
from optimization.verification.verifier import verify

_SCHEDULER = "C2M_PLAN__DASK_SCHEDULER"


@contextmanager
def _started(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process of Dask's in a folder of its own, which ends with the block."""
    folder.mkdir()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "dask", *arguments], cwd=folder, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def _cluster(folder: Path, count: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Sets the address of a scheduler, and gives its workers once all of them have come."""
    from distributed import Client

    host, port = "127.0.0.1", str(free_port())
    with ExitStack() as stack:
        stack.enter_context(
            _started(folder / "scheduler", "scheduler", "--host", host, "--port", port, "--no-dashboard")
        )
        address = os.environ[_SCHEDULER] = f"tcp://{host}:{port}"
        asked = ("worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard")
        workers = [stack.enter_context(_started(folder / f"worker{number}", *asked)) for number in range(count)]
        with Client(address, timeout=60, set_as_default=False) as client:
            client.wait_for_workers(count, timeout=60)
        yield workers
    del os.environ[_SCHEDULER]


def _planned(name: str, folder: Path, seconds: float) -> None:
    """Plans the instance in `folder`, verifies the plan and prints a line."""
    settings.cache_clear()
    began = time.monotonic()
    report = allocate(folder / "instance", folder / name, seconds)
    taken = time.monotonic() - began
    broken = [found.rule for found in verify(folder / "instance", folder / name).broken]
    parts = report["engine"]["nodes"]
    print(
        f"{name:16} cost {report['objective']:14,.0f}  bound {report['bound']:14,.0f}  gap {report['gap']:.3%}"
        f"  parts {parts:4}  {taken:5.0f} s  broken rules: {broken or 'none'}",
        flush=True,
    )


def main() -> None:
    """Plans by the pool, on the cluster, and where asked once more on a cluster that loses a worker."""
    parser = argparse.ArgumentParser()
    parser.add_argument("instance", nargs="?", default="own_10000x1000_s1")
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--kill", action="store_true")
    asked = parser.parse_args()
    if (made := generator.shape(asked.instance)) is None:
        parser.error(f"{asked.instance!r} is no instance, expected one such as own_10000x1000_s1")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        generator.keep(generator.draw(made), folder / "instance")
        _planned("process pool", folder, asked.seconds)
        for name in ("dask", *(["dask, one killed"] if asked.kill else [])):
            (folder / f"{name}.cluster").mkdir()
            with _cluster(folder / f"{name}.cluster", asked.workers) as workers:
                if "killed" in name:
                    Timer(asked.seconds / 2, workers[0].kill).start()
                _planned(name, folder, asked.seconds)


if __name__ == "__main__":
    main()
