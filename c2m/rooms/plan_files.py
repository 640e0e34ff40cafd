"""A plan as its folder in C2M_HOME tells it: load by factory and day, what each day makes, what is late, what it saves.

The folder holds an instance and a plan by the contract of planning (docs/architecture.md); it never changes, so that
what is read of it once is kept. Days are dates here, minutes are paid operator minutes, money is in `currency`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from c2m import objects
from c2m.files import read_rows
from c2m.settings import settings

_KEY = ["factory_id", "day"]


@dataclass(frozen=True, eq=False)
class PlanFolder:
    """What the folder of a plan says.

    work: lot_id, factory_id, day, minutes, pieces, arrives_on and is_last (whether of the last stage) of every day of
    work. days: factory_id, day, minutes, overtime_minutes, load, overtime, free of every day with paid minutes or work.
    allocation: lot_id, factory_id, quantity. pieces: that were asked for.
    """

    first_day: date
    horizon_days: int
    currency: str
    days: pd.DataFrame
    work: pd.DataFrame
    allocation: pd.DataFrame
    unmet: list[dict[str, Any]]
    cost: dict[str, float]
    day: dict[str, Any]
    pieces: int

    @property
    def dates(self) -> list[date]:
        """The dates of the horizon."""
        return [self.first_day + timedelta(days=i) for i in range(self.horizon_days)]

    @property
    def utilisation(self) -> float:
        """Minutes of work over paid minutes."""
        paid = float(self.days["minutes"].sum())
        return float(self.days["load"].sum()) / paid if paid else 0.0


def of(folder: str) -> PlanFolder | None:
    """What a plan's folder says; None where its files were removed (c2m prune) or were never there."""
    path = objects.here(settings().home / folder)
    return _read(path) if (path / "plan" / "report.json").exists() else None


def day_of(folder: str) -> dict[str, Any]:
    """What a plan's day costs and saves; empty where its files were removed."""
    return _json(settings().home / folder / "day.json")


@lru_cache(maxsize=8)
def _read(path: Path) -> PlanFolder:
    report, instance = _json(path / "plan" / "report.json"), _json(path / "instance" / "instance.json")
    first_day = date.fromisoformat(instance["day_1"])
    orders, arcs = _table(path / "instance", "orders"), _table(path / "instance", "arcs")
    work = _worked(_table(path / "plan", "schedule"), arcs)
    days = _days(_table(path / "instance", "capacity"), work)
    for table, column in ((work, "day"), (work, "arrives_on"), (days, "day")):
        table[column] = [first_day + timedelta(days=int(number) - 1) for number in table[column]]
    return PlanFolder(
        first_day,
        int(instance.get("horizon_days") or _table(path / "instance", "capacity")["day"].max()),
        instance.get("currency") or settings().currency,
        days,
        work,
        _table(path / "plan", "allocation").rename(columns={"order_id": "lot_id"}),
        [{"lot_id": one["order_id"], **one} for one in report["unmet"]],
        report["cost"],
        _json(path / "day.json"),
        int(orders["quantity"].sum()),
    )


def _worked(schedule: pd.DataFrame, arcs: pd.DataFrame) -> pd.DataFrame:
    """Each day of work with its minutes, its pieces, and the number of the day on which these arrive."""
    key = ["order_id", "factory_id", *(["stage"] if "stage" in arcs and "stage" in schedule else [])]
    work = schedule.merge(arcs[[*key, "minutes_per_piece", "transit_days"]], on=key, how="left")
    minutes = work["setup_minutes"] + work["run_minutes"]
    pieces = work["run_minutes"] / work["minutes_per_piece"]
    told = {"lot_id": work["order_id"], "factory_id": work["factory_id"], "day": work["day"]}
    arrives = work["day"] + work["transit_days"].fillna(0)
    is_last = work["stage"] == work["order_id"].map(arcs.groupby("order_id")["stage"].max()) if "stage" in key else True
    return pd.DataFrame(told | {"minutes": minutes, "pieces": pieces, "arrives_on": arrives, "is_last": is_last})


def with_late(files: PlanFolder, due: Mapping[str, date]) -> PlanFolder:
    """The same with is_late in `work` and `days`: pieces of a last stage that arrive after their lot is due.

    due: by lot, from the ledger. The instance has the day that was told in its place, which is earlier.
    """
    wanted = files.work["lot_id"].map(due).fillna(date.max)
    is_late = (files.work["arrives_on"] > wanted) & (files.work["pieces"] > 0) & files.work["is_last"]
    work = files.work.assign(is_late=is_late)
    days = files.days.merge(work.groupby(_KEY, as_index=False)["is_late"].any(), on=_KEY, how="left")
    return replace(files, work=work, days=days.assign(is_late=days["is_late"].eq(True)))


def _days(capacity: pd.DataFrame, work: pd.DataFrame) -> pd.DataFrame:
    """Each factory's days: paid minutes, load, overtime used, what is free."""
    load = work.groupby(_KEY, as_index=False).agg(load=("minutes", "sum"))
    days = capacity[[*_KEY, "minutes", "overtime_minutes"]].merge(load, on=_KEY, how="outer")
    figures = ["minutes", "overtime_minutes", "load"]
    days[figures] = days[figures].fillna(0.0)
    days["overtime"] = (days["load"] - days["minutes"]).clip(lower=0).where(lambda over: over > 1e-6, 0.0)
    days["free"] = (days["minutes"] - days["load"]).clip(lower=0)
    return days


def _table(folder: Path, name: str) -> pd.DataFrame:
    parquet = folder / f"{name}.parquet"
    if not parquet.exists():
        return read_rows(folder / f"{name}.csv")
    with duckdb.connect() as connection:
        return connection.read_parquet(str(parquet)).df()


def _json(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    return found


def difference(one: PlanFolder, other: PlanFolder) -> pd.DataFrame:
    """lot_id, factory_id, before, after, change of the pieces that two plans give otherwise; the most first."""
    key = ["lot_id", "factory_id"]
    both = [plan.allocation.groupby(key)["quantity"].sum() for plan in (one, other)]
    beside = pd.concat(both, axis=1, keys=["before", "after"]).fillna(0).astype(np.int64).reset_index()
    beside["change"] = beside["after"] - beside["before"]
    moved = beside[beside["change"] != 0]
    return moved.sort_values("change", key=abs, ascending=False, kind="stable", ignore_index=True)
