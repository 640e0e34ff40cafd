"""Room in a factory's calendar: which operator minutes of which day a job order gets. Unit: paid operator minutes.

Job orders are booked one after another in the order in which the factory takes them; each goes around what is taken, so
that one waiting for its start day blocks nobody.
"""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from typing import NamedTuple

from c2m.simulation.factories.profile import Profile

_LATEST_DAYS = 3 * 365
Taken = dict[date, list[tuple[float, float]]]  # per day, the minutes from .. to, in no order


class Segment(NamedTuple):
    """Minutes [offset, offset + minutes) of a day that has `capacity` minutes."""

    day: date
    offset: float
    minutes: float
    capacity: float


def take(taken: Taken, segments: Iterable[Segment]) -> None:
    """Marks minutes as taken."""
    for segment in segments:
        taken.setdefault(segment.day, []).append((segment.offset, segment.offset + segment.minutes))


def book(profile: Profile, taken: Taken, first: date, last: date, minutes: float) -> list[Segment]:
    """Segments for `minutes` from `first` on: overtime only where the regular shifts would end after `last`.

    Empty where the calendar has no room within three years.
    """
    regular = _fill(profile, taken, first, minutes, overtime=False)
    in_time = bool(regular) and regular[-1].day <= last
    return regular if in_time else _fill(profile, taken, first, minutes, overtime=True)


def _fill(profile: Profile, taken: Taken, first: date, minutes: float, overtime: bool) -> list[Segment]:
    segments = []
    for day in (first + timedelta(days=i) for i in range(_LATEST_DAYS)):
        regular, extra = profile.capacity(day)
        for begin, end in _gaps(taken.get(day, ()), regular + extra if overtime else regular):
            part = min(end - begin, minutes)
            segments.append(Segment(day, begin, part, regular + extra))
            minutes -= part
            if minutes <= 1e-9:
                return segments
    return []


def _gaps(taken: Iterable[tuple[float, float]], end: float) -> Iterator[tuple[float, float]]:
    free = 0.0
    for begin, until in sorted(taken):
        if min(begin, end) - free > 1e-9:
            yield free, min(begin, end)
        free = max(free, until)
    if end - free > 1e-9:
        yield free, end


def first_minutes(segments: Iterable[Segment], minutes: float) -> list[Segment]:
    """Of booked minutes the first ones; the rest is free again."""
    kept = []
    for segment in segments:
        part = min(segment.minutes, minutes)
        if part > 1e-9:
            kept.append(segment._replace(minutes=part))
        minutes -= part
    return kept


def moment(profile: Profile, segments: list[Segment], minute: float) -> datetime:
    """When the job order has had `minute` of its booked minutes; its end, where it has booked fewer."""
    for segment in segments:
        if minute <= segment.minutes:
            break
        minute -= segment.minutes
    worked = segment.offset + min(minute, segment.minutes)
    return profile.clock_time(segment.day, worked / segment.capacity, segment.capacity)
