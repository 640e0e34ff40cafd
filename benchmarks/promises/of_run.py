"""Do promised dates hold in `c2m run` itself? One home a seed: a day with the real broker, then `c2m promises`.

    .venv/bin/python -m benchmarks.promises.of_run [--seeds 20] [--first 1] [--out FOLDER] [--replay]

World and simulated factories have the seed. Each seed leaves FOLDER/<seed>.json; the same command again runs what is
missing. With --replay the day is that of `c2m replay`, searched to the gap of `c2m run`: no servers, no gates, and a
fifth of the processor time; what no factory took that day is planned again on the next morning. The interval of what
was kept is a bootstrap over seeds: orders of one world share its factories.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from c2m.files import write_atomically
from c2m.ledger import orders, store
from c2m.proof.policy import Figure, Policy
from c2m.settings import PlanPolicy
from c2m.simulation.world.world import BUSINESS_DATE
from flows import replay

DRAWS = 10_000
SMALL_PIECES, SMALL_DAYS = 300, 7
SEARCH = {"plan.gap": PlanPolicy().gap, "plan.node_limit": None}
FIGURES = {name: Figure(value=value, source="default of a day's plan") for name, value in SEARCH.items()}
ORDERED = """
    WITH lots AS (
        FROM read_parquet('{lots}', union_by_name = true)
        QUALIFY row_number() OVER (PARTITION BY lot_id ORDER BY known_at DESC) = 1
    ), orders AS (
        FROM read_parquet('{orders}', union_by_name = true)
        QUALIFY row_number() OVER (PARTITION BY order_id ORDER BY known_at DESC) = 1
    )
    SELECT o.order_id, any_value(o.placed_on) AS placed_on
    FROM orders AS o JOIN lots AS l USING (order_id)
    WHERE o.source = 'replenishment' AND o.state != 'cancelled' AND l.state != 'cancelled'
    GROUP BY o.order_id HAVING sum(l.quantity) <= {pieces}
    ORDER BY o.order_id
"""
AS_RUN = Policy(name="platform", title="The platform", figures=FIGURES)


def run(seed: int, file: Path, replayed: bool) -> None:
    """Runs one seed in a temporary home; writes what `c2m promises --json` says, and how long small orders took."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        environment = {**os.environ, "C2M_HOME": str(home), "C2M_SIMULATION_SEED": str(seed)}
        world = str(Path(folder) / "world")

        def c2m(*arguments: str) -> str:
            command = [sys.executable, "-m", "c2m.cli", *arguments]
            return subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout

        c2m("demo-world", world, "--seed", str(seed))
        if replayed:
            replay_day(Path(world), seed, home)
        else:
            c2m("run", "--world", world)
        found = json.loads(c2m("promises", "--json"))
        found["small_days"] = _small_days(home)
        write_atomically(file, json.dumps(found, indent=1).encode())


def replay_day(world: Path, seed: int, home: Path) -> None:
    """The day of a world, tomorrow's plan of what was refused, and the work until all is done, in this process."""
    shared = home.parent / "shared"
    replay.land(world, BUSINESS_DATE, shared)
    day = replay.Replay(replay.Cell(world, BUSINESS_DATE, 1, AS_RUN, seed, home, shared, shelf=False))
    day.one_day(BUSINESS_DATE)
    with store.session() as s:
        lots = orders.open_lots(s)
    if (lots["remaining"] > lots["committed"].astype(float).fillna(0)).any():
        day.plan_again(BUSINESS_DATE + timedelta(days=1))
    day.work_off()


def _small_days(home: Path) -> list[float]:
    """Days from the order to the arrival of each small replenishment order; infinite where it has not arrived.

    Also of those that no merchant was told a date for, as all factories had refused them.
    """
    pointer = json.loads((home / "published" / "current.json").read_text(encoding="utf-8"))
    told = pd.read_parquet(home / "published" / pointer["marts"]["promises"]["file"])
    landed = {name: home / "landing" / f"ledger_{name}" / "[!.]*.parquet" for name in ("orders", "lots")}
    small = duckdb.sql(ORDERED.format(**landed, pieces=SMALL_PIECES)).df().set_index("order_id")["placed_on"]
    came = told[told["is_first"]].set_index("order_id")["arrived_on"].reindex(small.index)
    took = (pd.to_datetime(came) - pd.to_datetime(small)) / timedelta(days=1)
    return [float(days) for days in took.fillna(10_000)]


def told(found: list[dict[str, object]], random: np.random.Generator) -> dict[str, float]:
    """Kept, its bootstrap interval over seeds, and the mean stated."""
    counts = np.array([[seed["judged"], seed["stated"], seed["kept"]] for seed in found], dtype=float)
    judged, stated, kept = counts.T
    drawn = random.integers(len(found), size=(DRAWS, len(found)))
    rates = (judged * kept)[drawn].sum(axis=1) / judged[drawn].sum(axis=1)
    low, high = np.quantile(rates, [0.025, 0.975])
    rate = {"kept": (judged * kept).sum() / judged.sum(), "kept_low": low, "kept_high": high}
    return {"promises": judged.sum(), "stated": (judged * stated).sum() / judged.sum(), **rate}


def main() -> None:
    """Runs what is missing, prints the figures."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--seeds", type=int, default=20)
    arguments.add_argument("--first", type=int, default=1)
    arguments.add_argument("--out", type=Path, default=Path("var") / "promises_of_run")
    arguments.add_argument("--replay", action="store_true", help="without servers; a folder for each way")
    asked = arguments.parse_args()
    found = []
    for seed in range(asked.first, asked.first + asked.seeds):
        file = asked.out / f"{seed}.json"
        if not file.exists():
            run(seed, file, asked.replay)
        found.append(json.loads(file.read_text(encoding="utf-8")))
        print(seed, {name: found[-1][name] for name in ("judged", "open", "stated", "kept")}, flush=True)
    small = np.concatenate([seed["small_days"] for seed in found])
    figures = told(found, np.random.default_rng(1)) | {"small_within_7_days": float((small <= SMALL_DAYS).mean())}
    print({name: round(float(value), 4) for name, value in figures.items()}, f"{len(small)} small orders")


if __name__ == "__main__":
    main()
