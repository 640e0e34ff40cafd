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
# that the thread had blocked would stay blocked, and Mosquitto deaf to SIGTERM: hence the mask.
_LEASH = (
    "import ctypes, os, signal, sys;"
    "signal.pthread_sigmask(signal.SIG_SETMASK, ());"
    f"ctypes.CDLL(None).prctl(1, {int(signal.SIGTERM)});"
    "os.getppid() == int(sys.argv[1]) or sys.exit(1);"
    "os.execvp(sys.argv[2], sys.argv[2:])"
)


@contextmanager
def child(name: str, command: list[str], env: Mapping[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """Runs a command beside us until the block ends, in an own session: Ctrl-C reaches us, we stop it in order.

    Parameters
    ----------
    name
        Of its log.
    command
        Program and arguments.
    env
        Its environment; None: ours.

    Yields
    ------
    Popen
        The running child.
    """
    leash = [sys.executable, "-I", "-S", "-c", _LEASH, str(os.getpid())] if sys.platform == "linux" else []
    log = log_file(name)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        output.write(f"{STARTS} {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC\n".encode())
        output.flush()
        process = subprocess.Popen(
            [*leash, *command],
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
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
    name: str,
    process: subprocess.Popen[bytes],
    ready: Callable[[], bool],
    timeout_s: float = _READY_TIMEOUT_S,
    poll_s: float = 0.02,
) -> None:
    """Returns once a child is ready.

    Parameters
    ----------
    name
        Of its log.
    process
        The child.
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
    deadline = time.monotonic() + timeout_s
    while process.poll() is None and time.monotonic() < deadline:
        if ready():
            return
        time.sleep(poll_s)
    seen = f"ended with exit code {process.returncode}" if process.poll() is not None else "is not ready"
    tail = log_file(name).read_text(errors="replace").splitlines()[-5:]
    raise C2MError("service-not-ready", [f"{name} {seen}; the end of {log_file(name)} reads:", *tail])


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
