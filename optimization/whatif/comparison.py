"""What if: an instance solved as it is and under each changes, within the same limits, and what comes out differently.

In: an instance folder, scenario files, optionally a running plan whose pairs become incumbents. Out: per case a sheet
of figures (cost by part, lots late, split and unmet, load, whether the plan verifies) and the lots that it delays.
"""

import json
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from c2m.errors import InfeasibleError, InputError
from c2m.files import write_atomically
from optimization.contract import instances
from optimization.contract.instances import Instance
from optimization.contract.plan import Plan, PlanSize, arrivals, factory_loads, pair_key, read_plan, unmet_pieces
from optimization.contract.tolerances import FITS_MINUTES
from optimization.planning.solve import solve
from optimization.statement.highs import Progress
from optimization.verification.verifier import verify
from optimization.whatif.running_plan import as_incumbents
from optimization.whatif.scenarios import BASE, Scenario, read


@dataclass(frozen=True)
class ScenarioLimits:
    """When each solve stops; `progress` hears the case's name too."""

    time_limit_s: float = 60
    gap: float = 1e-4  # relative, (cost - bound) / cost
    threads: int = 2  # of the processor
    progress: Callable[[str, Progress], None] | None = None


@dataclass(frozen=True)
class DelayedLot:
    """A lot that finishes later, or in fewer pieces, than without the scenario. No finish day: not made."""

    order_id: str
    due_day: int
    finish_day_before: int | None
    finish_day: int | None
    unmet_before: int
    unmet: int
    extra_cost: float  # of the lot: pieces, setups, lateness, unmet, changes


@dataclass(frozen=True)
class ScenarioResult:
    """The figures of one instance and its plan; `causes` say why there is no plan where there is none."""

    name: str  # of the scenario; `base` without one
    status: str  # of its plan, as in report.json
    # sheet of figures by name, each in the unit that the name says; money in the instance's currency
    figures: dict[str, float | int | bool] = field(default_factory=dict)
    causes: list[str] = field(default_factory=list)
    extra_cost: float = 0.0  # against the base
    new_lots_cost: float = 0.0  # of it, what the new lots cost themselves; the rest the others pay
    delayed: list[DelayedLot] = field(default_factory=list)

    @property
    def headline(self) -> str:
        """What the scenario does to the other lots, in a sentence."""
        if not self.figures:
            return f"{self.name}: the frozen work no longer fits: " + "; ".join(self.causes)
        new = f", {self.new_lots_cost:,.2f} of it for the new lots themselves" if self.new_lots_cost else ""
        return f"{self.name}: costs {self.extra_cost:,.2f} more{new}; delays {len(self.delayed)} lots"


