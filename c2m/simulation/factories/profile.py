"""What a simulated factory is: a row of the factories feed with its capabilities and calendar, from a JSON file."""

import math
import random
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

from c2m.errors import InputError
from c2m.files import read_json

SHIFT_BEGINS = time(8)
_EARTH_KM, _ROAD_KM_A_DAY = 6371.0, 500.0
_ASSUMED_ROAD_DAYS = 1  # to a destination that nobody has named


@dataclass(frozen=True)
class Profile:
    """One factory. `calendar`: day -> (regular, overtime) paid operator minutes."""

    factory_id: str
    timezone: str
    operators: int
    lines: int
    setup_minutes: float
    min_lot: int
    small_order_willingness: float
    transport: Literal["mqtt", "http"]
    efficiency_by_category: dict[str, float]
    crafts: frozenset[str]
    calendar: dict[date, tuple[float, float]]
    latitude: float = 0.0
    longitude: float = 0.0
    handling_days: int = 0

    def draws(self, seed: int, *about: object) -> random.Random:
        """Random numbers that depend on the seed, this factory and what they are about, and on nothing else."""
        return random.Random(":".join(map(str, (seed, self.factory_id, *about))))  # noqa: S311

    def road_days(self, other: "Profile") -> int:
        """Days that goods take to another factory; none within one."""
        return 0 if self.factory_id == other.factory_id else max(1, self._days_to(other.latitude, other.longitude))

    def lane_days(self, latitude: float | None, longitude: float | None) -> int:
        """Days from the last piece to a place: handling, then by road."""
        named = latitude is not None and longitude is not None
        road = self._days_to(latitude, longitude) if named else _ASSUMED_ROAD_DAYS  # type: ignore[arg-type]
        return self.handling_days + road

    def _days_to(self, latitude: float, longitude: float) -> int:
        north, south = math.radians(self.latitude), math.radians(latitude)
        east = math.radians(longitude - self.longitude)
        chord = math.sin((south - north) / 2) ** 2 + math.cos(north) * math.cos(south) * math.sin(east / 2) ** 2
        return math.ceil(2 * _EARTH_KM * math.asin(min(1.0, math.sqrt(chord))) / _ROAD_KM_A_DAY)

    def capacity(self, day: date) -> tuple[float, float]:
        """(regular, overtime) minutes of a day; past the calendar's end, the mean of that weekday."""
        if day in self.calendar or (self.calendar and day < max(self.calendar)):
            return self.calendar.get(day, (0.0, 0.0))
        return self._weekdays[day.weekday()]

    @cached_property
    def _weekdays(self) -> list[tuple[float, float]]:
        of = [[minutes for day, minutes in self.calendar.items() if day.weekday() == weekday] for weekday in range(7)]
        return [_mean(days) for days in of]

    def today(self, moment: datetime) -> date:
        """The factory's date."""
        return moment.astimezone(ZoneInfo(self.timezone)).date()

    def gone_minutes(self, moment: datetime) -> float:
        """Operator minutes of the factory's day that lie before `moment`, overtime counted."""
        day = self.today(moment)
        minutes = sum(self.capacity(day))
        length = self.clock_time(day, 1, minutes) - self.clock_time(day, 0, minutes)
        share = (moment - self.clock_time(day, 0, minutes)) / length
        return min(max(share, 0.0), 1.0) * minutes

    def clock_time(self, day: date, share: float, minutes: float) -> datetime:
        """When `share` of a day with that many operator minutes has been worked."""
        begin = datetime.combine(day, SHIFT_BEGINS, ZoneInfo(self.timezone))
        shift_minutes = min(max(minutes / self.operators, 60.0), 15 * 60.0)
        return begin + timedelta(seconds=int(share * shift_minutes * 60))


def _mean(days: list[tuple[float, float]]) -> tuple[float, float]:
    """Regular and overtime minutes; none of no day."""
    regular, overtime = (sum(column) / max(1, len(days)) for column in zip((0.0, 0.0), *days, strict=True))
    return regular, overtime


def read(file: Path) -> dict[str, Profile]:
    """The factories of a file: a list of feed rows, each with `capabilities` and `calendar` as lists of feed rows."""
    try:
        return {row["factory_id"]: _profile(row) for row in read_json(file)}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            "factories-file",
            [
                f"{file}: {type(error).__name__} {error}; "
                "expected a JSON list of factory rows with capabilities and calendar"
            ],
        ) from error


def _profile(row: dict[str, Any]) -> Profile:
    return Profile(
        factory_id=row["factory_id"],
        timezone=row["timezone"],
        operators=int(row["operators"]),
        lines=int(row["lines"]),
        setup_minutes=float(row["setup_minutes"]),
        min_lot=int(row["min_lot"]),
        small_order_willingness=float(row["small_order_willingness"]),
        transport=row["transport"],
        efficiency_by_category={
            skill["name"]: float(skill["efficiency"]) for skill in row["capabilities"] if skill["kind"] == "category"
        },
        crafts=frozenset(skill["name"] for skill in row["capabilities"] if skill["kind"] == "craft"),
        calendar={
            date.fromisoformat(entry["day"]): (float(entry["minutes"]), float(entry["overtime_minutes"]))
            for entry in row["calendar"]
        },
        latitude=float(row.get("latitude") or 0.0),
        longitude=float(row.get("longitude") or 0.0),
        handling_days=int(row.get("handling_days") or 0),
    )
