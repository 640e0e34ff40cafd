"""The registered model as MLflow runs it (`mlflow.pyfunc.load_model`, `mlflow models serve`): models from code.

Input, by its columns:

* ds with merchant_id and style_id (or series_id): the cells to forecast, from the history that the model learned from.
  Rows with y are observations since then, so that a whole panel may be given (`models.panel.history`).
* Without ds: feature rows of `models.demand.features.matrix` (doubles; categories as text).

Output: the keys, where they were given, and mean, q05 .. q95 in pieces, a row per row asked for.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext

from models.demand.features import Cells, matrix
from models.demand.scorer import Scorer
from models.panel.history import NEEDED, Question, asked, loaded


class Predictor(PythonModel):  # type: ignore[misc]
    """`Scorer` behind MLflow's interface."""

    def load_context(self, context: PythonModelContext) -> None:
        """Loads boosters, spec and history once, when the model is loaded."""
        folder = Path(context.artifacts["model"])
        self.scorer = Scorer.load(folder)
        self.history = loaded(folder / "history.npz")

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Mean and quantiles of each row."""
        if "ds" not in model_input:
            return self._of_features(model_input)
        question = asked(self.history, model_input)
        return pd.concat([question.keys, self.scorer.predict(matrix(question.panel, _cells(question)))], axis=1)

    def _of_features(self, rows: pd.DataFrame) -> pd.DataFrame:
        names = self.scorer.spec["features"]
        if missing := ", ".join(name for name in names if name not in rows):
            raise ValueError(f"features {missing} are missing; needed are these, or {NEEDED}")
        return self.scorer.predict(rows[names])


def _cells(question: Question) -> Cells:
    """Each from the last observation of its series, or of any where it has none."""
    last, latest = question.panel.last[question.series], np.minimum(question.panel.end, question.column - 1)
    origin = np.where(last >= 0, last, latest)
    held = question.keys[origin >= question.column].head(3)
    if len(held):
        raise ValueError(f"{held.to_dict('records')}: not after the last observation; ask for later periods")
    return Cells(question.series, origin, question.column)


set_model(Predictor())
