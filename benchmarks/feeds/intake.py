"""How fast feed files come in and in what memory: one large file of sales, and many small ones.

    python -m benchmarks.feeds.intake [--rows 10000000] [--files 1000]

Each case runs in a process of its own in a home of its own; seconds are those of the wall clock, set-up of the process
included. Beside it what a user would otherwise write: pandas reads the file and writes Parquet, with no rule, no
quarantine and no account of its rows.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import duckdb

_SALES = """SELECT 'm1' AS merchant_id, 's' || i AS sale_line_id, 'web' AS channel, 'TEE-' || i % 50 || '-M' AS sku_id,
    'TEE-' || i % 50 AS style_id, DATE '2025-06-01' + (i % 300)::INT AS sold_on, 1 + i % 3 AS quantity,
    'delivered' AS status, '19.90' AS amount, 'EUR' AS currency, 'false' AS promotion, 'false' AS business_customer,
    'North' AS region, TIMESTAMP '2026-03-01 10:00:00' + to_minutes(i % 9000) AS known_at
FROM range({first}, {last}) AS t(i)"""
_OURS = """from pathlib import Path
import sys
from c2m.feeds import landing
from c2m.feeds.contracts import FEEDS
from c2m.feeds.ingest import ingest
from c2m.feeds.world import World
landing.ensure_landing()
for feed in FEEDS.values():
    if feed.required and feed.name != "sales_lines":  # else nothing would come in
        landing.write_rows(feed.name, [{}], landing.folder(feed.name) / "one.parquet")
ingest(World.load(Path(sys.argv[1])))
"""
_PANDAS = """import sys
import pandas as pd
pd.read_csv(sys.argv[1] + "/sales_lines.csv").to_parquet(sys.argv[1] + "/sales.parquet")
"""


@dataclass(frozen=True)
class Measured:
    """What a process took."""

    seconds: float
    peak_gb: float
    processor_seconds: float  # what a busy machine does not change


def measure(code: str, world: Path, home: Path) -> Measured:
    """Runs code on a world; raises CalledProcessError where it fails."""
    begun = time.perf_counter()
    used = "import resource; used = resource.getrusage(resource.RUSAGE_SELF)"
    used += "; print(used.ru_maxrss, used.ru_utime + used.ru_stime)"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{used}", str(world)],
        env={"C2M_HOME": str(home), "PATH": ""},
        check=True,
        capture_output=True,
        text=True,
    )
    *_, peak, processor = done.stdout.split()
    return Measured(time.perf_counter() - begun, int(peak) / 1e6, float(processor))


def landed(home: Path) -> int:
    """Rows of sales in the landing zone."""
    found = duckdb.sql(f"SELECT count(*) FROM read_parquet('{home}/landing/sales_lines/*.parquet')").fetchone()
    return found[0] if found else 0


def write_sales(file: Path, first: int, last: int) -> None:
    """Sales lines first to last - 1, as a shop's export."""
    file.parent.mkdir(parents=True, exist_ok=True)
    duckdb.sql(f"COPY ({_SALES.format(first=first, last=last)}) TO '{file}' (HEADER)")


def many(folder: Path, files: int) -> Measured:
    """So many files of 1,000 rows."""
    for number in range(files):
        write_sales(folder / "world" / "sales_lines" / f"{number:04}.csv", number * 1000, (number + 1) * 1000)
    seen = measure(_OURS, folder / "world", folder / "home")
    assert landed(folder / "home") == files * 1000
    return seen


def _told(seen: Measured) -> str:
    return f"{seen.seconds:7.1f} s, {seen.processor_seconds:7.1f} s of processor time, {seen.peak_gb:5.2f} GB"


def main() -> None:
    """Prints a line per case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--files", type=int, default=1_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_sales(folder / "one" / "sales_lines.csv", 0, asked.rows)
        ours = measure(_OURS, folder / "one", folder / "home")
        assert landed(folder / "home") == asked.rows
        theirs = measure(_PANDAS, folder / "one", folder / "home")
        print(f"one file of {asked.rows:,} rows", flush=True)
        for name, seen in (("c2m ingest", ours), ("pandas, nothing checked", theirs)):
            rate = asked.rows / seen.seconds
            print(f"  {name:24s} {rate:10,.0f} rows/s {_told(seen)}")
        print(f"  ratio of the seconds     {ours.seconds / theirs.seconds:10.2f}")
        taken = {files: many(folder / f"many{files}", files) for files in (asked.files // 4, asked.files)}
        for files, seen in taken.items():
            rate = files / seen.seconds
            print(f"{files:,} files of 1,000 rows    {rate:7.1f} files/s {_told(seen)}")
        (few, first), (all_, last) = taken.items()
        print(f"  a further file           {1000 * (last.seconds - first.seconds) / (all_ - few):7.1f} ms")


if __name__ == "__main__":
    main()
