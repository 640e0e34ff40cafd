"""What a person at the terminal sees of a long search and of foreign text. On standard error.

On a terminal one line that is rewritten; elsewhere plain lines, at most one every five seconds.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

Seen = Any  # optimization.statement.highs.Progress: seconds, bound, incumbent, gap; the kernel imports no sibling

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
