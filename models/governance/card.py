"""The model card, which MLflow shows as the description of a version."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from c2m import markdown
from models.demand.train import Trained

_NEW = "by a learner of their own, from attributes and the level of launches"
_NOT_NEW = "better not; too few launches were seen to learn from"


def card(trained: Trained, scores: pd.DataFrame, lineage: Mapping[str, Any]) -> str:
    """What the model is, what it learned from, what it is for, how it did in the backtest; Markdown."""
    spec, horizon = trained.spec, trained.spec["policy"]["horizon_days"]
    seen = f"{spec['series']:,} series x {spec['periods']} periods up to {spec['end'][:10]}"
    return f"""Daily demand of styles, in pieces asked for: mean and quantiles, one XGBoost model for all series.

* Learned from {seen}, {spec["rows"]:,} rows.
* Data: build {lineage["build_id"]} of the marts, dbt invocation {lineage["invocation_id"]}.
* For: up to {horizon} periods ahead, and totals over them.
* Styles without a day of sale: {_NEW if spec["launch"] else _NOT_NEW}.
* Not for: prices far from any seen.
* Limits: it knows nothing of weather, holidays or rivals; see the error by segment in the run.

{_backtest(scores)}"""


def _backtest(scores: pd.DataFrame) -> str:
    if scores.empty:
        return "History was too short for a backtest."
    table = markdown.table(scores[["wape", "bias", "pinball", "coverage_80"]].reset_index())
    return f"Backtest, everything trained anew at each origin:\n\n{table}"
