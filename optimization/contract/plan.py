"""The plan: which factory makes how much of which lot, on which days, at what cost. Contract of `c2m allocate`.

Files, in which `order_id` names a lot; the tables of a `Plan` in memory say `lot_id`.

allocation   order_id, factory_id; quantity (pieces)
schedule     order_id, factory_id, day; setup_minutes, run_minutes
report.json  status (optimal | feasible | infeasible), objective, bound, bound_by, gap, seconds, cost by part,
             unmet [{order_id, quantity, code, reason}], causes (of infeasible), instance_sha256, engine facts
prices       factory_id, day; price (of a minute): what `c2m verify` confirms the bound by

Where lots have stages, allocation and schedule have a column `stage`, the cost a part `transfer`, and there is
moves        order_id, stage (the one that ends), from_factory, to_factory, day (of leaving, by its end);
             quantity (pieces)
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from c2m.files import read_json, read_rows, write_atomically
from optimization.contract.edge import INSIDE, inside, outside
from optimization.contract.instances import Instance
from optimization.contract.keys import located, taken

PAIR = [INSIDE, "factory_id"]
DAY = ["factory_id", "day"]
STAGED_PAIR = [INSIDE, "stage", "factory_id"]
MOVE = [INSIDE, "stage", "from_factory", "to_factory"]
_FRAMES = {
    "allocation": {"order_id": "str", "factory_id": "str", "quantity": "int64"},
    "schedule": {
        "order_id": "str",
        "factory_id": "str",
        "day": "int64",
        "setup_minutes": "float64",
        "run_minutes": "float64",
    },
    "prices": {"factory_id": "str", "day": "int64", "price": "float64"},
    "moves": {
        "order_id": "str",
        "stage": "int64",
        "from_factory": "str",
        "to_factory": "str",
        "day": "int64",
        "quantity": "float64",
    },
}
_OPTIONAL = ("prices", "moves")


@dataclass(frozen=True)
class Plan:
    """A plan and what is known about its quality."""

    allocation: pd.DataFrame  # lot_id, factory_id, quantity (pieces)
    schedule: pd.DataFrame  # lot_id, factory_id, day, setup_minutes, run_minutes
    report: dict[str, Any]  # content of report.json, as the top of this module gives it
    prices: pd.DataFrame | None = None  # factory_id, day, price (of a minute); None: the search made none
    # lot_id, stage, from_factory, to_factory, day, quantity (pieces); None: no lot has stages
    moves: pd.DataFrame | None = None

    def pieces(self, lot_id: str) -> int:
        """Pieces of a lot that it makes, counted at the last stage."""
        mine = self.allocation[self.allocation["lot_id"] == lot_id]
        last = mine[mine["stage"] == mine["stage"].max()] if "stage" in mine else mine
        return int(last["quantity"].sum())

    def write(self, folder: Path) -> None:
        """Writes the plan; report.json comes last, so a folder that has one is whole."""
        (folder / "report.json").unlink(missing_ok=True)
        for name in _FRAMES:
            frame: pd.DataFrame | None = getattr(self, name)
            if frame is None:
                (folder / f"{name}.csv").unlink(missing_ok=True)
            else:
                text = outside(frame).to_csv(index=False, lineterminator="\n")
                write_atomically(folder / f"{name}.csv", text.encode())
        write_atomically(folder / "report.json", (json.dumps(self.report, indent=1) + "\n").encode())


def search_log(report: dict[str, Any]) -> str:
    """How the search went, as text: seconds, proven bound and cost of the best plan at each step, then the outcome."""
    engine = report["engine"]
    facts = "  ".join(f"{name} {value}" for name, value in engine.items() if name != "trace")
    steps = [["-" if value is None else f"{value:,.2f}" for value in step] for step in engine.get("trace", [])]
    line = "{:>10}{:>20}{:>20}".format
    end = f"{report['status']} after {report['seconds']:,.2f} s: cost {report['objective']:,.2f}, "
    end += f"at least {report['bound']:,.2f} ({report['bound_by']}), gap {report['gap']:.4%}"
    return "\n".join([facts, line("seconds", "bound", "cost"), *(line(*step) for step in steps), end, ""])


@dataclass(frozen=True)
class PlanSize:
    """How large a plan is: what is asked for, what of it is placed, and over how many factories.

    Of lots that are made in stages pieces count at the last one, and so does how many factories share a lot.
    """

    instance: Instance
    allocation: pd.DataFrame  # lot_id, factory_id, quantity (pieces), and stage where lots have stages

    @property
    def _last(self) -> pd.DataFrame:
        return at_last_stage(self.instance, self.allocation)

    @property
    def lots(self) -> int:
        """Lots that are asked for."""
        return len(self.instance.orders)

    @property
    def pieces(self) -> int:
        """Pieces that are asked for."""
        return int(self.instance.orders["quantity"].sum())

    @property
    def placed_pieces(self) -> int:
        """Pieces that have a factory."""
        return int(self._last["quantity"].sum())

    @property
    def factories(self) -> int:
        """How many factories get work."""
        return int(self.allocation["factory_id"].nunique())

    @property
    def split_lots(self) -> int:
        """Lots that several factories share."""
        return int((self._last["lot_id"].value_counts() > 1).sum())

    @property
    def most_factories(self) -> int:
        """The most factories that share one lot."""
        return int(self._last["lot_id"].value_counts().max()) if len(self.allocation) else 0


def read_plan(folder: Path) -> Plan:
    """The plan that `write` left in a folder."""
    frames = {
        name: inside(read_rows(file, types=types | {"stage": "int64"}))
        for name, types in _FRAMES.items()
        if (file := folder / f"{name}.csv").is_file() or name not in _OPTIONAL
    }
    return Plan(**frames, report=read_json(folder / "report.json"))


def empty_frame(name: str) -> pd.DataFrame:
    """`allocation`, `schedule` or `moves` without a row."""
    return inside(pd.DataFrame({column: pd.Series(dtype=kind) for column, kind in _FRAMES[name].items()}))


def pair_key(instance: Instance) -> list[str]:
    """The columns that tell one pair from another."""
    return STAGED_PAIR if instance.staged else PAIR


def key_of(table: pd.DataFrame) -> list[str]:
    """The columns of the key (`pair_key`) of an allocation, a schedule or what follows from them."""
    return STAGED_PAIR if "stage" in table else PAIR


def at_last_stage(instance: Instance, table: pd.DataFrame) -> pd.DataFrame:
    """The rows of an allocation, a schedule or of arcs that are of the last stage of their lot.

    Parameters
    ----------
    instance
        What is planned.
    table
        Columns lot_id and, where lots have stages, stage.

    Returns
    -------
    pd.DataFrame
        Rows of the table, with its columns.
    """
    if not instance.staged:
        return table
    last = instance.stages.groupby("lot_id")["stage"].max().reindex(table["lot_id"], fill_value=1)
    rows: pd.DataFrame = table[table["stage"].to_numpy() == last.to_numpy()]
    return rows


def unmet_pieces(instance: Instance, allocation: pd.DataFrame) -> "pd.Series[Any]":
    """Pieces of each lot that a plan does not place.

    Parameters
    ----------
    instance
        What was planned.
    allocation
        lot_id, factory_id, quantity (pieces), and stage where lots have stages.

    Returns
    -------
    pd.Series
        Pieces by lot_id, 0 included.
    """
    allocation = at_last_stage(instance, allocation)
    made = allocation.groupby("lot_id")["quantity"].sum()
    asked = instance.orders.set_index("lot_id")["quantity"]
    return asked - made.reindex(asked.index, fill_value=0)


def worked(schedule: pd.DataFrame) -> pd.DataFrame:
    """The rows of a schedule with `minutes`: setup and run together."""
    return schedule.assign(minutes=schedule["setup_minutes"] + schedule["run_minutes"])


def factory_loads(schedule: pd.DataFrame) -> "pd.Series[Any]":
    """Minutes of work by factory_id."""
    minutes: pd.Series[Any] = worked(schedule).groupby("factory_id")["minutes"].sum()
    return minutes


def day_loads(schedule: pd.DataFrame) -> pd.DataFrame:
    """Minutes of work by factory and day: `load`."""
    load = (schedule["setup_minutes"] + schedule["run_minutes"]).rename("load")
    return load.groupby([schedule[name] for name in DAY]).sum().reset_index()


def gap_share(objective: float, bound: float) -> float:
    """How far a bound leaves open what the best plan costs, as a share of this one's cost.

    Parameters
    ----------
    objective
        Cost of the best plan.
    bound
        Proven: no plan costs less.

    Returns
    -------
    float
        A share; 0 where the bound is reached.
    """
    return (objective - bound) / abs(objective) if objective > bound else 0.0


def cost_parts(
    instance: Instance, allocation: pd.DataFrame, schedule: pd.DataFrame, moves: pd.DataFrame | None = None
) -> dict[str, float]:
    """Cost of a plan by part, by the contract's rule and nothing else.

    Parameters
    ----------
    instance
        What is to be made, where and at what cost.
    allocation
        lot_id, factory_id, quantity (pieces).
    schedule
        lot_id, factory_id, day, setup_minutes, run_minutes.
    moves
        Where lots have stages: lot_id, stage, from_factory, to_factory, day, quantity (pieces).

    Returns
    -------
    dict of str to float
        Money by part: unit, setup, engagement, overtime, late, unmet, shortfall, change; with stages also transfer.
    """
    engaged = instance.factories["factory_id"].isin(allocation["factory_id"])
    unmet = unmet_pieces(instance, allocation) * instance.orders.set_index("lot_id")["unmet_cost"]
    parts = {
        **_pair_costs(instance, allocation),
        "engagement": float(instance.factories["engagement_cost"][engaged].sum()),
        "overtime": _overtime_cost(instance, schedule),
        "late": _late_cost(instance, schedule),
        "unmet": float(unmet.sum()),
        "shortfall": _shortfall_cost(instance, schedule),
        "change": _change_cost(instance, allocation),
    }
    return parts if moves is None else parts | {"transfer": _transfer_cost(instance, moves)}


def _pair_costs(instance: Instance, allocation: pd.DataFrame) -> dict[str, float]:
    key = pair_key(instance)
    arc, held = located(allocation, instance.arcs, key), located(allocation, instance.incumbent, key)
    costs = {name: taken(instance.arcs[name], arc, np.nan) for name in ("unit_cost", "setup_cost")}
    pairs = allocation.assign(**costs, setup_done=taken(instance.incumbent["setup_done"], held, False))
    setups = shared_setups(instance, pairs) if len(instance.pools) else pairs
    return {
        "unit": float((pairs["unit_cost"] * pairs["quantity"]).sum()),
        "setup": float(setups["setup_cost"][~setups["setup_done"]].sum()),
    }


def shared_setups(instance: Instance, pairs: pd.DataFrame) -> pd.DataFrame:
    """One row for each setup of used pairs, done where it is done on any incumbent of its pool."""
    key, pools = pair_key(instance), instance.pools.set_index("lot_id")["pool_id"]
    done = instance.incumbent[instance.incumbent["setup_done"].to_numpy(bool)]
    place = [done["lot_id"].map(pools), *(done[name] for name in key[1:])]
    ready = pd.MultiIndex.from_arrays(place)
    pool = pairs["lot_id"].map(pools)
    here = pd.MultiIndex.from_arrays([pool, *(pairs[name] for name in key[1:])])
    pairs = pairs.assign(pool_id=pool, setup_done=pairs["setup_done"] | (pool.notna() & here.isin(ready)))
    again = pool.notna() & pairs.duplicated(["pool_id", *key[1:]])
    return pairs[~again]


def arrivals(instance: Instance, schedule: pd.DataFrame) -> pd.DataFrame:
    """The rows of a schedule with their arc and the late_cost of their order: `arrival_day`, `days_late`.

    Of lots with stages, those of the last stage.

    Parameters
    ----------
    instance
        What is planned.
    schedule
        lot_id, factory_id, day, setup_minutes, run_minutes, and stage where lots have stages.

    Returns
    -------
    pd.DataFrame
        The schedule's columns, those of arc and order, arrival_day, days_late.
    """
    runs = at_last_stage(instance, schedule)
    arc, lot = located(runs, instance.arcs, pair_key(instance)), located(runs, instance.orders, [INSIDE])
    known = (arc >= 0) & (lot >= 0)
    told = {name: instance.arcs[name].to_numpy()[arc[known]] for name in ("minutes_per_piece", "transit_days")}
    told |= {name: instance.orders[name].to_numpy()[lot[known]] for name in ("due_day", "late_cost")}
    runs = runs[known].reset_index(drop=True)
    arrival_day = runs["day"].to_numpy() + told["transit_days"]
    days_late = np.maximum(arrival_day - told["due_day"], 0)
    return runs.assign(**told, arrival_day=arrival_day, days_late=days_late)


def _late_cost(instance: Instance, schedule: pd.DataFrame) -> float:
    runs = arrivals(instance, schedule)
    return float((runs["late_cost"] * runs["run_minutes"] / runs["minutes_per_piece"] * runs["days_late"]).sum())


def _overtime_cost(instance: Instance, schedule: pd.DataFrame) -> float:
    days = day_loads(schedule)
    day = located(days, instance.capacity, DAY)
    regular, cost = (taken(instance.capacity[name], day, 0.0) for name in ("minutes", "overtime_cost"))
    return float(((days["load"] - regular).clip(lower=0) * cost).sum())


def _shortfall_cost(instance: Instance, schedule: pd.DataFrame) -> float:
    load = factory_loads(schedule).reindex(instance.factories["factory_id"], fill_value=0.0)
    missing = (instance.factories["target_minutes"] - load.to_numpy()).clip(lower=0)
    return float((missing * instance.factories["shortfall_cost"]).sum())


def _change_cost(instance: Instance, allocation: pd.DataFrame) -> float:
    held = instance.incumbent
    made = taken(allocation["quantity"], located(held, allocation, pair_key(instance)), 0)
    return float(((held["quantity"] - made).clip(lower=0) * held["change_cost"]).sum())


def _transfer_cost(instance: Instance, moves: pd.DataFrame) -> float:
    moved = moves.merge(lanes_of(instance, moves[MOVE].drop_duplicates()), on=MOVE)
    return float((moved["cost"] * moved["quantity"]).sum())


def lanes_of(instance: Instance, wanted: pd.DataFrame) -> pd.DataFrame:
    """Transfers between factories. A lot's own row goes before the general one; within a factory work passes on at no
    cost and in no time.

    Parameters
    ----------
    instance
        Its table `transfers`.
    wanted
        lot_id, from_factory, to_factory.

    Returns
    -------
    pd.DataFrame
        Those of the wanted rows that there are, with the columns cost (per piece) and days.
    """
    ends, rows = ["from_factory", "to_factory"], instance.transfers
    own = wanted.merge(rows[rows["lot_id"] != ""], on=["lot_id", *ends], how="left")[["cost", "days"]]
    general = wanted.merge(rows[rows["lot_id"] == ""].drop(columns="lot_id"), on=ends, how="left")[["cost", "days"]]
    within = (wanted["from_factory"] == wanted["to_factory"]).to_numpy()
    terms = own.fillna(general)
    terms.loc[within] = 0.0
    lanes = wanted.reset_index(drop=True).assign(cost=terms["cost"], days=terms["days"]).dropna(subset=["cost"])
    return lanes.astype({"days": "int64"})
