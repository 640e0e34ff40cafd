"""The futures of a factory's queue: when each job order will be done, by the order of work that the factory keeps to.

A factory takes its job orders one after another and books each into what is left of its paid minutes, from the job
order's first day on; where that ends after its last day, into overtime too. What has begun keeps the lines until it is
done, whatever its place: all else works around it, but for what was ahead of it when it began and could not begin yet:
its first day had not come, or the lines were taken and what began did so in overtime, which is given to what is late.
Of the rest, some factories keep to the rank that the plan gives, some take what came first, some their own favourites,
the largest: which one it is, is known by a probability for each (columns of the mart `factories`).

How long a job order takes is its planned minutes over a ratio that it has as a whole, times the factory's level, plus
what stands still: distributions of 691 sewing-line days of the public data set "Productivity Prediction of Garment
Employees". Day 0 is the business date, of which the morning's plan knows nothing yet.
"""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtri

from c2m.domain.arrays import Flags, Floats, Ints
from optimization.book.later_work import Coming, coming, lately
from optimization.contract.tolerances import FITS_MINUTES
from optimization.routing.hand_overs import HandOvers, first_days, of_futures

# Columns of job orders. Arrays rather than a frame where they are read by factory: a frame's access costs more than
# most sums here.
Jobs = Mapping[str, Any] | pd.DataFrame
Facts = Mapping[Any, Any] | pd.Series  # of a factory, a row of the mart

# A job order that a factory has or gets. minutes: planned, setup left out; setup_minutes: not yet done; first_day;
# due_day: on which its pieces shall be where they go, lane_days from there; begun; place: by the plan; before: by ranks
# as they are, infinite where it is new; arrival: when the factory came to know it; quantity: pieces to make. Of what
# has begun, begun_day and knew: the arrival of the newest known by then; in_overtime: whether it began so; made: pieces
# so far, in had_minutes, NaN where that is not known.
WORK = ["factory_id", "minutes", "setup_minutes", "first_day", "due_day", "begun", "place", "before", "arrival"]
WORK += ["quantity", "begun_day", "knew", "in_overtime", "made", "had_minutes", "lane_days"]
MANNERS = ("rank", "arrival", "size")
DRAWS = 2000  # futures of a factory; the error of a 90 % date is then 0.7 points
# Quantiles of actual over targeted productivity, as a share of 1.
RATIO = ((0.0, 0.40), (0.01, 0.42), (0.05, 0.65), (0.10, 0.82), (0.25, 1.0), (0.50, 1.0), (0.75, 1.06), (0.90, 1.14),
         (0.95, 1.25), (0.99, 1.32), (1.0, 1.35))  # fmt: skip
# 18 of 691 line-days of 58 operators x 480 minutes stood still for a while, for so many minutes.
MINUTES_BETWEEN_STOPS = 691 / 18 * 58 * 480
STOP_MINUTES = (2, 2, 3.5, 3.5, 3.5, 4, 4, 4, 4.5, 4.5, 5, 5, 6.5, 8, 8, 90, 150, 270, 300)
USUAL_DAY_SD = 0.2  # as prior_efficiency_day_sd in dbt_project.yml: the spread that RATIO has
LOWEST_RATIO = 0.1
# What work under way tells of its own ratio. Assumed: bundles in which a job order is scanned, relative error of the
# minutes that it has had, and how often they tell nothing, as where another job order had a part of them.
BUNDLES, MEASURED_SD, UNTOLD = 36, 0.1, 0.05
# Of the minutes of a piece, what a spoiled one has taken when it is found: anywhere between cutting and the last
# inspection. The plan, on the safe side, counts spoiled pieces as made whole.
SPOILED_MADE = 0.5


def finishes(
    work: pd.DataFrame, factories: pd.DataFrame, minutes: Floats, overtime: Floats, told: pd.DataFrame
) -> Iterator[tuple[int, Ints]]:
    """When work is done, in each of DRAWS futures.

    Parameters
    ----------
    work
        Columns WORK, and those of stages where there are any (`hand_overs`).
    factories
        The mart of this name.
    minutes
        (F, D) paid minutes on the days from 0 on, in the order of factories.
    overtime
        (F, D) minutes of overtime.
    told
        What factories were told of lately (`later_work.TOLD`), as a sample of what is to come.

    Yields
    ------
    tuple
        Row of `work`, and (DRAWS,) the day on which it is done, an index of the calendar's.
    """
    floor, waits = _Floor(factories, minutes, overtime, told), HandOvers(work)
    for stage in waits.stages:
        for factory_id, rows, jobs in by_factory(work):
            if waits.passes_on(rows, stage):
                waits.hear(stage, rows, floor.done(factory_id, waits.opened(rows, jobs)))
    for factory_id, rows, jobs in by_factory(work):
        yield from zip(rows.tolist(), floor.done(factory_id, waits.opened(rows, jobs)), strict=True)


