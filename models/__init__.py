"""Demand forecasts: features, baselines, training, evaluation, registry."""

import os

# XGBoost's threads spin at their barriers by default: beside one other busy process on two cores, training took 73 s
# instead of 5. Read when the OpenMP runtime is loaded, hence before the first import of xgboost.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

__all__ = [
    "demand",
    "design",
    "ensemble",
    "evaluation",
    "finish",
    "governance",
    "market",
    "panel",
    "price",
    "surprise",
    "trend",
    "voice",
]
