"""Does a home stop growing? A year of the demo world in time-lapse, pruned every week: size by month and kind.

    python -m benchmarks.life.year [--days 365] [--most-mb 1500] [--home var/year]

The platform's own business days (`c2m run`) with real broker, relay, collector, factories and Prefect, on a small world
whose feed files come day by day. The same command again goes on where it stopped, also in the midst of a week. What is
kept by the age that it has on the wall clock (runs in Prefect and MLflow, files of scans) has no age in a time-lapse:
it counts as old once its week is over. Searches end by nodes and models are small, so that a day takes half a minute.
Fails where the home, the feed files left out, is larger than `--most-mb` after any week.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from datetime import date, timedelta
from pathlib import Path

import pandas as pd

from c2m.files import write_atomically
from c2m.home import turn
from c2m.settings import settings
from c2m.simulation.world import write_world
from c2m.simulation.world.world import BUSINESS_DATE, TIMEZONE
from c2m.upkeep import retention
from flows import services

WEEK = 7
DAILY = ("sales_lines", "demand_signals", "reviews", "merchant_orders", "merchant_order_lines")
QUICK = {
    "C2M_PLAN__NODE_LIMIT": "5",
    "C2M_PLAN__EXPLANATION_S": "0.2",
    "C2M_FORECAST__ROUNDS": "20",
    "C2M_FORECAST__BACKTEST_ORIGINS": "1",
    "C2M_FORECAST__TRAINING_ROWS": "10000",
    "C2M_RETENTION__FLOW_RUNS_DAYS": "0",
    "C2M_RETENTION__MODEL_RUNS_DAYS": "0",
    "C2M_RETENTION__LOG_MB": "5",
}


def days_of_feeds(source: Path, world: Path, first: date, days: int) -> None:
    """The rows that become known on each of these days, a file a day and feed; before the first day all that is old."""
    for feed in DAILY:
        (file,) = [*source.glob(f"{feed}.csv"), *source.glob(f"{feed}.csv.gz")]
        rows = pd.read_csv(file, dtype=str, keep_default_na=False, on_bad_lines="skip")
        known = pd.to_datetime(rows["known_at"], errors="coerce", utc=True).dt.tz_convert(TIMEZONE)
        day = known.dt.date.fillna(date.min)
        wanted = {BUSINESS_DATE: rows[day < BUSINESS_DATE]} if first == BUSINESS_DATE else {}
        for ahead in range(days):
            now = first + timedelta(days=ahead)
            come = rows[day == now]
            wanted[now] = pd.concat([wanted[now], come]) if now in wanted else come
        for now, part in wanted.items():
            target = world / f"{feed}.{now}.csv"
            if len(part) and not target.exists():
                write_atomically(target, part.to_csv(index=False).encode())


def make_world(home: Path, days: int) -> tuple[Path, Path]:
    """The whole world, and the folder of what has come of it."""
    source, world = home / "all", home / "world"
    if not (source / "world.yaml").exists():
        write_world(source, 1, "small", days + 30)
    world.mkdir(parents=True, exist_ok=True)
    for file in source.iterdir():
        if file.name.partition(".")[0] not in DAILY and not (world / file.name).exists():
            write_atomically(world / file.name, file.read_bytes())
    return source, world


def run_days(world: Path, first: date, days: int) -> None:
    """As a user would; what was run before is through already."""
    command = [sys.executable, "-m", "c2m.cli", "run", "--world", str(world), "--date", str(first)]
    done = subprocess.run([*command, "--days", str(days), "--no-to-the-end", "--json"], stdout=subprocess.DEVNULL)
    if done.returncode:
        raise SystemExit(f"the week of {first} failed with exit code {done.returncode}")


def grow_old() -> None:
    """Files of scans are merged by their age on disk too."""
    past = time.time() - 30 * 86_400
    for file in (settings().landing / "scans").glob("[!._]*.parquet"):
        os.utime(file, (past, past))


def sizes(home: Path) -> dict[str, tuple[int, float]]:
    """Files and MB by part of the home."""
    found: dict[str, tuple[int, float]] = {}
    for path in home.iterdir():
        files = [file for file in (path, *path.rglob("*")) if file.is_file()]
        kind = path.name.split(".db")[0]
        count, size = found.get(kind, (0, 0.0))
        found[kind] = count + len(files), size + sum(file.stat().st_size for file in files) / 1e6
    return found


def told(home: Path, day: int, seconds: float) -> dict[str, object]:
    """One row: all of the home, and its parts of a megabyte or more."""
    parts = dict(sorted(sizes(home).items(), key=lambda item: -item[1][1]))
    large = {name: f"{size:.1f} ({count})" for name, (count, size) in parts.items() if size >= 1}
    return {
        "days": day,
        "seconds_a_day": round(seconds, 1),
        "mb": round(sum(size for _, size in parts.values()), 1),
        "files": sum(count for count, _ in parts.values()),
        "mb_and_files_by_part": large,
    }


def year(folder: Path, days: int, most_mb: float) -> list[dict[str, object]]:
    """Week by week; returns what each left."""
    home, report = folder / "home", folder / "weeks.json"
    os.environ |= {"C2M_HOME": str(home.absolute()), **QUICK}
    settings.cache_clear()
    source, world = make_world(folder, days)
    weeks: list[dict[str, object]] = json.loads(report.read_bytes()) if report.exists() else []
    with services.prefect_api():
        for start in range(len(weeks) * WEEK, days, WEEK):
            count, began = min(WEEK, days - start), time.monotonic()
            first = BUSINESS_DATE + timedelta(days=start)
            days_of_feeds(source, world, first, count)
            run_days(world, first, count)
            settings.cache_clear()
            grow_old()
            with turn("warehouse"):
                retention.prune(dry_run=False)
            weeks.append(told(home, start + count, (time.monotonic() - began) / count))
            write_atomically(report, json.dumps(weeks, indent=1).encode())
            print(json.dumps(weeks[-1]), flush=True)
            if float(str(weeks[-1]["mb"])) > most_mb:
                raise SystemExit(f"{weeks[-1]['mb']} MB after {start + count} days, expected at most {most_mb}")
    return weeks


def main() -> None:
    """Runs what is missing."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--days", type=int, default=365)
    arguments.add_argument("--most-mb", type=float, default=1500)
    arguments.add_argument("--home", type=Path, default=Path("var") / "year")
    asked = arguments.parse_args()
    year(asked.home, asked.days, asked.most_mb)


if __name__ == "__main__":
    main()
