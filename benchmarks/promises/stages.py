"""Do dates of lots in stages hold on simulated floors? Plans of small worlds, each worked off by floors of many seeds.

    .venv/bin/python -m benchmarks.promises.stages [--worlds socks gloves] [--days 3] [--seeds 40] [--first 1]

A plan, its dates at several levels and its messages are those of `c2m replay` on the first business day of the book,
which begins on as many days as are asked for; each floor gets the messages anew. Beside each factory's own code stands
no more of the platform than leave to begin, in the morning, to what has all its pieces. Kept: arrived by the date told.
"""

import argparse
import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd
from pydantic_core import to_json
from sqlalchemy import select

from c2m import clock
from c2m.ledger import store
from c2m.ledger.tables import Outbox
from c2m.proof.policy import Figure, Policy
from c2m.settings import settings
from c2m.simulation.factories import profile
from c2m.simulation.factories.factory import SimulatedFactory
from c2m.simulation.factories.handover import hand_over
from c2m.simulation.factories.state import State
from c2m.wire.messages import (
    PLATFORM,
    RECEIVE,
    SHIP,
    STORE,
    JobOrder,
    JobResponse,
    Scan,
    Start,
    StoreMessage,
    compose,
    parse,
)
from flows import plan, replay
from flows.timelapse import PLANNING_HOUR, simulated_factories
from optimization.contract.instances import Instance
from optimization.contract.plan import Plan

WORLDS = Path(__file__).parents[2] / "worlds"
FIRST = date(2026, 4, 13)
LEVELS = (0.5, 0.7, 0.8, 0.9, 0.95)
LONGEST_DAYS = 60
ROUNDS = Figure(value=1, source="each floor gets the first plan")
POLICY = Policy(name="quick", title="without a model", forecast="mean_28", figures={"plan.rounds": ROUNDS})


class Planned(replay.Replay):
    """A replay that keeps the dates of its first plan at each level, and who makes the orders."""

    told: pd.DataFrame | None = None

    def _searched(self, instance: Instance) -> Plan:
        made = super()._searched(instance)
        if self.told is None:
            policy = settings().plan
            found = [plan.dates_of(instance, made, policy.model_copy(update={"promise_level": at})) for at in LEVELS]
            dated = [dates.assign(level=level) for level, (dates, _, _) in zip(LEVELS, found, strict=True)]
            self.told, self.makers = pd.concat(dated, ignore_index=True), found[0][1]
        return made


@dataclass
class Floor:
    """Factories of one seed, what they have agreed to, and what was scanned."""

    factories: dict[str, SimulatedFactory]
    state: State
    orders: dict[str, tuple[str, JobOrder]] = field(default_factory=dict)  # factory and job order, by its id
    arrived: Counter[str] = field(default_factory=Counter)
    shipped: dict[str, datetime] = field(default_factory=dict)
    may_begin: set[str] = field(default_factory=set)

    def offer(self, messages: list[tuple[str, StoreMessage]], now: datetime) -> None:
        """Job orders as the platform has written them; what is refused is not heard of again."""
        with self.state.transaction():
            for factory_id, message in messages:
                self.orders[message.data.job_order_id] = factory_id, message.data
                self.factories[factory_id].receive(message, now)
        self._hear()

    def day(self, now: datetime) -> None:
        """What has happened up to now; then leave to begin."""
        with self.state.transaction():
            for factory in self.factories.values():
                factory.advance(now)
            hand_over(self.factories, self.state, now)
        self._hear()
        self.give_leave(now)

    def give_leave(self, now: datetime) -> None:
        """To what is of the first stage, or has all its pieces."""
        ready = [
            (name, factory_id, order.revision)
            for name, (factory_id, order) in self.orders.items()
            if name not in self.may_begin and ((order.stage or 1) == 1 or self.arrived[name] >= order.quantity)
        ]
        with self.state.transaction():
            for name, factory_id, revision in ready:
                start = parse(compose(Start(job_order_id=name, revision=revision), PLATFORM, now).body())
                self.factories[factory_id].receive(start, now)  # type: ignore[arg-type]
        self.may_begin |= {name for name, _, _ in ready}

    def _hear(self) -> None:
        while letters := self.state.letters([]):
            for letter in letters:
                said = parse(letter.body).data  # type: ignore[union-attr]
                if isinstance(said, JobResponse) and said.accepted is False:
                    self.orders.pop(said.job_order_id, None)
                for scan in said if isinstance(said, list) else ():
                    self._count(scan)
            with self.state.transaction():
                self.state.delivered([letter.key for letter in letters])

    def _count(self, scan: Scan) -> None:
        if scan.operation == RECEIVE:
            self.arrived[scan.job_order_id] += scan.quantity
        if scan.operation == SHIP:
            self.shipped[scan.job_order_id] = scan.at


