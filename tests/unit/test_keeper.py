"""Children that end are started again: once at first, then ever more rarely, and it is said why."""

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from c2m.floor.child import child
from c2m.upkeep import keeper
from c2m.upkeep.keeper import Keeper

WAITS = [sys.executable, "-c", "import time; print('here', flush=True); time.sleep(600)"]


def look_until(kept: Keeper, seen: Callable[[], bool], seconds: float = 20) -> None:
    until = time.monotonic() + seconds
    while not seen():
        assert time.monotonic() < until
        kept.look()
        time.sleep(0.01)


def test_a_killed_child_comes_back_and_tells_who_waits_for_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "FIRST_PAUSE_S", 0.1)
    said: list[str] = []
    calls: list[str] = []
    with child("waiting", WAITS) as process:
        process.ready = lambda: "here" in process.said()
        process.returned = lambda: calls.append("returned")
        kept = Keeper([process], said.append, lambda: calls.append("renewed"))
        (before,) = keeper.noted()
        first = process.pid
        look_until(kept, process.ready)
        os.kill(first, signal.SIGKILL)
        look_until(kept, lambda: len(said) == 2)
        (after,) = keeper.noted()
        os.kill(process.pid, 0)  # it lives
    assert calls == ["renewed", "returned"], said
    assert "HAS ENDED  waiting, exit code -9: here" in said[0]
    assert f"runs again  waiting (process {process.pid})" in said[1]
    assert (before["state"], before["restarts"], before["pid"]) == ("runs", 0, first)
    assert (after["state"], after["restarts"], after["pid"]) == ("runs", 1, process.pid)
    assert process.poll() is not None  # the block has ended the second process too


def test_a_child_that_keeps_failing_is_said_once_with_its_reason_and_not_looped_hot(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "FIRST_PAUSE_S", 0.02)
    said: list[str] = []
    with child("failing", [sys.executable, "-c", "raise SystemExit('the port is taken')"]) as process:
        process.ready = lambda: "ready" in process.said()
        kept = Keeper([process], said.append)
        look_until(kept, lambda: len(said) == keeper.KEEPS_FAILING)
        began = time.monotonic()
        starts = keeper.noted()[0]["restarts"]
        look_until(kept, lambda: time.monotonic() - began > 1.0)
    (noted,) = keeper.noted()
    assert noted["state"] == "keeps failing"
    assert noted["reason"] == "exit code 1: the port is taken"
    assert noted["restarts"] - starts <= 3  # after 0.3, 0.6 and 1.3 s
    assert len(said) == keeper.KEEPS_FAILING
    assert "KEEPS FAILING  failing, exit code 1: the port is taken" in said[-1]


def test_who_ran_steadily_begins_with_the_first_pause(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(keeper, "STEADY_S", 0.1)
    said: list[str] = []
    with child("waiting", WAITS) as process:
        kept = Keeper([process], said.append)
        process.ready = lambda: "here" in process.said()
        for number in range(3):
            look_until(kept, process.ready)
            os.kill(process.pid, signal.SIGKILL)
            look_until(kept, lambda wanted=number + 1: len(said) == 2 * wanted)  # type: ignore[misc]
            began = time.monotonic()
            look_until(kept, lambda began=began: time.monotonic() - began > 0.3)  # type: ignore[misc]
    assert [line.rpartition("in ")[2] for line in said[::2]] == ["0.01 s"] * 3
