"""Promised dates held against what came: rates, intervals, the correction that follows, and the alert."""

from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from c2m.domain import alert_rules, promises

TODAY = date(2026, 6, 1)


def rows(held: "np.ndarray[Any, Any]", modelled: float = 0.9, **facts: Any) -> pd.DataFrame:
    """A promise of a factory of its own a row, its date past."""
    frame = pd.DataFrame({"state": np.where(held, "kept", "broken"), "modelled": modelled, "probability": modelled})
    frame["factories"] = [f"F{n}" for n in range(len(frame))]
    frame["order_id"] = [f"o{n}" for n in range(len(frame))]
    common = {"is_first": True, "is_due": True, "promised_on": pd.Timestamp(TODAY - timedelta(days=5))}
    return frame.assign(**common | {"source": "merchant", "pieces": 100, "days_ahead": 5} | facts)


def drawn(share: float, count: int, seed: int = 1, **facts: Any) -> pd.DataFrame:
    return rows(np.random.default_rng(seed).random(count) < share, **facts)


@pytest.mark.parametrize("together", [1, 5])
def test_the_interval_holds_the_true_rate_in_19_of_20_cases(together: int) -> None:
    """Also where promises of the same factory fail together."""
    random, covered = np.random.default_rng(4), []
    for _ in range(400):
        held = np.repeat(random.random(60) < 0.85, together)
        seen = promises.kept(rows(held).assign(factories=np.repeat(np.arange(60), together).astype(str)))
        covered.append(seen.low <= 0.85 <= seen.high)
    assert np.mean(covered) == pytest.approx(0.95, abs=0.03)


def test_rates_are_of_first_dates_that_are_past() -> None:
    past, ahead = drawn(0.5, 40), rows(np.ones(30, dtype=bool)).assign(is_due=False, state="kept")
    later = rows(np.ones(30, dtype=bool)).assign(is_first=False)
    found = promises.how_kept(pd.concat([past, ahead, later], ignore_index=True), TODAY)
    assert found["judged"] == 40
    assert found["open"] == 30
    assert found["kept"] == (past["state"] == "kept").mean()
    assert found["by"]["kind"]["merchant"]["judged"] == 40


def test_a_promise_of_several_factories_counts_for_each() -> None:
    found = promises.how_kept(rows(np.array([True, False])).assign(factories=["F1;F2", "F2"]), TODAY)["by"]["factory"]
    assert {name: (cell["judged"], cell["kept"]) for name, cell in found.items()} == {"F1": (1, 1.0), "F2": (2, 0.5)}


def test_classes_by_distance_and_size() -> None:
    mixed = rows(np.ones(4, dtype=bool)).assign(days_ahead=[3, 4, 14, 30], pieces=[300, 301, 1, 1])
    by = promises.how_kept(mixed, TODAY)["by"]
    assert [(name, cell["judged"]) for name, cell in by["distance"].items()] == [
        ("0 to 3 days", 1),
        ("4 to 7 days", 1),
        ("8 to 14 days", 1),
        ("15 days and more", 1),
    ]
    assert {name: cell["judged"] for name, cell in by["size"].items()} == {"larger": 1, "up to 300 pieces": 3}


def test_nothing_is_corrected_while_what_is_stated_may_be_true() -> None:
    for due in (drawn(0.9, 500), drawn(0.6, 0), rows(np.array([True, False]))):
        assert promises.correction(due, TODAY) == promises.Correction()
        assert alert_rules.broken_promises(promises.recent(due, TODAY)).empty
    assert promises.Correction().asked(0.9) == promises.Correction().stated(0.9) == 0.9


@pytest.mark.parametrize(("share", "modelled"), [(0.6, 0.9), (0.97, 0.8)])
def test_where_dates_are_kept_otherwise_than_stated_later_ones_are_corrected_and_hold(
    share: float, modelled: float
) -> None:
    due = drawn(share, 400, modelled=modelled)
    learned = promises.correction(due, TODAY)
    assert learned.stated(modelled) == pytest.approx(share, abs=0.05)
    assert learned.stated(learned.asked(0.9)) == pytest.approx(0.9)
    assert (learned.asked(0.9) > 0.9) == (share < modelled)
    told = alert_rules.broken_promises(promises.recent(due, TODAY))
    assert told["severity"].tolist() == [alert_rules.URGENT if share < modelled else alert_rules.WARNING]
    assert f"{(due['state'] == 'kept').mean():.1%} of 400" in told["cause"].iloc[0]


def test_little_evidence_corrects_little_and_old_promises_not_at_all() -> None:
    few, many = drawn(0.4, 12), drawn(0.4, 600)
    little, much = (promises.correction(due, TODAY).shift for due in (few, many))
    assert much < little < 0
    old = many.assign(promised_on=pd.Timestamp(TODAY - timedelta(days=90)))
    assert promises.correction(old, TODAY).shift == 0


def test_dates_of_quotes_are_corrected_by_their_own_record_and_before_they_have_one_by_that_of_plans() -> None:
    of_plans, of_quotes = drawn(0.7, 400), drawn(0.5, 400, source=promises.QUOTE).assign(order_id="q")
    both = pd.concat([of_plans, of_quotes], ignore_index=True)
    learned = promises.correction_of_quotes(both, TODAY)
    assert learned.stated(0.9) == pytest.approx(0.5, abs=0.05)
    assert promises.correction(both, TODAY) == promises.correction(of_plans, TODAY)
    assert promises.correction_of_quotes(of_plans, TODAY) == promises.correction(of_plans, TODAY)
