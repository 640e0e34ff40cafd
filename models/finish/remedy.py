"""What to do about a job order that will be late: overtime there, pieces to another factory, else a word in time.

A proposal for people; nothing here changes a plan.
"""

from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from c2m.wire.messages import TIMED
from models.finish.floor import FloorState


def moves(rows: pd.DataFrame, floor: FloorState, every: pd.DataFrame) -> dict[str, str]:
    """What to do about job orders that will be late: whose spare minutes could take the pieces that lack.

    Parameters
    ----------
    rows
        Rows of `outlook` that are in doubt.
    floor
        The floor at this moment.
    every
        All rows of `outlook`, since spare minutes are those that none of them needs.

    Returns
    -------
    dict
        A sentence by job order.
    """
    if rows.empty:
        return {}
    spare = Spare(floor, every)
    sam_minutes = rows[[f"sam_{name}_minutes" for name in TIMED]].sum(axis=1)
    pieces = np.minimum(np.ceil(rows["short"] / sam_minutes), rows["pieces_left"]).astype(int)
    return {str(row.job_order_id): _move(row, spare) for row in rows.assign(pieces=pieces).itertuples()}


def _move(row: Any, spare: "Spare") -> str:
    due = f"{row.ends_by:%d %b}"
    if row.pieces == 0:
        return f"Call {row.factory_id}: the due day hangs on an ordinary day's work"
    if spare.overtime(row.factory_id, row.ends_by) * row.level * row.pace >= row.short:
        return f"{row.short / row.level / row.pace:,.0f} minutes of overtime at {row.factory_id} until {due} would do"
    if other := spare.room_for(row):
        return f"Re-plan {row.pieces:,} of {row.pieces_left:,} pieces: {other} has the time for them until {due}"
    return f"Tell the merchant: {row.pieces:,} of {row.quantity:,} pieces will be late, no factory has time for them"


class Spare:
    """Time that factories can still give by a day, what their job orders will take set aside."""

    def __init__(self, floor: FloorState, every: pd.DataFrame) -> None:
        calendar, self._ids = floor.calendar, floor.factories["factory_id"].to_numpy()
        known = every.groupby("factory_id").agg(level=("level", "first"), owed=("work_left", "sum"))
        known = known.reindex(self._ids)
        pace = floor.capabilities[floor.capabilities["kind"] == "category"].groupby("factory_id")["efficiency"].mean()
        level = known["level"].fillna(every["level"].mean()) * pace.reindex(self._ids)
        self._calendar, self._earned = calendar, level.to_numpy()  # standard minutes per paid minute
        self._owed = known["owed"].fillna(0.0).to_numpy()
        self._paid = np.cumsum(calendar.minutes, axis=1) - np.cumsum(calendar.minutes, axis=1)[:, [calendar.today]]
        self._overtime = np.cumsum(
            calendar.overtime * (np.arange(calendar.overtime.shape[1]) >= calendar.today), axis=1
        )
        self._active = (floor.factories["status"] == "active").to_numpy()
        self._skills = floor.capabilities.groupby("factory_id")["name"].agg(set).reindex(self._ids)
        self._able = lru_cache(maxsize=None)(self._that_can_make)
        self._roomy = lru_cache(maxsize=None)(self._roomiest)

    def overtime(self, factory_id: str, day: pd.Timestamp) -> float:
        """Paid minutes of overtime that a factory may add up to a day."""
        return float(self._overtime[self._calendar.factory_ids.get_loc(factory_id), self._place(day)])

    def room_for(self, row: Any) -> str:
        """Of the other factories that can make the job order the one with most room by then, '' if too little.

        They begin on the next day at the earliest.
        """
        roomy = self._roomy(row.category, row.crafts, row.ends_by)
        factory_id, room = next((pair for pair in roomy if pair[0] != row.factory_id), ("", 0.0))
        return factory_id if room >= row.short else ""

    def _place(self, day: pd.Timestamp) -> int:
        return int(self._calendar.places(pd.Series([day]))[0])

    def _that_can_make(self, category: str, crafts: str) -> NDArray[np.bool_]:
        needed = {category, *filter(None, crafts.split(";"))}
        able: NDArray[np.bool_] = self._active & [isinstance(has, set) and needed <= has for has in self._skills]
        return able

    def _roomiest(self, category: str, crafts: str, day: pd.Timestamp) -> list[tuple[str, float]]:
        """The two factories with most room for such work: one of them is not the one that asks."""
        room = np.where(
            self._able(category, crafts), self._paid[:, self._place(day)] * self._earned - self._owed, -np.inf
        )
        return [(str(self._ids[best]), float(room[best])) for best in np.argsort(-room, kind="stable")[:2]]
