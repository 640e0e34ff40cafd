"""The operations of a style, as a lot carries them: read from JSON, and which of them a stage does.

In: JSON by name of the operation, in the order of work: craft (or null), sam_minutes (per piece), stage.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from c2m.wire.messages import INSPECT, SHIP


@dataclass(frozen=True)
class Operation:
    """One operation of a style."""

    name: str  # such as cut, sew or press (`c2m.wire.messages.TIMED`)
    craft: str | None  # that a factory needs for it; None: every factory can do it
    sam_minutes: float  # standard minutes per piece
    stage: int  # in which stage of the lot it is done, from 1


def written(operations: Iterable[Operation]) -> str:
    """As a lot carries them."""
    facts = {one.name: {name: value for name, value in vars(one).items() if name != "name"} for one in operations}
    return json.dumps(facts)


def operations_of(text: str, stage: int, stages: int) -> list[Operation]:
    """What a job order of a stage does, all of it where there is one stage: it ends with inspection and shipping.

    Which take no minutes where the routing does not name them: past inspection a piece is good, by shipping it leaves.

    Parameters
    ----------
    text
        The operations as a lot carries them.
    stage
        Which stage, 1 first.
    stages
        Of how many; where it is one, all operations belong to it.

    Returns
    -------
    list of Operation
        In the order of work.

    Examples
    --------
    >>> lot = written([Operation("knit", "link", 6.0, 1), Operation("sew", None, 9.0, 2)])
    >>> [one.name for one in operations_of(lot, 2, 2)]
    ['sew', 'inspect', 'ship']
    """
    own = [one for one in _read(text) if stages == 1 or one.stage == stage]
    ends = [name for name in (INSPECT, SHIP) if name not in {one.name for one in own}]
    return [*own, *(Operation(name, None, 0.0, stage) for name in ends)]


def _read(text: str) -> list[Operation]:
    return [Operation(name, **facts) for name, facts in json.loads(text).items()]


def names_of(texts: Iterable[str]) -> frozenset[str]:
    """Every operation that some lots carry."""
    return frozenset(one.name for text in texts for one in _read(text))


def crafts_of(operations: Iterable[Operation]) -> list[str]:
    """The crafts that they need, sorted."""
    return sorted({one.craft for one in operations if one.craft})


def shares_of(text: str) -> dict[str, float]:
    """Of operations as a lot carries them, by craft its share of the standard minutes; what needs no craft has none.

    >>> shares_of(written([Operation("knit", "link", 6.0, 1), Operation("sew", None, 9.0, 2)]))
    {'link': 0.4}
    """
    steps = _read(text)
    whole = minutes_of(steps)
    minutes = {craft: minutes_of(one for one in steps if one.craft == craft) for craft in crafts_of(steps)}
    return {craft: own / whole for craft, own in minutes.items() if own > 0}


def minutes_of(operations: Iterable[Operation]) -> float:
    """Standard minutes of a piece through all of them."""
    return sum(one.sam_minutes for one in operations)
