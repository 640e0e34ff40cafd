"""The errors that a user sees: what was seen, what was expected, what to do. The command line gives them exit codes."""

import errno
import sys
from collections.abc import Iterable


class C2MError(Exception):
    """Something the user can mend. Carries every fault found, so that one pass mends them all."""

    exit_code = 2

    def __init__(self, reason: str, faults: Iterable[str]) -> None:
        self.reason = reason  # machine-readable, kebab-case
        self.faults = list(faults)
        super().__init__("\n".join(self.faults))


class InputError(C2MError):
    """An input breaks its contract; nothing was written."""


class InfeasibleError(C2MError):
    """Frozen work does not fit; the faults name the causes."""

    exit_code = 3


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


def in_words(error: Exception) -> InputError | None:
    """An error of the machine or of the ledger's database as what was seen and what to do; None for a fault of ours."""
    if isinstance(error, OSError) and error.errno in _MOVES:
        return InputError("machine", [f"{error.filename or error.strerror}: {_MOVES[error.errno]}"])
    alchemy = sys.modules.get("sqlalchemy.exc")
    if alchemy is not None and isinstance(error, alchemy.OperationalError | alchemy.DatabaseError):
        seen = str(error.__cause__ or error).partition("\n")[0]
        if isinstance(error, alchemy.IntegrityError | alchemy.ProgrammingError | alchemy.DataError):
            return None
        move = "look whether its server answers, its file is whole and its disk has room; c2m restore lays out a backup"
        return InputError("ledger", [f"the ledger cannot be used: {seen}; {move}"])
    return None
