"""The page of promises kept, from rows of the mart as they are published."""

from datetime import date, timedelta

import pandas as pd
import pytest

from c2m.markdown import plain
from flows import reports

TODAY = date(2026, 6, 1)


def rows(kept: int, broken: int, open_: int) -> pd.DataFrame:
    states = ["kept"] * kept + ["broken"] * broken + ["open"] * open_
    frame = pd.DataFrame({"state": states, "order_id": [f"o{n:03d}" for n in range(len(states))]}).astype("str")
    due = frame["state"] != "open"
    promised = pd.Timestamp(TODAY) - pd.to_timedelta(due.map({True: 3, False: -2}), unit="D")
    arrived = promised.where(frame["state"] == "kept")
    facts = {"plan_id": "p", "source": "merchant", "factories": "F1", "pieces": 100, "days_ahead": 5, "is_first": True}
    facts |= {"made_on": pd.Timestamp(TODAY - timedelta(days=8)), "modelled": 0.9, "probability": 0.9}
    return frame.assign(**facts, is_due=due, promised_on=promised, arrived_on=arrived)


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    pages: dict[str, str] = {}
    monkeypatch.setattr(reports, "create_markdown_artifact", lambda text, key, description: pages.update({key: text}))
    return pages


def test_the_page_sets_stated_beside_kept_and_names_what_was_missed(page: dict[str, str]) -> None:
    reports.promises(rows(kept=20, broken=1, open_=2), TODAY)
    text = page["promises"]
    assert "| all | 21 | 90.0% | 95.2% |" in text
    assert "## By factory" in text
    missed, ahead = text.split("## Missed")[1].split("## Open")
    assert "o020" in missed
    assert "2026-05-29" in missed
    assert "o021" in ahead
    assert "New dates are not corrected" in text


def test_the_page_tells_the_correction(page: dict[str, str]) -> None:
    frame = rows(kept=60, broken=60, open_=0)
    reports.promises(frame.assign(factories=frame["order_id"]), TODAY)
    assert "**New dates are corrected**: 90 % is stated where the model says 9" in page["promises"]


def test_nothing_promised_yet_is_a_page_too(page: dict[str, str]) -> None:
    reports.promises(rows(0, 0, 0).astype({"promised_on": "datetime64[ns]"}), TODAY)
    assert "| all | 0 |" in page["promises"]


def test_ids_of_orders_come_last_and_rates_are_rates(page: dict[str, str]) -> None:
    reports.promises(rows(kept=0, broken=1, open_=0), TODAY)
    missed = page["promises"].split("## Missed")[1]
    assert "| merchant | 100 | F1 | 2026-05-24 | 2026-05-29 |  | 90.0% | 90.0% | o000 |" in missed


def test_words_of_a_person_mean_nothing_but_themselves_on_a_page() -> None:
    assert plain("late **again**\n<b>see</b> [it](x)") == r"late \*\*again\*\* \<b\>see\</b\> \[it\](x)"


def test_a_job_order_is_shown_by_what_people_know_it_by_and_its_id_comes_last(page: dict[str, str]) -> None:
    job = {"job_order_id": "0123456789ab", "factory_id": "F1", "lot_id": "l", "state": "Ended", "quantity": 120}
    job |= {"good_pieces": 118, "shipped": 100, "start_on": TODAY, "due_on": TODAY, "reason": "", "cut_accepted": None}
    jobs = pd.DataFrame([job | {"stage": 1, "stages": 1, "order": "PO-1", "style": "Shirt", "colour": "rose"}])
    reports.job_orders("progress", "Progress", jobs)
    head, _, row = page["progress"].split("## Job orders")[1].split("\n")[1:4]
    assert (
        head
        == "| order | style | colour | factory | state | pieces | good | shipped | start | due | reason | job order |"
    )
    assert row.startswith("| PO-1 | Shirt | rose | F1 | Ended | 120 | 118 | 100 |")
    assert "[01234567](" in row
    assert "| factory | state | job orders | pieces |" in page["progress"]
