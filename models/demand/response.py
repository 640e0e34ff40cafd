"""How demand responds to what is known ahead: a log-linear sales response model, as marketing has long used it.

The logarithm of demand is the level of its series plus, for each number known ahead (a price, a promotion) and each
season, the effect that it has on all series and on those of each category's level (SCAN*PRO, Wittink et al. 1988; here
the effects of a level are drawn to the common ones by ridge). Effects are learned within series: that dear brands sell
less does not tell what a dear week does. Beside the trees of panels whose demand is hardly ever zero it carries on a
response to where their leaves have few rows; they know what is not linear.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from models.demand.features import BLOCK, Cells, is_logarithmic, mean_of_members, rarely_zero, ratio
from models.panel.matrices import Floats, Ints, Panel

# Chosen on orange juice, rounds up to the fourth; anything from a third to three times of each serves alike.
RIDGE = 1000  # observations' worth of belief that a level has the common effect
COMMON_RIDGE = 1  # and that there is no effect at all: so many that solving stays possible
LEVEL_HALF_LIFE = 8  # periods after which what a series sold beyond its usual level counts half
LEVEL_BELIEF = 2  # observations' worth of belief in the usual level
MOST_EFFECTS = 4096  # solved for at once, a second; categories of many levels are left out where there are more


def response(panel: Panel, cells: Cells) -> Floats:
    """(rows,): expected logarithm of demand; nan for a series without history and where a number is missing.

    Also nan for a series that is zero more than rarely. All nan where most are, or where no number known ahead varies.
    Numbers beyond what was seen count as the furthest that was.
    """
    expected = np.full(len(cells), np.nan)
    if not is_logarithmic(panel):
        return expected
    panel = replace(panel, y=np.where((panel.y > 0) & rarely_zero(panel)[:, None], panel.y, np.nan))
    numbers = [number for number in _numbers(panel) if number.deviation > 0]
    if not numbers:
        return expected
    parts = [slice(start, start + BLOCK) for start in range(0, len(panel.ids), BLOCK)]
    within = [_within(*_observed(panel, numbers, part)) for part in parts]
    effects = _effects(panel, *(np.concatenate(of) for of in zip(*within, strict=True)))
    for part in parts:
        own = np.flatnonzero((cells.series >= part.start) & (cells.series < part.stop))
        x, logs = _observed(panel, numbers, part)
        of = cells.series[own] - part.start
        level = _level(logs - np.einsum("ntk,nk->nt", x, effects[part]), panel.end)
        expected[own] = level[of] + (x[of, cells.target[own]] * effects[cells.series[own]]).sum(axis=1)
    return expected


@dataclass(frozen=True)
class _Number:
    """Known ahead: of series n it is values[row[n]] (T,). Mean, deviation, least, most: where demand was observed."""

    values: Floats
    row: Ints
    mean: float
    deviation: float
    least: float
    most: float

    @classmethod
    def of(cls, panel: Panel, values: Floats, row: Ints) -> "_Number":
        """With what was seen of it."""
        seen = values[row][panel.seen]
        seen = seen[np.isfinite(seen)]
        facts = (seen.mean(), seen.std(), seen.min(), seen.max()) if len(seen) else (0, 0, 0, 0)
        return cls(values, row, *map(float, facts))

    def standard(self, part: slice) -> Floats:
        """(n, T) of some series, in standard deviations."""
        values: Floats = (np.clip(self.values[self.row[part]], self.least, self.most) - self.mean) / self.deviation
        return values


def _numbers(panel: Panel) -> Iterator[_Number]:
    """Each number; of those that are a series' own, also the mean over the members of each category: what others do.

    A number is a series' own where no category's members have it in common, as all of a store see each rival's price.
    """
    each = np.arange(len(panel.ids))
    groups = [np.unique(codes, return_inverse=True)[1] for codes in panel.kept.values()]
    for values in panel.numbers.values():
        yield _Number.of(panel, values, each)
        means = [mean_of_members(values, members) for members in groups]
        pairs = list(zip(means, groups, strict=True))
        if not any(np.allclose(mean[of][panel.seen], values[panel.seen], equal_nan=True) for mean, of in pairs):
            yield from (_Number.of(panel, mean, of) for mean, of in pairs)


def _observed(panel: Panel, numbers: list[_Number], part: slice) -> tuple[Floats, Floats]:
    """Of some series (n, T, K) numbers and seasons, (n, T) logarithm of demand, nan where not both are seen."""
    y, seen = panel.y[part], panel.seen[part]
    columns = [number.standard(part) for number in numbers]
    periods = np.arange(y.shape[1])
    if panel.season and panel.end >= 2 * panel.season:
        columns += [np.broadcast_to(periods % panel.season == at, y.shape) for at in range(panel.season)]
    x = np.stack(columns, axis=-1)
    return x, np.where(seen & np.isfinite(x).all(axis=-1), np.log(np.where(seen, y, 1)), np.nan)


def _within(x: Floats, logs: Floats) -> tuple[Floats, Floats]:
    """(N, K, K) and (N, K): sums of products of the numbers with each other and with the logarithms, within series."""
    seen = ~np.isnan(logs)
    count = np.maximum(seen.sum(axis=1), 1)
    x, logs = np.where(seen[..., None], x, 0), np.where(seen, logs, 0)
    x = np.where(seen[..., None], x - (x.sum(axis=1) / count[:, None])[:, None], 0)
    return x.transpose(0, 2, 1) @ x, np.einsum("ntk,nt->nk", x, logs)


def _effects(panel: Panel, products: Floats, moments: Floats) -> Floats:
    """(N, K): effect of each number on each series: the common one and those of its categories' levels."""
    count = moments.shape[1]
    groups = np.stack(list(_groups(panel, count)), axis=1)
    most = int(groups.max()) + 1
    pairs = groups[:, :, None] * most + groups[:, None, :]
    normal = (_sums(pairs.reshape(len(groups), -1), most**2) @ products.reshape(len(groups), -1)).reshape(
        most, most, count, count
    )
    belongs = _sums(groups, most)
    normal = normal.transpose(0, 2, 1, 3).reshape(most * count, most * count)
    normal += np.diag(np.repeat([COMMON_RIDGE, *[RIDGE] * (most - 1)], count))
    found = np.linalg.solve(normal, (belongs @ moments).ravel()).reshape(most, count)
    effects: Floats = belongs.T @ found
    return effects


