"""Random planning instances whose lots are made in stages, and what planning them takes.

Lots need one to four crafts in turn (2.3 on average); each craft is at 40 % of the factories; work passes between any
two factories in 1 to 3 days. Quantities are scaled so that all work is `load` of the regular minutes.

    python -m benchmarks.allocation.staged 200 50 --seed 1 --seconds 60
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from optimization.contract.instances import Instance, write
from optimization.planning.solve import solve
from optimization.verification.verifier import verify

CRAFTS, CRAFT_SHARE = 5, 0.4
_STAGES, _STAGE_SHARES = (1, 2, 3, 4), (0.2, 0.4, 0.3, 0.1)


def draw(lots: int, factories: int, seed: int, days: int = 14, load: float = 0.7) -> Instance:
    """The instance of a seed."""
    r = np.random.default_rng(seed)
    names = [f"F{f}" for f in range(factories)]
    able = r.random((CRAFTS, factories)) < CRAFT_SHARE
    able[np.arange(CRAFTS), r.permutation(factories)[:CRAFTS]] = True
    minutes = r.choice([480, 960, 1440, 2400], (factories, 1)) * (r.random((factories, days)) > 0.12)
    depth = r.choice(_STAGES, lots, p=_STAGE_SHARES)
    crafts = [r.permutation(CRAFTS)[:n] for n in depth]
    size = r.lognormal(0, 0.8, lots)
    size *= load * minutes.sum() / (size * 8.0 * depth).sum()
    quantity = np.maximum(1, size.round()).astype(int)
    tables = {
        "orders": _orders(r, quantity, depth, days),
        "stages": pd.DataFrame(
            [{"order_id": f"L{o}", "stage": s + 1} for o in range(lots) if depth[o] > 1 for s in range(depth[o])]
        ),
        "arcs": pd.DataFrame(
            [row for o in range(lots) for s in range(depth[o]) for row in _arcs(r, o, s, able[crafts[o][s]], quantity)]
        ),
        "capacity": _capacity(names, minutes),
        "transfers": _transfers(r, names),
    }
    return Instance.from_tables(tables, days)


def _orders(r: np.random.Generator, quantity: np.ndarray, depth: np.ndarray, days: int) -> pd.DataFrame:
    release = r.integers(1, 4, len(quantity))
    due = np.minimum(days, release + 3 * depth + r.integers(1, 5, len(quantity)))
    table = {"order_id": [f"L{o}" for o in range(len(quantity))], "quantity": quantity, "release_day": release}
    return pd.DataFrame(table | {"due_day": due}).assign(
        max_late_days=2, max_factories=3, late_cost=0.5, unmet_cost=60.0
    )


def _arcs(r: np.random.Generator, o: int, s: int, able: np.ndarray, quantity: np.ndarray) -> list[dict[str, object]]:
    pace, base = r.uniform(5, 11), r.uniform(1, 4)
    rows = []
    for f in np.flatnonzero(able).tolist():
        row: dict[str, object] = {"order_id": f"L{o}", "stage": s + 1, "factory_id": f"F{f}", "transit_days": 0}
        row |= {
            "unit_cost": round(base * r.uniform(0.8, 1.4), 3),
            "minutes_per_piece": round(pace * r.uniform(0.8, 1.3), 3),
        }
        row |= {"setup_cost": 20.0, "setup_minutes": 30.0, "max_lot": int(quantity[o])}
        rows.append(row | {"min_lot": min(20, int(quantity[o]))})
    return rows


def _capacity(names: list[str], minutes: np.ndarray) -> pd.DataFrame:
    rows = [(f, d + 1, m) for f, row in zip(names, minutes.tolist(), strict=True) for d, m in enumerate(row)]
    table = pd.DataFrame(rows, columns=["factory_id", "day", "minutes"])
    return table.assign(overtime_minutes=0.2 * table["minutes"], overtime_cost=0.3)


def _transfers(r: np.random.Generator, names: list[str]) -> pd.DataFrame:
    rows = [(f, g) for f in names for g in names if f != g]
    table = pd.DataFrame(rows, columns=["from_factory", "to_factory"])
    return table.assign(cost=r.uniform(0.05, 0.4, len(rows)).round(3), days=r.integers(1, 4, len(rows)))


def main() -> None:
    """Plans one instance and prints what came of it."""
    parser = argparse.ArgumentParser()
    for name in ("lots", "factories"):
        parser.add_argument(name, type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--gap", type=float, default=0.01)
    asked = parser.parse_args()
    instance = draw(asked.lots, asked.factories, asked.seed)
    plan = solve(instance, asked.seconds, asked.gap, threads=1)
    with tempfile.TemporaryDirectory() as folder:
        write(instance, Path(folder) / "instance")
        plan.write(Path(folder) / "plan")
        broken = [found.rule for found in verify(Path(folder) / "instance", Path(folder) / "plan").broken]
    facts = {name: plan.report[name] for name in ("status", "objective", "bound", "gap", "seconds")}
    print(facts, plan.report["engine"]["way"], "broken:", broken, "cost:", plan.report["cost"])


if __name__ == "__main__":
    main()
