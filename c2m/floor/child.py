"""Child processes that cannot outlive us: logs in C2M_HOME/logs, stopped by pid, by the kernel where we are killed."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from c2m.errors import C2MError
from c2m.settings import settings

STARTS = "--- start"  # begins the line in a log from which on it is the next process's
LOOPBACK = "127.0.0.1"
_STOP_TIMEOUT_S = 10.0
_READY_TIMEOUT_S = 30.0

# Asks the kernel for SIGTERM when the *thread* that started it ends (prctl 1 = PR_SET_PDEATHSIG), then becomes the
# command: same pid, and no code of ours between fork and exec. The parent may have died before: hence getppid. Signals
# that the thread had blocked would stay blocked, and Mosquitto deaf to SIGTERM: hence the mask. The usual 1,024 open
# files are as many connections, which anybody on the machine could take.
_LEASH = (
    "import ctypes, os, resource, signal, sys;"
    "hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1];"
    "resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65536) if hard > 0 else 65536, hard));"
    "signal.pthread_sigmask(signal.SIG_SETMASK, ());"
    f"ctypes.CDLL(None).prctl(1, {int(signal.SIGTERM)});"
    "os.getppid() == int(sys.argv[1]) or sys.exit(1);"
    "os.execvp(sys.argv[2], sys.argv[2:])"
)


class Child(subprocess.Popen[bytes]):
    """A process beside us, in a session of its own: Ctrl-C reaches us, and we stop it in order.

    Once it has ended, `start` gives the same object a new process of the same command. The thread that starts it must
    live as long as it: see _LEASH.

    ready: whether it can do its work. returned: called once it is ready again after a new start.
    """

    def __init__(self, name: str, command: list[str], env: Mapping[str, str] | None = None) -> None:
        self.name, self._command, self._env = name, command, {**os.environ, **(env or {})}
        self.ready: Callable[[], bool] = lambda: self.poll() is None
        self.returned: Callable[[], object] = lambda: None
        self.start()

    def start(self) -> None:
        """Starts the process, the first or the next one."""
        leash = [sys.executable, "-I", "-S", "-c", _LEASH, str(os.getpid())] if sys.platform == "linux" else []
        log = log_file(self.name)
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output, Path(os.devnull).open("rb") as nothing:
            output.write(f"{STARTS} {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC\n".encode())
            output.flush()
            self._said_from = output.tell()
            super().__init__(
                [*leash, *self._command],
                env=self._env,
                stdin=nothing,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def said(self) -> str:
        """What it has written to its log since it was started."""
        with log_file(self.name).open("rb") as log:
            log.seek(self._said_from)
            return log.read().decode(errors="replace")


@contextmanager
def child(name: str, command: list[str], env: Mapping[str, str] | None = None) -> Iterator[Child]:
    """Runs a command beside us until the block ends.

    Parameters
    ----------
    name
        Of its log.
    command
        Program and arguments.
    env
        What is added to our environment.

    Yields
    ------
    Child
        The running child.
    """
    process = Child(name, command, env)
    try:
        yield process
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Asks the process to end, insists after a while, and reaps it."""
    process.terminate()
    try:
        process.wait(_STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def await_ready(
    process: Child, ready: Callable[[], bool], timeout_s: float = _READY_TIMEOUT_S, poll_s: float = 0.02
) -> None:
    """Returns once a child is ready.

    Parameters
    ----------
    process
        The child; it keeps `ready`, for who starts it again.
    ready
        Asked again and again.
    timeout_s
        Seconds after which it counts as silent.
    poll_s
        Seconds between two questions.

    Raises
    ------
    C2MError
        It ended before, or stays silent; with the end of its log.
    """
    process.ready = ready
    deadline = time.monotonic() + timeout_s
    while process.poll() is None and time.monotonic() < deadline:
        if ready():
            return
        time.sleep(poll_s)
    ended = process.poll() is not None
    seen = f"ended with exit code {process.returncode}" if ended else f"is not ready after {timeout_s:g} s"
    tail = process.said().splitlines()[-5:]
    raise C2MError("service-not-ready", [f"{process.name} {seen}; the end of {log_file(process.name)} reads:", *tail])


def log_file(name: str) -> Path:
    """Where a child writes what it has to say."""
    return settings().home / "logs" / f"{name}.log"


def listens(port: int) -> bool:
    """Whether someone accepts connections on a loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((LOOPBACK, port)) == 0


def free_port() -> int:
    """A loopback port that nobody uses at the moment.

    Below the ports that systems give to outgoing connections (32768 and up on Linux, 49152 elsewhere): one of those
    could take it before whoever asked for it listens.
    """
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind((LOOPBACK, port))
            return port
