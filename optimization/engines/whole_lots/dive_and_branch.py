"""Instances whose lots go whole to one factory each: dives for plans beside branch and bound for the proof.

Where no order can have two factories and days need no telling apart, the plan is a choice of one factory per order
(optimization/engines/whole_lots/assignment.py): fewer and stronger rows than the general statement. One process dives
for choices (optimization/engines/whole_lots/dive.py); this one raises the bound by branch and bound over the pairs
whose floor allows a better plan than the best known, first over few of them. They hand each other what they find.

Where no factory costs anything to engage, HiGHS alone is strong already. There this process searches the program over
all pairs as HiGHS alone would, from the first moment to the last: from no start, told of nothing, on a core of its
own. The other one proves and dives by turns. The plan is the best that either found.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from threading import Event, Thread
from typing import Any

import numpy as np
import pandas as pd

from c2m.domain.arrays import Flags, Floats, Ints
from optimization.contract.plan import gap_share
from optimization.engines.exact import one_program
from optimization.engines.exact.workers import end_with_parent
from optimization.engines.location.engagement import floors
from optimization.engines.whole_lots.assignment import Assignment, AssignmentProgram, assignment_of, single, stated
from optimization.engines.whole_lots.best_known import Board
from optimization.engines.whole_lots.dive import Dives, Task
from optimization.statement import schedule
from optimization.statement.dense import Dense
from optimization.statement.highs import Exchange, Limits, Progress, SearchResult, search
from optimization.statement.part import Whole
from optimization.statement.solution import Solution

OnProgress = Callable[[Progress], None]

_CONTEXT = get_context("forkserver")
_FEWEST = 300  # pairs; below, the general statement is solved at once
_FLOORS_BY, _SEARCH_BY = 0.1, 0.97  # shares of the time by which floors and search end
_PROOF_FIRST_BY, _DIVES_BY = 0.1, 0.8  # in one process by turns: branch and bound, dives, branch and bound
_PROOF_NEAR_BY, _NEAR = 0.2, 0.007  # share of the time by which branch and bound is to have come so near, relative
_NICE = 2  # of the process beside the solver alone
_WHOLE_BY = 0.2  # share of the time by which whole choices must serve all orders that can be made in part
_ASSUMED = (0.002, 0.005, 0.015, 0.04, np.inf)  # what a best plan may cost above the bound, in turn
_POLISH_S = (1.0, 5.0)  # seconds for orders in part, at least and at most
_LEAST_S = 0.5  # the general statement is not begun with less


def suits(whole: Whole, limits: Limits) -> bool:
    """Whether no order can have two factories and days need no telling apart; searches by nodes stay as they are.

    Not where the book is more than all minutes and orders can be made in part: parts are what decides there.

    Parameters
    ----------
    whole
        The instance made ready for cutting.
    limits
        When to stop.

    Returns
    -------
    bool
        False where another engine should take it.
    """
    pairs, spans = whole.reduced.pairs, whole.reduced.spans
    if limits.nodes is not None or len(pairs) < _FEWEST or spans["factory_id"].duplicated().any():
        return False
    return bool(single(whole.arrays).all()) and not _in_parts_alone(assignment_of(whole.arrays))


def _in_parts_alone(assignment: Assignment) -> bool:
    return bool(assignment.fewest.sum() > assignment.room.sum()) and bool((assignment.left < assignment.unmet).any())


def solved(whole: Whole, limits: Limits, start: Solution, progress: OnProgress | None = None) -> Solution:
    """The best plan found, never dearer than `start`, and a bound proven for all pairs.

    Parameters
    ----------
    whole
        The instance made ready for cutting.
    limits
        When to stop.
    start
        A plan to begin with, which the result never costs more than.
    progress
        Called with each step of the search; None: nobody is told.

    Returns
    -------
    Solution
        With what the search counted.
    """
    began = time.monotonic()
    assignment = assignment_of(whole.arrays)
    board = Board(_CONTEXT, assignment, _chosen(whole, assignment, start.allocation))
    stop = _Stop(board, limits, assignment.left < assignment.unmet, began + _WHOLE_BY * limits.seconds)
    proof = _searched(
        whole.arrays, _Hunt(assignment, board, replace(limits, threads=1, stop=stop), began), limits.threads, progress
    )
    found = _outcome(whole, assignment, board.best())
    polish = replace(limits, seconds=float(np.clip(began + limits.seconds - time.monotonic(), *_POLISH_S)))
    found = min(_polished(whole, found, polish), start, key=lambda one: one.cost)
    found = replace(found, bound=board.bound, bound_by=board.bound_by, nodes=proof.nodes, columns=proof.columns)
    left = replace(limits, seconds=began + _SEARCH_BY * limits.seconds - time.monotonic())
    if left.seconds < _LEAST_S or limits.stopped or found.cost - board.bound <= limits.gap * abs(found.cost):
        return found
    return _in_parts(whole, left, found, progress)


def _in_parts(whole: Whole, limits: Limits, found: Solution, progress: OnProgress | None) -> Solution:
    """The best plan of the general statement: the choice is proven, but an order made in part may cost less."""
    better = one_program.solved(whole.instance, whole.reduced, limits, progress, known=found.allocation)
    if better is None:
        return found
    bound, by = max((found.bound, found.bound_by), (better.bound, better.bound_by))
    return replace(min(better, found, key=lambda one: one.cost), bound=bound, bound_by=by)


@dataclass(frozen=True)
class _Hunt:
    """What is searched, where finds go, the limits of one process, and the monotonic time from which they count."""

    assignment: Assignment
    board: Board
    limits: Limits
    began: float

    def until(self, share: float) -> float:
        """The monotonic time by which a share of the time is over."""
        return self.began + share * self.limits.seconds


def _searched(arrays: Dense, hunt: _Hunt, threads: int, progress: OnProgress | None) -> "_Proof":
    """Searches until a limit; returns the branch and bound of this process."""
    if threads == 1:
        return _in_turn(arrays, hunt, progress)
    unwatched = replace(hunt, limits=replace(hunt.limits, stop=None))  # the other process is ended from here
    if not hunt.assignment.engagement.any():
        watched = replace(hunt, limits=replace(hunt.limits, threads=threads))
        plain = _Proof(watched, np.zeros(hunt.assignment.shape), progress, alone=True)
        _beside((_yielding, arrays, unwatched), hunt.board, partial(plain.run, hunt.until(1.0)))
        return plain
    task = _task(arrays, hunt)
    proof = _Proof(hunt, task.floor, progress)
    _beside((_dive, task, unwatched, _SEARCH_BY), hunt.board, partial(_proven, proof, task, hunt))
    return proof


def _proven(proof: "_Proof", task: Task, hunt: _Hunt) -> None:
    """Branch and bound; where it has not come near in its share of the time, dives of another seed until it may."""
    if not proof.run(hunt.until(_PROOF_NEAR_BY)):
        far = _Near(hunt.board, hunt.limits)
        _dive(replace(task, seed=2), replace(hunt, limits=replace(hunt.limits, stop=far)), _SEARCH_BY)
        proof.run(hunt.until(_SEARCH_BY))


def _task(arrays: Dense, hunt: _Hunt) -> Task:
    """Floors under plans that use a pair, and prices."""
    proven = floors(arrays, _FLOORS_BY * hunt.limits.seconds)
    hunt.board.raise_to(proven.bound, "lagrangian")
    floor = np.full(hunt.assignment.shape, np.inf)
    floor[arrays.order, arrays.factory] = proven.pair
    return Task(hunt.assignment, floor, np.minimum(hunt.assignment.left, proven.prices * arrays.quantity), seed=1)


def _in_turn(arrays: Dense, hunt: _Hunt, progress: OnProgress | None = None) -> "_Proof":
    """Branch and bound, dives, branch and bound, in shares of the time."""
    task = _task(arrays, hunt)
    proof, dives = _Proof(hunt, task.floor, progress), _dives(task, hunt, _DIVES_BY)
    dives.begin()
    if not proof.run(hunt.until(_PROOF_FIRST_BY)):
        dives.run(partial(hunt.board.raise_to, by="lagrangian"))
        proof.run(hunt.until(_SEARCH_BY))
    return proof


def _yielding(arrays: Dense, hunt: _Hunt) -> None:
    """By turns, in what time other processes leave: the solver alone is to be no slower for this one."""
    os.nice(_NICE)
    _in_turn(arrays, hunt)


def _dive(task: Task, hunt: _Hunt, share: float) -> None:
    """Dives until a share of the time is over."""
    dives = _dives(task, hunt, share)
    dives.begin()
    dives.run(partial(hunt.board.raise_to, by="lagrangian"))


def _dives(task: Task, hunt: _Hunt, share: float) -> Dives:
    return Dives(
        task, hunt.board.best, partial(_offer, hunt.board, task.assignment), hunt.until(share), hunt.limits.stop
    )


def _offer(board: Board, assignment: Assignment, chosen: Ints) -> None:
    board.offer(chosen, assignment.value(chosen))


def _beside(other: tuple[Any, ...], board: Board, here: Callable[[], object]) -> None:
    """A search here, and another one (function, arguments) in a process that ends with it."""
    process = _CONTEXT.Process(target=_apart, args=other, daemon=True)
    starting = Thread(target=process.start)  # takes seconds on a busy machine, which this search need not wait for
    starting.start()
    try:
        here()
    finally:
        starting.join()
        with board.held():
            process.kill()
            process.join()


def _apart(run: Callable[..., object], *arguments: object) -> None:
    """Runs a search in a process of its own."""
    end_with_parent()
    run(*arguments)


class _Stop(Event):
    """Set where the best so far is wanted, the gap is closed by whoever closed it, or whole choices do not suffice.

    They do not where by a time (monotonic) the best one still leaves an order (orders,) of which a part can be made.
    """

    def __init__(self, board: Board, limits: Limits, in_part: Flags, by: float) -> None:
        super().__init__()
        self._board, self._limits, self._in_part, self._by = board, limits, in_part, by

    def is_set(self) -> bool:
        """Asked by the solver now and then."""
        board, limits = self._board, self._limits
        closed = board.cost - board.bound <= limits.gap * abs(board.cost)
        late = time.monotonic() > self._by and bool(self._in_part.any())
        return closed or limits.stopped or (late and bool(self._in_part[board.best() < 0].any()))


class _Near(Event):
    """Set where the gap is small enough for branch and bound to close it, or the search is over."""

    def __init__(self, board: Board, limits: Limits) -> None:
        super().__init__()
        self._board, self._limits = board, limits

    def is_set(self) -> bool:
        """Asked now and then."""
        return self._limits.stopped or self._board.cost - self._board.bound <= _NEAR * abs(self._board.cost)


class _Proof:
    """Branch and bound over more and more pairs, until all that could better the best plan have been searched.

    `alone`: over all pairs at once, as HiGHS without anything beside it.
    """

    def __init__(self, hunt: _Hunt, floor: Floats, progress: OnProgress | None, alone: bool = False) -> None:
        self._assignment, self._board, self._limits, self._began = hunt.assignment, hunt.board, hunt.limits, hunt.began
        self._floor, self._progress, self._alone = floor, progress, alone
        self._base, self._shares = hunt.board.bound, [np.inf] if alone else list(_ASSUMED)
        self.nodes, self.columns = 0, 0

    def run(self, end: float) -> bool:
        """Until a monotonic time; whether before that all was searched, the gap closed or the search stopped."""
        for share in self._shares.copy():
            assumed = self._base + share * abs(self._base) if np.isfinite(share) else np.inf
            cutoff = min(assumed, self._board.cost)
            if self._limits.stopped or time.monotonic() >= end:
                break
            found = self._search(cutoff, end)
            if found.bound is not None:
                self._board.raise_to(min(cutoff, found.bound), "mip")
            if found.closed:
                self._shares.remove(share)
            if cutoff < assumed:
                return found.closed or self._limits.stopped
        return self._limits.stopped

    def _search(self, cutoff: float, end: float) -> SearchResult:
        program = stated(self._assignment, self._floor <= cutoff)
        self.columns = max(self.columns, len(program.program.cost))
        told = _Told(self._assignment, self._board, program)
        limits = replace(self._limits, seconds=end - time.monotonic())
        start, offered = (None, None) if self._alone else (told.begin(), told.offered)
        found = search(program.program, start, limits, self._telling(cutoff), Exchange(offered, told.improved))
        self.nodes += found.nodes
        if found.values is not None:
            told.improved(found.values)
        return found

    def _telling(self, cutoff: float) -> OnProgress:
        """Hands on what is known about all pairs: nothing above the cutoff is proven for those left out."""

        def tell(step: Progress) -> None:
            if np.isfinite(step.bound):
                self._board.raise_to(min(step.bound, cutoff), "mip")
            cost, bound = self._board.cost, self._board.bound
            if self._progress:
                self._progress(Progress(time.monotonic() - self._began, bound, cost, gap_share(cost, bound)))

        return tell


@dataclass
class _Told:
    """What a program and the board tell each other."""

    assignment: Assignment
    board: Board
    program: AssignmentProgram
    known: float = np.inf

    def begin(self) -> Floats:
        """The point of the best choice."""
        self.known = self.board.cost
        return self.program.point(self.assignment, self.board.best())

    def offered(self) -> Floats | None:
        """The point of the best choice where it is a new one."""
        return self.begin() if self.board.cost < self.known else None

    def improved(self, values: Floats) -> None:
        """Puts the choice of a point on the board."""
        chosen = self.program.choice(self.assignment, values)
        if self.assignment.fits(chosen):
            self.board.offer(chosen, self.assignment.value(chosen))


def _chosen(whole: Whole, assignment: Assignment, allocation: pd.DataFrame) -> Ints:
    """The whole choices in an allocation; an order of which a part is made is left."""
    pair = whole.place(allocation)
    arrays = whole.arrays
    made = np.zeros(len(arrays.order), dtype=np.int64)
    made[pair] = allocation["quantity"].to_numpy()
    all_made = np.bincount(arrays.order, made, len(arrays.quantity)) == arrays.quantity
    placed = np.flatnonzero(
        (made > arrays.kept) & all_made[arrays.order] & assignment.allowed[arrays.order, arrays.factory]
    )
    chosen = np.full(len(arrays.quantity), -1)
    chosen[arrays.order[placed]] = arrays.factory[placed]
    return chosen


def _outcome(whole: Whole, assignment: Assignment, chosen: Ints) -> Solution:
    """The plan of a choice: all days of a factory are one span."""
    arrays = whole.arrays
    mine = chosen[arrays.order] == arrays.factory
    left = arrays.quantity - np.bincount(arrays.order, arrays.kept, len(arrays.quantity)).astype(np.int64)
    quantity = arrays.kept + np.where(mine, left[arrays.order], 0)
    pair = np.flatnonzero(quantity)
    allocation = pd.DataFrame(
        {"lot_id": whole.lot_ids[arrays.order[pair]], "factory_id": whole.factory_ids[arrays.factory[pair]]}
    )
    minutes = quantity[pair] * arrays.pace[pair] + arrays.setup_minutes[pair]
    made, work = allocation.assign(quantity=quantity[pair]), allocation.assign(span=0, minutes=minutes)
    return Solution(made, schedule.by_day(whole.reduced, made, work), assignment.value(chosen))


def _polished(whole: Whole, found: Solution, limits: Limits) -> Solution:
    """The plan with parts of the orders that it leaves, where they can be made."""
    made = found.allocation.groupby("lot_id")["quantity"].sum().reindex(whole.lot_ids, fill_value=0).to_numpy()
    left = made < whole.arrays.quantity
    if not left.any():
        return found
    used = np.zeros(len(whole.arrays.order), dtype=bool)
    used[whole.place(found.allocation)] = True
    pairs = replace(whole.reduced, pairs=whole.reduced.pairs[used | left[whole.arrays.order]].reset_index(drop=True))
    better = one_program.solved(whole.instance, pairs, limits, known=found.allocation)
    return found if better is None else min(better, found, key=lambda one: one.cost)
