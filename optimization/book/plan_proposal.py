"""What a person and the release policy need to know of a plan: dates, load, headline, and the limits that it breaks."""

from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from c2m.markdown import plain
from c2m.settings import ReleasePolicy
from optimization.book.currencies import rates_to
from optimization.contract.instances import Instance
from optimization.contract.plan import key_of, pair_key
from optimization.contract.wording import money, percent

_DATED = ["quantity", "start_on", "finish_on", "place"]


def dated_allocation(
    instance: Instance,
    allocation: pd.DataFrame,
    schedule: pd.DataFrame,
    order: pd.DataFrame | None = None,
    legs: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """The allocation by lot and factory with its dates and its place in the factory's order of work.

    Parameters
    ----------
    instance
        With day_1.
    allocation
        lot_id, factory_id, quantity (pieces).
    schedule
        lot_id, factory_id, day, setup_minutes, run_minutes.
    order
        Of work, with first and due days of what is new (`daily_instance.promised_dates`); None: as in the schedule.
    legs
        Where lots have stages: the arcs with the days to where each stage's pieces go (`routing.stage_lots.legs`).

    Returns
    -------
    pd.DataFrame
        lot_id, factory_id, quantity (pieces), start_on (first day of work), finish_on (arrival of the last piece),
        place (1 is done first); with `order`, transit_days (of finish_on: the way from there).

    Raises
    ------
    ValueError
        The instance has no day_1.
    """
    if instance.day_1 is None:
        raise ValueError("dated_allocation: the instance has no day_1, so its days have no dates")
    key = pair_key(instance)
    span = schedule.groupby(key, as_index=False).agg(first=("day", "min"), last=("day", "max"))
    arcs = instance.arcs if legs is None else legs
    rows = allocation.merge(span, on=key).merge(arcs[[*key, "transit_days"]], on=key)
    rows["arrives"] = rows["last"] + rows.pop("transit_days")  # with the days in hand
    rows = rows.merge(places(schedule), on=key) if order is None else _as_told(rows, order, key)
    rows["start_on"] = dates(rows["first"], instance.day_1)
    rows["finish_on"] = dates(rows["arrives"], instance.day_1)
    return rows[[name for name in (*key, *_DATED, "transit_days") if name in rows]]


def _as_told(rows: pd.DataFrame, order: pd.DataFrame, key: list[str]) -> pd.DataFrame:
    """Rows with the first and the due day that factories are told of what is new, and transit_days of the way."""
    told = rows.merge(order.rename(columns={"lane_days": "transit_days"}), on=key)
    first = np.fmax(told["first"], told.get("first_day", told["first"]))
    return told.assign(arrives=told["due_day"].fillna(told["arrives"]), first=first)


def priced(dated: pd.DataFrame, instance: Instance, factories: pd.DataFrame, rates: pd.DataFrame) -> pd.DataFrame:
    """A dated allocation with the factory's price: its minutes and its share of the setup, which a pool has once.

    Parameters
    ----------
    dated
        By `dated_allocation`.
    instance
        Gives minutes_per_piece, and setup_cost in its currency.
    factories
        factory_id, minute_cost, currency.
    rates
        currency, quote_currency, rate: what one of the first is in the second.

    Returns
    -------
    pd.DataFrame
        The columns of `dated`, with price (per piece, to four places) and the factory's currency.
    """
    key = pair_key(instance)
    charges = instance.arcs[[*key, "minutes_per_piece", "setup_cost"]]
    rows = dated.merge(charges, on=key).merge(factories[["factory_id", "minute_cost", "currency"]])
    pools = instance.pools.set_index("lot_id")["pool_id"]
    team = rows["lot_id"].map(pools).fillna(rows["lot_id"])
    made = rows.groupby([team, *(rows[name] for name in key[1:])])["quantity"].transform("sum")
    setup = rows["setup_cost"] / made
    if instance.currency is not None:
        setup *= rates_to(rows["currency"], pd.Series(instance.currency, rows.index), rates).fillna(1.0)
    price = (rows["minute_cost"].astype(float) * rows["minutes_per_piece"] + setup).round(4)
    return rows[list(dated.columns)].assign(price=price, currency=rows["currency"])


def places(schedule: pd.DataFrame) -> pd.DataFrame:
    """lot_id, factory_id, place: 1 for what its factory is done with first.

    A factory that makes its lots whole, one after another in this order, is done with each no later than by the
    schedule, which cuts them up by days.
    """
    # A factory works by day, and on a day first at what ends the soonest.
    key = key_of(schedule)
    ends = schedule.assign(ends=schedule.groupby(key)["day"].transform("max"))
    ends = ends.sort_values(["factory_id", "day", "ends", *key[:-1]]).drop_duplicates(key, keep="last")
    return ends.assign(place=ends.groupby("factory_id").cumcount() + 1)[[*key, "place"]]


def lot_names(labels: pd.DataFrame) -> dict[str, str]:
    """What people call each lot of `labels` (lot_id, order, style, colour), by lot_id; as Markdown."""
    names = labels["order"] + ", " + labels["style"] + " " + labels["colour"].fillna("")
    return dict(zip(labels["lot_id"], names.map(plain), strict=True))


def dates(days: "pd.Series[Any]", day_1: date) -> list[date]:
    """The dates of days of an instance.

    Parameters
    ----------
    days
        Days of the instance, by row; 1 is its first.
    day_1
        Date of day 1.

    Returns
    -------
    list of date
        One per row.
    """
    return [day_1 + timedelta(days=int(day) - 1) for day in days]


def taken_share(instance: Instance, allocation: pd.DataFrame) -> float:
    """Pieces that the plan takes away from incumbents, as a share of their pieces."""
    held = instance.incumbent.merge(allocation, on=pair_key(instance), how="left", suffixes=("_held", ""))
    total = held["quantity_held"].sum()
    return float((held["quantity_held"] - held["quantity"].fillna(0)).clip(lower=0).sum() / total) if total else 0.0


def breaches(instance: Instance, allocation: pd.DataFrame, report: dict[str, Any], policy: ReleasePolicy) -> list[str]:
    """The limits of the release policy that a plan is over.

    Parameters
    ----------
    instance
        What was planned.
    allocation
        lot_id, factory_id, quantity (pieces).
    report
        The plan's report: objective, cost by part, unmet pieces.
    policy
        Shares between 0 and 1, cost in the instance's currency.

    Returns
    -------
    list of str
        A sentence per limit, with what was seen and what is allowed; empty: the plan may be released.
    """
    if not policy.automatic:
        return ["plans are released by a person (release.automatic is off)"]
    objective = report["objective"]
    unmet = sum(row["quantity"] for row in report["unmet"]) / instance.orders["quantity"].sum()
    late = report["cost"]["late"] / objective if objective else 0.0
    limits = [
        ("cost", objective, policy.max_cost, money),
        ("unmet share of pieces", unmet, policy.max_unmet_share, percent),
        ("late share of cost", late, policy.max_late_share, percent),
        ("share of incumbents' pieces moved", taken_share(instance, allocation), policy.max_change_share, percent),
    ]
    return [f"{name} is {word(seen)}, allowed {word(most)}" for name, seen, most, word in limits if seen > most]


def load_by_factory(instance: Instance, schedule: pd.DataFrame) -> pd.DataFrame:
    """Minutes of work and minutes on offer per factory over the horizon, the fullest factory first.

    Parameters
    ----------
    instance
        Its capacity is what is on offer.
    schedule
        Of the plan: lot_id, factory_id, setup_minutes, run_minutes.

    Returns
    -------
    pd.DataFrame
        factory_id, lots, work_minutes, regular_minutes and overtime_minutes (on offer), load_share (of the regular
        minutes; NaN without any).
    """
    work = schedule.assign(work_minutes=schedule["setup_minutes"] + schedule["run_minutes"])
    by_factory = work.groupby("factory_id").agg(lots=("lot_id", "nunique"), work_minutes=("work_minutes", "sum"))
    offer = instance.capacity.groupby("factory_id").agg(
        regular_minutes=("minutes", "sum"), overtime_minutes=("overtime_minutes", "sum")
    )
    load = by_factory.join(offer).reset_index()
    load["load_share"] = load["work_minutes"] / load["regular_minutes"].where(load["regular_minutes"] > 0)
    return load.sort_values("load_share", ascending=False, ignore_index=True)
