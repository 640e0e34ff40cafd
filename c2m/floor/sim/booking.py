"""Room in a factory's calendar: which operator minutes of which day a job order gets. Unit: paid operator minutes.

Who books first has them; later job orders go around what is taken, so that one waiting for its start day blocks nobody.
"""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import NamedTuple

from c2m.floor.sim.profile import Profile

_LATEST_DAYS = 3 * 365


class Segment(NamedTuple):
    """Minutes [offset, offset + minutes) of a day that has `capacity` minutes."""

    day: date
    offset: float
    minutes: float
    capacity: float


def book(profile: Profile, taken: Iterable[Segment], first: date, last: date, minutes: float) -> list[Segment]:
    """Segments for `minutes` from `first` on: overtime only where the regular shifts would end after `last`.

    Empty where the calendar has no room within three years.
    """
    used: dict[date, float] = {}
    for segment in taken:
        used[segment.day] = max(used.get(segment.day, 0.0), segment.offset + segment.minutes)
    regular = _fill(profile, used, first, minutes, overtime=False)
    in_time = bool(regular) and regular[-1].day <= last
    return regular if in_time else _fill(profile, used, first, minutes, overtime=True)


def _fill(profile: Profile, used: dict[date, float], first: date, minutes: float, overtime: bool) -> list[Segment]:
    segments = []
    for day in (first + timedelta(days=i) for i in range(_LATEST_DAYS)):
        regular, extra = profile.capacity(day)
        offset = used.get(day, 0.0)
        free = min((regular + extra if overtime else regular) - offset, minutes)
        if free > 0:
            segments.append(Segment(day, offset, free, regular + extra))
            minutes -= free
        if minutes <= 1e-9:
            return segments
    return []


def moment(profile: Profile, segments: list[Segment], minute: float) -> datetime:
    """When the job order has had `minute` of its booked minutes; its end, where it has booked fewer."""
    for segment in segments:
        if minute <= segment.minutes:
            break
        minute -= segment.minutes
    worked = segment.offset + min(minute, segment.minutes)
    return profile.clock_time(segment.day, worked / segment.capacity, segment.capacity)
