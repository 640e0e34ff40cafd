"""The shipped floor without its broker: real ledger, plans, job orders, simulated factories, day by day, one process.

A world has a generated network (c2m/simulation/world) and orders that come in day by day. Each day: the marts' SQL on
what job orders and scans have told, the real instance, solver, promises and release; the messages go straight from
the outbox to the factories of c2m/simulation/factories and back to the inbox. At the end every job order is worked
off.
"""

import os
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from sqlalchemy import select

from benchmarks.marts.scores import NOTHING, marts
from c2m import clock
from c2m.floor.processes import write_factories
from c2m.ledger import job_orders, orders, plans, promises, status, store
from c2m.ledger.conversation import inbox, outbox
from c2m.ledger.tables import JobOrder, Promise, PromiseFactory
from c2m.settings import PlanPolicy, settings
from c2m.simulation.factories import profile
from c2m.simulation.factories.factory import SimulatedFactory
from c2m.simulation.factories.state import State
from c2m.simulation.world import assumptions, network
from c2m.wire.messages import parse
from optimization.book.daily_instance import build_instance, promised_dates, tellable
from optimization.book.later_work import OBSERVED_DAYS
from optimization.book.plan_proposal import dated_allocation
from optimization.contract.instances import Instance
from optimization.contract.plan import Plan
from optimization.planning.solve import solve

ZONE, CURRENCY, HOME = "Asia/Shanghai", "USD", "CN"
FIRST = date(2026, 4, 13)
PLACE = {"destination_latitude": 31.2, "destination_longitude": 121.45}
CALENDAR_DAYS = (14, 150)
PLANNING_HOUR = timedelta(hours=6)
WORKED_OFF_DAYS = 90
SLOT = "15min"
PAST_JOBS = (2.0, 0.8)  # job orders a factory gets on the first day of history, and on each other (mean)


@dataclass(frozen=True)
class Pattern:
    """How much comes in: at the opening and on each later day (mean), and the days that are planned."""

    factories: int = 12
    opening: tuple[int, int] = (8, 12)  # merchants' orders, replenishment orders
    a_day: tuple[float, float] = (1.5, 4.0)
    large_share: float = 0.2  # of merchants' orders
    history_days: int = 8  # before them, of job orders that nobody optimises, from which the platform learns
    days: int = 3


@dataclass
class Heard:
    """What was said: scans as counted rows, the moments of releases and answers, ranks as they changed."""

    scans: list[tuple[Any, ...]] = field(default_factory=list)
    released: dict[str, datetime] = field(default_factory=dict)
    answered: dict[str, datetime] = field(default_factory=dict)
    ranks: list[pd.DataFrame] = field(default_factory=list)  # of all job orders, after each release


