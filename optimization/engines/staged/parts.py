"""Parts of a staged plan planned anew: some lots free, the rest of the plan kept, every part one program by days.

A part grows around a lot that costs much more than the prices of minutes say it need (its regret), by lots that occupy
the factories it could use. Lots of a pool go together. Parts that are under way at once share out the free minutes of
factories: at those of the others a part has what its own lots occupy. A result is taken where the plan gets cheaper.
In: an instance of few pairs, a plan of it, what each lot costs at least at the prices. Out: the plan, improved.
"""

import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from c2m.domain.arrays import Floats
from optimization.contract.instances import Instance
from optimization.contract.plan import DAY, cost_parts, gap_share, lanes_of, pair_key, unmet_pieces, worked
from optimization.contract.tolerances import DUST_MINUTES, FITS_MINUTES
from optimization.engines.staged import by_days
from optimization.stages.plan_tables import Tables
from optimization.statement.highs import SEED, Limits, Spent
from optimization.statement.part import costs_left, minutes_left, sub_instance

_PAIRS, _FEWEST, _MOST = 70, 30, 300  # of a part: to begin with, and within what it adapts
_WORK_S = 4.0  # processor seconds of one part
_GAP = 1e-3
_COOLING = 0.3  # a lot whose part brought little is that much less likely to be chosen again
_STALE = 3.0  # times that all lots were in parts for nothing, at which the search ends
_WORTH = 2e-4  # of the cost of its lots: what a part must bring to count as worth it


class Here(Executor):
    """What is handed in is done at once, in this process: for one thread."""

    def submit(self, task: Callable[..., Any], /, *args: Any, **named: Any) -> Future[Any]:
        """The result is there when this returns."""
        done: Future[Any] = Future()
        done.set_result(task(*args, **named))
        return done


def plan_part(part: Instance, start: Tables, limits: Limits) -> tuple[Tables, bool]:
    """The part's plan, and whether its gap was closed. In a worker."""
    found = by_days.solved(part, replace(limits, stop=Spent(_WORK_S)), None, start)
    made = Tables(found.allocation, found.work, found.moves)
    return made, gap_share(found.cost, found.bound) <= 2 * _GAP


