"""Training rows: which observations a model learns from, how each weighs, and their features as XGBoost reads them.

A row is a (series, origin, target) cell of `models.demand.features`; what is learned is demand over the row's scale.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from c2m.errors import InputError
from c2m.settings import ForecastPolicy
from models.demand.features import FREAK, GIANT, MAX_LEVELS, Cells, blocks, ratio, without_freaks
from models.demand.scorer import UNSEEN, encoded
from models.panel.matrices import SEASONS, CategoricalColumn, Floats, Ints, Panel

# Chosen on Amazon apparel, every fourth of the 28 origins of `benchmarks/forecast/amazon.py`.
MOST_COPIES = 3  # origins drawn per observation of a small panel
HALF_LIFE = 60  # periods after which a training row weighs half
WARM_UP = 14  # first origin of training, in periods from the start of the panel
LAUNCH_HALF_LIFE = 112  # launches are few, and a year ago says more of them than last week
NEARLY_ALL = 0.999  # of the training rows with a sale: what the rest sold counts up to FREAK times what these did
FEWEST_LAUNCHES = 1_000  # rows below which new series have no model of their own
DAYS_OF_WEEK = SEASONS["D"]
PROFILED = 60_000  # recent rows that are remembered as they were, to tell drift by


@dataclass(frozen=True)
class Sample:
    """Training rows.

    features: (rows, names) single precision, on disk where they are many. relative: demand over scale. recency: 1 in
    the last period known, halving with age. recent: features of some rows of the last half-life, before encoding.
    """

    features: NDArray[np.float32]
    names: list[str]
    levels: dict[str, list[str]]
    scale: Floats
    relative: Floats
    recency: Floats
    recent: pd.DataFrame

    @property
    def types(self) -> list[str]:
        """XGBoost's name of each column's type: category or quantity."""
        return ["c" if name in self.levels else "q" for name in self.names]

    @property
    def columns(self) -> dict[str, Any]:
        """What a learner of these rows reads, as `models.demand.scorer` needs to know it."""
        return {"features": self.names, "types": self.types, "levels": self.levels}

    def weight(self, power: float) -> Floats:
        """Each row's scale to `power`, but no more than a giant's, times its recency; 1 on average."""
        weight = np.minimum(self.scale, GIANT * np.median(self.scale)) ** power * self.recency
        return weight / weight.mean()


def sample(panel: Panel, end: int, policy: ForecastPolicy, scratch: Path) -> Sample:
    """Training rows with targets up to column `end`; of more than `memory_rows` the features lie in `scratch`."""
    return _sample(panel, _cells(panel, end, policy), HALF_LIFE, policy, scratch / f"{end}.npy")


def launches(panel: Panel, policy: ForecastPolicy, scratch: Path) -> Sample | None:
    """The first periods of series that began within the panel, as seen the period before; None where they are few.

    Of the features those remain that do not need a history.
    """
    series, target = np.nonzero(panel.seen)
    first = panel.first[series]
    chosen = (first > panel.first.min()) & (target - first < policy.horizon_days)
    cells = Cells(series[chosen], first[chosen] - 1, target[chosen])
    if len(cells) < FEWEST_LAUNCHES:
        return None
    return _sample(panel, cells, LAUNCH_HALF_LIFE, policy, scratch / "launches.npy", needs_history=False)


def _sample(
    panel: Panel, cells: Cells, half_life: float, policy: ForecastPolicy, file: Path, needs_history: bool = True
) -> Sample:
    levels = {name: [UNSEEN, *_frequent(category, cells)] for name, category in panel.categories.items()}
    recency = 0.5 ** ((cells.target.max() - cells.target) / half_life)
    scale, recent, features, names = np.empty(len(cells)), [], np.empty((0, 0), dtype=np.float32), list[str]()
    profiled = _some(np.flatnonzero(recency >= 0.5), len(cells), policy)
    for at, rows in blocks(panel, cells):
        if not names:
            names = [name for name in map(str, rows) if needs_history or _is_timeless(name, panel)]
            features = _room((len(cells), len(names)), policy, file)
        features[at], scale[at] = encoded(rows, levels, names), rows["scale"]
        recent.append(rows[profiled[at]])
    relative = panel.y[cells.series, cells.target] / scale / _common_drift(panel, cells)
    return Sample(features, names, levels, scale, _tamed(relative), recency, pd.concat(recent, ignore_index=True))


def _tamed(relative: Floats) -> Floats:
    """Demand over scale (rows,), of which no row counts for more than FREAK times what nearly all sales stay below."""
    sold = relative[relative > 0]
    return np.minimum(relative, FREAK * np.quantile(sold, NEARLY_ALL)) if len(sold) else relative


def _common_drift(panel: Panel, cells: Cells) -> Floats:
    """(rows,): how demand moved from the week up to the origin to the week about the target, common to all series.

    Taken out of what is learned where periods are days: weeks or months of days do not tell whether the market goes on
    to rise or fall, and trees would learn that it does as it last did. What a series does beside the market remains.
    Styles that begin take demand from those that were there, or add to it; nobody knows. So the move is that of all
    series, or of those that had begun by the origin, whichever is less, and none where the two disagree on its sign.
    """
    if panel.season != DAYS_OF_WEEK:
        return np.ones(len(cells))
    end = int(cells.target.max())
    sold = np.nan_to_num(without_freaks(panel.y[:, : end + 1]))
    every, known, drift = sold.sum(axis=0), np.zeros(end + 1), np.ones(len(cells))
    by_first, taken = np.argsort(panel.first, kind="stable"), 0
    for origin in np.unique(cells.origin):
        begun = int(np.searchsorted(panel.first[by_first], origin, side="right"))
        known += sold[by_first[taken:begun]].sum(axis=0)
        rows, taken = np.flatnonzero(cells.origin == origin), begun
        moves = np.stack([_move(demand, int(origin), cells.target[rows]) for demand in (every, known)])
        least = np.take_along_axis(moves, np.abs(np.log(moves)).argmin(axis=0)[None], axis=0)[0]
        drift[rows] = np.where((moves > 1).all(axis=0) | (moves < 1).all(axis=0), least, 1.0)
    return drift


def _move(demand: Floats, origin: int, target: Ints) -> Floats:
    """(targets,): mean demand (T,) in the week about each target over that in the week up to the origin; > 0."""
    running, end = np.concatenate([[0.0], np.cumsum(demand)]), len(demand) - 1
    first, last = np.maximum(target - DAYS_OF_WEEK // 2, 0), np.minimum(target + DAYS_OF_WEEK // 2, end)
    days = min(origin + 1, DAYS_OF_WEEK)
    level = (running[origin + 1] - running[origin + 1 - days]) / days
    move = ratio((running[last + 1] - running[first]) / (last + 1 - first), level)
    return np.where(move > 0, move, 1.0)


def _is_timeless(name: str, panel: Panel) -> bool:
    """Whether a feature of a cell is known without any history of its series."""
    ahead = [*panel.numbers, *panel.categories]
    ratios = [f"{number}_to_{category}" for number in panel.numbers for category in panel.categories]
    return name in ("on_sale", "season", *ahead, *ratios)


def _some(rows: Ints, count: int, policy: ForecastPolicy) -> NDArray[np.bool_]:
    """(count,): at most PROFILED of the rows are marked."""
    if len(rows) > PROFILED:
        rows = np.random.default_rng(policy.seed).choice(rows, PROFILED, replace=False)
    return np.isin(np.arange(count), rows)


def _room(shape: tuple[int, int], policy: ForecastPolicy, file: Path) -> NDArray[np.float32]:
    if shape[0] <= policy.memory_rows:
        return np.empty(shape, dtype=np.float32)
    return np.lib.format.open_memmap(file, "w+", np.float32, shape)


def _cells(panel: Panel, end: int, policy: ForecastPolicy) -> Cells:
    """At most `training_rows`, the same for the same panel: every observation with one or more origins before it."""
    start = int(panel.first.min())
    warm = start + min(WARM_UP, (end - start) // 3)
    series, target = np.nonzero(panel.seen[:, : end + 1])
    horizon = min(policy.horizon_days, max(1, end - warm))
    copies = min(horizon, MOST_COPIES, -(-policy.training_rows // max(1, len(series))))
    random = np.random.default_rng(policy.seed)
    series, target = np.repeat(series, copies), np.repeat(target, copies)
    ahead = np.arange(1, horizon + 1)
    odds = ahead**-policy.nearness
    origin = target - random.choice(ahead, len(target), p=odds / odds.sum())
    # A series that starts with the panel was there before: only one that starts later has origins without a history.
    usable = (origin >= warm) & ((origin >= panel.first[series]) | (panel.first[series] > warm))
    chosen = np.flatnonzero(usable)
    if not len(chosen):
        raise InputError(
            "short-panel",
            [
                f"{len(panel.ids)} series over {end - start + 1} periods hold no two observations "
                "in sequence; a forecast needs at least two periods of history"
            ],
        )
    if len(chosen) > policy.training_rows:
        chosen = np.sort(random.choice(chosen, policy.training_rows, replace=False))
    return Cells(series[chosen], origin[chosen], target[chosen])


def _frequent(category: CategoricalColumn, cells: Cells) -> list[str]:
    """The levels that most rows have, in order of the alphabet."""
    codes = category.codes[cells.series, cells.target]
    count = np.bincount(codes[codes >= 0], minlength=len(category.levels))
    most = np.argsort(-count, kind="stable")[:MAX_LEVELS]
    return sorted(category.levels[code] for code in most if count[code])
