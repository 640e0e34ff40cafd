"""How much a spike will bring: its own hours so far, and how such spikes went before.

In: pieces by the hour since it began. Out: draws of its pieces in the hours to come. A spike is one of a family of
shapes, each a rise, a plateau and a decay with a half-life (exponential, or with the long tail of a hyperbola), times
the hours of the day; every shape is weighted by how well it explains the hours seen, and by how often spikes before had
such a half-life. Hours scatter around any shape, and neighbouring hours alike. Quick rises and short plateaus are
likelier: else the first hour, which tells nothing of the rise, would count a tenfold one as often as none.
"""

from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np
import pandas as pd
from scipy.special import gammaln

from c2m.domain.arrays import Floats
from c2m.ids import derive_id

_RISES_H, _PLATEAUS_H, _TAILS = (0.5, 2.0, 6.0, 16.0), (0.0, 4.0, 12.0, 36.0, 96.0), ("exponential", "long")
_HALF_LIVES_H = tuple(np.geomspace(1.0, 240.0, 16).tolist())
_ALIKE = 3.0  # so many hours tell as much as one that would scatter by itself
_SCATTER = 0.25  # standard deviation of the logarithm of an hour around its shape
_SHARED = 0.15  # the same of all hours to come together
_DRAWS = 2000
_MOST_H = 40 * 24


@dataclass(frozen=True)
class Prior:
    """Half-lives of spikes: a log-normal around `half_life_h`, with `spread` of the logarithm.

    Before any spike was seen to its end they are assumed: half of all spikes fade by half within 18 hours.
    """

    half_life_h: float = 18.0
    spread: float = 1.1

    @classmethod
    def after(cls, half_lives_h: Floats) -> "Prior":
        """Normal-normal: what is assumed counts as much as two spikes that were seen to their end."""
        assumed, seen = cls(), np.log(half_lives_h)
        count = len(seen) + 2
        mean = (2 * np.log(assumed.half_life_h) + seen.sum()) / count
        spread = np.sqrt((2 * assumed.spread**2 + ((seen - mean) ** 2).sum()) / count)
        return cls(float(np.exp(mean)), float(spread))


@dataclass(frozen=True)
class Outlook:
    """Draws (D,) of the pieces in each span of hours to come that was asked for, and the half-life that they assume."""

    totals: Floats
    half_life_h: float


@cache
def _shapes() -> tuple[Floats, Floats, Floats]:
    """Rate by the hour since a spike began (shapes, hours), the half-life of each, and the logarithm of its odds."""
    hours = np.arange(_MOST_H) + 0.5
    family = list(product(_RISES_H, _PLATEAUS_H, _HALF_LIVES_H, _TAILS))
    rise, plateau, half_life, tail = (np.array(of)[:, None] for of in zip(*family, strict=True))
    half_lives = np.maximum(hours - plateau, 0) / half_life
    fallen = np.where(tail == "long", 1 / (1 + half_lives), 0.5**half_lives)
    odds = np.log(_RISES_H[0] / rise) - np.log1p(plateau / 4)
    return (1 - np.exp(-hours / rise)) * fallen, half_life[:, 0], odds[:, 0]


def outlook(beyond: Floats, day: Floats, hours_ahead: int, prior: Prior, seed: str = "") -> Outlook:
    """Pieces of a spike in the next hours.

    Parameters
    ----------
    beyond
        (H,) pieces beyond the usual in each hour since it began; the last has just ended.
    day
        (24,) factor of each hour of the day, mean 1; the last is that of the hour that has just ended.
    hours_ahead
        How far to look.
    prior
        How long such spikes last.
    seed
        Names the draws: the same spike gives the same ones.

    Returns
    -------
    Outlook
        Draws of the total of these hours.
    """
    seen = min(len(beyond), _MOST_H // 2)
    ahead = min(hours_ahead, _MOST_H - seen)
    rate, half_life, odds = _shapes()
    past = rate[:, :seen] * np.tile(day, -(-seen // 24))[-seen:]
    coming = (rate[:, seen : seen + ahead] * np.tile(day, -(-ahead // 24))[:ahead]).sum(axis=1)
    level = beyond[-seen:].sum() / past.sum(axis=1)
    score = (np.log(half_life) - np.log(prior.half_life_h)) / prior.spread
    weight = _weights(_likelihood(beyond[-seen:], level[:, None] * past) / _ALIKE + odds - score**2 / 2)
    doubt = np.sqrt(_SHARED**2 + _SCATTER**2 / seen + 1 / max(beyond.sum(), 1.0))
    return Outlook(_totals(level * coming, weight, doubt, seed), float(np.exp(weight @ np.log(half_life))))


def _totals(expected: Floats, weight: Floats, doubt: float, seed: str) -> Floats:
    """(draws,) of the total: a shape by its weight, and the doubt that is left where the shape is known."""
    random = np.random.default_rng(int(derive_id("spike", seed)[:8], 16))
    drawn = random.choice(len(weight), _DRAWS, p=weight)
    noise = np.exp(random.normal(0.0, doubt, _DRAWS))
    return expected[drawn] * noise


def _likelihood(beyond: Floats, mean: Floats) -> Floats:
    """Logarithm, of each shape: hours as they would be by a negative binomial."""
    shape, mean = 1 / _SCATTER**2, np.maximum(mean, 1e-6)
    count = np.maximum(beyond, 0.0)
    hours = gammaln(count + shape) + shape * np.log(shape / (shape + mean)) + count * np.log(mean / (shape + mean))
    total: Floats = hours.sum(axis=1)
    return total


def _weights(logarithms: Floats) -> Floats:
    weight: Floats = np.exp(logarithms - logarithms.max())
    return weight / weight.sum()


def factors(profile: Floats) -> Floats:
    """Factor of each hour of the day, mean 1, from its usual shares; half as far from even, for a spike sleeps less."""
    even = 1 / len(profile)
    factor: Floats = (profile + even) / 2 / even
    return factor


def ended(rows: pd.DataFrame) -> Floats:
    """Half-lives (hours) of the spikes that are over, of rows of landing/spikes."""
    over = rows[rows["state"] == "over"]
    return over["half_life_h"].to_numpy(dtype=float)