@dataclass
class StagedSearch:
    """The search over one plan, which it improves. `floor`: by lot what it costs at least at the prices."""

    instance: Instance
    plan: Tables
    price: pd.DataFrame  # factory_id, day, price
    floor: "pd.Series[float]"

    def __post_init__(self) -> None:
        self._random = np.random.default_rng(SEED)
        self._size, self.tried, self._stale = float(_PAIRS), 0, 0.0
        self.cost = self._cost(self.plan)
        orders = self.instance.orders["lot_id"]
        pool = orders.map("/" + self.instance.pools.set_index("lot_id")["pool_id"].astype("str"))
        self._unit = pd.Series(pool.fillna(orders).to_numpy(), index=orders.to_numpy())  # lot -> what goes together
        arcs = self.instance.arcs.assign(unit=self.instance.arcs["lot_id"].map(self._unit))
        self._width = arcs.groupby("unit").size()
        self._reach = {str(unit): set(table["factory_id"]) for unit, table in arcs.groupby("unit")}
        self._heat = pd.Series(1.0, index=self._width.index)
        self._running: dict[Future[Any], tuple[set[str], set[str], Tables]] = {}

    @property
    def exhausted(self) -> bool:
        """Whether every lot has been in several parts since the last one that was worth it."""
        return self._stale >= _STALE

    def step(self, pool: Executor, workers: int, until: float) -> None:
        """Keeps that many workers busy and takes in what they have done, within a second."""
        while len(self._running) < workers and self._launch(pool, workers, until):
            pass
        done, _ = wait(self._running, max(0.0, min(1.0, until - time.monotonic())), FIRST_COMPLETED)
        for future in done:
            lots, _, start = self._running.pop(future)
            self._settle(lots, start, *future.result())

    def _launch(self, pool: Executor, workers: int, until: float) -> bool:
        lots = self._choose()
        if not lots:
            return False
        held = self._held(workers)
        part, start = self.part(lots, held), _of(self.plan, lots)
        limits = Limits(until - time.monotonic(), _GAP, 1)
        self._running[pool.submit(plan_part, part, start, limits)] = (lots, held, start)
        return True

    def _held(self, workers: int) -> set[str]:
        """Factories whose free minutes a part may use: a fair share of those that no other holds."""
        names = set(self.instance.capacity["factory_id"]).difference(*(held for _, held, _ in self._running.values()))
        count = -(-self.instance.capacity["factory_id"].nunique() // workers)
        return set(self._random.permutation(sorted(names))[:count].tolist())

    def _choose(self) -> set[str]:
        """Lots of a part: a unit by its regret, then those that occupy the factories of the ones so far."""
        regret = self._regrets().groupby(self._unit).sum().reindex(self._width.index, fill_value=0.0)
        weight = (regret.clip(lower=0) + 1e-9) * self._heat
        busy = set().union(*(lots for lots, _, _ in self._running.values()))
        weight[weight.index.isin(self._unit[self._unit.index.isin(busy)])] = 0.0
        if not weight.any():
            return set()
        at = self.plan.allocation.assign(unit=self.plan.allocation["lot_id"].map(self._unit))
        chosen = self._random.choice(weight.index, 1, p=weight / weight.sum()).tolist()
        count = self._width[chosen[0]]
        while count < self._size:
            factories = set().union(*(self._reach[unit] for unit in chosen))
            near = weight[at.loc[at["factory_id"].isin(factories), "unit"].unique()]
            near = near[~near.index.isin(chosen) & (near > 0)]
            if near.empty:
                break
            drawn = str(self._random.choice(near.index, p=near / near.sum()))
            chosen.append(drawn)
            count += self._width[drawn]
        return set(self._unit.index[self._unit.isin(chosen)])

    def _regrets(self) -> "pd.Series[float]":
        """By lot: what it costs, minutes at their prices, above the least that it could."""
        return lot_costs(self.instance, self.plan, self.price) - self.floor

    def part(self, lots: set[str], held: set[str]) -> Instance:
        """The instance of some lots in what the others leave."""
        whole, others = self.instance, self.plan.schedule[~self.plan.schedule["lot_id"].isin(lots)]
        own = self.plan.schedule[self.plan.schedule["lot_id"].isin(lots)]
        arcs = whole.arcs[whole.arcs["lot_id"].isin(lots)]
        elsewhere = self.plan.allocation[~self.plan.allocation["lot_id"].isin(lots)]
        part = sub_instance(
            whole, lots, arcs, _capacity(whole, others, own, held), _factories(whole, elsewhere, others)
        )
        at = whole.transfers["from_factory"].isin(arcs["factory_id"]) | whole.transfers["from_factory"].isin(
            whole.ready.loc[whole.ready["lot_id"].isin(lots), "factory_id"]
        )
        at &= whole.transfers["to_factory"].isin(arcs["factory_id"])
        at &= (whole.transfers["lot_id"] == "") | whole.transfers["lot_id"].isin(lots)
        own_rows = {
            name: table[table["lot_id"].isin(lots)].reset_index(drop=True)
            for name in ("stages", "ready", "pools")
            if len(table := getattr(whole, name))
        }
        return replace(part, transfers=whole.transfers[at].reset_index(drop=True), **own_rows)

    def _settle(self, lots: set[str], start: Tables, made: Tables, closed: bool) -> None:
        """Takes a part's plan where it lowers the cost and fits."""
        self.tried += 1
        self._size = float(np.clip(self._size * (1.1 if closed else 0.85), _FEWEST, _MOST))
        plan = _with(self.plan, lots, made)
        cost = self._cost(plan)
        gained = self.cost - cost
        share = self.cost * len(lots) / len(self.instance.orders)
        if gained <= _WORTH * share:
            units = self._unit[self._unit.index.isin(lots)].unique()
            self._heat[units] *= _COOLING
        whole = closed and len(lots) == len(self.instance.orders)
        self._stale += _STALE if whole else len(lots) / len(self.instance.orders)
        if gained > _WORTH * share and _fits(self.instance, plan.schedule):
            self.plan, self.cost, self._stale = plan, cost, 0.0

    def _cost(self, plan: Tables) -> float:
        return sum(cost_parts(self.instance, plan.allocation, plan.schedule, plan.moves).values())


def lot_costs(instance: Instance, plan: Tables, price: pd.DataFrame) -> "pd.Series[float]":
    """By lot: unit, setup, transfer and unmet cost and its minutes at their prices."""
    pairs = plan.allocation.merge(instance.arcs, on=pair_key(instance))
    money = [(pairs["unit_cost"] * pairs["quantity"] + pairs["setup_cost"]).groupby(pairs["lot_id"]).sum()]
    work = plan.schedule.merge(price, on=["factory_id", "day"], how="left")
    minutes = (work["setup_minutes"] + work["run_minutes"]) * work["price"].fillna(0.0)
    money.append(minutes.groupby(work["lot_id"]).sum())
    if plan.moves is not None:
        link = ["lot_id", "from_factory", "to_factory"]
        moved = plan.moves.merge(lanes_of(instance, plan.moves[link].drop_duplicates()), on=link)
        money.append((moved["quantity"] * moved["cost"]).groupby(moved["lot_id"]).sum())
    unmet = instance.orders.set_index("lot_id")["unmet_cost"]
    money.append(unmet_pieces(instance, plan.allocation) * unmet)
    total = money[0]
    for other in money[1:]:
        total = total.add(other, fill_value=0.0)
    return total


def _of(plan: Tables, lots: set[str]) -> Tables:
    """The rows of some lots."""
    return _each(lambda table: table[table["lot_id"].isin(lots)], plan)


def _with(plan: Tables, lots: set[str], made: Tables) -> Tables:
    """The plan with the lots' rows replaced."""
    return _each(lambda old, new: pd.concat([old[~old["lot_id"].isin(lots)], new], ignore_index=True), plan, made)


def _each(made: Callable[..., pd.DataFrame], *plans: Tables) -> Tables:
    """A table for each table of the plans."""
    return Tables(
        made(*(plan.allocation for plan in plans)),
        made(*(plan.schedule for plan in plans)),
        None if plans[0].moves is None else made(*(plan.moves for plan in plans)),
    )


def _load(capacity: pd.DataFrame, schedule: pd.DataFrame) -> Floats:
    """Minutes of a schedule on each row of capacity."""
    work = worked(schedule).groupby(DAY)["minutes"].sum()
    keys = pd.MultiIndex.from_frame(capacity[DAY])
    return np.asarray(work.reindex(keys, fill_value=0.0).to_numpy(float))


def _capacity(whole: Instance, others: pd.DataFrame, own: pd.DataFrame, held: set[str]) -> pd.DataFrame:
    table = whole.capacity
    minutes, overtime = table["minutes"].to_numpy(), table["overtime_minutes"].to_numpy()
    regular, every = minutes_left(minutes, overtime, _load(table, others))
    free, used = table["factory_id"].isin(held).to_numpy(), _load(table, own)
    regular, every = np.where(free, regular, np.minimum(every, used)), np.where(free, every, np.minimum(every, used))
    left = table.assign(minutes=regular, overtime_minutes=np.maximum(0.0, every - regular))
    return left[every > DUST_MINUTES].reset_index(drop=True)


def _factories(whole: Instance, elsewhere: pd.DataFrame, others: pd.DataFrame) -> pd.DataFrame:
    table = whole.factories
    engaged = table["factory_id"].isin(elsewhere["factory_id"]).to_numpy()
    minutes = (others["setup_minutes"] + others["run_minutes"]).groupby(others["factory_id"]).sum()
    work = minutes.reindex(table["factory_id"], fill_value=0.0).to_numpy(float)
    cost, target = costs_left(table["engagement_cost"].to_numpy(), table["target_minutes"].to_numpy(), engaged, work)
    return table.assign(engagement_cost=cost, target_minutes=target)


def _fits(instance: Instance, schedule: pd.DataFrame) -> bool:
    table = instance.capacity
    room = (table["minutes"] + table["overtime_minutes"]).to_numpy()
    return bool((_load(table, schedule) <= room + FITS_MINUTES).all())
