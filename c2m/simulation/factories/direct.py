"""Simulated factories without a wire: each message goes straight from the outbox to its factory.

Each answer goes to the collector's own commit: what is said, and what becomes of it, is what broker, relay and
collector would bring about.
"""

from datetime import datetime
from pathlib import Path

from c2m import clock
from c2m.errors import C2MError
from c2m.floor import collect
from c2m.floor.delivery import Letter
from c2m.ledger import store
from c2m.ledger.conversation import outbox
from c2m.simulation.factories import profile
from c2m.simulation.factories.factory import SimulatedFactory
from c2m.simulation.factories.handover import hand_over
from c2m.simulation.factories.state import State
from c2m.wire.messages import CancelMessage, StartMessage, StoreMessage, parse, topic


class DirectFloor:
    """The factories of a file and the conversation with them, in this process."""

    def __init__(self, factories_file: Path, seed: int, folder: Path) -> None:
        self.state = State(folder)
        rows = profile.read(factories_file)
        self.factories = {
            name: SimulatedFactory(row, seed, self.state, "replay", peers=rows) for name, row in rows.items()
        }

    def catch_up(self) -> None:
        """The factories tell what has happened up to now, and both sides answer until all is said.

        Raises
        ------
        C2MError
            The outbox has a message that no factory understands.
        """
        now = clock.now()
        with self.state.transaction():
            for factory in self.factories.values():
                factory.advance(now)
                factory.report(now)
            hand_over(self.factories, self.state, now)
        self._hear(now)
        self.converse()

    def converse(self) -> None:
        """Sends what waits in the outbox, takes in the answers, and so on until nobody has anything to say.

        Raises
        ------
        C2MError
            The outbox has a message that no factory understands.
        """
        now = clock.now()
        while self._tell(now):
            self._hear(now)

    def _tell(self, now: datetime) -> bool:
        """Whether there was a message."""
        with store.session() as session:
            messages = outbox.due(session, now)
            outbox.mark_sent(session, [message.message_id for message in messages], now)
        with self.state.transaction():
            for message in messages:
                envelope = parse(message.body)
                if not isinstance(envelope, StoreMessage | StartMessage | CancelMessage):
                    raise C2MError("message-unread", [f"{message.message_id}: {envelope}"])
                self.factories[message.factory_id].advance(now)
                self.factories[message.factory_id].receive(envelope, now)
        return bool(messages)

    def _hear(self, now: datetime) -> None:
        while letters := self.state.letters([]):
            collect.commit([_arrived(letter) for letter in letters], now)
            with self.state.transaction():
                self.state.delivered([letter.key for letter in letters])


def _arrived(letter: Letter) -> collect.Arrival:
    """A letter as the collector would have it; nobody waits for its acknowledgement."""
    return collect.Arrival(topic(letter.factory_id, letter.kind), letter.body, lambda _: None)
