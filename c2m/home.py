"""Which C2M_HOME this is, and who is at work in it: an id to ask servers for, and locks that end with their process.

A lock is a record lock on a file of C2M_HOME. The kernel takes it back however the process ends, and a process that was
forked does not keep it.
"""

import fcntl
import hashlib
import os
import secrets
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from c2m.errors import InputError
from c2m.files import locked, write_private
from c2m.settings import settings

_FLOCK = "hhlli"  # struct flock on 64-bit Linux: type, whence, start, length, pid
HEADER = "x-c2m-home"  # in which pages of ours say whose they are


def keep_private() -> None:
    """What this process and those that it starts write is for their owner alone, also where the home is copied."""
    os.umask(0o077)


def home_id() -> str:
    """Twelve hex digits of the absolute path: two homes of one machine never have the same."""
    return hashlib.sha256(str(settings().home.resolve()).encode()).hexdigest()[:12]


def secret(name: str) -> str:
    """256 bits of chance that this home keeps in `name`.key, for its owner alone; made when first asked for."""
    home = _made_home()
    file = home / f"{name}.key"
    with locked(home):
        if not file.exists():
            write_private(file, secrets.token_urlsafe(32))
    return file.read_text()


def holder(file: Path) -> int | None:
    """The process (its number, pid) that has a record lock on a file, without taking one; None: nobody. Not for a
    process that has one itself.
    """
    if not file.exists():
        return None
    with file.open("rb+") as handle:
        asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        kind, *_, pid = struct.unpack(_FLOCK, fcntl.fcntl(handle, fcntl.F_GETLK, asked))
    return None if kind == fcntl.F_UNLCK else int(pid)


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


def _made_home() -> Path:
    """The home, which is there and its owner's alone: ledger, landing zone and databases lie in it."""
    keep_private()
    settings().home.mkdir(parents=True, exist_ok=True)
    settings().home.chmod(0o700)
    return settings().home


@contextmanager
def _opened(name: str) -> Iterator[int]:
    _made_home()
    handle = os.open(lock_file(name), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        yield handle
    finally:
        os.close(handle)  # which ends the lock
