"""What to do about a job order that will be late: overtime there, pieces to another factory, else a word in time.

A proposal for people; nothing here changes a plan.
"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.floor import Floor
from models.outlook import OPERATIONS


def moves(rows: pd.DataFrame, floor: Floor, every: pd.DataFrame) -> dict[str, str]:
    """By job order, for rows of the outlook `every`."""
    if rows.empty:
        return {}
    spare = Spare(floor, every)
    sam_minutes = rows[[f"sam_{name}_minutes" for name in OPERATIONS]].sum(axis=1)
    pieces = np.minimum(np.ceil(rows["short"] / sam_minutes), rows["pieces_left"]).astype(int)
    return {str(row.job_order_id): _move(row, spare) for row in rows.assign(pieces=pieces).itertuples()}


def _move(row: Any, spare: "Spare") -> str:
    due = f"{row.due_on:%d %b}"
    if row.pieces == 0:
        return f"Call {row.factory_id}: the due day hangs on an ordinary day's work"
    if spare.overtime(row.factory_id, row.due_on) * row.level >= row.short:
        return f"{row.short / row.level:,.0f} minutes of overtime at {row.factory_id} until {due} would do"
    if other := spare.room_for(row):
        return f"Re-plan {row.pieces:,} of {row.pieces_left:,} pieces: {other} has the time for them until {due}"
    return f"Tell the merchant: {row.pieces:,} of {row.quantity:,} pieces will be late, no factory has time for them"


class Spare:
    """Time that factories can still give by a day, what their job orders will take set aside."""

    def __init__(self, floor: Floor, every: pd.DataFrame) -> None:
        self._calendar, self._ids = floor.calendar, floor.factories["factory_id"]
        known = every.groupby("factory_id").agg(level=("level", "first"), owed=("work_left", "sum"))
        known = known.reindex(self._ids)
        self._level = known["level"].fillna(every["level"].mean()).to_numpy()
        self._owed = known["owed"].fillna(0.0).to_numpy()
        self._active = (floor.factories["status"] == "active").to_numpy()
        self._skills = floor.capabilities.groupby("factory_id")["name"].agg(set).reindex(self._ids)
        self._able: dict[tuple[str, str], NDArray[np.bool_]] = {}

    def overtime(self, factory_id: str, day: pd.Timestamp) -> float:
        """Paid minutes of overtime that a factory may add up to a day."""
        line = int(self._calendar.line(pd.Series([factory_id]))[0])
        return float(self._calendar.overtime[line, self._calendar.today : self._after(day)].sum())

    def room_for(self, row: Any) -> str:
        """Of the other factories that can make the job order the one with most room by its due day, '' if too little.

        They begin on the next day at the earliest.
        """
        paid = self._calendar.minutes[:, self._calendar.today + 1 : self._after(row.due_on)].sum(axis=1)
        able = self._can_make(row.category, row.crafts) & (self._ids != row.factory_id).to_numpy()
        room = np.where(able, paid * self._level - self._owed, 0.0)
        best = int(np.argmax(room))
        return str(self._ids.iloc[best]) if room[best] >= row.short else ""

    def _after(self, day: pd.Timestamp) -> int:
        return int(self._calendar.places(pd.Series([day]))[0]) + 1

    def _can_make(self, category: str, crafts: str) -> NDArray[np.bool_]:
        if (category, crafts) not in self._able:
            needed = {category, *filter(None, crafts.split(";"))}
            able = [isinstance(has, set) and needed <= has for has in self._skills]
            self._able[category, crafts] = self._active & np.array(able)
        return self._able[category, crafts]
