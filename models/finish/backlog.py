"""What must be worked off on a line before a job order is finished; in standard minutes.

Job orders that have begun share the line in fixed proportions, and what one of them has no more use for the others get.
Those that wait follow one after the other, when all that have begun are through, and not before their start day.
"""

import numpy as np
import pandas as pd

from c2m.domain.arrays import Floats


def work_until_finish(rows: pd.DataFrame) -> Floats:
    """Per row what its line earns until the job order is finished, its own work included.

    rows: in the order in which a line takes its job orders up: line; left (standard minutes of its own); share (of the
    line that it has, 0: not begun); begin (what the line earns until its start day).
    """
    found = np.empty(len(rows))
    begun = rows["share"].to_numpy() > 0
    found[begun] = _shared(rows[begun])
    ahead = rows["line"].map(rows[begun].groupby("line")["left"].sum()).fillna(0.0)
    found[~begun] = _queued(rows.assign(begin=np.maximum(rows["begin"], ahead))[~begun])
    return found


def _shared(rows: pd.DataFrame) -> Floats:
    """One with `left` / `share` = t is through once every other has had the least of all its work and t x its share."""
    rows = rows.assign(time=rows["left"] / rows["share"], place=np.arange(len(rows))).sort_values("time", kind="stable")
    lines = rows.groupby("line")
    later = lines["share"].transform("sum") - lines["share"].cumsum()
    work = lines["left"].cumsum() + rows["time"] * later
    found: Floats = work.to_numpy()[np.argsort(rows["place"].to_numpy())]
    return found


def _queued(rows: pd.DataFrame) -> Floats:
    """The sum up to a row, and the longest wait for a start day that is in it."""
    summed = rows.groupby("line")["left"].cumsum()
    wait = (rows["begin"] - (summed - rows["left"])).groupby(rows["line"]).cummax()
    return np.asarray(summed + wait)


def of_changes(rows: pd.DataFrame, day_work: Floats, change: float) -> Floats:
    """Standard minutes that the change to each waiting job order costs.

    A day with changes earns `change` times what others earn, however many changes it sees: one that follows on a job
    order of less than a day's work shares its day with that one's, in proportion.
    """
    waits = rows["share"] == 0
    gap = rows["left"].where(waits).groupby(rows["line"]).shift().fillna(np.inf)
    cost: Floats = (1 - change) * np.minimum(gap.to_numpy(), day_work) * waits.to_numpy()
    return cost


def last_day(rows: pd.DataFrame, day_work: Floats, change: float) -> Floats:
    """Efficiency of a job order's last day over that of others: another follows, and a change that day costs.

    One that waits and has less than a day's work ends, as a rule, on the day of its own change.
    """
    followed = rows["line"].duplicated(keep="last")
    ends_alone = (rows["share"] > 0) | (rows["left"] > day_work)
    return np.where(followed & ends_alone, change, 1.0)
