"""An edge node from its birth to its death: aliases, sequence numbers, and when it must be asked to be born again.

Only births say what an alias means, so nothing is read from a node that is out of step: after a gap in the sequence
(0 to 255), before its birth was heard, or where it uses what no birth has told. Counters are totals: the births that
are asked for carry what the lost messages would have said.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from c2m.floor.sparkplug import payload

Device = str | None  # None: the edge node itself
SEQUENCES = 256


class MetricValue(NamedTuple):
    """A metric's value at a moment (milliseconds since 1970, UTC)."""

    name: str
    at_ms: int
    value: int | float | bool | str


class _Told(NamedTuple):
    """What a birth says of an alias or a name."""

    name: str
    datatype: int


@dataclass
class Session:
    """What is known of an edge node."""

    in_step: bool = False
    birth: int | None = None  # bdSeq of the birth: its death carries the same
    seq: int = 0  # of the last message
    told: dict[Device, dict[int | str, _Told]] = field(default_factory=dict)

    def died(self, said: Any) -> bool:
        """NDEATH: whether it is of this session. The will of an earlier connection may come after a new birth."""
        number = _birth_number(said)
        if self.birth is not None and number is not None and self.birth != number:
            return False
        self.in_step, self.birth, self.told = False, None, {}
        return True

    def hear(self, kind: str, device: Device, said: Any) -> list[MetricValue]:
        """What a message other than a death says; nothing while the node is out of step."""
        if kind == "NBIRTH":
            return self._born(said)
        self.in_step = self.in_step and said.seq == (self.seq + 1) % SEQUENCES
        self.seq = said.seq
        if not self.in_step:
            return []
        if kind == "DBIRTH":
            return self._births(device, said)
        if kind == "DDEATH":
            self.told.pop(device, None)
            return []
        return self._data(device, said)

    def _born(self, said: Any) -> list[MetricValue]:
        """Everything begins anew; devices are unknown until their own births."""
        self.in_step, self.birth, self.seq, self.told = True, _birth_number(said), said.seq, {}
        return self._births(None, said)

    def _data(self, device: Device, said: Any) -> list[MetricValue]:
        """By name or by alias. What no birth has told puts the node out of step."""
        told = self.told.get(device, {})
        keys = [metric.name or metric.alias for metric in said.metrics]
        if device not in self.told or any(key not in told for key in keys):
            self.in_step = False
            return []
        return list(_readings(said, [told[key] for key in keys]))

    def _births(self, device: Device, said: Any) -> list[MetricValue]:
        meanings = [_Told(metric.name, metric.datatype) for metric in said.metrics]
        aliased = zip(said.metrics, meanings, strict=True)
        aliases = {metric.alias: meaning for metric, meaning in aliased if metric.HasField("alias")}
        self.told[device] = {meaning.name: meaning for meaning in meanings} | aliases
        return list(_readings(said, meanings))


def _birth_number(said: Any) -> int | None:
    numbers = (payload.value(metric, metric.datatype) for metric in said.metrics if metric.name == "bdSeq")
    return next((number for number in numbers if isinstance(number, int)), None)


def _readings(said: Any, meanings: list[_Told]) -> Iterator[MetricValue]:
    """The values of a message. Historical ones are left out: a later total counts them already."""
    for metric, meaning in zip(said.metrics, meanings, strict=True):
        found = payload.value(metric, meaning.datatype)
        if found is not None and not metric.is_historical:
            yield MetricValue(meaning.name, metric.timestamp or said.timestamp, found)
