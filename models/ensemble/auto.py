"""The forecast of any regular panel: which members each group of series is given, and what they say together.

Series are smooth or sparse (many zeros). For each group, on held-out origins: shares of the members, quantiles about
their blend, how much the engine's own quantiles count beside these, and a last correction of how wide they are.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from c2m.settings import ForecastPolicy
from models.demand.boosting import QUANTILE_LEVELS
from models.ensemble import blend, members, trees
from models.ensemble.folds import Fold, backs
from models.evaluation.backtest import pinball
from models.panel.matrices import Floats, Panel

Bools = NDArray[np.bool_]
MANY_ZEROS = 0.2  # share of a series' observations from which it is sparse
SMOOTH, SPARSE = "smooth", "sparse"
NAIVE, MEDIAN_14, ENGINE, GROWTH = "SeasonalNaive", "Median14", "Trees", "TreesOnGrowth"
CANDIDATES = {SMOOTH: (NAIVE, *members.SMOOTH, GROWTH), SPARSE: (NAIVE, MEDIAN_14, *members.SPARSE, ENGINE)}
NAMES = tuple(dict.fromkeys(name for names in CANDIDATES.values() for name in names))
STEPS = np.linspace(0, 1, 5)  # how much the engine's quantiles count
WIDTHS = np.geomspace(0.6, 1.8, 37)


@dataclass(frozen=True)
class Chosen:
    """What a group of series is given.

    shares: of the members. spread: about their blend. engine: whose quantiles count too, and how much. wider: by which
    the distance of each quantile from the median is multiplied. errors: mean absolute error of each candidate and of
    the blend over that of the seasonal naive forecast, on so many folds.
    """

    shares: dict[str, float]
    spread: blend.Spread
    engine: tuple[str, float]
    wider: float
    errors: dict[str, float]
    folds: int

    @property
    def is_engine(self) -> bool:
        """Whether the forecast is the engine's alone."""
        return self.engine == (ENGINE, 1.0)


@dataclass
class Said:
    """What members say `back` periods before the end, each computed once: points, and the trees' quantiles."""

    panel: Panel
    horizon: int
    policy: ForecastPolicy
    groups: dict[str, Bools] = field(init=False)
    kept: dict[tuple[int, str], Floats] = field(default_factory=dict)
    folds: dict[int, Fold] = field(default_factory=dict)
    forms: dict[int, str] = field(default_factory=dict)  # of exponential smoothing, by series

    def __post_init__(self) -> None:
        zero = ((self.panel.y == 0).sum(axis=1) / np.maximum(self.panel.seen.sum(axis=1), 1)) >= MANY_ZEROS
        self.groups = {name: rows for name, rows in ((SMOOTH, ~zero), (SPARSE, zero)) if rows.any()}

    @property
    def candidates(self) -> dict[str, tuple[str, ...]]:
        """Members by group; the engine is one of the smooth ones' too where columns are known ahead."""
        informed = bool(self.panel.numbers or self.panel.categories)
        smooth = (*CANDIDATES[SMOOTH], ENGINE) if informed else CANDIDATES[SMOOTH]
        return {SMOOTH: smooth, SPARSE: CANDIDATES[SPARSE]}

    def fold(self, back: int) -> Fold:
        """The panel as it was."""
        if back not in self.folds:
            self.folds[back] = Fold.of(self.panel, back, self.horizon)
        return self.folds[back]

    def points(self, back: int, group: str, names: Iterable[str]) -> dict[str, Floats]:
        """(N, horizon) by member; the median of the trees'."""
        found = {name: self.of(back, group, name) for name in names}
        return {name: values[..., trees.MEDIAN] if values.ndim == 3 else values for name, values in found.items()}

    def of(self, back: int, group: str, name: str) -> Floats:
        """(N, horizon) of a member, (N, horizon, levels) of the trees."""
        fold = self.fold(back)
        if name in (*members.SMOOTH, *members.SPARSE):
            return self._once(back, f"{group} {name}", lambda: members.statistical(
                fold, name, np.flatnonzero(self.groups[group]), self.forms, self.policy.threads))  # fmt: skip
        calls: dict[str, Callable[[], Floats]] = {
            NAIVE: lambda: members.seasonal_naive(fold),
            MEDIAN_14: lambda: members.recent_median(fold),
            ENGINE: lambda: trees.level(fold, self.policy),
            GROWTH: lambda: trees.growth(fold, self.policy),
        }
        return self._once(back, name, calls[name])

    def _once(self, back: int, name: str, call: Callable[[], Floats]) -> Floats:
        if (back, name) not in self.kept:
            self.kept[back, name] = call()
        return self.kept[back, name]


def choose(said: Said, back: int, group: str, candidates: Iterable[str]) -> Chosen | None:
    """What a group is best given `back` periods before the end, by the origins before that; None without any."""
    names, rows = tuple(candidates), said.groups[group]
    # The oldest first: what exponential smoothing finds there is not looked for again.
    before = [back + further for further in reversed(backs(said.fold(back).panel, said.horizon))]
    if not before:
        return None
    actual = np.array([np.where(rows[:, None], said.fold(b).actual(said.fold(back).panel), np.nan) for b in before])
    scale = np.array([blend.scales(said.fold(b).panel) for b in before])
    points = [said.points(b, group, names) for b in before]
    stacked = {name: np.array([at[name] for at in points]) for name in names}
    shares = blend.weights(stacked, actual, scale)
    if not shares:
        return None
    middle = blend.blended(stacked, shares)
    error = (actual - middle) / scale[..., None]
    spread = blend.Spread.of(error)
    engine = next((name for name in (ENGINE, GROWTH) if name in names), "")
    naive = np.array([said.points(b, group, [NAIVE])[NAIVE] for b in before])
    errors = _relative({**stacked, "blend": middle}, naive, actual, scale)
    return Chosen(shares, spread, *_mixed(said, before, group, error, actual, scale, engine), errors, len(before))


