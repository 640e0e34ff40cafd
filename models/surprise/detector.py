"""Is this many orders still usual? A scan of the last hours of each style against its own rate by the hour.

In: order lines and pieces per style and hour, the last column the hour that has just ended. Out: alarms, each with the
chance that usual demand makes so many. Rates are order lines, so that one order of 500 pieces is no spike.

The usual count of a window of hours is negative binomial: its mean is the style's rate a day times the share of the
day that these hours have for its merchant, its shape tells how much days differ. All hours of a day share its good or
bad luck, hence whole windows are judged by exact tails, and not hours one after the other as if they were independent.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import nbinom

from c2m.domain.arrays import Floats
from c2m.settings import SurprisePolicy

STYLE = ["merchant_id", "style_id"]
WINDOWS_H = (1, 2, 4, 8, 16, 24, 48)
RECENT_H = max(WINDOWS_H)  # hours that are judged, and tell nothing about the rate they are judged by
DAY_H = 24
_FLAT_LINES = 24.0  # an hour's share of the day leans on these lines, spread evenly
_FEW_LINES = 0.5  # a style's rate leans on so many lines of the average style of its merchant
_LEAST_SPREAD = 0.3  # 1 / shape: days of a style differ by half their mean at least, beyond Poisson


@dataclass(frozen=True)
class Arrivals:
    """Incoming orders: `styles` (STYLE), `lines` and `pieces` (styles, hours), hours in their order, whole days."""

    styles: pd.DataFrame
    lines: Floats
    pieces: Floats

    @classmethod
    def of(cls, rows: pd.DataFrame, days: int) -> "Arrivals":
        """Orders by the hour, as matrices.

        Parameters
        ----------
        rows
            STYLE, age_h, lines, pieces, of `c2m.warehouse.arrivals.by_hour`.
        days
            How many days back; older rows are left out.

        Returns
        -------
        Arrivals
            (S, 24 x days), the last hour last.
        """
        code = rows.groupby(STYLE, sort=True).ngroup().to_numpy()
        styles = rows[STYLE].drop_duplicates().sort_values(STYLE, ignore_index=True)
        hours = days * DAY_H
        known = (rows["age_h"] < hours).to_numpy()
        at = (code[known], hours - 1 - rows["age_h"].to_numpy()[known])
        made = {name: np.zeros((len(styles), hours)) for name in ("lines", "pieces")}
        for name, matrix in made.items():
            matrix[at] = rows[name].to_numpy(dtype=float)[known]
        return cls(styles, **made)

    def name(self, row: int) -> dict[str, str]:
        """Merchant and style of a row."""
        return {name: str(self.styles[name].iat[row]) for name in STYLE}


@dataclass(frozen=True)
class Usual:
    """What is usual of each style: lines a day, shape of the negative binomial, share of the day by hour of the grid.

    `rate` (S,), `shape` (S,), `profile` (S, 24): the last of the 24 is the hour that has just ended; they sum to 1.
    """

    rate: Floats
    shape: Floats
    profile: Floats

    def expected(self, hours: int) -> Floats:
        """Lines of each style in the last `hours`."""
        by_age = self.profile[:, ::-1]
        share = np.tile(by_age, -(-hours // DAY_H))[:, :hours].sum(axis=1)
        return self.rate * share


def usual(seen: Arrivals, ahead: Floats | None = None) -> Usual:
    """The usual demand of each style, from its hours before the recent ones.

    Parameters
    ----------
    seen
        Orders by the hour.
    ahead
        (S,) lines a day that were forecast, with what is known ahead (promotions, livestreams); NaN: none.

    Returns
    -------
    Usual
        The rate is the highest of: all days, the last seven, the forecast. A young style's is doubtful: low shape.
    """
    past = seen.lines[:, :-RECENT_H]
    daily = past.reshape(len(past), -1, DAY_H).sum(axis=2)
    on_sale = np.maximum.accumulate(daily > 0, axis=1)
    days = on_sale.sum(axis=1)
    merchant, codes = pd.factorize(seen.styles["merchant_id"])[0], len(set(seen.styles["merchant_id"]))
    typical = _by_merchant(daily.sum(axis=1), merchant, codes) / np.maximum(_by_merchant(days, merchant, codes), 1)
    rate = (daily.sum(axis=1) + _FEW_LINES * np.maximum(typical[merchant], 1.0)) / (days + _FEW_LINES)
    week = daily[:, -7:].mean(axis=1)
    highest: Floats = np.fmax(np.maximum(rate, week), np.nan if ahead is None else ahead)
    spread = _spread(daily, on_sale, merchant, codes)
    doubt = (spread + 1 / np.maximum(rate, 1e-9)) / np.maximum(days, 0.5)
    return Usual(highest, 1 / (spread + doubt), _profile(past, merchant, codes))


def _by_merchant(values: Floats, merchant: NDArray[np.intp], merchants: int) -> Floats:
    return np.bincount(merchant, values, merchants)


def _spread(daily: Floats, on_sale: NDArray[np.bool_], merchant: NDArray[np.intp], merchants: int) -> Floats:
    """1 / shape (S,): variance beyond Poisson over the squared mean, of the style or of its merchant if that is more.

    Over each style's days on sale; by moments.
    """
    days = np.maximum(on_sale.sum(axis=1), 1)
    mean = daily.sum(axis=1) / days
    variance = (np.where(on_sale, daily - mean[:, None], 0.0) ** 2).sum(axis=1) / np.maximum(days - 1, 1)
    beyond, square = np.maximum(variance - mean, 0.0), np.maximum(mean**2, 1e-9)
    pooled = _by_merchant(beyond, merchant, merchants) / np.maximum(_by_merchant(square, merchant, merchants), 1e-9)
    own = beyond / square * days / (days + 14)  # a fortnight's doubt: few days show a large spread by chance
    largest: Floats = np.maximum(np.maximum(own, pooled[merchant]), _LEAST_SPREAD)
    return largest


def _profile(past: Floats, merchant: NDArray[np.intp], merchants: int) -> Floats:
    """Share of the day (S, 24) that each hour has for the style's merchant."""
    by_hour = past.reshape(len(past), -1, DAY_H).sum(axis=1)
    pooled = np.full((merchants, DAY_H), _FLAT_LINES / DAY_H)
    np.add.at(pooled, merchant, by_hour)
    share: Floats = pooled / pooled.sum(axis=1, keepdims=True)
    return share[merchant]


