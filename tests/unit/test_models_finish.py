"""The predicted finish against Monte Carlo runs of the same process, written out step by step."""

import numpy as np
import pytest

from models.finish import prediction
from models.finish.prediction import LineState, Past, Process

PROCESS = Process(mean=0.7, spread_of_levels=0.05, spread=0.15, memory=0.8, noise=0.05, change=0.85)
RUNS = 40_000


def drawn(random: np.random.Generator, now: LineState, process: Process, days: int) -> np.ndarray:
    """(runs, days): efficiency of one line, from what is known of it now, one day after the other."""
    covariance = [[now.level_variance[0], now.covariance[0]], [now.covariance[0], now.drift_variance[0]]]
    level, drift = random.multivariate_normal([now.level[0], now.drift[0]], covariance, RUNS).T
    made = np.empty((RUNS, days))
    for day in range(days):
        drift = process.memory * drift + random.normal(0, process.spread * np.sqrt(1 - process.memory**2), RUNS)
        made[:, day] = level + drift + random.normal(0, process.noise, RUNS)
    return made


def first_passage(work: np.ndarray, needed: float) -> np.ndarray:
    """Working days until a run has done what is needed, the last day in part."""
    done = np.cumsum(work, axis=1)
    day = (done < needed).sum(axis=1)
    before = np.where(day > 0, np.take_along_axis(done, np.maximum(day - 1, 0)[:, None], 1)[:, 0], 0.0)
    return day + (needed - before) / np.take_along_axis(work, day[:, None], 1)[:, 0]


@pytest.mark.parametrize("needed", [150.0, 1500.0, 6000.0])
def test_range_and_chance_are_those_of_simulated_runs(needed: float) -> None:
    random = np.random.default_rng(3)
    minutes = random.choice([240.0, 480.0, 480.0], 60)
    now = LineState(*(np.array([value]) for value in (0.72, -0.08, 0.001, -0.0004, 0.004)))
    runs = first_passage(drawn(random, now, PROCESS, 60) * minutes, needed)
    due = np.array([[0, 1, int(np.median(runs)), int(np.median(runs)) + 2, 60]])
    found = prediction.finish(PROCESS, now, np.array([needed]), minutes[None, :], due, np.ones(1))
    assert found.days[0] == pytest.approx(np.quantile(runs, prediction.QUANTILES), abs=0.03 + 0.01 * np.median(runs))
    assert found.late[0] == pytest.approx([(runs > day).mean() for day in due[0]], abs=0.01)


def test_the_filter_knows_what_regression_on_all_days_knows() -> None:
    """Level and drift given the days seen, from their joint normal distribution written out whole."""
    random, days = np.random.default_rng(1), 12
    efficiency, changed = random.normal(0.7, 0.1, (1, days)), random.random((1, days)) < 0.3
    efficiency[0, 4] = np.nan
    lag = np.abs(np.subtract.outer(np.arange(days), np.arange(days)))
    drift = PROCESS.spread**2 * PROCESS.memory**lag
    share = np.where(changed[0], PROCESS.change, 1.0)
    signal = np.outer(share, share) * (PROCESS.spread_of_levels**2 + drift)
    seen = np.isfinite(efficiency[0])
    inverse = np.linalg.inv((signal + PROCESS.noise**2 * np.eye(days))[np.ix_(seen, seen)])
    surprise = efficiency[0, seen] - share[seen] * PROCESS.mean
    with_level = (PROCESS.spread_of_levels**2 * share)[seen]
    with_drift = (drift[-1] * share)[seen]
    now, likelihood = prediction.standing(PROCESS, Past(efficiency, changed))
    assert now.level[0] == pytest.approx(PROCESS.mean + with_level @ inverse @ surprise)
    assert now.drift[0] == pytest.approx(with_drift @ inverse @ surprise)
    assert now.level_variance[0] == pytest.approx(PROCESS.spread_of_levels**2 - with_level @ inverse @ with_level)
    assert now.covariance[0] == pytest.approx(-with_level @ inverse @ with_drift)
    assert now.drift_variance[0] == pytest.approx(PROCESS.spread**2 - with_drift @ inverse @ with_drift)
    determinant = -np.linalg.slogdet(inverse)[1]
    expected = -0.5 * (seen.sum() * np.log(2 * np.pi) + determinant + surprise @ inverse @ surprise)
    assert likelihood[0] == pytest.approx(expected)


def simulated(process: Process, lines: int, days: int, seed: int) -> Past:
    """Days of lines that move as the process says."""
    random = np.random.default_rng(seed)
    level = random.normal(process.mean, process.spread_of_levels, lines)
    drift = random.normal(0, 1, lines) * process.spread
    columns = []
    changed = random.random((lines, days)) < 0.2
    for day in range(days):
        drift = process.memory * drift + random.normal(0, 1, lines) * process.spread * np.sqrt(1 - process.memory**2)
        share = np.where(changed[:, day], process.change, 1.0)
        columns.append(share * (level + drift) + random.normal(0, process.noise, lines))
    return Past(np.column_stack(columns), changed)


def test_the_process_is_found_again_in_its_days() -> None:
    found = prediction.learn(simulated(PROCESS, 400, 80, seed=4))
    assert (found.mean, found.change) == (pytest.approx(0.7, abs=0.015), pytest.approx(0.85, abs=0.015))
    assert found.spread_of_levels == pytest.approx(0.05, abs=0.015)
    assert (found.spread, found.memory) == (pytest.approx(0.15, abs=0.015), pytest.approx(0.8, abs=0.03))
    assert found.noise == pytest.approx(0.05, abs=0.015)


def test_without_days_the_prior_stands() -> None:
    nothing = Past(np.full((3, 5), np.nan), np.zeros((3, 5), dtype=bool))
    assert prediction.learn(nothing) == prediction.PRIOR
    now, _ = prediction.standing(prediction.PRIOR, nothing)
    assert now.level == pytest.approx([prediction.PRIOR.mean] * 3)


def test_lines_that_differ_keep_their_own_spread_and_those_that_do_not_share_one() -> None:
    calm = simulated(Process(0.7, 0.05, spread=0.06, memory=0.8, noise=0.02), 100, 60, seed=1)
    wild = simulated(Process(0.7, 0.05, spread=0.20, memory=0.8, noise=0.02), 100, 60, seed=2)
    both = Past(*(np.vstack([getattr(past, name) for past in (calm, wild)]) for name in ("efficiency", "changed")))
    own = prediction.own(prediction.learn(both), both)
    assert own.spread[:100].mean() < 0.09 < 0.15 < own.spread[100:].mean()
    same = simulated(PROCESS, 200, 60, seed=3)
    assert prediction.own(PROCESS, same).spread.std() < 0.02


def test_a_job_order_without_work_is_finished_and_one_without_minutes_never() -> None:
    now = prediction.before(PROCESS, 2)
    found = prediction.finish(PROCESS, now, np.array([0.0, 10.0]), np.zeros((2, 5)), np.array([[0], [5]]), np.ones(2))
    assert found.days.tolist() == [[0.0, 0.0, 0.0], [np.inf] * 3]
    assert found.late.tolist() == [[0.0], [1.0]]
