"""How a signal ends a long search. In the main thread a solver's native code would keep it waiting until it returns."""

import signal
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextvars import copy_context
from multiprocessing import resource_tracker
from threading import Event
from typing import Any, TypeVar

Result = TypeVar("Result")

_WAKE_S = 0.5


def until_stopped(work: Callable[[Event], Result], stop: Event | None = None) -> Result:
    """Runs work in a thread of its own, so that signals are heard.

    Processes that the work starts inherit its thread's mask, and leave the answer to Ctrl-C to this one: a terminal
    sends it to every process.

    Parameters
    ----------
    work
        Called with the event at which it is to end.
    stop
        That event, which is also set by whatever a handler of signals raises here; None: a new one.

    Returns
    -------
    Result
        What the work returns.
    """
    ended = stop or Event()

    def masked() -> Result:
        resource_tracker.ensure_running()  # once started, it no longer lifts the mask again
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        return work(ended)

    with ThreadPoolExecutor(max_workers=1) as pool:
        try:
            future = pool.submit(copy_context().run, masked)
            while not wait([future], _WAKE_S).done:
                pass  # where another thread took the signal, its handler runs when this one wakes
        finally:
            ended.set()
        return future.result()


def until_interrupted(work: Callable[[Event], Result]) -> Result:
    """Runs work until the first Ctrl-C sets its event: it returns what it has; the second ends the process at once."""

    def on_interrupt(*_: Any) -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        stop.set()
        print("\nStopping with the best plan so far; Ctrl-C again ends at once.", file=sys.stderr, flush=True)

    stop = Event()
    before = signal.signal(signal.SIGINT, on_interrupt)
    try:
        return until_stopped(work, stop)
    finally:
        signal.signal(signal.SIGINT, before)