class _Floor:
    """The factories, whose futures are drawn one by one: whoever asks again gets the same draws."""

    def __init__(self, factories: pd.DataFrame, minutes: Floats, overtime: Floats, told: pd.DataFrame) -> None:
        self.known = factories.to_dict("records")
        self.recent = lately(told)
        self.minutes, self.overtime = minutes, overtime
        self.row_of = {str(facts["factory_id"]): row for row, facts in enumerate(self.known)}

    def done(self, factory_id: str, jobs: Jobs) -> Ints:
        """(jobs, DRAWS) day on which each is done."""
        row, random = self.row_of[factory_id], np.random.default_rng(_seed(factory_id))
        facts = self.known[row]
        needed = durations(jobs, facts, random)
        manner = np.searchsorted(np.cumsum(manners(facts)), _even(random, (1, DRAWS))[0])
        done = np.zeros(needed.shape, dtype=np.int64)
        for number, name in enumerate(MANNERS):
            futures = np.flatnonzero(manner == number)
            if len(futures):
                some = len(self.known), random, len(futures)
                later = coming(self.recent, factory_id, *some) if name == "size" else None
                days = self.minutes[row], self.overtime[row]
                done[:, futures] = booked(of_futures(jobs, futures), name, needed[:, futures], *days, later)
        return done


def by_factory(work: pd.DataFrame) -> Iterator[tuple[str, Ints, Jobs]]:
    """Each factory with the positions of its job orders in `work`, and their columns."""
    columns = {name: work[name].to_numpy() for name in work.columns}
    for factory_id, found in work.groupby("factory_id").indices.items():
        rows = np.asarray(found, dtype=np.int64)
        yield str(factory_id), rows, {name: values[rows] for name, values in columns.items()}


def _seed(factory_id: str) -> int:
    return int.from_bytes(hashlib.sha256(factory_id.encode()).digest()[:8], "big")


def manners(factory: Facts) -> Floats:
    """Probability that the factory works in the order of each of MANNERS."""
    share: Floats = np.array([float(factory[f"works_by_{name}"]) for name in MANNERS])
    return np.asarray(share / share.sum())


def durations(jobs: Jobs, factory: Facts, random: np.random.Generator) -> Floats:
    """(jobs, draws) paid minutes that each job order takes."""
    begun = np.asarray(jobs["begun"], dtype=bool)
    shape = (len(begun), DRAWS)
    sure = ndtri(_even(random, (1, DRAWS)))[0]
    level = float(factory["efficiency_level"]) + float(factory["efficiency_level_sd"]) * sure
    levels, values = np.array(RATIO).T
    quantile = _even(random, shape)
    spoiled = 1 - float(factory["yield_rate"])
    pace = float(factory["efficiency_factor"]) * (1 - spoiled * (1 - SPOILED_MADE))
    planned = _floats(jobs, "minutes") * pace
    for row in np.flatnonzero(begun).tolist():
        quantile[row] = _of_begun(quantile[row], jobs, row, planned[row], factory)
    spread = float(factory["efficiency_day_sd"]) / USUAL_DAY_SD
    ratio = 1 + spread * (np.interp(quantile, levels, values) - 1)
    run = planned[:, None] / np.maximum(level * ratio, LOWEST_RATIO)
    operators = float(factory["operators"]) / float(factory["lines"])
    return np.asarray(_floats(jobs, "setup_minutes")[:, None] + run + _idle(run, operators, random))


def _idle(run: Floats, operators: float, random: np.random.Generator) -> Floats:
    """Paid minutes of the stops of a line with so many operators while it runs for so long."""
    stops = random.poisson(run / MINUTES_BETWEEN_STOPS)
    idle = np.zeros(run.shape)
    for number in range(int(stops.max(initial=0))):
        idle += np.where(stops > number, random.choice(STOP_MINUTES, run.shape) * operators, 0)
    return idle


def _floats(jobs: Jobs, name: str) -> Floats:
    return np.asarray(jobs[name], dtype=float)


