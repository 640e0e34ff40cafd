"""The days of a generated world, and moments on them in its zone."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from c2m.domain.arrays import Ints


@dataclass(frozen=True)
class Span:
    """`history_days` before `business_date` and `future_days` from it on."""

    business_date: date
    timezone: str
    history_days: int
    future_days: int

    @property
    def first(self) -> date:
        """Day 0."""
        return self.business_date - timedelta(days=self.history_days)

    @property
    def days(self) -> int:
        """How many."""
        return self.history_days + self.future_days

    @cached_property
    def dates(self) -> npt.NDArray[np.datetime64]:
        """All days, and 60 more for what follows from the last ones; index 0 is `first`."""
        return np.datetime64(self.first, "D") + np.arange(self.days + 60)

    @cached_property
    def weekday(self) -> Ints:
        """0 = Monday, per day of the span."""
        return (self.first.weekday() + np.arange(self.days)) % 7

    @cached_property
    def midnights(self) -> npt.NDArray[np.datetime64]:
        """Start of each of `dates` in the zone, as UTC."""
        zone = ZoneInfo(self.timezone)
        starts = [datetime.combine(day, time(), zone).timestamp() for day in self.dates.tolist()]
        return np.array(starts, "int64").astype("datetime64[s]")

    def moments(self, day: npt.ArrayLike, second: npt.ArrayLike) -> npt.NDArray[np.datetime64]:
        """UTC of `second` of the local `day` (index); a day before the span counts back from its first midnight."""
        index = np.asarray(day, "int64")
        known = np.clip(index, 0, len(self.midnights) - 1)
        seconds = np.asarray(second, "int64") + (index - known) * 86_400
        moments: npt.NDArray[np.datetime64] = self.midnights[known] + seconds.astype("timedelta64[s]")
        return moments
