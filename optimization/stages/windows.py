"""The days on which a stage can be worked so that its pieces have arrived before and can still pass on after.

In: arcs of the flat instance with their first and last day, links, pieces ready. Out: the same days, narrowed. Frozen
work may stay where it is and is not narrowed at its end. A setup needs no pieces: where there is one, the first day
stays, unless no piece can be run at all.
"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from optimization.contract.instances import Instance, open_minutes

NEVER = 10**6  # a day after every horizon
_SOURCE, _SINK = ["lot_id", "from_factory"], ["next", "to_factory"]

Ints = NDArray[np.int64]


class Calendar:
    """The days on which factories work."""

    def __init__(self, instance: Instance) -> None:
        days = instance.capacity[open_minutes(instance.capacity).to_numpy() > 0]
        self._names = pd.Index(instance.capacity["factory_id"].unique())
        self._horizon = instance.horizon_days
        works = np.zeros((len(self._names) + 1, self._horizon + 2), dtype=bool)  # the last row: no capacity at all
        works[self._names.get_indexer(days["factory_id"]), days["day"]] = True
        day = np.arange(self._horizon + 2)
        self._next = np.minimum.accumulate(np.where(works, day, NEVER)[:, ::-1], axis=1)[:, ::-1]
        self._last = np.maximum.accumulate(np.where(works, day, -NEVER), axis=1)

    def from_day(self, factories: "pd.Series[str]", day: Ints) -> Ints:
        """The first working day of each factory from a day on; NEVER where there is none."""
        return np.asarray(self._next[self._rows(factories), np.clip(day, 0, self._horizon + 1)])

    def until_day(self, factories: "pd.Series[str]", day: Ints) -> Ints:
        """The last working day of each factory up to a day; -NEVER where there is none."""
        return np.asarray(self._last[self._rows(factories), np.clip(day, 0, self._horizon)])

    def _rows(self, factories: "pd.Series[str]") -> Ints:
        return np.asarray(self._names.get_indexer(pd.Index(factories)), dtype=np.int64)


def narrowed(arcs: pd.DataFrame, links: pd.DataFrame, ready: pd.DataFrame, calendar: Calendar) -> pd.DataFrame:
    """lot_id, factory_id, stage, last, frozen, prepared, first_day, last_day with the days narrowed."""
    begins = calendar.from_day(arcs["factory_id"], arcs["first_day"].to_numpy())
    days = arcs.assign(first_day=begins, setup_day=begins)
    days["last_day"] = calendar.until_day(days["factory_id"], days["last_day"].to_numpy())
    stages = sorted(days["stage"].unique())
    for stage in stages:
        days = _begun(days, stage, links, ready, calendar)
    for stage in reversed(stages):
        days = _ended(days, stage, links, calendar)
    prepared = days["prepared"] & (days["first_day"] <= days["last_day"])
    return days.assign(first_day=days["first_day"].mask(prepared, days["setup_day"]))


def _begun(
    days: pd.DataFrame, stage: int, links: pd.DataFrame, ready: pd.DataFrame, calendar: Calendar
) -> pd.DataFrame:
    """No work of a stage after the first before its first pieces can be there."""
    here = ((days["stage"] == stage) & (stage > 1)).to_numpy()
    made = days[["lot_id", "factory_id", "first_day"]]
    lying = ready[["lot_id", "factory_id", "day"]].rename(columns={"day": "first_day"})
    sources = pd.concat([made, lying]).rename(columns={"factory_id": "from_factory"})
    arrivals = links.merge(sources, on=_SOURCE)
    arrivals["day"] = arrivals["first_day"] + arrivals["days"]
    first = _at(arrivals.groupby(_SINK)["day"].min(), days[here]).fillna(NEVER).to_numpy()
    begins = np.maximum(days["first_day"].to_numpy()[here], first).astype(np.int64)
    return _with(days, "first_day", here, calendar.from_day(days["factory_id"][here], begins))


def _ended(days: pd.DataFrame, stage: int, links: pd.DataFrame, calendar: Calendar) -> pd.DataFrame:
    """No work of a stage before the last after its last pieces can still be used."""
    here = ((days["stage"] == stage) & ~days["last"] & ~days["frozen"]).to_numpy()
    sinks = days[["lot_id", "factory_id", "last_day"]]
    sinks = sinks.rename(columns={"lot_id": "next", "factory_id": "to_factory"})
    needed = links.merge(sinks, on=_SINK)
    needed["day"] = needed["last_day"] - needed["days"]
    last = _at(needed.groupby(_SOURCE)["day"].max(), days[here]).fillna(-NEVER).to_numpy()
    ends = np.minimum(days["last_day"].to_numpy()[here], last).astype(np.int64)
    return _with(days, "last_day", here, calendar.until_day(days["factory_id"][here], ends))


def _at(values: "pd.Series[int]", rows: pd.DataFrame) -> "pd.Series[Any]":
    return values.reindex(pd.MultiIndex.from_frame(rows[["lot_id", "factory_id"]]))


def _with(days: pd.DataFrame, column: str, here: NDArray[np.bool_], values: Ints) -> pd.DataFrame:
    changed = days[column].to_numpy().copy()
    changed[here] = values
    return days.assign(**{column: changed})
