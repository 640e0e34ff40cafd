"""Each rule of the order robot on a floor small enough to judge by eye."""

from datetime import datetime
from math import comb
from typing import Any

import numpy as np
import pandas as pd
import pytest

from c2m.domain import alert_rules
from c2m.domain.alert_rules import ALERT, URGENT, WARNING
from c2m.feeds import file_outcomes
from c2m.settings import RobotPolicy, settings

POLICY = RobotPolicy.model_validate({})
PIECES = ("recent_good", "recent_defects", "past_good", "past_defects")
DAY = pd.Timestamp("2026-03-09")


def outlook(*changes: dict[str, Any]) -> pd.DataFrame:
    """Job orders J1, J2, ... that run well at F1 and are due on the tenth day; one per dict of changes."""
    well = {
        "order_id": "O1", "factory_id": "F1", "quantity": 1000, "running": True, "work_left": 5000.0,
        "pieces_left": 500, "done_share": 0.5, "lines": 2, "silent_hours": 1.0, "day_work": 2000.0,
        "due_days": 9, "late_chance": 0.1, "lost_chance": 0.01, "due_on": DAY, "ends_by": DAY,
        "last_on": DAY + pd.Timedelta(days=5), "q10": DAY, "q50": DAY, "q90": DAY,
    }  # fmt: skip
    return pd.DataFrame([{"job_order_id": f"J{n}"} | well | change for n, change in enumerate(changes, 1)])


def subjects(found: pd.DataFrame) -> list[tuple[str, int]]:
    assert list(found.columns) == ALERT
    return list(zip(found["subject"], found["severity"], strict=True))


def test_far_from_its_due_day_only_what_is_nearly_certain_is_late() -> None:
    rows = outlook(
        {"late_chance": 0.94}, {"late_chance": 0.96}, {"late_chance": 0.61, "due_days": 2},
        {"late_chance": 0.59, "due_days": 2}, {"late_chance": 1.0, "lost_chance": 0.9, "due_days": 0},
    )  # fmt: skip
    found = alert_rules.late(rows, set(), POLICY, {"J2": "Do this"})
    assert subjects(found) == [("J2", WARNING), ("J3", WARNING), ("J5", URGENT)]
    assert found["move"].tolist() == ["Do this", "", ""]
    cause = "96% sure to miss 09 Mar: finish 09 Mar (09 Mar to 09 Mar); 5,000 standard minutes are left, F1 earns 2,000"
    assert found["cause"].iloc[0] == f"{cause} a day"
    assert found["cause"].iloc[2].endswith("the last date, 14 Mar, cannot be held either")


def test_a_late_one_is_said_to_miss_the_day_before_its_way() -> None:
    rows = outlook({"late_chance": 0.96, "due_on": DAY + pd.Timedelta(days=2)})
    assert "sure to miss 09 Mar, to be there on 11 Mar: finish" in alert_rules.late(rows, set(), POLICY, {})["cause"][0]


def test_a_warning_stands_until_its_chance_is_low() -> None:
    rows = outlook({"late_chance": 0.31}, {"late_chance": 0.29}, {"late_chance": 0.31})
    assert subjects(alert_rules.late(rows, {"J1", "J2"}, POLICY, {})) == [("J1", WARNING)]


def test_what_has_no_end_on_the_calendar_is_said_so() -> None:
    rows = outlook({"late_chance": 1.0, "q50": pd.NaT, "q90": pd.NaT})
    assert (
        "finish beyond the calendar (09 Mar to beyond the calendar)"
        in alert_rules.late(rows, set(), POLICY, {})["cause"][0]
    )


def test_silence_counts_for_running_job_orders_with_work_left() -> None:
    rows = outlook(
        {"silent_hours": 3.9}, {"silent_hours": 4.0}, {"silent_hours": 12.0}, {"silent_hours": 9.0, "running": False},
        {"silent_hours": 9.0, "work_left": 0.0}, {"silent_hours": np.nan},
    )  # fmt: skip
    assert subjects(alert_rules.silent(rows, POLICY)) == [("J2", WARNING), ("J3", URGENT)]


