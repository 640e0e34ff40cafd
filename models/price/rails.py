"""Guard rails of prices: what a proposal may never be, whatever it would earn.

In: what a SKU costs, lists and is sold for, and since when. Out: the lowest and highest price allowed today. The rails:

* floor: cost and a least margin, and no less than a share of the list price (what it stands for);
* ceiling: a share of the list price;
* a change a day at most, and then some days of rest (price image: no price that shoppers see flicker);
* a whole number of `step`, and one price for a SKU in every channel (a proposal has no channel).

Where no price keeps them all, nothing is proposed.
"""

from dataclasses import dataclass

import numpy as np

from c2m.domain.arrays import Floats
from c2m.settings import PricePolicy


def bounds(
    now: Floats, listed: Floats, cost: Floats, rested_days: Floats, policy: PricePolicy
) -> tuple[Floats, Floats]:
    """Lowest and highest price allowed today of each SKU; the lowest above the highest where none is.

    Parameters
    ----------
    now
        (N,) price of today, money per piece.
    listed
        (N,) list price.
    cost
        (N,) cost to make and bring in.
    rested_days
        (N,) days since the last change; infinite: never changed.
    policy
        The rails.

    Returns
    -------
    tuple
        (N,) lowest, (N,) highest; whole numbers of the step.
    """
    low = np.maximum.reduce(
        [cost * (1 + policy.least_margin), listed * policy.floor_share, now * (1 - policy.daily_change)]
    )
    high = np.minimum(listed * policy.ceiling_share, now * (1 + policy.daily_change))
    low = np.where(rested_days < policy.rest_days, np.inf, low)
    return _up(low, policy.step), _down(high, policy.step)


def _up(price: Floats, step: float) -> Floats:
    whole: Floats = np.ceil(np.round(price / step, 6)) * step
    return whole


def _down(price: Floats, step: float) -> Floats:
    whole: Floats = np.floor(np.round(price / step, 6)) * step
    return whole


@dataclass(frozen=True)
class PricedSku:
    """A SKU with a price that somebody wants it to have."""

    price: float
    now: float
    listed: float
    cost: float
    rested_days: float


def _below_margin(sku: PricedSku, policy: PricePolicy) -> bool:
    return sku.price < sku.cost + sku.cost * policy.least_margin - _grain(sku)


def _below_list(sku: PricedSku, policy: PricePolicy) -> bool:
    return sku.price < policy.floor_share * sku.listed - _grain(sku)


def _above_ceiling(sku: PricedSku, policy: PricePolicy) -> bool:
    return sku.price > policy.ceiling_share * sku.listed + _grain(sku)


def _jumps(sku: PricedSku, policy: PricePolicy) -> bool:
    return abs(sku.price - sku.now) > policy.daily_change * sku.now + _grain(sku)


def _flickers(sku: PricedSku, policy: PricePolicy) -> bool:
    return sku.price != sku.now and sku.rested_days < policy.rest_days


def _is_odd(sku: PricedSku, policy: PricePolicy) -> bool:
    steps = sku.price / policy.step
    return abs(steps - round(steps)) > 1e-4


def _grain(sku: PricedSku) -> float:
    """Money that rounding may be off by."""
    return 1e-6 * max(sku.price, 1.0)


RULES = {
    "floor: margin": _below_margin,
    "floor: list": _below_list,
    "ceiling": _above_ceiling,
    "change a day": _jumps,
    "rest": _flickers,
    "step": _is_odd,
}


def broken(sku: PricedSku, policy: PricePolicy) -> list[str]:
    """Rails that a price breaks, by name; shares no code with `bounds`.

    Parameters
    ----------
    sku
        With the price.
    policy
        The rails.

    Returns
    -------
    list of str
        Empty where it keeps all of them.
    """
    return [name for name, breaks in RULES.items() if breaks(sku, policy)]
