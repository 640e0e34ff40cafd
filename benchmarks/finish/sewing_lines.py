"""Days of simulated sewing lines, as a real garment factory's teams have them; fixed before what is judged by them.

    .venv/bin/python -m benchmarks.finish.sewing_lines       (measures the constants again, beside the
    simulation's)

Efficiency is earned over paid minutes. A line has a level of its own; its days about that level remember the day
before; some days are stopped, and a change of style costs some of the efficiency of its first day.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from c2m.settings import settings

Floats = NDArray[np.float64]

DATA = "garment_productivity/garments_worker_productivity.csv"
# Sewing teams of ../shared/data/garment_productivity: 691 team-days, 12 teams, 59 days.
# Those of the process itself, such that 60 of its days show what the teams' days show.
MEAN, SPREAD_OF_LINES = 0.73, 0.035
SPREAD_OF_DAYS, MEMORY = 0.146, 0.78  # of a line's days about its level, and their correlation with the day before
STOPPED_SHARE, STOPPED_RATIO = 0.026, 0.675  # days with idle men, and efficiency then over that of other days
CHANGE_RATIO = 0.836  # efficiency of a day with a change of style over that of a day without one
LOWEST, HIGHEST = 0.05, 1.15


def levels(random: np.random.Generator, lines: int) -> Floats:
    """(lines,): mean efficiency of each line."""
    return np.clip(random.normal(MEAN, SPREAD_OF_LINES, lines), LOWEST, HIGHEST)


def days(random: np.random.Generator, level: Floats, count: int, changes: NDArray[np.bool_] | None = None) -> Floats:
    """(lines, count): efficiency per day of lines with a mean `level` (lines,), or (lines, count) where it moves.

    changes (lines, count): days on which a line begins another style.
    """
    lines = len(level)
    ordinary = np.broadcast_to(level.reshape(lines, -1), (lines, count)) / (1 - STOPPED_SHARE * (1 - STOPPED_RATIO))
    stopped = random.random((lines, count)) < STOPPED_SHARE
    found = ordinary + _wander(random, lines, count)
    found = (
        np.where(stopped, STOPPED_RATIO, 1.0)
        * np.where(False if changes is None else changes, CHANGE_RATIO, 1.0)
        * found
    )
    return np.clip(found, LOWEST, HIGHEST)


def _wander(random: np.random.Generator, lines: int, count: int) -> Floats:
    """(lines, count): an autoregressive process of order one, from its stationary distribution."""
    steps = random.normal(0, SPREAD_OF_DAYS * np.sqrt(1 - MEMORY**2), (count, lines))
    steps[0] /= np.sqrt(1 - MEMORY**2)
    for day in range(1, count):
        steps[day] += MEMORY * steps[day - 1]
    return steps.T


def measured() -> pd.DataFrame:
    """The teams' days: team, day, efficiency, changed, stopped; (team, day) in order."""
    rows = pd.read_csv(settings().shared_data / DATA)
    rows = rows[rows["department"].str.strip() != "finishing"]
    day = pd.to_datetime(rows["date"].str.replace("-", "/"), format="%m/%d/%Y")
    changed, stopped = rows["no_of_style_change"] > 0, rows["idle_men"] > 0
    frame = pd.DataFrame({"team": rows["team"], "day": day, "efficiency": rows["actual_productivity"]})
    return frame.assign(changed=changed, stopped=stopped).sort_values(["team", "day"], ignore_index=True)


def facts(rows: pd.DataFrame) -> dict[str, float]:
    """How days spread, of measured or simulated teams."""
    mean = rows.groupby("team")["efficiency"].mean()
    about = rows["efficiency"] - rows["team"].map(mean)
    return {
        "mean": mean.mean(),
        "spread of lines": mean.std(),
        "spread of days": about.std(),
        "memory": about.corr(about.groupby(rows["team"]).shift()),
    }


def events(rows: pd.DataFrame) -> dict[str, float]:
    """What stops and changes of style do to a day."""
    stop, change = (rows.groupby(kind)["efficiency"].mean() for kind in ("stopped", "changed"))
    return {
        "stopped share": rows["stopped"].mean(),
        "stopped ratio": stop[True] / stop[False],
        "change ratio": change[True] / change[False],
    }


def simulated(seed: int = 1, lines: int = 500, count: int = 60) -> pd.DataFrame:
    """Team, day and efficiency of simulated days without changes of style."""
    random = np.random.default_rng(seed)
    found = pd.DataFrame(days(random, levels(random, lines), count)).stack().rename("efficiency").reset_index()
    return found.set_axis(["team", "day", "efficiency"], axis=1)


if __name__ == "__main__":
    teams = measured()
    table = {"measured": facts(teams) | events(teams), "simulated": facts(simulated())}
    print(pd.DataFrame(table).round(3).to_string())
