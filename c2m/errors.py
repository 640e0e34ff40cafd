"""The errors that a user sees: what was seen, what was expected, what to do. The command line gives them exit codes."""

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
