"""Drift: the stability index against a sum by hand, shifts that are found, forecasts that do not come true."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from models_kit import POLICY, long_frame

from c2m.settings import DriftPolicy
from models.demand.drift import alarm, chance, checks, distance, profile, realised
from models.demand.features import matrix
from models.demand.forecast import asked_cells
from models.demand.train import train
from models.panel.long import panel_of

LIMITS = DriftPolicy.model_validate({})
DAY = date(2026, 3, 2)


def rows(shift: float = 0.0, kinds: str = "aab", seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    x = random.normal(shift, 1, 5_000)
    x[:500] = np.nan
    return pd.DataFrame({"x": x, "kind": random.choice(list(kinds), 5_000)})


def test_the_index_is_its_sum_by_hand() -> None:
    before, now = pd.DataFrame({"kind": ["a"] * 60 + ["b"] * 40}), pd.DataFrame({"kind": ["a"] * 30 + ["b"] * 70})
    by_hand = (0.3 - 0.6) * np.log(0.3 / 0.6) + (0.7 - 0.4) * np.log(0.7 / 0.4)
    assert distance(profile(before, {"kind": ["a", "b"]}), now)["kind"] == pytest.approx(by_hand)


def test_shifts_of_numbers_levels_and_what_is_missing_are_found_and_chance_is_not() -> None:
    known = profile(rows(), {"kind": ["a", "b"]})
    assert distance(known, rows()).tolist() == [0.0, 0.0]
    assert (distance(known, rows(seed=1)) < 0.02).all()
    assert distance(known, rows(shift=1.0))["x"] > 0.25
    assert distance(known, rows(kinds="abb"))["kind"] > 0.25
    assert distance(known, rows(kinds="aac"))["kind"] > 0.25  # a level that training did not meet
    assert distance(known, rows().assign(x=np.nan))["x"] > 1


def test_a_model_carries_the_profile_of_its_inputs() -> None:
    panel = panel_of(long_frame(days=90))
    moved = distance(train(panel, POLICY).spec["profile"], matrix(panel, asked_cells(panel)))
    shared = {f"category_{kind}" for kind in ("level", "trend", "season")} | {"all_level"}
    assert set(moved.index) == set(train(panel, POLICY).spec["features"]) - shared
    assert moved["season"] < 0.1
    tripled = panel_of(long_frame(days=90).assign(promotion=lambda frame: frame["promotion"] + 0.5))
    assert distance(train(panel, POLICY).spec["profile"], matrix(tripled, asked_cells(tripled)))["promotion"] > 1


def moved(by_chance: float = 0.0, **index: float) -> pd.DataFrame:
    return pd.DataFrame({"index": index, "chance": by_chance})


def accuracy(**columns: object) -> pd.DataFrame:
    frame = pd.DataFrame({"business_date": pd.to_datetime(["2026-02-28", "2026-03-01", "2026-01-01"])})
    facts = {"pieces": [100, 300, 900], "wape": [0.5, 0.7, 9.0], "naive_wape": 0.9, "bias": 0.02, "coverage_80": 0.85}
    return frame.assign(**{"model_version": "3", **facts, **columns})


def test_past_forecasts_are_judged_by_their_pieces_and_only_this_versions_of_these_days() -> None:
    assert realised(accuracy(), "3", DAY, 14)["wape"] == pytest.approx((100 * 0.5 + 300 * 0.7) / 400)
    assert realised(accuracy(), "4", DAY, 14) == {}
    assert realised(accuracy(pieces=0), "3", DAY, 14) == {}


@pytest.mark.parametrize(
    ("columns", "of"),
    [
        ({}, None),
        ({"wape": 0.85}, "WAPE beside the backtest's"),
        ({"naive_wape": 0.6}, "WAPE beside the naive one's"),
        ({"bias": -0.2}, "bias"),
        ({"coverage_80": 0.6}, "80 % interval"),
    ],
)
def test_forecasts_that_do_not_come_true_alarm(columns: dict[str, object], of: str | None) -> None:
    found = checks(moved(x=0.01, y=0.3), realised(accuracy(**columns), "3", DAY, 14), 0.6, LIMITS)
    alerts = found[found["alert"] & (found["check"] != "input")]
    assert alerts["of"].tolist() == ([of] if of else [])
    assert alarm(found, LIMITS) == bool(of)


def test_inputs_alarm_together_and_not_by_chance() -> None:
    assert not alarm(checks(moved(x=0.3, y=0.3, z=0.1), {}, None, LIMITS), LIMITS)
    assert alarm(checks(moved(x=0.3, y=0.3, z=0.4), {}, None, LIMITS), LIMITS)
    assert not alarm(checks(moved(0.5, x=0.3, y=0.3, z=0.4), {}, None, LIMITS), LIMITS)


def test_without_drift_the_index_stays_within_chance() -> None:
    random = np.random.default_rng(5)
    beyond = 0
    for _ in range(300):
        then, now = (
            pd.DataFrame({"x": random.normal(size=60), "kind": random.choice(["a", "b"], 60)}) for _ in range(2)
        )
        known = profile(then, {"kind": ["a", "b"]})
        beyond += (distance(known, now) > chance(known, 60)).sum()
    assert beyond <= 6  # of 600; one in a thousand by the limit, a little more with so few a bin
    assert (distance(known, now.assign(x=now["x"] + 3, kind="b")) > chance(known, 60)).all()
