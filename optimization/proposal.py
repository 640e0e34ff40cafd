"""What a person and the release policy need to know of a plan: dates, load, headline, and the limits that it breaks."""

from datetime import date, timedelta
from typing import Any

import pandas as pd

from c2m.settings import ReleasePolicy
from optimization.problem import Instance

PAIR = ["order_id", "factory_id"]


def dated_allocation(instance: Instance, allocation: pd.DataFrame, schedule: pd.DataFrame) -> pd.DataFrame:
    """The allocation by lot and factory with start_on (first day of work) and finish_on (arrival of the last piece).

    Columns lot_id, factory_id, quantity (pieces), start_on, finish_on (dates).
    """
    if instance.day_1 is None:
        raise ValueError("dated_allocation: the instance has no day_1, so its days have no dates")
    span = schedule.groupby(PAIR, as_index=False).agg(first=("day", "min"), last=("day", "max"))
    rows = allocation.merge(span, on=PAIR).merge(instance.arcs[[*PAIR, "transit_days"]], on=PAIR)
    rows["start_on"] = dates(rows["first"], instance.day_1)
    rows["finish_on"] = dates(rows["last"] + rows["transit_days"], instance.day_1)
    return rows.rename(columns={"order_id": "lot_id"})[["lot_id", "factory_id", "quantity", "start_on", "finish_on"]]


def dates(days: "pd.Series[Any]", day_1: date) -> list[date]:
    """The dates of days of an instance."""
    return [day_1 + timedelta(days=int(day) - 1) for day in days]


def taken_share(instance: Instance, allocation: pd.DataFrame) -> float:
    """Pieces that the plan takes away from incumbents, as a share of their pieces."""
    held = instance.incumbent.merge(allocation, on=PAIR, how="left", suffixes=("_held", ""))
    total = held["quantity_held"].sum()
    return float((held["quantity_held"] - held["quantity"].fillna(0)).clip(lower=0).sum() / total) if total else 0.0


def breaches(instance: Instance, allocation: pd.DataFrame, report: dict[str, Any], policy: ReleasePolicy) -> list[str]:
    """The limits of the release policy that a plan is over, each with what was seen and what is allowed."""
    if not policy.automatic:
        return ["plans are released by a person (release.automatic is off)"]
    objective = report["objective"]
    unmet = sum(row["quantity"] for row in report["unmet"]) / instance.orders["quantity"].sum()
    limits = [
        ("cost", objective, policy.max_cost),
        ("unmet share of pieces", unmet, policy.max_unmet_share),
        ("late share of cost", report["cost"]["late"] / objective if objective else 0.0, policy.max_late_share),
        ("share of incumbents' pieces moved", taken_share(instance, allocation), policy.max_change_share),
    ]
    return [f"{name} is {seen:,.4g}, allowed {most:,.4g}" for name, seen, most in limits if seen > most]


def load_by_factory(instance: Instance, schedule: pd.DataFrame) -> pd.DataFrame:
    """Minutes of work, regular and overtime minutes on offer, and load per factory over the horizon.

    Columns factory_id, lots, work_minutes, regular_minutes, overtime_minutes (on offer), load_share.
    """
    work = schedule.assign(work_minutes=schedule["setup_minutes"] + schedule["run_minutes"])
    by_factory = work.groupby("factory_id").agg(lots=("order_id", "nunique"), work_minutes=("work_minutes", "sum"))
    offer = instance.capacity.groupby("factory_id").agg(
        regular_minutes=("minutes", "sum"), overtime_minutes=("overtime_minutes", "sum")
    )
    load = by_factory.join(offer).reset_index()
    load["load_share"] = load["work_minutes"] / load["regular_minutes"].where(load["regular_minutes"] > 0)
    return load.sort_values("load_share", ascending=False, ignore_index=True)
