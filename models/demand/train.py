"""Training: one model over all series and horizons, quantiles and mean, from a panel.

A training row is a (series, origin, target) cell of `models.demand.features`; the target is demand over the row's
scale. Two boosters: quantiles (pinball loss) and mean (Poisson loss). How totals over several periods spread about
their expected value, and where quantiles miss their levels, is measured on the last weeks (`models.demand.heldout`)
and kept with the model.
"""

import hashlib
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xgboost as xgb

from c2m.domain.newsvendor import WINDOW_LEVELS
from c2m.files import sha256, write_json
from c2m.settings import ForecastPolicy
from models.demand.boosting import QUANTILE_LEVELS, learned
from models.demand.drift import profile
from models.demand.features import is_logarithmic
from models.demand.heldout import ASSUMED, heldout
from models.demand.sample import launches, sample
from models.demand.scorer import FORMAT, Scorer
from models.panel.matrices import Panel


@dataclass(frozen=True)
class Trained:
    """A model before it is registered: boosters as UBJSON and what is needed to use them."""

    boosters: dict[str, bytes]  # by name, `models.demand.scorer.BOOSTERS`
    spec: dict[str, Any]  # what scoring needs beside them (`Scorer`)

    def save(self, folder: Path) -> None:
        """Writes what `Scorer.load` reads."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, raw in self.boosters.items():
            (folder / f"{name}.ubj").write_bytes(raw)
        write_json(folder / "spec.json", self.spec)

    def scorer(self) -> Scorer:
        """The model at work in this process."""
        return Scorer.of(self.boosters, self.spec)


def train(panel: Panel, policy: ForecastPolicy, totals: bool = True, quantiles: bool = True) -> Trained:
    """A model of the panel's observations; with enough launches, a second learner for series without history.

    Parameters
    ----------
    panel
        Series by periods.
    policy
        The recipe: trees, training rows, threads, seed.
    totals
        Measure on weeks held out how totals spread and whether quantiles hold. Without that a model is made sooner; it
        assumes how totals spread, and leaves its quantiles as they are.
    quantiles
        Learn them too; else the mean alone.

    Returns
    -------
    Trained
        `scorer()` forecasts with it.

    Examples
    --------
    >>> import pandas as pd
    >>> from models.demand.forecast import forecast
    >>> from models.panel.long import panel_of
    >>> days = pd.date_range("2026-01-05", periods=28)
    >>> shirts = pd.DataFrame({"series_id": "shirt", "ds": days, "y": [1, 2, 3, 4, 5, 6, 7] * 4})
    >>> panel = panel_of(shirts, horizon=7)
    >>> model = train(panel, ForecastPolicy(rounds=5, threads=1)).scorer()
    >>> frame = forecast(panel, "wape", model)
    >>> len(frame), bool((frame["q10"] <= frame["q90"]).all())
    (7, True)
    """
    panel = panel.lifted()
    logarithmic = is_logarithmic(panel)
    with tempfile.TemporaryDirectory() as scratch:
        rows, new = sample(panel, panel.end, policy, Path(scratch)), launches(panel, policy, Path(scratch))
        learners = {"": rows} | ({"launch_": new} if new else {})
        boosters = {
            f"{name}{booster}": trees
            for name, known in learners.items()
            for booster, trees in learned(known, policy, logarithmic, quantiles).items()
        }
    measured = heldout(panel, policy, logarithmic) if totals else ASSUMED
    spec = {
        "format": FORMAT,
        "xgboost": xgb.__version__,
        **rows.columns,
        "launch": new.columns if new else None,
        "profile": profile(rows.recent, rows.levels),
        "quantile_levels": QUANTILE_LEVELS,
        "logarithmic": logarithmic,
        "window_levels": WINDOW_LEVELS,
        "windows": measured.windows,
        "conformal": measured.conformal,
        "whole": panel.whole,
        "series": len(panel.ids),
        "periods": panel.end + 1,
        "end": str(panel.ds[panel.end]),
        "rows": len(rows.relative),
        "policy": policy.model_dump(),
        "fingerprint": fingerprint(panel, policy),
    }
    return Trained({name: bytes(booster.save_raw("ubj")) for name, booster in boosters.items()}, spec)


def fingerprint(panel: Panel, policy: ForecastPolicy) -> str:
    """Follows from the data, the parameters, the library and the code: the same fingerprint, the same model."""
    code = [
        sha256(Path(__file__).with_name(f"{module}.py"))
        for module in ("train", "sample", "features", "boosting", "heldout", "scorer")
    ]
    digest = hashlib.sha256(json.dumps([code, xgb.__version__, policy.model_dump()]).encode())
    digest.update("\n".join(map(str, [*panel.ids, *panel.ds, panel.season])).encode())
    for name, values in {**panel.numbers, **panel.past}.items():
        digest.update(name.encode() + values.tobytes())
    for name, category in panel.categories.items():
        digest.update(f"{name} {category.levels}".encode() + category.codes.tobytes())
    digest.update(panel.y.tobytes())
    return digest.hexdigest()
