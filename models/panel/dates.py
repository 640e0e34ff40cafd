"""The dates of a panel: times, whole numbers, or texts of one form, as they are written.

* 2024-01-31 (also with / or . or a time), 31/01/2024 and 01/31/2024, 2024-01, 2024-Q1, 2024-W05, 31 Jan 2024.
* Whole numbers of the form 20240131, 202401 and 2024 are days, months and years, where all of them are.
* Where day/month and month/day both fit every row, the order is asked for; where one fits, it is used, and said.
* A time with a zone is taken as its local time. Zones must not differ, but for the hour of a summer time.
"""

from calendar import month_abbr
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from c2m.errors import InputError
from models.panel.matrices import Bools, Ints
from models.panel.numerals import distinct, is_text

Order = Literal["dmy", "mdy"]
Ticks = NDArray[Any]  # datetime64[s], or whole numbers

_CLOCK = r"\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?: ?[AaPp]\.?[Mm]\.?)?"
_TIME = rf"(?:[T ]+(?P<time>{_CLOCK}) *(?P<zone>Z|UTC|[+-]\d{{2}}(?::?\d{{2}})?)?)?"
_FORMS = {
    "YYYY-MM-DD": rf"(?P<year>\d{{4}})[-/.](?P<month>\d{{1,2}})[-/.](?P<day>\d{{1,2}}){_TIME}",
    "DD/MM/YYYY": rf"(?P<day>\d{{1,2}})[-/.](?P<month>\d{{1,2}})[-/.](?P<year>\d{{4}}|\d{{2}}){_TIME}",
    "YYYY-MM": r"(?P<year>\d{4})[-/M](?P<month>\d{1,2})",
    "YYYY-Qn": r"(?P<year>\d{4})[- ][Qq](?P<quarter>[1-4])",
    "YYYYQn": r"(?P<year>\d{4})[Qq](?P<quarter>[1-4])",
    "Qn YYYY": r"[Qq](?P<quarter>[1-4])[- /]?(?P<year>\d{4})",
    "YYYY-Wnn": r"(?P<year>\d{4})-?[Ww](?P<week>\d{1,2})",
    "DD Mon YYYY": r"(?P<day>\d{1,2})[- /](?P<name>[A-Za-z]{3,9})\.?,?[- /](?P<year>\d{4}|\d{2})",
    "Mon DD, YYYY": r"(?P<name>[A-Za-z]{3,9})\.? (?P<day>\d{1,2}),? (?P<year>\d{4})",
    "Mon YYYY": r"(?P<name>[A-Za-z]{3,9})\.?[- /](?P<year>\d{4}|\d{2})",
    "a whole number": r"(?P<number>[+-]?\d+)(?:\.0+)?",
}
_WRITTEN = {"YYYY-Qn": "%Y-Q", "YYYYQn": "%YQ", "YYYY-MM": "%Y-%m", "YYYY-Wnn": "%G-W%V", "Mon YYYY": "%b %Y"}
_CODED = {8: "%Y%m%d", 6: "%Y%m", 4: "%Y"}  # digits of a whole number that is a date
_YEARS = (1800, 2199)
LAST_YEAR = 9999  # that a date of four digits can have
_MONTHS = {name.lower(): at for at, name in enumerate(month_abbr) if name}
_SUMMER_HOURS = 1.0  # by which a zone's offset changes in the year


