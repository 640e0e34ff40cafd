"""Do promised dates hold as stated? Simulated lines, real instance, solver and promise, then the days as they come.

    .venv-bench/bin/python -m benchmarks.promised_dates [--worlds 150] [--level 0.9] [--seed 27182]

A factory is one line of benchmarks/sewing_lines.py. What the platform knows of it are its own last 60 days, through
the marts' SQL. Orders of 2 to 24 line-days are split over 1 to 4 factories. Then each line works its plan off, in the
plan's order, on days drawn on from its history, a change of style costing what it costs. An order holds when its last
piece arrives by the promised day; beside it the naive promise: the plan's last day, at mean efficiency.
"""

import argparse
from datetime import date, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks import sewing_lines
from benchmarks.score_marts import marts
from c2m.settings import PlanPolicy
from optimization.arcs import transit_days
from optimization.chance import in_order, promises
from optimization.orderbook import build_instance
from optimization.problem import Instance
from optimization.solve import solve

Floats = NDArray[np.float64]

DAY = date(2026, 3, 2)
HISTORY, FUTURE, HORIZON = 60, 120, 35  # working days known, working days to come, days of a plan
FACTORIES, ORDERS = 12, 9  # of a world
PAID_MINUTES, SAM_MINUTES = 58 * 480.0, 15.0  # a line of garment_productivity; a basic garment
CHANGE_MINUTES = (1 - sewing_lines.CHANGE_RATIO) * PAID_MINUTES
LINE_DAYS = {"small": (2, 5), "medium": (6, 12), "large": (13, 24)}


def calendar(ids: list[str]) -> pd.DataFrame:
    """Every seventh day off, from the first day known on."""
    days = [DAY + timedelta(days=n) for n in range(-100, 200) if n % 7 != 6]
    frame = pd.MultiIndex.from_product([ids, days], names=["factory_id", "day"]).to_frame(index=False)
    return frame.assign(minutes=PAID_MINUTES, overtime_minutes=0.0)


def known(ids: list[str], efficiency: Floats) -> dict[str, pd.DataFrame]:
    """The marts on the evening before DAY, of factories with HISTORY days of efficiency (F, HISTORY)."""
    facts = {"latitude": 19.0, "longitude": 73.0, "currency": "USD", "lines": 1, "minute_cost": 0.1, "status": "active"}
    facts |= {"overtime_minute_cost": 0.15, "setup_cost": 0.0, "setup_minutes": CHANGE_MINUTES, "engagement_cost": 0.0}
    facts |= {
        "min_lot": 50,
        "small_order_willingness": 1.0,
        "handling_days": 1,
        "audit_score": None,
        "certificates": "",
    }
    worked = calendar(ids)
    past = worked[worked["day"] < DAY].groupby("factory_id", sort=False).tail(HISTORY)
    speed = past[["factory_id", "day"]].assign(
        earned_minutes=efficiency.ravel() * PAID_MINUTES, planned_minutes=sewing_lines.MEAN * PAID_MINUTES
    )
    skills = pd.DataFrame({"factory_id": ids, "kind": "category", "name": "shirt", "efficiency": sewing_lines.MEAN})
    tables = {"stg_factories": pd.DataFrame({"factory_id": ids}).assign(**facts), "stg_factory_calendar": worked}
    tables |= {"stg_factory_capabilities": skills, "int_factory_speed": speed}
    return marts(tables, DAY) | {"capabilities": skills, "calendar": worked}


def order_book(random: np.random.Generator) -> pd.DataFrame:
    """Orders of one lot each; due so that they need the factories over which they may be split."""
    size = random.choice(list(LINE_DAYS), ORDERS)
    line_days = np.array([random.uniform(*LINE_DAYS[name]) for name in size])
    most = random.choice([1, 2, 3, 4], ORDERS, p=[0.2, 0.25, 0.25, 0.3])
    pieces = np.round(line_days * PAID_MINUTES * sewing_lines.MEAN / SAM_MINUTES).astype(int)
    due = np.ceil(line_days / most * 1.4 + random.integers(4, 9, ORDERS)).astype(int)
    frame = pd.DataFrame({"lot_id": [f"l{n}" for n in range(ORDERS)], "quantity": pieces, "size": size})
    frame["order_id"] = frame["lot_id"].str.replace("l", "o")
    frame["max_factories"], frame["due_on"] = most, [DAY + timedelta(days=int(days)) for days in due]
    facts = {"merchant_id": "m", "parent_order_id": None, "category": "shirt", "crafts": "", "release_on": None}
    facts |= {
        "unit_value": 20.0,
        "unit_cost_basis": 8.0,
        "currency": "USD",
        "sam_minutes": SAM_MINUTES,
        "priority": None,
    }
    facts |= {"destination_latitude": 19.0, "destination_longitude": 73.0, "committed": 0}
    return frame.assign(**facts, remaining=pieces)


def split(instance: Instance, factories_of: dict[str, int]) -> Instance:
    """The instance with order caps such that each lot needs the factories that may share it."""
    quantity = instance.arcs["order_id"].map(instance.orders.set_index("order_id")["quantity"])
    share = np.ceil(1.1 * quantity / instance.arcs["order_id"].map(factories_of)).clip(upper=quantity).astype(int)
    tables = {name: getattr(instance, name) for name in ("orders", "capacity", "factories", "incumbent")}
    tables["arcs"] = instance.arcs.assign(max_lot=share)
    return Instance.from_tables(tables, instance.horizon_days, instance.day_1, instance.currency)


