"""The features of the forecast, declared once, for training and for scoring alike.

A row is a cell: series i, origin t (last period known), target u > t. A feature reads observations and past-only
columns of periods <= t, and known-ahead columns up to u; nothing else. Everything is computed as matrix operations over
(series, periods). Features in units of demand are divided by the row's `scale`, the recent level of its series, so that
one model serves fast and slow series; `tests/unit/test_models_features.py` recomputes them in SQL.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import sparse

from models.panel.matrices import Bools, Floats, Ints, Panel

SCALE_WINDOW = 28  # periods of the level that demand is divided by
LEVEL_WINDOWS = (3, 7, 14, 28, 56)  # periods
GIANT = 100  # times the median level
KIN = 10.0  # times its own mean that the level of others counts for a series
FREAK = 3.0  # times what a series sold at most otherwise; a cell beyond counts so much, in what series have in common
BLOCK = 4096  # series whose statistics are computed at once
# Share of zeros up to which the logarithm of a series is looked at: one in twenty already is a count about three, whose
# logarithm its zeros decide (24 made series of that kind: their orders cost 11 % more by it).
RARE_ZEROS = 0.02
MOSTLY = 0.9  # share of such series in a panel from which it is forecast on the logarithm
SEASONS_BACK = 4  # same-season observations that are averaged
LAUNCH = 6  # first periods of a series, whose level new series are measured by
LONGEST_IDLE = 56  # periods at which idle time is cut
# Age is cut early: where most series begin with the panel, a longer age is a clock, and trees learn the calendar of a
# short history by heart. So does a trend or season that all series share; only their level is a feature.
OLDEST = 28
MAX_LEVELS = 100  # rarer levels of a category share the reserved one
UNSEEN = "(unseen)"  # the reserved level, also of what training did not meet


@dataclass(frozen=True)
class Cells:
    """Rows to compute; each array is (rows,)."""

    series: Ints  # rows of the panel
    origin: Ints  # column of the last period that is known
    target: Ints  # column of the period that is asked for

    def __len__(self) -> int:
        return len(self.series)


class History:
    """Causal statistics of observations (N, T): column t uses columns <= t, nan left out."""

    def __init__(self, values: Floats) -> None:
        self.values = values
        self.seen = ~np.isnan(values)
        self._sum = np.where(self.seen, values, 0.0).cumsum(axis=1)
        self._count = self.seen.cumsum(axis=1, dtype=np.float64)

    def total(self, window: int) -> Floats:
        """(N, T) sum over the last `window` periods, in units of y."""
        return _windowed(self._sum, window)

    def count(self, window: int) -> Floats:
        """(N, T) observations in the last `window` periods."""
        return _windowed(self._count, window)

    def mean(self, window: int) -> Floats:
        """(N, T) mean over the last `window` periods, in units of y; nan without an observation."""
        return ratio(self.total(window), self.count(window))

    def since(self, event: Bools) -> Floats:
        """(N, T) periods since `event` was last true, at most LONGEST_IDLE; nan before the first time."""
        periods = np.arange(self.values.shape[1], dtype=np.float64)
        latest = np.maximum.accumulate(np.where(event, periods, -np.inf), axis=1)
        return np.where(np.isinf(latest), np.nan, np.minimum(periods - latest, LONGEST_IDLE))

    def age(self) -> Floats:
        """(N, T) periods since the first observation, at most OLDEST; nan before it."""
        return np.where(self._count > 0, np.minimum(np.cumsum(self._count > 0, axis=1) - 1, OLDEST), np.nan)

    def same_season(self, cells: Cells, season: int, back: int) -> Floats:
        """The last observations whose period is a whole number of seasons before the target's.

        Parameters
        ----------
        cells
            Series, origin and target of each row.
        season
            Periods in a season.
        back
            How many observations.

        Returns
        -------
        numpy.ndarray
            (rows, back) in units of y, the latest first; nan before the series began.
        """
        latest = cells.target - season * -(-(cells.target - cells.origin) // season)
        columns = latest[:, None] - season * np.arange(back)
        return np.where(columns >= 0, self.values[cells.series[:, None], np.maximum(columns, 0)], np.nan)


def _windowed(cumulated: Floats, window: int) -> Floats:
    """Cumulated sums to sums over the last `window` columns."""
    sums = cumulated.copy()
    sums[:, window:] -= cumulated[:, :-window]
    return sums


def ratio(above: Floats, below: Floats) -> Floats:
    """A ratio that is nan where there is nothing to divide by.

    Parameters
    ----------
    above
        (N,), or of any shape, in any units.
    below
        (N,), or a shape that goes with it, in units of its own.

    Returns
    -------
    numpy.ndarray
        (N,), or the shape of both together.
    """
    quotient: Floats = np.full(np.broadcast(above, below).shape, np.nan)
    np.divide(above, below, out=quotient, where=below > 0)
    return quotient


def mean_seen(values: Floats) -> Floats:
    """Mean of each row's observations (rows, periods), in their units: (rows,); nan without any."""
    return ratio(np.nansum(values, axis=1), (~np.isnan(values)).sum(axis=1).astype(np.float64))


