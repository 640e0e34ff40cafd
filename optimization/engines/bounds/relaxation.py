"""The linear relaxation over slots (a pair on a day), in pieces: its value is a proven bound, its duals are prices.

A used pair pays its setup once; here each piece pays a *share* of it, 1 / most unless another is given, so the switches
drop out. x is pieces of a pair finished on a day, p overtime, u unmet, z engaged, i shortfall, j taken:

  min   sum (c + s share + h days late) x + v p + g u + E z + w i + b j
  served[o]       sum x + u = D_o
  capacity[f,t]   sum (a + m share) x <= C_ft + p_ft,   p <= V,   x <= daily limit / a
  lot[o,f]        kept <= sum_t x <= U_of         where U_of < D_o or something is kept
  sharing[o]      sum x / U_of <= n_o             over pairs without frozen pieces, where there are more than n_o
  engaging[f]     sum (a + m share) x <= room_f z_f;   sum_t x <= U_of z_f  where the last solution broke it
  target[f]       i + sum (a + m / least) x >= G_f      (no used pair works longer than that)
  taking[o,f]     j + sum_t x >= I_of
"""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from c2m.domain.arrays import Flags, Floats, Ints
from optimization.contract.tolerances import WHOLE_PIECES
from optimization.statement.dense import Dense
from optimization.statement.linear import Blocks, grown

_ENGAGING_ROUNDS = 5
_LARGE = 150_000  # slots; above it interior points are quicker than the simplex method


@dataclass(frozen=True)
class Relaxed:
    """Pieces (slots,), prices of a minute (factories, days), unmet pieces (orders,), the value.

    The value is a proven bound where the share is at most 1 / most for every pair and no pair was left out.
    """

    pair: Ints
    day: Ints
    pieces: Floats
    prices: Floats
    unmet: Floats
    value: float
    tied: Ints  # pairs with an engaging row of their own
    basis: Any  # None where there is none to start from

    def by_pair(self, pairs: int) -> Floats:
        """Pieces (pairs,)."""
        return np.bincount(self.pair, self.pieces, minlength=pairs)


def relax(
    arrays: Dense,
    share: Floats | None = None,
    allowed: Flags | None = None,
    seconds: float | None = None,
    start: Relaxed | None = None,
) -> Relaxed | None:
    """The linear relaxation over pairs.

    Parameters
    ----------
    arrays
        Of the instance.
    share
        (pairs,) part of a setup that a piece bears; None: 1 / most.
    allowed
        (pairs,) which of them; None: all.
    seconds
        For the solver; None: as many as it takes.
    start
        A relaxation of the same pairs with other shares, from whose rows and basis this one begins.

    Returns
    -------
    Relaxed or None
        None where the time did not suffice.
    """
    end = None if seconds is None else time.monotonic() + seconds
    share = 1.0 / arrays.most if share is None else share
    allowed = np.ones(len(arrays.order), dtype=bool) if allowed is None else allowed
    tied, basis = (np.empty(0, dtype=np.int64), None) if start is None else (start.tied, start.basis)
    last = None
    for _ in range(_ENGAGING_ROUNDS):
        left = None if end is None else end - time.monotonic()
        found = _solve(arrays, share, allowed, tied, left, basis)
        if found is None:
            return last
        last, engaged = found
        used = last.by_pair(len(arrays.order))
        broken = np.setdiff1d(np.flatnonzero(used > arrays.most * engaged[arrays.factory] + WHOLE_PIECES), tied)
        if not len(broken):
            break
        tied, basis = np.append(tied, broken), grown(last.basis, len(broken))
    return last


