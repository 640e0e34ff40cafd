"""The plain time-indexed MIP of the contract, as a textbook states it: what the rivals of `c2m allocate` solve.

    p in pairs, t in the open days of its window; o orders, f factories
    quantity q_p   integer       used y_p     binary       run r_pt, setup s_pt   minutes >= 0
    ready v_pt     binary: the setup is done by the end of day t
    overtime_ft, unmet_o, engaged_f (binary), shortfall_f, taken_p    >= 0

    sum_p q_p + unmet_o = D_o          least_p y_p <= q_p <= most_p y_p          sum_p y_p <= max_factories_o
    sum_t r_pt = a_p q_p               sum_t s_pt = m_p y_p                      sum_{u <= t} s_pu >= m_p v_pt
    r_pt <= C_ft v_pt                  sum_p (r_pt + s_pt) <= C_ft + overtime_ft      y_p <= engaged_f, and so on

The rivals get our reduction too (optimization/statement/reduction.py: pairs that can carry work, tight bounds), but
not its spans of days. Money, minutes and pieces as in the contract.
"""

import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from optimization.contract.instances import Instance
from optimization.contract.plan import PAIR, Plan, cost_parts, unmet_pieces
from optimization.statement.reduction import reduce
from optimization.statement.schedule import setup_first

SEED = 20260101


@dataclass
class Clock:
    """Limits of a rival's run, and its trace: [seconds since this was made, bound, incumbent]."""

    seconds: float
    gap: float
    threads: int
    began: float = field(default_factory=time.monotonic)
    trace: list[tuple[float, float, float | None]] = field(default_factory=list)

    @property
    def left(self) -> float:
        """Seconds until the limit; a solver gets a tenth of one at least."""
        return max(0.1, self.seconds - (time.monotonic() - self.began))

    def note(self, bound: float, incumbent: float) -> None:
        """Adds to the trace; infinity becomes None."""
        finite = [round(value, 6) if np.isfinite(value) else None for value in (bound, incumbent)]
        self.trace.append((round(time.monotonic() - self.began, 3), *finite))


@dataclass
class Statement:
    """min cost x + offset, row_lower <= matrix x <= row_upper, lower <= x <= upper. `block`: columns by variable name.

    integer, minutes: whether a column is whole, whether it counts minutes (else pieces, or 0 and 1).
    """

    instance: Instance
    pairs: pd.DataFrame
    cells: pd.DataFrame  # pair and day: `pair` a position in pairs, `slot` one in days
    offset: float = 0.0
    cost: np.ndarray = field(default_factory=lambda: np.empty(0))
    lower: np.ndarray = field(default_factory=lambda: np.empty(0))
    upper: np.ndarray = field(default_factory=lambda: np.empty(0))
    integer: np.ndarray = field(default_factory=lambda: np.empty(0, bool))
    minutes: np.ndarray = field(default_factory=lambda: np.empty(0, bool))
    row_lower: np.ndarray = field(default_factory=lambda: np.empty(0))
    row_upper: np.ndarray = field(default_factory=lambda: np.empty(0))
    block: dict[str, np.ndarray] = field(default_factory=dict)
    entries: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = field(default_factory=list)

    @property
    def matrix(self) -> sparse.csr_array:
        """Coefficients [row, column]."""
        row, column, value = (np.concatenate(parts) for parts in zip(*self.entries, strict=True))
        return sparse.csr_array((value, (row, column)), shape=(len(self.row_lower), len(self.cost)))

    def variable(
        self, name: str, cost: object, upper: object, lower: object = 0.0, integer: bool = False, minutes: bool = False
    ) -> None:
        """Adds a column per element of the longest of cost and bounds."""
        cost, lower, upper = np.broadcast_arrays(np.asarray(cost, float), lower, upper)
        self.block[name] = len(self.cost) + np.arange(len(cost))
        self.cost, self.lower = np.append(self.cost, cost), np.append(self.lower, lower)
        self.upper = np.append(self.upper, upper)
        self.integer = np.append(self.integer, np.full(len(cost), integer))
        self.minutes = np.append(self.minutes, np.full(len(cost), minutes))

    def rows(self, count: int, lower: object, upper: object, *terms: tuple[object, np.ndarray, object]) -> None:
        """Adds `count` rows; a term names positions among them, columns and coefficients."""
        start = len(self.row_lower)
        for row, column, value in terms:
            self.entries.append(
                (start + np.asarray(row), column, np.broadcast_to(np.asarray(value, float), len(column)))
            )
        self.row_lower = np.append(self.row_lower, np.broadcast_to(lower, count))
        self.row_upper = np.append(self.row_upper, np.broadcast_to(upper, count))