def planned(world: str, day: date, folder: Path) -> tuple[Planned, list[tuple[str, StoreMessage]]]:
    """A first business day, and the messages of its plan to factories."""
    os.environ["C2M_HOME"] = str(folder)
    replay.land(WORLDS / world, day, folder / "shared")
    cell = replay.Cell(WORLDS / world, day, 1, POLICY, 1, folder / "home", folder / "shared", shelf=False)
    of_day = Planned(cell)
    of_day.one_day(day)
    with store.session() as s:
        told = select(Outbox.factory_id, Outbox.payload).where(Outbox.type == STORE)
        rows = s.execute(told.order_by(Outbox.factory_id, Outbox.position)).tuples().all()
    return of_day, [(factory_id, StoreMessage.model_validate_json(to_json(payload))) for factory_id, payload in rows]


def arrivals(floor: Floor, makers: pd.DataFrame) -> dict[str, date | None]:
    """When each order whose job orders were accepted was there; None: not within the time that was looked at."""
    transit = {(row["order_id"], row["factory_id"]): int(row["transit_days"]) for row in makers.to_dict("records")}
    came: dict[str, date | None] = {}
    for name, (factory_id, order) in floor.orders.items():
        if order.stage != order.stages:
            continue
        days = timedelta(days=max(1, transit[order.order_id, factory_id]))
        zone = ZoneInfo(floor.factories[factory_id].profile.timezone)
        mine = floor.shipped[name].astimezone(zone).date() + days if name in floor.shipped else None
        so_far = came.get(order.order_id, date.min)
        came[order.order_id] = max(so_far, mine) if mine and so_far else None
    return came


def judged(world: str, day: date, seeds: range) -> Iterator[pd.DataFrame]:
    """The dates told, and whether each floor has kept them."""
    with tempfile.TemporaryDirectory() as folder:
        of_day, messages = planned(world, day, Path(folder))
        assert of_day.told is not None, f"{world} has nothing to plan on {day}"
        profiles = profile.read(simulated_factories())
        begun = clock.cut_off(day) + PLANNING_HOUR
        for seed in seeds:
            state = State(Path(folder) / f"floor-{seed}")
            factories = {
                name: SimulatedFactory(row, seed, state, "s", peers=profiles) for name, row in profiles.items()
            }
            floor = Floor(factories, state)
            floor.offer(messages, begun)
            refused = {m.data.order_id for _, m in messages if m.data.job_order_id not in floor.orders}
            for number in range(LONGEST_DAYS):
                floor.day(begun + timedelta(days=number))
            came = arrivals(floor, of_day.makers)
            rows = of_day.told[of_day.told["order_id"].isin(set(came) - refused)]
            kept = [(arrived := came[order]) is not None and arrived <= promised
                    for order, promised in zip(rows["order_id"], rows["promised_on"], strict=True)]  # fmt: skip
            ahead = [(promised - day).days for promised in rows["promised_on"]]
            yield rows.assign(world=world, day=day, seed=seed, kept=kept, days_ahead=ahead)


def main() -> None:
    """Prints what was stated and kept, by world and level."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--worlds", nargs="+", default=["socks", "gloves"])
    arguments.add_argument("--days", type=int, default=3)
    arguments.add_argument("--seeds", type=int, default=40)
    arguments.add_argument("--first", type=int, default=1)
    asked = arguments.parse_args()
    seeds = range(asked.first, asked.first + asked.seeds)
    days = [FIRST + timedelta(days=number) for number in range(asked.days)]
    rows = pd.concat([found for world in asked.worlds for day in days for found in judged(world, day, seeds)])
    print(
        rows.groupby(["world", "day", "order_id", "level"])[["days_ahead", "probability", "kept"]]
        .mean()
        .round(3)
        .to_string()
    )
    for by in (["world", "level"], ["level"]):
        shares = rows.groupby(by).agg(promises=("kept", "size"), stated=("probability", "mean"), kept=("kept", "mean"))
        print(shares.round(3).to_string())


if __name__ == "__main__":
    main()