def what_if(
    instance_folder: Path,
    files: Iterable[Path],
    out: Path | None = None,
    plan_folder: Path | None = None,
    change_cost: float | None = None,
    limits: ScenarioLimits | None = None,
) -> list[ScenarioResult]:
    """Solves an instance as it is and under each scenario.

    Parameters
    ----------
    instance_folder
        Folder of the instance.
    files
        YAML files, a scenario each (optimization/whatif/scenarios.py).
    out
        Folder where instances, plans and comparison.json stay; None: nowhere.
    plan_folder
        A running plan: what it gave a factory is taken away only at a price.
    change_cost
        That price, in money per piece; None: what the instance says.
    limits
        When each solve stops.

    Returns
    -------
    list of ScenarioResult
        Figures and delays, the base first.

    Raises
    ------
    InputError
        With the faults of all scenarios at once.

    Examples
    --------
    The nearer factory is down for a day; the other makes its pieces, at a piece more.

    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import pandas as pd
    >>> from optimization import Instance
    >>> from optimization.contract.instances import write
    >>> order = {"order_id": "A", "quantity": 100, "release_day": 1, "due_day": 2, "max_late_days": 0}
    >>> costs = {"unit_cost": [4.0, 5.0], "setup_cost": 0.0, "setup_minutes": 0.0, "minutes_per_piece": 6.0}
    >>> limits = {"min_lot": 10, "max_lot": 100, "transit_days": 0}
    >>> tables = {
    ...     "orders": pd.DataFrame([order | {"max_factories": 2, "late_cost": 1.0, "unmet_cost": 20.0}]),
    ...     "arcs": pd.DataFrame({"order_id": "A", "factory_id": ["near", "far"], **costs, **limits}),
    ...     "capacity": pd.DataFrame({"factory_id": ["near", "far"], "day": 1, "minutes": 600.0}).assign(
    ...         overtime_minutes=0.0, overtime_cost=0.0
    ...     ),
    ... }
    >>> with TemporaryDirectory() as name:
    ...     folder, scenario = Path(name), Path(name) / "near-down.yaml"
    ...     write(Instance.from_tables(tables), folder)
    ...     _ = scenario.write_text("changes: [{change: factory_down, factories: [near], first_day: 1, last_day: 1}]")
    ...     base, down = what_if(folder, [scenario])
    >>> base.figures["cost"], down.figures["cost"], down.headline
    (400.0, 500.0, 'near-down: costs 100.00 more; delays 0 lots')
    """
    base = instances.read(instance_folder)
    scenarios = read(files)
    if plan_folder:
        base = as_incumbents(base, read_plan(plan_folder).allocation, change_cost)
    by_name = _instances(base, scenarios)
    with tempfile.TemporaryDirectory() as folder:
        cases = _compared(by_name, out or Path(folder), limits or ScenarioLimits())
    if out:
        write_atomically(out / "comparison.json", (json.dumps([asdict(c) for c in cases], indent=1) + "\n").encode())
    return cases


def _instances(base: Instance, scenarios: list[Scenario]) -> dict[str, Instance]:
    """The base and each scenario's instance by name; raises the faults of all scenarios at once."""
    by_name = {BASE: base}
    faults = []
    for changed in scenarios:
        try:
            by_name[changed.name] = changed.made_to(base)
        except InputError as error:
            faults.extend(error.faults)
    if faults:
        raise InputError("scenario-invalid", faults)
    return by_name


def _compared(by_name: dict[str, Instance], folder: Path, limits: ScenarioLimits) -> list[ScenarioResult]:
    cases: list[ScenarioResult] = []
    before = pd.DataFrame()
    for name, instance in by_name.items():
        try:
            plan, verified = _solved(name, instance, folder / name, limits)
        except InfeasibleError as error:
            if not cases:
                raise
            cases.append(ScenarioResult(name, "infeasible", causes=error.faults))
            continue
        lots = by_lot(instance, plan)
        sheet = figures(instance, plan) | {"verified": verified}
        if not cases:
            before = lots
            cases.append(ScenarioResult(name, plan.report["status"], sheet))
        else:
            extra = plan.report["objective"] - cases[0].figures["cost"]
            new = float(lots["cost"][~lots.index.isin(before.index)].sum())
            cases.append(ScenarioResult(name, plan.report["status"], sheet, [], extra, new, delays(before, lots)))
    return cases


def _solved(name: str, instance: Instance, folder: Path, limits: ScenarioLimits) -> tuple[Plan, bool]:
    """The plan of one case, written beside its instance, and whether it verifies."""
    progress = limits.progress
    told = (lambda seen: progress(name, seen)) if progress else None
    plan = solve(instance, limits.time_limit_s, limits.gap, limits.threads, progress=told)
    instances.write(instance, folder / "instance")
    plan.write(folder / "plan")
    return plan, verify(folder / "instance", folder / "plan").ok


