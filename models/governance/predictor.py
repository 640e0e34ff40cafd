"""The registered model as MLflow runs it (`mlflow.pyfunc.load_model`, `mlflow models serve`): models from code.

Input: feature rows of `models.demand.features.matrix` (doubles; categories as text). Output: mean, q05 .. q95 in
pieces.
"""

from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext

from models.demand.scorer import Scorer


class Predictor(PythonModel):  # type: ignore[misc]
    """`Scorer` behind MLflow's interface."""

    def load_context(self, context: PythonModelContext) -> None:
        """Loads boosters and spec once, when the model is loaded."""
        self.scorer = Scorer.load(Path(context.artifacts["model"]))

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Mean and quantiles of each row."""
        return self.scorer.predict(model_input)


set_model(Predictor())
