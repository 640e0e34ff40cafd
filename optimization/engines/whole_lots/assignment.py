"""Lots that go whole to one factory each: costs and minutes of each choice as matrices, and the MIP of the choice.

    o orders, f factories; y_of order o goes whole to f (binary), x_o it is left, z_f factory f is engaged (binary),
    p_f overtime, i_f shortfall (minutes)

    min sum c y + g x + E z + v p + w i
    served[o]    sum_f y_of + x_o = 1
    room[f]      sum_o a_of y_of - p_f <= C_f z_f,   p_f <= V_f z_f
    tied[o,f]    y_of <= z_f
    enough       sum_f (C_f + V_f) z_f + sum_o (min_f a_of) x_o >= sum_o min_f a_of      (implied)
    target[f]    i_f + sum_o a_of y_of >= G_f

z, tied and enough are there for factories that cost something to engage, p for those with overtime, i for targets. So
where there is none of them this is the textbook's generalised assignment, row by row and column by column.

Frozen pieces are work that stands; what is left of their order goes whole to one of their factories. c has the setup,
lateness as if all were made on the first day, and what an incumbent that is kept saves. Where no order can have two
factories this is a relaxation of the plan: `left` is the cost of leaving the order or, if that is less, of making a
part of it that takes no minutes from others but fills the target of its factory. Days are not told apart: the minutes
of all of them are one sum, and overtime has the price of its cheapest day.

In: Dense. Out: money, minutes, factories of orders as positions, `left` as -1.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from c2m.domain.arrays import Flags, Floats, Ints
from optimization.contract.tolerances import FITS_MINUTES
from optimization.statement.dense import Dense
from optimization.statement.highs import Program
from optimization.statement.linear import Blocks, Cells


@dataclass(frozen=True)
class Assignment:
    """Choices of some orders over all factories, beside work that stands already.

    cost, minutes (orders, factories), infinite where the order cannot go there whole; left (orders,) is a floor under
    leaving it, unmet (orders,) what leaving all of it costs; the rest is (factories,), `room` with overtime.
    """

    cost: Floats
    minutes: Floats
    left: Floats
    unmet: Floats
    regular: Floats
    room: Floats
    overtime_cost: Floats
    engagement: Floats
    target: Floats
    shortfall_cost: Floats
    sunk: float  # of the work that stands

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of orders and factories."""
        return self.cost.shape[0], self.cost.shape[1]

    @cached_property
    def allowed(self) -> Flags:
        """Pairs (orders, factories) that can be chosen."""
        return np.isfinite(self.cost)

    @cached_property
    def fewest(self) -> Floats:
        """Minutes (orders,) of each order where it takes fewest, 0 where it can go nowhere whole."""
        fewest = np.where(self.allowed, self.minutes, np.inf).min(axis=1, initial=np.inf)
        return np.where(np.isfinite(fewest), fewest, 0.0)

    def load(self, chosen: Ints) -> Floats:
        """Minutes of each factory."""
        placed = np.flatnonzero(chosen >= 0)
        at = chosen[placed]
        return np.bincount(at, self.minutes[placed, at], minlength=len(self.room))

    def fits(self, chosen: Ints) -> bool:
        """Whether every factory has the minutes."""
        return bool((self.load(chosen) <= self.room + FITS_MINUTES).all())

    def value(self, chosen: Ints) -> float:
        """What a choice costs."""
        placed = np.flatnonzero(chosen >= 0)
        load, engaged = self.load(chosen), np.bincount(chosen[placed], minlength=len(self.room)) > 0
        orders = self.cost[placed, chosen[placed]].sum() + self.unmet[chosen < 0].sum()
        overtime = self.overtime_cost * np.maximum(0.0, load - self.regular)
        short = self.shortfall_cost * np.maximum(0.0, self.target - load)
        return float(self.sunk + orders + overtime.sum() + short.sum() + self.engagement[engaged].sum())

    def rest(self, free: Ints, chosen: Ints) -> "Assignment":
        """The choice of the free orders alone, every other one where it is chosen to be."""
        held = chosen.copy()
        held[free] = -1
        placed = np.flatnonzero(held >= 0)
        load = self.load(held)
        engaged = np.bincount(held[placed], minlength=len(self.room)) > 0
        over = np.maximum(0.0, load - self.regular)
        gone = np.setdiff1d(np.flatnonzero(held < 0), free)
        sunk = self.sunk + self.cost[placed, held[placed]].sum() + self.unmet[gone].sum()
        room = np.maximum(0.0, self.room - load)
        minutes = self.minutes[free]
        return Assignment(
            cost=np.where(minutes <= room + FITS_MINUTES, self.cost[free], np.inf),
            minutes=minutes,
            left=self.left[free],
            unmet=self.unmet[free],
            regular=np.maximum(0.0, self.regular - load),
            room=room,
            overtime_cost=self.overtime_cost,
            engagement=np.where(engaged, 0.0, self.engagement),
            target=np.maximum(0.0, self.target - load),
            shortfall_cost=self.shortfall_cost,
            sunk=float(sunk + (over * self.overtime_cost).sum() + self.engagement[engaged].sum()),
        )


