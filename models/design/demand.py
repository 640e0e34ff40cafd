"""What a design is expected to sell: the champion's forecast of a style without history, set right by past launches.

In: the panel of the daily run, the champion, designs. Out: pieces by day of sale (`Ahead.course`), and how many times
as many a style sells (`Level`). The times are those of the styles that were launched within the panel,
each beside what the champion says of it as if it had never been sold: with a bias, if it has one, and with the spread
that styles have. Few launches say little, so that they lean on what holds for apparel.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import stats

from c2m.domain.newsvendor import WINDOW_LEVELS
from models.demand.forecast import DemandModel, forecast
from models.panel.daily import style_series
from models.panel.matrices import Bools, CategoricalColumn, Floats, Ints, Panel

STYLE = ["merchant_id", "style_id"]
_LAST = 7  # days by whose mean the forecast goes on past its end, as that of styles does
_NEW_DAYS = 28  # from the panel's beginning: who first sells later was launched, others may have been slow
_LEAST_DAYS = 7  # of sale that a launch must have had to tell its level
_MOST_LAUNCHES = 500  # the latest ones
# What is held before any launch: as one launch without bias, and as three with the spread of styles' daily rates that
# was measured on the Amazon data (docs/demo-world.md).
_PRIOR_LAUNCHES, _PRIOR_FREEDOM, _PRIOR_SPREAD = 1.0, 3.0, 1.3


@dataclass(frozen=True)
class Level:
    """How many times its course a new style sells: its logarithm has Student's t about `centre`.

    >>> Level(0.0, 1.0, 30.0).at(np.array([0.5])).tolist()
    [1.0]
    """

    centre: float  # of the logarithm
    spread: float  # scale of the logarithm's distribution
    freedom: float  # degrees of freedom: the fewer, the heavier the tails

    @classmethod
    def of(cls, ratios: Floats) -> "Level":
        """From the ratios (L,) of past launches: what was sold over what was expected."""
        logs, count = np.log(ratios), len(ratios)
        mean = float(logs.mean()) if count else 0.0
        weight, freedom = _PRIOR_LAUNCHES + count, _PRIOR_FREEDOM + count
        scatter = float(((logs - mean) ** 2).sum()) + _PRIOR_LAUNCHES * count / weight * mean**2
        variance = (_PRIOR_FREEDOM * _PRIOR_SPREAD**2 + scatter) / freedom
        return cls(mean * count / weight, float(np.sqrt(variance * (1 + 1 / weight))), freedom)

    def at(self, shares: Floats) -> Floats:
        """(Q,) quantiles of the ratio at probabilities (Q,)."""
        return np.asarray(np.exp(self.centre + self.spread * stats.t.ppf(shares, self.freedom)))

    def density(self, logs: Floats) -> Floats:
        """(N,) density of the logarithm of the ratio at logarithms (N,)."""
        return np.asarray(stats.t.pdf((logs - self.centre) / self.spread, self.freedom))


@dataclass(frozen=True)
class Ahead:
    """What one design is expected to sell."""

    daily: Floats  # (days,) mean pieces by day of sale as the champion says, the first first
    level: Level  # how many times as much styles that are launched sell

    def course(self, first: int, days: int) -> Floats:
        """Mean pieces by day of sale as the champion says; past its end as the mean of its last week.

        Parameters
        ----------
        first
            Day of sale at which it begins; 1 is the first.
        days
            How many days.

        Returns
        -------
        numpy.ndarray
            (days,) pieces.
        """
        beyond = np.full(max(0, first - 1 + days - len(self.daily)), self.daily[-_LAST:].mean())
        return np.concatenate([self.daily, beyond])[first - 1 : first - 1 + days]

    def total(self, days: int, shares: Floats | None = None) -> Floats:
        """What is sold in the first days.

        Parameters
        ----------
        days
            How many days.
        shares
            (Q,) probabilities; None: WINDOW_LEVELS.

        Returns
        -------
        numpy.ndarray
            (Q,) quantiles in pieces.
        """
        return float(self.course(1, days).sum()) * self.level.at(np.array(WINDOW_LEVELS) if shares is None else shares)


def with_new(panel: Panel, styles: pd.DataFrame, hidden: "pd.Series[str]") -> Panel:
    """The panel with a series without history for each of some styles; these alone are asked for.

    Parameters
    ----------
    panel
        Of the daily run.
    styles
        series_id and every category of the panel.
    hidden
        series_id of those whose own history is left out: the forecast is the one before their sale.

    Returns
    -------
    Panel
        The new series are called series_id/new.
    """
    kept = panel.some(~panel.ids.isin(hidden))
    rows, ahead = (len(styles), len(kept.ds)), panel.asked.any(axis=0)
    nothing, zero = np.full(rows, np.nan), np.zeros(rows)
    return replace(
        kept,
        ids=kept.ids.append(pd.Index(_new(styles["series_id"]), dtype=object)).rename(kept.ids.name),
        y=np.vstack([kept.y, nothing]),
        asked=np.vstack([np.zeros(kept.y.shape, dtype=bool), np.broadcast_to(ahead, rows)]),
        numbers={name: np.vstack([values, zero]) for name, values in kept.numbers.items()},
        past={name: np.vstack([values, nothing]) for name, values in kept.past.items()},
        categories={name: _told(one, styles[name], rows) for name, one in kept.categories.items()},
    )


def _new(series_ids: "pd.Series[str]") -> "pd.Series[str]":
    """Identifiers hold no slash: no style is called so."""
    return series_ids + "/new"


def _told(category: CategoricalColumn, values: "pd.Series[str]", rows: tuple[int, int]) -> CategoricalColumn:
    levels = tuple(dict.fromkeys([*category.levels, *values]))
    codes = pd.Index(levels).get_indexer(pd.Index(values))
    return CategoricalColumn(
        np.vstack([category.codes, np.broadcast_to(codes[:, None], rows)]).astype(np.int64), levels
    )


def ahead(panel: Panel, designs: pd.DataFrame, model: DemandModel) -> dict[tuple[str, str], Ahead]:
    """What each design is expected to sell, as if it were on sale from the first day that is asked for.

    Parameters
    ----------
    panel
        Of the daily run.
    designs
        STYLE (the design's code) and category.
    model
        The champion.

    Returns
    -------
    dict
        By merchant and code.
    """
    own = designs.assign(series_id=style_series(designs))
    past = launched(panel, own["series_id"])
    before = pd.DataFrame({name: _values(one, past) for name, one in panel.categories.items()})
    before = before.assign(series_id=panel.ids[past].astype(str))
    both = pd.concat([own[before.columns], before], ignore_index=True)
    found = forecast(with_new(panel, both, own["series_id"]), "wape", model)
    daily = found.pivot(index="series_id", columns="ds", values="mean").loc[_new(both["series_id"]).tolist()].to_numpy()
    level = Level.of(_ratios(panel, past, daily[len(own) :]))
    keys = designs[STYLE].itertuples(index=False, name=None)
    return {key: Ahead(course, level) for key, course in zip(keys, daily, strict=False)}


def launched(panel: Panel, without: "pd.Series[str]") -> Ints:
    """Rows of the styles that were launched within the panel and sold long enough to tell, the latest last."""
    begun, sold = panel.first >= panel.first.min() + _NEW_DAYS, panel.end - panel.first + 1
    fit: Bools = begun & (sold >= _LEAST_DAYS) & ~panel.ids.isin(without)
    rows = np.flatnonzero(fit)
    return rows[np.argsort(panel.first[rows], kind="stable")][-_MOST_LAUNCHES:]


def _values(category: CategoricalColumn, rows: Ints) -> "np.ndarray[tuple[int], np.dtype[np.object_]]":
    return np.asarray(np.array(category.levels, dtype=object)[category.codes[rows, 0]])


def _ratios(panel: Panel, rows: Ints, daily: Floats) -> Floats:
    """(L,) what launches sold in their first days over what is said of them, half a piece added to each."""
    days = daily.shape[1]
    places = panel.first[rows][:, None] + np.arange(days)
    seen = places <= panel.end
    sold = np.where(seen, panel.y[rows[:, None], np.minimum(places, panel.end)], 0.0)
    return np.asarray((np.nansum(sold, axis=1) + 0.5) / ((daily * seen).sum(axis=1) + 0.5))


def noise(panel: Panel, days: int = 56) -> float:
    """Size k of the negative binomial that a day's pieces have about their level: variance = mean + mean^2 / k.

    Parameters
    ----------
    panel
        Of the daily run.
    days
        The latest ones, which it is taken from.

    Returns
    -------
    float
        By the differences between neighbouring days of all series, between 0.5 and 1,000.
    """
    past = panel.y[:, max(0, panel.end + 1 - days) : panel.end + 1]
    one, other = past[:, :-1], past[:, 1:]
    mean = (one + other) / 2
    beyond = np.nansum((other - one) ** 2 / 2 - mean)
    squares = np.nansum(one * other)
    return float(np.clip(squares / beyond, 0.5, 1000)) if beyond > 0 else 1000.0
