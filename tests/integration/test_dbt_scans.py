"""The marts of scans against plain Python, over random worlds: increments in any order, repeats, replay, compaction."""

import os
import random
from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import duckdb
import pytest
from warehouse_world import build, land, moment

from c2m import clock
from c2m.feeds.compact import Compacted, compact
from c2m.feeds.landing import folder
from c2m.settings import settings

MARTS = "+job_order_progress +line_hourly +line_daily +job_order_flow +scan_quality"
DAY = date(2026, 1, 5)
ZONES = {"F0": ZoneInfo("Asia/Kolkata"), "F1": ZoneInfo("Asia/Kathmandu"), "F2": ZoneInfo("America/Mexico_City")}
OPERATIONS = ("cut", "sew", "finish", "inspect", "pack", "ship")
SAM = dict(zip(OPERATIONS, (1.0, 12.0, 2.0, 1.5, 0.5, 0.0), strict=True))
RELEASED = moment("2026-01-02 00:00")
UTC = ZoneInfo("UTC")
Row = dict[str, Any]


def land_terms() -> None:
    """Three factories with two lines and two job orders each; one job order is known on the second day only."""
    zones = [{"factory_id": name, "timezone": str(zone)} for name, zone in ZONES.items()]
    terms = {"currency": "EUR", "lines": 2, "operators": 10, "status": "active", "known_at": RELEASED}
    land("factories", [zone | terms for zone in zones])
    days = [{"factory_id": name, "day": DAY + timedelta(days=n)} for name in ZONES for n in (-1, 0, 1)]
    land("factory_calendar", [day | {"minutes": 4800, "overtime_minutes": 0, "known_at": RELEASED} for day in days])
    ids = [(name, n) for name in ZONES for n in range(2)]
    sams = {f"sam_{name}_minutes": minutes for name, minutes in SAM.items() if name != "ship"}
    land("ledger_lots", [{"lot_id": f"{f}-{n}", "category": "top", "known_at": RELEASED} | sams for f, n in ids])
    jobs = [
        {"job_order_id": f"{f}-{n}", "lot_id": f"{f}-{n}", "factory_id": f, "merchant_id": "m", "quantity": 500}
        | {"state": "Running", "revision": 1, "sequence": 1, "accepted": True, "at": RELEASED, "known_at": known(f, n)}
        for f, n in ids
    ]  # fmt: skip
    land("ledger_job_orders", jobs)


def known(factory_id: str, number: int) -> datetime:
    return moment("2026-01-06 03:00") if (factory_id, number) == ("F2", 1) else RELEASED


