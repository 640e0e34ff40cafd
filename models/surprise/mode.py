"""Livestream mode: which styles are in it, since when, what they will bring, and when it ends by itself.

In: orders by the hour, what is usual, the rows of landing/spikes of the last look. Out: such rows of this look, and
forecast windows that stand in place of the champion's. A style is in the mode from its alarm until its orders stay
below a multiple of the usual for some hours; the usual demand is that of before the spike for as long as it lasts.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from c2m import clock
from c2m.domain.arrays import Floats
from c2m.domain.newsvendor import WINDOW_LEVELS, WINDOW_QUANTILES, sure_version
from c2m.settings import SurprisePolicy
from models.surprise import spike_shape
from models.surprise.detector import DAY_H, STYLE, Arrivals, Usual, alarms

Spike = dict[str, Any]  # a row of landing/spikes in the making; `row` and `age_h`: where it stands in the arrivals

LIVESTREAM, OVER = "livestream", "over"
_SHOWN = (0.1, 0.5, 0.9)
_KEPT = ("begun_at", "found_at", "chance", "usual_lines", "planned_pieces")  # from look to look


@dataclass(frozen=True)
class Look:
    """When and on what: a moment (UTC) of a business day, the days that an order covers, pieces owed by style.

    `owed`: (S,) pieces sold beyond the stock before the day began, which its orders must bring too.
    """

    moment: datetime
    day: date
    window_days: int
    owed: Floats

    @property
    def hours_gone(self) -> int:
        """Of the day."""
        return round((self.moment - clock.cut_off(self.day)) / timedelta(hours=1))


def last_rows(landed: pd.DataFrame, moment: datetime) -> pd.DataFrame:
    """Of each spike its last row that was known before a moment.

    Parameters
    ----------
    landed
        Rows of landing/spikes.
    moment
        UTC.

    Returns
    -------
    pd.DataFrame
        Rows of landing/spikes, one per STYLE and begun_at.
    """
    known = landed[pd.to_datetime(landed["known_at"]) < moment.replace(tzinfo=None)]
    return known.sort_values("known_at", kind="stable").drop_duplicates([*STYLE, "begun_at"], keep="last")


def without_past(seen: Arrivals, last: pd.DataFrame, moment: datetime) -> Arrivals:
    """Orders with the hours of spikes that are over at their usual rate: they say nothing of what is usual now.

    Parameters
    ----------
    seen
        Orders by the hour up to the moment.
    last
        `last_rows`.
    moment
        UTC.

    Returns
    -------
    Arrivals
        The same styles and hours.
    """
    lines = seen.lines.copy()
    rows = pd.MultiIndex.from_frame(seen.styles).get_indexer(pd.MultiIndex.from_frame(last[STYLE]))
    begun, ended = (_age_h(last[name], moment) for name in ("begun_at", "known_at"))
    over, usual = (last["state"] == OVER).to_numpy() & (rows >= 0), last["usual_lines"].to_numpy(dtype=float)
    starts, stops = (np.maximum(lines.shape[1] - age, 0) for age in (begun, ended))
    for one in np.flatnonzero(over):
        lines[rows[one], starts[one] : stops[one]] = usual[one] / DAY_H
    return Arrivals(seen.styles, lines, seen.pieces)


def _age_h(moments: "pd.Series[pd.Timestamp]", now: datetime) -> NDArray[np.int64]:
    passed = pd.Timestamp(now.replace(tzinfo=None)) - pd.to_datetime(moments)
    return np.ceil(passed.dt.total_seconds().to_numpy() / 3600).astype(np.int64)


def spikes(seen: Arrivals, known: Usual, last: pd.DataFrame, look: Look, policy: SurprisePolicy) -> pd.DataFrame:
    """What stands now: spikes that go on, those that are new, and those that end with this look.

    Parameters
    ----------
    seen
        Orders by the hour up to the moment of the look.
    known
        What is usual of each style.
    last
        `last_rows` of the spikes before.
    look
        Moment, day, window and pieces owed.
    policy
        Limits.

    Returns
    -------
    pd.DataFrame
        Columns of landing/spikes, with the window's quantiles beside them.
    """
    old = last[last["state"] == LIVESTREAM]
    going = pd.MultiIndex.from_frame(seen.styles).get_indexer(pd.MultiIndex.from_frame(old[STYLE]))
    old, going = old[going >= 0], going[going >= 0]
    found = alarms(seen, known, policy)
    new = found[~found["row"].isin(going)]
    prior = spike_shape.Prior.after(spike_shape.ended(last))
    rows = [_kept(seen, int(row), one, look) for row, one in zip(going, _records(old), strict=True)]
    rows += [_opened(known, one, look) for one in _records(new)]
    told = [row | {"business_date": look.day} | _outlook(seen, known, row, look, prior, policy) for row in rows]
    columns = [*STYLE, "begun_at", "state", "known_at"]
    return pd.DataFrame(told, columns=None if told else columns)


def _records(rows: pd.DataFrame) -> list[Spike]:
    return [dict(zip(map(str, rows.columns), row, strict=True)) for row in rows.itertuples(index=False)]


def _opened(known: Usual, alarm: Spike, look: Look) -> Spike:
    row, age = int(alarm["row"]), int(alarm["age_h"])
    begun_at = (look.moment - timedelta(hours=age)).replace(tzinfo=None)
    about = {"begun_at": begun_at, "found_at": look.moment.replace(tzinfo=None), "chance": alarm["chance"]}
    return about | {"row": row, "age_h": age, "usual_lines": float(known.rate[row]), "planned_pieces": 0.0}


def _kept(seen: Arrivals, row: int, old: Spike, look: Look) -> Spike:
    age = int(_age_h(pd.Series([old["begun_at"]]), look.moment)[0])
    return {name: old[name] for name in _KEPT} | {"row": row, "age_h": min(age, seen.lines.shape[1])}


def _outlook(
    seen: Arrivals, known: Usual, spike: Spike, look: Look, prior: spike_shape.Prior, policy: SurprisePolicy
) -> Spike:
    """Pieces so far and to come, whether it is over, and the quantiles of what an order of today has to cover."""
    hours = _Hours.of(seen, known, spike)
    ahead_h = max(look.window_days * DAY_H - look.hours_gone, 0)
    coming = spike_shape.outlook(hours.beyond, spike_shape.factors(hours.profile), ahead_h, prior, hours.name)
    over = is_over(hours.lines, hours.usual_lines, policy)
    gone = look.hours_gone
    today = hours.all_pieces[-gone:].sum() if gone else 0.0
    owed, usual_pieces = float(look.owed[spike["row"]]), spike["usual_lines"] * hours.per_line
    draws = owed + today + usual_pieces * ahead_h / DAY_H + coming.totals * (not over)
    told = {
        **seen.name(spike["row"]),
        "state": OVER if over else LIVESTREAM,
        "pieces": float(hours.pieces.sum()),
        "last_hour_pieces": float(hours.pieces[-1]),
        "usual_pieces": usual_pieces,
        "owed_pieces": owed,
        "half_life_h": coming.half_life_h,
    }
    began_today = spike["age_h"] <= look.hours_gone
    return told | _distribution(draws, policy.first_level if began_today else policy.sure_level)


def _distribution(draws: Floats, sure_level: float) -> Spike:
    """Of what has to be covered: mean, what is shown, what is ordered for, and the quantiles of a forecast window."""
    shown = dict(zip(("low", "middle", "high"), np.quantile(draws, _SHOWN).tolist(), strict=True))
    level = dict(zip(WINDOW_QUANTILES, np.quantile(draws, WINDOW_LEVELS).tolist(), strict=True))
    sure = {"sure_level": sure_level, "sure_pieces": float(np.quantile(draws, sure_level))}
    return shown | level | {"mean": float(draws.mean())} | sure


@dataclass(frozen=True)
class _Hours:
    """The hours of a spike: what came (H,), what is usual (H,), and of its style all pieces that are known."""

    name: str
    lines: Floats
    pieces: Floats
    usual_lines: Floats
    profile: Floats
    all_pieces: Floats

    @classmethod
    def of(cls, seen: Arrivals, known: Usual, spike: Spike) -> "_Hours":
        row, age = spike["row"], spike["age_h"]
        profile, pieces = known.profile[row], seen.pieces[row]
        usual_lines = np.tile(profile, -(-age // DAY_H))[-age:] * spike["usual_lines"]
        name = "/".join((*seen.name(row).values(), str(spike["begun_at"])))
        return cls(name, seen.lines[row, -age:], pieces[-age:], usual_lines, profile, pieces)

    @property
    def per_line(self) -> float:
        """Pieces of an order line."""
        return float(self.pieces.sum() / max(self.lines.sum(), 1.0))

    @property
    def beyond(self) -> Floats:
        """Pieces beyond the usual."""
        return self.pieces - self.usual_lines * self.per_line


def is_over(lines: Floats, hourly: Floats, policy: SurprisePolicy) -> bool:
    """Whether a spike has been calm for long enough. lines, hourly: (H,) since it began, came and usual."""
    calm = policy.calm_hours
    return len(lines) > calm and bool(lines[-calm:].sum() < policy.least_times * max(hourly[-calm:].sum(), 1.0))


def planned(found: pd.DataFrame, policy: SurprisePolicy) -> pd.DataFrame:
    """Which spikes ask for a new plan: so much more or less is sure than when they were last planned.

    Parameters
    ----------
    found
        Columns sure_pieces and planned_pieces, of `spikes`.
    policy
        `replan_share`: the change from which on a plan anew is worth it, as a share of what was planned.

    Returns
    -------
    pd.DataFrame
        The same rows with `asks`, and planned_pieces as sure_pieces where they ask.
    """
    if found.empty:
        return found
    asks = _moved(found) > policy.replan_share
    return found.assign(asks=asks, planned_pieces=found["planned_pieces"].mask(asks, found["sure_pieces"]))


def _moved(found: pd.DataFrame) -> "pd.Series[float]":
    """Change of what is sure, as a share of what was planned."""
    return (found["sure_pieces"] / found["planned_pieces"].clip(lower=1) - 1).abs()


def windows(found: pd.DataFrame, day: date, window_days: int) -> pd.DataFrame:
    """Rows of landing/forecast_windows of the styles in livestream mode, and of those that leave it with this look.

    Parameters
    ----------
    found
        `spikes`.
    day
        Business date.
    window_days
        Days that an order covers.

    Returns
    -------
    pd.DataFrame
        All columns but known_at.
    """
    rows = found[[*STYLE, "mean", *WINDOW_QUANTILES]]
    versions = [sure_version(level) for level in found["sure_level"]]
    return rows.assign(business_date=day, window_days=window_days, model_version=versions)


def of_styles(seen: Arrivals, rows: pd.DataFrame, name: str) -> Floats:
    """Sums by style.

    Parameters
    ----------
    seen
        Whose styles.
    rows
        STYLE and the column.
    name
        Of the column.

    Returns
    -------
    array
        (S,); 0 where a style has no row.
    """
    sums = rows.groupby(STYLE)[name].sum()
    found: Floats = sums.reindex(pd.MultiIndex.from_frame(seen.styles), fill_value=0).to_numpy(dtype=float)
    return found


def expected_lines(seen: Arrivals, forecasts: pd.DataFrame) -> Floats:
    """The order lines that the day's forecast expects, by each style's pieces a line.

    Parameters
    ----------
    seen
        Orders by the hour: styles and their pieces a line.
    forecasts
        Rows of landing/forecasts of the day.

    Returns
    -------
    numpy.ndarray
        (S,) lines; NaN where a style has no forecast.
    """
    per_line = seen.pieces.sum(axis=1) / np.maximum(seen.lines.sum(axis=1), 1.0)
    return _expected_pieces(seen, forecasts) / np.maximum(per_line, 1.0)


def _expected_pieces(seen: Arrivals, forecasts: pd.DataFrame) -> Floats:
    """(S,) by the forecast that became known last."""
    newest = forecasts.sort_values("known_at", kind="stable").drop_duplicates(STYLE, keep="last").set_index(STYLE)
    return newest["mean"].reindex(pd.MultiIndex.from_frame(seen.styles)).to_numpy(dtype=float)
