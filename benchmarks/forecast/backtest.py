"""How long `c2m backtest` takes, and whether what it says to use is best at the next origin.

    .venv/bin/python -m benchmarks.forecast.backtest speed [--series 1000] [--months 72]
    .venv/bin/python -m benchmarks.forecast.backtest choice [SET ...] [--series 40]          (needs `make bench`)

speed: generated series with a trend, a season and noise, 12 months ahead, 4 origins; seconds, and processor time of the
command. Its two processes for exponential smoothing take twice as much beside and are not counted; with
C2M_FORECAST__THREADS=1 there are none, and all is. choice: sets of benchmarks/forecast/kinds.py; the method named by
three origins, its pinball at the fourth over that of the best method there.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from models.ensemble.contest import Contest, contest

HORIZON = 12


def generated(series: int, months: int) -> pd.DataFrame:
    """A level that wanders, a season of each series' own, noise of 8 %."""
    random, at, of_each = np.random.default_rng(1), np.arange(months), (series, 1)
    level = random.uniform(50, 500, of_each) * np.exp(random.normal(0.003, 0.03, (series, months)).cumsum(axis=1))
    height, phase = random.uniform(0.05, 0.4, of_each), random.uniform(0, 2 * np.pi, of_each)
    y = level * (1 + height * np.sin(at * np.pi / 6 + phase)) * random.normal(1, 0.08, (series, months))
    ids = np.repeat([f"s{i:05d}" for i in range(series)], months)
    when = np.tile(pd.date_range("2014-01-01", periods=months, freq="MS"), series)
    return pd.DataFrame({"series_id": ids, "ds": when, "y": y.ravel()})


def speed(series: int, months: int) -> None:
    """The command on a file."""
    with tempfile.TemporaryDirectory() as scratch:
        file, started = Path(scratch) / "panel.parquet", time.perf_counter()
        generated(series, months).to_parquet(file, index=False)
        command = [sys.executable, "-m", "c2m.cli", "backtest", str(file), "--horizon", str(HORIZON)]
        subprocess.run(command, check=True)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = used.ru_utime + used.ru_stime
    print(f"{series} series x {months} months: {time.perf_counter() - started:.0f} s, {processor:.0f} s of processor")


def regret(cells: pd.DataFrame) -> tuple[str, str, float]:
    """What the origins before the last name, what is best at the last, and how much more the first costs there."""
    last = cells["back"] == cells["back"].min()
    named = Contest(cells[~last]).best
    loss = (cells["pinball"] / cells["scale"])[last].groupby(cells["method"]).mean()
    return named, str(loss.idxmin()), float(loss[named] / loss.min() - 1)


def choice(names: list[str], series: int) -> None:
    """A line a set."""
    from benchmarks.forecast.kinds import SETS

    warnings.filterwarnings("ignore")
    for name in names or SETS:
        load, horizon = SETS[name]
        whole = load()
        panel = whole.some(slice(None, None, -(-len(whole.ids) // series)))
        named, best, more = regret(contest(panel, horizon).cells)
        print(f"{name}: {named} named, {best} best at the next origin, {more:+.1%}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["speed", "choice"])
    parser.add_argument("sets", nargs="*")
    parser.add_argument("--series", type=int)
    parser.add_argument("--months", type=int, default=72)
    asked = parser.parse_args()
    if asked.what == "speed":
        speed(asked.series or 1000, asked.months)
    else:
        choice(asked.sets, asked.series or 40)


if __name__ == "__main__":
    main()
