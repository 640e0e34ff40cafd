"""The large-scale regime: prices of capacity, a fractional plan rounded, then parts planned anew in parallel.

For instances that one MIP does not carry. A linear program gives prices and pieces where it is small enough, an ascent
where it is not. Beside the search for better plans, one process raises the bound (optimization/patterns.py).
"""

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context, parent_process
from threading import Thread

import numpy as np
import pandas as pd

from optimization import patterns
from optimization import prices as lagrangian
from optimization.ascent import ascend
from optimization.dense import Dense, Floats, dense
from optimization.draft import Draft
from optimization.exact import Outcome
from optimization.highs import Limits, Progress
from optimization.neighbourhood import Search
from optimization.pairs import Pairs
from optimization.part import whole
from optimization.problem import Instance
from optimization.relaxation import relax
from optimization.rounding import filled, rounded

_FEWEST_SLOTS = 8_000  # below, branch and bound on the whole instance searches better
_MOST_SLOTS = 250_000  # of a linear program over all slots
_MOST_PATTERN_SLOTS = 1_000_000  # above, the raising of the bound does not get anywhere in minutes
_LP_BY, _ROUND_BY, _BOUND_BY = 0.4, 0.6, 0.5  # shares of the time


@dataclass
class _Bound:
    """The best proven bound so far, what proves it, and prices by which the verifier confirms the most of it."""

    value: float
    by: str  # lp | lagrangian
    prices: Floats

    def raise_to(self, value: float) -> None:
        """Takes over a better one, proven by some prices."""
        if value > self.value:
            self.value, self.by = value, "lagrangian"


def solved(
    instance: Instance, reduced: Pairs, limits: Limits, progress: Callable[[Progress], None] | None = None
) -> Outcome | None:
    """The best plan found; None where the instance is small, is to be solved by nodes, or frozen work does not fit."""
    began = time.monotonic()
    d = dense(instance, reduced)
    if limits.nodes is not None or len(d.slots[0]) < _FEWEST_SLOTS:
        return None
    bound, first_plan = _priced(d, limits)
    with _workers(limits.threads) as pool:
        raised = _raising(pool, d, bound, limits, began)
        draft = first_plan()
        if draft is None:
            return None
        search = Search(whole(instance, reduced, d), draft, bound.prices)

        def gap() -> float:
            return (search.cost - bound.value) / abs(search.cost) if search.cost > bound.value else 0.0

        def told() -> None:
            if progress:
                progress(Progress(time.monotonic() - began, bound.value, search.cost, gap()))

        told()
        while time.monotonic() < began + limits.seconds and gap() > limits.gap and not limits.stopped:
            if raised and raised.done():
                bound.raise_to(raised.result()[0])
                raised = None
            search.step(pool, limits.threads - (raised is not None), began + limits.seconds)
            told()
    return _outcome(search, bound)


def _priced(d: Dense, limits: Limits) -> tuple[_Bound, Callable[[], Draft | None]]:
    """Prices with their bound, and the way to a first plan; that one gives None where frozen work does not fit."""
    began = time.monotonic()
    relaxed = relax(d, seconds=_LP_BY * limits.seconds) if len(d.slots[0]) <= _MOST_SLOTS else None
    if relaxed is None:
        ascended = ascend(d, _LP_BY * limits.seconds)
        return _Bound(ascended.bound, "lagrangian", ascended.prices), partial(filled, d, ascended.pieces)
    until = began + _ROUND_BY * limits.seconds
    return _Bound(relaxed.value, "lp", relaxed.prices), partial(rounded, d, relaxed, until, lambda: limits.stopped)


def _end_with_the_parent() -> None:
    """In a worker: ends it once the parent is gone, however that ended."""

    def watch() -> None:
        if parent := parent_process():
            parent.join()
        os._exit(1)

    Thread(target=watch, daemon=True).start()


@contextmanager
def _workers(count: int) -> Iterator[ProcessPoolExecutor]:
    """Worker processes that end with the block, whatever they are at."""
    pool = ProcessPoolExecutor(count, mp_context=get_context("forkserver"), initializer=_end_with_the_parent)
    try:
        yield pool
    finally:
        processes = list((pool._processes or {}).values())
        for process in processes:
            process.terminate()
        pool.shutdown(cancel_futures=True)


def _raising(
    pool: ProcessPoolExecutor, d: Dense, bound: _Bound, limits: Limits, began: float
) -> Future[tuple[float, Floats]] | None:
    """A process that raises the bound by patterns; None where it would not get anywhere: then one look raises it."""
    seconds = _BOUND_BY * limits.seconds - (time.monotonic() - began)
    if len(d.slots[0]) > _MOST_PATTERN_SLOTS or limits.threads < 2 or seconds < 1:
        bound.raise_to(patterns.value(d, bound.prices))
        return None
    return pool.submit(patterns.improve, d, bound.prices, seconds)


def _outcome(search: Search, bound: _Bound) -> Outcome:
    w, draft = search.w, search.draft
    order_id, factory_id = w.order_ids[w.d.order].to_numpy(), w.factory_ids[w.d.factory].to_numpy()
    used = np.flatnonzero(draft.quantity)
    pair, day = np.nonzero(draft.setup + draft.run > 0)
    allocation = {"order_id": order_id[used], "factory_id": factory_id[used], "quantity": draft.quantity[used]}
    work = {
        "order_id": order_id[pair],
        "factory_id": factory_id[pair],
        "day": day + 1,
        "setup_minutes": draft.setup[pair, day],
        "run_minutes": draft.run[pair, day],
    }
    return Outcome(
        allocation=pd.DataFrame(allocation),
        work=pd.DataFrame(work),
        cost=search.cost,
        bound=bound.value,
        bound_by=bound.by,
        rows=len(w.d.quantity) + w.d.room.size,
        columns=len(w.d.slots[0]),
        integers=len(w.d.order),
        nodes=search.tried,
        lp_iterations=0,
        prices=lagrangian.table(w.d, w.factory_ids, bound.prices),
    )
