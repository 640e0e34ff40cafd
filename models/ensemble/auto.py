"""The forecast of any regular panel: which members each group of series is given, and what they say together.

Series are smooth or sparse (many zeros). For each group, on held-out origins: shares of the members, quantiles about
their blend, how much the engine's own quantiles count beside these, and a last correction of how wide they are.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

import numpy as np
from scipy import stats

from c2m.settings import ForecastPolicy
from models.demand.boosting import QUANTILE_LEVELS
from models.ensemble import blend, members, trees
from models.ensemble.differences import differences
from models.ensemble.folds import Fold, backs
from models.ensemble.sums import Dependence
from models.evaluation.backtest import pinball
from models.panel.matrices import SEASONS, Bools, Floats, Panel

MOST_SERIES = 300  # that the choice is made on
MANY_ZEROS = 0.2  # share of a series' observations from which it is sparse
SMOOTH, SPARSE = "smooth", "sparse"
NAIVE, MEDIAN_14, ENGINE, GROWTH = "SeasonalNaive", "Median14", "Trees", "TreesOnGrowth"
DIFFERENCES = "TreesOnDifferences"
CANDIDATES = {
    SMOOTH: (NAIVE, *members.SMOOTH, DIFFERENCES, GROWTH),
    SPARSE: (NAIVE, MEDIAN_14, *members.SPARSE, ENGINE),
}
NAMES = tuple(dict.fromkeys(name for names in CANDIDATES.values() for name in names))
BLEND = "blend"
MEMBERS = 3  # dimensions of points by fold, series and period; quantiles have one more
MOST_FOLDS, INFORMED_FOLDS = 4, 2  # held-out origins; the engine takes longest where columns are known ahead
ENOUGH = 0.01  # by which a blend must lose less than the engine alone, to be given in its place
STEPS = np.linspace(0, 1, 5)  # how much the engine's quantiles count
WIDTHS = sorted(np.geomspace(0.6, 2.0, 43), key=lambda factor: abs(np.log(factor)))
# Chosen on 25 groups of series of 19 sets, years to days, each whole and of 1, 3 and 8 of its series.
FOLLOWED = 0.5  # power of the width that held-out origins ask for: what chance had its part in will not come again
SHORT = 0.5  # by which a range is wider, times the horizon over the history


@dataclass(frozen=True)
class Chosen:
    """What a group of series is given.

    shares: of the members. spread: about their blend. engine: whose quantiles count too, and how much. wider: by which
    the distance of each quantile from the median is multiplied. errors: mean absolute error of each candidate and the
    blend over that of the seasonal naive forecast, on so many folds. dependence: how errors of the blend move together.
    """

    shares: dict[str, float]
    spread: blend.Spread
    engine: tuple[str, float]
    wider: float
    errors: dict[str, float]
    folds: int
    dependence: Dependence

    @property
    def is_engine(self) -> bool:
        """Whether the forecast is the engine's alone."""
        return self.engine == (ENGINE, 1.0)


