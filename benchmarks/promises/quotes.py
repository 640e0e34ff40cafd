"""Quotes: how long one takes at 10,000 open orders, and whether the dates of accepted ones are kept.

    .venv/bin/python -m benchmarks.promises.quotes speed [--orders 10000] [--factories 1000] [--quotes 100]
    .venv/bin/python -m benchmarks.promises.quotes kept [--worlds 20] [--seed 60000] [--asked 6] [--days 4]
        [--out FOLDER]

speed: an order book over a generated network, planned by the common rule; quotes for lots like those of the book, half
of them with a wanted date. kept: worlds of benchmarks/promises/floor_days.py; after the plan of each day but the last,
quotes are asked for and the soonest offer is taken; the next plan has the order, due on the day that was quoted. Kept
in the re-plan: its schedule has all pieces there by that day. On the floor: all pieces have arrived by then.
"""

import argparse
import tempfile
import time
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import TypeAdapter
from sqlalchemy import select

from benchmarks.promises.dates import POLICY
from benchmarks.promises.floor_days import CURRENCY, FIRST, ORDER, PLACE, SKU, Pattern, World, network_of
from c2m import clock
from c2m.domain.quotes import Needs, Offer, Quote, QuoteRequest
from c2m.files import write_atomically
from c2m.ledger import job_orders, orders, status, store
from c2m.ledger.rooms import quotes
from c2m.ledger.tables import Promise
from c2m.settings import PlanPolicy
from c2m.simulation.world import assumptions
from optimization.book.daily_instance import build_instance, tellable
from optimization.book.later_work import OBSERVED_DAYS
from optimization.engines.first.rule import greedy
from optimization.promising.free_capacity import FreeCapacity, ready
from optimization.promising.known import Known
from optimization.promising.quotes import quote

# Of factories without a history, as the mart's assumptions have it.
FACTS = {"yield_rate": 0.97, "efficiency_factor": 0.9, "efficiency_level": 0.95, "efficiency_level_sd": 0.08}
FACTS |= {"efficiency_day_sd": 0.2, "efficiency_deviation": 0.1, "efficiency_kept": 0.3, "lead_ratio_q90": 1.1}
FACTS |= {"works_by_rank": 0.6, "works_by_arrival": 0.25, "works_by_size": 0.15}
RATES = ("yield_rate", "on_time_rate", "acceptance_rate", "small_acceptance_rate", "repeat_acceptance_rate")
SCORE = dict.fromkeys(RATES, 0.97) | {"exposure_share": 1.0, "inspection_share": 0.1, "answer_hours": 2.0}
NO_JOBS: dict[str, Any] = {
    "lot_id": object,
    "factory_id": object,
    "remaining": "int64",
    "accepted": bool,
    "state": object,
}
LIVE = NO_JOBS | {"job_order_id": object, "quantity": "int64", "attempt": "int64", "revision": "int64", "rank": float}
LIVE |= dict.fromkeys(("start_on", "due_on", "begun_at", "told_at"), "datetime64[us]") | {"arrival": float}
TOLD = {
    "factory_id": object,
    "quantity": "int64",
    "standard_minutes": float,
    "start_on": "datetime64[us]",
    "told_at": "datetime64[us]",
}


def empty(columns: dict[str, Any]) -> pd.DataFrame:
    """A table without a row."""
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in columns.items()})


def lot(random: np.random.Generator, number: int) -> dict[str, Any]:
    """A lot of a merchant's order, as the worlds have them."""
    category = assumptions.CATEGORIES[int(random.integers(len(assumptions.CATEGORIES)))]
    pieces = int(
        np.clip(random.lognormal(np.log(assumptions.ORDER_PIECES_MEDIAN), assumptions.ORDER_PIECES_LOG_SD), 100, 2500)
    )
    price = assumptions.MEDIAN_PRICE * category.price_ratio
    row = {
        "lot_id": f"l{number}",
        "order_id": f"o{number}",
        "merchant_id": "m",
        "source": "merchant",
        "quantity": pieces,
    }
    row |= {"category": category.name, "crafts": str(random.choice(category.crafts)), "unit_value": price}
    row |= {"unit_cost_basis": 0.45 * price, "sam_minutes": category.sew_minutes + 8.1, "currency": CURRENCY}
    row |= {"due_on": FIRST + timedelta(days=int(random.integers(5, 21))), "remaining": pieces, "committed": 0}
    row |= PLACE | {"quoted": False}
    return row | dict.fromkeys(("parent_order_id", "release_on", "priority", "max_factories", "promised_on"))


