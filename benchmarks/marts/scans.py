"""A day of scans through dbt into the marts of progress and efficiency, then the next hour: seconds and peak memory.

    .venv/bin/python -m benchmarks.marts.scans [FACTORIES] [FOLDER]     (default 10,000: 100 million scans)

dbt runs as the transform flow calls it (c2m.warehouse.published.dbt_args), in a process of its own, data tests
included. Scans are those of scan_world.py; FOLDER keeps them for another run. Then, at a fifth of the size, the same
is asked of what one would write first: a table of scans into which each batch is merged by key.
"""

import os
import subprocess
import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import psutil

from benchmarks.marts.scan_world import DAY, TICK_S, World, write_hour, write_terms
from c2m.feeds.landing import ensure_landing
from c2m.settings import settings
from c2m.warehouse.published import dbt_args

FACTORIES = 10_000
MARTS = "+job_order_progress +line_hourly +line_daily +job_order_flow +scan_quality"
FIRST = date.fromisoformat(DAY)
_DBT = "import sys; from dbt.cli.main import dbtRunner; sys.exit(not dbtRunner().invoke(sys.argv[1:]).success)"


def generate(factories: int, folder: Path) -> None:
    """Lands 25 hours of scans in `folder`, where they do not lie there yet."""
    if (folder / "scans").exists():
        return
    with duckdb.connect(config={"memory_limit": "6GB", "threads": 2}) as connection:
        for hour in range(25):
            rows = write_hour(connection, World(factories, folder), hour)
            print(f"hour {hour}: {rows:,} scans", file=sys.stderr)


