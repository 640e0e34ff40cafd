"""Does a factory that gets worse lose work within days, and win it back? A small world, day by day, drawn as a picture.

    .venv/bin/python -m benchmarks.scores.share [--worlds 24] [--days 36] [--seed 501] [--picture FILE]

8 factories of one line (days as in benchmarks/finish/sewing_lines.py; a plan takes a factory's minutes as one pool,
and with several lines a job order would take longer on one of them than it says), 36 days of orders. On day 10 one
factory earns 30 % less, spoils four times as many pieces and answers after half a day instead of hours; on day 22 it
is as before. Each day: the marts' SQL on what job orders and scans tell, the real instance and solver, job orders,
work.
"""

import argparse
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from multiprocessing import get_context  # a fork of a process with threads may wait for a lock for ever
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from benchmarks.finish import sewing_lines
from benchmarks.marts.scores import marts
from c2m.settings import PlanPolicy
from optimization.book.daily_instance import build_instance
from optimization.book.plan_proposal import dated_allocation
from optimization.contract.instances import Instance
from optimization.contract.plan import Plan
from optimization.planning.solve import solve

Floats = NDArray[np.float64]

FIRST = date(2026, 3, 1)  # day 1 is the day after
FACTORIES, LINES, LOTS_A_DAY = 8, 1, 3
WORSE_FROM, WORSE_UNTIL, WORSE = 10, 22, 3  # days, and the factory
JUDGED = 15  # day on which half of the share should be lost; day 10 itself is planned on what was known before
EFFICIENCY_WHEN_WORSE, DEFECTS_WHEN_WORSE, ANSWER_HOURS, ANSWER_HOURS_WHEN_WORSE = 0.7, 4.0, 2.0, 11.0
DEFECT_RATE = 0.02
PAID_MINUTES, SETUP_MINUTES = 58 * 480.0, 200.0
SAM = {"cut": 1.0, "sew": 11.0, "finish": 1.0, "inspect": 1.0, "pack": 1.0}
SAM_MINUTES = sum(SAM.values())
ACCEPT_WITHIN_HOURS = 12.0
WAY_DAYS = 1  # from every factory to every destination, all of it handling
WINDOW = 3  # days over which a share is taken: a day has few lots
POLICY = PlanPolicy.model_validate(
    {"horizon_days": 14, "max_late_days": 5, "max_factories": 2, "candidate_factories": 8}
)
PICTURE = Path(__file__).parents[2] / "docs" / "images" / "factory_score.svg"


def day_of(number: int) -> date:
    """The date of day `number`."""
    return FIRST + timedelta(days=number)


