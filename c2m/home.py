"""Which C2M_HOME this is, and who is at work in it: an id to ask servers for, and locks that end with their process.

A lock is a record lock on a file of C2M_HOME. The kernel takes it back however the process ends, and a process that was
forked does not keep it.
"""

import fcntl
import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from c2m.errors import InputError
from c2m.files import locked, write_private
from c2m.settings import settings

HEADER = "x-c2m-home"  # in which pages of ours say whose they are


def home_id() -> str:
    """Twelve hex digits of the absolute path: two homes of one machine never have the same."""
    return hashlib.sha256(str(settings().home.resolve()).encode()).hexdigest()[:12]


def secret(name: str) -> str:
    """256 bits of chance that this home keeps in `name`.key, for its owner alone; made when first asked for."""
    home = settings().home
    home.mkdir(parents=True, exist_ok=True)
    file = home / f"{name}.key"
    with locked(home):
        if not file.exists():
            write_private(file, secrets.token_urlsafe(32))
    return file.read_text()


def lock_file(name: str) -> Path:
    """The file behind a lock; it holds the pid of the process that had it last."""
    return settings().home / f"{name}.lock"


@contextmanager
def turn(name: str) -> Iterator[None]:
    """Waits until no other process has this lock, then has it until the block ends."""
    with _opened(name) as handle:
        fcntl.lockf(handle, fcntl.LOCK_EX)
        yield


@contextmanager
def occupied(by: str) -> Iterator[None]:
    """The whole home is `by`'s until the block ends.

    Raises
    ------
    InputError
        Where another process works in this home.
    """
    with _opened("home") as handle:
        try:
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            seen = f"{os.pread(handle, 100, 0).decode()} works in {settings().home}"
            raise InputError("home-in-use", [f"{seen}; stop it first, or set C2M_HOME to another folder"]) from None
        os.truncate(handle, 0)
        os.pwrite(handle, f"{by} (process {os.getpid()})".encode(), 0)
        yield


def occupant() -> str | None:
    """Who has the home. Not for the process that has it itself: looking would end its lock."""
    with _opened("home") as handle:
        try:
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return os.pread(handle, 100, 0).decode()
    return None


@contextmanager
def _opened(name: str) -> Iterator[int]:
    settings().home.mkdir(parents=True, exist_ok=True)
    settings().home.chmod(0o700)  # ledger, landing zone and databases are for their owner alone
    handle = os.open(lock_file(name), os.O_RDWR | os.O_CREAT, 0o644)
    try:
        yield handle
    finally:
        os.close(handle)  # which ends the lock
