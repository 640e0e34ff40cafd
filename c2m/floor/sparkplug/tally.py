"""Counters become scans: what a counter has grown by since its last reading, for the job order that the line was at.

A counter's first reading is where counting begins. One that falls was reset: what it shows was made since. A reading
that is not newer than the last is a repetition. A scan's id follows from the reading alone (counter, moment, value), so
that whoever reads it again makes the same scan.
"""

import logging
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from operator import attrgetter

from c2m.floor.sparkplug.mapping import LineMetrics
from c2m.floor.sparkplug.session import MetricValue
from c2m.ids import derive_id
from c2m.wire.messages import ID_PATTERN, Scan

# A larger step between two readings is no production but a fault of the counter (pieces).
MOST_PIECES = 100_000
_EARLIEST_MS = 946_684_800_000  # 2000, as in messages.Moment

Seen = dict[str, tuple[int, int | str]]  # metric: moment (ms) and value of its last reading

log = logging.getLogger(__name__)


@dataclass
class Tally:
    """Where a line stands. place: whose metrics they are (factory, group, edge node, device)."""

    line: LineMetrics
    place: tuple[str, ...]
    seen: Seen

    def take(self, readings: Iterable[MetricValue], latest_ms: int) -> list[Scan]:
        """The scans in readings of the line's device.

        Nothing can have been read later than `latest_ms`: such a reading would make the true ones after it look old.
        """
        usable = sorted((x for x in readings if self._is_usable(x, latest_ms)), key=attrgetter("at_ms"))
        moments = groupby(usable, key=attrgetter("at_ms"))
        return [scan for _, some in moments for x in sorted(some, key=self._turn) for scan in self._read(x)]

    def _is_usable(self, reading: MetricValue, latest_ms: int) -> bool:
        if reading.name not in self.line.metrics:
            return False
        fault = ""
        if not _EARLIEST_MS <= reading.at_ms <= latest_ms:
            fault = f"read at {reading.at_ms} ms, expected at most {latest_ms}: set the edge node's clock"
        elif reading.name in self.line.counted and _pieces(reading) is None:
            fault = f"{reading.value!r}, expected a count of whole pieces"
        if fault:
            log.warning("%s %s: %s", "/".join(self.place), reading.name, fault)
        return not fault

    def _turn(self, reading: MetricValue) -> int:
        """At one moment, what was counted belongs to the job order before; a counter that was reset, to the new one."""
        pieces = _pieces(reading)
        if reading.name not in self.line.counted or pieces is None:
            return 1
        return 0 if pieces >= int(self.seen.get(reading.name, (0, 0))[1]) else 2

    def _read(self, reading: MetricValue) -> Iterator[Scan]:
        pieces = _pieces(reading) if reading.name in self.line.counted else None
        value = str(reading.value) if pieces is None else pieces
        at_ms, before = self.seen.get(reading.name, (0, None))
        if reading.at_ms < at_ms or (reading.at_ms == at_ms and (pieces is None or pieces <= int(before or 0))):
            return
        self.seen[reading.name] = reading.at_ms, value
        if pieces is not None and before is not None:
            made = pieces - int(before) if pieces >= int(before) else pieces
            yield from self._scan(reading, pieces, made)

    def _scan(self, reading: MetricValue, pieces: int, made: int) -> Iterator[Scan]:
        job_order, sku = (str(self.seen.get(name, (0, ""))[1]) for name in (self.line.job_order, self.line.sku))
        fault = ""
        if made > MOST_PIECES:
            fault = f"more than {MOST_PIECES}, which is no production"
        elif made and not all(re.fullmatch(ID_PATTERN, name) for name in (job_order, sku)):
            fault = f"the line is at job order {job_order!r}, SKU {sku!r}"
        if fault:
            log.warning("%s %s: %s pieces not counted: %s", "/".join(self.place), reading.name, made, fault)
        elif made:
            operation, good = self.line.counted[reading.name]
            yield Scan(
                scan_id=derive_id("sparkplug", *self.place, reading.name, reading.at_ms, pieces),
                job_order_id=job_order,
                sku_id=sku,
                operation=operation,
                quantity=made if good else 0,
                defects=0 if good else made,
                line_id=self.line.line_id,
                at=datetime.fromtimestamp(reading.at_ms / 1000, UTC),
            )


def _pieces(reading: MetricValue) -> int | None:
    """A counter's value; None where it is none. Some gateways send whole numbers as floats."""
    value = reading.value
    if isinstance(value, bool | str) or not value >= 0 or value == float("inf") or value != int(value):
        return None
    return int(value)