@dataclass
class World:
    """What is true (efficiency, defects, answers), and what the ledger and the floor have written down."""

    random: np.random.Generator
    efficiency: Floats  # (factories, days)
    defect_rate: Floats
    factories: pd.DataFrame
    lots: list[dict[str, Any]] = field(default_factory=list)
    job_orders: list[dict[str, Any]] = field(default_factory=list)
    scans: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def drawn(cls, seed: int, days: int) -> "World":
        """Factories that differ in price, level and care."""
        random = np.random.default_rng(seed)
        efficiency = sewing_lines.days(random, sewing_lines.levels(random, FACTORIES), days + 1)
        efficiency[WORSE, WORSE_FROM:WORSE_UNTIL] *= EFFICIENCY_WHEN_WORSE
        facts = {
            "latitude": 19.0,
            "longitude": 73.0,
            "currency": "USD",
            "lines": LINES,
            "setup_cost": 5.0,
            "status": "active",
        }
        facts |= {"setup_minutes": SETUP_MINUTES, "engagement_cost": 0.0, "min_lot": 50, "small_order_willingness": 1.0}
        facts |= {"handling_days": WAY_DAYS, "audit_score": None, "certificates": "", "timezone": "UTC"}
        facts["onboarding"] = "active"
        factories = pd.DataFrame({"factory_id": [f"F{n:02d}" for n in range(FACTORIES)]}).assign(**facts)
        factories["minute_cost"] = random.uniform(0.095, 0.105, FACTORIES)
        factories.loc[WORSE, "minute_cost"] = 0.096  # of the cheaper half: it has work to lose
        factories["overtime_minute_cost"] = 1.5 * factories["minute_cost"]
        return cls(random, efficiency, DEFECT_RATE * np.exp(random.normal(0, 0.3, FACTORIES)), factories)

    def worse(self, factory: int, day: int) -> bool:
        """Whether this is the factory in its bad days."""
        return factory == WORSE and WORSE_FROM <= day < WORSE_UNTIL

    def order(self, day: int) -> None:
        """The day's orders: 0.7 to 2.3 days of a line each, two thirds of the capacity together."""
        for n in range(self.random.poisson(LOTS_A_DAY)):
            pieces = int(self.random.uniform(0.7, 2.3) / LINES * PAID_MINUTES * sewing_lines.MEAN / SAM_MINUTES)
            due = day_of(day + int(self.random.integers(5, 10)))
            lot = {"lot_id": f"l{day}-{n}", "order_id": f"o{day}-{n}", "quantity": pieces, "due_on": due, "made": 0}
            self.lots.append(lot)

    def plan(self, day: int) -> tuple[Instance, Plan, dict[str, pd.DataFrame]]:
        """Marts, instance and plan of a day."""
        known = marts(self.tables(), day_of(day)) | {"calendar": self.calendar()}
        known["capabilities"] = self.known_skills(known["factory_capabilities"])
        facts = {
            "merchant_id": "m",
            "source": "merchant",
            "parent_order_id": None,
            "category": "shirt",
            "crafts": "",
            "release_on": None,
            "promised_on": None,
            "quoted": False,
        }
        facts |= {"unit_value": 20.0, "unit_cost_basis": 8.0, "currency": "USD", "sam_minutes": SAM_MINUTES}
        facts |= {"destination_latitude": 19.0, "destination_longitude": 73.0, "priority": None, "max_factories": None}
        columns = ["lot_id", "factory_id", "quantity", "made", "state", "accepted"]
        live = pd.DataFrame([job for job in self.job_orders if job["live"]], columns=columns)
        live["remaining"] = live["quantity"] - live["made"]
        lots = pd.DataFrame([facts | lot for lot in self.lots])
        lots["remaining"] = lots["quantity"] - lots["made"]
        lots["committed"] = lots["lot_id"].map(live.groupby("lot_id")["remaining"].sum()).fillna(0)
        refusals = pd.DataFrame(columns=["lot_id", "factory_id"])
        frames = (known[name] for name in ("factories", "capabilities", "calendar", "factory_scores"))
        instance = build_instance(lots[lots["remaining"] > 0], live, refusals, *frames, POLICY, day_of(day))
        assert instance is not None
        return instance, solve(instance, time_limit_s=60, gap=2e-2, threads=1, node_limit=5), known

    def release(self, day: int, instance: Instance, plan: Plan) -> "pd.Series[float]":
        """New job orders and the factories' answers; pieces given to each factory beyond what it had."""
        dated = dated_allocation(instance, plan.allocation, plan.schedule)
        held = {(job["lot_id"], job["factory_id"]): 0 for job in self.job_orders if job["live"]}
        for job in self.job_orders:
            if job["live"]:
                held[job["lot_id"], job["factory_id"]] += job["quantity"] - job["made"]
        given = dated.assign(
            pieces=[row.quantity - held.get((row.lot_id, row.factory_id), 0) for row in dated.itertuples(index=False)]
        )
        for row in given[given["pieces"] > 0].itertuples():
            number = int(str(row.factory_id)[1:])
            usual = ANSWER_HOURS_WHEN_WORSE if self.worse(number, day) else ANSWER_HOURS
            hours = float(self.random.lognormal(np.log(usual), 0.3))
            accepted = hours <= ACCEPT_WITHIN_HOURS
            released = datetime.combine(day_of(day), time(6))
            decided = released + timedelta(hours=min(hours, ACCEPT_WITHIN_HOURS))
            job = {"job_order_id": f"j{len(self.job_orders)}", "lot_id": row.lot_id, "factory_id": row.factory_id}
            job |= {"order_id": str(row.lot_id).replace("l", "o"), "quantity": int(row.pieces), "made": 0, "lost": 0}
            job |= {"state": "AllowedToStart" if accepted else "Expired", "accepted": accepted or None}
            job |= {"start_on": row.start_on, "due_on": row.finish_on, "released_at": released, "changed_at": decided}
            job["ends_by"] = row.finish_on - timedelta(days=WAY_DAYS)
            job |= {
                "answered_at": decided if accepted else None,
                "ended_at": None,
                "live": accepted,
                "setup": 0.0,
                "line": None,
            }
            self.job_orders.append(job)
        return given.groupby("factory_id")["pieces"].sum().clip(lower=0)

    def work(self, day: int) -> None:
        """Each factory works on its job orders, in the order of their start, for the paid minutes of a day."""
        for number, factory_id in enumerate(self.factories["factory_id"]):
            mine = [job for job in self.job_orders if job["live"] and job["factory_id"] == factory_id]
            open_minutes = PAID_MINUTES / LINES if day_of(day).weekday() != 6 else 0.0
            left = dict.fromkeys(range(LINES), open_minutes)
            rate = self.defect_rate[number] * (DEFECTS_WHEN_WORSE if self.worse(number, day) else 1.0)
            for job in sorted(mine, key=lambda job: (job["line"] is None, job["start_on"], job["due_on"])):
                if job["line"] is None:
                    job["line"] = max(left, key=lambda line: left[line])
                if job["start_on"] <= day_of(day) and left[job["line"]] > 0:
                    pace = float(self.efficiency[number, day])
                    left[job["line"]] = self._make(job, day, left[job["line"]], pace, rate)
                elif not job["made"]:
                    job["line"] = None  # not begun: the first line that is free takes it

    def _make(self, job: dict[str, Any], day: int, left: float, efficiency: float, rate: float) -> float:
        setting = min(left, SETUP_MINUTES - job["setup"])
        job["setup"] += setting
        job["state"], left = "Running", left - setting
        possible = int(left * efficiency / SAM_MINUTES)
        missing = job["quantity"] - job["made"]
        begun = min(possible, int(np.ceil(missing / (1 - rate))))
        lost = int(self.random.binomial(begun, rate)) if begun else 0
        good = min(begun - lost, missing)
        job["made"], job["lost"] = job["made"] + good, job["lost"] + lost
        next(lot for lot in self.lots if lot["lot_id"] == job["lot_id"])["made"] += good
        at = datetime.combine(day_of(day), time(17))
        if begun:
            self._scan(job, at, {"cut": begun, "sew": begun, "finish": begun, "inspect": good, "pack": good}, lost)
        if job["made"] == job["quantity"]:
            job |= {"state": "Ended", "live": False, "ended_at": at, "changed_at": at}
            self._scan(job, at, {"ship": job["quantity"]}, 0)
        return left - begun * SAM_MINUTES / efficiency

    def _scan(self, job: dict[str, Any], at: datetime, pieces: dict[str, int], lost: int) -> None:
        row = {
            "factory_id": job["factory_id"],
            "job_order_id": job["job_order_id"],
            "line_id": f"L{job['line']}",
            "slot": at,
        }
        self.scans += [
            row | {"operation": name, "pieces": count, "defects": lost if name == "inspect" else 0}
            for name, count in pieces.items()
        ]

    def tables(self) -> dict[str, pd.DataFrame]:
        """What the marts read."""
        columns = ["job_order_id", "lot_id", "order_id", "factory_id", "quantity", "state", "accepted", "start_on"]
        columns += ["due_on", "ends_by", "ended_at", "released_at", "answered_at", "changed_at"]
        tables = {
            "stg_factories": self.factories,
            "stg_factory_calendar": self.calendar(),
            "stg_factory_capabilities": self.skills(),
        }
        if self.job_orders:
            tables["int_job_orders"] = pd.DataFrame(self.job_orders)[columns]
            lots = pd.DataFrame(self.lots)[["lot_id"]].assign(category="shirt")
            tables["stg_ledger_lots"] = lots.assign(**{f"sam_{name}_minutes": minutes for name, minutes in SAM.items()})
            tables["stg_ledger_orders"] = pd.DataFrame(self.lots)[["order_id"]].assign(tolerance_share=0.0)
        if self.scans:
            tables["int_scan_slots"] = pd.DataFrame(self.scans)
        return tables

    def skills(self) -> pd.DataFrame:
        """Each factory sews shirts at the efficiency that is common."""
        facts = {"kind": "category", "name": "shirt", "efficiency": sewing_lines.MEAN}
        return self.factories[["factory_id"]].assign(**facts)

    def known_skills(self, capabilities: pd.DataFrame) -> pd.DataFrame:
        """The mart factory_capabilities as plans know it."""
        return capabilities

    def calendar(self) -> pd.DataFrame:
        """Sundays off."""
        days = [day for n in range(-5, 80) if (day := day_of(n)).weekday() != 6]
        pairs = pd.MultiIndex.from_product([self.factories["factory_id"], days], names=["factory_id", "day"])
        return pairs.to_frame(index=False).assign(minutes=PAID_MINUTES, overtime_minutes=0.0)


