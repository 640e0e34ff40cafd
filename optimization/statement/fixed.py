"""The linear program that is left once it is fixed who makes what: pieces, days and overtime are free.

Fixed are the plan's switches: every pair that needs one (setup, minimum lot or max_factories) is used as in the plan or
not at all, a factory that costs something to engage is engaged as in the plan, and a pair with a setup that begins late
does not begin earlier. Pieces may be fractional. Days are told apart, closed ones included: what a minute more on a day
off is worth is a question like any other. Where factories are named, only what hangs together with them takes part: the
lots that they make, the other factories of these lots, and so on. Nothing outside of it can change.

In: Instance, Plan. Out: `Fixed`, a program in memory that answers "what would it cost if this limit were other".
"""

from dataclasses import dataclass
from typing import Any

import highspy
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph

from c2m.domain.arrays import Floats, Ints
from c2m.errors import InputError
from optimization.contract.instances import Instance
from optimization.contract.plan import DAY, PAIR, Plan
from optimization.contract.tolerances import DUST_MINUTES
from optimization.statement.linear import Blocks
from optimization.statement.reduction import reduce

_SOLVED = (highspy.HighsModelStatus.kOptimal, highspy.HighsModelStatus.kModelEmpty)


@dataclass(frozen=True)
class CostAtLimit:
    """Cost at a value of a limit, inf where nothing fits, and by how much it changes per unit of the limit."""

    cost: float
    slope: float


@dataclass(frozen=True)
class Limit:
    """One limit of the program: the upper side of a row (minutes) or column (overtime), or a column's lower (lot)."""

    kind: str  # minutes | overtime | lot
    position: int  # number of the row or column
    value: float  # minutes, or pieces of a lot
    upper: float = np.inf  # of the column, where the limit is its lower side


class Fixed:
    """The program, solved. Its frames `pairs` (lot_price) and `days` (price, spare minutes) carry its duals."""

    def __init__(self, instance: Instance, plan: Plan, factories: list[str] | None = None) -> None:
        pairs = _pairs(instance, plan, factories)
        days = _days(instance, pairs, factories)
        self._stated = _stated(instance, pairs, days)
        self._solver = self._stated.program.solver()
        self._solver.run()
        if self._solver.getModelStatus() not in _SOLVED:
            raise InputError("plan-does-not-fit", ["the plan breaks a rule of its instance; run `c2m verify` on it"])
        self.cost = float(self._solver.getInfo().objective_function_value)
        solution, capacity = self._solver.getSolution(), self._stated.capacity
        load = np.array(solution.row_value)[capacity]
        price = np.maximum(0.0, -np.array(solution.row_dual)[capacity])
        lot_price = np.array(solution.col_dual)[self._stated.quantity]
        self.pairs = pairs.assign(lot_price=np.maximum(0.0, lot_price))
        self.days = days.assign(price=price, spare=days["minutes"].to_numpy() - load)

    def minutes(self, day: int) -> Limit:
        """Regular minutes of a factory and day, by position in `days`."""
        return Limit("minutes", int(self._stated.capacity[day]), float(self.days["minutes"].iloc[day]))

    def overtime(self, day: int) -> Limit:
        """Overtime minutes of a factory and day."""
        return Limit("overtime", int(self._stated.overtime[day]), float(self.days["overtime_minutes"].iloc[day]))

    def lot(self, pair: int) -> Limit:
        """Least pieces of a pair, by position in `pairs`."""
        row = self.pairs.iloc[pair]
        return Limit("lot", int(self._stated.quantity[pair]), float(row["least"]), float(row["most"]))

    def at(self, limit: Limit, value: float) -> CostAtLimit:
        """The cost with another value of one limit; the limit is put back.

        Parameters
        ----------
        limit
            Which one.
        value
            In the limit's unit: minutes or pieces.

        Returns
        -------
        CostAtLimit
            Cost and dual price; an infinite cost where nothing fits.
        """
        self._set(limit, value)
        self._solver.run()
        fits = self._solver.getModelStatus() in _SOLVED
        cost, solution = float(self._solver.getInfo().objective_function_value), self._solver.getSolution()
        self._set(limit, limit.value)
        duals = solution.row_dual if limit.kind == "minutes" else solution.col_dual
        return CostAtLimit(cost, float(duals[limit.position])) if fits else CostAtLimit(np.inf, 0.0)

    def _set(self, limit: Limit, value: float) -> None:
        if limit.kind == "minutes":
            self._solver.changeRowBounds(limit.position, -np.inf, value)
        else:
            bounds = (0.0, value) if limit.kind == "overtime" else (value, limit.upper)
            self._solver.changeColBounds(limit.position, *bounds)


