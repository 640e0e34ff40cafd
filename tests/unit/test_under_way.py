"""Minutes that work under way has had: by the factory's clock and calendar, where it is alone on the lines."""

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from optimization.book.under_way import under_way

FACTORIES = pd.DataFrame({"factory_id": ["a", "b"], "timezone": ["Asia/Shanghai", "Europe/Istanbul"], "operators": 10})
DAYS = pd.date_range("2026-04-10", "2026-04-14")  # Friday to Tuesday
CALENDAR = pd.DataFrame(
    [
        (f, day.date(), 0.0 if day.weekday() > 4 else 4_800.0, 0.0 if day.weekday() > 4 else 1_200.0)
        for f in "ab"
        for day in DAYS
    ],
    columns=["factory_id", "day", "minutes", "overtime_minutes"],
)
UNTIL = datetime(2026, 4, 13, 16, tzinfo=UTC)  # midnight in Shanghai, seven in the evening in Istanbul


def job(factory_id: str, begun_at: str | None, state: str = "Running") -> dict[str, object]:
    at = None if begun_at is None else datetime.fromisoformat(begun_at)
    return {
        "job_order_id": f"{factory_id}{begun_at}",
        "factory_id": factory_id,
        "state": state,
        "remaining": 9,
        "begun_at": at,
    }


def had(*jobs: dict[str, object]) -> list[float]:
    return under_way(pd.DataFrame(list(jobs)), FACTORIES, CALENDAR, UNTIL)["had_minutes"].tolist()


@pytest.mark.parametrize(
    ("factory_id", "begun_at", "minutes"),
    [
        ("a", "2026-04-13T10:00+08:00", 3_600),  # of eight hours the last six, by ten operators
        ("a", "2026-04-10T15:00+08:00", 600 + 4_800),  # an hour on Friday, and all of Monday
        ("a", "2026-04-10T17:00+08:00", 600 + 6_000),  # begun in overtime, so overtime is what it gets
        ("b", "2026-04-13T08:00+03:00", 4_800),
        ("b", "2026-04-13T14:30+03:00", 900),
    ],
)
def test_minutes_are_those_paid_since_it_began(factory_id: str, begun_at: str, minutes: float) -> None:
    assert had(job(factory_id, begun_at)) == [pytest.approx(minutes)]


def test_nobody_knows_how_several_share_the_lines_nor_when_what_was_not_said_began() -> None:
    found = had(
        job("a", "2026-04-13T10:00+08:00"),
        job("a", "2026-04-13T09:00+08:00"),
        job("b", "2026-04-13T08:00+03:00"),
        job("b", None, "NotAllowedToStart"),
    )
    assert np.isnan(found).tolist() == [True, True, False, True]
    assert np.isnan(had(job("a", None))).all()


def test_what_began_after_the_regular_minutes_began_in_overtime() -> None:
    rows = [job("a", "2026-04-13T17:59+08:00"), job("a", "2026-04-13T15:59+08:00"), job("a", None, "AllowedToStart")]
    found = under_way(pd.DataFrame(rows), FACTORIES, CALENDAR, UNTIL)
    assert found["in_overtime"].tolist() == [True, False, False]
