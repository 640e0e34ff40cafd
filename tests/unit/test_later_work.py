"""Later, larger work: how often it comes, and what it passes at a factory that takes the largest first."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from test_queue import DAYS, FIRST, jobs, profile

from c2m.simulation.factories import booking
from optimization.book import queue
from optimization.book.later_work import COMING_DAYS, TOLD, Coming, coming, lately

MINUTES, NOTHING = np.full(DAYS, 4_800.0), np.zeros(DAYS)
Job = tuple[int, float, int, int]  # quantity, minutes, told on this day, first day


def told(*rows: tuple[str, int, int]) -> pd.DataFrame:
    """Job orders of a thousand minutes: factory, pieces, day on which it was told; they begin three days later."""
    frame = pd.DataFrame(rows, columns=["factory_id", "quantity", "told_day"])
    return frame.assign(minutes=1_000.0, first_day=frame["told_day"] + 3)[TOLD]


def day_by_day(work: list[Job]) -> list[int]:
    """Oracle: a factory that hears of more each morning and books all that has not begun anew, the largest first."""
    facts, segments = profile(MINUTES, NOTHING), dict[int, list[booking.Segment]]()
    for day in range(COMING_DAYS + 1):
        begun = {job for job, booked in segments.items() if booked[0].day < FIRST + timedelta(days=day)}
        taken: booking.Taken = {}
        for job in begun:
            booking.take(taken, segments[job])
        known = [job for job, (_, _, told_on, _) in enumerate(work) if told_on <= day and job not in begun]
        for job in sorted(known, key=lambda job: (-work[job][0], job)):
            first = FIRST + timedelta(days=max(work[job][3], day))
            segments[job] = booking.book(facts, taken, first, date.max, work[job][1])
            booking.take(taken, segments[job])
    return [(segments[job][-1].day - FIRST).days for job in range(len(work))]


def drawn(random: np.random.Generator) -> Coming:
    """One future: on about every other day a job order comes."""
    shape = COMING_DAYS, 1, 1
    comes = random.random(shape) < 0.5
    first = np.arange(COMING_DAYS)[:, None, None] + 1 + random.integers(1, 4, shape)
    return Coming(np.where(comes, random.integers(1, 100, shape), 0), random.uniform(500, 9_000, shape), first)


def test_larger_work_passes_as_at_a_factory_that_hears_of_it_day_by_day() -> None:
    off, passed = [], []
    for seed in range(60):
        random = np.random.default_rng(seed)
        work = jobs(random, 6).assign(quantity=random.permutation(np.arange(5, 95, 15)), due_day=DAYS, first_day=0)
        needed, later = random.uniform(500, 9_000, (6, 1)), drawn(random)
        waiting = [(int(q), float(m), 0, 0) for q, m in zip(work["quantity"], needed[:, 0], strict=True)]
        more = [
            (int(later.quantity[day, 0, 0]), float(later.minutes[day, 0, 0]), day + 1, int(later.first_day[day, 0, 0]))
            for day in range(COMING_DAYS)
            if later.quantity[day, 0, 0]
        ]
        alone = queue.booked(work, "size", needed, MINUTES, NOTHING)[:, 0]
        found = queue.booked(work, "size", needed, MINUTES, NOTHING, later)[:, 0]
        off += (found - day_by_day(waiting + more)[:6]).tolist()
        passed += (found > alone).tolist()
    assert np.mean(passed) > 0.2
    assert np.mean(np.array(off) == 0) > 0.9
    assert abs(np.mean(off)) < 0.1


def test_as_many_come_as_came_a_day() -> None:
    """Two factories of three were told of one a day for 20 days, after a first day on which the book came at once."""
    rows = [("a", 50, day) for day in range(-20, 0)] + [("b", 500, day) for day in range(-20, 0)] + [("b", 9, -21)] * 50
    counts = {
        name: (coming(lately(told(*rows)), name, 3, np.random.default_rng(1), 2_000).quantity > 0).sum(axis=1).mean()
        for name in "abc"
    }
    assert counts["a"] == pytest.approx((20 + 7 * 2 / 3) / 27, rel=0.03)
    assert counts["a"] == pytest.approx(counts["b"], rel=0.03)
    assert counts["c"] == pytest.approx((7 * 2 / 3) / 27, rel=0.05)
    mine = coming(lately(told(*rows)), "a", 3, np.random.default_rng(1), 2_000)
    assert np.mean(mine.quantity[mine.quantity > 0] == 50) == pytest.approx((20 + 20 * 5 / 40) / (20 + 5), abs=0.12)
    assert (mine.first_day[4] == 5 + 3).all()


@pytest.mark.parametrize("rows", [[], [("a", 50, 0)], [("a", 50, -1)]], ids=["none", "today's", "the first day's"])
def test_nothing_comes_where_nothing_is_known_of_it(rows: list[tuple[str, int, int]]) -> None:
    assert not (coming(lately(told(*rows)), "a", 3, np.random.default_rng(1), 100).quantity > 0).any()
