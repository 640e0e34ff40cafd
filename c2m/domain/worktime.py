"""How much work lines get done over days to come, as a distribution: days remember the day before.

The ratio of earned to planned work on working day k is level + x(k). x is autoregressive of order one: memory per
working day, stationary standard deviation day_sd; the level is known up to level_sd. What is known of x is its state
before the first day: `deviation`, remembered to the share `kept` (0: nothing is known, x is drawn as it is on any day).

Arrays are (F,) per line or (F, D) per line and day; minutes are paid ones, 0 on a day off; `step` (F, D) is the number
of the working day, from the day of that state.
"""

from dataclasses import dataclass

import numpy as np

from c2m.domain.arrays import Floats, Ints


@dataclass(frozen=True)
class Pace:
    """What is known of the efficiency of F lines, as ratios of earned to planned work; each array is (F,)."""

    level: Floats  # mean ratio
    level_sd: Floats  # standard deviation of what is known of the level
    day_sd: Floats  # stationary standard deviation of a day's ratio about the level
    deviation: Floats  # from the level, as of the last day that is known
    kept: Floats  # share of the deviation that is known, 0 to 1
    memory: float  # share of a deviation that lasts to the next working day

    def work(self, minutes: Floats, step: Ints) -> tuple[Floats, Floats]:
        """The work done up to and with each day.

        Parameters
        ----------
        minutes
            (F, D) paid minutes of each line and day, 0 on a day off.
        step
            (F, D) number of the working day, counted from the day of the known state.

        Returns
        -------
        tuple of numpy.ndarray
            (F, D) mean and (F, D) standard deviation, in planned minutes.

        Examples
        --------
        A line that earns 80 % of its paid minutes, give or take 10 % a day, works on the first and the third day:

        >>> none, one = np.zeros(1), np.ones(1)
        >>> pace = Pace(level=0.8 * one, level_sd=none, day_sd=0.1 * one, deviation=none, kept=none, memory=0.0)
        >>> mean, sd = pace.work(np.array([[480.0, 0.0, 480.0]]), np.array([[1, 1, 2]]))
        >>> mean.tolist(), sd.round(1).tolist()
        ([[384.0, 384.0, 768.0]], [[48.0, 48.0, 67.9]])
        """
        remembered: Floats = np.power(self.memory, step)
        mean = np.cumsum(minutes * (self.level[:, None] + self.deviation[:, None] * remembered), axis=1)
        of_level = np.cumsum(minutes * (1 - self.kept[:, None] * remembered), axis=1) * self.level_sd[:, None]
        of_days = np.maximum(self._spread(minutes, step, remembered), 0) * self.day_sd[:, None] ** 2
        return mean, np.sqrt(of_days + of_level**2)

    def _spread(self, minutes: Floats, step: Ints, remembered: Floats) -> Floats:
        """(F, D) variance of the sum over days of minutes times x, where x has a standard deviation of one."""
        spread = np.zeros_like(remembered)
        total, faded, of_state = np.zeros((3, len(minutes)))
        for day in range(minutes.shape[1]):
            gap = step[:, day] - (step[:, day - 1] if day else 0)
            faded *= self.memory**gap
            kept_here = self.kept**2 * remembered[:, day]
            now = minutes[:, day]
            total += now**2 * (1 - kept_here * remembered[:, day]) + 2 * now * (faded - kept_here * of_state)
            faded += now
            of_state += now * remembered[:, day]
            spread[:, day] = total
        return spread

    def quantile(self, minutes: Floats, step: Ints, z: float) -> Floats:
        """The work that is done up to and with each day, or more.

        Parameters
        ----------
        minutes
            (F, D) paid minutes of each line and day, 0 on a day off.
        step
            (F, D) number of the working day, counted from the day of the known state.
        z
            Standard normal score of the probability: 0 for one half, 1.645 for 95 %.

        Returns
        -------
        numpy.ndarray
            (F, D) planned minutes, never falling along the days.
        """
        mean, sd = self.work(minutes, step)
        return np.maximum.accumulate(np.maximum(mean - z * sd, 0), axis=1)
