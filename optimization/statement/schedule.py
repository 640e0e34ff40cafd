"""Work by span -> schedule by day: setup first, as early as the regular minutes of the days allow.

In: pieces per pair and minutes of work per pair and span. Out: lot_id, factory_id, day, setup_minutes, run_minutes.
Working earlier costs nothing in the contract (less overtime, less lateness) and leaves slack for surprises. Nor does
the order of work that is on time: what is due first is made first, so that a surprise delays what can wait.
"""

from dataclasses import dataclass, fields

import numpy as np
import pandas as pd

from c2m.domain.arrays import Floats, Ints
from optimization.contract.keys import located
from optimization.contract.plan import PAIR
from optimization.contract.tolerances import DUST_MINUTES
from optimization.statement.reduction import Pairs

COLUMNS = ["lot_id", "factory_id", "day", "setup_minutes", "run_minutes"]


@dataclass(frozen=True)
class _Lots:
    """Pairs at one factory, in the order in which they are due: minutes needed, of them setup, limits, first days."""

    need: Floats
    setup: Floats
    day_limit: Floats
    first_day: Ints
    on_time_day: Ints

    def at(self, rows: Ints) -> "_Lots":
        """Some of them."""
        return _Lots(*(getattr(self, field.name)[rows] for field in fields(self)))


@dataclass(frozen=True)
class _Days:
    """Days of one factory in their order."""

    day: Ints
    regular: Floats
    extra: Floats
    span: Ints

    def at(self, rows: Ints) -> "_Days":
        """Some of them."""
        return _Days(self.day[rows], self.regular[rows], self.extra[rows], self.span[rows])


def by_day(reduced: Pairs, allocation: pd.DataFrame, work: pd.DataFrame) -> pd.DataFrame:
    """The schedule of an allocation, day by day.

    Parameters
    ----------
    reduced
        The pairs that can carry work, and their days (`reduce`).
    allocation
        lot_id, factory_id, quantity (pieces).
    work
        lot_id, factory_id, span, minutes.

    Returns
    -------
    pd.DataFrame
        COLUMNS.
    """
    made = located(reduced.pairs, allocation, PAIR)
    pairs = reduced.pairs[made >= 0].assign(quantity=allocation["quantity"].to_numpy()[made[made >= 0]])
    if pairs.empty:
        return pd.DataFrame(columns=COLUMNS).astype({"day": "int64"})
    pairs = pairs.sort_values(["factory_id", "on_time_day", "lot_id"], ignore_index=True)
    place = located(work, pairs, PAIR)
    worked = work[place >= 0]
    amounts = np.zeros((len(pairs), reduced.days["span"].max() + 1))
    np.add.at(amounts, (place[place >= 0], worked["span"].to_numpy(dtype=int)), worked["minutes"].to_numpy(dtype=float))
    lots, days, days_at = _lots(pairs), _days(reduced.days), reduced.days.groupby("factory_id").indices
    parts = []
    for factory_id, at in pairs.groupby("factory_id").indices.items():
        rows = np.asarray(at, dtype=np.int64)
        mine, open_days = lots.at(rows), days.at(np.asarray(days_at[factory_id], dtype=np.int64))
        pair, day, setup, run = _rows(_factory(mine, open_days, amounts[rows]), mine.setup)
        parts.append((rows[pair], open_days.day[day], setup, run))
    return _table(pairs, *(np.concatenate(column) for column in zip(*parts, strict=True)))


def _lots(pairs: pd.DataFrame) -> _Lots:
    return _Lots(
        need=(pairs["quantity"] * pairs["minutes_per_piece"] + pairs["setup_minutes"]).to_numpy(dtype=float),
        setup=pairs["setup_minutes"].to_numpy(dtype=float),
        day_limit=pairs["max_minutes_per_day"].to_numpy(dtype=float),
        first_day=pairs["first_day"].to_numpy(),
        on_time_day=pairs["on_time_day"].to_numpy(),
    )


def _days(days: pd.DataFrame) -> _Days:
    return _Days(*(days[name].to_numpy() for name in ("day", "minutes", "overtime_minutes", "span")))


