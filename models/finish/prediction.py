"""When a job order will be finished, with a range: its work left, against what its line earns on the days ahead.

A line earns standard minutes out of paid minutes. Its efficiency on working day t is

    efficiency_t = level + drift_t + noise_t        drift_t = memory x drift_(t-1) + step_t

level: the line's own; drift: good and bad spells, which last; noise: what is over by the next day, such as a stoppage.
On a day on which another style begins, level and drift count `change` times. All of it is Gaussian, so that level and
drift of today are a Kalman filter's, the work of the days ahead has a mean and a variance in closed form, and the line
is through with its work on the day on which their sum reaches it: work is never undone.

What all lines have in common is learned by maximum likelihood, what is a line's own from its own days, shrunk to it.
Days are working days of the line, units standard minutes, paid minutes, and days; NaN is a day that says nothing.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import logsumexp, ndtr, ndtri

from c2m.domain.arrays import Flags, Floats

QUANTILES = (0.1, 0.5, 0.9)
_SAMPLE = 1_000  # lines whose days the common figures are learned from; their standard errors are then below 2 %
_EVIDENCE_DAYS = 30  # of all lines together, below which the prior stands
_ROUNDS = 40  # of the search for the likeliest; it ends before, save where days are all alike
# Factors of a line's own spread, and of the odds of its memory, beside what lines have in common.
_SPREADS, _ODDS = (0.5, 0.71, 1.0, 1.41, 2.0), (0.25, 1.0, 4.0)


@dataclass(frozen=True)
class Process:
    """How efficiency moves: numbers, or one per line (lines,)."""

    mean: Any  # of the levels of all lines
    spread_of_levels: Any
    spread: Any  # of a line's drift
    memory: Any  # share of the drift that is left on the next day
    noise: Any
    change: float = 1.0  # efficiency of a day with a change of style over that of a day without one

    def take(self, lines: NDArray[np.intp]) -> "Process":
        """Of some lines, in their order."""
        own = {name: value[lines] for name, value in vars(self).items() if np.ndim(value)}
        return replace(self, **own)


# Where there is no day to learn from, of efficiency as a share of what was planned: what `learn` finds in the sewing
# team-days (691) of the public data set "Productivity Prediction of Garment Employees", over their mean. That factories
# declare a tenth too much or too little is assumed.
PRIOR = Process(mean=1.0, spread_of_levels=0.1, spread=0.2, memory=0.73, noise=0.05)


@dataclass(frozen=True)
class LineState:
    """What is known of each line after its last day: mean and covariance of level and drift, each (lines,)."""

    level: Floats
    drift: Floats
    level_variance: Floats
    covariance: Floats
    drift_variance: Floats

    def take(self, lines: NDArray[np.intp]) -> "LineState":
        """Of some lines, in their order."""
        return LineState(**{name: value[lines] for name, value in vars(self).items()})

    def next_day(self, process: Process) -> "LineState":
        """A working day later, nothing seen of it."""
        memory = process.memory
        fresh = (1 - memory**2) * process.spread**2
        return replace(
            self,
            drift=memory * self.drift,
            covariance=memory * self.covariance,
            drift_variance=memory**2 * self.drift_variance + fresh,
        )

    def expected(self, process: Process, changed: Flags | bool = False) -> tuple[Floats, Floats]:
        """Mean and variance of the day's efficiency."""
        share = np.where(changed, process.change, 1.0)
        variance = self.level_variance + 2 * self.covariance + self.drift_variance
        return share * (self.level + self.drift), share**2 * variance + process.noise**2

    def seen(self, process: Process, efficiency: Floats, changed: Flags) -> tuple["LineState", Floats]:
        """After the day's efficiency, NaN where there was none; and its log likelihood."""
        mean, variance = self.expected(process, changed)
        known, share = np.isfinite(efficiency), np.where(changed, process.change, 1.0)
        surprise = np.where(known, efficiency - mean, 0.0)
        gain = np.where(known, share / variance, 0.0)
        level, drift = self.level_variance + self.covariance, self.covariance + self.drift_variance
        after = LineState(
            self.level + gain * level * surprise,
            self.drift + gain * drift * surprise,
            self.level_variance - gain * share * level**2,
            self.covariance - gain * share * level * drift,
            self.drift_variance - gain * share * drift**2,
        )
        return after, np.where(known, -0.5 * (np.log(2 * np.pi * variance) + surprise**2 / variance), 0.0)


@dataclass(frozen=True)
class Past:
    """efficiency (lines, days), NaN where a day says nothing, the last day last; changed: another style began."""

    efficiency: Floats
    changed: Flags

    def take(self, lines: NDArray[np.intp]) -> "Past":
        """Of some lines."""
        return Past(self.efficiency[lines], self.changed[lines])


def before(process: Process, lines: int) -> LineState:
    """What is known of lines of which nothing was seen."""
    nothing = np.zeros(lines)
    level, drift = (np.full(lines, spread**2) for spread in (process.spread_of_levels, process.spread))
    return LineState(np.full(lines, process.mean), nothing, level, nothing, drift)


def standing(process: Process, past: Past) -> tuple[LineState, Floats]:
    """What is known of each line after its last day, and the log likelihood of its days."""
    lines, days = past.efficiency.shape
    now, likelihood = before(process, lines), np.zeros(lines)
    for day in range(days):
        now, more = now.next_day(process).seen(process, past.efficiency[:, day], past.changed[:, day])
        likelihood += more
    return now, likelihood


