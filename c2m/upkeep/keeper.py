"""Children that have ended are started again, after a pause that grows; what `c2m status` shows of each.

How each stands is kept in C2M_HOME/processes.json. Times in seconds.
"""

import json
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic
from typing import Any

from c2m.files import write_json
from c2m.floor.child import Child
from c2m.home import occupant
from c2m.settings import settings

FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 300.0
STEADY_S = 60.0  # who has run for so long starts anew with the first pause
KEEPS_FAILING = 5  # ends in a row, from which on it is said once and `c2m doctor` names it
_FILE = "processes.json"


@dataclass
class _Kept:
    child: Child
    since: datetime
    started: float  # monotonic
    ready: bool = True
    failures: int = 0  # in a row
    restarts: int = 0
    again_at: float | None = None  # monotonic; None while there is a process
    reason: str = ""

    def state(self) -> str:
        if self.failures >= KEEPS_FAILING:
            return "keeps failing"
        return "ended" if self.again_at is not None else "runs" if self.ready else "starts"


class Keeper:
    """Looks after children of this thread.

    say: a line for people. renewed: called once a child has got a new process.
    """

    def __init__(
        self, children: Iterable[Child], say: Callable[[str], object], renewed: Callable[[], object] = lambda: None
    ) -> None:
        self._kept = [_Kept(child, datetime.now(UTC), monotonic()) for child in children]
        self._say, self._renewed = say, renewed
        self._note()

    def look(self) -> None:
        """Starts what has ended and has paused for long enough."""
        before = [(one.state(), one.restarts) for one in self._kept]
        for one in self._kept:
            if one.again_at is None:
                self._judge(one)
            elif monotonic() >= one.again_at:
                self._start(one)
        if [(one.state(), one.restarts) for one in self._kept] != before:
            self._note()

    def _judge(self, one: _Kept) -> None:
        code = one.child.poll()
        if code is not None:
            lines = one.child.said().split("\n")
            last = next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
            self._put_off(one, f"exit code {code}: {last[:300]}")
        elif not one.ready and _is_back(one.child):
            one.ready = True
            self._say(f"{_wall()}  runs again  {one.child.name} (process {one.child.pid})")
        elif one.ready and one.failures and monotonic() - one.started > STEADY_S:
            one.failures = 0

    def _put_off(self, one: _Kept, reason: str) -> None:
        one.failures, one.reason = one.failures + 1, reason
        pause = min(FIRST_PAUSE_S * 2 ** (one.failures - 1), LONGEST_PAUSE_S)
        one.again_at, one.since = monotonic() + pause, datetime.now(UTC)
        if one.failures < KEEPS_FAILING:
            self._say(f"{_wall()}  HAS ENDED  {one.child.name}, {reason}; starts again in {pause:g} s")
        elif one.failures == KEEPS_FAILING:
            rest = f"tried again ever more rarely, up to every {LONGEST_PAUSE_S:g} s"
            self._say(f"{_wall()}  KEEPS FAILING  {one.child.name}, {reason}; {rest}")

    def _start(self, one: _Kept) -> None:
        try:
            one.child.start()
        except OSError as error:  # no memory, no process left: as if it had ended at once
            self._put_off(one, f"it cannot be started: {error}")
            return
        one.again_at, one.ready, one.started, one.since = None, False, monotonic(), datetime.now(UTC)
        one.restarts += 1
        self._renewed()

    def _note(self) -> None:
        rows = [
            {
                "process": one.child.name,
                "pid": None if one.again_at is not None else one.child.pid,
                "state": one.state(),
                "since": one.since.isoformat(timespec="seconds"),
                "restarts": one.restarts,
                "reason": one.reason if one.restarts or one.failures else "",
            }
            for one in self._kept
        ]
        with suppress(OSError):  # a full disk stops no supervision
            write_json(settings().home / _FILE, rows)


def _is_back(child: Child) -> bool:
    try:
        if not child.ready():
            return False
        child.returned()
        return True
    except Exception:  # whatever asking a server that is not there yet raises
        return False


def forget() -> None:
    """What was noted is of children that have ended: `c2m up` starts, and is up once it has noted its own."""
    (settings().home / _FILE).unlink(missing_ok=True)


def noted() -> list[dict[str, Any]]:
    """How each child stood at the last change: process, pid, state, since, restarts, reason. Empty until all are up."""
    file = settings().home / _FILE
    found: list[dict[str, Any]] = json.loads(file.read_bytes()) if file.exists() else []
    return found


def processes() -> list[dict[str, Any]]:
    """`noted`, for who is not `c2m up` itself; empty where that does not run."""
    return noted() if (occupant() or "").startswith("c2m up") else []


def _wall() -> str:
    return f"{datetime.now().astimezone():%H:%M:%S}"
