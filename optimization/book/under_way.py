"""Work that is under way: whether it began in overtime, and the paid minutes of its factory since.

In: live job orders, factories, their calendar, and the moment up to which pieces are counted. A factory pays its
operators from the hour at which shifts begin, first the regular minutes of a day, then the overtime.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import pandas as pd

from c2m.ledger.states import STARTED
from c2m.settings import settings

_DAY = pd.Timedelta(1, "D")


def under_way(live: pd.DataFrame, factories: pd.DataFrame, calendar: pd.DataFrame, until: datetime) -> pd.DataFrame:
    """Whether work on job orders began in overtime, and the minutes since.

    Parameters
    ----------
    live
        Live job orders (`ledger.job_orders.live`).
    factories
        The mart of this name.
    calendar
        Mart factory_calendar: factory_id, day, minutes, overtime_minutes.
    until
        UTC, the moment up to which minutes count.

    Returns
    -------
    pd.DataFrame
        in_overtime, had_minutes, a row per job order. Minutes are NaN where it has not begun, and where several are
        under way: they share the lines, nobody knows how.
    """
    begun = live["state"].isin(STARTED) & (live["remaining"] > 0)
    alone = begun & (begun.groupby(live["factory_id"]).transform("sum") == 1)
    known = live[begun & live["begun_at"].notna()].set_index("job_order_id")
    rows = known[["factory_id", "begun_at"]].reset_index()
    rows = rows.merge(factories[["factory_id", "timezone", "operators"]].astype({"operators": float}), on="factory_id")
    rows["begun"], rows["until"] = (
        _local(moments, rows["timezone"]) for moments in (rows["begun_at"], [until] * len(rows))
    )
    paid = calendar[["factory_id", "day", "minutes", "overtime_minutes"]].assign(day=pd.to_datetime(calendar["day"]))
    paid = paid[(paid["day"] > rows["begun"].min() - _DAY) & (paid["day"] <= rows["until"].max())]
    days = rows.merge(paid, on="factory_id")
    days = days[(days["day"] > days["begun"] - _DAY) & (days["day"] <= days["until"])]
    regular, both = (
        _within(days, minutes) for minutes in (days["minutes"], days["minutes"] + days["overtime_minutes"])
    )
    late = (days["day"] == days["begun"].dt.normalize()) & (regular == 0) & (both > 0)
    in_overtime = late.groupby(days["job_order_id"]).transform("any")
    had = regular.mask(in_overtime, both).groupby(days["job_order_id"]).sum()
    began_late = live["job_order_id"].isin(days.loc[in_overtime, "job_order_id"])
    return pd.DataFrame(
        {"in_overtime": began_late, "had_minutes": live["job_order_id"].map(had).where(alone).astype(float)}
    )


def _local(moments: Iterable[Any], zones: "pd.Series[str]") -> "pd.Series[pd.Timestamp]":
    """Moments by the clocks of their zones."""
    local = [
        pd.Timestamp(moment).tz_convert(zone).tz_localize(None) for moment, zone in zip(moments, zones, strict=True)
    ]
    return pd.Series(local, index=zones.index, dtype="datetime64[us]")


def _within(days: pd.DataFrame, minutes: "pd.Series[float]") -> "pd.Series[float]":
    """Of the minutes of each day, those between `begun` and `until`."""
    shift = settings().robot.shift_begins
    begins = days["day"] + pd.Timedelta(60 * shift.hour + shift.minute, "min")
    ends = begins + pd.to_timedelta(minutes.astype(float) / days["operators"], unit="min")
    worked = ends.where(ends < days["until"], days["until"]) - begins.where(begins > days["begun"], days["begun"])
    paid: pd.Series[float] = worked.dt.total_seconds().clip(lower=0) / 60 * days["operators"]
    return paid
