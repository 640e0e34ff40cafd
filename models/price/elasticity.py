"""Elasticity of each style with its interval: own price changes, less what moved demand besides, pooled by category.

In: pieces, prices, promotions, livestreams and stock-outs per style and day. Out: per style the mean and standard
deviation of its elasticity. The rules:

1. Each style has a Poisson regression of its pieces on the logarithm of its price, beside a trend of its own (linear
   between knots), a flag of promotions (being shown does something without the lower price) and of livestreams, and the
   common course of its category: what the other styles sold that day, taken back to their usual prices. Without that
   last step a sale of the whole shop would look like the season, and the season like a sale.
2. Days on which a style was out of stock say nothing and are left out.
3. Errors come in weeks, not in days: the variance is that of whole weeks' scores (a sandwich), widened for few weeks,
   half of its own and half of all styles.
4. Within a category elasticities are normal around a common mean (empirical Bayes): styles with little evidence are
   drawn towards it; mean and spread are integrated over what the data leave open of them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from c2m.domain.arrays import Floats, Ints

_KNOT_DAYS, _WEEK_DAYS = 30, 7
_ROUNDS, _PASSES = 12, 3
_USUAL, _USUAL_SPREAD = -1.5, 1.0  # of elasticities of clothes, where a category shows none: weak
_BETWEEN = np.linspace(0.02, 1.5, 60)  # standard deviations of elasticities within a category, equally likely
_FREE, _FLAG = 1e-4, 4.0  # precision of the prior of a coefficient: nearly none; of flags: a factor of 1.6 either way


@dataclass(frozen=True)
class Sales:
    """What was sold at which price (styles, days).

    pieces; price: over the style's usual one; promotion: whether it was shown as one; livestream: minutes; usable:
    whether the style was on sale and in stock; category: (S,) codes from 0.
    """

    pieces: Floats
    price: Floats
    promotion: NDArray[np.bool_]
    livestream: Floats
    usable: NDArray[np.bool_]
    category: Ints


@dataclass(frozen=True)
class Elasticity:
    """(S,) posterior mean and standard deviation, and what a style's own days alone say (`alone`, `error`)."""

    mean: Floats
    spread: Floats
    alone: Floats
    error: Floats

    def interval(self, share: float = 0.9) -> tuple[Floats, Floats]:
        """Bounds that hold with that probability."""
        from scipy.special import ndtri

        reach = ndtri((1 + share) / 2) * self.spread
        return self.mean - reach, self.mean + reach


def estimate(sales: Sales) -> Elasticity:
    """Elasticities of all styles.

    Parameters
    ----------
    sales
        Some months of days; prices must have moved for a style to say anything of its own.

    Returns
    -------
    Elasticity
        Of each style; one whose price never moved has its category's.
    """
    mean = np.full(len(sales.pieces), _USUAL)
    for _ in range(_PASSES - 1):
        mean = _passed(sales, mean).mean
    return _passed(sales, mean)


def _passed(sales: Sales, mean: Floats) -> Elasticity:
    """Once more, the common course taken at these elasticities."""
    alone, error = _each_alone(sales, _course(sales, mean))
    return Elasticity(*_pooled(alone, error, sales.category), alone, error)


def _course(sales: Sales, elasticity: Floats) -> Floats:
    """(S, days) logarithm of what the other styles of the category sold, at their usual prices, over its mean."""
    neutral = np.where(sales.usable, sales.pieces * sales.price ** -elasticity[:, None], 0.0)
    level = neutral.sum(axis=1, keepdims=True) / np.maximum(sales.usable.sum(axis=1, keepdims=True), 1)
    sold, expected = neutral, np.where(sales.usable, level, 0.0)
    course = np.zeros_like(neutral)
    for one in range(int(sales.category.max()) + 1):
        own = sales.category == one
        others = [of[own].sum(axis=0) - of[own] for of in (sold, expected)]
        course[own] = np.log((others[0] + 1) / (others[1] + 1))
    return course


