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

from optimization.statement.arrays import Dense, Floats, Ints


def bound(d: Dense, prices: Floats) -> float:
    """The proven bound at some prices (factories, days)."""
    changes = float((d.change_cost * d.held).sum()) + d.lost
    return float(orders(d, prices).sum() + factories(d, prices).sum()) + changes


def piece_costs(d: Dense, prices: Floats) -> Floats:
    """Cost of a piece (pairs,) at its cheapest day; infinite where no day is open."""
    pair, day = d.slots
    price = prices[d.factory[pair], day]
    lot = np.where(price >= 0, d.most[pair], np.maximum(1, d.least[pair]))
    cost = (d.pace[pair] + d.setup_minutes[pair] / lot) * price + d.late_per_piece(pair, day)
    least = np.full(len(d.order), np.inf)
    starts = np.flatnonzero(np.diff(pair, prepend=-1))
    if len(starts):
        least[pair[starts]] = np.minimum.reduceat(cost, starts)
    return np.asarray(d.unit_cost + np.where(d.kept > 0, 0.0, d.setup_cost / d.most) + least)


def orders(d: Dense, prices: Floats) -> Floats:
    """The least that each order costs at the prices (orders,), without the incumbents' constant."""
    saved = d.unmet_cost[d.order] - piece_costs(d, prices)
    forced = np.where(d.kept > 0, d.kept * (saved + d.change_cost) - d.setup_cost, 0.0)
    count = len(d.quantity)
    sure = np.bincount(d.order, forced, count) if len(saved) else np.zeros(count)
    return np.asarray(d.quantity * d.unmet_cost - sure - _most_saved(d, saved))


def _most_saved(d: Dense, saved: Floats) -> Floats:
    """The most that pieces beyond the kept ones can save (orders,)."""
    first = np.where(d.kept > 0, 0, np.minimum(d.held, d.most))  # pieces that give an incumbent back what it has
    rest = d.most - d.kept - first
    rebate = np.maximum(0.0, saved + d.change_cost)
    plain = np.maximum(0.0, np.where(np.isfinite(saved), saved, 0.0))
    left = d.quantity - np.bincount(d.order, d.kept, len(d.quantity)).astype(np.int64)
    fill = _best_pieces(np.tile(d.order, 2), np.concatenate([rebate, plain]), np.concatenate([first, rest]), left)
    pairs = np.where(first > 0, rebate * first, 0.0) + plain * rest
    free, limit = d.kept == 0, d.max_new
    few = _best_pieces(d.order[free], pairs[free], np.ones(int(free.sum()), dtype=np.int64), limit)
    return np.minimum(fill, few + np.bincount(d.order[~free], pairs[~free], len(d.quantity)))


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


def factories(d: Dense, prices: Floats) -> Floats:
    """The least that each factory costs at the prices (factories,)."""
    gain = np.concatenate([-prices, d.overtime_cost - prices], axis=1)
    ranked = np.argsort(gain, axis=1, kind="stable")
    gain = np.take_along_axis(gain, ranked, axis=1)
    minutes = np.take_along_axis(np.concatenate([d.minutes, d.overtime], axis=1), ranked, axis=1)
    target, shortfall = d.target_minutes[:, None], d.shortfall_cost[:, None]
    before = np.cumsum(minutes, axis=1) - minutes
    worth = np.where(gain < 0, minutes, np.where(gain < shortfall, np.clip(target - before, 0.0, minutes), 0.0))
    short = np.maximum(0.0, d.target_minutes - worth.sum(axis=1)) * d.shortfall_cost
    working = d.engagement_cost + (gain * worth).sum(axis=1) + short
    idle = np.where(d.always, np.inf, d.target_minutes * d.shortfall_cost)
    return np.asarray(np.minimum(working, idle))


def table(d: Dense, factory_ids: "pd.Index[str]", prices: Floats) -> pd.DataFrame:
    """The prices of the days with capacity: factory_id, day, price (of a minute)."""
    factory, day = np.nonzero(d.room > 0)
    return pd.DataFrame({"factory_id": factory_ids[factory], "day": day + 1, "price": prices[factory, day]})