def single(arrays: Dense) -> Flags:
    """Orders (orders,) whose pieces, those beside frozen ones, cannot be made at two factories."""
    count = len(arrays.quantity)
    frozen, kept = np.bincount(arrays.order, arrays.frozen, count), np.bincount(arrays.order, arrays.kept > 0, count)
    least = np.full(count, np.inf)
    np.minimum.at(least, arrays.order, arrays.least)
    whole_alone = (frozen == 0) & ((arrays.max_factories == 1) | (2 * least > arrays.quantity))
    held_alone = (frozen == 1) & (kept == 1) & (arrays.max_new == 0)
    return np.asarray(whole_alone | held_alone)


def assignment_of(arrays: Dense) -> Assignment:
    """The whole choices of an instance."""
    shape = len(arrays.quantity), len(arrays.engagement_cost)
    pairs = _choices(arrays)
    at = arrays.order[pairs.able], arrays.factory[pairs.able]
    cost, minutes = np.full(shape, np.inf), np.full(shape, np.inf)
    cost[at] = pairs.cost(arrays, pairs.pieces)[pairs.able]
    minutes[at] = (arrays.pace * pairs.pieces + pairs.setup_minutes)[pairs.able]
    load, regular, overtime_cost = _load(arrays), arrays.minutes.sum(axis=1), _overtime_cost(arrays)
    unmet = (arrays.quantity - np.bincount(arrays.order, arrays.kept, shape[0])) * arrays.unmet_cost
    target = np.maximum(0.0, arrays.target_minutes - load)
    return Assignment(
        cost=cost,
        minutes=minutes,
        left=np.minimum(unmet, _least_part(arrays, pairs, target)),
        unmet=unmet,
        regular=np.maximum(0.0, regular - load),
        room=np.maximum(0.0, arrays.room.sum(axis=1) - load),
        overtime_cost=overtime_cost,
        engagement=np.where(arrays.always, 0.0, arrays.engagement_cost),
        target=target,
        shortfall_cost=arrays.shortfall_cost,
        sunk=float(_sunk(arrays, pairs) + (overtime_cost * np.maximum(0.0, load - regular)).sum()),
    )


def _load(arrays: Dense) -> Floats:
    """(F,) minutes of what each factory keeps."""
    setup = np.where(arrays.kept > 0, arrays.setup_minutes, 0.0)
    return np.bincount(arrays.factory, arrays.kept * arrays.pace + setup, len(arrays.engagement_cost))


def _overtime_cost(arrays: Dense) -> Floats:
    """(F,) of a minute, on the cheapest day that has any; 0 where none has."""
    dear = np.where(arrays.overtime > 0, arrays.overtime_cost, np.inf).min(axis=1, initial=np.inf)
    return np.where(np.isfinite(dear), dear, 0.0)


def _sunk(arrays: Dense, pairs: "_Choices") -> float:
    """What is paid whatever is chosen: for what is kept, for what was held and is not, and for what is lost."""
    standing = np.where(arrays.kept > 0, pairs.per_piece * arrays.kept + arrays.setup_cost, 0.0)
    standing += arrays.change_cost * (arrays.held - np.minimum(arrays.held, arrays.kept))
    return float(arrays.lost + standing.sum() + arrays.engagement_cost[arrays.always].sum())