def _factory(lots: _Lots, days: _Days, amounts: Floats) -> Floats:
    """One factory's minutes (pairs, days) from those by span (pairs, spans)."""
    limited = np.isfinite(lots.day_limit)
    minutes = np.zeros((len(lots.need), len(days.day)))
    for number in np.unique(days.span):
        columns, amount = np.flatnonzero(days.span == number), amounts[:, number]
        if limited[amount > DUST_MINUTES].any():
            minutes[:, columns] = amount[:, None] / len(columns)
        else:
            minutes[:, columns] = _one_after_the_other(amount, days.regular[columns], days.extra[columns])
    minutes *= (lots.need / minutes.sum(axis=1))[:, None]  # takes out the solver's tolerance
    _pull_earlier(minutes, lots, days)
    return _due_first(minutes, lots, days)


def _one_after_the_other(amount: Floats, regular: Floats, extra: Floats) -> Floats:
    """Minutes (pairs, days) that fill the days in turn, overtime on the first days only where the span needs it."""
    needed = max(0.0, amount.sum() - regular.sum())
    room = regular + np.diff(np.minimum(np.cumsum(extra), needed), prepend=0.0)
    room_end, work_end = np.cumsum(room), np.cumsum(amount)
    room_end[-1] = max(room_end[-1], work_end[-1])
    ends = np.minimum(work_end[:, None], room_end)
    starts = np.maximum((work_end - amount)[:, None], room_end - np.diff(room_end, prepend=0.0))
    filled: Floats = np.maximum(0.0, ends - starts)
    return filled


def _pull_earlier(minutes: Floats, lots: _Lots, days: _Days) -> None:
    """Moves work in place from a pair's last days to free regular minutes of its earlier days."""
    free = days.regular - minutes.sum(axis=0)
    first = np.searchsorted(days.day, lots.first_day)
    for pair, row in enumerate(minutes):
        for early in range(first[pair], len(days.day)):
            room = min(free[early], lots.day_limit[pair] - row[early])
            for late in range(len(days.day) - 1, early, -1):
                if room <= DUST_MINUTES:
                    break
                moved = min(room, row[late])
                row[[early, late]] += (moved, -moved)
                free[[early, late]] += (-moved, moved)
                room -= moved


def _due_first(minutes: Floats, lots: _Lots, days: _Days) -> Floats:
    """The same minutes a day and the same late work, but of the work on time what is due first comes first.

    Earliest due date first meets every date that any order of the same work meets (Jackson 1955). Limits per day are
    beyond that theorem, so where one is in the way the minutes stay as they are.
    """
    late = np.where(days.day > lots.on_time_day[:, None], minutes, 0.0)
    left, limit = (minutes - late).sum(axis=1), lots.day_limit[:, None] - late
    ordered = late.copy()
    for column, (day, load) in enumerate(zip(days.day, (minutes - late).sum(axis=0), strict=True)):
        may = np.where((lots.first_day <= day) & (day <= lots.on_time_day), np.minimum(left, limit[:, column]), 0.0)
        given = np.clip(load - (np.cumsum(may) - may), 0.0, may)
        ordered[:, column] += given
        left -= given
    return ordered if left.max(initial=0.0) <= DUST_MINUTES else minutes


def setup_first(minutes: Floats, pairs: pd.DataFrame, days: pd.DataFrame) -> pd.DataFrame:
    """Minutes (pairs, days) as rows of a schedule: of a pair's work the first minutes are its setup."""
    pair, day, setup, run = _rows(minutes, pairs["setup_minutes"].to_numpy(dtype=float))
    return _table(pairs, pair, days["day"].to_numpy()[day], setup, run)


def _rows(minutes: Floats, setup_minutes: Floats) -> tuple[Ints, Ints, Floats, Floats]:
    """Pair, day, setup and run minutes of each day on which a pair works; minutes are (pairs, days)."""
    done = np.minimum(np.cumsum(minutes, axis=1), setup_minutes[:, None])
    setup = np.diff(done, axis=1, prepend=0.0)
    pair, day = np.nonzero(minutes > DUST_MINUTES)
    return pair, day, setup[pair, day].round(9), np.maximum(0.0, minutes - setup)[pair, day].round(9)


def _table(pairs: pd.DataFrame, pair: Ints, day: Ints, setup: Floats, run: Floats) -> pd.DataFrame:
    names = {name: pairs[name].to_numpy()[pair] for name in PAIR}
    rows = pd.DataFrame(names | {"day": day, "setup_minutes": setup, "run_minutes": run})
    return rows.sort_values(COLUMNS[:3], ignore_index=True)