class World:
    """One world, in a folder of its own."""

    def __init__(self, folder: Path, seed: int, pattern: Pattern, policy: PlanPolicy) -> None:
        os.environ |= {"C2M_HOME": str(folder), "C2M_TIMEZONE": ZONE, "C2M_CURRENCY": CURRENCY}
        settings.cache_clear()
        folder.mkdir(parents=True)
        self.seed, self.pattern, self.policy = seed, pattern, policy
        self.random = np.random.default_rng([seed, 7])
        self.network = network_of(seed, pattern.factories)
        opening = FIRST - timedelta(days=pattern.history_days)
        clock.set_now(datetime.combine(opening, time(), ZoneInfo(ZONE)))
        store.migrate()
        write_factories(
            folder / "factories.json", self.network.factories, self.network.capabilities, self.network.calendar
        )
        self.state = State(folder / "sim")
        rows = profile.read(folder / "factories.json").values()
        self.factories = {row.factory_id: SimulatedFactory(row, seed, self.state, "s") for row in rows}
        self.heard = Heard()
        self.count = 0
        self.known: dict[str, pd.DataFrame] = {}
        self.planned: tuple[str, Instance, Plan] | None = None  # the plan in force
        self.sure: dict[tuple[str, str], float] = {}  # by plan and factory, of its likeliest order of work

    def run(self) -> pd.DataFrame:
        """All days, then the rest of the work; the promises with what came of them."""
        with self.state.transaction():
            for factory in self.factories.values():
                factory.report(clock.now())
        self._converse()
        for number in range(self.pattern.history_days):
            self.past_day(FIRST + timedelta(days=number - self.pattern.history_days), number)
        for number in range(self.pattern.days):
            self.one_day(FIRST + timedelta(days=number), number)
        self._advance(clock.now() + timedelta(days=WORKED_OFF_DAYS))
        return self._outcome()

    def past_day(self, day: date, number: int) -> None:
        """A day of history: each factory gets job orders at any place of its order of work, and works."""
        clock.set_now(clock.cut_off(day) + PLANNING_HOUR)
        made: list[dict[str, Any]] = []
        skills = self.network.capabilities.query("kind == 'category'").groupby("factory_id")["name"].agg(list)
        orders_, lots, skus = [], [], []
        able = self.network.factories["factory_id"].isin(skills.index)
        for factory_id, row in self.network.factories[able].set_index("factory_id").iterrows():
            for _ in range(self.random.poisson(PAST_JOBS[min(number, 1)])):
                order = self._order(day, "replenishment")
                lot = self._lot(order)
                category = str(self.random.choice(skills[factory_id]))
                lot |= {"category": category, "crafts": "", "quantity": max(lot["quantity"], 2 * int(row["min_lot"]))}
                orders_.append(order)
                lots.append(lot)
                skus.append({"lot_id": lot["lot_id"], "sku_id": "s0", "quantity": lot["quantity"], "size": "M"})
                made.append({"lot_id": lot["lot_id"], "factory_id": factory_id, "quantity": lot["quantity"]})
        with store.session() as s:
            orders.record(s, *(pd.DataFrame(rows) for rows in (orders_, lots, skus)), clock.now())
            standing = job_orders.live(s)[["lot_id", "factory_id", "remaining"]]
        pairs = pd.concat([standing.rename(columns={"remaining": "quantity"}), pd.DataFrame(made)])
        pairs = pairs[pairs["quantity"] > 0].sample(frac=1, random_state=number)
        place = pairs.groupby("factory_id").cumcount() + 1
        pairs = pairs.assign(place=place, start_on=day + timedelta(days=1), finish_on=day + timedelta(days=9))
        facts = {"round": 1, "objective": 0.0, "bound": 0.0, "gap": 0.0, "status": "feasible", "unmet_pieces": 0}
        facts |= {"instance_sha256": str(day), "model_version": None, "folder": "", "at": clock.now()}
        with store.session() as s:
            proposed = plans.ProposedPlan(business_date=day, allocation=pairs, **facts)  # type: ignore[arg-type]
            plan_id = plans.propose(s, proposed)
            plans.release(s, plan_id, "policy", "benchmark", (), clock.now())
        self._converse()
        self._advance(clock.cut_off(day + timedelta(days=1)) - timedelta(seconds=1))
        with store.session() as s:
            job_orders.apply_progress(s, self._progress(), clock.cut_off(day + timedelta(days=1)))

    def one_day(self, day: date, number: int) -> None:
        """Orders, plan, release, answers; again where somebody refused; then the factories work until midnight."""
        clock.set_now(clock.cut_off(day) + PLANNING_HOUR)
        with store.session() as s:
            job_orders.apply_progress(s, self._progress(), clock.cut_off(day))
            orders.record(s, *self._orders(day, number), clock.now())
        self.known = marts(self._tables(day), day)
        for round in range(1, self.policy.rounds + 1):
            if not self._plan(day, round):
                break
            with store.session() as s:
                if not job_orders.lacks_a_maker(s, since=clock.cut_off(day)):
                    break
        self._advance(clock.cut_off(day + timedelta(days=1)) - timedelta(seconds=1))

    def _plan(self, day: date, round: int) -> bool:
        with store.session() as s:
            lots, live, refusals = orders.open_lots(s), job_orders.live(s), job_orders.refusals(s)
            versions, told = status.versions(s), job_orders.told(s, clock.now() - timedelta(days=OBSERVED_DAYS))
        calendar, skills = self.network.calendar, tellable(self.network.capabilities, versions)
        frames = (self.known["factories"], skills, calendar, self.known["factory_scores"])
        instance = build_instance(lots, live, refusals, *frames, self.policy, day)
        if instance is None:
            return False
        plan = solve(instance, self.policy.time_limit_s, self.policy.gap, threads=1, reasoned=False)
        known = *frames[::2], versions, told, clock.cut_off(day)
        dated, makers, order = promised_dates(instance, plan, lots, live, *known, self.policy.promise_level)
        proposed = plans.ProposedPlan(
            business_date=day,
            round=round,
            objective=plan.report["objective"],
            bound=plan.report["bound"],
            gap=plan.report["gap"],
            status=plan.report["status"],
            unmet_pieces=0,
            instance_sha256=instance.sha256,
            model_version=None,
            folder="",
            allocation=dated_allocation(instance, plan.allocation, plan.schedule, order),
            at=clock.now(),
        )
        with store.session() as s:
            plan_id = plans.propose(s, proposed)
            promises.record(s, plan_id, dated, makers, clock.now())
            plans.release(s, plan_id, "policy", "benchmark", (), clock.now())
        self.planned = (plan_id, instance, plan)
        manner = self.known["factories"].set_index("factory_id").filter(like="works_by_").max(axis=1)
        self.sure |= {(plan_id, str(name)): share for name, share in manner.items()}
        self._converse()
        with store.session() as s:
            promises.make(s, clock.now())
        return True

    def _converse(self) -> None:
        """Messages go out and answers come in until all is said."""
        with store.session() as s:
            ranks = store.frame(s, select(JobOrder.job_order_id, JobOrder.rank))
        self.heard.ranks.append(ranks.assign(known_at=clock.now()))
        while True:
            now = clock.now()
            with store.session() as s:
                messages = outbox.due(s, now)
                outbox.mark_sent(s, [message.message_id for message in messages], now)
            with self.state.transaction():
                for message in messages:
                    self.heard.released.setdefault(message.job_order_id, now)
                    envelope = parse(message.body)
                    assert not isinstance(envelope, str), envelope
                    self.factories[message.factory_id].receive(envelope, now)  # type: ignore[arg-type]
            if not messages and not self._hear(now):
                return
            self._hear(now)

    def _hear(self, now: datetime) -> bool:
        """Takes in what factories have to say; whether it was anything."""
        heard = False
        while letters := self.state.letters([]):
            heard = True
            said = []
            for letter in letters:
                envelope = parse(letter.body)
                if letter.kind == "scans":
                    self.heard.scans += [
                        (
                            letter.factory_id,
                            s.job_order_id,
                            s.sku_id,
                            s.operation,
                            s.line_id,
                            s.quantity,
                            s.defects,
                            s.at,
                        )
                        for s in envelope.data  # type: ignore[union-attr]
                    ]
                else:
                    said.append(inbox.FactoryMessage(envelope, letter.factory_id))  # type: ignore[arg-type]
                    if letter.kind == "job-responses":
                        self.heard.answered.setdefault(envelope.data.job_order_id, now)  # type: ignore[union-attr]
            with store.session() as s:
                inbox.receive_all(s, said, now)
            with self.state.transaction():
                self.state.delivered([letter.key for letter in letters])
        return heard

    def _advance(self, moment: datetime) -> None:
        clock.set_now(moment)
        with self.state.transaction():
            for factory in self.factories.values():
                factory.advance(moment)
        self._hear(moment)

    def _orders(self, day: date, number: int) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
        """The day's new orders in the ledger's columns."""
        counts = self.pattern.opening if number == 0 else self.random.poisson(self.pattern.a_day)
        header, lots, skus = [], [], []
        for kind, count in zip(("merchant", "replenishment"), counts, strict=True):
            for _ in range(count):
                order = self._order(day, kind)
                header.append(order)
                for _ in range(int(self.random.integers(1, 3)) if kind == "merchant" else 1):
                    lots.append(self._lot(order))
                    of = np.round(lots[-1]["quantity"] * np.array([0.2, 0.3, 0.3])).astype(int)
                    pieces = [*of, lots[-1]["quantity"] - of.sum()]
                    skus += [
                        {"lot_id": lots[-1]["lot_id"], "sku_id": f"s{n}", "quantity": int(q), "size": str(n)}
                        for n, q in enumerate(pieces)
                    ]
        return pd.DataFrame(header, columns=ORDER), pd.DataFrame(lots, columns=LOT), pd.DataFrame(skus, columns=SKU)

    def _order(self, day: date, kind: str) -> dict[str, Any]:
        self.count += 1
        wait = (
            7
            if kind == "replenishment"
            else int(self.random.integers(assumptions.WINDOW_DAYS[0], assumptions.WINDOW_DAYS[1]))
        )
        large = kind == "merchant" and self.random.random() < self.pattern.large_share
        facts = {"order_id": f"w{self.seed}-o{self.count}", "merchant_id": "m", "source": kind, "placed_on": day}
        facts |= {"release_on": day + timedelta(days=1), "due_on": day + timedelta(days=wait), "large": large}
        facts |= {"parent_order_id": None, "priority": None, "tolerance_share": 0.03, "currency": CURRENCY}
        return facts | {"max_factories": 6 if large else None, "state": "open"} | PLACE

    def _lot(self, order: dict[str, Any]) -> dict[str, Any]:
        self.count += 1
        category = assumptions.CATEGORIES[int(self.random.integers(len(assumptions.CATEGORIES)))]
        price = assumptions.MEDIAN_PRICE * category.price_ratio
        sam = dict(
            zip(("cut", "sew", "finish", "inspect", "pack"), (2.0, category.sew_minutes, 4.0, 1.2, 0.9), strict=True)
        )
        if order["source"] == "replenishment":
            pieces = int(np.clip(self.random.lognormal(np.log(120), 0.4), 100, 600))
        else:
            log_sd = assumptions.ORDER_PIECES_LOG_SD
            pieces = int(np.clip(self.random.lognormal(np.log(assumptions.ORDER_PIECES_MEDIAN), log_sd), 100, 2500))
            pieces *= 3 if order["large"] else 1
        row = {"lot_id": f"w{self.seed}-l{self.count}", "order_id": order["order_id"], "merchant_id": "m"}
        row |= {"style_id": f"st{self.count}", "colour": "red", "category": category.name, "quantity": pieces}
        row |= {
            "crafts": str(self.random.choice(category.crafts)),
            "unit_value": price,
            "unit_cost_basis": 0.45 * price,
        }
        row |= {f"sam_{name}_minutes": minutes for name, minutes in sam.items()}
        return row | {"sam_minutes": sum(sam.values()), "style_name": None, "specification_url": None}

    def _scans(self) -> pd.DataFrame:
        columns = ["factory_id", "job_order_id", "sku_id", "operation", "line_id", "pieces", "defects", "slot"]
        rows = pd.DataFrame(self.heard.scans, columns=columns)
        rows["at"] = pd.to_datetime(rows["slot"], utc=True).dt.tz_localize(None)
        rows["slot"] = rows["at"].dt.floor(SLOT)
        return rows

    def _progress(self) -> pd.DataFrame:
        rows = self._scans().rename(columns={"pieces": "good_pieces"})
        return rows.groupby(["job_order_id", "sku_id", "operation"], as_index=False)[["good_pieces", "defects"]].sum()

    def _tables(self, day: date) -> dict[str, pd.DataFrame]:
        """What the marts read, as of the start of a day."""
        with store.session() as s:
            held = store.snapshot(s)
            jobs = store.frame(s, select(*JobOrder.__table__.columns))
        jobs["released_at"] = jobs["job_order_id"].map(self.heard.released)
        jobs["answered_at"] = jobs["job_order_id"].map(self.heard.answered).where(jobs["accepted"].notna())
        jobs["changed_at"] = jobs["at"]
        jobs["ends_by"] = pd.to_datetime(jobs["due_on"]) - pd.to_timedelta(jobs["transit_days"], "D")
        for name in ("released_at", "answered_at", "changed_at", "ended_at"):
            jobs[name] = pd.to_datetime(jobs[name], utc=True).dt.tz_localize(None)
        tables = {"stg_factories": self.network.factories.drop(columns=["known_at"]).assign(onboarding="active")}
        tables |= {"stg_factory_calendar": self.network.calendar, "stg_factory_capabilities": self.network.capabilities}
        tables |= {"stg_ledger_lots": held["lots"], "stg_ledger_orders": held["orders"]}
        scans = self._scans()
        first = scans.groupby(["job_order_id", "factory_id"], as_index=False).agg(first_scan_at=("at", "min"))
        ranks = pd.concat(self.heard.ranks)
        ranks["known_at"] = pd.to_datetime(ranks["known_at"], utc=True).dt.tz_localize(None)
        tables |= {"stg_ledger_job_orders": ranks.astype({"rank": "Int64"})}
        tables |= {"int_scan_slots": scans, "int_job_order_pieces": first, "int_job_orders": jobs}
        asked = {name: [column.split()[0] for column in of.split(", ")] for name, of in NOTHING.items()}
        return {name: frame[asked[name]] if name in asked else frame for name, frame in tables.items()}

    def _outcome(self) -> pd.DataFrame:
        """A promise a row: the first of each order, with the day of arrival, recomputed here from the scans."""
        with store.session() as s:
            told = store.frame(s, select(*Promise.__table__.columns).where(Promise.made_at.is_not(None)))
            makers = store.frame(s, select(*PromiseFactory.__table__.columns))
            jobs = store.frame(
                s, select(JobOrder.job_order_id, JobOrder.order_id, JobOrder.lot_id, JobOrder.factory_id)
            )
            held = store.snapshot(s)
        lots, orders_ = held["lots"], held["orders"].set_index("order_id")
        zone = self.network.factories.set_index("factory_id")["timezone"]
        transit = makers.groupby(["order_id", "factory_id"])["transit_days"].max()
        shipped = self._scans().query("operation == 'ship'").merge(jobs, on=["job_order_id", "factory_id"])
        local = [
            at.tz_localize("UTC").tz_convert(zone[factory]).date()
            for at, factory in zip(shipped["at"], shipped["factory_id"], strict=True)
        ]
        days = [transit.get(key, 0) for key in zip(shipped["order_id"], shipped["factory_id"], strict=True)]
        shipped["came"] = [day + timedelta(days=int(more)) for day, more in zip(local, days, strict=True)]
        came = shipped.groupby("order_id")["came"].max()
        made = shipped.groupby("lot_id")["pieces"].sum().reindex(lots["lot_id"]).fillna(0).to_numpy()
        short = set(lots.loc[made < 0.97 * lots["quantity"].to_numpy(), "order_id"])
        first = told.sort_values("made_at").drop_duplicates("order_id")
        first = first.assign(came=first["order_id"].map(came).where(~first["order_id"].isin(short)))
        first["factories"] = first["order_id"].map(
            makers.groupby("order_id")["factory_id"].agg(lambda ids: ";".join(sorted(set(ids))))
        )
        of = makers.set_index(["plan_id", "order_id"])["factory_id"].groupby(level=[0, 1]).agg(list)
        manner = {name: _kind(factory) for name, factory in self.factories.items()}
        keys = list(zip(first["plan_id"], first["order_id"], strict=True))
        first["manner"] = ["+".join(sorted({manner[name] for name in of[key]})) for key in keys]
        first["pairs"] = [len(of[key]) for key in keys]
        first["known"] = [min(self.sure[plan_id, name] for name in of[plan_id, order]) for plan_id, order in keys]
        first["number"] = [(clock.business_date(at) - FIRST).days for at in first["made_at"]]
        first["kept"] = first["came"].notna() & (first["came"].fillna(date.max) <= first["promised_on"])
        first["days_ahead"] = [
            (a - clock.business_date(b)).days for a, b in zip(first["promised_on"], first["made_at"], strict=True)
        ]
        return first.assign(seed=self.seed).join(orders_[["source", "placed_on"]], on="order_id")


