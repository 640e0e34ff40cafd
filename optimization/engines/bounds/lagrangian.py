"""The Lagrangian bound: what every plan costs at least, whatever the prices of a minute at each factory and day.

Let L_ft be the minutes of work that factory f does on day t. With a price n_ft for each of them the problem falls
apart: each factory offers the minutes that pay best, and each order takes the cheapest pieces.

  bound(n) = sum_o order_o(n) + sum_f factory_f(n) + change cost of all incumbents
  factory_f = min over z in {0, 1} and L:  E z + v (L - C)+ + w (G - sum_t L)+ - sum_t n L,   L = 0 where z = 0
  order_o   = g D - the most that pieces save, each g - c - s/U - min_t[(a + m/U) n_t + h late_t] at its pair,
              and b more while it is one of the incumbent's; at most U pieces of a pair, D of an order, n_o new pairs

A pair of q <= U pieces works a + m/q minutes per piece; where a price is negative, m/l with the smallest lot l stands
for m/U. Setup comes first, so charging a share of it on every day of the pair's work never overstates lateness. The
order's saving is the less of two bounds: its best pieces up to D, and its best n_o pairs up to U.
"""

import numpy as np
import pandas as pd

from c2m.domain.arrays import Floats, Ints
from optimization.statement.dense import Dense


def bound(arrays: Dense, prices: Floats) -> float:
    """The proven bound at some prices (factories, days)."""
    changes = float((arrays.change_cost * arrays.held).sum()) + arrays.lost
    return float(orders(arrays, prices).sum() + factories(arrays, prices).sum()) + changes


def piece_costs(arrays: Dense, prices: Floats) -> Floats:
    """Cost of a piece (pairs,) at its cheapest day; infinite where no day is open."""
    pair, day = arrays.slots
    price = prices[arrays.factory[pair], day]
    lot = np.where(price >= 0, arrays.most[pair], np.maximum(1, arrays.least[pair]))
    cost = (arrays.pace[pair] + arrays.setup_minutes[pair] / lot) * price + arrays.late_per_piece(pair, day)
    least = np.full(len(arrays.order), np.inf)
    starts = np.flatnonzero(np.diff(pair, prepend=-1))
    if len(starts):
        least[pair[starts]] = np.minimum.reduceat(cost, starts)
    return np.asarray(arrays.unit_cost + np.where(arrays.kept > 0, 0.0, arrays.setup_cost / arrays.most) + least)


def orders(arrays: Dense, prices: Floats) -> Floats:
    """The least that each order costs at the prices (orders,), without the incumbents' constant."""
    saved = arrays.unmet_cost[arrays.order] - piece_costs(arrays, prices)
    forced = np.where(arrays.kept > 0, arrays.kept * (saved + arrays.change_cost) - arrays.setup_cost, 0.0)
    count = len(arrays.quantity)
    sure = np.bincount(arrays.order, forced, count) if len(saved) else np.zeros(count)
    return np.asarray(arrays.quantity * arrays.unmet_cost - sure - _most_saved(arrays, saved))


def _most_saved(arrays: Dense, saved: Floats) -> Floats:
    """The most that pieces beyond the kept ones can save (orders,)."""
    first = np.where(
        arrays.kept > 0, 0, np.minimum(arrays.held, arrays.most)
    )  # pieces that give an incumbent back what it has
    rest = arrays.most - arrays.kept - first
    rebate = np.maximum(0.0, saved + arrays.change_cost)
    plain = np.maximum(0.0, np.where(np.isfinite(saved), saved, 0.0))
    left = arrays.quantity - np.bincount(arrays.order, arrays.kept, len(arrays.quantity)).astype(np.int64)
    fill = _best_pieces(np.tile(arrays.order, 2), np.concatenate([rebate, plain]), np.concatenate([first, rest]), left)
    pairs = np.where(first > 0, rebate * first, 0.0) + plain * rest
    free, limit = arrays.kept == 0, arrays.max_new
    few = _best_pieces(arrays.order[free], pairs[free], np.ones(int(free.sum()), dtype=np.int64), limit)
    return np.minimum(fill, few + np.bincount(arrays.order[~free], pairs[~free], len(arrays.quantity)))


def _best_pieces(order: Ints, value: Floats, pieces: Ints, limit: Ints) -> Floats:
    """The most that at most `limit` pieces of each order are worth (orders,)."""
    some = (pieces > 0) & (value > 0)
    order, value, pieces = order[some], value[some], pieces[some]
    ranked = np.lexsort((-value, order))
    order, value, pieces = order[ranked], value[ranked], pieces[ranked]
    before = np.cumsum(pieces) - pieces
    before -= before[np.searchsorted(order, order)] if len(order) else 0
    taken = np.clip(limit[order] - before, 0, pieces)
    return np.bincount(order, taken * value, len(limit))


def factories(arrays: Dense, prices: Floats) -> Floats:
    """The least that each factory costs at the prices (factories,)."""
    gain = np.concatenate([-prices, arrays.overtime_cost - prices], axis=1)
    ranked = np.argsort(gain, axis=1, kind="stable")
    gain = np.take_along_axis(gain, ranked, axis=1)
    minutes = np.take_along_axis(np.concatenate([arrays.minutes, arrays.overtime], axis=1), ranked, axis=1)
    target, shortfall = arrays.target_minutes[:, None], arrays.shortfall_cost[:, None]
    before = np.cumsum(minutes, axis=1) - minutes
    worth = np.where(gain < 0, minutes, np.where(gain < shortfall, np.clip(target - before, 0.0, minutes), 0.0))
    short = np.maximum(0.0, arrays.target_minutes - worth.sum(axis=1)) * arrays.shortfall_cost
    working = arrays.engagement_cost + (gain * worth).sum(axis=1) + short
    idle = np.where(arrays.always, np.inf, arrays.target_minutes * arrays.shortfall_cost)
    return np.asarray(np.minimum(working, idle))


def table(arrays: Dense, factory_ids: "pd.Index[str]", prices: Floats) -> pd.DataFrame:
    """The prices of the days with capacity, as a table.

    Parameters
    ----------
    arrays
        Of the instance.
    factory_ids
        By number of the factory.
    prices
        (factories, days) money per minute.

    Returns
    -------
    pd.DataFrame
        factory_id, day, price (of a minute).
    """
    factory, day = np.nonzero(arrays.room > 0)
    return pd.DataFrame({"factory_id": factory_ids[factory], "day": day + 1, "price": prices[factory, day]})
