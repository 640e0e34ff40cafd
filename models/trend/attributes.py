"""Which values of attributes gain or lose demand, by channel, with interval and a limit on false findings.

In: marts demand_weekly and style_attributes. Out: rows of landing/attribute_trends.

The unit is the style, not the piece: a value gains where its styles grew more than the merchant's other styles with
that attribute, each style measured by its own weeks before; in a channel, where they grew there more than in the other
channels. One style that took off is therefore no trend, nor is a value that merely came with new styles, and what gains
everywhere is told once, of all channels. Growth of styles differs by more than chance (random effects, DerSimonian and
Laird 1986), the difference of two groups has Student's t for it (Hartung and Knapp 2001), and over all values and
channels of a merchant at most a share of `false_share` of those called sure are false (Benjamini and Hochberg 1995).
"""

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from c2m.domain.arrays import Floats
from c2m.settings import TrendPolicy

Marks = NDArray[np.bool_]

VALUE = ["attribute", "value"]
EVERYWHERE = ""  # stands for all channels
_CELL = ["merchant_id", "channel", "style_id"]
_SPANS = ["before", "recent"]
_INTERVAL = 0.90
_NONE = ["merchant_id", *VALUE, "channel", "styles", "share_before", "share_recent", "growth", "growth_low",
         "growth_high", "chance", "is_sure"]  # fmt: skip


@dataclass(frozen=True)
class Styles:
    """Growth of styles: `growth` (S,) logarithms of pieces a week now over before, `variance` (S,) of their counts."""

    growth: Floats
    variance: Floats

    @classmethod
    def of(cls, before: Floats, recent: Floats) -> "Styles":
        """From what was sold; how many weeks each time is cancels in a difference.

        Parameters
        ----------
        before
            (S,) pieces of the weeks before.
        recent
            (S,) pieces of the recent weeks.

        Returns
        -------
        Styles
            Growth on the logarithmic scale, with its variance.
        """
        growth = np.log(recent + 0.5) - np.log(before + 0.5)
        return cls(growth, 1 / (recent + 0.5) + 1 / (before + 0.5))

    def over(self, elsewhere: "Styles") -> "Styles":
        """Growth of the same styles here over that elsewhere."""
        return Styles(self.growth - elsewhere.growth, self.variance + elsewhere.variance)


@dataclass(frozen=True)
class GrowthDifference:
    """Of the logarithms of growth of two groups: estimate, standard error, degrees of freedom."""

    estimate: float
    error: float
    freedom: int

    @property
    def chance(self) -> float:
        """That one as large comes about where there is none, either way."""
        return float(2 * stats.t.sf(abs(self.estimate) / self.error, self.freedom))

    def at(self, side: int) -> float:
        """Ratio of growth: the estimate (0), or an end of its interval (-1, 1)."""
        reach = stats.t.ppf((1 + _INTERVAL) / 2, self.freedom) * self.error
        return float(np.exp(self.estimate + side * reach))


def difference(styles: Styles, inside: Marks) -> GrowthDifference:
    """How much more the styles inside a group grew than those outside it.

    Parameters
    ----------
    styles
        Growth of S styles.
    inside
        (S,) which are in the group.

    Returns
    -------
    GrowthDifference
        Of random-effects means.
    """
    spread = _between(styles, inside)
    weight = 1 / (styles.variance + spread)
    groups = [(weight[group], styles.growth[group]) for group in (inside, ~inside)]
    means = [float(np.average(growth, weights=weights)) for weights, growth in groups]
    freedom = len(inside) - 2
    scatter = (
        sum(float(weights @ (growth - mean) ** 2) for (weights, growth), mean in zip(groups, means, strict=True))
        / freedom
    )
    error = np.sqrt(max(scatter, 1.0) * sum(1 / weights.sum() for weights, _ in groups))
    return GrowthDifference(means[0] - means[1], float(error), freedom)


def _between(styles: Styles, inside: Marks) -> float:
    """Variance of growth between styles of a group, beyond that of their counts, by moments."""
    weight = 1 / styles.variance
    beyond = scale = 0.0
    for group in (inside, ~inside):
        w, growth = weight[group], styles.growth[group]
        beyond += float(w @ (growth - np.average(growth, weights=w)) ** 2) - (len(w) - 1)
        scale += float(w.sum() - (w**2).sum() / w.sum())
    return max(beyond / scale, 0.0)


