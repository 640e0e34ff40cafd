"""What is kept of a replay when its last goods are in: the tables that outcomes are measured on, as Parquet.

orders: order_id, source, placed_on, due_on, pieces, promised_on (first promise), arrived_on (last receipt; empty: not
all came), days (placing to arrival, or to four weeks after the last planned day), late_days. job_orders: those that a
factory was asked for, with quantity, shipped, accepted, changes, paid, overtime and earned minutes, overhead (money),
km. shelf: a row per SKU and day. left: what lies there in the end, and `daily` demand. factory_days: paid and regular
minutes.
"""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from c2m.feeds.landing import read_landed
from c2m.files import write_with
from c2m.ledger import store
from c2m.simulation.factories.booking import Segment
from c2m.simulation.factories.direct import DirectFloor
from c2m.simulation.shelf import ReplayShelf
from c2m.warehouse.published import read

TABLES = ("orders", "job_orders", "shelf", "left", "factory_days")
_SKU = ["merchant_id", "sku_id"]
_WAITED = timedelta(days=28)  # after the last planned day, to which an order that never came counts
_KM = 2 * 6371.0


def keep(folder: Path, shelf: ReplayShelf, floor: DirectFloor, days: list[date]) -> None:
    """Writes the tables of a replay that is worked off.

    Parameters
    ----------
    folder
        Where they go.
    shelf
        Of the merchants.
    floor
        Of the factories.
    days
        Business days that were planned.
    """
    with store.session() as session:
        held = store.snapshot(session)
    minutes = _minutes(floor)
    tables = {
        "orders": _orders(held, days[-1] + _WAITED),
        "job_orders": _job_orders(held, minutes),
        "shelf": _at_prices_in_force(_priced(shelf.book())),
        "left": _priced(_with_rate(shelf.left(), shelf.book(), len(days))),
        "factory_days": _factory_days(minutes, floor, days),
    }
    for name, table in tables.items():
        write_with(folder / f"{name}.parquet", table.reset_index(drop=True).to_parquet)


def load(folder: Path) -> dict[str, pd.DataFrame]:
    """The tables of a replay."""
    return {name: pd.read_parquet(folder / f"{name}.parquet") for name in TABLES}


def _priced(rows: pd.DataFrame) -> pd.DataFrame:
    """With price and cost of the SKU."""
    return rows.merge(read("skus")[[*_SKU, "price", "cost"]], on=_SKU, how="left").fillna({"price": 0.0, "cost": 0.0})


def _at_prices_in_force(shelf: pd.DataFrame) -> pd.DataFrame:
    return shelf.assign(price=shelf["price"] * shelf["price_ratio"])


def _with_rate(left: pd.DataFrame, book: pd.DataFrame, days: int) -> pd.DataFrame:
    """What is left beside `daily`: pieces that shoppers asked for a day."""
    daily = (book.groupby(_SKU)["asked"].sum() / days).rename("daily")
    return left.merge(daily, on=_SKU, how="left").fillna({"daily": 0.0})


def _orders(held: dict[str, pd.DataFrame], end: date) -> pd.DataFrame:
    orders = held["orders"].query("state != 'cancelled'")[["order_id", "source", "placed_on", "due_on"]]
    orders = orders.merge(_by_order(held), on="order_id", how="left")
    orders = orders[orders["pieces"] > 0]
    placed, due, came = (pd.to_datetime(orders[name]) for name in ("placed_on", "due_on", "arrived_on"))
    last = came.fillna(pd.Timestamp(end))
    return orders.assign(days=(last - placed).dt.days, late_days=(last - due).dt.days)


