"""Letters to factories or to the platform, each addressee's in order, over whatever carries them.

A carrier takes one factory's letters and yields each once its arrival is acknowledged; it raises NotDeliveredError at
the first that is not. The letters behind that one count as not delivered and go again: receivers know letters by id.
What a carrier can send without waiting, it sends when it is called: a broker then has the letters to all factories at
once, and not a round trip after the other.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter

from c2m.wire.messages import Kind


class NotDeliveredError(Exception):
    """The other side, or the broker between, did not take a letter."""


@dataclass(frozen=True)
class Letter:
    """A message ready to go. `key` is how its owner knows it."""

    key: str
    factory_id: str
    kind: Kind
    body: bytes


@dataclass(frozen=True)
class DeliveryReport:
    """What became of one factory's letters: the keys of those delivered, and the error that stopped the others."""

    factory_id: str
    delivered: list[str]
    error: str


Carrier = Callable[[Sequence[Letter]], Iterator[Letter]]
_PAUSE_S = (0.1, 5.0)  # first and longest

log = logging.getLogger(__name__)


class Pauses:
    """Addressees to whom nothing is sent for a while after an error, twice as long each time."""

    def __init__(self) -> None:
        self._until: dict[str, tuple[float, float]] = {}  # factory -> (end in monotonic seconds, length)

    def now(self) -> set[str]:
        """The factories that pause now."""
        moment = time.monotonic()
        return {factory_id for factory_id, (end, _) in self._until.items() if end > moment}

    def note(self, receipt: DeliveryReport) -> bool:
        """Begins, lengthens or forgets a pause. Whether it is as long as pauses get: the error lasts."""
        if not receipt.error:
            self._until.pop(receipt.factory_id, None)
            return False
        log.warning("%s: not delivered: %s", receipt.factory_id, receipt.error)
        _, length = self._until.get(receipt.factory_id, (0.0, _PAUSE_S[0] / 2))
        length = min(2 * length, _PAUSE_S[1])
        self._until[receipt.factory_id] = time.monotonic() + length, length
        return length == _PAUSE_S[1]


def begin(
    letters: Iterable[Letter], carrier_of: Callable[[str], Carrier], pool: Executor
) -> dict[str, "Future[DeliveryReport]"]:
    """Starts to deliver, factories side by side, those of one factory in the given order; a receipt for each."""
    arriving: dict[str, Iterator[Letter]] = {}
    under_way: dict[str, Future[DeliveryReport]] = {}
    for factory_id, some in _by_factory(letters):
        try:
            arriving[factory_id] = carrier_of(factory_id)(some)
        except NotDeliveredError as error:
            under_way[factory_id] = failed(factory_id, str(error))
    return under_way | {name: pool.submit(_receipt, name, some) for name, some in arriving.items()}


def _by_factory(letters: Iterable[Letter]) -> Iterator[tuple[str, list[Letter]]]:
    factory_id = attrgetter("factory_id")
    for name, some in groupby(sorted(letters, key=factory_id), factory_id):
        yield name, list(some)


def failed(factory_id: str, error: str) -> "Future[DeliveryReport]":
    """The receipt of a factory for which nothing could be begun."""
    receipt: Future[DeliveryReport] = Future()
    receipt.set_result(DeliveryReport(factory_id, [], error))
    return receipt


def deliver(letters: Iterable[Letter], carrier_of: Callable[[str], Carrier], pool: Executor) -> list[DeliveryReport]:
    """Delivers letters, and waits until the last is done.

    Parameters
    ----------
    letters
        In the order of each addressee.
    carrier_of
        The carrier by addressee.
    pool
        Threads that carry.

    Returns
    -------
    list of DeliveryReport
        One per addressee: what arrived, and what did not and why.
    """
    return [receipt.result() for receipt in begin(letters, carrier_of, pool).values()]


def _receipt(factory_id: str, arriving: Iterator[Letter]) -> DeliveryReport:
    delivered: list[str] = []
    try:
        for letter in arriving:
            delivered.append(letter.key)  # noqa: PERF401  # what was delivered before an error counts
    except NotDeliveredError as error:
        return DeliveryReport(factory_id, delivered, str(error))
    return DeliveryReport(factory_id, delivered, "")
