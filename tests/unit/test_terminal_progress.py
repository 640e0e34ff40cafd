"""What stands on standard error while a search runs, and how signals end it."""

import os
import signal
import time
from threading import Event

import pytest

from c2m.stopping import until_interrupted, until_stopped
from c2m.terminal import in_words, progress_line
from optimization.statement.highs import Progress


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (Progress(1, -float("inf"), None, None), "no plan yet, no bound yet"),
        (Progress(1, 90, None, None), "no plan yet, at least 90.00"),
        (Progress(1, 90, 1000.5, 0.91), "cost 1,000.50, at least 90.00, gap 91.000%"),
    ],
)
def test_a_search_in_words(seen: Progress, words: str) -> None:
    assert in_words(seen) == words


def test_elsewhere_than_on_a_terminal_a_line_comes_every_few_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_line() as show:
        for label in ("base", "base", "rush"):
            show(label, Progress(2, 90, 100, 0.1))
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.splitlines() == [f"{x}  2.0 s  cost 100.00, at least 90.00, gap 10.000%" for x in ("base", "rush")]


def test_ctrl_c_asks_the_work_to_stop_and_returns_what_it_has(capsys: pytest.CaptureFixture[str]) -> None:
    before = signal.getsignal(signal.SIGINT)

    def work(stop: Event) -> str:
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.wait(5)
        return "the best so far"

    began = time.monotonic()
    assert until_interrupted(work) == "the best so far"
    assert time.monotonic() - began < 5
    assert "best plan so far" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGINT) == before


def test_an_error_of_the_work_comes_out() -> None:
    def work(stop: Event) -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        until_interrupted(work)


def test_what_another_signal_raises_stops_the_work_and_comes_out() -> None:
    class EndedError(Exception):
        """As Prefect's handler of SIGTERM raises one."""

    def end(*_: object) -> None:
        raise EndedError

    seen: list[bool] = []

    def work(stop: Event) -> None:
        time.sleep(0.1)  # the main thread waits by then
        os.kill(os.getpid(), signal.SIGTERM)
        seen.append(stop.wait(5))

    before = signal.signal(signal.SIGTERM, end)
    try:
        with pytest.raises(EndedError):
            until_stopped(work)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert seen == [True]
