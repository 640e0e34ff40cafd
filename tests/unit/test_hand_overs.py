"""Dates of what is made in stages: in each future, a stage begins once the last piece of the one before is there."""

import numpy as np
import pandas as pd
import pytest
from order_world import factory

from optimization.book import queue
from optimization.book.later_work import TOLD
from optimization.book.promised_dates import promises

DAYS, LANE = 90, 2
NOTHING = pd.DataFrame(columns=TOLD)
SURE = {"efficiency_level": 1.0, "efficiency_level_sd": 0.0, "efficiency_day_sd": 0.2, "efficiency_factor": 1.0}
BY_RANK = {f"works_by_{name}": float(name == "rank") for name in queue.MANNERS}
FACTORIES = pd.DataFrame([factory(name, **SURE | BY_RANK) for name in "FGH"])
MINUTES = np.full((3, DAYS), 480.0)


def work(**facts: object) -> pd.DataFrame:
    """A lot whose three stages take about five days each, at F, G and H."""
    rows = pd.DataFrame({"lot_id": "l", "stage": [1, 2, 3], "factory_id": list("FGH"), "minutes": 2_400.0})
    rows = rows.assign(setup_minutes=0.0, first_day=1, start_day=1, due_day=90, lane_days=LANE, begun=False, place=0)
    rows = rows.assign(arrival=0, quantity=100, before=np.inf, knew=0, begun_day=0, in_overtime=False, made=0)
    return rows.assign(had_minutes=np.nan, **facts)


def done(rows: pd.DataFrame) -> list[np.ndarray]:
    """By row."""
    found = dict(queue.finishes(rows, FACTORIES, MINUTES, 0 * MINUTES, NOTHING))
    return [found[row] for row in range(len(rows))]


def test_a_chain_is_spread_as_the_sum_of_its_stages() -> None:
    """Oracle: what each takes alone, convolved; on days that are all alike a stage takes as long whenever it begins."""
    alone = [np.bincount(days) / len(days) for days in done(work().drop(columns="stage"))]
    chain = alone[0]
    for takes in alone[1:]:  # a stage that is done on day n when it begins on day 1 ends n - 1 days after it begins
        chain = np.convolve(np.concatenate((np.zeros(LANE), chain)), takes[1:])
    drawn = done(work())[2]
    for level in (0.1, 0.5, 0.9):
        assert np.quantile(drawn, level) == pytest.approx(np.searchsorted(np.cumsum(chain), level), abs=1)
    assert drawn.std() == pytest.approx(np.sqrt(chain @ (np.arange(len(chain)) - drawn.mean()) ** 2), rel=0.05)
    assert drawn.std() > 1.5 * done(work())[0].std()


@pytest.mark.parametrize(("lane", "least"), [(0, 1), (1, 1), (3, 3)])
def test_a_stage_begins_in_the_morning_after_the_last_piece_came(lane: int, least: int) -> None:
    """Also within a factory, where there is no way: its pieces are counted first."""
    first, second, _ = done(work(lane_days=lane, factory_id=["F", "F", "H"], setup_minutes=[0.0, 0.0, 1.0]))
    takes = done(work().drop(columns="stage"))[0] - 1
    assert (second >= first + least).all()
    assert np.median(second - first) == pytest.approx(least + np.median(takes), abs=1)


def test_what_has_begun_waits_for_nothing_and_nothing_begins_before_its_first_day() -> None:
    begun = work(begun=[False, True, False])
    assert (done(begun)[1] == done(begun.drop(columns="stage"))[1]).all()
    late = done(work(start_day=[1, 40, 1], first_day=[1, 40, 1]))
    assert late[1].min() >= 40


def test_a_date_of_an_order_counts_the_whole_chain() -> None:
    rows = work(order_id="o", planned_day=[5, 12, 19], transit_days=[0, 0, LANE])
    facts = FACTORIES, MINUTES, 0 * MINUTES, NOTHING
    chained = promises(rows, *facts, 0.9).iloc[0]
    apart = promises(rows.drop(columns="stage"), *facts, 0.9).iloc[0]
    assert chained["promised_day"] > apart["promised_day"] + 2 * LANE
    assert chained["probability"] == pytest.approx((done(rows)[2] + LANE <= chained["promised_day"]).mean())