@dataclass(frozen=True)
class _Choices:
    """What each pair (pairs,) would make beside its frozen pieces: all `pieces` left of its order, where it is able."""

    able: Flags
    pieces: Ints
    per_piece: Floats
    setup_cost: Floats
    setup_minutes: Floats

    def cost(self, arrays: Dense, pieces: Ints | Floats) -> Floats:
        """Cost (pairs,) of so many pieces more than none; an incumbent that keeps its pieces saves their change."""
        spared = arrays.change_cost * (
            np.minimum(arrays.held, arrays.kept + pieces) - np.minimum(arrays.held, arrays.kept)
        )
        return np.asarray(self.per_piece * pieces + self.setup_cost - spared)


def _choices(arrays: Dense) -> _Choices:
    count = len(arrays.quantity)
    left = arrays.quantity - np.bincount(arrays.order, arrays.kept, count).astype(np.int64)
    pieces, stands = left[arrays.order], arrays.kept > 0
    made = arrays.kept + pieces
    able = (stands | (arrays.max_new > 0)[arrays.order]) & (pieces > 0)
    return _Choices(
        able=able & (arrays.least <= made) & (made <= arrays.most),
        pieces=pieces,
        per_piece=arrays.unit_cost + arrays.late_per_piece(np.arange(len(arrays.order)), arrays.first_day),
        setup_cost=np.where(stands, 0.0, arrays.setup_cost),
        setup_minutes=np.where(stands, 0.0, arrays.setup_minutes),
    )


def _least_part(arrays: Dense, pairs: _Choices, target: Floats) -> Floats:
    """Floor (orders,) under making a part of an order at one factory and leaving the rest; infinite where none can.

    The cost of a pair is convex in its pieces and bends where the incumbent's end and where the factory's target
    (minutes) is met; each minute up to it spares its shortfall.
    """
    low = np.where(arrays.kept > 0, 0, arrays.least)
    high = np.minimum(arrays.most - arrays.kept, pairs.pieces - 1)
    some, highest = low <= high, np.maximum(low, high)
    missing, spared = target[arrays.factory], arrays.shortfall_cost[arrays.factory]
    kept_up, met = arrays.held - arrays.kept, (missing - pairs.setup_minutes) / arrays.pace
    floor = np.full(len(arrays.quantity), np.inf)
    for pieces in (low, high, np.clip(kept_up, low, highest), np.clip(met, low, highest)):
        cost = pairs.cost(arrays, pieces) + (pairs.pieces - pieces) * arrays.unmet_cost[arrays.order]
        cost -= spared * np.minimum(missing, pieces * arrays.pace + pairs.setup_minutes)
        np.minimum.at(floor, arrays.order[some], cost[some])
    return floor


@dataclass(frozen=True)
class AssignmentProgram:
    """The program over some pairs (order, factory), and the columns of y, x, p, i and z, the last three by factory."""

    program: Program
    order: Ints
    factory: Ints
    columns: dict[str, Ints]
    extra: Ints
    paid: Ints
    short: Ints

    def point(self, assignment: Assignment, chosen: Ints) -> Floats:
        """The column values of a choice; an order whose pair is not among these is left."""
        values, load, used = (
            np.zeros(len(self.program.cost)),
            np.zeros(len(assignment.room)),
            chosen[self.order] == self.factory,
        )
        served = np.zeros(len(assignment.left), dtype=bool)
        served[self.order[used]] = True
        np.add.at(load, self.factory[used], assignment.minutes[self.order[used], self.factory[used]])
        values[self.columns["y"]] = used
        values[self.columns["x"]] = ~served
        values[self.columns["p"]] = np.maximum(0.0, load - assignment.regular)[self.extra]
        values[self.columns["z"]] = load[self.paid] > 0
        values[self.columns["i"]] = np.maximum(0.0, assignment.target - load)[self.short]
        return values

    def choice(self, assignment: Assignment, values: Floats) -> Ints:
        """The choice in column values."""
        used = values[self.columns["y"]] > 0.5
        chosen = np.full(len(assignment.left), -1)
        chosen[self.order[used]] = self.factory[used]
        return chosen


