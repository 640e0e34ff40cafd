"""How each long-lived process of the floor starts, says that it is ready, and ends."""

import logging
import os
import signal
import time
from collections.abc import Iterable
from threading import Event, Thread

from c2m.floor.mqtt import Connection
from c2m.home import keep_private

READY = "ready"
_ENDING = (signal.SIGTERM, signal.SIGINT)
_GRACE_S = 8.0  # below the time after which whoever started us insists (child.py)

log = logging.getLogger("c2m.floor")


def stop_on_signal() -> Event:
    """For a service that has the process to itself: set on SIGTERM or SIGINT. Its log goes to standard error.

    The signals are taken by a thread that waits for them. A handler would run in the main thread, between any two of
    its instructions: also while that holds the lock of the very event that the handler sets, and then for ever. A
    service may also hang on a broker that died with who started both; it bears a kill at any moment, so it ends anyway.
    """
    keep_private()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    stop = Event()

    def end() -> None:
        signal.sigwait(_ENDING)
        stop.set()
        time.sleep(_GRACE_S)
        os._exit(1)

    Thread(target=end, name="end", daemon=True).start()
    return stop


def announce(connections: Iterable[Connection]) -> None:
    """Writes READY once all connections stand: what is said from then on reaches us.

    Beside the work, not before it: a broker may hold back a subscription until what it had for us is acknowledged.
    """

    def wait() -> None:
        for connection in connections:
            connection.ready.wait()
        log.info(READY)

    Thread(target=wait, name="announce", daemon=True).start()
