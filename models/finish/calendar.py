"""Working days of factories, back and ahead of a day, and working hours between moments.

A factory works on days with paid minutes, from the hour at which shifts begin for as long as its operators are paid.
Beyond the calendar that it has sent its last week repeats itself.
"""

from dataclasses import dataclass
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from c2m.domain.arrays import Floats

Days = NDArray[np.datetime64]
_PAST_DAYS, _AHEAD_DAYS = 120, 180  # calendar days that are looked at


@dataclass(frozen=True)
class Calendar:
    """minutes, overtime (factories, days): paid, and what may be added, on every calendar day from `first` on.

    today: place of the day that is under way. hours: of a full day's shift. offset: local time less UTC, in hours.
    """

    factory_ids: "pd.Index[str]"
    first: np.datetime64
    today: int
    minutes: Floats
    overtime: Floats
    hours: Floats
    offset: Floats
    now: datetime
    shift_begins: float  # hours after midnight

    def line(self, factory_id: pd.Series) -> NDArray[np.intp]:
        """The rows of factories."""
        found: NDArray[np.intp] = self.factory_ids.get_indexer(pd.Index(factory_id))
        return found

    def ahead(self, count: int) -> tuple[NDArray[np.intp], Floats]:
        """(factories, count): places of each factory's next working days, and what is left of today's, 1 elsewhere."""
        days = self.today + np.argsort(self.minutes[:, self.today :] <= 0, axis=1, kind="stable")[:, :count]
        every = np.arange(len(self.factory_ids))
        until = self._worked(every, np.full(len(every), pd.Timestamp(self.now).tz_localize(None).to_datetime64()))
        start = np.cumsum(self.hours, axis=1)[:, self.today] - self.hours[:, self.today]
        with np.errstate(divide="ignore", invalid="ignore"):
            over = np.nan_to_num(np.clip((until - start) / self.hours[:, self.today], 0, 1))
        return days, np.where(days == self.today, 1 - over[:, None], 1.0)

    def back(self, count: int) -> NDArray[np.intp]:
        """(factories, count): places of each factory's last working days before today, the last one last; -1: none."""
        worked = self.minutes[:, : self.today][:, ::-1] > 0
        days = np.argsort(~worked, axis=1, kind="stable")[:, :count][:, ::-1]
        return np.where(np.take_along_axis(worked, days, axis=1), self.today - 1 - days, -1)

    def hours_since(self, line: NDArray[np.intp], moments: pd.Series) -> Floats:
        """Working hours since moments (UTC, without zone); NaN where there is none."""
        now = pd.Series(pd.Timestamp(self.now).tz_localize(None), index=moments.index)
        passed = self._worked(line, now.to_numpy()) - self._worked(line, moments.to_numpy())
        return np.where(moments.isna(), np.nan, np.maximum(passed, 0.0))

    def dates(self, places: NDArray[np.intp]) -> Days:
        """The dates of places; NaT for places below 0."""
        return np.where(places < 0, np.datetime64("NaT", "D"), self.first + places.astype("timedelta64[D]"))

    def places(self, days: pd.Series) -> NDArray[np.intp]:
        """The places of dates."""
        return _place(days, self.first)

    def _worked(self, line: NDArray[np.intp], moments: NDArray[np.datetime64]) -> Floats:
        """Working hours from the first day until moments."""
        clock = (moments - self.first.astype("datetime64[us]")) / np.timedelta64(1, "h") + self.offset[line]
        clock = np.clip(np.nan_to_num(clock), 0.0, 24.0 * self.hours.shape[1] - 0.01)
        day = (clock // 24).astype(np.intp)
        into = np.clip(clock % 24 - self.shift_begins, 0.0, self.hours[line, day])
        before = np.cumsum(self.hours, axis=1)[line, day] - self.hours[line, day]
        worked: Floats = before + into
        return worked


def calendar_of(factories: pd.DataFrame, days: pd.DataFrame, day: date, now: datetime, shift_begins: time) -> Calendar:
    """From the marts factories and factory_calendar, `day` being under way at the moment `now`."""
    ids = pd.Index(factories["factory_id"].to_numpy(dtype=object))
    first = np.datetime64(day) - np.timedelta64(_PAST_DAYS, "D")
    minutes, overtime = (_grid(ids, days, first, name) for name in ("minutes", "overtime_minutes"))
    zones = {zone: _offset(now, zone) for zone in factories["timezone"].unique()}
    return Calendar(
        factory_ids=ids,
        first=first,
        today=_PAST_DAYS,
        minutes=minutes,
        overtime=overtime,
        hours=np.minimum(minutes / factories["operators"].to_numpy()[:, None] / 60, 24 - _hours(shift_begins)),
        offset=factories["timezone"].map(zones).to_numpy(dtype=float),
        now=now,
        shift_begins=_hours(shift_begins),
    )


def _grid(ids: "pd.Index[str]", days: pd.DataFrame, first: np.datetime64, column: str) -> Floats:
    """(factories, days) of the calendar, continued by its last week."""
    grid = np.zeros((len(ids), _PAST_DAYS + _AHEAD_DAYS))
    line = ids.get_indexer(pd.Index(days["factory_id"].to_numpy(dtype=object)))
    place = _place(days["day"], first)
    inside = (line >= 0) & (place >= 0) & (place < grid.shape[1])
    grid[line[inside], place[inside]] = days[column].to_numpy(dtype=float)[inside]
    last = np.full(len(ids), -1)
    np.maximum.at(last, line[line >= 0], place[line >= 0])
    for beyond in range(7, grid.shape[1]):
        grid[:, beyond] = np.where(last < beyond, grid[:, beyond - 7], grid[:, beyond])
    return grid


def _place(days: pd.Series, first: np.datetime64) -> NDArray[np.intp]:
    place: NDArray[np.intp] = ((days.to_numpy().astype("datetime64[D]") - first) / np.timedelta64(1, "D")).astype(
        np.intp
    )
    return place


def _offset(now: datetime, zone: str) -> float:
    offset = now.astimezone(ZoneInfo(zone)).utcoffset()
    assert offset is not None
    return offset.total_seconds() / 3600


def _hours(moment: time) -> float:
    return moment.hour + moment.minute / 60
