"""How long does a replay take, and where does the time go?

    .venv/bin/python -m benchmarks.proof.speed WORLD --from DATE [--days 91] [--policy platform] [--steps]

One policy and one seed of a world are replayed in this process. Printed are processor seconds a day (forecasts, which
all replays of a world share, counted too, unless OUT holds them already) and the peak of memory; with --steps also the
functions in which the time went, which costs a third more.
"""

import argparse
import cProfile
import pstats
from contextlib import nullcontext
from datetime import date
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from time import process_time

from c2m.proof.policy import load
from flows.replay import Cell, Replay, land

STEPS = 70  # functions printed


def main() -> None:
    """Replays and prints."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("world", type=Path)
    arguments.add_argument("--from", dest="first", type=date.fromisoformat, required=True)
    arguments.add_argument("--days", type=int, default=91)
    arguments.add_argument("--policy", type=Path, default=Path("platform"))
    arguments.add_argument("--steps", action="store_true")
    arguments.add_argument("--out", type=Path, default=Path("var") / "speed")
    asked = arguments.parse_args()
    shared, policy = asked.out / "shared", load([asked.policy])[0]
    began = process_time()
    if not (shared / "models.json").exists():
        land(asked.world, asked.first, shared)
    landed = process_time()
    replay = Replay(Cell(asked.world, asked.first, asked.days, policy, 1, asked.out / "home", shared))
    with cProfile.Profile() if asked.steps else nullcontext() as profile:
        for day in replay.cell.days:
            replay.one_day(day)
        planned = process_time()
        replay.work_off()
    if profile:
        pstats.Stats(profile).sort_stats("cumulative").print_stats("c2m|flows|models|optimization", STEPS)
    seconds = planned - landed
    print(f"landing and compiling, once a world: {landed - began:.0f} s of processor time")
    print(f"{asked.days} days: {seconds:.0f} s, {seconds / asked.days:.2f} s a day")
    print(f"factories work off what they have: {process_time() - planned:.0f} s")
    print(f"peak of memory: {getrusage(RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


if __name__ == "__main__":
    main()
