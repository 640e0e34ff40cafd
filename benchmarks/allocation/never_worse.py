"""A plan is never worse than the rule of thumb, nor than what is in force: instances of all kinds at short limits.

    python -m benchmarks.allocation.never_worse [--first 0] [--count 200] [--limits 1 5 20]

Each plan, the rule's own and what is in force made feasible are judged by `c2m verify`. Results stay under
C2M_HOME/benchmarks/never_worse; what is there is not run again. The exit code is 1 where a plan is worse or breaks a
rule of the contract.
"""

import argparse
import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.allocation.generator import Shape, draw
from c2m.settings import settings
from optimization.contract.instances import Instance, write
from optimization.contract.plan import Plan, cost_parts, unmet_pieces
from optimization.engines.first.rule import greedy
from optimization.engines.first.start_plans import known
from optimization.planning.solve import solve
from optimization.statement.part import whole_of
from optimization.statement.reduction import reduce
from optimization.verification.verifier import verify

KINDS = ("plain", "full", "frozen", "symmetric", "one day", "tight lots", "in parts")
LIMITS_S = (1.0, 5.0, 20.0)
GAP = 1e-3
MONEY = 1e-6  # relative; the contract's tolerance


def drawn(kind: str, seed: int) -> Instance:
    """One instance of a kind."""
    r = np.random.default_rng([seed, KINDS.index(kind)])
    lots, factories = int(r.integers(8, 90)), int(r.integers(4, 30))
    made = Shape(lots, factories, seed, horizon_days=int(r.integers(4, 15)), load=float(r.uniform(0.4, 1.1)))
    if kind == "tight lots":
        made = replace(made, lot_scale=float(r.uniform(2, 6)))
    if kind == "in parts":
        made = replace(made, orders=int(r.integers(150, 400)), factories=int(r.integers(30, 90)), horizon_days=14)
    tables = draw(made)
    _CHANGES[kind](r, tables)
    return Instance.from_tables(tables, horizon_days=made.horizon_days)


