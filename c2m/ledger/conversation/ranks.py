"""Ranks of a factory's job orders: sort keys with gaps, so that a later plan inserts without telling everyone anew.

In: the places in the plan's order of work, each with the rank that its job order has. Out: a rank for each place. What
stands in the plan's order keeps its rank; only what changes its place against something that keeps it gets another.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

GAP = 1_000_000  # twenty insertions at one place before there is no room


@dataclass(frozen=True)
class QueuePlace:
    """One place in a factory's order of work. fixed: its job order cannot be told another rank now."""

    rank: int | None = None
    fixed: bool = False


def ranks(places: Sequence[QueuePlace]) -> list[int | None]:
    """The rank of each place: rising, but where fixed ones stand against each other, and the fewest changed."""
    kept = _kept(places)
    while (crowded := _crowded(places, kept)) is not None:
        kept.remove(crowded)
    found = [place.rank for place in places]
    for left, right in pairwise([None, *kept, None]):
        for place, rank in _between(places, left, right):
            found[place] = rank
    return found


def _between(places: Sequence[QueuePlace], left: int | None, right: int | None) -> Iterable[tuple[int, int]]:
    """The places between two that keep their rank, with new ranks."""
    between = _movable(places, left, right)
    return zip(between, _spread(_rank(places, left), _rank(places, right), len(between)), strict=True)


def _kept(places: Sequence[QueuePlace]) -> list[int]:
    """Places that keep their rank: as many fixed ones as rise, then as many others as rise between them."""
    ranked = [i for i, place in enumerate(places) if place.rank is not None]
    fixed = _longest_rise([i for i in ranked if places[i].fixed], places)
    kept: list[int] = []
    for left, right in pairwise([None, *fixed, None]):
        low, high = _rank(places, left), _rank(places, right)
        fitting = [
            i
            for i in _movable(places, left, right)
            if (rank := places[i].rank) is not None and (low is None or rank > low) and (high is None or rank < high)
        ]
        kept += _longest_rise(fitting, places)
        kept += [] if right is None else [right]
    return kept


def _movable(places: Sequence[QueuePlace], left: int | None, right: int | None) -> list[int]:
    first = 0 if left is None else left + 1
    end = len(places) if right is None else right
    return [i for i in range(first, end) if not places[i].fixed]


def _rank(places: Sequence[QueuePlace], at: int | None) -> int | None:
    return None if at is None else places[at].rank


def _longest_rise(chosen: Sequence[int], places: Sequence[QueuePlace]) -> list[int]:
    """The longest strictly rising subsequence, by patience sorting."""
    ends: list[int] = []  # smallest last rank of a rise of each length
    last: list[int] = []  # the place where it is
    before: dict[int, int | None] = {}
    for i in chosen:
        rank = places[i].rank or 0
        length = bisect_left(ends, rank)
        before[i] = last[length - 1] if length else None
        ends[length : length + 1], last[length : length + 1] = [rank], [i]
    rise: list[int] = []
    at = last[-1] if last else None
    while at is not None:
        rise.append(at)
        at = before[at]
    return rise[::-1]


def _crowded(places: Sequence[QueuePlace], kept: Sequence[int]) -> int | None:
    """A kept place beside a gap that is too small for what comes between; None where all gaps do, or nothing may go."""
    narrow = (pair for pair in pairwise(kept) if _is_narrow(places, *pair))
    return next((place for left, right in narrow for place in (right, left) if not places[place].fixed), None)


def _is_narrow(places: Sequence[QueuePlace], left: int, right: int) -> bool:
    room = (places[right].rank or 0) - (places[left].rank or 0)
    return room <= len(_movable(places, left, right))


def _spread(low: int | None, high: int | None, count: int) -> list[int]:
    """`count` ranks between two, a gap apart where nothing bounds them."""
    if low is None:
        first = GAP if high is None else high - count * GAP
        return [first + i * GAP for i in range(count)]
    if high is None:
        return [low + (i + 1) * GAP for i in range(count)]
    return [low + (high - low) * (i + 1) // (count + 1) for i in range(count)]
