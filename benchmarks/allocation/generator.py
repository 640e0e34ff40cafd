"""Random planning instances of any size, as Parquet: what each knob of `Shape` makes harder is drawn, not fixed.

Categories decide which factories can make an order. Half of an order's candidates are its cheapest, half any others.
Quantities are scaled so that all work is `load` of the regular minutes. One seed gives one instance.

    python -m benchmarks.allocation.generator FOLDER own_1000x200_s1,load=0.8,candidates=5
"""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pandas as pd

from c2m.files import write_with

CATEGORIES = 12
_BLOCK = 4_000_000  # cells of the orders x factories matrix held at once
_NAME = re.compile(r"own_(\d+)x(\d+)_s(\d+)((?:,\w+=[\d.]+)*)")


@dataclass(frozen=True)
class Shape:
    """What an instance is like."""

    orders: int
    factories: int
    seed: int
    horizon_days: int = 14
    load: float = 0.65  # work at standard minutes over regular minutes
    slack_days: int = 10  # from release to due date: 2 to this many days
    off_share: float = 0.12  # factory days without work
    lot_scale: float = 1.0  # times minimum lots of 50 to 300 pieces
    candidates: int = 10  # factories per order, at most
    capped_share: float = 0.3  # pairs that only some of the factory's lines can run
    delayed_share: float = 0.3  # pairs whose material comes after the order's release
    setup_scale: float = 1.0  # times setups of 60 to 600 minutes
    release_scale: float = 1.0  # times the days from day 1 to an order's release


def shape(name: str) -> Shape | None:
    """The shape that a name such as own_1000x200_s1,load=0.8 tells; None where it is no such name."""
    if not (match := _NAME.fullmatch(name)):
        return None
    kinds = {field.name: field.type for field in fields(Shape)}
    knobs = dict(knob.split("=") for knob in match[4].split(",")[1:])
    return Shape(*map(int, match.group(1, 2, 3)), **{key: kinds[key](value) for key, value in knobs.items()})


def keep(tables: dict[str, pd.DataFrame], folder: Path) -> None:
    """Writes the tables of an instance."""
    for name, table in tables.items():
        write_with(folder / f"{name}.parquet", lambda part, table=table: table.to_parquet(part, index=False))


def draw(made: Shape) -> dict[str, pd.DataFrame]:
    """The tables orders, arcs and capacity."""
    r = np.random.default_rng(made.seed)
    factories = _factories(r, made.factories)
    capacity = _capacity(r, made, factories)
    orders = _orders(r, made, capacity["minutes"].sum())
    arcs = _arcs(r, made, orders, factories)
    unit_cost = arcs["unit_cost"].median()
    orders["late_cost"] = (unit_cost * r.choice([0.05, 0.1, 0.3], made.orders)).round(4)
    orders["unmet_cost"] = (unit_cost * r.choice([4, 8], made.orders)).round(3)
    return {
        "orders": orders.drop(columns=["category", "standard_minutes", "x", "y"]),
        "arcs": arcs,
        "capacity": capacity,
    }


def _factories(r: np.random.Generator, n: int) -> pd.DataFrame:
    lines = r.integers(1, 8, n)
    skills = np.argsort(r.random((n, CATEGORIES)), axis=1).argsort(axis=1) < r.integers(1, 5, n)[:, None]
    frame = pd.DataFrame(skills, columns=[f"makes_{category}" for category in range(CATEGORIES)])
    return frame.assign(
        factory_id=np.char.add("F", np.arange(n).astype(str)),
        lines=lines,
        minutes_per_day=lines * 12 * 480 * r.uniform(0.3, 0.8, n),
        minute_cost=r.lognormal(np.log(0.35), 0.25, n),
        setup_cost=r.uniform(60, 400, n).round(2),
        setup_minutes=r.uniform(60, 600, n).round(1),
        min_lot=r.choice([50, 100, 100, 200, 300], n),
        x=r.random(n),
        y=r.random(n),
    )


def _capacity(r: np.random.Generator, made: Shape, factories: pd.DataFrame) -> pd.DataFrame:
    size = (made.factories, made.horizon_days)
    works = r.random(size) >= made.off_share
    minutes = np.where(works, factories["minutes_per_day"].to_numpy()[:, None] * r.uniform(0.85, 1.0, size), 0.0).round(
        1
    )
    return pd.DataFrame(
        {
            "factory_id": np.repeat(factories["factory_id"].to_numpy(), made.horizon_days),
            "day": np.tile(np.arange(1, made.horizon_days + 1), made.factories),
            "minutes": minutes.ravel(),
            "overtime_minutes": (0.2 * minutes).round(1).ravel(),
            "overtime_cost": np.repeat((0.6 * factories["minute_cost"].to_numpy()).round(4), made.horizon_days),
        }
    )