def _full(r: np.random.Generator, tables: dict[str, pd.DataFrame], frozen_share: float = 0.0) -> None:
    """Engagement, targets, and half of the book in force as the rule placed it yesterday, when it fitted."""
    capacity = tables["capacity"]
    offered = capacity.groupby("factory_id")["minutes"].sum()
    tables["factories"] = pd.DataFrame(
        {
            "factory_id": offered.index,
            "engagement_cost": r.uniform(0, 600, len(offered)).round(2),
            "target_minutes": (0.3 * offered.to_numpy()).round(1),
            "shortfall_cost": r.uniform(0.01, 0.05, len(offered)).round(4),
        }
    )
    plan = greedy(Instance.from_tables(tables, horizon_days=int(capacity["day"].max())))
    lots = plan.allocation["lot_id"].unique()
    held = plan.allocation[plan.allocation["lot_id"].isin(r.choice(lots, max(1, len(lots) // 2), replace=False))]
    change_cost = 0.15 * float(tables["arcs"]["unit_cost"].median())
    frozen = r.random(len(held)) < frozen_share
    tables["incumbent"] = held.assign(
        change_cost=change_cost, frozen=frozen, setup_done=frozen & (r.random(len(held)) < 0.5)
    )
    grown = r.random(len(tables["orders"])) < 0.2
    tables["orders"].loc[grown, "quantity"] = (1.5 * tables["orders"]["quantity"]).astype(int)


def _frozen(r: np.random.Generator, tables: dict[str, pd.DataFrame]) -> None:
    """As on a real day: most of what is in force is frozen, some factories are full of it to the minute."""
    _full(r, tables, frozen_share=float(r.uniform(0.3, 1.0)))


def _symmetric(r: np.random.Generator, tables: dict[str, pd.DataFrame]) -> None:
    """All factories alike, all arcs of an order alike."""
    arcs, capacity = tables["arcs"], tables["capacity"]
    alike = ["unit_cost", "minutes_per_piece", "setup_cost", "setup_minutes", "min_lot", "max_lot", "transit_days"]
    alike += ["release_day", "max_minutes_per_day"]
    arcs[alike] = arcs.groupby("order_id")[alike].transform("first")
    mean = capacity[["minutes", "overtime_minutes", "overtime_cost"]].mean().round(1)
    tables["capacity"] = capacity.assign(**mean.to_dict())


def _one_day(r: np.random.Generator, tables: dict[str, pd.DataFrame]) -> None:
    """Each lot has one day."""
    tables["arcs"]["transit_days"] = 0
    due_day = tables["orders"]["due_day"]
    tables["orders"] = tables["orders"].assign(release_day=due_day, max_late_days=0)
    tables["arcs"]["release_day"] = np.nan


def _as_drawn(r: np.random.Generator, tables: dict[str, pd.DataFrame]) -> None:
    """No change."""


_CHANGES = dict(zip(KINDS, (_as_drawn, _full, _frozen, _symmetric, _one_day, _as_drawn, _frozen), strict=True))


def floors(instance: Instance) -> dict[str, Plan]:
    """The rule's plan and, where something is in force, that made feasible, as plans of their own."""
    reduced = reduce(instance)
    w = whole_of(instance, reduced)
    plans = {"rule": greedy(instance)}
    for name, draft in known(w).items():
        if name.startswith("in force"):
            plans[name] = reported(instance, w.allocation(draft), w.schedule(draft))
    return plans


def reported(instance: Instance, allocation: pd.DataFrame, days: pd.DataFrame) -> Plan:
    """A plan with the report of one about whose quality nothing is known."""
    cost, left = cost_parts(instance, allocation, days), unmet_pieces(instance, allocation)
    unmet = [{"order_id": o, "quantity": int(n), "reason": "not in force"} for o, n in left[left > 0].items()]
    report = {"status": "feasible", "objective": sum(cost.values()), "bound": 0.0, "bound_by": "lagrangian", "gap": 1.0}
    return Plan(allocation, days, report | {"cost": cost, "unmet": unmet, "instance_sha256": instance.sha256})


def checked(instance: Instance, plan: Plan, folder: Path) -> tuple[float, list[str]]:
    """The cost that the verifier finds, and the rules that the plan breaks."""
    plan.write(folder / "plan")
    report = verify(folder / "instance", folder / "plan")
    return report.objective, [str(broken) for broken in report.broken]


def judged(instance: Instance, limit_s: float, folder: Path) -> dict[str, Any]:
    """One plan beside its floors."""
    write(instance, folder / "instance")
    floors_of = {name: checked(instance, plan, folder) for name, plan in floors(instance).items()}
    known_costs = {name: cost for name, (cost, _) in floors_of.items()}
    floors_broken = [rule for _, rules in floors_of.values() for rule in rules]
    began = time.monotonic()
    plan = solve(instance, limit_s, GAP)
    seconds = time.monotonic() - began
    cost, broken = checked(instance, plan, folder)
    floor = min(known_costs.values())
    facts = {name: plan.report[name] for name in ("gap", "stopped_by")} | {"in_force": len(instance.incumbent)}
    return facts | {
        "cost": cost,
        "known": known_costs,
        "worse": cost > floor + MONEY * abs(floor),
        "broken": broken + floors_broken,
        "seconds": seconds,
    }


def main() -> None:
    """Runs what is missing, prints a table by kind and limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=0, help="number of the first instance")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--limits", type=float, nargs="+", default=LIMITS_S)
    arguments = parser.parse_args()
    home = settings().home / "benchmarks" / "never_worse"
    home.mkdir(parents=True, exist_ok=True)
    results = []
    for number in range(arguments.first, arguments.count):
        kind, seed = KINDS[number % len(KINDS)], 1000 + number
        for limit_s in arguments.limits:
            file = home / f"{kind.replace(' ', '_')}_{seed}_{limit_s:g}s.json"
            if not file.is_file():
                found = judged(drawn(kind, seed), limit_s, home / "work")
                file.write_text(json.dumps({"kind": kind, "seed": seed, "limit_s": limit_s} | found), encoding="utf-8")
            results.append(json.loads(file.read_text(encoding="utf-8")))
    table = pd.DataFrame(results)
    table["over_s"] = table["seconds"] - table["limit_s"]
    table["below_rule"] = 1 - table["cost"] / [known["rule"] for known in table["known"]]
    table["not_verified"] = table["broken"].map(len) > 0
    table["by_gap"] = table["stopped_by"] == "gap"
    summary = table.groupby(["kind", "limit_s"]).agg(
        plans=("seed", "size"),
        worse=("worse", "sum"),
        not_verified=("not_verified", "sum"),
        least_below_rule=("below_rule", "min"),
        mean_below_rule=("below_rule", "mean"),
        by_gap=("by_gap", "sum"),
        mean_gap=("gap", "mean"),
        longest_over_s=("over_s", "max"),
    )
    print(summary.round(4).to_string())
    sys.exit(int(table["worse"].any() or table["not_verified"].any()))


if __name__ == "__main__":
    main()
