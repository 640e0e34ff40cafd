"""Training: one model over all series and horizons, quantiles and mean, from a panel.

A training row is a (series, origin, target) cell of `models.features`; the target is demand over the row's scale. Two
boosters: quantiles (pinball loss) and mean (Poisson loss). How totals over several periods spread about their expected
value is measured on the last weeks with a mean model that has not seen them, and kept with the model.
"""

import hashlib
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xgboost as xgb
from scipy import stats

from c2m.files import sha256
from c2m.newsvendor import WINDOW_LEVELS
from c2m.settings import ForecastPolicy
from models.boosting import boosted
from models.drift import profile
from models.features import Cells, blocks, ratio
from models.panel import Floats, Panel
from models.sample import Sample, launches, sample
from models.scorer import FORMAT, Scorer

QUANTILE_LEVELS = (0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95)
WINDOWS = (1, 3, 7, 14, 28, 56)  # periods over which totals are measured
CLASSES = 4  # of expected totals, equally many each
MAX_SERIES = 2_000  # series whose totals are measured, evenly chosen
ASSUMED_VARIATION = 0.7  # of a total beyond Poisson, relative: median over speed classes, Amazon apparel, 7 and 14 days
FEWEST_TOTALS = 60 * CLASSES  # observed totals below which their spread is assumed, not measured

# A row weighs its scale to this power. 1 is the loss in pieces; less also hears the slow series. Amazon apparel: the
# mean's totals cost 1 % less to order by, quantiles lose 1 % less pinball.
MEAN_WEIGHT, QUANTILE_WEIGHT = 0.75, 0.5
# Where no observation is zero, quantiles are learned of the logarithm, each row alike: what sells ten times as much in
# one week as in the next pulls less. Orange juice, rounds 1 to 4: WAPE 41 instead of 46.
LOGARITHM_WEIGHT = 0.0


