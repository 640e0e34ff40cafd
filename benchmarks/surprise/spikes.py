"""Spikes of orders: false alarms on real sales, how soon planted ones are noticed, and what is ordered of them.

    .venv/bin/python -m benchmarks.surprise.spikes false        (Amazon India apparel, ../shared/data; one minute)
    .venv/bin/python -m benchmarks.surprise.spikes planted      (worlds with a planted spike; one minute)
    .venv/bin/python -m benchmarks.surprise.spikes decays       (10 to 10,000 times the usual, fading in 2 to 14 days)

False alarms: every style of the Amazon data, looked at every hour. The data have dates alone; the lines of a day are
spread over its hours by the usual day of a shop (few at night, most in the evening), with two draws. Nobody knows that
the data hold no true spike, so the count is an upper bound.

Planted: a style of 50 pieces a day jumps so that a day brings 510,000 (the case of the issue), and others between 2,000
and 510,000, by shapes that are not those of models/surprise/spike_shape.py (gamma curves with their own half-lives),
with hours that scatter and remember. Each is looked at nineteen times in four days (LOOKS_H); work begins the next
morning. A clairvoyant orders exactly what the window of 14 days will ask for. Decays: four forms (exponential, with a
rise, hyperbola, S-curve) that have lost nine tenths after 2 to 14 days. What a user would otherwise pick, beside ours:
a limit on the day's count at 3 standard deviations of the last 28 days, and CUSUM on hourly counts as if they were
independent Poisson counts (what change-point libraries assume).
"""

import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import duckdb
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from c2m.settings import SurprisePolicy, settings
from models.surprise import detector, mode
from models.surprise.detector import DAY_H, STYLE, Arrivals

Floats = NDArray[np.float64]
Plant = Callable[[np.random.Generator, int], tuple[Floats, Floats, int]]

POLICY = SurprisePolicy.model_validate({})
DAY_SHAPE = np.array([3, 2, 1, 1, 1, 1, 2, 3, 4, 5, 6, 6, 6, 6, 6, 6, 6, 6, 7, 8, 9, 9, 8, 5], dtype=float)
DAY_SHAPE /= DAY_SHAPE.sum()
WINDOW_DAYS = 14
WORLDS = 60
LOOKS_H = (1, 2, 3, 4, 6, 8, 11, 14, 17, 20, 23, 26, 29, 35, 41, 47, 59, 71, 95)  # after it began


def amazon() -> tuple[Floats, Floats]:
    """Lines and pieces (styles, days) of the data set."""
    file = settings().shared_data / "amazon_india_apparel" / "Amazon Sale Report.csv.gz"
    rows = duckdb.sql(
        f"""SELECT "Style" AS style, strptime("Date", '%m-%d-%y')::DATE AS day, count(*) AS lines,
            sum(greatest(try_cast("Qty" AS INT), 1)) AS pieces
        FROM read_csv('{file}', all_varchar = true) WHERE "Style" IS NOT NULL GROUP BY ALL"""
    ).df()
    tables = (rows.pivot_table(index="style", columns="day", values=name, fill_value=0) for name in ("lines", "pieces"))
    lines, pieces = (table.to_numpy(dtype=float) for table in tables)
    return lines, pieces


def by_hour(random: np.random.Generator, days: Floats) -> Floats:
    """(S, days x 24): each day spread over its hours."""
    spread = random.multinomial(days.astype(int), DAY_SHAPE)
    hours: Floats = spread.reshape(len(days), -1).astype(float)
    return hours