@dataclass(frozen=True)
class Dates:
    """Distinct dates of a column.

    codes: (rows,) into them, -1 where the cell is empty. ticks: times or whole numbers; NaT where wrong. given: the
    labels, as the dates were written or as times. form: how further labels are written. wrong: why a date is refused,
    by its place.
    """

    codes: Ints
    ticks: Ticks
    given: "pd.Index[Any]"
    form: str = ""
    wrong: dict[int, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()

    def written(self, ticks: Ticks) -> "pd.Index[Any]":
        """Labels of other ticks in the same form."""
        if ticks.dtype.kind == "i":
            return pd.Index(ticks)
        times = stamps(ticks)
        if len(times) and times.year.max() > LAST_YEAR:
            fault = f"the periods to forecast reach the year {times.year.max()}; dates end with {LAST_YEAR}"
            raise InputError("bad-panel", [f"{fault}: give a smaller --horizon"])
        if self.form in _CODED.values():
            return pd.Index(times.strftime(self.form).astype(np.int64))
        quarters = times.quarter.astype("str")
        if self.form == "Qn YYYY":
            return pd.Index("Q" + quarters + times.strftime(" %Y"))
        if self.form in _WRITTEN:
            return times.strftime(_WRITTEN[self.form]) + (quarters if "Q" in self.form else "")
        return times

    def continued(self, ticks: Ticks) -> "pd.Index[Any]":
        """The labels that are given, and after them those of other ticks."""
        given, further = self.given, self.written(ticks)
        if isinstance(given, pd.DatetimeIndex) and isinstance(further, pd.DatetimeIndex) and given.unit != further.unit:
            given, further = given.as_unit("s"), further.as_unit("s")
        return given.append(further)


def stamps(ticks: Ticks) -> pd.DatetimeIndex:
    """As pandas has times by default, where they are within its nanoseconds."""
    times = pd.DatetimeIndex(ticks)
    years = times.dropna().year.to_numpy()
    fit = len(years) == 0 or (years.min() > pd.Timestamp.min.year and years.max() < pd.Timestamp.max.year)
    return times.as_unit("ns") if fit else times


def dates(column: "pd.Series[Any]", order: Order | None = None) -> Dates:
    """What a column of dates says."""
    if isinstance(column.dtype, pd.PeriodDtype):
        column = column.dt.to_timestamp()
    if pd.api.types.is_datetime64_any_dtype(column):
        return _of_times(column)
    if pd.api.types.is_bool_dtype(column) or not is_text(column):
        return _of_numbers(column)
    return _of_texts(*distinct(column), order)


def _of_times(column: "pd.Series[Any]") -> Dates:
    zone = getattr(column.dt, "tz", None)
    codes, times = pd.factorize(column)
    local = pd.DatetimeIndex(times)
    faults: tuple[str, ...] = ()
    if zone is not None:
        offsets = pd.Series((local.tz_localize(None) - local.tz_convert(None)).total_seconds() / 3600)
        local = local.tz_localize(None)
        faults = tuple(_changing(offsets, _has_clock(local.to_numpy())))
    ticks = local.to_numpy().astype("datetime64[s]")
    if (ticks != local.to_numpy()).any():
        faults += ("ds has fractions of a second; the shortest period is a second",)
    notes = (f"ds is taken as local time of {zone}",) if zone is not None else ()
    return Dates(codes.astype(np.int64), ticks, stamps(ticks), "", {}, notes, faults)


def _has_clock(times: Ticks) -> bool:
    """Whether times of the day differ."""
    return bool(len(np.unique(times.astype("datetime64[s]").astype(np.int64) % 86_400)) > 1)


def _changing(hours: "pd.Series[float]", clock: bool) -> Iterator[str]:
    """Offsets from UTC that cannot be of one place, or that make hours come twice."""
    seen = sorted(hours.unique())
    names = ", ".join(f"{hour:+.4g} h" for hour in seen[:5])
    if len(seen) > 2 or seen[-1] - seen[0] > _SUMMER_HOURS:
        yield f"ds has times of {len(seen)} zones ({names} from UTC); write them all in one zone"
    elif len(seen) == 2 and clock:
        yield f"ds changes between {names} from UTC (summer time), so that an hour comes twice; write it in UTC"


def _of_numbers(column: "pd.Series[Any]") -> Dates:
    """Whole numbers, also where an empty cell made them doubles."""
    codes, found = pd.factorize(column)
    values = np.asarray(found, dtype=np.float64)
    broken = (values % 1 != 0) | (np.abs(values) > 2**53) | pd.api.types.is_bool_dtype(column)
    wrong = {int(at): "not a date or a whole number" for at in np.flatnonzero(broken)}
    return _numbered(codes.astype(np.int64), np.where(broken, 0, values).astype(np.int64), wrong)


def _numbered(codes: Ints, values: Ints, wrong: dict[int, str]) -> Dates:
    """Whole numbers, as dates where they are coded ones."""
    sizes = {len(str(value)) for value in values}
    form = _CODED.get(next(iter(sizes))) if len(sizes) == 1 and not wrong else None
    if form:
        year, month, day = (values // 10 ** max(0, len(str(values[0])) - 4), *_below(values))
        times = _day(year, month, day)
        if not np.isnat(times).any() and (year >= _YEARS[0]).all() and (year <= _YEARS[1]).all():
            what = {"%Y%m%d": "days (YYYYMMDD)", "%Y%m": "months (YYYYMM)", "%Y": "years"}[form]
            return Dates(codes, times, pd.Index(values), form, {}, (f"ds holds {what}",))
    return Dates(codes, values, pd.Index(values), "", wrong)


def _below(values: Ints) -> tuple[Ints, Ints]:
    """Month and day of YYYYMMDD, YYYYMM or YYYY, the first where there is none."""
    ones = np.ones(len(values), np.int64)
    size = len(str(values[0]))
    return (values // 10 ** (size - 6) % 100 if size > 4 else ones), (values % 100 if size == 8 else ones)


def _of_texts(codes: Ints, texts: "pd.Series[str]", order: Order | None) -> Dates:
    """By the form that most of the texts have."""
    texts = texts.str.strip()
    empty = texts.str.lower().isin({"", "nan", "nat", "none", "null", "na"}).to_numpy()
    codes = np.where((codes >= 0) & empty[codes], -1, codes) if len(texts) else codes
    fits = {form: texts.str.fullmatch(pattern).to_numpy(dtype=bool) for form, pattern in _FORMS.items()}
    form = max(fits, key=lambda name: int(fits[name].sum()))
    if not fits[form].any():
        return Dates(codes, np.zeros(len(texts), np.int64), pd.Index(texts), "", _named(~empty, "not a date"))
    wrong = _named(~fits[form] & ~empty, f"not written as the others are ({form})")
    parts = texts.str.extract(f"^{_FORMS[form]}$")
    if "number" in parts:
        numbers = pd.to_numeric(parts["number"].fillna("0")).to_numpy(dtype=np.int64)
        if wrong or empty.any():
            return Dates(codes, numbers, pd.Index(numbers), "", wrong)
        return _numbered(codes, numbers, wrong)
    return _of_parts(codes, texts, parts, form, wrong, order)


def _named(broken: Bools, why: str) -> dict[int, str]:
    return {int(at): why for at in np.flatnonzero(broken)}


def _of_parts(
    codes: Ints, texts: "pd.Series[str]", parts: pd.DataFrame, form: str, wrong: dict[int, str], order: Order | None
) -> Dates:
    notes: list[str] = []
    faults: list[str] = []
    if form == "DD/MM/YYYY":
        order, said = _order(parts, order)
        (notes if order else faults).append(said)
        if order == "mdy":
            parts = parts.rename(columns={"day": "month", "month": "day"})
    times, hours = _times(parts), _hours(parts)
    known = parts["year"].notna().to_numpy()
    if hours.notna().any():
        faults += _changing(hours[hours.notna()], _has_clock(times[known & ~np.isnat(times)]))
        notes.append("ds is taken as the local time of its zone")
        wrong |= _named((hours.isna() & known).to_numpy(), "without a zone, which the others have")
    wrong |= _named(known & np.isnat(times), "no day of the calendar")
    plain = form in ("YYYY-MM-DD", "DD/MM/YYYY", "DD Mon YYYY", "Mon DD, YYYY")
    given: pd.Index[Any] = stamps(times) if plain else pd.Index(texts)
    return Dates(codes, times, given, form, wrong, tuple(notes), tuple(faults))


def _order(parts: pd.DataFrame, order: Order | None) -> tuple[Order | None, str]:
    """Which of day and month comes first, and how that is known; None where it must be asked for."""
    first, second = (pd.to_numeric(parts[name]).max() for name in ("day", "month"))
    fits: dict[Order, bool] = {"dmy": second <= 12, "mdy": first <= 12}
    shown = "/".join(parts.loc[parts["day"].notna(), ["day", "month", "year"]].iloc[0])
    if order is not None:
        return order, f"ds is read as {order}, as told"
    if fits["dmy"] and fits["mdy"]:
        return None, f"ds such as {shown} may be day/month or month/day; say which with --dates dmy or --dates mdy"
    if not any(fits.values()):
        return None, f"ds such as {shown} is neither day/month nor month/day throughout; write YYYY-MM-DD"
    known: Order = "dmy" if fits["dmy"] else "mdy"
    return known, f"ds is read as {'day/month' if known == 'dmy' else 'month/day'}, which alone fits all rows"


def _times(parts: pd.DataFrame) -> Ticks:
    """(n,): start of the period that the parts name, NaT where there is none."""
    numbers = {name: _whole(parts[name]) for name in ("year", "month", "day", "quarter", "week") if name in parts}
    year = np.where((parts["year"].str.len() == 2).to_numpy(), 2000 + numbers["year"], numbers["year"])
    if "week" in parts:
        return _week(year, numbers["week"])
    if "name" in parts:
        numbers["month"] = _whole(parts["name"].str[:3].str.lower().map(_MONTHS))
    if "quarter" in parts:
        numbers["month"] = 3 * numbers["quarter"] - 2
    ones = np.ones(len(year), np.int64)
    times = _day(year, numbers.get("month", ones), numbers.get("day", ones))
    if "time" in parts and parts["time"].notna().any():
        clock = pd.to_datetime("2000-01-01 " + parts["time"].fillna("00:00"), format="mixed", errors="coerce")
        times = times + (clock - pd.Timestamp("2000-01-01")).to_numpy().astype("timedelta64[s]")
    return times


def _whole(texts: "pd.Series[Any]") -> Ints:
    """As numbers, 0 where there is none."""
    return pd.to_numeric(texts).fillna(0).to_numpy(dtype=np.int64)


def _day(year: Ints, month: Ints, day: Ints) -> Ticks:
    """A day of the calendar, NaT where there is no such."""
    months = (12 * (year - 1970) + month - 1).astype("datetime64[M]")
    first, after = months.astype("datetime64[D]"), (months + np.timedelta64(1, "M")).astype("datetime64[D]")
    days = first + (day - 1).astype("timedelta64[D]")
    days[(month < 1) | (month > 12) | (day < 1) | (days >= after)] = np.datetime64("NaT")
    found: Ticks = days.astype("datetime64[s]")
    return found


def _week(year: Ints, week: Ints) -> Ticks:
    """The Monday of a week by ISO 8601: the first holds 4 January."""
    fourth = (year - 1970).astype("datetime64[Y]").astype("datetime64[D]") + np.timedelta64(3, "D")
    monday = fourth - ((fourth.astype(np.int64) + 3) % 7).astype("timedelta64[D]")
    days = monday + (7 * (week - 1)).astype("timedelta64[D]")
    days[(week < 1) | (_weeks(days) != week)] = np.datetime64("NaT")
    found: Ticks = days.astype("datetime64[s]")
    return found


def _weeks(mondays: Ticks) -> Ints:
    """Weeks of the year by ISO 8601; 53 only in the years that have so many."""
    return pd.DatetimeIndex(mondays).isocalendar()["week"].to_numpy(dtype=np.int64)


def _hours(parts: pd.DataFrame) -> "pd.Series[float]":
    """(n,): offset from UTC, nan where none is written."""
    if "zone" not in parts or parts["zone"].isna().all():
        return pd.Series(np.nan, parts.index)
    zone = parts["zone"].replace({"Z": "+00", "UTC": "+00"})
    digits = zone.str.replace(":", "").str.slice(1)
    hours = pd.to_numeric(digits.str[:2]) + pd.to_numeric(digits.str[2:].replace("", "0")) / 60
    return hours.where(zone.str[0] != "-", -hours)