def _groups(panel: Panel, numbers: int) -> Iterator[Ints]:
    """(N,) the group of each series: all, then each category that series keep, as many as can be solved for."""
    yield np.zeros(len(panel.ids), dtype=np.int64)
    taken = 1
    for codes in sorted(panel.kept.values(), key=lambda codes: len(np.unique(codes))):
        levels, members = np.unique(codes, return_inverse=True)
        if (taken + len(levels)) * numbers <= MOST_EFFECTS:
            yield taken + members
            taken += len(levels)


def _sums(groups: Ints, most: int) -> sparse.csr_array:
    """(most, N): sums over series by their groups (N, P)."""
    series = np.repeat(np.arange(len(groups)), groups.shape[1])
    return sparse.csr_array((np.ones(groups.size), (groups.ravel(), series)), shape=(most, len(groups)))


def _level(residual: Floats, end: int) -> Floats:
    """(N,): mean of each series' residuals (N, T), nan left out, moved towards the recent ones."""
    seen = ~np.isnan(residual)
    usual = ratio(np.nansum(residual, axis=1), seen.sum(axis=1).astype(float))
    weight = seen * 0.5 ** ((end - np.arange(residual.shape[1])) / LEVEL_HALF_LIFE)
    beyond = np.nan_to_num(residual - usual[:, None])
    level: Floats = usual + (weight * beyond).sum(axis=1) / (weight.sum(axis=1) + LEVEL_BELIEF)
    return level
