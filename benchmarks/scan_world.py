"""A day of scans of many factories, written by DuckDB as the collector would leave it: one file per commit.

Every factory has `LINES` lines that work ten hours from an hour of its own, so that each hour of the day brings about as
many scans. A line starts `BUNDLES` bundles an hour; six minutes apart each passes cut, sew, finish, inspect, pack and
ship, a scan each. A job order has `JOB_BUNDLES` bundles of four SKUs in turn. Everything follows from the numbers of
factory, line, bundle and operation: the counts can be told without reading a file.
"""

from dataclasses import dataclass
from pathlib import Path

import duckdb

LINES, BUNDLES, HOURS, JOB_BUNDLES = 8, 21, 10, 84
OPERATIONS = ("cut", "sew", "finish", "inspect", "pack", "ship")
DAY = "2026-01-05"
# Of a thousand scans: 10 come late, by up to three hours; 5 come twice, the second up to six hours later; 1 has a clock
# that runs two hours ahead.
LATE, TWICE, AHEAD = 10, 5, 1
TICK_S = 20  # what arrives in so many seconds is one commit
_ZONES = ("Asia/Kolkata", "Asia/Shanghai", "Europe/Istanbul", "America/Mexico_City", "Asia/Kathmandu")


@dataclass(frozen=True)
class World:
    """Size and place."""

    factories: int
    landing: Path

    @property
    def scans_an_hour(self) -> int:
        """On average; exact over a day."""
        return self.factories * LINES * BUNDLES * HOURS * len(OPERATIONS) // 24


def write_hour(connection: duckdb.DuckDBPyConnection, world: World, hour: int) -> int:
    """Lands what is received in an hour of the day (24 and on: of the next one); returns the number of rows."""
    connection.execute(_WAITING)
    connection.execute(_made(world.factories), {"hour": hour})
    folder = world.landing / "scans"
    folder.mkdir(parents=True, exist_ok=True)
    parts = folder / ".parts"
    written = connection.execute(
        f"""COPY (SELECT * EXCLUDE (tick), tick FROM waiting WHERE tick < ({hour} + 1) * 3600 // {TICK_S} ORDER BY tick)
        TO '{parts}' (FORMAT parquet, COMPRESSION zstd, PARTITION_BY (tick), FILENAME_PATTERN 'part_{{i}}')"""
    ).fetchone()
    for part in parts.glob("*/*.parquet"):
        part.rename(folder / f"{part.parent.name.removeprefix('tick=').zfill(6)}-{part.stem}.parquet")
        if not any(part.parent.iterdir()):
            part.parent.rmdir()
    parts.rmdir()
    connection.execute(f"DELETE FROM waiting WHERE tick < ({hour} + 1) * 3600 // {TICK_S}")
    return int(written[0]) if written else 0


_WAITING = """CREATE TABLE IF NOT EXISTS waiting (
    factory_id VARCHAR, scan_id VARCHAR, job_order_id VARCHAR, sku_id VARCHAR, operation VARCHAR, quantity INTEGER,
    defects INTEGER, line_id VARCHAR, bundle_id VARCHAR, "at" TIMESTAMP, received_at TIMESTAMP, tick BIGINT)"""


def _made(factories: int) -> str:
    """SQL that adds the scans made in $hour to `waiting`, those that come twice twice."""
    return f"""INSERT INTO waiting
    WITH shifts AS (
        SELECT f, ($hour - f % 24 + 24) % 24 AS hour_of_shift, ($hour - f % 24 + 24) // 24 AS shift
        FROM range({factories}) AS factory(f)
    ),
    numbered AS (
        SELECT f, l, o, ((shift * {HOURS} + hour_of_shift) * {BUNDLES} + b) AS bundle,
            hash(f, l, shift, hour_of_shift, b, o) AS draw,
            $hour * 3600 + (b * 6 + o) * 3600 / {BUNDLES * 6} + l AS second
        FROM shifts, range({LINES}) AS line(l), range({BUNDLES}) AS bundle(b), range(6) AS operation(o)
        WHERE hour_of_shift < {HOURS}
    ),
    scanned AS (
        SELECT 'F' || lpad(f::VARCHAR, 5, '0') AS factory_id,
            md5(f || '-' || l || '-' || bundle || '-' || o) AS scan_id,
            'J' || f || '-' || l || '-' || (bundle // {JOB_BUNDLES}) AS job_order_id,
            'S' || f || '-' || l || '-' || (bundle // {JOB_BUNDLES} % 7) || '-' || (bundle % {JOB_BUNDLES} // 21) AS sku_id,
            {list(OPERATIONS)}[o + 1] AS operation,
            10 - (draw % 50 = 0)::INTEGER AS quantity, (draw % 50 = 0)::INTEGER AS defects,
            'L' || l AS line_id, 'B' || bundle AS bundle_id, second, draw // 1000 AS more,
            second + 1 + CASE WHEN draw % 1000 < {LATE} THEN (draw // 1000) % 10800 ELSE 0 END AS arrives,
            CASE WHEN draw % 1000 >= {1000 - TWICE} THEN second + 2 + (draw // 1000) % 21600 END AS again,
            (draw % 1000 BETWEEN 500 AND {499 + AHEAD}) AS ahead
        FROM numbered
    ),
    arrived AS (
        SELECT * EXCLUDE (arrives, again), arrives FROM scanned
        UNION ALL SELECT * EXCLUDE (arrives, again), again FROM scanned WHERE again IS NOT NULL
    )
    SELECT factory_id, scan_id, job_order_id, sku_id, operation, quantity, defects, line_id, bundle_id,
        TIMESTAMP '{DAY}' + to_microseconds(((second + CASE WHEN ahead THEN 7200 ELSE 0 END) * 1e6)::BIGINT),
        TIMESTAMP '{DAY}' + to_seconds((arrives::BIGINT // {TICK_S} + 1) * {TICK_S} - 1),
        arrives::BIGINT // {TICK_S}
    FROM arrived"""