def _of_begun(share: Floats, jobs: Jobs, row: int, minutes: float, factory: Facts) -> Floats:
    """Quantiles of RATIO of a job order under way, by its own (draws,); minutes: without what is spoiled.

    What it has made in the time that it has had tells its ratio. Where that is not known, it is met in proportion to
    how long it takes.
    """
    quantile = (np.arange(DRAWS) + 0.5) / DRAWS
    ratio = np.interp(quantile, *np.array(RATIO).T)
    made, had = _floats(jobs, "made")[row], _floats(jobs, "had_minutes")[row] - float(factory["setup_minutes"])
    if made > 0 and had > 0:
        left, level = _floats(jobs, "quantity")[row], float(factory["efficiency_level"])
        weight = _likelihood(made, left, minutes / left, had, level * ratio)
    else:
        weight = 1 / ratio
    return np.asarray(np.interp(share, np.cumsum(weight) / weight.sum(), quantile))


def _likelihood(made: float, left: float, each: float, had: float, ratio: Floats) -> Floats:
    """Of each ratio, where so many pieces of `each` minutes were made in `had`, the setup left out."""
    bundles = BUNDLES * made / (made + left)
    planned = each * made * (1 + 0.5 / bundles)  # half a bundle is between two scans
    error = np.hypot(MEASURED_SD, 0.5 / bundles)
    told = np.exp(-0.5 * (np.log(had * ratio / planned) / error) ** 2) / error
    return np.asarray(UNTOLD + (1 - UNTOLD) * told)