def stated(assignment: Assignment, among: Flags) -> AssignmentProgram:
    """The program over some of the allowed pairs."""
    order, factory = np.nonzero(assignment.allowed & among)
    orders, factories = assignment.shape
    lp = Blocks(offset=assignment.sunk)
    y, x = lp.columns(assignment.cost[order, factory], upper=1.0), lp.columns(assignment.left, upper=1.0)
    lp.rows(orders, 1.0, 1.0, (order, y, 1.0), (np.arange(orders), x, 1.0))
    overtime = assignment.room - assignment.regular
    extra, paid = np.flatnonzero(overtime > 0), np.flatnonzero(assignment.engagement > 0)
    p = _of_some(lp, extra, assignment.overtime_cost, overtime)
    z = _of_some(lp, paid, assignment.engagement, np.ones(factories))
    short = np.flatnonzero((assignment.shortfall_cost > 0) & (assignment.target > 0))
    i = lp.columns(assignment.shortfall_cost[short])
    work = factory, y, assignment.minutes[order, factory]
    _add_rooms(lp, assignment, work, p, z)
    _add_targets(lp, assignment, work, short, i)
    _add_engaging(lp, factory, y, z)
    if len(paid):
        _add_enough(lp, assignment, among, x, z)
    columns = {"y": y, "x": x, "p": p[extra], "i": i, "z": z[paid]}
    return AssignmentProgram(lp.program(np.concatenate([y, z[paid]])), order, factory, columns, extra, paid, short)


def _of_some(lp: Blocks, some: Ints, cost: Floats, upper: Floats) -> Ints:
    """(F,) a column for each of some factories, -1 for the others."""
    columns = np.full(len(cost), -1)
    columns[some] = lp.columns(cost[some], upper=upper[some])
    return columns


def _add_engaging(lp: Blocks, factory: Ints, chosen: Ints, z: Ints) -> None:
    """Where being engaged is paid for, a pair makes nothing without it."""
    tied = np.flatnonzero(z[factory] >= 0)
    rows = np.arange(len(tied))
    lp.rows(len(tied), -np.inf, 0.0, (rows, chosen[tied], 1.0), (rows, z[factory[tied]], -1.0))


def _add_rooms(lp: Blocks, assignment: Assignment, work: Cells, p: Ints, z: Ints) -> None:
    """room."""
    extra, paid, both = (np.flatnonzero(flags) for flags in (p >= 0, z >= 0, (p >= 0) & (z >= 0)))
    more, regular = (extra, p[extra], -1.0), (paid, z[paid], -assignment.regular[paid])
    lp.rows(len(p), -np.inf, np.where(z < 0, assignment.regular, 0.0), work, more, regular)
    at = np.arange(len(both))
    lp.rows(len(both), -np.inf, 0.0, (at, p[both], 1.0), (at, z[both], -(assignment.room - assignment.regular)[both]))


def _add_targets(lp: Blocks, assignment: Assignment, work: Cells, short: Ints, i: Ints) -> None:
    """target."""
    row = np.full(len(assignment.room), -1)
    row[short] = np.arange(len(short))
    factory, y, minutes = work
    mine = row[factory] >= 0
    cells = (row[factory][mine], y[mine], np.asarray(minutes)[mine]), (np.arange(len(short)), i, 1.0)
    lp.rows(len(short), assignment.target[short], np.inf, *cells)


def _add_enough(lp: Blocks, assignment: Assignment, among: Flags, x: Ints, z: Ints) -> None:
    """enough."""
    paid = np.flatnonzero(z >= 0)
    fewest = np.where(assignment.allowed & among, assignment.minutes, np.inf).min(axis=1, initial=np.inf)
    fewest = np.where(np.isfinite(fewest), fewest, 0.0)
    least = fewest.sum() - assignment.room[z < 0].sum()
    lp.rows(1, least, np.inf, (np.zeros_like(paid), z[paid], assignment.room[paid]), (np.zeros_like(x), x, fewest))
