"""Work by span -> schedule by day: setup first, as early as the regular minutes of the days allow.

In: pieces per pair and minutes of work per pair and span. Out: lot_id, factory_id, day, setup_minutes, run_minutes.
Working earlier costs nothing in the contract (less overtime, less lateness) and leaves slack for surprises.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from optimization.contract.plan import PAIR
from optimization.contract.tolerances import DUST_MINUTES
from optimization.statement.reduction import Pairs

Floats = NDArray[np.float64]

COLUMNS = ["lot_id", "factory_id", "day", "setup_minutes", "run_minutes"]


def by_day(reduced: Pairs, allocation: pd.DataFrame, work: pd.DataFrame) -> pd.DataFrame:
    """The schedule of an allocation (lot_id, factory_id, quantity) from its work (.., span, minutes)."""
    pairs = reduced.pairs.drop(columns="frozen").merge(allocation, on=PAIR)
    if pairs.empty:
        return pd.DataFrame(columns=COLUMNS).astype({"day": "int64"})
    pairs = pairs.sort_values(["factory_id", "on_time_day", "lot_id"], ignore_index=True)
    place = pd.MultiIndex.from_frame(pairs[PAIR]).get_indexer(pd.MultiIndex.from_frame(work[PAIR]))
    worked = work[place >= 0]
    amounts = np.zeros((len(pairs), reduced.days["span"].max() + 1))
    np.add.at(amounts, (place[place >= 0], worked["span"].to_numpy(dtype=int)), worked["minutes"].to_numpy(dtype=float))
    days_at = reduced.days.groupby("factory_id").indices
    parts = [
        _factory(pairs.iloc[rows], reduced.days.iloc[days_at[factory_id]], amounts[rows])
        for factory_id, rows in pairs.groupby("factory_id").indices.items()
    ]
    return pd.concat(parts).sort_values(COLUMNS[:3], ignore_index=True)


def _factory(pairs: pd.DataFrame, days: pd.DataFrame, amounts: Floats) -> pd.DataFrame:
    """One factory's schedule from its minutes (pairs, spans); pairs in the order in which they are due."""
    need = (pairs["quantity"] * pairs["minutes_per_piece"] + pairs["setup_minutes"]).to_numpy(dtype=float)
    regular, extra, span = (days[name].to_numpy() for name in ("minutes", "overtime_minutes", "span"))
    limited = np.isfinite(pairs["max_minutes_per_day"].to_numpy())
    minutes = np.zeros((len(pairs), len(days)))
    for number in np.unique(span):
        columns, amount = np.flatnonzero(span == number), amounts[:, number]
        if limited[amount > DUST_MINUTES].any():
            minutes[:, columns] = amount[:, None] / len(columns)
        else:
            minutes[:, columns] = _one_after_the_other(amount, regular[columns], extra[columns])
    minutes *= (need / minutes.sum(axis=1))[:, None]  # takes out the solver's tolerance
    _pull_earlier(minutes, pairs, days)
    return setup_first(minutes, pairs, days)


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


def _pull_earlier(minutes: Floats, pairs: pd.DataFrame, days: pd.DataFrame) -> None:
    """Moves work in place from a pair's last days to free regular minutes of its earlier days."""
    free = days["minutes"].to_numpy() - minutes.sum(axis=0)
    day = days["day"].to_numpy()
    limit = pairs["max_minutes_per_day"].to_numpy()
    first = np.searchsorted(day, pairs["first_day"].to_numpy())
    for pair, row in enumerate(minutes):
        for early in range(first[pair], len(day)):
            room = min(free[early], limit[pair] - row[early])
            for late in range(len(day) - 1, early, -1):
                if room <= DUST_MINUTES:
                    break
                moved = min(room, row[late])
                row[[early, late]] += (moved, -moved)
                free[[early, late]] += (-moved, moved)
                room -= moved


def setup_first(minutes: Floats, pairs: pd.DataFrame, days: pd.DataFrame) -> pd.DataFrame:
    """Minutes (pairs, days) as rows of a schedule: of a pair's work the first minutes are its setup."""
    done = np.minimum(np.cumsum(minutes, axis=1), pairs["setup_minutes"].to_numpy(dtype=float)[:, None])
    setup = np.diff(done, axis=1, prepend=0.0)
    pair, day = np.nonzero(minutes > DUST_MINUTES)
    return pd.DataFrame(
        {
            "lot_id": pairs["lot_id"].to_numpy()[pair],
            "factory_id": pairs["factory_id"].to_numpy()[pair],
            "day": days["day"].to_numpy()[day],
            "setup_minutes": setup[pair, day].round(9),
            "run_minutes": np.maximum(0.0, minutes - setup)[pair, day].round(9),
        }
    )