def _design(sales: Sales, course: Floats) -> Floats:
    """(S, days, k): the logarithm of the price first, then what else moves demand."""
    days = np.arange(sales.pieces.shape[1])
    knots = np.arange(_KNOT_DAYS, days[-1] - _KNOT_DAYS / 2, _KNOT_DAYS)
    trend = [np.ones(len(days)), days / 100, *(np.maximum(days - knot, 0) / 100 for knot in knots)]
    shared = [np.broadcast_to(column, course.shape) for column in trend]
    own = [np.log(sales.price), sales.promotion.astype(float), np.log1p(sales.livestream / 30), course]
    return np.stack([*own, *shared], axis=2)


def _each_alone(sales: Sales, course: Floats) -> tuple[Floats, Floats]:
    """(S,) elasticity and its standard error from each style's own days."""
    design = _design(sales, course)
    prior = np.full(design.shape[2], _FREE)
    prior[1:3] = _FLAG
    mean, inverse = _fitted(design, sales, prior)
    scores = design * np.where(sales.usable, sales.pieces - mean, 0.0)[:, :, None]
    weeks = np.add.reduceat(scores, np.arange(0, scores.shape[1], _WEEK_DAYS), axis=1)
    middle = np.einsum("swi,swj->sij", weeks, weeks)
    variance = np.einsum("si,sij,sj->s", inverse[0], middle, inverse[0])
    count = weeks.shape[1]
    few = count / max(count - design.shape[2] / 2, 1)  # part of the coefficients are held by few weeks each
    beyond = (
        few * variance / inverse[0][:, 0]
    )  # times the Poisson one; few weeks tell it badly, hence half of all styles'
    return inverse[1], np.sqrt(np.maximum(beyond / 2 + beyond.mean() / 2, 1.0) * inverse[0][:, 0])


def _fitted(design: Floats, sales: Sales, prior: Floats) -> tuple[Floats, tuple[Floats, Floats]]:
    """Mean pieces (S, days), and of the price's coefficient: its row (S, k) of the inverse information, its value."""
    level = sales.pieces.sum(axis=1) / np.maximum(sales.usable.sum(axis=1), 1)
    intercept = 4
    beta = np.zeros((len(design), design.shape[2]))
    beta[:, intercept] = np.log(np.maximum(level, 0.01))
    for _ in range(_ROUNDS):
        mean = np.exp(np.clip(np.einsum("sdk,sk->sd", design, beta), -12, 12))
        weight = np.where(sales.usable, mean, 0.0)
        information = np.einsum("sdi,sd,sdj->sij", design, weight, design) + np.diag(prior)
        slope = np.einsum("sdk,sd->sk", design, np.where(sales.usable, sales.pieces - mean, 0.0)) - prior * beta
        beta = beta + np.clip(np.linalg.solve(information, slope[:, :, None])[:, :, 0], -2, 2)
    return mean, (np.linalg.inv(information)[:, 0, :], beta[:, 0])


def _pooled(alone: Floats, error: Floats, category: Ints) -> tuple[Floats, Floats]:
    """Posterior mean and standard deviation of each style, category by category."""
    mean, spread = np.empty_like(alone), np.empty_like(alone)
    for one in range(int(category.max()) + 1):
        own = category == one
        mean[own], spread[own] = _shrunk(alone[own], error[own])
    return mean, spread


def _shrunk(alone: Floats, error: Floats) -> tuple[Floats, Floats]:
    """Normal-normal over a grid of spreads between styles, each weighted by its evidence; the common mean has its own.

    The usual counts as one style's evidence on the common mean.
    """
    total = error[:, None] ** 2 + _BETWEEN**2  # (styles, grid)
    precision = 1 / total
    usual = 1 / _USUAL_SPREAD**2
    known = precision.sum(axis=0) + usual
    centre = ((precision * alone[:, None]).sum(axis=0) + usual * _USUAL) / known
    evidence = (
        np.log(precision).sum(axis=0) - np.log(known) - (precision * (alone[:, None] - centre) ** 2).sum(axis=0)
    ) / 2
    weight = np.exp(evidence - evidence.max())
    weight /= weight.sum()
    share = _BETWEEN**2 * precision  # of its own evidence
    mean = share * alone[:, None] + (1 - share) * centre
    variance = share * error[:, None] ** 2 + (1 - share) ** 2 / known
    mixed: Floats = mean @ weight
    return mixed, np.sqrt(variance @ weight + (mean - mixed[:, None]) ** 2 @ weight)
