"""The floor's services as children that die at a named step. The steps are wrapped around the product from outside.

A child is forked off a server that has imported the product already: a kill costs a second, not an import. It shares
a fuse with the harness: 0 lets it pass every step; n kills it at the n-th time that it comes to the step it is told.
"""

import ctypes
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from threading import Thread
from typing import Any

from benchmarks.faults import factory
from c2m.files import write_with
from c2m.floor import collect, mqtt, relay
from c2m.ledger import store
from c2m.ledger.conversation import outbox
from c2m.settings import settings

_FORK = multiprocessing.get_context("forkserver")
_FORK.set_forkserver_preload(["benchmarks.faults.service"])
START_TIMEOUT_S = 60
LEASE_S = 5

RELAY_STEPS = {
    "before the claim": ("before", relay._Relay, "claim"),
    "before the claim commits": ("after", outbox, "claim"),
    "after the claim": ("after", relay._Relay, "claim"),
    "in the middle of publishing": ("before", mqtt.Connection, "publish"),
    "after publishing, before it is marked sent": ("before", relay._Relay, "record"),
    "before marked sent commits": ("after", outbox, "free"),
    "after marked sent": ("after", relay._Relay, "record"),
}
COLLECTOR_STEPS = {
    "before anything is written": ("before", collect, "commit"),
    "scan file written, without its name": ("before", collect, "sync"),
    "scans on disk, responses not in the ledger": ("after", collect, "_land"),
    "responses in the ledger, not committed": ("after", collect, "_record"),
    "all committed, nothing acknowledged": ("after", collect, "commit"),
    "in the middle of acknowledging": ("after", mqtt.Connection, "acknowledge"),
}
FACTORY_STEPS = {
    "heard, not in its journal": "heard",
    "in its journal, not acknowledged": "journalled",
    "acknowledged, answer not sent": "acknowledged",
    "answers sent, not known to have arrived": "published",
}


@dataclass
class Child:
    """A service that is started again whenever it ends. kills: how often it was killed; fuse: see above."""

    name: str
    run: Callable[..., None]
    env: Mapping[str, str]
    arguments: tuple[Any, ...] = ()
    step: str = ""
    patience_s: float = store.BUSY_TIMEOUT_S  # with a ledger that another writer holds
    kills: int = 0
    closing: bool = False
    fuse: Any = field(default_factory=lambda: _FORK.Value("i", 0))

    def __enter__(self) -> "Child":
        self._start()
        self._keeper = Thread(target=self._keep, daemon=True)
        self._keeper.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing = True
        self.process.terminate()
        self.process.join(15)
        if self.process.is_alive():
            self.process.kill()
        self._keeper.join()

    def _start(self) -> None:
        ready = _FORK.Event()
        options = (self.name, dict(self.env), self.run, self.step, self.patience_s, self.fuse, ready, self.arguments)
        self.process = _FORK.Process(target=_live, args=options, daemon=True)
        self.process.start()
        deadline = time.monotonic() + START_TIMEOUT_S
        while not ready.wait(0.05) and self.process.is_alive() and not self.closing:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.name} is not ready after {START_TIMEOUT_S} s")

    def _keep(self) -> None:
        while not self.closing:
            self.process.join(0.05)
            if not self.process.is_alive() and not self.closing:
                self.kills += self.process.exitcode == -signal.SIGKILL
                with suppress(TimeoutError):
                    self._start()

    def kill(self) -> None:
        """At any moment."""
        with suppress(ProcessLookupError):
            os.kill(self.process.pid, signal.SIGKILL)


def _live(
    name: str,
    env: Mapping[str, str],
    run: Callable[..., None],
    step: str,
    patience_s: float,
    fuse: Any,
    ready: Any,
    arguments: Any,
) -> None:
    """In the child: the environment, the log, the wrapped step, then the service."""
    ctypes.CDLL(None).prctl(1, int(signal.SIGTERM))  # ends with the server that it was forked from
    os.environ |= env
    settings.cache_clear()
    log = (settings().home / "logs" / f"{name}.log").open("ab", buffering=0)
    os.dup2(log.fileno(), 1)
    os.dup2(log.fileno(), 2)
    outbox.LEASE = outbox.timedelta(seconds=LEASE_S)
    store.BUSY_TIMEOUT_S = patience_s

    def burn() -> None:
        if fuse.value > 0:
            fuse.value -= 1
            if fuse.value == 0:
                factory.die()

    run(step, burn, ready.set, *arguments)


def _wrap(where: str, owner: Any, attribute: str, burn: Callable[[], None]) -> None:
    original = getattr(owner, attribute)

    @wraps(original)
    def wrapped(*arguments: Any, **named: Any) -> Any:
        if where == "before":
            burn()
        result = original(*arguments, **named)
        if where == "after":
            burn()
        return result

    setattr(owner, attribute, wrapped)


def _announce(ready: Callable[[], None]) -> Callable[[Any], None]:
    def announce(connections: Any) -> None:
        def wait() -> None:
            for connection in connections:
                connection.ready.wait()
            ready()

        Thread(target=wait, daemon=True).start()

    return announce


def run_relay(step: str, burn: Callable[[], None], ready: Callable[[], None]) -> None:
    if step:
        _wrap(*RELAY_STEPS[step], burn)
    relay.announce = _announce(ready)
    relay.run()


def run_collector(step: str, burn: Callable[[], None], ready: Callable[[], None]) -> None:
    collect._sync_file = lambda: None

    def written(path: Path, write: Callable[[Path], object]) -> None:
        write_with(path, lambda part: (write(part), collect._sync_file()))

    collect.write_with = written
    if step:
        _wrap(*COLLECTOR_STEPS[step], burn)
    collect.announce = _announce(ready)
    collect.run()


def run_factories(step: str, burn: Callable[[], None], ready: Callable[[], None], options: factory.Options) -> None:
    aim = FACTORY_STEPS.get(step)
    factory.Process(options, lambda at: burn() if at == aim else None).run(ready)
