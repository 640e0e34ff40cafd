"""The figures by which operations judge themselves, over days: each with its value now and its course.

Counts and dates come from the ledger, stock from the builds that are still kept, promises and lines from the marts,
money from the folders of plans. What each means, and how it is reckoned, stands in the catalogue of texts.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Literal

import duckdb
import pandas as pd
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from c2m import clock
from c2m.ledger.store import frame
from c2m.ledger.tables import Decision, JobOrder, Lot, Order, Plan
from c2m.rooms import plan_files
from c2m.rooms.scoped import View
from c2m.settings import settings
from c2m.warehouse import published

DAYS = 90  # looked back
SMALL_PIECES = 150  # an order up to so many pieces is small: as dbt_project.yml says for the scores
Unit = Literal["days", "share", "money"]


@dataclass(frozen=True)
class Measure:
    """One figure. course: value by day, the earliest first; value: of the whole time; None where nothing is known."""

    name: str
    unit: Unit
    value: float | None
    course: tuple[tuple[date, float], ...]


def all_of(session: Session, view: View) -> list[Measure]:
    """Every measure, in the order of the page.

    Parameters
    ----------
    session
        Transaction of the ledger.
    view
        Whose rows.

    Returns
    -------
    list of Measure
        Of the last DAYS days.
    """
    today = clock.business_date(clock.now())
    orders = _orders(session, view, today - timedelta(days=DAYS))
    marts = {name: view.mart(name) for name in ("promises", "line_daily", "factory_calendar")} if _is_there() else {}
    return [
        _lead_time(orders),
        _on_time_in_full(orders, today),
        *_stock(),
        _ratio("utilisation", *_utilised(marts)),
        _small(orders),
        _promises(marts),
        _saved(session, today - timedelta(days=DAYS)),
    ]


def _is_there() -> bool:
    return published.is_published()


def _orders(session: Session, view: View, since: date) -> pd.DataFrame:
    """Orders that were not cancelled: placed_on, due_on, delivered_on, pieces.

    An order is closed when the platform next looks, perhaps days after its last factory had shipped and ended. What was
    shipped is delivered once it has come its way.
    """
    wanted = (Order.state != "cancelled", Order.placed_on >= since, *view.scope.conditions(Order))
    columns = (Order.order_id, Order.placed_on, Order.due_on, Order.closed_at)
    chosen = select(*columns, func.sum(Lot.quantity).label("pieces")).join(Lot, Lot.order_id == Order.order_id)
    found = frame(session, chosen.where(*wanted).group_by(Order.order_id))
    delivered = pd.to_datetime(found["closed_at"], utc=True)
    if settings().goods.close_orders_by != "receipt":
        arrived = found["order_id"].map(_arrived(session, wanted))
        delivered = arrived.fillna(delivered).where(delivered.notna())
    found["delivered_on"] = [None if pd.isna(at) else clock.business_date(at) for at in delivered]
    return found


def _arrived(session: Session, wanted: tuple[ColumnElement[bool], ...]) -> "pd.Series[pd.Timestamp]":
    """By order the moment at which the last of what was shipped has come its way."""
    chosen = select(JobOrder.order_id, JobOrder.ended_at, JobOrder.transit_days)
    chosen = chosen.join(Order, Order.order_id == JobOrder.order_id).where(*wanted)
    counted = (JobOrder.state == "Ended", JobOrder.is_last, JobOrder.ended_at <= Order.closed_at)
    shipped = frame(session, chosen.where(*counted))
    ended, way = pd.to_datetime(shipped["ended_at"], utc=True), pd.to_timedelta(shipped["transit_days"], "D")
    return (ended + way).groupby(shipped["order_id"]).max()


def _lead_time(orders: pd.DataFrame) -> Measure:
    there = orders.dropna(subset="delivered_on")
    days = (pd.to_datetime(there["delivered_on"]) - pd.to_datetime(there["placed_on"])).dt.days
    return _mean("lead_time", "days", there["delivered_on"], days.astype(float))


def _on_time_in_full(orders: pd.DataFrame, today: date) -> Measure:
    due = orders[orders["due_on"] < today]
    kept = [end is not None and end <= due_on for end, due_on in zip(due["delivered_on"], due["due_on"], strict=True)]
    return _mean("on_time_in_full", "share", due["due_on"], pd.Series(kept, dtype=float))


def _small(orders: pd.DataFrame) -> Measure:
    return _mean("small_orders", "share", orders["placed_on"], orders["pieces"].le(SMALL_PIECES).astype(float))


def _promises(marts: dict[str, pd.DataFrame]) -> Measure:
    if not marts:
        return Measure("promises_kept", "share", None, ())
    promises = marts["promises"]
    due = promises[promises["is_first"].eq(True) & promises["is_due"].eq(True)]
    judged = due[due["state"].isin(["kept", "broken"])]
    return _mean("promises_kept", "share", judged["promised_on"], judged["state"].eq("kept").astype(float))


def _utilised(marts: dict[str, pd.DataFrame]) -> tuple["pd.Series[float]", "pd.Series[float]"]:
    """Paid minutes of lines that worked, and all paid minutes, by day."""
    if not marts or marts["line_daily"].empty:
        return pd.Series(dtype=float), pd.Series(dtype=float)
    worked = marts["line_daily"].groupby("day")["paid_minutes"].sum()
    paid = marts["factory_calendar"].groupby("day")["minutes"].sum()
    return worked, paid.reindex(worked.index)


def _saved(session: Session, since: date) -> Measure:
    """What each day's last released plan saves."""
    chosen = select(Plan.business_date, Plan.folder).join(Decision, Decision.plan_id == Plan.plan_id)
    released = chosen.where(Decision.decision == "released", Plan.business_date >= since)
    by_day = dict(session.execute(released.order_by(Plan.business_date, Plan.round)).tuples().all())
    saved = {day: _of_folder(folder) for day, folder in by_day.items()}
    course = tuple((day, money) for day, money in saved.items() if money is not None)
    return Measure("saved", "money", sum(money for _, money in course) if course else None, course)