def _by_order(held: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Pieces, first promise and last arrival of each order; no arrival where too few of its pieces came."""
    pieces = held["lots"].groupby("order_id")["quantity"].sum()
    told = held["promises"].dropna(subset=["made_at", "promised_on"]).sort_values("made_at")
    came = _arrivals(held["job_orders"])
    short = came["quantity"] < pieces.reindex(came.index) * (1 - _tolerance(held["orders"])).reindex(came.index)
    return pd.DataFrame({
        "pieces": pieces,
        "promised_on": told.groupby("order_id")["promised_on"].first(),
        "arrived_on": came["arrived_on"].mask(short.reindex(came.index, fill_value=False)),
    }).rename_axis("order_id").reset_index()  # fmt: skip


def _tolerance(orders: pd.DataFrame) -> "pd.Series[float]":
    return orders.set_index("order_id")["tolerance_share"].astype(float)


def _arrivals(job_orders: pd.DataFrame) -> pd.DataFrame:
    """Per order: pieces received or lost on the way, and the day of the last receipt."""
    receipts = read_landed("receipts").merge(job_orders[["job_order_id", "order_id"]], on="job_order_id")
    whole = receipts["quantity"] + receipts["lost_quantity"].fillna(0)
    receipts = receipts.assign(quantity=whole, arrived_on=pd.to_datetime(receipts["received_at"]).dt.normalize())
    return receipts.groupby("order_id").agg(quantity=("quantity", "sum"), arrived_on=("arrived_on", "max"))


def _job_orders(held: dict[str, pd.DataFrame], minutes: pd.DataFrame) -> pd.DataFrame:
    order = ["order_id", "source", "placed_on", "destination_latitude", "destination_longitude"]
    jobs = held["job_orders"][
        ["job_order_id", "lot_id", "order_id", "factory_id", "quantity", "shipped", "accepted", "revision", "state"]
    ]
    jobs = jobs.merge(held["orders"][order], on="order_id").merge(held["lots"][["lot_id", "sam_minutes"]], on="lot_id")
    jobs = jobs.merge(read("factories"), on="factory_id", how="left")
    paid = minutes.groupby("job_order_id")[["paid_minutes", "overtime_minutes"]].sum()
    jobs = jobs.merge(paid, on="job_order_id", how="left").fillna({"paid_minutes": 0.0, "overtime_minutes": 0.0})
    worked = jobs["paid_minutes"] > 0
    premium = (jobs["overtime_minute_cost"] - jobs["minute_cost"]) * jobs["overtime_minutes"]
    setup = (jobs["setup_cost"] + jobs["setup_minutes"] * jobs["minute_cost"]) * worked
    kept = ["job_order_id", "order_id", "source", "placed_on", "factory_id", "quantity", "shipped", "accepted"]
    return jobs[[*kept, "paid_minutes", "overtime_minutes"]].assign(
        changes=jobs["revision"] - 1 + (jobs["state"] == "Cancelled"),
        earned_minutes=jobs["shipped"] * jobs["sam_minutes"].astype(float),
        overhead=setup + premium,
        km=_km(jobs),
    )


def _km(jobs: pd.DataFrame) -> "pd.Series[float]":
    """Great circle from factory to destination; nan where either is unknown."""
    names = ("latitude", "longitude", "destination_latitude", "destination_longitude")
    north, east, to_north, to_east = (np.radians(pd.to_numeric(jobs[name])) for name in names)
    chord = np.sin((to_north - north) / 2) ** 2
    chord += np.cos(north) * np.cos(to_north) * np.sin((to_east - east) / 2) ** 2
    km: pd.Series[float] = _KM * np.arcsin(np.sqrt(chord.clip(upper=1)))
    return km


def _minutes(floor: DirectFloor) -> pd.DataFrame:
    """job_order_id, factory_id, day, paid_minutes, overtime_minutes of all booked work."""
    rows = [
        (job.job_order_id, name, part.day, part.minutes, _overtime(factory.profile.capacity(part.day)[0], part))
        for name, factory in floor.factories.items()
        for job in floor.state.jobs(name)
        for part in job.segments
    ]
    return pd.DataFrame(rows, columns=["job_order_id", "factory_id", "day", "paid_minutes", "overtime_minutes"])


def _overtime(regular: float, part: Segment) -> float:
    """Minutes of a segment that lie behind the day's regular ones."""
    return min(part.minutes, max(0.0, part.offset + part.minutes - regular))


def _factory_days(minutes: pd.DataFrame, floor: DirectFloor, days: list[date]) -> pd.DataFrame:
    rows = [(name, day, f.profile.capacity(day)[0]) for name, f in floor.factories.items() for day in days]
    of_day = minutes.groupby(["factory_id", "day"], as_index=False)["paid_minutes"].sum()
    frame = pd.DataFrame(rows, columns=["factory_id", "day", "minutes"])
    return frame.merge(of_day, on=["factory_id", "day"], how="left").fillna({"paid_minutes": 0.0})
