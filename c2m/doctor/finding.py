"""One thing that was looked at: whether it is as it must be, what was seen, and what to do where it is not."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """ok: None where it could not be judged. move: empty where nothing is to do."""

    check: str  # what was looked at, in a few words
    ok: bool | None
    seen: str  # what was found there, as a sentence
    move: str = ""

    def __str__(self) -> str:
        return f"{self.check}: {self.seen}" + (f"; {self.move}" if self.move else "")


Check = Callable[[], Iterable[Finding]]


def judged(check: str, faults: Iterable[str], well: str, move: str) -> list[Finding]:
    """A finding per fault; where there is none, that all is well."""
    return [Finding(check, False, fault, move) for fault in faults] or [Finding(check, True, well)]
