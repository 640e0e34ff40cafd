"""The early reading of a test order: what its first days of sale say, and whether to reorder, scale, wait or stop.

In: what the design was expected to sell (`demand.Ahead`), pieces sold by day, what is held, price and cost. A day's
pieces have a negative binomial about level x course; the level has the spread of past launches before the first day,
and after each day by Bayes' rule what that day makes of it. A day on which the goods ran out says "at least so many",
and later ones nothing.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from c2m.domain.newsvendor import Stakes
from c2m.settings import DesignPolicy, ReplenishmentPolicy
from models.design.demand import Ahead
from models.panel.matrices import Floats

Decision = Literal["wait", "reorder", "scale", "stop"]
DRAWS, SEED = 4000, 1
_STEPS, _REACH = 1201, 8.0  # of the grid of logarithms of the level, to either side in spreads
_SIDES = (0.1, 0.5, 0.9)


@dataclass(frozen=True)
class TestSales:
    """(days,) pieces by day of sale, the first first. ran_out: nothing was left at the end of the last of them."""

    pieces: Floats
    ran_out: bool


@dataclass(frozen=True)
class ReorderCase:
    """What a reorder is decided on. held: pieces on the shelf and on their way; lead_days: until a repeat is there;
    days_left: until the season ends."""

    price: float  # of a piece
    cost: float  # of a piece, in the currency of the price
    held: int
    lead_days: int
    days_left: int
    test_pieces: int


@dataclass(frozen=True)
class EarlyReading:
    """times: level over what was expected (10, 50, 90 %); ahead: pieces asked for until a reorder at the next review
    would be there, the same; reorder: pieces; chance: that it pays by the end of the season."""

    times: tuple[float, ...]
    ahead: tuple[float, ...]
    reorder: int
    chance: float
    decision: Decision


def levels(expected: Ahead, sold: TestSales, size: float) -> tuple[Floats, Floats]:
    """The level after some days of sale.

    Parameters
    ----------
    expected
        Before the first day.
    sold
        Since.
    size
        Of the negative binomial of a day's pieces (`demand.noise`).

    Returns
    -------
    tuple
        Logarithms of the level on a grid, and their probabilities.
    """
    prior = expected.level
    logs = prior.centre + prior.spread * np.linspace(-_REACH, _REACH, _STEPS)
    mean = np.exp(logs)[:, None] * expected.course(1, len(sold.pieces))
    said = stats.nbinom.logpmf(sold.pieces, size, size / (size + mean))
    if sold.ran_out:
        said[:, -1] = stats.nbinom.logsf(sold.pieces[-1] - 1, size, size / (size + mean[:, -1]))
    weight = np.log(prior.density(logs)) + said.sum(axis=1)
    chance = np.exp(weight - weight.max())
    return logs, chance / chance.sum()


def read(
    expected: Ahead, sold: TestSales, case: ReorderCase, size: float, policy: DesignPolicy, stock: ReplenishmentPolicy
) -> EarlyReading:
    """What the first days say.

    Parameters
    ----------
    expected
        Before the first day.
    sold
        Since, by day.
    case
        Price, cost, what is held, until when a repeat is there.
    size
        Of the negative binomial of a day's pieces.
    policy
        When to act.
    stock
        Review, salvage, holding, smallest batch.

    Returns
    -------
    EarlyReading
        With its decision.
    """
    logs, chance = levels(expected, sold, size)
    days, window = len(sold.pieces), case.lead_days + stock.review_days
    draws, season = (
        _draws(logs, chance, expected.course(days + 1, span), size) for span in (window, max(case.days_left, window))
    )
    stakes = Stakes.of(np.array([case.price]), np.array([case.cost]), window, stock)
    wanted = float(np.quantile(draws, stakes.critical_ratio[0])) if stakes.critical_ratio[0] > 0 else 0.0
    least = stock.minimum_order_pieces
    reorder = max(int(np.ceil(wanted - case.held)), least) if wanted > case.held else 0
    pays = _pays(season - case.held, reorder or least, stakes)
    return EarlyReading(
        tuple(np.exp(np.interp(_SIDES, np.cumsum(chance), logs)).tolist()),
        tuple(np.quantile(draws, _SIDES).tolist()),
        reorder,
        pays,
        _decided(days, reorder, pays, case, policy),
    )


def _draws(logs: Floats, chance: Floats, course: Floats, size: float) -> Floats:
    """(DRAWS,) totals over the days of a course, each day with its own noise."""
    rng = np.random.default_rng(SEED)
    level = np.exp(np.interp(rng.random(DRAWS), np.cumsum(chance), logs))
    mean = level[:, None] * course
    days = rng.poisson(mean * rng.gamma(size, 1 / size, mean.shape))
    return days.sum(axis=1).astype(np.float64)


def _pays(lacking: Floats, pieces: int, stakes: Stakes) -> float:
    """Chance that a batch of so many pieces earns more than it loses."""
    sold = np.clip(lacking, 0, pieces)
    return float((stakes.underage[0] * sold > stakes.overage[0] * (pieces - sold)).mean())


def _decided(days: int, reorder: int, chance: float, case: ReorderCase, policy: DesignPolicy) -> Decision:
    if days < policy.reading_days:
        return "wait"
    if reorder and chance >= policy.act_chance:
        return "scale" if reorder >= policy.scale_times * case.test_pieces else "reorder"
    return "stop" if chance <= 1 - policy.act_chance else "wait"
