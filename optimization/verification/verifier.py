"""An independent judge of a plan: every rule of the contract as a DuckDB query that returns the offending rows.

In: an instance folder and a plan folder. Out: `Verification`: broken rules by name with their rows, cost recomputed by
part, the claimed bound, and the Lagrangian bound where the plan carries `prices`. It shares no code with what makes
plans. Tolerances: 1e-6 minutes, 1e-6 relative in money.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from c2m.errors import InputError
from c2m.files import read_json
from optimization.contract.tolerances import MONEY_SHARE
from optimization.contract.wording import counted, money, percent
from optimization.verification import plan_rules, stage_rules

_TYPES: dict[str, dict[str, tuple[str, str | None]]] = {  # column: (type, what stands in for an absent or empty cell)
    "orders": {
        "order_id": ("varchar", None),
        "quantity": ("bigint", None),
        "release_day": ("bigint", None),
        "due_day": ("bigint", None),
        "max_late_days": ("bigint", None),
        "max_factories": ("bigint", None),
        "late_cost": ("double", None),
        "unmet_cost": ("double", None),
    },
    "arcs": {
        "order_id": ("varchar", None),
        "stage": ("bigint", "1"),
        "factory_id": ("varchar", None),
        "unit_cost": ("double", None),
        "minutes_per_piece": ("double", None),
        "setup_cost": ("double", None),
        "setup_minutes": ("double", None),
        "min_lot": ("bigint", None),
        "max_lot": ("bigint", None),
        "transit_days": ("bigint", None),
        "release_day": ("bigint", "null"),
        "max_minutes_per_day": ("double", "'inf'::double"),
    },
    "capacity": {
        "factory_id": ("varchar", None),
        "day": ("bigint", None),
        "minutes": ("double", None),
        "overtime_minutes": ("double", None),
        "overtime_cost": ("double", None),
    },
    "factories": {
        "factory_id": ("varchar", None),
        "engagement_cost": ("double", "0"),
        "target_minutes": ("double", "0"),
        "shortfall_cost": ("double", "0"),
    },
    "incumbent": {
        "order_id": ("varchar", None),
        "stage": ("bigint", "1"),
        "factory_id": ("varchar", None),
        "quantity": ("bigint", None),
        "change_cost": ("double", None),
        "frozen": ("boolean", None),
        "setup_done": ("boolean", "false"),
    },
    "stages": {"order_id": ("varchar", None), "stage": ("bigint", None)},
    "transfers": {
        "from_factory": ("varchar", None),
        "to_factory": ("varchar", None),
        "order_id": ("varchar", "''"),
        "cost": ("double", None),
        "days": ("bigint", None),
    },
    "ready": {
        "order_id": ("varchar", None),
        "stage": ("bigint", None),
        "factory_id": ("varchar", None),
        "day": ("bigint", "1"),
        "quantity": ("bigint", None),
    },
    "pools": {"order_id": ("varchar", None), "pool_id": ("varchar", None)},
    "allocation": {
        "order_id": ("varchar", None),
        "stage": ("bigint", "1"),
        "factory_id": ("varchar", None),
        "quantity": ("double", None),
    },
    "schedule": {
        "order_id": ("varchar", None),
        "stage": ("bigint", "1"),
        "factory_id": ("varchar", None),
        "day": ("bigint", None),
        "setup_minutes": ("double", None),
        "run_minutes": ("double", None),
    },
    "prices": {"factory_id": ("varchar", None), "day": ("bigint", None), "price": ("double", None)},
    "moves": {
        "order_id": ("varchar", None),
        "stage": ("bigint", None),
        "from_factory": ("varchar", None),
        "to_factory": ("varchar", None),
        "day": ("bigint", None),
        "quantity": ("double", None),
    },
}
_PLAN = ("allocation", "schedule", "prices", "moves")
_OPTIONAL = ("factories", "incumbent", "stages", "transfers", "ready", "pools", "prices", "moves")
_PRICED = "select count(*) from prices"
_SHOWN = 20  # offending rows kept per rule


@dataclass(frozen=True)
class Broken:
    """One broken rule, how often, and the first rows that break it."""

    rule: str
    count: int
    rows: list[dict[str, Any]]


@dataclass(frozen=True)
class PlanVerdict:
    """What may be believed of a plan: whether it keeps every rule, the gap that it claims, the gap that is confirmed.

    A gap is a share of the recomputed cost, None where nothing tells it. `optimal`: confirmed within the gap asked for.
    """

    valid: bool
    optimal: bool
    claimed_gap: float | None
    claimed_by: str | None
    confirmed_gap: float | None
    words: str


@dataclass(frozen=True)
class Verification:
    """What was found. `confirmed_bound` is the Lagrangian bound of the plan's prices, None where it has none.

    `status` is what is confirmed (optimal | feasible | infeasible), `claimed_status` what the plan's report says.
    """

    claimed_status: str
    broken: list[Broken] = field(default_factory=list)
    cost: dict[str, float] = field(default_factory=dict)
    objective: float | None = None
    claimed_objective: float | None = None
    claimed_bound: float | None = None
    claimed_by: str | None = None
    asked_gap: float | None = None
    confirmed_bound: float | None = None

    @property
    def ok(self) -> bool:
        """Whether no rule is broken."""
        return not self.broken

    @property
    def status(self) -> str:
        """The claimed status, but `optimal` only where the prices confirm it."""
        if self.claimed_status == "infeasible":
            return "infeasible"
        return "optimal" if self.verdict.optimal else "feasible"

    @property
    def verdict(self) -> PlanVerdict:
        """The verdict on the plan, its words first of all that is shown."""
        claimed, confirmed = self._gap(self.claimed_bound), self._gap(self.confirmed_bound)
        optimal = confirmed is not None and confirmed <= (self.asked_gap or 0.0) + MONEY_SHARE
        return PlanVerdict(
            self.ok, self.ok and optimal, claimed, self.claimed_by, confirmed, self._words(claimed, confirmed)
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values for programs to read."""
        judged = {"verdict": asdict(self.verdict), "ok": self.ok, "status": self.status}
        return {**judged, **asdict(self), "bound_confirmed_share": self.bound_confirmed_share}

    @property
    def bound_confirmed_share(self) -> float | None:
        """How much of the claimed bound the prices confirm; None without prices."""
        if self.confirmed_bound is None or not self.claimed_bound:
            return None
        return self.confirmed_bound / self.claimed_bound

    def _gap(self, bound: float | None) -> float | None:
        if bound is None or self.objective is None:
            return None
        return max(0.0, self.objective - bound) / abs(self.objective) if self.objective else 0.0

    def _words(self, claimed: float | None, confirmed: float | None) -> str:
        if self.broken:
            names = ", ".join(found.rule for found in self.broken)
            return f"Not valid: the plan breaks {counted(len(self.broken), 'rule')} ({names})."
        if self.objective is None:
            return "Confirmed: there is no plan, the frozen work alone does not fit."
        by = f" by {self.claimed_by}" if self.claimed_by else ""
        said = f"claimed {percent(claimed or 0.0)}{by}"
        proof = f"Gap confirmed up to {percent(confirmed)}, {said}" if confirmed is not None else f"Gap {said}"
        without = "" if confirmed is not None else ", not confirmed: the plan has no prices.csv"
        return f"{proof}{without}. Every rule is kept; the cost is {money(self.objective)}."


