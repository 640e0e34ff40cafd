"""The periods of a panel: which regular step its dates follow, and the number of each date's period.

A step is told (`--freq`) or inferred from the dates: seconds to hours, days, weeks, months, quarters and years (on any
day, also the first, last or last business day), halves of months, business days, whole numbers; else, where dates are
evenly apart but for less than a factor of two, their rank (as in calendars of 4, 4 and 5 weeks). Series may have days
of their own within the period, as one that ends its weeks on Sundays beside one that ends them on Saturdays.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from c2m.errors import InputError
from models.panel.dates import Ticks
from models.panel.matrices import Bools, Ints

HOUR, DAY, WEEK = 3600, 86_400, 7 * 86_400  # seconds
_MONTH = np.timedelta64(1, "M")
_MONDAY = 4 * DAY  # 1970-01-05 in seconds
_YEAR_DAYS = 365.25
_FEWEST = 8  # gaps from which a rhythm is no chance
_ODDS = 1000  # to one, against a common divisor by chance
_NEARLY_ALL = 0.8  # of the rows
_FAR = 400  # periods
_SHOWN, _ASKED = 5, 500  # series and rows that are shown; series that are asked for their own step
_ENOUGH = 0.6  # of the business days between first and last
_NAMES = {60: "minute", HOUR: "hour", DAY: "day", WEEK: "week"}
_MONTH_NAMES = {1: "month", 3: "quarter", 12: "year"}


@dataclass(frozen=True)
class PeriodLength:
    """A period's length.

    kind: seconds, months, halves (of months), business (days), numbers, or ranks. size: how many of these. start: of a
    period, in seconds since 1970; of numbers the least. late: the second half begins after the 15th. known: times that
    ranks count.
    """

    kind: str
    size: int = 1
    start: int = 0
    late: bool = False
    known: "NDArray[np.int64] | None" = None

    @property
    def name(self) -> str:
        """In words."""
        plain = {"halves": "half month", "business": "business day", "ranks": "date of an uneven calendar"}
        if self.kind in plain:
            return plain[self.kind]
        if self.kind == "numbers":
            return "number" if self.size == 1 else f"{self.size} numbers"
        names = _NAMES if self.kind == "seconds" else _MONTH_NAMES
        size = max((size for size in names if self.size % size == 0), default=1)
        count, name = self.size // size, names.get(size, "second")
        return name if count == 1 else f"{count} {name}s"

    @property
    def seasons(self) -> tuple[int, int]:
        """Periods after which demand repeats, and after which it repeats in the long run; 0 where none is known."""
        if self.kind == "seconds" and self.size < DAY:
            day, week = (span // self.size if span % self.size == 0 else 0 for span in (DAY, WEEK))
            return day, week
        if self.kind == "months":
            count = 12 // self.size if 12 % self.size == 0 else 0
            return (count if count > 1 else 0), 0
        if self.kind == "ranks" and self.known is not None:
            mean_days = float(np.diff(self.known).mean()) / DAY
            count = round(_YEAR_DAYS / mean_days)
            return (count if 1 < count <= 53 else 0), 0
        days = {DAY: 7, WEEK: 52, 2 * WEEK: 26, 4 * WEEK: 13}.get(self.size, 0)
        return {"halves": 24, "business": 5, "seconds": days}.get(self.kind, 0), 0

    def numbers(self, ticks: Ticks) -> Ints:
        """(n,): the number of the period that each tick lies in."""
        if self.kind == "numbers":
            return (ticks.astype(np.int64) - self.start) // self.size
        seconds = ticks.astype("datetime64[s]").astype(np.int64)
        if self.kind == "seconds":
            return (seconds - self.start) // self.size
        if self.kind == "ranks" and self.known is not None:
            return np.searchsorted(self.known, seconds, side="right") - 1
        days = ticks.astype("datetime64[D]")
        if self.kind == "business":
            return np.busday_count(np.datetime64("1970-01-05"), days).astype(np.int64)
        months = days.astype("datetime64[M]").astype(np.int64)
        if self.kind == "halves":
            return 2 * months + (_day_of_month(days) > (15 if self.late else 14))
        return months // self.size

    def begin(self, numbers: Ints) -> Ticks:
        """(n,): when periods begin."""
        if self.kind == "numbers":
            return self.start + self.size * numbers
        if self.kind == "seconds":
            return (self.start + self.size * numbers).astype("datetime64[s]")
        if self.kind == "business":
            return np.busday_offset(np.datetime64("1970-01-05"), numbers).astype("datetime64[s]")
        if self.kind == "ranks" and self.known is not None:
            return self.known[np.clip(numbers, 0, len(self.known) - 1)].astype("datetime64[s]")
        if self.kind == "halves":
            return _half_months(numbers)
        return (numbers * self.size).astype("datetime64[M]").astype("datetime64[s]")


_ALIASES: dict[str, PeriodLength] = {
    "S": PeriodLength("seconds"),
    "T": PeriodLength("seconds", 60),
    "MIN": PeriodLength("seconds", 60),
    "H": PeriodLength("seconds", HOUR),
    "D": PeriodLength("seconds", DAY),
    "B": PeriodLength("business"),
    "W": PeriodLength("seconds", WEEK, _MONDAY),
    "SM": PeriodLength("halves", late=True),
    "SMS": PeriodLength("halves"),
    "SME": PeriodLength("halves", late=True),
    "M": PeriodLength("months"),
    "Q": PeriodLength("months", 3),
    "Y": PeriodLength("months", 12),
    "A": PeriodLength("months", 12),
}
FREQUENCIES = "30min, h, D, B, W, SMS, SME, M, Q, Y, or a number of them such as 2W"


def _half_months(numbers: Ints) -> Ticks:
    """The first or the fifteenth."""
    middle = np.where(numbers % 2, 14, 0).astype("timedelta64[D]")
    first: Ticks = np.asarray(numbers // 2).astype("datetime64[M]").astype("datetime64[D]")
    begins: Ticks = np.add(first, middle)
    return begins.astype("datetime64[s]")


def told(frequency: str) -> PeriodLength:
    """The step of a name such as h, 30min, D, B, W-SUN, SMS, MS, ME, Q, QS-FEB, Y or 2W."""
    found = re.fullmatch(r"(\d*)([A-Za-z]+?)(?:-([A-Za-z]{3}))?", frequency.strip())
    name = found[2].upper() if found else ""
    step = _ALIASES.get(name) or _ALIASES.get(name.removeprefix("B")[:1] if name[-1:] in ("S", "E") else "")
    if found is None or step is None:
        raise InputError("bad-frequency", [f"no frequency {frequency!r}; expected {FREQUENCIES}"])
    return replace(step, size=step.size * int(found[1] or 1))


def fitted(step: PeriodLength, ticks: Ticks) -> PeriodLength:
    """A step that was told, as these ticks have it."""
    if ticks.dtype.kind == "i":
        raise InputError("bad-frequency", ["--freq is of dates; ds holds whole numbers, whose step is their own"])
    if step.kind == "halves":
        return replace(step, late=not np.isin(_day_of_month(ticks.astype("datetime64[D]")), (1, 16)).any())
    if step.kind == "seconds" and step.size % WEEK and step.size > DAY:
        return replace(step, start=int(ticks.min().astype("datetime64[D]").astype(np.int64)) * DAY)
    return step


def inferred(ticks: Ticks) -> PeriodLength:
    """The step that distinct ticks follow, the coarsest that explains all of them."""
    ticks = np.sort(ticks)
    if ticks.dtype.kind == "i":
        return PeriodLength("numbers", _common(np.diff(ticks)), int(ticks[0]))
    seconds = ticks.astype("datetime64[s]").astype(np.int64)
    gaps = np.diff(seconds)
    clock = seconds % DAY
    if (clock != clock[0]).any():
        size = _common(gaps)
        return PeriodLength("seconds", size, int(seconds[0] % size) if size < DAY else int(seconds[0]))
    return _of_days(ticks.astype("datetime64[D]"), int(clock[0]))


def like(step: PeriodLength, ticks: Ticks, numbers: Ints) -> Ticks:
    """(n,): the dates of further periods, on the day (and at the time) that `ticks` have in theirs."""
    begin = step.begin(numbers)
    if step.kind == "ranks" and len(numbers) and step.known is not None and numbers.max() >= len(step.known):
        raise _unknown_dates()
    if step.kind in ("numbers", "ranks", "business") or not len(numbers):
        return begin
    if step.kind == "months":
        return _on_same_day(begin, ticks)
    if step.kind == "seconds":
        within = (ticks - step.begin(step.numbers(ticks))).astype(np.int64)
        return np.add(begin, np.timedelta64(int(np.median(within)), "s"))
    later = _day_of_month(ticks.astype("datetime64[D]")).max() == 16
    days: Ticks = begin.astype("datetime64[D]")
    if step.late:
        ends = (days.astype("datetime64[M]") + _MONTH).astype("datetime64[D]") - np.timedelta64(1, "D")
        return np.where(numbers % 2, ends, days + np.timedelta64(14, "D")).astype("datetime64[s]")
    found: Ticks = np.add(days, np.where(numbers % 2, int(later), 0).astype("timedelta64[D]"))
    return found.astype("datetime64[s]")


def _unknown_dates() -> InputError:
    fault = "ds follows no rule that tells its next dates; add a row with an empty y for each, instead of --horizon"
    return InputError("bad-panel", [fault])


def _on_same_day(begin: Ticks, ticks: Ticks) -> Ticks:
    """Days in the months of `begin` by the rule that those of `ticks` follow."""
    months = ticks.astype("datetime64[M]")
    within = months.astype(np.int64) - months.astype(np.int64).min()
    size = int(np.gcd.reduce(within)) or 1
    phase = (months.astype(np.int64) - begin.astype("datetime64[M]").astype(np.int64).min()) % size if size > 1 else 0
    wanted = begin.astype("datetime64[M]") + int(np.min(phase)) * _MONTH
    days = ticks.astype("datetime64[D]")
    rule = next((rule for rule in _RULES if (days == rule(months, days)).all()), None)
    if rule is None:
        if begin.max() > ticks.max():
            raise _unknown_dates()
        return begin
    found: Ticks = rule(wanted, days).astype("datetime64[s]")
    clock: Ticks = ticks - days
    return found + np.timedelta64(int(clock.min().astype(np.int64)), "s")


def _common(gaps: Ints) -> int:
    return int(np.gcd.reduce(gaps)) if len(gaps) and gaps.any() else 1


def _of_days(days: Ticks, clock: int) -> PeriodLength:
    """The step of distinct days in order."""
    if len(days) > 1 and _same_in_each_month(days):
        return PeriodLength("months", _common(np.diff(days.astype("datetime64[M]")).astype(np.int64)))
    dom, last = set(_day_of_month(days).tolist()), _is_last_of_month(days)
    if dom in ({1, 15}, {1, 16}):
        return PeriodLength("halves")
    if len(days) > 2 and last.any() and (last | (_day_of_month(days) == 15)).all():
        return PeriodLength("halves", late=True)
    if _are_business(days):
        return PeriodLength("business")
    gaps = np.diff(days).astype(np.int64)
    size = _common(gaps)
    loose = _loose(days, gaps) if len(gaps) >= _FEWEST and gaps.min() > size else None
    if loose is not None:
        return loose
    start = _MONDAY if size == 7 else int(days[0].astype(np.int64)) * DAY
    return PeriodLength("seconds", size * DAY, (start + clock) if size != 7 else start)


def _loose(days: Ticks, gaps: Ints) -> PeriodLength | None:
    """Of dates that move about within their week or month; of an uneven calendar."""
    weeks, months = (PeriodLength("seconds", WEEK, _MONDAY).numbers(days), PeriodLength("months").numbers(days))
    if np.median(gaps) == 7 and (np.diff(weeks) > 0).all() and gaps.min() >= 3:
        return PeriodLength("seconds", WEEK, _MONDAY)
    if 28 <= np.median(gaps) <= 31 and (np.diff(months) > 0).all() and gaps.min() >= 20:
        return PeriodLength("months")
    if gaps.max() < 2 * gaps.min():
        return PeriodLength("ranks", known=days.astype("datetime64[s]").astype(np.int64))
    return None


def _day_of_month(days: Ticks) -> Ints:
    day: Ints = (days - days.astype("datetime64[M]").astype("datetime64[D]")).astype(np.int64) + 1
    return day


def _is_last_of_month(days: Ticks) -> Bools:
    return np.equal(_day_of_month(days + np.timedelta64(1, "D")), 1)


def _same_in_each_month(days: Ticks) -> bool:
    """Whether all are the same day of their month, its last where it is shorter, or its first or last business day."""
    months = days.astype("datetime64[M]")
    if (np.diff(months.astype(np.int64)) == 0).any():
        return False
    return any(bool((days == rule(months, days)).all()) for rule in _RULES)


def _month_ends(months: Ticks) -> Ticks:
    return (months + _MONTH).astype("datetime64[D]") - np.timedelta64(1, "D")


def _on_day(months: Ticks, days: Ticks) -> Ticks:
    """The same day of each month, or the last of a shorter one."""
    return np.minimum(months.astype("datetime64[D]") + (_day_of_month(days).max() - 1), _month_ends(months))


_RULES: tuple[Callable[[Ticks, Ticks], Ticks], ...] = (
    lambda months, days: _month_ends(months) if _is_last_of_month(days).all() else _on_day(months, days),
    lambda months, days: np.busday_offset(months.astype("datetime64[D]"), 0, roll="forward"),
    lambda months, days: np.busday_offset((months + _MONTH).astype("datetime64[D]"), -1, roll="forward"),
)


def _are_business(days: Ticks) -> bool:
    """Whether days are most of the business days of two weeks or more, and none of them is of a weekend."""
    if len(days) < _FEWEST or not np.is_busday(days).all() or (np.diff(days).astype(np.int64) == 1).mean() < 0.4:
        return False
    return bool(len(days) >= _ENOUGH * (np.busday_count(days[0], days[-1]) + 1))


@dataclass(frozen=True)
class Places:
    """Of the rows of a panel: series (rows,), date (rows,) by its place among the distinct ticks."""

    series: Ints
    dates: Ints
    ticks: Ticks
    names: "NDArray[np.object_]"  # of the series

    @cached_property
    def order(self) -> Ints:
        """(rows,): by series, then by time."""
        rank = np.empty(len(self.ticks), np.int64)
        rank[np.argsort(self.ticks, kind="stable")] = np.arange(len(self.ticks))
        return np.lexsort((rank[self.dates], self.series))

    def of(self, row: int) -> Ticks:
        """Ticks of a series."""
        own = self.series[self.order]
        at = self.order[np.searchsorted(own, row) : np.searchsorted(own, row, side="right")]
        return np.unique(self.ticks[self.dates[at]])

    def shown(self, rows: Ints) -> str:
        """Some rows by series and date."""
        some = [f"{self.names[self.series[row]]} {self.ticks[self.dates[row]]}" for row in rows[:_SHOWN]]
        return ", ".join(text.removesuffix("T00:00:00") for text in some) + (", ..." if len(rows) > _SHOWN else "")

    def gaps(self, step: PeriodLength) -> tuple[Ints, Ints]:
        """Between the neighbouring rows of a series, in periods; and the later row of each two."""
        columns = step.numbers(self.ticks)[self.dates]
        inner = np.flatnonzero(np.diff(self.series[self.order]) == 0) + 1
        return np.diff(columns[self.order])[inner - 1], self.order[inner]


def step_of(places: Places, strict: bool) -> PeriodLength:
    """The step of all series together or, where that is finer than theirs, the one that they have in common.

    Strict is a panel whose absent rows are missing: there, series of several steps are refused. Where absent rows are
    zero, a series may well sell on Saturdays alone.
    """
    step = inferred(places.ticks[np.unique(places.dates)])
    gaps, later = places.gaps(step)
    if not len(gaps):
        return step
    _refuse_odd(places, step, gaps, later)
    rhythmic, several = _rhythms(gaps, places.series[later]), _of_three(gaps, places.series[later])
    wider = bool(gaps.min() > 1)
    if wider and several:
        step = _in_common(places, step, rhythmic or several, bool(rhythmic))
    elif rhythmic and strict:
        raise _mixed(places, {row: inferred(places.of(row)) for row in rhythmic[:_ASKED]}, step)
    return step


def _in_common(places: Places, step: PeriodLength, rows: list[int], certain: bool) -> PeriodLength:
    """The step that all of these series have, each on days of its own; else, if that is certain, a refusal."""
    steps = {row: inferred(places.of(row)) for row in rows[:: max(1, len(rows) // _ASKED)]}
    kinds = {(found.kind, found.size) for found in steps.values()}
    if len(kinds) == 1:
        found = next(iter(steps.values()))
        return step if found.kind == "ranks" else found
    if certain:
        raise _mixed(places, steps, step)
    return step


def _of_three(gaps: Ints, series: Ints) -> list[int]:
    """Series of three dates or more."""
    rows, counts = np.unique(series, return_counts=True)
    return list(rows[counts > 1])


def _rhythms(gaps: Ints, series: Ints) -> list[int]:
    """Series whose rows are several periods apart, so often that it is no chance: by a multiple, or about evenly."""
    starts = np.flatnonzero(np.r_[True, np.diff(series) != 0])
    common, count = np.gcd.reduceat(gaps, starts), np.diff(np.r_[starts, len(gaps)])
    least, most = np.minimum.reduceat(gaps, starts), np.maximum.reduceat(gaps, starts)
    certain = (common > 1) & (common.astype(float) ** np.minimum(count, 20) > _ODDS)
    even = (least > 1) & (count >= _FEWEST) & (most <= 2 * least)
    return list(series[starts][certain | even])


def _mixed(places: Places, steps: dict[int, PeriodLength], rest: PeriodLength) -> InputError:
    by_name: dict[str, list[str]] = {}
    for row, step in steps.items():
        by_name.setdefault(step.name, []).append(str(places.names[row]))
    groups = [
        f"by {name}: {', '.join(rows[:_SHOWN])}{', ...' * (len(rows) > _SHOWN)}" for name, rows in by_name.items()
    ]
    others = len(places.names) - len(steps)
    rest_of = f"; the other {others} by {rest.name}" if others and rest.name not in by_name else ""
    words = f"mixed frequencies: of {len(places.names)} series, {'; '.join(groups)}{rest_of}"
    return InputError("bad-panel", [f"{words}; forecast them apart, or say the common one with --freq"])


def _refuse_odd(places: Places, step: PeriodLength, gaps: Ints, later: Ints) -> None:
    """Where nearly all rows step alike, the few that do not are mistakes, not periods of a finer step."""
    if len(gaps) < 2 * _FEWEST:
        return
    sizes, counts = np.unique(gaps, return_counts=True)
    usual, share = int(sizes[counts.argmax()]), counts.max() / len(gaps)
    odd = later[gaps % usual != 0]
    few = len(odd) <= 2 * len(np.unique(places.series[odd]))  # one mistake makes two odd gaps
    if usual > 1 and share >= _NEARLY_ALL and len(odd) and few:
        seen = f"ds steps by {usual} {step.name}s in {share:.0%} of the rows, but not before {places.shown(odd)}"
        raise InputError("bad-panel", [f"{seen}; correct these dates, or say --freq"])


def strays(places: Places, numbers: Ints) -> Iterator[str]:
    """Few rows further from all others than these are from each other: dates mistyped.

    `numbers` (rows,): of each row's period.
    """
    ordered, few = np.sort(numbers), max(1, min(3, len(numbers) // 100))
    if len(ordered) < 3:
        return
    for sign, name in ((1, "after"), (-1, "before")):
        signed = np.sort(sign * ordered)
        ends, span = signed[-few - 1 :], signed[-few - 1] - signed[0]
        wide = np.flatnonzero(np.diff(ends) > max(2 * span, _FAR))
        if len(wide):
            far = np.flatnonzero(sign * numbers > ends[wide[0]])
            yield f"a stray date: {places.shown(far)} is {np.diff(ends)[wide[0]]} periods {name} the others; check ds"
