"""Do promised dates hold as stated, on the floor that `make run` ships? Its factories' own code, the broker left out.

    .venv/bin/python -m benchmarks.promises.dates [--worlds 300] [--seed 40000] [--processes 2] [--out FOLDER]
        [--minutes M]

Worlds of benchmarks/promises/floor_days.py: 12 factories of the kinds that the settings mix, orders over four days,
each day planned, released, answered and worked. A row is the first date that a merchant was told of an order. Each
world leaves FOLDER/<seed>.csv; the same command again runs what is missing, and no world begins after M minutes. The
tables are of all worlds asked for that are there, their standard errors clustered by world.
"""

import argparse
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from multiprocessing import get_context  # a fork of a process with threads may wait for a lock for ever
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.promises.floor_days import FIRST, Pattern, World
from c2m.files import write_atomically
from c2m.settings import PlanPolicy

# A plan is searched less long than a day's, by a tenth of that for undoing changes: it is most of what a world costs.
# The gap is what ends it, on a busy machine too.
POLICY = PlanPolicy.model_validate({"time_limit_s": 20, "gap": 0.02})
CLASSES = ("all", "source", "manner", "known", "distance", "size", "pairs", "number")
KNOWN = 0.9  # a factory's order of work is known where one is as likely as this
CELL, POINTS = 300, 0.05  # a cell of so many promises is told where it is further off than this


def world(pattern: Pattern, out: Path, until: float, seed: int) -> str:
    """Runs a world, unless it is there or the time is over, into its file; what there is to say of it."""
    file = out / f"{seed}.csv"
    if file.exists() or time.time() > until:
        return ""
    began = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        rows = World(Path(folder) / "home", seed, pattern, POLICY).run()
    write_atomically(file, rows.to_csv(index=False).encode())
    shown = f"{len(rows)} promises, stated {rows['probability'].mean():.3f}, kept {rows['kept'].mean():.3f}"
    return f"world {seed}: {shown}, {time.process_time() - began:.1f} s of processor time"


def classes(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows with the classes that the tables are by."""
    distance = pd.cut(rows["days_ahead"], [-1, 3, 7, 14, 1000], labels=["0-3", "4-7", "8-14", "15-"])
    size = np.where(rows["pieces"] <= 300, "up to 300", np.where(rows["pieces"] <= 1000, "301-1000", "over 1000"))
    known = np.where(rows["known"] >= KNOWN, "order of work known", "not known")
    return rows.assign(all="promises", distance=distance.astype(str), size=size, known=known)


def table(rows: pd.DataFrame, by: str) -> pd.DataFrame:
    """Stated beside kept; the standard error takes a world's promises as one cluster."""
    off = rows["kept"].astype(float) - rows["probability"]
    of_world = off.groupby([rows[by], rows["seed"]]).sum()
    groups = rows.groupby(by)
    shown = groups.agg(
        worlds=("seed", "nunique"), promises=("kept", "size"), stated=("probability", "mean"), kept=("kept", "mean")
    )
    error = np.sqrt((of_world**2).groupby(by).sum()) / groups.size()
    difference = shown["kept"] - shown["stated"]
    beyond = np.where((shown["promises"] >= CELL) & (difference.abs() > POINTS), "beyond 5 points", "")
    return shown.assign(difference=difference, standard_error=error).round(3).assign(**{"": beyond})


def main() -> None:
    """Runs what is missing, prints the tables."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--worlds", type=int, default=300)
    arguments.add_argument("--seed", type=int, default=40000, help="of the first world; the next has one more")
    arguments.add_argument("--processes", type=int, default=2)
    arguments.add_argument("--days", type=int, default=4, help="days that are planned")
    arguments.add_argument("--minutes", type=float, default=np.inf, help="after which no world begins")
    arguments.add_argument("--out", type=Path, default=Path("var") / "promised_dates", help="folder of all promises")
    asked = arguments.parse_args()
    seeds = range(asked.seed, asked.seed + asked.worlds)
    one = partial(world, Pattern(days=asked.days), asked.out, time.time() + 60 * asked.minutes)
    with ProcessPoolExecutor(asked.processes, get_context("forkserver")) as pool:
        for ran in as_completed([pool.submit(one, seed) for seed in seeds]):
            if ran.result():
                print(ran.result(), flush=True)
    files = [file for seed in seeds if (file := asked.out / f"{seed}.csv").exists()]
    rows = classes(pd.concat(map(pd.read_csv, files)))
    for by in CLASSES:
        print(table(rows, by).to_string(), end="\n\n")
    small = rows[(rows["source"] == "replenishment") & (rows["pieces"] <= 300) & (rows["placed_on"] >= str(FIRST))]
    took = pd.to_datetime(small["came"]) - pd.to_datetime(small["placed_on"])
    print(f"small replenishment orders within 7 days: {(took.dt.days <= 7).mean():.1%} of {len(small)}")


if __name__ == "__main__":
    main()
