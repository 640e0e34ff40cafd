"""A fractional relaxation to a plan with whole pieces, whole lots and minutes by day.

Slope scaling (Kim and Pardalos 1999): the relaxation is solved again with each used pair paying its setup over the
pieces that it makes, which draws work together. Pairs that are left with less than a lot are dropped or filled, then
pieces are made whole within each order, and the minutes of whole pieces are spread over the days.
"""

import time
from collections.abc import Callable
from itertools import count

import numpy as np

from c2m.domain.arrays import Flags, Floats, Ints
from optimization.contract.tolerances import FITS_MINUTES, WHOLE_PIECES
from optimization.engines.bounds.relaxation import Relaxed, relax
from optimization.statement.dense import Dense
from optimization.statement.draft import Draft, empty
from optimization.statement.linear import Blocks

_ROUNDS, _FREE_ROUNDS = 8, 3  # of slope scaling; after the free ones pairs far below a lot are dropped
_LEAST_SHARE = 0.02  # of `most`; a pair with less pays as though it made so much
_TRIES = 8  # each takes pieces from pairs that still lack minutes; then all that are not frozen
_KEEP = 0.5  # of the smallest lot; a pair with less is dropped, with more is filled to the lot
_LACK = 10.0  # cost of a missing minute, as a multiple of the dearest piece's unmet cost by the minute


def rounded(
    arrays: Dense, relaxed: Relaxed, until: float = np.inf, stopped: Callable[[], bool] = lambda: False
) -> Draft | None:
    """A plan near the relaxation, scaled until that monotonic time; orders may stay unmet where lots do not fit."""
    pieces, share = relaxed.by_pair(len(arrays.order)), 1.0 / arrays.most
    allowed = np.ones(len(arrays.order), dtype=bool)
    for turn in range(_ROUNDS):
        if stopped():
            break
        if turn >= _FREE_ROUNDS:
            allowed &= (pieces <= WHOLE_PIECES) | lots(arrays, pieces)
        least = np.maximum(np.maximum(pieces, _LEAST_SHARE * arrays.most), 1.0)
        share = np.where(pieces > WHOLE_PIECES, 1.0 / least, share)
        again = relax(arrays, share, allowed, until - time.monotonic(), relaxed)
        if again is None:
            break
        relaxed, pieces = again, again.by_pair(len(arrays.order))
    return filled(arrays, pieces)


def filled(arrays: Dense, pieces: Floats) -> Draft | None:
    """The plan of the pairs that make lots of these pieces, each at its best."""
    chosen = lots(arrays, pieces)
    return spread(arrays, whole_pieces(arrays, _filled(arrays, chosen), chosen))


def lots(arrays: Dense, pieces: Floats) -> Flags:
    """Pairs that get work: those of each order with the most pieces, at most max_factories, none far below its lot."""
    chosen = (pieces >= np.maximum(_KEEP * arrays.least, WHOLE_PIECES)) | (arrays.kept > 0)
    place = rank(arrays.order, np.where(chosen & (arrays.kept == 0), pieces, -1.0))
    chosen &= (arrays.kept > 0) | (place < arrays.max_new[arrays.order])
    least = np.where(chosen, arrays.least, 0)
    before = cumulative(arrays.order, rank(arrays.order, np.where(chosen, pieces, -1.0)), least)
    return np.asarray(chosen & ((before + least <= arrays.quantity[arrays.order]) | (arrays.kept > 0)))


def rank(group: Ints, weight: Floats) -> Ints:
    """Position of each element within its group, by falling weight."""
    ordered = np.lexsort((-weight, group))
    starts = np.searchsorted(group, np.arange(group[-1] + 2 if len(group) else 1))
    rank = np.empty(len(group), dtype=np.int64)
    rank[ordered] = np.arange(len(group)) - starts[group[ordered]]
    return rank


