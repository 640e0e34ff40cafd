"""One link of the chain from a job order back to the rows of a feed file: what it says, and whether it holds."""

import math
from dataclasses import dataclass, field
from typing import Any

_SAME = 1e-6  # relative


@dataclass
class Link:
    """Words for people, figures for programs. broken: what was expected and what was seen instead.

    unchecked: what cannot be compared, because one side is no longer there.
    """

    name: str
    of: str
    words: list[str] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether everything was compared, and equal."""
        return not self.broken and not self.unchecked

    def expect(self, what: str, expected: Any, seen: Any) -> None:
        """Breaks the link where the two differ; numbers may differ by rounding."""
        if not _same(expected, seen):
            self.broken.append(f"{what}: expected {_shown(expected)}, seen {_shown(seen)}")

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        said = {"link": self.name, "of": self.of, "holds": self.holds, "words": self.words, "figures": self.figures}
        return {**said, "broken": self.broken, "unchecked": self.unchecked}


def pieces(number: float) -> str:
    """A number of pieces, with decimals where it is not whole."""
    return f"{number:,.0f}" if number == round(number) else f"{number:,.2f}"


def _same(expected: Any, seen: Any) -> bool:
    if isinstance(expected, float | int) and isinstance(seen, float | int):
        return math.isclose(expected, seen, rel_tol=_SAME, abs_tol=_SAME)
    return bool(expected == seen)


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    return f"{value:,.6g}" if isinstance(value, float) else str(value)
