"""What is known of the factory floor at a moment, out of the published marts and what factories say of themselves."""

from dataclasses import dataclass
from datetime import date, datetime

import pandas as pd

from c2m.settings import RobotPolicy, settings
from c2m.warehouse.published import read
from models.finish.calendar import Calendar, calendar_of


@dataclass(frozen=True)
class FloorState:
    """What is known of the floor at a moment. The frames are the marts of these names."""

    calendar: Calendar
    factories: pd.DataFrame  # mart factories
    capabilities: pd.DataFrame  # mart factory_capabilities
    progress: pd.DataFrame  # job_order_progress
    work: pd.DataFrame  # floor_days
    evidence: pd.DataFrame  # factory_id, day, earned_minutes, planned_minutes


def published_floor(day: date, now: datetime) -> FloorState:
    """The floor out of the published marts.

    Parameters
    ----------
    day
        The business date.
    now
        UTC, the moment from which hours are counted.

    Returns
    -------
    FloorState
        With the evidence of the factories' records.
    """
    factories, capabilities = read("factories"), read("factory_capabilities")
    calendar = calendar_of(factories, read("factory_calendar"), day, now, settings().robot.shift_begins)
    return FloorState(calendar, factories, capabilities, read("job_order_progress"), read("floor_days"), evidence())


def evidence() -> pd.DataFrame:
    """factory_id, day, earned_minutes, planned_minutes: what its busy lines earned, and should have as declared."""
    return read("factory_days")


def offline_hours(floor: FloorState, said: pd.DataFrame) -> pd.DataFrame:
    """Since when factories have been offline.

    Parameters
    ----------
    floor
        Its calendar says which hours are worked.
    said
        factory_id, online, at (UTC): what each said last.

    Returns
    -------
    pd.DataFrame
        factory_id, offline_hours (working hours), of those that are offline.
    """
    gone = said[~said["online"].astype(bool) & (floor.calendar.line(said["factory_id"]) >= 0)].reset_index(drop=True)
    since = pd.to_datetime(gone["at"], utc=True).dt.tz_localize(None)
    hours = floor.calendar.hours_since(floor.calendar.line(gone["factory_id"]), since)
    return gone.loc[:, ["factory_id"]].assign(offline_hours=hours)


def conflicting(quality: pd.DataFrame, day: date) -> pd.DataFrame:
    """Scans of the week before a day that contradict one another.

    Parameters
    ----------
    quality
        The mart scan_quality.
    day
        The business date.

    Returns
    -------
    pd.DataFrame
        factory_id, conflicting_scans.
    """
    recent = quality[pd.to_datetime(quality["day"]) >= pd.Timestamp(day) - pd.Timedelta(7, "D")]
    return recent.groupby("factory_id", as_index=False).agg(conflicting_scans=("conflicting_scans", "sum"))


def last_of_lines(floor: FloorState) -> pd.DataFrame:
    """factory_id, line_id, job_order_id, silent_hours of each line's last scan."""
    last = floor.work.sort_values("last_scan_at").drop_duplicates(["factory_id", "line_id"], keep="last")
    last = last[floor.calendar.line(last["factory_id"]) >= 0].reset_index(drop=True)
    hours = floor.calendar.hours_since(floor.calendar.line(last["factory_id"]), last["last_scan_at"])
    return last.loc[:, ["factory_id", "line_id", "job_order_id"]].assign(silent_hours=hours)


def inspected(floor: FloorState, policy: RobotPolicy) -> pd.DataFrame:
    """Pieces inspected in the last days, and in the days before that they are compared with.

    Parameters
    ----------
    floor
        What is known at this moment.
    policy
        `yield_days` of the last days, `yield_past_days` of those before.

    Returns
    -------
    pd.DataFrame
        factory_id, recent_good, recent_defects, past_good, past_defects, in pieces; factories that have both.
    """
    today = pd.Timestamp(floor.calendar.first) + pd.Timedelta(floor.calendar.today, "D")
    age = (today - floor.work["day"]).dt.days
    recent = age <= policy.yield_days
    past = ~recent & (age <= policy.yield_days + policy.yield_past_days)
    counts = [
        floor.work[some].groupby("factory_id")[["good_pieces", "defects"]].sum().set_axis(names, axis=1)
        for some, names in ((recent, ["recent_good", "recent_defects"]), (past, ["past_good", "past_defects"]))
    ]
    both: pd.DataFrame = pd.concat(counts, axis=1, join="inner").rename_axis("factory_id").reset_index()
    return both