def learn(past: Past) -> Process:
    """What all lines have in common, by maximum likelihood from a sample of the lines with most days."""
    seen = np.isfinite(past.efficiency).sum(axis=1)
    some = past.take(np.argsort(-seen, kind="stable")[:_SAMPLE])
    if seen.sum() < _EVIDENCE_DAYS:
        return PRIOR
    changes = bool((some.changed & np.isfinite(some.efficiency)).any())
    start = np.log([PRIOR.mean, PRIOR.spread_of_levels, PRIOR.spread, PRIOR.memory / (1 - PRIOR.memory), PRIOR.noise])

    def unlikelihood(values: Floats) -> float:
        return -float(standing(_process(values), some)[1].sum()) / len(some.efficiency)

    first = np.append(start, np.zeros(int(changes)))
    best = minimize(unlikelihood, first, method="L-BFGS-B", bounds=_BOUNDS[changes], options={"maxiter": _ROUNDS})
    return _process(best.x)


# Of the logarithms that `learn` moves: mean, spread of levels, spread, odds of memory, noise, change.
_BASE_BOUNDS = [(-3.0, 1.0), (-6.0, 0.0), (-5.0, 0.0), (-3.0, 5.0), (-5.0, 0.0)]
_BOUNDS = {False: _BASE_BOUNDS, True: [*_BASE_BOUNDS, (-1.0, 0.3)]}


def _process(values: Floats) -> Process:
    mean, spread_of_levels, spread, odds, noise, *change = (float(value) for value in np.exp(values))
    return Process(mean, spread_of_levels, spread, odds / (1 + odds), noise, *change)


def own(common: Process, past: Past) -> Process:
    """Spread and memory of each line: the mean over a grid about the common ones, by likelihood and prior.

    The prior, how lines differ, is learned from all lines by expectation and maximisation: where they do not differ,
    nearly all of its weight comes to lie on the common figures, whatever a single line's few days say.
    """
    odds = common.memory / (1 - common.memory)
    memories = [odds * factor / (1 + odds * factor) for factor in _ODDS]
    spreads = [common.spread * factor for factor in _SPREADS]
    grid = [(spread, memory) for spread in spreads for memory in memories]
    tried = [replace(common, spread=spread, memory=memory) for spread, memory in grid]
    likelihood = np.column_stack([standing(process, past)[1] for process in tried])
    weights = _posterior(likelihood) @ np.array(grid)
    return replace(common, spread=weights[:, 0], memory=weights[:, 1])


def _posterior(likelihood: Floats, rounds: int = 50) -> Floats:
    """(lines, grid): chance of each grid point, the prior learned from all lines."""
    prior = np.full(likelihood.shape[1], -np.log(likelihood.shape[1]))
    for _ in range(rounds):
        joint = likelihood + prior
        chance = joint - logsumexp(joint, axis=1, keepdims=True)
        prior = logsumexp(chance, axis=0) - np.log(len(likelihood))
    found: Floats = np.exp(chance)
    return found


@dataclass(frozen=True)
class Finish:
    """days (job orders, quantiles): working days from now until the finish, infinite beyond the days that were given.

    late (job orders, dates): chance that the work is not done by the end of a date.
    """

    days: Floats
    late: Floats


def finish(
    process: Process, now: LineState, work: Floats, minutes: Floats, due: NDArray[np.intp], last_day: Floats
) -> Finish:
    """When work is done, each row of process and standing being the job order's line.

    work (n,): standard minutes left, those of job orders before it on the line included
    minutes (n, days): paid minutes that the line gives to it and them on its working days ahead
    due (n, dates): how many of these days there are up to the end of a date, 0: none; more than `days` count as `days`
    last_day (n,): efficiency of the day on which it finishes over that of others, below 1 where another style follows
    """
    share_seen = np.array([ndtri(quantile) for quantile in QUANTILES])
    rows, days = minutes.shape
    mean, variance, with_level, with_drift = (np.zeros(rows) for _ in range(4))
    reached = np.zeros((rows, len(QUANTILES)))
    open_, due = work[:, None] > 0, np.minimum(due, days)
    found = np.where(open_, np.inf, np.zeros_like(reached))
    late = np.broadcast_to(open_, due.shape).astype(float)
    for day in range(days):
        now, paid = now.next_day(process), minutes[:, day]
        with_drift = process.memory * with_drift
        expected, spread = now.expected(process)
        mean = mean + paid * expected
        variance = variance + paid**2 * spread + 2 * paid * (with_level + with_drift)
        with_level = with_level + paid * (now.level_variance + now.covariance)
        with_drift = with_drift + paid * (now.covariance + now.drift_variance)
        surely = mean[:, None] - np.sqrt(variance)[:, None] * share_seen  # work that is done with this probability
        found = np.minimum(found, _crossing(day, reached, surely, work[:, None], last_day[:, None]))
        reached = surely
        done = ndtr((mean - work) / np.sqrt(np.maximum(variance, 1e-12)))
        late = np.where((due == day + 1) & open_, 1 - done[:, None], late)
    return Finish(found, late)


def _crossing(day: int, before: Floats, after: Floats, work: Floats, last_day: Floats) -> Floats:
    """Where within the day a straight line from `before` to `after` reaches the work; infinite where it does not."""
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.minimum((work - before) / (after - before) / last_day, 1.0)
    return np.where((after >= work) & (before < work), day + share, np.inf)
