"""Whether what one merchant sends, broken in any way, ever changes what another has: days of a kernel without servers.

Usage: python -m benchmarks.tenants.breakages [--merchants 200] [--breakages 10000] [--at-once 50] [--seed 1]

Prints one line of JSON: days, breakages, rows quarantined, seconds, and each breakage of a day that changed another
merchant's orders, lots, places of work or job orders, or stopped the day. Exit code 1 where there is any.
"""

import json
import random
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

import typer

from benchmarks.tenants.kernel import Kernel
from benchmarks.tenants.world import Breakage, drawn


def change(kernel: Kernel, broken: list[Breakage]) -> tuple[str, int]:
    """What these breakages did to merchants whose rows they are not, '' where nothing; rows quarantined."""
    try:
        seen = kernel.day(broken)
    except Exception as error:
        return f"the day stopped: {type(error).__name__}: {error}"[:2_000], 0
    others = sorted(set(kernel.merchants) - {one.merchant_id for one in broken})
    found = kernel.undisturbed.differing(seen, others)
    return "; ".join(f"{name}: {sorted(rows)[:3]}" for name, rows in found.items())[:2_000], seen.quarantined


def main(merchants: int = 200, breakages: int = 10_000, at_once: int = 50, seed: int = 1) -> None:
    """Days of up to `at_once` breakages until there were `breakages`."""
    draws, began = random.Random(seed), time.monotonic()
    faults, days, quarantined, done = [], 0, 0, 0
    with tempfile.TemporaryDirectory() as folder:
        kernel = Kernel(Path(folder), merchants)
        while done < breakages:
            broken = [drawn(draws, merchants) for _ in range(min(at_once, breakages - done))]
            words, rows = change(kernel, broken)
            days, done, quarantined = days + 1, done + len(broken), quarantined + rows
            if words:
                faults.append({"seen": words, "broken": [asdict(one) for one in broken]})
                print(json.dumps(faults[-1]), file=sys.stderr)
    seconds = round(time.monotonic() - began, 1)
    counts = {"merchants": merchants, "days": days, "breakages": done, "quarantined": quarantined, "seconds": seconds}
    print(json.dumps(counts | {"faults": len(faults)}))
    raise SystemExit(1 if faults else 0)


if __name__ == "__main__":
    typer.run(main)
