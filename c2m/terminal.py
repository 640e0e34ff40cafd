"""What a person at the terminal sees of a long search and of foreign text, and how Ctrl-C ends it. On standard error.

On a terminal one line that is rewritten; elsewhere plain lines, at most one every five seconds.
"""

import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from multiprocessing import resource_tracker
from threading import Event
from time import monotonic
from typing import Any, TypeVar

Result = TypeVar("Result")
Seen = Any  # optimization.highs.Progress: seconds, bound, incumbent, gap; the kernel imports no sibling

_WAKE_S = 0.5
_PLAIN_EVERY_S = 5.0


def in_words(seen: Seen) -> str:
    """Cost, bound and gap of a search in one line."""
    least = f"at least {seen.bound:,.2f}" if abs(seen.bound) < float("inf") else "no bound yet"
    if seen.incumbent is None:
        return f"no plan yet, {least}"
    gap = "" if seen.gap is None else f", gap {seen.gap:.3%}"
    return f"cost {seen.incumbent:,.2f}, {least}{gap}"


@contextmanager
def progress_line() -> Iterator[Callable[[str, Seen], None]]:
    """A function of a label and where its search stands, which shows it while the block runs."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _plain_lines()
        return
    with console.status("reading") as line:  # turns while the search says nothing
        yield lambda label, seen: line.update(f"{label}  {seen.seconds:.0f} s  {in_words(seen)}")


def _plain_lines() -> Callable[[str, Seen], None]:
    shown: dict[str, float] = {}

    def show(label: str, seen: Seen) -> None:
        if monotonic() - shown.get(label, -_PLAIN_EVERY_S) >= _PLAIN_EVERY_S:
            shown[label] = monotonic()
            print(f"{label}  {seen.seconds:.1f} s  {in_words(seen)}", file=sys.stderr, flush=True)

    return show


def harmless(text: str) -> str:
    """Text from elsewhere, without anything that a terminal would obey."""
    return "".join(sign if sign.isprintable() or sign == "\n" else f"\\x{ord(sign):02x}" for sign in text)


def until_interrupted(work: Callable[[Event], Result]) -> Result:
    """Runs work in a thread of its own; the first Ctrl-C sets its event, the second ends the process at once.

    In the main thread a solver's native code would keep the signal waiting until it returns. A terminal sends Ctrl-C to
    every process; those that the work starts inherit its thread's mask and leave the answer to this one.
    """
    stop = Event()

    def masked() -> Result:
        resource_tracker.ensure_running()  # once started, it no longer lifts the mask again
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        return work(stop)

    def on_interrupt(*_: Any) -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        stop.set()
        print("\nStopping with the best plan so far; Ctrl-C again ends at once.", file=sys.stderr, flush=True)

    before = signal.signal(signal.SIGINT, on_interrupt)
    try:
        with ThreadPoolExecutor(max_workers=1) as pool:
            future = pool.submit(masked)
            while not wait([future], _WAKE_S).done:
                pass  # where another thread took the signal, its handler runs when this one wakes
            return future.result()
    finally:
        signal.signal(signal.SIGINT, before)