def alarms(seen: Arrivals, known: Usual, policy: SurprisePolicy) -> pd.DataFrame:
    """Styles whose orders are no longer usual.

    Parameters
    ----------
    seen
        Orders by the hour.
    known
        What is usual.
    policy
        Chance, least pieces beyond the usual, and least ratio to it, of an alarm.

    Returns
    -------
    pd.DataFrame
        row (of `seen`), chance (of so many lines or more by usual demand: the least over the windows), age_h (whole
        hours since it began), sorted by chance. The chance counts how many windows are tried.
    """
    judged = [_judged(seen, known, hours, policy) for hours in WINDOWS_H]
    chance = np.minimum(len(WINDOWS_H) * np.array(judged).min(axis=0), 1.0)
    rows = np.flatnonzero(chance < policy.chance)
    began = [begun(seen.lines[row, -RECENT_H:], known.rate[row] * known.profile[row]) for row in rows]
    found = pd.DataFrame({"row": rows, "chance": chance[rows], "age_h": np.array(began, dtype=int)})
    return found.sort_values(["chance", "row"], ignore_index=True)


def _judged(seen: Arrivals, known: Usual, hours: int, policy: SurprisePolicy) -> Floats:
    """Chance (S,) of the lines of the last hours; 1 where they are too few to matter."""
    lines, pieces = seen.lines[:, -hours:].sum(axis=1), seen.pieces[:, -hours:].sum(axis=1)
    mean = np.maximum(known.expected(hours), 1e-9)
    beyond = pieces * (1 - mean / np.maximum(lines, mean))
    matters = (beyond >= policy.least_pieces) & (lines >= policy.least_times * mean)
    tail = nbinom.sf(lines - 1, known.shape, known.shape / (known.shape + mean))
    return np.where(matters, tail, 1.0)


def begun(lines: Floats, hourly: Floats) -> int:
    """Whole hours since the rate changed: where the likelihood ratio of four times the usual rate is largest.

    lines: (H,) of the recent hours; hourly: (24,) usual lines of the last 24.
    """
    mean = np.maximum(np.tile(hourly, -(-len(lines) // DAY_H))[-len(lines) :], 1e-3)
    gain = lines * np.log(4.0) - 3.0 * mean
    return int(np.argmax(np.cumsum(gain[::-1]))) + 1
