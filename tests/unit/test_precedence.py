"""The order of work: what is new passes no work whose told date is at stake, and anything else as the plan says."""

import numpy as np
import pandas as pd
import pytest
from order_world import factory

from optimization.book import queue
from optimization.book.later_work import TOLD
from optimization.book.precedence import AT_STAKE, due_days, settled

FACTS = {"efficiency_level": 1.0, "efficiency_level_sd": 0.05, "efficiency_day_sd": 0.2, "efficiency_factor": 1.0}
FACTORY = pd.DataFrame([factory("F", **FACTS, **{f"works_by_{name}": float(name == "rank") for name in queue.MANNERS})])
MINUTES = np.full((1, 60), 480.0)
NEW = np.inf
NOTHING = pd.DataFrame(columns=TOLD)


def work(*rows: tuple[float, float, float], **facts: object) -> pd.DataFrame:
    """Job orders in the plan's order: days of work, the day by which its date holds, its place so far."""
    columns = pd.DataFrame(rows, columns=["days", "told_by", "before"])
    columns = columns.assign(factory_id="F", minutes=480.0 * columns["days"], setup_minutes=0.0, first_day=1)
    columns = columns.assign(due_day=50, begun=False, place=range(len(rows)), arrival=0, quantity=1)
    columns = columns.assign(knew=0, begun_day=0, in_overtime=False, made=0, had_minutes=np.nan, lane_days=0)
    return columns.assign(**facts)


def order(rows: pd.DataFrame) -> list[int]:
    return settled(rows, FACTORY, MINUTES, 0 * MINUTES).sort_values().index.tolist()


@pytest.mark.parametrize(
    ("told_by", "expected"),
    [(4, [1, 0]), (np.nan, [0, 1]), (30, [0, 1]), (1, [0, 1])],
    ids=["at stake", "no date told", "holds in any case", "lost in any case"],
)
def test_new_work_passes_only_what_it_does_not_put_at_stake(told_by: float, expected: list[int]) -> None:
    assert order(work((1, np.nan, NEW), (3, told_by, 0))) == expected


def test_new_work_with_a_told_date_passes_nothing_old_and_is_passed_by_nothing_new() -> None:
    assert order(work((1, np.nan, NEW), (3, 4, NEW))) == [1, 0]
    assert order(work((1, 1, NEW), (3, 4, 0))) == [1, 0]


def test_told_work_keeps_its_order_among_itself_and_what_has_begun_is_nobody_s_passing() -> None:
    assert order(work((2, 9, 1), (3, 4, 0))) == [1, 0]
    assert order(work((1, np.nan, -1), (3, 4, 0), begun=[True, False])) == [0, 1]


@pytest.mark.parametrize("seed", range(12))
def test_whatever_is_at_stake_is_behind_what_it_was_behind_alone(seed: int) -> None:
    random = np.random.default_rng(seed)
    days, before = random.uniform(0.3, 4, 7), random.permutation([0, 1, 2, 3, NEW, NEW, NEW])
    told_by = np.where(np.isfinite(before) & (random.random(7) < 0.8), random.integers(2, 16, 7), np.nan)
    rows = work(*zip(days, told_by, before, strict=True))
    place = settled(rows, FACTORY, MINUTES, 0 * MINUTES)
    assert sorted(place) == list(range(7))
    holds, alone = (
        {
            row: np.mean(done <= told_by[row])
            for row, done in queue.finishes(some, FACTORY, MINUTES, 0 * MINUTES, NOTHING)
        }
        for some in (rows.assign(place=place), rows.assign(place=before))
    )
    for row in range(7):
        ahead = [other for other in range(7) if place[other] < place[row] and before[other] > before[row]]
        if ahead and np.isfinite(told_by[row]):
            assert holds[row] >= alone[row] - AT_STAKE - 0.01  # of draws


def test_a_factory_that_goes_by_due_days_is_told_one_behind_what_it_may_not_pass() -> None:
    rows = work((1, np.nan, NEW), (3, 4, 0), (1, np.nan, NEW), due_day=[3, 8, 20])
    assert due_days(rows, pd.Series([1, 0, 2])).tolist() == [9, 8, 20]
    assert due_days(rows, pd.Series([0, 1, 2])).tolist() == [3, 8, 20]
    quoted = work((1, np.nan, NEW), (3, 4, NEW), due_day=[3, 8])
    assert due_days(quoted, pd.Series([1, 0])).tolist() == [9, 8]
