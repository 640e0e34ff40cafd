"""Two searches over one program: with fractional pieces, which is quick, then, once that closed, with whole ones.

In: a Program whose integer columns are pieces and switches (0 or 1), the limits. Out: the best point found with every
integer column whole, and a proven bound on the cost of any such point.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from c2m.domain.arrays import Floats
from optimization.contract.tolerances import WHOLE_PIECES
from optimization.statement.highs import Limits, Program, Progress, Spent, complete, search

Columns = NDArray[np.int64]
OnProgress = Callable[[Progress], None]

# Measured at 60 lots x 20 factories x 14 days: fractional pieces reach a gap of 0.1 % in 6 s, whole ones stand at 3 %
# after 20 s. At 60 x 60 x 21 a start from the pairs that the relaxation uses is at 0.5 % after 2 s of processor time;
# without it the gap is 23 % after 6 s.
_SMALL = 300  # integer columns; up to here the search needs no start
_START_BY, _START_GAP = 0.5, 0.01  # share of the time by which the start must stand, gap that is good enough for it
_LOOSE_BY, _LOOSE_GAP = 0.85, 0.75  # less than the asked gap, so that whole pieces stay within it
_ROUNDING_BY, _ROUNDING_GAP, _ROUNDING_NODES = 0.95, 0.2, 50  # whole pieces, switches fixed


@dataclass(frozen=True)
class BoundedPoint:
    """The best point found; `bound` is None where the time did not even suffice for the relaxation."""

    values: Floats
    bound: float | None
    bound_by: str  # lp | mip
    nodes: int
    lp_iterations: int


@dataclass(frozen=True)
class _Clock:
    """The asked limits and when they began to count."""

    limits: Limits
    began: float

    def until(self, share: float, gap: float) -> Limits:
        """Limits of a search that ends by a share of the time."""
        return replace(self.limits, seconds=share * self.limits.seconds - (time.monotonic() - self.began), gap=gap)

    @property
    def over(self) -> bool:
        return time.monotonic() - self.began >= self.limits.seconds or self.limits.stopped


def frozen_alone(program: Program) -> Floats | None:
    """The point with no work but the frozen one, every other piece unmet; None where the frozen work does not fit."""
    crossed = bool((program.lower > program.upper).any())  # more frozen than the pair or its order can take
    return None if crossed else exactly(program, program.lower)


def best(
    program: Program, pieces: Columns, start: Floats, limits: Limits, progress: OnProgress | None = None
) -> BoundedPoint:
    """The best point within the limits, never worse than `start`."""
    clock = _Clock(limits, time.monotonic())
    loose = replace(program, integer=program.integer & ~_mask(program, pieces))
    relaxed = complete(program, limits.seconds) if loose.integer.sum() > _SMALL else None
    fractional = _guided(loose, pieces, relaxed, start, clock)
    searches = [search(loose, fractional, clock.until(_LOOSE_BY, _LOOSE_GAP * limits.gap), progress)]
    values = fractional if searches[0].values is None else searches[0].values
    point = better(program, start, _whole(program, pieces, values, clock))
    if searches[0].closed and not clock.over and _gap(program.value(point), searches[0].bound) > limits.gap:
        searches.append(search(program, point, clock.until(1.0, limits.gap), progress))
        point = better(program, point, exactly(program, searches[1].values))
    bounds = [(found.bound, "mip") for found in searches if found.bound is not None]
    bounds += [] if relaxed is None else [(program.value(relaxed), "lp")]
    bound, bound_by = max(bounds, default=(None, "lp"))
    nodes, lp_iterations = sum(found.nodes for found in searches), sum(found.lp_iterations for found in searches)
    return BoundedPoint(point, bound, bound_by, nodes, lp_iterations)


def improved(program: Program, pieces: Columns, start: Floats, limits: Limits, work_s: float) -> tuple[Floats, bool]:
    """A point from a start that is good already: one search with fractional pieces; and whether it closed the gap.

    `work_s`: processor seconds that it may take, which a busy machine stretches.
    """
    began = time.monotonic()
    loose = replace(program, integer=program.integer & ~_mask(program, pieces))
    found = search(loose, start, replace(limits, stop=Spent(_LOOSE_BY * work_s)))
    if found.values is None:
        return start, False
    clock = _Clock(replace(limits, stop=Spent((1 - _LOOSE_BY) * work_s)), began)
    return better(program, start, _whole(program, pieces, found.values, clock)), found.closed


def _of_these(loose: Program, pieces: Columns, used: NDArray[np.bool_]) -> Program:
    """The program in which the other pairs make no more than they must."""
    unused = _mask(loose, pieces) & ~used
    return replace(loose, upper=np.where(unused, loose.lower, loose.upper))


def _guided(loose: Program, pieces: Columns, relaxed: Floats | None, start: Floats, clock: _Clock) -> Floats:
    """A good start, with fractional pieces: the search over the pairs that the relaxation or the start uses."""
    if relaxed is None:
        return start
    used = (relaxed > WHOLE_PIECES) | (start > WHOLE_PIECES)
    found = search(_of_these(loose, pieces, used), start, clock.until(_START_BY, max(_START_GAP, clock.limits.gap)))
    return start if found.values is None else found.values


def _whole(program: Program, pieces: Columns, values: Floats, clock: _Clock) -> Floats | None:
    """The best whole pieces found for the switches of `values`."""
    switches = program.integer & ~_mask(program, pieces)
    fixed = _fixed(program, switches, values)
    vertex = complete(fixed)
    if vertex is None:
        return None
    tries = (exactly(fixed, np.floor(vertex + slack)) for slack in (WHOLE_PIECES, 0.0))
    down = next((point for point in tries if point is not None), None)
    if down is None or np.abs(vertex - down)[pieces].max(initial=0.0) <= WHOLE_PIECES:
        return down
    limits = clock.until(_ROUNDING_BY, _ROUNDING_GAP * clock.limits.gap)
    rounded = search(fixed, down, replace(limits, nodes=_ROUNDING_NODES) if clock.limits.nodes else limits)
    return better(program, down, exactly(fixed, rounded.values))


def exactly(program: Program, values: Floats | None) -> Floats | None:
    """The best point with the integer columns of `values`, made whole."""
    if values is None:
        return None
    fixed = _fixed(program, program.integer, values)
    return complete(fixed)


def _fixed(program: Program, columns: NDArray[np.bool_], values: Floats) -> Program:
    whole = np.rint(values)
    return replace(
        program,
        lower=np.where(columns, whole, program.lower),
        upper=np.where(columns, whole, program.upper),
    )


def _mask(program: Program, columns: Columns) -> NDArray[np.bool_]:
    mask = np.zeros_like(program.integer)
    mask[columns] = True
    return mask


def better(program: Program, point: Floats, other: Floats | None) -> Floats:
    """The cheaper of two points; the first where there is no other."""
    return other if other is not None and program.value(other) <= program.value(point) else point


def _gap(objective: float, bound: float | None) -> float:
    if bound is None or objective == 0:
        return 0.0 if bound == objective else np.inf
    return (objective - bound) / abs(objective)