def figures(instance: Instance, plan: Plan) -> dict[str, float | int | bool]:
    """Cost, gap, cost by part; unmet and late pieces; late, split lots; factories at work; load on regular minutes."""
    runs = arrivals(instance, plan.schedule)
    late = runs[(runs["days_late"] > 0) & (runs["run_minutes"] > FITS_MINUTES)]
    work = factory_loads(plan.schedule)
    offer, size = instance.capacity.groupby("factory_id")["minutes"].sum(), PlanSize(instance, plan.allocation)
    return {
        "cost": plan.report["objective"],
        "gap": plan.report["gap"],
        **plan.report["cost"],
        "unmet_pieces": int(unmet_pieces(instance, plan.allocation).sum()),
        "late_pieces": float((late["run_minutes"] / late["minutes_per_piece"]).sum()),
        "late_lots": int(late["lot_id"].nunique()),
        "split_lots": size.split_lots,
        "factories": size.factories,
        "load_share": float(work.sum() / offer.sum()) if offer.sum() > 0 else 0.0,
        "highest_load_share": float((work / offer.reindex(work.index)).max()) if len(work) else 0.0,
    }


def by_lot(instance: Instance, plan: Plan) -> pd.DataFrame:
    """By lot_id: due_day, finish_day (of the last piece; NaN where none is made), unmet pieces, cost of the lot.

    Of lots that share a setup each counts all of it; what passing pieces on between stages costs is left out.
    """
    runs = arrivals(instance, plan.schedule)
    unmet = unmet_pieces(instance, plan.allocation)
    late = runs["late_cost"] * runs["run_minutes"] / runs["minutes_per_piece"] * runs["days_late"]
    orders = instance.orders.set_index("lot_id")
    costs = [_making_costs(instance, plan), late.groupby(runs["lot_id"]).sum(), unmet * orders["unmet_cost"]]
    finish = runs[runs["run_minutes"] > FITS_MINUTES].groupby("lot_id")["arrival_day"].max()
    cost = sum(part.reindex(unmet.index, fill_value=0.0) for part in costs)
    return pd.DataFrame({"due_day": orders["due_day"], "finish_day": finish, "unmet": unmet, "cost": cost})


def _making_costs(instance: Instance, plan: Plan) -> "pd.Series[float]":
    """By lot_id what its pieces, its setups and its changes against what is in force cost."""
    key = pair_key(instance)
    held = instance.incumbent[[*key, "quantity", "change_cost", "setup_done"]].rename(columns={"quantity": "held"})
    pairs = plan.allocation.merge(instance.arcs, on=key).merge(held, on=key, how="outer").fillna({"quantity": 0})
    setup = pairs["setup_cost"].where((pairs["quantity"] > 0) & ~pairs["setup_done"].eq(True), 0.0)
    taken = (pairs["held"].fillna(0) - pairs["quantity"]).clip(lower=0) * pairs["change_cost"].fillna(0)
    made = pairs["unit_cost"].fillna(0) * pairs["quantity"] + setup + taken
    return made.groupby(pairs["lot_id"]).sum()


def delays(before: pd.DataFrame, after: pd.DataFrame) -> list[DelayedLot]:
    """Lots of both frames (as of `by_lot`) that finish on a later day or lack more pieces in the second one."""
    both = before.add_suffix("_before").join(after, how="inner")
    both["extra"] = both["cost"] - both["cost_before"]
    worse = (both["finish_day"] > both["finish_day_before"]) | (both["unmet"] > both["unmet_before"])
    return [
        DelayedLot(
            order_id=row.lot_id,
            due_day=row.due_day,
            finish_day_before=_day(row.finish_day_before),
            finish_day=_day(row.finish_day),
            unmet_before=row.unmet_before,
            unmet=row.unmet,
            extra_cost=row.extra,
        )
        for row in instances.rows(both[worse].sort_values("extra", ascending=False).reset_index())
    ]


def _day(day: float) -> int | None:
    return None if pd.isna(day) else int(day)


def in_columns(cases: list[ScenarioResult]) -> list[dict[str, Any]]:
    """The cases side by side for people: a row per figure, a column per case."""
    table = [
        {"figure": name} | {case.name: _shown(case.figures.get(name, "-")) for case in cases}
        for name in cases[0].figures
    ]
    table.insert(1, {"figure": "extra_cost"} | {case.name: case.extra_cost if case.figures else "-" for case in cases})
    return [*table, {"figure": "status"} | {case.name: case.status for case in cases}]


def _shown(figure: Any) -> Any:
    return ("no", "yes")[figure] if isinstance(figure, bool) else figure