def state(instance: Instance) -> Statement:
    """The model of an instance."""
    reduced = reduce(instance)
    pairs, days = reduced.pairs.reset_index(drop=True), reduced.days.reset_index(drop=True)
    keys = pairs[["factory_id", "first_day", "last_day"]].assign(pair=pairs.index)
    slots = days[["factory_id", "day", "minutes", "overtime_minutes"]].assign(slot=days.index)
    cells = keys.merge(slots, on="factory_id")
    cells = cells[cells["day"].between(cells["first_day"], cells["last_day"])]
    cells = cells.sort_values(["pair", "day"], ignore_index=True)
    model = Statement(instance, pairs, cells)
    held = instance.incumbent.merge(pairs[PAIR], on=PAIR, how="left", indicator=True)
    model.offset = float((held["change_cost"] * held["quantity"])[held["_merge"] == "left_only"].sum())
    _add_lots(model)
    _add_days(model, days)
    _add_factories(model)
    return model


def _add_lots(model: Statement) -> None:
    pairs, orders = model.pairs, model.instance.orders
    p = np.arange(len(pairs))
    order = pd.Index(orders["lot_id"]).get_indexer(pairs["lot_id"])
    free = ~pairs["frozen"].to_numpy(bool)
    held = np.flatnonzero(pairs["held"] > pairs["kept"])
    model.variable("quantity", pairs["unit_cost"], pairs["most"], pairs["kept"], integer=True)
    model.variable("used", pairs["setup_cost"], 1, pairs["kept"] > 0, integer=True)
    model.variable("unmet", orders["unmet_cost"], orders["quantity"])
    model.variable("taken", pairs["change_cost"].to_numpy()[held], pairs["held"].to_numpy()[held])
    q, y = model.block["quantity"], model.block["used"]
    n = len(orders)
    model.rows(n, orders["quantity"], orders["quantity"], (order, q, 1), (np.arange(n), model.block["unmet"], 1))
    model.rows(n, -np.inf, orders["max_factories"], (order[free], y[free], 1))
    model.rows(len(p), -np.inf, 0, (p, q, 1), (p, y, -pairs["most"]))
    model.rows(len(p), 0, np.inf, (p, q, 1), (p, y, -pairs["least"]))
    h = np.arange(len(held))
    model.rows(len(h), pairs["held"].to_numpy()[held], np.inf, (h, model.block["taken"], 1), (h, q[held], 1))


def _add_days(model: Statement, days: pd.DataFrame) -> None:
    pairs, cells = model.pairs, model.cells
    pair, slot = cells["pair"].to_numpy(), cells["slot"].to_numpy()
    of = pairs.iloc[pair]
    late = (cells["day"].to_numpy() - of["on_time_day"].to_numpy()).clip(min=0) * of["late_cost"].to_numpy()
    room = (cells["minutes"] + cells["overtime_minutes"]).to_numpy()
    most = np.minimum(room, of["max_minutes_per_day"].to_numpy())
    slow = np.flatnonzero(of["setup_minutes"] > 0)
    model.variable("run", late / of["minutes_per_piece"].to_numpy(), most, minutes=True)
    model.variable("setup", np.zeros(len(slow)), most[slow], minutes=True)
    model.variable("ready", np.zeros(len(slow)), 1, integer=True)
    model.variable("overtime", days["overtime_cost"], days["overtime_minutes"], minutes=True)
    r, s, v = (model.block[name] for name in ("run", "setup", "ready"))
    p, c = np.arange(len(pairs)), np.arange(len(slow))
    model.rows(len(p), 0, 0, (pair, r, 1), (p, model.block["quantity"], -pairs["minutes_per_piece"]))
    model.rows(len(p), 0, 0, (pair[slow], s, 1), (p, model.block["used"], -pairs["setup_minutes"]))
    by_now = pd.DataFrame({"pair": pair[slow], "day": cells["day"].to_numpy()[slow], "at": c})
    by_now = by_now.merge(by_now, on="pair", suffixes=("", "_before")).query("day_before <= day")
    needed = of["setup_minutes"].to_numpy()[slow]
    model.rows(len(c), 0, np.inf, (by_now["at"], s[by_now["at_before"]], 1), (c, v, -needed))
    model.rows(len(c), -np.inf, 0, (c, r[slow], 1), (c, v, -most[slow]))
    model.rows(len(c), -np.inf, most[slow], (c, r[slow], 1), (c, s, 1))
    overtime = np.arange(len(days)), model.block["overtime"], -1
    model.rows(len(days), -np.inf, days["minutes"], (slot, r, 1), (slot[slow], s, 1), overtime)