def _relative(points: dict[str, Floats], naive: Floats, actual: Floats, scale: Floats) -> dict[str, float]:
    """Mean scaled absolute error of each over that of the seasonal naive forecast, where both have a point."""
    found = {}
    for name, of in points.items():
        ours, theirs = (np.abs(actual - each) / scale[..., None] for each in (of, naive))
        seen = np.isfinite(ours) & np.isfinite(theirs)
        found[name] = float(ours[seen].sum() / max(theirs[seen].sum(), 1e-12))
    return found


def _mixed(
    said: Said,
    before: list[int],
    group: str,
    error: Floats,
    actual: Floats,
    scale: Floats,
    engine: str,
) -> tuple[tuple[str, float], float]:
    """How much the engine's quantiles count, and how much wider all must be, by the held-out folds.

    The spread of a fold is that of the others, where there are others.
    """
    own = []
    for k in range(len(before)):
        others = np.delete(error, k, axis=0) if len(before) > 1 else error
        own.append(blend.Spread.of(others).quantiles(actual[k] - error[k] * scale[k][:, None], scale[k]))
    ours = np.array(own)
    seen = np.isfinite(actual) & np.isfinite(ours).all(axis=-1)
    share = 0.0
    if engine:
        theirs = np.array([said.of(b, group, engine) for b in before])
        seen &= np.isfinite(theirs).all(axis=-1)
        weight = np.broadcast_to(scale[..., None], actual.shape)[seen] ** -0.5
        losses = [
            (weight * pinball(actual[seen], mixed(ours[seen], theirs[seen], step)).mean(axis=1)).mean()
            for step in STEPS
        ]
        share = float(STEPS[int(np.argmin(losses))])
        ours = mixed(ours, theirs, share)
    return (engine, share), _wider(actual[seen], ours[seen])


def mixed(ours: Floats, theirs: Floats, share: float) -> Floats:
    """Quantiles (..., levels) between two forecasts."""
    known = np.isfinite(theirs)
    found: Floats = np.where(known, (1 - share) * ours + share * np.where(known, theirs, 0.0), ours)
    return found


def _wider(actual: Floats, quantiles: Floats) -> float:
    """The factor of all distances from the median with which the 50 % and 80 % ranges hold what they should."""
    if len(actual) < blend.FEWEST_ERRORS:
        return 1.0
    off = []
    for factor in WIDTHS:
        middle = quantiles[:, [trees.MEDIAN]]
        wide = middle + factor * (quantiles - middle)
        held = [((actual >= wide[:, a]) & (actual <= wide[:, b])).mean() for a, b in ((1, 5), (2, 4))]
        off.append(abs(held[0] - 0.8) + abs(held[1] - 0.5))
    return float(WIDTHS[int(np.argmin(off))])


def quantiles(said: Said, back: int, group: str, chosen: Chosen) -> Floats:
    """(N, horizon, levels): the forecast of a group's series; nan for the others."""
    points = blend.blended(said.points(back, group, chosen.shares), chosen.shares)
    fold = said.fold(back)
    found = chosen.spread.quantiles(points, blend.scales(fold.panel))
    name, share = chosen.engine
    if share:
        found = mixed(found, said.of(back, group, name), share)
    middle = found[..., [trees.MEDIAN]]
    found = np.sort(middle + chosen.wider * (found - middle), axis=-1)
    lowest = np.where(np.nanmin(fold.panel.y) < 0, -np.inf, 0.0)
    found = np.maximum(found, lowest)
    found = np.rint(found) if fold.panel.whole else found
    return np.where(said.groups[group][:, None, None], found, np.nan)


def decided(said: Said, some: slice, candidates: Mapping[str, Iterable[str]] | None = None) -> dict[str, Chosen]:
    """What each group is given, by some of the series; a group that is too short for held-out origins is left out."""
    sample = said if some.step == 1 else Said(said.panel.some(some), said.horizon, said.policy)
    found = {}
    for group in said.groups:
        names = (candidates or said.candidates)[group]
        chosen = choose(sample, 0, group, names) if group in sample.groups else None
        if chosen:
            found[group] = replace(chosen, spread=chosen.spread.of_all(len(said.panel.ids), some))
    return found


def best(said: Said, back: int, candidates: dict[str, Iterable[str]] | None = None) -> tuple[Floats, dict[str, Chosen]]:
    """(N, horizon, levels) and what was chosen by group."""
    found = np.full((*said.fold(back).target.shape, len(QUANTILE_LEVELS)), np.nan)
    taken = {}
    for group, rows in said.groups.items():
        chosen = choose(said, back, group, (candidates or said.candidates)[group])
        if chosen:
            found[rows] = quantiles(said, back, group, chosen)[rows]
            taken[group] = chosen
    return found, taken


def alone(said: Said, back: int, name: str) -> Floats:
    """(N, horizon, levels): one member for every group, with the spread of its own held-out errors."""
    return best(said, back, dict.fromkeys(said.groups, (name,)))[0]


def mean(quantiles: Floats) -> Floats:
    """(rows,): of the line through quantiles (rows, levels)."""
    levels = np.array(QUANTILE_LEVELS)
    expected: Floats = quantiles @ np.diff([0.0, *((levels[1:] + levels[:-1]) / 2), 1.0])
    return expected
