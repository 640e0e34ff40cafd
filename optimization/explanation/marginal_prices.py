"""What one more minute, one more day of overtime or a lower minimum lot is worth, and how far each price holds.

In: the program with the plan's switches fixed (optimization/statement/fixed.py). A price is exact on both sides: the
cost at one unit less and at one unit more, not a dual, of which a degenerate program has many. The cost is convex and
piecewise linear in each limit; where its first bend lies is found from tangents, so the range is exact too.
"""

from dataclasses import dataclass

import numpy as np

from optimization.contract.tolerances import ROUND_OFF_SHARE
from optimization.statement.fixed import Fixed, Limit

_FINEST = 1e-7  # units of a limit; a bend nearer than this is no bend of its own
_WORTH = 5e-5  # money per minute; cheaper ones are none of the dearest
_MOST_BENDS = 60  # tangents drawn per price; a dozen is usual


@dataclass(frozen=True)
class Price:
    """What one unit less costs and one unit more saves, and the units over which each holds.

    `less` is inf where one unit less does not fit (its range: what does), NaN where there is no whole unit to take. A
    range below 1 says that the price changes within the unit.
    """

    less: float
    more: float
    less_range: float
    more_range: float


@dataclass(frozen=True)
class MarginalSaving:
    """`units` more (overtime minutes) or fewer (pieces of a minimum lot): what all save, the first unit, its range."""

    units: float
    saves: float
    first: float
    first_range: float


def minute(fixed: Fixed, day: int) -> Price:
    """Price of a regular minute of a factory and day, by position in `fixed.days`."""
    limit, ample = fixed.minutes(day), _ample_minutes(fixed, fixed.days["factory_id"].iloc[day])
    more, more_range = _side(fixed, limit, 1.0, ample)
    more_range = np.inf if more_range >= ample else more_range
    if limit.value < 1:
        return Price(np.nan, -more, 0.0, more_range)
    less, less_range = _side(fixed, limit, -1.0, limit.value)
    return Price(less, -more, less_range, more_range)


def _ample_minutes(fixed: Fixed, factory_id: str) -> float:
    """More minutes than a factory could ever work."""
    here = fixed.pairs[fixed.pairs["factory_id"] == factory_id]
    return 1.0 + float((here["most"] * here["minutes_per_piece"] + here["setup_minutes"]).sum())


def overtime(fixed: Fixed, day: int) -> MarginalSaving | None:
    """As much overtime again as the factory's longest day of it, on this day; None where it never works overtime."""
    at = fixed.days["factory_id"] == fixed.days["factory_id"].iloc[day]
    return _offer(fixed, fixed.overtime(day), 1.0, float(fixed.days["overtime_minutes"][at].max()))


def lower_lot(fixed: Fixed, pair: int) -> MarginalSaving | None:
    """No minimum lot for a pair of the plan, by position in `fixed.pairs`; None where it has none."""
    limit = fixed.lot(pair)
    return _offer(fixed, limit, -1.0, limit.value - 1.0)


def dearest(fixed: Fixed, count: int) -> list[int]:
    """Positions of the days with the dearest minutes."""
    dear = fixed.days[fixed.days["price"] > _WORTH].sort_values("price", ascending=False)
    return [int(day) for day in dear.index[:count]]


def _offer(fixed: Fixed, limit: Limit, sign: float, units: float) -> MarginalSaving | None:
    if units < 1:
        return None
    first, first_range = _side(fixed, limit, sign, units)
    return MarginalSaving(units, fixed.cost - fixed.at(limit, limit.value + sign * units).cost, -first, first_range)


def _side(fixed: Fixed, limit: Limit, sign: float, most: float) -> tuple[float, float]:
    """Change of the cost by one unit to one side, and the units, up to `most`, over which the first change holds."""
    near = ROUND_OFF_SHARE * max(1.0, abs(fixed.cost))
    unit = fixed.at(limit, limit.value + sign).cost - fixed.cost
    start = fixed.at(limit, limit.value)
    units = _fitting(fixed, limit, sign, most)
    slope, end = sign * start.slope, units
    for _ in range(_MOST_BENDS):
        there = fixed.at(limit, limit.value + sign * end)
        rise, gain = there.cost - fixed.cost - slope * end, sign * there.slope - slope
        if rise <= near:
            break
        end -= rise / gain  # where the tangent there meets the line from here
        if end <= _FINEST:  # the tangent comes from here: it is the line
            slope, end = sign * there.slope, units
    return (0.0 if abs(unit) <= near else unit), end


def _fitting(fixed: Fixed, limit: Limit, sign: float, most: float) -> float:
    """The units to one side, up to `most`, with which everything still fits."""
    if _fits(fixed, limit, sign * most):
        return most
    fits, fails = 0.0, most
    while fails - fits > _FINEST * max(1.0, most):
        middle = (fits + fails) / 2
        fits, fails = (middle, fails) if _fits(fixed, limit, sign * middle) else (fits, middle)
    return fits


def _fits(fixed: Fixed, limit: Limit, units: float) -> bool:
    return bool(np.isfinite(fixed.at(limit, limit.value + units).cost))