@dataclass(frozen=True)
class PooledSeries:
    """What the series of a panel say together.

    begin: first column with an observation. usual: (T,), the level that a series with little history is drawn to.
    launch: (T,), the level that new series begin at. members: (N,), the group of each series in "all" and in every
    category that a series keeps. demand, numbers: (groups, T), means over a group's members.
    """

    begin: int
    usual: Floats
    launch: Floats
    members: dict[str, Ints]
    demand: dict[str, Floats]
    numbers: dict[tuple[str, str], Floats]  # by number and category

    @classmethod
    def of(cls, panel: Panel) -> "PooledSeries":
        """Of all series."""
        kept = panel.kept
        codes = {"all": np.zeros(len(panel.ids), dtype=np.int64), **kept}
        members = {name: np.unique(of, return_inverse=True)[1] for name, of in codes.items()}
        panel = replace(panel, y=without_freaks(panel.y))
        begin, usual = int(panel.first.min()), usual_level(History(panel.y))
        return cls(
            begin,
            usual,
            _launch_level(panel, begin, usual),
            members,
            {name: mean_of_members(panel.y, of) for name, of in members.items()},
            {
                (number, name): mean_of_members(values, members[name])
                for name in kept
                for number, values in panel.numbers.items()
            },
        )

    def some(self, rows: slice) -> "PooledSeries":
        """For some of the series."""
        return replace(self, members={name: of[rows] for name, of in self.members.items()})


def rarely_zero(panel: Panel) -> Bools:
    """(N,): series with observations, hardly any of them zero."""
    zeros = (panel.y == 0).sum(axis=1)
    rare: Bools = (panel.first < panel.y.shape[1]) & (zeros <= RARE_ZEROS * panel.seen.sum(axis=1))
    return rare


def is_logarithmic(panel: Panel) -> bool:
    """Whether most series are rarely zero; a zero here or there changes nothing for the others."""
    known = panel.first < panel.y.shape[1]
    return bool(rarely_zero(panel)[known].mean() >= MOSTLY) if known.any() else False


def without_freaks(demand: Floats) -> Floats:
    """(N, T) demand whose single cells far beyond all others of their series are cut, so that none moves all series.

    Each counts up to FREAK times the second largest of its series, or up to what one cell in a hundred exceeds.
    """
    sold = demand[demand > 0]
    if demand.shape[1] < 2 or not len(sold):
        return demand
    second = np.partition(np.nan_to_num(demand), -2, axis=1)[:, -2]
    most = np.maximum(FREAK * second, np.quantile(sold, 0.99))
    return np.minimum(demand, most[:, None])


def usual_level(history: History) -> Floats:
    """(T,): mean of the series' recent levels; one giant among them must not set it."""
    return np.array([_mean_without_giants(column) for column in history.mean(SCALE_WINDOW).T])