def verify(instance_folder: Path, plan_folder: Path) -> Verification:
    """Checks a plan against its instance by queries that share no code with the solver.

    Parameters
    ----------
    instance_folder
        Folder of the instance.
    plan_folder
        Folder of its plan.

    Returns
    -------
    Verification
        Broken rules with the rows that break them, cost by term recomputed, and the bound that the prices confirm.

    Raises
    ------
    InputError
        Only where a file cannot be read.

    Examples
    --------
    A plan that makes a piece more than was ordered: minutes, cost and bound do not fit either.

    >>> from dataclasses import replace
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import pandas as pd
    >>> from optimization import Instance, solve
    >>> from optimization.contract.instances import write
    >>> order = {"order_id": "A", "quantity": 100, "release_day": 1, "due_day": 2, "max_late_days": 0}
    >>> arc = {"order_id": "A", "factory_id": "near", "unit_cost": 4.0, "minutes_per_piece": 6.0, "transit_days": 0}
    >>> day = {"factory_id": "near", "day": 1, "minutes": 700.0, "overtime_minutes": 0.0, "overtime_cost": 0.0}
    >>> tables = {
    ...     "orders": pd.DataFrame([order | {"max_factories": 1, "late_cost": 1.0, "unmet_cost": 20.0}]),
    ...     "arcs": pd.DataFrame([arc | {"setup_cost": 0.0, "setup_minutes": 0.0, "min_lot": 10, "max_lot": 101}]),
    ...     "capacity": pd.DataFrame([day]),
    ... }
    >>> instance = Instance.from_tables(tables)
    >>> plan = solve(instance)
    >>> with TemporaryDirectory() as name:
    ...     folder = Path(name)
    ...     write(instance, folder / "instance")
    ...     plan.write(folder / "plan")
    ...     good = verify(folder / "instance", folder / "plan")
    ...     replace(plan, allocation=plan.allocation.assign(quantity=101)).write(folder / "plan")
    ...     bad = verify(folder / "instance", folder / "plan")
    >>> good.ok, good.status, good.objective
    (True, 'optimal', 400.0)
    >>> [broken.rule for broken in bad.broken]
    ['order-quantity', 'run-minutes', 'cost-unit', 'cost-unmet', 'objective', 'bound']
    """
    claim = _read_claim(plan_folder)
    with duckdb.connect() as db:
        _load(db, instance_folder, plan_folder)
        _set_horizon(db, instance_folder)
        db.execute(plan_rules.DERIVED)
        queries, costs = plan_rules.RULES, plan_rules.COST
        if staged := _scalar(db, stage_rules.CONCERNED):
            db.execute(stage_rules.DERIVED)
            queries, costs = queries | stage_rules.RULES, costs | stage_rules.COST
        broken = [found for name, query in queries.items() if (found := _broken(db, name, query))]
        if claim.get("status") == "infeasible":
            return Verification("infeasible", list(_claimed_infeasible(db, claim)))
        cost = {name: float(_scalar(db, query)) for name, query in costs.items()}
        broken += _unmet_claim(db, claim) + _claims(claim, cost)
        confirmed = _confirmed(db, staged) if _scalar(db, _PRICED) else None
    return Verification(
        claimed_status=str(claim.get("status")),
        broken=broken,
        cost=cost,
        objective=sum(cost.values()),
        claimed_objective=claim.get("objective"),
        claimed_bound=claim.get("bound"),
        claimed_by=claim.get("bound_by"),
        asked_gap=(claim.get("engine") or {}).get("asked_gap"),
        confirmed_bound=confirmed,
    )


