"""Job orders that factories are not told of yet: what one that takes the largest first will put before what waits.

In: the job orders that factories were told of lately. Out: draws of those to come, from how many came a day and what
they were like. All days are the instance's; minutes are paid ones of the factory, as planned.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from c2m.domain.arrays import Floats, Ints

TOLD = ["factory_id", "quantity", "minutes", "told_day", "first_day"]  # of a job order; pieces, and days from day 0 on
OBSERVED_DAYS = 28
OWN_WEIGHT_DAYS = 7  # a factory's own days weigh against so many of the mean factory's; assumed
OWN_WEIGHT_JOBS = 5  # and its own job orders against so many of all factories', in what they are like; assumed
_NEVER = np.iinfo(np.int64).max
COMING_DAYS = 21  # that are drawn: the horizon of a plan


@dataclass
class Coming:
    """Draws of the job orders to come, each (days, at most a day, draws); where none comes quantity is 0.

    The first is told on day 1, the next on day 2 and so on. They are used up as they are booked.
    """

    quantity: Ints
    minutes: Floats
    first_day: Ints

    @property
    def total(self) -> Floats:
        """(draws,) minutes of all."""
        return np.asarray(np.where(self.quantity > 0, self.minutes, 0.0).sum(axis=(0, 1)))

    def ahead(self, quantity: int, begins: Ints, day: int) -> tuple[Floats, Ints]:
        """Minutes of what is told on a day and goes before a job order, and its first day; each (draws,).

        quantity: of the job order, which a larger one passes if it has not begun; begins (draws,): on this day.
        """
        passes = (self.quantity[day - 1] > quantity) & (begins >= day)
        minutes = np.where(passes, self.minutes[day - 1], 0.0).sum(axis=0)
        first = np.where(passes, self.first_day[day - 1], _NEVER).min(axis=0, initial=_NEVER)
        self.quantity[day - 1] = np.where(passes, 0, self.quantity[day - 1])
        return minutes, first


@dataclass(frozen=True)
class Lately:
    """What was told day by day (jobs,), and of how many days that is."""

    days: int
    factory_id: NDArray[np.str_]
    quantity: Ints
    minutes: Floats
    wait_days: Ints  # from the day on which it was told to its first


def lately(told: pd.DataFrame) -> Lately:
    """Of TOLD, of all factories, what was told day by day up to the business date.

    Not the first day on which anything was told: it is when the whole book comes at once.
    """
    since = max(int(told["told_day"].min()) + 1, -OBSERVED_DAYS) if len(told) else 0
    rows = told[told["told_day"].between(since, -1)]
    wait = (rows["first_day"] - rows["told_day"]).clip(lower=1)
    names, quantity, minutes = (rows[name].to_numpy() for name in ("factory_id", "quantity", "minutes"))
    return Lately(-since, names.astype(str), quantity, minutes, wait.to_numpy())


def coming(told: Lately, factory_id: str, factories: int, random: np.random.Generator, draws: int) -> Coming:
    """Draws for a factory; factories: how many there are."""
    own, jobs = told.factory_id == factory_id, len(told.quantity)
    a_day = (own.sum() + OWN_WEIGHT_DAYS * jobs / factories / max(told.days, 1)) / (OWN_WEIGHT_DAYS + told.days)
    count = random.poisson(a_day, (COMING_DAYS, draws))
    shape = (COMING_DAYS, int(count.max()), draws)
    weight = np.where(own, 1.0, OWN_WEIGHT_JOBS / max(jobs, 1))
    like = random.choice(jobs, shape, p=weight / weight.sum()) if jobs else np.zeros(shape, dtype=np.int64)
    comes = np.arange(shape[1])[:, None] < count[:, None]
    first_day = 1 + np.arange(COMING_DAYS)[:, None, None] + told.wait_days[like]
    return Coming(np.where(comes, told.quantity[like], 0), told.minutes[like], first_day)