def _pairs(instance: Instance, plan: Plan, factories: list[str] | None) -> pd.DataFrame:
    """The pairs that may carry work, with their windows, the bounds on their pieces, and what lateness costs."""
    pairs = reduce(instance).pairs.merge(plan.allocation, on=PAIR, how="left")
    used = pairs["quantity"].fillna(0) > 0
    pairs["switched"] = _switched(pairs)
    pairs = pairs[used | (~pairs["switched"] & _open(instance, plan, pairs))]
    if factories is not None:
        pairs = pairs[_together(pairs, factories)]
    pairs = pairs.reset_index(drop=True)
    pairs["first_day"] = pairs["release_day"].clip(lower=1)
    latest = (pairs["on_time_day"] + pairs["max_late_days"]).clip(upper=instance.horizon_days)
    pairs["last_day"] = latest.mask(pairs["frozen"], instance.horizon_days)
    pairs["least"] = pairs["least"].where(pairs["switched"], pairs["kept"]).astype(float)
    kept_elsewhere = pairs.groupby("lot_id")["kept"].transform("sum") - pairs["kept"]
    pairs["most"] = np.minimum(pairs["max_lot"], pairs["order_quantity"] - kept_elsewhere).astype(float)
    pairs["late_start_days"] = _late_start_days(pairs, plan)
    return pairs


def _switched(pairs: pd.DataFrame) -> "pd.Series[bool]":
    """Whether the model gives the pair a binary of its own (optimization/statement/mip.py)."""
    choices = (pairs["kept"] == 0).groupby(pairs["lot_id"]).transform("sum")
    shared = choices > pairs["max_new"]
    asks = (pairs["setup_cost"] > 0) | (pairs["setup_minutes"] > 0) | (pairs["least"] > 1)
    return (pairs["kept"] == 0) & (asks | shared)


def _open(instance: Instance, plan: Plan, pairs: pd.DataFrame) -> "pd.Series[bool]":
    """Whether a pair without a switch may be used: its factory is engaged, or costs nothing to engage."""
    dear = instance.factories["factory_id"][instance.factories["engagement_cost"] > 0]
    return pairs["factory_id"].isin(plan.allocation["factory_id"]) | ~pairs["factory_id"].isin(dear)


def _late_start_days(pairs: pd.DataFrame, plan: Plan) -> NDArray[np.float64]:
    """Days late of a pair's first run minute in the plan; 0 without a setup: each minute then counts by its own day."""
    runs = plan.schedule[plan.schedule["run_minutes"] > DUST_MINUTES].groupby(PAIR, as_index=False)["day"].min()
    begins = pairs[PAIR].merge(runs, on=PAIR, how="left")["day"].to_numpy(dtype=float)
    return np.where(pairs["setup_minutes"] > 0, np.fmax(0.0, begins - pairs["on_time_day"].to_numpy()), 0.0)


def _together(pairs: pd.DataFrame, factories: list[str]) -> NDArray[np.bool_]:
    """The pairs that hang together with some factories."""
    lot, factory = pd.factorize(pairs["lot_id"])[0], pd.factorize(pairs["factory_id"])[0]
    lots = int(lot.max(initial=-1)) + 1
    nodes = lots + int(factory.max(initial=-1)) + 1
    links = sparse.coo_array((np.ones(len(pairs)), (lot, factory + lots)), shape=(nodes, nodes))
    part = csgraph.connected_components(links, directed=False)[1][lot]
    return np.isin(part, part[pairs["factory_id"].isin(factories).to_numpy()])


def _days(instance: Instance, pairs: pd.DataFrame, factories: list[str] | None) -> pd.DataFrame:
    """Every day of the factories that take part, those without a capacity row included."""
    at = sorted({*pairs["factory_id"], *(factories or [])})
    every = pd.MultiIndex.from_product([at, range(1, instance.horizon_days + 1)], names=DAY).to_frame(index=False)
    days = every.merge(instance.capacity, on=DAY, how="left").fillna(0.0)
    dearest = days.groupby("factory_id")["overtime_cost"].transform("max")  # for a day that has no overtime yet
    return days.assign(overtime_cost=days["overtime_cost"].where(days["overtime_minutes"] > 0, dearest))


