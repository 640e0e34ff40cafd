"""Spikes of orders: the exact chance, quiet shops, one case from 50 to 510,000, the mode that ends by itself."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from c2m.domain.newsvendor import WINDOW_QUANTILES
from c2m.settings import SurprisePolicy
from models.surprise import detector, mode
from models.surprise.detector import DAY_H, STYLE, Arrivals

POLICY = SurprisePolicy.model_validate({})
HOURS = POLICY.history_days * DAY_H
ZERO = datetime(2026, 1, 1, tzinfo=UTC)
NOTHING = pd.DataFrame(columns=[*STYLE, "begun_at", "state", "known_at", "usual_lines", "half_life_h"])


def orders(per_day: list[float], seed: int = 1, hours: int = HOURS) -> np.ndarray:
    """Lines by the hour, days of a style differing by a half."""
    random = np.random.default_rng(seed)
    days = random.gamma(4, 0.25, (len(per_day), hours // DAY_H)) * np.array(per_day)[:, None]
    return random.poisson(np.repeat(days / DAY_H, DAY_H, axis=1)).astype(float)


def arrivals(lines: np.ndarray) -> Arrivals:
    styles = pd.DataFrame([("m", f"s{number}") for number in range(len(lines))], columns=STYLE)
    return Arrivals(styles, lines[:, -HOURS:], lines[:, -HOURS:])


def look(lines: np.ndarray, last: pd.DataFrame, hours: int) -> pd.DataFrame:
    """A look `hours` after ZERO."""
    moment = ZERO + timedelta(hours=hours)
    seen = mode.without_past(arrivals(lines), last, moment)
    at = mode.Look(moment, moment.date(), 14, np.zeros(len(lines)))
    found = mode.planned(mode.spikes(seen, detector.usual(seen), last, at, POLICY), POLICY)
    return found.assign(known_at=moment.replace(tzinfo=None))


def test_the_chance_is_the_tail_of_a_gamma_mixture_of_poissons() -> None:
    lines = np.zeros((1, HOURS))
    lines[0, :-1] = 1.0
    lines[0, -1] = 200.0
    seen, random = arrivals(lines), np.random.default_rng(0)
    known = detector.Usual(np.array([24.0]), np.array([2.0]), np.full((1, DAY_H), 1 / DAY_H))
    drawn = random.poisson(random.gamma(2.0, 24.0 / 2.0, 400_000))
    lines[0, -DAY_H:] = 60 / DAY_H
    chance = detector._judged(seen, known, DAY_H, POLICY.model_copy(update={"least_pieces": 1, "least_times": 2.0}))
    assert chance[0] == pytest.approx((drawn >= 60).mean(), rel=0.05)


def test_usual_days_make_no_alarm_and_a_bulk_order_is_no_spike() -> None:
    lines = orders([0.2, 1, 5, 20, 100, 500] * 20)
    seen = arrivals(lines)
    assert detector.alarms(seen, detector.usual(seen), POLICY).empty
    pieces = seen.pieces.copy()
    pieces[:, -1] += 5_000  # one line of a business customer
    bulk = Arrivals(seen.styles, seen.lines, pieces)
    assert detector.alarms(bulk, detector.usual(bulk), POLICY).empty


def test_from_50_a_day_to_510_000_is_noticed_in_two_hours_ordered_and_over_by_itself() -> None:
    """Half of the day's pieces within the first hours; a clairvoyant orders what comes."""
    begins, course = HOURS, 510_000 * 0.5 ** (np.arange(24 * 6) / 6.0)
    course *= 510_000 / course[:24].sum()
    lines = np.concatenate([orders([50.0, 8.0]), np.zeros((2, len(course)))], axis=1)
    lines[:, begins:] = orders([50.0, 8.0], 2, len(course))
    lines[0, begins:] += np.random.default_rng(3).poisson(course)

    assert look(lines[:, :begins], NOTHING, begins).empty
    first = look(lines[:, : begins + 2], NOTHING, begins + 2)
    assert (list(first["style_id"]), list(first["state"]), list(first["asks"])) == (["s0"], ["livestream"], [True])
    assert first["chance"].iat[0] < 1e-7 and first["begun_at"].iat[0] == ZERO.replace(tzinfo=None) + timedelta(
        hours=begins
    )

    came, last = lines[0, begins:].sum(), first
    for hours in (6, 12, 23):
        last = look(lines[:, : begins + hours], last, begins + hours)
    assert 0.6 * came < last["sure_pieces"].iat[0] < 1.2 * came
    quantiles = last[list(WINDOW_QUANTILES)].to_numpy()[0]
    assert (np.diff(quantiles) >= 0).all() and last["low"].iat[0] < last["high"].iat[0]

    ended = last
    while ended["state"].iat[0] == "livestream":
        hours += 6
        ended = look(lines[:, : begins + hours], ended, begins + hours)
    assert hours < len(course)
    assert look(lines[:, : begins + hours + 1], ended, begins + hours + 1).empty  # it is not found once more


def test_what_is_known_ahead_is_no_surprise() -> None:
    lines = orders([50.0])
    lines[0, -6:] = 60.0
    seen = arrivals(lines)
    assert len(detector.alarms(seen, detector.usual(seen), POLICY)) == 1
    assert detector.alarms(seen, detector.usual(seen, np.array([900.0])), POLICY).empty


def test_the_same_look_twice_is_the_same() -> None:
    lines = orders([50.0])
    lines[0, -3:] = 900.0
    pd.testing.assert_frame_equal(look(lines, NOTHING, HOURS), look(lines, NOTHING, HOURS))