def course(seed: int, days: int) -> pd.DataFrame:
    """day, share (of the pieces newly given out), score, band, efficiency_factor of the factory that gets worse."""
    world, rows = World.drawn(seed, days), []
    name = f"F{WORSE:02d}"
    for day in range(1, days + 1):
        world.order(day)
        if all(lot["made"] == lot["quantity"] for lot in world.lots):
            continue  # nothing to plan, nothing to make
        instance, plan, known = world.plan(day)
        given = world.release(day, instance, plan)
        world.work(day)
        score = known["factory_scores"].set_index("factory_id").loc[name]
        factor = known["factories"].set_index("factory_id").loc[name, "efficiency_factor"]
        facts = {"day": day, "mine": given.get(name, 0), "all": given.sum(), "efficiency_factor": factor}
        rows.append(facts | {"score": score["score"], "band": score["band"], "reason": score["reason"]})
    return pd.DataFrame(rows)


def shares(rows: pd.DataFrame) -> pd.DataFrame:
    """Over the last WINDOW days, all worlds together: its pieces over all pieces given out; mean score."""
    daily = rows.groupby("day").agg(mine=("mine", "sum"), all=("all", "sum"), score=("score", "mean"))
    recent = daily[["mine", "all"]].rolling(WINDOW).sum()
    return daily.assign(share=recent["mine"] / recent["all"])


