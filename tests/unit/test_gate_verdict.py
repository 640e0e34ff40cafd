"""The gate's verdict on costs, against a bootstrap written out by hand; what speaks against a challenger."""

import numpy as np
import pandas as pd
import pytest

from c2m.settings import PromotionPolicy
from models.governance.promotion_gate import interval, judge

Money = np.ndarray | list[float]
POLICY = PromotionPolicy.model_validate({})


def costs(
    champion: "np.ndarray | list[float]", challenger: "np.ndarray | list[float]", segment: str = "fast"
) -> pd.DataFrame:
    """One fold; a row a series."""
    names = [f"{segment}{n}" for n in range(len(champion))]
    return pd.DataFrame({"series_id": names, "segment": segment, "champion": champion, "challenger": challenger})


def test_the_interval_is_that_of_a_bootstrap_by_hand() -> None:
    random = np.random.default_rng(3)
    champion = random.gamma(2, 10, 60)
    challenger = champion * random.normal(0.95, 0.2, 60)
    drawn = [random.integers(0, 60, 60) for _ in range(20_000)]
    savings = [1 - challenger[at].sum() / champion[at].sum() for at in drawn]
    found = interval(champion, challenger, POLICY.model_copy(update={"draws": 20_000}))
    assert found == pytest.approx(np.quantile(savings, [0.025, 0.975]), abs=0.002)


def test_a_saving_beyond_chance_promotes() -> None:
    random = np.random.default_rng(1)
    champion = random.gamma(2, 10, 200)
    verdict = judge(costs(champion, champion * random.normal(0.9, 0.1, 200)), POLICY)
    assert verdict.promoted
    assert 0.07 < verdict.interval[0] < verdict.saving < verdict.interval[1] < 0.13


def test_a_saving_that_may_be_chance_does_not() -> None:
    random = np.random.default_rng(1)
    champion = random.gamma(2, 10, 20)
    verdict = judge(costs(champion, champion * random.normal(0.98, 0.5, 20)), POLICY)
    assert verdict.saving > 0 > verdict.interval[0]
    assert not verdict.promoted
    assert "may be chance" in verdict.reasons[0]


def test_equal_ones_leave_the_champion() -> None:
    verdict = judge(costs([3.0, 4.0, 0.0], [3.0, 4.0, 0.0]), POLICY)
    assert not verdict.promoted
    assert verdict.reasons == ["costs as much as the champion"]


def test_a_segment_that_gets_worse_than_its_limit_refuses_what_saves_in_all() -> None:
    fast = costs(np.full(50, 100.0), np.full(50, 80.0))
    new = costs(np.full(5, 10.0), np.full(5, 10.6), "new")
    verdict = judge(pd.concat([fast, new]), POLICY)
    assert verdict.interval[0] > 0.15
    assert verdict.reasons == ["segment new (5 series) costs 6.0% more; 5% allowed"]
    assert judge(pd.concat([fast, new]), POLICY.model_copy(update={"segment_limit": 0.07})).promoted


def test_costs_where_the_champion_had_none_are_a_loss() -> None:
    verdict = judge(costs([0.0, 0.0], [0.0, 5.0]), POLICY)
    assert not verdict.promoted
    assert judge(costs([0.0, 0.0], [0.0, 0.0]), POLICY).reasons == ["costs as much as the champion"]


def test_without_a_fold_nothing_is_promoted() -> None:
    verdict = judge(pd.DataFrame(), POLICY)
    assert not verdict.promoted
    assert "history is too short" in verdict.reasons[0]
