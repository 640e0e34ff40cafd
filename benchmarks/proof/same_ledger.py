"""Does a replay give the ledger of a run with servers, and does it look ahead?

    .venv/bin/python -m benchmarks.proof.same_ledger [--days 3] [--folder FOLDER] [--without-servers]

A small demo world is run by `c2m run` with broker, relay, collector and factories as processes, then replayed with the
same seed. Compared are orders, lots, job orders (without what was told after the last day) and what every plan places.
Plan ids are not: the last digit of a learned rate may differ, since DuckDB adds in another order. Then the world is
cut: every row of its feeds that became known after the last day's end is deleted, and the replay of it must leave the
same.
"""

import argparse
import csv
import gzip
import os
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import IO, Literal, cast

import pandas as pd

from c2m import clock
from c2m.feeds.contracts import FEEDS
from c2m.ledger import store
from c2m.proof.policy import load
from c2m.settings import settings
from c2m.simulation.world import write_world
from flows import replay as replays
from flows.replay import SEARCH, Cell, Replay, land

FIRST = date(2026, 4, 13)
COMPARED = {
    "orders": ["order_id", "placed_on", "due_on"],
    "lots": ["lot_id", "order_id", "quantity"],
    "job_orders": ["job_order_id", "lot_id", "factory_id", "attempt"],
}


def replayed(world: Path, days: int, folder: Path) -> dict[str, pd.DataFrame]:
    """The ledger of a replay without a counted shelf, as `c2m run` has none; the search goes on as there."""
    replays.LEAN = {}
    land(world, FIRST, folder / "shared")
    policy = load([Path("platform")])[0]
    replay = Replay(Cell(world, FIRST, days, policy, 1, folder / "home", folder / "shared", shelf=False))
    for day in replay.cell.days:
        replay.one_day(day)
    with store.session() as session:
        return store.snapshot(session)


def with_servers(world: Path, days: int, home: Path) -> dict[str, pd.DataFrame]:
    """The ledger of `c2m run`."""
    searched = {f"C2M_PLAN__{name.upper()}": str(value) for name, value in SEARCH.items()}
    command = [sys.executable, "-m", "c2m.cli", "run", "--world", str(world), "--date", str(FIRST)]
    subprocess.run(
        [*command, "--days", str(days), "--no-to-the-end"],
        check=True,
        env=os.environ | searched | {"C2M_HOME": str(home)},
    )
    os.environ["C2M_HOME"] = str(home)
    settings.cache_clear()
    with store.session() as session:
        return store.snapshot(session)


def cut(world: Path, first: date, days: int, to: Path) -> Path:
    """The world without what was known later than the last day's end."""
    to.mkdir(parents=True)
    (to / "world.yaml").write_bytes((world / "world.yaml").read_bytes())
    end = pd.Timestamp(clock.cut_off(first + timedelta(days=days))).tz_localize(None)
    for file in (file for feed in FEEDS for file in world.glob(f"{feed}*.*")):
        header, *rows = _rows(file)
        known = _known(rows, header.index("known_at"))
        kept = [row for row, at in zip(rows, known, strict=True) if not at >= end]  # also where no moment stands
        with _opened(to / file.name, "wt") as written:
            csv.writer(written, lineterminator="\n").writerows([header, *kept])
    return to


def _known(rows: list[list[str]], place: int) -> "pd.Series[pd.Timestamp]":
    """When each record became known; NaT where that cannot be read."""
    moments = pd.Series([row[place] if len(row) > place else "" for row in rows])
    return pd.to_datetime(moments, errors="coerce", utc=True).dt.tz_localize(None)


def _rows(file: Path) -> list[list[str]]:
    """The records of a feed file with every fault that they have: a record that is mended would be accepted."""
    with _opened(file, "rt") as read:
        return list(csv.reader(read))


def _opened(file: Path, mode: Literal["rt", "wt"]) -> IO[str]:
    opened = gzip.open if file.suffix == ".gz" else open
    return cast(IO[str], opened(file, mode, encoding="utf-8", errors="surrogateescape", newline=""))


def different(one: dict[str, pd.DataFrame], other: dict[str, pd.DataFrame]) -> list[str]:
    """What differs, in words."""
    faults = []
    for name, columns in COMPARED.items():
        rows = [set(map(tuple, held[name][columns].astype(str).to_numpy())) for held in (one, other)]
        print(f"{name}: {len(rows[0])} and {len(rows[1])}, {len(rows[0] & rows[1])} alike")
        faults += [f"{name}: {row}" for row in sorted(rows[0] ^ rows[1])]
    placed = [
        held["plan_allocations"].merge(held["plans"][["plan_id", "business_date", "round"]], on="plan_id")
        for held in (one, other)
    ]
    keys = ["business_date", "round", "lot_id", "factory_id", "quantity"]
    rows = [set(map(tuple, frame[keys].astype(str).to_numpy())) for frame in placed]
    print(f"placed: {len(rows[0])} and {len(rows[1])}, {len(rows[0] & rows[1])} alike")
    return faults + [f"placed: {row}" for row in sorted(rows[0] ^ rows[1])]


def main() -> None:
    """Runs both comparisons; exit code 1 where something differs."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--days", type=int, default=3)
    arguments.add_argument("--folder", type=Path, default=Path("var") / "same_ledger")
    arguments.add_argument("--without-servers", action="store_true", help="only whether it looks ahead")
    asked = arguments.parse_args()
    folder, world = asked.folder.absolute(), asked.folder.absolute() / "world"
    write_world(world, seed=1, size="small")
    whole = replayed(world, asked.days, folder / "whole")
    faults = [] if asked.without_servers else different(with_servers(world, asked.days, folder / "servers"), whole)
    os.environ["C2M_HOME"] = str(folder / "whole" / "home")
    settings.cache_clear()
    ahead = different(replayed(cut(world, FIRST, asked.days, folder / "cut_world"), asked.days, folder / "cut"), whole)
    print(*faults, *(f"looked ahead: {fault}" for fault in ahead), sep="\n")
    sys.exit(bool(faults or ahead))


if __name__ == "__main__":
    main()
