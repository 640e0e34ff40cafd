"""What a replay came to: each outcome as a ratio of two sums per week, so that weeks and seeds can be drawn again.

In: the tables that a replay leaves (`flows.replay`), and the rates by which money is counted. Out: outcome, week (0 is
the first), above, below; an outcome's value is the sum of `above` over the sum of `below`. Days in days, money in the
world's currency, pieces in pieces. An order belongs to the week in which it was placed, a job order to that of its
order, pieces on a shelf to that of the day.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np
import pandas as pd

Tables = Mapping[str, pd.DataFrame]
Sums = pd.DataFrame  # week, above, below: a row per thing that counts
LATE_DAYS = 5  # after its due day an order counts as lost: lower quartile of late deliveries in the SCMS data
SMALL_PIECES = 150  # as dbt's small_order_pieces


@dataclass(frozen=True)
class Rates:
    """What no feed tells and money follows from; shares of a piece's cost."""

    salvage_share: float = 0.35
    holding_share_per_day: float = 0.0005
    overhead_factor: float = 1.0  # on set-up and first-contact costs of factories, which are generated
    margin_factor: float = 1.0  # on price less cost
    late_days: int = LATE_DAYS
    cover_days: int = 28  # what sells within so many days, at the rate of the replay, is no overstock


@dataclass(frozen=True)
class Outcome:
    """One figure of a replay, its definition, and which way is better."""

    name: str
    title: str
    unit: str
    better: Literal["less", "more", "neither"]
    definition: str
    sums: Callable[[Tables, Rates], Sums]


