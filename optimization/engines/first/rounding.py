"""A fractional relaxation to a plan with whole pieces, whole lots and minutes by day.

Slope scaling (Kim and Pardalos 1999): the relaxation is solved again with each used pair paying its setup over the
pieces that it makes, which draws work together. Pairs that are left with less than a lot are dropped or filled, then
pieces are made whole within each order, and the minutes of whole pieces are spread over the days.
"""

import time
from collections.abc import Callable
from itertools import count

import numpy as np

from optimization.contract.tolerances import FITS_MINUTES, WHOLE_PIECES
from optimization.engines.bounds.relaxation import Relaxed, relax
from optimization.statement.arrays import Dense, Flags, Floats, Ints
from optimization.statement.draft import Draft, empty
from optimization.statement.linear import Blocks

_ROUNDS, _FREE_ROUNDS = 8, 3  # of slope scaling; after the free ones pairs far below a lot are dropped
_LEAST_SHARE = 0.02  # of `most`; a pair with less pays as though it made so much
_TRIES = 8  # each takes pieces from pairs that still lack minutes; then all that are not frozen
_KEEP = 0.5  # of the smallest lot; a pair with less is dropped, with more is filled to the lot
_LACK = 10.0  # cost of a missing minute, as a multiple of the dearest piece's unmet cost by the minute


def rounded(
    d: Dense, relaxed: Relaxed, until: float = np.inf, stopped: Callable[[], bool] = lambda: False
) -> Draft | None:
    """A plan near the relaxation, scaled until that monotonic time; orders may stay unmet where lots do not fit."""
    pieces, share = relaxed.by_pair(len(d.order)), 1.0 / d.most
    allowed = np.ones(len(d.order), dtype=bool)
    for turn in range(_ROUNDS):
        if stopped():
            break
        if turn >= _FREE_ROUNDS:
            allowed &= (pieces <= WHOLE_PIECES) | lots(d, pieces)
        least = np.maximum(np.maximum(pieces, _LEAST_SHARE * d.most), 1.0)
        share = np.where(pieces > WHOLE_PIECES, 1.0 / least, share)
        again = relax(d, share, allowed, until - time.monotonic(), relaxed)
        if again is None:
            break
        relaxed, pieces = again, again.by_pair(len(d.order))
    return filled(d, pieces)


def filled(d: Dense, pieces: Floats) -> Draft | None:
    """The plan of the pairs that make lots of these pieces, each at its best."""
    chosen = lots(d, pieces)
    return spread(d, whole_pieces(d, _filled(d, chosen), chosen))


def lots(d: Dense, pieces: Floats) -> Flags:
    """Pairs that get work: those of each order with the most pieces, at most max_factories, none far below its lot."""
    chosen = (pieces >= np.maximum(_KEEP * d.least, WHOLE_PIECES)) | (d.kept > 0)
    place = rank(d.order, np.where(chosen & (d.kept == 0), pieces, -1.0))
    chosen &= (d.kept > 0) | (place < d.max_new[d.order])
    least = np.where(chosen, d.least, 0)
    before = cumulative(d.order, rank(d.order, np.where(chosen, pieces, -1.0)), least)
    return np.asarray(chosen & ((before + least <= d.quantity[d.order]) | (d.kept > 0)))


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


def _filled(d: Dense, chosen: Flags) -> Floats:
    """Best pieces of the chosen pairs, each with its setup; fewer than a lot where there is no room for the lots."""
    pairs = np.flatnonzero(chosen)
    kept, at, orders = d.kept[pairs] > 0, np.arange(len(pairs)), np.arange(len(d.quantity))
    lp = Blocks()
    w, position, _ = _worked(lp, d, pairs)
    q = lp.columns(d.unit_cost[pairs], d.kept[pairs], d.most[pairs])
    u = lp.columns(d.unmet_cost)
    dear = _LACK * d.unmet_cost[d.order[pairs]]
    missing = np.where(kept, _dearest(d), dear / d.pace[pairs] + 1.0)  # neighbours give way to frozen pieces
    small, unset = lp.columns(dear), lp.columns(missing)
    setup = d.setup_minutes[pairs]
    lp.rows(len(u), d.quantity, d.quantity, (d.order[pairs], q, 1.0), (orders, u, 1.0))
    lp.rows(len(pairs), np.where(kept, 0, d.least[pairs]), np.inf, (at, q, 1.0), (at, small, 1.0))
    lp.rows(len(pairs), setup, setup, (position, w, 1.0), (at, q, -d.pace[pairs]), (at, unset, 1.0))
    solved = lp.solve()
    assert solved is not None  # nothing made, everything unmet and lacking, is feasible
    pieces = np.zeros(len(d.order))
    pieces[pairs] = np.where(~kept & (solved.values[unset] > FITS_MINUTES), 0.0, solved.values[q])
    return pieces


