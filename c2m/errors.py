"""The errors that a user sees: what was seen, what was expected, what to do. The command line gives them exit codes."""

import errno
import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path


class C2MError(Exception):
    """Something the user can mend. Carries every fault found, so that one pass mends them all."""

    exit_code = 2

    def __init__(self, reason: str, faults: Iterable[str]) -> None:
        self.reason = reason  # machine-readable, kebab-case
        self.faults = list(faults)
        super().__init__("\n".join(self.faults))

    def __reduce__(self) -> tuple[type["C2MError"], tuple[str, list[str]]]:
        """As another process hands it over: an exception is otherwise made again of its text alone, which fails."""
        return type(self), (self.reason, self.faults)


class InputError(C2MError):
    """An input breaks its contract; nothing was written."""


class InfeasibleError(C2MError):
    """Frozen work does not fit; the faults name the causes."""

    exit_code = 3


_ROOM_BYTES = 1 << 20  # of a disk that is not full

_MOVES = {
    errno.ENOSPC: "the disk is full: make room (c2m prune), then do it again; what was whole before is whole still",
    errno.EDQUOT: "the quota of this user is used up: make room (c2m prune), then do it again",
    errno.EROFS: "it cannot be written to: set C2M_HOME to a folder that can",
    errno.EACCES: "this user may not: set C2M_HOME to a folder of yours, or run as its owner",
    errno.EPERM: "this user may not: set C2M_HOME to a folder of yours, or run as its owner",
    errno.EMFILE: "too many files are open: raise the limit (ulimit -n)",
    errno.ENOMEM: "no memory is left: end other programs, or lower C2M_WAREHOUSE_MEMORY",
    errno.EAGAIN: "no further process can be started: raise the limit (ulimit -u)",
}


def _lies_above_home(name: object) -> bool:
    home = Path(os.environ.get("C2M_HOME", "")).absolute()
    return isinstance(name, str) and not home.exists() and Path(name).absolute() in (home, *home.parents)


def in_words(error: Exception) -> InputError | None:
    """An error of the machine or of the ledger's database as what was seen and what to do; None for a fault of ours."""
    return _of_machine(error) or _of_ledger(error) or _of_full_disk()


def _of_machine(error: Exception) -> InputError | None:
    if isinstance(error, FileNotFoundError | NotADirectoryError) and _lies_above_home(error.filename):
        home = os.environ["C2M_HOME"]
        return InputError("home", [f"C2M_HOME={home} cannot be made ({error}): set C2M_HOME to a folder that can"])
    if isinstance(error, OSError) and error.errno in _MOVES:
        return InputError("machine", [f"{error.filename or error.strerror}: {_MOVES[error.errno]}"])
    duckdb = sys.modules.get("duckdb")
    if duckdb is not None and isinstance(error, duckdb.IOException):  # tells the machine's words, not its number
        seen = str(error).partition("\n")[0]
        return next((InputError("machine", [f"{seen}; {_MOVES[n]}"]) for n in _MOVES if os.strerror(n) in seen), None)
    return None


def _of_ledger(error: Exception) -> InputError | None:
    alchemy = sys.modules.get("sqlalchemy.exc")
    if alchemy is None or not isinstance(error, alchemy.OperationalError | alchemy.DatabaseError):
        return None
    if isinstance(error, alchemy.IntegrityError | alchemy.ProgrammingError | alchemy.DataError):
        return None
    seen = str(error.__cause__ or error).partition("\n")[0]
    move = "look whether its server answers, its file is whole and its disk has room; c2m restore lays out a backup"
    return InputError("ledger", [f"the ledger cannot be used: {seen}; {move}"])


def _of_full_disk() -> InputError | None:
    """Whatever a library made of it, such as a server's error 500, where the disk of this home has no room left."""
    home = Path(os.environ.get("C2M_HOME", "var"))
    if home.exists() and shutil.disk_usage(home).free < _ROOM_BYTES:
        return InputError("machine", [f"{home}: {_MOVES[errno.ENOSPC]}"])
    return None