def _launch_level(panel: Panel, begin: int, usual: Floats) -> Floats:
    """(T,): geometric mean of what series sold in their first periods lately and ever; `usual` before the first launch.

    Halfway, because a level alone carries one season into the next, and the mean of all years misses a trend.
    """
    sold = np.where(_on_sale(panel, begin) < LAUNCH, panel.y, np.nan)
    history = History(mean_of_members(sold, np.zeros(len(sold), dtype=np.int64)))
    level = np.sqrt(history.mean(SCALE_WINDOW) * history.mean(sold.shape[1]))[0]
    return np.where(level > 0, level, usual)


def scale_of(history: History, usual: Floats) -> Floats:
    """The recent level of each series, drawn by one observation towards the usual level of all.

    Parameters
    ----------
    history
        Of the panel's observations.
    usual
        (T,) the usual level of all series, in units of y.

    Returns
    -------
    numpy.ndarray
        (N, T) in units of y, above 0.
    """
    periods = history.values.shape[1]
    own = history.mean(periods)
    steady = np.cumsum(history.values > 0, axis=1) >= (1 - RARE_ZEROS) * history.count(periods)
    expected = np.where(steady & (own > 0), np.clip(usual, own / KIN, own * KIN), usual)
    scale: Floats = (history.total(SCALE_WINDOW) + expected) / (history.count(SCALE_WINDOW) + 1)
    return scale


def _mean_without_giants(levels: Floats) -> float:
    """Mean of the levels, each counted up to GIANT times the median of those above zero; 1 where none is."""
    levels = levels[~np.isnan(levels)]
    above = levels[levels > 0]
    return float(np.minimum(levels, GIANT * np.median(above)).mean()) if len(above) else 1.0


def mean_of_members(values: Floats, members: Ints) -> Floats:
    """(groups, T): mean of the members' observations (N, T), nan without any."""
    belongs = sparse.csr_array((np.ones(len(members)), (members, np.arange(len(members)))))
    return ratio(belongs @ np.nan_to_num(values), belongs @ (~np.isnan(values)).astype(np.float64))


def matrix(panel: Panel, cells: Cells) -> pd.DataFrame:
    """The features of cells.

    Parameters
    ----------
    panel
        Series by periods.
    cells
        Series, origin and target of each row.

    Returns
    -------
    pd.DataFrame
        A row per cell, in their order, and a column per feature: doubles and, for categories, text. `scale`, in units
        of y, comes first.
    """
    return in_order(blocks(panel, cells))


def in_order(blocks: Iterable[tuple[Ints, pd.DataFrame]]) -> pd.DataFrame:
    """Blocks of rows as one frame of the same columns. blocks: (rows,) the place of each row in it, and the rows."""
    places, parts = zip(*blocks, strict=True)
    every: pd.DataFrame = pd.concat(parts, ignore_index=True).iloc[np.argsort(np.concatenate(places))]
    return every.reset_index(drop=True)


def blocks(panel: Panel, cells: Cells) -> Iterator[tuple[Ints, pd.DataFrame]]:
    """Rows of `matrix`, some series at a time so that memory stays bounded, with their places among the cells."""
    shared, order = PooledSeries.of(panel), np.argsort(cells.series, kind="stable")
    starts = np.arange(0, len(panel.ids), BLOCK)
    ends = np.searchsorted(cells.series[order], starts + BLOCK)
    for start, at in zip(starts, np.split(order, ends[:-1]), strict=True):
        some = slice(start, start + BLOCK)
        own = Cells(cells.series[at] - start, cells.origin[at], cells.target[at])
        if len(at) or not len(cells):
            yield at, _rows(panel.some(some), shared.some(some), own)