def _kind(factory: SimulatedFactory) -> str:
    """What it works by; one that knows no rank works by due day."""
    return "due" if factory.manner == "rank" and factory.version == 1 else factory.manner


ORDER = ["order_id", "merchant_id", "source", "parent_order_id", "placed_on", "release_on", "due_on", "priority"]
ORDER += ["tolerance_share", "max_factories", "currency", *PLACE, "state"]
SAM = [f"sam_{name}_minutes" for name in ("cut", "sew", "finish", "inspect", "pack")]
LOT = ["lot_id", "order_id", "merchant_id", "style_id", "colour", "category", "crafts", "quantity", "unit_value"]
LOT += ["unit_cost_basis", *SAM, "sam_minutes", "style_name", "specification_url"]
SKU = ["lot_id", "sku_id", "quantity", "size"]


def network_of(seed: int, count: int) -> network.Network:
    crafts = sorted({craft for c in assumptions.CATEGORIES for text in c.crafts for craft in text.split(";") if craft})
    value = float(
        np.median([assumptions.MEDIAN_PRICE * c.price_ratio / (c.sew_minutes + 8) for c in assumptions.CATEGORIES])
    )
    skills = network.Skills(tuple(sorted(c.name for c in assumptions.CATEGORIES)), tuple(crafts), value)
    days = [FIRST + timedelta(days=d) for d in range(-CALENDAR_DAYS[0], CALENDAR_DAYS[1] + 1)]
    known_at = np.datetime64("2025-01-01")
    return network.network(np.random.default_rng([seed, 2]), count, skills, HOME, CURRENCY, known_at, days)
