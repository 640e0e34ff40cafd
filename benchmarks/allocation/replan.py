"""The day after: a plan is in force, some factories are down, some orders have grown. How dear is a change then?

    replan_200x50_s1,price=0.3      own_200x50_s1 of benchmarks/allocation/generator.py on the day after; taking a
    piece from its
                                    factory costs 0.3 times the median piece
    replan_200x50_s1,price=0.3,accepted=0.95    the factories accepted 95 % of their job orders: frozen, as on a
                                    real day, except at the factories that are down

The plan in force is found once and kept under C2M_HOME, so that every price starts from the same one.
"""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.allocation import generator
from c2m.settings import settings

SECONDS = 60  # for the plan in force
DOWN_SHARE, DOWN_DAYS = 0.10, 3  # of the factories; from day 1
GROWN_SHARE, GROWTH = 0.05, 1.5  # of the orders; times their pieces
_NAME = re.compile(r"replan_(\w+),price=([\d.]+)(?:,accepted=([\d.]+))?")


def base(name: str) -> tuple[generator.Shape, float, float] | None:
    """The shape, the price and the accepted share that a name tells; None where it is no such name."""
    match = _NAME.fullmatch(name)
    made = generator.shape(f"own_{match[1]}") if match else None
    return (made, float(match[2]), float(match[3] or 0)) if match and made else None


def write(made: generator.Shape, price: float, accepted: float, folder: Path) -> None:
    """Draws the day after and writes it."""
    tables, r = generator.draw(made), np.random.default_rng(made.seed)
    down, held = _disturb(r, tables), _in_force(made)
    frozen = (r.random(len(held)) < accepted) & ~held["factory_id"].isin(down)
    change_cost = price * tables["arcs"]["unit_cost"].median()
    tables["incumbent"] = held.assign(change_cost=change_cost, frozen=frozen)
    generator.keep(tables, folder)


def _disturb(r: np.random.Generator, tables: dict[str, pd.DataFrame]) -> np.ndarray:
    """Stops some factories, grows some orders; returns the factories."""
    capacity, orders = tables["capacity"], tables["orders"]
    factories = capacity["factory_id"].unique()
    down = r.choice(factories, max(1, round(DOWN_SHARE * len(factories))), replace=False)
    stopped = capacity["factory_id"].isin(down) & (capacity["day"] <= DOWN_DAYS)
    capacity.loc[stopped, ["minutes", "overtime_minutes"]] = 0.0
    grown = r.random(len(orders)) < GROWN_SHARE
    orders.loc[grown, "quantity"] = (orders["quantity"] * GROWTH).astype(int)
    return np.asarray(down)


def _in_force(made: generator.Shape) -> pd.DataFrame:
    folder = settings().home / "benchmarks" / f"in_force_{made.orders}x{made.factories}_s{made.seed}"
    if not (folder / "plan" / "report.json").is_file():
        generator.keep(generator.draw(made), folder / "instance")
        command = [sys.executable, "-m", "c2m.cli", "allocate", str(folder / "instance"), "--out", str(folder / "plan")]
        subprocess.run([*command, "--time-limit", str(SECONDS), "--gap", "1e-4"], check=True, capture_output=True)
    return pd.read_csv(folder / "plan" / "allocation.csv")