def _worked(lp: Blocks, d: Dense, pairs: Ints, waiting: float = 0.0) -> tuple[Ints, Ints, Ints]:
    """Adds the minutes of some pairs by day, within what factories offer; their columns, positions of pairs, days.

    `waiting`: what a minute costs for each day that it is later.
    """
    pair, day = d.slots_of(pairs)
    late = d.late_per_piece(pair, day) / d.pace[pair]
    w = lp.columns(late + waiting * day, upper=d.day_limit[pair])
    p = lp.columns(d.overtime_cost.ravel(), upper=d.overtime.ravel())
    slots = np.arange(len(p))
    lp.rows(len(p), -np.inf, d.minutes.ravel(), (d.factory[pair] * d.days + day, w, 1.0), (slots, p, -1.0))
    return w, np.searchsorted(pairs, pair), day


def whole_pieces(d: Dense, pieces: Floats, chosen: Flags) -> Ints:
    """Whole pieces: rounded down, the rest to the largest fractions of the order; pairs below their lot dropped."""
    down = np.floor(pieces + WHOLE_PIECES).astype(np.int64)
    total = np.rint(np.bincount(d.order, pieces, minlength=len(d.quantity))).astype(np.int64)
    left = total - np.bincount(d.order, down, minlength=len(d.quantity)).astype(np.int64)
    room = chosen & (down < d.most)
    up = room & (rank(d.order, np.where(room, pieces - down, -1.0)) < left[d.order])
    quantity = np.maximum(np.minimum(down + up, d.most), d.kept)
    return np.where(quantity >= np.maximum(d.least, 1), quantity, d.kept)


def spread(d: Dense, quantity: Ints) -> Draft | None:
    """Minutes by day for whole pieces, setup first; pairs that do not fit give up pieces, or all below their lot.

    Where a pair with frozen pieces lacks minutes, its neighbours give way. None where frozen pieces alone do not fit.
    """
    quantity, minutes = np.maximum(quantity, d.kept), np.zeros((len(d.order), d.days))
    open_at = np.ones(len(d.minutes), dtype=bool)  # factories whose days are still to be filled
    for turn in count():
        pairs = np.flatnonzero((quantity > 0) & open_at[d.factory])
        minutes[pairs], short = _minutes(d, pairs, quantity[pairs])
        pairs, short = pairs[short > FITS_MINUTES], short[short > FITS_MINUTES]
        if not len(pairs):
            return drafted(d, quantity, minutes)
        fewer = quantity[pairs] - np.ceil((short - FITS_MINUTES) / d.pace[pairs]).astype(np.int64)
        stays = (fewer >= np.maximum(d.least, 1)[pairs]) & (turn < _TRIES)
        fewer = np.where(stays, fewer, d.kept[pairs])
        if (quantity[pairs] <= fewer).any():
            return None
        quantity[pairs] = fewer
        open_at = np.isin(np.arange(len(open_at)), d.factory[pairs])
        minutes[open_at[d.factory]] = 0.0
    return None


def _minutes(d: Dense, pairs: Ints, quantity: Ints) -> tuple[Floats, Floats]:
    """Minutes (pairs, days) at least cost, and the minutes that find no room: frozen ones only where nothing helps."""
    need, at = _need(d, pairs, quantity), np.arange(len(pairs))
    kept = np.where(d.kept[pairs] > 0, _need(d, pairs, d.kept[pairs]), 0.0)
    lp = Blocks()
    w, position, day = _worked(lp, d, pairs, waiting=1e-6)  # earlier is worth a little: slack for surprises
    lack = lp.columns(_LACK * d.unmet_cost[d.order[pairs]] / d.pace[pairs] + 1.0, upper=need - kept)
    frozen = lp.columns(np.full(len(pairs), _dearest(d)), upper=kept)
    lp.rows(len(pairs), need, need, (position, w, 1.0), (at, lack, 1.0), (at, frozen, 1.0))
    solved = lp.solve()
    assert solved is not None  # everything lacking is feasible
    minutes = np.zeros((len(pairs), d.days))
    minutes[position, day] = np.maximum(0.0, solved.values[w])
    return minutes, np.maximum(0.0, solved.values[lack] + solved.values[frozen])


def _need(d: Dense, pairs: Ints, quantity: Ints) -> Floats:
    """Minutes of pieces of some pairs, setup included."""
    return np.asarray(quantity * d.pace[pairs] + d.setup_minutes[pairs])


def _dearest(d: Dense) -> float:
    """More than a minute costs that any pair lacks, is late by or works in overtime."""
    late = d.late_cost * np.maximum(0, d.last_day - d.on_time_day)
    per_minute = (_LACK * d.unmet_cost[d.order] + late) / d.pace
    return 2.0 * (1.0 + float(per_minute.max(initial=0.0)) + float(d.overtime_cost.max(initial=0.0)))


def drafted(d: Dense, quantity: Ints, minutes: Floats) -> Draft:
    """The draft of pieces (pairs,) and minutes (pairs, days); the first minutes of a pair are its setup."""
    draft = empty(d)
    draft.quantity[:] = quantity
    pairs = np.flatnonzero(quantity)
    worked = minutes[pairs]
    need = _need(d, pairs, quantity[pairs])
    worked = worked * (need / worked.sum(axis=1))[:, None]  # takes out the solver's tolerance
    done = np.minimum(np.cumsum(worked, axis=1), d.setup_minutes[pairs][:, None])
    draft.setup[pairs] = np.diff(done, axis=1, prepend=0.0)
    draft.run[pairs] = np.maximum(0.0, worked - draft.setup[pairs])
    return draft