def asked(row: dict[str, Any], wanted_on: date | None) -> QuoteRequest:
    """A quote for a style like that of a lot."""
    crafts = tuple(craft for craft in row["crafts"].split(";") if craft)
    needs = Needs(
        row["category"], crafts, row["sam_minutes"], row["unit_value"], row["unit_cost_basis"], row["quantity"]
    )
    return QuoteRequest("m", {}, needs, wanted_on, *PLACE.values())


def crowded_room(count: int, factories: int, random: np.random.Generator) -> FreeCapacity:
    """A book of so many orders, planned by the common rule."""
    network = network_of(1, factories)
    known_factories = network.factories.assign(**FACTS).sort_values("factory_id", ignore_index=True)
    names = [category.name for category in assumptions.CATEGORIES]
    pairs = pd.MultiIndex.from_product([known_factories["factory_id"], names], names=["factory_id", "category"])
    scores = pairs.to_frame(index=False).assign(**SCORE, order_cap_pieces=np.nan)
    lots = pd.DataFrame([lot(random, number) for number in range(count)])
    frames = (known_factories, network.capabilities, network.calendar, scores)
    policy = PlanPolicy.model_validate({})
    instance = build_instance(lots, empty(NO_JOBS), empty(NO_JOBS), *frames, policy, FIRST)
    assert instance is not None
    plan = greedy(instance)
    skus = pd.DataFrame(columns=["merchant_id", "sku_id"])
    until = clock.cut_off(FIRST)
    known = Known(*frames, skus, dict.fromkeys(known_factories["factory_id"], 2), empty(TOLD), until)
    return ready("plan", instance, plan, lots, empty(LIVE), known, policy.promise_level)


def speed(count: int, factories: int, times: int) -> None:
    """Prints p50 and p95 of so many quotes, one after another."""
    random = np.random.default_rng(3)
    began = time.perf_counter()
    room = crowded_room(count, factories, random)
    free = (
        room.left[["minutes", "overtime_minutes"]].sum().sum()
        / room.offered[["minutes", "overtime_minutes"]].sum().sum()
    )
    pairs = len(room.plan.allocation)
    print(f"{count:,} orders, {pairs:,} pairs, {free:.0%} of minutes free; made in {time.perf_counter() - began:.0f} s")
    seconds, cpu, offers = [], [], 0
    for number in range(times):
        wanted_on = FIRST + timedelta(days=int(random.integers(5, 15))) if number % 2 else None
        question = asked(lot(random, number), wanted_on)
        began, worked = time.perf_counter(), time.process_time()
        offers += len(quote(room, question, (), FIRST, PlanPolicy.model_validate({})).offers)
        seconds.append(time.perf_counter() - began)
        cpu.append(time.process_time() - worked)
    for name, values in (("wall clock", seconds), ("processor", cpu)):
        p50, p95 = np.quantile(values, [0.5, 0.95])
        print(f"{times} quotes, {offers} offers, {name}: p50 {p50:.2f} s, p95 {p95:.2f} s, most {max(values):.2f} s")