def test_a_line_stalls_when_its_last_job_order_is_not_done() -> None:
    rows = outlook({}, {"work_left": 0.0})
    lines = pd.DataFrame(
        [("F1", "L1", "J1", 5.0), ("F1", "L2", "J1", 0.5), ("F1", "L3", "J2", 50.0), ("F1", "", "J1", 50.0)],
        columns=["factory_id", "line_id", "job_order_id", "silent_hours"],
    )
    found = alert_rules.stalled(lines, rows, POLICY)
    assert subjects(found) == [("F1/L1", WARNING)]
    assert found["move"].tolist() == ["Call F1: one of 2 lines earns nothing"]


def test_an_offline_factory_matters_when_it_owes_pieces() -> None:
    rows = outlook({}, {"running": False, "pieces_left": 300, "order_id": "O2"}, {"factory_id": "F2"})
    said = pd.DataFrame({"factory_id": ["F1", "F2", "F3"], "offline_hours": [2.5, np.nan, 30.0]})
    found = alert_rules.offline(said, rows, POLICY)
    assert subjects(found) == [("F1", WARNING)]
    assert found["cause"][0] == "F1 is offline for 2.5 working hours with 2 job orders, 800 pieces left"
    assert found["move"][0] == "Call F1; 300 pieces are not begun and can be planned elsewhere"
    assert (found["job_order_ids"][0], found["order_ids"][0]) == (["J1", "J2"], ["O1", "O2"])


def by_counting(defects: int, pieces: int, all_defects: int, all_pieces: int) -> float:
    """Chance of `defects` or more among `pieces` drawn of `all_pieces`, every hand counted."""
    hands = (comb(all_defects, n) * comb(all_pieces - all_defects, pieces - n) for n in range(defects, pieces + 1))
    return sum(hands) / comb(all_pieces, pieces)


@pytest.mark.parametrize("defects,falls", [(5, False), (12, False), (20, True)])
def test_yield_falls_when_chance_does_not_explain_it(defects: int, falls: bool) -> None:
    counts = {"recent_good": 300 - defects, "recent_defects": defects, "past_good": 990, "past_defects": 10}
    found = alert_rules.yield_drop(pd.DataFrame([{"factory_id": "F1"} | counts]), outlook({}), POLICY)
    chance = by_counting(defects, 300, 10 + defects, 1300)
    assert (chance < POLICY.yield_chance) == falls == (len(found) == 1)
    for cause in found["cause"]:
        assert f"F1 yields {1 - defects / 300:.1%} instead of 99.0%: {defects} defects among 300 pieces" in cause
        assert f"once in {1 / chance:,.0f}" in cause


def test_a_small_fall_is_none_however_certain() -> None:
    counts = {"recent_good": 98_500, "recent_defects": 1500, "past_good": 990_000, "past_defects": 10_000}
    assert alert_rules.yield_drop(pd.DataFrame([{"factory_id": "F1"} | counts]), outlook({}), POLICY).empty


def test_one_cause_is_told_once() -> None:
    rows = outlook(
        {"silent_hours": 30.0, "late_chance": 1.0}, {"silent_hours": 30.0, "factory_id": "F2"}, {"factory_id": "F3"}
    )
    said = pd.DataFrame({"factory_id": ["F1"], "offline_hours": [30.0]})
    lines = pd.DataFrame(
        [("F1", "L1", "J1", 30.0), ("F2", "L1", "J2", 30.0), ("F3", "L1", "J3", 30.0)],
        columns=["factory_id", "line_id", "job_order_id", "silent_hours"],
    )
    found = alert_rules.all_of(
        alert_rules.offline(said, rows, POLICY), alert_rules.silent(rows, POLICY),
        alert_rules.stalled(lines, rows, POLICY),
        alert_rules.late(rows, set(), POLICY, {}),
    )  # fmt: skip
    told = list(zip(found["kind"], found["subject"], strict=True))
    assert told == [("offline", "F1"), ("silent", "J2"), ("stalled", "F3/L1"), ("late", "J1")]


def test_a_factory_that_looks_like_another_is_told() -> None:
    rows = pd.DataFrame(
        [("F1", None, None), ("F9", "F1", "endpoint, name")], columns=["factory_id", "same_place_as", "same_place_by"]
    )
    found = alert_rules.twins(rows)
    assert found["subject"].tolist() == ["F9"]
    assert "F9 has the endpoint, name of F1: it is held back" in found["cause"][1]
    assert alert_rules.twins(rows.iloc[:1]).empty