@dataclass
class MemberForecasts:
    """What members say `back` periods before the end, each computed once: points, and the trees' quantiles.

    further: members of whoever asks, by name; each gives points of a fold.
    """

    panel: Panel
    horizon: int  # periods ahead
    policy: ForecastPolicy
    # members of whoever asks, by name; each gives points (N, horizon) of a fold
    further: Mapping[str, Callable[[Fold], Floats]] = field(default_factory=dict)
    groups: dict[str, Bools] = field(init=False)  # (N,) which series belong to a group, by its name
    # (N, horizon) or (N, horizon, levels): what was computed, by periods back and name
    kept: dict[tuple[int, str], Floats] = field(default_factory=dict)
    folds: dict[int, Fold] = field(default_factory=dict)  # by periods back
    forms: dict[int, members.Form] = field(default_factory=dict)  # of exponential smoothing, by series

    def __post_init__(self) -> None:
        zero = ((self.panel.y == 0).sum(axis=1) / np.maximum(self.panel.seen.sum(axis=1), 1)) >= MANY_ZEROS
        self.groups = {name: rows for name, rows in ((SMOOTH, ~zero), (SPARSE, zero)) if rows.any()}

    @property
    def informed(self) -> bool:
        """Whether columns are known ahead, which the engine alone looks at."""
        return bool(self.panel.numbers or self.panel.categories)

    @property
    def candidates(self) -> dict[str, tuple[str, ...]]:
        """Members by group; smooth series of days, or with columns known ahead, have the engine on demand itself."""
        engine = ENGINE if self.panel.season == SEASONS["D"] or self.informed else GROWTH
        return {SMOOTH: (NAIVE, *members.SMOOTH, DIFFERENCES, engine), SPARSE: CANDIDATES[SPARSE]}

    @cached_property
    def sampled(self) -> slice:
        """The series that choices are made on, evenly taken."""
        return slice(None, None, -(-len(self.panel.ids) // MOST_SERIES))

    @cached_property
    def sample(self) -> "MemberForecasts":
        """What is said of them."""
        if self.sampled.step <= 1:
            return self
        return MemberForecasts(self.panel.some(self.sampled), self.horizon, self.policy, self.further)

    def fold(self, back: int) -> Fold:
        """The panel as it was `back` periods before the end of each series."""
        if back not in self.folds:
            self.folds[back] = Fold.of(self.panel, back, self.horizon)
        return self.folds[back]

    def points(self, back: int, group: str, names: Iterable[str]) -> dict[str, Floats]:
        """Points of members; of those that give quantiles, the median.

        Parameters
        ----------
        back
            Periods before the end of each series.
        group
            Of the series.
        names
            Of the members.

        Returns
        -------
        dict
            (N, horizon) by member, in units of y.
        """
        found = {name: self.of(back, group, name) for name in names}
        return {name: values[..., trees.MEDIAN] if values.ndim == 3 else values for name, values in found.items()}

    def of(self, back: int, group: str, name: str) -> Floats:
        """What a member says of a group.

        Parameters
        ----------
        back
            Periods before the end of each series.
        group
            Of the series.
        name
            Of the member.

        Returns
        -------
        numpy.ndarray
            (N, horizon) in units of y; of trees (N, horizon, levels).
        """
        fold = self.fold(back)
        if name in (*members.SMOOTH, *members.SPARSE):
            return self._once(back, f"{group} {name}", lambda: self._by_series(back, group, name))
        calls: dict[str, Callable[[], Floats]] = {
            NAIVE: lambda: members.seasonal_naive(fold),
            MEDIAN_14: lambda: members.recent_median(fold),
            ENGINE: lambda: trees.level(fold, self.policy),
            DIFFERENCES: lambda: differences(fold, self.policy),
            GROWTH: lambda: trees.growth(fold, self.policy),
            **{further: partial(points, fold) for further, points in self.further.items()},
        }
        return self._once(back, name, calls[name])

    def _by_series(self, back: int, group: str, name: str) -> Floats:
        """Of a statistical member; series of the sample are not fitted twice, and the others have forms of theirs."""
        fold, threads, rows = self.fold(back), self.policy.threads, self.groups[group]
        if self.sample is self or group not in self.sample.groups:
            return members.statistical(fold, name, np.flatnonzero(rows), self.forms, threads)
        known, rest = self.sample.of(back, group, name), rows.copy()
        rest[self.sampled] = False
        usual = members.usual(self.sample.forms.values())
        points = members.statistical(fold, name, np.flatnonzero(rest), self.forms, threads, usual)
        points[self.sampled] = known
        return points

    def _once(self, back: int, name: str, call: Callable[[], Floats]) -> Floats:
        if (back, name) not in self.kept:
            self.kept[back, name] = call()
        return self.kept[back, name]


@dataclass(frozen=True)
class HeldOut:
    """What members said of a group at the folds before an origin, and what came: (folds, N, horizon), `trees` levels.

    scale: (folds, N, 1) of each series at each fold. ahead: the horizon as a share of the history, the median series'.
    """

    actual: Floats
    scale: Floats
    points: dict[str, Floats]
    trees: dict[str, Floats]
    naive: Floats
    whole: bool
    ahead: float

    @classmethod
    def of(cls, said: MemberForecasts, back: int, group: str, names: tuple[str, ...]) -> "HeldOut | None":
        """None where history is too short for any fold."""
        known = said.fold(back).panel
        rows = said.groups[group] & ~blend.wild(known)
        # The oldest first: what exponential smoothing finds there is not looked for again.
        most = INFORMED_FOLDS if said.informed else MOST_FOLDS
        before = [back + further for further in reversed(backs(known, said.horizon, most))]
        if not before or not rows.any():
            return None
        told = {name: np.array([said.of(at, group, name) for at in before]) for name in names}
        engines = {name: values for name, values in told.items() if values.ndim > MEMBERS}
        return cls(
            np.array([np.where(rows[:, None], said.fold(at).actual(known), np.nan) for at in before]),
            np.array([blend.scales(said.fold(at).panel) for at in before])[..., None],
            told | {name: values[..., trees.MEDIAN] for name, values in engines.items()},
            engines,
            np.array([said.of(at, group, NAIVE) for at in before]),
            known.whole,
            said.horizon / float(np.median((known.last - known.first + 1)[rows])),
        )

    def errors(self, middle: Floats) -> dict[str, float]:
        """Mean scaled absolute error of each member and the blend over that of the seasonal naive forecast."""
        theirs = np.abs(self.actual - self.naive) / self.scale
        found = {}
        for name, of in {**self.points, BLEND: middle}.items():
            ours = np.abs(self.actual - of) / self.scale
            seen = np.isfinite(ours) & np.isfinite(theirs)
            found[name] = float(ours[seen].sum() / max(theirs[seen].sum(), 1e-12))
        return found

    def crossed(self, middle: Floats) -> Floats:
        """(folds, N, horizon, levels): quantiles about the blend, of each fold by the errors on the others."""
        error, found = (self.actual - middle) / self.scale, []
        for fold in range(len(error)):
            others = np.delete(error, fold, axis=0) if len(error) > 1 else error
            found.append(blend.Spread.of(others).quantiles(middle[fold], self.scale[fold, :, 0]))
        return np.array(found)

    def loss(self, quantiles: Floats) -> float:
        """Pinball, between that in units and that in the scale of each series; inf where there is nothing to judge."""
        seen = np.isfinite(self.actual) & np.isfinite(quantiles).all(axis=-1)
        weight = np.broadcast_to(self.scale, seen.shape)[seen] ** -0.5
        return (
            float((weight * pinball(self.actual[seen], quantiles[seen]).mean(axis=1)).mean()) if seen.any() else np.inf
        )


def choose(said: MemberForecasts, back: int, group: str, candidates: Iterable[str]) -> Chosen | None:
    """What a group is best given `back` periods before the end, by the origins before that; None without any."""
    held = HeldOut.of(said, back, group, tuple(candidates))
    shares = blend.weights(held.points, held.actual, held.scale[..., 0]) if held else {}
    if held is None or not shares:
        return None
    middle = blend.blended(held.points, shares)
    ours = held.crossed(middle)
    engine = _beside(held, ours)
    error = (held.actual - middle) / held.scale
    dependence = Dependence.of(error)
    wider = scarce(dependence.independent(error)) * (_wider(held, ours, engine, group) if engine[1] < 1 else 1.0)
    if len(held.points) == 1:  # asked for by name it is itself, not what its past errors would make of it
        error = np.concatenate([error, -error])
    spread = blend.Spread.of(error)
    return Chosen(shares, spread, engine, wider, held.errors(middle), len(held.actual), dependence)


def scarce(count: float) -> float:
    """The factor by which a range learned from so many independent errors is wider: Student's t over a normal's.

    >>> [round(scarce(count), 2) for count in (4, 24, 1000)]
    [1.34, 1.05, 1.0]
    """
    high = 0.9
    return float(stats.t.ppf(high, count) / stats.norm.ppf(high) * np.sqrt(1 + 1 / count))


def _beside(held: HeldOut, ours: Floats) -> tuple[str, float]:
    """Which engine's quantiles count beside ours, and how much."""
    losses = {("", 0.0): held.loss(ours)}
    losses |= {
        (name, float(step)): held.loss(mixed(ours, theirs, step)) * (1 - ENOUGH * (step == 1))
        for name, theirs in held.trees.items()
        for step in STEPS[1:]
    }
    return min(losses, key=lambda each: losses[each])


def mixed(ours: Floats, theirs: Floats, share: float) -> Floats:
    """Quantiles (..., levels) between two forecasts."""
    known = np.isfinite(theirs)
    found: Floats = np.where(known, (1 - share) * ours + share * np.where(known, theirs, 0.0), ours)
    return found


def _wider(held: HeldOut, ours: Floats, engine: tuple[str, float], group: str) -> float:
    """The factor of all distances from the median: halfway to what the folds ask for, and more for a short history.

    The folds of a short history lie in one era, and what comes lies in another.
    """
    name, share = engine
    asked = _asked(held, mixed(ours, held.trees[name], share) if name else ours, group)
    return float(asked**FOLLOWED * (1 + SHORT * min(1.0, held.ahead)))


def _asked(held: HeldOut, quantiles: Floats, group: str) -> float:
    """The factor nearest to 1 with which the 50 % and 80 % ranges hold what they should.

    Of series with many zeros it is the factor of least pinball.
    """
    seen = np.isfinite(held.actual) & np.isfinite(quantiles).all(axis=-1)
    if seen.sum() < blend.FEWEST_ERRORS:
        return 1.0
    if group == SPARSE:
        return float(min(WIDTHS, key=lambda factor: held.loss(widened(quantiles, factor, 0.0))))
    actual, known = held.actual[seen], quantiles[seen]
    return float(min(WIDTHS, key=lambda factor: _off(actual, told(widened(known, factor, -np.inf), held.whole))))


def _off(actual: Floats, quantiles: Floats) -> float:
    """How far two ranges are from holding what they should; nothing where they do, some of their ends counted.

    Of pieces many lie on an end, and no range need hold exactly its share.
    """
    off = 0.0
    for share, ends in ((0.8, (0.1, 0.9)), (0.5, (0.25, 0.75))):
        low, high = (quantiles[:, QUANTILE_LEVELS.index(level)] for level in ends)
        inside, held = ((actual > low) & (actual < high)).mean(), ((actual >= low) & (actual <= high)).mean()
        off += max(0.0, float(inside) - share, share - float(held))
    return off


def told(quantiles: Floats, whole: bool) -> Floats:
    """As they are given: of whole pieces, where demand comes in these."""
    return np.rint(quantiles) if whole else quantiles


def widened(quantiles: Floats, factor: "Floats | float", lowest: "Floats | float") -> Floats:
    """Quantiles (..., levels) in order, with their distances from the median times the factor."""
    middle = quantiles[..., [trees.MEDIAN]]
    return np.maximum(np.sort(middle + factor * (quantiles - middle), axis=-1), lowest)


def quantiles(said: MemberForecasts, back: int, group: str, chosen: Chosen) -> Floats:
    """The forecast of a group's series.

    Parameters
    ----------
    said
        What members say.
    back
        Periods before the end of each series.
    group
        Of the series.
    chosen
        Shares of members, and how wide their quantiles are.

    Returns
    -------
    numpy.ndarray
        (N, horizon, levels) in units of y; nan for other series.
    """
    points = blend.blended(said.points(back, group, chosen.shares), chosen.shares)
    fold = said.fold(back)
    found = chosen.spread.quantiles(points, blend.scales(fold.panel))
    name, share = chosen.engine
    if share:
        found = mixed(found, said.of(back, group, name), share)
    lowest = np.where(fold.panel.base < 0, -np.inf, 0.0)[:, None, None]
    found = told(widened(found, chosen.wider, lowest), fold.panel.whole)
    return np.where(said.groups[group][:, None, None], found, np.nan)


def decided(
    said: MemberForecasts, back: int, candidates: Mapping[str, Iterable[str]] | None = None
) -> dict[str, Chosen]:
    """What each group is given, by held-out origins of a sample of its series.

    Parameters
    ----------
    said
        What members say.
    back
        Periods before the end of each series: what comes later is not looked at.
    candidates
        Names of members by group; None: those of `said`.

    Returns
    -------
    dict
        What was chosen, by group; a group that is too short for held-out origins is left out.
    """
    sample, found = said.sample, {}
    for group in said.groups:
        names = (candidates or said.candidates)[group]
        chosen = choose(sample, back, group, names) if group in sample.groups else None
        if chosen:
            found[group] = replace(chosen, spread=chosen.spread.of_all(len(said.panel.ids), said.sampled))
    return found


def best(said: MemberForecasts, back: int, candidates: Mapping[str, Iterable[str]] | None = None) -> Floats:
    """(N, horizon, levels): what each group is best given; nan for one that is too short."""
    found = np.full((*said.fold(back).target.shape, len(QUANTILE_LEVELS)), np.nan)
    for group, chosen in decided(said, back, candidates).items():
        found[said.groups[group]] = quantiles(said, back, group, chosen)[said.groups[group]]
    return found


def alone(said: MemberForecasts, back: int, name: str) -> Floats:
    """(N, horizon, levels): one member for every group, with the spread of its own held-out errors."""
    return best(said, back, dict.fromkeys(said.groups, (name,)))


def mean(quantiles: Floats) -> Floats:
    """(rows,): of the line through quantiles (rows, levels)."""
    levels = np.array(QUANTILE_LEVELS)
    expected: Floats = quantiles @ np.diff([0.0, *((levels[1:] + levels[:-1]) / 2), 1.0])
    return expected
