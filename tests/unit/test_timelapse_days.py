"""Which days of a time-lapse run are through."""

from datetime import date
from pathlib import Path

from c2m.settings import settings
from flows.timelapse import later_day_begun


def test_a_day_is_left_alone_once_a_later_one_has_a_plan(home: Path) -> None:
    (settings().runs / "2026-04-13" / "6a49be28" / "plan").mkdir(parents=True)
    (settings().runs / "2026-04-14" / ".6a49be28" / "plan").mkdir(parents=True)  # of a plan that is being made
    assert later_day_begun(date(2026, 4, 12))
    assert not later_day_begun(date(2026, 4, 13))
    assert not later_day_begun(date(2026, 4, 14))
