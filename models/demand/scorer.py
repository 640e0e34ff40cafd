"""A trained model at work: feature rows in, mean and quantiles of demand out.

Reads what `models.demand.train.Trained.save` wrote (boosters as UBJSON, spec.json). Imports nothing of the project,
because this file also travels inside the registered model, where only NumPy, pandas and XGBoost stand beside it.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xgboost as xgb
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FORMAT = 6  # of the saved model; raised when an older scorer could not read a newer model
BOOSTERS = ("mean", "quantiles", "launch_mean", "launch_quantiles")
UNSEEN = "(unseen)"  # the reserved level of every category


def quantile_name(level: float) -> str:
    """0.05 -> q05, 0.975 -> q975: the column that holds this quantile."""
    return "q" + f"{level:.3f}"[2:].removesuffix("0")


@dataclass(frozen=True)
class Scorer:
    """Boosters by name (those of launches and of quantiles may be missing) and what is needed to use them."""

    boosters: dict[str, xgb.Booster]  # trees by what they forecast: mean, quantiles ..., and the same of launches
    # what scoring needs beside them: features, categories, recipe, ratios of windows, end of the training data
    spec: dict[str, Any]

    @classmethod
    def load(cls, folder: Path) -> "Scorer":
        """The model saved in a folder.

        Raises
        ------
        ValueError
            It was saved in a format that this code does not read.
        """
        spec = json.loads((folder / "spec.json").read_text(encoding="utf-8"))
        if spec["format"] != FORMAT:
            raise ValueError(f"saved in format {spec['format']}, and this code reads format {FORMAT}")
        files = {name: folder / f"{name}.ubj" for name in BOOSTERS}
        return cls.of({name: file.read_bytes() for name, file in files.items() if file.exists()}, spec)

    @classmethod
    def of(cls, boosters: dict[str, bytes], spec: dict[str, Any]) -> "Scorer":
        """A model out of its parts.

        Parameters
        ----------
        boosters
            UBJSON of XGBoost, by name.
        spec
            What scoring needs beside them.

        Returns
        -------
        Scorer
            With the threads of the recipe.
        """
        threads = {"nthread": spec["policy"]["threads"]}
        return cls({name: xgb.Booster(threads, model_file=bytearray(raw)) for name, raw in boosters.items()}, spec)

    def predict(self, features: pd.DataFrame) -> pd.DataFrame:
        """Columns mean and, if trained, q05 .. q95 in pieces: never negative, never crossing, never nan."""
        frame = self._predict("", self.spec, features)
        new = features["age"].isna()  # no history: the learner of launches, where there is one
        if self.spec["launch"] and new.any():
            frame[new] = self._predict("launch_", self.spec["launch"], features[new])
        return frame

    def _predict(self, learner: str, spec: dict[str, Any], features: pd.DataFrame) -> pd.DataFrame:
        scale = features["scale"].to_numpy(dtype=np.float64)
        rows = xgb.DMatrix(encoded(features, spec["levels"], spec["features"]), feature_types=spec["types"])
        mean = self.boosters[f"{learner}mean"].predict(rows).astype(np.float64) * scale
        frame = pd.DataFrame({"mean": np.maximum(mean, 0)}, index=features.index)
        if "quantiles" in self.boosters:
            known = np.sort(self._relative(learner, rows) * scale[:, None], axis=1) * self.spec["conformal"]
            names = [quantile_name(level) for level in self.spec["quantile_levels"]]
            frame[names] = self._whole(np.sort(known, axis=1))
        return frame

    def _relative(self, learner: str, rows: xgb.DMatrix) -> Floats:
        """(rows, levels): quantiles of demand over scale."""
        ratios: Floats = self.boosters[f"{learner}quantiles"].predict(rows).astype(np.float64)
        return np.exp(ratios) if self.spec["logarithmic"] else np.maximum(ratios, 0.0, out=ratios)

    def gain(self) -> "pd.Series[float]":
        """What each feature brings to the mean, by its name: how much its splits lower the training loss, summed over
        all of them, in the loss's units; 0 where none splits on it.
        """
        found = self.boosters["mean"].get_score(importance_type="total_gain")  # by place: names stay in the spec
        names = self.spec["features"]
        return pd.Series([float(found.get(f"f{place}", 0.0)) for place in range(len(names))], index=names)

    def totals(self, mean: Floats, window: int) -> pd.DataFrame:
        """Quantiles of totals over a window, from the ratios of total to mean seen in the backtest.

        Parameters
        ----------
        mean
            (N,) expected totals, in pieces.
        window
            Periods; of the windows that the backtest saw, the nearest counts.

        Returns
        -------
        pd.DataFrame
            N rows of pieces, a column per level: q05 .. q975.
        """
        table = min(self.spec["windows"], key=lambda known: abs(np.log(known["window"] / window)))
        at = np.log(np.maximum(mean, 1e-9))
        ratios = [np.interp(at, np.log(table["means"]), ratios) for ratios in table["ratios"]]
        totals = np.sort(np.stack(ratios, axis=1) * mean[:, None], axis=1)
        return pd.DataFrame(self._whole(totals), columns=[quantile_name(level) for level in self.spec["window_levels"]])

    def _whole(self, quantiles: Floats) -> Floats:
        """Where demand comes in whole pieces, so do its quantiles."""
        return np.rint(quantiles) if self.spec["whole"] else quantiles


def encoded(features: pd.DataFrame, levels: dict[str, list[str]], names: list[str]) -> Floats:
    """The rows as doubles; a category becomes its place among the levels, an unknown one the reserved place 0."""
    return np.column_stack([
        _places(features[name], levels[name]) if name in levels else features[name].to_numpy(dtype=np.float64)
        for name in names
    ])  # fmt: skip


def _places(column: "pd.Series[str]", levels: list[str]) -> Floats:
    return np.maximum(pd.Index(levels).get_indexer(pd.Index(column.astype(str))), 0).astype(np.float64)