def measured(tables: Tables, first: date, weeks: int, rates: Rates = Rates(), only: str | None = None) -> pd.DataFrame:
    """outcome, week, above, below of every outcome; a row for each week, also where nothing counted.

    Parameters
    ----------
    tables
        orders, job_orders, promises, shelf, factories as a replay leaves them.
    first
        Day with which week 0 begins.
    weeks
        How many weeks were planned; what lies beyond belongs to the last.
    rates
        By which money is counted.
    only
        The one outcome that is wanted; None: all.

    Returns
    -------
    pd.DataFrame
        Sums.
    """
    found = []
    for outcome in OUTCOMES:
        if only not in (None, outcome.name):
            continue
        sums = outcome.sums(tables, rates)
        week = ((pd.to_datetime(sums["day"]) - pd.Timestamp(first)).dt.days // 7).clip(0, weeks - 1)
        of_week = sums[["above", "below"]].astype(float).groupby(week.to_numpy()).sum().reindex(range(weeks)).fillna(0)
        found.append(of_week.rename_axis("week").reset_index().assign(outcome=outcome.name))
    return pd.concat(found, ignore_index=True)


def _of(day: "pd.Series[date]", above: object, below: object) -> Sums:
    return pd.DataFrame({"day": day, "above": above, "below": below})


def _lead_time(tables: Tables, rates: Rates) -> Sums:
    orders = tables["orders"]
    return _of(orders["placed_on"], orders["days"] * orders["pieces"], orders["pieces"])


def _small_lead_time(tables: Tables, rates: Rates) -> Sums:
    small = tables["orders"].query("pieces <= @SMALL_PIECES")
    return _of(small["placed_on"], small["days"], 1)


def _late(tables: Tables, rates: Rates) -> Sums:
    orders = tables["orders"]
    return _of(orders["placed_on"], orders["late_days"] > 0, 1)


def _lost_as_late(tables: Tables, rates: Rates) -> Sums:
    orders = tables["orders"]
    return _of(orders["placed_on"], orders["late_days"] > rates.late_days, 1)


def _served(tables: Tables, rates: Rates) -> Sums:
    shelf = tables["shelf"]
    return _of(shelf["day"], shelf["served"], shelf["asked"])


def _stock_days(tables: Tables, rates: Rates) -> Sums:
    shelf = tables["shelf"]
    return _of(shelf["day"], shelf["on_hand"], shelf["served"])


def _lost_margin(tables: Tables, rates: Rates) -> Sums:
    shelf = tables["shelf"]
    missed = (shelf["asked"] - shelf["served"]) * _margin(shelf, rates)
    return _of(shelf["day"], missed, shelf["asked"] * shelf["price"])


def _margin(shelf: pd.DataFrame, rates: Rates) -> "pd.Series[float]":
    """Money that a sold piece brings beyond its cost."""
    return (shelf["price"] - shelf["cost"]) * rates.margin_factor


def _overstock(tables: Tables, rates: Rates) -> Sums:
    shelf = tables["shelf"]
    return _of(shelf["day"], _lost_on_left(tables, rates), shelf["served"] * shelf["price"])


def _lost_on_left(tables: Tables, rates: Rates) -> float:
    """Cost, less what it brings, of what lies there too long in the end; the part of each row of the shelf."""
    left = tables["left"]
    beyond = (left["on_hand"] - rates.cover_days * left["daily"]).clip(lower=0)
    return float((beyond * left["cost"]).sum()) * (1 - rates.salvage_share) / max(1, len(tables["shelf"]))


def _contribution(tables: Tables, rates: Rates) -> Sums:
    """Margin of what was sold, less holding, less what is lost on leftovers, less set-ups and overtime."""
    shelf, jobs = tables["shelf"], tables["job_orders"]
    sold = shelf["served"] * _margin(shelf, rates)
    held = shelf["on_hand"] * shelf["cost"] * rates.holding_share_per_day
    made = _of(shelf["day"], sold - held - _lost_on_left(tables, rates), shelf["asked"] * shelf["price"])
    own = jobs[jobs["source"] == "replenishment"]
    return pd.concat([made, _of(own["placed_on"], -own["overhead"] * rates.overhead_factor, 0.0)])


def _overhead(tables: Tables, rates: Rates) -> Sums:
    jobs = tables["job_orders"]
    return _of(jobs["placed_on"], jobs["overhead"] * rates.overhead_factor, jobs["shipped"])


def _efficiency(tables: Tables, rates: Rates) -> Sums:
    jobs = tables["job_orders"]
    return _of(jobs["placed_on"], jobs["earned_minutes"], jobs["paid_minutes"])


def _overtime(tables: Tables, rates: Rates) -> Sums:
    jobs = tables["job_orders"]
    return _of(jobs["placed_on"], jobs["overtime_minutes"], jobs["paid_minutes"])


def _utilisation(tables: Tables, rates: Rates) -> Sums:
    days = tables["factory_days"]
    return _of(days["day"], days["paid_minutes"], days["minutes"])


def _changes(tables: Tables, rates: Rates) -> Sums:
    jobs = tables["job_orders"]
    return _of(jobs["placed_on"], jobs["changes"], 1)


def _kept(tables: Tables, rates: Rates) -> Sums:
    orders = tables["orders"].dropna(subset="promised_on")
    return _of(orders["placed_on"], orders["arrived_on"] <= orders["promised_on"], 1)


def _small_share(tables: Tables, rates: Rates) -> Sums:
    orders = tables["orders"]
    return _of(orders["placed_on"], orders["pieces"] <= SMALL_PIECES, 1)


def _small_accepted(tables: Tables, rates: Rates) -> Sums:
    small = tables["job_orders"].query("quantity <= @SMALL_PIECES").dropna(subset="accepted")
    return _of(small["placed_on"], small["accepted"].astype(bool), 1)


def _kilometres(tables: Tables, rates: Rates) -> Sums:
    jobs = tables["job_orders"].dropna(subset="km")
    return _of(jobs["placed_on"], jobs["km"] * jobs["shipped"], jobs["shipped"])


OUTCOMES = (
    Outcome("lead_time_days", "Lead time, order to receipt", "days", "less",
        "From the day an order is placed to the receipt of its last piece, by pieces (never: to the end)",
        _lead_time),
    Outcome("small_lead_time_days", "Lead time of small orders", "days", "less",
        f"The same of orders of up to {SMALL_PIECES} pieces, each order alike", _small_lead_time),
    Outcome("served_share", "Demand served from the shelf", "share", "more",
        "Pieces that shoppers found, of those that they asked for", _served),
    Outcome("stock_days", "Stock held", "days of sales", "less",
        "Pieces on the shelf at the end of the days, over pieces sold", _stock_days),
    Outcome("lost_margin_share", "Margin lost to stock-outs", "share of revenue asked for", "less",
        "Price less cost of what shoppers did not find", _lost_margin),
    Outcome("overstock_share", "Overstock", "share of revenue", "less",
        "Cost, less salvage, of what lies there beyond 28 days of demand when the last goods are in", _overstock),
    Outcome("contribution_share", "Contribution", "share of revenue asked for", "more",
        "Margin sold, less holding, loss on leftovers, set-ups and overtime of replenishment", _contribution),
    Outcome("late_share", "Orders that came late", "share of orders", "less",
        "Received after their due day", _late),
    Outcome("lost_as_late_share", "Orders so late that they would be cancelled", "share of orders", "less",
        "Received more days after their due day than the assumed patience", _lost_as_late),
    Outcome("promises_kept_share", "Promised dates kept", "share of orders", "more",
        "Orders that came by the first date that was promised", _kept),
    Outcome("overhead_per_piece", "Overhead per piece", "money", "less",
        "Set-up costs, paid set-up minutes and overtime premium over pieces shipped", _overhead),
    Outcome("efficiency", "Factory efficiency", "share", "more",
        "Standard minutes of shipped pieces over paid minutes", _efficiency),
    Outcome("utilisation", "Factory utilisation", "share", "neither",
        "Paid minutes of job orders over the calendar's regular minutes", _utilisation),
    Outcome("overtime_share", "Overtime", "share of paid minutes", "less", "Paid beyond regular minutes", _overtime),
    Outcome("changes_per_job_order", "Changes of plan", "per job order", "less",
        "Revisions and cancellations of job orders", _changes),
    Outcome("small_order_share", "Small orders", "share of orders", "neither",
        f"Orders of up to {SMALL_PIECES} pieces", _small_share),
    Outcome("small_accepted_share", "Small job orders accepted", "share of answers", "more",
        f"Job orders of up to {SMALL_PIECES} pieces that their factory took", _small_accepted),
    Outcome("km_per_piece", "Transport", "km per piece", "less",
        "Great circle from the factory to where the goods go; only of orders that name a place", _kilometres),
)  # fmt: skip


def value(sums: pd.DataFrame) -> float:
    """An outcome of its sums (columns above, below), in the unit of the outcome; nan where nothing counted."""
    below = float(sums["below"].sum())
    return float(sums["above"].sum()) / below if below else np.nan