def _orders(r: np.random.Generator, made: Shape, minutes: float) -> pd.DataFrame:
    n = made.orders
    standard_minutes = r.uniform(4, 32, n)
    pieces = np.maximum(60, np.exp(r.normal(5.9, 1.0, n)))
    scale = made.load * minutes / (pieces * standard_minutes).sum()
    release_day = r.integers(1, 2 + made.horizon_days // 4, n)
    due_day = np.minimum(made.horizon_days, release_day + r.integers(2, made.slack_days + 1, n))
    return pd.DataFrame(
        {
            "order_id": np.char.add("O", np.arange(n).astype(str)),
            "quantity": np.maximum(60, pieces * scale).astype(int),
            "release_day": 1 + ((release_day - 1) * made.release_scale).astype(int),
            "due_day": due_day,
            "max_late_days": r.choice([0, 2, 5], n),
            "max_factories": r.choice([1, 2, 3, 4, 6], n),
            "category": r.integers(0, CATEGORIES, n),
            "standard_minutes": standard_minutes,
            "x": r.random(n),
            "y": r.random(n),
        }
    )


def _arcs(r: np.random.Generator, made: Shape, orders: pd.DataFrame, factories: pd.DataFrame) -> pd.DataFrame:
    """The candidate pairs: their factories picked block by block, all else by column."""
    picked = [_picked(r, made.candidates, *block) for block in _blocks(orders, factories)]
    o, f, cost, distance = (np.concatenate(parts) for parts in zip(*picked, strict=True))
    return _priced(r, made, orders.iloc[o], factories.iloc[f], cost, distance)


def _blocks(orders: pd.DataFrame, factories: pd.DataFrame) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    """Orders of one category with the factories that can make it, all where none can."""
    for category, wanted in orders.groupby("category"):
        able = factories[factories[f"makes_{category}"]]
        able = able if len(able) else factories
        step = max(1, _BLOCK // len(able))
        yield from ((wanted.iloc[start : start + step], able) for start in range(0, len(wanted), step))


def _picked(
    r: np.random.Generator, k: int, orders: pd.DataFrame, factories: pd.DataFrame
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Positions of orders and factories, cost per piece and distance of k pairs per order."""
    gap = [orders[axis].to_numpy()[:, None] - factories[axis].to_numpy() for axis in ("x", "y")]
    distance = np.hypot(*gap)
    effort = orders["standard_minutes"].to_numpy()[:, None] * factories["minute_cost"].to_numpy()
    cost = effort * r.uniform(0.9, 1.15, distance.shape) + 1.5 * distance
    k = min(k, len(factories))
    key = r.random(cost.shape)  # below 1: any; the k // 2 cheapest come before all of them
    if k >= 2:
        cheapest = np.argpartition(cost, k // 2 - 1, axis=1)[:, : k // 2]
        np.put_along_axis(key, cheapest, -1.0, axis=1)
    column = np.sort(np.argpartition(key, k - 1, axis=1)[:, :k], axis=1).ravel()
    row = np.repeat(np.arange(len(orders)), k)
    index = orders.index.to_numpy()[row], factories.index.to_numpy()[column]
    return *index, cost[row, column], distance[row, column]


def _priced(
    r: np.random.Generator,
    made: Shape,
    orders: pd.DataFrame,
    factories: pd.DataFrame,
    cost: np.ndarray,
    distance: np.ndarray,
) -> pd.DataFrame:
    n, quantity = len(orders), orders["quantity"].to_numpy()
    min_lot = (factories["min_lot"].to_numpy() * made.lot_scale).astype(int)
    min_lot = np.where((min_lot > quantity) & (r.random(n) < 0.5), quantity, min_lot)
    lines = factories["lines"].to_numpy()
    able_lines = r.integers(1, lines + 1) / lines
    cap = (factories["minutes_per_day"].to_numpy() * able_lines).round(1)
    delay = np.where(r.random(n) < made.delayed_share, r.integers(1, 4, n), 0)
    return pd.DataFrame(
        {
            "order_id": orders["order_id"].to_numpy(),
            "factory_id": factories["factory_id"].to_numpy(),
            "unit_cost": cost.round(4),
            "minutes_per_piece": (orders["standard_minutes"].to_numpy() * r.uniform(0.9, 1.2, n)).round(4),
            "setup_cost": factories["setup_cost"].to_numpy(),
            "setup_minutes": (factories["setup_minutes"].to_numpy() * made.setup_scale).round(1),
            "min_lot": min_lot,
            "max_lot": np.maximum(min_lot, (quantity * r.choice([1, 1, 1, 0.6], n)).astype(int)),
            "transit_days": (2 * distance).round().astype(int),
            "release_day": orders["release_day"].to_numpy() + delay,
            "max_minutes_per_day": np.where(r.random(n) < made.capped_share, cap, np.nan),
        }
    )


if __name__ == "__main__":
    keep(draw(shape(sys.argv[2])), Path(sys.argv[1]))