def _even(random: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """Uniform draws, as many in each part of 0 to 1: a row is a permutation of the middles of its parts."""
    return random.permuted(np.tile((np.arange(shape[1]) + 0.5) / shape[1], (shape[0], 1)), axis=1)


def turns(jobs: Jobs, manner: str, rank: str = "place") -> Ints:
    """Positions of the job orders in the order in which a factory of that manner takes them; rank: the column."""
    key = _floats(jobs, {"rank": rank, "arrival": "arrival", "size": "quantity"}[manner])
    return np.lexsort((np.asarray(jobs["arrival"]), -key if manner == "size" else key))


def booked(
    jobs: Jobs,
    manner: str,
    needed: Floats,
    minutes: Floats,
    overtime: Floats,
    later: Coming | None = None,
) -> Ints:
    """(jobs, draws) day on which each is done; needed (jobs, draws) minutes, minutes and overtime (D,) of the days.

    jobs may have `hand_overs.OPENS`, the first day by future. later: the larger job orders to come, which pass what
    waits where the largest goes first.
    """
    # From the last first day on, the work of the longest future fills no more days than these.
    last = int(np.clip(first_days(jobs).max(), 0, len(minutes) - 1))
    most = (needed.sum(axis=0) + (later.total if later else 0.0)).max()
    enough = min(last + 1 + int(np.searchsorted(np.cumsum(minutes[last:]), most)), len(minutes))
    room = _Room(jobs, needed, minutes[:enough], overtime[:enough])
    done = np.zeros(needed.shape, dtype=np.int64)
    begun, quantity = np.asarray(jobs["begun"], dtype=bool), np.asarray(jobs["quantity"])
    since = _since(jobs)
    for job in since[begun[since]]:
        done[job] = room.take_around(job, _held_up(jobs, manner, since, job))
    turn = turns(jobs, manner)
    for job in turn[~begun[turn]]:
        if later:
            _pass(room, job, int(quantity[job]), later)
        done[job] = room.take(job)
    return done


def _pass(room: "_Room", job: int, quantity: int, later: Coming) -> None:
    """Books the larger job orders that factories are told of before this one begins."""
    begins = room.begins(job)
    for day in (1 + np.flatnonzero((later.quantity > quantity).any(axis=(1, 2)))).tolist():
        if not (begins >= day).any():
            break
        minutes, first = later.ahead(quantity, begins, day)
        if minutes.any():
            room.fill(minutes, first)
            begins = room.begins(job)


def _since(jobs: Jobs) -> Ints:
    """Positions of the job orders in the order in which work on them began, for those that have."""
    return np.lexsort([np.asarray(jobs[name]) for name in ("arrival", "in_overtime", "begun_day", "knew")])


def _held_up(jobs: Jobs, manner: str, since: Ints, begun: int) -> list[int]:
    """What was ahead of a job order when it began, and could not begin yet, in its order."""
    in_overtime, begun_day, knew = (np.asarray(jobs[name])[begun] for name in ("in_overtime", "begun_day", "knew"))
    began = np.argsort(since)
    waited = ~np.asarray(jobs["begun"], dtype=bool) | (began > began[begun])
    waited &= (np.asarray(jobs["first_day"]) > begun_day) | bool(in_overtime)
    waited &= np.asarray(jobs["arrival"]) <= knew
    if not waited.any():
        return []
    turn = turns(jobs, manner, "before").tolist()
    return [job for job in turn[: turn.index(begun)] if waited[job]]


class _Room:
    """What is free of a factory's days, (2, D, draws): the regular minutes of each day, and those of its overtime.

    Days come before draws: a job order goes through few days, and those of one day lie together.
    """

    def __init__(self, jobs: Jobs, needed: Floats, minutes: Floats, overtime: Floats) -> None:
        self.needed, self.overtime = needed, overtime
        self.free = np.repeat(np.stack([minutes, overtime])[:, :, None], needed.shape[1], axis=2)
        self.first = first_days(jobs).clip(min=0)  # (jobs, draws), or (jobs, 1) where it is that of all futures
        self.due = np.asarray(jobs["due_day"], dtype=np.int64) - np.asarray(jobs["lane_days"], dtype=np.int64)
        self.in_overtime = np.asarray(jobs["in_overtime"], dtype=bool)
        self.full = 0  # so many days have no regular minute left in any future

    def take(self, job: int) -> Ints:
        """Takes the minutes of a job order; the day (draws,) on which it is done. Overtime where it would be late."""
        opens, lack = self.first[job], self.needed[job].copy()
        first, due = int(opens.min()), int(self.due[job])
        in_time = (self.free[0, first : max(due + 1, first)] * self._is_open(opens, first, due + 1)).sum(axis=0)
        late = (in_time < lack - FITS_MINUTES) | self.in_overtime[job]
        any_late = late.any()
        done = np.broadcast_to(opens, lack.shape)
        for day in range(first, self.free.shape[1]):
            open_ = opens <= day
            _take(self.free[0, day], lack, open_)
            if any_late and self.overtime[day] > 0:
                _take(self.free[1, day], lack, open_ & late)
            waits = lack > FITS_MINUTES
            if not waits.any():
                break
            done = np.where(waits, day + 1, done)
        last = self.free.shape[1] - 1
        return np.asarray(np.minimum(done, last))

    def _is_open(self, opens: Ints, first: int, end: int) -> Flags:
        """(days, draws or 1) whether a job order may be worked on, by its first day in each future."""
        return np.asarray(np.arange(first, min(end, self.free.shape[1]))[:, None] >= opens)

    def take_around(self, job: int, ahead: list[int]) -> Ints:
        """Takes the minutes of a job order that leaves room for those ahead of it, which take theirs later."""
        if not ahead:
            return self.take(job)
        whole = self.free
        self.free = whole.copy()
        for other in ahead:
            self.take(other)
        left = self.free.copy()
        done = self.take(job)
        self.free = whole - (left - self.free)
        return done

    def begins(self, job: int) -> Ints:
        """(draws,) the first day with room for a job order; the last, if none has any."""
        last = self.free.shape[1] - 1
        while self.full < last and not (self.free[0, self.full] > FITS_MINUTES).any():
            self.full += 1
        opens = self.first[job]
        first = min(max(int(opens.min()), self.full), last)
        is_open = (self.free[0, first:last] > FITS_MINUTES) & self._is_open(opens, first, last)
        if first == last:
            return np.full(is_open.shape[1], last)
        return np.asarray(first + np.where(is_open.any(axis=0), is_open.argmax(axis=0), last - first))

    def fill(self, needed: Floats, first: Ints) -> None:
        """Takes minutes for other work from its first day (draws,) on."""
        some = np.flatnonzero(needed)
        begin = max(int(first[some].min()), self.full)
        day = np.arange(begin, self.free.shape[1])[:, None]
        free = np.where(day >= first[some], self.free[0][begin:, some], 0.0)
        before = np.cumsum(free, axis=0) - free
        self.free[0][begin:, some] -= np.clip(needed[some] - before, 0.0, free)


def _take(free: Floats, lack: Floats, where: Flags) -> None:
    """Moves minutes (draws,) from what is free on a day to what is lacking."""
    taken = np.minimum(free, lack) * where
    free -= taken
    lack -= taken
