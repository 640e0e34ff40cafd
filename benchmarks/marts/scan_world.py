"""A day of scans of many factories, written by DuckDB as the collector would leave it: one file per commit.

Every factory has `LINES` lines that work ten hours from an hour of its own, so that each hour of the day brings about
as many scans. A line passes `BUNDLES` bundles an hour through cut, sew, finish, inspect, pack and ship, a scan each; a
job order has `JOB_BUNDLES` bundles of four SKUs in turn. Everything follows from the numbers of factory, line, bundle
and operation.
"""

from dataclasses import dataclass
from pathlib import Path

import duckdb

from c2m.feeds.contracts import SCHEMAS

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
            'S' || f || '-' || l || '-' || (bundle // {JOB_BUNDLES} % 7) || '-' || (bundle % {JOB_BUNDLES} // 21)
                AS sku_id,
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


def write_terms(connection: duckdb.DuckDBPyConnection, world: World) -> None:
    """Lands the factories with capabilities and calendar, and the ledger's lots and job orders."""
    hours = f"range({(HOURS * BUNDLES * 3) // JOB_BUNDLES + 1})"
    factories = f"""SELECT 'F' || lpad(f::VARCHAR, 5, '0') AS factory_id,
        {list(_ZONES)}[f % {len(_ZONES)} + 1] AS timezone, 'EUR' AS currency, {LINES} AS lines,
        {LINES * 20} AS operators, 'active' AS status, TIMESTAMP '2025-12-01' AS known_at
        FROM range({world.factories}) AS factory(f)"""
    jobs = f"""SELECT 'J' || f || '-' || l || '-' || n AS job_order_id, 'L' || f || '-' || l || '-' || n AS lot_id,
        'O' || f || '-' || l AS order_id, 'M' || f % 100 AS merchant_id, 'F' || lpad(f::VARCHAR, 5, '0') AS factory_id,
        1 AS revision, 1 AS sequence, {JOB_BUNDLES * 10} AS quantity, 'Running' AS state, true AS accepted,
        DATE '{DAY}' + 5 AS due_on, TIMESTAMP '{DAY}' - INTERVAL 2 DAY AS "at",
        TIMESTAMP '{DAY}' - INTERVAL 2 DAY AS known_at
        FROM range({world.factories}) AS factory(f), range({LINES}) AS line(l), {hours} AS job(n)"""
    minutes = {"cut": 0.25, "sew": 3.5, "finish": 0.5, "inspect": 0.3, "pack": 0.3}
    sams = ", ".join(f"{value}::DOUBLE AS sam_{name}_minutes" for name, value in minutes.items())
    tables = {
        "factories": factories,
        "factory_calendar": f"""SELECT factory_id, DATE '{DAY}' + (d - 1)::INTEGER AS day,
            {LINES * 20 * HOURS * 60}::DOUBLE AS minutes, known_at FROM ({factories}), range(4) AS day(d)""",
        "factory_capabilities": f"SELECT factory_id, 'category' AS kind, 'top' AS name, 0.8 AS efficiency, known_at "
        f"FROM ({factories})",
        "ledger_job_orders": jobs,
        "ledger_lots": f"""SELECT lot_id, order_id, merchant_id, 'top' AS category, {sams}, 'in_production' AS state,
            known_at FROM ({jobs})""",
    }
    for name, rows in tables.items():
        columns = {row[0] for row in connection.execute(f"DESCRIBE {rows}").fetchall()}
        values = [
            (f'"{column}"' if column in columns else "NULL") + f'::{kind} AS "{column}"'
            for column, kind in SCHEMAS[name].items()
        ]
        file = world.landing / name / "world.parquet"
        file.parent.mkdir(parents=True, exist_ok=True)
        connection.execute(
            f"COPY (SELECT {', '.join(values)} FROM ({rows})) TO '{file}' (FORMAT parquet, COMPRESSION zstd)"
        )
