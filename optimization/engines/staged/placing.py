"""A first plan in stages: lot after lot along known routes, each stage as early as its factory and its pieces allow.

Lots go by due date; in a further round those go first that were left unmet. Each tries its routes from the cheapest at
the bound's prices: all its pieces if they fit, else as many as do. A setup comes first, on the days that have room.
Frozen work and pools are not placed here.
In: the routes of a bound. Out: pieces by pair and link, and by which day setups are done. Days count from 0.
"""

import time
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from optimization.contract.tolerances import DUST_MINUTES, WHOLE_PIECES
from optimization.engines.staged.routes import Bound, Routes, Step, Way
from optimization.statement.arrays import Floats, Ints

Path = tuple[int, ...]  # a pair for each stage
_ROUNDS = 300  # measured at 60 lots x 20 factories: 1 leaves a gap of 28 %, 30 of 11 %, in 0.4 s


@dataclass
class Placed:
    """What is placed so far; `free`: minutes left (factories, days)."""

    free: Floats
    pieces: dict[int, int] = field(default_factory=dict)  # by pair
    passed: dict[tuple[int, int], int] = field(default_factory=dict)  # by pair and pair of the next stage
    set_up: dict[int, int] = field(default_factory=dict)  # by pair, the day on which its setup is done


@dataclass(frozen=True)
class _Try:
    """Pieces along a path, tried: how many arrive at its end, minutes left then, when setups are done."""

    pieces: float
    free: Floats
    set_up: dict[int, int]


def placed(routes: Routes, bound: Bound, until: float) -> Placed:
    """The cheapest of some rounds: what a round leaves unmet goes first in the next."""
    paths = _paths(routes, bound)
    queue, best, least = _by_due_date(routes, paths), Placed(routes.arrays.room.copy()), np.inf
    for _ in range(_ROUNDS):
        plan, cost, short = Placed(routes.arrays.room.copy()), 0.0, []
        for number in queue:
            spent, left = _place(routes, plan, number, paths[number])
            cost += spent + left * routes.ways[number].unmet_cost
            short += [number] * (left > 0)
        if cost < least:
            best, least = plan, cost
        if not short or time.monotonic() > until:
            break
        queue = [*short, *(number for number in queue if number not in set(short))]
    return best


def _paths(routes: Routes, bound: Bound) -> dict[int, list[tuple[Path, float]]]:
    """By way its paths, cheapest at the bound's prices first, each with what a piece costs beside minutes."""
    known: dict[int, dict[Path, tuple[float, float]]] = {}
    for route in bound.columns:
        priced = route.cost + float(bound.price.ravel()[route.slots] @ route.minutes)
        path, of = tuple(route.pairs.tolist()), known.setdefault(route.way, {})
        of[path] = min((priced, route.cost), of.get(path, (np.inf, np.inf)))
    return {
        way: [(path, of[path][1]) for path in sorted(of, key=lambda path: (of[path], path))]
        for way, of in known.items()
    }


def _by_due_date(routes: Routes, paths: dict[int, list[tuple[Path, float]]]) -> list[int]:
    due = {way: min(routes.arrays.on_time_day[path[-1]] for path, _ in of) for way, of in paths.items()}
    return sorted(paths, key=lambda way: (due[way], way))


def _place(routes: Routes, plan: Placed, number: int, paths: list[tuple[Path, float]]) -> tuple[float, int]:
    """Places a way's pieces; what they cost beside minutes, and how many are left."""
    way, least = routes.ways[number], routes.arrays.least
    left, spent = way.pieces, 0.0
    for path, cost in paths:
        if not left:
            break
        if not _allowed(routes, plan, path):
            continue
        done = _tried(routes, plan, way, path, left)
        pieces = min(left, int(done.pieces + WHOLE_PIECES))
        if pieces < max(1, *(int(least[p]) - plan.pieces.get(p, 0) for p in path)):
            continue
        _take(plan, path, pieces, done if pieces == left else _tried(routes, plan, way, path, pieces))
        left, spent = left - pieces, spent + pieces * cost
    return spent, left


def _allowed(routes: Routes, plan: Placed, path: Path) -> bool:
    """Whether each pair is used already or its stage may have one more."""
    a = routes.arrays
    for p in path:
        shared = sum(a.order[q] == a.order[p] for q in plan.pieces)
        if p not in plan.pieces and shared >= a.max_new[a.order[p]]:
            return False
    return True


def _take(plan: Placed, path: Path, pieces: int, done: _Try) -> None:
    plan.free = done.free
    plan.set_up |= done.set_up
    for p in path:
        plan.pieces[p] = plan.pieces.get(p, 0) + pieces
    for link in pairwise(path):
        plan.passed[link] = plan.passed.get(link, 0) + pieces


def _tried(routes: Routes, plan: Placed, way: Way, path: Path, pieces: int) -> _Try:
    """Pieces along a path, stage by stage, in the minutes that are left."""
    a, free, set_up = routes.arrays, plan.free.copy(), dict(plan.set_up)
    there = np.full(a.days, float(pieces))
    if way.starts is not None:
        there[: way.starts[np.flatnonzero(way.steps[0].pairs == path[0])[0]]] = 0.0
    for number, p in enumerate(path):
        if number:
            wait = _days_between(way.steps[number], way.steps[number - 1].pairs, path[number - 1], p)
            there = np.concatenate([np.zeros(wait), there])[: a.days]
        there = _worked(routes, free, set_up, p, there)
    return _Try(float(there[-1]), free, set_up)


def _days_between(step: Step, before: Ints, p: int, q: int) -> int:
    source, sink = np.flatnonzero(before == p)[0], np.flatnonzero(step.pairs == q)[0]
    return int(step.days[(step.source == source) & (step.sink == sink)][0])


def _worked(routes: Routes, free: Floats, set_up: dict[int, int], p: int, there: Floats) -> Floats:
    """Pieces finished by each day where so many are there; takes their minutes and the setup's from the days."""
    a, f = routes.arrays, routes.arrays.factory[p]
    missing = 0.0 if p in set_up else float(a.setup_minutes[p])
    finished, done = np.zeros(a.days), 0.0
    for d in range(a.first_day[p], a.last_day[p] + 1):
        room = min(free[f, d], a.day_limit[p])
        setup = min(missing, room)
        missing -= setup
        run = 0.0
        if missing <= DUST_MINUTES:
            set_up.setdefault(p, d)
            run = max(0.0, min(room - setup, (there[d] - done) * a.pace[p]))
        free[f, d] -= setup + run
        done += run / a.pace[p]
        finished[d] = done
    finished[a.last_day[p] + 1 :] = done
    return finished