def _add_factories(model: Statement) -> None:
    factories, pairs = model.instance.factories, model.pairs
    n = len(factories)
    model.variable("engaged", factories["engagement_cost"], 1, integer=True)
    model.variable("shortfall", factories["shortfall_cost"], factories["target_minutes"], minutes=True)
    at = pd.Index(factories["factory_id"]).get_indexer(pairs["factory_id"])  # -1 where the table has no such factory
    known = np.flatnonzero(at >= 0)
    k = np.arange(len(known))
    used, engaged = model.block["used"][known], model.block["engaged"][at[known]]
    model.rows(len(k), -np.inf, 0, (k, used, 1), (k, engaged, -1))
    pair = model.cells["pair"].to_numpy()
    slow = np.flatnonzero(pairs["setup_minutes"].to_numpy()[pair] > 0)
    work = [(at[pair], model.block["run"]), (at[pair][slow], model.block["setup"])]
    terms = [(row[row >= 0], column[row >= 0], 1) for row, column in work]
    model.rows(n, factories["target_minutes"], np.inf, (np.arange(n), model.block["shortfall"], 1), *terms)


def plan_of(model: Statement, values: np.ndarray, bound: float, solver: str, clock: Clock) -> Plan:
    """The plan of a point of the model; its cost is recomputed by the contract's rule."""
    pairs, horizon_days = model.pairs, model.instance.horizon_days
    quantity = np.rint(values[model.block["quantity"]]).astype("int64")
    minutes = np.zeros((len(pairs), horizon_days))
    pair, day = model.cells["pair"].to_numpy(), model.cells["day"].to_numpy() - 1
    slow = np.flatnonzero(pairs["setup_minutes"].to_numpy()[pair] > 0)
    minutes[pair, day] += values[model.block["run"]].clip(min=0)
    minutes[pair[slow], day[slow]] += values[model.block["setup"]].clip(min=0)
    used = np.flatnonzero(quantity)
    need = (quantity * pairs["minutes_per_piece"] + pairs["setup_minutes"]).to_numpy()[used]
    minutes = minutes[used] * (need / minutes[used].sum(axis=1))[:, None]  # takes out the solver's tolerance
    allocation = pairs.iloc[used][PAIR].assign(quantity=quantity[used]).reset_index(drop=True)
    schedule = setup_first(minutes, pairs.iloc[used], pd.DataFrame({"day": np.arange(1, horizon_days + 1)}))
    return reported(model, allocation, schedule, bound, solver, clock)


def reported(
    model: Statement, allocation: pd.DataFrame, schedule: pd.DataFrame, bound: float, solver: str, clock: Clock
) -> Plan:
    """The plan with its report."""
    size = {"rows": len(model.row_lower), "columns": len(model.cost), "integers": int(model.integer.sum())}
    engine = {"solver": solver, **size, "asked_gap": clock.gap, "threads": clock.threads, "trace": clock.trace}
    report = _report(model.instance, allocation, schedule, bound, clock.gap)
    return Plan(allocation, schedule, report | {"engine": engine})


def _report(
    instance: Instance, allocation: pd.DataFrame, schedule: pd.DataFrame, bound: float, asked_gap: float
) -> dict[str, Any]:
    cost, left = cost_parts(instance, allocation, schedule), unmet_pieces(instance, allocation)
    objective = sum(cost.values())
    bound = min(bound, objective)
    gap = (objective - bound) / abs(objective) if objective > bound else 0.0
    reason = "not said by this solver"
    return {
        "status": "optimal" if gap <= asked_gap else "feasible",
        "objective": objective,
        "bound": bound,
        "bound_by": "mip",
        "gap": gap,
        "cost": cost,
        "unmet": [{"order_id": o, "quantity": int(n), "reason": reason} for o, n in left[left > 0].items()],
        "instance_sha256": instance.sha256,
    }
