"""A regression for all series together, each week ahead its own: how far a series goes from the level of its last ones.

It learns what series alone are too short to show: how fast a promotion's peak or a cut price comes back, what followed
a season ago, and what other sources of the same category have done already. Everything is in logarithms and in the
usual change of a series over a period, so that all of them teach each other; the coefficients are shrunk (ridge).
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from models.demand.features import mean_seen, ratio
from models.ensemble.folds import Fold
from models.ensemble.members import filled
from models.market.series import OWN, names
from models.panel.matrices import Floats, Ints, Panel

LEVEL, MEANS = 8, (2, 3, 13, 26, 52, 200)  # periods of the level that is left, and of the means beside it
THEIRS = (1, 3)  # the same of other sources
SEASONS = 3  # that are averaged
OFFSET = 0.02  # of the usual level, added before the logarithm, which a zero has not
SHRINK = 0.05  # of the rows, added to the diagonal
LEAST_ROWS = 60
FURTHEST = 4.0  # usual changes that one feature or target counts at most, times the root of the periods ahead


@dataclass(frozen=True)
class Course:
    """z: (N, T) logarithms, nan before the first observation. size: (N,) usual change over a period."""

    z: Floats
    offset: Floats
    size: Floats
    beside: Floats

    @classmethod
    def of(cls, panel: Panel) -> "Course":
        """Of what a panel knows."""
        y = filled(panel)
        offset = OFFSET * np.nan_to_num(mean_seen(panel.y), nan=1.0)[:, None] + 1e-9
        z = np.log(np.maximum(y, 0.0) + offset)
        size = np.sqrt(mean_seen(np.diff(z, axis=1) ** 2))
        size = np.where(size > 0, size, 1.0)
        return cls(z, offset, size, _beside(z / size[:, None], names(panel)))

    def features(self, series: Ints, origin: Ints, ahead: int, season: int) -> tuple[Floats, Floats]:
        """(rows, features) and the level (rows,) they are measured from."""
        level, last = self._mean(self.z, series, origin, LEVEL), self.z[series, origin]
        size = self.size[series]
        own = [last, *(self._mean(self.z, series, origin, periods) for periods in MEANS)]
        parts = [(part - level) / size for part in own]
        parts.append(self._season(series, origin, ahead, season))
        theirs = self._mean(self.beside, series, origin, LEVEL)
        parts += [self._mean(self.beside, series, origin, of) - theirs for of in THEIRS]
        found = np.nan_to_num(np.column_stack(parts))
        return np.clip(found, -FURTHEST, FURTHEST), level

    def _mean(self, values: Floats, series: Ints, origin: Ints, periods: int) -> Floats:
        columns = origin[:, None] - np.arange(periods)
        return mean_seen(np.where(columns >= 0, values[series[:, None], np.maximum(columns, 0)], np.nan))

    def _season(self, series: Ints, origin: Ints, ahead: int, season: int) -> Floats:
        """What followed so many seasons ago."""
        parts = []
        for back in range(1, SEASONS + 1):
            then, target = origin - back * season, origin - back * season + ahead
            inside = (then >= 0) & (target <= origin)
            came = self.z[series, np.where(inside, target, 0)] - self._mean(self.z, series, np.maximum(then, 0), LEVEL)
            parts.append(np.where(inside, came / self.size[series], np.nan))
        return mean_seen(np.column_stack(parts))


def _beside(course: Floats, facts: pd.DataFrame) -> Floats:
    """(N, T): mean of what other sources tell of the same category; nan where there is none."""
    category, outside = facts["category"].to_numpy(), (facts["source"] != OWN).to_numpy()
    same = (category[:, None] == category) & outside & ~np.eye(len(course), dtype=bool)
    known = np.isfinite(course)
    return ratio(same @ np.where(known, course, 0.0), (same @ known).astype(np.float64))


def pooled(fold: Fold) -> Floats:
    """(N, horizon): points; nan for all with too little to learn from, and for a series without observations."""
    course, season = Course.of(fold.panel), max(1, fold.panel.season)
    begun = np.flatnonzero(fold.origin >= fold.panel.first)
    points = np.full(fold.target.shape, np.nan)
    for ahead in range(1, fold.horizon + 1):
        series, origin = _rows(fold, begun, ahead)
        if len(series) < LEAST_ROWS:
            return points
        features, level = course.features(series, origin, ahead, season)
        most = FURTHEST * np.sqrt(ahead)
        came = np.clip((course.z[series, origin + ahead] - level) / course.size[series], -most, most)
        learned = _ridge(features, came)
        now, level = course.features(begun, fold.origin[begun], ahead, season)
        z = level + course.size[begun] * (now @ learned)
        points[begun, ahead - 1] = np.maximum(np.exp(z) - course.offset[begun, 0], 0.0)
    return points


def _rows(fold: Fold, begun: Ints, ahead: int) -> tuple[Ints, Ints]:
    """Series and origin of all that is known to have come so many periods later."""
    columns = np.arange(fold.panel.y.shape[1])
    first, last = fold.panel.first[begun] + LEVEL - 1, fold.origin[begun] - ahead
    at, origin = np.nonzero((columns >= first[:, None]) & (columns <= last[:, None]))
    return begun[at], origin


def _ridge(features: Floats, came: Floats) -> Floats:
    normal = features.T @ features + SHRINK * len(came) * np.eye(features.shape[1])
    learned: Floats = np.linalg.solve(normal, features.T @ came)
    return learned