def _solve(
    arrays: Dense, share: Floats, allowed: Flags, tied: Ints, seconds: float | None, basis: Any
) -> tuple[Relaxed, Floats] | None:
    pair, day = arrays.slots
    work = arrays.pace + arrays.setup_minutes * share
    lp = Blocks(
        offset=arrays.lost
        + float(arrays.engagement_cost[arrays.always].sum() + arrays.setup_cost[arrays.kept > 0].sum())
    )
    charged = arrays.unit_cost + np.where(arrays.kept > 0, 0.0, arrays.setup_cost * share)
    x = lp.columns(
        charged[pair] + arrays.late_per_piece(pair, day),
        upper=np.where(allowed, arrays.day_limit / arrays.pace, 0.0)[pair],
    )
    p = lp.columns(arrays.overtime_cost.ravel(), upper=arrays.overtime.ravel())
    u = lp.columns(arrays.unmet_cost)
    served = np.arange(len(arrays.quantity))
    lp.rows(len(served), arrays.quantity, arrays.quantity, (arrays.order[pair], x, 1.0), (served, u, 1.0))
    slot, places = arrays.factory[pair] * arrays.days + day, np.arange(len(p))
    capacity = lp.rows(len(p), -np.inf, arrays.minutes.ravel(), (slot, x, work[pair]), (places, p, -1.0))
    _add_pair_rows(lp, arrays, pair, x)
    z = _add_engaging(lp, arrays, work, pair, x)
    target = _add_target(lp, arrays, pair, x)
    rows, at = _rows_of(tied, pair, len(arrays.order))  # last, so that a basis of fewer of them is a start
    switch = np.arange(len(tied)), z[arrays.factory[tied]], -arrays.most[tied]
    lp.rows(len(tied), -np.inf, 0.0, (rows, x[at], 1.0), switch)
    solved = lp.solve(seconds, basis, interior=basis is None and len(pair) > _LARGE)
    if solved is None:
        return None
    prices = -solved.duals[capacity].reshape(arrays.room.shape)
    prices -= np.where(target >= 0, solved.duals[target], 0.0)[:, None]
    engaged = np.where(z >= 0, solved.values[z], np.inf)
    relaxed = Relaxed(pair, day, solved.values[x], prices, solved.values[u], solved.value, tied, solved.basis)
    return relaxed, engaged


def _add_pair_rows(lp: Blocks, arrays: Dense, pair: Ints, x: Ints) -> None:
    """lot, sharing, taking."""
    bound = np.flatnonzero((arrays.most < arrays.quantity[arrays.order]) | (arrays.kept > 0))
    rows, at = _rows_of(bound, pair, len(arrays.order))
    lp.rows(len(bound), arrays.kept[bound], arrays.most[bound], (rows, x[at], 1.0))
    new = arrays.kept == 0
    crowded = np.flatnonzero(np.bincount(arrays.order[new], minlength=len(arrays.quantity)) > arrays.max_new)
    rows, at = _rows_of(crowded, np.where(new[pair], arrays.order[pair], -1), len(arrays.quantity))
    lp.rows(len(crowded), -np.inf, arrays.max_new[crowded], (rows, x[at], 1.0 / arrays.most[pair[at]]))
    held = np.flatnonzero((arrays.held > arrays.kept) & (arrays.change_cost > 0))
    j = lp.columns(arrays.change_cost[held])
    rows, at = _rows_of(held, pair, len(arrays.order))
    lp.rows(len(held), arrays.held[held], np.inf, (rows, x[at], 1.0), (np.arange(len(held)), j, 1.0))


def _add_engaging(lp: Blocks, arrays: Dense, work: Floats, pair: Ints, x: Ints) -> Ints:
    """engaging, a row a factory; returns the column of z by factory, -1 where it has none."""
    priced = np.flatnonzero((arrays.engagement_cost > 0) & ~arrays.always)
    z = np.full(len(arrays.engagement_cost), -1)
    z[priced] = lp.columns(arrays.engagement_cost[priced], upper=1.0)
    rows, at = _rows_of(priced, arrays.factory[pair], len(z))
    opened = (np.arange(len(priced)), z[priced], -arrays.room.sum(axis=1)[priced])
    lp.rows(len(priced), -np.inf, 0.0, (rows, x[at], work[pair[at]]), opened)
    return z


def _add_target(lp: Blocks, arrays: Dense, pair: Ints, x: Ints) -> Ints:
    """target; returns its row by factory, -1 where it has none."""
    short = np.flatnonzero((arrays.shortfall_cost > 0) & (arrays.target_minutes > 0))
    i = lp.columns(arrays.shortfall_cost[short])
    longest = arrays.pace + arrays.setup_minutes / np.maximum(1, arrays.least)
    rows, at = _rows_of(short, arrays.factory[pair], len(arrays.target_minutes))
    row = np.full(len(arrays.target_minutes), -1)
    cells = (rows, x[at], longest[pair[at]]), (np.arange(len(short)), i, 1.0)
    row[short] = lp.rows(len(short), arrays.target_minutes[short], np.inf, *cells)
    return row


def _rows_of(members: Ints, key: Ints, size: int) -> tuple[Ints, Ints]:
    """Row (position among the members) and position of every slot whose key is a member; keys below 0 are none."""
    row = np.full(size + 1, -1)
    row[members] = np.arange(len(members))
    at = np.flatnonzero(row[key] >= 0)
    return row[key[at]], at
