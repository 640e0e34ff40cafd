"""Do the intervals of a proof hold what they say? The same policy twice, and a planted gain.

    .venv/bin/python -m benchmarks.proof.intervals [--world WORLD] [--days 14] [--replays 100] [--draws 400]

WORLD, by default the smallest demo world, is replayed under the platform's policy with seeds 1, 2, ... Then, so many
times, twenty of them are drawn for one arm and twenty others for the other. Printed is, by outcome, how often the
interval of their difference covers zero (wanted: 90 to 99 %), and how often a lead time that is planted 20 % shorter is
found (wanted: 90 % or more). Done replays are kept, so that the same command goes on where it stopped; what a whole run
of it found lies in benchmarks/results/proof/intervals.json.
"""

import argparse
import json
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.proof.publish import RESULTS
from c2m.feeds.world import World
from c2m.files import write_atomically
from c2m.proof.interval import difference
from c2m.proof.outcomes import OUTCOMES
from c2m.proof.policy import load
from c2m.proof.report import Report
from c2m.simulation.world import write_world
from flows.replay import run_all

ARM = 20  # replays in each


def drawn(sums: pd.DataFrame, draws: int, gain: float = 0.0) -> float:
    """How often the interval of two arms leaves out zero, of one outcome; one arm's values are lowered by `gain`."""
    random, seeds, found = np.random.default_rng(11), sums["seed"].unique(), 0
    of_seed = dict(iter(sums.groupby("seed")))
    for _ in range(draws):
        picks = random.permutation(seeds)[: 2 * ARM]
        one, other = (pd.concat([of_seed[seed] for seed in half]) for half in (picks[:ARM], picks[ARM:]))
        found += difference(one.assign(above=one["above"] * (1 - gain)), other, paired=False).shown
    return found / draws


def main() -> None:
    """Replays, draws, prints."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--world", type=Path)
    arguments.add_argument("--days", type=int, default=14)
    arguments.add_argument("--replays", type=int, default=100)
    arguments.add_argument("--draws", type=int, default=400)
    arguments.add_argument("--processes", type=int, default=2)
    arguments.add_argument("--out", type=Path, default=Path("var") / "intervals")
    asked = arguments.parse_args()
    world = asked.world or asked.out / "world"
    if not (world / "world.yaml").exists():
        write_world(world, 1, "corner")
    first = date.fromisoformat(str(World.load(world).overrides["business_date"]))
    last, policies = first + timedelta(days=asked.days - 1), load([Path("platform")])
    kept = run_all(world, first, last, policies, list(range(1, asked.replays + 1)), asked.out, asked.processes)
    sums = Report(kept, first, last, policies).sums
    covers = [(one, 1 - drawn(sums[sums["outcome"] == one.name], asked.draws)) for one in OUTCOMES]
    for outcome, covered in covers:
        print(f"{outcome.name}: covers zero in {covered:.1%}")
    planted = drawn(sums[sums["outcome"] == "lead_time_days"], asked.draws, gain=0.2)
    print(f"planted 20 % of lead time: found in {planted:.1%}")
    told = {
        **{name: getattr(asked, name) for name in ("days", "replays", "draws")},
        "planted": planted,
        "covers": [{"outcome": one.title, "covers zero": f"{covered:.1%}"} for one, covered in covers],
    }
    if not asked.world:
        write_atomically(RESULTS / "intervals.json", (json.dumps(told, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
