"""What figures by craft save against those of the factory alone: socks knitted, then linked, day by day under each.

    python -m benchmarks.scores.crafts [--worlds 4] [--days 36] [--seed 901]

The factories of benchmarks/scores/share.py make socks, in lots that are knitted first and linked once knitted. In all
they are as good as each other; at one craft each is better than at the other (`SPREAD` of the logarithm), which
nothing tells but its scans. Each day: the marts' SQL, the real instance and solver, job orders, work. `craft` plans by
the mart's figures, `factory` without those of crafts, `truth` knows what is true from the first day on.
"""

import argparse
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from itertools import product
from multiprocessing import get_context
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.finish import sewing_lines
from benchmarks.scores.share import FACTORIES, FIRST, PAID_MINUTES, SAM_MINUTES, World, day_of
from c2m.domain.operations import Operation, written

SPREAD = 0.2
CRAFTS = {"knit": 1, "link": -1}
ROUTING = {craft: written([Operation(craft, craft, SAM_MINUTES, 1)]) for craft in CRAFTS}
LOTS_A_DAY, LINE_DAYS, DUE_IN_DAYS = 1.3, (1.5, 3.0), 9
KNOWN = ("factory", "craft", "truth")


@dataclass
class Hosiery(World):
    """A world of two crafts; `by`: what plans know of them."""

    by: str = "craft"
    skew: Any = None  # (factories,) logarithm by which knitting is faster, and linking slower, than both are
    worked: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def of(cls, seed: int, days: int, by: str) -> "Hosiery":
        """The factories of a seed, the same whatever plans know; all are as good in all from first to last."""
        world = World.drawn(seed, days)
        level = np.full(FACTORIES, sewing_lines.MEAN)
        skew = SPREAD * world.random.permutation(np.linspace(-1.5, 1.5, FACTORIES))
        pace = sewing_lines.days(world.random, level, days + 1)
        return cls(world.random, pace, world.defect_rate, world.factories, by=by, skew=skew)

    def order(self, day: int) -> None:
        """New lots to be knitted, and those that are knitted, to be linked."""
        for lot in [lot for lot in self.lots if lot["made"] == lot["quantity"] and lot["done"] is None]:
            lot["done"] = day - 1
            if lot["crafts"] == "knit":
                self._lot(lot["lot_id"].replace("knit", "link"), "link", lot["quantity"], day)
        for n in range(self.random.poisson(LOTS_A_DAY)):
            line_days = self.random.uniform(*LINE_DAYS)
            pieces = int(line_days * PAID_MINUTES * sewing_lines.MEAN / SAM_MINUTES)
            self._lot(f"l{day}-{n}-knit", "knit", pieces, day)

    def _lot(self, name: str, craft: str, pieces: int, day: int) -> None:
        lot = {"lot_id": name, "order_id": name.replace("l", "o", 1), "quantity": pieces, "made": 0, "done": None}
        self.lots.append(lot | {"due_on": day_of(day + DUE_IN_DAYS), "crafts": craft, "operations": ROUTING[craft]})

    def known_skills(self, capabilities: pd.DataFrame) -> pd.DataFrame:
        """As plans know them."""
        if self.by == "craft":
            return capabilities
        if self.by == "factory":
            return self.skills()
        faster = [self._apart(*row) for row in capabilities[["factory_id", "name"]].to_numpy()]
        own = capabilities.loc[capabilities["kind"] == "category"].set_index("factory_id")["efficiency_factor"]
        factor = capabilities["factory_id"].map(own) * np.exp(faster)
        return capabilities[["factory_id", "kind", "name", "efficiency"]].assign(efficiency_factor=factor)

    def _apart(self, factory_id: str, name: str) -> float:
        return float(CRAFTS.get(name, 0) * self.skew[int(factory_id[1:])])

    def skills(self) -> pd.DataFrame:
        """Every factory declares the same of both crafts."""
        category = super().skills()
        return pd.concat(
            [category, *(category.assign(kind="craft", name=craft) for craft in CRAFTS)], ignore_index=True
        )

    def tables(self) -> dict[str, pd.DataFrame]:
        """With the operations of each lot."""
        tables = super().tables()
        if "stg_ledger_lots" in tables:
            tables["stg_ledger_lots"]["operations"] = [lot["operations"] for lot in self.lots]
        return tables

    def _craft(self, job: dict[str, Any]) -> str:
        return str(job["lot_id"].rsplit("-", 1)[1])

    def _make(self, job: dict[str, Any], day: int, left: float, efficiency: float, rate: float) -> float:
        made, pace = job["made"], efficiency * np.exp(self._apart(job["factory_id"], self._craft(job)))
        rest = super()._make(job, day, left, pace, rate)
        facts = {"day": day, "factory_id": job["factory_id"], "minutes": left - rest, "pieces": job["made"] - made}
        self.worked.append(facts)
        return rest

    def _scan(self, job: dict[str, Any], at: datetime, pieces: dict[str, int], lost: int) -> None:
        if "ship" not in pieces:
            pieces = {self._craft(job): pieces["cut"], "inspect": pieces["inspect"]}
        super()._scan(job, at, pieces, lost)


def course(seed: int, days: int, by: str) -> dict[str, Any]:
    """A world under one of KNOWN: what a piece costs in its second half, and the share of late lots."""
    world = Hosiery.of(seed, days, by)
    for day in range(1, days + 1):
        world.order(day)
        if any(lot["made"] < lot["quantity"] for lot in world.lots):
            instance, plan, _ = world.plan(day)
            world.release(day, instance, plan)
            world.work(day)
    return {"seed": seed, "by": by} | judged(world, days // 2)


def judged(world: Hosiery, after: int) -> dict[str, float]:
    """What was made after a day: before, nobody has shown much."""
    rows = pd.DataFrame(world.worked).merge(world.factories[["factory_id", "minute_cost"]])
    rows = rows[rows["day"] > after]
    done = [lot for lot in world.lots if lot["done"] is not None and lot["done"] > after]
    late = [max(0, lot["done"] - (lot["due_on"] - FIRST).days) for lot in done]
    pieces = rows["pieces"].sum()
    return {
        "pieces": float(pieces),
        "minutes_per_piece": float(rows["minutes"].sum() / pieces),
        "cost_per_piece": float((rows["minutes"] * rows["minute_cost"]).sum() / pieces),
        "lots": float(len(done)),
        "late_share": sum(days > 0 for days in late) / max(1, len(late)),
    }


def compared(rows: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """Means by what plans know, and what is saved of the cost that the factory's own figures make, with its error."""
    table = pd.DataFrame(rows)
    means = table.groupby("by").mean().drop(columns="seed").reindex(KNOWN)
    cost = table.pivot(index="seed", columns="by", values="cost_per_piece")
    saved = 1 - cost.div(cost["factory"], axis=0)
    return means.assign(saved=saved.mean(), error=saved.std() / np.sqrt(len(saved)))


def main() -> None:
    """Runs the worlds and prints what each way to know costs."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--worlds", type=int, default=4)
    arguments.add_argument("--days", type=int, default=36)
    arguments.add_argument("--seed", type=int, default=901)
    asked = arguments.parse_args()
    cells = list(product(range(asked.seed, asked.seed + asked.worlds), [asked.days], KNOWN))
    with ProcessPoolExecutor(2, get_context("forkserver")) as pool:
        rows = list(pool.map(course, *zip(*cells, strict=True)))
    print(compared(rows).round(4).to_string())


if __name__ == "__main__":
    main()