class Asking(World):
    """A world where quotes are asked for after each plan but the last, and the soonest offer is taken."""

    asks = 0
    quotes_a_day = 6

    def one_day(self, day: date, number: int) -> None:
        """As it is, with quotes before the factories go on."""
        self.asks = self.quotes_a_day if number < self.pattern.days - 1 else 0
        super().one_day(day, number)

    def _advance(self, moment: datetime) -> None:
        if self.asks and self.planned:
            self._ask(clock.business_date(clock.now()))
            self.asks = 0
        super()._advance(moment)

    def _ask(self, today: date) -> None:
        room, reserved = self._room(today), []
        for _ in range(self.asks):
            order = self._order(today, "merchant")
            row = self._lot(order)
            found = quote(room, asked(row, None), reserved, clock.read_on(clock.now()), self.policy)
            for offer in found.offers[:1]:
                reserved.append(offer)
                self._take(order, row, found, offer)

    def _plan(self, day: date, round: int) -> bool:
        with store.session() as s:
            quotes.promise(s, clock.now())
        return super()._plan(day, round)

    def _take(self, order: dict[str, Any], row: dict[str, Any], quote: Quote, offer: Offer) -> None:
        self.taken = [*getattr(self, "taken", []), (order | {"due_on": offer.promised_on}, row)]
        told = {"order_id": order["order_id"], "quoted_on": offer.promised_on, "stated": offer.probability}
        self.quoted = [*getattr(self, "quoted", []), told | {"quoted_at": clock.business_date(clock.now())}]
        name, now = str(order["order_id"]), clock.now()
        given = {"quote_id": name, "merchant_id": "m", "plan_id": quote.plan_id, "asked": {}}
        given |= {"said": TypeAdapter(Quote).dump_python(quote, mode="json")}
        with store.session() as s:
            quotes.keep(s, given | {"at": now, "valid_until": now})
            quotes.accept(s, name, "soonest", name, now)

    def _room(self, today: date) -> FreeCapacity:
        assert self.planned
        with store.session() as s:
            lots, live, versions = orders.open_lots(s), job_orders.live(s), status.versions(s)
            told = job_orders.told(s, clock.now() - timedelta(days=OBSERVED_DAYS))
        skills = tellable(self.network.capabilities, versions)
        frames = (self.known["factories"], skills, self.network.calendar, self.known["factory_scores"])
        skus = pd.DataFrame(columns=["merchant_id", "sku_id"])
        known = Known(*frames, skus, versions, told, clock.cut_off(today))
        return ready(*self.planned, lots, live, known, self.policy.promise_level)

    def _orders(self, day: date, number: int) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
        made = super()._orders(day, number)
        taken, self.taken = getattr(self, "taken", []), []
        skus = [{"lot_id": row["lot_id"], "sku_id": "s0", "quantity": row["quantity"], "size": "M"} for _, row in taken]
        more = ([order for order, _ in taken], [row for _, row in taken], skus)
        columns = (ORDER, list(made[1].columns), SKU)
        added = [pd.DataFrame(rows, columns=names) for rows, names in zip(more, columns, strict=True)]
        orders_, lots, pieces = (pd.concat(pair, ignore_index=True) for pair in zip(made, added, strict=True))
        return orders_, lots, pieces

    def quoted_outcome(self, outcome: pd.DataFrame) -> pd.DataFrame:
        """A row per accepted quote: kept in the re-plan, kept on the floor."""
        rows = pd.DataFrame(getattr(self, "quoted", [])).merge(outcome[["order_id", "came"]], "left", "order_id")
        with store.session() as s:
            chosen = select(Promise.order_id, Promise.planned_on).where(~Promise.quoted).order_by(Promise.at)
            planned = store.frame(s, chosen)
        rows = rows.merge(planned.drop_duplicates("order_id"), "left", "order_id")
        for name, column in (("kept_in_plan", "planned_on"), ("kept_on_floor", "came")):
            there = pd.to_datetime(rows[column])  # what never came, or was not planned whole, is not kept
            rows[name] = there <= pd.to_datetime(rows["quoted_on"])
        return rows.assign(seed=self.seed)


def kept(worlds: int, seed: int, a_day: int, days: int, out: Path) -> None:
    """Runs what is missing; prints how often quoted dates were kept."""
    Asking.quotes_a_day = a_day
    for number in range(seed, seed + worlds):
        file = out / f"{number}.csv"
        if not file.exists():
            with tempfile.TemporaryDirectory() as folder:
                world = Asking(Path(folder) / "home", number, Pattern(days=days), POLICY)
                write_atomically(file, world.quoted_outcome(world.run()).to_csv(index=False).encode())
        print(number, len(pd.read_csv(file)), "accepted", flush=True)
    rows = pd.concat([pd.read_csv(out / f"{number}.csv") for number in range(seed, seed + worlds)])
    shares = rows[["stated", "kept_in_plan", "kept_on_floor"]].astype(float)
    error = (shares["kept_on_floor"] - shares["stated"]).groupby(rows["seed"]).sum().pow(2).sum() ** 0.5 / len(rows)
    told = ", ".join(f"{name} {share:.3f}" for name, share in shares.mean().items())
    print(f"{len(rows)} accepted quotes of {worlds} worlds: {told}; standard error {error:.3f}, clustered by world")


def main() -> None:
    """One of the two."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("what", choices=["speed", "kept"])
    arguments.add_argument("--orders", type=int, default=10_000)
    arguments.add_argument("--factories", type=int, default=1000)
    arguments.add_argument("--quotes", type=int, default=100)
    arguments.add_argument("--worlds", type=int, default=20)
    arguments.add_argument("--seed", type=int, default=60_000)
    arguments.add_argument("--asked", type=int, default=6, help="quotes a day")
    arguments.add_argument("--days", type=int, default=4, help="planned days of a world")
    arguments.add_argument("--out", type=Path, default=Path("var") / "quotes_kept")
    given = arguments.parse_args()
    if given.what == "speed":
        speed(given.orders, given.factories, given.quotes)
    else:
        kept(given.worlds, given.seed, given.asked, given.days, given.out)


if __name__ == "__main__":
    main()