def take(folder: Path, hours: range) -> int:
    """Moves the files of these hours into the landing zone, by hard links; returns their rows."""
    ticks = range(hours.start * 3600 // TICK_S, hours.stop * 3600 // TICK_S)
    files = [file for file in (folder / "scans").glob("*.parquet") if int(file.name.split("-")[0]) in ticks]
    for file in files:
        os.link(file, settings().landing / "scans" / file.name)
    found = duckdb.execute("SELECT sum(num_rows) FROM parquet_file_metadata(?)", [[str(file) for file in files]])
    return int((found.fetchone() or (0,))[0])


def measured(command: list[str]) -> dict[str, float]:
    """Seconds, processor seconds and the peak of the memory of a process that must succeed."""
    began, peak, used = time.perf_counter(), 0, 0.0
    with (settings().home / "benchmark.log").open("a") as log, subprocess.Popen(command, stdout=log) as process:
        seen = psutil.Process(process.pid)
        while process.poll() is None:
            try:
                peak, used = max(peak, seen.memory_info().rss), sum(seen.cpu_times()[:2])
            except psutil.NoSuchProcess:
                break
            time.sleep(0.1)
        process.wait()
    if process.returncode:
        sys.exit((settings().home / "benchmark.log").read_text()[-4000:])
    return {"seconds": time.perf_counter() - began, "cpu_s": used, "peak_gb": peak / 2**30}


def by_dbt(day: date) -> dict[str, float]:
    """The command of the transform flow, for these marts; tests that ask for other models are left out."""
    arguments = [*dbt_args("build", day, MARTS), "--indirect-selection", "cautious"]
    return measured([sys.executable, "-c", _DBT, *arguments])


def by_merge(hours: str) -> dict[str, float]:
    """The plain way, in a process of its own."""
    return measured([sys.executable, "-m", "benchmarks.marts.scans", "--merge", hours])


def merge(hours: str) -> None:
    """All scans in one table, `first` or merged into it by key; progress is the sum of all."""
    columns = (
        "factory_id, scan_id, job_order_id, sku_id, operation, quantity, defects, line_id, scanned_at, received_at"
    )
    cut_off = FIRST + timedelta(days=1)
    new = f"""SELECT {columns.replace("scanned_at", '"at" AS scanned_at')}
        FROM '{settings().landing}/scans/[!.]*.parquet'
        WHERE (received_at < DATE '{cut_off}') = {hours == "first"}
        QUALIFY row_number() OVER (PARTITION BY factory_id, scan_id ORDER BY received_at) = 1"""
    limits = {"memory_limit": settings().warehouse_memory, "threads": settings().warehouse_threads}
    with duckdb.connect(str(settings().home / "merge.duckdb"), config=limits) as connection:
        if hours == "first":
            connection.execute(f"CREATE TABLE scans AS {new}")
        else:
            connection.execute(
                f"""MERGE INTO scans USING ({new}) AS new USING (factory_id, scan_id)
                WHEN MATCHED AND new.received_at < scans.received_at THEN UPDATE
                WHEN NOT MATCHED THEN INSERT"""
            )
        connection.execute(
            """CREATE OR REPLACE TABLE progress AS SELECT job_order_id, sku_id, operation, sum(quantity) AS good_pieces,
            sum(defects) AS defects FROM scans GROUP BY ALL"""
        )


def differences(cut_off: date, some: str) -> int:
    """Rows of progress and hours, of factories like `some`, that plain SQL over the files does not confirm."""
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{settings().warehouse}' AS warehouse (READ_ONLY)")
        connection.execute(
            f"""CREATE TABLE scans AS SELECT * FROM '{settings().landing}/scans/[!.]*.parquet'
            WHERE received_at < DATE '{cut_off}' AND factory_id LIKE '{some}'
            QUALIFY row_number() OVER (PARTITION BY factory_id, scan_id ORDER BY received_at) = 1"""
        )
        progress = """SELECT job_order_id, sku_id, operation, sum(quantity), sum(defects) FROM scans GROUP BY ALL"""
        built = f"""SELECT job_order_id, sku_id, operation, good_pieces, defects
            FROM warehouse.marts.job_order_progress WHERE factory_id LIKE '{some}'"""
        lines = """SELECT factory_id, line_id, count(*), sum(quantity) FILTER (operation = 'sew'), sum(defects)
            FROM scans GROUP BY ALL"""
        hours = f"""SELECT factory_id, line_id, sum(scans), sum(sew_pieces), sum(defects)
            FROM warehouse.marts.line_hourly WHERE factory_id LIKE '{some}' GROUP BY ALL"""
        pairs = [(progress, built), (built, progress), (lines, hours), (hours, lines)]
        return sum(len(connection.execute(f"({one}) EXCEPT ({other})").fetchall()) for one, other in pairs)


def measure(factories: int, folder: Path, rival: bool) -> list[dict[str, Any]]:
    """The day, then the hour, in a home of its own beside `folder`: hard links need the same disk."""
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(dir=folder) as home:
        os.environ |= {"C2M_HOME": home, "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"}
        settings.cache_clear()
        ensure_landing()
        write_terms(duckdb.connect(), World(factories, settings().landing))
        for name, hours, days in (("day", range(24), 1), ("next hour", range(24, 25), 2)):
            scans = take(folder, hours)
            rows.append({"what": name, "scans": scans, "by": "dbt"} | by_dbt(FIRST + timedelta(days=days)))
            if wrong := differences(FIRST + timedelta(days=days), "F%7_"):
                sys.exit(f"{wrong} rows of the marts differ from plain SQL over the files")
            if rival:
                way = "first" if name == "day" else "next"
                rows.append({"what": name, "scans": scans, "by": "merge"} | by_merge(way))
    return rows


def main() -> None:
    if sys.argv[1:2] == ["--merge"]:
        merge(sys.argv[2])
        return
    factories = int(sys.argv[1]) if len(sys.argv) > 1 else FACTORIES
    with tempfile.TemporaryDirectory() as temporary:
        kept = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(temporary)
        rows = []
        for size, rival in ((factories, False), (max(factories // 5, 1), True)):
            folder = kept / str(size)
            folder.mkdir(parents=True, exist_ok=True)
            generate(size, folder)
            rows += measure(size, folder, rival)
    print(pd.DataFrame(rows).round(1).to_string(index=False))


if __name__ == "__main__":
    main()
