"""What a simulated factory makes and when: the pieces add up, the calendar holds, the same seed gives the same."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from floor_world import DAY, factory_rows, order, write_world

from c2m.errors import InputError
from c2m.simulation.factories import production
from c2m.simulation.factories.booking import Segment, book, moment, take
from c2m.simulation.factories.production import Change
from c2m.simulation.factories.profile import Profile, read
from c2m.wire.messages import Scan

TUESDAY = DAY + timedelta(days=1)


@pytest.fixture
def profile(home: Path) -> Profile:
    return read(write_world(factory_rows(["mqtt"]), home / "factories.json"))["F1"]


def made(profile: Profile, quantity: int, seed: int = 1, **changes: object) -> list[production.Event]:
    job = order(quantity, **changes)
    steps = production.steps(profile, job, seed)
    segments = book(profile, {}, job.start_on, job.due_on, steps[-1].minute)
    return production.events(profile, job, steps, segments)


def test_every_piece_asked_is_shipped_and_no_operation_makes_more_than_the_one_before(profile: Profile) -> None:
    scans = [event for event in made(profile, 1001) if isinstance(event, Scan)]
    good = {name: sum(s.quantity for s in scans if s.operation == name) for name in production_order(scans)}
    assert good["ship"] == 1001
    assert list(good.values()) == sorted(good.values(), reverse=True)
    assert {sku: sum(s.quantity for s in scans if (s.operation, s.sku_id) == ("ship", sku)) for sku in "AB"} == {
        "A": 500,
        "B": 501,
    }


def production_order(scans: list[Scan]) -> list[str]:
    return list(dict.fromkeys(scan.operation for scan in scans))


def test_what_a_bundle_loses_are_its_defects(profile: Profile) -> None:
    scans = [event for event in made(profile, 2000) if isinstance(event, Scan) and event.operation != "ship"]
    for bundle in {scan.bundle_id for scan in scans}:
        steps = [scan for scan in scans if scan.bundle_id == bundle]
        for before, after in pairwise(steps):
            assert after.quantity + after.defects == before.quantity


def test_scans_stay_few_and_their_ids_differ(profile: Profile) -> None:
    scans = [event for event in made(profile, 100_000) if isinstance(event, Scan)]
    assert len(scans) < 6 * 45
    assert len({scan.scan_id for scan in scans}) == len(scans)


def test_the_same_seed_gives_the_same_and_another_one_does_not(profile: Profile) -> None:
    assert made(profile, 500) == made(profile, 500)
    assert made(profile, 500) != made(profile, 500, seed=2)
    assert made(profile, 500, job_order_id="J2") != made(profile, 500)


def test_work_runs_from_running_to_ended_in_order_within_shifts(profile: Profile) -> None:
    events = made(profile, 3000)
    times = [event.at for event in events]
    assert times == sorted(times)
    assert all(event.at.weekday() < 5 and 8 <= event.at.hour <= 16 for event in events)
    assert isinstance(events[0], Change)
    assert (events[0].state, events[0].at) == ("Running", datetime(2026, 3, 3, 8, tzinfo=UTC))
    assert isinstance(events[-1], Change)
    assert events[-1].state == "Ended"


def test_breakdowns_interrupt_long_work_and_end(profile: Profile) -> None:
    changes = [event.state for event in made(profile, 300_000) if isinstance(event, Change)]
    assert "Interrupted" in changes
    assert all(after == "Running" for state, after in pairwise(changes) if state == "Interrupted")


def test_pace_is_spread_as_the_sewing_lines_of_the_public_data(profile: Profile) -> None:
    """Ratio of actual to targeted productivity there: median 1.00, 5 % of line-days below 0.65, 10 % above 1.14."""
    job = order(1000)
    nominal = production.nominal_minutes(profile, job)
    ratios = sorted(
        nominal / production.steps(profile, order(1000, job_order_id=f"J{i}"), 1)[-1].minute for i in range(300)
    )
    team = ratios[150]  # one factory: its own mean is in every ratio
    assert 0.85 < team < 1.15
    assert 0.55 < ratios[15] / team < 0.85
    assert 1.05 < ratios[270] / team < 1.25


def test_booking_goes_around_what_is_taken_and_over_weekends(profile: Profile) -> None:
    friday = DAY + timedelta(days=4)
    taken = {friday: [(0.0, 9000.0)]}
    segments = book(profile, taken, friday, friday + timedelta(days=9), 1000.0)
    assert segments == [Segment(friday, 9000.0, 600.0, 9600.0), Segment(friday + timedelta(days=3), 0.0, 400.0, 9600.0)]
    assert moment(profile, segments, 600.0) == datetime(2026, 3, 6, 16, tzinfo=UTC)


def test_booking_fills_the_gaps_of_a_day_whatever_the_order_in_which_it_was_taken(profile: Profile) -> None:
    monday = DAY
    taken = {monday: [(5000.0, 9600.0), (0.0, 1000.0)]}
    segments = book(profile, taken, monday, monday, 4100.0)
    assert segments == [
        Segment(monday, 1000.0, 4000.0, 9600.0),
        Segment(monday + timedelta(days=1), 0.0, 100.0, 9600.0),
    ]
    take(taken, segments)
    assert book(profile, taken, monday, monday, 10.0)[0].day == monday + timedelta(days=1)


def test_overtime_is_worked_only_where_regular_shifts_end_too_late() -> None:
    calendar = {TUESDAY + timedelta(days=i): (100.0, 50.0) for i in range(5)}
    profile = Profile("F", "UTC", 1, 1, 0, 1, 1, "mqtt", {"shirt": 1.0}, frozenset(), calendar)
    assert [s.minutes for s in book(profile, {}, TUESDAY, TUESDAY + timedelta(days=1), 200)] == [100, 100]
    assert [s.minutes for s in book(profile, {}, TUESDAY, TUESDAY, 200)] == [150, 50]


def test_past_its_end_the_calendar_goes_on_as_its_weekdays_do(profile: Profile) -> None:
    assert profile.capacity(date(2027, 1, 1)) == (9600.0, 0.0)  # a Friday
    assert profile.capacity(date(2027, 1, 2)) == (0.0, 0.0)


def test_a_factory_without_working_days_never_has_room() -> None:
    profile = Profile("F", "UTC", 1, 1, 0, 1, 1, "mqtt", {"shirt": 1.0}, frozenset(), {})
    assert book(profile, {}, TUESDAY, TUESDAY, 1) == []


def test_a_shift_is_local_time() -> None:
    profile = Profile("F", "Asia/Shanghai", 10, 1, 0, 1, 1, "mqtt", {}, frozenset(), {TUESDAY: (4000.0, 800.0)})
    assert profile.clock_time(TUESDAY, 0.5, 4800.0) == datetime(2026, 3, 3, 4, tzinfo=UTC)
    assert profile.today(datetime(2026, 3, 2, 23, tzinfo=UTC)) == TUESDAY  # 07:00 there
    assert profile.gone_minutes(datetime(2026, 3, 2, 23, tzinfo=UTC)) == 0
    assert profile.gone_minutes(datetime(2026, 3, 3, 1, tzinfo=UTC)) == 600  # 09:00 there, an eighth of the shift
    assert profile.gone_minutes(datetime(2026, 3, 3, 12, tzinfo=UTC)) == 4800


@pytest.mark.parametrize("text", ["", "{}", '[{"factory_id": "F1"}]'])
def test_a_broken_factories_file_is_an_input_error(tmp_path: Path, text: str) -> None:
    file = tmp_path / "factories.json"
    file.write_text(text)
    if text == "{}":
        assert read(file) == {}
        return
    with pytest.raises(InputError, match=r"factories\.json"):
        read(file)
