"""The work that lines get done: its distribution against dense Gaussian conditioning."""

import numpy as np
import pytest

from c2m.domain.worktime import Pace

MEMORY, DAY_SD, LEVEL_SD, PRIOR = 0.78, 0.2, 0.05, 1.0


def dense(ratio: list[float], at: list[int], minutes: np.ndarray, step: np.ndarray) -> tuple[float, float]:
    """Mean and sd of the work over future days, given past ratios: a joint Gaussian, conditioned by linear algebra."""
    when = np.concatenate([at, max(at, default=0) + step])
    covariance = LEVEL_SD**2 + DAY_SD**2 * MEMORY ** np.abs(when[:, None] - when)
    n = len(at)
    gain = covariance[n:, :n] @ np.linalg.inv(covariance[:n, :n])
    mean = PRIOR + gain @ (np.array(ratio) - PRIOR)
    left = covariance[n:, n:] - gain @ covariance[:n, n:]
    return float(minutes @ mean), float(np.sqrt(minutes @ left @ minutes))


def pace(ratio: list[float], at: list[int]) -> Pace:
    """What the marts would know after those days: generalised least squares of the level, the state of the last day."""
    white = np.linalg.inv(np.linalg.cholesky(MEMORY ** np.abs(np.subtract.outer(at, at))))
    ones, seen, weight = white @ np.ones(len(at)), white @ np.array(ratio), (DAY_SD / LEVEL_SD) ** 2
    information = ones @ ones + weight
    level = (ones @ seen + PRIOR * weight) / information
    known = (level, DAY_SD / np.sqrt(information), DAY_SD, ratio[-1] - level if ratio else 0.0, float(bool(ratio)))
    return Pace(*(np.array([value]) for value in known), memory=MEMORY)


@pytest.mark.parametrize(
    ("ratio", "at"), [([0.7], [4]), ([1.1, 0.9, 0.8, 0.6], [0, 1, 2, 5]), (list(np.linspace(0.8, 1.3, 30)), range(30))]
)
def test_work_is_what_conditioning_on_the_past_gives(ratio: list[float], at: list[int]) -> None:
    random = np.random.default_rng(3)
    minutes = random.uniform(100, 500, 12) * (random.random(12) < 0.8)
    step = 1 + np.cumsum(minutes > 0)
    mean, sd = pace(ratio, list(at)).work(minutes[None], step[None])
    for days in (1, 5, 12):
        expected = dense(ratio, list(at), minutes[:days], step[:days])
        assert (mean[0, days - 1], sd[0, days - 1]) == pytest.approx(expected, rel=1e-9)


def test_of_a_line_that_nobody_knows_the_prior_is_known() -> None:
    minutes, step = np.full(8, 100.0), np.arange(1, 9)
    unknown = Pace(*(np.array([value]) for value in (PRIOR, LEVEL_SD, DAY_SD, 0.0, 0.0)), memory=MEMORY)
    mean, sd = unknown.work(minutes[None], step[None])
    assert (mean[0, -1], sd[0, -1]) == pytest.approx(dense([], [], minutes, step))


def test_a_long_job_is_relatively_surer_than_a_short_one() -> None:
    mean, sd = pace([0.9, 1.0], [0, 1]).work(np.ones((1, 60)), 1 + np.arange(60)[None])
    assert (np.diff(sd[0] / mean[0])[6:] < 0).all()