@lru_cache(maxsize=4 * DAYS)
def _of_folder(folder: str) -> float | None:
    return plan_files.day_of(folder).get("saved")


def _mean(name: str, unit: Unit, days: Iterable[date], values: "pd.Series[float]") -> Measure:
    """The mean of all rows, and by day."""
    rows = pd.DataFrame({"day": list(days), "value": values.to_numpy(dtype=float)})
    if rows.empty:
        return Measure(name, unit, None, ())
    by_day = rows.groupby("day")["value"].mean()
    return Measure(name, unit, float(rows["value"].mean()), _course(by_day))


def _ratio(name: str, part: "pd.Series[float]", whole: "pd.Series[float]") -> Measure:
    """One sum over another, and by day."""
    both = pd.DataFrame({"part": part, "whole": whole}).query("whole > 0")
    if both.empty:
        return Measure(name, "share", None, ())
    return Measure(
        name, "share", float(both["part"].sum() / both["whole"].sum()), _course(both["part"] / both["whole"])
    )


def _course(by_day: "pd.Series[float]") -> tuple[tuple[date, float], ...]:
    return tuple((pd.Timestamp(str(day)).date(), float(value)) for day, value in by_day.sort_index().items())


def _stock() -> list[Measure]:
    """Stock-outs and days of inventory at the start of the business dates whose builds are kept."""
    build = published.manifest()["build_id"] if _is_there() else ""
    counted = _counted_stock(build)
    named: tuple[tuple[str, Unit, Callable[[tuple[float, float, float]], float | None]], ...] = (
        ("stock_outs", "share", lambda one: one[0]),
        ("inventory_days", "days", lambda one: one[1] / one[2] if one[2] else None),
    )
    found = []
    for name, unit, reckon in named:
        course = tuple((day, value) for day, one in counted.items() if (value := reckon(one)) is not None)
        found.append(Measure(name, unit, course[-1][1] if course else None, course))
    return found


@lru_cache(maxsize=4)
def _counted_stock(_build: str) -> dict[date, tuple[float, float, float]]:
    """By business date: share of SKUs without a piece, pieces on hand, pieces asked for a day. Once per build."""
    counted = {}
    for folder in sorted(settings().published.glob("[0-9]*")):
        manifest = published.manifest_of(folder.name)
        if manifest and {"stock_position", "styles"} <= manifest["marts"].keys():
            files = [str(published.file_of(manifest["marts"][name])) for name in ("stock_position", "styles")]
            counted[date.fromisoformat(manifest["business_date"])] = _count_stock(*files)
    return counted


def _count_stock(stock: str, styles: str) -> tuple[float, float, float]:
    query = """
        SELECT coalesce(avg(CAST(on_hand <= 0 AS INTEGER)), 0), coalesce(sum(greatest(on_hand, 0)), 0),
            coalesce((SELECT sum(pieces_28d) FROM read_parquet($styles)), 0) / 28
        FROM read_parquet($stock)"""
    with duckdb.connect() as connection:
        row = connection.execute(query, {"stock": stock, "styles": styles}).fetchone()
    out, pieces, asked = row or (0, 0, 0)
    return float(out), float(pieces), float(asked)