def random_scans(draws: random.Random) -> list[Row]:
    """Deliveries of two days: late, repeated, repeated with other content, of wrong clocks, of unknown job orders."""
    rows: list[Row] = []
    for number in range(260):
        at = moment("2026-01-05 00:00") + timedelta(seconds=draws.randrange(2 * 86_400))
        factory_id, job = draws.choice(list(ZONES)), draws.choice([0, 0, 1, 1, 9])
        row = {
            "factory_id": factory_id,
            "scan_id": str(number // 2),  # of two factories often the same
            "job_order_id": f"{factory_id}-{job}",
            "sku_id": draws.choice(["A", "B"]),
            "operation": draws.choice(OPERATIONS),
            "quantity": draws.randrange(1, 20),
            "defects": draws.choice([0, 0, 1]),
            "line_id": draws.choice(["L1", "L2", None]),
            "at": draws.choice([at] * 12 + [moment("2001-01-01 08:00"), at + timedelta(hours=5)]),
            "received_at": at + timedelta(seconds=draws.choice([1, 1, 40, 9000])),
        }
        rows.append(row)
        if draws.random() < 0.3:  # delivered again; now and then with other content, or under an earlier stamp
            later = {"received_at": row["received_at"] + timedelta(seconds=draws.choice([-600, 0, 30, 20_000]))}
            other = {"quantity": 50, "line_id": "L1", "at": at + timedelta(hours=1)} if draws.random() < 0.3 else {}
            rows.append(row | later | other)
    return rows


def random_corrections(draws: random.Random, rows: Iterable[Row]) -> list[Row]:
    """What takes scans back: right ones, several of one, ones that do not fit or name no scan, and set aside."""
    said: list[Row] = []
    for number, row in enumerate(draws.sample(list(rows), 60)):
        at = row["received_at"] + timedelta(seconds=draws.choice([-7200, 60, 50_000]))
        correction = row | {"scan_id": f"c{number}", "corrects": row["scan_id"], "quantity": draws.randrange(30)}
        correction |= {"defects": draws.choice([0, 2]), "at": at, "received_at": at}
        wrong = draws.choice([{}] * 6 + [{"sku_id": "Z"}, {"corrects": "never"}, {"corrects": "c0"}])
        said.append(correction | wrong)
        if draws.random() < 0.3:
            later = {"scan_id": f"d{number}", "quantity": 77, "at": at + timedelta(seconds=draws.choice([-60, 0, 60]))}
            said.append(correction | later)
        if draws.random() < 0.15:
            of = {"scan_id": draws.choice([row["scan_id"], f"c{number}"]), "reason": "wrong", "actor": "ops"}
            said.append({"factory_id": row["factory_id"], "received_at": at} | of)
    return said


def land_corrections(said: Iterable[Row]) -> None:
    """Each kind in its folder."""
    said = list(said)
    for name, kind in (("scan_set_asides", True), ("scan_corrections", False)):
        if rows := [row for row in said if ("reason" in row) == kind]:
            land(name, rows)


def taken_back(scans: list[Row], said: Iterable[Row], cut_off: datetime) -> list[Row]:
    """Scans with their right values, by loops."""
    known = [row for row in said if row["received_at"] < cut_off]
    aside = {(row["factory_id"], row["scan_id"]) for row in known if "reason" in row}
    right: list[Row] = []
    for scan in scans:
        same = {name: scan[name] for name in ("factory_id", "job_order_id", "sku_id", "operation")}
        fitting = [
            row
            for row in known
            if row.get("corrects") == scan["scan_id"]
            and all(row[name] == value for name, value in same.items())
            and (row["factory_id"], row["scan_id"]) not in aside
        ]
        last = max(fitting, key=lambda row: (row["at"], row["scan_id"]), default=scan)
        if (scan["factory_id"], scan["scan_id"]) in aside:
            last = {"quantity": 0, "defects": 0}
        right.append(scan | {name: last[name] for name in ("quantity", "defects")})
    return right


def first_deliveries(rows: Iterable[Row], cut_off: datetime) -> list[Row]:
    """Each scan once, its moment clamped; of several deliveries the first."""
    first: dict[tuple[str, str], tuple[Any, Row]] = {}
    for row in rows:
        if row["received_at"] < cut_off:
            ahead = row["at"] > row["received_at"] + timedelta(seconds=settings().plan.clock_skew_s)
            row = row | {"at": row["received_at"] if ahead else row["at"], "ahead": ahead}
            place = [row[name] for name in ("received_at", "at", "quantity", "defects", "job_order_id", "sku_id")]
            order = (*place, row["operation"], row["line_id"] is None, row["line_id"] or "")
            key = (row["factory_id"], row["scan_id"])
            if key not in first or order < first[key][0]:
                first[key] = (order, row)
    return [row for _, row in first.values()]


class Found(NamedTuple):
    """What the marts are compared by."""

    progress: dict[tuple[str, ...], tuple[int, int, datetime, datetime]]
    hours: dict[tuple[str, str, datetime], tuple[int, int, float]]
    gaps: dict[tuple[str, str, date], float]
    shipped: dict[str, tuple[int, int]]
    quality: tuple[int, ...]


def expected(rows: list[Row], said: list[Row], cut_off: datetime) -> Found:
    """The marts, by loops over scans."""
    scans = taken_back(first_deliveries(rows, cut_off), said, cut_off)
    jobs = {f"{f}-{n}" for f in ZONES for n in range(2) if known(f, n) < cut_off}
    progress: dict[tuple[str, ...], tuple[int, int, datetime, datetime]] = {}
    hours: dict[tuple[str, str, datetime], tuple[int, int, float]] = {}
    times: dict[tuple[str, str, date], list[datetime]] = defaultdict(list)
    flow: dict[str, tuple[int, int]] = {}
    early = 0
    for scan in scans:
        slot = scan["at"].replace(minute=scan["at"].minute // 15 * 15, second=0, microsecond=0)
        if scan["job_order_id"] not in jobs:
            continue
        key = (scan["job_order_id"], scan["sku_id"], scan["operation"])
        good, bad, begin, end = progress.get(key, (0, 0, moment("2100-01-01"), moment("1900-01-01")))
        at = max(scan["at"], RELEASED)
        progress[key] = (good + scan["quantity"], bad + scan["defects"], min(begin, at), max(end, at))
        shipped, wip = flow.get(scan["job_order_id"], (0, 0))
        shipped += scan["quantity"] * (scan["operation"] == "ship")
        wip += scan["quantity"] * (scan["operation"] == "cut")
        wip -= (scan["quantity"] + scan["defects"]) * (scan["operation"] == "sew")
        flow[scan["job_order_id"]] = (shipped, wip)
        if slot < RELEASED - timedelta(hours=24):
            early += 1
        elif scan["line_id"]:
            wall = scan["at"].replace(tzinfo=UTC).astimezone(ZONES[scan["factory_id"]])
            hour = wall.replace(minute=0, second=0, microsecond=0).astimezone(UTC).replace(tzinfo=None)
            pieces, defects, earned = hours.get((scan["factory_id"], scan["line_id"], hour), (0, 0, 0.0))
            earned += scan["quantity"] * SAM[scan["operation"]]
            sewn = scan["quantity"] * (scan["operation"] == "sew")
            hours[scan["factory_id"], scan["line_id"], hour] = (pieces + sewn, defects + scan["defects"], earned)
            times[scan["factory_id"], scan["line_id"], wall.date()].append(scan["at"])
    received = [row for row in rows if row["received_at"] < cut_off]
    late = sum(scan["received_at"] > scan["at"] + timedelta(minutes=60) for scan in scans)
    unknown = sum(scan["job_order_id"] not in jobs for scan in scans)
    quality = (len(scans), len(received) - len(scans), late, sum(scan["ahead"] for scan in scans), early, unknown)
    return Found(progress, hours, {key: gap_minutes(values) for key, values in times.items()}, flow, quality)


def gap_minutes(times: list[datetime]) -> float:
    """Of a line's day: what is longer than a quarter of an hour between two scans."""
    times = sorted(times)
    gaps = [(after - before).total_seconds() / 60 for before, after in pairwise(times)]
    return sum(gap for gap in gaps if gap > 15)


def built() -> Found:
    """The marts, as dbt has built them."""
    with duckdb.connect(str(settings().warehouse), read_only=True) as connection:

        def rows(query: str) -> list[tuple[Any, ...]]:
            return connection.execute(query).fetchall()

        progress = rows("""SELECT job_order_id, sku_id, operation, good_pieces, defects, first_scan_at, last_scan_at
            FROM marts.job_order_progress""")
        hours = rows("SELECT factory_id, line_id, hour_at, sew_pieces, defects, earned_minutes FROM marts.line_hourly")
        gaps = rows("SELECT factory_id, line_id, day, sum(gap_minutes) FROM marts.line_hourly GROUP BY ALL")
        flow = rows("SELECT job_order_id, shipped_pieces, wip_sew FROM marts.job_order_flow")
        quality = rows("""SELECT sum(scans)::INT, sum(repeated_scans)::INT, sum(late_scans)::INT, sum(ahead_scans)::INT,
            sum(early_scans)::INT, sum(unknown_scans)::INT FROM marts.scan_quality""")
    return Found(
        {row[:3]: row[3:] for row in progress},
        {row[:3]: row[3:] for row in hours},
        {row[:3]: row[3] for row in gaps},
        {row[0]: row[1:] for row in flow},
        quality[0],
    )  # fmt: skip


def compact_all() -> list[Compacted]:
    """Compacts as if every file had lain for long."""
    for file in folder("scans").iterdir():
        os.utime(file, (0, 0))
    return compact()


def assert_built(rows: list[Row], said: list[Row], day: date) -> None:
    build(day, "--select", MARTS, "--indirect-selection", "cautious")
    found, wanted = built(), expected(rows, said, clock.cut_off(day).replace(tzinfo=None))
    assert found.progress == wanted.progress
    assert found.hours.keys() == wanted.hours.keys()
    for hour, figures in wanted.hours.items():
        assert found.hours[hour] == pytest.approx(figures), hour
    assert found.gaps == pytest.approx(wanted.gaps)
    assert found.shipped == wanted.shipped
    assert found.quality == wanted.quality


@pytest.mark.long
def test_marts_equal_plain_python_whatever_the_order_of_files(home: Path) -> None:
    draws = random.Random(1)
    rows = random_scans(draws)
    land_terms()
    said = random_corrections(draws, rows)
    draws.shuffle(rows)
    draws.shuffle(said)
    landed: list[Row] = []
    heard: list[Row] = []
    for day, share in ((2, 120), (1, 60), (3, 60), (3, 0), (3, 60)):  # 1: a replay; 0: corrections alone
        if share:
            land("scans", rows[:share])
        land_corrections(said[:15])
        landed, rows = landed + rows[:share], rows[share:]
        heard, said = heard + said[:15], said[15:]
        assert_built(landed, heard, DAY + timedelta(days=day))
    assert compact_all()
    assert_built(landed, heard, DAY + timedelta(days=3))
    land("scans", rows)
    land_corrections(said)
    landed, heard = landed + rows, heard + said
    assert_built(landed, heard, DAY + timedelta(days=3))
    settings().warehouse.unlink()
    assert_built(landed, heard, DAY + timedelta(days=3))