def trends(weekly: pd.DataFrame, attributes: pd.DataFrame, policy: TrendPolicy) -> pd.DataFrame:
    """Every value of an attribute that enough styles have, by channel and over all of them.

    Parameters
    ----------
    weekly
        Mart demand_weekly; its rows by channel are read.
    attributes
        Mart style_attributes.
    policy
        Weeks, least styles and pieces, share of false findings.

    Returns
    -------
    pd.DataFrame
        merchant_id, attribute, value, channel ('': all), styles, share_before and share_recent (of the pieces of styles
        with that attribute), growth with growth_low and growth_high (of its styles over that of the others; 90 %
        interval), chance (adjusted for all that was tried: the least share of false findings with which it is called
        one), is_sure. The surest first.
    """
    cells = _cells(weekly, policy)
    held = cells.merge(attributes, on=["merchant_id", "style_id"])
    groups = held.groupby(["merchant_id", "channel", "attribute"])
    rows = [row for key, cells in groups for row in _of(key, cells, policy)]
    if not rows:
        return pd.DataFrame(columns=_NONE)
    found = pd.DataFrame(rows)
    adjusted = found.groupby("merchant_id")["chance"].transform(stats.false_discovery_control)
    found = found.assign(chance=adjusted, is_sure=adjusted <= policy.false_share)
    return found.sort_values(["chance", "merchant_id", *VALUE, "channel"], ignore_index=True)[_NONE]


def _cells(weekly: pd.DataFrame, policy: TrendPolicy) -> pd.DataFrame:
    """Pieces before and recent of each style by channel and in all, and those in the other channels (0 of all).

    Of styles that were sold before, and often enough.
    """
    weeks = weekly[(weekly["dimension"] == "channel") & (weekly["weeks_ago"] <= policy.weeks)]
    span = np.where(weeks["weeks_ago"] <= policy.recent_weeks, "recent", "before")
    by_channel = weeks.assign(span=span, channel=weeks["place"])
    both = pd.concat([by_channel, by_channel.assign(channel=EVERYWHERE)])
    cells = both.pivot_table("pieces_asked", _CELL, "span", "sum", fill_value=0.0)
    cells = cells.reindex(columns=_SPANS, fill_value=0.0).reset_index()
    every = cells[cells["channel"] == EVERYWHERE].drop(columns="channel")
    cells = cells.merge(every, on=["merchant_id", "style_id"], suffixes=("", "_elsewhere"))
    for name in _SPANS:
        cells[f"{name}_elsewhere"] -= cells[name]
    elsewhere = cells[[f"{name}_elsewhere" for name in _SPANS]].sum(axis=1)
    compared = (cells["channel"] == EVERYWHERE) | (elsewhere >= policy.least_pieces)
    enough = cells[_SPANS].sum(axis=1) >= policy.least_pieces
    return cells[compared & enough & (cells["before"] > 0)]


def _growth(cells: pd.DataFrame, is_channel: bool) -> Styles:
    """Of the styles of cells; in a channel over that elsewhere."""
    here, elsewhere = (
        Styles.of(*(cells[f"{name}{where}"].to_numpy(dtype=float) for name in _SPANS)) for where in ("", "_elsewhere")
    )
    return here.over(elsewhere) if is_channel else here


def _of(key: tuple[Hashable, ...], cells: pd.DataFrame, policy: TrendPolicy) -> list[dict[str, object]]:
    """Rows of the values of one attribute in one channel of a merchant."""
    names = dict(zip(("merchant_id", "channel", "attribute"), key, strict=True))
    styles, values = _growth(cells, key[1] != EVERYWHERE), cells["value"].to_numpy(dtype=object)
    rows: list[dict[str, object]] = []
    for value in sorted(set(values)):
        inside: Marks = values == value
        if min(inside.sum(), (~inside).sum()) < policy.least_styles:
            continue
        found = difference(styles, inside)
        ratio = dict(zip(("growth", "growth_low", "growth_high"), map(found.at, (0, -1, 1)), strict=True))
        shares = {f"share_{name}": _share(cells[name].to_numpy(dtype=float), inside) for name in _SPANS}
        rows.append({**names, "value": value, "styles": int(inside.sum()), **shares, **ratio, "chance": found.chance})
    return rows


def _share(pieces: Floats, inside: Marks) -> float:
    return float(pieces[inside].sum() / max(pieces.sum(), 1.0))
