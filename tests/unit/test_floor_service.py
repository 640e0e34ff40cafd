"""A service that hangs must still end when it is told to: its starter may be gone and cannot insist."""

import signal
import subprocess
import sys

HANGS = "from c2m.floor.service import stop_on_signal; import threading; s = stop_on_signal(); print('up', flush=True);"


def test_a_service_that_hangs_ends_a_while_after_the_signal() -> None:
    code = HANGS + "threading.Lock().acquire(); threading.Event().wait()"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 1


def test_a_signal_in_the_middle_of_a_wait_on_the_event_ends_the_service() -> None:
    """The main thread looks at the event without pause, so that the signal finds it at every one of its steps."""
    code = HANGS + "\nwhile not s.wait(1e-6): pass"
    for _ in range(8):
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=6) == 0  # below the grace: it ended by the event