def test_a_plan_that_nobody_decides_on_becomes_urgent() -> None:
    rows = pd.DataFrame([("2026-04-13 round 1", 3.5), ("2026-04-14 round 1", 4.0)], columns=["title", "hours"])
    found = alert_rules.undecided(rows, most_hours=4)
    assert found["severity"].tolist() == [alert_rules.WARNING, alert_rules.URGENT]
    assert "the plan of 2026-04-13 round 1 has waited for a decision for 3.5 hours" in found["cause"][0]
    assert alert_rules.undecided(rows.iloc[:0], most_hours=4).empty


def test_an_empty_floor_is_quiet() -> None:
    rows = outlook({}).iloc[:0]
    said = pd.DataFrame({"factory_id": ["F1"], "offline_hours": [30.0]})
    lines = pd.DataFrame(columns=["factory_id", "line_id", "job_order_id", "silent_hours"])
    counts = pd.DataFrame({"factory_id": ["F1"]} | {name: [5] for name in PIECES}).iloc[:0]
    found = alert_rules.all_of(
        alert_rules.offline(said, rows, POLICY), alert_rules.silent(rows, POLICY),
        alert_rules.stalled(lines, rows, POLICY),
        alert_rules.yield_drop(counts, rows, POLICY), alert_rules.late(rows, set(), POLICY, {}),
    )  # fmt: skip
    assert list(found.columns) == ALERT and found.empty


def test_limits_that_would_make_warnings_flicker_are_refused() -> None:
    with pytest.raises(ValueError, match="relief_chance must lie below"):
        RobotPolicy.model_validate({"relief_chance": 0.7})
    with pytest.raises(ValueError, match="give both or neither"):
        RobotPolicy.model_validate({"quiet_from": "22:00"})


def test_the_champion_drifts_where_the_checks_together_speak_for_a_new_one() -> None:
    row = {"check": "input", "of": "price", "value": 0.41, "limit": 0.2, "alert": True, "alarm": True}
    fits = row | {"of": "stock", "value": 0.1, "alert": False}
    found = alert_rules.drift(pd.DataFrame([row, fits]))
    assert subjects(found) == [("champion", WARNING)]
    assert found["cause"].tolist() == ["the champion model drifts: input of price is 0.41, limit 0.20"]
    assert alert_rules.drift(pd.DataFrame([row | {"alarm": False}])).empty
    assert alert_rules.drift(pd.DataFrame([], columns=list(row))).empty


def arrive(feed: str, tenant: str, days: list[str], hour: str) -> None:
    """Files of a feed that came on these days."""
    for day in days:
        at = datetime.fromisoformat(f"{day}T{hour}")
        name = f"{feed}-{tenant}-{day}"
        file_outcomes.record(file_outcomes.FileOutcome(name, feed, tenant, name, "", "", 9, 9, 0, 0, 0, "ok", "", at))


def test_a_feed_is_late_where_it_always_came_on_this_weekday(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("C2M_TIMEZONE", "UTC")
    settings.cache_clear()
    weekdays = pd.bdate_range("2026-03-02", "2026-04-03").strftime("%Y-%m-%d").tolist()  # the last is a Friday
    arrive("sales_lines", "M1", weekdays, "05:30")
    arrive("sales_lines", "M2", weekdays[:-1], "05:30")  # nothing on that Friday
    arrive("catalogue", "M1", weekdays[::7], "05:30")  # now and then
    arrive("promotions", "M1", weekdays[0::5], "07:00")  # each Monday

    def told(moment: str) -> list[str]:
        found = file_outcomes.missing(datetime.fromisoformat(f"{moment}+00:00"))
        return alert_rules.late_feeds(found)["cause"].tolist()

    friday = "sales_lines of M2 has come by 06:30 on each of the last four Fridays, not on 03 Apr"
    assert told("2026-04-03T06:29") == []
    assert told("2026-04-03T06:31") == [f"{friday}; the last came 02 Apr 05:30"]
    assert told("2026-04-05T12:00") == [f"{friday}; the last came 02 Apr 05:30"]  # the same alert over the week-end
    assert [one.split(" has ")[0] for one in told("2026-04-06T08:30")] == [
        "promotions of M1", "sales_lines of M1", "sales_lines of M2",
    ]  # fmt: skip
    arrive("promotions", "M1", ["2026-04-06"], "09:00")
    arrive("sales_lines", "M2", ["2026-04-06"], "09:00")
    assert [one.split(" has ")[0] for one in told("2026-04-06T10:00")] == ["sales_lines of M1"]