@dataclass(frozen=True)
class Trained:
    """A model before it is registered: boosters as UBJSON and what is needed to use them."""

    boosters: dict[str, bytes]  # by name, `models.scorer.BOOSTERS`
    spec: dict[str, Any]

    def save(self, folder: Path) -> None:
        """Writes what `Scorer.load` reads."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, raw in self.boosters.items():
            (folder / f"{name}.ubj").write_bytes(raw)
        (folder / "spec.json").write_text(json.dumps(self.spec, indent=1), encoding="utf-8")

    def scorer(self) -> Scorer:
        """The model at work in this process."""
        return Scorer.of(self.boosters, self.spec)


def train(panel: Panel, policy: ForecastPolicy, totals: bool = True, quantiles: bool = True) -> Trained:
    """A model of the panel's observations; with enough launches, a second learner for series without history.

    Without the spread of `totals` it is made sooner and cannot do windows, without `quantiles` it gives the mean alone.
    """
    logarithmic = bool((panel.y[panel.seen] > 0).all())
    with tempfile.TemporaryDirectory() as scratch:
        rows, new = sample(panel, panel.end, policy, Path(scratch)), launches(panel, policy, Path(scratch))
        learners = {"": rows} | ({"launch_": new} if new else {})
        boosters = {f"{name}mean": _mean_booster(known, policy) for name, known in learners.items()}
        if quantiles:
            spreads = {name: _spread_booster(known, policy, logarithmic) for name, known in learners.items()}
            boosters |= {f"{name}quantiles": booster for name, booster in spreads.items()}
    spec = {
        "format": FORMAT,
        "xgboost": xgb.__version__,
        **_columns(rows),
        "launch": _columns(new) if new else None,
        "profile": profile(rows.recent, rows.levels),
        "quantile_levels": QUANTILE_LEVELS,
        "logarithmic": logarithmic,
        "window_levels": WINDOW_LEVELS,
        "windows": _windows(panel, policy) if totals else [],
        "whole": bool((panel.y[panel.seen] % 1 == 0).all()),
        "series": len(panel.ids),
        "periods": panel.end + 1,
        "end": str(panel.ds[panel.end]),
        "rows": len(rows.relative),
        "policy": policy.model_dump(),
        "fingerprint": fingerprint(panel, policy),
    }
    return Trained({name: bytes(booster.save_raw("ubj")) for name, booster in boosters.items()}, spec)


def _columns(rows: Sample) -> dict[str, Any]:
    """What a learner reads."""
    return {"features": rows.names, "types": rows.types, "levels": rows.levels}


_QUANTILES = {"objective": "reg:quantileerror", "quantile_alpha": list(QUANTILE_LEVELS)}


def fingerprint(panel: Panel, policy: ForecastPolicy) -> str:
    """Follows from the data, the parameters, the library and the code: the same fingerprint, the same model."""
    code = [
        sha256(Path(__file__).with_name(f"{module}.py"))
        for module in ("train", "sample", "features", "boosting", "scorer")
    ]
    digest = hashlib.sha256(json.dumps([code, xgb.__version__, policy.model_dump()]).encode())
    digest.update("\n".join(map(str, [*panel.ids, *panel.ds, panel.season])).encode())
    for name, values in {**panel.numbers, **panel.past}.items():
        digest.update(name.encode() + values.tobytes())
    for name, category in panel.categories.items():
        digest.update(f"{name} {category.levels}".encode() + category.codes.tobytes())
    digest.update(panel.y.tobytes())
    return digest.hexdigest()


def _mean_booster(rows: Sample, policy: ForecastPolicy) -> xgb.Booster:
    return boosted(rows, policy, rows.relative, rows.weight(MEAN_WEIGHT), {"objective": "count:poisson"})


def _spread_booster(rows: Sample, policy: ForecastPolicy, logarithmic: bool) -> xgb.Booster:
    """Quantiles of the ratios, or of their logarithms."""
    target = np.log(rows.relative) if logarithmic else rows.relative
    weight = rows.weight(LOGARITHM_WEIGHT if logarithmic else QUANTILE_WEIGHT)
    return boosted(rows, policy, target, weight, _QUANTILES)


def _windows(panel: Panel, policy: ForecastPolicy) -> list[dict[str, Any]]:
    """Per window: how the total over it, divided by its expected total, is spread; by class of expected total."""
    start = int(panel.first.min())
    cut = panel.end - min(2 * policy.horizon_days, (panel.end - start) // 3)
    windows = [window for window in WINDOWS if window <= min(policy.horizon_days, panel.end - cut)]
    if not windows or cut - start < 2 * len(windows):
        return [_assumed_spread()]
    expected, actual = _totals(panel, cut, max(windows), policy)
    return [_spread(window, expected[:, window - 1], actual[:, window - 1]) for window in windows]


def _totals(panel: Panel, cut: int, longest: int, policy: ForecastPolicy) -> tuple[Floats, Floats]:
    """(rows, window): totals expected by a model that ends at `cut` and actual ones, from many origins after it.

    What all series together came out above or below their expectation at an origin is taken out: a handful of weeks
    says how series spread about the common level, not how that level errs.
    """
    with tempfile.TemporaryDirectory() as scratch:
        known = sample(panel, cut, policy, Path(scratch))
        booster = _mean_booster(known, policy)
    cells = _blocks(panel, cut, longest)
    expected = np.empty(len(cells))
    for at, rows in blocks(panel, cells):
        data = xgb.DMatrix(known.encoded(rows), feature_types=known.types)
        expected[at] = booster.predict(data) * rows["scale"].to_numpy()
    summed = expected.reshape(-1, longest).cumsum(axis=1)
    reached = cells.origin + np.tile(np.arange(1, longest + 1), len(cells) // longest) <= panel.end
    actual = np.where(reached, panel.y[cells.series, cells.target], np.nan).reshape(-1, longest).cumsum(axis=1)
    both = pd.DataFrame(np.hstack([np.where(np.isnan(actual), np.nan, summed), actual]))
    common = both.groupby(cells.origin[::longest]).transform("sum").to_numpy()
    return summed * ratio(common[:, longest:], common[:, :longest]), actual


def _blocks(panel: Panel, cut: int, longest: int) -> Cells:
    """`longest` periods ahead for each of some series from every other origin after `cut`, where it has history."""
    some = np.unique(np.linspace(0, len(panel.ids) - 1, MAX_SERIES).astype(np.int64))
    pairs = np.stack(np.meshgrid(some, np.arange(cut, panel.end, 2), indexing="ij"), axis=-1).reshape(-1, 2)
    pairs = pairs[panel.first[pairs[:, 0]] <= pairs[:, 1]]
    series, origin = (np.repeat(column, longest) for column in pairs.T)
    target = origin + np.tile(np.arange(1, longest + 1), len(pairs))
    return Cells(series, origin, np.minimum(target, panel.y.shape[1] - 1))


def _spread(window: int, expected: Floats, actual: Floats) -> dict[str, Any]:
    """Quantiles of actual over expected, in classes of expected totals of equal size."""
    known = np.isfinite(actual) & (expected > 0)
    expected, actual = expected[known], actual[known]
    if len(actual) < FEWEST_TOTALS:
        return _assumed_spread() | {"window": window}
    classes = np.array_split(np.argsort(expected, kind="stable"), CLASSES)
    ratios = [np.quantile(actual[members] / expected[members], WINDOW_LEVELS) for members in classes]
    means = [float(np.median(expected[members])) for members in classes]
    return {"window": window, "means": means, "ratios": np.transpose(ratios).tolist()}


def _assumed_spread() -> dict[str, Any]:
    """Where too little was seen: negative binomial, with a spread of the level that is typical of single styles."""
    size, means = 1 / ASSUMED_VARIATION**2, np.geomspace(0.01, 1e4, 40)
    ratios = [stats.nbinom.ppf(level, size, size / (size + means)) / means for level in WINDOW_LEVELS]
    return {"window": 1, "means": means.tolist(), "ratios": np.array(ratios).tolist()}
