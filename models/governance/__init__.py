"""Which model forecasts: MLflow's registry, the gate of promotion, tuning, the daily forecast by the champion."""

__all__ = ["daily", "gate", "markets", "promotion", "registry", "tuning", "voices"]