def _work(pairs: pd.DataFrame, days: pd.DataFrame) -> pd.DataFrame:
    """pair, slot (positions), cost and most minutes of each day on which a pair may be worked on."""
    columns = [
        "factory_id",
        "first_day",
        "last_day",
        "on_time_day",
        "late_start_days",
        "late_cost",
        "minutes_per_piece",
    ]
    work = pairs[[*columns, "max_minutes_per_day"]].assign(pair=np.arange(len(pairs)))
    work = work.merge(days[DAY].assign(slot=np.arange(len(days))), on="factory_id")
    work = work[work["day"].between(work["first_day"], work["last_day"])]
    further = (work["day"] - work["on_time_day"]).clip(lower=0) - work["late_start_days"]
    work["cost"] = work["late_cost"] / work["minutes_per_piece"] * further.clip(lower=0)
    return work


@dataclass(frozen=True)
class _Stated:
    """The program, the columns of pieces (pairs,) and overtime (days,), and the rows of capacity (days,)."""

    program: Blocks
    quantity: Ints
    overtime: Ints
    capacity: Ints


def _stated(instance: Instance, pairs: pd.DataFrame, days: pd.DataFrame) -> _Stated:
    """The program. Constant costs are left out."""
    lp, work = Blocks(), _work(pairs, days)
    lots = pairs.drop_duplicates("lot_id")
    targets = instance.factories[instance.factories["factory_id"].isin(days["factory_id"])]
    held = pairs[(pairs["held"] > pairs["kept"]) & (pairs["change_cost"] > 0)]
    piece_cost = pairs["unit_cost"] + pairs["late_cost"] * pairs["late_start_days"]
    quantity = lp.columns(_floats(piece_cost), _floats(pairs["least"]), _floats(pairs["most"]))
    worked = lp.columns(_floats(work["cost"]), upper=_floats(work["max_minutes_per_day"]))
    overtime = lp.columns(_floats(days["overtime_cost"]), upper=_floats(days["overtime_minutes"]))
    unmet = lp.columns(_floats(lots["unmet_cost"]))
    shortfall = lp.columns(_floats(targets["shortfall_cost"]))
    taken = lp.columns(_floats(held["change_cost"]))
    _add_lots(lp, lots, pairs, quantity, unmet)
    _add_work(lp, pairs, work, quantity, worked)
    capacity = _add_days(lp, days, work, worked, overtime)
    _add_targets(lp, targets, work, worked, shortfall)
    _add_held(lp, held, quantity, taken)
    return _Stated(lp, quantity, overtime, capacity)


def _add_lots(lp: Blocks, lots: pd.DataFrame, pairs: pd.DataFrame, quantity: Ints, unmet: Ints) -> None:
    """What a lot asks for is made somewhere, or unmet."""
    asked, lot = _floats(lots["order_quantity"]), pd.Index(lots["lot_id"]).get_indexer(pairs["lot_id"])
    lp.rows(len(lots), asked, asked, (lot, quantity, 1.0), (np.arange(len(lots)), unmet, 1.0))


def _add_work(lp: Blocks, pairs: pd.DataFrame, work: pd.DataFrame, quantity: Ints, worked: Ints) -> None:
    """The minutes worked for a pair are those of its pieces and of its setup, which is as it was."""
    setup = _floats(pairs["setup_minutes"].where(pairs["switched"] | (pairs["quantity"] > 0), 0.0))
    made = np.arange(len(pairs)), quantity, -_floats(pairs["minutes_per_piece"])
    lp.rows(len(pairs), setup, setup, (work["pair"].to_numpy(), worked, 1.0), made)


def _add_days(lp: Blocks, days: pd.DataFrame, work: pd.DataFrame, worked: Ints, overtime: Ints) -> Ints:
    """What is worked on a day fits into its minutes and its overtime; the rows, whose prices are asked for."""
    loaded, extra = (work["slot"].to_numpy(), worked, 1.0), (np.arange(len(days)), overtime, -1.0)
    return lp.rows(len(days), -np.inf, _floats(days["minutes"]), loaded, extra)


def _add_held(lp: Blocks, held: pd.DataFrame, quantity: Ints, taken: Ints) -> None:
    """What a pair holds is made, or taken away from it."""
    at = np.arange(len(held))
    lp.rows(len(held), _floats(held["held"]), np.inf, (at, quantity[held.index], 1.0), (at, taken, 1.0))


def _add_targets(lp: Blocks, targets: pd.DataFrame, work: pd.DataFrame, worked: Ints, shortfall: Ints) -> None:
    """A factory works its target, or falls short of it."""
    target = pd.Index(targets["factory_id"]).get_indexer(work["factory_id"])
    some = target >= 0
    reached, lacking = (target[some], worked[some], 1.0), (np.arange(len(targets)), shortfall, 1.0)
    lp.rows(len(targets), _floats(targets["target_minutes"]), np.inf, reached, lacking)


def _floats(column: "pd.Series[Any]") -> Floats:
    return column.to_numpy(dtype=float)
