"""A line over days as a drawing that a page holds: no script, and no colour of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

WIDTH, HEIGHT, MARGIN = 320, 96, 6


@dataclass(frozen=True)
class Polyline:
    """Points of a polyline in a box of WIDTH x HEIGHT, with the ends of both axes."""

    points: str
    dots: tuple[tuple[float, float], ...]
    first: date
    last: date
    least: float
    most: float


def line(course: Sequence[tuple[date, float]]) -> Polyline | None:
    """The drawing of a course; None where there is nothing to draw.

    Parameters
    ----------
    course
        Value by day, the earliest first.

    Returns
    -------
    Polyline or None
        From zero, or from the least value where that is below.
    """
    if not course:
        return None
    days, values = [day for day, _ in course], [value for _, value in course]
    least, most = min(0.0, *values), max(values)
    height, width = (most - least) or 1.0, (days[-1] - days[0]).days or 1
    dots = tuple(
        (
            round(MARGIN + (day - days[0]).days / width * (WIDTH - 2 * MARGIN), 1),
            round(HEIGHT - MARGIN - (value - least) / height * (HEIGHT - 2 * MARGIN), 1),
        )
        for day, value in course
    )
    return Polyline(" ".join(f"{across},{down}" for across, down in dots), dots, days[0], days[-1], least, most)
