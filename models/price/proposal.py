"""Price proposals: each price of a grid within the rails simulated on draws of demand, the best proposed.

In: offers, one row per style: price, cost, stock, demand at today's price over the days left, elasticity with its
spread, what a piece left over is worth. Out: the price with the highest mean profit, where it is worth a change, and
its gain with an 80 % range. Money is that of the offer, for all days left.

The cost of a piece that must still be made holds the shadow price of its line minutes: where lines are full, a piece
sold cheaply takes the minutes of another, and the price says so.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from c2m.domain.arrays import Flags, Floats
from c2m.settings import PricePolicy

_GRID, _DRAWS = 31, 64
_HIGHEST = -0.2  # demand that rises with its price is no evidence for the highest price of all


@dataclass(frozen=True)
class PricedStyles:
    """Styles (N,): see the module. `makeable`: more than the stock can be made in time; else it sells out.

    left_value: of a piece that is left at the end: what making it would cost where it goes on selling, else salvage.
    demand_spread: standard deviation of the logarithm of demand.
    """

    now: Floats
    low: Floats
    high: Floats
    make_cost: Floats
    left_value: Floats
    stock: Floats
    makeable: NDArray[np.bool_]
    demand: Floats
    demand_spread: Floats
    elasticity: Floats
    elasticity_spread: Floats


@dataclass(frozen=True)
class Proposed:
    """(N,) price, gain (mean, and 80 % range) over today's price, demand at the price; `change`: worth proposing."""

    price: Floats
    gain: Floats
    gain_low: Floats
    gain_high: Floats
    demand: Floats
    change: NDArray[np.bool_]


def profit(price: Floats, demand: Floats, offers: PricedStyles) -> Floats:
    """Money earned over the days left, at a price (N, ...) and its demand (N, ...); stock has cost its left value.

    >>> one = np.ones(1)
    >>> offer = PricedStyles(10 * one, one, one, 6 * one, 2 * one, 5 * one, one < 0, one, one, one, one)
    >>> profit(np.array([10.0]), np.array([8.0]), offer).tolist()  # 5 of 8 can be sold, each for 8 more than its rest
    [40.0]
    """
    shape = (len(price),) + (1,) * (demand.ndim - 1)
    make, left, stock = (of.reshape(shape) for of in (offers.make_cost, offers.left_value, offers.stock))
    from_stock = np.minimum(demand, stock)
    made = np.where(offers.makeable.reshape(shape), demand - from_stock, 0.0)
    return (price - left) * from_stock + (price - make) * made


def propose(offers: PricedStyles, policy: PricePolicy) -> Proposed:
    """The best price of each offer.

    Parameters
    ----------
    offers
        One row per style.
    policy
        Step, least gain and how sure it must be.

    Returns
    -------
    Proposed
        `change` is false where no price is allowed, or none is worth it; the price is then today's.
    """
    allowed = offers.low <= offers.high
    grid = _grid(offers, allowed, policy.step)
    at_now, demand = _demands(offers, grid)
    earned = profit(grid[:, :, None], demand, offers)
    before = profit(offers.now[:, None], at_now, offers)
    rows, best = np.arange(len(grid)), earned.mean(axis=2).argmax(axis=1)
    tried, gains = grid[rows, best], earned[rows, best] - before
    moved = allowed & _pays(gains, before, policy) & (np.abs(tried - offers.now) >= policy.step / 2)
    low_gain, high_gain = np.quantile(gains, (0.1, 0.9), axis=1)
    price = np.where(moved, tried, offers.now)
    return Proposed(price, gains.mean(axis=1), low_gain, high_gain, demand[rows, best].mean(axis=1), moved)


def _grid(offers: PricedStyles, allowed: Flags, step: float) -> Floats:
    """(offers, prices) in whole steps within the rails; today's alone where none is allowed."""
    low, high = np.where(allowed, offers.low, offers.now), np.where(allowed, offers.high, offers.now)
    even = low[:, None] + (high - low)[:, None] * np.linspace(0, 1, _GRID)
    return np.clip(np.round(even / step) * step, low[:, None], high[:, None])


def _demands(offers: PricedStyles, grid: Floats) -> tuple[Floats, Floats]:
    """Draws of the demand at today's price, (offers, draws), and at those of the grid, (offers, prices, draws)."""
    shock, slope = _draws()
    elasticity = np.minimum(offers.elasticity[:, None] + offers.elasticity_spread[:, None] * slope, _HIGHEST)
    luck = np.exp(offers.demand_spread[:, None] * shock - offers.demand_spread[:, None] ** 2 / 2)
    at_now = offers.demand[:, None] * luck
    change = np.log(grid / offers.now[:, None])
    return at_now, at_now[:, None, :] * np.exp(change[:, :, None] * elasticity[:, None, :])


def _pays(gains: Floats, before: Floats, policy: PricePolicy) -> Flags:
    """Whether the draws of the gain are large and sure enough."""
    large = gains.mean(axis=1) > policy.least_gain * np.abs(before).mean(axis=1)
    return large & ((gains > 0).mean(axis=1) >= policy.least_chance)


def _draws() -> tuple[Floats, Floats]:
    """Normal scores of demand and elasticity, evenly spread and paired without order: the same for every offer."""
    even = ndtri((np.arange(_DRAWS) + 0.5) / _DRAWS)
    return even, even[np.random.default_rng(7).permutation(_DRAWS)]