def _confirmed(db: duckdb.DuckDBPyConnection, staged: bool) -> float | None:
    """The bound that the prices prove; it is asked last, since joint lots are taken out for it."""
    least = 0.0
    if staged:
        db.execute(stage_rules.JOINT_LOTS)
        if _scalar(db, stage_rules.PRICED_TOGETHER):
            return None
        least = float(_scalar(db, stage_rules.LEAST_COST))
        db.execute(stage_rules.WITHOUT_JOINT_LOTS)
    return least + float(_scalar(db, plan_rules.LAGRANGIAN_BOUND))


def _read_claim(folder: Path) -> dict[str, Any]:
    try:
        claim = read_json(folder / "report.json")
    except (OSError, ValueError) as error:
        raise InputError("plan-unreadable", [f"report.json: {error}; expected the report of a plan"]) from None
    if not isinstance(claim, dict):
        raise InputError("plan-unreadable", ["report.json: expected a JSON object"])
    return claim


def _load(db: duckdb.DuckDBPyConnection, instance_folder: Path, plan_folder: Path) -> None:
    faults = []
    for table, columns in _TYPES.items():
        folder = plan_folder if table in _PLAN else instance_folder
        file = next((f for suffix in ("csv", "parquet") if (f := folder / f"{table}.{suffix}").is_file()), None)
        try:
            if file is None and table not in _OPTIONAL:
                faults.append(f"{table}: neither {table}.csv nor {table}.parquet is in {folder}")
            else:
                _load_table(db, table, columns, file)
        except duckdb.Error as error:
            faults.append(f"{table}: {str(error).splitlines()[0]}")
    if faults:
        raise InputError("unreadable", faults)


def _load_table(
    db: duckdb.DuckDBPyConnection, table: str, columns: dict[str, tuple[str, str | None]], file: Path | None
) -> None:
    if file is None:
        db.execute(f"create table {table} ({', '.join(f'{name} {kind}' for name, (kind, _) in columns.items())})")
        return
    csv = file.suffix == ".csv"
    raw = db.read_csv(str(file), header=True, all_varchar=True) if csv else db.read_parquet(str(file))
    raw.create_view("raw", replace=True)
    cells = []
    for name, (kind, default) in columns.items():
        cell = f"nullif(trim({name}::varchar), '')" if name in raw.columns or default is None else "null"
        otherwise = default or f"error('{table}.{name} is empty')"
        cells.append(f"case when {cell} is null then {otherwise} else ({cell})::{kind} end as {name}")
    db.execute(f"create table {table} as select {', '.join(cells)} from raw")  # noqa: S608 (names from _TYPES alone)


def _set_horizon(db: duckdb.DuckDBPyConnection, folder: Path) -> None:
    file = folder / "instance.json"
    header = read_json(file) if file.is_file() else {}
    days = header.get("horizon_days") or _scalar(db, "select coalesce(max(day), 1) from capacity")
    db.execute("create table horizon as select ?::bigint as days", [days])


def _scalar(db: duckdb.DuckDBPyConnection, query: str) -> Any:
    row = db.execute(query).fetchone()
    return row[0] if row else None


