"""HiGHS, silent from its first moment: standard output belongs to whoever reads `--json`."""

import highspy


class Solver(highspy.Highs):  # type: ignore[misc]
    """A HiGHS instance that writes nothing to the console."""

    def enableCallbacks(self) -> None:
        """Called by the constructor; HiGHS 1.16 prints its banner there unless the console is off."""
        self.setOptionValue("log_to_console", False)
        super().enableCallbacks()
