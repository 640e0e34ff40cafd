"""Do promised dates hold as stated, on the floor that `make run` ships? Its factories' own code, the broker left out.

    .venv-bench/bin/python -m benchmarks.promises.dates [--worlds 300] [--seed 40000] [--processes 2] [--out FOLDER]

Worlds of benchmarks/promises/floor_days.py: 12 factories of the kinds that the settings mix, orders over four days,
each day planned, released, answered and worked. A row is the first date that a merchant was told of an order. Each
world leaves FOLDER/<seed>.csv; the same command again runs what is missing.
"""

import argparse
import tempfile
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.promises.floor_days import Pattern, World
from c2m.files import write_atomically
from c2m.settings import PlanPolicy

# A plan is searched less long than a day's, by a tenth of that for undoing changes: it is most of what a world costs.
POLICY = PlanPolicy.model_validate({"time_limit_s": 6, "gap": 0.02})
CLASSES = ("all", "source", "manner", "distance", "size", "pairs", "number")


def world(pattern: Pattern, out: Path, seed: int) -> pd.DataFrame:
    """The promises of one world, with what came of them."""
    file = out / f"{seed}.csv"
    if not file.exists():
        with tempfile.TemporaryDirectory() as folder:
            rows = World(Path(folder) / "home", seed, pattern, POLICY).run()
        write_atomically(file, rows.to_csv(index=False).encode())
    return pd.read_csv(file)


def classes(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows with the classes that the tables are by."""
    distance = pd.cut(rows["days_ahead"], [-1, 3, 7, 14, 1000], labels=["0-3", "4-7", "8-14", "15-"])
    size = np.where(rows["pieces"] <= 300, "up to 300", np.where(rows["pieces"] <= 1000, "301-1000", "over 1000"))
    return rows.assign(all="promises", distance=distance.astype(str), size=size)


def table(rows: pd.DataFrame, by: str) -> pd.DataFrame:
    """Stated beside kept; the standard error takes a world's promises as one cluster."""
    off = rows["kept"].astype(float) - rows["probability"]
    of_world = off.groupby([rows[by], rows["seed"]]).sum()
    groups = rows.groupby(by)
    shown = groups.agg(promises=("kept", "size"), stated=("probability", "mean"), kept=("kept", "mean"))
    error = np.sqrt((of_world**2).groupby(by).sum()) / groups.size()
    return shown.assign(difference=shown["kept"] - shown["stated"], standard_error=error).round(3)


def main() -> None:
    """Prints the tables."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--worlds", type=int, default=300)
    arguments.add_argument("--seed", type=int, default=40000, help="of the first world; the next has one more")
    arguments.add_argument("--processes", type=int, default=2)
    arguments.add_argument("--days", type=int, default=4, help="days that are planned")
    arguments.add_argument("--out", type=Path, default=Path("var") / "promised_dates", help="folder of all promises")
    asked = arguments.parse_args()
    one = partial(world, Pattern(days=asked.days), asked.out)
    with ProcessPoolExecutor(asked.processes) as pool:
        rows = classes(pd.concat(pool.map(one, range(asked.seed, asked.seed + asked.worlds))))
    for by in CLASSES:
        print(table(rows, by).to_string(), end="\n\n")
    small = rows[(rows["source"] == "replenishment") & (rows["pieces"] <= 300)]
    came = (
        pd.to_datetime(small["came"])
        - pd.to_datetime(small["made_at"]).dt.tz_convert("Asia/Shanghai").dt.tz_localize(None).dt.normalize()
    )
    print(f"small replenishment orders within 7 days: {(came.dt.days <= 7).mean():.1%} of {len(small)}")


if __name__ == "__main__":
    main()