def poisson_cusum(lines: Floats, rate: Floats) -> NDArray[np.bool_]:
    """Whether CUSUM on independent Poisson hours, rate times four, stands above ln(8760) at the end."""
    mean = np.maximum(rate[:, None] * np.tile(DAY_SHAPE, lines.shape[1] // DAY_H), 1e-3)
    total = np.zeros(len(lines))
    for hour in range(lines.shape[1]):
        total = np.maximum(total + lines[:, hour] * np.log(4.0) - 3 * mean[:, hour], 0)
    return total > np.log(8760)


def three_sigma(daily: Floats) -> NDArray[np.bool_]:
    """Whether the last day lies above mean plus three standard deviations of the days before."""
    before = daily[:, :-1]
    high: NDArray[np.bool_] = daily[:, -1] > before.mean(axis=1) + 3 * before.std(axis=1)
    return high


def false_alarms() -> pd.DataFrame:
    """Alarms per style and year on the Amazon data, by method."""
    lines, pieces = amazon()
    history, styles = POLICY.history_days, len(lines)
    keys = pd.DataFrame({"merchant_id": "amazon", "style_id": [f"s{number}" for number in range(styles)]})
    found = {"ours": set[tuple[int, int]](), "3 sigma of days": set(), "CUSUM of Poisson hours": set()}
    random = np.random.default_rng(1)
    hourly, pieces_hourly = by_hour(random, lines), by_hour(random, pieces)
    years = 0.0
    for day in range(history, lines.shape[1]):
        years += styles / 365
        for hour in range(0, DAY_H, 2):
            end = day * DAY_H + hour + 1
            span = slice(end - history * DAY_H, end)
            seen = Arrivals(keys, hourly[:, span], pieces_hourly[:, span])
            for row in detector.alarms(seen, detector.usual(seen), POLICY)["row"]:
                found["ours"].add((row, day // 2))  # one spike is one alarm, however often it is seen
        rate = lines[:, day - 28 : day].mean(axis=1)
        found["3 sigma of days"] |= {
            (row, day // 2) for row in np.flatnonzero(three_sigma(lines[:, day - 28 : day + 1]))
        }
        today = hourly[:, day * DAY_H : (day + 1) * DAY_H]
        found["CUSUM of Poisson hours"] |= {(row, day // 2) for row in np.flatnonzero(poisson_cusum(today, rate))}
    rows = [
        {
            "method": name,
            "alarms": len(alarms),
            "per style and year": len(alarms) / years,
            "most of one style, per year": max(pd.Series([row for row, _ in alarms]).value_counts(), default=0)
            * styles
            / years,
        }
        for name, alarms in found.items()
    ]
    return pd.DataFrame(rows).assign(styles=styles, style_years=round(years, 1))


def planted(random: np.random.Generator, number: int) -> tuple[Floats, Floats, int]:
    """Pieces by the hour of usual demand and of the spike, 35 days of history and a window of 14 behind its first day.

    The hour at which it begins is that of the last result.
    """
    days = POLICY.history_days + WINDOW_DAYS + 2
    rate = 50 * random.gamma(3, 1 / 3, days) if number else np.full(days, 50.0)
    usual = random.poisson(np.outer(rate, DAY_SHAPE).ravel()).astype(float)
    begins = POLICY.history_days * DAY_H + int(random.integers(7, 21))
    hours = np.arange(len(usual) - begins) + 0.5
    peak_h, half_life = random.uniform(0.5, 5), np.exp(random.normal(np.log(9.0), 0.9))
    form = (hours / peak_h) * np.exp(1 - hours / peak_h)
    form = np.where(hours < peak_h, form, 0.5 ** ((hours - peak_h) / half_life))
    size = 510_000.0 if number % 2 == 0 else np.exp(random.uniform(np.log(2_000), np.log(510_000)))
    return usual, scattered(random, form, size, begins), begins


def scattered(random: np.random.Generator, form: Floats, first_day: float, begins: int) -> Floats:
    """Pieces by the hour of a spike of that form: hours scatter and remember, the first 24 bring `first_day`."""
    remembered = np.zeros(len(form))
    for hour in range(1, len(form)):
        remembered[hour] = 0.7 * remembered[hour - 1] + 0.15 * random.normal()
    clock_hours = np.arange(begins, begins + len(form)) % DAY_H
    mean = form * (DAY_SHAPE[clock_hours] * DAY_H + 1) / 2 * np.exp(remembered)
    return np.concatenate([np.zeros(begins), random.poisson(mean * first_day / mean[:DAY_H].sum())])


def decays(random: np.random.Generator, number: int) -> tuple[Floats, Floats, int]:
    """As `planted`: four forms in turn, ten to 10,000 times the usual day, a tenth left after 2 to 14 days."""
    usual, _, begins = planted(random, 0)
    hours = np.arange(len(usual) - begins) + 0.5
    gone_h, peak_h = (np.exp(random.uniform(*np.log(span))) for span in ((48.0, 336.0), (0.5, 5.0)))
    risen = np.minimum(hours / peak_h * np.exp(1 - np.minimum(hours / peak_h, 1)), 1)
    forms = (
        0.1 ** (hours / gone_h),
        risen * 0.1 ** (np.maximum(hours - peak_h, 0) / gone_h),
        1 / (1 + 9 * hours / gone_h),
        1 / (1 + np.exp(np.log(9) * (hours / gone_h - 0.7) / 0.3)),
    )
    return usual, scattered(random, forms[number % 4], 50 * 10 ** random.uniform(1, 4), begins), begins


def one_world(seed: int, plant: Plant) -> dict[str, float]:
    """Hours until it is noticed, seconds for the look, and pieces ordered over those that a clairvoyant orders."""
    random = np.random.default_rng(seed)
    usual, spike, begins = plant(random, seed)
    demand = usual + spike
    keys = pd.DataFrame([("m", "s")], columns=STYLE)
    zero = datetime(2026, 1, 1, tzinfo=UTC)
    last = pd.DataFrame(columns=[*STYLE, "begun_at", "state", "known_at", "usual_lines", "half_life_h"])
    told: dict[str, float] = {}
    ordered, begun_pieces = 0.0, 0.0
    for hour in (begins + after for after in LOOKS_H):
        span = slice(hour - POLICY.history_days * DAY_H, hour)
        seen = Arrivals(keys, np.round(demand[None, span] / 1.25), demand[None, span])
        moment = zero + timedelta(hours=hour)
        begun = time.perf_counter()
        look = mode.Look(moment, moment.date(), WINDOW_DAYS, np.zeros(1))
        found = mode.planned(mode.spikes(seen, detector.usual(seen), last, look, POLICY), POLICY)
        seconds = time.perf_counter() - begun
        if found.empty:
            continue
        last = found.assign(known_at=moment.replace(tzinfo=None))
        day = hour // DAY_H
        window = demand[day * DAY_H : (day + WINDOW_DAYS) * DAY_H].sum()
        gone = demand[begins // DAY_H * DAY_H : day * DAY_H].sum()  # was ordered for on days before
        wanted = found["sure_pieces"].to_numpy(dtype=float)[0] + gone
        if "noticed_h" not in told:
            told |= {"noticed_h": hour - begins, "seconds": seconds, "first": wanted / (window + gone)}
        ordered = max(wanted, begun_pieces)  # what is begun is not taken back
        if day > begins // DAY_H and hour % DAY_H >= 8:  # factories begin what stands then
            begun_pieces = ordered
            told.setdefault("first morning", ordered / (window + gone))
        told["in the end"] = ordered / (window + gone)
    return told


def spikes(plant: Plant) -> pd.DataFrame:
    """Figures of all worlds: medians, extremes, and the share between 60 and 120 % of a clairvoyant's pieces."""
    rows = pd.DataFrame([one_world(seed, plant) for seed in range(WORLDS)])
    good = {name: rows[name].between(0.6, 1.2).mean() for name in ("first", "first morning", "in the end")}
    figures = rows.describe(percentiles=[0.05, 0.25, 0.5, 0.75, 0.95]).iloc[3:].T
    return figures.assign(share_60_to_120=pd.Series(good)).join(rows.iloc[0].rename("the case of the issue"))


if __name__ == "__main__":
    pd.set_option("display.width", 200, "display.max_columns", 20)
    asked = {"false": false_alarms, "planted": lambda: spikes(planted), "decays": lambda: spikes(decays)}
    print(asked[sys.argv[1]]().round(3).to_string())