def _rows(panel: Panel, shared: PooledSeries, cells: Cells) -> pd.DataFrame:
    history = History(panel.y)
    at = cells.series, cells.origin
    known = history.count(panel.y.shape[1])[at] > 0
    scale = np.where(known, scale_of(history, shared.usual)[at], shared.launch[cells.origin])
    columns = {
        "scale": scale,
        **dict(_plain(panel, history, cells, shared.begin)),
        **dict(_rivals(panel, shared, cells)),
    }
    columns |= dict(_groups(panel, shared, cells, scale))
    columns |= {name: values / scale for name, values in _levels(panel, history, cells)}
    return pd.DataFrame(columns)


def _levels(panel: Panel, history: History, cells: Cells) -> Iterator[tuple[str, Floats]]:
    """Features in units of demand."""
    at = cells.series, cells.origin
    for window in LEVEL_WINDOWS:
        yield f"mean_{window}", history.mean(window)[at]
    yield "last", panel.y[at]
    yield "spread_28", np.sqrt(np.maximum(History(panel.y**2).mean(28) - history.mean(28) ** 2, 0))[at]
    if panel.season:
        same = history.same_season(cells, panel.season, SEASONS_BACK)
        yield "same_season_last", same[:, 0]
        yield "same_season_mean", mean_seen(same)


def _plain(
    panel: Panel, history: History, cells: Cells, begin: int
) -> Iterator[tuple[str, "Floats | np.ndarray[tuple[int], np.dtype[np.object_]]"]]:
    """Features without a unit, and the known-ahead columns as they are at the target."""
    at, ahead = (cells.series, cells.origin), (cells.series, cells.target)
    yield "horizon", (cells.target - cells.origin).astype(float)
    if panel.season:
        yield "season", (cells.target % panel.season).astype(float)
    yield "age", history.age()[at]
    yield "on_sale", _on_sale(panel, begin)[ahead]
    yield "since_sale", history.since(panel.y > 0)[at]
    yield "share_sold_28", History(np.where(history.seen, panel.y > 0, np.nan)).mean(28)[at]
    for name, values in panel.numbers.items():
        yield name, values[ahead]
        yield f"{name}_to_usual", ratio(values[ahead], History(values).mean(28)[at])
    for name, values in panel.past.items():
        yield f"{name}_trend", ratio(History(values).mean(7)[at], History(values).mean(28)[at])
    for name, category in panel.categories.items():
        yield name, np.array([*category.levels, UNSEEN], dtype=object)[category.codes[ahead]]


def _on_sale(panel: Panel, begin: int) -> Floats:
    """(N, T): periods since the series began, observed or asked for, at most OLDEST; nan where it was there before."""
    asked = np.where(panel.asked.any(axis=1), panel.asked.argmax(axis=1), panel.first)
    start = np.minimum(panel.first, asked)[:, None]
    return np.where(start > begin, np.minimum(np.arange(panel.y.shape[1]) - start, OLDEST), np.nan)


def _rivals(panel: Panel, shared: PooledSeries, cells: Cells) -> Iterator[tuple[str, Floats]]:
    """Each number known ahead against its mean over the members of each category at the target: a price, say."""
    for (number, group), usual in shared.numbers.items():
        of = shared.members[group][cells.series]
        yield f"{number}_to_{group}", ratio(panel.numbers[number][cells.series, cells.target], usual[of, cells.target])


def _groups(panel: Panel, shared: PooledSeries, cells: Cells, scale: Floats) -> Iterator[tuple[str, Floats]]:
    """Trend, level and season of all series together and of each category's members: what neighbours tell."""
    for name, demand in shared.demand.items():
        history = History(demand)
        of = Cells(shared.members[name][cells.series], cells.origin, cells.target)
        usual = history.mean(28)[of.series, of.origin]
        yield f"{name}_level", usual / scale
        if name != "all":
            yield f"{name}_trend", ratio(history.mean(7)[of.series, of.origin], usual)
        if name != "all" and panel.season:
            yield f"{name}_season", ratio(mean_seen(history.same_season(of, panel.season, SEASONS_BACK)), usual)
