"""Which days of a time-lapse run are through, and what a schedule finds before the first."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from c2m.settings import settings
from flows.parameters import Robot, Track
from flows.robot import robot
from flows.timelapse import later_day_begun
from flows.track import track


def test_a_day_is_left_alone_once_a_later_one_has_a_plan(home: Path) -> None:
    (settings().runs / "2026-04-13" / "6a49be28" / "plan").mkdir(parents=True)
    (settings().runs / "2026-04-14" / ".6a49be28" / "plan").mkdir(parents=True)  # of a plan that is being made
    assert later_day_begun(date(2026, 4, 12))
    assert not later_day_begun(date(2026, 4, 13))
    assert not later_day_begun(date(2026, 4, 14))


@pytest.mark.parametrize(("flow", "parameters"), [(track.fn, Track()), (robot.fn, Robot())])
def test_a_schedule_that_comes_due_before_the_first_day_is_no_failure(
    flow: Callable[[Any], Any], parameters: Track | Robot, home: Path
) -> None:
    ended = flow(parameters)
    assert ended.is_completed()
    assert "no day was published yet" in ended.message
