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

from c2m.errors import InputError
from optimization.contract.instances import Instance
from optimization.contract.plan import PAIR, Plan
from optimization.contract.tolerances import DUST_MINUTES
from optimization.statement.reduction import reduce
from optimization.statement.solver import Solver

DAY = ["factory_id", "day"]
_SOLVED = (highspy.HighsModelStatus.kOptimal, highspy.HighsModelStatus.kModelEmpty)


@dataclass(frozen=True)
class Answer:
    """Cost at a value of a limit, inf where nothing fits, and by how much it changes per unit of the limit."""

    cost: float
    slope: float


@dataclass(frozen=True)
class Limit:
    """One limit of the program: the upper side of a row (minutes) or column (overtime), or a column's lower (lot)."""

    kind: str  # minutes | overtime | lot
    position: int
    value: float
    upper: float = np.inf  # of the column, where the limit is its lower side


class Fixed:
    """The program, solved. Its frames `pairs` (lot_price) and `days` (price, spare minutes) carry its duals."""

    def __init__(self, instance: Instance, plan: Plan, factories: list[str] | None = None) -> None:
        pairs = _pairs(instance, plan, factories)
        days = _days(instance, pairs, factories)
        self._rows, self._columns, lp = _stated(instance, pairs, days)
        self._solver = Solver()
        self._solver.setOptionValue("output_flag", False)
        self._solver.passModel(lp)
        self._solver.run()
        if self._solver.getModelStatus() not in _SOLVED:
            raise InputError("plan-does-not-fit", ["the plan breaks a rule of its instance; run `c2m verify` on it"])
        self.cost = float(self._solver.getInfo().objective_function_value)
        solution, capacity = self._solver.getSolution(), self._rows["capacity"]
        load = np.array(solution.row_value)[capacity]
        price = np.maximum(0.0, -np.array(solution.row_dual)[capacity])
        lot_price = np.array(solution.col_dual)[self._columns["quantity"]]
        self.pairs = pairs.assign(lot_price=np.maximum(0.0, lot_price))
        self.days = days.assign(price=price, spare=days["minutes"].to_numpy() - load)

    def minutes(self, day: int) -> Limit:
        """Regular minutes of a factory and day, by position in `days`."""
        return Limit("minutes", int(self._rows["capacity"][day]), float(self.days["minutes"].iloc[day]))

    def overtime(self, day: int) -> Limit:
        """Overtime minutes of a factory and day."""
        return Limit("overtime", int(self._columns["overtime"][day]), float(self.days["overtime_minutes"].iloc[day]))

    def lot(self, pair: int) -> Limit:
        """Least pieces of a pair, by position in `pairs`."""
        row = self.pairs.iloc[pair]
        return Limit("lot", int(self._columns["quantity"][pair]), float(row["least"]), float(row["most"]))

    def at(self, limit: Limit, value: float) -> Answer:
        """The cost with another value of one limit; the limit is put back."""
        self._set(limit, value)
        self._solver.run()
        fits = self._solver.getModelStatus() in _SOLVED
        cost, solution = float(self._solver.getInfo().objective_function_value), self._solver.getSolution()
        self._set(limit, limit.value)
        duals = solution.row_dual if limit.kind == "minutes" else solution.col_dual
        return Answer(cost, float(duals[limit.position])) if fits else Answer(np.inf, 0.0)

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


def _stated(
    instance: Instance, pairs: pd.DataFrame, days: pd.DataFrame
) -> tuple[dict[str, NDArray[np.int64]], dict[str, NDArray[np.int64]], Any]:
    """Positions of rows and columns by name, and the program as HiGHS takes it. Constant costs are left out."""
    work = _work(pairs, days)
    lots = pairs.drop_duplicates("lot_id")[["lot_id", "order_quantity", "unmet_cost"]]
    targets = instance.factories[instance.factories["factory_id"].isin(days["factory_id"])]
    held = np.flatnonzero((pairs["held"] > pairs["kept"]) & (pairs["change_cost"] > 0))
    setup = pairs["setup_minutes"].where(pairs["switched"] | (pairs["quantity"] > 0), 0.0)
    piece_cost = pairs["unit_cost"] + pairs["late_cost"] * pairs["late_start_days"]
    least_load = np.full(len(days), -np.inf)
    rows, row_bounds = _numbered(  # lower, upper
        served=(lots["order_quantity"], lots["order_quantity"]),
        working=(setup, setup),
        capacity=(least_load, days["minutes"]),
        target=(targets["target_minutes"], np.full(len(targets), np.inf)),
        taking=(pairs["held"].iloc[held], np.full(len(held), np.inf)),
    )
    columns, column_bounds = _numbered(  # cost, lower, upper
        quantity=(piece_cost, pairs["least"], pairs["most"]),
        work=(work["cost"], np.zeros(len(work)), work["max_minutes_per_day"]),
        overtime=(days["overtime_cost"], np.zeros(len(days)), days["overtime_minutes"]),
        unmet=(lots["unmet_cost"], np.zeros(len(lots)), np.full(len(lots), np.inf)),
        shortfall=(targets["shortfall_cost"], np.zeros(len(targets)), np.full(len(targets), np.inf)),
        taken=(pairs["change_cost"].iloc[held], np.zeros(len(held)), np.full(len(held), np.inf)),
    )
    lot = pd.Index(lots["lot_id"]).get_indexer(pairs["lot_id"])
    target = pd.Index(targets["factory_id"]).get_indexer(work["factory_id"])
    entries = [
        (rows["served"][lot], columns["quantity"], 1.0),
        (rows["served"], columns["unmet"], 1.0),
        (rows["working"][work["pair"]], columns["work"], 1.0),
        (rows["working"], columns["quantity"], -pairs["minutes_per_piece"].to_numpy()),
        (rows["capacity"][work["slot"]], columns["work"], 1.0),
        (rows["capacity"], columns["overtime"], -1.0),
        (rows["target"][target[target >= 0]], columns["work"][target >= 0], 1.0),
        (rows["target"], columns["shortfall"], 1.0),
        (rows["taking"], columns["quantity"][held], 1.0),
        (rows["taking"], columns["taken"], 1.0),
    ]
    return rows, columns, _program(entries, row_bounds, column_bounds)


def _numbered(**blocks: tuple[Any, ...]) -> tuple[dict[str, NDArray[np.int64]], NDArray[np.float64]]:
    """Positions of blocks of rows or columns one after the other, and their figures as one array."""
    ends = np.cumsum([len(figures[0]) for figures in blocks.values()])
    names = {name: np.arange(end - len(block[0]), end) for (name, block), end in zip(blocks.items(), ends, strict=True)}
    return names, np.concatenate([np.array(figures, dtype=float) for figures in blocks.values()], axis=1)


def _program(entries: list[tuple[Any, Any, Any]], rows: NDArray[np.float64], columns: NDArray[np.float64]) -> Any:
    """Entries (rows, columns, values), row bounds and column figures as a program of HiGHS."""
    triples = [np.broadcast_arrays(*entry) for entry in entries]
    row, column, value = (np.concatenate([triple[axis] for triple in triples]) for axis in range(3))
    matrix = sparse.csc_array((value, (row, column)), shape=(rows.shape[1], columns.shape[1]))
    lp = highspy.HighsLp()
    lp.num_row_, lp.num_col_ = matrix.shape
    lp.row_lower_, lp.row_upper_ = rows
    lp.col_cost_, lp.col_lower_, lp.col_upper_ = columns
    lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    lp.a_matrix_.start_, lp.a_matrix_.index_, lp.a_matrix_.value_ = matrix.indptr, matrix.indices, matrix.data
    return lp