def draw(table: pd.DataFrame, usual: float, picture: Path) -> None:
    """Share and score by day."""
    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    axes.axvspan(
        WORSE_FROM, WORSE_UNTIL, color="tab:red", alpha=0.08, label="earns 30 % less, spoils four times as much"
    )
    axes.plot(
        table.index, 100 * table["share"], marker="o", markersize=3, label=f"its share of the work, last {WINDOW} days"
    )
    axes.axhline(100 * usual, color="grey", linewidth=0.8, label="its share before")
    axes.axhline(50 * usual, color="grey", linewidth=0.8, linestyle=":", label="half of it")
    axes.set(xlabel="day", ylabel="% of the pieces given out", ylim=(0, None))
    beside = axes.twinx()
    beside.plot(table.index, table["score"], color="tab:green", label="its score")
    beside.set(ylabel="score", ylim=(0, 100))
    lines = [*axes.get_legend_handles_labels()[0], *beside.get_legend_handles_labels()[0]]
    figure.legend(lines, [str(line.get_label()) for line in lines], fontsize=8, loc="outside lower center", ncols=3)
    picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(picture, metadata={"Date": None})


def main() -> None:
    """Runs the worlds, prints the course and draws it."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--worlds", type=int, default=24)
    arguments.add_argument("--days", type=int, default=36)
    arguments.add_argument("--seed", type=int, default=501)
    arguments.add_argument("--picture", type=Path, default=PICTURE)
    asked = arguments.parse_args()
    with ProcessPoolExecutor(2, get_context("forkserver")) as pool:
        seeds = range(asked.seed, asked.seed + asked.worlds)
        rows = pd.concat(pool.map(course, seeds, [asked.days] * asked.worlds))
    table = shares(rows)
    before = table.loc[WORSE_FROM - 6 : WORSE_FROM - 1, ["mine", "all"]].sum()
    usual = before["mine"] / before["all"]
    bands = rows.groupby("day")["band"].agg(lambda names: "".join(name[0] for name in names))
    print(table.assign(band=bands, of_usual=table["share"] / usual).round(3).to_string())
    back = table.index[(table.index >= WORSE_UNTIL) & (table["share"] >= usual)]
    then, last = table["share"].get(JUDGED, float("nan")), table[["mine", "all"]].tail(7).sum()
    print(f"share before {usual:.1%}, on day {JUDGED} {then:.1%}; regained by day {min(back, default=None)}")
    print(f"in the last week {last['mine'] / last['all']:.1%}")
    draw(table, usual, asked.picture)


if __name__ == "__main__":
    main()
