"""The outlook of a small floor, beside what its calendar and its scans say by hand."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from c2m.settings import RobotPolicy
from c2m.wire.messages import TIMED
from models.finish import remedy
from models.finish.calendar import calendar_of
from models.finish.floor import FloorState, inspected, last_of_lines, offline_hours
from models.finish.outlook import outlook

DAY = date(2026, 3, 9)  # a Monday
MIDNIGHT = datetime(2026, 3, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)


def floor(now: datetime = MIDNIGHT, **changes: Any) -> FloorState:
    """F1 to F3: ten operators, eight hours from Monday to Friday, at 0.7, of 0.8 declared, on all days of ten weeks."""
    ids = ["F1", "F2", "F3"]
    factories = pd.DataFrame(
        {"factory_id": ids, "timezone": ["UTC", "UTC", "Asia/Shanghai"], "operators": 10, "lines": 2,
         "setup_minutes": 0.0, "yield_rate": 1.0, "status": "active"}
    )  # fmt: skip
    days = [DAY + timedelta(days=n) for n in range(-70, 14)]
    calendar = pd.DataFrame(
        [(f, pd.Timestamp(d), 4800.0 * (d.weekday() < 5), 600.0) for f in ids for d in days],
        columns=["factory_id", "day", "minutes", "overtime_minutes"],
    )
    worked = calendar[(calendar["minutes"] > 0) & (calendar["day"] < pd.Timestamp(DAY))]
    evidence = worked[["factory_id", "day"]].assign(earned_minutes=0.7 * 4800, planned_minutes=0.8 * 4800)
    capabilities = pd.DataFrame({"factory_id": ids, "kind": "category", "name": ["shirt", "shirt", "coat"]}).assign(
        efficiency=0.8
    )
    parts = {"progress": progress(), "work": scans(), "evidence": evidence, "capabilities": capabilities} | changes
    return FloorState(calendar_of(factories, calendar, DAY, now, time(8)), factories, **parts)


def progress(*rows: tuple[str, str, int]) -> pd.DataFrame:
    """The mart job_order_progress: (job order, operation, good pieces), a tenth of them lost in inspection."""
    frame = pd.DataFrame(list(rows), columns=["job_order_id", "operation", "good_pieces"]).astype({"good_pieces": int})
    return frame.assign(defects=frame["good_pieces"].where(frame["operation"] == "inspect", 0) // 10)


def scans(*rows: tuple[str, str, str, str, float]) -> pd.DataFrame:
    """The mart floor_days: (factory, line, job order, last scan, minutes earned)."""
    columns = ["factory_id", "line_id", "job_order_id", "last_scan_at", "earned_minutes"]
    frame = pd.DataFrame(list(rows), columns=columns).astype(
        {"last_scan_at": "datetime64[us]", "earned_minutes": float}
    )
    return frame.assign(day=frame["last_scan_at"].dt.normalize(), good_pieces=90, defects=10)


def live(*changes: dict[str, Any]) -> pd.DataFrame:
    """Job orders J1, J2, ... at F1, accepted: 1,000 shirts of 10 minutes, due in two weeks."""
    row = {
        "lot_id": "L", "order_id": "O1", "merchant_id": "M", "factory_id": "F1", "state": "AllowedToStart",
        "quantity": 1000, "start_on": DAY, "due_on": DAY + timedelta(days=11), "style_id": "S", "category": "shirt",
        "at": MIDNIGHT - 24 * HOUR, "crafts": "", "order_due_on": DAY + timedelta(days=11), "transit_days": 0,
        "passes_on": False,
        **{f"sam_{name}_minutes": 2.0 for name in TIMED},
    }  # fmt: skip
    return pd.DataFrame([{"job_order_id": f"J{n}"} | row | change for n, change in enumerate(changes, 1)])


def test_a_job_order_is_done_when_its_minutes_are_earned() -> None:
    rows = outlook(floor(), live({})).set_index("job_order_id")
    job = rows.loc["J1"]
    assert (job.work_left, job.pieces_left, job.done_share, job.running) == (10_000, 1000, 0.0, False)
    assert job.day_work == pytest.approx(0.7 * 4800, rel=0.02)
    assert job.q50 == pd.Timestamp(DAY + timedelta(days=2))  # 2.98 days of 3,360 minutes
    assert job.q10 <= job.q50 <= job.q90
    assert (job.due_days, job.late_chance < 0.01) == (10, True)
    assert job.last_on == pd.Timestamp(DAY + timedelta(days=16))


def test_work_must_end_the_days_of_its_way_before_it_is_due() -> None:
    near, far = live({}), live({"transit_days": 10})  # 2.98 days of work
    (early,), (late,) = outlook(floor(), near).itertuples(), outlook(floor(), far).itertuples()
    assert (late.ends_by, late.due_on, late.due_days) == (pd.Timestamp(2026, 3, 10), early.due_on, 2)
    (sooner,) = outlook(floor(), live({"due_on": DAY + timedelta(days=1)})).itertuples()
    assert late.late_chance == sooner.late_chance > 0.9 > 0.1 > early.late_chance
    assert (late.lost_chance < 0.01, late.last_on) == (True, early.last_on)


def test_a_stage_that_passes_on_is_lost_as_many_days_before_its_lot() -> None:
    first = {"due_on": DAY + timedelta(days=4), "passes_on": True}
    rows = outlook(floor(), live(first, {"due_on": DAY + timedelta(days=9)}))
    days = [(last - due).days for last, due in zip(rows["last_on"], rows["due_on"], strict=True)]
    assert days == [7, 7]  # the order is due two days after its last stage, and taken five days after that


def test_weekends_are_no_working_days_and_the_last_week_goes_on() -> None:
    rows = outlook(floor(), live({"quantity": 2100}, {"factory_id": "F2", "quantity": 6000}))
    assert rows["q50"].tolist() == [pd.Timestamp(2026, 3, 17), pd.Timestamp(2026, 4, 1)]  # 6.3 and 17.9 days


def test_what_was_made_is_made_in_every_operation() -> None:
    made = progress(("J1", "cut", 1000), ("J1", "sew", 600), ("J1", "inspect", 500), ("J1", "ship", 100))
    (job,) = outlook(floor(progress=made), live({"state": "Running"})).itertuples()
    # 50 of the pieces that were cut and sewn are lost: those are to be made again, in every operation before.
    assert (job.work_left, job.pieces_left) == (2 * (50 + 450 + 1000 + 500 + 1000), 900)
    assert job.done_share == pytest.approx(1 - 6000 / 10_000)


def test_the_rest_of_a_day_counts_in_the_factory_s_zone() -> None:
    noon = MIDNIGHT + 12 * HOUR  # 12:00 at F1, half the shift over; 20:00 at F3, all of it
    rows = outlook(floor(noon), live({"quantity": 300}, {"quantity": 300, "factory_id": "F3"}))
    assert rows["q50"].tolist() == [pd.Timestamp(2026, 3, 10)] * 2  # 3,000 minutes: 1,680 of them today, or none
    rows = outlook(floor(noon), live({"quantity": 100}, {"quantity": 100, "factory_id": "F3"}))
    assert rows["q50"].tolist() == [pd.Timestamp(2026, 3, 9), pd.Timestamp(2026, 3, 10)]


def test_who_has_begun_goes_first_and_the_others_wait_for_their_day() -> None:
    work = scans(("F1", "L1", "J2", "2026-03-06 15:00", 3000.0))
    jobs = live({}, {"state": "Running"}, {"start_on": DAY + timedelta(days=16)})
    rows = outlook(floor(work=work), jobs).set_index("job_order_id")
    assert list(rows.index) == ["J2", "J1", "J3"]
    assert rows.loc["J2", "share"] == 1.0
    assert rows["q50"].tolist() == [pd.Timestamp(2026, 3, day) for day in (11, 16, 27)]


def test_running_job_orders_share_as_their_scans_say() -> None:
    work = scans(("F1", "L1", "J1", "2026-03-06 15:00", 9000.0), ("F1", "L2", "J2", "2026-03-06 15:00", 3000.0))
    rows = outlook(floor(work=work), live({"state": "Running"}, {"state": "Running"})).set_index("job_order_id")
    equal = 0.5 * rows["day_work"].iloc[0]
    assert rows.loc["J1", "share"] == pytest.approx((9000 + equal) / (12_000 + 2 * equal), rel=0.01)
    assert rows["share"].sum() == pytest.approx(1)
    assert rows.loc["J2", "q50"] == pd.Timestamp(2026, 3, 16)  # both are done after 5.95 days


def test_silence_is_counted_in_working_hours() -> None:
    work = scans(("F1", "L1", "J1", "2026-03-06 15:00", 100.0), ("F1", "L2", "J1", "2026-03-05 20:00", 100.0))
    now = floor(MIDNIGHT + 9.5 * HOUR, work=work)
    rows = outlook(now, live({"state": "Running"}, {"at": MIDNIGHT + 8 * HOUR}))
    assert rows["silent_hours"].tolist() == pytest.approx(
        [1 + 1.5, 1.5]
    )  # Friday from 15:00 to 16:00, Monday from 8:00
    lines = last_of_lines(now).set_index("line_id")["silent_hours"]
    assert lines.to_dict() == pytest.approx({"L1": 2.5, "L2": 9.5})
    said = pd.DataFrame({"factory_id": ["F1", "F2", "F9"], "online": [False, True, False], "at": MIDNIGHT - 56 * HOUR})
    assert offline_hours(now, said)["offline_hours"].tolist() == pytest.approx([1.5])  # Friday 16:00, Monday 9:30


def test_yield_is_counted_by_recent_and_past_days() -> None:
    work = scans(*(("F1", "L1", "J1", f"2026-03-0{day} 10:00", 1.0) for day in (2, 3, 6, 8)))
    counts = inspected(floor(work=work), RobotPolicy.model_validate({}))
    assert counts.to_numpy().tolist() == [["F1", 180, 20, 180, 20]]


def test_moves_follow_what_the_calendars_allow() -> None:
    soon = DAY + timedelta(days=3)
    jobs = live(
        {"quantity": 1500, "due_on": soon},  # 13,440 minutes until Thursday: 1,560 lack, overtime gives 1,680
        {"quantity": 1800, "due_on": soon, "factory_id": "F2"},  # 4,560 lack: F1 is full, F3 makes no shirts
    )
    now = floor()
    rows = outlook(now, jobs)
    said = remedy.moves(rows, now, rows)
    assert said["J1"].endswith("minutes of overtime at F1 until 12 Mar would do")
    assert said["J2"].startswith("Tell the merchant: 4")
    alone = rows[rows["job_order_id"] == "J2"]
    said = remedy.moves(alone, now, alone)  # F1 has nothing to do: 10,080 minutes from Tuesday to Thursday
    assert said["J2"].startswith("Re-plan 4") and said["J2"].endswith("F1 has the time for them until 12 Mar")


@pytest.mark.parametrize("evidence", ["some", "none"])
def test_an_empty_floor_has_no_outlook(evidence: str) -> None:
    now = floor() if evidence == "some" else floor(evidence=floor().evidence.iloc[:0])
    assert outlook(now, pd.DataFrame(columns=live({}).columns)).empty
    assert outlook(now, live({"state": "Released"}, {"factory_id": "unknown"})).empty
    assert inspected(now, RobotPolicy.model_validate({})).empty
    assert len(outlook(now, live({}))) == 1


def test_an_outlook_does_not_depend_on_the_order_of_its_rows() -> None:
    jobs = live({"due_on": DAY}, {"state": "Running"}, {"factory_id": "F2"}, {"quantity": 300})
    shuffled = jobs.sample(frac=1, random_state=np.random.RandomState(1))
    pd.testing.assert_frame_equal(outlook(floor(), jobs), outlook(floor(), shuffled))