def cumulative(group: Ints, rank: Ints, amount: Ints) -> Ints:
    """Sum of the amounts of the elements of the same group that rank before."""
    ordered = np.lexsort((rank, group))
    total = np.cumsum(amount[ordered]) - amount[ordered]
    first = np.searchsorted(group, group)
    result = np.empty(len(group), dtype=np.int64)
    result[ordered] = total - total[first[ordered]]
    return result


def _filled(arrays: Dense, chosen: Flags) -> Floats:
    """Best pieces of the chosen pairs, each with its setup; fewer than a lot where there is no room for the lots."""
    pairs = np.flatnonzero(chosen)
    kept, at, orders = arrays.kept[pairs] > 0, np.arange(len(pairs)), np.arange(len(arrays.quantity))
    lp = Blocks()
    w, position, _ = _worked(lp, arrays, pairs)
    q = lp.columns(arrays.unit_cost[pairs], arrays.kept[pairs], arrays.most[pairs])
    u = lp.columns(arrays.unmet_cost)
    dear = _LACK * arrays.unmet_cost[arrays.order[pairs]]
    missing = np.where(kept, _dearest(arrays), dear / arrays.pace[pairs] + 1.0)  # neighbours give way to frozen pieces
    small, unset = lp.columns(dear), lp.columns(missing)
    setup = arrays.setup_minutes[pairs]
    lp.rows(len(u), arrays.quantity, arrays.quantity, (arrays.order[pairs], q, 1.0), (orders, u, 1.0))
    lp.rows(len(pairs), np.where(kept, 0, arrays.least[pairs]), np.inf, (at, q, 1.0), (at, small, 1.0))
    lp.rows(len(pairs), setup, setup, (position, w, 1.0), (at, q, -arrays.pace[pairs]), (at, unset, 1.0))
    solved = lp.solve()
    assert solved is not None  # nothing made, everything unmet and lacking, is feasible
    pieces = np.zeros(len(arrays.order))
    pieces[pairs] = np.where(~kept & (solved.values[unset] > FITS_MINUTES), 0.0, solved.values[q])
    return pieces


def _worked(lp: Blocks, arrays: Dense, pairs: Ints, waiting: float = 0.0) -> tuple[Ints, Ints, Ints]:
    """Adds the minutes of some pairs by day, within what factories offer; their columns, positions of pairs, days.

    `waiting`: what a minute costs for each day that it is later.
    """
    pair, day = arrays.slots_of(pairs)
    late = arrays.late_per_piece(pair, day) / arrays.pace[pair]
    w = lp.columns(late + waiting * day, upper=arrays.day_limit[pair])
    p = lp.columns(arrays.overtime_cost.ravel(), upper=arrays.overtime.ravel())
    slots = np.arange(len(p))
    lp.rows(
        len(p), -np.inf, arrays.minutes.ravel(), (arrays.factory[pair] * arrays.days + day, w, 1.0), (slots, p, -1.0)
    )
    return w, np.searchsorted(pairs, pair), day


def whole_pieces(arrays: Dense, pieces: Floats, chosen: Flags) -> Ints:
    """Whole pieces: rounded down, the rest to the largest fractions of the order; pairs below their lot dropped."""
    down = np.floor(pieces + WHOLE_PIECES).astype(np.int64)
    total = np.rint(np.bincount(arrays.order, pieces, minlength=len(arrays.quantity))).astype(np.int64)
    left = total - np.bincount(arrays.order, down, minlength=len(arrays.quantity)).astype(np.int64)
    room = chosen & (down < arrays.most)
    up = room & (rank(arrays.order, np.where(room, pieces - down, -1.0)) < left[arrays.order])
    quantity = np.maximum(np.minimum(down + up, arrays.most), arrays.kept)
    return np.where(quantity >= np.maximum(arrays.least, 1), quantity, arrays.kept)


