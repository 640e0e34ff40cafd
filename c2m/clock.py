"""Time. Real by default; where settings.clock_file exists, the virtual clock of a time-lapse run that it describes.

Whoever drives the run calls `set_now`; every other process only reads. Ledger and messages take their times from here.
"""

import json
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from c2m.errors import InputError
from c2m.files import read_json, write_atomically
from c2m.settings import settings


def now() -> datetime:
    """The current moment, UTC: real, or virtual = `at` + `speed` x real time passed since the clock was set.

    Raises
    ------
    InputError
        The file of the virtual clock cannot be read as one.
    """
    virtual = _virtual()
    if virtual is None:
        return datetime.now(UTC)
    at, was_set, speed_then = virtual
    return at + (datetime.now(UTC) - was_set) * speed_then


def _virtual() -> tuple[datetime, datetime, float] | None:
    """What the clock's file says: at, set, speed; None where there is none."""
    try:
        file = read_json(settings().clock_file)
        moments = [datetime.fromisoformat(file[name]).astimezone(UTC) for name in ("at", "set")]
        return moments[0], moments[1], float(file["speed"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        wanted = 'expected {"at": MOMENT, "set": MOMENT, "speed": NUMBER}: restore it from a backup'
        raise InputError("clock", [f"{settings().clock_file} is no clock ({error}); {wanted}"]) from None


def set_now(moment: datetime, speed: float = 0) -> None:
    """Sets the virtual clock of every process of this C2M_HOME.

    Parameters
    ----------
    moment
        What time it is now, in any zone.
    speed
        Virtual seconds in a real one: 0 stands still, 1 goes as fast as real time.
    """
    file = {"at": moment.astimezone(UTC).isoformat(), "set": datetime.now(UTC).isoformat(), "speed": speed}
    write_atomically(settings().clock_file, json.dumps(file).encode())


def speed() -> float:
    """Virtual seconds that pass in a real one: 1 where the clock is real, 0 where it stands still.

    Raises
    ------
    InputError
        The file of the virtual clock cannot be read as one.
    """
    virtual = _virtual()
    return 1.0 if virtual is None else virtual[2]


def is_virtual() -> bool:
    """Whether this C2M_HOME lives on a virtual clock."""
    return settings().clock_file.exists()


def cut_off(business_date: date) -> datetime:
    """Start of `business_date` in the platform's zone, as UTC: the day reads only rows with known_at before it."""
    return datetime.combine(business_date, time(), ZoneInfo(settings().timezone)).astimezone(UTC)


def business_date(moment: datetime) -> date:
    """The date of `moment` in the platform's zone."""
    return moment.astimezone(ZoneInfo(settings().timezone)).date()


def read_on(moment: datetime) -> date:
    """The business date of the first day that reads what arrives at `moment`."""
    return business_date(moment) + timedelta(days=1)


def days(first: date, count: int) -> list[date]:
    """Consecutive dates.

    Parameters
    ----------
    first
        The first of them.
    count
        How many days.

    Returns
    -------
    list of date
        `first` and those after it; empty for a count of 0.
    """
    return [first + timedelta(days=i) for i in range(count)]