def _broken(db: duckdb.DuckDBPyConnection, name: str, query: str) -> Broken | None:
    found = db.execute(query)
    columns = [column[0] for column in found.description or []]
    rows = found.fetchall()
    return Broken(name, len(rows), [dict(zip(columns, row, strict=True)) for row in rows[:_SHOWN]]) if rows else None


def _unmet_claim(db: duckdb.DuckDBPyConnection, claim: dict[str, Any]) -> list[Broken]:
    """The report's list of unmet orders against the pieces that the allocation leaves."""
    left = dict(db.execute("select order_id, unmet from served where unmet > 0").fetchall())
    said = {str(row.get("order_id")): row.get("quantity") for row in claim.get("unmet", [])}
    rows = [
        {"order_id": order_id, "claimed": said.get(order_id), "recomputed": left.get(order_id)}
        for order_id in sorted(left.keys() | said.keys())
        if left.get(order_id) != said.get(order_id)
    ]
    return [Broken("unmet-claim", len(rows), rows[:_SHOWN])] if rows else []


def _claims(claim: dict[str, Any], cost: dict[str, float]) -> list[Broken]:
    """Claimed cost, objective, bound, gap and status against the recomputed cost."""
    objective, tolerance = sum(cost.values()), MONEY_SHARE * max(1e-9, abs(sum(cost.values())))
    said = {name: _number(claim.get(name)) for name in ("objective", "bound", "gap")}
    wrong = _parts(claim, cost, tolerance)
    if not abs(said["objective"] - objective) <= tolerance:
        wrong["objective"] = (claim.get("objective"), objective)
    if not said["bound"] <= objective + tolerance:
        wrong["bound"] = (claim.get("bound"), objective)
    gap = (objective - said["bound"]) / abs(objective) if abs(objective - said["bound"]) > 0 and objective else 0.0
    if not abs(said["gap"] - max(0.0, gap)) <= MONEY_SHARE:
        wrong["gap"] = (claim.get("gap"), gap)
    if told := _unproven(claim, said["gap"]):
        wrong["status"] = (claim.get("status"), told)
    return [Broken(name, 1, [{"claimed": seen, "recomputed": value}]) for name, (seen, value) in wrong.items()]


def _parts(claim: dict[str, Any], cost: dict[str, float], tolerance: float) -> dict[str, tuple[Any, Any]]:
    """The parts of the cost that are claimed to be something else: what is claimed, and what it is."""
    parts = {"transfer": 0.0} | (claim.get("cost") or {})  # without stages nothing moves
    return {
        f"cost-{name}": (parts.get(name), value)
        for name, value in cost.items()
        if not abs(_number(parts.get(name)) - value) <= tolerance
    }


def _unproven(claim: dict[str, Any], gap: float) -> str:
    """What speaks against the claimed status, '' where it holds: optimal is what has the gap that was asked for."""
    asked = _number((claim.get("engine") or {}).get("asked_gap"))
    proven = claim.get("status") == "optimal" and (np.isnan(asked) or gap <= asked + MONEY_SHARE)
    return "" if proven or claim.get("status") == "feasible" else f"gap {gap:g} of asked {asked:g}"


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else float("nan")


def _claimed_infeasible(db: duckdb.DuckDBPyConnection, claim: dict[str, Any]) -> Iterator[Broken]:
    """Broken where no cause is named, or where the frozen work does fit after all."""
    if not claim.get("causes"):
        yield Broken("causes", 1, [{"expected": "why frozen work does not fit"}])
    if _frozen_fits(db):
        yield Broken("infeasible-claim", 1, [{"claimed": "infeasible", "recomputed": "frozen work fits"}])


def _frozen_fits(db: duckdb.DuckDBPyConnection) -> bool:
    """Whether a schedule of the frozen pieces alone exists: a transport problem of pairs to days."""
    if _scalar(db, plan_rules.FROZEN_OVER_QUANTITY):
        return False
    from scipy.optimize import linprog  # takes a second to import, and most plans claim nothing that needs it

    db.execute(plan_rules.FROZEN_VIEWS)
    need, cells, days = (db.execute(query).fetchnumpy() for query in plan_rules.FROZEN_TRANSPORT)
    columns = np.arange(len(cells["pair"]))
    sums, loads = np.zeros((len(need["need"]), len(columns))), np.zeros((len(days["room"]), len(columns)))
    sums[cells["pair"], columns] = 1.0
    loads[cells["slot"], columns] = 1.0
    if not len(columns):
        return not len(need["need"])
    limits = [(0.0, float(limit)) for limit in cells["most"]]
    fit = linprog(np.zeros(len(columns)), loads, days["room"], sums, need["need"], limits)
    return bool(fit.status == 0)