def spread(arrays: Dense, quantity: Ints) -> Draft | None:
    """Minutes by day for whole pieces, setup first; pairs that do not fit give up pieces, or all below their lot.

    Where a pair with frozen pieces lacks minutes, its neighbours give way. None where frozen pieces alone do not fit.
    """
    quantity, minutes = np.maximum(quantity, arrays.kept), np.zeros((len(arrays.order), arrays.days))
    open_at = np.ones(len(arrays.minutes), dtype=bool)  # factories whose days are still to be filled
    for turn in count():
        pairs = np.flatnonzero((quantity > 0) & open_at[arrays.factory])
        minutes[pairs], short = _minutes(arrays, pairs, quantity[pairs])
        pairs, short = pairs[short > FITS_MINUTES], short[short > FITS_MINUTES]
        if not len(pairs):
            return drafted(arrays, quantity, minutes)
        fewer = quantity[pairs] - np.ceil((short - FITS_MINUTES) / arrays.pace[pairs]).astype(np.int64)
        stays = (fewer >= np.maximum(arrays.least, 1)[pairs]) & (turn < _TRIES)
        fewer = np.where(stays, fewer, arrays.kept[pairs])
        if (quantity[pairs] <= fewer).any():
            return None
        quantity[pairs] = fewer
        open_at = np.isin(np.arange(len(open_at)), arrays.factory[pairs])
        minutes[open_at[arrays.factory]] = 0.0
    return None


def _minutes(arrays: Dense, pairs: Ints, quantity: Ints) -> tuple[Floats, Floats]:
    """Minutes (pairs, days) at least cost, and the minutes that find no room: frozen ones only where nothing helps."""
    need, at = _need(arrays, pairs, quantity), np.arange(len(pairs))
    kept = np.where(arrays.kept[pairs] > 0, _need(arrays, pairs, arrays.kept[pairs]), 0.0)
    lp = Blocks()
    w, position, day = _worked(lp, arrays, pairs, waiting=1e-6)  # earlier is worth a little: slack for surprises
    lack = lp.columns(_LACK * arrays.unmet_cost[arrays.order[pairs]] / arrays.pace[pairs] + 1.0, upper=need - kept)
    frozen = lp.columns(np.full(len(pairs), _dearest(arrays)), upper=kept)
    lp.rows(len(pairs), need, need, (position, w, 1.0), (at, lack, 1.0), (at, frozen, 1.0))
    solved = lp.solve()
    assert solved is not None  # everything lacking is feasible
    minutes = np.zeros((len(pairs), arrays.days))
    minutes[position, day] = np.maximum(0.0, solved.values[w])
    return minutes, np.maximum(0.0, solved.values[lack] + solved.values[frozen])


def _need(arrays: Dense, pairs: Ints, quantity: Ints) -> Floats:
    """Minutes of pieces of some pairs, setup included."""
    return np.asarray(quantity * arrays.pace[pairs] + arrays.setup_minutes[pairs])


def _dearest(arrays: Dense) -> float:
    """More than a minute costs that any pair lacks, is late by or works in overtime."""
    late = arrays.late_cost * np.maximum(0, arrays.last_day - arrays.on_time_day)
    per_minute = (_LACK * arrays.unmet_cost[arrays.order] + late) / arrays.pace
    return 2.0 * (1.0 + float(per_minute.max(initial=0.0)) + float(arrays.overtime_cost.max(initial=0.0)))


def drafted(arrays: Dense, quantity: Ints, minutes: Floats) -> Draft:
    """The draft of pieces (pairs,) and minutes (pairs, days); the first minutes of a pair are its setup."""
    draft = empty(arrays)
    draft.quantity[:] = quantity
    pairs = np.flatnonzero(quantity)
    worked = minutes[pairs]
    need = _need(arrays, pairs, quantity[pairs])
    worked = worked * (need / worked.sum(axis=1))[:, None]  # takes out the solver's tolerance
    done = np.minimum(np.cumsum(worked, axis=1), arrays.setup_minutes[pairs][:, None])
    draft.setup[pairs] = np.diff(done, axis=1, prepend=0.0)
    draft.run[pairs] = np.maximum(0.0, worked - draft.setup[pairs])
    return draft
