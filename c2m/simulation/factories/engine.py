"""Many simulated factories in one process: takes messages, lets time pass, delivers what the factories have to say.

One thread owns the factories and their state; network threads only hand messages to it. A message is acknowledged after
the transaction with its effect, a letter struck off after its acknowledgement: a restarted process goes on from there.
"""

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from queue import Empty, Queue
from threading import Event

from c2m import clock
from c2m.floor.delivery import Carrier, Pauses, deliver
from c2m.simulation.factories.factory import SimulatedFactory
from c2m.simulation.factories.handover import hand_over
from c2m.simulation.factories.state import State
from c2m.wire.messages import CancelMessage, Envelope, StartMessage, StoreMessage, parse

TICK_S = 0.05
_REPORT_EVERY = timedelta(seconds=10)  # of a running clock; of one that stands still, each move is reported at once

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Incoming:
    """A message as it came; `done` is called with '' once it is safe, or with the reason why it is refused."""

    factory_id: str
    body: bytes
    done: Callable[[str], object]


@dataclass
class Engine:
    """Runs the factories; `inbox` may be filled from any thread."""

    factories: Mapping[str, SimulatedFactory]
    state: State
    carrier_of: Callable[[str], Carrier]
    pool: Executor
    inbox: "Queue[Incoming]" = field(default_factory=Queue)
    _seen: datetime | None = None
    _pauses: Pauses = field(default_factory=Pauses)

    def run(self, stop: Event) -> None:
        """Until `stop`."""
        while not stop.is_set():
            messages = self._messages()
            now = clock.now()
            self._live(messages, now)
            self._deliver()

    def _messages(self) -> list[Incoming]:
        """What has come in, after a tick at most."""
        try:
            messages = [self.inbox.get(timeout=TICK_S)]
        except Empty:
            return []
        while not self.inbox.empty():
            messages.append(self.inbox.get())
        return messages

    def _live(self, messages: list[Incoming], now: datetime) -> None:
        """What happened up to now comes before what is said now."""
        stands_still, self._seen = now == self._seen, now
        behind = [factory for factory in self.factories.values() if _is_due(factory, now, stands_still)]
        if not messages and not behind:
            return
        with self.state.transaction():
            for factory in self.factories.values() if messages else behind:
                factory.advance(now)
            hand_over(self.factories, self.state, now)
            refused = [self._receive(message, now) for message in messages]
            for factory in behind:
                factory.report(now)
        for message, reason in zip(messages, refused, strict=True):
            message.done(reason)

    def _receive(self, incoming: Incoming, now: datetime) -> str:
        message = parse(incoming.body)
        factory = self.factories.get(incoming.factory_id)
        if factory is None:
            return f"no factory {incoming.factory_id} here"
        reason = _refusal(factory, message)
        if reason or not isinstance(message, StoreMessage | StartMessage | CancelMessage):
            log.warning("%s: refused a message: %s", incoming.factory_id, reason)
            return reason
        factory.receive(message, now)
        return ""

    def _deliver(self) -> None:
        letters = self.state.letters(self._pauses.now())
        if not letters:
            return
        receipts = deliver(letters, self.carrier_of, self.pool)
        with self.state.transaction():
            self.state.delivered([key for receipt in receipts for key in receipt.delivered])
        for receipt in receipts:
            self._pauses.note(receipt)


def _refusal(factory: SimulatedFactory, message: Envelope | str) -> str:
    """Why a factory cannot read what came, or ''."""
    if isinstance(message, str):
        return message
    if isinstance(message, StoreMessage | StartMessage | CancelMessage):
        return factory.refusal(message)
    return f"type {message.type}, expected a job order"


def _is_due(factory: SimulatedFactory, now: datetime, stands_still: bool) -> bool:
    if factory.through is None:
        return True
    return now > factory.through and (stands_still or now - factory.through >= _REPORT_EVERY)
