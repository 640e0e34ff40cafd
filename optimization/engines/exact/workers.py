"""Processes beside a search: they plan parts anew, and one of them raises the proven bound and tells of each step.

With the setting plan.dask_scheduler the parts go to the workers of a Dask cluster. A part whose worker dies is given to
another one; workers that join while the search is under way get parts too. The bound is raised by a process here.
"""

import os
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from multiprocessing import get_context, parent_process
from threading import Thread
from types import TracebackType
from typing import Any, Self

import pandas as pd

from c2m.domain.arrays import Floats
from c2m.errors import InputError
from c2m.settings import settings
from optimization.contract.instances import Instance
from optimization.engines.bounds import column_generation
from optimization.engines.exact import one_program
from optimization.statement.dense import Dense
from optimization.statement.highs import Limits
from optimization.statement.reduction import Pairs

_bound: Any = None  # in a worker: the best bound that it proved, shared with the parent


class Workers:
    """So many processes, which end with the block, whatever they are at; `pool` is where parts are planned."""

    def __init__(self, count: int) -> None:
        context = get_context("forkserver")
        self.count, self._best, self._by = count, context.Value("d", float("-inf")), "lagrangian"
        self._own = ProcessPoolExecutor(count, mp_context=context, initializer=_begin, initargs=(self._best,))
        self._cluster = _cluster()
        self.pool: Executor = self._cluster.get_executor(pure=False) if self._cluster else self._own
        self._raising: Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in list((self._own._processes or {}).values()):
            process.terminate()
        self._own.shutdown(cancel_futures=True)
        if self._cluster:
            self._cluster.close()

    @property
    def raised(self) -> tuple[float, str]:
        """The best bound so far and what proves it; raises what the process that raises it raised."""
        if self._raising and self._raising.done():
            self._raising.result()
        return float(self._best.value), self._by

    @property
    def free(self) -> int:
        """Processes that do not raise the bound; on a cluster its threads now, or one that waits for a worker."""
        if self._cluster:
            return max(1, sum(map(int, self._cluster.nthreads().values())))
        return self.count - (self._raising is not None and not self._raising.done())

    def raise_by_patterns(self, arrays: Dense, prices: Floats, seconds: float) -> None:
        """Column generation from some prices (optimization/column_generation.py)."""
        self._raising, self._by = self._own.submit(_patterns, arrays, prices, seconds), "lagrangian"

    def raise_by_nodes(self, instance: Instance, reduced: Pairs, known: pd.DataFrame, limits: Limits) -> None:
        """Branch and bound from a plan's allocation (optimization/one_program.py)."""
        self._raising, self._by = self._own.submit(_nodes, instance, reduced, known, limits), "mip"


def _cluster() -> Any:
    """A client of the cluster that is set; None without one."""
    if not (address := settings().plan.dask_scheduler):
        return None
    try:
        from distributed import Client

        return Client(address, set_as_default=False)
    except ModuleNotFoundError as error:
        raise InputError("no-dask", [f"plan.dask_scheduler needs {error.name}: pip install 'c2m[cluster]'"]) from None
    except (OSError, ValueError) as error:
        told = f"plan.dask_scheduler: no scheduler answers at {address} ({error}); start one, or take the setting away"
        raise InputError("no-cluster", [told]) from None


def _begin(best: Any) -> None:
    global _bound
    _bound = best
    end_with_parent()


def end_with_parent() -> None:
    """In a worker: ends it once the parent is gone, however that ended."""

    def watch() -> None:
        if parent := parent_process():
            parent.join()
        os._exit(1)

    Thread(target=watch, daemon=True).start()


def _told(value: float) -> None:
    _bound.value = max(_bound.value, value)


def _patterns(arrays: Dense, prices: Floats, seconds: float) -> None:
    column_generation.improve(arrays, prices, seconds, lambda value, _: _told(value))


def _nodes(instance: Instance, reduced: Pairs, known: pd.DataFrame, limits: Limits) -> None:
    one_program.bounded(instance, reduced, known, limits, _told)