def finishes(instance: Instance, schedule: pd.DataFrame, efficiency: dict[str, Floats]) -> "pd.Series[int]":
    """The day on which each lot's last piece leaves its last factory, as the days come."""
    done: dict[str, int] = {}
    for factory_id, rows in schedule.groupby("factory_id"):
        for lot, day in _worked(instance, in_order(rows), efficiency[str(factory_id)]):
            done[lot] = max(done.get(lot, 0), day)
    return pd.Series(done)


def _worked(instance: Instance, chunks: pd.DataFrame, efficiency: Floats) -> list[tuple[str, int]]:
    """Lot and day of each chunk's end; efficiency from the first working day of the plan on."""
    pace = instance.arcs.set_index(["order_id", "factory_id"])["minutes_per_piece"]
    finished, begun, day, left = [], set(), 0, 0.0
    of_day = iter(efficiency)
    for row in chunks.itertuples():
        pieces = row.run_minutes / pace[row.order_id, row.factory_id]
        work = pieces * SAM_MINUTES  # standard minutes; without defects yield counts for nothing
        while True:
            if left <= 0:
                day += 1
                while (day + 1) % 7 == 0:  # day 1 is the date after DAY, day n is DAY + n
                    day += 1
                left = whole = PAID_MINUTES * next(of_day)
                changed = False
            if row.order_id not in begun and not changed:
                # The ratio is that of whole days with a change, at whichever hour: not a share of what is left of one.
                work, changed = work + (1 - sewing_lines.CHANGE_RATIO) * whole, True
            begun.add(row.order_id)
            if work <= left:
                left -= work
                break
            work, left = work - left, 0.0
        finished.append((str(row.order_id), day))
    return finished


def world(
    random: np.random.Generator, factories: pd.DataFrame, book: dict[str, pd.DataFrame], days: Floats, level: float
) -> pd.DataFrame:
    """One plan: an order a row, with what was promised and what came."""
    lots, ids = order_book(random), list(factories["factory_id"])
    live = pd.DataFrame(columns=["lot_id", "factory_id", "remaining", "state", "accepted"])
    refusals = pd.DataFrame(columns=["lot_id", "factory_id"])
    policy = PlanPolicy.model_validate({"horizon_days": HORIZON, "max_late_days": 20, "promise_level": level})
    capabilities, times, scores = (book[name] for name in ("capabilities", "calendar", "factory_scores"))
    of = [frame[frame["factory_id"].isin(ids)] for frame in (capabilities, times, scores)]
    instance = build_instance(lots, live, refusals, factories, *of, policy, DAY)
    assert instance is not None
    instance = split(instance, dict(zip(lots["lot_id"], lots["max_factories"], strict=True)))
    plan = solve(instance, time_limit_s=60, gap=1e-2, threads=1, node_limit=100)
    named = lots.rename(columns={"order_id": "whole_order", "lot_id": "order_id"})
    pairs = pd.MultiIndex.from_product([named["order_id"], ids], names=["order_id", "factory_id"])
    transit = pairs.to_frame(index=False).assign(transit_days=transit_days(named, factories).ravel())
    order_of_lot = named.set_index("order_id")["whole_order"]
    promised = promises(instance, plan.schedule, transit, factories, order_of_lot, level).set_index("order_id")
    came = finishes(instance, plan.schedule, dict(zip(ids, days, strict=True))) + 1  # handling
    pairs = plan.allocation.groupby("order_id").size()
    made = plan.allocation.groupby("order_id")["quantity"].sum()
    rows = lots.set_index("lot_id")[["order_id", "size", "quantity"]].assign(pairs=pairs, made=made, came=came)
    return rows[rows["made"] == rows["quantity"]].join(promised, on="order_id")


def run(worlds: int, level: float, seed: int) -> pd.DataFrame:
    """All worlds' orders. The day between history and plan, DAY itself, is worked and not known."""
    random = np.random.default_rng(seed)
    ids = [f"F{n:05d}" for n in range(worlds * FACTORIES)]
    days = sewing_lines.days(random, sewing_lines.levels(random, len(ids)), HISTORY + 1 + FUTURE)
    book = known(ids, days[:, :HISTORY])
    factories = book["factories"].sort_values("factory_id", ignore_index=True)
    parts = [slice(n * FACTORIES, (n + 1) * FACTORIES) for n in range(worlds)]
    return pd.concat(
        world(random, factories[part].reset_index(drop=True), book, days[part, HISTORY + 1 :], level).assign(world=n)
        for n, part in enumerate(parts)
    )


def table(rows: pd.DataFrame, by: str) -> pd.DataFrame:
    """Share of whole orders that came by the promised day, and what the promise said; the naive one beside it."""
    rows = rows.assign(
        promise_held=rows["came"] <= rows["promised_day"],
        naive_held=rows["came"] <= rows["planned_day"],
        days_added=rows["promised_day"] - rows["planned_day"],
    )
    shown = {"orders": ("came", "size"), "stated": ("probability", "mean"), "promise_held": ("promise_held", "mean")}
    shown |= {"naive_held": ("naive_held", "mean"), "days_added": ("days_added", "mean")}
    found = rows.groupby(by)
    off = rows["promise_held"] - found["promise_held"].transform("mean")
    of_world = off.groupby([rows[by], rows["world"]]).sum()  # orders of a world share its factories
    error = np.sqrt((of_world**2).groupby(by).sum()) / found.size()
    return found.agg(**shown).assign(standard_error=error).round(3)


def main() -> None:
    """Prints the tables."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--worlds", type=int, default=150)
    arguments.add_argument("--level", type=float, default=0.9)
    arguments.add_argument("--seed", type=int, default=27182)
    asked = arguments.parse_args()
    rows = run(asked.worlds, asked.level, asked.seed).assign(all="orders")
    for by in ("all", "pairs", "size"):
        print(table(rows, by).to_string(), end="\n\n")


if __name__ == "__main__":
    main()
